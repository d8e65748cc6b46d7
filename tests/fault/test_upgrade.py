"""The change of tree.db to a newer version of its schema: online, from files of the version before, and through kills.

data/v1.tar.xz holds data directories that the last zoolited of version 1 left, with what its clients saw
(data/make_v1.py). ZOOLITE_UPGRADE_SEED changes the kills; the seed is printed.
"""
import glob
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.path.insert(0, os.path.join(HERE, "data"))

import certs  # noqa: E402
import make_v1  # noqa: E402
import pages  # noqa: E402
import servers  # noqa: E402
import slowdisk  # noqa: E402
import zk_wire as zk  # noqa: E402

SEED = int(os.environ.get("ZOOLITE_UPGRADE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
ARCHIVE = os.path.join(HERE, "data", "v1.tar.xz")
LONG = bool(os.environ.get("ZOOLITE_LONG"))


@pytest.fixture(scope="module", name="authority")
def fixture_authority(tmp_path_factory):
    return certs.make_authority(tmp_path_factory.mktemp("certificates"))


class Old:
    """A server on a copy of one of the archive's directories, and what stands in it."""

    def __init__(self, directory, authority, ending, **config):
        with tarfile.open(ARCHIVE) as tar:
            members = [m for m in tar.getmembers() if m.name.split("/")[0] == ending]
            tar.extractall(directory, members)
        home = os.path.join(directory, ending)
        with open(os.path.join(home, "expected.json"), encoding="ascii") as file:
            self.expected = json.load(file)
        self.server = servers.Zoolite(home, authority, True, True, {
            **self.expected["config"], **{key.replace("__", "."): value for key, value in config.items()}})
        self.tree_path = os.path.join(self.server.data_dir, "tree.db")

    def resume(self):
        """The sessions of the archive, all of them."""
        clients = []
        for session in self.expected["sessions"]:
            client = zk.Client(self.server.link(tls=session["tls"]))
            reply = client.connect(session_id=session["id"], password=bytes.fromhex(session["password"]),
                                   timeout=session["timeout"])
            assert (reply.session_id, reply.timeout) == (session["id"], session["timeout"]), "a session is gone"
            clients.append(client)
        return clients

    def is_upgraded(self):
        return self.server.metric("tree_schema_version") == 2

    def wait_upgraded(self):
        servers.wait_until(self.is_upgraded, 60, "the tree to have the newest schema")


@pytest.fixture(name="make_old")
def fixture_make_old(tmp_path, authority):
    made = []

    def make(ending, **config):
        made.append(Old(tmp_path, authority, ending, **config))
        return made[-1]
    yield make
    try:
        for old in made:
            old.server.finish()
    finally:
        for old in made:
            old.server.close()


def ask(path, question):
    database = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    try:
        return database.execute(question).fetchall()
    finally:
        database.close()


@pytest.mark.parametrize("ending", ["clean", "killed"])
def test_old_files_are_served_and_changed(make_old, ending):
    """At once, with all sessions, ephemeral znodes and Stats; and they are as they were in the new file too."""
    old = make_old(ending)
    server = old.server
    assert ask(old.tree_path, "PRAGMA user_version") == [(1,)]
    server.start()
    clients = old.resume()
    assert make_v1.tree(clients[0]) == old.expected["tree"]
    old.wait_upgraded()
    assert make_v1.tree(clients[0]) == old.expected["tree"]
    assert server.metric("upgrade_znodes_left") == 0
    new = clients[0].call(zk.create("/new", b"in the new file"))
    assert new.err == 0
    server.kill()
    server.start()
    clients = old.resume()
    assert clients[0].call(zk.delete("/new")).err == 0
    after = make_v1.tree(clients[0])
    for path, znode in old.expected["tree"].items():
        if path != "/":
            assert after[path] == znode, path
    assert set(after) == set(old.expected["tree"])
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 20, "the log to be replayed into the tree")
    server.stop()
    assert ask(old.tree_path, "PRAGMA user_version") == [(2,)]
    assert ask(old.tree_path, "PRAGMA integrity_check") == [("ok",)]
    assert pages.has_checksums(old.tree_path) and pages.damaged(old.tree_path) == []
    counts = "SELECT count(*) FROM acl WHERE znodes <> (SELECT count(*) FROM znode WHERE znode.acl = acl.key)"
    assert ask(old.tree_path, counts) == [(0,)]
    # The way back.
    kept = os.path.join(server.data_dir, "tree-1.db")
    assert ask(kept, "PRAGMA user_version") == [(1,)] and ask(kept, "PRAGMA integrity_check") == [("ok",)]
    assert not glob.glob(os.path.join(server.data_dir, "tree.db.next*"))
    log = server.log()
    assert re.search(r"event=store.upgrade_begun file=\S+/tree.db from=1 to=2 znodes=\d+ copied=0\n", log)
    done = re.findall(r"event=store.upgraded file=\S+/tree.db version=2 znodes=\d+ ms=\d+ kept=\S+/tree-1.db\n", log)
    assert len(done) == 1


def test_an_empty_registry(make_old):
    old = make_old("empty")
    old.server.start()
    with old.server.client(tls=False) as client:
        assert make_v1.tree(client) == old.expected["tree"]
        old.wait_upgraded()
        assert make_v1.tree(client) == old.expected["tree"]
        client.close_session()


def enlarge(tree_path, count):
    """Znodes below /bulk, many to each of some directories, put into a tree of version 1."""
    database = sqlite3.connect(tree_path)
    zxid, acl = database.execute("SELECT value FROM meta WHERE key = 'zxid'").fetchone()[0], \
        database.execute("SELECT acl FROM znode WHERE name = 'null'").fetchone()[0]
    row = "INSERT INTO znode (parent, name, data, czxid, mzxid, pzxid, ctime, mtime, version, creates, aversion, owner," \
        " acl, num_children) VALUES (?, ?, ?, ?, ?, ?, 1, 1, 0, ?, 0, 0, ?, ?)"

    def put(parent, name, data, children):
        database.execute(row, (parent, name, data, zxid, zxid, zxid, children, acl, children))
    with database:
        dirs = 20
        put("/", "bulk", None, dirs)
        for directory in range(dirs):
            put("/bulk", "d%02d" % directory, None, count // dirs)
            for index in range(count // dirs):
                put("/bulk/d%02d" % directory, "z%06d" % index, b"first", 0)
        more = 1 + dirs + count // dirs * dirs
        database.execute("UPDATE znode SET num_children = num_children + 1, creates = creates + 1 WHERE parent = ''")
        database.execute("UPDATE meta SET value = value + ? WHERE key = 'znodes'", (more,))
        database.execute("UPDATE acl SET znodes = znodes + ? WHERE key = ?", (more, acl))
    database.close()


class Writer:
    """Changes all over /bulk, and knows what each znode must be then."""

    def __init__(self, rng, count):
        self.rng = rng
        self.per_dir = count // 20
        self.known = {}  # path: data, None where it is gone

    def path(self):
        return "/bulk/d%02d/z%06d" % (self.rng.randrange(20), self.rng.randrange(self.per_dir + 50))

    def exists(self, path):
        if path in self.known:
            return self.known[path] is not None
        return int(path[-6:]) < self.per_dir

    def change(self, client):
        path, data = self.path(), b"%d" % self.rng.randrange(1 << 30)
        if not self.exists(path):
            assert client.call(zk.create(path, data)).err == 0
        elif self.rng.random() < 0.3:
            assert client.call(zk.delete(path)).err == 0
            data = None
        else:
            assert client.call(zk.set_data(path, data)).err == 0
        self.known[path] = data

    def check(self, client):
        for path, data in self.known.items():
            reply = client.call(zk.get_data(path))
            assert reply.err == (0 if data is not None else -101), path
            assert data is None or reply.value.data == data, path
        for directory in range(20):
            parent = "/bulk/d%02d" % directory
            reply = client.call(zk.get_children2(parent)).value
            names = {"z%06d" % index for index in range(self.per_dir)}
            for path, data in self.known.items():
                if path.startswith(parent + "/"):
                    (names.add if data is not None else names.discard)(path[-7:])
            assert set(reply.names) == names and reply.stat.num_children == len(names), parent


def test_kills_while_a_large_tree_is_changed(make_old):
    """Writes go on meanwhile; whatever was acknowledged is there, in the end in a tree of the new version."""
    rng = random.Random(SEED)
    count = 200000 if LONG else 12000
    print("seed %d" % SEED)
    old = make_old("clean", zoolite__replayDelay=1)
    server = old.server
    enlarge(old.tree_path, count)
    writer = Writer(rng, count)
    kills = 0
    server.start()
    while not old.is_upgraded():
        with server.client(tls=False) as client:
            for _ in range(rng.randrange(1, 40)):
                writer.change(client)
        if kills < (20 if LONG else 5):
            kills += 1
            time.sleep(rng.random() * 0.02)
            server.kill()
            server.start()
    assert kills > 0
    clients = old.resume()
    for _ in range(50):
        writer.change(clients[0])
    writer.check(clients[0])
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 20, "the log to be replayed into the tree")
    server.restart()
    clients = old.resume()
    writer.check(clients[0])
    wanted = {path: znode for path, znode in old.expected["tree"].items() if (path + "/").startswith("/app/")}
    assert make_v1.tree(clients[0], "/app") == wanted
    server.stop()
    assert ask(old.tree_path, "PRAGMA integrity_check") == [("ok",)]
    assert pages.has_checksums(old.tree_path)


def test_a_visitor_holds_it_up_and_no_more(make_old):
    """Somebody who reads the old file reads on, whether it changed its name before or waits for that; the server
    serves."""
    old = make_old("clean")
    visitor = sqlite3.connect(old.tree_path)
    old.server.config["zoolite.replayDelay"] = 0
    old.server.start()
    visitor.execute("BEGIN")
    rows = visitor.execute("SELECT name FROM znode")
    rows.fetchone()
    with old.server.client(tls=False) as client:
        assert client.call(zk.create("/meanwhile", b"x")).err == 0
        servers.wait_until(lambda: old.is_upgraded() or "event=store.upgrade_waits" in old.server.log(), 60,
                           "the change, or what holds it up")
        assert client.call(zk.get_data("/meanwhile")).value.data == b"x"
        assert len(rows.fetchall()) > 100
        visitor.close()
        old.wait_upgraded()
        assert client.call(zk.get_data("/meanwhile")).value.data == b"x"
        client.close_session()


def used(directory):
    return sum(os.stat(os.path.join(top, name)).st_blocks * 512
               for top, _, names in os.walk(directory) for name in names)


@pytest.mark.parametrize("quota", [False, True], ids=["full", "quota"])
def test_a_full_disk_holds_it_up_and_no_more(make_old, tmp_path, quota):
    """Where there is no room for the copy, told or met, it waits, and the server serves, and keeps the disk free."""
    disk = slowdisk.SlowDisk(tmp_path)
    old = make_old("clean", zoolite__lowRoom=0, zoolite__reserve=0)
    server = old.server
    enlarge(old.tree_path, 12000)
    server.extra_environment = disk.environment(server.data_dir)
    # Half of the copy's room.
    disk.set_budget(used(server.data_dir) + os.path.getsize(old.tree_path) // 2 + (2 << 20 if quota else 0), quota)
    server.start()
    server.wait_log(r"event=store.upgrade_waits file=\S+/tree.db for=\"room on disk\"")
    with server.client(tls=False) as client:
        assert client.call(zk.create("/meanwhile", b"x")).err == 0
        client.close_session()
    assert not os.path.exists(old.tree_path + ".next")
    assert not old.is_upgraded()
    server.stop()
    disk.set_budget(None)
    server.start()
    old.wait_upgraded()
    with server.client(tls=False) as client:
        assert client.call(zk.get_data("/meanwhile")).value.data == b"x"
        client.close_session()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_start_needs_the_room_of_the_copy(make_old, tmp_path, end):
    """The disk is full when the server starts again, and there is no reserve: what is there of the copy makes way."""
    disk = slowdisk.SlowDisk(tmp_path)
    old = make_old("clean", zoolite__lowRoom=1 << 20, zoolite__reserve=0)
    server = old.server
    enlarge(old.tree_path, 40000)
    server.extra_environment = disk.environment(server.data_dir)
    copy = [old.tree_path + suffix for suffix in (".next", ".next-wal")]
    server.start()
    servers.wait_until(lambda: sum(map(os.path.getsize, filter(os.path.exists, copy))) > 2000000, 60,
                       "some of the copy")
    getattr(server, end)()
    assert os.path.exists(copy[0]) and ask(old.tree_path, "PRAGMA user_version") == [(1,)]
    disk.set_budget(used(server.data_dir))
    server.start()
    assert re.search(r"event=store.upgrade_waits file=\S+/tree.db for=\"room on disk\"", server.log())
    assert not os.path.exists(copy[0])
    clients = old.resume()
    # There is room for what is short, until it is filled.
    assert clients[0].call(zk.get_data("/app")).err == 0
    disk.set_budget(None)
    server.restart()
    old.wait_upgraded()


@pytest.mark.parametrize("file", ["tree.db", "log/0000000003.db"])
def test_an_older_program_refuses_a_newer_file(make_old, file):
    """By a file whose version is raised: it stands for one of the next version, and this program for the older one."""
    old = make_old("clean")
    path = os.path.join(old.server.data_dir, file)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 3")
    database.close()
    before = open(path, "rb").read()
    old.server.start(wait=False)
    assert old.server.wait_exit() == 1
    assert re.search(r"level=error .*%s: has schema version 3, this program knows versions up to 2.*"
                     r"--restore tree-2.db" % re.escape(file), old.server.log()), old.server.log()
    assert open(path, "rb").read() == before


def test_the_way_back_before_the_change_is_finished(make_old, tmp_path):
    """The newer program was killed as it copied: the tree is still as it was, with a -wal, only the log is newer. What
    the refusal names brings back what the tree has."""
    old = make_old("clean", zoolite__replayDelay=0)
    server = old.server
    server.start()
    with server.client(tls=False) as client:
        assert client.call(zk.create("/late", b"in the -wal")).err == 0
        old.wait_upgraded()
        servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 20, "the log to be replayed into the tree")
        tree = make_v1.tree(client)
    server.kill()
    assert os.path.getsize(old.tree_path + "-wal") > 0
    newest = sorted(glob.glob(os.path.join(server.data_dir, "log", "*.db")))[-1]
    database = sqlite3.connect(newest)
    database.execute("PRAGMA user_version = 3")
    assert database.execute("PRAGMA user_version").fetchone() == (3,)
    database.commit()
    server.start(wait=False)
    assert server.wait_exit() == 1
    database.close()
    refusals = re.findall(r"%s: has schema version 3, .*?(zoolited --restore tree.db NEWDIR)" % re.escape(newest),
                          server.log())
    assert refusals, server.log()
    command = refusals[-1].replace("NEWDIR", str(tmp_path / "back")).split()
    command[0] = server.binary
    done = subprocess.run(command, cwd=server.data_dir, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    server.config["dataDir"] = str(tmp_path / "back")
    server.start()
    with server.client(tls=False) as client:
        back = make_v1.tree(client)
        lasting = {path for path, znode in tree.items() if zk.Stat(*znode["stat"]).ephemeral_owner == 0}
        assert "/late" in lasting and len(lasting) > 200
        assert [path for path in lasting if back.get(path, {}).get("data") != tree[path]["data"]] == []
        client.close_session()


def test_an_upgrade_needs_no_clean_copy(make_old):
    """What an earlier try left, of this tree or another one, is in nobody's way."""
    old = make_old("killed")
    shutil.copy(old.tree_path, old.tree_path + ".next")
    old.server.start()
    old.wait_upgraded()
    clients = old.resume()
    assert make_v1.tree(clients[0]) == old.expected["tree"]
