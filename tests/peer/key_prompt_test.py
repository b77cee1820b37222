#!/usr/bin/env python3
"""The prompt for the key, at a terminal of its own: what is typed is not shown, the echo is back whenever
the shell has the terminal (stopped, ended, ended at once by a second signal), and off again after `fg`."""
import fcntl
import os
import select
import signal
import sys
import termios
import time

ZSEND = os.environ["ZSEND"]
LIMIT = 30


class Terminal:
    """A shell, or one program, at a pseudo-terminal."""

    def __init__(self, *command):
        self.fd, self.kept = os.openpty()  # the other end stays open: the terminal outlives the program
        self.pid = os.fork()
        if self.pid == 0:
            os.environ.pop("ZXFER_KEY", None)
            os.environ["PS1"] = "READY$ "
            os.setsid()
            fcntl.ioctl(self.kept, termios.TIOCSCTTY, 0)
            for number in range(3):
                os.dup2(self.kept, number)
            os.execvp(command[0], command)
        self.seen = b""

    def type(self, text):
        self.seen = b""
        os.write(self.fd, text)

    def until(self, what, done):
        end = time.monotonic() + LIMIT
        while not done():
            assert time.monotonic() < end, f"never: {what}; seen {self.seen!r}"
            if select.select([self.fd], [], [], 0.02)[0]:
                self.seen += os.read(self.fd, 4096)

    def shows(self, text):
        self.until(f"{text!r} is shown", lambda: text in self.seen)

    def echo(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def close(self):
        os.close(self.fd)
        os.close(self.kept)


def stop_and_continue(shell):
    terminal = Terminal(*shell)
    terminal.shows(b"READY$ ")
    # By hand: bash has its own line editor, which switches the echo off while it reads a line.
    terminal.type(f"{ZSEND} /etc/passwd zs://127.0.0.1:9\n".encode())
    terminal.shows(b"key: ")
    terminal.until("no echo", lambda: not terminal.echo())
    for _ in range(2):
        terminal.type(b"\x1a")
        terminal.shows(b"READY$ ")
        if "bash" not in shell[0]:
            assert terminal.echo(), f"{shell[0]}: stopped, and the echo is off"
        terminal.type(b"fg\n")
        terminal.shows(b"key: ")
        terminal.until("no echo after fg", lambda: not terminal.echo())
    terminal.type(b"zk1_SECRET\n")
    terminal.shows(b"READY$ ")
    assert b"SECRET" not in terminal.seen, f"{shell[0]}: the key was shown: {terminal.seen!r}"
    assert b"not a key" in terminal.seen, terminal.seen
    os.kill(terminal.pid, signal.SIGKILL)
    os.waitpid(terminal.pid, 0)
    terminal.close()


def ended(signals):
    terminal = Terminal(ZSEND, "/etc/passwd", "zs://127.0.0.1:9")
    terminal.shows(b"key: ")
    terminal.until("no echo", lambda: not terminal.echo())
    for number in signals:
        os.kill(terminal.pid, number)
    _, status = os.waitpid(terminal.pid, 0)
    assert os.WIFSIGNALED(status), status
    assert terminal.echo(), f"after {signals} the echo is off"
    terminal.close()


def main():
    for shell in (["dash", "-i"], ["bash", "--norc", "--noediting", "-i"]):
        stop_and_continue(shell)
    for signals in ([signal.SIGINT], [signal.SIGTERM], [signal.SIGHUP], [signal.SIGQUIT]):
        ended(signals)
    for _ in range(20):  # the second one comes before the first has been looked at, in some
        ended([signal.SIGTERM, signal.SIGINT])
    print("the echo is as it should be")


if __name__ == "__main__":
    sys.exit(main())
