"""Those who attack a server in the tests, each a process of its own, so that the test's own client is not slowed down
by them: python3 attackers.py '{"kind": ..., "port": ..., "seconds": ...}'. What it did is one line of JSON in the end.

They come from loopback addresses of their own (127.1.x.y), so that limits of an address do not meet others.
"""
import errno
import json
import os
import resource
import select
import socket
import ssl
import subprocess
import sys
import threading
import time

import zk_wire as zk

PAUSE_S = 0.02


class Attack(subprocess.Popen):
    """An attacker that runs; wait_over() tells what it did."""

    def __init__(self, kind, **options):
        super().__init__(["setpriv", "--pdeathsig", "KILL", sys.executable, os.path.abspath(__file__),
                          json.dumps(dict(options, kind=kind))], stdout=subprocess.PIPE, text=True)

    def wait_ready(self):
        """Of those that say so: all of it has begun."""
        assert self.stdout.readline() == "ready\n"

    def wait_over(self, deadline_s=60):
        late = threading.Timer(deadline_s, self.kill)
        late.start()
        try:
            told = self.stdout.read()
            assert self.wait() == 0, "an attacker failed, or did not end"
        finally:
            late.cancel()
        return json.loads(told.splitlines()[-1])

    def close(self):
        if self.poll() is None:
            self.kill()
            self.wait()
        self.stdout.close()


def source(number):
    return ("127.1.%d.%d" % (number // 250, number % 250 + 1), 0)


def context(options, certificate):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if certificate:
        made.load_cert_chain(certificate)
    return made


def until(options):
    end = time.monotonic() + options["seconds"]
    while time.monotonic() < end:
        yield


def close_all(socks):
    for sock in socks:
        sock.close()


def half_open(options):
    """Connections on which nothing is said; who was shut out comes again."""
    begun = 0
    is_ready = False
    socks = []
    for _ in until(options):
        while len(socks) < options["count"]:
            sock = socket.socket()
            sock.setblocking(False)
            sock.bind(source(options["first"] + begun // 10 % options["addresses"]))
            begun += 1
            if sock.connect_ex(("127.0.0.1", options["port"])) not in (0, errno.EINPROGRESS):
                raise OSError("cannot connect")
            socks.append(sock)
        if not is_ready:
            print("ready", flush=True)
            is_ready = True
        poll = select.poll()
        by_fd = {sock.fileno(): sock for sock in socks}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(100):
            by_fd[fd].close()
            socks.remove(by_fd[fd])
        time.sleep(PAUSE_S)
    close_all(socks)
    return {"begun": begun, "held": len(socks)}


def bad_certificates(options):
    """Handshakes as fast as they can be made, none of which is worth anything."""
    contexts = [context(options, name) for name in options["certificates"]]
    tried = let_in = 0
    for _ in until(options):
        tried += 1
        try:
            sock = socket.create_connection(("127.0.0.1", options["port"]), 10,
                                            source(options["first"] + tried % options["addresses"]))
            with contexts[tried % len(contexts)].wrap_socket(sock) as tls:
                # With TLS 1.3 a client learns by its first read that it was refused.
                tls.sendall(zk.frame(zk.connect_body()))
                let_in += tls.recv(1) != b""
        except OSError:
            pass
    return {"tried": tried, "let_in": let_in}


def drip(options):
    """A byte a second on many connections: within a handshake, a connect request, a request of a session."""
    links = []
    address = ("127.0.0.1", options["port"])
    tls = context(options, options["certificates"][0])
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"h" * 500
    for number in range(options["count"]):
        links.append([zk.Link(address, source=source(number // 10)), hello])
        links.append([zk.Link(address, tls, source=source(100 + number // 10)), zk.frame(zk.connect_body())])
        client = zk.Client(zk.Link(address, tls, source=source(200 + number // 10)))
        client.connect(timeout=options["timeout_ms"])
        links.append([client.link, zk.request_frame(zk.set_data("/", b"x" * 1000000), 1)])
    sent = cut = 0
    for _ in until(options):
        for entry in list(links):
            link, text = entry
            try:
                # Nobody is told anything but that it is over.
                if select.select([link], [], [], 0)[0]:
                    raise zk.Closed("closed, or about to be")
                link.send(text[:1])
                entry[1] = text[1:]
                sent += 1
            except (OSError, zk.Closed):
                link.close()
                links.remove(entry)
                cut += 1
        time.sleep(1)
    for link, _ in links:
        link.close()
    return {"sent": sent, "cut": cut, "left": len(links)}


def announce(options):
    """Before there is a session: frames of 1 MB are announced and begun."""
    tls = context(options, options["certificates"][0])
    begin = zk.p_int(1000000) + b"x" * 900
    announced = 0
    links = []
    for _ in until(options):
        if len(links) == options["count"]:
            links.pop(0).close()
        try:
            links.append(zk.Link(("127.0.0.1", options["port"]), tls if options["tls"] else None,
                                 source=source(options["first"] + announced % 200)))
            announced += 1
            for part in range(options["parts"]):
                links[-1].send(begin if part == 0 else b"x" * 16384)
        except (OSError, zk.Closed):
            pass
    for link in links:
        link.close()
    return {"announced": announced}


def unread(options):
    """Sessions that ask for large znodes again and again, and read nothing."""
    tls = context(options, options["certificates"][0])
    asked = b"".join(zk.request_frame(zk.get_data(options["path"]), xid) for xid in range(1, 101))
    links = []
    begun = cut = 0
    for _ in until(options):
        while len(links) < options["count"]:
            client = zk.Client(zk.Link(("127.0.0.1", options["port"]), tls, source=source(begun // 10 % 250)))
            begun += 1
            try:
                client.connect(timeout=40000)
                client.link.send(asked)
            except (OSError, zk.Closed):
                client.abandon()
                cut += 1
                break
            links.append(client.link)
            client.link.sock.setblocking(False)
        for link in list(links):
            try:
                link.sock.send(zk.request_frame(zk.ping(), zk.XID_PING))
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            except OSError:
                link.close()
                links.remove(link)
                cut += 1
        time.sleep(PAUSE_S)
    for link in links:
        link.close()
    return {"begun": begun, "cut": cut}


def flood(options):
    """One connection at a time sends all that is in a file, reads what comes, and begins anew when it was closed."""
    with open(options["file"], "rb") as file:
        frames = file.read()
    tls = context(options, options["certificates"][0])
    rounds = closed = received = 0
    end = time.monotonic() + options["seconds"]
    while time.monotonic() < end:
        client = zk.Client(zk.Link(("127.0.0.1", options["port"]), tls, source=source(rounds % 200)))
        client.connect(timeout=40000)
        rounds += 1
        sock = client.link.sock
        sock.setblocking(False)
        left = memoryview(frames)
        idle = 0
        try:
            while idle < 5:
                can_read, can_write, _ = select.select([sock], [sock] if left else [], [], 0.1)
                if can_write:
                    try:
                        left = left[sock.send(left[:65536]):]
                    except ssl.SSLWantWriteError:
                        pass
                got = 0
                if can_read:
                    try:
                        while True:
                            part = len(sock.recv(65536))
                            if part == 0:
                                raise zk.Closed("end")
                            got += part
                    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                        pass
                received += got
                idle = idle + 1 if not left and got == 0 else 0
        except (OSError, zk.Closed):
            closed += 1
        sock.close()
    return {"rounds": rounds, "closed": closed, "received": received}


KINDS = {function.__name__: function for function in (half_open, bad_certificates, drip, announce, unread, flood)}


def main():
    options = json.loads(sys.argv[1])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(json.dumps(KINDS[options["kind"]](options)))


if __name__ == "__main__":
    main()
