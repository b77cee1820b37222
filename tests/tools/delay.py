#!/usr/bin/env python3
"""A TCP proxy that makes the way longer: what comes is passed on so much later.

  delay.py PORT MILLISECONDS

It listens on 127.0.0.1, prints its port, and forwards one connection to PORT. Each direction is late by half of
MILLISECONDS, and as much as comes meanwhile is on its way: a long path with all the bandwidth and all the window that
there is. What TCP itself makes of a long path it does not show.
"""
import collections
import os
import select
import socket
import sys
import time

CHUNK = 1 << 18


class Direction:
    def __init__(self, source, target, late):
        self.source, self.target, self.late = source, target, late
        self.under_way = collections.deque()  # when it is due, and what; nothing at the end
        self.read_all = self.ended = False

    def read(self):
        piece = self.source.recv(CHUNK)
        self.under_way.append((time.monotonic() + self.late, memoryview(piece)))
        self.read_all = not piece

    def due(self):
        return self.under_way[0][0] if self.under_way else None

    def write(self):
        piece = self.under_way[0][1]
        if not piece:
            self.target.shutdown(socket.SHUT_WR)
            self.ended = True
            return
        sent = self.target.send(piece)
        if sent == len(piece):
            self.under_way.popleft()
        else:
            self.under_way[0] = (0, piece[sent:])


def main():
    port, late = int(sys.argv[1]), float(sys.argv[2]) / 2000
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        near = listener.accept()[0]
    far = socket.create_connection(("127.0.0.1", port))
    for s in (near, far):
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ways = [Direction(near, far, late), Direction(far, near, late)]
    while not all(way.ended for way in ways):
        now = time.monotonic()
        readers = [way.source for way in ways if not way.read_all]
        writers = [way.target for way in ways if not way.ended and way.due() is not None and way.due() <= now]
        waits = [way.due() - now for way in ways if not way.ended and way.due() is not None and way.due() > now]
        readable, writable, _ = select.select(readers, writers, [], min(waits, default=None))
        for way in ways:
            if way.source in readable:
                way.read()
            if way.target in writable:
                way.write()


if __name__ == "__main__":
    try:
        main()
    except (ConnectionError, BrokenPipeError, KeyboardInterrupt):
        os._exit(1)
