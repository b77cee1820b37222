"""zsend or zrecv as a process of its own, and tcp_proxy.py before one: what sweep.py and reconnects.py start."""
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LIBC = ctypes.CDLL(None)
PATIENCE = 16  # for a program to begin


def end_with_parent():
    LIBC.prctl(1, signal.SIGKILL)


class Program:
    """zsend or zrecv, or strace with it, in a process group of its own."""

    def __init__(self, command, key, events, stdin=None):
        self.json = events  # where --json goes
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **({"ZXFER_KEY": key} if key else {})}
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=end_with_parent)
        self.out, self.err = bytearray(), bytearray()
        self.threads = [threading.Thread(target=self.collect, args=(self.process.stdout, self.out)),
                        threading.Thread(target=self.collect, args=(self.process.stderr, self.err))]
        if stdin is not None:
            self.threads.append(threading.Thread(target=self.feed, args=(stdin,)))
        for thread in self.threads:
            thread.start()

    @staticmethod
    def collect(pipe, into):
        while piece := pipe.read1(1 << 16):
            into += piece
        pipe.close()

    def feed(self, data):
        try:
            self.process.stdin.write(data)
        except OSError:
            pass
        try:
            self.process.stdin.close()
        except OSError:
            pass

    def running(self):
        return self.process.poll() is None

    def events(self):
        try:
            with open(self.json, encoding="utf-8") as f:
                return [json.loads(line) for line in f if line.endswith("\n")]
        except (OSError, ValueError):
            return []

    def port(self):
        for event in self.events():
            if event["event"] == "listening":
                return event["port"]
        found = re.search(rb"listening on port (\d+)", bytes(self.err))  # when the JSON was what failed
        return int(found[1]) if found else None

    def connected(self):
        return any(event["event"] == "connected" for event in self.events())

    def terminate(self, traced):
        pid = self.process.pid
        try:
            if not traced:
                return os.kill(pid, signal.SIGTERM)
            # strace does not pass it on.
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                for child in f.read().split():
                    os.kill(int(child), signal.SIGTERM)
        except OSError:
            pass

    def end(self):
        """The status; kills what is still there."""
        hung = self.running()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # strace killed alone would leave the program
        except ProcessLookupError:
            pass
        status = self.process.wait()
        for thread in self.threads:
            thread.join()
        return "hung" if hung else status


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.003)
    return True


class Proxy:
    """tcp_proxy.py before this port; what it says is in the file `log`."""

    def __init__(self, port, rules, log, *options):
        self.log = log
        with open(log, "w", encoding="ascii") as out:
            self.process = subprocess.Popen([sys.executable, f"{HERE}/tcp_proxy.py", *options, str(port), *rules],
                                            stdout=out, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent)
        wait_until(lambda: self.process.poll() or "\n" in text_of(log), PATIENCE)
        if self.process.poll():
            sys.exit(f"the proxy does not take this: {' '.join(rules)}")
        self.port = int(text_of(log).split()[0])

    def end(self):
        self.process.kill()
        self.process.wait()
