"""What is moved, and in which state the source is before each run."""
import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import host
import pagecache
from measure import NotAvailable

WRITE_BYTES = 8 << 20
# A folder of its own for each set of files, so that servers can be given the folder.
SIZES = [256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20, 64 << 20, 256 << 20]


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    size: int                       # of each file, bytes
    count: int = 1                  # files in a run
    hot: bool = True                # the source is in the page cache; else nothing of it
    durability: str = "none"        # what zsend and zrecv are asked for
    sync_after: bool = False        # peers that are not durable by themselves: sync of the file, in the clock
    memory_limit: int | None = None  # bytes for both ends and their page cache together

    @property
    def total(self) -> int:
        return self.size * self.count


class Files:
    """Random files, made once for each size. Random, so that nobody can compress them or skip zeros."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._digests: dict[Path, str] = {}

    def make(self, size: int, count: int) -> list[Path]:
        folder = self._work / "source" / str(size)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"file-{number:04d}" for number in range(count)]
        needed = sum(size for path in paths if not path.exists()) + size * count
        free = shutil.disk_usage(self._work).free
        if needed * 1.1 > free:
            raise SystemExit(f"bench: {self._work} has {free / 1e9:.1f} GB free, "
                             f"{needed * 1.1 / 1e9:.1f} GB are needed")
        for path in paths:
            if not path.exists():
                self._fill(path, size)
        return paths

    def digest(self, path: Path) -> str:
        """SHA-256 of a source, computed once."""
        if path not in self._digests:
            self._digests[path] = sha256(path)
        return self._digests[path]

    def _fill(self, path: Path, size: int) -> None:
        with open(path, "wb") as file:
            left = size
            while left > 0:
                left -= file.write(os.urandom(min(left, WRITE_BYTES)))
            os.fsync(file.fileno())


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def set_state(workload: Workload, sources: list[Path]) -> float:
    """Puts the source into or out of the page cache; returns the share that is there."""
    if workload.hot:
        pagecache.warm(sources)
    else:
        pagecache.evict(sources)
    return pagecache.look(sources).share


def why_not(workload: Workload, work: Path) -> str | None:
    """Why this workload cannot run in this folder."""
    if not workload.hot and host.filesystem(work) in ("tmpfs", "ramfs"):
        return f"not available: a file of {host.filesystem(work)} cannot be taken out of memory"
    if workload.memory_limit is not None:
        try:
            with memory_cgroup(workload.memory_limit):
                return None
        except NotAvailable as reason:
            return f"not available: {reason}"
    return None


@contextlib.contextmanager
def memory_cgroup(limit: int | None) -> Iterator[list[str]]:
    """A control group with a memory limit, or none; gives what goes before a command to put it there.

    Page cache counts, for the group that first touched a page: with a cold source and a new target all of it.
    """
    if limit is None:
        yield []
        return
    group, file = _new_group()
    try:
        try:
            (group / file).write_text(str(limit))
            # Without this the limit is met by swapping where there is swap.
            if (group / "memory.swap.max").exists():
                (group / "memory.swap.max").write_text("0")
        except OSError as error:
            raise NotAvailable(f"{group / file}: {error.strerror}") from error
        yield ["/bin/sh", "-c", f'echo $$ >"{group}/cgroup.procs" && exec "$@"', "sh"]
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


def _new_group() -> tuple[Path, str]:
    """In the tree of version 2 if its memory controller may be used, else of version 1."""
    name = f"zx-bench-{os.getpid()}"
    problems = []
    for root, file in ((Path("/sys/fs/cgroup"), "memory.max"),
                       (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes")):
        if file == "memory.max" and not (root / "cgroup.controllers").exists():
            continue
        group = root / name
        try:
            group.mkdir(exist_ok=True)
        except OSError as error:
            problems.append(f"{root}: {error.strerror}")
            continue
        if (group / file).exists():
            return group, file
        problems.append(f"{root}: its memory controller is not enabled for children")
        group.rmdir()
    raise NotAvailable("no memory control group: " + ("; ".join(problems) or "none is mounted"))


def standard(name: str, size: int) -> Workload:
    """The workloads of `bench.py run`."""
    text, limit = f"{size / (1 << 20):g} MiB", max(size // 4, 64 << 20)
    return {
        "cached": Workload("cached", f"one file of {text}, in the page cache", size),
        "cold": Workload("cold", f"one file of {text}, nothing of it in the page cache", size, hot=False),
        "durable": Workload("durable", f"one file of {text}, cached, on disk at the end", size, durability="batch",
                            sync_after=True),
        "pressure": Workload("pressure", f"one cold file of {text}, memory of both ends limited to {limit >> 20} MiB",
                             size, hot=False, memory_limit=limit),
        "pipes": Workload("pipes", f"one cached file of {text}, through a pipe", size),
        "start": Workload("start", "one cached file of 4 KiB: what starting by ssh takes", 4 << 10),
    }[name]


STANDARD = ("cached", "cold", "durable", "pressure", "pipes", "start")
