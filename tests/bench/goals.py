"""bench.py goals: the ratios this project wants to show, each with what was measured."""
from collections.abc import Callable
from dataclasses import dataclass

import stats
import svg
from contestants import Contestant
from report import table
from rounds import Bench, run_workload
from stats import Metric, Row, Spread
from workloads import Workload, standard

# Anonymous memory of one side: 64 MiB, and 4 MiB for the one connection.
MEMORY_LIMIT = 68 << 20


@dataclass(frozen=True)
class Goal:
    text: str
    workload: str
    contestant: str
    metric: Metric
    limit: float
    baseline: str | None = None      # the metric is then a ratio to it, within the round
    kind: str = "timed"
    show: Callable[[float], str] = svg.short


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _mib(value: float) -> str:
    return f"{svg.short(value / 2**20)} MiB"


def _pair(contestant: str, baseline: str, workload: str, wall: float | None, cpu: float | None) -> list[Goal]:
    made = []
    if wall is not None:
        made.append(Goal("wall time", workload, contestant, stats.wall, wall, baseline))
    if cpu is not None:
        made.append(Goal("CPU time, both ends", workload, contestant, stats.cpu, cpu, baseline))
    return made


def _memory(contestant: str, workload: str) -> Goal:
    return Goal("peak anonymous memory of the larger side", workload, contestant, stats.memory(None, "rss_anon"),
                MEMORY_LIMIT, kind="counted", show=_mib)


GOALS: list[Goal] = [
    *_pair("zx-plain", "socat-1M", "cached", 1.0, 1.0),
    *_pair("zx-plain", "scp", "cached", 0.25, 0.25),
    *_pair("zx-plain", "rsync", "cached", 0.5, 0.5),
    *_pair("zx-plain", "cp+sync", "durable", 1.15, None),
    *_pair("zx-tls", "scp", "cached", 0.35, 0.35),
    *_pair("zx-tls", "curl-https", "cached", 0.8, 0.8),
    *_pair("zx-ssh", "scp", "cached", 0.35, 0.35),
    *_pair("zx-ssh", "scp", "start", 1.3, None),
    Goal("source left in the page cache", "cold", "zx-plain/direct", stats.footprint("source"), 0.02, show=_percent),
    Goal("destination left in the page cache", "cold", "zx-plain/direct", stats.footprint("dest"), 0.02, show=_percent),
    Goal("sender: calls that move data, per GB", "cached", "zx-plain", stats.per_gb(stats.moved("sender", "moving")),
         200, kind="traced"),
    Goal("sender: all calls, per GB", "cached", "zx-plain", stats.per_gb(stats.counted("sender", "syscalls")), 5000,
         kind="counted"),
    Goal("receiver: all calls, per GB", "cached", "zx-plain", stats.per_gb(stats.counted("receiver", "syscalls")), 8000,
         kind="counted"),
    Goal("context switches, both ends", "cached", "zx-plain", stats.counted(None, "context_switches"), 1.0, "nc",
         "counted"),
    _memory("zx-plain", "cached"), _memory("zx-tls", "cached"), _memory("zx-plain/direct", "cold"),
]

# Beside what the goals name: a floor, and what helps to understand a ratio.
CONTESTANTS = {
    "cached": ["zx-plain", "zx-tls", "zx-ssh", "socat-1M", "scp", "scp-default", "rsync", "nc", "mbuffer", "curl-http",
               "curl-https", "cp", "floor-sendfile", "xxhsum"],
    "durable": ["zx-plain", "zx-tls", "cp+sync"],
    "start": ["zx-ssh", "zx-ssh/via-ssh", "scp", "rsync-ssh"],
    "cold": ["zx-plain", "zx-plain/direct", "zx-plain/tx-direct", "zx-plain/rx-direct", "cp", "dd-direct"],
}
BASELINES = {"cached": "socat-1M", "durable": "cp+sync", "cold": "cp", "start": "scp"}


@dataclass(frozen=True)
class Result:
    goal: Goal
    found: Spread | None
    why: str          # when nothing was found

    @property
    def reached(self) -> bool:
        return self.found is not None and self.found.median <= self.goal.limit

    @property
    def verdict(self) -> str:
        return "not measured" if self.found is None else "reached" if self.reached else "NOT reached"


def measure(bench: Bench, size: int, contestants: list[Contestant]) -> tuple[list[Row], list[Workload]]:
    rows: list[Row] = []
    workloads = []
    known = {c.name: c for c in contestants}
    for name, wanted in CONTESTANTS.items():
        workload = standard(name, size)
        workloads.append(workload)
        for absent in (goal.contestant for goal in GOALS if goal.workload == name and goal.contestant not in known):
            bench.unavailable[name, absent] = "not available: left out by --only, or --help does not offer it"
        rows += run_workload(bench, workload, [known[c] for c in wanted if c in known])
    return rows, workloads


def judge(bench: Bench, rows: list[Row]) -> list[Result]:
    results = []
    for goal in GOALS:
        chosen = [row for row in rows if row["workload"] == goal.workload]
        if goal.baseline:
            found = stats.ratios(chosen, goal.contestant, goal.baseline, goal.metric, goal.kind)
        else:
            found = stats.values(chosen, goal.contestant, goal.metric, goal.kind)
        names = [name for name in (goal.contestant, goal.baseline) if name]
        why = "; ".join(dict.fromkeys(f"{name}: {bench.unavailable[goal.workload, name]}" for name in names
                                      if (goal.workload, name) in bench.unavailable)) or "no run that counts"
        results.append(Result(goal, found, "" if found else why))
    return results


def goals_table(results: list[Result]) -> list[str]:
    def line(result: Result) -> list[str]:
        goal, found = result.goal, result.found
        what = f"{goal.text}, `{goal.contestant}`" + (f" / `{goal.baseline}`" if goal.baseline else "")
        if found is None:
            return [what, goal.workload, f"≤ {goal.show(goal.limit)}", "–", "–", f"{result.verdict} ({result.why})"]
        sign = stats.sign_test(found.values, goal.limit)
        median = goal.show(found.median)
        spread = median if len(found.values) == 1 else f"{median} ({goal.show(found.low)}–{goal.show(found.high)})"
        # One observation has no sign test.
        test = f"{sign.below}/{sign.count} below, p={sign.p:.2g}" if len(found.values) > 1 else "one run"
        return [what, goal.workload, f"≤ {goal.show(goal.limit)}", spread, test, result.verdict]

    reached = sum(result.reached for result in results)
    return ["## Goals", "", f"{reached} of {len(results)} reached. Median (smallest–largest) of the rounds; the sign "
            "test is against the goal.", "",
            *table(["what", "workload", "goal", "measured", "sign test", ""], map(line, results))]


def as_json(results: list[Result]) -> list[dict[str, object]]:
    return [{"text": r.goal.text, "workload": r.goal.workload, "contestant": r.goal.contestant,
             "baseline": r.goal.baseline, "goal": r.goal.limit, "median": r.found and r.found.median,
             "values": r.found and list(r.found.values), "verdict": r.verdict, "why": r.why} for r in results]
