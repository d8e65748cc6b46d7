"""The admin server: ZooKeeper's commands that read, over HTTP, and what is refused there."""
import http.client
import json
import re
import signal
import socket
import time

import pytest

import servers
import zk_wire as zk

COMMANDS = ("configuration", "connections", "dirs", "dump", "environment", "get_trace_mask", "hash",
            "initial_configuration", "is_read_only", "last_snapshot", "leader", "monitor", "observers", "ruok",
            "server_stats", "stats", "system_properties", "voting_view", "watch_summary", "watches",
            "watches_by_path", "zabstate")
ALIASES = {"conf": "configuration", "config": "configuration", "cons": "connections", "env": "environment",
           "envi": "environment", "gtmk": "get_trace_mask", "icfg": "initial_configuration",
           "isro": "is_read_only", "lsnp": "last_snapshot", "lead": "leader", "mntr": "monitor",
           "obsr": "observers", "srvr": "server_stats", "stat": "stats", "sysp": "system_properties",
           "wchs": "watch_summary", "wchc": "watches", "wchp": "watches_by_path"}
ACTING = ("connection_stat_reset", "crst", "observer_connection_stat_reset", "orst", "restore", "rest",
          "set_trace_mask?traceMask=1", "stmk?traceMask=1", "snapshot", "snap", "stat_reset", "srst")


def admin_config(**more):
    port = servers.free_ports(1)[0]
    return port, dict({"admin.enableServer": "true", "admin.serverPort": port, "tickTime": 1000}, **more)


@pytest.fixture(name="watched", scope="module")
def fixture_watched(tmp_path_factory, authority):
    port, config = admin_config()
    server = servers.Zoolite(tmp_path_factory.mktemp("admin"), authority, config=config)
    server.admin = port
    try:
        yield server.start()
        server.finish()
    finally:
        server.close()


def fetch(port, path, method="GET", host="127.0.0.1", **headers):
    connection = http.client.HTTPConnection(host, port, timeout=15)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def unique(pairs):
    """json.loads takes the last of two members of one name: here it is an error."""
    members = dict(pairs)
    assert len(members) == len(pairs), pairs
    return members


def run(server, command, status=200):
    response, body = fetch(server.admin, "/commands/" + command)
    assert response.status == status, body
    assert response.getheader("Content-Type") == "application/json"
    return json.loads(body.decode("utf-8"), object_pairs_hook=unique)


def raw(port, data, timeout=15):
    """Everything that comes back on a bare connection."""
    with zk.Link(("127.0.0.1", port), timeout=timeout) as link:
        link.send(data)
        return link.read_to_end()


def status_of(answer):
    match = re.match(rb"HTTP/1\.1 (\d{3}) [^\r]+\r\n", answer)
    assert match, answer
    return int(match[1])


def test_list_of_commands(watched):
    for path in ("/commands", "/commands/"):
        response, body = fetch(watched.admin, path)
        assert response.status == 200
        assert response.getheader("Content-Type").startswith("text/html")
        assert re.findall(r'<a href="/commands/(\w+)">\1</a>', body.decode()) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command(watched, command):
    answer = run(watched, command)
    assert answer["command"] == command
    assert answer["error"] == (None if command != "leader" else "server is not initialized")


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases(watched, alias):
    assert run(watched, alias)["command"] == ALIASES[alias]


def test_nothing_acts(watched):
    run(watched, "ruok")
    before = run(watched, "monitor")["http_requests"]
    for command in ACTING:
        answer = run(watched, command, status=403)
        assert "not executed over HTTP" in answer["error"]
    assert run(watched, "get_trace_mask")["tracemask"] == 306
    assert run(watched, "monitor")["http_requests"] >= before


def test_unknown_command(watched):
    assert run(watched, "nope") == {"command": "nope", "error": "Unknown command: nope"}
    name = 'a"\\%0a%c3%a4%ff'
    answer = run(watched, name.replace('"', "%22").replace("\\", "%5c"))
    assert answer["command"] == 'a"\\\n\u00e4\ufffd'


def test_configuration(watched):
    answer = run(watched, "configuration")
    assert answer == {"client_port": watched.port, "data_dir": watched.data_dir, "data_log_dir": watched.data_dir,
                      "tick_time": 1000, "max_client_cnxns": 0, "min_session_timeout": 2000,
                      "max_session_timeout": 20000, "server_id": 0, "client_port_listen_backlog": -1,
                      "command": "configuration", "error": None}
    given = run(watched, "initial_configuration")["initial_configuration"].splitlines()
    assert "tickTime=1000" in given and "clientPort=%d" % watched.port in given
    properties = run(watched, "system_properties")
    assert properties["zookeeper.tickTime"] == "1000"
    assert properties["zookeeper.admin.serverAddress"] == "127.0.0.1"
    assert properties["zoolite.gateThreads"] == "2"


def test_connections(watched):
    with watched.client(tls=False, timeout=15000) as plain, watched.client(timeout=20000) as secure:
        plain.call(zk.create("/admin", flags=zk.EPHEMERAL))
        secure.call(zk.exists("/admin"))
        listed = run(watched, "connections")
        for client, kind, op in ((plain, "connections", "CREA"), (secure, "secure_connections", "EXIS")):
            address = "127.0.0.1:%d" % client.link.sock.getsockname()[1]
            found = [c for c in listed[kind] if c["remote_socket_address"] == address]
            assert len(found) == 1, listed
            assert list(found[0]) == ["remote_socket_address", "interest_ops", "outstanding_requests",
                                      "packets_received", "packets_sent", "session_id", "last_operation",
                                      "established", "session_timeout", "last_cxid", "last_zxid",
                                      "last_response_time", "last_latency", "min_latency", "avg_latency",
                                      "max_latency"]
            assert found[0]["session_id"] == client.session_id
            assert found[0]["session_timeout"] == client.timeout_ms
            assert found[0]["last_operation"] == op and found[0]["packets_received"] == 2
        # Who asks is none of the clients.
        assert len(listed["connections"]) + len(listed["secure_connections"]) == 2
        brief = run(watched, "stats")
        assert len(brief["connections"]) == 1 and list(brief["connections"][0]) == [
            "remote_socket_address", "interest_ops", "outstanding_requests", "packets_received", "packets_sent"]
        assert brief["server_stats"]["num_alive_client_connections"] == 2
        plain.close_session()
        secure.close_session()


def test_sessions_and_watches(watched):
    with watched.client() as client:
        client.call(zk.create('/a"b', flags=zk.EPHEMERAL))
        client.call(zk.exists('/a"b', watch=True))
        client.call(zk.exists("/\u00e4", watch=True))
        ident = str(client.session_id)
        dump = run(watched, "dump")
        assert dump["session_id_to_ephemeral_paths"] == {ident: ['/a"b']}
        assert [client.session_id] in dump["expiry_time_to_session_ids"].values()
        assert run(watched, "watch_summary") == {"num_connections": 1, "num_paths": 2, "num_total_watches": 2,
                                                 "command": "watch_summary", "error": None}
        assert run(watched, "watches")["session_id_to_watched_paths"].keys() == {ident}
        assert sorted(run(watched, "watches")["session_id_to_watched_paths"][ident]) == ['/a"b', "/\u00e4"]
        assert run(watched, "watches_by_path")["path_to_session_ids"] == {
            '/a"b': [client.session_id], "/\u00e4": [client.session_id]}
        client.close_session()


def test_stats(watched):
    with watched.client() as client:
        written = client.call(zk.create("/stats", flags=zk.EPHEMERAL))
        answer = run(watched, "server_stats")
        assert answer["read_only"] is False and re.match(r"\d+\.\d+\.\d+", answer["version"])
        stats = answer["server_stats"]
        assert stats["server_state"] == "standalone" and stats["last_processed_zxid"] == written.zxid
        assert stats["packets_received"] >= 2 and stats["uptime"] >= 0 and stats["data_dir_size"] > 0
        assert answer["client_response"]["max_buffer_size"] >= answer["client_response"]["min_buffer_size"] > 0
        monitor = run(watched, "monitor")
        words = dict(line[3:].split("\t") for line in watched.four_letter_word("mntr").decode().splitlines())
        assert monitor.keys() - {"command", "error"} == words.keys()
        assert monitor["znode_count"] == int(words["znode_count"]) == answer["node_count"]
        client.close_session()


def test_last_snapshot(watched):
    answer = run(watched, "last_snapshot")
    assert answer["zxid"] == "f" * 16 and answer["timestamp"] == -1, "none was taken: ZooKeeper's answer then"
    with watched.client() as client:
        zxid = client.call(zk.create("/snapshot", flags=zk.EPHEMERAL)).zxid
        watched.process.send_signal(signal.SIGUSR1)
        servers.wait_until(lambda: run(watched, "last_snapshot")["timestamp"] != -1, 15, "a snapshot")
        answer = run(watched, "last_snapshot")
        assert int(answer["zxid"], 16) >= zxid and abs(answer["timestamp"] - time.time()) < 60
        client.close_session()


def test_head(watched):
    response, body = fetch(watched.admin, "/commands/ruok", "HEAD")
    assert response.status == 200 and body == b""
    assert int(response.getheader("Content-Length")) == len(fetch(watched.admin, "/commands/ruok")[1])


@pytest.mark.parametrize("method", ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"))
def test_methods(watched, method):
    response, _ = fetch(watched.admin, "/commands/ruok", method)
    assert response.status == 405
    assert response.getheader("Allow") == "GET, HEAD"


def test_other_places(watched):
    for path in ("/", "/metrics", "/commandsx", "/command", "//commands", "/COMMANDS"):
        assert fetch(watched.admin, path)[0].status == 404, path


def test_headers_make_nobody(watched):
    """Who asks is judged by nothing that the head says."""
    response, body = fetch(watched.admin, "/commands/stat_reset", Authorization="digest root:root",
                           **{"X-Forwarded-For": "127.0.0.1"})
    assert response.status == 403, body


def test_web_pages_read_nothing(watched):
    """Neither as a page of another origin, nor as one whose name means 127.0.0.1 now."""
    response, body = fetch(watched.admin, "/commands/dump", Host="evil.example:%d" % watched.admin)
    assert (response.status, body) == (421, b"421 Misdirected Request\n")
    for host in ("localhost", "LOCALHOST:%d" % watched.admin, "127.0.0.1", "[::1]:80"):
        response, _ = fetch(watched.admin, "/commands/dump", Host=host, Origin="http://evil.example")
        assert response.status == 200, host
        assert not [name for name, _ in response.getheaders() if name.lower().startswith("access-control-")]
        assert response.getheader("Cross-Origin-Resource-Policy") == "same-origin"
        assert response.getheader("X-Content-Type-Options") == "nosniff"


def test_the_connection_ends(watched):
    """One request a connection; what stands behind it is thrown away."""
    request = b"GET /commands/ruok HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for more in (b"", request, b"\xff\x00garbage" * 1000):
        answer = raw(watched.admin, request + more)
        assert status_of(answer) == 200
        assert b"\r\nConnection: close\r\n" in answer and answer.count(b"HTTP/1.1 ") == 1
        head, body = answer.split(b"\r\n\r\n", 1)
        assert int(re.search(rb"Content-Length: (\d+)", head)[1]) == len(body)


@pytest.mark.parametrize("data, status", (
    (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 400),
    (zk.frame(zk.connect_body()), 400),
    (b"ruok", 400),
    (b"GET /commands/ruok\r\n\r\n", 400),
    (b"GET /commands/ruok HTTP/1.1\r\n\r\n", 400),
    (b"GET /%zz HTTP/1.0\r\n\r\n", 400),
    (b"GET / HTTP/3.0\r\n\r\n", 505),
    (b"GET /" + b"x" * 600 + b" HTTP/1.0\r\n\r\n", 414),
    (b"GET / HTTP/1.0\r\n" + b"X: y\r\n" * 2000, 431),
), ids=("tls", "frame", "word", "old", "no-host", "percent", "version", "long-path", "long-head"))
def test_malformed(watched, data, status):
    refused = run(watched, "monitor")["http_refused"]
    if data == b"ruok":
        data += b"\n"
    assert status_of(raw(watched.admin, data)) == status
    assert run(watched, "monitor")["http_refused"] == refused + 1


def test_head_in_pieces(watched):
    with zk.Link(("127.0.0.1", watched.admin)) as link:
        for byte in b"GET /commands/ruok HTTP/1.0\r\n\r\n":
            link.send(bytes([byte]))
        assert status_of(link.read_to_end(15)) == 200


def test_slow_head(make_server):
    """It has the time of a first request, or that of admin.idleTimeout where that is less."""
    port, config = admin_config()
    server = make_server(**dict({key.replace(".", "__"): value for key, value in config.items()},
                                admin__idleTimeout=300))
    with zk.Link(("127.0.0.1", port)) as link:
        link.send(b"GET /commands/ruok HT")
        assert link.read_to_end(15) == b""
    server.wait_log(r'event=conn\.failed .*reason="no request came in time"')
    assert server.metric("sessionless_connections_expired") == 1
    # Clients have their own.
    with server.link(tls=False) as link:
        link.send(b"\0")
        with pytest.raises(socket.timeout):
            link.sock.settimeout(1)
            link.sock.recv(1)


def test_limit_of_heads(make_server):
    port, config = admin_config()
    make_server(**dict({key.replace(".", "__"): value for key, value in config.items()}, zoolite__maxHttpHead="1k"))
    head = b"GET /commands/ruok HTTP/1.0\r\nX: %s\r\n\r\n"
    room = 1024 - len(head) + 2
    assert status_of(raw(port, head % (b"x" * room))) == 200
    assert status_of(raw(port, head % (b"x" * (room + 1)))) == 431


def test_another_place(make_server):
    port, config = admin_config()
    make_server(**dict({key.replace(".", "__"): value for key, value in config.items()},
                       admin__commandURL="/zk/commands", admin__serverAddress="127.0.0.2"))
    assert fetch(port, "/zk/commands/ruok", host="127.0.0.2")[0].status == 200
    assert fetch(port, "/commands/ruok", host="127.0.0.2")[0].status == 404
    with pytest.raises(OSError):
        fetch(port, "/zk/commands/ruok")


def test_loopback_alone(watched):
    with pytest.raises(OSError):
        fetch(watched.admin, "/commands", host="127.0.0.2")


def test_can_be_off(make_server):
    port, config = admin_config(**{"admin.enableServer": "false"})
    make_server(**{key.replace(".", "__"): value for key, value in config.items()})
    with pytest.raises(OSError):
        fetch(port, "/commands")


def test_port_in_use(make_server):
    """One warning, and clients are served all the same."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = make_server(admin__enableServer="true", admin__serverPort=taken.getsockname()[1])
        assert len(re.findall(r"level=warn event=admin\.unavailable", server.log())) == 1
        with server.client() as client:
            assert client.call(zk.exists("/")).err == 0
            client.close_session()


def test_is_there_when_the_house_is_full(make_server):
    """Local watchers come in beyond maxCnxns and maxClientCnxns."""
    port, config = admin_config(**{"maxCnxns": 3, "maxClientCnxns": 2})
    server = make_server(**{key.replace(".", "__"): value for key, value in config.items()})
    clients = [server.client() for _ in range(2)]
    try:
        assert fetch(port, "/commands/ruok")[0].status == 200
    finally:
        for client in clients:
            client.link.close()
