"""Snapshots: taken while it runs, verified, kept, restored, tried."""
import fcntl
import glob
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

import servers
import slowdisk
import zk_wire as zk

DEADLINE_S = 30
DAMAGED = "UPDATE meta SET value = value + 1 WHERE key = 'znodes'"


def zoolited(*arguments):
    return subprocess.run([servers.find_zoolited(), *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          check=False)


def values(text):
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def ask(server):
    """A snapshot by the control socket: its file."""
    done = zoolited("--control", "snapshot", server.config_path)
    assert done.returncode == 0 and done.stdout.startswith("ok\n"), done.stdout + done.stderr
    return values(done.stdout)["snapshot"]


def snapshots(server):
    return sorted(glob.glob(os.path.join(server.data_dir, "snapshots", "tree-*.db")))


def names(server):
    try:
        return sorted(os.listdir(os.path.join(server.data_dir, "snapshots")))
    except FileNotFoundError:
        return []


EDIT = """import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute(sys.argv[2])
os._exit(0)
"""


def edit(path, sql):
    """By a process that ends without a word, so that what it wrote stays in the -wal: pages of the database itself may
    have checksums that it does not know of."""
    subprocess.run([sys.executable, "-c", EDIT, str(path), sql], check=True)


def reseal(path, key, value):
    """As if that had been found when it was verified."""
    with open(path + ".verified", encoding="ascii") as file:
        text = file.read()
    changed = re.sub(r"(?m)^%s=.*$" % key, "%s=%s" % (key, value), text)
    assert changed != text
    with open(path + ".verified", "w", encoding="ascii") as file:
        file.write(changed)


def query(path, sql):
    database = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def fill(client, below, count, size=10):
    client.call(zk.create(below))
    client.call_all([zk.create("%s/n%04d" % (below, index), b"x" * size) for index in range(count)])


def verify(path):
    done = zoolited("--verify", path)
    assert not done.stderr
    return done


def wait_log(server, text, count=1):
    servers.wait_until(lambda: server.log().count(text) >= count, DEADLINE_S, text)


def test_on_request(make_server):
    """What was answered before it was asked for is in it; it is marked, and one file for everybody."""
    server = make_server(admin__enableServer="true", admin__serverPort=servers.free_ports(1)[0], admin__snapshot__enabled="true")
    with server.client() as client:
        fill(client, "/a", 50)
        zxid = client.call(zk.create("/a/e", b"e", flags=zk.EPHEMERAL)).zxid
        path = ask(server)
        assert path == os.path.join(server.data_dir, "snapshots", "tree-%016x.db" % zxid)
        assert names(server) == [os.path.basename(path), os.path.basename(path) + ".verified"]
        assert query(path, "SELECT count(*), sum(owner > 0) FROM znode WHERE parent = '/a'") == [(51, 1)]
        with open(path + ".verified", encoding="ascii") as file:
            mark = values(file.read())
        assert int(mark["zxid"], 16) == zxid and mark["sessions"] == "1" and mark["ephemerals"] == "1"
        found = verify(path)
        assert found.returncode == 0 and found.stdout.startswith("good: " + path)
        assert values(found.stdout)["digest"] == mark["digest"]
        # Nothing has changed since: the same one again.
        assert ask(server) == path
        for how in ("SIGUSR1", "http"):
            zxid = client.call(zk.set_data("/a", how.encode())).zxid
            if how == "http":
                assert json.load(http(server, "snapshot"))["last_zxid"] == "%x" % zxid
            else:
                server.process.send_signal(signal.SIGUSR1)
            servers.wait_until(lambda: snapshots(server)[-1].endswith("-%016x.db" % zxid), DEADLINE_S, how)
            assert query(snapshots(server)[-1], "SELECT data FROM znode WHERE name = 'a'") == [(how.encode(),)]
        servers.wait_until(lambda: json.load(http(server, "last_snapshot"))["zxid"] == "%x" % zxid, DEADLINE_S, "word")
        assert server.metric("snapshots_kept") == server.metric("snapshots_written") == 3
        assert server.metric("snapshot_step_max") > 0 and server.metric("snapshot_age") < 60000
        assert server.metric("snapshot_failing") == server.metric("snapshots_failed") == 0
        client.close_session()
    trail = zoolited("--export-audit", server.config_path).stdout
    assert '"op":"snapshot"' in trail and '"op":"http snapshot"' in trail and '"address":"SIGUSR1"' in trail


def http(server, command):
    return urllib.request.urlopen("http://127.0.0.1:%s/commands/%s" % (server.config["admin.serverPort"], command),
                                  timeout=DEADLINE_S)


POLICY = """role reader anyone
role boss network:%s
allow reader read /
allow boss all /
"""


@pytest.mark.parametrize("config, policy, status", [
    ({}, None, 403), ({"admin__serverAddress": "0.0.0.0"}, None, 403),
    ({"admin__snapshot__enabled": "true", "admin__serverAddress": "0.0.0.0"}, None, 403),
    ({"admin__snapshot__enabled": "true"}, "192.0.2.0/24", 403),
    ({"admin__snapshot__enabled": "true"}, "127.0.0.0/8", 200)])
def test_over_http_by_administrators(make_server, tmp_path, config, policy, status):
    if policy:
        (tmp_path / "policy").write_text(POLICY % policy)
        config = dict(config, zoolite__policyFile=tmp_path / "policy")
    server = make_server(admin__enableServer="true", admin__serverPort=servers.free_ports(1)[0], **config)
    try:
        answered = http(server, "snapshot").status
    except urllib.error.HTTPError as error:
        answered = error.code
    assert answered == status
    if status == 200:
        servers.wait_until(lambda: snapshots(server), DEADLINE_S, "the snapshot")
    else:
        assert not names(server)


def test_on_schedule_and_kept_by_number(make_server):
    server = make_server(zoolite__snapshotInterval=100, autopurge__snapRetainCount=1)
    with server.client() as client:
        client.call(zk.create("/a"))
        last = 0
        for _ in range(5):
            last = client.call(zk.set_data("/a", b"x")).zxid
            servers.wait_until(lambda: any("%016x" % last in path for path in snapshots(server)), DEADLINE_S,
                               "the next one")
        # ZooKeeper's least number.
        servers.wait_until(lambda: len(snapshots(server)) == 3, DEADLINE_S, "older ones to go")
        assert server.metric("snapshots_removed") >= 2
        assert len(names(server)) == 6, "the marks go with them"
        written = server.metric("snapshots_written")
        # Nothing changes, so none is taken; a read is no change.
        client.call(zk.get_data("/a"))
        client.abandon()
    assert server.metric("snapshots_written") == written


def test_kept_by_age(make_server):
    server = make_server(zoolite__snapshotAge="1d", autopurge__purgeInterval=0)
    with server.client() as client:
        client.call(zk.create("/a"))
        paths = [ask(server)]
        for _ in range(4):
            client.call(zk.set_data("/a", b"x"))
            paths.append(ask(server))
        assert snapshots(server) == paths, "they are all young"
        reseal(paths[0], "time", 1000)
        client.call(zk.set_data("/a", b"x"))
        paths.append(ask(server))
        assert snapshots(server) == paths[1:]
        client.close_session()


def test_the_one_just_taken_stays(make_server):
    """Whatever else lies there: another registry's may have higher zxids."""
    server = make_server()
    with server.client() as client:
        client.call(zk.create("/a"))
        path = ask(server)
        mine = "%016x" % int(values(zoolited("--verify", path).stdout)["zxid"], 16)
        for number in range(1, 4):
            other = path.replace(mine, "%016x" % (int(mine, 16) + (number << 40)))
            shutil.copy(path, other)
            shutil.copy(path + ".verified", other + ".verified")
            reseal(other, "zxid", "0x%x" % (int(mine, 16) + (number << 40)))
            reseal(other, "time", number)
        client.call(zk.set_data("/a", b"x"))
        assert os.path.exists(ask(server))
        assert not os.path.exists(path)
        client.close_session()


def test_damaged_tree_gives_no_snapshot(make_server):
    """What is not whole is never named like what is; everybody who waits hears of it, and so does the log."""
    server = make_server()
    server.stop()
    edit(os.path.join(server.data_dir, "tree.db"), DAMAGED)
    server.start()
    done = zoolited("--control", "snapshot", server.config_path)
    assert done.returncode == 1 and "meta counts 5 persistent znodes, and there are 4" in done.stdout
    assert [name.split(".")[1] for name in names(server)] == ["bad"]
    assert "level=error event=snapshot.bad" in server.log()
    assert server.metric("snapshots_failed") == server.metric("snapshot_failing") == 1
    assert server.metric("snapshots_written") == server.metric("snapshots_kept") == 0
    found = verify(server.config_path)
    assert found.returncode == 1 and found.stdout.startswith("bad: ")
    server.stop()
    edit(os.path.join(server.data_dir, "tree.db"), DAMAGED.replace("+", "-"))
    server.start()
    ask(server)
    assert server.metric("snapshot_failing") == 0 and server.metric("snapshots_kept") == 1


def test_verify_finds_what_was_altered(make_server):
    server = make_server()
    with server.client() as client:
        fill(client, "/a", 20)
        client.close_session()
    path = ask(server)
    reseal(path, "digest", "ab" * 32)
    found = verify(path)
    assert found.returncode == 1 and "was altered" in found.stdout
    for arguments in (("--drill", path), ("--restore", path, server.directory + "/other")):
        done = zoolited(*arguments)
        assert done.returncode == 1 and "was altered" in done.stdout
    assert not os.path.exists(server.directory + "/other")
    os.remove(path + ".verified")
    assert verify(path).returncode == 0
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) - 4096)
    assert verify(path).returncode == 1
    assert zoolited("--verify", server.directory + "/nowhere").returncode == 2


def test_verify_reads_the_log(make_server):
    server = make_server(zoolite__segmentSize=65536)
    with server.client() as client:
        for below in ("/a", "/b", "/c"):
            fill(client, below, 150, 500)
        client.close_session()
    running = verify(server.config_path)
    assert running.returncode == 0, running.stdout
    server.stop()
    files = sorted(os.listdir(os.path.join(server.data_dir, "log")))
    found = verify(server.config_path)
    assert found.returncode == 0 and int(values(found.stdout)["segments"]) >= 2, found.stdout
    assert int(values(found.stdout)["changes"]) >= 450
    assert sorted(os.listdir(os.path.join(server.data_dir, "log"))) == files, "it writes nothing"
    segment = os.path.join(server.data_dir, "log", [name for name in files if name.endswith(".db")][0])
    edit(segment, "DELETE FROM change WHERE zxid = (SELECT min(zxid) + 3 FROM change)")
    found = verify(server.config_path)
    assert found.returncode == 1 and "and the one before it is" in found.stdout


def slow(server):
    """A snapshot of it takes long: a page every second."""
    server.config.update({"zoolite.snapshotStep": 1, "zoolite.snapshotRate": 4096})
    return server


def begin_slow(server):
    server.process.send_signal(signal.SIGUSR1)
    servers.wait_until(lambda: "snapshot.part" in names(server), DEADLINE_S, "it to begin")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_cut_short(make_server, end):
    """Nothing is left of one that was cut short but a part, and that the next start removes."""
    server = slow(make_server.new()).start()
    with server.client() as client:
        fill(client, "/a", 20)
        begin_slow(server)
        client.call(zk.set_data("/a", b"while it is copied"))
        client.close_session()
    getattr(server, end)()
    assert not snapshots(server) and (end == "stop" or "snapshot.part" in names(server))
    server.start()
    assert not names(server)
    with server.client() as client:
        assert client.call(zk.get_data("/a")).value.data == b"while it is copied"
        client.close_session()
    server.stop()
    server.config["zoolite.snapshotRate"] = 0
    server.start()
    assert verify(ask(server)).returncode == 0


def test_many_ask_and_one_goes(make_server):
    """All get the one that has what they have seen; who went away is missed by nobody."""
    server = make_server(zoolite__snapshotStep=1, zoolite__snapshotRate="32k")
    command = [servers.find_zoolited(), "--control", "snapshot", server.config_path]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    servers.wait_until(lambda: server.log().count("event=snapshot.asked") == 3, DEADLINE_S, "them to ask")
    asking[0].kill()
    with server.client() as client:
        zxid = client.call(zk.create("/later")).zxid
        later = ask(server)
        assert int(later[-19:-3], 16) >= zxid
        client.close_session()
    answers = [process.communicate(timeout=DEADLINE_S)[0] for process in asking]
    assert answers[1] == answers[2] and answers[1].startswith("ok\nsnapshot=")
    # The one under way takes in what is changed meanwhile.
    assert server.metric("snapshots_written") in (1, 2)


def test_that_takes_too_long_is_given_up(make_server):
    server = slow(make_server.new(zoolite__snapshotTimeout=300)).start()
    done = zoolited("--control", "snapshot", server.config_path)
    assert done.returncode == 1 and "error: " in done.stdout
    assert "zoolite.snapshotTimeout" in done.stdout
    assert not names(server) and "event=snapshot.failed" in server.log()


def test_without_room_there_is_none(make_server):
    server = make_server(zoolite__snapshotSpare="1023g")
    done = zoolited("--control", "snapshot", server.config_path)
    assert done.returncode == 1 and "zoolite.snapshotSpare" in done.stdout
    assert not names(server) and server.metric("snapshots_failed") == 1


def test_place_that_is_taken(make_server):
    server = make_server.new()
    elsewhere = os.path.join(server.directory, "elsewhere")
    server.config["zoolite.snapshotDir"] = elsewhere
    server.start()
    os.makedirs(os.path.join(elsewhere, "snapshot.part"))
    done = zoolited("--control", "snapshot", server.config_path)
    assert done.returncode == 1 and "snapshot.part" in done.stdout
    os.rmdir(os.path.join(elsewhere, "snapshot.part"))
    assert os.path.dirname(ask(server)) == elsewhere


def verifier(server):
    """The process that verifies for it, once it has stepped back behind everything else; None: there is none."""
    for path in glob.glob("/proc/%d/task/*/children" % server.process.pid):
        try:
            with open(path, encoding="ascii") as file:
                pids = file.read().split()
            for pid in pids:
                with open("/proc/%s/stat" % pid, encoding="ascii") as file:
                    if file.read().rsplit(") ", 1)[1].split()[16] == "19":
                        return int(pid)
        except OSError:
            pass
    return None


def verify_and(server, signum):
    """A snapshot whose verifier gets this signal; what who asked was told."""
    for _ in range(20):
        asking = subprocess.Popen([servers.find_zoolited(), "--control", "snapshot", server.config_path],
                                  stdout=subprocess.PIPE, text=True)
        while asking.poll() is None:
            pid = verifier(server)
            if pid:
                os.kill(pid, signum)
                break
        answer = asking.communicate(timeout=DEADLINE_S)[0]
        if asking.returncode != 0:
            return answer
        with server.client() as client:
            client.close_session()
    raise AssertionError("the verifier was too fast, time and again")


@pytest.mark.parametrize("word, reason", [("fail-read", "disk I/O error"), ("full", "full")])
def test_verifier_whose_disk_fails(make_server, tmp_path, word, reason):
    """It could not look at it, and so it has found no damage: nothing is called bad, and the next one is looked at."""
    disk = slowdisk.SlowDisk(tmp_path)
    server = slow(make_server.new(zoolite__snapshotInterval=0))
    server.config["zoolite.snapshotRate"] = 16384
    server.extra_environment = disk.environment()
    server.start()
    begin_slow(server)
    with disk.hangs(word):
        wait_log(server, "event=snapshot.failed")
    assert reason in server.log().split("event=snapshot.failed")[1].splitlines()[0]
    assert "snapshot.bad" not in server.log() and not names(server)
    assert server.metric("snapshot_failing") == 1
    assert verify(ask(server)).returncode == 0
    assert server.metric("snapshot_failing") == 0


@pytest.mark.parametrize("signum, word", [(signal.SIGKILL, "ended with signal 9"),
                                          (signal.SIGSTOP, "zoolite.snapshotTimeout")], ids=["dies", "hangs"])
def test_verifier_that(make_server, signum, word):
    """Nobody has said that it is good, so it is none; the server goes on, and so do its snapshots."""
    server = make_server(zoolite__snapshotTimeout=2000)
    with server.client() as client:
        fill(client, "/a", 2000)
        answer = verify_and(server, signum)
        assert answer.startswith("error: ") and word in answer
        assert "snapshot.part" not in names(server) and server.metric("snapshot_failing") == 1
        client.close_session()
    assert verify(ask(server)).returncode == 0


def test_verifier_of_a_dead_server(make_server, tmp_path):
    """It leaves everything as it is: a start may be making another one there."""
    server = make_server()
    server.stop()
    part = shutil.copy(os.path.join(server.data_dir, "tree.db"), tmp_path / "snapshot.part")
    before = part.read_bytes()
    end, out = os.pipe()
    os.close(end)
    process = subprocess.Popen([servers.find_zoolited(), "--verify-part", part], stdout=out)
    os.close(out)
    assert process.wait(DEADLINE_S) == 3
    assert part.read_bytes() == before
    found = zoolited("--verify-part", part)
    assert found.returncode == 0 and part.read_bytes() != before, "with somebody who listens it is settled"


def test_under_writes(make_server):
    """Each is one state of the tree, however much is written meanwhile."""
    server = make_server(zoolite__snapshotStep=1, zoolite__snapshotRate="400k", zoolite__replayDelay=0)
    stop = threading.Event()
    with server.client() as client, server.client() as writer:
        fill(client, "/a", 300, 400)

        def write():
            step = 0
            while not stop.is_set():
                step += 1
                # Both or neither, in every state.
                writer.call(zk.multi([zk.set_data("/a/n0000", b"%d" % step), zk.set_data("/a/n0299", b"%d" % step)]))

        thread = threading.Thread(target=write)
        thread.start()
        try:
            paths = [ask(server) for _ in range(2)]
        finally:
            stop.set()
            thread.join()
        client.close_session()
        writer.close_session()
    assert len(set(paths)) == 2
    for path in paths:
        pair = query(path, "SELECT data FROM znode WHERE name IN ('n0000', 'n0299')")
        assert pair[0] == pair[1] and pair[0][0].isdigit()
        assert verify(path).returncode == 0


def restored(server, path, target="zoo.cfg"):
    done = zoolited("--restore", path, server.config_path if target == "zoo.cfg" else target)
    assert done.returncode == 0, done.stdout + done.stderr
    return values(done.stdout)


@pytest.mark.parametrize("apart", [False, True], ids=["one directory", "dataLogDir"])
def test_restore(make_server, tmp_path, apart):
    """Persistent znodes are as they were; sessions and ephemerals are gone; no zxid, session id or sequence number
    comes back; the old files are still there."""
    config = {"dataLogDir": tmp_path / "logs"} if apart else {}
    server = make_server(**config)
    client = server.client()
    fill(client, "/a", 10)
    client.call(zk.create("/a/e", b"e", flags=zk.EPHEMERAL))
    client.call(zk.create("/a/s-", flags=zk.SEQUENTIAL))
    before = client.call(zk.exists("/a")).value
    path = ask(server)
    second = server.client()
    newest = second.call(zk.create("/late")).zxid
    done = zoolited("--restore", path, server.config_path)
    assert done.returncode == 1 and "another server uses this directory" in done.stderr
    ids = {client.session_id, second.session_id}
    client.abandon()
    second.abandon()
    server.stop()
    kept = shutil.copy(path, tmp_path / "kept.db")
    report = restored(server, path)
    assert report["sessions_dropped"] == report["ephemerals_dropped"] == "1"
    assert int(report["zxid"], 16) >> 32 >= (newest >> 32) + 1024
    old = report["old_files"]
    assert os.path.exists(old + "/tree.db")
    segments = glob.glob((report["old_log"] if apart else old) + "/log/*.db")
    assert sum(query(path, "SELECT count(*) FROM change WHERE path = '/late'")[0][0] for path in segments) == 1
    assert verify(server.config_path).returncode == 0
    server.start()
    with zk.Client(server.link()) as again:
        # It is known no more.
        again.connect(session_id=client.session_id, password=client.password)
        assert again.session_id == 0
    with server.client() as client:
        assert client.session_id not in ids
        after = client.call(zk.exists("/a")).value
        assert after.num_children == before.num_children - 1 and after.cversion == before.cversion + 1
        assert after.pzxid == int(report["zxid"], 16) and after.mzxid == before.mzxid
        assert client.call(zk.exists("/late")).err == -101 and client.call(zk.exists("/a/e")).err == -101
        created = client.call(zk.create("/a/s-", flags=zk.SEQUENTIAL))
        assert created.value.path.endswith("%010d" % 12) and created.zxid > newest + (1024 << 32)
        client.close_session()
    assert verify(server.config_path).returncode == 0
    assert verify(kept).returncode == 0, "a snapshot that is moved is one still"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_restore_by_root_is_for_who_owns_the_directory(make_server, tmp_path):
    server = make_server()
    path = ask(server)
    other = tmp_path / "other"
    other.mkdir()
    os.chown(other, 65534, 65534)
    for _ in range(2):
        restored(server, path, other)
        for folder, _, files in os.walk(other):
            for name in [folder, *(os.path.join(folder, name) for name in files)]:
                assert os.stat(name).st_uid == 65534 or "/replaced-" in name, name
    assert len(glob.glob(str(other / "replaced-*"))) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_restore_by_root_gives_nobody_elses_files_away(make_server, tmp_path):
    server = make_server()
    path = ask(server)
    other, logs = tmp_path / "other", tmp_path / "logs"
    for folder in (other, logs):
        folder.mkdir()
        os.chown(folder, 65534, 65534)
        (folder / "foreign").write_text("root's")
    done = zoolited("--restore", path, other, logs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {os.stat(folder / "foreign").st_uid for folder in (other, logs)} == {0}
    assert {os.stat(file).st_uid for file in (other / "tree.db", *(logs / "log").iterdir())} == {65534}


def test_restore_counts_quotas(make_server):
    """Statistics of a quota count ephemerals, which go."""
    server = make_server()
    with server.client() as client:
        for path in ("/q", "/q/deep", "/zookeeper/quota/q"):
            client.call(zk.create(path))
        client.call(zk.create("/zookeeper/quota/q/zookeeper_limits", b"count=100,bytes=1000"))
        client.call(zk.create("/zookeeper/quota/q/zookeeper_stats", b"count=0,bytes=0"))
        client.call(zk.create("/q/deep/p", b"12345"))
        client.call(zk.create("/q/deep/e", b"1234567", flags=zk.EPHEMERAL))
        stats = client.call(zk.get_data("/zookeeper/quota/q/zookeeper_stats")).value.data
        assert stats == b"count=4,bytes=12"
        path = ask(server)
        client.abandon()
    server.stop()
    drill = zoolited("--drill", path)
    assert drill.returncode == 0, drill.stdout
    restored(server, path)
    server.start()
    with server.client() as client:
        assert client.call(zk.get_data("/zookeeper/quota/q/zookeeper_stats")).value.data == b"count=3,bytes=5"
        client.close_session()


def test_restore_that_was_cut_short(make_server, tmp_path):
    """A start does not take half of it; the same command again does it."""
    server = make_server()
    with server.client() as client:
        fill(client, "/a", 5)
        client.close_session()
    path = ask(server)
    server.stop()
    # As after a kill between the old files' going and the new ones' coming.
    os.mkdir(tmp_path / "aside")
    shutil.move(os.path.join(server.data_dir, "tree.db"), tmp_path / "aside")
    shutil.move(os.path.join(server.data_dir, "log"), tmp_path / "aside")
    with open(os.path.join(server.data_dir, "restoring"), "w", encoding="ascii") as file:
        file.write("1000000\n")
    server.start(wait=False)
    assert server.wait_exit() == 1 and "a restore was cut short" in server.log()
    assert int(restored(server, path)["epoch"]) == 1000000 + 1024
    server.start()
    with server.client() as client:
        assert client.call(zk.get_data("/a/n0003")).value.data == b"x" * 10
        client.close_session()


def test_drill(make_server):
    server = make_server()
    nothing = zoolited("--drill", server.config_path)
    assert nothing.returncode == 1 and "there is no snapshot" in nothing.stderr
    with server.client() as client:
        fill(client, "/a", 100)
        client.call(zk.create("/a/e", b"e", flags=zk.EPHEMERAL))
        path = ask(server)
        client.close_session()
    # The server runs on.
    done = zoolited("--drill", server.config_path)
    report = values(done.stdout)
    assert done.returncode == 0 and done.stdout.endswith("drill: passed\n"), done.stdout + done.stderr
    assert report["snapshot"] == path and report["ephemerals_dropped"] == "1" and report["znodes"] == "105"
    assert len(names(server)) == 2, "nothing of it stays"
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM znode WHERE name = 'n0001'")
    database.close()
    os.remove(path + ".verified")
    done = zoolited("--drill", path)
    assert done.returncode == 1 and done.stdout.endswith("drill: failed\n")
    assert names(server) == [os.path.basename(path)]


def test_drill_without_room(make_server, tmp_path):
    server = make_server()
    path = ask(server)
    server.stop()
    disk = slowdisk.SlowDisk(tmp_path)
    folder, size = os.path.dirname(path), os.path.getsize(path)
    for spare, file in ((64 << 20, path), (128 << 20, server.config_path)):
        for left, status in ((2 * size + spare - 4096, 1), (2 * size + spare + 65536, 0)):
            disk.set_budget(left + sum(os.stat(os.path.join(folder, name)).st_blocks * 512 for name in names(server)))
            done = subprocess.run([servers.find_zoolited(), "--drill", file], capture_output=True, text=True, timeout=120,
                                  check=False, env=dict(os.environ, **disk.environment(room=folder)))
            assert done.returncode == status, done.stdout + done.stderr
            assert ("bytes are free, and a drill wants" in done.stdout) == (status == 1)
            assert done.stdout.endswith("drill: failed\n" if status else "drill: passed\n")
            assert len(names(server)) == 2, "nothing of it stays"


def test_drill_that_was_killed(make_server, tmp_path):
    """What it left goes with the next one, or with a start; what is used, or is none, stays."""
    server = make_server()
    path = ask(server)
    folder = os.path.dirname(path)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("")

    def leave():
        os.makedirs(folder + "/.zoolite-drill-aB3xyz/log")
        for name in ("tree.db", "log/0000000001.db"):
            with open(folder + "/.zoolite-drill-aB3xyz/" + name, "w", encoding="ascii"):
                pass
        os.symlink(tmp_path / "precious", folder + "/.zoolite-drill-aB3xyz/elsewhere")

    os.symlink(tmp_path / "precious", folder + "/.zoolite-drill-link00")
    os.mkdir(folder + "/drill-script")
    os.mkdir(folder + "/.zoolite-drill-inuse0")
    used = os.open(folder + "/.zoolite-drill-inuse0", os.O_RDONLY)
    fcntl.flock(used, fcntl.LOCK_EX)
    stays = {".zoolite-drill-link00", "drill-script", ".zoolite-drill-inuse0"}
    leave()
    done = zoolited("--drill", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name for name in names(server) if "drill-" in name} == stays
    leave()
    server.restart()
    assert {name for name in names(server) if "drill-" in name} == stays
    os.close(used)
    assert zoolited("--drill", path).returncode == 0
    assert {name for name in names(server) if "drill-" in name} == stays - {".zoolite-drill-inuse0"}
    assert (tmp_path / "precious" / "file").exists()
