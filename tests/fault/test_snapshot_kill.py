"""Servers and restores that are killed at random moments while snapshots are made, verified, named, removed and
restored. ZOOLITE_KILL_SEED repeats a run, ZOOLITE_LONG makes it long."""
import glob
import os
import random
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import servers  # noqa: E402
import zk_wire as zk  # noqa: E402

LONG = os.environ.get("ZOOLITE_LONG")
KILLS = 300 if LONG else 8
ZNODES = 300


@pytest.fixture(name="chance")
def fixture_chance():
    seed = int(os.environ.get("ZOOLITE_KILL_SEED") or random.randrange(1 << 32))
    print("seed %d" % seed)
    return random.Random(seed)


@pytest.fixture(name="server")
def fixture_server(tmp_path):
    server = servers.Zoolite(tmp_path, config={
        "zoolite.snapshotInterval": 1, "zoolite.snapshotStep": 2, "zoolite.snapshotRate": "4m",
        "zoolite.replayDelay": 0})
    yield server
    server.close()


def zoolited(*arguments):
    return subprocess.run([servers.find_zoolited(), *arguments], capture_output=True, text=True, timeout=120,
                          check=False)


def snapshots(server):
    return sorted(glob.glob(os.path.join(server.data_dir, "snapshots", "tree-*.db")))


def check_all(server):
    """Whatever has a snapshot's name is whole; after a start nothing else is left but what is under way."""
    for path in snapshots(server):
        if os.path.exists(path + ".verified"):
            found = zoolited("--verify", path)
            # Removed meanwhile, as the oldest are.
            assert found.returncode == 0 or not os.path.exists(path), found.stdout
        else:
            assert not os.path.exists(path), "%s has a name, and nobody said that it is whole" % path


def test_server_that_is_killed(server, chance):
    written, last = 0, None
    for kill in range(KILLS):
        server.start()
        if last is not None:
            with server.client() as client:
                assert client.call(zk.get_data("/a")).value.data == last
        with server.client() as client:
            if kill == 0:
                client.call(zk.create("/a"))
                client.call_all([zk.create("/a/n%d" % index, b"x" * 300) for index in range(ZNODES)])
            end = time.monotonic() + chance.uniform(0.05, 0.5)
            while time.monotonic() < end:
                last = b"%d" % chance.randrange(1 << 30)
                client.call(zk.set_data("/a", last))
            written += server.metric("snapshots_written")
            server.kill()
            client.abandon()
        check_all(server)
        assert len(snapshots(server)) <= 4
    assert written > 0, "it was never alive long enough"
    server.config["zoolite.snapshotInterval"] = 0
    server.start()
    assert not glob.glob(os.path.join(server.data_dir, "snapshots", "snapshot.part*"))
    names = os.listdir(os.path.join(server.data_dir, "snapshots"))
    assert {name.replace(".verified", "") for name in names} == {os.path.basename(path) for path in snapshots(server)}
    assert server.stop() == 0
    assert "snapshot.bad" not in server.log()


def test_restore_that_is_killed(server, chance):
    """After each kill a start serves the old tree or the new one, or refuses; the same command again does it."""
    server.config["zoolite.snapshotInterval"] = 0
    server.start()
    with server.client() as client:
        client.call(zk.create("/a", b"old"))
        client.call_all([zk.create("/a/n%d" % index, b"x" * 300) for index in range(ZNODES)])
        path = zoolited("--control", "snapshot", server.config_path).stdout.split("snapshot=")[1].splitlines()[0]
        client.close_session()
    refused = 0
    for _ in range(KILLS):
        with server.client() as client:
            client.call(zk.set_data("/a", b"new"))
            client.close_session()
        assert server.stop() == 0
        restore = subprocess.Popen([servers.find_zoolited(), "--restore", path, server.config_path],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, 0.25))
        restore.kill()
        is_done = restore.wait() == 0
        server.start(wait=False)
        try:
            server.wait_ready()
        except AssertionError:
            assert not is_done and "a restore was cut short" in server.log().splitlines()[-1]
            refused += 1
            server.process = None
            done = zoolited("--restore", path, server.config_path)
            assert done.returncode == 0, done.stdout + done.stderr
            is_done = True
            server.start()
        with server.client() as client:
            data = client.call(zk.get_data("/a")).value.data
            assert data == b"old" or (not is_done and data == b"new")
            assert client.call(zk.get_children2("/a")).value.stat.num_children == ZNODES
            client.close_session()
    print("%d of %d starts refused half a restore" % (refused, KILLS))
    assert server.stop() == 0
    found = zoolited("--verify", server.config_path)
    assert found.returncode == 0, found.stdout
