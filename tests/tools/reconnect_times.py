#!/usr/bin/env python3
"""How long it takes to notice that a connection is lost, and until content flows again.

  reconnect_times.py [--rounds N] [WORD]     only what has this word in its name: reset, end, silence, tls...

20 MiB go through tcp_proxy.py, which harms the first connection in its middle. Printed are milliseconds by the
proxy's clock, the median of all rounds and the longest: "noticed", from the harm until the next connection arrives,
and "flows", from there until 64 KiB of content have passed on it. An end of one direction is noticed by the side
that it is sent to, which then ends the connection. Silence is a quarter of --timeout, here 4 s; exits with 1
when a session fails, or a median says that silence is noticed after two and a half times as long.
The programs are $ZSEND and $ZRECV.
"""
import argparse
import re
import shutil
import statistics
import sys
import tempfile

from lossy import MIB, SCENARIOS, SIDES, Runs, judge

FLOWS = 1 << 16
HARMS = (("reset", "cut={at},on=0,from={sender}"), ("end, at the receiver", "cut={at},fin,on=0,from={sender}"),
         ("end, at the sender", "cut={back},fin,on=0,from={receiver}"), ("silence", "hold={at},on=0,from={sender}"))
TIMEOUT, LATE = "--timeout=4", 2500


def moment(said, what):
    return float(re.search(f"^([\\d.]+) {what}", said, re.M)[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("word", nargs="?", default="")
    options = parser.parse_args()
    top = tempfile.mkdtemp(prefix="zx-times.")
    wrong = []
    try:
        runs = Runs(top)
        print(f"{'':34}{'noticed, ms':>18}{'flows, ms':>18}")
        for name in ("tls", "plain", "pull"):
            sender = SCENARIOS[name].sender()
            receiver = SIDES[1 - SIDES.index(sender)]
            # Bytes of the receiver, few beside the content: past its handshake and terms.
            back = 1200 if "--plain" not in SCENARIOS[name].send else 500
            for harm, rule in HARMS:
                if options.word not in f"{name}, {harm}":
                    continue
                rule = rule.format(at=10 * MIB, back=back, sender=sender, receiver=receiver)
                noticed, flows = [], []
                for _ in range(options.rounds):
                    outcome, said = runs.run(name, f"{rule} mark={FLOWS},on=1,from={sender}", [TIMEOUT], ["--clock"])
                    # A connection that is held is lost too, but never over for the proxy.
                    found = [one for one in judge(outcome) if "nothing was cut" not in one]
                    wrong += found
                    if found:
                        break
                    again = moment(said, "connection 1")
                    noticed.append(again - moment(said, "(?:cut|hold) at"))
                    flows.append(moment(said, "mark at") - again)
                if len(flows) < options.rounds:
                    continue
                if harm == "silence" and statistics.median(noticed) > LATE:
                    wrong.append("silence is noticed late")
                figures = "".join(f"{statistics.median(one):9.1f} {max(one):8.1f}" for one in (noticed, flows))
                print(f"{name + ', ' + harm:34}{figures}", flush=True)
    finally:
        shutil.rmtree(top)
    for one in sorted(set(wrong)):
        print(f"FINDING {one}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
