"""relay.py PORT LOG: a TCP relay in front of 127.0.0.1:PORT, with faults by its options. The port it listens on
is the first line of LOG, then one line for each connection it accepts, numbered from 1.

--record FILE    every byte of both directions goes there
--refuse N       the listening socket is closed when connection N - 1 has come: N is refused
--drop N         connection N and all after it are accepted and closed at once
--hold N         connection N and all after it are accepted and left alone
--gate N FILE    connection N is accepted, and passed on once FILE is there
"""
import argparse
import os
import socket
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("log")
parser.add_argument("--record")
parser.add_argument("--refuse", type=int)
parser.add_argument("--drop", type=int)
parser.add_argument("--hold", type=int)
parser.add_argument("--gate", nargs=2)
options = parser.parse_args()

log = open(options.log, "w", buffering=1, encoding="ascii")
record = open(options.record, "wb", buffering=0) if options.record else None
held = []


def pump(source, target):
    """One direction, up to its end; an end or reset is passed on as such as far as sockets can."""
    try:
        while piece := source.recv(1 << 16):
            if record:
                record.write(piece)
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], file=log)
number = 0
while True:
    if options.refuse == number + 1:
        listener.close()
        threading.Event().wait()
    client, _ = listener.accept()
    number += 1
    print(f"connection {number}", file=log)
    if options.drop and number >= options.drop:
        client.close()
        continue
    if options.hold and number >= options.hold:
        held.append(client)
        continue
    while options.gate and number == int(options.gate[0]) and not os.path.exists(options.gate[1]):
        time.sleep(0.02)
    try:
        server = socket.create_connection(("127.0.0.1", options.port), 10)
    except OSError:
        client.close()
        continue
    server.settimeout(None)
    for pair in ((client, server), (server, client)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
