"""Other tools, with flags that suit a large file on loopback. Their servers are started for each run in
the foreground, on a port of 127.0.0.1, with keys made for this benchmark only."""
import os
import pwd
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import host
from contestants import Contestant
from measure import Job

AES = "aes128-gcm@openssh.com"  # the fastest cipher of OpenSSH on CPUs with AES instructions
TLS_SUITE = "TLS_AES_128_GCM_SHA256"  # the suite zsend uses


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port: int) -> bool:
    """Looked up, not tried: some of these take one connection and end."""
    wanted = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                for line in file:
                    fields = line.split()
                    if fields[1].endswith(wanted) and fields[3] == "0A":
                        return True
        except FileNotFoundError:
            pass
    return False


Command = Callable[[Job, int], list[object]]


def one_shot(receive: Command, send: Command, *, stdin: bool = False, stdout: bool = False) -> Callable[[Job], None]:
    """A receiver that takes one connection, then a sender; both end by themselves."""
    def run(job: Job) -> None:
        port = free_port()
        receiver = job.start("receiver", receive(job, port), stdout=job.target if stdout else None)
        job.until(lambda: listening(port), receiver)
        job.begin()
        sender = job.start("sender", send(job, port), stdin=job.source if stdin else None)
        job.finish(sender, receiver)
    return run


def nc_receive(_: Job, port: int) -> list[object]:
    return ["nc", "-d", "-l", "127.0.0.1", port]


def socat_receive(block: int | None) -> Command:
    return lambda job, port: ["socat", "-u", *(["-b", block] if block else []),
                              f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", f"CREATE:{job.target}"]


def socat_send(block: int | None) -> Command:
    return lambda job, port: ["socat", "-u", *(["-b", block] if block else []), f"OPEN:{job.source},rdonly",
                              f"TCP:127.0.0.1:{port}"]


def mbuffer_receive(job: Job, port: int) -> list[object]:
    return ["mbuffer", "-q", "-s", "1M", "-m", "64M", "-I", f"127.0.0.1:{port}", "-o", job.target]


def shell(script: str) -> Command:
    """A pipeline; $1 is the file, $2 the port, $3 the folder that receives."""
    return lambda job, port: ["sh", "-c", script, "sh", job.source, port, job.dest]


class Ssh:
    """An sshd with throw-away keys, and what its clients need to know."""

    def __init__(self, work: Path) -> None:
        self.keys = work / "ssh"
        self.absent = host.missing(("sshd", "ssh", "ssh-keygen"))
        if self.absent:
            return
        self.keys.mkdir(mode=0o700)
        for name in ("host", "user"):
            subprocess.run([host.program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", self.keys / name],
                           check=True, stdout=subprocess.DEVNULL)
        (self.keys / "known").write_text("bench " + (self.keys / "host.pub").read_text())
        # sshd started by root wants the folder that its service would make.
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    def serve(self, job: Job, cipher: str | None) -> tuple[object, int, list[str]]:
        """The server, its port, and options for ssh and scp."""
        port, config = free_port(), job.scratch / "sshd_config"
        config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.keys}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.keys}/user.pub\nStrictModes no\nPasswordAuthentication no\n"
            # internal-sftp, and a home without start-up files of a shell: both only spare the peer costs.
            f"PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\nSetEnv HOME={job.scratch}\n"
            "LogLevel ERROR\n")
        server = job.start("receiver", ["sshd", "-D", "-e", "-f", config])
        job.until(lambda: listening(port), server)
        options = ["-F", "/dev/null", "-i", f"{self.keys}/user", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                   "-o", f"UserKnownHostsFile={self.keys}/known", "-o", "HostKeyAlias=bench"]
        return server, port, options + (["-c", cipher] if cipher else [])

    def scp(self, cipher: str | None) -> Callable[[Job], None]:
        def run(job: Job) -> None:
            server, port, options = self.serve(job, cipher)
            job.begin()
            job.finish(job.start("sender", ["scp", "-q", "-P", port, *options, job.source,
                                            f"{user()}@127.0.0.1:{job.target}"]))
            job.stop(server)
        return run

    def rsync(self, cipher: str) -> Callable[[Job], None]:
        def run(job: Job) -> None:
            server, port, options = self.serve(job, cipher)
            job.begin()
            job.finish(job.start("sender", ["rsync", "--whole-file", "-e", " ".join(["ssh", "-p", str(port), *options]),
                                            job.source, f"{user()}@127.0.0.1:{job.target}"]))
            job.stop(server)
        return run


def user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def rsync_daemon(*flags: str) -> Callable[[Job], None]:
    def run(job: Job) -> None:
        port, config = free_port(), job.scratch / "rsyncd.conf"
        identity = "uid = 0\ngid = 0\n" if os.getuid() == 0 else ""
        config.write_text(f"{identity}use chroot = no\nlog file = /dev/null\nreverse lookup = no\n"
                          f"[dest]\npath = {job.dest}\nread only = no\n")
        server = job.start("receiver", ["rsync", "--daemon", "--no-detach", "--address=127.0.0.1", f"--port={port}",
                                        f"--config={config}"])
        job.until(lambda: listening(port), server)
        job.begin()
        job.finish(job.start("sender", ["rsync", "--whole-file", *flags, job.source,
                                        f"rsync://127.0.0.1:{port}/dest/{job.target.name}"]))
        job.stop(server)
    return run


class Nginx:
    """nginx serves, curl fetches: here the server is the sender."""

    def __init__(self, work: Path) -> None:
        self.cert = work / "cert.pem"
        self.key = work / "cert.key"
        self.absent_tls = host.missing(("nginx", "curl", "openssl"))
        if self.absent_tls is None:
            subprocess.run([host.program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.cert],
                           check=True, capture_output=True)

    def fetch(self, tls: bool) -> Callable[[Job], None]:
        def run(job: Job) -> None:
            port, config = free_port(), job.scratch / "nginx.conf"
            identity = f"user {user()};\n" if os.getuid() == 0 else ""
            secure = (f"ssl_certificate {self.cert}; ssl_certificate_key {self.key}; ssl_protocols TLSv1.3;"
                      if tls else "")
            folders = "".join(f"{kind}_temp_path {job.scratch};\n" for kind in
                              ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            config.write_text(
                f"{identity}worker_processes 1;\npid {job.scratch}/nginx.pid;\nevents {{}}\n"
                f"http {{\n{folders}access_log off;\nsendfile on;\ntcp_nopush on;\n"
                f"server {{ listen 127.0.0.1:{port}{' ssl' if tls else ''}; root {job.source.parent}; {secure} }}\n"
                "}\n")
            server = job.start("sender", ["nginx", "-p", job.scratch, "-e", "stderr", "-c", config,
                                          "-g", "daemon off;"])
            job.until(lambda: listening(port), server)
            options = ["--cacert", self.cert, "--tls13-ciphers", TLS_SUITE] if tls else []
            job.begin()
            job.finish(job.start("receiver", ["curl", "-sSf", *options, "-o", job.target,
                                              f"{'https' if tls else 'http'}://127.0.0.1:{port}/{job.source.name}"]))
            job.stop(server, sessions=False)  # its worker always stays
        return run


def peer_contestants(work: Path, ssh: Ssh) -> list[Contestant]:
    nginx = Nginx(work)

    def peer(name: str, what: str, run: Callable[[Job], None], needs: tuple[str, ...],
             **facts: str | None) -> Contestant:
        return Contestant(name, "peer", what, run, needs=needs, **facts)

    mac, sums = "each packet (MAC)", "whole file, as it was received"
    return [
        peer("scp", f"scp, cipher {AES}", ssh.scp(AES), ("scp",), encrypts="aes128-gcm", verifies=mac,
             absent=ssh.absent),
        peer("scp-default", "scp with the cipher it chooses itself", ssh.scp(None), ("scp",),
             encrypts="chacha20-poly1305", verifies=mac, absent=ssh.absent),
        peer("rsync", "rsync daemon, --whole-file", rsync_daemon(), ("rsync",), verifies=sums, atomic="yes"),
        peer("rsync-inplace", "the same with --inplace", rsync_daemon("--inplace"), ("rsync",), verifies=sums),
        peer("rsync-ssh", f"rsync --whole-file over ssh, cipher {AES}", ssh.rsync(AES), ("rsync",),
             encrypts="aes128-gcm", verifies=sums, atomic="yes", absent=ssh.absent),
        peer("nc", "nc -N, OpenBSD's netcat", one_shot(nc_receive, lambda job, port: ["nc", "-N", "127.0.0.1", port],
                                                       stdin=True, stdout=True), ("nc",)),
        peer("socat-1M", "socat -u -b 1048576", one_shot(socat_receive(1 << 20), socat_send(1 << 20)), ("socat",)),
        peer("socat", "socat -u, its default of 8 KiB", one_shot(socat_receive(None), socat_send(None)), ("socat",)),
        peer("mbuffer", "mbuffer -s 1M -m 64M", one_shot(mbuffer_receive, lambda job, port: [
            "mbuffer", "-q", "-s", "1M", "-m", "64M", "-i", job.source, "-O", f"127.0.0.1:{port}"]), ("mbuffer",)),
        peer("curl-http", "curl from nginx: sendfile on, tcp_nopush on", nginx.fetch(tls=False), ("curl", "nginx")),
        peer("curl-https", f"curl from nginx, {TLS_SUITE}", nginx.fetch(tls=True), ("curl", "nginx"),
             encrypts="TLS 1.3", verifies="each record (MAC)", absent=nginx.absent_tls),
        peer("tar-nc", "tar | nc, nc | tar", one_shot(
            shell('nc -d -l 127.0.0.1 "$2" | tar xf - -C "$3"'),
            shell('tar cf - -C "$(dirname "$1")" "$(basename "$1")" | nc -N 127.0.0.1 "$2"')), ("nc", "tar")),
    ]


def pipe_contestants() -> list[Contestant]:
    """The file comes out of a pipe, as from a producer that is no file."""
    return [
        Contestant("pipe-nc", "peer", "cat FILE | nc -N", one_shot(
            nc_receive, shell('cat "$1" | nc -N 127.0.0.1 "$2"'), stdout=True), needs=("nc",)),
        Contestant("pipe-socat-1M", "peer", "cat FILE | socat -u -b 1048576", one_shot(
            socat_receive(1 << 20), shell('cat "$1" | socat -u -b 1048576 - "TCP:127.0.0.1:$2"')), needs=("socat",)),
        Contestant("pipe-mbuffer", "peer", "cat FILE | mbuffer -s 1M -m 64M", one_shot(
            mbuffer_receive, shell('cat "$1" | mbuffer -q -s 1M -m 64M -O "127.0.0.1:$2"')), needs=("mbuffer",)),
    ]
