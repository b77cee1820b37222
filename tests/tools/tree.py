#!/usr/bin/env python3
"""Trees for tests: makes one with everything that -r keeps, and compares two by a walk of its own.

  tree.py make DIR              a small tree with odd names, deep and empty directories, links, holes
  tree.py same A B [--times]    ends with 1 and says what differs; with --times also times and modes
"""
import os
import random
import stat
import sys


def write(name, content, directory=None):
    with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory), "wb") as file:
        file.write(content)


def make(root):
    chance = random.Random(7)
    os.mkdir(root)
    top = os.open(root, os.O_RDONLY)
    odd = [b"new\nline", b"tab\there", b"\xff\xfe not UTF-8", b" leading", b"-rf", b"*", b"a:b", b"\x1b[31mred",
           b"x" * 255, "übergrün".encode()]
    for name in odd:
        write(name, b"content of " + name, top)
    os.mkdir(b"directory with \n in it", dir_fd=top)
    write(b"directory with \n in it/file", b"inside", top)
    for name in ("empty", "nested", "nested/empty", "private", "shared"):
        os.mkdir(name, dir_fd=top)
    for i in range(300):
        write(f"nested/{i}", chance.randbytes(chance.choice([0, 1, 700, 5000, 70000])), top)
    write("large", chance.randbytes(20_000_001), top)
    with open(os.path.join(root, "holes"), "wb") as file:
        file.write(b"begin")
        file.truncate(5_000_000)
    for name, target in (("link", "nested/1"), ("dangling", "../../nowhere"), ("absolute", "/etc/passwd"),
                         ("to directory", "nested"), ("nested/up", ".."), ("long", "y" * 4000)):
        os.symlink(target, name, dir_fd=top)
    os.chmod("nested/1", 0o600, dir_fd=top)
    os.chmod("nested/2", 0o755, dir_fd=top)
    # Deeper than any path may be long: 30 levels of 255 bytes.
    at = os.dup(top)
    for i in range(30):
        name = chr(ord("A") + i % 26) * 255
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, os.O_RDONLY, dir_fd=at)
        write("leaf", f"level {i}".encode(), inner)
        os.close(at)
        at = inner
    os.close(at)
    # Times of directories last: what is made in them changes them.
    os.chmod("private", 0o700, dir_fd=top)
    os.chmod("shared", 0o775, dir_fd=top)
    for name in ("large", "nested/1", "nested", "empty", "private", "shared"):
        when = chance.randrange(10 ** 9, 15 * 10 ** 8) * 10 ** 9 + chance.randrange(10 ** 9)
        os.utime(name, ns=(when, when), dir_fd=top)
    os.utime("link", ns=(10 ** 18, 10 ** 18), dir_fd=top, follow_symlinks=False)
    os.utime(root, ns=(11 * 10 ** 17, 11 * 10 ** 17))


def look(directory, name, times):
    st = os.stat(name, dir_fd=directory, follow_symlinks=False)
    facts = [stat.S_IFMT(st.st_mode)]
    if stat.S_ISREG(st.st_mode):
        facts += [st.st_size]
    if stat.S_ISLNK(st.st_mode):
        facts += [os.readlink(name, dir_fd=directory)]
    if times:
        facts += [st.st_mtime_ns] + ([] if stat.S_ISLNK(st.st_mode) else [st.st_mode & 0o777])
    return facts


def same_content(a, b, name):
    with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=a), "rb") as one, \
         os.fdopen(os.open(name, os.O_RDONLY, dir_fd=b), "rb") as other:
        while True:
            piece = one.read(1 << 20)
            if piece != other.read(1 << 20):
                return False
            if not piece:
                return True


def differences(a, b, path, times):
    """One descriptor a level and side, names by themselves: no path is ever long."""
    names, others = set(os.listdir(a)), set(os.listdir(b))
    for name in sorted(names ^ others):
        yield f"{path + name!r}: only at one side"
    for name in sorted(names & others):
        one, other = look(a, name, times), look(b, name, times)
        if one != other:
            yield f"{path + name!r}: {one} and {other}"
        elif one[0] == stat.S_IFREG and not same_content(a, b, name):
            yield f"{path + name!r}: other content"
        elif one[0] == stat.S_IFDIR:
            inner = [os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd) for fd in (a, b)]
            yield from differences(*inner, path + name[:20] + "/", times)
            for fd in inner:
                os.close(fd)


def main():
    if sys.argv[1] == "make":
        return make(sys.argv[2])
    times = "--times" in sys.argv[4:]
    a, b = (os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in sys.argv[2:4])
    found = list(differences(a, b, "", times))
    if times and look(a, ".", True) != look(b, ".", True):
        found.append(f"itself: {look(a, '.', True)} and {look(b, '.', True)}")
    print("\n".join(found[:20]))
    sys.exit(1 if found else 0)


main()
