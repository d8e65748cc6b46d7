"""The way in from ZooKeeper: directories of Debian's ZooKeeper 3.8.0 (tests/unit/zk, by its make-data) imported, then
looked at by clients, znode by znode; and what is refused."""
import contextlib
import os
import re
import resource
import shutil
import sqlite3
import struct
import subprocess
import zlib

import pytest

import servers
import slowdisk
import zk_wire as zk

DATA = os.path.join(servers.REPOSITORY, "tests", "unit", "zk")


def run(server, *arguments):
    if not os.path.exists(server.config_path):
        server.write_config()
    return subprocess.run([server.binary, *arguments, server.config_path], capture_output=True, text=True, timeout=60,
                          check=False)


@pytest.fixture(name="source")
def fixture_source(tmp_path):
    """A copy of a directory, to be spoilt."""
    def copy(kind):
        return shutil.copytree(os.path.join(DATA, kind), tmp_path / "zookeeper")
    return copy


@pytest.fixture(name="target")
def fixture_target(make_server):
    return make_server.new(extendedTypesEnabled="true", znode__container__checkIntervalMs=200)


def imported(server, directory, *options):
    done = run(server, "--import", str(directory), *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def session_of(directory):
    number, password = (directory / "session").read_text().split()
    return int(number), bytes.fromhex(password)


def letters(perms):
    return "".join(letter for letter, bit in (("c", 4), ("d", 8), ("r", 1), ("w", 2), ("a", 16)) if perms & bit)


def describe(client, path):
    """A line as make-data writes it, but for the owners of znodes that no session owns, which no client sees."""
    stat = client.call(zk.exists(path)).value
    data = client.call(zk.get_data(path)).value.data
    acl = client.call(zk.get_acl(path)).value.acls
    fields = (stat.czxid, stat.mzxid, stat.ctime, stat.mtime, stat.version, stat.cversion, stat.aversion,
              stat.ephemeral_owner, stat.num_children, stat.pzxid)
    return [path, *map(str, fields), "-" if data is None else data.hex(),
            ",".join("%s:%s:%s" % (entry.scheme, entry.id, letters(entry.perms)) for entry in acl)]


def walk(client, path="/"):
    yield path
    for name in client.call(zk.get_children(path)).value.names:
        yield from walk(client, (path if path != "/" else "") + "/" + name)


def expected_of(directory):
    lines = [line.split(" ") for line in (directory / "expected").read_text(encoding="utf-8").splitlines()]
    for fields in lines:
        fields[8] = fields[8] if int(fields[8]) > 0 else "0"
    return lines


def digest_client(server, **options):
    client = server.client(**options)
    assert client.auth("digest", b"u:p").err == 0
    return client


@pytest.mark.parametrize("kind", ["plain", "gzip", "snappy"])
def test_everything_is_there(target, source, kind):
    directory = source(kind)
    told = imported(target, directory, "--with-sessions")
    assert "(%s)\n" % kind in told
    assert "transactions: 13 from 2 logs, up to 0x2c\n" in told
    assert "znodes: 23 persistent, 1 container, 2 with a TTL, 1 ephemeral; 130 bytes of data\n" in told
    assert "digest: the same as ZooKeeper's\n" in told
    target.start()
    with digest_client(target) as client:
        paths = sorted((path for path in walk(client) if path != "/zookeeper/config"), key=lambda path: path.encode())
        assert [describe(client, path) for path in paths] == expected_of(directory)
        assert client.call(zk.get_data("/zookeeper/config")).value.data == b""


def test_it_goes_on(target, source):
    """Sequence numbers, versions, quotas and containers, as if it had always been here."""
    imported(target, source("plain"))
    target.start()
    with digest_client(target) as client:
        made = client.call(zk.create("/counted/n-", b"12345", flags=zk.SEQUENTIAL))
        assert made.value.path == "/counted/n-0000000006"
        assert made.zxid > 44
        stats = client.call(zk.get_data("/zookeeper/quota/counted/zookeeper_stats")).value.data
        assert stats == b"count=6,bytes=59"
        assert client.call(zk.set_data("/a", b"", 1)).err == -103
        assert client.call(zk.set_data("/a", b"", 2)).value.version == 3
        for name in ("in", "more"):
            assert client.call(zk.delete("/box/" + name)).err == 0
        servers.wait_until(lambda: client.call(zk.exists("/box")).err == -101, 10, "the container goes")
        target.kill()
    target.start()
    with digest_client(target) as client:
        assert client.call(zk.get_data("/a")).value.stat.version == 3
        assert client.call(zk.create("/counted/n-", b"", flags=zk.SEQUENTIAL)).value.path == "/counted/n-0000000007"


def test_without_sessions(target, source):
    directory = source("plain")
    told = imported(target, directory)
    assert "sessions: none; 1 left behind, with 1 ephemeral znode\n" in told
    target.start()
    number, password = session_of(directory)
    client = zk.Client(target.link())
    assert client.connect(session_id=number, password=password).timeout == 0
    with digest_client(target) as client:
        assert client.call(zk.exists("/a/e")).err == -101
        stat = client.call(zk.exists("/a")).value
        assert (stat.num_children, stat.cversion, stat.pzxid) == (2, 4, 44)


def test_a_session_is_bound_by_who_resumes_it(target, source):
    directory = source("plain")
    told = imported(target, directory, "--with-sessions")
    assert "sessions: 1, each will be bound to the identity that resumes it first\n" in told
    target.start()
    number, password = session_of(directory)

    def resume(certificate, word=password):
        client = zk.Client(target.link(certificate))
        return client, client.connect(session_id=number, password=word)

    assert resume("client", bytes(16))[1].timeout == 0
    owner, reply = resume("client")
    assert reply.session_id == number and reply.timeout > 0
    assert target.wait_log(r"event=session\.bound .*session=0x%x .*identity=" % number)
    assert target.metric("sessions_bound") == 1
    assert resume("second")[1].timeout == 0
    # Also behind a crash, and it owns what it owned.
    target.kill()
    target.start()
    assert resume("second")[1].timeout == 0
    owner, reply = resume("client")
    assert reply.session_id == number
    with target.client() as other:
        assert other.session_id != number
        assert other.call(zk.exists("/a/e")).value.ephemeral_owner == number
        owner.close_session()
        assert other.call(zk.exists("/a/e")).err == -101


def test_zookeepers_own_configuration_names_the_directories(target, source, tmp_path):
    directory = source("plain")
    (tmp_path / "logs" / "version-2").mkdir(parents=True)
    for name in ("log.1", "log.20"):
        (directory / "version-2" / name).rename(tmp_path / "logs" / "version-2" / name)
    config = tmp_path / "zookeeper.cfg"
    config.write_text("tickTime=2000\ndataDir=%s\ndataLogDir=%s\nserver.1=a:1:2\n" % (directory, tmp_path / "logs"))
    assert "transactions: 13 from 2 logs, up to 0x2c\n" in imported(target, config)
    config.write_text("tickTime=2000\n")
    done = run(target, "--import", str(config))
    assert done.returncode == 2
    assert "is no directory, and names no dataDir" in done.stderr
    target.start()


def test_in_zookeepers_place(make_server, source):
    """Whoever goes on with the same dataDir finds ZooKeeper's files as they were."""
    directory = source("plain")
    server = make_server.new(dataDir=str(directory))
    before = sorted(os.listdir(directory / "version-2"))
    imported(server, directory)
    assert sorted(os.listdir(directory / "version-2")) == before
    server.start()
    with digest_client(server) as client:
        assert client.call(zk.exists("/a/b/d")).err == 0


def test_warnings(make_server, source):
    directory = source("plain")
    newest = directory / "version-2" / "snapshot.1f"
    newest.write_bytes(newest.read_bytes()[:-1])
    last = directory / "version-2" / "log.20"
    last.write_bytes(last.read_bytes()[:400])
    server = make_server.new(jute__maxbuffer=1024)
    told = imported(server, directory)
    assert "snapshot: snapshot.0 (plain)\n" in told
    assert "warning: a newer snapshot was passed over: snapshot.1f: " in told
    assert "warning: log.20 ends in the middle of a transaction" in told
    assert "warning: znodes with a TTL are carried, but extendedTypesEnabled is off" in told
    server.start()


def test_without_logs(make_server, source):
    """Whose directory was not named, perhaps."""
    directory = source("plain")
    for log in (directory / "version-2").glob("log.*"):
        log.unlink()
    server = make_server.new()
    assert "warning: there is no log behind the snapshot: " in imported(server, directory)
    server.start()


def refused(server, *arguments):
    done = run(server, "--import", *map(str, arguments))
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.mark.parametrize("given", ["", "version-2"])
def test_an_idle_zookeeper(target, source, given):
    """It has no file open. Its pid file tells, unless the number is another's by now."""
    directory = source("plain")
    pid_file = directory / "zookeeper_server.pid"
    process = subprocess.Popen(["org.apache.zookeeper.server.quorum.QuorumPeerMain", "60"], executable="/bin/sleep")
    try:
        pid_file.write_text("%d" % process.pid)
        expected = "zookeeper_server.pid: ZooKeeper is running: process %d" % process.pid
        assert expected in refused(target, directory / given)
    finally:
        process.kill()
        process.wait()
    pid_file.write_text("%d\n" % os.getppid())
    imported(target, directory / given)
    target.start()


def test_refusals(target, source, tmp_path):
    directory = source("plain")
    logs = directory / "version-2" / "log.20"
    whole = logs.read_bytes()
    assert "no-such: cannot read the directory: " in refused(target, tmp_path / "no-such")
    logs.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    assert "log.20: byte " in refused(target, directory)
    logs.write_bytes(whole)
    (directory / "version-2" / "log.1").unlink()
    snapshot = directory / "version-2" / "snapshot.1f"
    snapshot.rename(tmp_path / "kept")
    assert "there is a gap: 0x20 follows 0x0" in refused(target, directory)
    (tmp_path / "kept").rename(snapshot)
    assert not os.path.exists(os.path.join(target.data_dir, "tree.db"))
    # Somebody writes there.
    with open(logs, "ab"):
        assert "process %d has it open" % os.getpid() in refused(target, directory)
    imported(target, directory)
    assert "tree.db: there is a registry already" in refused(target, directory)
    target.start()
    assert "another server uses this directory" in refused(target, directory)


def test_another_digest(target, source):
    """A record that was changed, its checksum too: told by the digest, and served only to who asks for it."""
    directory = source("plain")
    log = directory / "version-2" / "log.20"
    content = bytearray(log.read_bytes())
    at = 16
    while (length := struct.unpack_from(">i", content, at + 8)[0]) > 0:
        last, at = at, at + 12 + length + 1
    content[at - 2] ^= 1
    struct.pack_into(">q", content, last, zlib.adler32(content[last + 12:at - 1]))
    log.write_bytes(content)
    assert "version-2: the tree is not the one that ZooKeeper had at 0x2c: " in refused(target, directory)
    assert not [name for name in os.listdir(target.data_dir) if name.startswith("tree")]
    told = imported(target, directory, "--with-sessions", "--despite-digest")
    assert "warning: the tree's digest differs from the one that ZooKeeper logged with the last transaction\n" in told
    target.start()
    with digest_client(target) as client:
        assert client.call(zk.exists("/a/b/d")).err == 0


def sealed(content):
    return content + struct.pack(">qi", zlib.adler32(content), 1) + b"/"


def snapshot_with_acls(count, size):
    """One of a ZooKeeper whose only znode is the root, with so many ACLs of so many bytes."""
    parts = [struct.pack(">iiqii", 0x5a4b534e, 2, -1, 0, count)]
    for number in range(count):
        name = (b"%d:" % number).ljust(size, b"x")
        parts.append(struct.pack(">qiii", number + 1, 1, zk.PERM_READ, 6) + b"digest" + struct.pack(">i", size) + name)
    parts.append(struct.pack(">iiq4q3i2q", 0, -1, count, 0, 0, 0, 0, 0, 0, 0, 0, 0) + struct.pack(">i", 1) + b"/")
    return sealed(b"".join(parts))


def test_more_acls_than_memory(target, tmp_path):
    """An import's memory does not grow with them. Under a sanitizer alone it is not measured."""
    count, size = 40000, 4000
    directory = tmp_path / "zookeeper" / "version-2"
    directory.mkdir(parents=True)
    (directory / "snapshot.5").write_bytes(snapshot_with_acls(count, size))
    target.binary = os.environ.get("ZOOLITED_PLAIN") or target.binary
    target.config.update({"zoolite.cacheSize": "8m", "zoolite.treeCacheSize": "8m"})
    target.write_config()
    most = count * size // 2

    def limit():
        if not servers.is_sanitized(target.binary):
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))

    done = subprocess.run([target.binary, "--import", str(directory), target.config_path], capture_output=True,
                          text=True, timeout=60, check=False, preexec_fn=limit)
    assert done.returncode == 0, done.stderr
    assert "ACLs: world on 3 znodes, digest on 1 znode\n" in done.stdout
    target.start()
    with digest_client(target) as client:
        assert client.call(zk.get_acl("/")).err == -102
        target.stop()
    with contextlib.closing(sqlite3.connect(os.path.join(target.data_dir, "tree.db"))) as tree:
        acl = tree.execute("SELECT text FROM acl WHERE text LIKE 'digest:%'").fetchall()
        assert acl == [("digest:%s:r" % ("%d:" % (count - 1)).ljust(size, "x"),)]


def test_cut_short(target, source):
    """What an import left that was killed no start takes for a registry; the next one does it."""
    directory = source("plain")
    os.makedirs(os.path.join(target.data_dir, "log"))
    with open(os.path.join(target.data_dir, "tree.db.part"), "wb") as part:
        part.write(b"SQLite format 3\0")
    target.start(wait=False)
    assert target.wait_exit() == 1
    assert "tree.db.part: the import or the restore that made it was cut short: repeat it" in target.log()
    assert "digest: the same" in imported(target, directory)
    target.start()
    with digest_client(target) as client:
        assert client.call(zk.exists("/a/b/d")).err == 0


def left_in(server):
    """Files, but for those that lock a directory."""
    return [name for _, _, names in os.walk(server.data_dir) for name in names if name != "lock"]


def test_full_disk(target, source, tmp_path):
    """Wherever it fills: a line that says so, nothing is left, and a repeat with more room does it."""
    directory, steps = source("plain"), 0
    disk = slowdisk.SlowDisk(tmp_path)
    target.write_config()
    for budget in range(0, 1 << 20, 12345):
        disk.set_budget(budget)
        done = subprocess.run([target.binary, "--import", str(directory), target.config_path], capture_output=True,
                              text=True, timeout=60, check=False,
                              env=dict(os.environ, **disk.environment(room=target.data_dir)))
        if done.returncode == 0:
            break
        assert (done.returncode, done.stdout) == (1, ""), (budget, done.stderr)
        assert len(done.stderr.splitlines()) == 1, (budget, done.stderr)
        assert re.search("disk is full|disk full|No space left", done.stderr), (budget, done.stderr)
        assert left_in(target) == [], budget
        steps += 1
    assert steps >= 5
    assert done.returncode == 0 and "digest: the same" in done.stdout
    target.start()
    with digest_client(target) as client:
        assert client.call(zk.exists("/a/b/d")).err == 0


def test_file_limit(target, source):
    """A disk that takes no more for another reason."""
    directory = source("plain")
    target.write_config()
    limit = (60000, 60000)
    done = subprocess.run([target.binary, "--import", str(directory), target.config_path], capture_output=True,
                          text=True, timeout=60, check=False, restore_signals=False,  # Python ignores SIGXFSZ
                          preexec_fn=lambda: (resource.setrlimit(resource.RLIMIT_FSIZE, limit),
                                              resource.setrlimit(resource.RLIMIT_CORE, (0, 0))))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1 and "level=error event=store." in done.stderr
    assert left_in(target) == []
    assert "digest: the same" in imported(target, directory)
    target.start()


def test_usage(tmp_path):
    target, directory = servers.Zoolite(tmp_path / "server"), str(tmp_path)
    for arguments in ((), (directory, "--sessions"), (directory, "--with-sessions", "more"),
                      (directory, "--despite-digest", "--with-sessions", "--with-sessions")):
        done = run(target, "--import", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("zoolited: --import takes a directory, ")
