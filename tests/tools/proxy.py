"""A TCP proxy between the programs that does harm to one connection.

proxy.py PORT_FILE TARGET_PORT [kill=K@BYTES] [refuse=K]
  kill=K@BYTES  the K-th connection (from 1 on) is reset at both ends after so many bytes
  refuse=K      from the K-th on, connections are reset at once
Its own port is written to PORT_FILE. Ends when it is killed, or with its parent.
"""
import ctypes
import os
import signal
import socket
import struct
import sys
import threading


def reset(*sockets):
    for s in sockets:
        try:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.shutdown(socket.SHUT_RD)  # wakes the other thread
        except OSError:
            pass
        s.close()


class Pair:
    def __init__(self, client, server, limit):
        self.client, self.server, self.limit = client, server, limit
        self.lock, self.moved = threading.Lock(), 0
        for a, b in ((client, server), (server, client)):
            threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, source, sink):
        try:
            while piece := source.recv(1 << 16):
                sink.sendall(piece)
                with self.lock:
                    self.moved += len(piece)
                    over = self.limit is not None and self.moved >= self.limit
                if over:
                    return reset(self.client, self.server)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            reset(self.client, self.server)


def main():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    options = dict(word.split("=") for word in sys.argv[3:])
    victim, limit = (int(n) for n in options.get("kill", "0@0").split("@"))
    refuse = int(options.get("refuse", 1 << 30))
    listener = socket.create_server(("127.0.0.1", 0), backlog=32)
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    count = 0
    pairs = []
    while True:
        client, _ = listener.accept()
        count += 1
        if count >= refuse:
            reset(client)
            continue
        try:
            server = socket.create_connection(("127.0.0.1", int(sys.argv[2])), 10)
        except OSError:
            reset(client)
            continue
        server.settimeout(None)
        pairs.append(Pair(client, server, limit if count == victim else None))


main()
