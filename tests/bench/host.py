"""The machine: what it is, whether it is quiet, what is installed on it."""
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pagecache

# Which Debian 12 package has a program.
PACKAGES = {
    "scp": "openssh-client", "ssh": "openssh-client", "ssh-keygen": "openssh-client", "sshd": "openssh-server",
    "rsync": "rsync", "nc": "netcat-openbsd", "socat": "socat", "mbuffer": "mbuffer", "curl": "curl",
    "nginx": "nginx-light", "openssl": "openssl", "xxhsum": "xxhash", "tar": "tar", "dd": "coreutils",
    "cp": "coreutils", "sync": "coreutils", "taskset": "util-linux", "cc": "gcc", "perf": "linux-perf",
    "strace": "strace",
}


def program(name: str) -> str | None:
    """The absolute path; also of what only administrators have in their PATH."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin")


def missing(names: tuple[str, ...]) -> str | None:
    """A reason, when one of the programs is not there."""
    absent = [name for name in names if program(name) is None]
    if not absent:
        return None
    return "not installed: " + ", ".join(f"{name} (package {PACKAGES.get(name, name)})" for name in absent)


def install() -> None:
    """Installs by apt what is not there. Needs root."""
    wanted = sorted({package for name, package in PACKAGES.items() if program(name) is None})
    # cc without the C library's headers compiles nothing.
    if "gcc" in wanted:
        wanted.append("libc6-dev")
    if not wanted:
        print("nothing to install")
        return
    print("installing:", " ".join(wanted))
    # Debian starts the servers it installs. They are not used here, so they are kept from starting.
    guard = Path("/usr/sbin/policy-rc.d")
    made = not guard.exists()
    if made:
        guard.write_text("#!/bin/sh\nexit 101\n")
        guard.chmod(0o755)
    try:
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted], check=True,
                       env=environment, stdout=subprocess.DEVNULL)
    finally:
        if made:
            guard.unlink()


def filesystem(path: Path) -> str:
    """The type of file system that holds the path."""
    best, kind = "", "unknown"
    resolved = str(path.resolve())
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            point = left.split()[4].encode().decode("unicode_escape")
            inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best):
                best, kind = point, right.split()[0]
    return kind


def facts(work: Path) -> dict[str, object]:
    """What a reader needs to judge the figures. No name of the machine, no address."""
    model = next((line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo")
                  if line.lower().startswith(("model name", "cpu part"))), platform.machine())
    memory = next(int(line.split()[1]) * 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "kernel": platform.release(), "machine": platform.machine(), "cpu": model, "cpus": os.cpu_count(),
        "memory_bytes": memory, "filesystem": filesystem(work), "python": platform.python_version(),
        "page_cache_by": pagecache.how(), "loadavg_at_start": os.getloadavg()[0],
        "versions": {name: version(name) for name in ("ssh", "rsync", "socat", "mbuffer", "curl", "nginx", "strace",
                                                      "perf", "cp")},
    }


def version(name: str) -> str | None:
    path = program(name)
    if path is None:
        return None
    flag = {"ssh": "-V", "nginx": "-v", "socat": "-V"}.get(name, "--version")
    try:
        done = subprocess.run([path, flag], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    # The line that says most about it first; some programs begin with their author.
    lines.sort(key=lambda line: -("version" in line.lower()) - (name in line.lower()))
    return lines[0].strip() if lines else None


def cpu_clock() -> tuple[float, float]:
    """CPU seconds of the whole machine since its start: all that was not idle, and idle. In steps of 10 ms."""
    fields = [int(value) for value in _lines("/proc/stat")[0].split()[1:9]]
    idle = fields[3] + fields[4]
    tick = os.sysconf("SC_CLK_TCK")
    return (sum(fields) - idle) / tick, idle / tick


@dataclass(frozen=True)
class Noise:
    """What others did just before a run, while this program did nothing."""
    loadavg: float
    others: float  # CPUs that were busy, as a number of CPUs

    @property
    def noisy(self) -> bool:
        return self.others > 0.25 * (os.cpu_count() or 1)


def listen_to_noise(seconds: float) -> Noise:
    """The load average also counts the runs of this program, so it only judges the start; while rounds
    go on, a moment of silence before each run does."""
    before = cpu_clock()[0]
    started = time.perf_counter()
    time.sleep(seconds)
    others = (cpu_clock()[0] - before) / (time.perf_counter() - started)
    return Noise(os.getloadavg()[0], others)


def noisy_at_start() -> bool:
    return os.getloadavg()[0] > 0.5 * (os.cpu_count() or 1)


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()
