"""Figures that pass a limit are told in the log, and when they are good again."""
import subprocess

import pytest

import servers
import slowdisk
import zk_wire as zk


def test_sync_that_takes_long(make_server, tmp_path):
    """Also while it is still under way."""
    disk = slowdisk.SlowDisk(tmp_path)
    server = make_server.new(zoolite__alarmSyncTime="200ms")
    server.extra_environment = disk.environment()
    server.start()
    client = server.client()
    assert client.call(zk.create("/a")).err == 0
    since = server.log_size()
    with disk.hangs("hang-sync"):
        held = client.submit(zk.create("/b"))
        server.wait_log(r"level=warn event=alarm\.raised name=sync_time_ms value=\d+ limit=200 "
                        r"option=zoolite\.alarmSyncTime", since)
        assert held not in client.done
        assert server.metric("alarms") == 1
    assert client.wait(held).err == 0
    server.wait_log(r"event=alarm\.cleared name=sync_time_ms ", since)
    assert (server.metric("alarms"), server.metric("alarms_raised")) == (0, 1)


def test_room_on_disk(make_server):
    """Of which nobody has so much."""
    server = make_server(zoolite__alarmFreeRoom="1024g")
    server.wait_log(r"level=warn event=alarm\.raised name=disk_free_bytes value=\d+ limit=1099511627776 ")
    assert 0 < server.metric("disk_free_bytes") < 1 << 40
    assert server.metric("disk_free_bytes") == server.metric("log_disk_free_bytes")


@pytest.mark.parametrize("reserve", ["0", "2m"])
def test_room_on_disk_without_a_mark(make_server, tmp_path, reserve):
    """Where no write is refused before the disk is full the alarm is all that tells of it: also when there is nothing
    left."""
    disk = slowdisk.SlowDisk(tmp_path)
    server = make_server.new(zoolite__lowRoom="0", zoolite__reserve=reserve, zoolite__alarmFreeRoom="1m")
    server.extra_environment = disk.environment(room=server.data_dir)
    server.start()
    assert server.metric("disk_free_bytes") > 1 << 20
    disk.set_budget(0)
    server.wait_log(r"event=alarm\.raised name=disk_free_bytes value=0 limit=1048576 ")
    servers.wait_until(lambda: server.metric("disk_free_bytes") == 0, 5, "the figure")
    disk.set_budget(None)
    server.wait_log(r"event=alarm\.cleared name=disk_free_bytes ")


def test_changes_that_are_in_no_snapshot(make_server):
    """Cleared by one that has them."""
    server = make_server(zoolite__alarmSnapshotAge="300ms", zoolite__snapshotInterval=0)
    with server.client() as client:
        assert client.call(zk.create("/a")).err == 0
        server.wait_log(r"event=alarm\.raised name=snapshot_age value=\d+ limit=300 ")
        subprocess.run([server.binary, "--control", "snapshot", server.config_path], check=True, timeout=60,
                       stdout=subprocess.DEVNULL, env=server.environment())
        server.wait_log(r"event=alarm\.cleared name=snapshot_age value=0 ")


def test_sizes(make_server):
    server = make_server(zoolite__alarmTreeSize="3k", zoolite__alarmLogSize="1k", zoolite__alarmLogWal="2k",
                         zoolite__alarmTreeWal="4k", zoolite__replayDelay=1)
    with server.client() as client:
        assert client.call(zk.create("/a", b"x" * 5000)).err == 0
        client.close_session()
    for name, option, limit in (("log_size", "alarmLogSize", 1024), ("log_wal_size", "alarmLogWal", 2048),
                                ("approximate_data_size", "alarmTreeSize", 3072), ("tree_wal_size", "alarmTreeWal", 4096)):
        server.wait_log(r"event=alarm\.raised name=%s value=\d+ limit=%d option=zoolite\.%s\b" % (name, limit, option))
    assert server.metric("log_wal_size") > 5000
    assert server.metric("tree_wal_size") > 5000
    assert server.metric("ballast_bytes") >= 1 << 20
