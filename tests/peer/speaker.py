"""The protocol once more: a peer of the programs under test, over the bytes of wire.py. Only --plain is spoken.

The two drivers (send_files, receive_files) are honest, and tests/peer/speaker_test.py keeps them so.
"""
import collections
import os
import socket
import struct

from wire import *  # what tests know as s.ack(), s.ENTRY and so on


# --- a connection

Frame = collections.namedtuple("Frame", "kind flags length entry offset body")


class Closed(Exception):
    """The program ended the connection."""


class Told(Exception):
    """The program sent an ERROR where an answer was expected; the frame is the argument."""


def frames_of(raw):
    """Whole frames, one by one."""
    at = 0
    while at < len(raw):
        step = HEADER + int.from_bytes(raw[at + 4:at + 8], "big")
        yield raw[at:at + step]
        at += step


class Peer:
    """One connection to the program under test. `prefaces` are connector's, listener's. What is counted belongs
    to a session and goes from one connection to the next (again())."""

    def __init__(self, connection, role, connector, limit=20):
        self.socket, self.role, self.connector = connection, role, connector
        self.socket.settimeout(limit)
        if connection.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.prefaces = [b"", b""]
        self.theirs, self.session, self.key, self.stream, self.generation = None, None, None, 0, 0
        # counting: this side tells the other what it has taken.
        self.first, self.counting = False, True
        self.taken = self.told = self.they_took = 0
        self.said = []  # counted frames
        # On first connections; retold: ACKs that come again on this one before anything else may be sent.
        self.acks_taken, self.acks_said, self.retold = 0, [], 0

    # bytes

    def send(self, *pieces):
        """A program that gave up meanwhile is no error here: what it said is still to be read."""
        if self.first and self.role == RECEIVER:
            self.acks_said += [f for piece in pieces for f in frames_of(piece) if int.from_bytes(f[:2], "big") == ACK]
        try:
            self.socket.sendall(b"".join(pieces))
        except (BrokenPipeError, ConnectionResetError):
            pass

    def say(self, *frames):
        """Whole frames; those that are counted can be said again."""
        for piece in frames:
            self.said += [f for f in frames_of(piece) if int.from_bytes(f[:2], "big") in COUNTED]
        self.send(*frames)

    def receive(self, count):
        out = bytearray()
        while len(out) < count:
            try:
                piece = self.socket.recv(min(count - len(out), MIB))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Closed(f"after {len(out)} of {count} bytes")
            out += piece
        return bytes(out)

    def end_sending(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def drain(self):
        """Everything up to the end, as bytes."""
        out = bytearray()
        while True:
            try:
                piece = self.socket.recv(MIB)
            except ConnectionResetError:
                piece = b""
            if not piece:
                return bytes(out)
            out += piece

    # frames

    def read(self, optional_too=False):
        while True:
            raw = self.receive(HEADER)
            assert xxh64(raw[:24]) == raw[24:], "header check"
            kind, flags, length, entry_id, offset = struct.unpack(">HHIQQ", raw[:24])
            body = self.receive(length)
            if kind != DATA:
                assert len(body) >= 8 and xxh64(body[:-8]) == body[-8:], "seal"
                body = body[:-8]
            if kind == HEARTBEAT:
                count = int.from_bytes(body, "big")
                assert len(body) == 8 and count >= self.they_took, "a count that goes back"
                assert self.first or count == 0, "a count on a further connection"
                self.they_took = count
            self.acks_taken += self.first and kind == ACK
            if self.first and kind in COUNTED:
                self.taken += 1
                if self.counting and self.taken - self.told >= 64:
                    self.beat()
            if kind & 0x8000 or optional_too:
                return Frame(kind, flags, length, entry_id, offset, body)

    def beat(self):
        """A sign of life, with the count of what was taken."""
        self.told = self.taken
        self.send(heartbeat(self.taken if self.first else 0))

    def expect(self, kind):
        frame = self.read()
        if frame.kind == ERROR:
            raise Told(frame)
        assert frame.kind == kind, f"frame {frame.kind:#x} instead of {kind:#x}"
        return frame

    def hear(self):
        """All frames up to the end of the connection."""
        frames = []
        try:
            while True:
                frames.append(self.read())
        except Closed:
            return frames

    # handshake

    def exchange_prefaces(self, mine=None, no_auth=True, join=False):
        mine = mine or preface(self.role, no_auth=no_auth, join=join)
        self.prefaces[0 if self.connector else 1] = mine
        if self.connector:
            self.send(mine)
            self.prefaces[1] = self.receive(PREFACE)
        else:
            self.prefaces[0] = self.receive(PREFACE)
            self.send(mine)
        return self.prefaces[1 if self.connector else 0]

    def authenticate(self, key):
        """The challenge; the other side's answer is checked last, so that both sides fail alike."""
        connector_role = self.role if self.connector else 3 - self.role
        mine = os.urandom(32)
        if self.connector:
            self.send(mine)
            theirs, mac = self.receive(32), self.receive(32)
            nonces = [mine, theirs]
            self.send(challenge_mac(key, connector_role, CONNECTOR_LABEL, self.prefaces, nonces))
            label = LISTENER_LABEL
        else:
            theirs = self.receive(32)
            nonces = [theirs, mine]
            self.send(mine, challenge_mac(key, connector_role, LISTENER_LABEL, self.prefaces, nonces))
            mac = self.receive(32)
            label = CONNECTOR_LABEL
        return mac == challenge_mac(key, connector_role, label, self.prefaces, nonces)

    def prove(self, key=None, join=False):
        """Preface and challenge."""
        answer = self.exchange_prefaces(no_auth=key is None, join=join)
        assert answer[:8] == MAGIC and answer[14] == 0, f"refused with code {answer[14]}"
        assert answer[12] & 2 == (2 if join else 0), "the join flag"
        if key is not None:
            assert self.authenticate(key), "the program has another key"
        self.key = key
        return self

    def agree(self, **mine):
        """HELLO and WELCOME. The other side's terms are in self.theirs."""
        if self.connector:
            session = mine.pop("session", None) or os.urandom(16)
            self.send(message(HELLO, terms(self.prefaces, session=session, **mine)))
            self.theirs = read_terms(self.expect(WELCOME).body)
            assert self.theirs["session"] == session
            self.session = session
            self.send(heartbeat())  # the listener waits for the word that WELCOME has come
        else:
            self.theirs = read_terms(self.expect(HELLO).body)
            mine.setdefault("session", self.theirs["session"])
            self.session = mine["session"]
            self.send(message(WELCOME, terms(self.prefaces, **mine)))
        assert self.theirs["prefaces"] == self.prefaces
        self.first = True
        return self.theirs

    def meet(self, key=None, **mine):
        """All up to the first ENTRY."""
        return self.prove(key).agree(**mine)

    # a connection that joins a session

    def exchange_joins(self, session, stream=None, generation=None, taken=0, acks=0):
        """JOIN both ways; returns the program's. A listener answers with what it was asked."""
        if self.connector:
            self.send(join(self.prefaces, session, stream, generation, taken, acks))
        theirs = read_join(self.expect(JOIN).body)
        assert theirs["prefaces"] == self.prefaces and theirs["session"] == session, theirs
        if self.connector:
            assert (theirs["stream"], theirs["generation"]) == (stream, generation), theirs
        else:
            assert stream in (None, theirs["stream"]), theirs
            self.send(join(self.prefaces, session, theirs["stream"], theirs["generation"], taken,
                           acks))
        self.session, self.stream, self.generation = session, theirs["stream"], theirs["generation"]
        return theirs

    def join_stream(self, first, stream=None, generation=1, session=None):
        """Makes this connection a further one of the session of `first`."""
        self.prove(first.key, join=True)
        theirs = self.exchange_joins(session or first.session, stream, generation)
        assert theirs["stream"] > 0 and theirs["taken"] == theirs["acks"] == 0, theirs
        return self

    def again(self, lost, generation=None, tell=True):
        """Makes this connection the first one of the session, in place of one that is lost. What the program has
        not counted is not said again by this: see replay(). ACKs that it has not heard are, if this is to `tell`."""
        self.prove(lost.key, join=True)
        # What was taken before the loss stays taken, also if this one is lost again.
        self.taken = self.told = lost.taken
        self.said, self.counting = lost.said, lost.counting
        self.acks_said, self.acks_taken = lost.acks_said, lost.acks_taken
        acks = len(self.acks_said) if self.role == RECEIVER else self.acks_taken
        theirs = self.exchange_joins(lost.session, 0, generation or lost.generation + 1, self.taken, acks)
        assert lost.they_took <= theirs["taken"] <= max(len(self.said), lost.they_took), theirs
        assert theirs["generation"] > lost.generation, theirs
        self.they_took = theirs["taken"]
        if self.role == RECEIVER:
            assert theirs["acks"] <= acks, theirs
            self.retold = acks - theirs["acks"]
            if tell:
                self.send(*self.acks_said[theirs["acks"]:])
        else:
            assert theirs["acks"] >= acks, theirs
            self.retold = theirs["acks"] - acks
        self.first = True
        return self

    def replay(self):
        """Says again what the program has not counted. Only for what was said with say()."""
        self.send(*self.said[self.they_took:])
        return self


def connect(port, role, **options):
    return Peer(socket.create_connection(("127.0.0.1", port), 10), role, True, **options)


class Listener:
    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(20)
        self.port = self.socket.getsockname()[1]

    def accept(self, role, **options):
        connection, _ = self.socket.accept()
        return Peer(connection, role, False, **options)

    def close(self):
        self.socket.close()


# --- honest drivers

class Sent:
    """The frames of one file, and what it adds to the totals."""

    def __init__(self, entry_id, name, content, block_size=MIB, with_digest=False, **info):
        self.id, self.size = entry_id, len(content)
        self.announce = entry(entry_id, name, len(content), **info)
        self.cuts = [(at, content[at:at + block_size]) for at in range(0, len(content), block_size)]
        self.blocks = [block(entry_id, at, piece) for at, piece in self.cuts]
        self.sum = digest_sum(block_part(at, len(piece), xxh128(piece)) for at, piece in self.cuts)
        self.end = end(entry_id, self.size, self.sum, xxh128(content) if with_digest else None)
        self.part = entry_part(entry_id, self.size, self.sum)

    def frames(self):
        """In one go. An honest sender of several blocks waits for their ACKs before END."""
        return [self.announce, *self.blocks, self.end]


def fin_of(sent):
    return fin(max((one.id for one in sent), default=0))


def totals_of(sent):
    """Entries, bytes, root: what the verdict has when all of them are good."""
    return len(sent), sum(one.size for one in sent), digest_sum(one.part for one in sent)


def collect_acks(peer, entry_id, offsets):
    """Reads on until these blocks are acknowledged. Returns the other frames that came."""
    missing, others = set(offsets), []
    while missing:
        frame = peer.read()
        if frame.kind == ERROR:
            raise Told(frame)
        if frame.kind == ACK and frame.entry == entry_id and frame.offset in missing:
            assert frame.body == b"", "an earlier copy, but there is none"
            missing.remove(frame.offset)
        else:
            others.append(frame)
    return others


def up_to_verdict(peer, sent, results=None):
    """From FIN on, or before: reads on up to the VERDICT. Every entry has got exactly one result by then, a good
    one. ACKs are passed over."""
    out = dict(results or {})
    while True:
        frame = peer.read()
        if frame.kind == ERROR:
            raise Told(frame)
        if frame.kind == VERDICT:
            break
        if frame.kind == RESULTS:
            for entry_id, one in read_results(frame.body).items():
                assert entry_id not in out, f"a second result of {entry_id}"
                out[entry_id] = one
        else:
            assert frame.kind == ACK, frame
    assert sorted(out) == sorted(one.id for one in sent), out
    verdict_ = read_verdict(frame.body)
    if all(one["status"] == 0 and not one["skipped"] for one in out.values()):
        entries, size, root = totals_of(sent)
        assert (verdict_["entries"], verdict_["bytes"], verdict_["root"]) == (entries, size, root), verdict_
    return verdict_


def send_files(peer, files, **options):
    """Sends a list of (name, content) and returns the verdict."""
    sent = [Sent(i, name, content, **options) for i, (name, content) in enumerate(files, 1)]
    results_ = {}
    for one in sent:
        peer.say(one.announce, *one.blocks)
        if len(one.blocks) > 1:
            for frame in collect_acks(peer, one.id, [at for at, _ in one.cuts]):
                if frame.kind == RESULTS:
                    results_.update(read_results(frame.body))
        peer.say(one.end)
    peer.say(fin_of(sent))
    out = up_to_verdict(peer, sent, results_)
    peer.say(bye(out["status"]))
    return out


class Received:
    """What has come of one entry."""

    def __init__(self, frame):
        self.id, self.info, self.content = frame.entry, read_entry(frame.body), bytearray()
        self.parts, self.wrong, self.end, self.pending = {}, set(), None, None

    def complete(self):
        return self.end is not None and not self.wrong and self.pending is None

    def part(self):
        return entry_part(self.id, self.end.offset, digest_sum(self.parts.values()))

    def take(self, peer, frame, spoil):
        """One frame. True when a digest was called wrong, so that the block is asked for again."""
        if frame.kind == DATA:
            assert self.pending is None and bool(frame.flags & RESENT) == (frame.offset in self.wrong), frame.flags
            self.content[frame.offset:frame.offset + frame.length] = frame.body
            self.pending = frame
        elif frame.kind == HOLE:
            length = int.from_bytes(frame.body, "big")
            assert frame.offset == len(self.content)
            self.content += bytes(length)
        elif frame.kind == DIGEST:
            data_, self.pending = self.pending, None
            length, value = int.from_bytes(frame.body[:4], "big"), frame.body[4:]
            assert frame.offset == data_.offset and xxh128(data_.body[:length]) == value
            if spoil:
                self.wrong.add(frame.offset)
                peer.send(retry(self.id, frame.offset, length))
                return True
            self.wrong.discard(frame.offset)
            self.parts[frame.offset] = block_part(frame.offset, length, value)
            peer.send(ack(self.id, frame.offset))
        else:
            assert frame.kind == END and self.end is None, frame
            self.end = frame
        return False

    def check(self):
        info = read_end(self.end.body)
        assert info["failure"] == 0 and info["sum"] == digest_sum(self.parts.values()), info
        assert self.end.offset == len(self.content) or info["changed"], info
        assert not info["has_digest"] or info["digest"] == xxh128(bytes(self.content))


def receive_entries(peer, spoil=0, on_end=True, first=None):
    """All entries up to FIN, each acknowledged by blocks, and answered with a good result if on_end, when it is
    complete. The first `spoil` digests are called wrong. Returns them and FIN. `first`: frames read already."""
    entries, waiting = {}, collections.deque(first or [])
    while True:
        frame = waiting.popleft() if waiting else peer.read()
        if frame.kind == FIN:
            assert all(e.complete() for e in entries.values()), "FIN before the end of an entry"
            assert read_fin(frame.body)["entries"] == len(entries)
            return [entries[i] for i in sorted(entries)], frame
        if frame.kind == ENTRY:
            assert frame.entry == len(entries) + 1, frame
            entries[frame.entry] = Received(frame)
            continue
        if frame.kind == ERROR:
            raise Told(frame)
        got = entries[frame.entry]
        if got.take(peer, frame, spoil > 0):
            spoil -= 1
        if got.complete():
            got.check()
            if on_end:
                peer.say(result(got.id))


def receive_entry(peer, spoil=0, on_end=True):
    """The only entry of a session, up to its END and the last mended block."""
    frame = peer.expect(ENTRY)
    got = Received(frame)
    while not got.complete():
        frame = peer.read()
        if frame.kind == ERROR:
            raise Told(frame)
        assert frame.entry == got.id, frame
        if got.take(peer, frame, spoil > 0):
            spoil -= 1
    got.check()
    if on_end:
        peer.say(result(got.id))
    return got


def totals_received(entries):
    return len(entries), sum(e.end.offset for e in entries), digest_sum(e.part() for e in entries)


def receive_files(peer, spoil=0):
    """Receives everything, says the verdict, and returns [(name, content, info)]."""
    entries, _ = receive_entries(peer, spoil)
    peer.say(verdict(*totals_received(entries), retransmitted=spoil))
    assert peer.expect(BYE).body == b"\0"
    peer.end_sending()
    return [(e.info["name"], bytes(e.content), e.info) for e in entries]
