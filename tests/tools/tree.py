#!/usr/bin/env python3
"""Trees for tests: makes one with everything that -r keeps, and compares two by a walk of its own.

  tree.py make DIR [--all]             a small tree with odd names, deep and empty directories, links, holes; with --all
                                       (by root) also owners, set-id bits, hard links, ACLs and extended attributes, as far as
                                       the file system there has them
  tree.py same A B [--times|--all]     ends with 1 and says what differs; with --times also times and modes, with --all
                                       all that --all makes
"""
import errno
import os
import random
import stat
import struct
import sys

OWNER, USER, OWNING_GROUP, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"


def write(name, content, directory=None):
    with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory), "wb") as file:
        file.write(content)


def acl(*entries):
    """As linux/posix_acl_xattr.h has it."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, permissions, who) for tag, permissions, who in entries)


def can(root, name, value):
    """Whether the file system there has such an attribute."""
    try:
        os.setxattr(root, name, value)
        os.removexattr(root, name)
        return True
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EPERM):
            raise
        print(f"{root}: no {name}: left out")
        return False


def make_all(root):
    """What -a keeps and -r -p do not. Ids of users that every system has, and one that nobody has."""
    nobody = 0xffffffff
    at = os.path.join(root, "owned")
    os.mkdir(at)
    for name in ("file", "set-id", "sticky", "acl", "xattrs", "program"):
        write(os.path.join(at, name), name.encode())
    for name in ("group's", "default acl", "inner"):
        os.mkdir(os.path.join(at, name))
    write(os.path.join(at, "default acl", "inside"), b"no ACL of its own")
    os.symlink("file", os.path.join(at, "link"))
    for first, other in (("owned/file", "owned/another name"), ("owned/file", "owned/inner/third"), ("large", "owned/large"),
                         ("owned/acl", "owned/default acl/acl"), ("nested/1", "one"), ("nested/0", "A" * 255 + "/zero")):
        os.link(os.path.join(root, first), os.path.join(root, other))
    for name, owner, group in (("file", 1, 2), ("set-id", 2, 3), ("group's", 0, 2), ("link", 3, 1), ("program", 1, 1), ("inner", 123456, 654321)):
        os.chown(os.path.join(at, name), owner, group, follow_symlinks=False)
    for name, mode in (("set-id", 0o6711), ("sticky", 0o1644), ("group's", 0o3771)):
        os.chmod(os.path.join(at, name), mode)
    if can(at, ACCESS, acl((OWNER, 7, nobody), (USER, 7, 1), (OWNING_GROUP, 5, nobody), (MASK, 7, nobody), (OTHER, 5, nobody))):
        mine = acl((OWNER, 6, nobody), (USER, 4, 1), (USER, 6, 123456), (OWNING_GROUP, 4, nobody), (GROUP, 6, 2),
                   (MASK, 6, nobody), (OTHER, 0, nobody))
        below = acl((OWNER, 7, nobody), (OWNING_GROUP, 5, nobody), (GROUP, 7, 3), (MASK, 7, nobody), (OTHER, 0, nobody))
        os.setxattr(os.path.join(at, "acl"), ACCESS, mine)
        os.setxattr(os.path.join(at, "default acl"), DEFAULT, below)
    if can(at, "user.probe", b"x"):
        for name in ("xattrs", "inner"):
            for key, value in (("user.empty", b""), ("user.binary", bytes(range(256))), ("user.long", b"y" * 3000)):
                os.setxattr(os.path.join(at, name), key, value)
    if can(at, "trusted.probe", b"x"):
        os.setxattr(os.path.join(at, "xattrs"), "trusted.probe", b"only root sees it")
        # cap_net_raw, as of ping: VFS_CAP_REVISION_2, effective.
        os.setxattr(os.path.join(at, "program"), "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))


def make(root, everything):
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
    if everything:
        make_all(root)
    # Times of directories last: what is made in them changes them.
    os.chmod("private", 0o700, dir_fd=top)
    os.chmod("shared", 0o775, dir_fd=top)
    for name in ("large", "nested/1", "nested", "empty", "private", "shared"):
        when = chance.randrange(10 ** 9, 15 * 10 ** 8) * 10 ** 9 + chance.randrange(10 ** 9)
        os.utime(name, ns=(when, when), dir_fd=top)
    os.utime("link", ns=(10 ** 18, 10 ** 18), dir_fd=top, follow_symlinks=False)
    os.utime(root, ns=(11 * 10 ** 17, 11 * 10 ** 17))


def attributes(directory, name):
    path = f"/proc/self/fd/{directory}/".encode() + os.fsencode(name)
    names = os.listxattr(path, follow_symlinks=False)
    return {n: os.getxattr(path, n, follow_symlinks=False) for n in names if n != "security.selinux"}


def look(directory, name, times, everything=False):
    st = os.stat(name, dir_fd=directory, follow_symlinks=False)
    facts = [stat.S_IFMT(st.st_mode)]
    if stat.S_ISREG(st.st_mode):
        facts += [st.st_size]
    if stat.S_ISLNK(st.st_mode):
        facts += [os.readlink(name, dir_fd=directory)]
    if times:
        facts += [st.st_mtime_ns] + ([] if stat.S_ISLNK(st.st_mode) else [st.st_mode & 0o777])
    if everything:
        facts += [st.st_uid, st.st_gid, st.st_mode & 0o7000, attributes(directory, name)]
    return facts


class Names:
    """Of each file of two trees, the name that was met first: the other names of a file are the same at both sides."""

    def __init__(self):
        self.firsts = {}

    def differ(self, sides, path):
        firsts = [self.firsts.setdefault((side, st.st_dev, st.st_ino), path) for side, st in enumerate(sides)]
        return firsts[0] != firsts[1]


def same_content(a, b, name):
    with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=a), "rb") as one, \
         os.fdopen(os.open(name, os.O_RDONLY, dir_fd=b), "rb") as other:
        while True:
            piece = one.read(1 << 20)
            if piece != other.read(1 << 20):
                return False
            if not piece:
                return True


def differences(a, b, path, times, everything, met):
    """One descriptor a level and side, names by themselves: no path is ever long."""
    names, others = set(os.listdir(a)), set(os.listdir(b))
    for name in sorted(names ^ others):
        yield f"{path + name!r}: only at one side"
    for name in sorted(names & others):
        one, other = look(a, name, times, everything), look(b, name, times, everything)
        if one != other:
            yield f"{path + name!r}: {one} and {other}"
        elif everything and one[0] == stat.S_IFREG and met.differ([os.stat(name, dir_fd=d) for d in (a, b)], path + name):
            yield f"{path + name!r}: other hard links"
        elif one[0] == stat.S_IFREG and not same_content(a, b, name):
            yield f"{path + name!r}: other content"
        elif one[0] == stat.S_IFDIR:
            inner = [os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd) for fd in (a, b)]
            yield from differences(*inner, path + name[:20] + "/", times, everything, met)
            for fd in inner:
                os.close(fd)


def main():
    if sys.argv[1] == "make":
        return make(sys.argv[2], "--all" in sys.argv[3:])
    everything = "--all" in sys.argv[4:]
    times = everything or "--times" in sys.argv[4:]
    a, b = (os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in sys.argv[2:4])
    found = list(differences(a, b, "", times, everything, Names()))
    one, other = look(a, ".", times, everything), look(b, ".", times, everything)
    if times and one != other:
        found.append(f"itself: {one} and {other}")
    print("\n".join(found[:20]))
    sys.exit(1 if found else 0)


main()
