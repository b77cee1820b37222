"""bench.py claim: the historical claim for zero-copy, counted on both ends.

    A 320 MB file with read and write of 32 KiB: about 40,000 switches between user and kernel mode and
    1,280 MB copied. With sendfile about 400 switches and 640 MB.
"""
import stats
from contestants import Contestant
from report import ratio_text, spread_text, table
from rounds import Bench, run_workload
from stats import Row, Spread
from workloads import Workload

BYTES = 320_000_000
CLAIMED_SWITCHES, CLAIMED_ZERO_COPY_SWITCHES = 40_000, 400
CLAIMED_COPIED_MB, CLAIMED_ZERO_COPY_MB = 1280, 640
# The bare loop is the claim's own subject; the same engine inside zsend and zrecv also verifies.
BARE, CONTROLS = "floor-rw-32K", ("zx-plain/rw-32K", "zx-plain/rw")


def measure(bench: Bench, contestants: list[Contestant]) -> tuple[list[Row], Workload, str]:
    """Also returns the name of the control."""
    names = {c.name for c in contestants}
    control = next((name for name in CONTROLS if name in names), BARE)
    chosen = [c for c in contestants if c.name in (BARE, "floor-sendfile")
              or c.name.startswith("zx-plain") and "streams" not in c.name]
    workload = Workload("claim", "one cached file of 320 MB", BYTES)
    bench.trace_limit = max(bench.trace_limit, BYTES)
    return run_workload(bench, workload, chosen), workload, control


def _both(row: Row) -> float | None:
    return stats.counted(None, "syscalls")(row)


def _copied(row: Row, side: str | None) -> float | None:
    found = [moved["copied"] for name, moved in row["moved"].items() if side in (None, name)]
    return sum(found) / 1e6 if found else None


def _hidden(row: Row) -> bool:
    return any(moved["hidden"] for moved in row["moved"].values())


def claim_table(rows: list[Row], contestants: list[Contestant], control: str) -> list[str]:
    lines = []
    for c in contestants:
        counted = [stats.values(rows, c.name, stats.counted(side, "syscalls"), "counted") for side in
                   ("sender", "receiver", None)]
        traced = stats.good(rows, c.name, "traced")
        if counted[2] is None and not traced:
            continue
        copied = [Spread.of(_copied(row, side) for row in traced) for side in ("sender", "receiver", None)]
        mark = " (io_uring not seen)" if any(_hidden(row) for row in traced) else ""
        moving = Spread.of(stats.moved("sender", "moving")(row) for row in traced)
        lines.append([f"`{c.name}`", *(spread_text(one) for one in counted), spread_text(moving),
                      spread_text(counted[0], 2), spread_text(counted[2], 2),
                      ratio_text(stats.ratios(rows, c.name, control, _both, "counted")),
                      *(spread_text(one) for one in copied[:2]), spread_text(copied[2]) + mark])
    return ["## The claim", "", f"Ratios are to `{control}`; mode switches are two for each call.", "",
            *table(["contestant", "calls sender", "calls receiver", "calls both",
                    "calls by which the sender hands data on", "mode switches sender", "mode switches both",
                    f"calls / {control}", "MB copied by CPU: sender", "receiver", "both"], lines)]


def verdict(rows: list[Row], control: str) -> list[str]:
    """The claim beside what was counted, in sentences made of the figures."""
    def switches(name: str, side: str | None = "sender") -> str:
        return spread_text(stats.values(rows, name, stats.counted(side, "syscalls"), "counted"), 2)

    def copied(name: str) -> str:
        return spread_text(Spread.of(_copied(row, None) for row in stats.good(rows, name, "traced")))

    def fewer(name: str, side: str | None) -> str:
        """How many times fewer calls than the bare loop, in the same rounds."""
        return spread_text(stats.ratios(rows, BARE, name, stats.counted(side, "syscalls"), "counted"))

    handed_on = spread_text(stats.values(rows, "zx-plain", stats.moved("sender", "moving"), "traced"))
    calls = spread_text(stats.ratios(rows, "zx-plain", control, _both, "counted"))
    cpu = spread_text(stats.ratios(rows, "zx-plain", control, stats.cpu))
    claimed = CLAIMED_SWITCHES // CLAIMED_ZERO_COPY_SWITCHES
    bare, zero = "floor-sendfile", "zx-plain"
    return [
        "### Where it holds and where it does not", "",
        "- **Switches: a claim about the sending end.** "
        f"Claimed {CLAIMED_SWITCHES:,} against {CLAIMED_ZERO_COPY_SWITCHES}, a factor of {claimed}. "
        f"Counted: the sender of the bare loop {switches(BARE)}; of a bare blocking sendfile {switches(bare)}, "
        f"a factor of {fewer(bare, 'sender')}; zsend with the engine it chooses {switches(zero)}, "
        f"a factor of {fewer(zero, 'sender')}, the start of the program and reading for verification included; "
        f"{handed_on} of its calls hand data on. "
        "The claim leaves out the receiver: for both ends together "
        f"the bare loop has {switches(BARE, None)}, zsend and zrecv {switches(zero, None)}, "
        f"a factor of {fewer(zero, None)}.",
        "- **Bytes: similar numbers, another meaning.** "
        f"Claimed {CLAIMED_COPIED_MB:,} MB against {CLAIMED_ZERO_COPY_MB}: four and two transfers of 320 MB on the "
        "sending host, of which two are made by devices. "
        f"Copied by CPUs on both ends together, the bare loop has {copied(BARE)} MB; zsend and zrecv have "
        f"{copied(zero)} MB, verification included, which reads again what did not pass through a buffer.",
        "- **What it does not say: fewer calls are not proportionally less time.** "
        "A call costs a fraction of a microsecond; most of the CPU time of a transfer is copying, checking and the "
        f"network stack. `{zero}` makes {calls} of the calls of `{control}` and takes {cpu} of its CPU time (median "
        "of the rounds, smallest and largest). Larger buffers save calls as well; what only zero-copy saves are the "
        "copies.",
        "- **Encryption in user space has no zero-copy**, and a receiver on an ordinary file system has one copy at "
        "least (splice into the page cache) unless it writes with direct I/O.", "",
        "How the bytes are derived: strace logs each call with its result, one side at a time. read, write, recv and "
        "send copy what they return, except on descriptors with O_DIRECT (the device does) and recv with MSG_TRUNC "
        "(nobody does). sendfile and splice to a socket or pipe pass pages on by reference: no copy. splice to a "
        "file copies once, into the page cache. Over loopback there is no network card: the receiving socket holds "
        "the very pages that sendfile passed on, and the copy happens when the receiver reads them. Pages that are "
        "only hashed or encrypted are not copied. Bytes that io_uring moves are not visible to strace; with "
        "`--engine=direct` the file side of them is device DMA.", ""]
