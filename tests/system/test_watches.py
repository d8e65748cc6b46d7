"""Watches end to end: one-shot, ordered, with the change's zxid, re-armed by setWatches."""
import threading

import pytest

import zk_wire as zk

NAMES = zk.EVENT_NAMES


@pytest.fixture(name="pair")
def fixture_pair(server):
    """A watcher and a writer, and an empty znode /w that goes away afterwards."""
    watcher, writer = server.client(), server.client("second")
    writer.call(zk.create("/w"))
    yield watcher, writer
    for name in writer.call(zk.get_children("/w")).value.names or ():
        writer.call(zk.delete("/w/" + name))
    writer.call(zk.delete("/w"))
    watcher.close_session()
    writer.close_session()


def kinds(client):
    """What has come by now, as (name, path)."""
    client.barrier()
    events, client.events = client.events, []
    return [(NAMES[e.type], e.path) for e in events]


def test_each_watch_fires_once(pair):
    watcher, writer = pair
    watcher.call(zk.get_data("/w", watch=True))
    writer.call(zk.set_data("/w", b"1"))
    writer.call(zk.set_data("/w", b"2"))
    assert kinds(watcher) == [("NodeDataChanged", "/w")]
    watcher.call(zk.get_children("/w", watch=True))
    writer.call(zk.create("/w/a"))
    writer.call(zk.create("/w/b"))
    assert kinds(watcher) == [("NodeChildrenChanged", "/w")]
    watcher.call(zk.exists("/w/c", watch=True))
    writer.call(zk.create("/w/c"))
    writer.call(zk.delete("/w/c"))
    assert kinds(watcher) == [("NodeCreated", "/w/c")]


def test_event_carries_the_zxid_of_the_change(pair):
    watcher, writer = pair
    watcher.call(zk.get_data("/w", watch=True))
    zxid = writer.call(zk.set_data("/w", b"1")).zxid
    event = watcher.wait_event()
    assert (event.zxid, event.err, event.state) == (zxid, 0, 3)


def test_event_comes_before_the_reply_that_shows_the_change(pair):
    """Pipelined: read with a watch, write, read again; the event stands between write and read."""
    watcher, _ = pair
    xids = watcher.submit_all([zk.get_data("/w", True), zk.set_data("/w", b"new"), zk.get_data("/w")])
    watcher.wait(xids[0])
    assert watcher.events == []
    watcher.wait(xids[1])
    assert [(NAMES[e.type], e.path) for e in watcher.events] == [("NodeDataChanged", "/w")]
    assert watcher.wait(xids[2]).value.data == b"new"


def test_no_change_is_seen_before_its_event(pair):
    """Reader and writer race; whenever a read shows a new value, the event had come before."""
    watcher, writer = pair
    rounds = 300
    ready, failures = threading.Barrier(2), []

    def write():
        for index in range(rounds):
            ready.wait()
            writer.call(zk.set_data("/w", b"%d" % index))
    thread = threading.Thread(target=write)
    thread.start()
    for index in range(rounds):
        seen = watcher.call(zk.get_data("/w", watch=True)).value
        ready.wait()
        while True:
            now = watcher.call(zk.get_data("/w")).value
            if now.stat.version != seen.stat.version:
                if not watcher.events:
                    failures.append(index)
                break
        watcher.events.clear()
    thread.join()
    assert failures == []


def test_many_watchers_are_all_told(server, pair):
    _, writer = pair
    watchers = [server.client(tls=False) for _ in range(40)]
    for watcher in watchers:
        watcher.call(zk.get_children("/w", watch=True))
    writer.call(zk.create("/w/x"))
    for watcher in watchers:
        assert watcher.wait_event().path == "/w"
        watcher.close_session()


def test_watches_go_with_the_connection(server, pair):
    _, writer = pair
    first = server.client()
    first.call(zk.get_data("/w", watch=True))
    first.abandon()
    second = zk.Client(server.link())
    second.connect(session_id=first.session_id, password=first.password)
    writer.call(zk.set_data("/w", b"1"))
    assert kinds(second) == []
    second.close_session()


def test_set_watches_tells_what_was_missed(server, pair):
    _, writer = pair
    for name in ("data", "gone", "kids", "same"):
        writer.call(zk.create("/w/" + name))
    since = writer.call(zk.create("/w/mark")).zxid
    client = server.client()
    writer.call(zk.set_data("/w/data", b"1"))
    writer.call(zk.delete("/w/gone"))
    writer.call(zk.create("/w/kids/k"))
    writer.call(zk.create("/w/born"))
    request = zk.set_watches(since, data=["/w/data", "/w/gone", "/w/same"], exist=["/w/born", "/w/later"],
                             child=["/w/kids"])
    xid = client.submit(request, zk.XID_SET_WATCHES)
    assert client.wait(xid).err == 0
    assert [(NAMES[e.type], e.path) for e in client.events] == [
        ("NodeDataChanged", "/w/data"), ("NodeDeleted", "/w/gone"), ("NodeCreated", "/w/born"),
        ("NodeChildrenChanged", "/w/kids")]
    client.events.clear()
    writer.call(zk.set_data("/w/same", b"1"))
    writer.call(zk.create("/w/later"))
    assert kinds(client) == [("NodeDataChanged", "/w/same"), ("NodeCreated", "/w/later")]
    writer.call(zk.delete("/w/kids/k"))
    client.close_session()


def test_large_sets_of_watches(server, pair):
    """A client with thousands of watches re-arms them in requests of about 128 KB."""
    _, writer = pair
    paths = ["/w/missing-%05d" % index for index in range(8000)]
    client = server.client()
    for start in range(0, len(paths), 2000):
        xid = client.submit(zk.set_watches(client.last_zxid, exist=paths[start:start + 2000]),
                            zk.XID_SET_WATCHES)
        assert client.wait(xid).err == 0
    for path in paths[::1999]:
        writer.call(zk.create(path))
        assert client.wait_event().path == path
    client.close_session()


def test_unreadable_nodes_are_not_told_of(pair):
    watcher, writer = pair
    own = [zk.Acl(zk.PERM_ALL, "auth", "")]
    watcher.call(zk.exists("/w/secret", watch=True))
    writer.call(zk.create("/w/secret", acl=own))
    writer.call(zk.set_data("/w/secret", b"1"))
    assert kinds(watcher) == []
    assert watcher.call(zk.exists("/w/secret", watch=True)).err == -102
    writer.call(zk.delete("/w/secret"))
    assert kinds(watcher) == []
