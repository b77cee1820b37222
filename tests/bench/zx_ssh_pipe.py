"""zsend and zrecv as they are used beside scp, and in pipelines; in each mode that both --help offer."""
from collections.abc import Callable

from contestants import Contestant, Programs, Way, check_path, event, has_option, options_for
from measure import Job, NotAvailable
from peers import AES, Ssh, user

VERIFIES = "XXH3-128 of what the file holds"
MODES = {"plain": "no encryption", "tls": "TLS in user space"}


def _ssh(programs: Programs, ssh: Ssh, via: str | None) -> Callable[[Job], None]:
    """zsend starts zrecv by ssh; the program over there is named, since nothing is installed."""
    def run(job: Job) -> None:
        server, port, options = ssh.serve(job, AES)
        told = job.scratch / "zsend.json"
        words = ["-P", port]
        # Only -F, -i and -o are options of zsend too; the cipher is one of ssh.
        for option, value in zip(options[::2], options[1::2], strict=True):
            words += ["-o", f"Ciphers={value}"] if option == "-c" else [option, value]
        job.begin()
        sender = job.start("sender", [programs.zsend, "-q", f"--durability={job.durability}", *words,
                                      f"--remote-program={programs.zrecv}", *([f"--via={via}"] if via else []),
                                      f"--json={told}", job.source, f"{user()}@127.0.0.1:{job.target}"])
        job.finish(sender)
        job.stop(server)
        summary = event(told, "summary")
        if summary is None:
            raise NotAvailable("zsend wrote no summary")
        job.notes["summary"] = summary
    return run


def _pipe(programs: Programs, way: Way) -> Callable[[Job], None]:
    """cat FILE | zsend - on one side, zrecv - > FILE on the other."""
    def run(job: Job) -> None:
        heard, told = job.scratch / "zrecv.json", job.scratch / "zsend.json"
        receive = [option for option in options_for(programs.recv_help, way, job) if "--durability" not in option]
        receiver = job.start("receiver", [programs.zrecv, *receive, f"--json={heard}", "--listen", "127.0.0.1:0", "-"],
                             stdout=job.target)
        listening = job.until(lambda: event(heard, "listening"), receiver)
        key = {"ZXFER_KEY": listening["key"]} if "key" in listening else {}
        send = [option for option in options_for(programs.send_help, way, job) if "--durability" not in option]
        job.begin()
        sender = job.start("sender", ["sh", "-c", 'file=$1; shift; cat "$file" | "$@"', "sh", job.source, programs.zsend,
                                      *send, f"--json={told}", "-", f"zs://127.0.0.1:{listening['port']}"],
                           environment=key)
        job.finish(sender, receiver)
        summary = event(told, "summary")
        job.notes["summary"] = summary
        check_path(way, summary["path"])
    return run


def ssh_contestants(programs: Programs, ssh: Ssh) -> list[Contestant]:
    both = (programs.send_help, programs.recv_help)
    absent = ssh.absent
    if not all(has_option(text, "--remote-program") for text in both):
        absent = "not available: --help lists no --remote-program"

    def one(name: str, what: str, via: str | None) -> Contestant:
        return Contestant(name, "zx", what, _ssh(programs, ssh, via), encrypts="TLS 1.3, user space" if via != "ssh"
                          else f"TLS 1.3 inside {AES}", verifies=VERIFIES, atomic="yes", durable="by option",
                          needs=("sshd", "ssh"), absent=absent)

    return [one("zx-ssh", "zsend FILE HOST:PATH, zrecv started by ssh", None),
            one("zx-ssh/via-ssh", "the same with --via=ssh: the data through ssh too", "ssh")]


def zx_pipe_contestants(programs: Programs) -> list[Contestant]:
    # Options that make sense only with them.
    offered = has_option(programs.send_help, "--name") and has_option(programs.recv_help, "--verify-first")
    absent = None if offered else "not available: --help offers no standard input and output"
    return [Contestant(f"pipe-zx-{mode}", "zx", f"cat FILE | zsend -, zrecv - > FILE; {what}",
                       _pipe(programs, Way(mode)), encrypts="no" if mode == "plain" else "TLS 1.3, user space",
                       verifies="XXH3-128 of what was received", absent=absent) for mode, what in MODES.items()]
