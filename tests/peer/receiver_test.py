"""A hostile receiver against zsend: without the right verdict there is no success."""
import os

import speaker as s
from harness import Run, ZSEND, cases, hostile_receiver, main, test, within, zsend_to

CONTENT = os.urandom(5000)
LONG = os.urandom(24 * s.MIB)
MOST = (1 << 64) - 1
HOSTILE = b"\x1b[2J\x1b]0;t\x07\r\x9b2Jwords\n\xe2\x80\xae\xc2\x9b%n%s\xff"


def up_to_fin(peer):
    """Receives like an honest one; returns entry and totals as they should be in the verdict."""
    got, _ = s.receive_entry(peer)
    none, _ = s.receive_entry(peer)
    assert none is None
    return got, (1, got.end.offset, s.digest_sum([got.part()]))


# --- the verdict

@cases([("end", lambda p: p.close()), ("reset", lambda p: p.reset())])
def no_verdict(leave):
    def script(peer):
        up_to_fin(peer)
        leave(peer)
    hostile_receiver(script, s.NETWORK, "error: ", content=CONTENT)


VERDICTS = [
    ("another root", lambda n, size, root: s.verdict(n, size, bytes(16))),
    ("one byte less", lambda n, size, root: s.verdict(n, size - 1, root)),
    ("no bytes", lambda n, size, root: s.verdict(n, 0, root)),
    ("no entries", lambda n, size, root: s.verdict(0, size, root)),
    ("nothing at all", lambda n, size, root: s.verdict(0, 0, bytes(16))),
    ("one entry more", lambda n, size, root: s.verdict(n + 1, size, root)),
    ("2^64-1 bytes", lambda n, size, root: s.verdict(n, MOST, root)),
]


@cases(VERDICTS)
def verdict_of_something_else(make):
    def script(peer):
        _, totals = up_to_fin(peer)
        peer.send(make(*totals))
        heard = peer.hear()
        assert heard[-1].kind == s.ERROR, heard
    hostile_receiver(script, s.INTEGRITY, "committed something else", content=CONTENT)


@test
def verdict_that_is_not_durable():
    """Exit 0 says: durable to the level asked for."""
    def script(peer):
        _, totals = up_to_fin(peer)
        peer.send(s.verdict(*totals, durable=False))
        peer.hear()
    hostile_receiver(script, tuple(x for x in s.STATUSES if x != 0), "durable", content=CONTENT,
                     options=["--durability=file"])


@test
def verdict_that_is_not_durable_when_nobody_asked():
    def script(peer):
        _, totals = up_to_fin(peer)
        peer.send(s.verdict(*totals, durable=False))
        peer.expect(s.BYE)
    hostile_receiver(script, 0, content=CONTENT, options=["--durability=none"],
                     terms={"durability": 1})


@cases([(str(status), status) for status in s.STATUSES if status])
def verdict_of_failure(status):
    def script(peer):
        _, totals = up_to_fin(peer)
        peer.send(s.verdict(*totals, status=status))
        assert peer.expect(s.BYE).body == bytes([status])
    hostile_receiver(script, status, content=CONTENT)


@cases([("unknown status", s.verdict(1, 1, bytes(16), status=50), "status: unknown"),
        ("entries over the limit", s.verdict(1 << 33, 1, bytes(16)), "entries: over the limit"),
        ("engine too long", s.verdict(1, 1, bytes(16), path=s.path_report(b"e" * 49)), "over 48 bytes"),
        ("byte too many", s.message(s.VERDICT, bytes(60)), "peer sent a bad VERDICT"),
        ("empty", s.message(s.VERDICT), "message ends early"),
        ("RESULT of success in its place", s.result(1), "an entry that is not open"),
        ("RETRY in its place", s.retry(1, 0, 5000), "instead of VERDICT"),
        ("FIN in its place", s.fin(1, 1, bytes(16)), "instead of VERDICT")])
def bad_verdict(frame, words):
    def script(peer):
        up_to_fin(peer)
        peer.send(frame)
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, words, content=CONTENT)


@test
def verdict_before_fin():
    def script(peer):
        got, _ = s.receive_entry(peer, on_end=False)
        peer.send(s.verdict(1, len(CONTENT), s.digest_sum([got.part()])))
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, "peer sent VERDICT", content=CONTENT)


# --- results and retries

EARLY = [
    ("verified before the END", s.result(1), "not sent whole"),
    ("of an unknown entry", s.result(7), "not open"),
    ("of entry 0", s.result(0), "not open"),
    ("of entry 2^64-1", s.result(MOST), "not open"),
    ("of unknown status", s.result(1, status=99), "status: unknown"),
    ("reason too long", s.message(s.RESULT, b"\0\0" + s.text(b"x" * 1025), 1), "over 1024 bytes"),
    ("unknown flag", s.message(s.RESULT, b"\0\2\0\0", 1), "flags: unknown bit"),
]


@cases(EARLY)
def result_early(frame, words):
    """Comes in one packet with WELCOME, so it is there before the first block."""
    listener = s.Listener()
    with zsend_to(listener, [("f", CONTENT)]) as run:
        peer = listener.accept(s.RECEIVER)
        peer.exchange_prefaces()
        hello = s.read_terms(peer.expect(s.HELLO).body)
        peer.send(s.message(s.WELCOME, s.terms(peer.prefaces, session=hello["session"])), frame)
        heard = peer.hear()
        peer.close()
        run.expect(s.PROTOCOL, words, files={})
        assert heard[-1].kind == s.ERROR
    listener.close()


@test
def result_twice():
    def script(peer):
        s.receive_entry(peer)
        peer.send(s.result(1))
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, "peer sent", content=CONTENT)


@cases([("another offset", s.retry(1, 1, 5000)), ("another length", s.retry(1, 0, 4999)),
        ("past the end", s.retry(1, 5000, 1)), ("offset 2^64-1", s.retry(1, MOST, 5000)),
        ("an unknown entry", s.retry(2, 0, 5000)), ("entry 0", s.retry(0, 0, 5000)),
        ("entry 2^64-1", s.retry(MOST, 0, 5000))])
def retry_of_what_was_not_sent(frame):
    def script(peer):
        s.receive_entry(peer, on_end=False)
        peer.send(frame)
        heard = peer.hear()
        assert [f.kind for f in heard] == [s.ERROR], heard
    hostile_receiver(script, s.PROTOCOL, "asked again for a block that was not sent", content=CONTENT)


@cases([("length 0", s.retry(1, 0, 0), "not a block's"),
        ("length over a block", s.retry(1, 0, (16 << 20) + 1), "not a block's"),
        ("length 2^32-1", s.retry(1, 0, 0xffffffff), "not a block's")])
def malformed_retry(frame, words):
    def script(peer):
        s.receive_entry(peer, on_end=False)
        peer.send(frame)
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, words, content=CONTENT)


@test
def retry_after_the_result():
    def script(peer):
        s.receive_entry(peer)
        peer.send(s.retry(1, 0, len(CONTENT)))
        peer.hear()
    # The result and the retry may be read in either phase; both are the peer's fault.
    hostile_receiver(script, s.PROTOCOL, content=CONTENT)


@test
def one_retry_is_served():
    def script(peer):
        assert [content for _, content, _ in s.receive_files(peer, spoil=1)] == [CONTENT]

    def more(run):
        assert run.summary()["retransmitted_blocks"] == 1
    hostile_receiver(script, 0, content=CONTENT, more=more)


@test
def three_retries_of_one_block_are_served():
    def script(peer):
        assert [content for _, content, _ in s.receive_files(peer, spoil=3)] == [CONTENT]
    hostile_receiver(script, 0, content=CONTENT)


@test
def retry_for_ever():
    """An honest receiver gives a block up after three; zsend does not serve more without end."""
    def script(peer):
        s.receive_entry(peer, on_end=False)
        for _ in range(30):
            peer.send(s.retry(1, 0, len(CONTENT)))
            frame = peer.read()
            while frame.kind != s.DATA:
                if frame.kind == s.ERROR:
                    return
                frame = peer.read()
        # Not bounded: let it end in a way that is not the right one.
        peer.close()
    hostile_receiver(script, (s.PROTOCOL, s.INTEGRITY), content=CONTENT)


@cases([(str(status), status) for status in s.STATUSES if status])
def result_of_failure(status):
    """The receiver gives the only entry up, in words that must not reach the terminal."""
    def script(peer):
        s.receive_entry(peer, on_end=False)
        peer.send(s.result(1, status, reason=HOSTILE))
        peer.expect(s.FIN)
        peer.send(s.verdict(0, 0, bytes(16), status=status, durable=False))
        peer.expect(s.BYE)
    hostile_receiver(script, status, "words", content=CONTENT)


# --- errors

@cases([(f"{status}, {when}", status, when) for status in s.STATUSES if status
        for when in ("at once", "in the data", "after FIN")])
def error_of_each_class(status, when):
    def script(peer):
        if when == "after FIN":
            up_to_fin(peer)
        if when == "in the data":
            peer.receive(s.MIB)
        peer.send(s.error(status, HOSTILE))
        peer.end_sending()
        peer.drain() if when != "in the data" else [peer.receive(s.MIB) for _ in range(30)]
    hostile_receiver(script, status, "peer: ", "words",
                     content=LONG if when == "in the data" else CONTENT)


@cases([("0", s.error(0, b"x"), "an error that is none"), ("99", s.error(99, b"x"), "status: unknown"),
        ("text too long", s.error(4, b"x" * 1025), "over 1024 bytes"),
        ("empty", s.message(s.ERROR), "message ends early")])
def bad_error(frame, words):
    def script(peer):
        peer.send(frame)
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, words, content=CONTENT)


# --- frames that do not belong here

ENTRY_FRAME = s.entry(1, b"f", 1)
WRONG = [
    ("ENTRY", ENTRY_FRAME, "peer sent ENTRY"), ("DATA", s.data(1, 0, b"x"), "peer sent DATA"),
    ("DIGEST", s.digest(1, 0, b"x"), "peer sent DIGEST"), ("HOLE", s.hole(1, 0, 1), "peer sent HOLE"),
    ("END", s.end(1, 0), "peer sent END"), ("FIN", s.fin(0, 0, bytes(16)), "peer sent FIN"),
    ("BYE", s.bye(), "peer sent BYE"),
    ("HELLO", s.message(s.HELLO, s.terms([bytes(24)] * 2)), "peer sent HELLO"),
    ("WELCOME again", s.message(s.WELCOME, s.terms([bytes(24)] * 2)), "peer sent WELCOME"),
    ("unknown must-understand", s.message(0x8abc), "unknown type 35516"),
    ("random bytes", os.urandom(4096), "check"),
    ("length 2^32-1", s.header(s.RESULT, 0xffffffff, 1), "over the limit"),
    ("length 0", s.header(s.RESULT, 0, 1), "without its check"),
    ("broken seal", s.result(1)[:-1] + b"\0", "check: mismatch"),
]


@cases(WRONG)
def wrong_frame(frame, words):
    def script(peer):
        s.receive_entry(peer, on_end=False)
        peer.send(frame)
        heard = peer.hear()
        assert [f.kind for f in heard] == [s.ERROR], heard
        assert s.read_error(heard[0].body)["status"] == s.PROTOCOL
    hostile_receiver(script, s.PROTOCOL, words, content=CONTENT)


@test
def optional_frames_are_skipped():
    def script(peer):
        peer.send(s.message(0x0777, os.urandom(1000), 1, 2, 3), s.message(s.HEARTBEAT), s.ack(9, MOST))
        got, _ = s.receive_entry(peer)
        peer.send(s.message(0x0001), s.message(s.HEARTBEAT))
        s.receive_entry(peer)
        peer.send(s.message(0x7fff), s.verdict(1, len(CONTENT), s.digest_sum([got.part()])))
        peer.expect(s.BYE)
    hostile_receiver(script, 0, content=CONTENT)


@cases([("HEARTBEAT", s.message(s.HEARTBEAT)), ("unknown optional", s.message(0x0777, b"x" * 100))])
def optional_frames_do_not_stall_the_sender(frame):
    """Such a frame is there when zsend looks for answers between blocks, and nothing follows it."""
    listener = s.Listener()
    with zsend_to(listener, [("f", CONTENT)]) as run:
        peer = listener.accept(s.RECEIVER, limit=10)
        peer.exchange_prefaces()
        hello = s.read_terms(peer.expect(s.HELLO).body)
        peer.send(s.message(s.WELCOME, s.terms(peer.prefaces, session=hello["session"])), frame)
        got, _ = s.receive_entry(peer)
        peer.send(frame)
        s.receive_entry(peer)
        peer.send(frame, s.verdict(1, len(CONTENT), s.digest_sum([got.part()])))
        peer.expect(s.BYE)
        peer.close()
        run.expect(0, files={})
    listener.close()


WELCOMES = [
    ("another session", {"session": b"another"}, s.PROTOCOL, "another session"),
    ("required feature", {"required": 1}, s.PROTOCOL, "requires features"),
    ("block limit 0", {"block": 0}, s.PROTOCOL, "block limit"),
    ("block limit 2^32-1", {"block": 0xffffffff}, s.PROTOCOL, "block limit"),
    ("durability", {"durability": 9}, s.PROTOCOL, "durability"),
    ("flags", {"flags": 0x80}, s.PROTOCOL, "flags: unknown bit"),
    ("build too long", {"build": b"b" * 65}, s.PROTOCOL, "over 64 bytes"),
]


@cases(WELCOMES)
def welcome(terms, status, words):
    def script(peer):
        peer.meet(**terms)
        heard = peer.hear()
        assert [f.kind for f in heard] == [s.ERROR], heard
    hostile_receiver(script, status, words, content=CONTENT, meet=False)


@cases([("connector's", 0), ("listener's", 1)])
def welcome_with_another_preface(which):
    def script(peer):
        peer.exchange_prefaces()
        hello = s.read_terms(peer.expect(s.HELLO).body)
        prefaces = list(peer.prefaces)
        prefaces[which] = prefaces[which][:-1] + bytes([prefaces[which][-1] ^ 1])
        peer.send(s.message(s.WELCOME, s.terms(prefaces, session=hello["session"])))
        peer.hear()
    hostile_receiver(script, s.AUTH, "the preface was changed", content=CONTENT, meet=False)


# --- leaving and silence

@cases([("after WELCOME", 0), ("in the data", s.MIB), ("late in the data", 20 * s.MIB)])
def dies(count):
    def script(peer):
        peer.receive(count)
        peer.reset()
    hostile_receiver(script, s.NETWORK, "error: ", content=LONG)


@test
def closes_before_the_result():
    def script(peer):
        s.receive_entry(peer, on_end=False)
        peer.close()
    hostile_receiver(script, s.NETWORK, "the connection ended", content=CONTENT)


@test
def only_ends_its_own_direction():
    """A half-closed connection that still reads: nothing can be confirmed any more."""
    def script(peer):
        peer.end_sending()
        peer.drain()
    hostile_receiver(script, s.NETWORK, "the connection ended", content=CONTENT)


def silent(script, content=CONTENT, meet=True):
    soon = within(20)
    listener = s.Listener()
    with zsend_to(listener, [("f", content)], "--timeout", "1") as run:
        silent_peer = listener.accept(s.RECEIVER)
        if meet:
            silent_peer.meet()
        script(silent_peer)
        run.expect(s.TIMEOUT, "timed out", files={})
        silent_peer.close()
    listener.close()
    soon()


@test
def silent_after_the_connection():
    silent(lambda p: None, meet=False)


@test
def silent_after_welcome_and_reads_nothing():
    silent(lambda p: None, content=LONG)


@test
def silent_before_the_result():
    silent(lambda p: s.receive_entry(p, on_end=False))


@test
def silent_after_fin():
    silent(up_to_fin)


@test
def hostile_words_in_the_report_of_a_good_session():
    def script(peer):
        _, totals = up_to_fin(peer)
        peer.send(s.verdict(*totals, path=s.path_report(b"\x1b[1A\x9bengine", b"\x07tls", HOSTILE)))
        peer.expect(s.BYE)
    hostile_receiver(script, 0, "words", "engine", "build", content=CONTENT, options=["-v", "-v"],
                     terms={"build": b"\x1b[2J\r\x07\x9bbuild\xe2\x80\xae\n"})


@test
def asks_for_what_is_not_offered():
    """A receiver that connects may only name what is offered."""
    for path in ([b".."], [b"..", b"f"], [b"/etc/passwd"], [b"f", b"f"], [b"g"], [b""]):
        with Run() as run:
            run.start(ZSEND, "--listen", "127.0.0.1:0", "--plain", "--no-auth",
                      run.write("f", CONTENT)).wait_listening()
            peer = s.connect(run.port, s.RECEIVER)
            peer.meet(path=path)
            heard = peer.hear()
            peer.close()
            assert [f.kind for f in heard] == [s.ERROR], heard
            run.expect(s.REFUSED, "not offered", files={})


if __name__ == "__main__":
    main()
