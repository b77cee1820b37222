#!/usr/bin/env python3
"""Trees of many small files over loopback: zsend and zrecv beside tar | nc | tar, rsync, and what ssh has.

  trees.py [--workload NAME] [--files N] [--rounds N] [--ssh] [--delay MS] [--only WORD,...] [--work DIR]
           [--zsend FILE] [--zrecv FILE]

In each round every contestant moves the same tree once, after a sync. Wall time runs from the start of the
sender until all processes have ended; CPU time is that of all processes of both ends. Prints medians with the
smallest and largest, and ratios within a round to tar | nc | tar. Content is compared after every run. Run it on
a quiet machine. With --delay what zsend and zrecv say to each other takes a round trip of so many milliseconds
(tests/tools/delay.py), and only they take part.
"""
import argparse
import filecmp
import os
import pwd
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DELAY = os.path.join(HERE, "..", "tools", "delay.py")
BUILD = os.path.join(HERE, "..", "..", "build", "release")
PER_FOLDER, FOLDERS = 100, 20


def sizes_of(workload, files):
    """Always the same ones."""
    if workload != "mix":
        return [{"nested": 4096, "small": 1024}[workload]] * files
    # As of the sources of programs: half below 4 KiB, a few of some hundred.
    chance = random.Random(1)
    return [min(int(chance.lognormvariate(8.3, 1.4)), 4 << 20) for _ in range(files)]


def make_tree(top, sizes):
    for i, size in enumerate(sizes):
        folder = f"{top}/{i // (PER_FOLDER * FOLDERS)}/{i // PER_FOLDER}"
        if i % PER_FOLDER == 0:
            os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/f{i}", "wb") as f:
            f.write(os.urandom(size))


def same_trees(a, b):
    compared = filecmp.dircmp(a, b, ignore=[], hide=[os.curdir, os.pardir])
    left = [compared]
    while left:
        one = left.pop()
        different = filecmp.cmpfiles(one.left, one.right, one.common_files, shallow=False)
        if one.left_only or one.right_only or one.funny_files or different[1] or different[2]:
            return False
        left += one.subdirs.values()
    return True


def free_port():
    """For peers that cannot say which one they have taken."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until_listening(port):
    """/proc/net/tcp tells without a connection, which nc would take for its peer."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    while True:
        with open("/proc/net/tcp", encoding="ascii") as f:
            if wanted in f.read():
                return
        time.sleep(0.01)


class Ssh:
    """An sshd with throw-away keys."""

    def __init__(self, work):
        self.port, self.user = free_port(), pwd.getpwuid(os.getuid()).pw_name
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{work}/{name}"], check=True)
        with open(f"{work}/known", "w", encoding="ascii") as known, open(f"{work}/host.pub", encoding="ascii") as key:
            known.write("bench " + key.read())
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
        self.command = [sshd, "-D", "-f", "/dev/null", "-p", str(self.port)] + [
            word for o in ("ListenAddress=127.0.0.1", f"HostKey={work}/host", "PidFile=none", f"AuthorizedKeysFile={work}/user.pub",
                           "StrictModes=no", "LogLevel=ERROR", "Subsystem=sftp internal-sftp") for word in ("-o", o)]
        self.options = [word for o in ("IdentitiesOnly=yes", "BatchMode=yes", f"UserKnownHostsFile={work}/known",
                                       "HostKeyAlias=bench") for word in ("-o", o)] + ["-F", "/dev/null", "-i", f"{work}/user"]

    def run(self, words):
        """A fresh server: its sessions are counted when it has ended."""
        server = subprocess.Popen(self.command)
        try:
            until_listening(self.port)
            begin = time.monotonic()
            subprocess.run(words, check=True)
            wall = time.monotonic() - begin
            sessions = f"/proc/{server.pid}/task/{server.pid}/children"
            while open(sessions, encoding="ascii").read():
                time.sleep(0.01)
            return wall
        finally:
            server.terminate()
            server.wait()


class Bench:
    def __init__(self, options, work):
        self.programs, self.work, self.delay = (options.zsend, options.zrecv), work, options.delay
        self.source, self.target, self.runs, self.ssh = f"{work}/tree", "", 0, None
        kind = subprocess.run(["stat", "-f", "-c", "%T", work], check=True, capture_output=True, text=True)
        self.in_memory = kind.stdout.strip() == "tmpfs"
        subprocess.run([self.programs[1], "--new-key", f"{work}/key"], check=True, stderr=subprocess.DEVNULL)

    def zx(self, *words):
        port = free_port()
        if "--no-auth" not in words:
            words += ("--key-file", f"{self.work}/key")
        receiver = subprocess.Popen([self.programs[1], "-q", *words, "--listen", f"127.0.0.1:{port}", self.target])
        until_listening(port)
        way = None
        if self.delay:
            way = subprocess.Popen([sys.executable, DELAY, str(port), str(self.delay)], stdout=subprocess.PIPE, text=True)
            port = int(way.stdout.readline())
        begin = time.monotonic()
        subprocess.run([self.programs[0], "-q", *words, self.source, f"zs://127.0.0.1:{port}"], check=True)
        if receiver.wait() != 0:
            sys.exit("trees.py: zrecv has failed")
        wall = time.monotonic() - begin
        if way:
            way.wait()
        return wall

    def ssh_contestants(self):
        ssh, host = self.ssh, f"{self.ssh.user}@127.0.0.1"
        shell = " ".join(["ssh", *ssh.options, "-p", str(ssh.port)])
        return {
            "zx by ssh -r": lambda: ssh.run([self.programs[0], "-q", "-r", "--durability=none", *ssh.options, "-P", str(ssh.port),
                                                f"--remote-program={self.programs[1]}", self.source, f"{host}:{self.target}"]),
            "tar | ssh tar": lambda: ssh.run(["sh", "-c", f"tar c -C {self.work} tree | {shell} {host} tar x -C {self.target}"]),
            "rsync -a over ssh": lambda: ssh.run(["rsync", "-a", "-e", shell, self.source, f"{host}:{self.target}"]),
            "scp -r": lambda: ssh.run(["scp", "-q", "-r", *ssh.options, "-P", str(ssh.port), self.source, f"{host}:{self.target}"]),
        }

    def tar(self):
        port = free_port()
        receiver = subprocess.Popen(["sh", "-c", f"nc -l 127.0.0.1 {port} | tar x -C {self.target}"])
        until_listening(port)
        begin = time.monotonic()
        subprocess.run(["sh", "-c", f"tar c -C {self.work} tree | nc -N 127.0.0.1 {port}"], check=True)
        receiver.wait()
        return time.monotonic() - begin

    def rsync(self):
        port, file = free_port(), f"{self.work}/rsyncd.conf"
        with open(file, "w", encoding="ascii") as f:
            f.write(f"port={port}\naddress=127.0.0.1\nuse chroot=no\n[d]\npath={self.target}\nread only=no\nuid={os.getuid()}\n")
        daemon = subprocess.Popen(["rsync", "--daemon", "--no-detach", f"--config={file}"])
        try:
            until_listening(port)
            begin = time.monotonic()
            subprocess.run(["rsync", "-r", self.source, f"rsync://127.0.0.1:{port}/d/"], check=True)
            return time.monotonic() - begin
        finally:
            daemon.terminate()
            daemon.wait()

    def run(self, contestant, before=None):
        """Wall and CPU seconds."""
        # ext4 searches long for an inode that was not deleted in the last minutes: there what has arrived stays.
        if self.in_memory and self.target:
            shutil.rmtree(self.target)
        self.runs += 1
        self.target = f"{self.work}/received.{self.runs}"
        os.mkdir(self.target)
        if before:
            before()
        os.sync()
        started = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall = contestant()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if not same_trees(self.source, f"{self.target}/tree"):
            sys.exit("trees.py: what arrived is another tree")
        return wall, after.ru_utime + after.ru_stime - started.ru_utime - started.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=("nested", "small", "mix"), default="nested",
                        help="20,000 files of 4 KiB; 100,000 of 1 KiB; 20,000 as of the sources of programs")
    parser.add_argument("--files", type=int)
    parser.add_argument("--ssh", action="store_true", help="also what goes by ssh")
    parser.add_argument("--delay", type=float, default=0, metavar="MS")
    parser.add_argument("--only", help="contestants whose names have one of these words")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", default="/dev/shm")
    parser.add_argument("--zsend", default=f"{BUILD}/zsend/zsend")
    parser.add_argument("--zrecv", default=f"{BUILD}/zrecv/zrecv")
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="zx-trees.", dir=options.work)
    try:
        bench = Bench(options, work)
        files = options.files or {"small": 100000}.get(options.workload, 20000)
        make_tree(bench.source, sizes_of(options.workload, files))
        plain, quick = ["--plain", "--no-auth"], ["--durability=none"]
        contestants = {"zx plain -r": lambda: bench.zx("-r", *plain, *quick), "zx TLS -r": lambda: bench.zx("-r", *quick),
                       "zx plain -a": lambda: bench.zx("-a", *plain, *quick), "zx plain -r, durable": lambda: bench.zx("-r", *plain),
                       "zx plain -a, unchanged": lambda: bench.zx("-a", *plain, *quick, "--overwrite=differ")}
        if options.delay == 0 and shutil.which("nc"):
            contestants["tar | nc | tar"] = bench.tar
        if options.delay == 0 and shutil.which("rsync"):
            contestants["rsync daemon"] = bench.rsync
        if options.ssh:
            bench.ssh = Ssh(work)
            contestants.update(bench.ssh_contestants())
        if options.only:
            wanted = [name for name in contestants if any(word in name for word in options.only.split(","))]
        else:
            wanted = list(contestants)
        found = {name: [] for name in wanted}
        for _ in range(options.rounds):
            for name in wanted:
                contestant = contestants[name]
                found[name].append(bench.run(contestant, contestants["zx plain -a"] if "unchanged" in name else None))
        print(f"{options.workload}: {files} files, {options.rounds} rounds; load {os.getloadavg()[0]:.2f}")
        base = found.get("tar | nc | tar")
        for name, runs in found.items():
            walls, cpus = zip(*runs)
            line = f"{name:22} wall {statistics.median(walls):.3f} s ({min(walls):.3f}-{max(walls):.3f})  CPU {statistics.median(cpus):.3f} s"
            if base and name != "tar | nc | tar":
                ratios = [statistics.median(a[i] / b[i] for a, b in zip(runs, base)) for i in (0, 1)]
                line += f"  to tar: {ratios[0]:.2f}, CPU {ratios[1]:.2f}"
            print(line)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
