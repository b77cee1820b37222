#!/usr/bin/env python3
"""Benchmarks of zsend and zrecv against other tools, baselines and their own engines. See README.md.

    bench.py selftest             does the benchmark itself work here? (a minute, no figures)
    bench.py goals                the ratios this project wants to show
    bench.py run                  all contestants, by workload
    bench.py sweep                engines over file sizes; where direct I/O begins to win
    bench.py claim                the historical claim for zero-copy, counted
    bench.py list                 contestants, and why some are not available
"""
import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path

import baselines
import claim
import contestants as zx
import goals
import host
import peers
import report
import selftest
import sweep
import workloads
import zx_ssh_pipe
from contestants import Contestant, Programs
from rounds import Bench, run_workload, voids
from stats import Row

DEFAULT_BASELINES = {"cached": "socat-1M", "cold": "cp", "durable": "cp+sync", "pressure": "cp",
                     "pipes": "pipe-socat-1M", "start": "scp"}
# Rows, lines of Markdown, and what else goes into the JSON.
Outcome = tuple[list[Row], list[str], dict]


def size(text: str) -> int:
    """Bytes; K, M, G mean powers of 1024."""
    factors = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    try:
        number = text.strip().upper().removesuffix("IB")
        value = float(number[:-1]) * factors[number[-1]] if number[-1:] in factors else float(number)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 64M")
    return int(value)


def parse(arguments: list[str]) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--zsend", metavar="PATH", help="program under test (default: $ZSEND, build/release, PATH)")
    add("--zrecv", metavar="PATH", help="the same for zrecv")
    add("--work", metavar="DIR", default=".", help="where files are made and received, in a new folder that is removed "
        "at the end (default: the current directory; /dev/shm is possible, without cold files)")
    add("--out", metavar="DIR", help="results (default: ./zx-bench-results/COMMAND-TIME)")
    add("--rounds", metavar="N", type=int, default=7,
        help="timed rounds that count; one more comes first and is dropped (7)")
    add("--counted-rounds", metavar="N", type=int, default=3, help="rounds that count calls, never timed (3)")
    add("--no-trace", action="store_true", help="without the log of the calls that move data (strace)")
    add("--seed", type=int, help="of the random order (default: new; printed)")
    add("--only", metavar="PATTERN,...", help="only these contestants, e.g. 'zx-*,cp'")
    add("--pin", action="store_true", help="sender and receiver on disjoint CPUs")
    add("--keep", action="store_true", help="keep the work folder")
    add("--install", action="store_true", help="install missing tools with apt first (root)")

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[common], help=text, description=text)

    large = {"metavar": "SIZE", "type": size, "default": 2 << 30, "help": "of the file (2G)"}
    one = command("run", "all contestants, by workload")
    one.add_argument("--size", **large)
    one.add_argument("--workload", action="append", choices=[*workloads.STANDARD, "all"], help="repeatable (cached)")
    one.add_argument("--baseline", metavar="NAME", help="contestant that ratios are formed with")
    goal = command("goals", "the ratios this project wants to show; status 1 when one is not reached")
    goal.add_argument("--size", **large)
    command("claim", "the historical claim for zero-copy: a 320 MB file, calls and copies counted")
    many = command("sweep", "engines over file sizes")
    many.add_argument("--sizes", metavar="SIZE,...", type=lambda text: [size(word) for word in text.split(",")],
                      default=workloads.SIZES, help="default: 256K,1M,4M,8M,16M,64M,256M")
    many.add_argument("--states", metavar="STATE,...", type=lambda text: text.split(","), default=list(sweep.STATES),
                      help="of hot,cold,pressure (all)")
    many.add_argument("--memory-limit", metavar="SIZE", type=size, default=64 << 20,
                      help="of the control group for pressure (64M)")
    command("selftest", "checks the benchmark itself: 16 MiB files, 2 rounds, no judgement of times")
    command("list", "contestants, and why some are not available")
    options = parser.parse_args(arguments)
    unknown = set(getattr(options, "states", [])) - set(sweep.STATES)
    if unknown or options.rounds < 0 or options.counted_rounds < 0:
        parser.error(f"no such state: {', '.join(unknown)}" if unknown else "a number of rounds is not negative")
    return options


def all_contestants(programs: Programs, work: Path, only: str | None) -> list[Contestant]:
    ssh = peers.Ssh(work)
    made = [*zx.zx_contestants(programs), *zx_ssh_pipe.ssh_contestants(programs, ssh),
            *peers.peer_contestants(work, ssh), *baselines.baseline_contestants(work),
            *zx_ssh_pipe.zx_pipe_contestants(programs), *peers.pipe_contestants()]
    if only:
        made = [c for c in made if any(fnmatch(c.name, pattern) for pattern in only.split(","))]
        if not made:
            raise SystemExit(f"bench: no contestant matches {only}; see bench.py list")
    return made


def of_workload(made: list[Contestant], name: str) -> list[Contestant]:
    """Pipes have contestants of their own, and the same tools with a file for comparison; what a start by ssh
    costs is compared among those that need one."""
    if name == "pipes":
        return [c for c in made if c.name.startswith("pipe-") or c.name in ("nc", "socat-1M", "mbuffer", "tar-nc")]
    if name == "start":
        return [c for c in made if c.name.startswith("zx-ssh") or c.name in ("scp", "scp-default", "rsync-ssh")]
    return [c for c in made if not c.name.startswith("pipe-")]


def command_run(bench: Bench, options: argparse.Namespace, made: list[Contestant]) -> Outcome:
    asked = options.workload or ["cached"]
    rows: list[Row] = []
    lines: list[str] = []
    for name in workloads.STANDARD if "all" in asked else dict.fromkeys(asked):
        workload = workloads.standard(name, options.size)
        chosen = of_workload(made, name)
        found = run_workload(bench, workload, chosen)
        rows += found
        lines += report.workload_tables(workload, found, chosen, options.baseline or DEFAULT_BASELINES[name])
        lines += report.charts(bench.out, workload, found, chosen)
    return rows, lines, {}


def command_goals(bench: Bench, options: argparse.Namespace, made: list[Contestant]) -> Outcome:
    rows, done = goals.measure(bench, options.size, made)
    results = goals.judge(bench, rows)
    lines = goals.goals_table(results)
    for workload in done:
        mine = [row for row in rows if row["workload"] == workload.name]
        lines += report.workload_tables(workload, mine, made, goals.BASELINES[workload.name])
        lines += report.charts(bench.out, workload, mine, made)
    return rows, lines, {"goals": goals.as_json(results), "reached": all(result.reached for result in results)}


def command_claim(bench: Bench, _: argparse.Namespace, made: list[Contestant]) -> Outcome:
    rows, workload, control = claim.measure(bench, made)
    lines = [*claim.claim_table(rows, made, control), *claim.verdict(rows, control),
             *report.workload_tables(workload, rows, made, control), *report.charts(bench.out, workload, rows, made)]
    return rows, lines, {}


def command_sweep(bench: Bench, options: argparse.Namespace, made: list[Contestant]) -> Outcome:
    bench.counted_rounds, bench.trace = 0, False
    rows, done = sweep.measure(bench, made, options.sizes, options.states, options.memory_limit)
    lines = [*sweep.duels(rows, done), *sweep.sweep_charts(bench.out, rows, done, made),
             *sweep.sweep_tables(rows, done, made)]
    return rows, lines, {}


COMMANDS = {"run": command_run, "goals": command_goals, "claim": command_claim, "sweep": command_sweep}


def measure(options: argparse.Namespace, programs: Programs, work: Path, made: list[Contestant]) -> int:
    """One command from its rounds to its report."""
    out = Path(options.out or f"zx-bench-results/{options.command}-{time.strftime('%Y%m%d-%H%M%S')}").resolve()
    out.mkdir(parents=True, exist_ok=True)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    facts = {**host.facts(work), "programs": programs.versions(), "noisy_at_start": host.noisy_at_start()}
    bench = Bench(work, out, random.Random(seed), seed, options.rounds, options.counted_rounds,
                  trace=not options.no_trace, pin=options.pin)
    host.say(f"seed {seed}; results in {out}" + ("; the machine is busy" if facts["noisy_at_start"] else ""))
    try:
        rows, lines, more = COMMANDS[options.command](bench, options, made)
    except BaseException:
        # An hour of runs is not thrown away; whoever interrupts it may still read them.
        report.save_json(bench, options.command, facts, bench.rows, {"interrupted": True})
        raise
    used = [c for c in made if any(row["contestant"] == c.name for row in rows)]
    text = "\n".join([*report.heading(bench, options.command, facts, rows), *lines, *report.properties(used),
                      *report.not_available(bench), *report.void_list(rows)])
    report.save_json(bench, options.command, facts, rows, more)
    (out / "results.md").write_text(text + "\n")
    print(text)
    return 0 if more.get("reached", True) and not voids(rows) else 1


def list_contestants(made: list[Contestant]) -> int:
    for contestant in made:
        reason = contestant.missing()
        print(f"{contestant.name:26} {contestant.group:9} {contestant.what}" + (f"  [{reason}]" if reason else ""))
    return 0


def main() -> int:
    options = parse(sys.argv[1:])
    # So that everything that was started is ended and removed as after an error.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.install:
        host.install()
    programs = Programs.find(options.zsend, options.zrecv)
    work = Path(tempfile.mkdtemp(prefix="zx-bench-", dir=options.work)).resolve()
    try:
        made = all_contestants(programs, work, options.only)
        if options.command == "list":
            return list_contestants(made)
        if options.command == "selftest":
            return selftest.run(work, made)
        return measure(options, programs, work, made)
    finally:
        if options.keep:
            host.say(f"kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
