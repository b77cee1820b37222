"""Counts what processes ask of the kernel: how often (perf or strace), by which calls, how many bytes.

Runs that are counted are never timed: perf costs a few percent, strace a factor of ten.
"""
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import host

# Of each group the descriptor that matters, by its place in the arguments.
READS = {"read": 0, "pread64": 0, "readv": 0, "preadv": 0, "preadv2": 0, "recvfrom": 0, "recvmsg": 0}
WRITES = {"write": 0, "pwrite64": 0, "writev": 0, "pwritev": 0, "pwritev2": 0, "sendto": 0, "sendmsg": 0}
# Output and input.
MOVES = {"sendfile": (0, 1), "splice": (1, 0), "copy_file_range": (1, 0), "tee": (1, 0), "vmsplice": (0, 0)}
# Bytes that io_uring moves do not show in the return value of a call.
HIDDEN = ("io_uring_enter",)
# What makes a descriptor that may be for direct I/O.
OPENS = ("openat", "fcntl", "dup", "dup2", "dup3")
TRACED = [*READS, *WRITES, *MOVES, *HIDDEN, *OPENS]


def perf_works() -> bool:
    """Also perf of another version than the kernel's does, when it may read the trace points."""
    perf = host.program("perf")
    if perf is None:
        return False
    try:
        done = subprocess.run([perf, "stat", "-x,", "-e", "raw_syscalls:sys_enter,context-switches", "--", "true"],
                              capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and re.search(r"^\d+,,raw_syscalls:sys_enter", done.stderr, re.M) is not None


def can_log_calls() -> bool:
    """zsend and zrecv hide their memory from everybody but root, so that a key cannot be read there. For
    others strace counts their calls, but cannot tell a file from a socket."""
    return os.geteuid() == 0 and strace_works()


def strace_works() -> bool:
    strace = host.program("strace")
    if strace is None:
        return False
    try:
        done = subprocess.run([strace, "-f", "-c", "-o", "/dev/null", "true"], capture_output=True, timeout=20,
                              check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@dataclass(frozen=True)
class Tracer:
    """What goes before a command: nothing, a counter of calls, or a log of those that move data."""
    kind: str  # "none", "perf", "strace -c", "strace"
    sides: frozenset[str] = frozenset()

    def command(self, side: str, output: Path) -> list[str]:
        if self.kind == "none" or side not in self.sides:
            return []
        if self.kind == "perf":
            return [host.program("perf"), "stat", "-x,", "-e", "raw_syscalls:sys_enter,context-switches",
                    "-o", str(output), "--"]
        if self.kind == "strace -c":
            return [host.program("strace"), "-f", "-c", "-o", str(output), "--"]
        # -s 0: no content. -y: what a descriptor is, which decides who copies.
        return [host.program("strace"), "-f", "-y", "-s", "0", "-e", "signal=none", "-e", "trace=" + ",".join(TRACED),
                "-o", str(output), "--"]


BOTH = frozenset({"sender", "receiver"})


def counter() -> Tracer | None:
    """The best there is for numbers of calls."""
    if perf_works():
        return Tracer("perf", BOTH)
    if strace_works():
        return Tracer("strace -c", BOTH)
    return None


def read_counts(kind: str, output: Path) -> dict[str, int | None]:
    """Calls, and with perf context switches, of one process and its children."""
    text = output.read_text(encoding="utf-8", errors="replace")
    if kind == "perf":
        found = {event: count for count, event in re.findall(r"^(\d+),,([\w:-]+),", text, re.M)}
        return {"syscalls": _number(found.get("raw_syscalls:sys_enter")),
                "context_switches": _number(found.get("context-switches"))}
    total = re.search(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?total$", text, re.M)
    return {"syscalls": _number(total[1]) if total else None, "context_switches": None}


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


@dataclass
class Calls:
    """How one side moved its bytes."""
    calls: dict[str, int] = field(default_factory=dict)   # "sendfile file>socket" -> number of calls
    bytes: dict[str, int] = field(default_factory=dict)   # the same -> bytes
    copied: int = 0    # bytes that a CPU copied, by the rules of cpu_copies()
    moving: int = 0    # calls that put data into a socket or a pipe
    handed_on: int = 0  # bytes that were put anywhere
    hidden: int = 0    # calls whose bytes cannot be seen (io_uring)

    def add(self, name: str, route: str, count: int, direct: bool) -> None:
        label = f"{name} {route}" + (" (direct)" if direct else "")
        self.calls[label] = self.calls.get(label, 0) + 1
        self.bytes[label] = self.bytes.get(label, 0) + count
        self.copied += count * cpu_copies(name, route, direct)
        if name not in READS:
            self.moving += route.endswith((">socket", ">pipe"))
            self.handed_on += count


def cpu_copies(name: str, route: str, direct: bool) -> int:
    """How often a CPU copies each byte of such a call. Device DMA, encryption and hashing are not copies.

    read, write, recv, send: once, between the kernel's pages and the program's.
    The same on a file opened with O_DIRECT: not at all, the device reads and writes the program's pages.
    sendfile, splice to a socket or a pipe: not at all, pages are passed on by reference. On loopback the
    receiving socket then holds these very pages; the copy is the receiver's read.
    splice, sendfile, copy_file_range to a file: once, from those pages into the page cache.
    """
    if name in READS or name in WRITES:
        return 0 if direct or route.endswith(">nothing") else 1
    return 1 if route.endswith(">file") else 0


_LINE = re.compile(r"^(\d+) +(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))$")
_RESULT = re.compile(r"\)\s+= (-?\d+)(?:<.*>)?(?: .*)?$")
_DESCRIPTOR = re.compile(r"(?<![\w/.])(\d+)<((?:[^<>\\]|\\.|->)*)>")


def read_calls(output: Path) -> Calls:
    """From a log of strace. Output to the terminal and reads of the program's own libraries are small
    and are left in: they are calls too."""
    calls = Calls()
    unfinished: dict[str, tuple[str, str]] = {}
    direct: set[tuple[str, str]] = set()  # descriptor, what it is
    with open(output, encoding="utf-8", errors="replace") as log:
        for line in log:
            found = _LINE.match(line.rstrip("\n"))
            if not found:
                continue
            pid, name, rest = found[1], found[2], found[3]
            if name is None:
                name, begun = unfinished.pop(pid, (found[4], ""))
                rest = begun + found[5]
            elif rest.endswith("<unfinished ...>"):
                unfinished[pid] = (name, rest.removesuffix("<unfinished ...>"))
                continue
            _account(calls, direct, name, rest)
    return calls


def _account(calls: Calls, direct: set[tuple[str, str]], name: str, rest: str) -> None:
    if name in HIDDEN:
        calls.hidden += 1
        return
    result = _RESULT.search(rest)
    if not result or int(result[1]) < 0:
        return
    descriptors = _DESCRIPTOR.findall(rest)
    if name in OPENS:
        _note_direct(direct, name, rest, descriptors)
        return
    count = int(result[1])
    if count < 1 or not descriptors:
        return
    if name in READS:
        # MSG_TRUNC on a TCP socket throws the bytes away instead of copying them.
        target = "nothing" if "MSG_TRUNC" in rest else "memory"
        calls.add(name, f"{_kind(descriptors[0])}>{target}", count, descriptors[0] in direct)
    elif name in WRITES:
        calls.add(name, f"memory>{_kind(descriptors[0])}", count, descriptors[0] in direct)
    elif name in MOVES and len(descriptors) >= 2:
        target, source = (descriptors[place] for place in MOVES[name])
        calls.add(name, f"{_kind(source)}>{_kind(target)}", count, False)


def _note_direct(direct: set[tuple[str, str]], name: str, rest: str, descriptors: list[tuple[str, str]]) -> None:
    """Keeps the set of descriptors that have O_DIRECT."""
    if not descriptors:
        return
    has_flag = re.search(r"O_DIRECT\b", rest) is not None
    if name == "openat" or (name == "fcntl" and "F_SETFL" in rest):
        changed, on = (descriptors[-1] if name == "openat" else descriptors[0]), has_flag
    elif name != "fcntl" or "F_DUPFD" in rest:
        changed, on = descriptors[-1], descriptors[0] in direct
    else:
        return
    # A number that is used again for another file is another pair.
    (direct.add if on else direct.discard)(changed)


def _kind(descriptor: tuple[str, str]) -> str:
    what = descriptor[1]
    for kind in ("socket", "pipe", "anon_inode"):
        if what.startswith((kind + ":", "TCP", "UNIX")):
            return kind
    return "file"
