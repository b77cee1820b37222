"""Entries of unknown length: what zrecv takes and acknowledges."""
import os

import speaker as s
from harness import cases, hostile_sender, main, test, zrecv

OPEN_ENDED = 2
CONTENT = os.urandom(3 * s.MIB + 5)
OLD = {"f": b"old content"}
WRONG = bytes(16)


def announce(size=0, flags=OPEN_ENDED):
    return s.entry(1, "f", size, flags=flags)


def blocks_of(content, *lengths):
    """Blocks of these lengths, the last as long as what is left."""
    cuts, at = [], 0
    for length in (*lengths, len(content)):
        if content[at:at + length]:
            cuts.append((at, content[at:at + length]))
        at += length
    return cuts


def sums(cuts):
    size = sum(len(piece) for _, piece in cuts)
    total = s.digest_sum(s.block_part(at, len(piece), s.xxh128(piece)) for at, piece in cuts)
    return size, total


def conclude(peer, cuts):
    size, total = sums(cuts)
    peer.send(s.end(1, size, total), s.fin(1))
    assert s.read_result(peer.expect(s.RESULTS).body)["status"] == 0
    verdict = s.read_verdict(peer.expect(s.VERDICT).body)
    assert (verdict["bytes"], verdict["root"]) == (size, s.digest_sum([s.entry_part(1, size, total)])), verdict
    peer.send(s.bye())


@cases([("no guess", 0), ("a guess that is too small", 7), ("one that is right", len(CONTENT)),
        ("one that no disk has room for", 1 << 62)])
def any_size(guess):
    """Each block is acknowledged by itself, whatever was announced."""
    cuts = blocks_of(CONTENT, 1, s.MIB, 4095)
    with zrecv("--digest", existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        peer.send(announce(guess))
        for at, piece in cuts:
            peer.send(s.block(1, at, piece))
            assert peer.expect(s.ACK).offset == at
        conclude(peer, cuts)
        run.expect(0, files={"f": CONTENT})
        assert run.summary()["digest"] == s.xxh128(CONTENT).hex()
        assert os.stat(os.path.join(run.dst, "f")).st_mode & 0o777 == 0o644
        peer.close()


@test
def nothing_at_all():
    with zrecv(existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        peer.send(announce())
        conclude(peer, [])
        run.expect(0, files={"f": b""})
        peer.close()


@test
def a_damaged_block_among_others():
    """Each block has its own answer, in their order; the mended one last."""
    cuts = blocks_of(CONTENT, 1000, 1000, 1000)
    with zrecv(existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        (a, first), (b, second), (c, third), (d, rest) = cuts[:3] + [(3000, CONTENT[3000:3500])]
        peer.send(announce(), s.block(1, a, first), s.data(1, b, second), s.digest(1, b, second, value=WRONG),
                  s.block(1, c, third), s.block(1, d, rest))
        seen = [peer.read() for _ in range(4)]
        assert [(f.kind, f.offset) for f in seen] == [
            (s.ACK, 0), (s.RETRY, 1000), (s.ACK, 2000), (s.ACK, 3000)], seen
        peer.send(s.block(1, b, second, s.RESENT))
        assert peer.expect(s.ACK).offset == 1000
        conclude(peer, [(a, first), (b, second), (c, third), (d, rest)])
        run.expect(0, files={"f": CONTENT[:3500]})
        peer.close()


@cases([("with a failed command", 11), ("with a read error", 6)])
def the_source_fails(status):
    def script(peer):
        peer.send(announce(), s.block(1, 0, CONTENT[:1000]))
        assert peer.expect(s.ACK).offset == 0
        peer.send(s.end(1, 1000, bytes(16), failure=status, reason=b"the command ended with \x1b[2J"))
        assert s.read_result(peer.expect(s.RESULTS).body)["status"] == status
        peer.send(s.fin(1))
        assert s.read_verdict(peer.expect(s.VERDICT).body)["status"] == status
        peer.send(s.bye(status))
    hostile_sender(script, status, "the command ended with", existing=OLD, told=False)


BLOCK = s.block(1, 0, CONTENT[:1000])


@cases([
    ("holes announced", [announce(flags=3)], "flags"),
    ("a hole", [announce(), BLOCK, s.hole(1, 1000, 1)], "HOLE"),
    ("a gap", [announce(), BLOCK, s.block(1, 1001, b"x")], "out of order"),
    ("an overlap", [announce(), BLOCK, s.block(1, 999, b"x")], "out of order"),
    ("past all files", [announce(1 << 62), s.block(1, (1 << 63) - 1, b"x")], "past the announced"),
    ("END before what is verified", [announce(), BLOCK, s.end(1, 999, sums([(0, CONTENT[:1000])])[1])], "END"),
    ("END after it", [announce(), BLOCK, s.end(1, 1001, sums([(0, CONTENT[:1000])])[1])], "END"),
])
def refused(frames, words):
    hostile_sender(lambda peer: peer.send(*frames), s.PROTOCOL, words, existing=OLD)


if __name__ == "__main__":
    main()
