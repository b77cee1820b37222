"""A hostile sender of directories and links: nothing leads out of the destination, nothing grows without a bound."""
import os
import shutil
import struct
import subprocess
import tempfile

import speaker as s
from harness import Run, ZSEND, cases, main, test, zrecv

SEVERAL, RECURSIVE, ARCHIVE, DRY_RUN = 32, 128, 256, 1024
ATTRIBUTES = 8
REFUSED, FILE_IO, PROTOCOL, PARTIAL = 9, 6, s.PROTOCOL, 23


def directory(entry_id, name):
    names = [] if name is None else name
    return s.entry(entry_id, names, 0, kind=2, mode=0o755)


def link(entry_id, name, target):
    """ENTRY of kind 3: the target follows the mode."""
    names = [name.encode()]
    return s.message(s.ENTRY, bytes([3, 0]) + s.text_list(names) + struct.pack(">QQII", 0, 1_600_000_000, 5, 0o777) +
                     s.text(target), entry_id)


def empty(entry_id, name):
    return s.entry(entry_id, name, 0) + s.end(entry_id, 0)


def up(entry_id):
    return s.end(entry_id, 0)


def send(frames, status, *words, before=None, after=None, flags=SEVERAL | RECURSIVE, options=()):
    """A zrecv gets these frames; before(dst) prepares the destination, after(dst) looks at it."""
    with zrecv("--timeout=1", *options) as run:
        if before:
            before(run.dst)
        peer = s.connect(run.port, s.SENDER)
        try:
            peer.meet(flags=flags)
            peer.send(*frames)
            while (frame := peer.read()).kind not in (s.VERDICT, s.ERROR):
                pass
            if frame.kind == s.VERDICT:
                peer.send(s.bye(s.read_verdict(frame.body)["status"]))
        except (s.Closed, s.Told):
            pass
        peer.end_sending()
        peer.drain()
        peer.close()
        run.expect(status, *words)
        assert sorted(os.listdir(run.parent)) == ["dst"], os.listdir(run.parent)
        if after:
            after(run.dst)


@test
def an_honest_one():
    send([directory(1, ["d"]), empty(2, "f"), link(3, "l", b"f"), directory(4, ["e"]), up(4), up(1), s.fin(4)], 0,
         after=lambda dst: assert_names(dst, "d", "d/e", "d/f", "d/l"))


def assert_names(dst, *names):
    found = sorted(os.path.relpath(os.path.join(at, name), dst) for at, directories, files in os.walk(dst)
                   for name in directories + files)
    assert found == sorted(names), found


UNSAFE = [
    ("a directory called ..", directory(1, [".."])),
    ("a directory with a slash", directory(1, ["a/b"])),
    ("a directory of two components", directory(1, ["a", "b"])),
    ("a directory called as a temporary file", directory(1, [".zrecv-1"])),
    ("a link called ..", link(1, "..", b"/etc")),
    ("one without a name within another", directory(1, ["a"]) + directory(2, None)),
    ("a file called .. in a directory", directory(1, ["a"]) + s.entry(2, "..", 0)),
]


@cases(UNSAFE)
def unsafe_names(frames):
    send([frames], REFUSED, "unsafe name")


@cases([("a directory", directory(1, ["d"])), ("a link", link(1, "l", b"x"))])
def what_nobody_asked_for(frames):
    send([frames], REFUSED, "which was not asked for (-r)", flags=SEVERAL, after=lambda dst: assert_names(dst))


@test
def links_are_never_followed():
    """A link comes, then a directory of its name with a file; and one that was there before."""
    send([link(1, "l", b"../.."), directory(2, ["l"]), empty(3, "f"), up(2), s.fin(3)], PARTIAL, "a second entry of this name",
         after=lambda dst: assert_names(dst, "l"))
    send([directory(1, ["l"]), empty(2, "f"), up(1), s.fin(2)], FILE_IO, "is a symbolic link",
         before=lambda dst: os.symlink("..", os.path.join(dst, "l")), after=lambda dst: assert_names(dst, "l"))


ORDER = [
    ("END of the outer one first", directory(1, ["a"]) + directory(2, ["b"]) + up(1), "not the innermost"),
    ("END twice", directory(1, ["a"]) + up(1) + up(1) + s.fin(1) + up(1), "after FIN"),
    ("FIN while one is open", directory(1, ["a"]) + s.fin(1), "before the END of every entry"),
    ("a link without a target", link(1, "l", b""), "target"),
    ("a link whose target has a NUL", link(1, "l", b"a\0b"), "target"),
    ("a link whose target is too long", link(1, "l", b"x" * 4096), "target"),
    ("a directory with a size", s.entry(1, "a", 1, kind=2), "of what has no content"),
    ("a kind that is none", s.entry(1, "a", 0, kind=5), "kind"),
]


@cases(ORDER)
def out_of_order(frames, words):
    send([frames], PROTOCOL, words)


@test
def no_more_than_16_KiB_of_names():
    send([b"".join(directory(i, ["n" * 255]) for i in range(1, 66))], PROTOCOL, "more than 16 KiB of names",
         after=lambda dst: subprocess.run(["rm", "-r", os.path.join(dst, "n" * 255)], check=True))


@test
def no_deeper_than_1024():
    send([b"".join(directory(i, ["d"]) for i in range(1, 1027))], PROTOCOL, "more directories than may be open",
         after=lambda dst: subprocess.run(["rm", "-r", os.path.join(dst, "d")], check=True))


# -a

def owned(entry_id, name, kind=1, mode=0o644, **attributes):
    return s.entry(entry_id, name, 0, kind=kind, mode=mode, flags=ATTRIBUTES, more=s.attributes(**attributes)) + \
        (s.end(entry_id, 0) if kind == 1 else b"")


def of(dst, name):
    st = os.stat(os.path.join(dst, name))
    return st.st_uid, st.st_gid, st.st_mode & 0o7777, sorted(os.listxattr(os.path.join(dst, name)))


CAPABILITY = (b"security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))
# owner, mask and so on, and all for the user 1.
ACL = ((1, 7), (2, 7, 1, b"daemon"), (4, 7), (16, 7), (32, 0))
RAW_ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, 7, who) for tag, who in
                                          ((1, 2**32 - 1), (2, 1), (4, 2**32 - 1), (16, 2**32 - 1), (32, 2**32 - 1)))


@test
def without_the_word_of_the_receiver_a_peer_gives_no_rights():
    """It says -a; this side does not: nothing of owner, set-id bits, ACLs and attributes that the kernel heeds."""
    mine = os.geteuid(), os.getegid()
    everything = dict(owner=(1, b"daemon"), group=(2, b"bin"), mode=0o6755, acl=ACL,
                      xattrs=(CAPABILITY, (b"trusted.x", b"1"), (b"system.posix_acl_access", RAW_ACL), (b"user.x", b"1")))
    send([owned(1, "f", **everything), owned(2, "d", kind=2, default_acl=ACL, **everything), up(2), s.fin(2)], 0,
         "-a was not given at the receiving side", flags=SEVERAL | RECURSIVE | ARCHIVE, after=lambda dst:
         [check_equal((*mine, 0o755, ["user.x"]), of(dst, name)) for name in ("f", "d")])


@test
def the_value_of_an_acl_is_no_attribute():
    send([owned(1, "f", xattrs=((b"system.posix_acl_access", RAW_ACL),)), s.fin(1)], 0, "extended attributes",
         options=["-a"], after=lambda dst: check_equal([], of(dst, "f")[3]))


# hard links

MORE = 16
ALL = SEVERAL | RECURSIVE | ARCHIVE


def first(entry_id, name, more=MORE):
    return s.entry(entry_id, name, 0, flags=more) + s.end(entry_id, 0)


def again(entry_id, name, to, more=0):
    return s.entry(entry_id, name, 0, kind=4, flags=more, more=struct.pack(">Q", to))


def check_one_file(dst, *names):
    check_equal(1, len({os.stat(os.path.join(dst, name)).st_ino for name in names}))
    assert_names(dst, *names)


@test
def honest_hard_links():
    send([first(1, "a"), again(2, "b", 1, MORE), again(3, "c", 1), s.fin(3)], 0, flags=ALL,
         after=lambda dst: check_one_file(dst, "a", "b", "c"))


@test
def a_hard_link_waits_for_its_file():
    send([s.entry(1, "a", 0, flags=MORE), again(2, "b", 1), s.end(1, 0), s.fin(2)], 0, flags=ALL,
         after=lambda dst: check_one_file(dst, "a", "b"))


@test
def not_many_hard_links_wait():
    """Each of them holds its directory."""
    send([s.entry(1, "a", 0, flags=MORE)] + [again(i, f"b{i}", 1, MORE) for i in range(2, 80)] + [s.end(1, 0), s.fin(79)],
         PARTIAL, "too many hard links wait for their files", flags=ALL, options=["--durability=none"],
         after=lambda dst: check_one_file(dst, "a", *(f"b{i}" for i in range(2, 66))))


NO_LINKS = [
    ("to nothing", again(1, "b", 7), "to an entry that has none"),
    ("to 0", again(1, "b", 0), "to an entry that has none"),
    ("to itself", again(1, "b", 1), "to an entry that has none"),
    ("to a later one", again(1, "b", 2) + first(2, "a"), "to an entry that has none"),
    ("to a file without the flag", first(1, "a", more=0) + again(2, "b", 1), "to an entry that has none"),
    ("to a directory", directory(1, ["a"]) + up(1) + again(2, "b", 1), "to an entry that has none"),
    ("to a symbolic link", link(1, "a", b"/etc/passwd") + again(2, "b", 1), "to an entry that has none"),
    ("to a hard link", first(1, "a") + again(2, "b", 1, MORE) + again(3, "c", 2), "to an entry that has none"),
    ("after the last one", first(1, "a") + again(2, "b", 1) + again(3, "c", 1), "to an entry that has none"),
    ("a directory that has some", s.entry(1, "a", 0, kind=2, flags=MORE), "links to what has none"),
]


@cases(NO_LINKS)
def no_hard_link(frames, words):
    send([frames], PROTOCOL, words, flags=ALL)


@test
def hard_links_that_nobody_asked_for():
    send([first(1, "a"), again(2, "b", 1), s.fin(2)], PROTOCOL, "hard links that nobody has asked for")


@test
def a_hard_link_to_a_file_that_failed():
    failed = s.entry(1, "a", 0, flags=MORE) + s.end(1, 0, failure=FILE_IO, reason=b"gone")
    send([failed, again(2, "b", 1), empty(3, "c"), s.fin(3)], PARTIAL, "a hard link to a file that has failed", flags=ALL,
         after=lambda dst: assert_names(dst, "c"))


@cases([("the file is another", lambda dst: (os.unlink(os.path.join(dst, "d/a")), open(os.path.join(dst, "d/a"), "w").close()),
         "replaced by somebody meanwhile"),
        ("a symbolic link is in its place", lambda dst: (os.unlink(os.path.join(dst, "d/a")),
                                                         os.symlink("/etc/passwd", os.path.join(dst, "d/a"))),
         "replaced by somebody meanwhile"),
        ("its directory is a symbolic link", lambda dst: (os.rename(os.path.join(dst, "d"), os.path.join(dst, "moved")),
                                                          os.symlink("moved", os.path.join(dst, "d"))),
         "no such directory below the root")])
def somebody_is_at_it(change, words):
    """Between the commit of the file and that of its second name."""
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(flags=ALL)
        peer.send(directory(1, ["d"]), first(2, "a"), up(1))
        while peer.read().kind != s.RESULTS:
            pass
        change(run.dst)
        peer.send(again(3, "b", 2), s.fin(3))
        while (frame := peer.read()).kind != s.VERDICT:
            pass
        peer.send(s.bye(s.read_verdict(frame.body)["status"]))
        peer.end_sending()
        peer.drain()
        peer.close()
        run.expect(PARTIAL, words)
        assert not os.path.lexists(os.path.join(run.dst, "b"))


# --delete

DELETE = 4
OLD = ("old", "old/f", "old/e", "keep.o", "l", "sub", "sub/x")


def with_old(dst):
    for at in ("d", "d/old", "d/sub"):
        os.mkdir(os.path.join(dst, at))
    for at in ("d/old/f", "d/old/e", "d/keep.o", "d/sub/x", "beside", "d/.zrecv-1"):
        open(os.path.join(dst, at), "w").close()
    os.symlink("/etc", os.path.join(dst, "d/l"))


def whole(entry_id, **more):
    return s.end(entry_id, 0, whole=True, **more)


def what_stays(*names):
    return lambda dst: assert_names(dst, "beside", "d", "d/.zrecv-1", *("d/" + name for name in names))


def delete(frames, status, *words, stays=OLD, options=("-r", "--delete"), **more):
    send(frames, status, *words, before=with_old, after=what_stays(*stays), options=options, **more)


@test
def an_honest_one_deletes():
    delete([directory(1, ["d"]), empty(2, "f"), whole(1), s.fin(2)], 0, stays=["f"])


@cases([("END does not say that it is whole", directory(1, ["d"]) + up(1) + s.fin(1), 0),
        ("only what is in it is whole", directory(1, ["d"]) + directory(2, ["n"]) + whole(2) + up(1) + s.fin(2), 0),
        ("END says why it is not", directory(1, ["d"]) + whole(1, failure=FILE_IO, reason=b"no") + s.fin(1), FILE_IO),
        ("an entry failed here", directory(1, ["d"]) + link(2, "n", b"x") + link(3, "n", b"x") + whole(1) + s.fin(3), PARTIAL),
        ("an entry failed there", directory(1, ["d"]) + s.entry(2, "g", 0, flags=4) +
         s.end(2, 0, failure=FILE_IO, reason=b"no") + whole(1) + s.fin(2), PARTIAL),
        ("one has vanished", directory(1, ["d"]) + s.entry(2, "g", 0, flags=4) +
         s.end(2, 0, failure=s.CHANGED, reason=b"gone") + whole(1) + s.fin(2), s.CHANGED),
        ("the destination itself, not whole the second time", directory(1, None) + whole(1) + directory(2, None) + up(2) +
         s.fin(2), 0),
        ("a file that says it", empty(1, "beside") + s.entry(2, "n", 0) + whole(2) + s.fin(2), 0)])
def nothing_is_deleted(frames, status):
    def after(dst):
        for name in ("n", "d/n"):
            path = os.path.join(dst, name)
            if os.path.lexists(path):
                os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
        what_stays(*OLD)(dst)
    send([frames], status, *(["nothing was deleted"] if status else []), before=with_old, after=after,
         options=("-r", "--delete"))


@cases([("END of a directory that was never sent", directory(1, ["d"]) + whole(1) + whole(7) + s.fin(1), "END"),
        ("END of the outer one first", directory(1, ["d"]) + directory(2, ["sub"]) + whole(1), "not the innermost"),
        ("END of one that is to come", whole(1) + directory(1, ["d"]) + s.fin(1), "END"),
        ("an unknown flag of END", directory(1, ["d"]) + s.message(s.END, b"\x08" + bytes(35), 1), "flags: unknown bit"),
        ("DELETED from a sender", directory(1, ["d"]) + s.deleted(b"d"), "peer sent DELETED"),
        ("FIN before END", directory(1, ["d"]) + s.fin(1), "before the END of every entry")])
def out_of_order_with_delete(frames, words):
    delete([frames], PROTOCOL, words)


@test
def only_with_the_word_of_the_receiver():
    with zrecv("-r") as run:
        with_old(run.dst)
        peer = s.connect(run.port, s.SENDER)
        try:
            peer.meet(flags=SEVERAL | RECURSIVE, wishes=DELETE)
            peer.send(directory(1, ["d"]), whole(1), s.fin(1))
        except s.Closed:
            pass
        peer.end_sending()
        peer.drain()
        peer.close()
        run.expect(REFUSED, "zrecv was not started with --delete")
        what_stays(*OLD)(run.dst)


def with_terms(status, words, stays, **terms):
    with zrecv("-r", "--delete") as run:
        with_old(run.dst)
        peer = s.connect(run.port, s.SENDER)
        try:
            peer.meet(flags=SEVERAL | RECURSIVE, **terms)
            peer.send(directory(1, ["d"]), whole(1), s.fin(1))
            while (frame := peer.read()).kind not in (s.VERDICT, s.ERROR):
                pass
            if frame.kind == s.VERDICT:
                peer.send(s.bye(s.read_verdict(frame.body)["status"]))
        except (s.Closed, s.Told):
            pass
        peer.end_sending()
        peer.drain()
        peer.close()
        run.expect(status, words)
        what_stays(*stays)(run.dst)


@cases([("a name", [(0, b"*.o")], ["keep.o"]), ("a directory", [(0, b"/sub/")], ["sub", "sub/x"]),
        ("in a directory that would go", [(0, b"old/e")], ["old", "old/e"]), ("everything", [(0, b"*")], OLD),
        ("the first one counts", [(1, b"*.o"), (0, b"keep*")], [])])
def what_a_sender_leaves_out_stays(rules, stays):
    with_terms(0, "", stays, rules=rules)


@test
def patterns_of_a_sender_that_mean_nothing():
    with_terms(PROTOCOL, "bad filter", OLD, rules=[(0, b"[a")])


@test
def the_limit_of_a_sender():
    with_terms(PARTIAL, "nothing was deleted: 7 names would go, and --max-delete is 6", OLD, most_deleted=6)
    with_terms(0, "", [], most_deleted=7)
# what asks

ASKS, SKIP, DIFFER = 32, 5, 3


def asks(entry_id, name, size=0, **info):
    return s.entry(entry_id, name, size, flags=ASKS, **info)


@test
def a_receiver_answers_what_asks():
    """One is there already, one is not, one comes twice; content comes for what is wanted only, after the END of its
    directory."""
    def before(dst):
        os.mkdir(os.path.join(dst, "d"))
        open(os.path.join(dst, "d/old"), "w").close()
    with zrecv("--overwrite=skip") as run:
        before(run.dst)
        peer = s.connect(run.port, s.SENDER)
        peer.meet(flags=SEVERAL | RECURSIVE)
        peer.send(directory(1, ["d"]), asks(2, "old"), asks(3, "new"), asks(4, "new"), directory(5, ["made"]), up(5), up(1))
        results_, ids, fresh = {}, [], []
        while not (ids and fresh and {2, 4} <= set(results_)):
            frame = peer.read()
            if frame.kind == s.WANTED:
                more, made = s.read_wanted(frame.body)
                ids, fresh = ids + more, fresh + made
            else:
                results_.update(s.read_results(frame.body))
        check_equal(([3], [5]), (ids, fresh))
        assert results_[2]["skipped"] and results_[4]["status"] == REFUSED and 1 not in results_, results_
        peer.send(empty(3, "new"), s.fin(5))
        while (frame := peer.read()).kind != s.VERDICT:
            pass
        peer.send(s.bye(s.read_verdict(frame.body)["status"]))
        peer.end_sending()
        peer.drain()
        peer.close()
        run.expect(PARTIAL, "a second entry of this name")
        assert_names(run.dst, "d", "d/new", "d/old", "d/made")


WRONG_ANSWERS = [
    ("another name", s.entry(1, "g", 0), "another ENTRY than the one that has asked"),
    ("another kind", link(1, "f", b"x"), "another ENTRY than the one that has asked"),
    ("asking again", asks(1, "f"), "another ENTRY than the one that has asked"),
    ("twice", s.entry(1, "f", 0) + s.entry(1, "f", 0), "an id out of order"),
    ("END without it", s.end(1, 0), "not open"),
    ("a block without it", s.block(1, 0, b"x"), "not open"),
    ("FIN without it", s.fin(1), "before the END of every entry"),
    ("a link that asks", s.message(s.ENTRY, bytes([3, ASKS]) + s.text_list([b"l"]) + struct.pack(">QQII", 0, 0, 0, 0) +
                                   s.text(b"x"), 2), "no file as it stands"),
    ("one with more names", s.entry(2, "g", 0, flags=ASKS | 16), "a file with more names that asks"),
    ("one that has failed", s.entry(2, "g", 0, flags=ASKS | 4), "no file as it stands"),
]


@cases(WRONG_ANSWERS)
def what_has_asked_comes_as_that(frames, words):
    send([asks(1, "f") + frames], PROTOCOL, words, flags=ALL, options=["--overwrite=differ"])


@test
def nothing_asks_where_all_is_wanted():
    send([asks(1, "f")], PROTOCOL, "a file that asks, and nobody wants that")
    send([asks(1, "f")], PROTOCOL, "a file that asks, and nobody wants that", options=["--overwrite=never"])


@test
def what_was_skipped_does_not_come():
    def before(dst):
        open(os.path.join(dst, "f"), "w").close()
    send([asks(1, "f") + s.entry(1, "f", 0)], PROTOCOL, "an id out of order", before=before, options=["--overwrite=skip"])


@test
def what_asks_is_bounded():
    differ = ["--overwrite=differ"]
    send([b"".join(asks(i, f"f{i}") for i in range(1, 16387))], PROTOCOL, "more files that ask than it may", options=differ)
    # Directories count with those that they are in, but for a single one.
    def chain(first, name, depth):
        ids = range(first + 1, first + depth)
        return (directory(first, [name]) + b"".join(directory(i, ["d"]) for i in ids) + asks(first + depth, "f") +
                b"".join(up(i) for i in reversed(ids)) + up(first))
    def clear(dst):
        for name in os.listdir(dst):
            shutil.rmtree(os.path.join(dst, name))
    send([chain(1, "a", 300) + chain(302, "b", 1)], PROTOCOL, "more files that ask than it may", options=differ, after=clear)
    send([chain(1, "a", 200) + chain(202, "b", 57)], PROTOCOL, "more files that ask than it may", options=differ, after=clear)
    frames, entry_id = b"", 0
    for i in range(257):
        frames += directory(entry_id + 1, [f"d{i}"]) + asks(entry_id + 2, "f") + up(entry_id + 1)
        entry_id += 2
    send([frames], PROTOCOL, "more files that ask than it may", options=differ, after=clear)


@test
def nothing_comes_in_a_dry_run():
    dry = SEVERAL | RECURSIVE | DRY_RUN
    send([s.entry(1, "f", 0)], PROTOCOL, "a file that does not ask in a dry run", flags=dry)
    send([asks(1, "f") + s.entry(1, "f", 0)], PROTOCOL, "an id out of order", flags=dry)
    send([asks(1, "f") + s.block(1, 0, b"x") + s.end(1, 1) + s.fin(1)], 0, flags=dry, after=lambda dst: assert_names(dst))
    send([directory(1, ["d"]), asks(2, "f", 9), link(3, "l", b"x"), directory(4, ["e"]), asks(5, "g"), up(4), up(1), s.fin(5)], 0,
         flags=dry, after=lambda dst: assert_names(dst))
    listener = s.Listener()
    with Run() as run:
        run.write("f", b"x")
        run.start(ZSEND, "--plain", "--no-auth", "-n", os.path.join(run.top, "f"), f"zs://127.0.0.1:{listener.port}")
        peer = listener.accept(s.RECEIVER)
        listener.close()
        peer.meet()
        assert s.read_entry(peer.expect(s.ENTRY).body)["asks"]
        peer.send(s.wanted((1, 1, 0)))
        peer.end_sending()
        assert s.DATA not in [frame.kind for frame in peer.hear()]
        run.expect(PROTOCOL, "WANTED for an entry that does not ask")


def asked_about_one_file(script, status, *words):
    """A zsend of a directory with one file, which it asks about, as entry 2; then the receiver does what script(peer) does."""
    listener = s.Listener()
    with Run() as run:
        os.mkdir(os.path.join(run.top, "tree"))
        run.write("tree/f", b"")
        run.start(ZSEND, "--plain", "--no-auth", "-r", "--overwrite=differ", os.path.join(run.top, "tree"),
                  f"zs://127.0.0.1:{listener.port}")
        peer = listener.accept(s.RECEIVER)
        listener.close()
        peer.meet()
        assert s.read_entry(peer.expect(s.ENTRY).body)["kind"] == 2
        assert s.read_entry(peer.expect(s.ENTRY).body)["asks"]
        script(peer)
        peer.end_sending()
        peer.drain()
        peer.close()
        run.expect(status, *words)


@cases([
    ("of what was not sent", s.wanted((3, 1, 0)), "WANTED for an entry that does not ask"),
    ("of a directory", s.wanted((1, 1, 0)), "WANTED for an entry that does not ask"),
    ("twice", s.wanted((2, 1, 0), (2, 1, 0)), "WANTED for an entry that does not ask"),
    ("of all there are", s.wanted((2, 0xffffffff, 0)), "WANTED for an entry that does not ask"),
    ("of what was skipped", s.result(2, skipped=True) + s.wanted((2, 1, 0)), "WANTED for an entry that does not ask"),
    ("nothing", s.wanted(count=0), "count"),
    ("not a word", s.result(2), "calls an entry committed that was not sent whole")])
def a_wrong_wish(answer, words):
    asked_about_one_file(lambda peer: peer.send(answer), PROTOCOL, words)


@test
def a_result_after_the_wish():
    """Before the sender has come to it, or after that: no harm."""
    def script(peer):
        peer.send(s.wanted((2, 1, 0)) + s.result(2, FILE_IO, reason=b"full") + s.result(1))
        while peer.read().kind != s.FIN:
            pass
        peer.send(s.verdict(1, 0, s.digest_sum([s.entry_part(1, 0, bytes(16))]), PARTIAL))
        assert peer.expect(s.BYE).body == bytes([PARTIAL])
    asked_about_one_file(script, PARTIAL, "full")


@test
def asking_waits_and_stops():
    """128 directories may be asked about, each with the one that it is in; where nothing was before, the sender asks no more; what has vanished
    meanwhile is told as that."""
    listener = s.Listener()
    with Run() as run:
        top = os.path.join(run.top, "tree")
        for i in range(300):
            os.makedirs(os.path.join(top, f"d{i}"))
            run.write(f"tree/d{i}/f", b"")
        run.start(ZSEND, "--plain", "--no-auth", "-r", "--overwrite=differ", top, f"zs://127.0.0.1:{listener.port}")
        peer = listener.accept(s.RECEIVER)
        listener.close()
        peer.meet()
        asked, directories, in_directory, ended = [], {}, {}, {}
        while len(asked) < 128:
            frame = peer.read()
            if frame.kind == s.ENTRY:
                info = s.read_entry(frame.body)
                if info["kind"] == 2:
                    directories[frame.entry] = info["name"]
                else:
                    assert info["asks"], info
                    asked.append(frame.entry)
                    in_directory[frame.entry] = directories[frame.entry - 1][0].decode()
            else:
                ended[frame.entry] = s.read_end(frame.body)["failure"]
        peer.socket.settimeout(0.3)
        try:
            while (frame := peer.read()).kind == s.END:
                ended[frame.entry] = 0
            assert False, f"it goes on with {frame}"
        except TimeoutError:
            pass
        peer.socket.settimeout(20)
        os.unlink(os.path.join(top, in_directory[asked[3]], "f"))
        peer.say(s.wanted((1, 1, 1), *((one, 1, 0) for one in asked)))
        while (frame := peer.read()).kind != s.FIN:
            if frame.kind == s.ENTRY:
                info = s.read_entry(frame.body)
                assert not info["asks"] and info["failed"] == (frame.entry == asked[3]), (frame.entry, info)
                if info["kind"] == 2:
                    directories[frame.entry] = info["name"]
            elif frame.kind == s.END:
                ended[frame.entry] = s.read_end(frame.body)["failure"]
        check_equal(list(range(1, 602)), sorted(ended))
        check_equal({asked[3]: 24}, {one: why for one, why in ended.items() if why})
        peer.say(s.results(*(s.run(i, status=ended[i]) for i in ended if ended[i]),
                           *(s.run(a, b - a + 1) for a, b in ((1, asked[3] - 1), (asked[3] + 1, 601)))))
        peer.say(s.verdict(600, 0, s.digest_sum(s.entry_part(i, 0, bytes(16)) for i in ended if not ended[i]), 24))
        assert peer.expect(s.BYE).body == bytes([24])
        peer.end_sending()
        run.expect(24, "vanished before it was sent")


def check_equal(wanted, found):
    assert found == wanted, f"{found}, not {wanted}"


@test
def attributes_that_nobody_asked_for():
    send([owned(1, "f"), s.fin(1)], PROTOCOL, "attributes that nobody has asked for")


@test
def attributes_of_open_files_have_a_limit():
    """Each of them announced, and nothing of its content."""
    attributes = s.attributes(xattrs=((b"user.x", b"x" * 60000),))
    send([b"".join(s.entry(i, f"f{i}", 1, flags=ATTRIBUTES, more=attributes) for i in range(1, 700))], PROTOCOL,
         "more extended attributes than may be open", flags=SEVERAL | RECURSIVE | ARCHIVE)


main()
