"""Each allocation that a peer can size fails once, by countdown over a scenario of connections and requests (plain and
TLS): the server lives, who met the failure gets an error or a closed connection, nothing that was acknowledged is
missing and nothing that was not is half there, and the next client is served.

The server is tests/fault/zoolited_alloc: the whole one, with tests/fault/failing_memory.c.
"""
import ctypes
import os
import signal
import ssl
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import certs  # noqa: E402
import servers  # noqa: E402
import zk_wire as zk  # noqa: E402

NO_NODE = -101
LARGE, LARGER = b"a" * 5000, b"b" * 60000
NAMES = ["%02d-%s" % (number, "n" * 200) for number in range(30)]
LEAST_FAILURES = 15


def find_program():
    path = os.path.join(os.environ.get("ZOOLITE_BUILDDIR", "."), "tests", "fault", "zoolited_alloc")
    if not os.access(path, os.X_OK):
        pytest.fail("no %s: make check TESTS=" % path)
    return path


@pytest.fixture(name="server")
def fixture_server(tmp_path):
    (tmp_path / "ca").mkdir()
    server = servers.Zoolite(tmp_path / "server", certs.make_authority(tmp_path / "ca"), binary=find_program())
    yield server.start()
    server.close()


def is_signal_pending(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["ShdPnd"], 16) >> (signal.SIGRTMIN + 7 - 1) & 1


def fail_after(server, number):
    """The allocation of that number from now on fails; 0: none does."""
    value = ctypes.c_void_p(number)
    assert ctypes.CDLL(None, use_errno=True).sigqueue(server.process.pid, signal.SIGRTMIN + 7, value) == 0
    servers.wait_until(lambda: not is_signal_pending(server.process.pid), 10, "a signal to arrive")


class Scenario:
    """What one client asks, and what it was told of it."""

    def __init__(self, server, tls):
        self.server, self.tls = server, tls
        self.acknowledged = {}  # path -> data
        self.sent = {}          # path -> all data that it may have: an answer may be lost

    def write(self, client, request, path, data):
        self.sent.setdefault(path, []).append(data)
        reply = client.call(request)
        if reply.err == 0:
            self.acknowledged[path] = data
            self.sent[path] = [data]
        return reply

    def play(self):
        """Until its end, or until the connection is closed; silence is neither."""
        try:
            client = self.server.client(tls=self.tls)
            client.auth("digest", b"user:" + b"secret" * 50)
            self.write(client, zk.create("/large", LARGE), "/large", LARGE)
            self.write(client, zk.create2("/large/s-", LARGE, flags=zk.SEQUENTIAL), "/large/s-0000000000", LARGE)
            self.write(client, zk.set_data("/large", LARGER), "/large", LARGER)
            client.call(zk.multi([zk.create("/large/" + name, b"") for name in NAMES]))
            client.call(zk.get_data("/large", watch=True))
            client.call(zk.get_children2("/large", watch=True))
            client.call(zk.get_acl("/large"))
            client.call(zk.multi_read([zk.get_data("/large"), zk.get_children("/large")]))
            client.call(zk.set_watches(0, data=["/watched-" + name for name in NAMES]))
            client.call_all([zk.get_data("/large") for _ in range(20)])
            client.close_session()
        except (zk.Closed, ConnectionError, ssl.SSLError):
            pass

    def check(self, client):
        """Another client: all of it is there, a multi as a whole, and goes away."""
        for path in self.acknowledged:
            assert client.call(zk.get_data(path)).value.data in self.sent[path], path
        children = client.call(zk.get_children2("/large"))
        if children.err == NO_NODE:
            assert not self.acknowledged
            return
        names = children.value.names
        assert children.value.stat.num_children == len(names)
        assert len(set(names) & set(NAMES)) in (0, len(NAMES)), names
        for name in names:
            assert client.call(zk.delete("/large/" + name)).err == 0
        assert client.call(zk.delete("/large")).err == 0


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_each_allocation_fails_once(server, tls):
    failures, number = 0, 0
    while True:
        number += 1
        before = server.metric("memory_refused")
        fail_after(server, number)
        scenario = Scenario(server, tls)
        scenario.play()
        fail_after(server, 0)
        assert server.is_running(), server.log()[-4000:]
        met = server.metric("memory_refused") - before
        with server.client(tls=tls) as other:
            scenario.check(other)
        assert met in (0, 1)
        failures += met
        if met == 0:
            break
    assert scenario.acknowledged["/large"] == LARGER
    assert failures >= LEAST_FAILURES, failures
    print("%d allocations failed" % failures)
    server.finish()
