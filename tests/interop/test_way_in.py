"""From ZooKeeper to us: Debian's ZooKeeper, or the other one, is killed while several sessions change its tree and it
writes one snapshot after the other; what we import is what it says itself when it starts again, Stat by Stat. And a
client of kazoo's goes on with its session."""
import os
import random
import subprocess
import threading
import time

import kazoo.client
import pytest

import servers
import zk_wire as zk

SEED = int(os.environ.get("ZOOLITE_IMPORT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
METHODS = {"plain": None, "gzip": "gz", "snappy": "snappy"}
LONG = os.environ.get("ZOOLITE_LONG") == "1"
WORKERS, LIVES, TIMEOUT_MS = 4, 2, 40000
ACLS = (zk.OPEN_ACL, (zk.Acl(zk.PERM_ALL, "world", "anyone"), zk.Acl(zk.PERM_READ, "ip", "10.0.0.1")))

pytestmark = pytest.mark.skipif(not servers.have_zookeeper(), reason="no ZooKeeper")


class SnapshotZooKeeper(servers.ZooKeeper):
    """One that is always about to write a snapshot."""

    LIBRARIES = servers.ZooKeeper.LIBRARIES + ("snappy-java",)

    def base_config(self):
        return dict(super().base_config(), **{"serverCnxnFactory": None, "extendedTypesEnabled": "true",
                                              "preAllocSize": 64, "snapCount": 100})

    def forget_what_was_only_begun(self):
        """3.8.0 does not start where it was killed before a new log had its header."""
        directory = os.path.join(self.data_dir, "version-2")
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if name.startswith("log.") and os.path.getsize(path) == 0:
                os.unlink(path)


class Worker(threading.Thread):
    """Changes whatever it comes upon, until the server dies."""

    def __init__(self, server, seed):
        super().__init__(daemon=True)
        self.server = server
        self.random = random.Random(seed)
        self.paths = ["/"]
        self.client = None
        self.done = 0

    def connect(self):
        self.client = zk.Client(zk.Link(("127.0.0.1", self.server.port)))
        self.client.connect(timeout=TIMEOUT_MS)

    def run(self):
        try:
            self.connect()
            while True:
                self.step()
                self.done += 1
        except (OSError, zk.Closed):
            pass

    def data(self):
        return self.random.choice((None, b"", self.random.randbytes(self.random.randrange(100))))

    def create(self, path):
        flags = self.random.choice((0, 0, 0, 1, 2, 3))
        reply = self.client.call(zk.create(path, self.data(), self.random.choice(ACLS), flags))
        if reply.err == 0 and not flags & zk.EPHEMERAL:
            self.paths.append(reply.value.path)
            if len(self.paths) > 100:
                del self.paths[1 + self.random.randrange(100)]

    def multi(self, path, child):
        last = self.random.choice((zk.delete(child), zk.set_data(child, b"x"), zk.create(child + "/below", b"")))
        return zk.multi([zk.create(child, b"1", flags=self.random.choice((0, 2))), zk.set_data(path, b"m"), last])

    def step(self):
        path = self.random.choice(self.paths)
        child = path.rstrip("/") + "/" + self.random.choice("abcdefgh") + str(self.random.randrange(4))
        kind = self.random.random()
        if kind < 0.35:
            self.create(child)
        elif kind < 0.97:
            self.client.call(self.random.choice((
                lambda: zk.set_data(path, self.data()), lambda: zk.set_data(path, self.data()),
                lambda: zk.delete(path), lambda: zk.set_acl(path, self.random.choice(ACLS)),
                lambda: zk.create_container(child + "c"), lambda: zk.create_ttl(child + "t", ttl=3600000),
                lambda: self.multi(path, child), lambda: self.multi(path, child)))())
        elif kind < 0.99:
            self.client.close_session()
            self.connect()
        else:
            self.client.abandon()
            self.connect()


@pytest.fixture(name="made")
def fixture_made():
    servers_made = []
    yield servers_made
    for server in servers_made:
        server.close()


def live_and_die(server, seed):
    """Start it, change the tree, kill it."""
    server.start()
    workers = [Worker(server, seed + number) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    servers.wait_until(lambda: sum(worker.done for worker in workers) > 1000 and
                       len(os.listdir(os.path.join(server.data_dir, "version-2"))) > 8, 60, "enough was changed")
    time.sleep(random.Random(seed).random() / 10)
    server.kill()
    for worker in workers:
        worker.join(10)
        assert not worker.is_alive()


def imported(ours, theirs):
    ours.write_config()
    done = subprocess.run([ours.binary, "--import", theirs.data_dir, "--with-sessions", ours.config_path],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tell(client, path):
    """What a client sees of a znode, and its children."""
    answers = client.call_all([zk.exists(path), zk.get_data(path), zk.get_acl(path), zk.get_children(path)])
    assert [answer.err for answer in answers] == [0, 0, 0, 0], path
    return (answers[0].value, answers[1].value.data, [tuple(acl) for acl in answers[2].value.acls],
            sorted(answers[3].value.names))


def compare(theirs, ours):
    """Both trees, whole. Returns the paths."""
    ahead, paths = ["/"], []
    while ahead:
        path = ahead.pop()
        paths.append(path)
        if path == "/zookeeper/config":
            continue
        expected = tell(theirs, path)
        assert tell(ours, path) == expected, path
        ahead += [path.rstrip("/") + "/" + name for name in expected[3]]
    return paths


@pytest.mark.parametrize("method", list(METHODS) if LONG else ["drawn"])
def test_random_tree(tmp_path, made, method):
    print("ZOOLITE_IMPORT_SEED=%d" % SEED)
    if method == "drawn":
        method = random.Random(SEED).choice(list(METHODS))
    theirs = SnapshotZooKeeper(tmp_path / "zookeeper", config={"snapshot.compression.method": METHODS[method]})
    ours = servers.Zoolite(tmp_path / "zoolite", config={"extendedTypesEnabled": "true"})
    made += [theirs, ours]
    for life in range(LIVES):
        live_and_die(theirs, SEED + 100 * life)
        theirs.forget_what_was_only_begun()
    told = imported(ours, theirs)
    assert "digest: the same as ZooKeeper's\n" in told
    assert "snapshot.0" not in told
    ours.start()
    theirs.start()
    clients = [zk.Client(zk.Link(("127.0.0.1", server.port))) for server in (theirs, ours)]
    for client in clients:
        client.connect(timeout=TIMEOUT_MS)
    paths = compare(*clients)
    assert len(paths) > 100
    # Sequence numbers go on.
    parents = [path for path in paths if clients[0].call(zk.exists(path)).value.ephemeral_owner == 0]
    for path in random.Random(SEED).sample(parents, 20):
        names = [client.call(zk.create(path.rstrip("/") + "/next-", b"", flags=zk.SEQUENTIAL)) for client in clients]
        assert names[0].err == names[1].err
        assert names[0].err != 0 or names[0].value.path == names[1].value.path


def test_digests_that_come_and_go(tmp_path, made):
    """Whoever switches them off is let in without; with them on again the tree is compared with what they say since."""
    theirs = SnapshotZooKeeper(tmp_path / "zookeeper")
    made.append(theirs)
    for number, enabled in enumerate(("false", "true", "false")):
        theirs.config["digest.enabled"] = enabled
        live_and_die(theirs, SEED + 1000 * number)
        theirs.forget_what_was_only_begun()
        ours = servers.Zoolite(tmp_path / ("zoolite%d" % number), config={"extendedTypesEnabled": "true"})
        made.append(ours)
        told = imported(ours, theirs)
        expected = {"false": "digest: ZooKeeper kept none\n", "true": "digest: the same as ZooKeeper's\n"}
        assert expected[enabled] in told


def test_a_client_goes_on(tmp_path, made):
    """It sees its server away for a while, and is never told that its session was lost."""
    theirs = SnapshotZooKeeper(tmp_path / "zookeeper")
    ours = servers.Zoolite(tmp_path / "zoolite", tls=False)
    made += [theirs, ours]
    theirs.start()
    states, lists = [], []
    client = kazoo.client.KazooClient("127.0.0.1:%d" % theirs.port, timeout=TIMEOUT_MS / 1000,
                                      connection_retry={"max_tries": -1, "max_delay": 0.2})
    client.add_listener(states.append)
    client.start()
    try:
        session = client.client_id
        client.create("/services/web", b"", makepath=True)
        client.create("/services/web/me-", b"10.0.0.1:80", ephemeral=True, sequence=True)
        client.ChildrenWatch("/services", lists.append)
        theirs.kill()
        imported(ours, theirs)
        ours.port = ours.config["clientPort"] = theirs.port
        ours.start()
        servers.wait_until(lambda: states[-2:] == ["SUSPENDED", "CONNECTED"], 30, "it is back")
        assert client.client_id == session
        assert client.get_children("/services/web") == ["me-0000000000"]
        assert client.exists("/services/web/me-0000000000").owner_session_id == session[0]
        assert client.create("/services/web/me-", b"", sequence=True) == "/services/web/me-0000000001"
        client.create("/services/db", b"")
        servers.wait_until(lambda: sorted(lists[-1]) == ["db", "web"], 10, "the watch fires")
        assert ours.wait_log(r"event=session\.bound .*session=0x%x" % session[0])
        assert "LOST" not in states
    finally:
        client.stop()
        client.close()
