"""forbid.py RULE... -- COMMAND...: runs a command with some system calls refused, by a seccomp filter of its own.

A rule is io_uring (EPERM, as container profiles have it), io_uring_enter (set-up allowed, use refused),
process_vm_readv (EPERM), cachestat and landlock (ENOSYS), or O_DIRECT (opening with it is EINVAL). Exits with 77 where there is
no seccomp.
"""
import ctypes, errno, os, platform, struct, sys

ARM = platform.machine() == "aarch64"
O_DIRECT = os.O_DIRECT
OPENAT = 56 if ARM else 257
RULES = {
    "io_uring": [(425, 0, errno.EPERM)],
    "io_uring_enter": [(426, 0, errno.EPERM)],
    "process_vm_readv": [(270 if ARM else 310, 0, errno.EPERM)],
    "cachestat": [(451, 0, errno.ENOSYS)],
    "landlock": [(444, 0, errno.ENOSYS)],
    "O_DIRECT": [(OPENAT, O_DIRECT, errno.EINVAL)],  # glibc's open(3) is openat(2)
}
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NUMBER_AT, THIRD_ARGUMENT_AT = 0, 32


def op(code, k, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, k)


def program(rules):
    out = b""
    for number, flag, error in rules:
        out += op(LOAD, NUMBER_AT)
        if flag:
            out += op(EQUAL, number, 0, 3) + op(LOAD, THIRD_ARGUMENT_AT) + op(ANY_BIT, flag, 0, 1)
        else:
            out += op(EQUAL, number, 0, 1)
        out += op(RETURN, ERRNO | error)
    return out + op(RETURN, ALLOW)


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


split = sys.argv.index("--")
code = program([rule for name in sys.argv[1:split] for rule in RULES[name]])
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS: then no privilege is needed for the filter
if libc.prctl(22, 2, ctypes.byref(Filter(len(code) // 8, code)), 0, 0) != 0:  # PR_SET_SECCOMP
    print("no seccomp:", os.strerror(ctypes.get_errno()), file=sys.stderr)
    sys.exit(77)
os.execvp(sys.argv[split + 1], sys.argv[split + 1:])
