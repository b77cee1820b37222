"""Digests that do not match: once is mended, always is status 8 and the old file stays (N29, N30)."""
import speaker as s
from harness import cases, hostile_sender, main, test, zrecv

CONTENT = bytes(range(256)) * 16
SENT = s.Sent(1, "f", CONTENT)
OLD = {"f": b"old content"}
WRONG = bytes(16)
TWO = s.Sent(2, "g", b"second")


def conclude(peer, sent, status=0):
    """From FIN on, when every result has come: the verdict, and BYE with this status."""
    peer.send(s.fin_of(sent))
    while (frame := peer.read()).kind == s.ACK:
        pass
    assert frame.kind == s.VERDICT, frame
    verdict = s.read_verdict(frame.body)
    peer.send(s.bye(status))
    return verdict


def until_result(peer, answer):
    """Calls answer(frame) for each RETRY up to the RESULTS of entry 1, whose status it returns, and how often."""
    count = 0
    while True:
        frame = peer.read()
        if frame.kind == s.RESULTS:
            return s.read_results(frame.body)[1]["status"], count
        if frame.kind == s.ACK:
            continue
        if frame.kind == s.ERROR:
            raise s.Told(frame)
        assert frame.kind == s.RETRY and frame.entry == 1, frame
        count += 1
        assert count < 50, "asked again without end"
        answer(frame)


@cases([("the digest", CONTENT, WRONG, False), ("the content", CONTENT[:-1] + b"!", None, False),
        ("the digest, and END comes before the mended block", CONTENT, WRONG, True),
        ("the content, and END comes before the mended block", CONTENT[:-1] + b"!", None, True)])
def wrong_once(content, value, early_end):
    """END comes once; when it is early it is held until all of the content is there."""
    with zrecv(existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        peer.send(SENT.announce, s.data(1, 0, content), s.digest(1, 0, CONTENT, value=value))
        if early_end:
            peer.send(SENT.end)
        status, count = until_result(peer, lambda f: peer.send(
            s.block(1, 0, CONTENT, s.RESENT), b"" if early_end else SENT.end))
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
        peer.meet()
        middle = content[s.MIB:2 * s.MIB]
        peer.send(sent.announce, sent.blocks[0], s.data(1, s.MIB, bytes(s.MIB)),
                  s.digest(1, s.MIB, middle), sent.blocks[2])
        # Answers come in the order of the blocks.
        answers = [peer.read() for _ in range(3)]
        assert [(f.kind, f.offset) for f in answers] == [
            (s.ACK, 0), (s.RETRY, s.MIB), (s.ACK, 2 * s.MIB)], answers
        assert int.from_bytes(answers[1].body, "big") == s.MIB
        peer.send(s.block(1, s.MIB, middle, s.RESENT))
        s.collect_acks(peer, 1, [s.MIB])
        peer.send(sent.end)
        assert until_result(peer, None) == (0, 0)
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
        conclude(peer, [SENT], s.INTEGRITY)
    hostile_sender(script, s.INTEGRITY, "dst/f'", "arrived damaged", existing=existing, told=False)


@test
def wrong_always_beside_a_good_file():
    def script(peer):
        bad = s.digest(1, 0, CONTENT, value=WRONG)
        peer.send(SENT.announce, s.data(1, 0, CONTENT), bad)
        status, _ = until_result(peer, lambda f: peer.send(s.data(1, 0, CONTENT, s.RESENT), bad))
        assert status == s.INTEGRITY
        peer.send(*TWO.frames(), s.fin(2))
        while (frame := peer.read()).kind == s.ACK:
            pass
        assert frame.kind == s.RESULTS and s.read_results(frame.body)[2]["status"] == 0, frame
        assert s.read_verdict(peer.expect(s.VERDICT).body)["entries"] == 1
        peer.send(s.bye(s.PARTIAL))
    hostile_sender(script, s.PARTIAL, "arrived damaged", existing=OLD, files={"g": b"second"},
                   terms={"flags": s.SEVERAL}, told=False)


@test
def damaged_and_then_what_is_left_of_it():
    """What still arrives of an entry that has failed is read, dropped and acknowledged."""
    def script(peer):
        bad = s.digest(1, 0, CONTENT, value=WRONG)
        peer.send(SENT.announce, s.data(1, 0, CONTENT), bad)
        until_result(peer, lambda f: peer.send(s.data(1, 0, CONTENT, s.RESENT), bad))
        # The answer to the last copy may come before or after its result.
        peer.send(s.block(1, 0, CONTENT, s.attempt(1)), s.block(1, 0, CONTENT, s.RESENT), SENT.end)
        s.collect_acks(peer, 1, [0])
        s.collect_acks(peer, 1, [0])
        conclude(peer, [SENT], s.INTEGRITY)
    hostile_sender(script, s.INTEGRITY, "arrived damaged", existing=OLD, told=False)


@test
def an_end_that_is_held_comes_to_nothing():
    """END and FIN, but not the block that was asked for: the session waits for it, and nothing is committed."""
    def script(peer):
        peer.send(SENT.announce, s.data(1, 0, CONTENT), s.digest(1, 0, CONTENT, value=WRONG),
                  SENT.end, s.fin_of([SENT]))
        peer.expect(s.RETRY)
    hostile_sender(script, s.NETWORK, "not made again within 1 s", existing=OLD, told=False, options=["--timeout=1"])


@test
def two_ends_while_damaged():
    def script(peer):
        peer.send(SENT.announce, s.data(1, 0, CONTENT), s.digest(1, 0, CONTENT, value=WRONG), SENT.end, SENT.end)
    hostile_sender(script, s.PROTOCOL, "peer sent END twice", existing=OLD)


@test
def bye_while_damaged():
    def script(peer):
        peer.send(SENT.announce, s.data(1, 0, CONTENT), s.digest(1, 0, CONTENT, value=WRONG),
                  SENT.end, s.fin_of([SENT]), s.bye())
    hostile_sender(script, s.PROTOCOL, "peer sent BYE", existing=OLD)


@test
def more_damaged_entries_than_files_may_be_open():
    """16 wait for their block, open; the others fail, and the session goes on."""
    files = [(b"f%d" % i, b"content of %d" % i) for i in range(1, 21)]
    sent = [s.Sent(i, name, content) for i, (name, content) in enumerate(files, 1)]
    with zrecv(existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(flags=s.SEVERAL)
        for one, (_, content) in zip(sent, files):
            peer.send(one.announce, s.data(one.id, 0, content), s.digest(one.id, 0, content, value=WRONG), one.end)
        asked, results = set(), {}
        while len(asked) + len(results) < len(sent):
            frame = peer.read()
            if frame.kind == s.RETRY:
                asked.add(frame.entry)
            elif frame.kind == s.RESULTS:
                results.update(s.read_results(frame.body))
            else:
                assert frame.kind == s.ACK and frame.entry not in asked, frame
        assert asked == set(range(1, 17)) and set(results) == {17, 18, 19, 20}, (asked, results)
        assert {one["status"] for one in results.values()} == {s.INTEGRITY}
        for one, (_, content) in zip(sent[:16], files):
            peer.send(s.block(one.id, 0, content, s.RESENT))
        peer.send(s.fin_of(sent))
        while (frame := peer.read()).kind != s.VERDICT:
            assert frame.kind in (s.ACK, s.RESULTS), frame
        verdict = s.read_verdict(frame.body)
        assert (verdict["status"], verdict["entries"], verdict["retransmitted"]) == (s.PARTIAL, 16, 20), verdict
        peer.send(s.bye(s.PARTIAL))
        run.expect(s.PARTIAL, files={**OLD, **{name.decode(): content for name, content in files[:16]}})
        peer.close()


@test
def block_sum_wrong_though_blocks_right():
    def script(peer):
        peer.send(SENT.announce, *SENT.blocks, s.end(1, len(CONTENT), WRONG))
        assert until_result(peer, None) == (s.INTEGRITY, 0)
        conclude(peer, [SENT], s.INTEGRITY)
    hostile_sender(script, s.INTEGRITY, "do not add up", existing=OLD, told=False)


@test
def file_digest_wrong_though_blocks_right():
    def script(peer):
        peer.send(SENT.announce, *SENT.blocks, s.end(1, len(CONTENT), SENT.sum, WRONG))
        assert until_result(peer, None) == (s.INTEGRITY, 0)
        conclude(peer, [SENT], s.INTEGRITY)
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
        peer.send(s.data(1, 5, CONTENT[5:], s.RESENT))
    hostile_sender(script, s.PROTOCOL, "not asked for", existing=OLD)


@cases([(str(status), status) for status in s.STATUSES if status])
def sender_gives_an_entry_up(status):
    """END with a failure: its words reach the terminal harmlessly, its status is the outcome."""
    def script(peer):
        peer.send(SENT.announce, s.block(1, 0, CONTENT[:100]),
                  s.end(1, 100, failure=status, reason=b"\x1b[2J\r\x9bowned\n\xc2\x9b%n"))
        assert until_result(peer, None)[0] == status
        conclude(peer, [SENT], status)
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
        peer.meet(build=build)
        peer.send(*SENT.frames(), s.fin(1, why))
        s.up_to_verdict(peer, [SENT])
        peer.send(s.bye())
        peer.hear()
        run.expect(0, "build", "engine", files={"f": CONTENT})
        peer.close()


if __name__ == "__main__":
    main()
