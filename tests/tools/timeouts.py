#!/usr/bin/env python3
"""When a program notices that the other one does nothing any more, and when it ends: a table over the ways of the data.

  timeouts.py [--at-once N] [WORD]     only the cases that have this word in their name: sendfile, pipe, tls, 4...

In each case one program is stopped (SIGSTOP) in the middle of a transfer. The other one has to notice it after a
quarter of --timeout, to try to connect again for --timeout, and so to end after 1.25 x --timeout with 10 or 5. What a
loaded machine needs is allowed beside that; exits with 1 when a case took longer. The programs are $ZSEND and $ZRECV.
"""
import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time

from programs import Program, wait_until

TIMEOUT = 4
SILENCE, LATE = TIMEOUT / 4, 0.75
BYTES, ENOUGH = 600_000_000, 4_000_000
KEY = "zk1_rnqy3vnn46jctv2we30mbgqkwq6d22hq9px0ve53zcq2hcwjte0vfapx91dwbnpq"
UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9}


def cases():
    """Name, who is stopped, options of zsend and of zrecv, whether a pipe is sent."""
    for mode in ("plain", "tls"):
        both = ["--plain", "--no-auth"] if mode == "plain" else []
        for streams in (1, 4):
            options = both + [f"--streams={streams}"]
            for engine in ("sendfile", "splice", "mmap", "readwrite", "direct"):
                if mode == "plain" or engine not in ("sendfile", "splice"):
                    yield f"zrecv stopped, {engine}, {mode}, {streams}", "recv", options + [f"--engine={engine}"], both, False
            for engine in ("splice", "readwrite", "direct"):
                if mode == "plain" or engine != "splice":
                    yield f"zsend stopped, {engine}, {mode}, {streams}", "send", options, both + [f"--engine={engine}"], False
            for victim in ("recv", "send"):
                yield f"z{victim} stopped, pipe, {mode}, {streams}", victim, options, both, True


class Case(threading.Thread):
    def __init__(self, top, number, name, victim, send, recv, piped):
        super().__init__()
        self.name, self.victim, self.finding = name, victim, None
        self.noticed = self.ended = None
        there = f"{top}/{number}"
        os.mkdir(there)
        self.recv = Program([os.environ["ZRECV"], "-v", f"--timeout={TIMEOUT}", "--listen=127.0.0.1:0",
                             f"--json={there}/recv.json", *recv, *(["--exec=cat >/dev/null"] if piped else [there])],
                            KEY, f"{there}/recv.json")
        source = ["--exec=cat " + f"{top}/f"] if piped else [f"{top}/f"]
        self.command = [os.environ["ZSEND"], "-v", f"--timeout={TIMEOUT}", f"--json={there}/send.json", *send, *source]
        self.events = f"{there}/send.json"
        self.send = None

    def sent(self):
        os.kill(self.send.process.pid, signal.SIGUSR1)
        found = re.findall(rb"([\d.]+) ([kMG]B)(?: of|  )", bytes(self.send.err))
        return float(found[-1][0]) * UNITS[found[-1][1].decode()] if found else 0

    def run(self):
        try:
            self.finding = self.measure()
        finally:
            self.status = [one.end() for one in (self.send, self.recv) if one]

    def measure(self):
        if not wait_until(self.recv.port, 20):
            return "zrecv does not listen"
        self.send = Program([*self.command, f"zs://127.0.0.1:{self.recv.port()}"], KEY, self.events)
        if not wait_until(self.send.connected, 20) or not wait_until(lambda: self.sent() >= ENOUGH, 20):
            return f"nothing was sent: {self.send.err.decode()}"
        victim, other = (self.recv, self.send) if self.victim == "recv" else (self.send, self.recv)
        os.kill(victim.process.pid, signal.SIGSTOP)
        begin = time.monotonic()
        lost = re.compile(rb"(?:is lost|connection lost)")
        if wait_until(lambda: lost.search(bytes(other.err)), 6 * TIMEOUT):
            self.noticed = time.monotonic() - begin
        if not wait_until(lambda: not other.running(), 6 * TIMEOUT):
            return "it did not end"
        self.ended = time.monotonic() - begin
        if other.process.returncode not in (5, 10):
            return f"ended with {other.process.returncode}: {other.err.decode()}"
        if self.noticed is None or self.noticed > SILENCE + LATE:
            return "it was noticed late"
        if self.ended > SILENCE + TIMEOUT + 2 * LATE:
            return "it ended late"
        return None


def seconds(value):
    return f"{value:9.2f}" if value is not None else "        -"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("word", nargs="?", default="")
    options = parser.parse_args()
    top = tempfile.mkdtemp(prefix="zx-timeouts.")
    left = [one for one in cases() if options.word in one[0]]
    done = []
    try:
        with open(f"{top}/f", "wb") as f:
            os.posix_fallocate(f.fileno(), 0, BYTES)
            for _ in range(BYTES // 1_000_000):
                f.write(bytes(1_000_000))
        print(f"{'':44}  noticed    ended, s", flush=True)
        while left:
            group = [Case(top, len(done) + i, *one) for i, one in enumerate(left[:options.at_once])]
            del left[:options.at_once]
            for case in group:
                case.start()
            for case in group:
                case.join()
                print(f"{case.name:44}{seconds(case.noticed)}{seconds(case.ended)}"
                      f"{'   ' + case.finding if case.finding else ''}", flush=True)
            done += group
    finally:
        shutil.rmtree(top)
    sys.exit(1 if any(case.finding for case in done) else 0)


if __name__ == "__main__":
    main()
