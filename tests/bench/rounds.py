"""Rounds: every contestant once in each, in random order, on the same data, checked each time."""
import contextlib
import os
import random
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import host
import pagecache
import workloads
from contestants import Contestant
from measure import SIDES, Job, MemoryWatch, NotAvailable, RunFailed
from stats import Row
from syscalls import Tracer, can_log_calls, counter, read_calls, read_counts
from workloads import Files, Workload

SILENCE_SECONDS = 0.15  # listening for others before each run


@dataclass
class Bench:
    """What all commands share."""
    work: Path
    out: Path
    rng: random.Random
    seed: int
    timed_rounds: int            # that count; one more comes first and is dropped
    counted_rounds: int = 3
    trace_limit: int = 512 << 20  # a log of calls is made with a file of at most this size
    trace: bool = True
    pin: bool = False            # sender and receiver on disjoint CPUs
    keep: bool = False
    files: Files = field(init=False)
    counter: Tracer | None = field(init=False)
    can_trace: bool = field(init=False)
    unavailable: dict[tuple[str, str], str] = field(default_factory=dict)  # (workload, contestant) -> why
    rows: list[Row] = field(default_factory=list)  # of all workloads so far

    def __post_init__(self) -> None:
        self.files = Files(self.work)
        self.counter = counter()
        self.can_trace = can_log_calls()


def run_workload(bench: Bench, workload: Workload, contestants: list[Contestant]) -> list[Row]:
    """All passes over one workload. A pass that counts is never timed and has rounds of its own."""
    reason = workloads.why_not(workload, bench.work)
    present = []
    for contestant in contestants:
        why = reason or contestant.missing()
        if why:
            bench.unavailable[workload.name, contestant.name] = why
        else:
            present.append(contestant)
    host.say(f"{workload.name}: {workload.title}; {len(present)} contestants")
    rows: list[Row] = []
    if reason or not present:
        host.say(f"  {reason or 'no contestant'}")
        return rows
    for number in range(bench.timed_rounds + 1 if bench.timed_rounds else 0):
        rows += _round(bench, workload, present, "timed", number, number > 0)
    if bench.counter:
        for number in range(bench.counted_rounds):
            rows += _round(bench, workload, present, "counted", number, True)
    if bench.can_trace and bench.trace:
        rows += _round(bench, workload, present, "traced", 0, True)
    return rows


def _round(bench: Bench, workload: Workload, contestants: list[Contestant], kind: str, number: int,
           counts: bool) -> list[Row]:
    order = [c for c in contestants if (workload.name, c.name) not in bench.unavailable]
    bench.rng.shuffle(order)
    host.say(f"  {kind} round {number}: {' '.join(contestant.name for contestant in order)}")
    rows = []
    for place, contestant in enumerate(order):
        row = run_once(bench, workload, contestant, kind)
        row.update(round=number, place=place, counts=counts)
        if row["void"] and row["void"].startswith("not available: "):
            bench.unavailable[workload.name, contestant.name] = row["void"]
        if row["void"]:
            host.say(f"    {contestant.name}: {row['void']}")
        rows.append(row)
        bench.rows.append(row)
    return rows


def run_once(bench: Bench, workload: Workload, contestant: Contestant, kind: str) -> Row:
    """One run in one pass. Tracing is done for one side at a time, as a side that is slowed down changes
    what the other one finds at each call; so a traced run is two."""
    size = min(workload.size, bench.trace_limit) if kind == "traced" else workload.size
    sources = bench.files.make(size, workload.count)
    row: Row = {"workload": workload.name, "contestant": contestant.name, "pass": kind, "bytes": size * workload.count,
                "wall_s": None, "system_s": None, "usage": {}, "counts_by_side": {}, "memory": {}, "moved": {},
                "footprint": {}, "noise": {}, "notes": {}, "void": None}
    tracers = {"timed": [Tracer("none")], "counted": [bench.counter or Tracer("none")],
               "traced": [Tracer("strace", frozenset({side})) for side in SIDES]}[kind]
    for tracer in tracers:
        if row["void"] is None:
            _measure(bench, workload, contestant, sources, tracer, row)
    return row


def _measure(bench: Bench, workload: Workload, contestant: Contestant, sources: list[Path], tracer: Tracer,
             row: Row) -> None:
    scratch, dest = bench.work / "scratch", bench.work / "dest"
    for folder in (scratch, dest):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    timed = tracer.kind == "none"
    with contextlib.ExitStack() as stack:
        try:
            pagecache.sync_filesystem(bench.work)
            row["footprint"]["source_before"] = workloads.set_state(workload, sources)
            limit = stack.enter_context(workloads.memory_cgroup(workload.memory_limit))
            job = Job(sources, dest, scratch, workload.durability,
                      workload.sync_after and contestant.durable == "no" and contestant.writes, tracer,
                      {side: limit + _pin(bench, timed)[side] for side in SIDES},
                      timeout=(60 + row["bytes"] / 10e6) * (1 if timed else 20))
            stack.callback(job.close)
            if timed:
                noise = host.listen_to_noise(SILENCE_SECONDS)
                row["noise"] = {"loadavg": noise.loadavg, "others": noise.others, "noisy": noise.noisy}
            watch = None if timed else MemoryWatch(job)
            if watch:
                watch.start()
            try:
                contestant.run(job)
            finally:
                peaks = watch.finish() if watch else {}
            # Before the content is read for the check, which brings it into the cache.
            _footprint(bench, job, row, contestant)
            row["notes"] = job.notes
            if timed:
                row.update(wall_s=job.wall_s, system_s=job.system_s, usage=job.usage())
            elif tracer.kind == "strace":
                _read_trace(job, row)
            else:
                row["memory"] = peaks
                _read_counts(tracer, job, row)
            _check(bench, contestant, job)
        except NotAvailable as reason:
            row["void"] = f"not available: {reason}"
        except (RunFailed, pagecache.NotEvictable) as reason:
            row["void"] = str(reason)


def _pin(bench: Bench, timed: bool) -> dict[str, list[str]]:
    cpus = sorted(os.sched_getaffinity(0))
    taskset = host.program("taskset")
    if not (bench.pin and timed and taskset and len(cpus) > 1):
        return {side: [] for side in SIDES}
    half = len(cpus) // 2
    return {side: [taskset, "-c", ",".join(map(str, part))] for side, part in zip(SIDES, (cpus[:half], cpus[half:]))}


def _footprint(bench: Bench, job: Job, row: Row, contestant: Contestant) -> None:
    row["footprint"]["source"] = pagecache.look(job.sources).share
    targets = [job.dest / path.name for path in job.sources]
    if not contestant.writes or not all(path.exists() for path in targets):
        return
    at_end = pagecache.look(targets)
    row["footprint"]["dest"], row["footprint"]["dest_dirty"] = at_end.share, at_end.dirty_share
    pagecache.sync_filesystem(bench.work)
    row["footprint"]["dest_after_sync"] = pagecache.look(targets).share


def _read_counts(tracer: Tracer, job: Job, row: Row) -> None:
    for process in job.processes:
        if process.traced:
            side = row["counts_by_side"].setdefault(process.side, {"syscalls": 0, "context_switches": 0})
            for name, value in read_counts(tracer.kind, process.traced).items():
                side[name] = None if value is None or side[name] is None else side[name] + value


def _read_trace(job: Job, row: Row) -> None:
    for process in job.processes:
        if process.traced:
            calls = read_calls(process.traced)
            side = row["moved"].setdefault(process.side, {"calls": {}, "bytes": {}, "copied": 0, "moving": 0,
                                                          "handed_on": 0, "hidden": 0})
            for name in ("copied", "moving", "handed_on", "hidden"):
                side[name] += getattr(calls, name)
            for table in ("calls", "bytes"):
                for label, count in getattr(calls, table).items():
                    side[table][label] = side[table].get(label, 0) + count


def _check(bench: Bench, contestant: Contestant, job: Job) -> None:
    """Content and nothing else: no file may be missing, different or left over."""
    if not contestant.writes:
        if job.notes.get("read") != job.source.stat().st_size:
            raise RunFailed(f"moved {job.notes.get('read')} bytes of {job.source.stat().st_size}")
        return
    names = sorted(path.name for path in job.sources)
    found = sorted(path.name for path in job.dest.iterdir())
    if found != names:
        raise RunFailed(f"the destination holds {found[:5]}, not {names[:5]}")
    for path in job.sources:
        if workloads.sha256(job.dest / path.name) != bench.files.digest(path):
            raise RunFailed(f"{path.name}: the content differs")


def voids(rows: Iterable[Row]) -> list[Row]:
    """Rows that failed, without those of contestants that are not available."""
    return [row for row in rows if row["void"] and not row["void"].startswith("not available")]
