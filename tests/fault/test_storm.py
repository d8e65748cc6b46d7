"""Many sessions over TLS, each with an ephemeral znode and watches, and a server that is stopped, killed, aborted and
exchanged for another binary under them, while what they watch changes: all of them resume, none expires, no ephemeral
is gone for a moment, and each is told of what it watches once and in order.

How long it took until the last was back is told and asserted of nobody; tools/compare has it beside ZooKeeper's. The
server is $ZOOLITED_PLAIN's where there is one: 2,000 handshakes under a sanitizer are no restart. ZOOLITE_LONG=1 goes
round ten times; ZOOLITE_STORM_SESSIONS changes their number."""
import os
import shutil
import signal
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import certs  # noqa: E402
import members  # noqa: E402
import servers  # noqa: E402
import zk_wire as zk  # noqa: E402

pytestmark = pytest.mark.alone

ROUNDS = 10 if os.environ.get("ZOOLITE_LONG") == "1" else 1
BINARY = os.environ.get("ZOOLITED_PLAIN") or servers.find_zoolited()
SESSIONS = int(os.environ.get("ZOOLITE_STORM_SESSIONS", "0"))
CHANGE_EVERY_S = 0.05


@pytest.fixture(name="server")
def fixture_server(tmp_path):
    """A server whose binary is its own, so that it can be exchanged."""
    (tmp_path / "certs").mkdir()
    server = servers.Zoolite(tmp_path / "server", certs.make_authority(tmp_path / "certs"),
                             binary=str(tmp_path / "zoolited"))
    shutil.copy2(BINARY, server.binary)
    try:
        yield server.start()
        server.finish()
    finally:
        server.close()


def stop(server):
    assert server.stop() == 0


def kill(server):
    server.kill()


def abort(server):
    """As it ends itself where a promise cannot be kept."""
    assert server._end(signal.SIGABRT, 30) == -signal.SIGABRT  # pylint: disable=protected-access


def exchange(server):
    """A new binary is put into the place of the running one, as by a package manager, then it is stopped."""
    new = server.binary + ".new"
    shutil.copy2(server.binary, new)
    with open(new, "ab") as file:
        file.write(b"\nanother build\n")
    old = os.stat(server.binary).st_ino
    os.replace(new, server.binary)
    assert os.stat("/proc/%d/exe" % server.process.pid).st_ino == old
    stop(server)


class Writer:
    """Changes what the members watch; its own session outlives the server, too."""

    def __init__(self, server, crowd):
        self.server = server
        self.crowd = crowd
        self.client = server.client()
        self.number = 0

    def come_back(self):
        client = zk.Client(self.server.link())
        reply = client.connect(session_id=self.client.session_id, password=self.client.password)
        assert reply.session_id == self.client.session_id
        self.client = client

    def change_all(self):
        self.number += 1
        self.crowd.change(self.client, "all-%06d" % self.number)

    def change_until_back(self):
        """Group after group, until all members are back; gives what they say of it."""
        while True:
            for group in self.crowd.groups:
                self.number += 1
                self.crowd.change(self.client, "one-%06d" % self.number, [group])
                told = self.crowd.poll(CHANGE_EVERY_S)
                if told is not None:
                    return told


def one_storm(server, crowd, writer, end, are_absent):
    """The server ends and starts again. Members who are absent meanwhile have all missed the same changes; to the others
    they come at different moments, on their way to them as the server ends and on their way back."""
    if are_absent:
        crowd.wait_watching(server)
        crowd.pause()
    else:
        writer.change_all()
    end(server)
    began = time.monotonic()
    server.start()
    serving = time.monotonic()
    writer.come_back()
    if are_absent:
        writer.change_all()
        crowd.resume()
        serving = time.monotonic()
    told = writer.change_until_back()
    assert (told["lost"], told["back"]) == (crowd.count, crowd.count)
    assert server.metric("sessions_expired") == 0
    writer.change_all()
    crowd.check_ephemerals(writer.client)
    return "%s: served after %.2f s, all %d back %.2f s later (%d connections, %.2f s of their CPU time)" % (
        end.__name__, serving - began, told["back"], told["back_at_us"] / 1e6 - serving, told["attempts"],
        told["bench_cpu_seconds"])


def test_storm(server, capsys):
    sessions = SESSIONS or (200 if servers.is_sanitized(server.binary) else 2000)
    said = []
    with members.Members(server, sessions, bench=members.find_bench(BINARY)) as crowd:
        writer = Writer(server, crowd)
        for number in range(ROUNDS):
            for index, end in enumerate((stop, kill, abort, exchange)):
                said.append(one_storm(server, crowd, writer, end, (index + number) % 2 == 1))
        seen = crowd.finish()
    # Each was told of much more than once a storm.
    assert seen["told"] > 3 * len(said) * sessions
    with capsys.disabled():
        print("\n" + "\n".join(said) + "\n%d events" % seen["told"])
