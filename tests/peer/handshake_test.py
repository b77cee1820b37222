"""What is not our protocol, not our mode, not our key: refused fast, on both sides, without data. A listener says so
in a line and goes on listening; a connector ends. Cases N20, N35, N39, N40, N42 and N43."""
import os
import select
import signal
import socket
import struct
import time

import speaker as s
from harness import Run, ZRECV, ZSEND, cases, main, test, turned_away, within, zrecv, zsend_to

KEY, OTHER = s.Key(), s.Key()


def client_hello():
    """A TLS 1.3 ClientHello as a browser would send: record header, then random extensions."""
    body = b"\x03\x03" + os.urandom(32) + b"\x20" + os.urandom(32) + b"\0\2\x13\x01\1\0"
    body += struct.pack(">H", 6) + b"\0\x2b\0\2\x03\x04"
    return b"\x16\x03\x01" + struct.pack(">HBBH", len(body) + 4, 1, 0, len(body)) + body


NOT_OURS = [
    ("random bytes", b"\x17" + os.urandom(65535), "wrong magic"),
    ("random bytes with our first", b"\x89" + os.urandom(23), "wrong magic"),
    ("wrong magic", s.preface(s.SENDER, magic=b"\x89ZXFS\r\n\x1a"), "wrong magic"),
    ("text mode", s.preface(s.SENDER, magic=b"\x89ZXFR\n\x1a\0"), "wrong magic"),
    ("HTTP GET", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "wrong magic"),
    ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n", "wrong magic"),
    ("PROXY", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", "wrong magic"),
    ("TLS ClientHello", client_hello(), "wrong magic"),
    ("one byte", b"G", "wrong magic"),
    ("mode 0", s.preface(s.SENDER, mode=0), "mode: unknown"),
    ("mode 4", s.preface(s.SENDER, mode=4), "mode: unknown"),
    ("role 0", s.preface(0), "role: unknown"),
    ("role 3", s.preface(3), "role: unknown"),
    ("flags", s.preface(s.SENDER, flags=4), "flags: unknown bit"),
    ("code", s.preface(s.SENDER, code=7), "code: unknown"),
    ("reserved", s.preface(s.SENDER, reserved=1), "reserved: not zero"),
    ("no version", s.preface(s.SENDER, lowest=0, highest=0), "version: empty range"),
    ("versions reversed", s.preface(s.SENDER, lowest=2, highest=1), "version: empty range"),
]


@cases([(f"{what}, {form}", form, sent, words) for what, sent, words in NOT_OURS
        for form in ("plain", "TLS")])
def not_our_protocol(form, sent, words):
    soon = within(10)
    with zrecv(plain=form == "plain", key=KEY if form == "TLS" else None) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.send(sent)  # and no end of it: the answer must not wait for more
        assert peer.drain() == b"", "an answer to something that is not the protocol"
        turned_away(run, words, key=KEY if form == "TLS" else None)
        peer.close()
    soon()


# name, is plain, listener's key, preface, code, words
MISMATCH = [
    ("plain to TLS", False, KEY, s.preface(s.SENDER), 2, "the peer has --plain"),
    ("plain without key to TLS", False, KEY, s.preface(s.SENDER, no_auth=True), 2,
     "this side asks for encryption, the peer has --plain"),
    ("TLS to plain", True, KEY, s.preface(s.SENDER, mode=s.TLS_PSK), 2,
     "this side has --plain, the peer asks for encryption"),
    ("TLS with certificates to plain", True, None, s.preface(s.SENDER, mode=s.TLS_CERT), 2,
     "this side has --plain"),
    ("no-auth to a key", True, KEY, s.preface(s.SENDER, no_auth=True), 5,
     "only the peer has --no-auth"),
    ("key to no-auth", True, None, s.preface(s.SENDER), 5, "only this side has --no-auth"),
    ("same role", True, None, s.preface(s.RECEIVER, no_auth=True), 3, "is a receiver too"),
    ("later version", True, None, s.preface(s.SENDER, no_auth=True, lowest=s.VERSION + 1, highest=9), 1,
     "no common protocol version"),
    ("joins, and there is no session", True, None, s.preface(s.SENDER, no_auth=True, join=True), s.BUSY,
     "another transfer has it"),
    ("joins with TLS, and there is no session", False, KEY, s.preface(s.SENDER, mode=s.TLS_PSK, join=True), s.BUSY,
     "another transfer has it"),
    ("no common suite", False, KEY, s.preface(s.SENDER, mode=s.TLS_PSK, suites=0x80), 4,
     "no common TLS cipher suite"),
]


@cases(MISMATCH)
def refused_by_the_listener(plain, key, mine, code, words):
    with zrecv(plain=plain, key=key) as run:
        peer = s.connect(run.port, s.SENDER)
        answer = peer.exchange_prefaces(mine)
        assert answer[:8] == s.MAGIC and answer[14] == code, answer
        assert peer.drain() == b""
        peer.close()
        turned_away(run, words, key=key)


@cases([("frames", s.message(s.HELLO, s.terms([bytes(24)] * 2)) + s.entry(1, b"f", 1)),
        ("the challenge of plain mode", os.urandom(64)), ("HTTP", b"GET / HTTP/1.1\r\n\r\n"),
        ("a ClientHello without our identity", client_hello()), ("zeros", bytes(4096))])
def not_tls_after_the_preface(sent):
    with zrecv(plain=False, key=KEY) as run:
        peer = s.connect(run.port, s.SENDER)
        answer = peer.exchange_prefaces(s.preface(s.SENDER, mode=s.TLS_PSK))
        assert answer[14] == 0
        peer.send(sent)
        peer.end_sending()
        peer.drain()
        peer.close()
        turned_away(run, key=KEY)


@test
def a_listener_with_a_limit_on_its_waiting():
    """Whoever was turned away does not move it."""
    soon = within(15)
    with zrecv("--wait=3", key=KEY) as run:
        for first in (b"GET / HTTP/1.1\r\n\r\n", s.preface(s.SENDER, mode=s.TLS_PSK)):
            peer = s.connect(run.port, s.SENDER)
            peer.send(first)
            peer.drain()
            peer.close()
        run.expect(s.TIMEOUT, "turned away", "no connection within 3 s", files={})
    soon()


@test
def a_wider_version_range_gets_this_version():
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        answer = peer.exchange_prefaces(s.preface(s.SENDER, no_auth=True, lowest=1, highest=200))
        assert answer[8:10] == bytes([s.VERSION] * 2) and answer[14] == 0
        peer.agree()
        s.send_files(peer, [("f", b"content")])
        run.expect(0, files={"f": b"content"})
        peer.close()


@cases([("zsend --plain to a TLS zrecv", ["--plain"], []),
        ("TLS zsend to zrecv --plain", [], ["--plain"]),
        ("zsend --no-auth to zrecv with a key", ["--plain", "--no-auth"], ["--plain"]),
        ("zsend with a key to zrecv --no-auth", ["--plain"], ["--plain", "--no-auth"])])
def modes_of_the_two_programs(sender, receiver):
    with Run() as recv, Run() as send:
        recv.start(ZRECV, "--listen", "127.0.0.1:0", *receiver, recv.dst, key=KEY).wait_listening()
        send.start(ZSEND, *sender, send.write("f", b"content"), f"zs://127.0.0.1:{recv.port}",
                   key=KEY)
        send.expect(s.REFUSED, "refused", "--", files={})
        recv.says("turned away", "refused", "--")
        recv.process.terminate()
        recv.finish()
        assert recv.tree() == {"dst": None} and recv.status == -signal.SIGTERM, recv.describe()


# --- keys of plain mode

@test
def wrong_key_to_a_listening_receiver():
    with zrecv(key=KEY) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.exchange_prefaces(no_auth=False)
        assert not peer.authenticate(OTHER)
        peer.send(s.message(s.HELLO, s.terms(peer.prefaces)))
        assert peer.drain() == b""
        peer.close()
        turned_away(run, "not authenticated: the peer has another key", key=KEY)


@test
def wrong_key_of_a_listening_receiver():
    listener = s.Listener()
    with zsend_to(listener, [("f", b"content")], key=KEY) as run:
        peer = listener.accept(s.RECEIVER)
        peer.exchange_prefaces(no_auth=False)
        assert not peer.authenticate(OTHER)
        assert peer.drain() == b"", "something was sent to a peer without the key"
        peer.close()
        run.expect(s.AUTH, "not authenticated: the peer has another key", files={})
    listener.close()


@test
def wrong_key_to_a_listening_sender():
    with Run() as run:
        run.start(ZSEND, "--listen", "127.0.0.1:0", "--plain", run.write("f", b"content"),
                  key=KEY).wait_listening()
        peer = s.connect(run.port, s.RECEIVER)
        peer.exchange_prefaces(no_auth=False)
        assert not peer.authenticate(OTHER)
        assert peer.drain() == b""
        peer.close()
        run.says("turned away", "not authenticated: the peer has another key")
        peer = s.connect(run.port, s.RECEIVER)
        peer.meet(KEY)
        assert [g[:2] for g in s.receive_files(peer)] == [([b"f"], b"content")]
        run.expect(0, files={})
        peer.close()


@test
def wrong_key_of_a_listening_sender():
    listener = s.Listener()
    with Run() as run:
        run.start(ZRECV, "--plain", f"zs://127.0.0.1:{listener.port}/f", run.dst, key=KEY)
        peer = listener.accept(s.SENDER)
        peer.exchange_prefaces(no_auth=False)
        assert not peer.authenticate(OTHER)
        assert peer.drain() == b""
        peer.close()
        run.expect(s.AUTH, "not authenticated", files={})
    listener.close()


def connector_mac(peer, role, label, nonces):
    return s.challenge_mac(KEY, role, label, peer.prefaces, nonces)


# What a peer without the key could try with what it sees: the MAC of the other direction, of another
# session, of the other role; none of them fits.
FORGED = [
    ("zeros", lambda p, n, seen: bytes(32)),
    ("random", lambda p, n, seen: os.urandom(32)),
    ("reflected", lambda p, n, seen: seen),
    ("the listener's label", lambda p, n, seen: connector_mac(p, s.SENDER, s.LISTENER_LABEL, n)),
    ("the other role", lambda p, n, seen: connector_mac(p, s.RECEIVER, s.CONNECTOR_LABEL, n)),
    ("nonces swapped", lambda p, n, seen: connector_mac(p, s.SENDER, s.CONNECTOR_LABEL, n[::-1])),
    ("another preface", lambda p, n, seen: s.challenge_mac(
        KEY, s.SENDER, s.CONNECTOR_LABEL, [s.preface(s.SENDER), p.prefaces[1]], n)),
    ("one bit off", lambda p, n, seen: bytes([connector_mac(
        p, s.SENDER, s.CONNECTOR_LABEL, n)[0] ^ 1]) + connector_mac(
            p, s.SENDER, s.CONNECTOR_LABEL, n)[1:]),
]


@cases(FORGED)
def forged_answer_to_the_challenge(forge):
    with zrecv(key=KEY) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.exchange_prefaces(no_auth=False)
        mine = os.urandom(32)
        peer.send(mine)
        theirs, seen = peer.receive(32), peer.receive(32)
        peer.send(forge(peer, [mine, theirs], seen))
        assert peer.drain() == b""
        peer.close()
        turned_away(run, "not authenticated", key=KEY)


@test
def replayed_session():
    """Every byte of a good session once more: the nonce is another one."""
    recorded = []
    for replay in (False, True):
        with zrecv(key=KEY) as run:
            peer = s.connect(run.port, s.SENDER)
            if replay:
                peer.send(b"".join(recorded))
                peer.end_sending()
                peer.drain()
                turned_away(run, "not authenticated", key=KEY)
            else:
                send = peer.send
                peer.send = lambda *pieces: (recorded.extend(pieces), send(*pieces))
                peer.meet(KEY)
                s.send_files(peer, [("f", b"content")])
                run.expect(0, files={"f": b"content"})
            peer.close()


@cases([("after the preface", 0), ("within the nonce", 31), ("after the nonce", 32),
        ("within the MAC", 63)])
def end_within_the_challenge(count):
    with zrecv(key=KEY) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.exchange_prefaces(no_auth=False)
        peer.send(bytes(count))
        peer.end_sending()
        peer.drain()
        peer.close()
        turned_away(run, "the connection ended", key=KEY)


@test
def one_byte_a_second_has_the_limit_of_the_handshake():
    """The limit is absolute: bytes that trickle in do not move it."""
    soon = within(20)
    with zrecv(key=KEY) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.exchange_prefaces(no_auth=False)
        begun = time.monotonic()
        while time.monotonic() - begun < 10:
            peer.send(b"n")
            if peer.socket in select.select([peer.socket], [], [], 0.5)[0]:
                break
        assert 2 < time.monotonic() - begun < 8 and peer.drain() == b""
        turned_away(run, "timed out during the handshake", key=KEY)
        peer.close()
    soon()


@test
def silence_after_the_proof():
    """Who has the key and then says nothing has the same limit; another one who has it is let in."""
    soon = within(20)
    with zrecv(key=KEY) as run:
        silent = s.connect(run.port, s.SENDER)
        silent.prove(KEY)
        begun = time.monotonic()
        time.sleep(0.5)  # until it has seen the proof
        while True:
            peer = s.connect(run.port, s.SENDER)
            if peer.exchange_prefaces(no_auth=False)[14] == 0:
                break
            assert time.monotonic() - begun < 10
            peer.close()
            time.sleep(0.2)
        assert time.monotonic() - begun > 2
        assert peer.authenticate(KEY)
        peer.agree()
        s.send_files(peer, [("f", b"content")])
        run.expect(0, files={"f": b"content"})
        peer.close()
        silent.close()
    soon()


@test
def busy_after_the_proof():
    """One is let in; who comes then is told so, and may come again."""
    with zrecv(key=KEY) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(KEY)
        for mine in (s.preface(s.SENDER), s.preface(s.SENDER, no_auth=True), s.preface(s.RECEIVER),
                     s.preface(s.SENDER, mode=s.TLS_PSK), s.preface(s.SENDER, lowest=s.VERSION + 1, highest=9)):
            other = s.connect(run.port, s.SENDER)
            assert other.exchange_prefaces(mine)[14] == s.BUSY
            assert other.drain() == b""
            other.close()
        s.send_files(peer, [("f", b"content")])
        run.expect(0, "another transfer has it", files={"f": b"content"})
        peer.close()


@test
def a_sender_waits_for_a_busy_listener():
    """--wait is for that too; without it three attempts are made."""
    for options, status in (["--wait=20"], 0), ([], s.NETWORK):
        listener = s.Listener()
        with zsend_to(listener, [("f", b"content")], *options) as run:
            for _ in range(3):
                peer = listener.accept(s.RECEIVER)
                peer.exchange_prefaces(s.preface(s.RECEIVER, no_auth=True, code=s.BUSY))
                assert peer.drain() == b""
                peer.close()
            if status == 0:
                peer = listener.accept(s.RECEIVER)
                peer.meet()
                assert [g[:2] for g in s.receive_files(peer)] == [([b"f"], b"content")]
            run.expect(status, "another transfer has it", files={})
        listener.close()


# --- a hostile listener, to a zsend that connects

# name, bytes instead of the answer (or a function of the request), status, words
ANSWERS = [
    ("nothing", b"", s.NETWORK, "connect: Connection refused"),
    ("half", s.preface(s.RECEIVER, no_auth=True)[:12], s.NETWORK, "connect: Connection refused"),
    ("HTTP", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", s.PROTOCOL, "127.0.0.1:"),
    ("TLS alert", b"\x15\x03\x03\0\2\2\x28" + bytes(30), s.PROTOCOL, "wrong magic"),
    ("random bytes", os.urandom(4096), s.PROTOCOL, "wrong magic"),
    ("no common version", s.preface(s.RECEIVER, no_auth=True, code=1), s.PROTOCOL, "version"),
    ("wrong mode", s.preface(s.RECEIVER, mode=s.TLS_PSK, code=2), s.REFUSED, "the peer asks for encryption"),
    ("same role", s.preface(s.SENDER, no_auth=True, code=3), s.PROTOCOL, "is a sender too"),
    ("no common suite", s.preface(s.RECEIVER, no_auth=True, code=4), s.AUTH, "suite"),
    ("wrong authentication", s.preface(s.RECEIVER, code=5), s.REFUSED, "only this side has --no-auth"),
    ("unknown code", s.preface(s.RECEIVER, no_auth=True, code=7), s.PROTOCOL, "code: unknown"),
    ("joins", s.preface(s.RECEIVER, no_auth=True, join=True), s.PROTOCOL, "does not fit"),
    ("the request reflected", lambda request: request, s.PROTOCOL, "does not fit"),
    ("another mode", s.preface(s.RECEIVER, mode=s.TLS_PSK, no_auth=True), s.PROTOCOL, "does not fit"),
    ("with a key", s.preface(s.RECEIVER), s.PROTOCOL, "does not fit"),
    ("a later version", s.preface(s.RECEIVER, no_auth=True, lowest=s.VERSION + 1, highest=s.VERSION + 1), s.PROTOCOL, "does not fit"),
    ("two versions", s.preface(s.RECEIVER, no_auth=True, highest=s.VERSION + 1), s.PROTOCOL, "does not fit"),
    ("a suite", s.preface(s.RECEIVER, no_auth=True, suites=1), s.PROTOCOL, "does not fit"),
]


@cases(ANSWERS)
def answer_to_the_preface(answer, status, words):
    listener = s.Listener()
    with zsend_to(listener, [("f", b"content")]) as run:
        peer = listener.accept(s.RECEIVER)
        request = peer.receive(s.PREFACE)
        listener.close()  # what is cut off is tried again
        peer.send(answer(request) if callable(answer) else answer)
        peer.end_sending()
        assert peer.drain() == b"", "more than a preface was sent"
        peer.close()
        run.expect(status, words, files={})
    listener.close()


@test
def plain_answer_to_a_tls_sender():
    """Encryption is never given up for a peer that says so."""
    for answer in (s.preface(s.RECEIVER), s.preface(s.RECEIVER, no_auth=True)):
        listener = s.Listener()
        with Run() as run:
            run.start(ZSEND, run.write("f", b"secret content"), f"zs://127.0.0.1:{listener.port}",
                      key=KEY)
            peer = listener.accept(s.RECEIVER)
            request = peer.receive(s.PREFACE)
            assert request[10] == s.TLS_PSK
            peer.send(answer)
            assert peer.drain() == b""
            peer.close()
            run.expect((s.PROTOCOL, s.REFUSED), "does not fit", files={})
        listener.close()


@test
def key_of_the_sender_is_not_given_up():
    """A listener that says --no-auth to a sender with a key."""
    listener = s.Listener()
    with zsend_to(listener, [("f", b"content")], key=KEY) as run:
        peer = listener.accept(s.RECEIVER)
        peer.exchange_prefaces(no_auth=True)
        assert peer.drain() == b""
        peer.close()
        run.expect(s.PROTOCOL, "does not fit", files={})
    listener.close()


@test
def silent_connections_do_not_end_the_listener():
    with zrecv(existing={"old": b"old"}) as run:
        for _ in range(20):
            socket.create_connection(("127.0.0.1", run.port), 10).close()
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        s.send_files(peer, [("f", b"content")])
        run.expect(0, files={"old": b"old", "f": b"content"})
        peer.close()


if __name__ == "__main__":
    main()
