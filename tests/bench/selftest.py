"""bench.py selftest: does the benchmark itself work here? Judges no times."""
import os
import random
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import report
import rounds
import stats
import sweep
import syscalls
from contestants import Contestant
from measure import Job
from rounds import Bench, run_workload, voids
from stats import Row
from workloads import Workload, standard

BYTES = 16 << 20
DIRECT = ("dd-direct", "zx-plain/direct")

LOG = """\
10 openat(AT_FDCWD</>, "/f", O_RDONLY|O_DIRECT) = 3</f>
10 read(3</f>, ""..., 4096) = 4096
10 openat(AT_FDCWD</>, "/g", O_RDONLY) = 4</g>
10 sendfile(5<socket:[77]>, 4</g>, NULL, 8388608 <unfinished ...>
11 splice(6<socket:[78]>, NULL, 7<pipe:[79]>, NULL, 1000, 0) = 1000
10 <... sendfile resumed>) = 8388608
11 splice(6<pipe:[79]>, NULL, 8</h>, NULL, 1000, 0) = 1000
11 write(8</h>, ""..., 10) = 10
11 recvfrom(6<socket:[78]>, NULL, 500, MSG_TRUNC, NULL, NULL) = 500
11 read(6<socket:[78]>, 0x7f00, 500) = -1 EAGAIN (Resource temporarily unavailable)
11 dup2(3</f>, 9</old>) = 9</f>
11 read(9</f>, ""..., 512) = 512
11 fcntl(9</f>, F_SETFL, O_RDONLY|O_LARGEFILE) = 0
11 read(9</f>, ""..., 7) = 7
11 io_uring_enter(12<anon_inode:[io_uring]>, 4, 1, IORING_ENTER_GETEVENTS, NULL, 8) = 4
"""


class Checks:
    def __init__(self) -> None:
        self.passed, self.failed = 0, 0

    def expect(self, what: str, holds: bool, found: object = "") -> None:
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {what}: {found}", flush=True)


def run(work: Path, contestants: list[Contestant]) -> int:
    started = time.monotonic()
    checks = Checks()
    arithmetic(checks, work)
    out = work / "out"
    out.mkdir()
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    bench = Bench(work, out, random.Random(seed), seed, timed_rounds=1, counted_rounds=1)
    checks.expect("something that counts calls (perf or strace)", bench.counter is not None)
    sabotage(checks, bench)
    present = [c for c in contestants if c.missing() is None]
    rows = moved_all(checks, bench, present)
    rows += other_workloads(checks, bench, present)
    reports(checks, bench, rows, present)
    for c in contestants:
        if c.missing():
            bench.unavailable["all", c.name] = c.missing()
    print("\n".join(line for line in report.not_available(bench)[2:] if line))
    print(f"{checks.passed} passed, {checks.failed} failed, {time.monotonic() - started:.0f} s")
    return 1 if checks.failed or not checks.passed else 0


def arithmetic(checks: Checks, work: Path) -> None:
    sign = stats.sign_test([0.5] * 7, 1.0)
    checks.expect("sign test of 7 of 7", (sign.below, sign.count) == (7, 7) and abs(sign.p - 2 / 128) < 1e-12, sign)
    checks.expect("sign test of 3 of 4", abs(stats.sign_test([0.5, 0.5, 0.5, 2, 1], 1.0).p - 10 / 16) < 1e-12)
    rows = [{"contestant": name, "pass": "timed", "counts": number > 0, "round": number, "wall_s": wall,
             "void": "x" if number == 3 and name == "a" else None}
            for number in range(4) for name, wall in (("a", number + 1.0), ("b", 2.0 * (number + 1)))]
    found = stats.ratios(rows, "b", "a", stats.wall)
    checks.expect("ratios within rounds, without the first and without void ones",
                  found is not None and found.values == (2.0, 2.0), found)
    log = work / "log"
    log.write_text(LOG)
    calls = syscalls.read_calls(log)
    checks.expect("copies from a log of calls", calls.copied == 1000 + 10 + 7, calls)
    checks.expect("calls that move data", (calls.moving, calls.hidden) == (2, 1), calls)
    checks.expect("route of an unfinished call", calls.bytes.get("sendfile file>socket") == 8388608, calls)


def sabotage(checks: Checks, bench: Bench) -> None:
    """The checks of content must be able to fail, and a process that fails or hangs must void its run."""
    def broken(change: Callable[[Job], None]) -> Callable[[Job], None]:
        def run_it(job: Job) -> None:
            job.begin()
            job.finish(job.start("sender", ["cp", job.source, job.target]))
            change(job)
        return run_it

    def flip(job: Job) -> None:
        with open(job.target, "r+b") as file:
            file.seek(BYTES // 2)
            byte = file.read(1)[0]
            file.seek(BYTES // 2)
            file.write(bytes([byte ^ 1]))

    def hang(job: Job) -> None:
        job.timeout = 0.3
        job.begin()
        job.finish(job.start("sender", ["sh", "-c", "sleep 600 & wait"]))

    cases = {"content differs": broken(flip), "destination holds []": broken(lambda job: job.target.unlink()),
             "destination holds ['extra'": broken(lambda job: (job.dest / "extra").touch()),
             "ended with": broken(lambda job: job.finish(job.start("sender", ["false"]))), "took more than": hang}
    def grandchild(job: Job) -> None:
        job.begin()
        loop = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
        job.finish(job.start("sender", ["cp", job.source, job.target]),
                   job.start("receiver", ["sh", "-c", f"sh -c '{loop}'; true"]))

    workload = Workload("sabotage", "", BYTES)
    row = rounds.run_once(bench, workload, Contestant("grandchild", "peer", "", grandchild), "timed")
    used = row["usage"].get("receiver", {"user_s": 0})["user_s"]
    checks.expect("CPU time of a grandchild is counted", used > 0.01, row)
    for wanted, run_it in cases.items():
        row = rounds.run_once(bench, workload, Contestant("sabotage", "peer", "", run_it), "timed")
        checks.expect(f"void: {wanted}", wanted in (row["void"] or ""), row["void"])


def moved_all(checks: Checks, bench: Bench, present: list[Contestant]) -> list[Row]:
    """Every contestant, in every pass; the calls of peers are only counted, not logged."""
    workload = standard("cached", BYTES)
    traced = [c for c in present if c.group != "peer"]
    rows = run_workload(replace_trace(bench, False), workload, [c for c in present if c.group == "peer"])
    rows += run_workload(bench, workload, traced)
    no_voids(checks, rows)
    for c in present:
        if (workload.name, c.name) in bench.unavailable:
            continue
        mine = [row for row in rows if row["contestant"] == c.name and row["void"] is None]
        timed = [row for row in mine if row["pass"] == "timed"]
        checks.expect(f"{c.name}: two timed runs, of which the first is dropped",
                      [row["counts"] for row in timed] == [False, True], timed)
        for row in timed:
            sides = row["usage"]
            checks.expect(f"{c.name}: wall and CPU time of each side", row["wall_s"] > 0 and sides
                          and all(side["user_s"] + side["system_s"] > 0 for side in sides.values()), sides)
            checks.expect(f"{c.name}: page cache looked at", "source" in row["footprint"]
                          and ("dest" in row["footprint"]) == c.writes, row["footprint"])
        for row in (row for row in mine if row["pass"] == "counted"):
            counts = row["counts_by_side"]
            checks.expect(f"{c.name}: calls counted at each side", set(counts) == set(timed[0]["usage"])
                          and all(side["syscalls"] and side["syscalls"] > 0 for side in counts.values()), counts)
        for row in (row for row in mine if row["pass"] == "traced"):
            sender = row["moved"].get("sender", {"hidden": 0, "handed_on": 0})
            seen = sender["handed_on"] >= BYTES or sender["hidden"] > 0 or c.name == "xxhsum"
            checks.expect(f"{c.name}: the log of calls shows the bytes", seen, sender)
    return rows


def replace_trace(bench: Bench, trace: bool) -> Bench:
    """The same, with or without the pass that logs calls; what is found unavailable is shared."""
    other = replace(bench, trace=trace)
    other.files, other.unavailable = bench.files, bench.unavailable
    return other


def other_workloads(checks: Checks, bench: Bench, present: list[Contestant]) -> list[Row]:
    quick = replace_trace(bench, False)
    quick.counted_rounds = 0
    named = {c.name: c for c in present}

    def some(*names: str) -> list[Contestant]:
        return [named[name] for name in names if name in named]

    rows = run_workload(quick, standard("durable", BYTES), some("zx-plain", "zx-tls", "cp+sync", "nc"))
    for row in rows:
        checks.expect(f"durable {row['contestant']}: nothing is dirty", row["void"] is not None
                      or row["footprint"]["dest_dirty"] in (0, None), row["footprint"])
    cold = run_workload(quick, standard("cold", BYTES), some("zx-plain", *DIRECT))
    for row in (row for row in cold if row["void"] is None):
        checks.expect(f"cold {row['contestant']}: the source was cold", row["footprint"]["source_before"] <= 0.005, row)
        direct = row["contestant"] in DIRECT
        checks.expect(f"cold {row['contestant']}: the footprint shows direct I/O and buffered I/O",
                      (row["footprint"]["source"] <= 0.02) == direct, row["footprint"])
    few = [c for c in sweep.choose(present) if "readwrite" not in c.name]
    for workload in sweep.workloads([BYTES // 4], ["hot", "pressure"], 64 << 20):
        rows += run_workload(quick, replace(workload, count=2), few)
    rows += cold
    no_voids(checks, rows)
    return rows


def no_voids(checks: Checks, rows: list[Row]) -> None:
    for row in voids(rows):
        checks.expect(f"{row['workload']}, {row['contestant']}, {row['pass']}", False, row["void"])


def reports(checks: Checks, bench: Bench, rows: list[Row], present: list[Contestant]) -> None:
    cached = [row for row in rows if row["workload"] == "cached"]
    lines = report.workload_tables(standard("cached", BYTES), cached, present, "cp")
    lines += report.charts(bench.out, standard("cached", BYTES), cached, present)
    made = [workload for workload in sweep.workloads([BYTES // 4], ["hot", "pressure"], 1)]
    lines += sweep.duels(rows, made) + sweep.sweep_charts(bench.out, rows, made, present)
    lines += sweep.sweep_tables(rows, made, present)
    report.save_json(bench, "selftest", {}, rows, {})
    checks.expect("a line for each contestant", all(any(f"`{c.name}`" in line for line in lines) for c in present
                                                    if ("cached", c.name) not in bench.unavailable))
    drawn = sorted(bench.out.glob("*.svg"))
    checks.expect("charts", len(drawn) >= 3, drawn)
    for path in drawn:
        root = ElementTree.parse(path).getroot()
        checks.expect(f"{path.name} is an SVG", root.tag.endswith("svg") and len(root) > 5, os.path.getsize(path))
