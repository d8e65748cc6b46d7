"""A disk that hangs, and turns that take long: who only waits for us does not expire, reads and pings go on, and the
log tells what was slow."""
import re
import threading
import time

import pytest

import servers
import slowdisk
import zk_wire as zk

TIMEOUT_MS = 1000
HANG_S = 2.2
COLD = 300
BATCH = 40
SLOW_DEADLINE_S = 60
COUNTED = ("changes_logged", "log_commits", "log_flushes", "sessions_expired")


@pytest.fixture(name="disk")
def fixture_disk(tmp_path):
    return slowdisk.SlowDisk(tmp_path)


@pytest.fixture(name="make_slow")
def fixture_make_slow(make_server, disk):
    def make(**config):
        server = make_server.new(**{"minSessionTimeout": TIMEOUT_MS, "tickTime": 500, **config})
        server.extra_environment = disk.environment()
        return server.start()
    return make


def test_reload_before_there_is_a_loop(make_server, disk):
    """SIGHUP while the data directory is opened ends no start."""
    server = make_server.new()
    server.extra_environment = disk.environment()
    with disk.hangs("hang-sync"):
        server.start(wait=False)
        server.wait_log(r"event=server\.starting ")
        server.hangup()
    server.wait_ready()
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.done", since)


def test_words_before_recovery_is_over(make_slow, disk):
    """Probes of a server that starts are answered at once, on each port, and told that it does not serve yet."""
    monitor = servers.free_ports(1)[0]
    server = make_slow(zoolite__monitorPort=monitor)
    client = server.client()
    assert client.call(zk.create("/recovered", flags=zk.EPHEMERAL)).err == 0
    server.kill()
    since = server.log_size()
    ways = ({"tls": False}, {"tls": True}, {"tls": False, "port": monitor})

    def answers(word):
        return [server.four_letter_word(word, **way) for way in ways]
    with disk.hangs("hang-load"):
        server.start(wait=False)
        server.wait_log(r"event=server\.listening kind=zoolite\.monitorPort ", since)
        assert answers("ruok") == [b"imok"] * 3
        assert answers("isro") == [b"null"] * 3
        assert answers("srvr") == answers("mntr") == [
            b"This ZooKeeper instance is not currently serving requests\n"] * 3
        assert all(b"zookeeper.version=" in answer for answer in answers("envi"))
        assert "event=server.serving" not in server.log()[since:]
    server.wait_ready()
    assert answers("isro") == [b"rw"] * 3
    again = zk.Client(server.link())
    assert again.connect(session_id=client.session_id, password=client.password).session_id == client.session_id
    assert again.call(zk.exists("/recovered")).value.ephemeral_owner == client.session_id


def send_until_full(client, requests):
    """Send without reading until the server takes no more for a while; give all xids, and what is left to send."""
    sock = client.link.sock
    prepared = [client.prepare(request) for request in requests]
    data = memoryview(b"".join(frame for _, frame in prepared))
    sock.settimeout(0.2)
    try:
        while data:
            data = data[sock.send(data[:65536]):]
    except TimeoutError:
        pass
    return [xid for xid, _ in prepared], data


def test_disk_that_hangs_is_no_silence_of_clients(make_slow, disk):
    """Writers wait for two timeouts and are answered; one of them has not been read for so long."""
    server = make_slow(zoolite__maxInFlight=4096, zoolite__maxReadAhead=4096)
    flood, pinger = [server.client(tls=False, timeout=TIMEOUT_MS) for _ in range(2)]
    reader = server.client(timeout=20000)
    for index, client in enumerate((flood, pinger, reader)):
        assert client.call(zk.create("/owner-%d" % index, flags=zk.EPHEMERAL)).err == 0
    assert flood.call(zk.create("/flood")).err == 0
    assert reader.call(zk.create("/old", b"quiet")).err == 0
    parked = server.metric("connections_parked")
    with disk.hangs("hang-sync"):
        held = pinger.submit(zk.create("/held"))
        assert pinger.ping(5).err == 0
        # Far more than all buffers between us take.
        xids, rest = send_until_full(flood, [zk.set_data("/flood", b"x" * 100000)] * 300)
        assert rest, "the server read all of it"
        end = time.monotonic() + HANG_S
        while time.monotonic() < end:
            assert pinger.ping(5).err == 0
            reply = reader.call(zk.get_data("/old"), 5)
            assert (reply.err, reply.value.data) == (0, b"quiet")
            time.sleep(0.1)
        assert held not in pinger.done
        assert server.metric("connections_parked") > parked
        assert server.metric("connections_held") >= 1
        server.wait_log(r'event=conn\.held .*reason="too many replies wait for the disk"')
        assert not server.metric("sessions_expired")
    assert pinger.wait(held).err == 0
    with zk.Pinger([pinger], 0.1):
        flood.link.send(rest)
        for xid in xids:
            assert flood.wait(xid).err == 0
    assert reader.call(zk.get_data("/flood")).value.stat.version == len(xids)
    for index, client in enumerate((flood, pinger, reader)):
        assert client.call(zk.exists("/owner-%d" % index)).value.ephemeral_owner == client.session_id
    assert not server.metric("sessions_expired")


class Looker(threading.Thread):
    """Pings, and reads znodes that nobody changes, until told to end; notes how long each took, in milliseconds."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client = client
        self.ending = threading.Event()
        self.pings = []
        self.reads = []
        self.failure = None

    def _look(self):
        began = time.monotonic()
        assert self.client.ping(SLOW_DEADLINE_S).err == 0
        between = time.monotonic()
        replies = self.client.wait(self.client.submit(zk.get_data("/old")), SLOW_DEADLINE_S)
        assert (replies.err, replies.value.data) == (0, b"quiet")
        names = self.client.call(zk.get_children("/quiet"), SLOW_DEADLINE_S).value.names
        assert sorted(names) == ["a", "b"]
        self.pings.append((between - began) * 1000)
        self.reads.append((time.monotonic() - between) * 500)

    def run(self):
        try:
            while not self.ending.is_set():
                self._look()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


@pytest.mark.parametrize("sync_ms", [50, 5000])
def test_disk_that_is_slow_slows_writes_alone(make_slow, disk, capsys, sync_ms):
    """Heartbeats, and reads of what does not change, go on while syncs take their time; writers share these, and
    nobody expires."""
    server = make_slow(maxSessionTimeout=120000)
    looker = Looker(server.client(timeout=TIMEOUT_MS))
    owners = [server.client(tls=index % 2 == 0, timeout=TIMEOUT_MS) for index in range(6)]
    writers = [server.client(tls=index % 2 == 0, timeout=120000) for index in range(6)]
    for request in (zk.create("/old", b"quiet"), zk.create("/quiet"), zk.create("/quiet/a"), zk.create("/quiet/b")):
        assert looker.client.call(request).err == 0
    for index, client in enumerate(owners):
        assert client.call(zk.create("/owner-%d" % index, flags=zk.EPHEMERAL)).err == 0
    for index, client in enumerate(writers):
        assert client.call(zk.create("/written-%d" % index)).err == 0
    before = {name: server.metric(name) for name in COUNTED}
    began = time.monotonic()
    with zk.Pinger(owners, 0.2) as pinger, disk.takes(sync_ms):
        looker.start()
        # As long as two syncs of the slowest take; each write waits for the sync that is under way, and its own.
        changes = 0
        while time.monotonic() < began + max(1.5, 1.5 * sync_ms / 1000):
            sent = [(client, client.submit_all([zk.set_data("/written-%d" % index, b"%d" % changes)] * BATCH))
                    for index, client in enumerate(writers)]
            for client, xids in sent:
                for xid in xids:
                    assert client.wait(xid, SLOW_DEADLINE_S).err == 0
            changes += len(writers) * BATCH
        looker.ending.set()
        looker.join()
        took_s = time.monotonic() - began
        grown = {name: server.metric(name) - before[name] for name in COUNTED}
    assert pinger.failure is None and looker.failure is None
    assert grown["sessions_expired"] == 0
    for index, client in enumerate(owners):
        assert client.barrier().err == 0
        assert client.call(zk.exists("/owner-%d" % index)).value.ephemeral_owner == client.session_id
    # Writes share syncs: no more of them than there was time for, and each had many changes.
    assert grown["changes_logged"] == changes
    assert 1 <= grown["log_flushes"] <= took_s * 1000 / sync_ms + 1
    assert grown["changes_logged"] >= 10 * grown["log_flushes"]
    assert grown["log_commits"] <= grown["changes_logged"] / 2
    # Reads and heartbeats wait for none: several went through during each.
    assert len(looker.reads) > 3 * grown["log_flushes"]
    with capsys.disabled():
        print("\nsyncs of %d ms: %d changes in %d commits and %d syncs; %d reads, p99 %.1f ms; pings p99 %.1f ms" % (
            sync_ms, changes, grown["log_commits"], grown["log_flushes"], len(looker.reads),
            percentile(looker.reads, 0.99), percentile(looker.pings, 0.99)))


def test_outstanding_requests(make_slow, disk):
    """Above globalOutstandingLimit those wait who have something that waits for the disk, and nobody else; pings
    least of all."""
    server = make_slow(globalOutstandingLimit=3)
    writer, other = server.client(timeout=20000), server.client(tls=False, timeout=20000)
    assert writer.call(zk.create("/a")).err == 0
    with disk.hangs("hang-sync"):
        held = writer.submit_all([zk.set_data("/a", b"x")] * 5)
        servers.wait_until(lambda: server.metric("outstanding_requests") == 3, 10, "three that wait")
        waiting = writer.submit(zk.exists("/zookeeper"))
        assert other.call(zk.exists("/zookeeper")).err == 0
        assert writer.ping(5).err == 0
        assert waiting not in writer.done
        assert server.metric("outstanding_requests") == 3
    assert [writer.wait(xid).err for xid in held + [waiting]] == [0] * 6
    assert writer.call(zk.get_data("/a")).value.stat.version == 5


def restart_cold(server):
    """Znodes that are in no cache; whoever reads one makes the core read the disk."""
    with server.client() as client:
        replies = client.call_all([zk.create("/cold-%d" % index, b"x" * 5000) for index in range(COLD)])
        assert all(reply.err == 0 for reply in replies)
        client.close_session()
    server.restart()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_who_came_back_during_long_turns_is_let_in(make_slow, disk, tls):
    """Turn after turn takes longer than is left of the session when its client comes back. It is overdue before its
    new connection is taken from the gate, or before the first that is sent on that is read."""
    server = make_slow(zoolite__replayDelay=0, zoolite__treeCacheSize="256k", zoolite__cacheSize=0)
    restart_cold(server)
    other = server.client(tls=False, timeout=20000)
    client = server.client(tls=tls, timeout=TIMEOUT_MS)
    assert client.call(zk.create("/mine", flags=zk.EPHEMERAL)).err == 0
    client.abandon()
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    with disk.hangs("drag"):
        cold = [zk.get_data("/cold-%d" % (index * 37 % COLD)) for index in range(300)]
        held = other.submit_all([zk.multi_read(cold[at:at + 60]) for at in range(0, 300, 60)])
        time.sleep(max(0, deadline - 0.4 - time.monotonic()))
        again = zk.Client(server.link(tls=tls))
        again.link.send_frame(zk.connect_body(TIMEOUT_MS, client.session_id, client.password))
        reply = zk.decode_connect_reply(again.link.receive())
        assert reply.session_id == client.session_id
    assert all(other.wait(xid).err == 0 for xid in held)
    assert again.call(zk.exists("/mine")).value.ephemeral_owner == client.session_id
    assert not server.metric("sessions_expired")
    # That it was as it is meant to be.
    assert max(map(int, re.findall(r"event=loop\.slow took_ms=(\d+)", server.log()))) > 400


@pytest.mark.parametrize("word, culprit", [("slow-read", "getData"), ("slow-write", "commit")])
def test_slow_turn_is_told_with_its_culprit(make_slow, disk, word, culprit):
    """A request that reads a slow disk is named itself; what is done for all of a turn, by its step."""
    server = make_slow(zoolite__replayDelay=0)
    restart_cold(server)
    client = server.client()
    slow, since = server.metric("loop_turns_slow"), server.log_size()
    disk.say(word)
    if word == "slow-read":
        assert client.call(zk.get_data("/cold-50")).err == 0
    else:
        assert client.call(zk.set_data("/", b"")).err == 0
    assert not disk.is_said(word)
    line = server.wait_log(r"event=loop\.slow took_ms=(\d+) culprit=(\S+) culprit_ms=(\d+)", since)
    assert line.group(2) == culprit
    assert int(line.group(1)) >= int(line.group(3)) >= slowdisk.SLOW_MS
    assert server.metric("loop_turns_slow") > slow
