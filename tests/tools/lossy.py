"""A session of both programs with tcp_proxy.py between them, which cuts its connections, and the judge of how that
ends: for reconnects.py and reconnect_times.py.

The oracle: the content is equal and nothing else is left, both programs end with 0, both have reported a reconnect
where both had agreed on a session, none has waited until a connection was silent, and what was sent again is
bounded. The bound: of each connection that was lost, no more than it had carried, and no more than can wait for an
ACK that the sender has read: what the sockets on the way hold, to the proxy and from there (tcp_rmem, tcp_wmem), and
the blocks that are begun or verified at either end. Counted are the bytes at the proxy, less the content and what
connections themselves need. Where sockets may be large, as they are by default, only the first half says much.
"""
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from programs import Program, Proxy, text_of, wait_until
from tcp_proxy import PREFACE, SIDES, Rule

MIB = 1 << 20
SILENCE = 15           # seconds, with the --timeout that is the default
HANDSHAKE = 6000       # bytes from one side of a connection that are not content: TLS, terms, heartbeats
WINDOW_BLOCKS = 2
SPARSE_STEP, SPARSE_PIECE = 68 << 10, 4 << 10
COUNT = "cut=1000000000000"  # a rule that does nothing
PLAIN = ["--plain"]
SOON = ["--durability=none"]  # no HEARTBEAT for want of a sync moves the offsets
LAST_WORD, LAST_END = 70, 30  # bytes: BYE and the end after it; the end that the receiver answers with


@dataclasses.dataclass
class Scenario:
    send: list                # options of zsend
    recv: list                # options of zrecv
    sizes: tuple              # of the files, f0, f1 and so on
    pull: bool = False        # zsend listens
    source: str = ""          # "-" or "exec" instead of files
    sink: str = ""            # the same instead of a folder
    sparse: bool = False      # 4 KiB of content and a hole of 64 KiB in turn
    certificates: bool = False  # instead of a key
    limit: float = SILENCE - 3

    def sender(self):
        return SIDES[self.pull]


LARGE = (20 * MIB,)
SCENARIOS = {
    "tls": Scenario([], [], LARGE),
    "plain": Scenario(PLAIN, PLAIN, LARGE),
    "pull": Scenario([], [], LARGE, pull=True),
    "certificates": Scenario([], [], LARGE, certificates=True),
    "certificates-pull": Scenario([], [], LARGE, pull=True, certificates=True),
    "byte": Scenario(SOON, SOON, (1,)),
    "byte-plain": Scenario(SOON + PLAIN, SOON + PLAIN, (1,)),
    "byte-certificates": Scenario(SOON, SOON, (1,), certificates=True),
    "byte-pull": Scenario(SOON, SOON, (1,), pull=True),
    "byte-pull-plain": Scenario(SOON + PLAIN, SOON + PLAIN, (1,), pull=True),
    "big": Scenario([], [], (300 * MIB,), limit=60),
    "big-pull": Scenario(PLAIN, PLAIN, (300 * MIB,), pull=True, limit=60),
    "pipe": Scenario([], [], (30 * MIB,), source="-", sink="-", limit=40),
    "pipe-plain": Scenario(PLAIN, PLAIN, (30 * MIB,), source="-", sink="-", limit=40),
    "digest": Scenario(["--digest=/dev/null"], [], LARGE),
    "sparse": Scenario(["--streams=4"], [], (600 * MIB,), sparse=True),
    "exec-streams": Scenario(["--streams=4"], [], (20 * MIB,), source="exec", sink="exec"),
    "exec": Scenario([], [], (20 * MIB,), source="exec", sink="exec"),
    "streams": Scenario(["--streams=4"], [], (9 * MIB, 1, 12 * MIB + 5, 7 * MIB, 0, 20 * MIB)),
    "streams-plain": Scenario(PLAIN + ["--streams=4"], PLAIN, (9 * MIB, 1, 12 * MIB + 5, 7 * MIB, 0, 20 * MIB)),
}


@dataclasses.dataclass
class Outcome:
    status: dict = dataclasses.field(default_factory=dict)      # of send and recv: a number, or "hung"
    stderr: dict = dataclasses.field(default_factory=dict)
    reconnects: dict = dataclasses.field(default_factory=dict)  # reported, further connections included
    equal: bool = True
    left: list = dataclasses.field(default_factory=list)        # what should not be in the folder
    seconds: float = 0
    limit: float = 0
    size: int = 0
    carried: dict = dataclasses.field(default_factory=dict)     # bytes from the sender, of each connection
    lost: list = dataclasses.field(default_factory=list)        # the connections that the proxy has cut
    window: int = 0
    early: bool = False     # the listener says that it was lost before both had agreed, or in a handshake
    last_word: bool = False  # only BYE, or what follows it, was lost

    def again(self):
        """Bytes of content that were sent more than once."""
        # Records and frames: 22 bytes in 16 KiB, and some for each block.
        own = sum(HANDSHAKE + n // 700 for n in self.carried.values())
        return max(sum(self.carried.values()) - self.size - own, 0)

    def bound(self):
        return sum(min(self.carried[number], self.window) for number in self.lost)


def judge(o):
    """What is wrong with an outcome, as a list of texts."""
    wrong = []
    for side in ("send", "recv"):
        if o.status[side] != 0:
            wrong.append(f"z{side} ends with {o.status[side]}")
        if o.lost and not (o.early or o.last_word or o.reconnects[side]):
            wrong.append(f"z{side} reports no reconnect")
        if re.search("internal error|terminate called|Sanitizer|runtime error|Assertion", o.stderr[side]):
            wrong.append(f"z{side} says internal error or worse")
    if not o.equal:
        wrong.append("the content is not equal")
    if o.left:
        wrong.append("something is left behind")
    if o.seconds > o.limit:
        wrong.append("it takes as long as a silence")
    if o.again() > o.bound():
        wrong.append("more was sent again than was on its way")
    if not o.lost:
        wrong.append("nothing was cut")
    return wrong


def window():
    sockets = 0
    for name in ("tcp_rmem", "tcp_wmem"):
        with open(f"/proc/sys/net/ipv4/{name}", encoding="ascii") as f:
            sockets += 2 * int(f.read().split()[2])
    return sockets + WINDOW_BLOCKS * MIB


class Runs:
    def __init__(self, top):
        self.top = top
        self.programs = {"send": os.environ["ZSEND"], "recv": os.environ["ZRECV"]}
        self.key = f"{top}/key"
        made = Program([self.programs["send"], "-q", "--new-key", self.key], "", "")
        wait_until(lambda: not made.running(), SILENCE)
        made.end()
        with open(self.key, encoding="ascii") as f:
            self.key = f.read().strip()
        self.window = window()
        self.certificate = [f"--tls-cert={top}/cert.pem", f"--tls-key={top}/key.pem", f"--tls-ca={top}/cert.pem"]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", f"{top}/key.pem", "-out", f"{top}/cert.pem", "-days", "2", "-subj", "/CN=test",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.lock, self.sources = threading.Lock(), {}
        self.counting, self.counted = threading.Lock(), {}

    def content(self, i, size, sparse=False):
        """The path and the content of a source, which is made once."""
        with self.lock:
            if (i, size, sparse) not in self.sources:
                path = f"{self.top}/{size}{'-sparse' * sparse}/f{i}"
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    for at in range(0, size, SPARSE_STEP if sparse else size or 1):
                        f.seek(at)
                        f.write(os.urandom(SPARSE_PIECE if sparse else size))
                    f.truncate(size)
                with open(path, "rb") as f:
                    self.sources[i, size, sparse] = path, f.read()
            return self.sources[i, size, sparse]

    def totals(self, name):
        """What a run without a fault carries, of each of the SIDES."""
        with self.counting:
            if name not in self.counted:
                outcome, said = self.run(name, COUNT)
                if judge(outcome) != ["nothing was cut"]:
                    sys.exit(f"{name} fails without a fault: {outcome}")
                self.counted[name] = [int(re.search(f"passed from the {side}: (\\d+)", said)[1]) for side in SIDES]
            return self.counted[name]

    def case(self, text):
        """Runs one case by its name."""
        name, rules = text.split("/", 1)
        outcome, _ = self.run(name, rules)
        if len(SCENARIOS[name].sizes) == 1 and SCENARIOS[name].sizes[0] == 1:
            rule = Rule(rules)
            side = SIDES.index(rule.sides[0])
            by_sender = rule.sides[0] == SCENARIOS[name].sender()
            outcome.early |= rule.offset < PREFACE  # nobody has to have noticed
            outcome.last_word = rule.offset >= self.totals(name)[side] - (LAST_WORD if by_sender else LAST_END)
        return outcome

    def run(self, name, rules, options=(), proxy_options=()):
        """One run, both programs with these options; returns its outcome and what the proxy has said."""
        scenario = SCENARIOS[name]
        folder = tempfile.mkdtemp(dir=self.top, prefix="run.")
        os.mkdir(f"{folder}/dst")
        files = [self.content(i, size, scenario.sparse) for i, size in enumerate(scenario.sizes)]
        outcome = Outcome(size=sum(scenario.sizes), limit=scenario.limit, window=self.window)
        programs = {}

        def start(who, *operands):
            words = [self.programs[who], "-v", "--block-size=1M", f"--json={folder}/{who}.json",
                     *getattr(scenario, who), *options, *(self.certificate if scenario.certificates else [])]
            stdin = files[0][1] if who == "send" and scenario.source == "-" else None
            key = "" if scenario.certificates else self.key
            programs[who] = Program([*words, *operands], key, f"{folder}/{who}.json", stdin)
            return programs[who]

        sources = {"": [path for path, _ in files], "-": ["--name=f0", "-"],
                   "exec": ["--exec", f"cat {files[0][0]}", "--name=f0"]}[scenario.source]
        sinks = {"": [f"{folder}/dst"], "-": ["-"], "exec": ["--exec", f"cat >{folder}/dst/f0"]}[scenario.sink]
        begin = time.monotonic()
        operands = {"send": sources, "recv": sinks}
        listens, connects = ("send", "recv") if scenario.pull else ("recv", "send")
        listener = start(listens, "--listen", "127.0.0.1:0", *operands[listens])
        wait_until(lambda: listener.port() or not listener.running(), SILENCE)
        proxy = Proxy(listener.port() or 1, rules.split(), f"{folder}/proxy", *proxy_options)
        peer = f"zs://127.0.0.1:{proxy.port}"
        start(connects, *([peer, *sinks] if scenario.pull else [*sources, peer]))
        ended = wait_until(lambda: not any(one.running() for one in programs.values()), 2 * scenario.limit)
        outcome.seconds = time.monotonic() - begin
        if ended and "hold" not in rules:
            wait_until(lambda: over(text_of(proxy.log)), SILENCE)
        proxy.end()
        for who, program in programs.items():
            outcome.status[who] = program.end()
            outcome.stderr[who] = program.err.decode(errors="backslashreplace")
            summary = (program.events() or [{}])[-1]
            outcome.reconnects[who] = summary.get("reconnects", 0) + summary.get("streams_lost", 0)
        said = text_of(proxy.log)
        self.look_at(outcome, scenario, files, f"{folder}/dst", programs["recv"].out, said)
        early = "lost before both sides had agreed|turned away"
        outcome.early = bool(re.search(early, outcome.stderr[listens]))
        shutil.rmtree(folder)
        return outcome, said

    @staticmethod
    def look_at(outcome, scenario, files, dst, out, said):
        found = {}
        for name in os.listdir(dst):
            with open(f"{dst}/{name}", "rb") as f:
                found[name] = f.read()
        if scenario.sink == "-":
            found["f0"] = bytes(out)
        wanted = {f"f{i}": data for i, (_, data) in enumerate(files)}
        outcome.left = sorted(set(found) - set(wanted))
        outcome.equal = all(found.get(name) == data for name, data in wanted.items())
        passed = f"passed from the {scenario.sender()}: (\\d+) on connection (\\d+)"
        outcome.carried = {int(number): int(n) for n, number in re.findall(passed, said)}
        outcome.lost = [int(number) for number in re.findall(r"cut at \d+ of connection (\d+)", said)]


def over(said):
    """Each connection that the proxy has taken is over."""
    return said.count("passed from the listener") == len(re.findall(r"^(?:[\d.]+ )?connection", said, re.M))
