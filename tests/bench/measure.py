"""One run of one contestant: starts its processes, keeps the clock, and says what they cost.

CPU time is what wait4(2) reports for a process that this program started, which includes all of its
descendants that were waited for. Servers (sshd, rsync, nginx) are therefore started in the foreground as
children, fresh for each run, and are stopped only when they have no session left. So everything that
works for a transfer is counted at its side, its start and its end too. What the kernel does in threads
of its own (soft interrupts, write-back) belongs to nobody; system_s shows it together with everything
else on the machine.
"""
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import host
from syscalls import Tracer

SIDES = ("sender", "receiver")
START_SECONDS = 20.0   # for a server to be ready, or to end
POLL_SECONDS = 0.002
SAMPLE_SECONDS = 0.004


class RunFailed(Exception):
    """This run is void; the text says why."""


class NotAvailable(Exception):
    """This contestant cannot do that here; the text says why."""


@dataclass
class Process:
    side: str
    pid: int
    name: str
    messages: Path           # its standard error
    traced: Path | None      # output of the tracer that is its parent
    status: int | None = None
    usage: resource.struct_rusage | None = None

    def said(self) -> str:
        lines = self.messages.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " | ".join(lines[-3:])[-400:]


@dataclass
class Job:
    """What a contestant gets to work with. All of `sources` must arrive in the empty folder `dest`."""
    sources: list[Path]
    dest: Path
    scratch: Path                      # for logs and settings of this run
    durability: str = "none"           # what is asked for: none, batch, file
    sync_after: bool = False           # a sync of what arrived belongs to the run
    tracer: Tracer = field(default_factory=lambda: Tracer("none"))
    prefixes: Mapping[str, list[str]] = field(default_factory=dict)  # by side, before each command
    timeout: float = 600.0
    processes: list[Process] = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)  # what the contestant says about the run
    wall_s: float | None = None
    system_s: float | None = None
    _began: float = 0.0
    _system: float = 0.0
    _late: bool = False

    @property
    def source(self) -> Path:
        """The one file, for contestants that take no more."""
        if len(self.sources) != 1:
            raise NotAvailable("takes one file at a time")
        return self.sources[0]

    @property
    def target(self) -> Path:
        return self.dest / self.source.name

    def start(self, side: str, command: list[object], *, stdin: Path | None = None, stdout: Path | None = None,
              environment: Mapping[str, str] | None = None) -> Process:
        """Starts a process; standard input and output are /dev/null unless given."""
        number = len(self.processes)
        words = [str(word) for word in command]
        words[0] = host.program(words[0]) or words[0]
        messages = self.scratch / f"{number}.{side}.err"
        traced = self.scratch / f"{number}.{side}.trace"
        tracing = self.tracer.command(side, traced)
        before = [*self.prefixes.get(side, []), *tracing]
        with (open(stdin or os.devnull, "rb") as input_file, open(stdout or os.devnull, "wb") as output_file,
              open(messages, "wb") as error_file):
            pid = _spawn(before + words, input_file, output_file, error_file, self.scratch, environment)
        process = Process(side, pid, os.path.basename(words[0]), messages, traced if tracing else None)
        self.processes.append(process)
        return process

    def until(self, ready: Callable[[], object], process: Process) -> object:
        """Waits until the process has made something true, and returns that."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            answer = ready()
            if answer:
                return answer
            ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None or time.monotonic() > deadline:
                raise RunFailed(f"{process.name} was not ready: {process.said() or 'no message'}")
            time.sleep(POLL_SECONDS)

    def begin(self) -> None:
        """The clock starts: all servers are ready, the client is started next."""
        self._system = host.cpu_clock()[0]
        self._began = time.perf_counter()

    def finish(self, *processes: Process) -> None:
        """Waits for these processes and stops the clock. Each must end well."""
        watch = threading.Timer(self.timeout, self._give_up)
        watch.start()
        try:
            for process in processes:
                self._wait(process)
                if process.status != 0:
                    why = f"took more than {self.timeout:.0f} s" if self._late else process.said()
                    raise RunFailed(f"{process.name} ended with {process.status}: {why}")
            if self.sync_after:
                flush = self.start("receiver", ["sync", *(self.dest / path.name for path in self.sources)])
                self._wait(flush)
                if flush.status != 0:
                    raise RunFailed(f"sync: {flush.said()}")
        finally:
            watch.cancel()
        self.wall_s = time.perf_counter() - self._began
        self.system_s = host.cpu_clock()[0] - self._system

    def stop(self, server: Process, sessions: bool = True) -> None:
        """Ends a server once its sessions have ended: only then their costs are part of its own."""
        program = server.pid if server.traced is None else next(iter(children(server.pid)), server.pid)
        deadline = time.monotonic() + START_SECONDS
        while sessions and children(program) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        os.kill(program, signal.SIGTERM)
        watch = threading.Timer(START_SECONDS, self._give_up)
        watch.start()
        try:
            self._wait(server)
        finally:
            watch.cancel()

    def close(self) -> None:
        """Ends what a failed run has left."""
        for process in self.processes:
            if process.status is None:
                _kill_tree(process.pid)
                self._wait(process)

    def usage(self) -> dict[str, dict[str, float]]:
        """By side: CPU seconds, and the context switches that come with them."""
        sums: dict[str, dict[str, float]] = {}
        for process in self.processes:
            if process.usage is None:
                continue
            side = sums.setdefault(process.side, dict.fromkeys(("user_s", "system_s", "voluntary", "involuntary",
                                                                "faults"), 0))
            side["user_s"] += process.usage.ru_utime
            side["system_s"] += process.usage.ru_stime
            side["voluntary"] += process.usage.ru_nvcsw
            side["involuntary"] += process.usage.ru_nivcsw
            side["faults"] += process.usage.ru_minflt + process.usage.ru_majflt
        return sums

    def _wait(self, process: Process) -> None:
        _, status, process.usage = os.wait4(process.pid, 0)
        process.status = os.waitstatus_to_exitcode(status)

    def _give_up(self) -> None:
        self._late = True
        for process in self.processes:
            if process.status is None:
                _kill_tree(process.pid)


def _spawn(command: list[str], stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes], folder: Path,
           environment: Mapping[str, str] | None) -> int:
    clean = {name: value for name, value in os.environ.items() if name != "ZXFER_KEY"}
    process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder,
                               env={**clean, "LC_ALL": "C", **(environment or {})}, start_new_session=True)
    # From here wait4() waits for it; Popen must not, nor complain that it was not asked to.
    process.returncode = 0
    return process.pid


def children(pid: int) -> list[int]:
    """Also of the other threads of the process."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def _kill_tree(pid: int) -> None:
    for child in children(pid):
        _kill_tree(child)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class MemoryWatch(threading.Thread):
    """Samples the memory of both sides while a run goes on; only for runs that are not timed.

    rss_anon: the most that all processes of a side had together (not page cache that is mapped).
    vm_hwm: the high-water mark of the largest of them, mapped page cache included.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(daemon=True)
        self.peaks: dict[str, dict[str, int]] = {}
        self._job, self._end = job, threading.Event()

    def run(self) -> None:
        while not self._end.wait(SAMPLE_SECONDS):
            for side in SIDES:
                self._sample(side)

    def finish(self) -> dict[str, dict[str, int]]:
        self._end.set()
        self.join()
        return self.peaks

    def _sample(self, side: str) -> None:
        anonymous = highest = 0
        waiting = [process.pid for process in self._job.processes if process.side == side and process.status is None]
        while waiting:
            pid = waiting.pop()
            waiting += children(pid)
            status = _status(pid)
            # A tracer's memory is not the contestant's, nor is the copy it becomes before it runs one.
            if status.get("Name", "").startswith(("perf", "strace")):
                continue
            anonymous += _kib(status.get("RssAnon"))
            highest = max(highest, _kib(status.get("VmHWM")))
        if highest == 0:
            return  # nothing of that side runs just now
        peak = self.peaks.setdefault(side, {"rss_anon": 0, "vm_hwm": 0})
        peak["rss_anon"] = max(peak["rss_anon"], anonymous)
        peak["vm_hwm"] = max(peak["vm_hwm"], highest)


def _status(pid: int) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        return {}


def _kib(text: str | None) -> int:
    return int(text.split()[0]) * 1024 if text else 0
