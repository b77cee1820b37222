"""What comes out: everything as JSON, tables as Markdown, charts as SVG. Nothing here measures."""
import json
from collections.abc import Iterable
from pathlib import Path

import stats
import svg
from contestants import Contestant
from rounds import Bench, voids
from stats import Metric, Row, Spread
from workloads import Workload

GROUP_COLOURS = {"zx": svg.COLOURS[0], "peer": svg.COLOURS[4], "baseline": "#9aa4ae"}
GROUP_NAMES = {"zx": "zsend, zrecv", "peer": "other tools", "baseline": "baselines"}
SENDER_COLOUR, RECEIVER_COLOUR = svg.COLOURS[1], svg.COLOURS[5]


def save_json(bench: Bench, command: str, facts: dict[str, object], rows: list[Row], more: dict[str, object]) -> None:
    """Every run with everything that was measured, also the dropped first round and what is void."""
    document = {"v": 1, "command": command, "seed": bench.seed, "rounds": bench.timed_rounds,
                "counted_rounds": bench.counted_rounds, "counter": bench.counter.kind if bench.counter else None,
                "pinned": bench.pin, "host": facts,
                "not_available": [{"workload": workload, "contestant": name, "why": why}
                                  for (workload, name), why in sorted(bench.unavailable.items())],
                **more, "rows": rows}
    (bench.out / "results.json").write_text(json.dumps(document, indent=1, default=str) + "\n")


def heading(bench: Bench, command: str, facts: dict[str, object], rows: list[Row]) -> list[str]:
    noisy = sum(bool(row["noise"].get("noisy")) for row in rows)
    timed = sum(row["pass"] == "timed" for row in rows)
    counter = (f"{bench.counter.kind}, rounds of their own ({bench.counted_rounds}), not timed"
               if bench.counter and bench.counted_rounds else "not measured")
    lines = [f"# bench.py {command}", "",
             f"- Machine: {facts['cpu']}, {facts['cpus']} CPUs, {facts['memory_bytes'] / 2**30:.1f} GiB, "
             f"kernel {facts['kernel']}; work folder on {facts['filesystem']}; everything over loopback.",
             f"- Programs: {', '.join(facts['programs'].values())}.",
             f"- Rounds: {bench.timed_rounds} that count, after one that was dropped; random order, seed {bench.seed}. "
             "Figures are medians with the smallest and largest in parentheses. A ratio is formed within a round.",
             f"- CPU: wait4(2), children included, start and end of servers too. Page cache: {facts['page_cache_by']}. "
             f"Calls and context switches: {counter}. Log of the calls that move data: "
             + ("strace, one side at a time." if bench.can_trace and bench.trace else
                "not made (it needs strace and root)."),
             f"- Content: SHA-256 compared after every run; {len(voids(rows))} of {len(rows)} runs are void."]
    if timed:
        loaded = " The load average was high before the start." if facts["noisy_at_start"] else ""
        lines.append(f"- Noise: others were busy before {noisy} of {timed} timed runs.{loaded}"
                     + (" **NOISY: do not quote these figures.**" if noisy > timed / 10 or loaded else ""))
    return lines + [""]


def spread_text(spread: Spread | None, scale: float = 1.0) -> str:
    if spread is None:
        return "–"
    median, low, high = (svg.short(value * scale) for value in (spread.median, spread.low, spread.high))
    return median if low == high else f"{median} ({low}–{high})"


def ratio_text(spread: Spread | None) -> str:
    """With the sign test: how many rounds are below 1, and how likely so one-sided a result is by chance."""
    if spread is None:
        return "–"
    sign = stats.sign_test(spread.values, 1.0)
    return f"{spread_text(spread)} {sign.below}/{sign.count} p={sign.p:.2g}"


def table(head: list[str], lines: Iterable[list[str]]) -> list[str]:
    def row(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    return [row(head), "|" + "---|" * len(head), *(row(line) for line in lines), ""]


def present(rows: list[Row], contestants: list[Contestant]) -> list[Contestant]:
    """Those with a row that counts, by throughput."""
    found = [c for c in contestants if any(stats.good(rows, c.name, kind) for kind in ("timed", "counted", "traced"))]
    return sorted(found, key=lambda c: -(_median(rows, c, stats.rate) or 0))


def _median(rows: list[Row], contestant: Contestant, metric: Metric) -> float | None:
    spread = stats.values(rows, contestant.name, metric)
    return spread.median if spread else None


def workload_tables(workload: Workload, rows: list[Row], contestants: list[Contestant], baseline: str) -> list[str]:
    chosen = present(rows, contestants)
    lines = [f"## {workload.name}: {workload.title}", "",
             f"Ratios are to `{baseline}`; k/n: rounds with a ratio below 1; p: two-sided sign test.",
             ""]
    if any(stats.good(rows, c.name) for c in chosen):
        lines += table(
            ["contestant", "wall s", "GB/s", f"wall / {baseline}", "CPU-s/GB sender", "CPU-s/GB receiver",
             "CPU-s/GB both", f"CPU / {baseline}"],
            ([f"`{c.name}`", spread_text(stats.values(rows, c.name, stats.wall)),
              spread_text(stats.values(rows, c.name, stats.rate)),
              ratio_text(stats.ratios(rows, c.name, baseline, stats.wall)),
              *(spread_text(stats.values(rows, c.name, stats.per_gb(stats.cpu_of(side)))) for side in
                ("sender", "receiver")),
              spread_text(stats.values(rows, c.name, stats.per_gb(stats.cpu))),
              ratio_text(stats.ratios(rows, c.name, baseline, stats.cpu))] for c in chosen))

    def count(c: Contestant, side: str | None, what: str) -> str:
        return spread_text(stats.values(rows, c.name, stats.per_gb(stats.counted(side, what)), "counted"))

    def mib(c: Contestant, side: str, what: str) -> str:
        return spread_text(stats.values(rows, c.name, stats.memory(side, what), "counted"), 1 / 2**20)

    def share(c: Contestant, which: str) -> str:
        kind = "timed" if stats.good(rows, c.name) else "counted"
        spread = stats.values(rows, c.name, stats.footprint(which), kind)
        return f"{spread.median:.1%}" if spread else "–"

    lines += table(
        ["contestant", "calls/GB sender", "calls/GB receiver", "context switches/GB", "RssAnon MiB sender, receiver",
         "VmHWM MiB sender, receiver", "in page cache at the end: source", "destination", "after a sync"],
        ([f"`{c.name}`", count(c, "sender", "syscalls"), count(c, "receiver", "syscalls"),
          count(c, None, "context_switches"), f"{mib(c, 'sender', 'rss_anon')}, {mib(c, 'receiver', 'rss_anon')}",
          f"{mib(c, 'sender', 'vm_hwm')}, {mib(c, 'receiver', 'vm_hwm')}",
          share(c, "source"), share(c, "dest"), share(c, "dest_after_sync")] for c in chosen))
    return lines + calls_table(rows, chosen)


def calls_table(rows: list[Row], chosen: list[Contestant]) -> list[str]:
    """Which calls moved the data, from the traced pass."""
    lines = []
    for c in chosen:
        for row in stats.good(rows, c.name, "traced"):
            for side, moved in row["moved"].items():
                main = sorted((label for label, count in moved["bytes"].items() if count > 0.02 * row["bytes"]),
                              key=lambda label: -moved["bytes"][label])
                sizes = {label: svg.short(moved["bytes"][label] / moved["calls"][label] / 1024) for label in main}
                text = "; ".join(f"{label} {moved['calls'][label]} × {sizes[label]} KiB" for label in main)
                if moved["hidden"]:
                    text += f"; io_uring_enter {moved['hidden']} (bytes not visible)"
                lines.append([f"`{c.name}`", side, text or "–", svg.short(moved["copied"] / row["bytes"])])
    if not lines:
        return []
    return ["Which calls moved the data (strace, one side at a time), and how often a CPU copied each byte:", "",
            *table(["contestant", "side", "calls × mean size", "CPU copies"], lines)]


def properties(contestants: list[Contestant]) -> list[str]:
    return ["## What each does", "",
            *table(["contestant", "how", "encrypts", "verifies", "atomic", "durable"],
                   ([f"`{c.name}`", c.what, c.encrypts, c.verifies, c.atomic, c.durable] for c in contestants))]


def not_available(bench: Bench) -> list[str]:
    if not bench.unavailable:
        return []
    by_reason: dict[str, dict[str, list[str]]] = {}
    for (workload, name), why in bench.unavailable.items():
        by_reason.setdefault(why, {}).setdefault(name, []).append(workload)
    return ["## Not measured", "", *(
        f"- {why}: " + "; ".join(f"`{name}` ({', '.join(where)})" for name, where in names.items())
        for why, names in by_reason.items()), ""]


def void_list(rows: list[Row]) -> list[str]:
    found = voids(rows)
    if not found:
        return []
    return ["## Void", "", *(f"- `{row['contestant']}`, {row['workload']}, {row['pass']} round {row['round']}: "
                             f"{row['void']}" for row in found), ""]


def _bar(spread: Spread | None, colour: str) -> svg.Bar | None:
    return svg.Bar([(spread.median, colour)], (spread.low, spread.high)) if spread else None


def charts(folder: Path, workload: Workload, rows: list[Row], contestants: list[Contestant]) -> list[str]:
    """Writes the charts of one workload; returns the lines that show them."""
    chosen = present(rows, contestants)
    timed = [c for c in chosen if stats.good(rows, c.name)]
    lines = []
    if timed:
        stacked = []
        for c in timed:
            sides = [(stats.values(rows, c.name, stats.per_gb(stats.cpu_of(side))), colour) for side, colour in
                     (("sender", SENDER_COLOUR), ("receiver", RECEIVER_COLOUR))]
            total = stats.values(rows, c.name, stats.per_gb(stats.cpu))
            parts = [(spread.median, colour) for spread, colour in sides if spread]
            # Medians of parts need not add up to the median of the sum, which is what counts.
            scale = total.median / (sum(value for value, _ in parts) or 1) if total else 1
            stacked.append(svg.Bar([(value * scale, colour) for value, colour in parts],
                                   (total.low, total.high) if total else None))
        groups = [(name, GROUP_COLOURS[group]) for group, name in GROUP_NAMES.items()
                  if any(c.group == group for c in timed)]
        rates = [_bar(stats.values(rows, c.name, stats.rate), GROUP_COLOURS[c.group]) for c in timed]
        name = f"{workload.name}-speed.svg"
        (folder / name).write_text(svg.bar_chart(
            f"{workload.name}: throughput and CPU time", workload.title + "; median and range of the rounds",
            [c.name for c in timed],
            [svg.BarPanel("throughput, GB/s (more is better)", rates, groups),
             svg.BarPanel("CPU seconds per GB (less is better)", stacked,
                          [("sender or local", SENDER_COLOUR), ("receiver", RECEIVER_COLOUR)])]))
        lines += [f"![throughput and CPU per GB]({name})", ""]
    written = [c for c in chosen if c.writes]
    if written:
        name, kind = f"{workload.name}-page-cache.svg", "timed" if timed else "counted"

        def panel(title: str, which: str, colour: str) -> svg.BarPanel:
            spreads = [stats.values(rows, c.name, stats.footprint(which), kind) for c in written]
            return svg.BarPanel(title, [_bar(spread, colour) for spread in spreads], highest=1.0, percent=True)
        (folder / name).write_text(svg.bar_chart(
            f"{workload.name}: what stays in the page cache", workload.title + "; looked at when the run has ended",
            [c.name for c in written], [panel("source, share of the file", "source", SENDER_COLOUR),
                                        panel("destination, share of the file", "dest", RECEIVER_COLOUR)]))
        lines += [f"![page-cache footprint]({name})", ""]
    return lines
