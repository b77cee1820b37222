#!/usr/bin/env python3
"""A TCP proxy that does one thing to the first connection that passes through it.

  tcp_proxy.py PORT ACTION OFFSET [SIDE]

It listens on 127.0.0.1, prints its port, and forwards each connection to PORT, saying "connection". On the
first one, in what SIDE (connector, the default, or listener) sends, it does ACTION where OFFSET is reached,
and says so:
  pass  nothing
  flip  inverts one byte in the middle of the TLS record that holds OFFSET          "flip at N"
  cut   ends the stream (FIN) in the middle of that record and drops what follows   "cut at N"
  hold  passes nothing from OFFSET on until it gets SIGUSR1                         "hold at N"
A reset on one side is passed on as a reset. It runs until it is killed.
"""
import select
import signal
import socket
import struct
import sys

PREFACE = 24  # bytes in clear before the first TLS record, each way
CHUNK = 65536


class Way:
    """One direction of a connection; this class changes nothing in it."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.buffer, self.start = b"", 0  # start: the stream's offset of the buffer's first byte
        self.eof = self.ended = False     # nothing more comes; nothing more goes

    def taken(self):
        return self.start + len(self.buffer)

    def limit(self):
        """The offset before which bytes may leave."""
        return self.taken()

    def wants_read(self):
        return not self.eof and len(self.buffer) < CHUNK

    def wants_write(self):
        return not self.ended and (self.limit() > self.start or (self.eof and not self.buffer))

    def read(self):
        data = self.source.recv(CHUNK)
        self.eof = not data
        self.buffer += data

    def write(self):
        if self.limit() > self.start:
            sent = self.sink.send(self.buffer[:self.limit() - self.start])
            self.buffer, self.start = self.buffer[sent:], self.start + sent
        if self.eof and not self.buffer:
            self.end()

    def end(self):
        self.ended = True
        self.sink.shutdown(socket.SHUT_WR)


class Hold(Way):
    def __init__(self, source, sink, offset):
        super().__init__(source, sink)
        self.offset, self.said, self.released = offset, False, False
        signal.signal(signal.SIGUSR1, self.release)

    def release(self, *unused):
        self.released = True

    def limit(self):
        return self.taken() if self.released else min(self.offset, self.taken())

    def wants_read(self):
        return super().wants_read() and (self.released or self.taken() < self.offset)

    def write(self):
        super().write()
        if self.start == self.offset and not self.said:
            self.said = True
            print(f"hold at {self.start}", flush=True)


class Damage(Way):
    """Follows the TLS records until it knows the byte to damage: the middle of the one that holds offset."""

    def __init__(self, source, sink, offset):
        super().__init__(source, sink)
        self.offset = offset
        self.record, self.target, self.done = PREFACE, None, False

    def limit(self):  # a header is not let go before all of it is here
        return self.taken() if self.target is not None else min(self.record, self.taken())

    def read(self):
        super().read()
        while self.target is None and self.record + 5 <= self.taken():
            at = self.record - self.start
            kind, major, length = struct.unpack(">BBxH", self.buffer[at:at + 5])
            if major != 3 or not 20 <= kind <= 23:
                raise OSError(f"no TLS record at {self.record}")
            if self.offset < self.record + 5 + length:
                self.target = self.record + 5 + length // 2
            else:
                self.record += 5 + length
        if self.target is not None and self.taken() > self.target and not self.done:
            self.done = True
            self.damage(self.target - self.start)


class Flip(Damage):
    def damage(self, at):
        self.buffer = self.buffer[:at] + bytes([self.buffer[at] ^ 0xff]) + self.buffer[at + 1:]
        print(f"flip at {self.target}", flush=True)


class Cut(Damage):
    def damage(self, at):
        self.buffer = self.buffer[:at]
        print(f"cut at {self.target}", flush=True)

    def read(self):
        if not self.done:
            return super().read()
        self.eof = not self.source.recv(CHUNK)

    def write(self):
        super().write()
        if self.done and not self.buffer and not self.ended:
            self.end()


def reset(way):
    for end in (way.source, way.sink):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()


def serve(pair, readable, writable):
    """Moves what can be moved. False when the connection is over."""
    try:
        for way in pair:
            if way.source in readable:
                way.read()
            if way.sink in writable:
                way.write()
    except BlockingIOError:
        return True
    except OSError as error:
        print(f"tcp_proxy: {error}", file=sys.stderr, flush=True)
        reset(pair[0])
        return False
    if all(way.eof and way.ended for way in pair):
        for way in pair:
            way.source.close()
        return False
    return True


def main():
    port, action, offset = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    side = ("connector", "listener").index(sys.argv[4] if len(sys.argv) > 4 else "connector")
    special = {"pass": None, "flip": Flip, "cut": Cut, "hold": Hold}[action]
    wake, wakened = socket.socketpair()  # a signal ends select's wait
    for one in (wake, wakened):
        one.setblocking(False)
    signal.set_wakeup_fd(wakened.fileno())
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    pairs, first = [], True
    while True:
        ways = [way for pair in pairs for way in pair]
        readable, writable, _ = select.select([listener, wake] + [w.source for w in ways if w.wants_read()],
                                              [w.sink for w in ways if w.wants_write()], [])
        pairs = [pair for pair in pairs if serve(pair, readable, writable)]
        if wake in readable:
            wake.recv(CHUNK)
        if listener in readable:
            print("connection", flush=True)
            ends = [listener.accept()[0], socket.create_connection(("127.0.0.1", port))]
            for one in ends:
                one.setblocking(False)
            pair = [Way(*ends), Way(*reversed(ends))]
            if first and special:
                pair[side] = special(pair[side].source, pair[side].sink, offset)
            pairs, first = pairs + [pair], False


if __name__ == "__main__":
    main()
