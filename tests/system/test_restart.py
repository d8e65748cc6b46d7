"""A restart is no event for clients, however it came."""
import os
import sqlite3
import threading
import time

import pytest

import servers
import zk_wire as zk

pytestmark = pytest.mark.parametrize("end", ["stop", "kill"], ids=["SIGTERM", "SIGKILL"])


def restart(server, end):
    status = getattr(server, end)()
    assert status == (0 if end == "stop" else -9)
    server.start()


def resume(server, old, **options):
    client = zk.Client(server.link())
    reply = client.connect(session_id=old.session_id, password=old.password, timeout=old.timeout_ms,
                           **options)
    assert reply.session_id == old.session_id, "the session is gone"
    return client


def tree(client, path="/"):
    """Every znode below path with data, ACL and Stat."""
    found = {}
    names = client.call(zk.get_children2(path)).value.names
    found[path] = (client.call(zk.get_data(path)).value, client.call(zk.get_acl(path)).value)
    for name in sorted(names):
        found.update(tree(client, path.rstrip("/") + "/" + name))
    return found


def test_everything_is_as_it_was(make_server, end):
    server = make_server()
    client = server.client()
    client.call(zk.create("/a", b"1"))
    client.call(zk.create("/null", None))
    client.call(zk.create("/acl", b"", [zk.Acl(zk.PERM_ALL, "x509", server.authority.identity("client")),
                                        zk.Acl(zk.PERM_READ, "world", "anyone")]))
    for index in range(50):
        client.call(zk.create("/a/n%02d" % index, b"%d" % index))
        client.call(zk.set_data("/a/n%02d" % (index // 2), b"again"))
    for index in range(0, 50, 3):
        client.call(zk.delete("/a/n%02d" % index))
    client.call(zk.multi([zk.create("/m", None, flags=zk.EPHEMERAL), zk.set_data("/m", b"x", 0)]))
    client.call(zk.create("/a/e", b"mine", flags=zk.EPHEMERAL))
    client.call(zk.set_acl("/a/e", [zk.Acl(zk.PERM_ALL, "auth", "")]))
    for _ in range(5):
        client.call(zk.create("/a/s-", flags=zk.SEQUENTIAL | zk.EPHEMERAL))
    before = tree(client)
    for _ in range(2):
        restart(server, end)
        client = resume(server, client)
        assert tree(client) == before
    client.close_session()


def test_sessions_are_taken_over(make_server, end):
    """Ephemerals stay, nobody is told anything, and each session has its full timeout again."""
    server = make_server(tickTime=200)
    owners = [server.client(timeout=2000) for _ in range(5)]
    for index, owner in enumerate(owners):
        owner.call(zk.create("/e%d" % index, flags=zk.EPHEMERAL))
    watcher = server.client(timeout=4000)
    names = sorted(watcher.call(zk.get_children("/")).value.names)
    since = watcher.last_zxid
    restart(server, end)
    watcher = resume(server, watcher, last_zxid_seen=since)
    xid = watcher.submit(zk.set_watches(since, data=["/e%d" % i for i in range(5)], child=["/"]),
                         zk.XID_SET_WATCHES)
    assert watcher.wait(xid).err == 0
    assert watcher.events == []
    assert sorted(watcher.call(zk.get_children("/")).value.names) == names
    owners[:4] = [resume(server, owner) for owner in owners[:4]]
    # The fifth does not come back: its znode goes on time, and no other.
    end_s = time.monotonic() + 20
    gone = []
    while len(gone) < 2 and time.monotonic() < end_s:
        for owner in owners[:4]:
            owner.ping()
        watcher.barrier()
        gone += [(zk.EVENT_NAMES[e.type], e.path) for e in watcher.events]
        watcher.events.clear()
    assert sorted(gone) == [("NodeChildrenChanged", "/"), ("NodeDeleted", "/e4")]
    for index, owner in enumerate(owners[:4]):
        assert owner.call(zk.exists("/e%d" % index)).value.ephemeral_owner == owner.session_id
        owner.close_session()


def test_missed_changes_are_told(make_server, end):
    server = make_server()
    watcher, writer = server.client(), server.client()
    for name in ("data", "gone", "kids"):
        writer.call(zk.create("/" + name))
    since = writer.call(zk.sync("/")).zxid
    watcher.abandon()
    writer.call(zk.set_data("/data", b"1"))
    writer.call(zk.delete("/gone"))
    writer.call(zk.create("/kids/k"))
    restart(server, end)
    watcher = resume(server, watcher, last_zxid_seen=since)
    xid = watcher.submit(zk.set_watches(since, data=["/data", "/gone"], child=["/kids"]),
                         zk.XID_SET_WATCHES)
    assert watcher.wait(xid).err == 0
    assert [(zk.EVENT_NAMES[e.type], e.path) for e in watcher.events] == [
        ("NodeDataChanged", "/data"), ("NodeDeleted", "/gone"), ("NodeChildrenChanged", "/kids")]


def test_zxids_and_sessions_rise_over_restarts(make_server, end):
    """A new epoch with each start; ids of sessions are never handed out twice."""
    server = make_server()
    last, sessions, epochs = 0, set(), []
    for round_ in range(4):
        client = server.client()
        assert client.session_id not in sessions
        sessions.add(client.session_id)
        zxid = client.call(zk.create("/r%d" % round_)).zxid
        assert zxid > last
        epochs.append(zxid >> 32)
        last = client.call(zk.set_data("/r%d" % round_, b"x")).zxid
        restart(server, end)
    assert epochs == sorted(set(epochs))
    client = zk.Client(server.link())
    assert client.connect(last_zxid_seen=last).timeout > 0


def test_sequence_numbers_go_on(make_server, end):
    """Also where the numbered znodes were ephemeral and are gone."""
    server = make_server()
    client = server.client()
    client.call(zk.create("/q"))
    seen = []
    for _ in range(3):
        for flags in (zk.SEQUENTIAL, zk.SEQUENTIAL | zk.EPHEMERAL):
            path = client.call(zk.create("/q/s-", flags=flags)).value.path
            seen.append(path)
            client.call(zk.delete(path))
        client.close_session()
        restart(server, end)
        client = server.client()
        assert client.call(zk.get_children("/q")).value.names == []
    assert seen == ["/q/s-%010d" % index for index in range(6)]


def test_closed_sessions_stay_closed(make_server, end):
    server = make_server()
    client = server.client()
    client.call(zk.create("/e", flags=zk.EPHEMERAL))
    client.close_session()
    restart(server, end)
    again = zk.Client(server.link())
    assert again.connect(session_id=client.session_id, password=client.password).timeout == 0
    assert server.client().call(zk.exists("/e")).err == -101


def test_passwords_are_not_on_disk(make_server, end):
    server = make_server()
    client = server.client()
    client.call(zk.create("/e", flags=zk.EPHEMERAL))
    getattr(server, end)()
    for folder, _, files in os.walk(server.data_dir):
        for name in files:
            if name == "control.sock":
                continue
            with open(os.path.join(folder, name), "rb") as file:
                assert client.password not in file.read(), name
    server.start()
    resume(server, client).close_session()


def test_second_server_is_refused(make_server, end):
    """Two servers never share a data directory; the first does not notice."""
    first = make_server()
    client = first.client()
    second = make_server.new()
    second.config["dataDir"] = first.data_dir
    second.start(wait=False)
    assert second.wait_exit() not in (0, 2)
    assert first.data_dir in second.log() or "lock" in second.log() or "in use" in second.log()
    assert client.call(zk.create("/still")).err == 0
    getattr(first, end)()
    second.start()
    assert second.client().call(zk.exists("/still")).err == 0


def test_requests_under_way_are_answered_or_not_done_twice(make_server, end):
    """Kill while eight sessions write; what was acknowledged is there, once."""
    server = make_server()
    clients = [server.client(tls=False) for _ in range(8)]
    acknowledged = [[] for _ in clients]

    def write(index):
        client = clients[index]
        try:
            for round_ in range(100000):
                path = client.call(zk.create("/w%d-%06d" % (index, round_))).value.path
                acknowledged[index].append(path)
        except (OSError, zk.Closed):
            pass
    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    servers.wait_until(lambda: sum(map(len, acknowledged)) > 400, 60, "some writes")
    restart(server, end)
    for thread in threads:
        thread.join()
    names = set(server.client().call(zk.get_children("/")).value.names)
    for paths in acknowledged:
        assert {path[1:] for path in paths} <= names


def test_the_tree_can_be_read_with_sqlite(make_server, end):
    """The schema is an interface: who opens the files finds names and data."""
    server = make_server()
    client = server.client()
    client.call(zk.create("/readable", b"hello"))
    getattr(server, end)()
    server.start()
    servers.wait_until(lambda: b"zk_replay_lag_rows\t0\n" in server.four_letter_word("mntr"), 20,
                       "the log to be replayed into the tree")
    server.stop()
    database = sqlite3.connect("file:%s?mode=ro" % os.path.join(server.data_dir, "tree.db"), uri=True)
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    text = "".join(str(row) for table in tables for row in database.execute('SELECT * FROM "%s"' % table))
    database.close()
    assert "readable" in text and "hello" in text
