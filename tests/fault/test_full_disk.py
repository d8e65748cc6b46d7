"""A full disk under the whole server: what was acknowledged stays, what needs room is refused before it is executed,
everything else goes on, and writes resume by themselves."""
import hashlib
import os
import re
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import servers  # noqa: E402
import slowdisk  # noqa: E402
import zk_wire as zk  # noqa: E402

MIB = 1024 * 1024
LOW = 4 * MIB
RESERVE = 2 * MIB
NOT_READ_ONLY = -119
NO_NODE = -101
BIG = b"x" * 50000
READ_ACL = [zk.Acl(1, "world", "anyone")]
HEAL_S = 8
SETTLE_S = 0.5


class Disk(slowdisk.SlowDisk):
    """One of so many bytes, for the data directory of a server."""

    def __init__(self, directory, server):
        super().__init__(directory)
        self.data_dir = server.data_dir
        server.extra_environment = self.environment(room=server.data_dir)

    def used(self):
        return sum(os.lstat(os.path.join(parent, name)).st_blocks * 512
                   for parent, _, names in os.walk(self.data_dir) for name in names)


@pytest.fixture(name="server")
def fixture_server(tmp_path):
    if servers.find_zoolited() is None:
        pytest.fail("no zoolited binary: set ZOOLITED")
    server = servers.Zoolite(tmp_path / "server", config={
        "zoolite.lowRoom": LOW, "zoolite.reserve": RESERVE, "zoolite.segmentSize": "256k",
        "zoolite.treeCacheSize": "256k", "zoolite.replayDelay": 1, "zoolite.logRetention": "1m", "minSessionTimeout": 1000})
    yield server
    server.close()


@pytest.fixture(name="disk")
def fixture_disk(tmp_path, server):
    return Disk(tmp_path, server)


def start(server):
    """With its reserve."""
    server.start()
    servers.wait_until(lambda: server.metric("ballast_bytes") >= RESERVE, 10, "the reserve to be taken")
    return server.client(timeout=40000)


def fill(client):
    """Create until that is refused, and still is a moment later; the paths of those that were acknowledged."""
    paths, refused_since = [], None
    while refused_since is None or time.monotonic() < refused_since + SETTLE_S:
        reply = client.call(zk.create("/fill-%04d" % len(paths), BIG))
        assert reply.err in (0, NOT_READ_ONLY)
        if reply.err == 0:
            paths.append("/fill-%04d" % len(paths))
            assert len(paths) < 2000, "the disk is not full"
            refused_since = None
        else:
            refused_since = refused_since or time.monotonic()
            time.sleep(0.05)
    return paths


def freeze(server, disk):
    """What the log has given up, and will, is not room for more."""
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 10, "the tree to have all")
    used = None
    while used != disk.used():
        used = disk.used()
        disk.set_budget(used + MIB // 2)
        time.sleep(0.5)


def wait_level(server, level, deadline_s=HEAL_S):
    servers.wait_until(lambda: server.metric("room_level") == level, deadline_s, "level %d of room; the log ends:\n%s" % (
        level, server.log()[-3000:]))


def count_lines(server, event, since=0):
    return len(re.findall(r" event=%s " % re.escape(event), server.log()[since:]))


def assert_kept(client, paths):
    replies = client.call_all([zk.get_data(path) for path in paths])
    assert [reply.err for reply in replies] == [0] * len(paths)
    assert all(reply.value.data == BIG for reply in replies)


def assert_refuses_what_lasts(server, client):
    before, last = server.metric("writes_refused_room"), client.call(zk.exists("/")).zxid
    refused = [zk.create("/more"), zk.create2("/more"), zk.create_container("/more"), zk.set_data("/zookeeper/quota", b"x"),
               zk.set_acl("/zookeeper/quota", READ_ACL), zk.set_data("/not/there"),
               zk.create("/more-", flags=zk.SEQUENTIAL),
               zk.multi([zk.check("/"), zk.create("/more")]),
               zk.multi([zk.create("/gone", flags=zk.EPHEMERAL), zk.set_data("/", b"")])]
    replies = client.call_all(refused)
    assert [reply.err for reply in replies] == [NOT_READ_ONLY] * len(refused)
    assert {reply.zxid for reply in replies} == {last}
    assert server.metric("writes_refused_room") == before + len(refused)
    assert client.call(zk.exists("/more")).err == client.call(zk.exists("/gone")).err == NO_NODE


def assert_goes_on(server, client, victim):
    """Reads, watches, heartbeats, ephemeral znodes, deletes, sessions that come and come back."""
    assert client.ping().err == 0
    with server.client(timeout=40000) as other:
        assert other.call(zk.exists(victim, watch=True)).err == 0
        assert client.call(zk.delete(victim)).err == 0
        assert other.wait_event().path == victim
        assert other.call(zk.create("/own", b"1", flags=zk.EPHEMERAL)).err == 0
        assert other.call(zk.set_data("/own", b"2")).err == 0
        assert other.call(zk.set_acl("/own", READ_ACL)).err == 0
        assert other.call(zk.multi([zk.check("/own"), zk.create("/own-2", flags=zk.EPHEMERAL)])).err == 0
        other.abandon()
        again = zk.Client(server.link())
        assert again.connect(timeout=40000, session_id=other.session_id,
                             password=other.password).session_id == other.session_id
        assert again.call(zk.exists("/own")).value.ephemeral_owner == other.session_id
        again.close_session()
    assert client.call(zk.exists("/own")).err == NO_NODE


def cpu_s(server):
    with open("/proc/%d/stat" % server.process.pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def assert_does_not_spin(server):
    began, cpu = time.monotonic(), cpu_s(server)
    while time.monotonic() < began + 1.5:
        time.sleep(0.1)
    assert cpu_s(server) - cpu < 0.5


@pytest.mark.parametrize("how", ["data", "process", "quota"])
def test_full(server, disk, how):
    disk.set_budget(16 * MIB, quota=how == "quota")
    client = start(server)
    if how == "data":
        paths = fill(client)
        freeze(server, disk)
    else:
        paths = ["/fill-%d" % number for number in range(20)]
        assert all(reply.err == 0 for reply in client.call_all([zk.create(path, BIG) for path in paths]))
        servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 10, "the tree to have all")
        disk.set_budget(disk.used(), quota=how == "quota")
        if how == "quota":
            paths += fill(client)
    wait_level(server, 1)
    assert_refuses_what_lasts(server, client)
    assert_goes_on(server, client, paths.pop())
    assert_kept(client, paths)
    assert_does_not_spin(server)
    changes = count_lines(server, "room.low")
    assert count_lines(server, "room.back") == changes - 1
    assert server.metric("room_changes") == 2 * changes - 1
    if how == "data":
        # Free pages of the tree count, where the log has what it needs.
        disk.set_budget(disk.used() + LOW * 7 // 8)
        assert server.metric("room_level") == 1
        replies = client.call_all([zk.delete(paths.pop()) for _ in range(len(paths) // 2)])
        assert all(reply.err == 0 for reply in replies)
    else:
        disk.set_budget(48 * MIB)
    wait_level(server, 0)
    assert client.call(zk.create("/later")).err == 0
    assert count_lines(server, "room.low") == count_lines(server, "room.back") == changes
    server.restart()
    with server.client() as again:
        assert_kept(again, paths)
        assert again.call(zk.exists("/later")).err == 0
        again.close_session()
    server.finish()


@pytest.mark.parametrize("quota", [False, True], ids=["full", "quota"])
def test_killed_and_started_on_it(server, disk, quota):
    disk.set_budget(24 * MIB, quota)
    client = start(server)
    assert client.call(zk.create("/own", flags=zk.EPHEMERAL)).err == 0
    paths = ["/fill-%d" % number for number in range(20)]
    assert all(reply.err == 0 for reply in client.call_all([zk.create(path, BIG) for path in paths]))
    disk.set_budget(disk.used(), quota)
    if not quota:
        wait_level(server, 1)
    for _ in range(3):
        server.kill()
        disk.set_budget(disk.used(), quota)
        server.start()
        again = zk.Client(server.link())
        assert again.connect(timeout=40000, session_id=client.session_id,
                             password=client.password).session_id == client.session_id
        assert again.call(zk.exists("/own")).value.ephemeral_owner == client.session_id
        assert_kept(again, paths)
        assert again.call(zk.create("/more")).err == NOT_READ_ONLY
        assert server.metric("room_level") > 0
        again.abandon()
    disk.set_budget(64 * MIB, quota)
    wait_level(server, 0)
    servers.wait_until(lambda: server.metric("ballast_bytes") >= RESERVE, 15, "the reserve to be taken again")
    with server.client() as other:
        assert other.call(zk.create("/later")).err == 0
    server.finish()


@pytest.mark.parametrize("quota", [False, True], ids=["full", "quota"])
def test_steps_of_refusal(server, disk, quota):
    """The reserve is used up by ephemeral znodes: then what is left is for the ends of sessions."""
    disk.set_budget(24 * MIB, quota)
    client, mortal = start(server), server.client(timeout=1000)
    assert client.call(zk.create("/kept")).err == 0
    assert mortal.call(zk.create("/mortal", flags=zk.EPHEMERAL)).err == 0
    disk.set_budget(disk.used(), quota)
    if not quota:
        wait_level(server, 1)
    with zk.Pinger([mortal], 0.2):
        count, reply = 0, client.call(zk.exists("/"))
        while reply.err == 0:
            count += 1
            reply = client.call(zk.create("/own-%d" % count, BIG, flags=zk.EPHEMERAL))
            assert count < 1000
        assert reply.err == NOT_READ_ONLY
        wait_level(server, 2)
        assert (count_lines(server, "room.scarce"), server.metric("room_changes")) == (1, 2)
        for request in (zk.create("/more"), zk.delete("/kept"), zk.set_data("/own-1"),
                        zk.create("/more", flags=zk.EPHEMERAL), zk.multi([zk.delete("/kept")])):
            assert client.call(request).err == NOT_READ_ONLY
        assert client.call(zk.multi([zk.check("/kept")])).err == 0
        assert client.call(zk.get_data("/own-1")).value.data == BIG
        with pytest.raises((zk.Closed, ConnectionError)):
            server.client()
        assert server.metric("sessions_refused_room") == 1
        server.wait_log(r'event=session\.refused .*reason="no room on disk"')
        assert_does_not_spin(server)
    # Ends of sessions: by expiry, by close; and it lives on.
    assert client.call(zk.exists("/mortal")).err == 0
    mortal.abandon()
    servers.wait_until(lambda: client.call(zk.exists("/mortal")).err == NO_NODE, 10, "a session to expire")
    client.close_session()
    disk.set_budget(64 * MIB)
    wait_level(server, 0)
    with server.client() as other:
        assert sorted(other.call(zk.get_children("/")).value[0]) == ["kept", "zookeeper"]
        assert other.call(zk.create("/later")).err == 0
        assert other.call(zk.delete("/kept")).err == 0
    server.finish()


def test_start_without_any_room_waits_for_it(server, disk):
    client = start(server)
    assert client.call(zk.create("/kept")).err == 0
    server.stop()
    os.unlink(os.path.join(server.data_dir, "ballast"))
    disk.set_budget(disk.used())
    since = server.log_size()
    server.start(wait=False)
    server.wait_log(r"event=room\.none ", since)
    disk.set_budget(64 * MIB)
    server.wait_ready()
    with server.client() as again:
        assert again.call(zk.exists("/kept")).err == 0
    assert count_lines(server, "room.none", since) == 1
    server.stop()
    os.unlink(os.path.join(server.data_dir, "ballast"))
    disk.set_budget(disk.used())
    server.start(wait=False)
    assert server.wait_exit() == 1
    assert re.search(r'event=server\.\w+ .*no room: a start takes \d+ bytes', server.log()), server.log()[-2000:]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def digests(directory):
    paths = [os.path.join(parent, name) for parent, _, names in os.walk(directory) for name in names]
    return {path: digest(path) for path in paths if os.path.isfile(path)}


def test_recover_without_room_says_so(server, tmp_path):
    """It leaves the directory as it was, and the same command does it when there is room."""
    client, paths = start(server), ["/fill-%d" % number for number in range(60)]
    assert all(reply.err == 0 for reply in client.call_all([zk.create(path, BIG) for path in paths]))
    client.close_session()
    server.stop()
    before, new = digests(server.data_dir), str(tmp_path / "new")
    disk = slowdisk.SlowDisk(tmp_path)
    environment = dict(server.environment(), **disk.environment(room=new))
    budget, refused = 16 * 1024, 0
    while True:
        disk.set_budget(budget)
        done = subprocess.run([server.binary, "--recover", server.data_dir, new], capture_output=True, text=True, timeout=60,
                              check=False, env=environment)
        assert digests(server.data_dir) == before
        if done.returncode == 0:
            break
        refused += 1
        assert done.returncode == 1, (budget, done)
        assert re.search(r"%s[^:]*: .*(disk is full|No space left|make room)" % re.escape(new), done.stderr), done.stderr
        budget = budget * 5 // 4
    assert refused > 3
    server.data_dir = server.config["dataDir"] = new
    server.start()
    with server.client() as again:
        assert_kept(again, paths)
        again.close_session()
    server.finish()
