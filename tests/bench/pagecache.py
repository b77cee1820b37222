"""What of a file is in the page cache, and how to put it in or out of there, file by file.

The whole cache of the machine is never dropped: other programs live on it.
"""
import ctypes
import errno
import os
import socket
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
# The number is the same on every architecture (Linux 6.5 and later); the C library has no wrapper yet.
SYS_CACHESTAT = 451
READ_BYTES = 8 << 20

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]


class _Range(ctypes.Structure):
    _fields_ = [("offset", ctypes.c_uint64), ("length", ctypes.c_uint64)]


class _Stat(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("cache", "dirty", "writeback", "evicted", "recently_evicted")]


class NotEvictable(Exception):
    """The file stays in memory, as every file of a tmpfs does."""


@dataclass(frozen=True)
class Cached:
    """Of one file or several, in bytes; dirty is None where only mincore(2) can tell."""
    size: int
    cached: int
    dirty: int | None

    @property
    def share(self) -> float:
        return self.cached / self.size if self.size else 0.0

    @property
    def dirty_share(self) -> float | None:
        return None if self.dirty is None or not self.size else self.dirty / self.size


def how() -> str:
    """Which system call answers here."""
    with open(__file__, "rb") as some_file:
        return "mincore(2)" if _cachestat(some_file.fileno()) is None else "cachestat(2)"


def look(paths: list[Path]) -> Cached:
    """The sum over the files. Does not change what it measures."""
    size = cached = 0
    dirty: int | None = 0
    for path in paths:
        with open(path, "rb") as file:
            length = os.fstat(file.fileno()).st_size
            size += length
            found = _cachestat(file.fileno())
            if found is None:
                cached += min(length, _mincore(file.fileno(), length))
                dirty = None
            else:
                # Whole pages are counted, the last one may reach over the end.
                cached += min(length, found[0] * PAGE)
                dirty = None if dirty is None else dirty + min(length, found[1] * PAGE)
    return Cached(size, cached, dirty)


def warm(paths: list[Path]) -> None:
    """Reads what is not in the cache yet."""
    for path in paths:
        if look([path]).share < 1:
            with open(path, "rb", buffering=0) as file:
                while file.read(READ_BYTES):
                    pass


def evict(paths: list[Path], allowed: float = 0.005) -> None:
    """Takes the files out of the cache and checks it: at most the allowed share may stay.

    Only clean pages go, so what is dirty is written first. And only pages that nobody holds: after a
    sendfile over loopback a CPU may keep the last packets, with the file's pages in them, in its list of
    buffers to free until it next receives something. So each CPU is made to.
    """
    for attempt in range(5):
        if attempt:
            _receive_on_each_cpu()
        for path in paths:
            with open(path, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        left = look(paths).share
        if left <= allowed:
            return
    raise NotEvictable(f"{left:.1%} of the source stay in the page cache")


def _receive_on_each_cpu() -> None:
    allowed = os.sched_getaffinity(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
        packets.bind(("127.0.0.1", 0))
        try:
            for cpu in allowed:
                os.sched_setaffinity(0, {cpu})
                packets.sendto(b"x", packets.getsockname())
                packets.recv(1)
        finally:
            os.sched_setaffinity(0, allowed)


def sync_filesystem(path: Path) -> None:
    """syncfs(2): so that what one run left to be written is not paid by the next."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if _libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "syncfs", str(path))
    finally:
        os.close(descriptor)


def _cachestat(descriptor: int) -> tuple[int, int] | None:
    """Pages in the cache and how many of them are dirty, or None on a kernel without the call."""
    what, stat = _Range(0, 0), _Stat()
    if _libc.syscall(ctypes.c_long(SYS_CACHESTAT), ctypes.c_long(descriptor), ctypes.byref(what), ctypes.byref(stat),
                     ctypes.c_long(0)) == 0:
        return stat.cache, stat.dirty + stat.writeback
    error = ctypes.get_errno()
    if error in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
        return None
    raise OSError(error, "cachestat")


def _mincore(descriptor: int, length: int) -> int:
    if length == 0:
        return 0
    address = _libc.mmap(None, length, 1, 1, descriptor, 0)  # PROT_READ, MAP_SHARED
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    try:
        pages = (ctypes.c_ubyte * ((length + PAGE - 1) // PAGE))()
        if _libc.mincore(address, length, pages) != 0:
            raise OSError(ctypes.get_errno(), "mincore")
        return sum(value & 1 for value in bytes(pages)) * PAGE
    finally:
        _libc.munmap(address, length)
