"""Sessions for the tests of a connection that is replaced: one with a zrecv, in plain mode, and one with a zsend,
under TLS with a throw-away certificate."""
import atexit
import os
import shutil
import ssl
import subprocess
import tempfile

import speaker as s
from harness import ZRECV, ZSEND, Run, zrecv

KEY = s.Key()
CONTENT = os.urandom(3 * s.MIB + 17)
ONE = s.Sent(1, "f", CONTENT)


class Session:
    """A good session up to WELCOME, with the program in one of the two forms."""

    def __init__(self, form, *options, key=None, sources=1):
        self.form, self.key, self.index = form, key, 0
        self.listener = None
        if form == "listens":
            self.run = zrecv(*options, key=key)
            self.peer = s.connect(self.run.port, s.SENDER)
        else:
            self.listener = s.Listener()
            self.run = Run()
            security = ["--plain"] + (["--no-auth"] if key is None else [])
            self.run.start(ZRECV, *security, *options, f"zs://127.0.0.1:{self.listener.port}",
                           self.run.dst, key=key)
            self.peer = self.listener.accept(s.SENDER)
        self.id = os.urandom(16)
        if form == "listens":
            self.peer.meet(key, sources=sources, session=self.id)
        else:
            self.id = self.peer.meet(key, sources=sources)["session"]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.peer.close()
        if self.listener:
            self.listener.close()
        self.run.__exit__()

    def fresh(self):
        """The next connection, whoever makes it."""
        if self.form == "listens":
            return s.connect(self.run.port, s.SENDER)
        return self.listener.accept(s.SENDER)

    def replace(self):
        """An honest switch. Returns what zrecv said before it."""
        late = self.peer.end_by_switch()
        self.index += 1
        self.peer = self.fresh().join(self.id, self.index, self.key)
        return late

    def finish(self, content=CONTENT, name="f"):
        """The whole file from here on; both sides end with 0."""
        s.send_files(self.peer, [(name, content)])
        self.peer.end_sending()
        assert self.peer.hear() == []
        self.run.expect(0, files={name: content})


def conclude(session, sent, late):
    """From the last END of [sent] to BYE."""
    wanted = {one.id for one in sent} - {f.entry for f in late if f.kind == s.RESULT}
    while wanted:
        frame = session.peer.read()
        if frame.kind == s.RESULT:
            assert s.read_result(frame.body)["status"] == 0
            wanted.remove(frame.entry)
        else:
            assert frame.kind == s.ACK, frame
    session.peer.send(s.fin_of(sent))
    assert s.read_totals(session.peer.expect(s.VERDICT).body, True)["status"] == 0
    session.peer.send(s.bye())
    session.peer.end_sending()
    assert session.peer.hear() == []


FOLDER = tempfile.mkdtemp(prefix="zx-certs.")
atexit.register(shutil.rmtree, FOLDER)
CERTIFICATE, PRIVATE = os.path.join(FOLDER, "cert.pem"), os.path.join(FOLDER, "key.pem")
LONG = os.urandom(4 * s.MIB)
AES128 = 1


def make_certificate():
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", PRIVATE, "-out", CERTIFICATE, "-days", "2", "-subj", "/CN=test",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    os.chmod(PRIVATE, 0o600)


class SendingSession:
    """A zsend that has connected and has sent SWITCH after its first block or so."""

    def __init__(self, *options, content=LONG):
        self.listener = s.Listener()
        self.run = Run()
        source = self.run.write("f", content)
        self.run.start(ZSEND, f"--tls-cert={CERTIFICATE}", f"--tls-key={PRIVATE}", f"--tls-ca={CERTIFICATE}",
                       "--tls-cipher=aes128", "--ktls=off", "--rekey-after=1M", "--block-size=1M", *options,
                       source, f"zs://127.0.0.1:{self.listener.port}")
        self.peer = self.listener.accept(s.RECEIVER)
        self.peer.exchange_prefaces(s.preface(s.RECEIVER, mode=s.TLS_CERT, suites=AES128))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0
        context.load_cert_chain(CERTIFICATE, PRIVATE)
        context.load_verify_locations(CERTIFICATE)
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["zxfer/1"])
        self.peer.socket = context.wrap_socket(self.peer.socket, server_side=True)

    def __enter__(self):
        self.peer.agree(block=s.MIB)
        return self

    def __exit__(self, *unused):
        self.peer.close()
        self.listener.close()
        self.run.__exit__()

    def up_to_switch(self):
        frames = []
        while not frames or frames[-1].kind != s.SWITCH:
            frames.append(self.peer.read())
        assert [f.kind for f in frames] == [s.ENTRY, s.DATA, s.DIGEST, s.SWITCH], frames
        return self

    def end_old(self):
        """close_notify both ways."""
        self.peer.socket = self.peer.socket.unwrap()
        self.peer.end_sending()
        assert self.peer.drain() == b""
