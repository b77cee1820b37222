"""The arithmetic of comparing: only ratios within a round, their median, spread and sign test."""
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Row = dict  # one run, as it goes into the JSON; see rounds.py
Metric = Callable[[Row], float | None]


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float
    values: tuple[float, ...]

    @staticmethod
    def of(values: Iterable[float | None]) -> "Spread | None":
        found = tuple(value for value in values if value is not None)
        return Spread(statistics.median(found), min(found), max(found), found) if found else None


@dataclass(frozen=True)
class Sign:
    """Of n values that are not equal to the limit, how many are below; p of a result as one-sided as that by chance."""
    below: int
    count: int
    p: float


def sign_test(values: Iterable[float], limit: float) -> Sign:
    """Two-sided."""
    kept = [value for value in values if value != limit]
    below, count = sum(value < limit for value in kept), len(kept)
    if count == 0:
        return Sign(0, 0, 1.0)
    extreme = max(below, count - below)
    tail = sum(math.comb(count, k) for k in range(extreme, count + 1)) / 2 ** count
    return Sign(below, count, min(1.0, 2 * tail))


def good(rows: Iterable[Row], contestant: str, kind: str = "timed") -> list[Row]:
    """The rows that count: not of the first round, not void."""
    return [row for row in rows if row["contestant"] == contestant and row["pass"] == kind and row["counts"]
            and row["void"] is None]


def values(rows: Iterable[Row], contestant: str, metric: Metric, kind: str = "timed") -> Spread | None:
    return Spread.of(metric(row) for row in good(rows, contestant, kind))


def ratios(rows: Iterable[Row], contestant: str, baseline: str, metric: Metric, kind: str = "timed") -> Spread | None:
    """One ratio for each round in which both have a value."""
    rows = list(rows)
    below = {row["round"]: metric(row) for row in good(rows, baseline, kind)}
    found = []
    for row in good(rows, contestant, kind):
        mine, other = metric(row), below.get(row["round"])
        if mine is not None and other:
            found.append(mine / other)
    return Spread.of(found)


# Metrics: from a row to a number, None where it was not measured.

def wall(row: Row) -> float | None:
    return row["wall_s"]


def cpu(row: Row) -> float | None:
    """User and system time of both ends, seconds."""
    sides = row["usage"].values()
    return sum(side["user_s"] + side["system_s"] for side in sides) if sides else None


def cpu_of(side: str) -> Metric:
    return lambda row: row["usage"][side]["user_s"] + row["usage"][side]["system_s"] if side in row["usage"] else None


def per_gb(metric: Metric) -> Metric:
    def scaled(row: Row) -> float | None:
        value = metric(row)
        return None if value is None else value / (row["bytes"] / 1e9)
    return scaled


def rate(row: Row) -> float | None:
    """GB/s."""
    return row["bytes"] / 1e9 / row["wall_s"] if row["wall_s"] else None


def counted(side: str | None, what: str) -> Metric:
    """Of one side, or of all sides together: syscalls, context_switches."""
    def metric(row: Row) -> float | None:
        found = [count.get(what) for name, count in row["counts_by_side"].items() if side in (None, name)]
        return None if not found or None in found else sum(found)
    return metric


def memory(side: str | None, what: str) -> Metric:
    """The larger of both sides, or that of one: rss_anon, vm_hwm."""
    return lambda row: max((peak[what] for name, peak in row["memory"].items() if side in (None, name)), default=None)


def moved(side: str, what: str) -> Metric:
    """From the log of calls: moving, copied, hidden, handed_on."""
    return lambda row: row["moved"][side][what] if side in row["moved"] else None


def footprint(which: str) -> Metric:
    """Share of the file in the page cache at the end: source, dest, dest_after_sync."""
    return lambda row: row["footprint"].get(which)
