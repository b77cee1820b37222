"""bench.py sweep: engines over file sizes, hot, cold and short of memory; where direct I/O begins to win."""
from collections.abc import Sequence
from pathlib import Path

import stats
import svg
from contestants import Contestant
from report import ratio_text, spread_text, table
from rounds import Bench, run_workload
from stats import Metric, Row
from workloads import Workload

STATES = {"hot": "source in the page cache", "cold": "nothing of the source in the page cache",
          "pressure": "cold, memory of both ends limited"}
# A run moves at least this much, in files of the size in question, so that starting two programs is not
# what is measured; but not more files than descriptors are usual.
RUN_BYTES, MOST_FILES = 64 << 20, 256
DASHES = ("", "6 3", "2 3")
# What direct I/O has to beat, and the contestant that uses it.
DUELS = (("zx-plain/tx-direct", "zx-plain/tx-sendfile"), ("zx-plain/rx-direct", "zx-plain/rx-splice"),
         ("zx-plain/direct", "zx-plain"))


def workloads(sizes: Sequence[int], states: Sequence[str], limit: int) -> list[Workload]:
    made = []
    for state in states:
        for size in sizes:
            count = max(1, min(MOST_FILES, RUN_BYTES // size))
            title = f"{count} x {size / 2**20:g} MiB, {STATES[state]}"
            made.append(Workload(f"{state} {size / 2**20:g} MiB", title, size, count, hot=state == "hot",
                                 memory_limit=limit if state == "pressure" else None))
    return made


def choose(contestants: list[Contestant]) -> list[Contestant]:
    """Engines without encryption, and a local copy as floor."""
    return [c for c in contestants if c.name == "cp" or c.name.startswith("zx-plain") and "streams" not in c.name]


def measure(bench: Bench, contestants: list[Contestant], sizes: Sequence[int], states: Sequence[str],
            limit: int) -> tuple[list[Row], list[Workload]]:
    rows: list[Row] = []
    made = workloads(sizes, states, limit)
    for workload in made:
        rows += run_workload(bench, workload, choose(contestants))
    return rows, made


def _of(rows: list[Row], workload: Workload) -> list[Row]:
    return [row for row in rows if row["workload"] == workload.name]


def sweep_tables(rows: list[Row], made: list[Workload], contestants: list[Contestant]) -> list[str]:
    chosen = [c for c in choose(contestants) if stats.good(rows, c.name)]
    lines = []
    for title, metric in (("Throughput, GB/s", stats.rate), ("CPU seconds per GB, both ends", stats.per_gb(stats.cpu)),
                          ("Source in the page cache at the end, share", stats.footprint("source")),
                          ("Destination in the page cache at the end, share", stats.footprint("dest"))):
        body = []
        for workload in made:
            cells = [spread_text(stats.values(_of(rows, workload), c.name, metric)) for c in chosen]
            if any(cell != "–" for cell in cells):
                body.append([workload.name, *cells])
        if body:
            lines += [f"## {title}", "", *table(["state and size", *(f"`{c.name}`" for c in chosen)], body)]
    return lines


def duels(rows: list[Row], made: list[Workload]) -> list[str]:
    """Where direct I/O wins, by wall time and by CPU time: ratios within the rounds."""
    lines = ["## Where direct I/O begins to win", ""]
    names = {row["contestant"] for row in rows if row["void"] is None}
    fought = [duel for duel in DUELS if set(duel) <= names]
    if not fought:
        return lines + ["Not measured: no `direct` engine ran, see below.", ""]
    body, summary = [], []
    for direct, other in fought:
        for state in STATES:
            ours = [workload for workload in made if workload.name.startswith(state)]
            wins: dict[str, str] = {}
            for what, metric in (("wall", stats.wall), ("CPU", stats.cpu)):
                wins[what] = _from_size(rows, ours, direct, other, metric)
            if any(stats.ratios(_of(rows, workload), direct, other, stats.wall) for workload in ours):
                summary.append(f"- `{direct}` against `{other}`, {state}: wall time {wins['wall']}; "
                               f"CPU time {wins['CPU']}.")
            for workload in ours:
                found = [stats.ratios(_of(rows, workload), direct, other, metric) for metric in (stats.wall, stats.cpu)]
                if any(found):
                    body.append([f"`{direct}` / `{other}`", workload.name, *map(ratio_text, found)])
    return lines + ["A win is a median ratio below 1 at that size and all larger ones that were measured.", "",
                    *summary, "", *table(["ratio", "state and size", "wall", "CPU"], body)]


def _from_size(rows: list[Row], made: list[Workload], direct: str, other: str, metric: Metric) -> str:
    smallest = None
    for workload in sorted(made, key=lambda workload: -workload.size):
        found = stats.ratios(_of(rows, workload), direct, other, metric)
        if found is None or found.median >= 1:
            break
        smallest = workload
    return f"wins from {smallest.size / 2**20:g} MiB" if smallest else "does not win at the largest size"


def sweep_charts(folder: Path, rows: list[Row], made: list[Workload], contestants: list[Contestant]) -> list[str]:
    """Engines of the sender and of the receiver apart, as one chart would be too full."""
    names = [c.name for c in choose(contestants) if stats.good(rows, c.name)]
    lines = []
    for side, chosen in (("sender", [name for name in names if "/rx-" not in name and "/rw" not in name]),
                         ("receiver", [name for name in names if "/tx-" not in name and "/rw-" not in name])):
        for what, title, unit, metric in (
                ("throughput", "throughput", "GB/s", stats.rate),
                ("cpu", "CPU time", "CPU seconds per GB, both ends", stats.per_gb(stats.cpu))):
            panels = _panels(rows, made, chosen, metric)
            if panels:
                categories = [f"{size / 2**20:g}" for size in dict.fromkeys(workload.size for workload in made)]
                text = svg.line_chart(f"Engines of the {side} against file size: {title}",
                                      f"at least {RUN_BYTES >> 20} MiB in each run, in files of that size; "
                                      "median and range of the rounds", categories, "file size, MiB", unit, panels)
                file = f"sweep-{side}-{what}.svg"
                (folder / file).write_text(text)
                lines += [f"![engines of the {side}: {title}]({file})", ""]
    return lines


def _panels(rows: list[Row], made: list[Workload], names: list[str], metric: Metric) -> list[svg.LinePanel]:
    styles = {name: (svg.COLOURS[number % len(svg.COLOURS)], DASHES[number // len(svg.COLOURS) % len(DASHES)])
              for number, name in enumerate(names)}
    panels = []
    for state, meaning in STATES.items():
        ours = [workload for workload in made if workload.name.startswith(state)]
        series = []
        for name in names:
            spreads = [stats.values(_of(rows, workload), name, metric) for workload in ours]
            if any(spreads):
                series.append(svg.Series(name, [spread and (spread.median, spread.low, spread.high)
                                                for spread in spreads], *styles[name]))
        if series:
            panels.append(svg.LinePanel(f"{state}: {meaning}", series))
    return panels
