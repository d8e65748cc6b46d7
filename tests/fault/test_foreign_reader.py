"""Somebody else reads tree.db and does not come to an end: its -wal stays bounded, and the log says who it is."""
import os
import sqlite3
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import servers  # noqa: E402
import zk_wire as zk  # noqa: E402

MIB = 1024 * 1024
MOST = 1 * MIB
BIG = b"x" * 20000


@pytest.fixture(name="server")
def fixture_server(tmp_path):
    if servers.find_zoolited() is None:
        pytest.fail("no zoolited binary: set ZOOLITED")
    server = servers.Zoolite(tmp_path / "server", config={
        "zoolite.maxTreeWal": MOST, "zoolite.treeCacheSize": "256k", "zoolite.replayDelay": 1,
        "zoolite.replayBatch": 20, "zoolite.maxLag": 1000, "zoolite.alarmLag": 500, "zoolite.alarmTreeWal": "512k"})
    yield server.start()
    server.close()


def test_long_read(server):
    client = server.client(timeout=40000)
    assert client.call(zk.create("/first")).err == 0
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 10, "the tree to have all")
    tree = os.path.join(server.data_dir, "tree.db")
    reader = sqlite3.connect("file:%s?mode=ro" % tree, uri=True, isolation_level=None)
    reader.execute("BEGIN")
    names = reader.execute("SELECT count(*) FROM znode").fetchone()
    xids = client.submit_all([zk.create("/more-%04d" % number, BIG) for number in range(200)])
    assert all(client.wait(xid).err == 0 for xid in xids)
    server.wait_log(r"event=store\.tree_held_up .*pid=%d " % os.getpid())
    assert server.metric("replay_lag_rows") > 0
    # A batch more than that.
    assert MOST <= server.metric("tree_wal_size") < MOST + 2 * MIB
    assert os.path.getsize(tree + "-wal") < MOST + 2 * MIB
    assert reader.execute("SELECT count(*) FROM znode").fetchone() == names
    # In the end writers wait.
    rest = client.submit_all([zk.set_data("/first")] * 1500)
    servers.wait_until(lambda: server.metric("connections_parked") > 0, 10, "a writer to wait")
    assert rest[-1] not in client.done
    assert client.ping().err == 0
    server.wait_log(r"level=warn event=alarm\.raised name=replay_lag_rows value=\d+ limit=500 ")
    server.wait_log(r"level=warn event=alarm\.raised name=tree_wal_size value=\d+ limit=524288 ")
    assert (server.metric("alarms"), server.metric("alarms_raised")) == (2, 2)
    reader.close()
    assert all(client.wait(xid).err == 0 for xid in rest)
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 20, "the tree to have all")
    server.wait_log(r"event=store\.tree_goes_on ")
    assert server.metric("tree_wal_size") < MOST + 2 * MIB
    server.wait_log(r"event=alarm\.cleared name=replay_lag_rows ")
    assert len([line for line in server.log().splitlines() if "event=store.tree_held_up" in line]) == 1
    client.close_session()
    server.finish()
