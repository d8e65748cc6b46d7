"""Who gets to the door at all: lists of networks, revocation, and what happens to those inside when that changes."""
import os
import re
import socket

import servers
import zk_wire as zk

CLOSED_WITHIN_S = 10


def write(path, text):
    """In one step, as who cares for a running server does it."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.rename(path + ".new", path)
    return path


def hang_up(server, event="done"):
    since = server.log_size()
    server.hangup()
    return server.wait_log(r"^.*event=reload\.%s.*$" % event, since).group(0)


def is_shut(port, source="127.0.0.1", family=socket.AF_INET):
    """Whether who comes from there is closed without a word, before he has said one."""
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(CLOSED_WITHIN_S)
        sock.bind((source, 0))
        sock.connect((host, port))
        try:
            sock.send(b"srvr")
            return sock.recv(1) == b""
        except ConnectionError:
            return True


# ---- lists of networks ----

def test_denied_networks(make_server, tmp_path):
    """Closed before a byte was read, at both ports for clients; nothing of it counts as a handshake."""
    deny = write(str(tmp_path / "deny"), "# who must not come\n127.0.0.2\n127.8.0.0/13  # a room\n2001:db8::/32\n")
    server = make_server(zoolite__denyList=deny)
    server.wait_log(r"event=networks\.loaded property=zoolite\.denyList file=\S+ networks=3")
    before = server.metric("connections_denied")
    for source in ("127.0.0.2", "127.8.0.0", "127.15.255.255"):
        since = server.log_size()
        assert is_shut(server.port, source) and is_shut(server.tls_port, source)
        server.wait_log(r'event=gate\.refused peer=%s:\d+ reason="denied network"' % source, since)
    for source in ("127.0.0.1", "127.0.0.3", "127.7.255.255", "127.16.0.0"):
        assert not is_shut(server.port, source), source
    assert server.metric("connections_denied") == before + 6
    assert server.metric("connections_rejected_tls") == 0
    server.client().close_session()


def test_allowed_networks(make_server, tmp_path):
    """What is not allowed is denied, and what is denied is not allowed by being in both; probes are not judged."""
    deny = write(str(tmp_path / "deny"), "127.0.0.4")
    allow = write(str(tmp_path / "allow"), "127.0.0.4/30\n")
    ports = servers.free_ports(2)
    server = make_server.new(zoolite__denyList=deny, zoolite__allowList=allow, zoolite__monitorPort=ports[0],
                             admin__enableServer="true", admin__serverPort=ports[1])
    server.start(wait=False).wait_log(r"event=server\.serving")
    since = server.log_size()
    assert is_shut(server.tls_port, "127.0.0.1") and is_shut(server.tls_port, "127.0.0.8")
    server.wait_log(r'event=gate\.refused peer=127\.0\.0\.8:\d+ reason="not an allowed network"', since)
    assert is_shut(server.tls_port, "127.0.0.4")
    server.wait_log(r'event=gate\.refused peer=127\.0\.0\.4:\d+ reason="denied network"', since)
    assert b"Mode: " in server.four_letter_word("srvr", tls=False, port=ports[0])
    with zk.Link(("127.0.0.1", ports[1])) as link:
        link.send(b"GET /commands/ruok HTTP/1.0\r\n\r\n")
        assert b"200 OK" in link.read_to_end()


def test_lists_of_both_families(make_server, tmp_path):
    """At a socket for both, where an IPv4 peer comes as an IPv6 one."""
    deny = write(str(tmp_path / "deny"), "::1\n127.0.0.2\n::ffff:127.0.0.3\n")
    server = make_server(zoolite__denyList=deny, clientPortAddress=None)
    assert is_shut(server.port, "::1", socket.AF_INET6)
    assert is_shut(server.port, "127.0.0.2") and is_shut(server.port, "127.0.0.3")
    assert not is_shut(server.port, "127.0.0.4")


def test_bad_list(make_server, tmp_path):
    """It stops a start and a check with file and line; a reload leaves the lists, all of them, as they were."""
    deny = write(str(tmp_path / "deny"), "127.0.0.2\n")
    allow = write(str(tmp_path / "allow"), "127.0.0.0/8\n")
    server = make_server(zoolite__denyList=deny, zoolite__allowList=allow)
    write(deny, "127.0.0.3\n")
    write(allow, "127.0.0.0/8\n10.0.0.0/33\n")
    reason = r'%s:2: .{0,2}10\.0\.0\.0/33.{0,2} is no address or network' % allow
    line = hang_up(server, "refused")
    number = list(server.config).index("zoolite.allowList") + 1
    assert re.search(r"line=%d property=zoolite\.allowList reason=\"%s" % (number, reason), line), line
    assert is_shut(server.port, "127.0.0.2") and not is_shut(server.port, "127.0.0.3")
    server.stop()
    server.start(wait=False)
    assert server.wait_exit() == 2
    assert re.search(r"zoo\.cfg:%d: zoolite\.allowList: %s" % (number, reason), server.log())
    write(allow, "127.0.0.0/8\n")
    server.start()
    assert is_shut(server.port, "127.0.0.3") and not is_shut(server.port, "127.0.0.2")
    server.config.update({"zoolite.denyList": None, "zoolite.allowList": str(tmp_path / "gone")})
    server.write_config()
    assert "No such file" in hang_up(server, "refused")
    assert is_shut(server.port, "127.0.0.3")
    server.config["zoolite.allowList"] = None
    server.write_config()
    hang_up(server)
    assert not is_shut(server.port, "127.0.0.3")
