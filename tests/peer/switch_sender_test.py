"""A zsend that replaces its connection, against a receiver made of speaker.py under TLS with certificates.

What follows the old connection has a key from the TLS exporter, which Python's ssl module does not have: each
case ends at the latest when the new connection has shown its preface.
"""
import atexit
import os
import shutil
import ssl
import subprocess
import tempfile

import speaker as s
from harness import ZSEND, Run, cases, main, test, within

FOLDER = tempfile.mkdtemp(prefix="zx-certs.")
atexit.register(shutil.rmtree, FOLDER)
CERTIFICATE, PRIVATE = os.path.join(FOLDER, "cert.pem"), os.path.join(FOLDER, "key.pem")
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", PRIVATE, "-out", CERTIFICATE, "-days", "2", "-subj", "/CN=test",
                "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
os.chmod(PRIVATE, 0o600)
CONTENT = os.urandom(4 * s.MIB)
AES128 = 1


class Session:
    """A zsend that has connected and has sent SWITCH after its first block or so."""

    def __init__(self, *options, content=CONTENT):
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


@test
def the_key_of_the_next_connection_is_not_the_certificates():
    """After both SWITCHes zsend connects again, asks for mode tls-psk, and names no key that could link it."""
    with Session("--timeout", "2") as session:
        session.up_to_switch().peer.send(s.switch())
        session.end_old()
        again = session.listener.accept(s.RECEIVER)
        preface = again.receive(24)
        assert preface[:8] == s.MAGIC and preface[10] == s.TLS_PSK and preface[11] == s.SENDER, preface
        assert preface != session.peer.prefaces[0]
        again.close()
        session.listener.close()
        session.run.expect((s.NETWORK, s.TIMEOUT), "error: ", files={})


BEFORE = [
    ("ACK", s.ack(1, s.MIB)), ("RETRY", s.retry(1, 0, s.MIB)), ("RESULT of a failure", s.result(1, 6)),
    ("HEARTBEAT", s.message(s.HEARTBEAT)), ("unknown optional", s.message(0x0777, b"x" * 100)),
    ("all of them", s.ack(1, 1) + s.retry(1, 0, s.MIB) + s.result(1, 6) + s.message(s.HEARTBEAT)),
]


@cases(BEFORE)
def is_heard_before_the_answer(frames):
    """What an honest receiver had said already does not disturb the switch: the new connection comes."""
    with Session("--timeout", "2") as session:
        session.up_to_switch().peer.send(frames, s.switch())
        session.end_old()
        session.listener.accept(s.RECEIVER).close()
        session.listener.close()
        session.run.expect((s.NETWORK, s.TIMEOUT), files={})


INSTEAD = [
    ("ERROR", s.error(7, b"full\x1b[2J"), s.NO_SPACE, "peer: "),
    ("DATA", s.data(1, 0, b"x" * 1000), s.PROTOCOL, "peer sent DATA"),
    ("unknown must-understand", s.message(0x8abc), s.PROTOCOL, "unknown type"),
    ("random bytes", os.urandom(4096), s.PROTOCOL, "check"),
    ("SWITCH twice", s.switch() + s.switch(), s.PROTOCOL, "something after SWITCH"),
    ("RESULT after SWITCH", s.switch() + s.result(1, 6), s.PROTOCOL, "something after SWITCH"),
]


@cases(INSTEAD)
def instead_of_the_answer(frames, status, words):
    with Session("--timeout", "5") as session:
        session.up_to_switch().peer.send(frames)
        session.run.expect(status, words, files={})


@test
def no_answer():
    soon = within(15)
    with Session("--timeout", "1") as session:
        session.up_to_switch()
        session.run.expect(s.TIMEOUT, "timed out", files={})
    soon()


@test
def the_end_instead_of_the_answer():
    with Session("--timeout", "5") as session:
        session.up_to_switch()
        session.end_old()
        session.run.expect(s.NETWORK, "the connection ended", files={})


@test
def an_end_that_tls_did_not_announce():
    with Session("--timeout", "5") as session:
        session.up_to_switch().peer.send(s.switch())
        os.close(session.peer.socket.detach())
        session.run.expect(s.NETWORK, "error: ", files={})


if __name__ == "__main__":
    main()
