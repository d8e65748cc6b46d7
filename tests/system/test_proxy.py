"""Behind a balancer that speaks the PROXY protocol, version 2: who connects is whom it names."""
import re
import socket
import struct

import pytest

import zk_wire as zk
from trail import trail_config, wait_row

BALANCER = "127.0.0.9"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL = SIGNATURE + b"\x20\0\0\0"


def header(client, port=40000, extensions=b""):
    """Of a client that comes over IPv4 or IPv6."""
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    address = socket.inet_pton(family, client)
    body = address + address[::-1] + struct.pack(">HH", port, 2281) + extensions
    return SIGNATURE + bytes([0x21, 0x21 if ":" in client else 0x11]) + struct.pack(">H", len(body)) + body


class ProxiedLink(zk.Link):
    """What a balancer opens: the header in one segment with what the client says, or byte by byte."""

    def __init__(self, server, head, tls=True, source=BALANCER, is_slow=False):
        super().__init__(("127.0.0.1", server.tls_port if tls else server.port), source=(source, 0))
        try:
            if is_slow:
                for at in range(len(head)):
                    self.sock.send(head[at:at + 1])
            else:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                self.sock.send(head)
            if tls:
                self.sock = server.context("client").wrap_socket(self.sock)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        except OSError:
            self.sock.close()
            raise


def is_closed(link):
    link.sock.settimeout(10)
    try:
        return link.sock.recv(1) == b""
    except ConnectionError:
        return True


def come(server, head, **how):
    """A client with a session, which the server knows by that address."""
    client = zk.Client(ProxiedLink(server, head, **how))
    client.connect()
    return client


@pytest.fixture(name="make_proxied")
def fixture_make_proxied(make_server, tmp_path):
    def make(**config):
        (tmp_path / "balancers").write_text("%s\n::1  # that one comes over IPv6\n" % BALANCER)
        return make_server(zoolite__proxyFrom=str(tmp_path / "balancers"), **trail_config(tmp_path, **config))
    return make


@pytest.mark.parametrize("tls", [True, False])
def test_the_client_is_who_the_header_names(make_proxied, tls):
    """In words, in ACLs, on the audit trail; however the header comes, and whatever it says besides."""
    server = make_proxied()
    server.wait_log(r"event=networks\.loaded property=zoolite\.proxyFrom file=\S+ networks=2")
    for head, how, address in ((header("192.0.2.7"), {}, "192.0.2.7:40000"),
                               (header("2001:db8::7", 7), {}, "[2001:db8::7]:7"),
                               (header("::ffff:192.0.2.8"), {}, "192.0.2.8:40000"),
                               (header("192.0.2.9", 9, b"\4\0\x03abc" * 40), {}, "192.0.2.9:9"),
                               (header("192.0.2.10"), {"is_slow": True}, "192.0.2.10:40000")):
        client = come(server, head, tls=tls, **how)
        assert "/" + address + "[" in server.four_letter_word("cons").decode()
        host = address[:address.rindex(":")].strip("[]")
        who = client.call(zk.who_am_i()).value
        assert ("ip", host) in who, who
        wait_row(server, op="createSession", address=address)
        if "." in host:
            path = "/of-" + host
            assert client.call(zk.create(path, acl=[(31, "ip", host)])).err == 0
            assert client.call(zk.get_data(path)).err == 0
            with server.client() as other:
                assert other.call(zk.get_data(path)).err == -102
        client.close_session()
    assert server.metric("connections_proxied") == 5
    assert server.metric("connections_rejected_proxy") == 0


def test_the_client_is_judged_and_not_the_balancer(make_proxied, tmp_path):
    (tmp_path / "deny").write_text("192.0.2.66\n")
    (tmp_path / "allow").write_text("192.0.2.0/24\n127.0.0.1\n")
    server = make_proxied(zoolite__denyList=str(tmp_path / "deny"), zoolite__allowList=str(tmp_path / "allow"),
                          maxClientCnxns=2)
    links = [come(server, header("192.0.2.7"), tls=tls) for tls in (True, False)]
    links += [come(server, header("192.0.2.%d" % i)) for i in range(10, 14)]
    for client, reason in (("192.0.2.66", "denied network"), ("198.51.100.1", "not an allowed network"),
                           ("192.0.2.7", "too many connections from address")):
        for tls in (True, False):
            since = server.log_size()
            with pytest.raises((OSError, zk.Closed)):
                come(server, header(client), tls=tls)
            server.wait_log(r'event=gate\.refused peer=%s:40000 reason="%s"' % (re.escape(client), reason), since)
        wait_row(server, kind="refuse", op="connect", result=reason)
    assert server.metric("connections_denied") == 4 and server.metric("connections_refused") == 2
    # The balancer, for itself, is no allowed one.
    since = server.log_size()
    with pytest.raises((OSError, zk.Closed)):
        come(server, LOCAL)
    server.wait_log(r'event=gate\.refused peer=%s:\d+ reason="not an allowed network"' % re.escape(BALANCER), since)
    # Who is inside and denied later is cut by whom the header named.
    (tmp_path / "deny").write_text("192.0.2.7\n")
    server.hangup()
    assert is_closed(links[0].link) and is_closed(links[1].link)
    for client in links[2:]:
        assert client.call(zk.exists("/")).err == 0
        client.close_session()


def test_failures_are_the_clients(make_proxied):
    """Whom the balancer connects is kept out after bad certificates, and nobody else."""
    server = make_proxied(zoolite__maxFailures=2)
    for _ in range(2):
        with pytest.raises((OSError, zk.Closed)):
            with zk.Link(("127.0.0.1", server.tls_port), source=(BALANCER, 0)) as link:
                link.send(header("192.0.2.7"))
                link.sock = server.context(None).wrap_socket(link.sock)
                zk.Client(link).connect()
    server.wait_log(r"event=gate\.refused peer=192\.0\.2\.7:40000 reason=(?!.*too many)")
    with pytest.raises((OSError, zk.Closed)):
        come(server, header("192.0.2.7"))
    server.wait_log(r'peer=192\.0\.2\.7:40000 reason="too many failed handshakes from address"')
    come(server, header("192.0.2.8")).close_session()
    come(server, LOCAL).close_session()


def test_the_balancer_for_itself(make_proxied):
    """It looks whether somebody is there, and may even be a client."""
    server = make_proxied()
    client = come(server, LOCAL)
    assert ("ip", BALANCER) in client.call(zk.who_am_i()).value
    client.close_session()
    with ProxiedLink(server, LOCAL, tls=False) as link:
        link.send(b"ruok")
        assert link.read_to_end() == b"imok"
    assert server.metric("connections_proxied") == 0


def test_whom_it_has_not_named_yet_is_nobody(make_proxied):
    """However many such wait, the balancer's own probes are no further ones of an address at its limit."""
    server = make_proxied(maxClientCnxns=1)
    links = [zk.Link(("127.0.0.1", server.tls_port), source=(BALANCER, 0)) for _ in range(4)]
    for link in links:
        link.send(LOCAL[:-1])
    client = come(server, LOCAL)
    with pytest.raises((OSError, zk.Closed)):
        come(server, LOCAL)
    server.wait_log(r'peer=%s:\d+ reason="too many connections from address"' % re.escape(BALANCER))
    client.close_session()
    for link in links:
        link.close()
    server.wait_log(r'(?:.*reason="closed by the peer before its PROXY header"\n(?:.*\n)*?){4}')
    with server.client() as other:
        assert other.call(zk.exists("/")).err == 0


def test_rules_that_change_before_the_header(make_proxied, authority, tmp_path):
    """Whoever is named behind a reload is judged by what it brought, though the connection is older."""
    own, foreign = (open(name, encoding="ascii").read() for name in (authority.ca, authority.foreign_ca))
    trust, head = tmp_path / "trust.pem", header("192.0.2.7")
    trust.write_text(own + foreign)
    server = make_proxied(ssl__trustStore__location=str(trust), zoolite__reloadInterval=0)
    with zk.Link(("127.0.0.1", server.tls_port), source=(BALANCER, 0)) as link:
        link.send(head[:20])
        # It stands in line behind the other one.
        server.client("foreign").close_session()
        trust.write_text(own)
        since = server.log_size()
        server.hangup()
        server.wait_log(r"event=sweep\.done", since)
        link.send(head[20:])
        link.sock = server.context("foreign").wrap_socket(link.sock)
        with pytest.raises((OSError, zk.Closed)):
            zk.Client(link).connect()
    server.wait_log(r"event=connection\.cut peer=192\.0\.2\.7:40000 .*local issuer certificate", since)


WRONG = {
    "no PROXY header": b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 2281\r\n",
    "PROXY header without the address of a TCP client": SIGNATURE + b"\x21\0\0\0",
    "PROXY header too short": SIGNATURE + b"\x21\x11\0\x04\1\2\3\4",
    "not a PROXY protocol command of version 2": SIGNATURE + b"\x2f\x11\0\0",
}


@pytest.mark.parametrize("reason", WRONG)
def test_wrong_headers(make_proxied, reason):
    server = make_proxied()
    for port in (server.tls_port, server.port):
        since = server.log_size()
        with zk.Link(("127.0.0.1", port), source=(BALANCER, 0)) as link:
            link.send(WRONG[reason])
            assert is_closed(link)
        server.wait_log(r'event=gate\.refused peer=%s:\d+ reason="%s"' % (re.escape(BALANCER), reason), since)
    wait_row(server, kind="refuse", op="connect", result=reason)
    assert server.metric("connections_rejected_proxy") == 2


def test_no_header(make_proxied):
    """A listed one must send it, also where TLS, or a session, is what it begins with; and soon."""
    server = make_proxied(ssl__handshakeDetectionTimeoutMillis=300)
    with pytest.raises((OSError, zk.Closed)):
        zk.Link(("127.0.0.1", server.tls_port), server.context("client"), source=(BALANCER, 0))
    with pytest.raises((OSError, zk.Closed)), zk.Link(("127.0.0.1", server.port), source=(BALANCER, 0)) as link:
        zk.Client(link).connect()
    assert len(re.findall('reason="no PROXY header"', server.log())) == 2
    for port in (server.tls_port, server.port):
        since = server.log_size()
        with zk.Link(("127.0.0.1", port), source=(BALANCER, 0)) as link:
            link.send(header("192.0.2.7")[:-1])
            assert is_closed(link)
        server.wait_log('reason="no PROXY header in time"', since)
        with zk.Link(("127.0.0.1", port), source=(BALANCER, 0)) as link:
            link.send(header("192.0.2.7")[:-1])
        server.wait_log('reason="closed by the peer before its PROXY header"', since)
    assert server.metric("connections_rejected_proxy") == 6


def test_who_is_not_listed(make_proxied, make_server):
    """Names nobody by a header, at either port, with the option or without."""
    for server in (make_proxied(), make_server()):
        with pytest.raises((OSError, zk.Closed)):
            come(server, header("192.0.2.7"), source="127.0.0.8")
        with ProxiedLink(server, header("192.0.2.7"), tls=False, source="127.0.0.8") as link:
            assert is_closed(link)
        assert server.metric("connections_proxied") == 0
        assert "192.0.2.7" not in server.log()


def test_listed_later(make_proxied, tmp_path):
    server = make_proxied()
    insider, direct = come(server, header("192.0.2.6")), server.client()
    (tmp_path / "balancers").write_text("127.0.0.1\n127.0.0.10\n")
    since = server.log_size()
    server.hangup()
    server.wait_log("event=sweep\\.done", since)
    # Who is in stays as it came.
    for client, host in ((insider, "192.0.2.6"), (direct, "127.0.0.1")):
        assert ("ip", host) in client.call(zk.who_am_i()).value
        client.close_session()
    come(server, header("192.0.2.7"), source="127.0.0.10").close_session()
    with zk.Link(("127.0.0.1", server.tls_port), server.context("client"), source=(BALANCER, 0)) as link:
        zk.Client(link).connect()
    # A list that is wrong leaves the one that was.
    (tmp_path / "balancers").write_text("nobody\n")
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.refused .*property=zoolite\.proxyFrom", since)
    come(server, header("192.0.2.7"), source="127.0.0.10").close_session()
