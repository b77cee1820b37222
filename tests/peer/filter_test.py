"""What a receiver does not want (-x, -L, --exclude of HELLO and WELCOME): it narrows what is sent, and nothing else."""
import os

import speaker as s
from harness import Run, ZRECV, cases, hostile_receiver, hostile_sender, main, test, zsend_to

ONE_FILE_SYSTEM, DEREFERENCE = 1, 2
EXCLUDE, INCLUDE = 0, 1


def received(contents, **terms):
    """The names that come of these files."""
    listener = s.Listener()
    with zsend_to(listener, contents) as run:
        peer = listener.accept(s.RECEIVER)
        peer.meet(**terms)
        got = s.receive_files(peer)
        run.expect(0)
    listener.close()
    return [b"/".join(name).decode() for name, _, _ in got]


@test
def names_that_are_not_wanted_do_not_come():
    files = [("a.o", b"1"), ("b.c", b"2"), ("c.o", b"3")]
    assert received(files) == ["a.o", "b.c", "c.o"]
    assert received(files, rules=[(EXCLUDE, b"*.o")]) == ["b.c"]
    assert received(files, rules=[(INCLUDE, b"a.*"), (EXCLUDE, b"*.o")]) == ["a.o", "b.c"]
    assert received(files, rules=[(EXCLUDE, b"\xff*")], wishes=ONE_FILE_SYSTEM) == ["a.o", "b.c", "c.o"]


BAD = [
    ("no end of a bracket", [(EXCLUDE, b"[a")]),
    ("a backslash at the end", [(EXCLUDE, b"a\\")]),
    ("an empty one", [(EXCLUDE, b"")]),
    ("..", [(EXCLUDE, b"../a")]),
    ("a NUL", [(EXCLUDE, b"a\0b")]),
    ("a good one first", [(INCLUDE, b"*"), (EXCLUDE, b"!a")]),
]


@cases(BAD)
def patterns_that_mean_nothing(rules):
    hostile_receiver(lambda peer: peer.hear(), s.PROTOCOL, "bad filter", terms={"rules": rules})


LIMITS = [
    ("too long", [(EXCLUDE, b"x" * 4096)]),
    ("too many", [(EXCLUDE, b"x")] * 2049),
    ("too many bytes", [(EXCLUDE, b"x" * 4000)] * 13),
    ("no flag", [(2, b"x")]),
]


@cases(LIMITS)
def more_than_a_filter_may_have(rules):
    hostile_receiver(lambda peer: peer.hear(), s.PROTOCOL, "bad HELLO", terms={"rules": rules})


@test
def patterns_that_could_take_long():
    """A star each, and a name that nearly fits: each is tried from its last star only."""
    rules = [(EXCLUDE, b"*a" * 1000 + b"b"), (EXCLUDE, b"**/a/" * 700 + b"**/b")]
    assert received([("a" * 255, b"x")], rules=rules) == ["a" * 255]


@test
def links_are_not_followed_for_who_connects():
    hostile_receiver(lambda peer: peer.hear(), s.REFUSED, "may not have symbolic links followed",
                     terms={"wishes": DEREFERENCE})


@test
def an_unknown_wish():
    hostile_receiver(lambda peer: peer.hear(), s.PROTOCOL, "flags", terms={"wishes": 8})


@test
def nothing_is_left():
    hostile_receiver(lambda peer: peer.hear(), s.REFUSED, "leaves nothing to send", terms={"rules": [(EXCLUDE, b"f")]})


@cases([("-x", {"wishes": ONE_FILE_SYSTEM}), ("-L", {"wishes": DEREFERENCE})])
def a_sender_has_none(terms):
    hostile_sender(lambda peer: peer.hear(), s.PROTOCOL, "a sender that filters", terms=terms)


@test
def what_zrecv_says():
    """In its HELLO, in order."""
    listener = s.Listener()
    with Run() as run:
        os.mkdir(os.path.join(run.top, "d"))
        run.start(ZRECV, "--plain", "--no-auth", "-x", "--exclude=b", "--include", "[a,c]", f"zs://127.0.0.1:{listener.port}",
                  os.path.join(run.top, "d"))
        peer = listener.accept(s.SENDER)
        theirs = peer.meet()
        assert theirs["rules"] == [(EXCLUDE, b"b"), (INCLUDE, b"[a,c]")] and theirs["wishes"] == ONE_FILE_SYSTEM, theirs
        s.send_files(peer, [("f", b"content")])
        run.expect(0)
    listener.close()


main()
