"""A data directory that is damaged: refused at the start with one line that names the damage and the command to run.

Nothing is served that lacks what was acknowledged, and nothing is written to what is refused.
"""
import contextlib
import os
import re
import shutil
import signal
import sqlite3
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import servers  # noqa: E402
import slowdisk  # noqa: E402
import zk_wire as zk  # noqa: E402

# Nothing is replayed before the server ends: the log alone has it.
LATE = {"zoolite.replayDelay": 60000}
SOON = {"zoolite.replayDelay": 1}
ZNODES = 40
SYSTEM_ERROR = -1


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
    return [name for name in names if name in ("lock", "control.sock") or name.endswith("-shm")]


def contents(directory):
    """Every file but the lock, the socket and what SQLite makes anew."""
    found = {}
    for place, _, names in os.walk(directory):
        for name in set(names) - set(not_copied(place, names)):
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


def stopped(make_server, name="server", **config):
    server = make_server(name, **dict(SOON, **config))
    fill(server.start())
    assert server.stop() == 0
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
    assert server.stop() == 0
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
