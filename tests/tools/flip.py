#!/usr/bin/env python3
"""flip.py A B [A B]...: a local user who is at it meanwhile. Exchanges what two names mean, for each pair in turn, as
fast as it goes, until it is ended by SIGTERM; then it says how often. What is not there for a moment is passed over."""
import ctypes
import os
import random
import signal
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
RENAME_EXCHANGE, AT_FDCWD = 2, -100
pairs = [(os.fsencode(a), os.fsencode(b)) for a, b in zip(sys.argv[1::2], sys.argv[2::2])]
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
flips, chance = 0, random.Random(1)
print("begun", flush=True)
while not ended:
    for a, b in pairs:
        flips += libc.renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0
        if chance.random() < 0.001:  # mostly between two looks of the other; sometimes it stays for a while
            time.sleep(chance.random() / 2000)
print(flips)
