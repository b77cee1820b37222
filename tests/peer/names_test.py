"""Names a receiver must refuse, in ENTRY and as the destination path of HELLO; and what was not
asked for."""
import contextlib
import os

import speaker as s
from harness import Run, ZRECV, cases, hostile_sender, main, test, zrecv

CONTENT = b"hostile"
R, P = s.REFUSED, s.PROTOCOL

# name, components, status, words on stderr
UNSAFE = [
    ("dot dot", [b".."], R, "not a name of a file"),
    ("dot dot first", [b"..", b"x"], R, "not a name of a file"),
    ("dot dot in the middle", [b"a", b"..", b"x"], R, "not a name of a file"),
    ("dot dot last", [b"a", b".."], R, "not a name of a file"),
    ("dot", [b"."], R, "not a name of a file"),
    ("empty component", [b""], R, "an empty name"),
    ("empty component last", [b"a", b""], R, "an empty name"),
    ("slash", [b"a/b"], R, "has a '/'"),
    ("climbing by slash", [b"../../x"], R, "has a '/'"),
    ("absolute", [b"/etc/x"], R, "has a '/'"),
    ("only a slash", [b"/"], R, "has a '/'"),
    ("NUL", [b"a\0b"], R, "has a NUL byte"),
    ("256 bytes", [b"n" * 256], R, "longer than 255 bytes"),
    ("temporary name", [b".zrecv-0123456789abcdef"], R, "reserved for temporary files"),
    ("temporary prefix alone", [b".zrecv-"], R, "reserved for temporary files"),
    ("1000 bytes", [b"n" * 1000], R, "longer than 255 bytes"),
    ("5000 components", [b"c"] * 5000, R, "over 1024 components"),
    ("1025 components", [b"c"] * 1025, R, "over 1024 components"),
    ("70 KiB", [b"n" * 250] * 287, R, "over 65536 bytes"),
]


@cases([(name, components, status, words) for name, components, status, words in UNSAFE])
def entry_name(components, status, words):
    hostile_sender(lambda p: p.send(s.entry(1, components, len(CONTENT)), s.block(1, 0, CONTENT)),
                   status, words)


@cases([(name, components, status, words) for name, components, status, words in UNSAFE])
def destination_path(components, status, words):
    def script(peer):
        peer.send(s.entry(1, b"f", len(CONTENT)), s.block(1, 0, CONTENT))
    hostile_sender(script, status, words, terms={"path": components})


@test
def entry_name_without_components():
    hostile_sender(lambda p: p.send(s.entry(1, [], 0)), R, "unsafe name: no components")


@test
def entry_name_of_several_components():
    hostile_sender(lambda p: p.send(s.entry(1, [b"a", b"b"], 0)), R, "'a/b'")


@test
def many_failures_with_long_reasons():
    """What a peer says of its entries is cut, in the middle, and only the first of many are printed."""
    count, reason = 3000, b"\x1b" * 900

    def script(peer):
        for i in range(1, count + 1):
            peer.send(s.entry(i, b"\x07" * 200 + b"%d" % i, 0), s.end(i, 0, failure=s.FILE_IO, reason=reason + b"%d at last" % i))
        peer.send(s.fin(count))
        while peer.read().kind != s.VERDICT:
            pass
        peer.send(s.bye(s.FILE_IO))

    def judge(run, _):
        lines = run.stderr.splitlines()
        assert len([line for line in lines if b"at last" in line]) == 100, len(lines)
        assert max(map(len, lines)) < 1500 and b"zrecv: error: and 2900 more" in lines, lines[-3:]
        assert sum(event["event"] == "entry" for event in run.events()) == count
    hostile_sender(script, s.FILE_IO, files={}, terms={"flags": s.SEVERAL}, told=False, more=judge)


@test
def the_mode_of_the_root_stays():
    with zrecv() as run:
        os.chmod(run.dst, 0o751)
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        peer.send(s.entry(1, b".", 0, mode=0o777))
        peer.hear()
        peer.close()
        run.expect(R, files={})
        assert os.stat(run.dst).st_mode & 0o7777 == 0o751


@cases([("below a link", [b"link", b"x"]), ("the link itself", [b"link"])])
def destination_path_through_a_symbolic_link(path):
    """A link below the root is never followed, whoever made it."""
    with zrecv() as run:
        outside = os.path.join(run.top, "outside")
        os.mkdir(outside)
        os.symlink(outside, os.path.join(run.dst, "link"))
        peer = s.connect(run.port, s.SENDER)
        peer.meet(path=path)
        sent = s.Sent(1, b"f", CONTENT)
        peer.send(*sent.frames(), s.fin_of([sent]))
        with contextlib.suppress(s.Closed, s.Told, AssertionError):
            peer.send(s.bye(s.up_to_verdict(peer, [sent])["status"]))
        peer.hear()
        peer.close()
        run.finish()
        assert os.listdir(outside) == [], run.describe()
        if path == [b"link"] and run.status == 0:  # a file of that name in place of the link
            assert sorted(os.listdir(run.dst)) == ["link"]
            assert not os.path.islink(os.path.join(run.dst, "link"))
        else:
            run.expect((s.REFUSED, s.FILE_IO), "link")
            assert os.listdir(run.dst) == ["link"]


@test
def a_name_full_of_terminal_controls():
    """Legal for a file; it must not reach the terminal as it is."""
    name = b"\x1b[1A\r\x9b2J\xe2\x80\xae\n\xff%n%s"
    sent = s.Sent(1, name, CONTENT)

    def script(peer):
        peer.send(sent.announce, *sent.blocks, s.end(1, 0, changed=True))
    hostile_sender(script, P)

    with zrecv("-v", existing={"x": b""}) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        s.send_files(peer, [(name, CONTENT)])
        peer.close()
        assert run.finish() == 0, run.describe()
        run.check_stderr()
        assert sorted(os.listdir(os.fsencode(run.dst))) == sorted([name, b"x"])


@test
def set_id_bits_are_dropped():
    with zrecv("-p") as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        s.send_files(peer, [(b"f", CONTENT)], mode=0o6755)
        run.expect(0, files={"f": CONTENT})
        peer.close()
        assert os.stat(os.path.join(run.dst, "f")).st_mode & 0o7000 == 0


def results_of(peer, entry_id):
    """Reads on up to the result of this entry."""
    while True:
        frame = peer.read()
        if frame.kind == s.RESULTS and entry_id in s.read_results(frame.body):
            return s.read_results(frame.body)
        assert frame.kind in (s.ACK, s.RESULTS), frame


@test
def the_same_name_twice():
    first, second = s.Sent(1, b"f", b"first"), s.Sent(2, b"f", b"second")

    def script(peer):
        peer.send(*first.frames())
        assert results_of(peer, 1)[1]["status"] == 0
        peer.send(*second.frames())
        assert results_of(peer, 2)[2]["status"] == R
        peer.send(s.fin(2))
        while peer.read().kind != s.VERDICT:
            pass
        peer.send(s.bye(s.PARTIAL))
    hostile_sender(script, s.PARTIAL, "a second entry of this name", files={"f": b"first"},
                   terms={"flags": s.SEVERAL}, told=False)


@test
def the_same_name_twice_in_one_go():
    """The second before the first one is complete at this side."""
    first, second = s.Sent(1, b"f", b"first"), s.Sent(2, b"f", b"second")

    def script(peer):
        peer.send(*first.frames(), *second.frames(), s.fin(2))
        while peer.read().kind != s.VERDICT:
            pass
        peer.send(s.bye(s.PARTIAL))
    hostile_sender(script, s.PARTIAL, "a second entry of this name", files={"f": b"first"},
                   terms={"flags": s.SEVERAL}, told=False)


@cases([("another name", b"authorized_keys", "it was not asked for"),
        ("climbing", b"../f", "it was not asked for"),
        ("a path", [b"f", b"f"], "it was not asked for")])
def pull(name, words):
    """A fetch of one name gets that or nothing (CVE-2019-6111)."""
    listener = s.Listener()
    with Run() as run:
        run.start(ZRECV, "--plain", "--no-auth", f"zs://127.0.0.1:{listener.port}/f", run.dst)
        peer = listener.accept(s.SENDER)
        peer.meet()
        peer.send(*s.Sent(1, name, CONTENT).frames())
        peer.hear()
        peer.close()
        run.expect(R, words, files={})
    listener.close()


@test
def pull_takes_no_path_from_the_listener():
    listener = s.Listener()
    with Run() as run:
        run.start(ZRECV, "--plain", "--no-auth", f"zs://127.0.0.1:{listener.port}/", run.dst)
        peer = listener.accept(s.SENDER)
        peer.meet(path=[b"..", b"x"], flags=2)
        try:
            s.send_files(peer, [(b"f", CONTENT)])
        except (AssertionError, s.Closed, s.Told):
            pass
        peer.close()
        run.finish()
        run.expect((0, R, P), files={"f": CONTENT} if run.status == 0 else {})
    listener.close()


if __name__ == "__main__":
    main()
