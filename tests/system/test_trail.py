"""What reaches the audit trail from outside: every way to be refused, with its reason; every command that acts; every
reload; every part of a multi; every kind of read."""
import http.client
import os
import socket
import struct

import pytest

import certs
import servers
import zk_wire as zk
from trail import rows, run, start_policed, trail_config, wait_row

POLICY = "role all anyone\nallow all read /free\n"


@pytest.fixture(name="make_trailed")
def fixture_make_trailed(make_server, tmp_path):
    def make(policy=None, **config):
        return start_policed(make_server.new(**trail_config(tmp_path, **config)), tmp_path, policy)
    return make


def ask_http(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", int(server.config["admin.serverPort"]), timeout=20)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def refusals(server):
    """op and reason of all that was refused, with how often."""
    found = {}
    for row in rows(server):
        if row["kind"] == "refuse":
            key = (row["op"], row["result"])
            found[key] = found.get(key, 0) + row["count"]
    return found


def test_words_and_http_that_are_refused(make_trailed):
    """Each with who asked and why, counted as other refusals are."""
    monitor, admin = servers.free_ports(2)
    server = make_trailed(POLICY, zoolite__monitorPort=monitor, admin__enableServer="true", admin__serverPort=admin,
                          **{"4lw.commands.whitelist": "ruok,cons,dump,srvr"})
    for _ in range(3):
        assert b"policy" in server.four_letter_word("cons", tls=False, port=monitor)
    assert b"whitelist" in server.four_letter_word("wchc", tls=False, port=monitor)
    assert server.four_letter_word("ruok", tls=False, port=monitor) == b"imok"
    assert server.four_letter_word("quux", tls=False, port=monitor) == b""
    for path, status in (("/commands/dump", 403), ("/commands/srst", 403), ("/commands/snapshot", 403),
                         ("/commands/ruok", 200), ("/elsewhere", 404)):
        assert ask_http(server, path) == status
    assert ask_http(server, "/commands/ruok", "POST") == 405
    assert ask_http(server, "/commands/ruok", Host="evil.example") == 421
    row = wait_row(server, kind="refuse", op="cons", result="no right by the policy: read all")
    assert row["address"].startswith("127.0.0.1:") and row["count"] == 1 and "who" not in row
    server.stop()
    assert refusals(server) == {
        ("cons", "no right by the policy: read all"): 3, ("wchc", "not in the whitelist"): 1,
        ("connection", "not a four-letter word at the monitor's port"): 1,
        ("http dump", "no right by the policy: read all"): 1, ("http stat_reset", "not executed over HTTP"): 1,
        ("http snapshot", "not executed over HTTP"): 1, ("http", "404 Not Found"): 1,
        ("http", "405 Method Not Allowed"): 1, ("http", "421 Misdirected Request"): 1}


def broken(server, data, established=True):
    """A connection that sends this and is cut for it."""
    client = server.client() if established else zk.Client(server.link())
    client.link.send(data)
    client.link.wait_closed(15)
    return client


def test_what_ends_a_connection(make_trailed, authority):
    server = make_trailed(zoolite__maxWatches=2, zoolite__firstRequestTimeout="1s", jute__maxbuffer=4096)
    silent = server.link()
    session = broken(server, struct.pack(">i", 0)).session_id
    broken(server, struct.pack(">i", -5))
    broken(server, struct.pack(">i", 5000))
    broken(server, struct.pack(">i", 2000), established=False)
    broken(server, zk.frame(b"\0\0\0"))
    broken(server, zk.frame(struct.pack(">ii", 1, zk.AUTH) + b"\0"))
    broken(server, zk.frame(b"\0" * 20), established=False)
    broken(server, zk.frame(struct.pack(">ii", 1, 4711)))
    client = server.client()
    client.submit_all([zk.add_watch("/%d" % i, zk.PERSISTENT) for i in range(3)])
    client.link.wait_closed(15)
    silent.wait_closed(15)
    first = wait_row(server, kind="refuse", result="frame of length 0")
    assert first["session"] == "0x%x" % session and first["op"] == "connection"
    assert "x509:" + authority.identity("client") in first["who"] and first["address"].startswith("127.0.0.1:")
    server.stop()
    assert refusals(server) == {("connection", reason): 1 for reason in (
        "frame of length 0", "frame of negative length -5", "frame of 5000 bytes, at most 4096 are allowed",
        "frame of 2000 bytes, at most 1024 are allowed before the session", "request header cut short",
        "malformed auth packet", "malformed connect request", "unknown type of request", "too many watches",
        "no session was asked for in time")}


def test_who_takes_nothing(make_trailed):
    server = make_trailed(zoolite__maxUnsent="64k", zoolite__unsentTimeout="1s")
    client = server.client()
    assert client.call(zk.create("/big", b"x" * 500000)).err == 0
    slow = server.client()
    slow.submit_all([zk.get_data("/big")] * 40)
    wait_row(server, kind="refuse", op="connection", result="the peer does not take its replies",
             session="0x%x" % slow.session_id)
    assert server.metric("connections_unread") == 1


def test_limits_that_are_answered(make_trailed):
    server = make_trailed(zoolite__maxEphemerals=1, enforceQuota="true", zoolite__maxConnectionsPerIdentity=1)
    client = server.client()
    assert [client.call(zk.create(path, flags=zk.EPHEMERAL)).err for path in ("/e1", "/e2")] == [0, -125]
    assert client.call(zk.create("/q")).err == 0
    for path, data in (("/zookeeper/quota/q", b""), ("/zookeeper/quota/q/zookeeper_limits", b"count=-1,countHardLimit=1"),
                       ("/zookeeper/quota/q/zookeeper_stats", b"count=1,bytes=0")):
        assert client.call(zk.create(path, data)).err == 0
    assert client.call(zk.create("/q/x")).err == -125
    assert client.call(zk.create("/" + "x" * 17000)).err == -8
    with pytest.raises(zk.Closed):
        server.client()
    wait_row(server, kind="refuse", op="create", path="/e2", result="too many ephemeral znodes of a session")
    wait_row(server, kind="refuse", op="create", path="/q/x", result="quota exceeded")
    wait_row(server, kind="refuse", op="create", result="the path is too long")
    wait_row(server, kind="refuse", op="connect", result="too many connections of its identity")


def test_commands_that_act(make_trailed):
    """Words, and the control socket's, refused ones too."""
    server = make_trailed(**{"4lw.commands.whitelist": "srst,crst,stmk,gtmk,ruok"})
    for _ in range(2):
        assert server.four_letter_word("srst").startswith(b"Server stats reset")
    assert server.four_letter_word("crst")
    assert server.four_letter_word(b"stmk" + struct.pack(">q", 0x112)) == b"274"
    assert server.four_letter_word("ruok") == b"imok"
    client = server.client()
    session = "0x%x" % client.session_id
    uid = ["uid:%d" % os.getuid()]
    assert run(server, "--kick", session).returncode == 0
    assert run(server, "--kick", "127.0.0.7").returncode == 0
    assert run(server, "--kick", session).returncode != 0
    for command in ("set_trace_mask 5", "connection_stat_reset", "shed_connections 100"):
        assert run(server, "--control", *command.split()).returncode == 0, command
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.path.join(server.data_dir, "control.sock"))
        link.sendall(b"forge everything\n")
        assert link.recv(4096).startswith(b"error")
    assert wait_row(server, kind="control", op="kick", detail=session)["who"] == uid
    assert wait_row(server, kind="control", op="kick", result="there is no such session")["detail"] == session
    wait_row(server, kind="control", op="kick", detail="127.0.0.7", who=uid)
    wait_row(server, kind="change", op="closeSession", session=session)
    wait_row(server, kind="refuse", op="connection", result="kicked by an administrator")
    for op in ("set_trace_mask", "connection_stat_reset", "shed_connections"):
        wait_row(server, kind="control", op=op, who=uid)
    assert wait_row(server, kind="refuse", op="control")["who"] == uid
    assert run(server, "--control", "stop").returncode == 0
    server.process.wait(20)
    found = rows(server)
    words = [row["op"] for row in found if row["kind"] == "control" and "127.0.0.1" in row["address"]]
    # The second of two equal ones comes with the rest of its minute.
    assert words == ["srst", "crst", "stmk 0x112", "srst"]
    wait_row(server, kind="control", op="stop", who=uid)
    assert found[-1]["kind"] == "stop"


def test_reloads(make_trailed, tmp_path):
    """What brought each about, and why it was refused."""
    (tmp_path / "deny").write_text("192.0.2.0/24\n")
    server = make_trailed(POLICY, zoolite__reloadInterval="1s", zoolite__denyList=str(tmp_path / "deny"))
    server.hangup()
    wait_row(server, kind="reload", op="SIGHUP", result=None)
    assert run(server, "--control", "reload").returncode == 0
    wait_row(server, kind="reload", op="control", result=None)
    (tmp_path / "policy").write_text("allow nobody at all\n")
    assert "policy:1" in wait_row(server, kind="reload", op="file")["result"]
    server.hangup()
    assert "policy:1" in servers.wait_until(lambda: [row["result"] for row in rows(server) if row["kind"] == "reload" and
                                                     row["op"] == "SIGHUP" and "result" in row], 10, "the refusal")[0]
    (tmp_path / "policy").write_text(POLICY)
    wait_row(server, kind="reload", op="file", result=None)
    (tmp_path / "deny").write_text("everybody\n")
    assert servers.wait_until(lambda: [row for row in rows(server) if row["kind"] == "reload" and
                                       "zoolite.denyList" in row.get("result", "")], 10, "the list's refusal")
    for value in ("many", "7"):
        since = server.log_size()
        server.config["zoolite.maxWatches"] = value
        server.write_config()
        server.hangup()
        server.wait_log(r"event=reload\.(refused|waits).*zoolite\.maxWatches", since)
    assert [row for row in rows(server) if row["kind"] == "reload" and "maxWatches must be" in row.get("result", "")]


def test_every_step_of_a_multi(make_trailed):
    """What it made and took away again, what it took away and made anew, and each of several writes."""
    server = make_trailed()
    client = server.client()
    for path in ("/a", "/again"):
        assert client.call(zk.create(path)).err == 0
    assert client.call(zk.set_data("/again", b"1")).err == 0
    steps = [zk.check("/a"), zk.create("/passing"), zk.set_data("/passing", b"x"), zk.delete("/passing"), zk.set_data("/a"),
             zk.set_data("/a"), zk.delete("/again"), zk.create2("/again"), zk.create("/s-", flags=zk.SEQUENTIAL)]
    assert client.call(zk.multi(steps)).err == 0
    client.call(zk.multi([zk.create("/undone"), zk.check("/absent")]))
    client.call(zk.multi([zk.check("/a")]))
    found = [row for row in rows(server) if row.get("op") == "multi"]
    told = [(step["op"], step["path"], step.get("old"), step.get("new")) for step in found[0]["detail"]]
    assert told == [("create", "/passing", None, 0), ("setData", "/passing", 0, 1), ("delete", "/passing", 1, None),
                    ("setData", "/a", 0, 1), ("setData", "/a", 1, 2), ("delete", "/again", 1, None),
                    ("create", "/again", None, 0), ("create", "/s-0000000004", None, 0)]
    assert ["detail" in row for row in found] == [True, False]


READS = {
    "exists": zk.exists("/read/x"), "getData": zk.get_data("/read/x"), "getChildren": zk.get_children("/read/x"),
    "getChildren2": zk.get_children2("/read/x"), "getACL": zk.get_acl("/read/x"), "getEphemerals": zk.get_ephemerals("/"),
    "getAllChildrenNumber": zk.get_all_children_number("/read/x"),
    "multiRead": zk.multi_read([zk.get_data("/other"), zk.get_children("/read/x")]),
    "multi": zk.multi([zk.check("/read/x")]), "setWatches": zk.set_watches(0, exist=["/other", "/read/x"]),
    "setWatches2": zk.set_watches2(0, recursive=["/read/x", "/"]), "addWatch": zk.add_watch("/read/x", zk.PERSISTENT),
}
OTHERS = [zk.sync("/read/x"), zk.get_data("/other"), zk.get_data("/readable"), zk.get_children("/"), zk.exists("/read/absent"),
          zk.add_watch("/", zk.PERSISTENT), zk.set_data("/read/x"), zk.check_watches("/read/x", zk.WATCHES_ANY), zk.ping()]


def test_every_kind_of_read(make_trailed):
    """Of what is below a prefix that is configured, and of nothing else; a watch that goes on reading there, too."""
    server = make_trailed(zoolite__auditReads="/read,/empty")
    client = server.client()
    for path in ("/read", "/other", "/readable"):
        assert client.call(zk.create(path)).err == 0
    assert client.call(zk.create("/read/x", flags=zk.EPHEMERAL)).err == 0
    for request in list(READS.values()) + OTHERS[:-1]:
        client.call(request)
    client.ping()
    assert client.call(zk.add_watch("/", zk.PERSISTENT_RECURSIVE)).err == 0
    server.stop()
    found = [row for row in rows(server) if row["kind"] == "read"]
    assert {row["session"] for row in found} == {"0x%x" % client.session_id}
    assert sorted((row["op"], row["path"]) for row in found) == sorted(
        [(op, "/read/x") for op in READS] + [("addWatch", "/"), ("setWatches2", "/")])


def test_a_long_count_is_one_read(make_trailed, authority):
    server = make_trailed(POLICY + "allow all read /many only\nallow all read /many/7\n", zoolite__auditReads="/many",
                          X509AuthenticationProvider__superUser=authority.identity("client"))
    boss, client = server.client(), server.client("second")
    assert boss.call(zk.create("/many")).err == 0
    for _ in range(50):
        assert boss.call(zk.multi([zk.create("/many/7-", flags=zk.SEQUENTIAL) for _ in range(100)])).err == 0
    assert boss.call(zk.create("/many/7")).err == 0
    assert client.call(zk.get_all_children_number("/many")).value == 1
    server.stop()
    assert [(row["op"], row["count"]) for row in rows(server) if row["kind"] == "read"] == [("getAllChildrenNumber", 1)]


# What comes often enough from 127.0.0.9 for that.
GATE = {
    "denied network": ({"zoolite__denyList": "127.0.0.9"}, 1),
    "not an allowed network": ({"zoolite__allowList": "127.0.0.1"}, 1),
    "too many connections from address": ({"maxClientCnxns": 1}, 2),
    "too many connections": ({"maxCnxns": 2}, 3),
    "too many failed handshakes from address": ({"zoolite__maxFailures": 1}, 2),
    "too many handshakes a second from address": ({"zoolite__maxHandshakeRate": 1}, 9),
}


@pytest.mark.parametrize("reason", GATE)
def test_who_is_not_let_in(make_trailed, tmp_path, reason):
    """Before any handshake, with its address."""
    config, tries = GATE[reason]
    config = dict(config)
    for option in ("zoolite__denyList", "zoolite__allowList"):
        if option in config:
            (tmp_path / "networks").write_text(config[option] + "\n")
            config[option] = str(tmp_path / "networks")
    server = make_trailed(**config)
    links = []
    for _ in range(tries):
        if "failed" in reason:
            with pytest.raises((OSError, zk.Closed)), zk.Link(("127.0.0.1", server.tls_port), server.context(None), 10,
                                                              source=("127.0.0.9", 0)) as link:
                zk.Client(link).connect()
            # The peer is told a moment before it is counted.
            wait_row(server, kind="refuse", op="connect")
        else:
            links.append(socket.create_connection(("127.0.0.1", server.tls_port), 10, ("127.0.0.9", 0)))
    row = wait_row(server, kind="refuse", op="connect", result=reason)
    assert row["address"].startswith("127.0.0.9") and "session" not in row
    for link in links:
        link.close()


def test_why_sessions_were_ended(make_trailed, tmp_path):
    """By an administrator, and by a list: as told to those who were cut."""
    (tmp_path / "deny").write_text("")
    server = make_trailed(zoolite__denyList=str(tmp_path / "deny"))
    ids = {}
    for how in ("kick", "close_session", "deny"):
        client = zk.Client(zk.Link(("127.0.0.1", server.tls_port), server.context("client"), source=("127.0.0.9", 0)))
        client.connect()
        ids[how] = "0x%x" % client.session_id
        if how == "deny":
            (tmp_path / "deny").write_text("127.0.0.9\n")
            server.hangup()
        else:
            assert run(server, "--control", how, ids[how]).returncode == 0
    for how, why in (("kick", "kicked by an administrator"), ("close_session", "session closed at the control socket"),
                     ("deny", "denied network")):
        wait_row(server, kind="change", op="closeSession", session=ids[how], result=why)
