"""The oracle of sweep.py: what it must find in an outcome, and that it finds it in programs that lie."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from sweep import Outcome, durable, judge

SWEEP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sweep.py")
ERROR = "zsend: error: something\n"


def outcome(send=0, recv=0, state=None, said=("", ""), **more):
    return Outcome(status={"send": send, "recv": recv}, state={"f": "new"} if state is None else state,
                   stderr={"send": said[0], "recv": said[1]}, wanted=("f",), **more)


class Judge(unittest.TestCase):
    def good(self, *arguments, **more):
        self.assertEqual(judge(outcome(*arguments, **more)), [])

    def bad(self, words, *arguments, **more):
        self.assertIn(words, " and ".join(judge(outcome(*arguments, **more))))

    def test_what_may_happen(self):
        self.good()
        self.good(5, 6, state={"f": "old"}, said=(ERROR, ERROR))
        self.good(24, 24, said=("warning: changed", "warning: changed"))
        self.good(0, 5, said=("", ERROR))  # the last word
        self.good(-9, 5, state={"f": "old"}, side="send", error="KILL", said=("", ERROR))
        self.good(0, -9, side="recv", error="KILL")
        self.good(5, -9, state={"f": "old", ".zrecv-1": "left"}, side="recv", error="KILL", said=(ERROR, ""))
        self.good(5, -15, state={}, stopped="recv", said=(ERROR, ERROR))
        self.good(6, 6, state={}, side="send", call="write", error="EIO", said=("", ERROR))
        self.good(6, 0, said=("zsend: error: --json: the end is missing: No space left on device", ""))

    def test_success_that_is_none(self):
        self.bad("ends with 0 and the content is not there", state={"f": "old"})
        self.bad("ends with 0 and the content is not there", 0, 5, state={}, said=("", ERROR))
        self.bad("zrecv ends with 0, zsend does not", 5, 0, said=(ERROR, ""))
        self.bad("zsend ends with 0, zrecv does not", 0, 6, said=("", ERROR))
        self.bad("zsend ends with 0, zrecv does not", 0, -9, side="send", error="KILL")
        self.bad("not durable", synced=False)
        self.bad("nothing wrong", 5, 5, state={"f": "old"}, said=(ERROR, ERROR), harmless=True)

    def test_crashes_and_hangs(self):
        for status in (1, 2, 134, 139, -6, -11, -9, -15):
            self.bad(f"zrecv ends with {status}", 5, status, said=(ERROR, ERROR))
        self.bad("zsend hangs", "hung", 5, said=(ERROR, ERROR))
        self.bad("internal error", 1, 1, call="mmap", said=(ERROR, "zrecv: error: internal error: x"))

    def test_what_is_left_and_said(self):
        for state in ("other", "part"):
            self.bad("neither the old", 5, 5, state={"f": state}, said=(ERROR, ERROR))
        self.bad("left behind", 5, 5, state={".zrecv-1": "left"}, said=(ERROR, ERROR))
        self.bad("left behind", -9, 5, state={".zrecv-1": "left"}, side="send", error="KILL",
                 said=("", ERROR))
        self.bad("says 2 errors", 5, 5, state={}, said=(ERROR, 2 * ERROR))
        self.good(5, 5, state={}, said=(ERROR, 2 * ERROR), causes=2)
        self.bad("zrecv ends with 5 and does not say why", 5, 5, state={}, said=(ERROR, "warning: x"))

    def test_durable(self):
        sync, name = "7 fsync(9</d/f>) = 0\n", "7 renameat(4</d>, \"a\", 4</d>, \"f\") = 0\n"
        halves = "7 fsync(9</d/f> <unfinished ...>\n7 <... fsync resumed>) = 0\n"
        failed = "7 fsync(9</d>) = -1 EIO (Input/output error) (INJECTED)\n"
        self.assertTrue(durable(sync + name + sync))
        self.assertTrue(durable(halves + name + name + halves))
        for trace in ("", sync, name, name + sync, sync + name, sync + name + failed, failed + name + sync):
            self.assertFalse(durable(trace), trace)


@unittest.skipUnless(shutil.which("strace"), "no strace")
class Liars(unittest.TestCase):
    def sweep(self, case, before="", after="", options=""):
        """One case, with a zrecv that does something else as well; its destination is $dst."""
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/zrecv"
            with open(path, "w", encoding="ascii") as f:
                f.write(f'#!/bin/bash\n{before}\n"{os.environ["ZRECV"]}" {options} "$@"\ns=$?\n'
                        f'dst=${{@: -1}}\n{after}\nexit $s\n')
            os.chmod(path, 0o755)
            run = subprocess.run([sys.executable, SWEEP, case], env={**os.environ, "ZRECV": path}, text=True,
                                 capture_output=True)
        return run.returncode, run.stdout + run.stderr

    def found(self, words, *arguments, **more):
        status, said = self.sweep(*arguments, **more)
        self.assertEqual(status, 1, said)
        self.assertIn(words, said)

    def test_nothing_is_found_in_the_truth(self):
        for case in ("push/recv/fsync=EIO@1", "push/recv/recvfrom=EINTR@3", "push/wire/slice=65536"):
            status, said = self.sweep(case)
            self.assertEqual(status, 0, said)

    def test_says_0(self):
        self.found("zrecv ends with 0 and the content is not there", "push/recv/fsync=EIO@1", after="s=0")
        self.found("not durable", "push/recv/fsync=EIO@2", after="s=0")
        self.found("zrecv ends with 0, zsend does not", "push/send/sendfile=EIO@2", after="s=0")

    def test_does_not_sync(self):
        self.found("not durable", "push/recv/recvfrom=EINTR@3", options="--durability=none")

    def test_leaves_something(self):
        self.found("left behind", "push/recv/fsync=EIO@1", after='touch "$dst/.zrecv-0"')
        self.found("neither the old", "push/recv/fsync=EIO@1", after='printf x >>"$dst/f"')
        self.found("neither the old", "stdout/send/sendfile=EIO@2", after="printf x")

    def test_crashes(self):
        self.found("zrecv ends with -6", "push/recv/fsync=EIO@1", after="kill -ABRT $$")

    def test_says_more_or_nothing(self):
        self.found("zrecv says 2 errors", "push/recv/fsync=EIO@1", after="echo zrecv: error: x >&2")
        self.found("does not say why", "push/recv/fsync=EIO@1", before="exec 2>/dev/null")

    def test_a_case_that_never_happens_is_no_success(self):
        status, said = self.sweep("push/recv/fsync=EIO@99")
        self.assertEqual(status, 1, said)
        self.assertIn("injections: none", said)


if __name__ == "__main__":
    unittest.main()
