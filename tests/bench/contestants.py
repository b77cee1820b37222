"""What a contestant is, and the contestants this project makes: zsend and zrecv in every mode and with
every engine that their --help names, so that a new engine takes part without a change here."""
import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import host
from measure import Job, NotAvailable, RunFailed

KIB, MIB = 1 << 10, 1 << 20
# The control of the historical claim, and a size at which the number of calls no longer matters.
BUFFER_SIZES = {"32K": 32 * KIB, "1M": MIB}
STREAMS = (2, 4)


@dataclass(frozen=True)
class Contestant:
    """Moves the files of a Job in `run`: starts servers, calls begin(), starts clients, calls finish(),
    stops servers. Raises RunFailed or NotAvailable."""
    name: str
    group: str                     # "zx", "peer", "baseline"
    what: str                      # one line for the reader
    run: Callable[[Job], None]
    encrypts: str = "no"
    verifies: str = "no"
    atomic: str = "no"
    durable: str = "no"
    needs: tuple[str, ...] = ()    # programs
    absent: str | None = None      # why it can never run here
    writes: bool = True            # its outcome is files with the content
    many: bool = False             # takes several files at once

    def missing(self) -> str | None:
        return self.absent or host.missing(self.needs)


@dataclass(frozen=True)
class Programs:
    """The two programs under test and what their --help offers."""
    zsend: Path
    zrecv: Path
    send_help: str
    recv_help: str

    @staticmethod
    def find(zsend: str | None, zrecv: str | None) -> "Programs":
        root = Path(__file__).resolve().parents[2]
        paths = {}
        for name, given in (("zsend", zsend), ("zrecv", zrecv)):
            built = root / "build" / "release" / name / name
            chosen = given or os.environ.get(name.upper()) or (str(built) if built.exists() else host.program(name))
            if chosen is None or not os.access(chosen, os.X_OK):
                raise SystemExit(f"bench: no program {chosen or name}; build it, or give --{name} PATH")
            paths[name] = Path(chosen).resolve()
        return Programs(paths["zsend"], paths["zrecv"], _help(paths["zsend"]), _help(paths["zrecv"]))

    def versions(self) -> dict[str, str]:
        def ask(path: Path) -> str:
            return subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        return {path.name: ask(path) for path in (self.zsend, self.zrecv)}


def _help(path: Path) -> str:
    return subprocess.run([path, "--help"], capture_output=True, text=True, timeout=20, check=True).stdout


def words_of(text: str, option: str) -> list[str]:
    """The words a --help lists for an option: `--engine auto|a|b` gives auto, a, b."""
    found = re.search(rf"^\s*(?:-\w,)?{option}[ =\[]+([\w|]+)", text, re.M)
    return found[1].split("|") if found else []


def has_option(text: str, option: str) -> bool:
    return re.search(rf"^\s*(?:-\w,)?{option}\b", text, re.M) is not None


@dataclass(frozen=True)
class Way:
    """How both programs are told to move bytes."""
    mode: str = "plain"            # plain, tls, ktls
    send_engine: str = "auto"
    recv_engine: str = "auto"
    buffer: int | None = None
    streams: int | None = None


def transfer(programs: Programs, way: Way) -> Callable[[Job], None]:
    def run(job: Job) -> None:
        heard, told = job.scratch / "zrecv.json", job.scratch / "zsend.json"
        receiver = job.start("receiver", [programs.zrecv, *options_for(programs.recv_help, way, job), f"--json={heard}",
                                          f"--engine={way.recv_engine}", "--listen", "127.0.0.1:0", job.dest])
        try:
            listening = job.until(lambda: event(heard, "listening"), receiver)
            key = {"ZXFER_KEY": listening["key"]} if "key" in listening else {}
            job.begin()
            sender = job.start("sender", [programs.zsend, *options_for(programs.send_help, way, job), f"--json={told}",
                                        f"--engine={way.send_engine}", *job.sources,
                                        f"zs://127.0.0.1:{listening['port']}"], environment=key)
            job.finish(sender, receiver)
        except RunFailed as failure:
            # --ktls=on is refused where the kernel cannot: a reason, not a fault. Anything else is one.
            if way.mode == "ktls" and re.search("ktls|kernel tls", str(failure), re.I):
                raise NotAvailable(str(failure)) from failure
            raise
        summary = event(told, "summary")
        job.notes["summary"] = summary
        check_path(way, summary["path"])
    return run


def options_for(help_text: str, way: Way, job: Job) -> list[str]:
    """What both are told alike; only options that the program has."""
    options = ["-q", f"--durability={job.durability}"]
    if way.mode == "plain":
        options += ["--plain", "--no-auth"]
    elif has_option(help_text, "--ktls"):
        options.append(f"--ktls={'on' if way.mode == 'ktls' else 'off'}")
    if way.streams:
        options.append(f"--streams={way.streams}")
    if way.buffer and has_option(help_text, "--buffer-size"):
        options.append(f"--buffer-size={way.buffer}")
    return options


def check_path(way: Way, path: dict[str, object]) -> None:
    """What was asked for must be what ran: a fallback is another contestant's result."""
    asked = {"tx": way.send_engine, "rx": way.recv_engine,
             "tls": {"plain": "none", "tls": "user", "ktls": "ktls"}[way.mode]}
    for key, word in asked.items():
        if word not in ("auto", path.get(key)):
            why = "; ".join(str(reason) for reason in path.get("why", [])) or "no reason given"
            raise NotAvailable(f"asked for {word}, ran {path.get(key)}: {why}")


def event(path: Path, name: str) -> dict[str, object] | None:
    """The last event of that name; a line that is only half written yet does not count."""
    found = None
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    for line in text.splitlines(keepends=True):
        if line.endswith("\n") and f'"event":"{name}"' in line:
            found = json.loads(line)
    return found


def zx_contestants(programs: Programs) -> list[Contestant]:
    """All ways; names are zx-MODE, then / and what differs from the program's own choice."""
    made: list[Contestant] = []
    ktls = [word for text in (programs.send_help, programs.recv_help) for word in words_of(text, "--ktls")]
    ktls_absent = None if ktls.count("on") == 2 else "not available: --help lists no --ktls on"
    sending, receiving = (words_of(text, "--engine") for text in (programs.send_help, programs.recv_help))

    def add(name: str, what: str, way: Way, absent: str | None = None) -> None:
        cipher = {"plain": "no", "tls": "TLS 1.3, user space", "ktls": "TLS 1.3, kernel"}[way.mode]
        made.append(Contestant(name, "zx", what, transfer(programs, way), encrypts=cipher,
                               verifies="XXH3-128 of what the file holds", atomic="yes", durable="by option",
                               many=True, absent=absent))

    for mode, what in (("plain", "no encryption"), ("tls", "TLS in user space"), ("ktls", "TLS in the kernel")):
        absent = ktls_absent if mode == "ktls" else None
        add(f"zx-{mode}", f"{what}; the engines they choose themselves", Way(mode), absent)
        if mode == "tls" or absent:
            continue  # data of user-space TLS goes through a buffer whatever is asked for
        for engine in sending:
            if engine != "auto":
                add(f"zx-{mode}/tx-{engine}", f"{what}; zsend --engine={engine}", Way(mode, send_engine=engine))
        for engine in receiving:
            if engine != "auto":
                add(f"zx-{mode}/rx-{engine}", f"{what}; zrecv --engine={engine}", Way(mode, recv_engine=engine))
    if "direct" in sending and "direct" in receiving:
        add("zx-plain/direct", "no encryption; --engine=direct on both sides", Way("plain", "direct", "direct"))
        add("zx-tls/direct", "TLS in user space; --engine=direct on both sides", Way("tls", "direct", "direct"))
    add("zx-plain/rw", "no encryption; --engine=readwrite on both sides", Way("plain", "readwrite", "readwrite"))
    if has_option(programs.send_help, "--buffer-size"):
        for label, size in BUFFER_SIZES.items():
            add(f"zx-plain/rw-{label}", f"the same with --buffer-size={size}",
                Way("plain", "readwrite", "readwrite", buffer=size))
    if has_option(programs.send_help, "--streams"):
        for mode in ("plain", "tls"):
            for streams in STREAMS:
                add(f"zx-{mode}/streams-{streams}", f"{streams} connections", Way(mode, streams=streams))
    return made
