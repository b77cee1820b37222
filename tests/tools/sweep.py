#!/usr/bin/env python3
"""Fails or kills either program at its n-th system call, or harms what passes between them, for every n.

  sweep.py [--full] [--mode MODE] [--scenario NAME] [--side SIDE] [--call CALL] [--seconds N] [-j N]
           [CASE...]

A case is SCENARIO/SIDE/CALL=ERRNO@N: zsend (SIDE send) or zrecv (recv) gets ERRNO from its N-th CALL (of any
thread), or is killed before it when ERRNO is KILL. SCENARIO/wire/RULE: tcp_proxy.py with that rule, or some
with spaces between them, is between the two. Without CASEs a sample of all runs, with --full everything: for
each call that a run without a fault makes, and each errno of the table below, n goes up until the n-th call
does not happen any more.

One oracle judges all of them (judge()): no status 0 unless the content is there, durable, and the other side
ended with 0 as well; no crash, no hang, a name holds the old content or the new one, nothing stays behind,
and one line says why; what harms nothing (slice) is a success. Prints how many injections there were and what
they led to, and for each finding the command that shows it again. Exits with 1 when there was one that is not
in KNOWN, with 77 where strace is missing.
The programs are $ZSEND and $ZRECV.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib

from programs import Program, Proxy, text_of, wait_until

TIMEOUT = 2            # --timeout of both programs: who is left alone tries for so long
BOUND = 16             # after which a program hangs; the handshake has 10 s, and 2 to say that they are over
GRACE = 0.4            # for a listener that is about to end by itself
COUNT = "cut=1000000000"  # a rule that does nothing
MAIN = "PR_SET_DUMPABLE"  # the first call of both mains: before it the loader runs

# Errors for each call. A call that is in neither table ends the sweep: somebody has to think about it.
ERRNOS = {
    "read": "EIO EINTR", "pread64": "EIO EINTR", "preadv2": "EIO EOPNOTSUPP", "readlink": "EACCES",
    "write": "ENOSPC EIO EINTR EPIPE", "pwrite64": "ENOSPC EIO EINTR", "pwritev2": "ENOSPC EOPNOTSUPP",
    "sendfile": "EIO EINVAL EPIPE ENOMEM EINTR", "splice": "EIO EINVAL ENOSPC ECONNRESET EINTR",
    "vmsplice": "ENOMEM EINVAL", "tee": "EINVAL", "copy_file_range": "EIO EXDEV",
    "recvfrom": "ECONNRESET ETIMEDOUT EINTR ENOMEM", "recvmsg": "ECONNRESET ENOMEM",
    "sendto": "ECONNRESET EPIPE EINTR ENOBUFS", "sendmsg": "ECONNRESET EPIPE ENOBUFS",
    "socket": "EMFILE ENOBUFS", "bind": "EADDRINUSE EACCES", "listen": "EADDRINUSE",
    "accept4": "ECONNABORTED EMFILE EINTR", "connect": "ECONNREFUSED ENETUNREACH ETIMEDOUT",
    "setsockopt": "ENOPROTOOPT ENOBUFS", "getsockopt": "ENOPROTOOPT", "getsockname": "ENOBUFS",
    "getpeername": "ENOTCONN", "shutdown": "ENOTCONN", "socketpair": "EMFILE",
    "poll": "EINTR ENOMEM", "ppoll": "EINTR ENOMEM", "pipe2": "EMFILE", "eventfd2": "EMFILE",
    "openat": "EMFILE EACCES EIO ENOSPC", "openat2": "EMFILE ENOSYS", "close": "EIO ENOSPC EINTR",
    "newfstatat": "EIO EACCES", "faccessat2": "EACCES EROFS", "capget": "EPERM", "fstat": "EIO", "statx": "EIO", "fstatfs": "EIO ENOSYS",
    "lseek": "EINVAL ENXIO",
    "fsync": "EIO ENOSPC EDQUOT EINVAL", "fdatasync": "EIO ENOSPC EDQUOT", "syncfs": "EIO ENOSPC ENOSYS",
    "sync_file_range": "EIO ENOSPC ESPIPE", "fallocate": "ENOSPC EPERM EIO", "ftruncate": "EIO EFBIG",
    "renameat": "EIO ENOSPC EACCES", "renameat2": "EIO ENOSPC EINVAL", "linkat": "EIO EPERM",
    "unlinkat": "EIO EACCES", "fchmod": "EPERM EIO", "fchown": "EPERM EDQUOT", "utimensat": "EPERM",
    "lgetxattr": "EIO EOPNOTSUPP", "fsetxattr": "EPERM ENOSPC EIO", "fremovexattr": "EPERM EIO",
    "fcntl": "EPERM", "flock": "EWOULDBLOCK", "ioctl": "EIO", "fadvise64": "EINVAL", "cachestat": "ENOSYS",
    "mincore": "EAGAIN", "memfd_create": "EMFILE ENOSYS", "getdents64": "EIO", "mremap": "ENOMEM",
    "mmap": "ENOMEM", "mprotect": "ENOMEM", "clone3": "EAGAIN", "clone": "EAGAIN",
    "io_uring_setup": "ENOSYS EPERM ENOMEM", "io_uring_enter": "EBUSY EINTR", "io_uring_register": "ENOMEM",
    "landlock_create_ruleset": "ENOSYS EOPNOTSUPP", "landlock_add_rule": "EINVAL", "landlock_restrict_self": "EPERM E2BIG",
    "getrandom": "ENOSYS EINTR", "prlimit64": "EPERM", "prctl": "EINVAL", "uname": "EFAULT",
    "sysinfo": "EFAULT",
    "sched_getaffinity": "EINVAL", "clock_nanosleep": "EINTR", "process_vm_readv": "EPERM EFAULT",
}
# Those that cannot fail, that libc ends the process for, or whose failure means nothing. (brk never returns
# an error; libc takes one for an address.)
SKIPPED = set("""brk
execve exit exit_group rt_sigprocmask rt_sigaction rt_sigtimedwait rt_sigreturn tgkill getpid gettid futex
set_robust_list set_tid_address rseq arch_prctl munmap madvise umask access restart_syscall geteuid getuid
""".split())
# Without memory, processes, descriptors or entropy there is no better status than 1, if a line says what is
# missing.
MACHINE = ("mmap", "mprotect", "mremap", "clone3", "clone", "getrandom", "eventfd2", "memfd_create", "poll",
           "ppoll")
SYNCS = ("fsync", "fdatasync", "syncfs")
RENAMES = ("renameat", "renameat2", "linkat")

# --- scenarios

PLAIN = ["--plain"]


@dataclasses.dataclass
class Scenario:
    send: list          # options of zsend
    recv: list          # options of zrecv
    files: tuple = ("f",)
    pull: bool = False  # zsend listens
    source: str = ""    # "-": what zsend sends in place of the files
    to_stdout: bool = False
    sampled: bool = True


SMALL = tuple(f"s{i:02}" for i in range(20))
SCENARIOS = {
    "push": Scenario(PLAIN, PLAIN),
    "tls": Scenario([], []),
    "readwrite": Scenario(PLAIN + ["--engine=readwrite"], PLAIN + ["--engine=readwrite"], sampled=False),
    "splice": Scenario(PLAIN + ["--engine=splice"], PLAIN + ["--engine=splice"], sampled=False),
    "many": Scenario(PLAIN, PLAIN, SMALL),
    "streams": Scenario(PLAIN + ["--streams=3"], PLAIN, sampled=False),
    "stdin": Scenario(PLAIN + ["--name=f"], PLAIN, source="-"),
    "stdout": Scenario(PLAIN, PLAIN, to_stdout=True),
    "pull": Scenario(PLAIN, PLAIN, pull=True),
    "pull-tls": Scenario([], [], pull=True, sampled=False),
}
SIZES = {"f": 3_100_000, **{name: 1000 * i for i, name in enumerate(SMALL)}}
OLD = {"f", *SMALL[::2]}  # exist before, with other content


def content(name):
    unit = bytes((i * 131 + len(name) * 7 + i // 255 + int(name[1:] or 0)) & 255 for i in range(65_536))
    return (unit * (SIZES[name] // len(unit) + 1))[:SIZES[name]]


# --- one case

@dataclasses.dataclass
class Outcome:
    """How one case ended. `side` is the one with the fault, or "wire"."""
    side: str = "send"
    call: str = ""
    error: str = ""
    status: dict = dataclasses.field(default_factory=dict)   # of send and recv: a number, or "hung"
    stopped: str = ""      # the side that was told to end, since nobody had come to it
    stderr: dict = dataclasses.field(default_factory=dict)
    state: dict = dataclasses.field(default_factory=dict)    # a name's content: old, new, part, other
    wanted: tuple = ()     # the names that are new when all is done
    synced: bool = True    # what was traced shows that data, then names, were synced
    fired: bool = True
    causes: int = 1        # n is counted in each thread, so it may happen more than once
    harmless: bool = False  # what was done must not be noticed
    moot: bool = False     # what failed was a call that cannot fail so
    carried: list = dataclasses.field(default_factory=list)  # bytes of the first connection, by the proxy's SIDES

    def killed(self, side):
        return self.error == "KILL" and side == self.side

    def only_says_less(self, side):
        """What this side has to say of a session that went well could not be written: its own affair."""
        return self.status[side] == 6 and "--json: the end is missing" in self.stderr[side]


def judge(o):
    """What is wrong with an outcome, as a list of texts; the same text for the same kind of fault."""
    if o.moot:
        return []
    wrong = []
    zeros = [side for side in ("send", "recv") if o.status[side] == 0]
    complete = all(o.state.get(name) == "new" for name in o.wanted)
    for side, other in (("send", "recv"), ("recv", "send")):
        status, text = o.status[side], o.stderr[side]
        errors = [line for line in text.splitlines() if "error: " in line]
        reasons = errors or status in (23, 24) and "warning: " in text
        if status == "hung":
            wrong.append(f"z{side} hangs")
        elif o.killed(side) and status == -signal.SIGKILL or o.stopped == side and status == -signal.SIGTERM:
            pass
        elif (status == 1 and o.call not in MACHINE) or (status == 2 and o.call != "fcntl") or \
                not 0 <= status < 126:
            wrong.append(f"z{side} ends with {status}")
        elif status and not reasons and (o.side, o.call) != (side, "write"):
            wrong.append(f"z{side} ends with {status} and does not say why")
        if len(errors) > o.causes:
            wrong.append(f"z{side} says {len(errors)} errors")
        if re.search("internal error|terminate called|Sanitizer|runtime error|Assertion", text):
            wrong.append(f"z{side} says internal error or worse")
        if status == 0 and not complete:
            wrong.append(f"z{side} ends with 0 and the content is not there")
        if status == 0 and o.status[other] != 0 and not o.killed(other) and not last_word_lost(o) and \
                not o.only_says_less(other):
            wrong.append(f"z{side} ends with 0, z{other} does not")
    if o.harmless and len(zeros) != 2:
        wrong.append("it fails, and there was nothing wrong")
    if zeros and not o.synced:
        wrong.append("status 0, and not durable")
    by_itself = not o.killed("recv") and o.status["recv"] != "hung"
    for name, state in o.state.items():
        if state == "other" or state == "part":
            wrong.append("a name holds neither the old content nor the new one")
        if state == "left" and by_itself and not o.call.startswith("unlink"):
            wrong.append("a temporary file is left behind")
    return sorted(set(wrong))


def last_word_lost(o):
    """All is committed and zsend knows; that it does, zrecv cannot know. Some message is always the last."""
    return o.status["send"] == 0 and o.status["recv"] in (4, 5, 10) and \
        all(o.state.get(name) == "new" for name in o.wanted)


class Sweep:
    def __init__(self, top):
        self.top = top
        self.programs = {"send": os.environ["ZSEND"], "recv": os.environ["ZRECV"]}
        os.mkdir(f"{top}/src")
        self.content = {name: content(name) for name in SIZES}
        for name, data in self.content.items():
            with open(f"{top}/src/{name}", "wb") as f:
                f.write(data)
        subprocess.run([self.programs["send"], "-q", "--new-key", f"{top}/key"], check=True)
        with open(f"{top}/key", encoding="ascii") as f:
            self.key = f.read().strip()

    def tracer(self, folder, side, call, error, n):
        """The words before the program that make its fault."""
        traced = sorted({call, *SYNCS, *RENAMES}) if side == "recv" else [call]
        words = ["strace", "-f", "-y", "-o", f"{folder}/trace", "-e", "trace=" + ",".join(traced)]
        if error == "KILL":  # seccomp and signals together mostly do not fire
            return [*words, "-e", f"inject={call}:signal=SIGKILL:when={n}"]
        return [*words, "--seccomp-bpf", "-e", f"inject={call}:error={error}:when={n}"]

    def run(self, name, side, before=(), rule=None, call="", error="", folder=None):
        """One run of a scenario. `before` are the words in front of the program of `side`."""
        scenario = SCENARIOS[name]
        folder = folder or tempfile.mkdtemp(dir=self.top, prefix="run.")
        dst = f"{folder}/dst"
        os.mkdir(dst)
        for file in scenario.files if not scenario.to_stdout else ():
            if file in OLD:
                with open(f"{dst}/{file}", "wb") as f:
                    f.write(b"old")
        outcome = Outcome(side, call, error, wanted=scenario.files)
        programs, proxy = {}, None

        def start(who, *operands):
            options = [f"--timeout={TIMEOUT}", "--block-size=1M", f"--json={folder}/{who}.json"]
            words = [self.programs[who], *options, *getattr(scenario, who), *operands]
            if who == side:
                words = [*before, *words]
            stdin = self.content["f"] if who == "send" and scenario.source else None
            programs[who] = Program(words, self.key, f"{folder}/{who}.json", stdin)
            return programs[who]

        sources = [f"{self.top}/src/{file}" for file in scenario.files]
        if scenario.source:
            sources = [scenario.source]
        listens, connects = ("send", "recv") if scenario.pull else ("recv", "send")
        target = "-" if scenario.to_stdout else dst
        listener = start(listens, "--listen", "127.0.0.1:0", *(sources if scenario.pull else [target]))
        wait_until(lambda: listener.port() or not listener.running(), BOUND)
        # A listener that has ended leaves a port at which nobody is.
        port = listener.port() or 1
        if rule:
            proxy = Proxy(port, rule.split(), f"{folder}/proxy")
            port = proxy.port
        peer = f"zs://127.0.0.1:{port}"
        connector = start(connects, *([peer, target] if scenario.pull else [*sources, peer]))

        deadline = time.monotonic() + BOUND
        ended = wait_until(lambda: not connector.running() or not listener.running(), BOUND)
        if ended and listener.running() and not listener.connected():
            wait_until(lambda: not listener.running() or listener.connected(), GRACE)
            if listener.running() and not listener.connected():
                outcome.stopped = listens  # it would wait for ever, rightly
                listener.terminate(traced=listens == side)
        left = max(deadline - time.monotonic(), 0)
        wait_until(lambda: not any(p.running() for p in programs.values()), left)
        for who, program in programs.items():
            outcome.status[who] = program.end()
            outcome.stderr[who] = program.err.decode(errors="backslashreplace")
        if proxy:
            if rule == COUNT:
                over = re.compile("from the listener: .* connection 0$", re.M)
                wait_until(lambda: over.search(text_of(f"{folder}/proxy")), BOUND)
            proxy.end()
        self.look_at(outcome, scenario, folder, dst, programs["recv"].out)
        return outcome, folder

    def look_at(self, outcome, scenario, folder, dst, out):
        """What the destination holds, and what the trace shows."""
        if scenario.to_stdout:
            whole = self.content["f"]
            state = "new" if out == whole else "beginning" if whole.startswith(bytes(out)) else "other"
            outcome.state["f"] = state
        for name in os.listdir(dst):
            with open(f"{dst}/{name}", "rb") as f:
                data = f.read()
            if name.startswith(".zrecv-"):
                outcome.state[name] = "left"
            elif data == self.content.get(name):
                outcome.state[name] = "new"
            else:
                outcome.state[name] = "old" if data == b"old" and name in OLD else "other"
        if outcome.side == "wire":
            said = text_of(f"{folder}/proxy")
            # A connection that is lost is made again.
            outcome.harmless = "slice at" in said or re.search(r"^cut at \d+ of connection 0$", said, re.M) and \
                not re.search(r"^cut at \d+ of connection [1-9]", said, re.M)
            outcome.fired = " at " in said
            outcome.carried = [int(n) for n in re.findall(r"from the \w+: (\d+) on connection 0$", said, re.M)]
            return
        trace = text_of(f"{folder}/trace")
        if outcome.error == "KILL":
            outcome.fired = "killed by SIGKILL" in trace
        else:
            outcome.fired = "(INJECTED)" in trace
            outcome.causes = max(trace.count("(INJECTED)"), 1)
            moot = r" (read|write)\(\d+<anon_inode:\[eventfd\]>.*\(INJECTED\)"
            outcome.moot = bool(re.search(moot, trace))
        if outcome.side == "recv" and not scenario.to_stdout and 0 in outcome.status.values():
            failed = outcome.fired and outcome.error != "KILL" and outcome.call in SYNCS
            outcome.synced = durable(trace) and not failed or "not durable here" in outcome.stderr["recv"]

    # --- which cases

    def baseline(self, name, side):
        """call -> (the first n that is main's own, the last n), of a run without a fault."""
        folder = tempfile.mkdtemp(dir=self.top, prefix="run.")
        outcome, _ = self.run(name, side, ["strace", "-f", "-o", f"{folder}/trace"], folder=folder)
        wrong = judge(outcome)
        if wrong or outcome.status != {"send": 0, "recv": 0}:
            sys.exit(f"{name} fails without a fault: {wrong} {outcome}")
        first, counts, in_main = collections.Counter(), collections.Counter(), False
        for line in text_of(f"{folder}/trace").splitlines():
            found = re.match(r"(\d+) +(\w+)\(", line)
            if not found:
                continue
            in_main = in_main or MAIN in line
            counts[found[1], found[2]] += 1
            if not in_main:
                first[found[2]] += 1
        calls = {}
        for (_, call), count in counts.items():
            before, most = calls.get(call, (0, 0))
            calls[call] = (first[call] + 1, max(most, count))
        unknown = [call for call in calls if call not in ERRNOS and call not in SKIPPED]
        if unknown and not SANITIZED:
            sys.exit(f"no errors are listed for: {' '.join(unknown)}")
        skipped = (*MACHINE, "pipe2", "write") if SANITIZED else ()  # its runtime calls them
        return {call: (begin, end) for call, (begin, end) in calls.items()
                if call in ERRNOS and call not in skipped and begin <= end}

    def case(self, text):
        """Runs one case by its name."""
        name, side, fault = text.split("/", 2)
        if side == "wire":
            return self.run(name, side, rule=fault)
        call, error, n = re.fullmatch(r"(\w+)=(\w+)@(\d+)", fault).groups()
        folder = tempfile.mkdtemp(dir=self.top, prefix="run.")
        before = self.tracer(folder, side, call, error, n)
        return self.run(name, side, before, call=call, error=error, folder=folder)


def durable(trace):
    """Data was synced before the first name appeared, and the folder after the last one."""
    done = []
    for line in trace.splitlines():
        # A call of one thread may be written in two halves; the second one has the result.
        found = re.match(r"\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed>).*= 0$", line)
        if found:
            done.append("name" if found[1] in RENAMES else "sync" if found[1] in SYNCS else "")
    done = [one for one in done if one]
    return "name" in done and done[0] == "sync" and done[-1] == "sync"


# What main has today and waits for a mend: (kind of finding, cases). Delete a line when it is mended.
KNOWN = [
    # A thread that cannot be made, when files are committed or streams begin: status 1 and "internal error".
    (r"internal error", r"[^/]*/(send|recv)/(mmap|mprotect|clone3)="),
    # Bytes of a pipe that cannot be read again from the window in memory: a protocol error (4), not 6.
    (r"says 2 errors", r"stdin/send/(pread64|sendfile)="),
]


class Report:
    def __init__(self):
        self.lock = threading.Lock()
        self.injections, self.ends = collections.Counter(), collections.Counter()
        self.idle = self.moot = self.lost_words = self.left = 0
        self.findings, self.known = collections.defaultdict(list), collections.Counter()

    def add(self, text, outcome, wrong):
        kind = {"KILL": "kill", "": "wire"}.get(outcome.error, "error")
        with self.lock:
            self.lost_words += last_word_lost(outcome)
            if outcome.moot:
                self.moot += 1
            elif not outcome.fired:
                self.idle += 1
            else:
                self.injections[kind] += 1
                self.ends[outcome.status["send"], outcome.status["recv"]] += 1
            for one in wrong:
                known = [i for i, (what, cases) in enumerate(KNOWN)
                         if re.search(what, one) and re.match(cases, text)]
                if known:
                    self.known[known[0]] += 1
                else:
                    self.findings[one, re.sub(r"@\d+$", "", text)].append((text, outcome))

    def print(self):
        total = ", ".join(f"{count} {kind}" for kind, count in sorted(self.injections.items()))
        print(f"injections: {total or 'none'}; {self.moot} where nothing fails so, {self.idle} too late")
        if self.left:
            print(f"for want of time {self.left} chains of cases were not begun or not ended")
        print("ended with (zsend, zrecv): " +
              ", ".join(f"{send},{recv}: {count}" for (send, recv), count in
                        sorted(self.ends.items(), key=lambda item: -item[1])))
        print(f"all is committed, and zrecv does not know that zsend knows: {self.lost_words}")
        for i, count in sorted(self.known.items()):
            print(f"known: {' in '.join(KNOWN[i])}: {count} times")
        for (what, _), cases in sorted(self.findings.items()):
            text, outcome = cases[0]
            print(f"FINDING {what}: {len(cases)} times\n  tests/tools/sweep.py {text}")
            states = collections.Counter(outcome.state.values())
            print(f"  zsend {outcome.status['send']}, zrecv {outcome.status['recv']}, {dict(states)}")
            for side in ("send", "recv"):
                lines = collections.Counter(outcome.stderr[side].splitlines())
                for line, count in lines.items():
                    if "listening" not in line:
                        print(f"  {line[:200]}" + (f" ({count} times)" if count > 1 else ""))
        sys.stdout.flush()


# A run takes a tenth of a second, and with sanitizers half of one.
SANITIZED = bool(os.environ.get("ZX_SANITIZE"))
SHARE = 18 if SANITIZED else 6  # one of so many is in the sample
ALWAYS = (*SYNCS, *RENAMES, "unlinkat", "fallocate", "fchmod")


def sampled(text, call):
    """The same cases every time."""
    return call in ALWAYS or zlib.crc32(text.encode()) % SHARE == 0


def thinned(first, last, whole):
    """The numbers to try of first..last."""
    return range(first, last + 1) if whole else sorted({first, (first + last) // 2, last})


def plan(sweep, options):
    """Chains: lists of cases, each of which ends when a case does not fire."""
    chains = []
    for name, scenario in SCENARIOS.items():
        if options.scenario not in (None, name) or not (options.full or options.scenario or scenario.sampled):
            continue
        for side in ("send", "recv"):
            if options.side not in (None, side) or options.mode == "wire":
                continue
            for call, (first, last) in sorted(sweep.baseline(name, side).items()):
                if options.call not in (None, call):
                    continue
                errors = ERRNOS[call].split()
                errors = errors if options.full else errors[:1]
                for error in (errors if options.mode != "kill" else []) + \
                        (["KILL"] if options.mode != "error" else []):
                    # Up to the end and on: how often a call happens may change with the fault.
                    numbers = range(first, last + 200) if options.full else thinned(first, last, False)
                    chain = [f"{name}/{side}/{call}={error}@{n}" for n in numbers]
                    if options.full:
                        chains.append(chain)
                    else:
                        chains += [[text] for text in chain if options.call or sampled(text, call)]
        if options.mode in (None, "wire") and options.side is None and options.call is None:
            chains += [[f"{name}/wire/{rule}"] for rule in wire_rules(sweep, name, options.full)]
    return chains


def wire_rules(sweep, name, full):
    outcome, _ = sweep.run(name, "wire", rule=COUNT)
    for side, carried in zip(("connector", "listener"), outcome.carried):
        # Of several connections the others carry as much.
        yield f"slice={max(carried, 1_000_000 if name == 'streams' else 0) // 50_000 + 1},from={side}"
        # Where messages are: at the beginning and the end.
        edges = sorted({*range(min(700, carried)), *range(700, carried, 9973),
                        *range(max(carried - 500, 0), carried)})
        if not full:
            edges = edges[3::len(edges) // 4]
        for n in edges:
            yield f"cut={n},on=0,from={side}"
            yield f"cut={n},fin,on=0,from={side}"
            yield f"flip={n}.{n % 8},on=0,from={side}"
            yield f"duplicate={n}+{n % 50 + 1},on=0,from={side}"
        for n in edges[::20] if full else edges[2:3]:
            yield f"hold={n},on=0,from={side}"
            yield f"stale={n}+1,until=300,on=0,from={side}"
        if carried > 100_000:  # every connection, so that it takes some; a block at least goes over each
            yield f"cut={carried * 2 // 3},from={side}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--mode", choices=("error", "kill", "wire"))
    parser.add_argument("--scenario", choices=SCENARIOS)
    parser.add_argument("--side", choices=("send", "recv"))
    parser.add_argument("--call", choices=ERRNOS)
    parser.add_argument("--seconds", type=int, default=1 << 30, help="begin nothing after so long")
    parser.add_argument("-j", type=int, default=os.cpu_count() + 2)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    if not shutil.which("strace"):
        print("skip: no strace")
        sys.exit(77)
    report, end = Report(), time.monotonic() + options.seconds
    top = tempfile.mkdtemp(prefix="zx-sweep.")
    try:
        sweep = Sweep(top)

        def run_chain(chain):
            for text in chain:
                if time.monotonic() > end:
                    with report.lock:
                        report.left += 1
                    break
                outcome, folder = sweep.case(text)
                report.add(text, outcome, judge(outcome))
                shutil.rmtree(folder)
                if not outcome.fired:
                    break

        chains = [[text] for text in options.cases] or plan(sweep, options)
        # Those in which the programs wait for their time-outs need no processor.
        with concurrent.futures.ThreadPoolExecutor(options.j) as pool, \
                concurrent.futures.ThreadPoolExecutor(8) as waiting:
            pools = [waiting if re.search("hold|stale", chain[0]) else pool for chain in chains]
            for done in [where.submit(run_chain, chain) for where, chain in zip(pools, chains)]:
                done.result()
    finally:
        shutil.rmtree(top)
    report.print()
    if report.findings or not report.injections:
        sys.exit(1)


if __name__ == "__main__":
    main()
