"""A hostile receiver against zsend: without the right verdict there is no success."""
import os

import speaker as s
from harness import Run, ZSEND, cases, hostile_receiver, main, test, within, zsend_to

CONTENT = os.urandom(5000)
LONG = os.urandom(24 * s.MIB)
MOST = (1 << 64) - 1
# How long a connection that is lost is made again.
QUICK = ["--timeout=1"]
HOSTILE = b"\x1b[2J\x1b]0;t\x07\r\x9b2Jwords\n\xe2\x80\xae\xc2\x9b%n%s\xff"


def up_to_fin(peer):
    """Receives like an honest one; returns entry and totals as they should be in the verdict."""
    got = s.receive_entry(peer)
    assert s.read_fin(peer.expect(s.FIN).body)["entries"] == 1
    return got, s.totals_received([got])


def unanswered(peer):
    """The whole entry has come, and its block has neither ACK nor RETRY: nothing more comes. Returns its DATA."""
    peer.expect(s.ENTRY)
    data = peer.expect(s.DATA)
    peer.expect(s.DIGEST)
    peer.expect(s.END)
    return data


# --- the verdict

@cases([("end", lambda p: p.close()), ("reset", lambda p: p.reset())])
def no_verdict(leave):
    def script(peer):
        up_to_fin(peer)
        leave(peer)
    hostile_receiver(script, s.NETWORK, "not made again within 1 s", content=CONTENT, options=QUICK)


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


# --delete

DELETES = 4  # of the wishes


@cases([("DELETED", lambda totals: s.deleted(b"f")), ("a VERDICT with some", lambda totals: s.verdict(*totals, gone=s.deletion(1))),
        ("a VERDICT that some are left", lambda totals: s.verdict(*totals, status=s.PARTIAL, gone=s.deletion(0, True, b"x")))])
def deletes_without_being_asked(make):
    def script(peer):
        _, totals = up_to_fin(peer)
        peer.send(make(totals))
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, content=CONTENT)


@test
def deletes_before_every_entry_has_its_result():
    def script(peer):
        peer.expect(s.ENTRY)
        peer.send(s.deleted(b"f"))
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, "peer sent DELETED", content=CONTENT, terms={"wishes": DELETES})


@test
def what_is_deleted_is_told():
    """Quoted, as all that a peer says; what it could not delete is 23 here too."""
    def script(peer):
        _, totals = up_to_fin(peer)
        peer.send(s.deleted(b"a/b", HOSTILE), s.verdict(*totals, status=s.PARTIAL, gone=s.deletion(2, True, HOSTILE)))
        assert peer.expect(s.BYE).body == bytes([s.PARTIAL])
        peer.end_sending()
    hostile_receiver(script, s.PARTIAL, "deleted: 'a/b'", "error: peer: ", "; 2 deleted; ", content=CONTENT,
                     terms={"wishes": DELETES}, options=["-v"],
                     more=lambda run: check_printable(run.stderr))


def check_printable(text):
    assert b"\x1b" not in text and b"\x9b" not in text and b"\r" not in text, text


@test
def caveats_are_said_and_no_failure():
    """All five; where it cannot be synced the verdict is not durable."""
    def script(peer):
        got = s.receive_entry(peer, on_end=False)
        peer.send(s.results(s.run(1, flags=0b111110)))
        assert s.read_fin(peer.expect(s.FIN).body)["entries"] == 1
        peer.send(s.verdict(*s.totals_received([got]), durable=False))
        peer.expect(s.BYE)
    hostile_receiver(script, 0, "its mode could not be set", "its owner or group could not", "its ACL could not",
                     "its modification time could not be set", "not durable here", content=CONTENT)


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
        heard = peer.hear()
        assert [f.kind for f in heard] == [s.ERROR] and s.read_error(heard[0].body)["status"] == status, heard
    hostile_receiver(script, status, content=CONTENT)


@cases([("unknown status", s.verdict(1, 1, bytes(16), status=50), "status: unknown"),
        ("engine too long", s.verdict(1, 1, bytes(16), path=s.path_report(b"e" * 49)), "over 48 bytes"),
        ("byte too many", s.message(s.VERDICT, bytes(60)), "peer sent a bad VERDICT"),
        ("empty", s.message(s.VERDICT), "message ends early"),
        ("unknown flag", s.message(s.VERDICT, b"\0\2" + bytes(100)), "flags: unknown bit"),
        ("RESULTS of success in its place", s.result(1), "an entry that has none to come"),
        ("RETRY in its place", s.retry(1, 0, 5000), "a block that was not sent"),
        ("FIN in its place", s.fin(1), "peer sent FIN")])
def bad_verdict(frame, words):
    def script(peer):
        up_to_fin(peer)
        peer.send(frame)
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, words, content=CONTENT)


@test
def verdict_before_fin():
    def script(peer):
        data = unanswered(peer)
        peer.send(s.result(1), s.verdict(1, len(CONTENT), s.digest_sum(
            [s.entry_part(1, len(CONTENT), s.digest_sum([s.block_part(0, data.length, s.xxh128(data.body))]))])))
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, "peer sent VERDICT", content=CONTENT)


@test
def verdict_before_the_results():
    def script(peer):
        got = s.receive_entry(peer, on_end=False)
        peer.expect(s.FIN)
        peer.send(s.verdict(*s.totals_received([got])))
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, "peer sent VERDICT before every entry had its result", content=CONTENT)


# --- results and retries

EARLY = [
    ("of an entry that was not announced", s.result(1), "none to come"),
    ("of entry 0", s.result(0), "no range"),
    ("of no entries", s.results(s.run(1, 0)), "no range"),
    ("of entry 2^64-1", s.result(MOST), "no range"),
    ("past 2^64", s.results(s.run(MOST - 1, 2)), "no range"),
    ("of 2^32-1 entries", s.results(s.run(1, (1 << 32) - 1)), "none to come"),
    ("of unknown status", s.result(1, status=99), "status: unknown"),
    ("reason too long", s.result(1, 6, reason=b"x" * 1025), "over 1024 bytes"),
    ("no runs", s.results(), "count: none or too many"),
    ("125 runs", s.results(*[s.run(i) for i in range(1, 126)]), "count: none or too many"),
    ("fewer runs than it says", s.results(s.run(1), count=2), "message ends early"),
    ("more runs than it says", s.results(s.run(1), s.run(2), count=1), "bytes too many"),
]


@cases(EARLY)
def results_early(frame, words):
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
def committed_before_it_was_sent_whole():
    def script(peer):
        peer.expect(s.ENTRY)
        peer.receive(s.MIB)
        peer.send(s.result(1))
        peer.end_sending()
        peer.drain()
    hostile_receiver(script, s.PROTOCOL, "that was not sent whole", content=LONG)


@test
def result_twice():
    def script(peer):
        s.receive_entry(peer)
        peer.send(s.result(1))
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, "none to come", content=CONTENT)


@test
def a_run_that_is_one_entry_too_long():
    def script(peer):
        s.receive_entry(peer, on_end=False)
        peer.send(s.results(s.run(1, 2)))
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, "none to come", content=CONTENT)


@cases([("RETRY, another offset", s.retry(1, 1, 5000), "a block that was not sent"),
        ("RETRY, another length", s.retry(1, 0, 4999), "asked again for a block that was not sent"),
        ("RETRY past the end", s.retry(1, 5000, 1), "a block that was not sent"),
        ("RETRY, offset 2^64-1", s.retry(1, MOST, 5000), "a block that was not sent"),
        ("RETRY, an unknown entry", s.retry(2, 0, 5000), "a block that was not sent"),
        ("RETRY, entry 0", s.retry(0, 0, 5000), "a block that was not sent"),
        ("RETRY, entry 2^64-1", s.retry(MOST, 0, 5000), "a block that was not sent"),
        ("RETRY after ACK", s.ack(1, 0) + s.retry(1, 0, 5000), "a block that was not sent"),
        ("ACK, another offset", s.ack(1, 5000), "a block that was not sent"),
        ("ACK, an unknown entry", s.ack(2, 0), "a block that was not sent"),
        ("ACK, entry 0", s.ack(0, 0), "a block that was not sent"),
        ("ACK twice", s.ack(1, 0) * 2, "a block that was not sent"),
        ("ACK with another copy", s.ack(1, 0, b"another"), "keeps a copy of a block that was not sent"),
        ("ACK with a part of a digest", s.message(s.ACK, bytes(19), 1), "message ends early"),
        ("ACK with more than a digest", s.message(s.ACK, bytes(21), 1), "1 bytes too many")])
def answer_to_what_was_not_sent(frame, words):
    def script(peer):
        unanswered(peer)
        peer.send(frame)
        heard = [f.kind for f in peer.hear()]
        assert heard in ([s.ERROR], [s.FIN, s.ERROR]), heard
    hostile_receiver(script, s.PROTOCOL, words, content=CONTENT)


@test
def an_ack_that_keeps_the_copy_that_was_sent():
    """As it may be after a loss; nothing is different from a plain one."""
    def script(peer):
        data = unanswered(peer)
        peer.send(s.ack(1, 0, data.body), s.result(1))
        peer.expect(s.FIN)
        total = s.digest_sum([s.block_part(0, data.length, s.xxh128(data.body))])
        peer.send(s.verdict(1, data.length, s.digest_sum([s.entry_part(1, data.length, total)])))
        peer.expect(s.BYE)
    hostile_receiver(script, 0, content=CONTENT)


@cases([("length 0", s.retry(1, 0, 0), "not a block's"),
        ("length over a block", s.retry(1, 0, (16 << 20) + 1), "not a block's"),
        ("length 2^32-1", s.retry(1, 0, 0xffffffff), "not a block's")])
def malformed_retry(frame, words):
    def script(peer):
        unanswered(peer)
        peer.send(frame)
        peer.hear()
    hostile_receiver(script, s.PROTOCOL, words, content=CONTENT)


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
    """An honest receiver gives a block up after three; zsend does not serve more."""
    def script(peer):
        unanswered(peer)
        for _ in range(3):
            peer.send(s.retry(1, 0, len(CONTENT)))
            assert peer.expect(s.DATA).flags == s.RESENT
            peer.expect(s.DIGEST)
        peer.send(s.retry(1, 0, len(CONTENT)))
        assert [f.kind for f in peer.hear()] == [s.ERROR]
    hostile_receiver(script, s.PROTOCOL, "too often", content=CONTENT)


@cases([(str(status), status) for status in s.STATUSES if status])
def result_of_failure(status):
    """The receiver gives the only entry up, in words that must not reach the terminal."""
    def script(peer):
        unanswered(peer)
        peer.send(s.result(1, status, reason=HOSTILE), s.ack(1, 0))
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
    ("END", s.end(1, 0), "peer sent END"), ("FIN", s.fin(0), "peer sent FIN"),
    ("BYE", s.bye(), "peer sent BYE"), ("STREAMS", s.streams(2), "peer sent STREAMS"),
    ("JOIN", s.join([bytes(24)] * 2, bytes(16)), "peer sent JOIN"),
    ("HEARTBEAT without its count", s.message(s.HEARTBEAT), "message ends early"),
    ("HELLO", s.message(s.HELLO, s.terms([bytes(24)] * 2)), "peer sent HELLO"),
    ("WELCOME again", s.message(s.WELCOME, s.terms([bytes(24)] * 2)), "peer sent WELCOME"),
    ("unknown must-understand", s.message(0x8abc), "unknown type 35516"),
    ("random bytes", os.urandom(4096), "check"),
    ("length 2^32-1", s.header(s.RESULTS, 0xffffffff, 1), "over the limit"),
    ("length 0", s.header(s.RESULTS, 0, 1), "without its check"),
    ("broken seal", s.result(1)[:-1] + b"\0", "check: mismatch"),
]


@cases(WRONG)
def wrong_frame(frame, words):
    def script(peer):
        unanswered(peer)
        peer.send(frame)
        heard = peer.hear()
        assert [f.kind for f in heard] == [s.ERROR], heard
        assert s.read_error(heard[0].body)["status"] == s.PROTOCOL
    hostile_receiver(script, s.PROTOCOL, words, content=CONTENT)


@test
def optional_frames_are_skipped():
    def script(peer):
        peer.send(s.message(0x0777, os.urandom(1000), 1, 2, 3), s.heartbeat())
        got = s.receive_entry(peer)
        peer.send(s.message(0x0001), s.heartbeat())
        peer.expect(s.FIN)
        peer.beat()
        peer.send(s.message(0x7fff), s.verdict(*s.totals_received([got])))
        peer.expect(s.BYE)
    hostile_receiver(script, 0, content=CONTENT)


@cases([("HEARTBEAT", s.heartbeat()), ("unknown optional", s.message(0x0777, b"x" * 100))])
def optional_frames_do_not_stall_the_sender(frame):
    """Such a frame is there when zsend looks for answers between blocks, and nothing follows it."""
    listener = s.Listener()
    with zsend_to(listener, [("f", CONTENT)]) as run:
        peer = listener.accept(s.RECEIVER, limit=10)
        peer.exchange_prefaces()
        hello = s.read_terms(peer.expect(s.HELLO).body)
        peer.send(s.message(s.WELCOME, s.terms(peer.prefaces, session=hello["session"])), frame)
        got = s.receive_entry(peer)
        peer.send(frame)
        peer.expect(s.FIN)
        peer.send(frame, s.verdict(*s.totals_received([got])))
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
    ("silence of 249 ms", {"silence": 249}, s.PROTOCOL, "silence: not from"),
    ("silence of 15001 ms", {"silence": 15001}, s.PROTOCOL, "silence: not from"),
    ("a path", {"path": [b"x"]}, s.PROTOCOL, "the listener's WELCOME has a path"),
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
    # Before WELCOME was read it begins anew instead. On a busy machine so much may take longer than silence may last.
    hostile_receiver(script, (s.NETWORK, s.TIMEOUT) if count > s.MIB else s.NETWORK,
                     "not made again within 1 s" if count else "error: ", content=LONG, options=QUICK)


@test
def closes_before_the_result():
    def script(peer):
        s.receive_entry(peer, on_end=False)
        peer.close()
    # An end, or a reset where something was left unread.
    hostile_receiver(script, s.NETWORK, "connection", "not made again within 1 s", content=CONTENT,
                     options=QUICK)


@test
def only_ends_its_own_direction():
    """A half-closed connection that still reads: nothing can be confirmed any more over it."""
    def script(peer):
        peer.end_sending()
        peer.drain()
    hostile_receiver(script, s.NETWORK, "the connection ended", "not made again within 1 s", content=CONTENT,
                     options=QUICK)


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
