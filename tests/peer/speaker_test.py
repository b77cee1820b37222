"""Good sessions in both roles, both directions, with a key and without: the speaker cannot rot."""
import os

import speaker as s
from harness import Run, ZRECV, ZSEND, cases, main, test, zrecv, zsend_to

SMALL = [("one", b"first"), ("empty", b""), ("two", os.urandom(70_000))]
BLOCKS = [("big", os.urandom(3 * s.MIB + 17))]
KEY = s.Key()
WAYS = [("no-auth", None), ("key", KEY)]


def received(files):
    return {name: content for name, content in files}


@cases([(f"{way}, {size}", key, files) for way, key in WAYS
        for size, files in (("small", SMALL), ("blocks", BLOCKS))])
def speaker_connects_and_sends(key, files):
    with zrecv("-p", key=key) as run:
        peer = s.connect(run.port, s.SENDER)
        theirs = peer.meet(key, flags=s.SEVERAL if len(files) > 1 else 0)
        assert theirs["build"].startswith(b"zrecv ")
        assert theirs["silence"] == 15000 and theirs["flags"] & s.SEVERAL == 0
        verdict = s.send_files(peer, files)
        assert verdict["status"] == 0 and verdict["durable"]
        run.expect(0, files=received(files))
        peer.close()
        assert run.summary()["files"] == len(files)
        info = os.stat(os.path.join(run.dst, files[0][0]))
        assert (info.st_mode & 0o7777, info.st_mtime_ns) == (0o644, 1_600_000_000_000_000_005)


@cases([(f"{way}, {size}", key, files) for way, key in WAYS
        for size, files in (("small", SMALL), ("blocks", BLOCKS))])
def speaker_listens_and_receives(key, files):
    listener = s.Listener()
    with zsend_to(listener, files, key=key) as run:
        peer = listener.accept(s.RECEIVER)
        theirs = peer.meet(key, block=s.MIB)
        assert theirs["build"].startswith(b"zsend ")
        assert bool(theirs["flags"] & s.SEVERAL) == (len(files) > 1)
        got = s.receive_files(peer)
        assert [([name.encode()], content) for name, content in files] == [g[:2] for g in got]
        run.expect(0, files={})
        assert run.summary()["bytes"] == sum(len(content) for _, content in files)
        peer.close()
    listener.close()


@cases(WAYS)
def speaker_connects_and_receives(key):
    with Run() as run:
        run.start(ZSEND, "--listen", "127.0.0.1:0", "--plain", *([] if key else ["--no-auth"]),
                  run.write("f", b"content"), key=key).wait_listening()
        peer = s.connect(run.port, s.RECEIVER)
        peer.meet(key, path=[b"f"])
        assert [g[:2] for g in s.receive_files(peer)] == [([b"f"], b"content")]
        run.expect(0, files={})
        peer.close()


@cases(WAYS)
def speaker_listens_and_sends(key):
    listener = s.Listener()
    with Run() as run:
        run.start(ZRECV, "--plain", *([] if key else ["--no-auth"]),
                  f"zs://127.0.0.1:{listener.port}/f", run.dst, key=key)
        peer = listener.accept(s.SENDER)
        theirs = peer.meet(key)
        assert theirs["path"] == [b"f"]
        s.send_files(peer, [(b"f", b"content")])
        run.expect(0, files={"f": b"content"})
        peer.close()
    listener.close()


@test
def a_key_file_of_the_program_is_read_alike():
    with Run() as run:
        run.start(ZSEND, "--new-key", os.path.join(run.top, "key"))
        assert run.finish() == 0, run.describe()
        with open(os.path.join(run.top, "key"), encoding="ascii") as f:
            text = f.read().strip()
        assert s.Key.parse(text).text() == text


@test
def file_digests_are_flat_xxh128():
    content = os.urandom(2 * s.MIB + 5)
    with zrecv("--digest") as run:
        peer = s.connect(run.port, s.SENDER)
        assert peer.meet()["flags"] & 1
        s.send_files(peer, [("f", content)], with_digest=True)
        run.expect(0, files={"f": content})
        assert run.summary()["digest"] == s.xxh128(content).hex()
        peer.close()


@test
def a_file_with_a_hole_arrives():
    parts = [s.block(1, 0, b"a" * 4096), s.hole(1, 4096, s.MIB), s.block(1, 4096 + s.MIB, b"z")]
    size = 4097 + s.MIB
    total = s.digest_sum([s.block_part(0, 4096, s.xxh128(b"a" * 4096)),
                          s.block_part(4096 + s.MIB, 1, s.xxh128(b"z"))])
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        peer.send(s.entry(1, b"f", size, sparse=True), *parts)
        assert s.collect_acks(peer, 1, [0, 4096 + s.MIB]) == []
        peer.send(s.end(1, size, total), s.fin(1))
        assert s.read_result(peer.expect(s.RESULTS).body)["status"] == 0
        verdict = s.read_verdict(peer.expect(s.VERDICT).body)
        assert (verdict["status"], verdict["bytes"]) == (0, size)
        assert verdict["root"] == s.digest_sum([s.entry_part(1, size, total)])
        peer.send(s.bye())
        run.expect(0, files={"f": b"a" * 4096 + bytes(s.MIB) + b"z"})
        peer.close()


if __name__ == "__main__":
    main()
