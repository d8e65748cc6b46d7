"""Counters of a znode at the end of what 32 bits hold: they go on at the other end."""
import os
import sqlite3

import pages
import servers
import zk_wire as zk

MOST, LEAST = 0x7fffffff, -0x80000000


def test_versions_wrap(make_server):
    server = make_server()
    with server.client() as client:
        for path in ("/old", "/older"):
            assert client.call(zk.create(path)).err == 0
        client.close_session()
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 20, "the log to be replayed into the tree")
    server.stop()
    tree = sqlite3.connect(os.path.join(server.data_dir, "tree.db"))
    with tree:
        # Nobody waits for two thousand million changes.
        tree.execute("UPDATE znode SET version = ?, aversion = ? WHERE name = 'old'", (MOST, MOST))
        tree.execute("UPDATE znode SET version = -2, aversion = -2 WHERE name = 'older'")
    tree.close()
    pages.seal(os.path.join(server.data_dir, "tree.db"))
    server.start()
    with server.client() as client:
        assert client.call(zk.set_data("/old", b"", LEAST)).err == -103
        assert client.call(zk.set_data("/old", b"x", MOST)).value.version == LEAST
        assert client.call(zk.set_acl("/old", zk.OPEN_ACL, MOST)).value.aversion == LEAST
        assert client.call(zk.set_data("/old", b"y", LEAST)).value.version == LEAST + 1
        # Over -1, which would mean any to whoever sends it back.
        assert client.call(zk.set_data("/older", b"x", -2)).value.version == 0
        assert client.call(zk.set_acl("/older", zk.OPEN_ACL, -2)).value.aversion == 0
        client.close_session()
    server.kill()
    server.start()
    with server.client() as client:
        stat = client.call(zk.exists("/old")).value
        assert (stat.version, stat.aversion) == (LEAST + 1, LEAST)
        assert client.call(zk.delete("/old", LEAST + 1)).err == 0
        client.close_session()
