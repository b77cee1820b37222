#!/usr/bin/env python3
"""slow_reader.py FD OUT COMMAND...: runs the command with a non-blocking pipe of 4 KiB as its descriptor FD. What it
writes there goes to OUT, and is taken only when the pipe is full or the command has ended. Ends with its status."""
import fcntl
import os
import select
import subprocess
import sys

descriptor, out, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
read_end, write_end = os.pipe()
fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
os.set_blocking(write_end, False)
process = subprocess.Popen(command, **{{1: "stdout", 2: "stderr"}[descriptor]: write_end})
with open(out, "wb") as file:
    while process.poll() is None:
        if not select.select([], [write_end], [], 0)[1]:
            file.write(os.read(read_end, 65536))
        else:
            select.select([], [], [], 0.001)
    os.close(write_end)
    while piece := os.read(read_end, 65536):
        file.write(piece)
sys.exit(process.returncode)
