"""A data directory that is damaged: refused at the start with one line that names the damage and the command to run.

Nothing is served that lacks what was acknowledged, and nothing is written to what is refused.
"""
import contextlib
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import pages  # noqa: E402
import servers  # noqa: E402
import slowdisk  # noqa: E402
import zk_wire as zk  # noqa: E402

# Nothing is replayed before the server ends: the log alone has it.
LATE = {"zoolite.replayDelay": 60000}
SOON = {"zoolite.replayDelay": 1}
ZNODES = 40
SYSTEM_ERROR, NO_NODE, NO_AUTH = -1, -101, -102


@pytest.fixture(name="make_server")
def fixture_make_server(tmp_path):
    if servers.find_zoolited() is None:
        pytest.fail("no zoolited binary: set ZOOLITED")
    made = []

    def make(name="server", environment=None, **config):
        server = servers.Zoolite(tmp_path / name, config={key.replace("__", "."): value
                                                          for key, value in config.items()})
        server.extra_environment = environment or {}
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()


def fill(server, first=0, count=ZNODES):
    client = server.client(timeout=600000)
    replies = client.call_all([zk.create("/n%d" % number, b"%d" % number)
                               for number in range(first, first + count)])
    assert all(reply.err == 0 for reply in replies)


def assert_filled(server, count=ZNODES):
    client = server.client()
    for number in range(count):
        assert client.call(zk.get_data("/n%d" % number)).value.data == b"%d" % number


def files_of(server, ending):
    log = os.path.join(server.data_dir, "log")
    return sorted(os.path.join(log, name) for name in os.listdir(log) if name.endswith(ending))


def not_copied(_, names):
    return [name for name in names if name in ("lock", "control.sock", "ballast") or name.endswith("-shm")]


def contents(directory):
    """Every file but the lock, the socket, the ballast, what SQLite makes anew and what it rolls back (a segment that a kill left
    half made)."""
    found = {}
    for place, _, names in os.walk(directory):
        unfinished = [name for name in names if name.endswith("-journal") or name + "-journal" in names]
        for name in set(names) - set(not_copied(place, names)) - set(unfinished):
            with open(os.path.join(place, name), "rb") as file:
                found[os.path.join(place, name)] = file.read()
    return found


def end_of_log(server):
    return server.log_size() if os.path.exists(server.log_path) else 0


def assert_refused(server, *words, status=1):
    """It ends before it serves, with one line that says all of these, and leaves the files as they are."""
    since, before = end_of_log(server), contents(server.data_dir)
    server.start(wait=False)
    assert server.wait_exit() == status, server.log()[since:]
    lines = [line for line in server.log()[since:].splitlines() if "level=error" in line]
    assert len(lines) == 1, server.log()[since:]
    for word in words:
        assert word in lines[0]
    after = contents(server.data_dir)
    assert {name: data for name, data in after.items() if name in before} == before
    return lines[0]


# ---- a -wal that is gone ----

def live_wal(server):
    """The -wal with the changes: the largest one."""
    return max(files_of(server, "-wal"), key=os.path.getsize)


def test_missing_wal_of_the_log_is_no_empty_log(make_server):
    server = make_server(**LATE)
    fill(server.start())
    server.kill()
    os.unlink(live_wal(server))
    assert_refused(server, "-wal: is missing")


def test_missing_segment_is_missed(make_server):
    server = make_server(**LATE)
    fill(server.start())
    server.kill()
    wal = live_wal(server)
    os.unlink(wal)
    os.unlink(wal[:-len("-wal")])
    assert_refused(server, "%s: is missing" % os.path.basename(wal[:-len("-wal")]))


@pytest.mark.parametrize("how", ["empty", "header"])
def test_damaged_wal_of_the_log_is_no_empty_log(make_server, how):
    server = make_server(**LATE)
    fill(server.start())
    server.kill()
    with open(live_wal(server), "r+b") as file:
        if how == "empty":
            file.truncate(0)
        else:
            file.seek(17)
            file.write(b"\xff")
    assert_refused(server, "-wal: is damaged")


def test_missing_wal_of_the_tree(make_server):
    server = make_server(**SOON)
    fill(server.start())
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 20, "replay")
    server.kill()
    os.unlink(os.path.join(server.data_dir, "tree.db-wal"))
    assert_refused(server, "tree.db-wal: is missing")


def test_kills_and_stops_are_no_damage(make_server):
    server = make_server(zoolite__segmentSize=65536, zoolite__logRetention=200000, **SOON)
    for number in range(6):
        server.start()
        fill(server, first=number * ZNODES)
        if number % 2:
            server.kill()
        else:
            server.stop()
    since = server.log_size()
    server.start()
    assert re.search(r"event=store.cut_off ", server.log()[since:])
    assert_filled(server, 6 * ZNODES)
    server.stop()
    since = server.log_size()
    server.start()
    assert not re.search(r"event=store.cut_off ", server.log()[since:])
    server.finish()


# ---- files that are not what they were ----

COMMAND = "zoolited --recover "


def stop_replayed(server):
    """Stops it once the tree has all that the log has."""
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 20, "the tree to have all")
    assert server.stop() == 0


def stopped(make_server, name="server", **config):
    server = make_server(name, **dict(SOON, **config))
    fill(server.start())
    stop_replayed(server)
    return server


def tree_of(server):
    return os.path.join(server.data_dir, "tree.db")


def test_truncated_tree(make_server):
    server = stopped(make_server)
    os.truncate(tree_of(server), os.path.getsize(tree_of(server)) - 4096)
    assert_refused(server, "tree.db: is cut off", COMMAND + server.data_dir)
    os.truncate(tree_of(server), 50)
    assert_refused(server, "tree.db: is cut off", COMMAND)
    os.truncate(tree_of(server), 0)
    assert_refused(server, "tree.db: is empty", COMMAND)
    os.unlink(tree_of(server))
    assert_refused(server, "tree.db: is missing", COMMAND)


def test_truncated_segment(make_server):
    server = stopped(make_server)
    segment = files_of(server, ".db")[-1]
    os.truncate(segment, os.path.getsize(segment) - 4096)
    assert_refused(server, "%s: is cut off" % segment, COMMAND)


@pytest.mark.parametrize("which", ["tree", "segment"])
def test_foreign_files(make_server, which):
    server = stopped(make_server)
    path = tree_of(server) if which == "tree" else files_of(server, ".db")[-1]
    original = path + ".kept"
    os.rename(path, original)
    # No database at all; one of somebody else; the one of another server.
    with open(path, "wb") as file:
        file.write(b"hello, world\n" * 1000)
    assert_refused(server, "%s: is no database" % path, COMMAND)
    os.unlink(path)
    foreign = ((0, "DELETE", "is a database of another program"),
               (0, "WAL", "is not a tree of this program" if which == "tree" else "log ends"),
               (1, "WAL", "its tables are not" if which == "tree" else "cannot read the table segment"))
    for version, mode, words in foreign:
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.executescript("PRAGMA journal_mode=%s; CREATE TABLE orders (number); PRAGMA user_version=%d;" %
                                   (mode, version))
        assert_refused(server, words, COMMAND)
        os.unlink(path)
    other = stopped(make_server, "other")
    shutil.copy(tree_of(other) if which == "tree" else files_of(other, ".db")[-1], path)
    assert_refused(server, "foreign database id", COMMAND)
    os.rename(original, path)
    assert_filled(server.start())
    server.finish()


@pytest.mark.parametrize("which", ["tree", "segment"])
def test_newer_schema_names_the_way_back(make_server, which):
    server = stopped(make_server)
    path = tree_of(server) if which == "tree" else files_of(server, ".db")[-1]
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version=99")
    line = assert_refused(server, "%s: has schema version 99" % path, "newer zoolited", "--restore")
    assert COMMAND not in line


def test_rows_that_are_gone(make_server):
    server = stopped(make_server)
    with contextlib.closing(sqlite3.connect(tree_of(server))) as database:
        database.execute("DELETE FROM meta WHERE key = 'zxid'")
        database.commit()
    pages.seal(tree_of(server))
    assert_refused(server, "tree.db: the table meta has no 'zxid'", COMMAND)


def test_a_zookeepers_directory_is_refused(make_server):
    server = make_server()
    os.makedirs(os.path.join(server.data_dir, "version-2"))
    with open(os.path.join(server.data_dir, "version-2", "log.1"), "wb"):
        pass
    server.start(wait=False)
    assert server.wait_exit() == 2
    assert "dataDir: %s holds a ZooKeeper's data" % server.data_dir in server.log()
    assert "zoolited --import" in server.log()
    assert not os.path.exists(tree_of(server))


def page_of_table(path, name):
    """Pages of a table or index but its root, first to last."""
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as database:
        size = database.execute("PRAGMA page_size").fetchone()[0]
        pages = [row[0] for row in database.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno", (name,))]
    return size, pages


def spoil(path, size, page):
    with open(path, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


def test_reads_that_fail_are_answered(make_server):
    """A damaged page is the client's error, a line and a number; the server goes on, and the log stays small."""
    server = make_server(**SOON)
    server.start()
    client = server.client()
    assert all(reply.err == 0 for reply in client.call_all(
        [zk.create("/n%03d" % number, b"x" * 1000) for number in range(100)]))
    stop_replayed(server)
    size, pages = page_of_table(tree_of(server), "znode")
    assert len(pages) > 10
    spoil(tree_of(server), size, pages[len(pages) // 2])
    server.start()
    since = server.log_size()
    client = server.client()
    errors = [client.call(zk.get_data("/n%03d" % number)).err for number in range(100)]
    bad = [number for number, err in enumerate(errors) if err != 0]
    assert 0 < len(bad) < 20 and all(errors[number] == SYSTEM_ERROR for number in bad)
    for _ in range(5):
        replies = client.call_all([zk.get_data("/n%03d" % bad[0]) for _ in range(200)])
        assert all(reply.err == SYSTEM_ERROR for reply in replies)
    assert server.metric("tree_read_errors") >= 1000
    assert client.call(zk.create("/later")).err == 0
    lines = re.findall(r"level=error event=store.read_failed .*tree.db.*", server.log()[since:])
    assert 1 <= len(lines) < 200
    assert client.call(zk.get_data("/n000")).err == 0
    server.finish()


def test_disk_that_does_not_read(make_server, tmp_path):
    """An I/O error of a read is the client's error, whoever asks and as often as he does."""
    disk = slowdisk.SlowDisk(tmp_path)
    # Nothing stays in memory.
    server = make_server(environment=disk.environment(), zoolite__cacheSize=0, zoolite__treeCacheSize=262144, **SOON)
    server.start()
    client = server.client(timeout=600000)
    names = ["/n%03d" % number for number in range(900)]
    assert all(reply.err == 0 for reply in client.call_all([zk.create(name, b"x" * 1000) for name in names]))
    assert client.call(zk.create("/quota")).err == 0
    stop_replayed(server)
    server.start()
    client = server.client(timeout=600000)
    with disk.hangs("fail-read"):
        errors = [reply.err for reply in client.call_all([zk.get_data(name) for name in names])]
        errors += [reply.err for reply in client.call_all([zk.get_children(name) for name in names[:20]])]
        assert set(errors) <= {0, SYSTEM_ERROR} and SYSTEM_ERROR in errors
        # What does not need the disk's answer goes on.
        assert server.metric("tree_read_errors") > 0
    assert all(reply.err == 0 for reply in client.call_all([zk.get_data(name) for name in names]))
    assert client.call(zk.create("/after")).err == 0
    server.finish()


# ---- copies ----

def copy_of(server, make_server, name="copy"):
    copy = make_server(name, **{key: server.config[key] for key in server.config if key.startswith("zoolite.")})
    shutil.copytree(server.data_dir, copy.data_dir, ignore=not_copied)
    return copy


def test_copy_of_a_running_directory_is_refused(make_server):
    server = make_server(**SOON)
    fill(server.start())
    copy = copy_of(server, make_server)
    assert_refused(copy, "is a copy")
    # Who knows that its server was dead says so.
    server.kill()
    dead = copy_of(server, make_server, "dead")
    assert_refused(dead, "is a copy", "remove")
    os.unlink(os.path.join(dead.data_dir, "state"))
    assert_filled(dead.start())
    dead.finish()


def test_copy_of_a_stopped_directory_serves(make_server):
    server = make_server(**LATE)
    fill(server.start())
    assert server.stop() == 0
    copy = copy_of(server, make_server)
    assert_filled(copy.start())
    copy.finish()


# ---- a disk that failed ----

@pytest.mark.parametrize("word", ["fail-sync", "fail-write"])
def test_start_after_a_disk_error_writes_all_again(make_server, tmp_path, word):
    disk = slowdisk.SlowDisk(tmp_path)
    server = make_server(environment=disk.environment(), **LATE)
    fill(server.start())
    with disk.hangs(word):
        with pytest.raises((zk.Closed, ConnectionError)):
            server.client(timeout=600000).call(zk.create("/unsure"))
        assert server.wait_exit() == -signal.SIGABRT
    assert any(os.path.getsize(name) > 0 for name in files_of(server, "-wal"))
    since = server.log_size()
    server.start()
    line = server.wait_log(r"event=store.settled .*", since)
    assert "held_up=0" in line.group(0)
    assert_filled(server)
    # Once is enough.
    server.kill()
    since = server.log_size()
    server.start()
    assert not re.search(r"event=store.settled ", server.log()[since:])
    server.finish()


# ---- what is salvaged ----

def recover(server, new, *log_dir):
    """--recover into a new directory; writes nothing to the old one. What it said."""
    before = contents(server.data_dir)
    done = subprocess.run([server.binary, "--recover", server.data_dir, *log_dir, str(new)], capture_output=True,
                          text=True, timeout=120, env=server.environment(), check=False)
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    assert contents(server.data_dir) == before
    return done


def recovered(make_server, server, name="new"):
    """A server on what was salvaged, and what was said."""
    new = make_server(name, **SOON)
    done = recover(server, new.data_dir)
    assert done.returncode == 0, done.stderr
    assert not os.path.exists(os.path.join(new.data_dir, "salvage.tmp"))
    return new.start(), done.stdout


def lost_of(said):
    found = re.search(r"damaged: (\d+) places; lost: (\d+) znodes and changes; made up: (\d+) znodes", said)
    return tuple(int(number) for number in found.groups())


def znodes_of(server, top="/"):
    """path -> (data, mzxid, version, owner, cversion), of all but what is ZooKeeper's."""
    client, found, open_ends = server.client(), {}, [top]
    while open_ends:
        path = open_ends.pop()
        reply = client.call(zk.get_data(path))
        assert reply.err == 0, path
        stat = reply.value.stat
        found[path] = (reply.value.data, stat.mzxid, stat.version, stat.ephemeral_owner, stat.cversion, stat.num_children)
        open_ends += [path.rstrip("/") + "/" + name for name in client.call(zk.get_children(path)).value[0]
                      if path + name != "/zookeeper"]
    return found


def growth():
    """Directories, data of all sizes, sequences, versions, an ephemeral one: each request, its znode and the data that
    it has then, None where it is gone."""
    for number in range(12):
        top = "/d%02d" % number
        yield zk.create(top, b""), top, b""
        for child in range(25):
            path, data = "%s/c%02d" % (top, child), bytes([child]) * (child * 150)
            yield zk.create(path, data), path, data
        for child in range(25, 28):
            yield zk.create(top + "/s-", b"s", flags=zk.SEQUENTIAL), "%s/s-%010d" % (top, child), b"s"
        for child in range(5):
            path = "%s/c%02d" % (top, child)
            yield zk.set_data(path, b"new"), path, b"new"
        yield zk.delete(top + "/c24"), top + "/c24", None
    yield zk.create("/d00/gone", b"", flags=zk.EPHEMERAL), "/d00/gone", b""


def grow(server):
    client = server.client(timeout=600000)
    assert all(reply.err == 0 for reply in client.call_all([request for request, _, _ in growth()]))
    return client


def test_recover_of_what_is_whole(make_server):
    server = make_server(**LATE)
    grow(server.start())
    before = znodes_of(server)
    server.kill()
    new, said = recovered(make_server, server)
    assert lost_of(said) == (0, 0, 0), said
    after = znodes_of(new)
    assert set(before) - set(after) == {"/d00/gone"} and not set(after) - set(before)
    for path, was in before.items():
        if path not in ("/d00/gone", "/d00"):
            assert after[path] == was, path
    # Counters go on where they were, zxids above all that was.
    client = new.client()
    assert client.call(zk.create("/d01/s-", b"", flags=zk.SEQUENTIAL)).value.path == "/d01/s-0000000028"
    assert client.call(zk.get_data("/d01")).zxid >> 32 >= (max(was[1] for was in before.values()) >> 32) + 1024
    new.finish()


def test_recover_takes_what_the_tree_lost_from_the_log(make_server):
    server = make_server(**SOON)
    grow(server.start())
    before = znodes_of(server)
    stop_replayed(server)
    size, pages = page_of_table(tree_of(server), "znode")
    for page in pages[2::5]:
        spoil(tree_of(server), size, page)
    new, said = recovered(make_server, server)
    damaged, lost, made = lost_of(said)
    assert damaged > 0 and lost == 0 and made == 0, said
    assert int(re.search(r"of these (\d+) that the tree had lost", said).group(1)) > 10
    after = znodes_of(new)
    for path, was in before.items():
        if path not in ("/d00/gone", "/d00"):
            assert after[path] == was, path
    new.finish()


def test_recover_without_the_log_lists_what_is_lost(make_server):
    server = make_server(**SOON)
    grow(server.start())
    before = znodes_of(server)
    stop_replayed(server)
    size, pages = page_of_table(tree_of(server), "znode")
    for page in pages[2::5]:
        spoil(tree_of(server), size, page)
    shutil.rmtree(os.path.join(server.data_dir, "log"))
    new, said = recovered(make_server, server)
    lost = set(re.findall(r"^(/\S+): is lost$", said, re.MULTILINE))
    made = re.findall(r"^(/\S*): is lost, an empty one is made( that lets nobody in)?$", said, re.MULTILINE)
    assert lost_of(said)[1:] == (len(lost), len(made)) and lost
    client = new.client()
    for path, was in before.items():
        reply = client.call(zk.get_data(path))
        if path in lost or path == "/d00/gone":
            assert reply.err == NO_NODE, path
        elif path in dict(made):
            assert reply.err == (NO_AUTH if dict(made)[path] else 0), path
        elif path not in ("/", "/d00"):
            assert (reply.value.data, reply.value.stat.mzxid, reply.value.stat.version) == was[:3], path
    new.finish()


def spoil_wal(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


@pytest.mark.parametrize("how", ["no tree", "no header", "half a tree", "no -wal", "-wal header", "-wal frame",
                                 "foreign"])
def test_recover_of_each_damage(make_server, how):
    server = make_server(**(LATE if "-wal" in how else SOON))
    grow(server.start())
    before = znodes_of(server)
    if "-wal" in how:
        server.kill()
        if how == "no -wal":
            os.unlink(live_wal(server))
        else:
            spoil_wal(live_wal(server), 18 if how == "-wal header" else 40 * (4096 + 24) + 32 + 4000)
    else:
        assert server.stop() == 0
    path = tree_of(server)
    if how == "no tree":
        os.unlink(path)
    elif how == "no header":
        with open(path, "r+b") as file:
            file.write(b"\x55" * 20)
    elif how == "half a tree":
        os.truncate(path, os.path.getsize(path) // 2)
    elif how == "foreign":
        with open(path, "wb") as file:
            file.write(b"hello, world\n" * 1000)
    if how == "no -wal":
        # Nothing was anywhere else.
        done = recover(server, os.path.join(server.directory, "new"))
        assert done.returncode == 1 and "nothing of a registry can be read" in done.stderr, done.stdout + done.stderr
        return
    if how != "-wal frame":
        assert_refused(server, COMMAND)
    new, said = recovered(make_server, server)
    assert lost_of(said)[0] > 0, said
    after = znodes_of(new)
    assert set(after) == set(before) - {"/d00/gone"}
    others = [name for name, was in before.items() if name not in ("/d00/gone", "/d00") and after[name] != was]
    # What stands in the very bits, nobody knows.
    assert len(others) <= (how == "-wal frame"), others
    new.finish()


def test_recover_writes_where_nobody_leads_it(make_server, tmp_path):
    """Its working directory has a name that anybody knows who may write there."""
    server = stopped(make_server)
    new, elsewhere = tmp_path / "new", tmp_path / "elsewhere"
    new.mkdir()
    elsewhere.mkdir()
    (elsewhere / "copy.db").write_text("theirs")
    (new / "salvage.tmp").symlink_to(elsewhere)
    done = recover(server, new)
    assert done.returncode == 1 and "salvage.tmp: is in the way" in done.stderr
    assert (elsewhere / "copy.db").read_text() == "theirs" and not (new / "tree.db").exists()
    (new / "salvage.tmp").unlink()
    # What a recovery left that was killed is in nobody's way.
    (new / "salvage.tmp").mkdir()
    (new / "salvage.tmp" / "copy.db").write_text("ours")
    assert recover(server, new).returncode == 0 and not (new / "salvage.tmp").exists()


def test_recover_refuses(make_server, tmp_path):
    server = make_server(**SOON)
    fill(server.start())
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 20, "replay")
    assert "a server uses this directory" in recover(server, tmp_path / "new").stderr
    stop_replayed(server)
    assert "is the damaged directory" in recover(server, server.data_dir).stderr
    other = stopped(make_server, "other")
    assert "there is a registry already" in recover(server, other.data_dir).stderr
    done = subprocess.run([server.binary, "--recover", str(tmp_path / "nowhere"), str(tmp_path / "new")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "nowhere: cannot be read" in done.stderr


# ---- flips ----

SEED = int(os.environ.get("ZOOLITE_DAMAGE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
FLIPS = 150 if os.environ.get("ZOOLITE_LONG") else 14


def flip(rng, path):
    """Some bits of a file, near each other or far from it."""
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        for _ in range(rng.choice((1, 1, 3, 20))):
            at = rng.randrange(size) if rng.random() < 0.7 else rng.randrange(min(size, 4096))
            file.seek(at)
            byte = file.read(1)[0] ^ (1 << rng.randrange(8))
            file.seek(at)
            file.write(bytes([byte]))


class Written:
    """What was written before the damage: all of it as a client saw it, and what stood there after each change."""

    def __init__(self, found):
        self.found = found
        self.states = [{}]
        for _, path, data in growth():
            state = dict(self.states[-1])
            if data is None:
                del state[path]
            else:
                state[path] = data, state[path][1] + 1 if path in state else 0
            self.states.append(state)
        self.states.append(dict(self.states[-1], **{"/late": (b"", 0)}))
        # The paths of each state are known, and the last is what was found.
        assert self._plain(found) == self.states[-1]
        self.paths = sorted(set().union(*self.states))

    @staticmethod
    def _plain(found):
        return {path: (was[0], was[2]) for path, was in found.items() if path != "/"}

    def read(self, client):
        """path -> what znodes_of tells of it, or the error; and of directories the names of their children."""
        znodes, lists = {}, {}
        for path, reply in zip(self.paths, client.call_all([zk.get_data(path) for path in self.paths])):
            znodes[path] = reply.err
            if reply.err == 0:
                stat = reply.value.stat
                znodes[path] = (reply.value.data, stat.mzxid, stat.version, stat.ephemeral_owner, stat.cversion,
                                stat.num_children)
        parents = ["/"] + [path for path in self.paths if path.count("/") == 1]
        for path, reply in zip(parents, client.call_all([zk.get_children(path) for path in parents])):
            lists[path] = set(reply.value[0]) - {"zookeeper"} if reply.err == 0 else reply.err
        return znodes, lists

    @staticmethod
    def _children(state, path):
        prefix = path.rstrip("/") + "/"
        return {name[len(prefix):] for name in state if name.startswith(prefix) and "/" not in name[len(prefix):]}

    def _differs(self, znodes, lists, state):
        """The first answer that is no error of the disk and not what that state says."""
        for path, got in znodes.items():
            wanted = state.get(path, NO_NODE)
            if got != SYSTEM_ERROR and (got if isinstance(got, int) else (got[0], got[2])) != wanted:
                return path, got, wanted
        for path, got in lists.items():
            wanted = self._children(state, path) if path == "/" or path in state else NO_NODE
            if got not in (SYSTEM_ERROR, wanted):
                return path, got, wanted
        return None

    def check_served(self, client, may_be_earlier):
        """It shows all as it was, or errors; where the end of the log was hit, as it was at one moment."""
        try:
            znodes, lists = self.read(client)
        except (zk.Closed, OSError):
            return  # It ended, of its store.
        if may_be_earlier:
            assert any(self._differs(znodes, lists, state) is None for state in reversed(self.states)), \
                self._differs(znodes, lists, self.states[-1])
            return
        assert self._differs(znodes, lists, self.states[-1]) is None, self._differs(znodes, lists, self.states[-1])
        for path, got in znodes.items():
            assert got in (SYSTEM_ERROR, self.found.get(path, NO_NODE)), (path, got, self.found.get(path))

    def check_recovered(self, client, said):
        """What is not as it was is told: by its name, or as changes that cannot be read."""
        damaged, lost, made = lost_of(said)
        # The bits of a -wal have no checksum of their own: each place that is told may be a znode's data.
        mended = sum(map(int, re.findall(r"-wal: (\d+) places are damaged", said)))
        told = set(re.findall(r"^(/\S*): (?:is lost|its ACL is lost)", said, re.MULTILINE))
        znodes, _ = self.read(client)
        for path, got in znodes.items():
            was = self.found.get(path, NO_NODE)
            if path == "/d00/gone":
                assert got == NO_NODE
            elif path == "/d00" and not isinstance(got, int):
                assert (got[0], got[2]) == (was[0], was[2])
            elif got != was and path not in told:
                assert damaged + lost + made > 0, (path, got, was)
                earlier = {state.get(path, NO_NODE) for state in self.states}
                if (got if isinstance(got, int) else (got[0], got[2])) not in earlier:
                    mended -= 1
                    assert mended >= 0, (path, got, was)


def use(server, names):
    """Whatever it answers, it answers, and takes writes or dies of its store."""
    try:
        client = server.client(timeout=600000)
        client.call_all([zk.set_data(name, b"after") for name in names[:50]])
        client.call_all([zk.create(name + "/after") for name in names[:50]])
        client.call(zk.sync("/"))
    except (zk.Closed, OSError):
        pass


def end_of(server):
    """How it ended, once it has been asked to."""
    try:
        server.process.send_signal(signal.SIGTERM)
        return server.wait_exit()
    except ProcessLookupError:
        return server.wait_exit()


def test_flipped_bits_never_lie(make_server, tmp_path):
    """Every start refuses with a line, or serves what was written, and errors, and ends as it should; --recover makes a
    directory that starts, and tells of all that it lacks."""
    print("ZOOLITE_DAMAGE_SEED=%d" % SEED)
    server = make_server(**LATE)
    client = grow(server.start())
    assert client.call(zk.create("/late")).err == 0
    written = Written(znodes_of(server))
    names = sorted(written.found)
    server.kill()
    whole = str(tmp_path / "whole")
    shutil.copytree(server.data_dir, whole, ignore=not_copied)
    os.unlink(os.path.join(whole, "state"))
    second = make_server("second", **SOON)
    shutil.copytree(whole, second.data_dir)
    second.start()
    stop_replayed(second)
    refused = 0
    for number in range(FLIPS):
        rng = random.Random("%d %d" % (SEED, number))
        trial = make_server("trial%d" % number, **SOON)
        # What most of it stands in, more often than the others.
        in_tree = rng.random() < 0.4
        shutil.copytree(second.data_dir if in_tree else rng.choice((whole, second.data_dir)), trial.data_dir,
                        ignore=not_copied)
        files = [os.path.join(place, name) for place, _, found in os.walk(trial.data_dir) for name in found
                 if os.path.getsize(os.path.join(place, name)) > 0]
        hit = tree_of(trial) if in_tree else rng.choice(sorted(files))
        flip(rng, hit)
        print("trial %d: %s" % (number, os.path.relpath(hit, trial.data_dir)))
        done = recover(trial, tmp_path / ("new%d" % number))
        # The very first bytes of the -wal that holds everything may be hit.
        assert done.returncode == 0 or "nothing of a registry can be read" in done.stderr, (number, done.stderr)
        trial.start(wait=False)
        try:
            trial.wait_ready()
        except (AssertionError, zk.Closed):
            status = trial.wait_exit()
            assert status in (1, -signal.SIGABRT), (number, trial.log()[-4000:])
            assert re.search(r"level=error event=\S+ ", trial.log()), number
            refused += 1
        else:
            # After a loss of power that is how the end of a log looks that was never synced.
            written.check_served(trial.client(timeout=600000), hit.endswith(".db-wal") and "/log/" in hit)
            use(trial, names)
            status = end_of(trial)
            assert status in (0, -signal.SIGABRT), (number, status, trial.log()[-4000:])
            if status != 0:
                assert re.search(r"level=error event=store\.", trial.log()), (number, trial.log()[-4000:])
        assert not re.search(r"Sanitizer|runtime error:|Assertion", trial.log()), (number, trial.log()[-6000:])
        if done.returncode != 0:
            remove(trial.directory)
            continue
        again = make_server("again%d" % number, **SOON)
        os.rename(tmp_path / ("new%d" % number), again.data_dir)
        again.start()
        client = again.client()
        assert client.call(zk.get_data("/")).err in (0, NO_AUTH)
        written.check_recovered(client, done.stdout)
        again.finish()
        remove(trial.directory, again.directory)
    print("%d of %d were refused" % (refused, FLIPS))


def remove(*directories):
    for directory in directories:
        shutil.rmtree(directory)
