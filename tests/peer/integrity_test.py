"""Digests that do not match: once is mended, always is status 8 and the old file stays (N29, N30)."""
import speaker as s
from harness import cases, hostile_sender, main, test, zrecv

CONTENT = bytes(range(256)) * 16
SENT = s.Sent(1, "f", CONTENT)
OLD = {"f": b"old content"}
WRONG = bytes(16)
TWO = s.Sent(2, "g", b"second")


def conclude(peer, sent, status=0):
    peer.send(s.fin_of(sent))
    verdict = s.read_totals(peer.expect(s.VERDICT).body, True)
    peer.send(s.bye(status))
    return verdict


def until_result(peer, answer):
    """Calls answer(frame) for each RETRY up to the RESULT, whose status it returns, and how often."""
    count = 0
    while True:
        frame = peer.read()
        if frame.kind == s.RESULT:
            return s.read_result(frame.body)["status"], count
        if frame.kind == s.ACK:
            continue
        if frame.kind == s.ERROR:
            raise s.Told(frame)
        assert frame.kind == s.RETRY and frame.entry == 1, frame
        count += 1
        assert count < 50, "asked again without end"
        answer(frame)


@cases([("the digest", CONTENT, WRONG, None), ("the content", CONTENT[:-1] + b"!", None, None),
        ("the digest, and END comes before the mended block", CONTENT, WRONG, True)])
def wrong_once(content, value, early_end):
    with zrecv(existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(sources=1)
        peer.send(SENT.announce, s.data(1, 0, content), s.digest(1, 0, CONTENT, value=value))
        if early_end:
            peer.send(SENT.end)
        status, count = until_result(peer, lambda f: peer.send(
            s.block(1, 0, CONTENT, s.RESENT), SENT.end))
        assert (status, count) == (0, 1)
        verdict = conclude(peer, [SENT])
        assert (verdict["status"], verdict["retransmitted"]) == (0, 1)
        run.expect(0, files={"f": CONTENT})
        assert run.summary()["retransmitted_blocks"] == 1
        peer.close()


@test
def one_block_of_many_wrong_once():
    content = CONTENT * 600
    sent = s.Sent(1, "f", content)
    assert len(sent.blocks) == 3
    with zrecv("--digest", existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(sources=1)
        middle = content[s.MIB:2 * s.MIB]
        peer.send(sent.announce, sent.blocks[0], s.data(1, s.MIB, bytes(s.MIB)),
                  s.digest(1, s.MIB, middle), sent.blocks[2], sent.end)

        def answer(frame):
            assert (frame.offset, int.from_bytes(frame.body, "big")) == (s.MIB, s.MIB)
            peer.send(s.block(1, s.MIB, middle, s.RESENT), sent.end)
        assert until_result(peer, answer) == (0, 1)
        conclude(peer, [sent])
        run.expect(0, files={"f": content})
        assert run.summary()["digest"] == s.xxh128(content).hex()
        peer.close()


@cases([("with an old file", OLD), ("without", {})])
def wrong_always(existing):
    def script(peer):
        bad = s.digest(1, 0, CONTENT, value=WRONG)
        peer.send(SENT.announce, s.data(1, 0, CONTENT), bad)
        status, count = until_result(peer, lambda f: peer.send(
            s.data(1, 0, CONTENT, s.RESENT), bad))
        assert (status, count) == (s.INTEGRITY, 3)
        conclude(peer, [], s.INTEGRITY)
    hostile_sender(script, s.INTEGRITY, "dst/f'", "arrived damaged", existing=existing, told=False)


@test
def wrong_always_beside_a_good_file():
    def script(peer):
        bad = s.digest(1, 0, CONTENT, value=WRONG)
        peer.send(SENT.announce, s.data(1, 0, CONTENT), bad)
        status, _ = until_result(peer, lambda f: peer.send(s.data(1, 0, CONTENT, s.RESENT), bad))
        assert status == s.INTEGRITY
        peer.send(*TWO.frames())
        peer.expect(s.RESULT)
        assert conclude(peer, [TWO], s.PARTIAL)["entries"] == 1
    hostile_sender(script, s.PARTIAL, "arrived damaged", existing=OLD, files={"g": b"second"},
                   terms={"sources": 2}, told=False)


@test
def fin_that_counts_the_damaged_file_all_the_same():
    def script(peer):
        bad = s.digest(1, 0, CONTENT, value=WRONG)
        peer.send(SENT.announce, s.data(1, 0, CONTENT), bad)
        until_result(peer, lambda f: peer.send(s.data(1, 0, CONTENT, s.RESENT), bad))
        peer.send(s.fin_of([SENT]), s.bye())
    hostile_sender(script, s.INTEGRITY, existing=OLD)


@test
def end_while_damaged_does_not_count():
    """ENDs instead of the block that was asked for."""
    def script(peer):
        peer.send(SENT.announce, s.data(1, 0, CONTENT), s.digest(1, 0, CONTENT, value=WRONG),
                  SENT.end, SENT.end, s.fin_of([SENT]), s.bye())
    hostile_sender(script, s.PROTOCOL, "before every entry had its result", existing=OLD)


@test
def block_sum_wrong_though_blocks_right():
    def script(peer):
        peer.send(SENT.announce, *SENT.blocks, s.end(1, len(CONTENT), WRONG))
        assert until_result(peer, None) == (s.INTEGRITY, 0)
        conclude(peer, [], s.INTEGRITY)
    hostile_sender(script, s.INTEGRITY, "do not add up", existing=OLD, told=False)


@test
def file_digest_wrong_though_blocks_right():
    def script(peer):
        peer.send(SENT.announce, *SENT.blocks, s.end(1, len(CONTENT), SENT.sum, WRONG))
        assert until_result(peer, None) == (s.INTEGRITY, 0)
        conclude(peer, [], s.INTEGRITY)
    hostile_sender(script, s.INTEGRITY, "the digest of the file differs", options=["--digest"],
                   existing=OLD, told=False)


@test
def mended_block_of_another_length():
    def script(peer):
        peer.send(SENT.announce, s.data(1, 0, CONTENT), s.digest(1, 0, CONTENT, value=WRONG))
        peer.expect(s.RETRY)
        peer.send(s.block(1, 0, CONTENT[:100], s.RESENT))
    hostile_sender(script, s.PROTOCOL, "not asked for", existing=OLD)


@test
def mended_block_at_another_offset():
    def script(peer):
        peer.send(SENT.announce, s.data(1, 0, CONTENT), s.digest(1, 0, CONTENT, value=WRONG))
        peer.expect(s.RETRY)
        peer.send(s.data(1, 5, CONTENT, s.RESENT))
    hostile_sender(script, s.PROTOCOL, "not asked for", existing=OLD)


@cases([(str(status), status) for status in s.STATUSES if status])
def sender_gives_an_entry_up(status):
    """END with a failure: its words reach the terminal harmlessly, its status is the outcome."""
    def script(peer):
        peer.send(SENT.announce, s.block(1, 0, CONTENT[:100]),
                  s.end(1, 100, failure=status, reason=b"\x1b[2J\r\x9bowned\n\xc2\x9b%n"))
        assert until_result(peer, None)[0] == status
        conclude(peer, [], status)
    hostile_sender(script, status, "owned", existing=OLD, told=False)


@cases([(str(status), status) for status in s.STATUSES if status])
def sender_says_error(status):
    def script(peer):
        peer.send(SENT.announce, SENT.blocks[0], s.error(status, b"\x1b]0;x\x07\x9b2Jwhy\n\xe2\x80\xae"))
    hostile_sender(script, status, "peer: ", "why", existing=OLD, told=False)


@test
def hostile_words_in_the_report_of_a_good_session():
    build = b"\x1b[2J\r\x07\x9bbuild\xe2\x80\xae"
    why = s.path_report(b"\x1b[1A\x9b1engine", b"\x07tls", b"\x1b]0;why\x07\r\n" * 9)
    with zrecv("-v", "-v") as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(sources=1, build=build)
        peer.send(*SENT.frames(), s.fin(1, len(CONTENT), s.digest_sum([SENT.part]), why), s.bye())
        peer.hear()
        run.expect(0, "build", "engine", files={"f": CONTENT})
        peer.close()


if __name__ == "__main__":
    main()
