"""The audit trail: what stands in it, and that whatever is done to it is found and named."""
import glob
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import threading

import pytest

import servers
import zk_wire as zk
from trail import rows, run, trail_config, wait_row, wait_rows

NO_AUTH = -102
CONFIG = {"zoolite__auditReads": "/read, /also"}


def verify(server, *heads):
    return run(server, "--verify-audit", *heads)


def heads(server):
    return re.findall(r"event=audit\.head head=(\S+)", server.log())


def segments(server):
    return sorted(glob.glob(os.path.join(server.data_dir, "log", "*.db")))


# ---- what stands in it ----

def test_who_did_what_to_what_with_which_result(make_server, tmp_path):
    server = make_server(**trail_config(tmp_path, **CONFIG))
    client = server.client()
    assert client.auth("digest", b"bob:secret").err == 0
    assert client.call(zk.create("/a", b"1")).err == 0
    assert client.call(zk.set_data("/a", b"2")).err == 0
    assert client.call(zk.set_acl("/a", [zk.Acl(zk.PERM_ALL, "world", "anyone")])).err == 0
    assert client.call(zk.multi([zk.create("/b"), zk.set_data("/a", b"3"), zk.delete("/b")])).err == 0
    assert client.call(zk.delete("/a")).err == 0
    assert client.call(zk.create("/gone", flags=zk.EPHEMERAL)).err == 0
    client.close_session()
    session = "0x%x" % client.session_id
    found = [row for row in rows(server) if row.get("session") == session and row["kind"] == "change"]
    told = [(row["op"], row.get("path"), row.get("old_version"), row.get("version")) for row in found]
    assert told == [("createSession", None, None, None), ("create", "/a", None, 0), ("setData", "/a", 0, 1),
                    ("setACL", "/a", 0, 1), ("multi", "/b", None, None), ("delete", "/a", 2, None),
                    ("create", "/gone", None, 0), ("closeSession", None, None, None)]
    assert found[4]["detail"] == [{"op": "create", "path": "/b", "new": 0}, {"op": "setData", "path": "/a", "old": 1, "new": 2},
                                  {"op": "delete", "path": "/b", "old": 0}]
    assert found[7]["detail"] == [{"op": "delete", "path": "/gone", "old": 0}]
    for row in found[1:]:
        assert any(name.startswith("x509:") for name in row["who"]) and "digest:bob" in row["who"]
        assert row["address"].startswith("127.0.0.1:") and int(row["zxid"], 16) > 0
    assert "secret" not in json.dumps(rows(server))


def test_connections_sessions_refusals_reads_and_commands(make_server, tmp_path):
    server = make_server(**trail_config(tmp_path, minSessionTimeout=500, **CONFIG))
    client = server.client()
    closed = [zk.Acl(zk.PERM_ALL, "digest", "al:9TZnZUQ4kzVkVR4sDvTTcCCTSeU=")]
    assert client.call(zk.create("/closed", acl=closed)).err == 0
    for path in ("/read", "/read/x", "/readable"):
        assert client.call(zk.create(path)).err == 0
        assert client.call(zk.get_data(path)).err == 0
    for _ in range(7):
        assert client.call(zk.set_data("/closed")).err == NO_AUTH
    assert client.call(zk.get_data("/closed")).err == NO_AUTH
    other = zk.Client(server.link())
    other.connect(session_id=client.session_id, password=client.password)
    short = server.client(timeout=500)
    short.link.close()
    stranger = zk.Client(server.link())
    assert stranger.connect(session_id=client.session_id, password=b"x" * 16).timeout == 0
    with zk.Link(("127.0.0.1", server.tls_port)) as link:
        link.send(b"no TLS at all")
        link.wait_closed(15)
    assert run(server, "--control", "stat_reset").returncode == 0
    server.hangup()
    server.wait_log(r"event=reload\.done")

    wait_row(server, kind="start")
    assert any(name.startswith("CN=") or "CN=" in name for name in wait_row(server, kind="connect", op="secureClientPort")["who"])
    wait_row(server, kind="resume", session="0x%x" % client.session_id)
    wait_row(server, kind="change", op="closeSession", result="expired", session="0x%x" % short.session_id)
    assert wait_row(server, kind="refuse", op="setData", path="/closed")["result"] == "no permission by ACL"
    wait_row(server, kind="refuse", op="getData", path="/closed")
    wait_row(server, kind="refuse", op="resumeSession", result="wrong password or identity")
    wait_row(server, kind="refuse", op="connect", address=wait_row(server, kind="refuse", op="connect")["address"])
    wait_row(server, kind="control", op="stat_reset", who=["uid:%d" % os.getuid()])
    wait_row(server, kind="reload")
    reads = [row["path"] for row in rows(server) if row["kind"] == "read"]
    assert set(reads) == {"/read", "/read/x"}
    server.stop()
    found = rows(server)
    # Seven equal refusals are two rows, and none is lost.
    refused = [row for row in found if row.get("path") == "/closed" and row["op"] == "setData"]
    assert [row["count"] for row in refused] == [1, 6] and found[-1]["kind"] == "stop"
    assert verify(server, *heads(server)).returncode == 0


def test_what_the_policy_refused(make_server, tmp_path):
    """Also where the client is told nothing of what is there, and to have a multi refused."""
    server = make_server.new(**trail_config(tmp_path, zoolite__policyFile=str(tmp_path / "policy"), **CONFIG))
    (tmp_path / "policy").write_text("role all anyone\nallow all all /a\nallow all read /\n"
                                     "deny all read /secret\nallow all read /read\n")
    (tmp_path / "policy").chmod(0o644)
    server.start()
    client = server.client()
    assert client.call(zk.create("/a")).err == 0
    assert client.call(zk.create("/b")).err == NO_AUTH
    assert client.call(zk.exists("/secret/x")).err == NO_AUTH
    client.call(zk.multi([zk.set_data("/a"), zk.delete("/c")]))
    told = {(row["op"], row["path"], row["result"]) for row in rows(server) if row["kind"] == "refuse"}
    assert told == {("create", "/b", "no right by the policy: create"),
                    ("exists", "/secret/x", "no right by the policy: read"),
                    ("multi", "/c", "no right by the policy: delete")}


def test_a_flood_of_refusals_takes_few_rows(make_server, tmp_path):
    """Many different refusals of one address are counted; that of another is told all the same."""
    server = make_server(**trail_config(tmp_path, zoolite__maxAuditEvents=16))
    client = server.client()
    closed = [zk.Acl(zk.PERM_READ, "world", "anyone")]
    names = ["/n%d" % i for i in range(300)]
    assert {reply.err for reply in client.call_all([zk.create(name, acl=closed) for name in names])} == {0}
    assert {reply.err for reply in client.call_all([zk.set_data(name) for name in names])} == {NO_AUTH}
    elsewhere = socket.create_connection(("127.0.0.1", server.tls_port), source_address=("127.0.0.9", 0))
    elsewhere.sendall(b"no TLS at all")
    wait_rows(server, lambda row: row["kind"] == "refuse" and row["address"].startswith("127.0.0.9"), "the other one")
    elsewhere.close()
    server.stop()
    refused = [row for row in rows(server) if row["kind"] == "refuse" and "127.0.0.1" in row["address"]]
    assert sum(row["count"] for row in refused) == 300
    assert len(refused) <= 16
    assert verify(server).returncode == 0


def test_a_flood_hides_nobody(make_server, tmp_path):
    """Neither a crowd of strangers nor a client on the same host covers what another client tried."""
    server = make_server(**trail_config(tmp_path, zoolite__maxAuditEvents=16))
    loud, quiet = server.client(), server.client("second")
    closed = [zk.Acl(zk.PERM_READ, "world", "anyone")]
    names = ["/n%d" % i for i in range(60)]
    assert {reply.err for reply in loud.call_all([zk.create(name, acl=closed) for name in names])} == {0}
    for i in range(60):
        with socket.create_connection(("127.0.0.1", server.tls_port), source_address=("127.0.1.%d" % i, 0)) as stranger:
            stranger.sendall(b"no TLS at all")
    wait_rows(server, lambda row: row["kind"] == "refuse" and "address" not in row, "the crowd counted as one")
    assert {reply.err for reply in loud.call_all([zk.set_data(name) for name in names])} == {NO_AUTH}
    assert loud.call(zk.set_acl("/n0", closed)).err == NO_AUTH
    assert quiet.call(zk.set_data("/n0")).err == NO_AUTH
    server.stop()
    refused = [row for row in rows(server) if row["kind"] == "refuse"]
    of_loud = [row for row in refused if "CN=alice" in str(row.get("who"))]
    assert sum(row["count"] for row in of_loud) == 61
    assert [row["result"] for row in of_loud if row.get("op") == "setACL"] == ["no permission by ACL"]
    assert [row["path"] for row in refused if "CN=bob" in str(row.get("who"))] == ["/n0"]


def test_names_take_little_room(make_server, tmp_path):
    """Users name themselves, in each row: long names are cut, those of the certificate stay."""
    server = make_server(**trail_config(tmp_path))
    client = server.client()
    for i in range(13):
        assert client.auth("digest", b"%d" % i + b"\x01" * 4000 + b":secret").err == 0
    assert client.call(zk.create("/a", acl=[zk.Acl(zk.PERM_READ, "world", "anyone")])).err == 0
    assert client.call(zk.set_data("/a")).err == NO_AUTH
    server.stop()
    told = [row["who"] for row in rows(server) if row.get("path") == "/a"]
    assert len(told) == 2
    for who in told:
        assert isinstance(who, list) and who[0] == "x509:" + server.authority.identity("client")
        assert who[1].startswith("digest:0\x01") and who[-1] == "..." and len(json.dumps(who)) < 1100


def test_no_line_is_forged(make_server, tmp_path):
    """Whatever stands in names and in rows that somebody altered, each row is one line of printable ASCII."""
    server = make_server(**trail_config(tmp_path))
    client = server.client()
    evil = '/evil"}\\{"kind":"forged\u2028\u202e'
    assert client.call(zk.create(evil)).err == 0
    client.auth("digest", b'a"\n{"kind":"forged"}\n:x')
    assert client.call(zk.create("/b")).err == 0
    client.close_session()
    server.stop()
    text = run(server, "--export-audit").stdout
    assert all(0x20 <= ord(c) < 0x7f or c == "\n" for c in text)
    assert evil in [row.get("path") for row in rows(server)]
    assert not [row for row in rows(server) if row["kind"] == "forged"]
    with sqlite3.connect(segments(server)[0]) as database:
        database.execute("UPDATE change SET who = '[\n{\"kind\":\"forged\"}'")
    assert not [row for row in rows(server) if row["kind"] == "forged"]


# ---- what is done to it ----

@pytest.fixture(scope="module", name="original")
def fixture_original(tmp_path_factory, authority):
    """A server that stopped, its trail over several segments and two starts."""
    directory = tmp_path_factory.mktemp("trail")
    server = servers.Zoolite(directory / "server", authority, config={
        "zoolite.auditKey": str(directory / "audit.key"), "zoolite.segmentSize": "64k"})
    for _ in range(2):
        server.start()
        client = server.client()
        for i in range(60):
            assert client.call(zk.create("/n", b"x" * 4000, flags=zk.SEQUENTIAL)).err == 0
        client.close_session()
        server.stop()
    assert len(segments(server)) >= 4
    yield server
    server.close()


class Copy:
    """A copy of the data; the key stays where it was."""

    def __init__(self, original, directory):
        self.binary = original.binary
        self.data_dir = str(directory / "data")
        self.config_path = str(directory / "zoo.cfg")
        shutil.copytree(original.data_dir, self.data_dir)
        with open(original.config_path, encoding="utf-8") as file:
            text = file.read()
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text.replace("dataDir=%s\n" % original.data_dir, "dataDir=%s\n" % self.data_dir))

    def do(self, segment, *statements):
        """By sqlite3, as somebody would who may write there."""
        for statement in statements:
            subprocess.run(["sqlite3", segments(self)[segment], statement], check=True)


@pytest.fixture(name="copy")
def fixture_copy(original, tmp_path):
    return Copy(original, tmp_path)


def middle(copy, segment):
    """A change in the midst of a segment: number of its row, and zxid."""
    with sqlite3.connect(segments(copy)[segment]) as database:
        found = database.execute("SELECT number, zxid FROM change ORDER BY number").fetchall()
    return found[len(found) // 2]


def assert_broken(copy, number, *told):
    done = verify(copy, *told)
    assert done.returncode == 1, done.stdout
    assert re.match(r"broken: row %d\b" % number, done.stdout), done.stdout
    return done.stdout


def last_number(original):
    return int(heads(original)[-1].split(":")[0])


def test_untouched_is_good(original, copy):
    done = verify(copy, *heads(original))
    assert done.returncode == 0 and done.stdout.startswith("good: %d rows" % last_number(original)), done.stdout
    assert "head: " + heads(original)[-1] in done.stdout


@pytest.mark.parametrize("column, value", [
    ("path", "'/other'"), ("time", "time + 1"), ("session", "1"), ("identity", "'CN=other'"), ("address", "NULL"),
    ("op", "'delete'"), ("record", "zeroblob(length(record))"), ("prev", "prev - 1"), ("who", "NULL"),
    ("old_version", "7"), ("version", "7"), ("detail", "''"), ("result", "'x'"), ("number", "100000"),
    ("number", "1"), ("mac", "zeroblob(32)"), ("mac", "x''"), ("mac", "NULL")])
def test_an_altered_change_is_named(copy, column, value):
    number, zxid = middle(copy, 1)
    copy.do(1, "UPDATE change SET %s = %s WHERE zxid = %d" % (column, value, zxid))
    assert "in segment 2" in assert_broken(copy, number)


@pytest.mark.parametrize("column, value", [
    ("kind", "'x'"), ("time", "time + 1"), ("session", "7"), ("who", "'[]'"), ("address", "'::1'"), ("op", "'x'"),
    ("path", "'/other'"), ("result", "'x'"), ("count", "2"), ("detail", "'x'"), ("number", "100000"),
    ("mac", "zeroblob(32)")])
def test_an_altered_event_is_named(copy, column, value):
    """The stop of the first run."""
    number = next(row["number"] for row in rows(copy) if row["kind"] == "stop")
    for segment, path in enumerate(segments(copy)):
        with sqlite3.connect(path) as database:
            if database.execute("SELECT 1 FROM audit WHERE number = %d" % number).fetchone():
                break
    copy.do(segment, "UPDATE audit SET %s = %s WHERE number = %d" % (column, value, number))
    assert_broken(copy, number)


def test_removed_rows_are_named(original, copy):
    number, zxid = middle(copy, 1)
    event = next(row["number"] for row in rows(copy) if row["kind"] == "connect")
    copy.do(1, "DELETE FROM change WHERE zxid = %d" % zxid)
    assert "is missing" in assert_broken(copy, number)
    copy.do(0, "DELETE FROM audit WHERE number = %d" % event)
    assert "is missing" in assert_broken(copy, event)
    os.unlink(segments(copy)[0])
    copy.do(0, "DELETE FROM change")
    assert "is missing" in assert_broken(copy, number_before(copy, 0) + 1)


def test_removed_segments_are_named(original, copy):
    os.unlink(segments(copy)[1])
    assert "removed" in assert_broken(copy, 1 + number_before(copy, 0) + rows_in(copy, 0))
    os.unlink(segments(copy)[0])
    assert "no row says" in assert_broken(copy, number_before(copy, 0), heads(original)[-1])


def test_changes_that_changed_places_are_named(copy):
    """What two changes say, and their macs with it."""
    number, zxid = middle(copy, 1)
    columns = "prev, time, number, old_version, version, detail, mac, record".split(", ")
    copy.do(1, "CREATE TABLE two AS SELECT * FROM change WHERE zxid IN (%d, %d)" % (zxid, zxid + 1),
            *["UPDATE change SET %s = (SELECT %s FROM two WHERE two.zxid = %d - change.zxid) "
              "WHERE zxid IN (%d, %d)" % (column, column, 2 * zxid + 1, zxid, zxid + 1) for column in columns])
    assert_broken(copy, number)


def rows_in(copy, segment):
    """Of the trail, in a segment."""
    with sqlite3.connect(segments(copy)[segment]) as database:
        return database.execute("SELECT count(*) FROM trail").fetchone()[0]


def number_before(copy, segment):
    with sqlite3.connect(segments(copy)[segment]) as database:
        return database.execute("SELECT audit_number FROM segment").fetchone()[0]


def test_a_cut_tail_is_found(original, copy):
    """What changes had of it by itself, with them by the head that the server's log told."""
    last = segments(copy)[-1]
    number = last_number(original)
    copy.do(-1, "DELETE FROM audit WHERE number > %d" % (number - 4),
            "UPDATE change SET number = NULL WHERE number > %d" % (number - 4))
    assert "is not on the trail" in assert_broken(copy, number - 3)
    copy.do(-1, "DELETE FROM change WHERE number IS NULL")
    assert verify(copy).returncode == 0
    assert "cut off" in assert_broken(copy, number - 3, *heads(original))
    os.unlink(last)
    assert verify(copy).returncode == 0
    assert "cut off" in assert_broken(copy, max(row["number"] for row in rows(copy)) + 1, heads(original)[-1])


def test_put_in_changes_are_found(copy):
    _, zxid = middle(copy, 1)
    add = "INSERT INTO change SELECT zxid + 1000000, prev, time, session, identity, address, op, path, %s, who, " \
          "old_version, version, result, detail, mac, record FROM change WHERE zxid = %d"
    copy.do(1, add % ("NULL", zxid))
    done = verify(copy)
    assert done.returncode == 1 and "change 0x%x is not on the trail" % (zxid + 1000000) in done.stdout
    copy.do(1, "DELETE FROM change WHERE zxid > 1000000 + %d" % (zxid - 1), add % ("number", zxid))
    assert verify(copy).returncode == 1
    copy.do(1, "DELETE FROM change WHERE zxid > 1000000 + %d" % (zxid - 1), add % ("NULL", zxid),
            "UPDATE change SET zxid = 0 WHERE number IS NULL")
    assert "change 0x0 is not on the trail" in verify(copy).stdout


def test_a_segment_that_was_put_in_as_unaudited_is_found(copy):
    """What the next change says it follows stands in no such segment."""
    paths = segments(copy)
    for at in range(len(paths)):
        copy.do(at, "PRAGMA wal_checkpoint(TRUNCATE)")
    for path in reversed(paths[1:]):
        number = int(os.path.basename(path)[:-3]) + 1
        os.rename(path, os.path.join(os.path.dirname(path), "%010d.db" % number))
    shutil.copy(segments(copy)[1], paths[1])
    copy.do(1, "UPDATE segment SET audit_key = NULL", "DELETE FROM audit", "DELETE FROM change WHERE zxid > "
               "(SELECT min(zxid) FROM change)", "UPDATE change SET number = NULL, mac = NULL, path = '/forged'")
    number = number_before(copy, 2) + 1
    assert "does not follow the change before" in assert_broken(copy, number)
    # The same without changes says nothing and does no harm.
    copy.do(1, "DELETE FROM change")
    done = verify(copy)
    assert done.returncode == 0 and "1 segments were written with zoolite.audit=off" in done.stdout


@pytest.mark.parametrize("value", ["[a b]", '["a"', '["a" "b"]', '["a",]', "[01]", '["\\x"]', '{"a" 1}', "[1 2]", "]", ""])
def test_what_was_altered_is_exported_as_json_all_the_same(copy, value):
    number, zxid = middle(copy, 1)
    copy.do(1, "UPDATE change SET who = '%s' WHERE zxid = %d" % (value, zxid))
    assert next(row["who"] for row in rows(copy) if row["number"] == number) == value


def test_a_nul_behind_a_backslash_is_exported_as_json_all_the_same(copy):
    number, zxid = middle(copy, 1)
    copy.do(1, "UPDATE change SET who = '[\"\\' || char(0) || '\"]' WHERE zxid = %d" % zxid)
    assert next(row["who"] for row in rows(copy) if row["number"] == number) == '["\\\0"]'


def test_a_chain_without_the_key_is_no_chain(copy, tmp_path):
    """What is signed with another key, or with none that is secret, is told from what the server wrote."""
    copy.do(-1, "UPDATE segment SET audit_key = x'0102030405060708'")
    assert "not at hand" in assert_broken(copy, 1 + number_before(copy, -1))
    copy.do(-1, "UPDATE segment SET audit_key = x''")
    assert "no secret key" in assert_broken(copy, 1 + number_before(copy, -1))
    with open(copy.config_path, encoding="utf-8") as file:
        text = file.read()
    with open(copy.config_path, "w", encoding="utf-8") as file:
        file.write(re.sub("(?m)^zoolite.auditKey=.*$", "zoolite.auditKey=%s" % (tmp_path / "none"), text))
    done = verify(copy)
    assert done.returncode == 2 and done.stdout.startswith("unknown: "), done.stdout


def test_heads_that_are_none(original, copy):
    assert verify(copy, "12").returncode == 2
    number, mac = heads(original)[-1].split(":")
    assert_broken(copy, int(number), "%s:%s" % (number, mac[:-1] + ("0" if mac[-1] != "0" else "1")))


# ---- crashes, retention, keys ----

def test_no_change_without_its_row_after_kills(make_server, tmp_path):
    """Beside a writer the trail is whole at any moment, and so it is after each kill."""
    server = make_server(**trail_config(tmp_path, zoolite__segmentSize="64k", zoolite__replayDelay=0,
                                        zoolite__logRetention="256k"))
    told = 0
    for _ in range(4):
        client = server.client()
        done = threading.Event()

        def write(client=client, done=done):
            try:
                while not done.is_set():
                    client.call_all([zk.create("/n", b"x" * 1000, flags=zk.SEQUENTIAL)] * 20)
            except (OSError, zk.Closed):
                pass
        writer = threading.Thread(target=write)
        writer.start()
        begun = server.metric("changes_logged")
        servers.wait_until(lambda: server.metric("changes_logged") > begun + 400, 30, "changes")
        beside = verify(server)
        assert beside.returncode == 0, beside.stdout
        server.kill()
        done.set()
        writer.join()
        done = verify(server, *heads(server))
        assert done.returncode == 0, done.stdout
        numbers = [row["number"] for row in rows(server)]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)) and numbers[-1] > told
        told = numbers[-1]
        server.start()
    # Old segments went meanwhile, and the trail says so.
    servers.wait_until(lambda: server.metric("log_segments_pruned") > 0 or rows(server)[0]["number"] > 1, 10, "retention")
    assert [row for row in rows(server) if row["kind"] == "prune"]
    server.stop()
    assert verify(server, *heads(server)).returncode == 0
    # Without that word the same is a trail that was cut at its begin: of some segments no row says that they may go.
    server.config["zoolite.logRetention"] = "1g"
    server.start()
    client, before = server.client(), len(segments(server))
    servers.wait_until(lambda: client.call_all([zk.create("/n", b"x" * 1000, flags=zk.SEQUENTIAL)] * 20)
                       and len(segments(server)) > before + 1, 30, "more segments")
    server.stop()
    for path in segments(server)[:-1]:
        os.unlink(path)
    assert "no row says" in verify(server).stdout


def test_the_head_is_told_every_minute_and_at_the_end(make_server, tmp_path):
    server = make_server(**trail_config(tmp_path))
    server.client().close_session()
    server.stop()
    numbers = [int(head.split(":")[0]) for head in heads(server)]
    assert len(numbers) == 2 and numbers[-1] == rows(server)[-1]["number"]


def test_the_key_is_made_for_its_owner_and_kept_elsewhere(make_server, tmp_path):
    server = make_server(**trail_config(tmp_path))
    key = tmp_path / "audit.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(r"[0-9a-f]{64}\n", key.read_text())
    assert key.read_text().strip() not in server.log()
    server.stop()
    # A new one signs; the old one still checks what it signed.
    key.write_text("%s\n%s" % ("ab" * 32, key.read_text()))
    server.start()
    server.client().close_session()
    server.stop()
    assert verify(server, *heads(server)).returncode == 0
    key.chmod(0o660)
    server.start()
    server.wait_log(r'level=error event=audit\.unkeyed reason=".*its group may')
    server.stop()
    key.chmod(0o600)
    assert "no secret key" in verify(server).stdout
    server.config["zoolite.auditKey"] = os.path.join(server.data_dir, "key")
    server.write_config()
    done = run(server, "-t")
    assert done.returncode == 2 and "outside" in done.stderr
    # By a link it lies there, too.
    os.rename(key, os.path.join(server.data_dir, "key"))
    os.symlink(os.path.join(server.data_dir, "key"), key)
    server.config["zoolite.auditKey"] = str(key)
    server.write_config()
    done = run(server, "-t")
    assert done.returncode == 2 and "outside" in done.stderr


def test_closed_without_a_key(make_server, tmp_path):
    server = make_server.new(**trail_config(tmp_path, zoolite__auditFailClosed="true"))
    (tmp_path / "audit.key").write_text("short\n")
    (tmp_path / "audit.key").chmod(0o600)
    server.start(wait=False)
    assert server.wait_exit() != 0
    assert "zoolite.auditKey" in server.log()
    (tmp_path / "audit.key").unlink()
    server.config["zoolite.auditKey"] = str(tmp_path / "none" / "key")
    server.write_config()
    done = run(server, "-t")
    assert done.returncode == 2 and "none/key: cannot be made: No such file" in done.stderr
    server.config["zoolite.auditKey"] = str(tmp_path / "audit.key")
    server.start()
    del server.config["zoolite.auditKey"]
    server.write_config()
    done = run(server, "-t")
    assert done.returncode == 2 and "zoolite.auditFailClosed needs" in done.stderr


def test_switched_off_with_a_key(make_server, tmp_path):
    """What was signed before stays good; what was not recorded is told."""
    server = make_server(**trail_config(tmp_path))
    server.client().close_session()
    server.stop()
    server.config["zoolite.audit"] = "off"
    server.start()
    server.client().close_session()
    server.stop()
    done = verify(server, *heads(server))
    assert done.returncode == 0 and "note: 1 segments were written with zoolite.audit=off" in done.stdout, done.stdout


def test_without_a_key_and_switched_off(make_server):
    """Without one it is written all the same; switched off, nothing is, and it goes on later."""
    server = make_server()
    server.wait_log(r"level=warn event=audit\.unkeyed")
    server.stop()
    assert "no secret key" in verify(server, *heads(server)).stdout
    before = len(rows(server))
    server.config["zoolite.audit"] = "off"
    server.start()
    server.client().close_session()
    server.stop()
    assert len(rows(server)) == before and "audit=off" in verify(server).stdout
    server.config["zoolite.audit"] = "on"
    server.start()
    server.stop()
    found = verify(server, *heads(server))
    assert found.returncode == 0 and len(rows(server)) > before, found.stdout
