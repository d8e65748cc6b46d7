"""A disk that fails under the whole server: a commit or a sync that fails ends it before anything unsure is
acknowledged, and the next start has all that was."""
import os
import re
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import servers  # noqa: E402
import slowdisk  # noqa: E402
import zk_wire as zk  # noqa: E402

ACKNOWLEDGED = 50
NO_NODE = -101


@pytest.fixture(name="disk")
def fixture_disk(tmp_path):
    return slowdisk.SlowDisk(tmp_path)


@pytest.fixture(name="server")
def fixture_server(tmp_path, disk):
    if servers.find_zoolited() is None:
        pytest.fail("no zoolited binary: set ZOOLITED")
    server = servers.Zoolite(tmp_path / "server", config={"zoolite.replayDelay": 1})
    server.extra_environment = disk.environment()
    yield server.start()
    server.close()


def assert_died_of(server, event, since):
    assert server.wait_exit() == -signal.SIGABRT
    assert re.search(r"level=error event=%s " % re.escape(event), server.log()[since:]), server.log()[-4000:]


@pytest.mark.parametrize("word, event", [("fail-sync", "store.sync_failed"),
                                         ("fail-write", "store.commit_failed"),
                                         ("full", "store.commit_failed")])
def test_failure_acknowledges_nothing_unsure(server, disk, word, event):
    client = server.client(timeout=600000)
    replies = client.call_all([zk.create("/kept-%d" % number, b"%d" % number) for number in range(ACKNOWLEDGED)])
    assert all(reply.err == 0 for reply in replies)
    assert client.call(zk.create("/owned", flags=zk.EPHEMERAL)).err == 0
    before = client.call(zk.exists("/")).value
    since = server.log_size()
    with disk.hangs(word):
        unsure = client.submit(zk.create("/unsure"))
        with pytest.raises((zk.Closed, ConnectionError)):
            client.wait(unsure)
        assert unsure not in client.done
        assert_died_of(server, event, since)
        if word != "full":
            # Nor does it start on such a disk.
            since = server.log_size()
            server.start(wait=False)
            assert server.wait_exit() != 0
            assert re.search(r"level=error .*I/O error|level=error .*Input/output error",
                             server.log()[since:]), server.log()[-4000:]
    server.start()
    again = zk.Client(server.link())
    assert again.connect(timeout=600000, session_id=client.session_id, password=client.password,
                         last_zxid_seen=client.last_zxid).session_id == client.session_id
    for number in range(ACKNOWLEDGED):
        assert again.call(zk.get_data("/kept-%d" % number)).value.data == b"%d" % number
    assert again.call(zk.exists("/owned")).value.ephemeral_owner == client.session_id
    # It is there as a whole, or not at all.
    came = again.call(zk.exists("/unsure")).err
    assert came in (0, NO_NODE)
    after = again.call(zk.exists("/")).value
    assert after.num_children == before.num_children + (came == 0)
    assert after.cversion == before.cversion + (came == 0)
    assert again.call(zk.create("/later")).err == 0
    server.finish()
