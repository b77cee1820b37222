#!/usr/bin/env python3
"""Cuts the connections of a session at their n-th byte, for every n: a lost connection is only an event.

  reconnects.py [--full] [--scenario NAME] [--seconds N] [-j N] [CASE...]

A case is SCENARIO/RULE[ RULE...]: both programs run with tcp_proxy.py between them, which follows these rules.
Without CASEs it is a sample, with --full everything: 20 MiB cut at each 64 KiB, by a reset and by an end in
turn; one byte of content cut at each byte of either direction, both ways; and the rest of the sample.

What is judged is in lossy.py. Prints how many connections were lost and how much of what they had carried was sent
again, and for each finding the command that shows it again; exits with 1 when there was one.
The programs are $ZSEND and $ZRECV.
"""
import argparse
import collections
import concurrent.futures
import os
import shutil
import sys
import tempfile
import threading
import time

from lossy import LARGE, LAST_WORD, MIB, SCENARIOS, SIDES, Runs, judge

STEP = 1 << 16


class Report:
    def __init__(self):
        self.lock, self.findings = threading.Lock(), collections.defaultdict(list)
        self.runs = self.lost = self.left = 0
        self.most = collections.Counter()

    def add(self, text, outcome):
        with self.lock:
            self.runs, self.lost = self.runs + 1, self.lost + len(outcome.lost)
            name = text.split("/")[0]
            self.most[name] = max(self.most[name], outcome.again() // max(len(outcome.lost), 1))
            for one in judge(outcome):
                self.findings[one].append((text, outcome))

    def print(self):
        print(f"{self.runs} runs, {self.lost} connections cut; {self.left} not begun for want of time")
        print("sent again for each of them, at most: " +
              ", ".join(f"{name} {most / MIB:.1f} MiB" for name, most in self.most.items() if most))
        for what, cases in sorted(self.findings.items()):
            text, outcome = cases[0]
            print(f"FINDING {what}: {len(cases)} times\n  tests/tools/reconnects.py {text!r}")
            print(f"  ended with {outcome.status} after {outcome.seconds:.1f} s, reconnects {outcome.reconnects},"
                  f" carried {list(outcome.carried.values())}, left {outcome.left}")
            for line in (outcome.stderr["send"] + outcome.stderr["recv"]).splitlines():
                print(f"  {line[:200]}")
        sys.stdout.flush()


# --- which cases

def large_cuts(name, whole):
    sender = SCENARIOS[name].sender()
    for n in range(STEP, SCENARIOS[name].sizes[0] + 1, STEP if whole else 40 * STEP):
        yield f"{name}/cut={n}{',fin' if n // (STEP if whole else 40 * STEP) % 2 else ''},on=0,from={sender}"


def byte_cuts(runs, name, whole):
    for side, total in zip(SIDES, runs.totals(name)):
        # The sample: the middle of the handshake, of the session, and both ends of the last message.
        for n in range(total) if whole else sorted({total // 3, total * 2 // 3, total - LAST_WORD - 5, total - 20}):
            for how in ("", ",fin") if whole or n >= total - LAST_WORD else ("", ",fin")[n % 2:n % 2 + 1]:
                yield f"{name}/cut={n}{how},on=0,from={side}"


OTHERS = """
big/cut=36000000,on=0-7
big-pull/cut=36000000,fin,on=0-7,from=listener
pipe/cut=1700000
tls/cut=1700000
pipe-plain/cut=1500000,fin,on=0-19
sparse/cut=1500000,on=0 cut=2000000,on=2-5
exec-streams/cut=3000000,on=0 slice=200,on=1-9
exec/cut=1300000
exec/cut=4000000,fin,on=0-3
streams/cut=1500000,on=0
streams/cut=2500000,on=1 cut=1100000,on=3-4
streams-plain/cut=1200000,fin,on=0-7
streams-plain/cut=900000,on=1-3
""".split("\n")[1:-1]


def plan(runs, options):
    for name in SCENARIOS:
        if options.scenario not in (None, name):
            continue
        if SCENARIOS[name].sizes == LARGE and not SCENARIOS[name].source:
            yield from large_cuts(name, options.full)
        elif SCENARIOS[name].sizes == (1,):
            yield from byte_cuts(runs, name, options.full)
        yield from (text for text in OTHERS if text.startswith(f"{name}/"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--scenario", choices=SCENARIOS)
    parser.add_argument("--seconds", type=int, default=1 << 30, help="begin nothing after so long")
    parser.add_argument("-j", type=int, default=os.cpu_count() + 1)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    report, end = Report(), time.monotonic() + options.seconds
    top = tempfile.mkdtemp(prefix="zx-reconnects.")
    try:
        runs = Runs(top)

        def run(text):
            if time.monotonic() > end:
                report.left += 1
            else:
                report.add(text, runs.case(text))

        with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
            for done in [pool.submit(run, text) for text in options.cases or plan(runs, options)]:
                done.result()
    finally:
        shutil.rmtree(top)
    report.print()
    sys.exit(1 if report.findings or not report.lost else 0)


if __name__ == "__main__":
    main()
