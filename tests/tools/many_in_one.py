#!/usr/bin/env python3
"""many_in_one.py [COUNT [DIRECTORY]]: COUNT small files of one directory (1,000,000) from zsend to zrecv, by $ZSEND and
$ZRECV, below DIRECTORY (/dev/shm). Prints one line of JSON: the most memory of each program in KiB (VmHWM), the seconds
to the first file at the destination and to the end. Ends with 1 when something did not come."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
where = sys.argv[2] if len(sys.argv) > 2 else "/dev/shm"


def most_memory(process, most):
    """Until it has ended; the kernel forgets the number with the process."""
    while True:
        try:
            with open(f"/proc/{process.pid}/status") as status:
                found = [line.split()[1] for line in status if line.startswith("VmHWM")]
        except OSError:
            return
        if not found:
            return
        most[0] = int(found[0])
        time.sleep(0.005)


def first_file(path, begun, out):
    while not out:
        with os.scandir(path) as entries:
            if any(not entry.name.startswith(".zrecv-") for entry in entries):
                out.append(time.monotonic() - begun)
        time.sleep(0.005)


def watch(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


at = tempfile.mkdtemp(prefix="zx-many.", dir=where)
try:
    source, target = os.path.join(at, "s", "one"), os.path.join(at, "d")
    os.makedirs(source)
    os.makedirs(os.path.join(target, "one"))
    directory = os.open(source, os.O_RDONLY)
    for i in range(count):
        file = os.open(f"file-{i:07}", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=directory)
        os.write(file, b"%d" % i)
        os.close(file)
    os.close(directory)
    plain = ["-q", "-r", "--plain", "--no-auth"]
    memory = {"zsend": [0], "zrecv": [0]}
    receiver = subprocess.Popen([os.environ["ZRECV"], *plain, "--json", "--listen", "127.0.0.1:0", target],
                                stdout=subprocess.PIPE, text=True)
    port = json.loads(receiver.stdout.readline())["port"]
    watch(most_memory, receiver, memory["zrecv"])
    begun, first = time.monotonic(), []
    watch(first_file, os.path.join(target, "one"), begun, first)
    sender = subprocess.Popen([os.environ["ZSEND"], *plain, source, f"zs://127.0.0.1:{port}"])
    watch(most_memory, sender, memory["zsend"])
    summary = json.loads([line for line in receiver.stdout if '"summary"' in line][-1])
    ended = sender.wait(), receiver.wait()
    total = time.monotonic() - begun
    came = sum(1 for entry in os.scandir(os.path.join(target, "one")))
    first.append(total)
    print(json.dumps({"files": count, "zsend_kib": memory["zsend"][0], "zrecv_kib": memory["zrecv"][0],
                      "first_s": round(first[0], 3), "total_s": round(total, 3)}))
    sys.exit(0 if ended == (0, 0) and came == count and summary["files"] == count else 1)
finally:
    shutil.rmtree(at)
