#!/usr/bin/env python3
"""Trees of many small files over loopback: zsend and zrecv beside tar | nc | tar and an rsync daemon.

  trees.py [--files N] [--bytes N] [--rounds N] [--work DIR] [--zsend FILE] [--zrecv FILE]

In each round every contestant moves the same tree once, after a sync. Wall time runs from the start of the
sender until all processes have ended; CPU time is that of all processes of both ends. Prints medians with the
smallest and largest, and ratios within a round to tar | nc | tar. Content is compared after every run. Run it on
a quiet machine; DIR is best a tmpfs, since creating files is what takes the time elsewhere.
"""
import argparse
import filecmp
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "..", "build", "release")
PER_FOLDER, FOLDERS = 100, 20


def make_tree(top, files, size):
    for i in range(files):
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


class Bench:
    def __init__(self, options, work):
        self.programs, self.work = (options.zsend, options.zrecv), work
        self.source, self.target = f"{work}/tree", f"{work}/received"

    def zx(self, *words):
        events = f"{self.work}/events"
        environment = {k: v for k, v in os.environ.items() if k != "ZXFER_KEY"}
        receiver = subprocess.Popen([self.programs[1], "-q", *words, "--listen", "127.0.0.1:0", f"--json={events}",
                                     self.target], env=environment, stderr=subprocess.DEVNULL)
        while not os.path.exists(events) or b"\n" not in open(events, "rb").read():
            time.sleep(0.01)
        with open(events, encoding="utf-8") as f:
            listening = json.loads(f.readline())
        begin = time.monotonic()
        subprocess.run([self.programs[0], "-q", *words, self.source, f"zs://127.0.0.1:{listening['port']}"], check=True,
                       env={**environment, **({"ZXFER_KEY": listening["key"]} if listening.get("key") else {})})
        if receiver.wait() != 0:
            sys.exit("trees.py: zrecv has failed")
        return time.monotonic() - begin

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

    def run(self, contestant):
        """Wall and CPU seconds."""
        shutil.rmtree(self.target, ignore_errors=True)
        os.mkdir(self.target)
        if os.path.exists(f"{self.work}/events"):
            os.unlink(f"{self.work}/events")
        os.sync()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall = contestant()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if not same_trees(self.source, f"{self.target}/tree"):
            sys.exit("trees.py: what arrived is another tree")
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20000)
    parser.add_argument("--bytes", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", default="/dev/shm")
    parser.add_argument("--zsend", default=f"{BUILD}/zsend/zsend")
    parser.add_argument("--zrecv", default=f"{BUILD}/zrecv/zrecv")
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="zx-trees.", dir=options.work)
    try:
        bench = Bench(options, work)
        make_tree(bench.source, options.files, options.bytes)
        plain, quick = ["--plain", "--no-auth"], ["--durability=none"]
        contestants = {"zx plain -r": lambda: bench.zx("-r", *plain, *quick), "zx TLS -r": lambda: bench.zx("-r", *quick),
                       "zx plain -a": lambda: bench.zx("-a", *plain, *quick), "zx plain -r, durable": lambda: bench.zx("-r", *plain)}
        if shutil.which("nc"):
            contestants["tar | nc | tar"] = bench.tar
        if shutil.which("rsync"):
            contestants["rsync daemon"] = bench.rsync
        found = {name: [] for name in contestants}
        for _ in range(options.rounds):
            for name, contestant in contestants.items():
                found[name].append(bench.run(contestant))
        print(f"{options.files} files of {options.bytes} bytes, {options.rounds} rounds; load {os.getloadavg()[0]:.2f}")
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
