"""A data directory that is damaged: refused at the start with one line that names the damage and the command to run.

Nothing is served that lacks what was acknowledged, and nothing is written to what is refused.
"""
import os
import re
import shutil
import signal
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
