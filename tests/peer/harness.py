"""Runs the programs against a peer made of speaker.py, and judges how they end.

A test asserts four things at once (Run.expect): exit status, words on stderr, what exists in the
destination and its parent, and that no byte on stderr reaches a terminal as a control.
"""
import concurrent.futures
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import speaker as s

ZSEND, ZRECV = os.environ["ZSEND"], os.environ["ZRECV"]
# For a run that should end by itself; a sanitizer on a loaded machine is slow.
PATIENCE = 40
# What a terminal acts on: C0 without newline and tab, DEL, and C1 both raw and as UTF-8.
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|(?<![\xc2-\xf4\x80-\xbf])[\x80-\x9f]")

_tests = []


def test(function):
    _tests.append((function.__name__, function))
    return function


def cases(table):
    """One test for each (name, argument, ...) of the table."""
    def add(function):
        for name, *arguments in table:
            _tests.append((f"{function.__name__}: {name}", lambda a=arguments: function(*a)))
        return function
    return add


def own_network():
    """Gives the calling thread, and what it starts, a loopback for itself, where that is allowed (unshare(2)).

    A port whose listener has died is free, and a test beside this one may be given it, while a program
    still tries to reach its peer there."""
    clone_newnet = 0x40000000
    if ctypes.CDLL(None).unshare(clone_newnet) == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True,
                       env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})


def main(workers=6):
    """Tests share nothing and mostly wait, so they run side by side."""
    failed = 0
    only = sys.argv[1:]
    chosen = [t for t in _tests if not only or any(word in t[0] for word in only)]

    def one(item):
        try:
            item[1]()
            return None
        except BaseException:
            return traceback.format_exc()

    with concurrent.futures.ThreadPoolExecutor(workers, initializer=own_network) as pool:
        for (name, _), problem in zip(chosen, pool.map(one, chosen)):
            if problem:
                failed += 1
                print(f"FAIL {name}\n{problem}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not chosen else 0)


class Run:
    """One run of a program in a scratch folder: top/parent/dst receives, top/files sends."""

    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="zx-peer.")
        self.parent = os.path.join(self.top, "parent")
        self.dst = os.path.join(self.parent, "dst")
        os.makedirs(self.dst)
        self.process = self.status = None
        self.lines, self.listening = [], threading.Event()
        self.port = None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process and self.status is None:
            self.process.kill()
            self.process.wait()
        if self.process:
            self.reader.join()
            self.process.stderr.close()
        shutil.rmtree(self.top)

    def start(self, program, *arguments, key=None, stdin=subprocess.DEVNULL):
        environment = {k: v for k, v in os.environ.items() if k != "ZXFER_KEY"}
        if key is not None:
            environment["ZXFER_KEY"] = key.text()
        self.process = subprocess.Popen(
            [program, f"--json={self.top}/json", *arguments], cwd=self.top, env=environment,
            stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self._read_stderr, daemon=True)
        self.reader.start()
        return self

    def _read_stderr(self):
        for line in self.process.stderr:
            self.lines.append(line)
            found = re.search(rb"listening on port (\d+)", line)
            if found:
                self.port = int(found[1])
                self.listening.set()
        self.listening.set()

    def wait_listening(self):
        assert self.listening.wait(PATIENCE) and self.port, b"".join(self.lines)
        return self

    def says(self, *words):
        """Waits for a line on stderr that has all of these words."""
        give_up = time.monotonic() + PATIENCE
        while not any(all(word.encode() in line for word in words) for line in list(self.lines)):
            assert time.monotonic() < give_up and self.process.poll() is None, \
                f"does not say {words}: {self.describe()}"
            time.sleep(0.01)
        return self

    def finish(self):
        if self.status is None:
            try:
                self.status = self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                self.status = "hung"
            self.reader.join()
        return self.status

    @property
    def stderr(self):
        return b"".join(self.lines)

    def tree(self):
        """All below parent: path -> content, None for a folder."""
        out = {}
        for folder, folders, files in os.walk(self.parent):
            for name in folders:
                out[os.path.relpath(os.path.join(folder, name), self.parent)] = None
            for name in files:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    out[os.path.relpath(path, self.parent)] = f.read()
        return out

    def events(self):
        with open(os.path.join(self.top, "json"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def summary(self):
        last = self.events()[-1]
        assert last["event"] == "summary", last
        return last

    def describe(self):
        return f"exit {self.status}, stderr: {self.stderr.decode(errors='backslashreplace')}"

    def check_stderr(self):
        assert not CONTROL.search(self.stderr), f"a control byte on stderr: {self.stderr!r}"
        for sign in (b"Sanitizer", b"runtime error", b"terminate called", b"internal error"):
            assert sign not in self.stderr, self.describe()

    def expect(self, status, *words, files=None):
        """Ends with (one of) status, says all words, and leaves exactly these files in dst."""
        self.finish()
        allowed = status if isinstance(status, (tuple, list, set)) else (status,)
        assert self.status in allowed, f"expected {status}: {self.describe()}"
        self.check_stderr()
        for word in words:
            assert word.encode() in self.stderr, f"does not say '{word}': {self.describe()}"
        assert self.summary()["exit"] == self.status, self.summary()
        if files is not None:
            wanted = {"dst": None, **{f"dst/{name}": content for name, content in files.items()}}
            found = self.tree()
            assert found == wanted, f"left behind: {sorted(found)}; {self.describe()}"
        return self

    def write(self, name, content):
        path = os.path.join(self.top, name)
        with open(path, "wb") as f:
            f.write(content)
        return path


def zrecv(*options, key=None, existing=None, plain=True, dst=None):
    """A listening zrecv, ready."""
    run = Run()
    run.plain, run.existing = plain, existing or {}
    for name, content in (existing or {}).items():
        run.write(f"parent/dst/{name}", content)
    security = (["--plain"] if plain else []) + (["--no-auth"] if plain and key is None else [])
    run.start(ZRECV, "--listen", "127.0.0.1:0", *security, *options, dst or run.dst, key=key)
    try:
        return run.wait_listening()
    except BaseException:
        run.__exit__()
        raise


def hostile_sender(script, status, *words, files=None, options=(), existing=None, terms=None,
                   told=True, more=None):
    """A zrecv, a good handshake, then whatever script(peer) sends. `told`: the program must say its
    status to the peer, in an ERROR or a VERDICT. more(run, frames) judges further. After the script the
    connection is ended: a program that has not ended by then waits for another one, for --timeout."""
    with zrecv(*options, existing=existing) as run:
        peer = s.connect(run.port, s.SENDER)
        frames = []
        try:
            peer.meet(**(terms or {}))
            script(peer)
        except s.Closed:
            pass
        except s.Told as told_early:
            frames.append(told_early.args[0])
        peer.end_sending()
        frames += peer.hear()
        peer.close()
        run.expect(status, *words, files={**(existing or {}), **(files or {})})
        if told and run.status != 0:
            assert said(frames) == run.status, f"the peer was told {said(frames)}: {run.describe()}"
        if more:
            more(run, frames)


def said(frames):
    """The status in the last ERROR or VERDICT."""
    for frame in reversed(frames):
        if frame.kind == s.ERROR:
            return s.read_error(frame.body)["status"]
        if frame.kind == s.VERDICT:
            return s.read_verdict(frame.body)["status"]
    return None


def zsend_to(listener, contents, *options, key=None, path=""):
    """A zsend that connects to the listener with these files [(name, content)]."""
    run = Run()
    os.mkdir(os.path.join(run.top, "files"))
    sources = [run.write(f"files/{name}", content) for name, content in contents]
    security = ["--plain"] + (["--no-auth"] if key is None else [])
    run.start(ZSEND, *security, *options, *sources, f"zs://127.0.0.1:{listener.port}/{path}", key=key)
    return run


def hostile_receiver(script, status, *words, content=b"x" * 1000, options=(), terms=None, meet=True,
                     more=None):
    """A zsend with one file, and a listener that does what script(peer) does."""
    listener = s.Listener()
    with zsend_to(listener, [("f", content)], *options) as run:
        peer = listener.accept(s.RECEIVER)
        try:
            if meet:
                peer.meet(**(terms or {}))
            script(peer)
        except (s.Closed, s.Told):
            pass
        # A program that has said why it ends waits a moment for the peer to have read it.
        if peer.socket.fileno() >= 0:
            listener.close()  # it may try to connect again: to nobody
            peer.end_sending()
            peer.drain()
            peer.close()
        listener.close()
        run.expect(status, *words, files={})
        if more:
            more(run)


def turned_away(run, *words, key=None):
    """The listening zrecv has said that it turned somebody away, and takes a good transfer all the same."""
    run.says("turned away", *words)
    assert run.process.poll() is None, run.describe()
    if run.plain:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(key)
        s.send_files(peer, [("good", b"content")])
        run.expect(0, files={**run.existing, "good": b"content"})
        peer.close()
        return
    with Run() as send:
        send.start(ZSEND, send.write("good", b"content"), f"zs://127.0.0.1:{run.port}", key=key)
        send.expect(0)
    run.expect(0, files={**run.existing, "good": b"content"})


def within(seconds):
    """A moment; call it to assert that no more time has passed."""
    start = time.monotonic()

    def check():
        assert time.monotonic() - start < seconds, f"took {time.monotonic() - start:.1f} s"
    return check
