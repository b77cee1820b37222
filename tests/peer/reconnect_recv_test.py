"""The first connection of a session with a zrecv is lost and made again: at each moment, in each way. What was not counted
comes again, blocks without an ACK too, and nothing counts twice."""
import os

import speaker as s
from harness import cases, main, test, zrecv
from reconnecting import CONTENT, FORMS, KEY, OLD, ONE, Session, peeked, until



@cases([(f"{form}, {'key' if key else 'no key'}, {how}", form, key, how) for form in FORMS for key in (None, KEY)
        for how in ("end", "reset", "still open")])
def at_each_moment(form, key, how):
    """Before the first ENTRY, after each frame or block, twice in a row, before and after FIN."""
    if form == "connects" and how == "still open":
        how = "end"  # only a listener can be surprised
    with Session(form, key=key, flags=s.SEVERAL) as session:
        sent = [s.Sent(1, "f", CONTENT), s.Sent(2, "g", CONTENT[:100])]
        session.lose(how)
        for one in sent:
            session.peer.say(one.announce)
            session.lose(how)
            for at, content in one.cuts:
                session.send_block(one.id, at, content)
                session.lose(how)
                session.lose(how)
            session.collect()
            session.peer.say(one.end)
            session.lose(how)
        session.peer.say(s.fin_of(sent))
        session.lose(how)
        while session.verdict is None:
            session.note(session.peer.read())
        session.lose(how)
        session.up_to_bye(sent)
        session.run.expect(0, files={"f": CONTENT, "g": CONTENT[:100]})
        assert session.run.summary()["reconnects"] == session.losses


@cases([(f"{form}, {name}", form, cut) for form in FORMS
        for name, cut in (("in a header", 16), ("after the header", 32), ("in the content", 500_000),
                          ("before the DIGEST", 32 + s.MIB), ("in the DIGEST", 32 + s.MIB + 20))])
def in_the_middle_of_a_block(form, cut):
    with Session(form) as session:
        session.peer.say(ONE.announce)
        session.waiting[1, 0] = ONE.cuts[0][1], 0
        session.peer.send(ONE.blocks[0][:cut])
        session.lose()
        session.finish(first=1)


@cases([("a message", lambda: ONE.announce), ("its last byte", None)])
def in_the_middle_of(what):
    """Half a message is not taken."""
    with Session("listens") as session:
        session.peer.said = [ONE.announce]
        session.peer.send(ONE.announce[:-1] if what is None else what()[:40])
        session.lose()
        assert session.peer.they_took == 0
        session.finish(first=0)


@test
def a_damaged_block_and_the_loss():
    """What was asked for again is forgotten with the connection; the whole block comes, and is no resent one."""
    with Session("listens") as session:
        session.peer.say(ONE.announce)
        broken = bytes([CONTENT[0] ^ 1]) + CONTENT[1:s.MIB]
        session.peer.send(s.data(1, 0, broken), s.digest(1, 0, CONTENT[:s.MIB]))
        session.peer.expect(s.RETRY)
        session.waiting[1, 0] = CONTENT[:s.MIB], 0
        session.lose()
        session.collect()
        session.finish(first=1)


@test
def a_source_that_was_cut_before_a_block_came_again():
    """What had come behind the block counts for nothing; the entry is the shorter one, and others go on."""
    with Session("listens", flags=s.SEVERAL) as session:
        session.peer.say(ONE.announce)
        session.send_block(1, 0, CONTENT[:s.MIB])
        broken = bytes([CONTENT[s.MIB] ^ 1]) + CONTENT[s.MIB + 1:2 * s.MIB]
        session.peer.send(s.data(1, s.MIB, broken), s.digest(1, s.MIB, CONTENT[s.MIB:2 * s.MIB]))
        session.send_block(1, 2 * s.MIB, CONTENT[2 * s.MIB:3 * s.MIB])
        until(lambda: s.RETRY in peeked(session.peer) and peeked(session.peer).count(s.ACK) == 2)
        session.lose("reset")
        kept = CONTENT[s.MIB:s.MIB + 30]
        session.waiting[1, s.MIB] = kept, 1
        session.peer.send(s.data(1, s.MIB, kept + bytes(s.MIB - 30), s.attempt(1)), s.digest(1, s.MIB, kept))
        session.collect()
        size = s.MIB + 30
        total = s.digest_sum(s.block_part(at, len(c), s.xxh128(c)) for at, c in [(0, CONTENT[:s.MIB]), (s.MIB, kept)])
        session.peer.say(s.end(1, size, total, changed=True))
        other = s.Sent(2, "g", CONTENT[:100])
        session.send_file(other)
        session.peer.say(s.fin(2))
        while session.verdict is None:
            session.note(session.peer.read())
        assert {one["status"] for one in session.results.values()} == {0}, session.results
        assert session.verdict["status"] == s.CHANGED and session.verdict["bytes"] == size + 100, session.verdict
        session.peer.say(s.bye(s.CHANGED))
        session.run.expect(s.CHANGED, files={"f": CONTENT[:size], "g": CONTENT[:100]})


@test
def an_end_that_is_held_over_a_loss():
    """A small file in one go, its block damaged; END is taken and comes no more."""
    content = CONTENT[:1000]
    one = s.Sent(1, "f", content)
    with Session("listens") as session:
        session.peer.say(one.announce)
        session.peer.send(s.data(1, 0, bytes(1000)), s.digest(1, 0, content))
        session.peer.say(one.end)
        session.peer.expect(s.RETRY)
        session.waiting[1, 0] = content, 0
        session.lose()
        assert session.peer.they_took == 2
        session.collect()
        session.conclude([one])
        session.run.expect(0, files={"f": content})


@test
def an_ack_that_was_lost_is_told_again():
    """Its block is not sent again: also where each connection is lost behind one block there is an end. And a sender
    that sends it all the same hears which copy counts."""
    first, second = CONTENT[:s.MIB], bytes(s.MIB)
    one = s.Sent(1, "f", first)
    with zrecv(existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        peer.say(one.announce)
        peer.send(*one.blocks)
        until(lambda: any(kind == s.ACK for kind in peeked(peer)))
        peer.reset()
        for lost_again in (True, False):
            peer = s.connect(run.port, s.SENDER).again(peer)
            assert peer.retold == 1
            if lost_again:
                peer.reset()
        assert peer.expect(s.ACK).body == b""
        peer.send(s.block(1, 0, second, s.attempt(1)))
        frame = peer.expect(s.ACK)
        assert s.message(s.ACK, frame.body, 1, 0) == s.ack(1, 0, first), frame
        peer.say(one.end, s.fin(1))
        s.up_to_verdict(peer, [one])
        peer.say(s.bye())
        run.expect(0, files={"f": first})
        peer.close()


@test
def a_late_block_of_the_old_connection_has_no_effect():
    """It is on its way when the new one is there: either it came before, then the ACK says so, or it never comes."""
    for _ in range(5):
        with zrecv(existing=OLD) as run:
            old = s.connect(run.port, s.SENDER)
            old.meet()
            old.say(s.entry(1, "f", 2 * s.MIB))
            other, content = bytes(s.MIB), CONTENT[:s.MIB]
            old.send(s.block(1, 0, other))
            peer = s.connect(run.port, s.SENDER).again(old)
            peer.replay()
            # Whatever is still sent over the old one is for nobody.
            old.send(s.block(1, s.MIB, other))
            pieces = [content, content]
            if peer.retold > 0:
                assert peer.retold == 1 and peer.expect(s.ACK).offset == 0
                pieces[0] = other
            else:
                peer.send(s.block(1, 0, content, s.attempt(1)))
                assert peer.expect(s.ACK).offset == 0
            peer.send(s.block(1, s.MIB, content, s.attempt(1)))
            assert peer.expect(s.ACK).offset == s.MIB
            one = s.Sent(1, "f", b"".join(pieces))
            peer.say(one.end, s.fin(1))
            s.up_to_verdict(peer, [one])
            peer.say(s.bye())
            run.expect(0, files={"f": b"".join(pieces)})
            old.close()
            peer.close()


@cases([(form, form) for form in FORMS])
def what_zrecv_says_comes_again(form):
    """RESULTS and VERDICT that were lost, as often as that happens, and each of them once."""
    with Session(form) as session:
        session.send_file(ONE)
        session.peer.say(s.fin(1))
        for _ in range(3):
            until(lambda: s.VERDICT in peeked(session.peer))
            kinds = [k for k in peeked(session.peer) if k in s.COUNTED]
            assert kinds == [s.RESULTS, s.VERDICT], kinds
            session.lose("reset")
        session.note(session.peer.expect(s.RESULTS))
        # The verdict is not said to be taken.
        session.lose("reset")
        session.note(session.peer.expect(s.VERDICT))
        session.lose("end")
        session.up_to_bye([ONE])
        session.run.expect(0, files={"f": CONTENT})
        assert session.run.summary()["reconnects"] == 5


@cases([(form, form) for form in FORMS])
def an_end_instead_of_bye(form):
    """Without TLS the end that follows BYE is the word that it was heard. Who has not heard it answers with a reset."""
    with Session(form) as session:
        session.send_file(ONE)
        session.peer.say(s.fin(1))
        while session.verdict is None:
            session.note(session.peer.read())
        lost = session.peer
        lost.end_sending()
        try:
            raise AssertionError(f"not a reset: {lost.socket.recv(1)}")
        except ConnectionResetError:
            pass
        session.lose("reset")
        session.up_to_bye([ONE])
        session.run.expect(0, files={"f": CONTENT})


@cases([(form, form) for form in FORMS])
def a_hundred_losses_hold_no_descriptor(form):
    with Session(form) as session:
        descriptors = []
        for _ in range(100):
            session.lose()
            descriptors.append(len(os.listdir(f"/proc/{session.run.process.pid}/fd")))
        assert max(descriptors) < descriptors[0] + 20, descriptors
        session.finish()


@cases([(form, form) for form in FORMS])
def an_attempt_of_our_own_that_was_lost(form):
    """Before JOIN, after it, and after the answer; the next one has a higher generation and goes on."""
    with Session(form, key=KEY) as session:
        lost = session.peer
        lost.reset()
        for steps in (0, 1, 2):
            peer = session.fresh()
            if steps >= 1:
                peer.prove(KEY, join=True)
            if steps == 2:
                peer.exchange_joins(session.id, 0, lost.generation + 5)
                lost.generation = peer.generation
            peer.reset()
        session.peer = session.fresh()
        session.peer.again(lost)
        session.send_file(ONE)
        session.conclude([ONE])
        session.run.expect(0, files={"f": CONTENT})


if __name__ == "__main__":
    main()
