"""What the machine can do at best: a copy without a network, a send without a receiver, a hash without
either. Also the bare read/write loop of the historical claim."""
import re
import subprocess
from pathlib import Path

import host
from contestants import KIB, Contestant
from measure import Job, RunFailed


def _cp(job: Job) -> None:
    job.begin()
    # Without --reflink=never a file system that can share blocks would copy nothing.
    job.finish(job.start("sender", ["cp", "--reflink=never", "-t", job.dest, *job.sources]))


def _cp_sync(job: Job) -> None:
    job.begin()
    job.finish(job.start("sender", ["sh", "-c", 'cp --reflink=never "$1" "$2" && sync "$2"', "cp+sync", job.source,
                                    job.target]))


def _dd(job: Job) -> None:
    job.begin()
    job.finish(job.start("sender", ["dd", f"if={job.source}", f"of={job.target}", "bs=1M", "iflag=direct",
                                    "oflag=direct", "status=none"]))


def _xxhsum(job: Job) -> None:
    output = job.scratch / "xxhsum.out"
    job.begin()
    job.finish(job.start("sender", ["xxhsum", "-H2", job.source], stdout=output))
    if re.match(r"[0-9a-f]{32}  ", output.read_text()) is None:
        raise RunFailed("xxhsum printed no digest")
    job.notes["read"] = job.source.stat().st_size


class Floor:
    """The small program floor.c, compiled when the benchmark starts."""

    def __init__(self, work: Path) -> None:
        self.path = work / "floor"
        self.absent = host.missing(("cc",))
        if self.absent is None:
            source = Path(__file__).with_name("floor.c")
            done = subprocess.run(["cc", "-O2", "-o", self.path, source], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                self.absent = "not available: cc: " + done.stderr.strip().splitlines()[-1]

    def discard(self, job: Job) -> None:
        job.notes["read"] = self._move(job, ["discard"], "sendfile")

    def loop_32k(self, job: Job) -> None:
        self._move(job, [str(job.target), str(32 * KIB)], str(32 * KIB))

    def _move(self, job: Job, sink: list[str], way: str) -> int:
        output = job.scratch / "floor.out"
        receiver = job.start("receiver", [self.path, "listen", *sink], stdout=output)
        port = job.until(lambda: output.read_text().splitlines(), receiver)[0]
        job.begin()
        sender = job.start("sender", [self.path, "send", port, job.source, way])
        job.finish(sender, receiver)
        return int(output.read_text().splitlines()[1])


def baseline_contestants(work: Path) -> list[Contestant]:
    floor = Floor(work)
    return [
        Contestant("cp", "baseline", "cp --reflink=never: a copy through the page cache, no network", _cp,
                   needs=("cp",), many=True),
        Contestant("cp+sync", "baseline", "the same, then sync of that file", _cp_sync, durable="yes",
                   needs=("cp", "sync")),
        Contestant("dd-direct", "baseline", "dd bs=1M iflag=direct oflag=direct: the disk, one request at a time", _dd,
                   needs=("dd",)),
        Contestant("xxhsum", "baseline", "xxhsum -H2: reading and hashing, nothing else", _xxhsum, needs=("xxhsum",),
                   writes=False),
        Contestant("floor-sendfile", "baseline", "bare sendfile to a receiver that discards (MSG_TRUNC)", floor.discard,
                   absent=floor.absent, writes=False),
        Contestant("floor-rw-32K", "baseline", "bare loop of the claim: read and write with 32 KiB on both ends",
                   floor.loop_32k, absent=floor.absent),
    ]
