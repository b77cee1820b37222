"""The proxy alone, between two sockets: what each of its rules does, and that it does no more."""
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest

PROXY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tcp_proxy.py")
PATIENCE = 20
SILENCE = 0.2  # after which nothing more is taken to come
DATA = bytes(i * 7 % 251 for i in range(200_000))


class Ended(Exception):
    pass


def take(end, size):
    """So many bytes; raises Ended at the end of the stream and ConnectionResetError at a reset."""
    got = b""
    while len(got) < size:
        piece = end.recv(size - len(got))
        if not piece:
            raise Ended(f"after {len(got)} bytes")
        got += piece
    return got


def silent(*ends):
    return not select.select(ends, [], [], SILENCE)[0]


class ProxyTest(unittest.TestCase):
    def start(self, *words, clock=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.addCleanup(self.listener.close)
        options = ["--clock"] if clock else []
        command = [sys.executable, PROXY, *options, str(self.listener.getsockname()[1]), *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.port = int(self.process.stdout.readline())

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.addCleanup(client.close)
        return client

    def pair(self):
        client = self.connect()
        server = self.listener.accept()[0]
        server.settimeout(PATIENCE)
        self.addCleanup(server.close)
        return client, server

    def said(self, line):
        while (heard := self.process.stdout.readline().decode().strip()).startswith("passed "):
            pass
        self.assertEqual(heard, line)

    def expect_reset(self, *ends):
        for end in ends:
            with self.assertRaises(ConnectionResetError):
                take(end, 1)

    def expect_refusal(self):
        with self.assertRaises(ConnectionResetError):
            take(self.connect(), 1)

    def expect_end(self, end):
        with self.assertRaisesRegex(Ended, "after 0 bytes"):
            take(end, 1)

    def expect_whole(self, client, server):
        for a, b in ((client, server), (server, client)):
            a.sendall(DATA[:5000])
            self.assertEqual(take(b, 5000), DATA[:5000])
            a.shutdown(socket.SHUT_WR)
            self.expect_end(b)

    def test_passes_what_no_rule_is_about(self):
        self.start("pass", "0")
        for number in range(3):
            self.expect_whole(*self.pair())
            self.said(f"connection {number}")

    def test_passes_a_reset_on(self):
        self.start()
        client, server = self.pair()
        client.sendall(b"x")
        take(server, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        self.expect_reset(server)

    def test_a_listener_that_is_gone_is_a_reset_and_no_end_of_the_proxy(self):
        self.start()
        self.listener.close()
        for _ in range(2):
            self.expect_refusal()

    def test_cut_at_the_byte_of_one_connection(self):
        self.start("cut=70001,on=1")
        self.expect_whole(*self.pair())
        client, server = self.pair()
        client.sendall(DATA[:100_000])
        self.assertEqual(take(server, 70_001), DATA[:70_001])
        self.expect_reset(server, client)
        self.expect_whole(*self.pair())
        for line in ("connection 0", "connection 1", "cut at 70001 of connection 1", "connection 2"):
            self.said(line)

    def test_cut_waits_until_the_bytes_before_it_are_there(self):
        self.start("cut=3000000")
        client, server = self.pair()
        client.settimeout(None)
        sender = threading.Thread(target=self.send_until_reset, args=(client, bytes(4_000_000)))
        sender.start()
        self.addCleanup(sender.join)
        self.assertTrue(silent(client))  # meanwhile what the buffers hold has moved
        take(server, 3_000_000)
        self.expect_reset(server)

    def send_until_reset(self, end, data):
        try:
            end.sendall(data)
        except ConnectionError:
            pass

    def test_cut_every(self):
        self.start("cut=1000,from=both")
        for number in range(5):
            ends = self.pair()
            a, b = ends if number % 2 else reversed(ends)
            b.sendall(bytes(999))
            take(a, 999)
            a.sendall(DATA[:1001])
            self.assertEqual(take(b, 1000), DATA[:1000])
            self.expect_reset(a, b)
            self.said(f"connection {number}")
            self.said(f"cut at 1000 of connection {number}")

    def test_cut_before_the_first_byte(self):
        self.start("cut=0,on=0-1")
        for _ in range(2):
            self.expect_refusal()
        self.expect_whole(*self.pair_after(2))

    def pair_after(self, dead):
        """The next connection, when some before it never came or are gone."""
        client = self.connect()
        client.sendall(b"?")
        for _ in range(dead + 1):
            server = self.listener.accept()[0]
            server.settimeout(PATIENCE)
            self.addCleanup(server.close)
            try:
                if server.recv(1) == b"?":
                    return client, server
            except ConnectionResetError:
                pass
        self.fail("it did not come")

    def test_cut_by_an_end_of_one_direction(self):
        self.start("cut=300,fin,from=listener")
        client, server = self.pair()
        server.sendall(DATA[:1000])
        self.assertEqual(take(client, 300), DATA[:300])
        self.expect_end(client)
        client.sendall(b"still there")
        self.assertEqual(take(server, 11), b"still there")

    def test_refuse(self):
        self.start("refuse=,on=0-2")
        for number in range(3):
            self.expect_refusal()
            self.said(f"connection {number}")
            self.said(f"refuse at 0 of connection {number}")
        self.expect_whole(*self.pair())  # the first that the listener sees

    def test_hold_lets_nothing_through_while_others_are_served(self):
        self.start("hold=500,on=0-1")
        held = self.pair(), self.pair()
        for client, server in held:
            client.sendall(DATA[:800])
            self.assertEqual(take(server, 500), DATA[:500])
            server.sendall(b"answer")
            self.assertTrue(silent(client, server))
        held[0][0].close()
        held[1][1].close()
        self.assertTrue(silent(held[0][1], held[1][0]))
        self.expect_whole(*self.pair())
        for line in ("connection 0", "connection 1", "hold at 500 of connection 0",
                     "hold at 500 of connection 1", "connection 2"):
            self.said(line)

    def test_hold_goes_on_when_told(self):
        self.start("hold", "500", "listener")
        client, server = self.pair()
        self.said("connection 0")
        server.sendall(DATA[:100_000])
        take(client, 500)
        self.said("hold at 500 of connection 0")
        self.assertTrue(silent(client))
        self.process.send_signal(signal.SIGUSR1)
        self.assertEqual(take(client, 99_500), DATA[500:100_000])
        self.expect_whole(client, server)

    def test_hold_of_both_directions_is_one_hold(self):
        self.start("hold=10,from=both")
        client, server = self.pair()
        self.said("connection 0")
        client.sendall(bytes(20))
        take(server, 10)
        self.said("hold at 10 of connection 0")
        self.process.send_signal(signal.SIGUSR1)
        take(server, 10)
        self.expect_whole(client, server)

    def test_mark_says_that_a_place_is_passed(self):
        self.start("mark=500,on=1,from=listener", clock=True)
        for number in range(2):
            client, server = self.pair()
            server.sendall(DATA[:501])
            self.assertEqual(take(client, 501), DATA[:501])
            self.expect_whole(client, server)
        times = []
        for line in ("connection 0", "connection 1", "mark at 500 of connection 1"):
            while "passed" in (heard := self.process.stdout.readline().decode()):
                pass
            clock, _, said = heard.strip().partition(" ")
            self.assertEqual(said, line)
            times.append(float(clock))
        self.assertEqual(times, sorted(times))
        self.assertLess(times[-1], PATIENCE * 1000)

    def segments(self, end):
        return struct.unpack_from("I", end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 152)[0]

    def test_slice(self):
        for rules, least, most in ((["slice=1"], 20, 1000), ([], 1, 5)):  # kernels join what waits
            self.start(*rules)
            client, server = self.pair()
            client.sendall(DATA[:1000])
            self.assertEqual(take(server, 1000), DATA[:1000])
            self.assertTrue(least <= self.segments(server) <= most, self.segments(server))
            self.expect_whole(client, server)

    def test_flip(self):
        self.start("flip=70000.5,from=listener", "flip=3")
        client, server = self.pair()
        server.sendall(DATA[:100_000])
        changed = DATA[:70_000] + bytes([DATA[70_000] ^ 32]) + DATA[70_001:100_000]
        self.assertEqual(take(client, 100_000), changed)
        client.sendall(bytes(5))
        self.assertEqual(take(server, 5), b"\0\0\0\1\0")

    def test_duplicate(self):
        self.start("duplicate=60000+30000")  # over more than one read
        client, server = self.pair()
        client.sendall(DATA)
        wanted = DATA[:90_000] + DATA[60_000:]
        self.assertEqual(take(server, len(wanted)), wanted)
        self.expect_whole(client, server)

    def test_stale_bytes_come_after_those_of_the_next_connection(self):
        self.start("stale=40+60,until=1000,on=0")
        client, old = self.pair()
        client.sendall(DATA[:99])
        take(old, 40)
        self.assertTrue(silent(old, client))
        client.sendall(DATA[99:100])
        self.expect_reset(client)
        client, new = self.pair()
        client.sendall(bytes(600))
        take(new, 600)
        new.sendall(bytes(399))
        take(client, 399)
        self.assertTrue(silent(old))
        client.sendall(b"x")
        take(new, 1)
        self.assertEqual(take(old, 60), DATA[40:100])
        self.expect_reset(old)
        self.expect_whole(client, new)
        for line in ("connection 0", "stale at 40 of connection 0", "connection 1",
                     "late at 40 of connection 0"):
            self.said(line)

    def test_stale_without_a_reset_keeps_the_end_back_too(self):
        for how in ("end", "reset"):
            self.start("stale=40,until=10,on=0")
            client, old = self.pair()
            client.sendall(DATA[:1000])
            take(old, 40)
            self.assertTrue(silent(old))  # by now all has come to the proxy
            if how == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            for _ in range(2):  # an answer to who is gone
                old.sendall(b"answer")
                self.assertTrue(silent(old))
            client, new = self.pair()
            client.sendall(bytes(10))
            take(new, 10)
            self.assertEqual(take(old, 960), DATA[40:1000])
            self.expect_end(old) if how == "end" else self.expect_reset(old)

    def test_a_stale_end(self):
        self.start("stale=40,until=10,on=0")
        client, old = self.pair()
        client.sendall(bytes(40))
        client.close()
        take(old, 40)
        self.assertTrue(silent(old))
        client, new = self.pair()
        new.sendall(bytes(10))
        self.expect_end(old)

    def tls(self, *lengths):
        return bytes(24) + b"".join(struct.pack(">BHH", 23, 0x303, n) + bytes(n) for n in lengths)

    def test_the_middle_of_a_tls_record(self):
        stream = self.tls(10, 1000, 70_000 % 65536, 20)
        for first in (1, 26, len(stream)):  # headers in one piece and not
            self.start("flip", "45")
            client, server = self.pair()
            client.sendall(stream[:first])
            got = take(server, first)
            client.sendall(stream[first:])
            got += take(server, len(stream) - first)
            self.assertEqual([i for i, byte in enumerate(got) if byte != stream[i]], [24 + 15 + 5 + 500])

        self.start("cut", "45")
        client, server = self.pair()
        client.sendall(stream)
        take(server, 24 + 15 + 5 + 500)
        self.expect_end(server)
        server.sendall(b"back")
        self.assertEqual(take(client, 4), b"back")

    def test_a_rule_that_is_none(self):
        for word in ("cute=5", "cut=5,form=both"):
            run = subprocess.run([sys.executable, PROXY, "1", word], capture_output=True, timeout=PATIENCE)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(b"no such rule", run.stderr)


if __name__ == "__main__":
    unittest.main()
