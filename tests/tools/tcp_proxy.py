#!/usr/bin/env python3
"""A TCP proxy that does harm to the connections that pass through it.

  tcp_proxy.py [--clock] PORT RULE...
  tcp_proxy.py PORT ACTION OFFSET [SIDE]

It listens on 127.0.0.1, prints its port, and forwards each connection to PORT, saying "connection K"; K
counts from 0 in the order of acceptance. A reset on one side is passed on as a reset. It runs until it is
killed.

A RULE is VERB=WHAT[,WORD...]. Offsets count the bytes of one direction of one connection from 0.
  refuse=             resets at once; PORT does not learn of it
  cut=N               N bytes pass and are acknowledged, then both ends get a reset; with the word fin the
                      stream ends there (FIN), what follows is dropped and the other direction goes on
  hold=N              a lost route: N bytes pass, then nothing more in either direction, no end and no reset;
                      both sockets stay open. SIGUSR1 lets go on what is held then; without it, for ever
  mark=N              N bytes pass, and nothing is done but to say so
  slice=SIZE          at most SIZE bytes a send, without delay
  flip=N[.BIT]        inverts this bit, or bit 0, of the byte at N
  duplicate=N+LENGTH  LENGTH bytes from N on pass twice
  stale=N[+LENGTH]    what comes from N on is kept, and passed on only when the connections after this one
                      have carried the bytes of the word until=M. With LENGTH the side that sent it is reset
                      when so much of it is there, and the other side learns of that after the kept bytes
The other WORDs: on=K, on=K- or on=K-L, the connections it is about (default: all); from=connector, listener
or both, whose bytes are counted and changed (default: connector); record, the N of flip and cut moves to the
middle of the TLS record that holds it. Each time that a rule does something the proxy says "VERB at N of
connection K", and "late at N of connection K" when the time of what was stale has come; when a connection is
over, "passed from the SIDE: N on connection K" for both. With --clock each line begins with the milliseconds
since the proxy has begun.

The second form is one rule for the first connection, in what SIDE (connector or listener) sends:
pass 0 is none, flip and cut are flip=OFFSET,record and cut=OFFSET,fin,record; hold is hold=OFFSET.
"""
import copy
import fcntl
import select
import signal
import socket
import struct
import sys
import termios
import time

PREFACE = 24  # bytes in clear before the first TLS record, each way
CHUNK = 1 << 16
KEPT = 1 << 24  # of a stale direction; more than a TCP window
NEVER = 1 << 62
SIDES = ("connector", "listener")
VERBS = ("refuse", "cut", "hold", "mark", "slice", "flip", "duplicate", "stale")
WORDS = ("on", "from", "until", "fin", "record")


class Speech:
    """What the proxy says on standard output; begun is None without --clock."""
    begun = None

    def __call__(self, text):
        clock = "" if self.begun is None else f"{(time.monotonic() - self.begun) * 1000:.1f} "
        print(clock + text, flush=True)


speak = Speech()


class Rule:
    def __init__(self, text):
        self.text = text
        head, *words = text.split(",")
        self.verb, _, what = head.partition("=")
        options = {name: value for name, _, value in (word.partition("=") for word in words)}
        if self.verb not in VERBS or not set(options) <= set(WORDS):
            sys.exit(f"tcp_proxy: no such rule: {text}")
        offset, _, length = what.partition("+")
        offset, _, bit = offset.partition(".")
        self.offset, self.length, self.bit = int(offset or 0), int(length or 0), int(bit or 0)
        first, dash, last = options.get("on", "0-").partition("-")
        self.first, self.last = int(first), int(last or NEVER) if dash else int(first)
        self.sides = SIDES if options.get("from") == "both" else (options.get("from", SIDES[0]),)
        self.until = int(options.get("until", 0))
        self.fin, self.record = "fin" in options, "record" in options

    def holds_for(self, number, side):
        return self.first <= number <= self.last and side in self.sides


def old_form(action, offset, side=SIDES[0]):
    words = {"pass": None, "flip": ",record", "cut": ",fin,record", "hold": ""}[action]
    return [] if words is None else [f"{action}={offset}{words},on=0,from={side}"]


class Records:
    """Follows the TLS records of a stream until it knows the one that holds a rule's offset."""

    def __init__(self, rule):
        self.rule, self.wanted = rule, rule.offset
        self.at, self.header, self.record = 0, b"", PREFACE
        rule.offset = NEVER

    def __call__(self, data):
        at, self.at = self.at, self.at + len(data)
        while self.rule.offset == NEVER and self.record + len(self.header) < self.at:
            begin = self.record + len(self.header) - at
            self.header += data[begin:begin + 5 - len(self.header)]
            if len(self.header) == 5:
                kind, major, length = struct.unpack(">BBxH", self.header)
                if major != 3 or not 20 <= kind <= 23:
                    raise OSError(f"no TLS record at {self.record}")
                if self.wanted < self.record + 5 + length:
                    self.rule.offset = self.record + 5 + length // 2
                self.record, self.header = self.record + 5 + length, b""
        return data


class Flip:
    def __init__(self, rule, say):
        self.rule, self.say, self.at = rule, say, 0

    def __call__(self, data):
        i = self.rule.offset - self.at
        self.at += len(data)
        if not 0 <= i < len(data):
            return data
        self.say("flip", self.rule.offset)
        return data[:i] + bytes([data[i] ^ (1 << self.rule.bit)]) + data[i + 1:]


class Duplicate:
    def __init__(self, rule, say):
        self.begin, self.end, self.say = rule.offset, rule.offset + rule.length, say
        self.at, self.copy = 0, b""

    def __call__(self, data):
        at, self.at = self.at, self.at + len(data)
        self.copy += data[max(self.begin - at, 0):max(self.end - at, 0)]
        if not at < self.end <= self.at:
            return data
        self.say("duplicate", self.begin)
        return data[:self.end - at] + self.copy + data[self.end - at:]


class Way:
    """One direction of a connection: bytes are changed as they come in, and may leave up to the next stop."""

    def __init__(self, connection, source, sink, side, rules):
        self.connection, self.source, self.sink = connection, source, sink
        self.buffer, self.start = b"", 0  # start: how many bytes have left
        self.eof = self.ended = False     # nothing more comes; nothing more goes
        self.kept, self.broken = None, False  # the stale rule in force; the source was reset meanwhile
        self.changes, self.stops, self.piece = [], [], None
        for rule in (copy.copy(r) for r in rules if r.holds_for(connection.number, side)):
            if rule.record:
                self.changes.append(Records(rule))
            if rule.verb in ("cut", "hold", "mark", "stale"):
                self.stops.append(rule)
            elif rule.verb == "slice":
                self.piece = rule.offset
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.say("slice", 0)
            elif rule.verb == "flip":
                self.changes.append(Flip(rule, connection.say))
            elif rule.verb == "duplicate":
                self.changes.append(Duplicate(rule, connection.say))

    def limit(self):
        """The offset before which bytes may leave."""
        if self.kept:
            return self.start
        return min([self.start + len(self.buffer)] + [rule.offset for rule in self.stops])

    def wants_read(self):
        return not self.eof and len(self.buffer) < (KEPT if self.kept else CHUNK)

    def wants_write(self):
        return not self.ended and (self.limit() > self.start or self.at_end())

    def at_end(self):
        return self.eof and not self.buffer and not self.kept and not self.reached()

    def reached(self):
        return [rule for rule in self.stops if rule.offset == self.start]

    def read(self):
        try:
            data = self.source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            if not self.kept:
                raise
            data, self.broken = b"", True
        self.eof = not data
        if self.ended:
            return  # what follows a FIN of ours
        for change in self.changes:
            data = change(data)
        self.buffer += data

    def write(self):
        for _ in range(1024 if self.piece else 1):
            size = self.limit() - self.start
            if size <= 0:
                break
            try:
                sent = self.sink.send(self.buffer[:min(size, self.piece or size)])
            except BlockingIOError:
                return
            self.buffer, self.start = self.buffer[sent:], self.start + sent
        if self.at_end():
            self.end()

    def end(self):
        self.ended, self.buffer = True, b""
        if self.broken:
            raise ConnectionResetError("what was stale came from a connection that is gone")
        self.sink.shutdown(socket.SHUT_WR)

    def drop(self):
        """Nothing comes or goes this way any more; the sockets are the other direction's."""
        self.eof = self.ended = True
        self.buffer = b""

    def acknowledged(self):
        unsent = fcntl.ioctl(self.sink, termios.TIOCOUTQ, bytes(4))
        return struct.unpack("i", unsent)[0] == 0

    def stop(self):
        """Does what a rule says that has been reached. False when it has to be asked again soon."""
        reached, connection = self.reached(), self.connection
        if self.ended or self.kept or not reached:
            return True
        rule = reached[0]
        if rule.verb == "cut" and not self.acknowledged():
            return False
        for way in connection.ways:  # what holds for both directions is done once
            way.stops = [one for one in way.stops if one.text != rule.text]
        connection.held, self.kept = rule.verb == "hold", rule if rule.verb == "stale" else None
        connection.say(rule.verb, rule.offset)
        if rule.verb == "cut" and rule.fin:
            self.end()
        elif rule.verb == "cut":
            connection.reset()
        return True

    def mature(self, carried):
        """Stale bytes: whether their sender has to be reset, and whether their time has come."""
        rule = self.kept
        if rule.length and len(self.buffer) >= rule.length and not self.eof:
            self.eof = self.broken = True
            self.connection.other(self).drop()
            reset(self.source)
        if carried >= rule.until:
            self.connection.say("late", rule.offset)
            self.kept = None


def reset(end):
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


class Connection:
    def __init__(self, number, client, server, rules):
        self.number, self.ends = number, (client, server)
        self.held = self.over = False
        self.ways = (Way(self, client, server, SIDES[0], rules), Way(self, server, client, SIDES[1], rules))

    def say(self, verb, offset):
        speak(f"{verb} at {offset} of connection {self.number}")

    def other(self, way):
        return self.ways[1 - self.ways.index(way)]

    def carried(self):
        return sum(way.start for way in self.ways)

    def reset(self):
        self.over = True
        for end in self.ends:
            if end.fileno() >= 0:
                reset(end)
        self.say_over()

    def say_over(self):
        for way, side in zip(self.ways, SIDES):
            speak(f"passed from the {side}: {way.start} on connection {self.number}")

    def waits_for(self):
        """What select shall look at: to read from, to write to."""
        if self.held or self.over:
            return [], []
        return ([way.source for way in self.ways if way.wants_read()],
                [way.sink for way in self.ways if way.wants_write()])

    def move(self, readable, writable):
        """Moves what can be moved. False when a rule has to be asked again soon."""
        settled = True
        for way in self.ways:
            try:
                if way.source in readable and not self.over:
                    way.read()
                if way.sink in writable and not self.over:
                    way.write()
                if not self.over and not self.held:
                    settled = way.stop() and settled
            except OSError as error:
                if self.other(way).kept:
                    way.drop()
                    continue
                print(f"tcp_proxy: connection {self.number}: {error}", file=sys.stderr, flush=True)
                self.reset()
        if not self.over and all(way.eof and way.ended for way in self.ways):
            self.over = True
            for end in self.ends:
                end.close()
            self.say_over()
        return settled


class Proxy:
    def __init__(self, port, rules):
        self.port, self.rules, self.connections = port, rules, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        print(self.listener.getsockname()[1], flush=True)

    def accept(self):
        number = len(self.connections)
        speak(f"connection {number}")
        client, server = self.listener.accept()[0], socket.socket()
        connection = Connection(number, client, server, self.rules)
        self.connections.append(connection)
        if any(rule.verb == "refuse" and rule.first <= number <= rule.last for rule in self.rules):
            connection.say("refuse", 0)
            return connection.reset()
        for end in connection.ends:
            end.setblocking(False)
        server.connect_ex(("127.0.0.1", self.port))  # a refusal shows when it is read from

    def release(self, *unused):
        for connection in self.connections:
            connection.held = False

    def run(self, wakened):
        settled = True
        while True:
            live = [c for c in self.connections if not c.over]
            for connection in live:
                later = sum(c.carried() for c in self.connections[connection.number + 1:])
                for way in connection.ways:
                    if way.kept:
                        way.mature(later)
            waits = [connection.waits_for() for connection in live]
            sources = [self.listener, wakened] + sum((w[0] for w in waits), [])
            sinks = sum((w[1] for w in waits), [])
            readable, writable, _ = select.select(sources, sinks, [], None if settled else 0.002)
            settled = all([connection.move(readable, writable) for connection in live])
            if wakened in readable:
                wakened.recv(CHUNK)
            if self.listener in readable:
                self.accept()
                settled = False  # a rule may be about byte 0


def main():
    port, *words = sys.argv[1:]
    if port == "--clock":
        speak.begun = time.monotonic()
        port, *words = words
    if words and words[0] in ("pass", "flip", "cut", "hold"):
        words = old_form(*words)
    wake, wakened = socket.socketpair()  # a signal ends select's wait
    for one in (wake, wakened):
        one.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    proxy = Proxy(int(port), [Rule(word) for word in words])
    signal.signal(signal.SIGUSR1, proxy.release)
    proxy.run(wakened)


if __name__ == "__main__":
    main()
