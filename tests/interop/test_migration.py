"""In from ZooKeeper and out to it: what zoolited --import reads is what Debian's ZooKeeper had, and what --export
writes is what it starts from, and finds no fault with.

Trees are made by random operations (random_tree.py), the seed is printed and ZOOLITE_MIGRATION_SEED gives it again;
they are compared whole, Stat by Stat. ZOOLITE_LONG=1 makes more of them.
"""
import gzip
import os
import random
import re
import struct
import subprocess
import zlib

import pytest
from kazoo.client import KazooClient

import servers
import zk_wire as zk
from random_tree import (CONFIG, LONG_MS, SHORT_MS, RandomTree, check_sequences, connect, creates, differences, look,
                         marks_of)

# kazoo 2.8.0 uses what Python 3.11 gives up.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:kazoo")

TIMEOUT_S = 10.0
IS_LONG = os.environ.get("ZOOLITE_LONG") == "1"
SEED = int(os.environ.get("ZOOLITE_MIGRATION_SEED", "0")) or random.randrange(1, 1 << 32)
MISMATCH = "Digests are not matching"
PERSISTED = struct.Struct(">qqqqiiiqq")  # a Stat, the owner at 7
# Behind the tree's seal: zxid, version and value of the digest, and its own seal.
DIGEST = struct.Struct(">qiqqi1s")


@pytest.fixture
def make_server(tmp_path):
    """make_server(kind, name, **config) gives one that is not started."""
    made = []

    def make(kind, name, **config):
        config = {key.replace("__", "."): value for key, value in config.items()}
        made.append(kind(tmp_path / name, None, tls=False, config=dict(CONFIG, **config)))
        return made[-1]
    yield make
    for server in made:
        server.close()


@pytest.fixture
def make_secure(authority, tmp_path):
    """The same with TLS alone."""
    made = []

    def make(kind, name):
        made.append(kind(tmp_path / name, authority, plain=False))
        return made[-1]
    yield make
    for server in made:
        server.close()


@pytest.fixture
def make_zoolite(make_server):
    return lambda name="zoolite", **config: make_server(servers.Zoolite, name, **config)


@pytest.fixture
def make_zookeeper(make_server):
    assert servers.have_zookeeper(), "Debian's zookeeper is not installed"
    return lambda name="zookeeper", **config: make_server(servers.ZooKeeper, name, **config)


def run(*arguments, status=0):
    """Its two outputs."""
    done = subprocess.run([servers.find_zoolited(), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout, done.stderr


def run_export(*arguments, status=0):
    return run("--export", *arguments, status=status)


def run_import(zookeeper, zoolite, *options):
    """What it says."""
    zoolite.write_config()
    return run("--import", zookeeper.data_dir, *options, zoolite.config_path)[0]


def find_snapshot(server):
    directory = os.path.join(server.data_dir, "version-2")
    names = os.listdir(directory)
    assert len(names) == 1 and names[0].startswith("snapshot."), names
    return os.path.join(directory, names[0])


def marks_in(server):
    """The owners in its only snapshot: path -> number, but for those that are 0."""
    path = find_snapshot(server)
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        reader = zk.Reader(file.read())
    assert (reader.int(), reader.int(), reader.long(), reader.int()) == (0x5a4b534e, 2, -1, 0)
    for _ in range(reader.int()):
        reader.long(), reader.vector(reader.acl)
    owners = {}
    while (name := reader.string()) != "/":
        reader.buffer(), reader.long()
        owners[name] = PERSISTED.unpack_from(reader.data, reader.at)[7]
        reader.at += PERSISTED.size
    return {name: owner for name, owner in owners.items() if owner != 0}


def grow(server, seed, kills=2, count=150, timeout=SHORT_MS):
    print("seed %d" % seed)
    tree = RandomTree(server, random.Random(seed), timeout)
    for _ in range(kills):
        tree.grow(count)
        tree.kill()
    tree.grow(count)
    return tree


def assert_same(was, now):
    lines = differences(was, now)
    assert not lines, "\n".join(lines[:20])


def as_if_closed(tree, zxid):
    """The tree without its ephemerals."""
    gone = {path for path, (_, stat, _, _) in tree.items() if stat.ephemeral_owner > 0}
    left = {}
    for path, (data, stat, acls, names) in tree.items():
        kept = [name for name in names if path.rstrip("/") + "/" + name not in gone]
        if path in gone:
            continue
        if kept != names:
            stat = stat._replace(num_children=len(kept), cversion=2 * creates(stat) - len(kept), pzxid=zxid)
        left[path] = (data, stat, acls, kept)
    return left, gone


def without_counts(tree):
    """What a quota counts changes with what is counted."""
    return {path: (None, value[1]._replace(data_length=0), *value[2:]) if path.endswith("/zookeeper_stats") else value
            for path, value in tree.items()}


def zxid_of(told):
    return int(re.search(r"^zxid: 0x([0-9a-f]+); the tree's: 0x", told, re.MULTILINE).group(1), 16)


def assert_no_word(server):
    assert MISMATCH not in server.log(), server.log()[-3000:]


# -- whole trees ----------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(10 if IS_LONG else 1))
@pytest.mark.parametrize("options", [[], ["--gzip"]], ids=["plain", "gzip"])
def test_random_tree(make_zoolite, make_zookeeper, turn, options):
    """Ended by SIGKILL, with sessions and ephemerals: all the rest is there, and sequences go on."""
    zoolite, zookeeper = make_zoolite(), make_zookeeper()
    tree = grow(zoolite.start(), SEED + turn, timeout=LONG_MS)
    for name in ("e1", "e2-"):
        tree.call(zk.create("/" + name, b"", flags=zk.EPHEMERAL | (name == "e2-") * zk.SEQUENTIAL), tree.other)
    was = look(zoolite)
    zoolite.kill()
    told, _ = run_export(*options, zookeeper.data_dir, zoolite.config_path)
    left, gone = as_if_closed(was, zxid_of(told))
    assert len(gone) >= 2 and len(left) > 30
    assert find_snapshot(zookeeper).endswith(".gz") == bool(options)
    assert "carried: %d znodes (%d containers, %d with a TTL), " % (len(left), *marks_of(left, tree.marks)) in told
    assert marks_in(zookeeper) == {path: mark for path, mark in tree.marks.items() if mark and path in left}
    assert "not carried: %d ephemeral znodes, " % len(gone) in told
    assert "extendedTypesEnabled=true" in told
    assert ("acl scheme x509: " in told) == any(acl.scheme == "x509" for value in left.values() for acl in value[2])
    zookeeper.start()
    assert_same(without_counts(left), without_counts(look(zookeeper)))
    check_sequences(zookeeper, left, tree.rng)
    # It goes on from there: its own log and snapshots.
    is_now = look(zookeeper)
    zookeeper.restart()
    assert_same(is_now, look(zookeeper))
    zookeeper.stop()
    assert_no_word(zookeeper)


class Packer(servers.ZooKeeper):
    """With what packs snapshots by Snappy."""

    LIBRARIES = (*servers.ZooKeeper.LIBRARIES, "snappy-java")


def snapshots_of(server):
    return [name for name in os.listdir(os.path.join(server.data_dir, "version-2")) if name.startswith("snapshot.")]


@pytest.mark.parametrize("turn", range(10 if IS_LONG else 1))
@pytest.mark.parametrize("coding", ["plain", "gz", "snappy"])
def test_there_and_back(make_server, make_zoolite, make_zookeeper, turn, coding):
    """From a ZooKeeper that was killed again and again, and to another one."""
    packing = {} if coding == "plain" else {"snapshot__compression__method": coding}
    zookeeper = make_server(Packer, "from", snapCount=40, **packing)
    zoolite, back = make_zoolite(), make_zookeeper()
    tree = grow(zookeeper.start(), SEED + turn)
    tree.finish()
    was = look(zookeeper)
    zookeeper.kill()
    assert len(snapshots_of(zookeeper)) > 3
    assert any(name.endswith("." + coding) for name in snapshots_of(zookeeper)) or coding == "plain"
    told = run_import(zookeeper, zoolite)
    assert "digest: the same as ZooKeeper's" in told
    zoolite.start()
    assert_same(was, look(zoolite))
    check_sequences(zoolite, was, tree.rng)
    is_now = look(zoolite)
    zoolite.finish()
    run_export(back.data_dir, zoolite.config_path)
    assert marks_in(back) == {path: mark for path, mark in tree.marks.items() if mark and path in was}
    back.start()
    assert_same(is_now, look(back))
    check_sequences(back, is_now, tree.rng)
    back.stop()
    assert_no_word(back)


def test_sessions_come_along(make_zoolite, make_zookeeper):
    """With --with-sessions a client comes back to its session, and its ephemerals never went."""
    zookeeper, zoolite = make_zookeeper(), make_zoolite()
    tree = grow(zookeeper.start(), SEED, kills=1, count=80, timeout=LONG_MS)
    for name in ("e1", "e2-"):
        assert tree.call(zk.create("/" + name, b"", flags=zk.EPHEMERAL | (name == "e2-") * zk.SEQUENTIAL)).err == 0
    was = look(zookeeper)
    zookeeper.kill()
    told = run_import(zookeeper, zoolite, "--with-sessions")
    assert re.search(r"^znodes: .* %d ephemeral; " % sum(value[1].ephemeral_owner > 0 for value in was.values()), told,
                     re.MULTILINE), told
    zoolite.start()
    assert_same(was, look(zoolite))
    client = zk.Client(zoolite.link())
    reply = client.connect(LONG_MS, tree.client.session_id, tree.client.password)
    assert (reply.session_id, reply.timeout) == (tree.client.session_id, LONG_MS)
    assert "/e1" in client.call(zk.get_ephemerals("/")).value
    client.close_session()
    assert "/e1" not in look(zoolite)


def test_sessions_stay_behind(make_zoolite, make_zookeeper):
    zookeeper, zoolite = make_zookeeper(), make_zoolite()
    tree = grow(zookeeper.start(), SEED, kills=1, count=80, timeout=LONG_MS)
    assert tree.call(zk.create("/e1", b"", flags=zk.EPHEMERAL)).err == 0
    was = look(zookeeper)
    zookeeper.kill()
    told = run_import(zookeeper, zoolite)
    found = look(zoolite.start())
    left, gone = as_if_closed(was, found["/"][1].pzxid)
    assert re.search(r"^sessions: none; [0-9]+ left behind, with %d ephemeral znode" % len(gone), told, re.MULTILINE)
    assert_same(without_counts(left), without_counts(found))


def test_digest(make_zoolite, make_zookeeper):
    """ZooKeeper does look at it: one that was falsified is told of."""
    zoolite, zookeeper = make_zoolite(), make_zookeeper()
    grow(zoolite.start(), SEED, kills=0, count=40)
    assert zoolite.stop() == 0
    run_export(zookeeper.data_dir, zoolite.config_path)
    path = find_snapshot(zookeeper)
    with open(path, "r+b") as file:
        content = file.read()
        at = len(content) - DIGEST.size
        zxid, version, digest, seal, _, mark = DIGEST.unpack_from(content, at)
        assert (version, mark, seal) == (2, b"/", zlib.adler32(content[:at + 20]))
        assert "snapshot.%x" % zxid == os.path.basename(path)
        content = content[:at] + struct.pack(">qiq", zxid, version, digest ^ 1)
        file.seek(0)
        file.write(content + struct.pack(">qi1s", zlib.adler32(content), 1, b"/"))
    zookeeper.start()
    zookeeper.wait_log(MISMATCH)


# -- from where -----------------------------------------------------------------------------------


def test_sources(make_zoolite, make_zookeeper, tmp_path):
    """A configuration, a directory, and a snapshot file give the same; the log is replayed first, and stays."""
    zoolite = make_zoolite(zoolite__replayDelay=60000)
    with connect(zoolite.start()) as client:
        for number in range(20):
            assert client.call(zk.create("/%d" % number, b"x" * number)).err == 0
        client.close_session()
    was = look(zoolite)
    zoolite.kill()
    contents = []
    for source in (zoolite.config_path, zoolite.data_dir, os.path.join(zoolite.data_dir, "tree.db")):
        target = make_zookeeper("target-%d" % len(contents))
        run_export(target.data_dir, source)
        with open(find_snapshot(target), "rb") as file:
            contents.append(file.read())
    assert contents[0] == contents[1] == contents[2]
    # Nothing of it shows in the server's own directory.
    zoolite.start()
    assert_same(was, look(zoolite))
    zoolite.finish()


def test_running(make_zoolite, make_zookeeper, tmp_path):
    """It is asked for a snapshot, goes on, and everything that was answered before is in there."""
    zoolite, zookeeper = make_zoolite(), make_zookeeper()
    tree = grow(zoolite.start(), SEED, kills=0, timeout=LONG_MS)
    assert tree.call(zk.create("/e", b"", flags=zk.EPHEMERAL), tree.other).err == 0
    was = look(zoolite)
    pid = zoolite.process.pid
    told, _ = run_export(zookeeper.data_dir, zoolite.config_path)
    assert zoolite.process.pid == pid and zoolite.is_running()
    # The client that saw more than the snapshot has is let in.
    assert tree.call(zk.create("/later", b"")).err == 0
    assert_same(was, {path: value for path, value in look(zoolite).items() if path not in ("/", "/later")} |
                {"/": was["/"]})
    left, _ = as_if_closed(was, zxid_of(told))
    zookeeper.start()
    assert_same(without_counts(left), without_counts(look(zookeeper)))
    with zk.Client(zookeeper.link()) as client:
        assert client.connect(LONG_MS, last_zxid_seen=tree.client.last_zxid).timeout > 0
    zookeeper.stop()
    assert_no_word(zookeeper)
    # One that does not answer is not passed over, nor read behind its back.
    zoolite.config["zoolite.controlSocket"] = "none"
    zoolite.write_config()
    _, wrong = run_export(tmp_path / "other", zoolite.config_path, status=1)
    assert wrong == "%s/lock: another server uses this directory (zoolite.controlSocket is none)\n" % zoolite.data_dir
    zoolite.finish()


def test_log_elsewhere(make_zoolite, make_zookeeper, tmp_path):
    log_dir = str(tmp_path / "log-elsewhere")
    zoolite = make_zoolite(dataLogDir=log_dir)
    with connect(zoolite.start()) as client:
        assert client.call(zk.create("/there", b"")).err == 0
    zoolite.kill()
    zookeeper = make_zookeeper()
    _, wrong = run_export(zookeeper.data_dir, zoolite.data_dir, status=1)
    assert wrong == "%s/log: is missing\n" % zoolite.data_dir
    assert not os.path.exists(zookeeper.data_dir)
    run_export(zookeeper.data_dir, zoolite.config_path)
    zookeeper.start()
    assert "/there" in look(zookeeper)


# -- what is refused, and what is listed ----------------------------------------------------------


def test_refusals(make_zoolite, make_zookeeper, tmp_path):
    zoolite, zookeeper = make_zoolite(), make_zookeeper()
    target = zookeeper.data_dir
    for arguments in ([], ["--gzip"], [target], ["--best", target, "x"], ["--max-data", "0", target, "x"],
                      ["--max-data", "1k", target, "x"], [target, tmp_path / "missing"]):
        _, wrong = run_export(*arguments, status=2)
        assert wrong.count("\n") == 1 and wrong.strip()
    empty = tmp_path / "empty"
    empty.mkdir()
    _, wrong = run_export(target, empty, status=1)
    assert wrong == "%s/tree.db: is missing\n" % empty
    assert os.listdir(empty) == []
    with connect(zoolite.start()) as client:
        assert client.call(zk.create("/large", b"x" * 3000)).err == 0
        client.close_session()
    assert zoolite.stop() == 0
    told, wrong = run_export("--max-data", 2999, target, zoolite.config_path, status=1)
    assert told == "too large: /large: 3000 bytes\n"
    assert wrong.startswith("1 znodes have more than 2999 bytes of data (nobody answers at ")
    assert not os.path.exists(os.path.join(target, "version-2"))
    run_export("--max-data", 3000, target, zoolite.config_path)
    _, wrong = run_export(target, zoolite.config_path, status=1)
    assert "holds a ZooKeeper's data" in wrong
    _, wrong = run_export(zoolite.data_dir, zoolite.config_path, status=1)
    assert "is a data directory of this program" in wrong
    with open(tmp_path / "foreign.db", "wb") as file:
        file.write(b"SQLite format 3\0" + bytes(4080))
    _, wrong = run_export(tmp_path / "new", tmp_path / "foreign.db", status=1)
    assert wrong.startswith("%s/foreign.db: " % tmp_path)


def test_losses(make_zoolite, make_zookeeper, tmp_path):
    """Rules and schemes that ZooKeeper does not know."""
    policy = tmp_path / "policy"
    policy.write_text("# everybody\nrole all anyone\nallow all all /\n  deny all write /secret only # no\n"
                      "acl off /open\n\n")
    zoolite, zookeeper = make_zoolite(zoolite__policyFile=policy, zoolite__identity="dn,dns"), make_zookeeper()
    with connect(zoolite.start()) as client:
        acls = [zk.Acl(1, "world", "anyone"), zk.Acl(31, "san", "DNS:web.example.org"), zk.Acl(1, "san", "DNS:b")]
        assert client.call(zk.create("/a", b"", acls)).err == 0
        assert client.call(zk.create("/b", b"", acls)).err == 0
        client.close_session()
    assert zoolite.stop() == 0
    told, _ = run_export(zookeeper.data_dir, zoolite.config_path)
    lines = told.splitlines()
    assert [line for line in lines if line.startswith("acl ")] == [
        "acl scheme san: in the ACLs of 2 znodes; ZooKeeper does not know it: nobody has there what it gives"]
    assert [line for line in lines if line.startswith("policy ")] == [
        "policy %s:3: not carried: allow all all /; an ACL is of one znode, for one identity, and nobody inherits it"
        % policy,
        "policy %s:4: not carried: deny all write /secret only # no; an ACL denies nobody" % policy,
        "policy %s:5: not carried: acl off /open; ZooKeeper asks every ACL" % policy]
    zookeeper.start()
    assert list(look(zookeeper)["/a"][2]) == acls
    # A policy that cannot be read: before anything is written.
    policy.unlink()
    _, wrong = run_export(tmp_path / "other", zoolite.config_path, status=1)
    assert str(policy) in wrong and not os.path.exists(tmp_path / "other")


# -- clients that count ---------------------------------------------------------------------------


class KazooCounter:
    """What kazoo numbers."""

    def __init__(self, authority):
        self.authority = authority

    def count(self, server, _):
        client = KazooClient("127.0.0.1:%d" % server.tls_port, use_ssl=True, ca=self.authority.ca,
                             certfile=self.authority.cert("admin"), keyfile=self.authority.key("admin"),
                             timeout=TIMEOUT_S, connection_retry={"max_tries": -1, "max_delay": 0.5})
        client.start(30)
        made = {"znodes": [client.create("/kazoo/znodes/n-", makepath=True, sequence=True).rsplit("/")[-1]
                           for _ in range(3)],
                "ephemerals": [client.create("/kazoo/ephemerals/n-", makepath=True, sequence=True, ephemeral=True)
                               .rsplit("/")[-1] for _ in range(3)]}
        queue = client.Queue("/kazoo/queue")
        for number in range(3):
            queue.put(b"%d" % number)
        made["queue"] = sorted(client.get_children("/kazoo/queue"))
        made["lock"] = []
        lock = client.Lock("/kazoo/lock", "me")
        for _ in range(3):
            with lock:
                made["lock"] += [name[-10:] for name in client.get_children("/kazoo/lock")]
        client.stop()
        client.close()
        return made


class CuratorCounter:
    """What Curator numbers."""

    def __init__(self, tools):
        self.tools = tools

    def count(self, server, turn):
        client = self.tools.java("Sequences", "admin", "127.0.0.1:%d" % server.tls_port, "%d" % (TIMEOUT_S * 1000),
                                 "/curator")
        client.name += "-%d" % turn
        client.wait("closed", deadline_s=60)
        return {line["kind"]: line["names"] for line in client.since(0, "made")}


def numbers(first, count=3, form="n-%010d"):
    return [form % number for number in range(first, first + count)]


def check_counts(made, turn):
    """Each turn goes on where the one before it ended."""
    assert made["znodes"] == numbers(3 * turn)
    assert made["ephemerals"] == numbers(3 * turn)
    assert [int(name[-10:]) for name in made["queue"]] == list(range(3 * turn + 3))
    for kind in made.keys() & {"lock", "mutex"}:
        assert made[kind] == numbers(3 * turn, form="%010d")


@pytest.fixture(params=["kazoo", "curator"])
def counter(request, authority):
    if request.param == "kazoo":
        return KazooCounter(authority)
    return CuratorCounter(request.getfixturevalue("tools"))


def test_sequences_go_on(make_secure, counter):
    zoolite, zookeeper = make_secure(servers.Zoolite, "zoolite"), make_secure(servers.ZooKeeper, "zookeeper")
    check_counts(counter.count(zoolite.start(), 0), 0)
    assert zoolite.stop() == 0
    run_export(zookeeper.data_dir, zoolite.config_path)
    check_counts(counter.count(zookeeper.start(), 1), 1)
    zookeeper.stop()
    assert_no_word(zookeeper)
    # And back.
    other = make_secure(servers.Zoolite, "other")
    run_import(zookeeper, other)
    check_counts(counter.count(other.start(), 2), 2)
    other.finish()


# -- an ensemble ----------------------------------------------------------------------------------


class Member(servers.ZooKeeper):
    """One of an ensemble."""

    def command(self):
        command = super().command()
        at = command.index("org.apache.zookeeper.server.ZooKeeperServerMain")
        return command[:at] + ["org.apache.zookeeper.server.quorum.QuorumPeerMain", *command[at + 1:]]


def make_ensemble(make_server, count=3):
    ports = servers.free_ports(2 * count)
    peers = {"server__%d" % (n + 1): "127.0.0.1:%d:%d" % (ports[2 * n], ports[2 * n + 1]) for n in range(count)}
    members = [make_server(Member, "member-%d" % (n + 1), initLimit=100, syncLimit=50, **peers) for n in range(count)]
    for number, member in enumerate(members):
        os.makedirs(member.data_dir)
        with open(os.path.join(member.data_dir, "myid"), "w", encoding="ascii") as file:
            file.write("%d\n" % (number + 1))
    return members


def without_members(tree):
    """Who leads writes there who the members are."""
    return {path: value for path, value in tree.items() if path != "/zookeeper/config"}


def test_ensemble(make_zoolite, make_server):
    zoolite, members = make_zoolite(), make_ensemble(make_server)
    tree = grow(zoolite.start(), SEED)
    tree.finish()
    was = without_members(look(zoolite))
    assert zoolite.stop() == 0
    for member in members:
        run_export(member.data_dir, zoolite.config_path)
    for member in members:
        member.start(wait=False)
    for member in members:
        member.wait_ready()
    for member in members:
        assert_same(without_counts(was), without_counts(without_members(look(member))))
    check_sequences(members[0], was, tree.rng)
    # One that comes back has it from the others.
    is_now = without_members(look(members[0]))
    members[2].kill()
    servers.remove_tree(os.path.join(members[2].data_dir, "version-2"))
    members[2].start()
    with connect(members[2]) as client:
        client.call(zk.sync("/"))
    assert_same(without_counts(is_now), without_counts(without_members(look(members[2]))))
    for member in members:
        member.stop()
        assert_no_word(member)
