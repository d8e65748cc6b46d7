"""What one identity may have of the server: connections, sessions, writes a second."""
import time

import pytest

import certs
import servers
import zk_wire as zk

OK, DEADLINE_S = 0, 20


@pytest.fixture(scope="module", autouse=True)
def fixture_certificates(authority):
    """Another certificate with alice's name: the limits are the name's, not the certificate's."""
    authority.issue("renewed", certs.SUBJECTS["client"], extensions=certs.CLIENT_EXT)


def come(server, certificate="client", **connect):
    """A client with a session, or None where the server closed without a word: no "your session is over"."""
    link = server.link(certificate)
    client = zk.Client(link)
    try:
        assert client.connect(**connect).session_id != 0
        return client
    except zk.Closed:
        assert not link.inbox
        link.close()
        return None


def is_refused(server, certificate="client"):
    client = come(server, certificate)
    if client:
        client.link.close()
    return client is None


def wait_to_come(server):
    return servers.wait_until(lambda: come(server), DEADLINE_S, "a place")


def test_connections_of_an_identity(make_server):
    server = make_server(zoolite__maxConnectionsPerIdentity=2)
    mine = [come(server), come(server, "renewed")]
    assert is_refused(server) and is_refused(server, "renewed")
    server.wait_log(r'level=warn event=connection\.refused peer=127\.0\.0\.1:\d+ '
                    r'identity="CN=alice,OU=clients,O=Zoolite Test" reason="too many connections of its identity"')
    assert server.metric("connections_refused_identity") == 2
    # Others have theirs, and so has who shows no certificate.
    others = [come(server, "second"), *(server.client(tls=False) for _ in range(3))]
    # One that ends leaves its place, and one without a session takes it.
    mine.pop().link.close()
    wait_to_come(server).link.close()
    stranger = server.link()
    servers.wait_until(lambda: is_refused(server), DEADLINE_S, "the stranger to count")
    stranger.close()
    mine.append(wait_to_come(server))
    for client in (*mine, *others):
        assert client.call(zk.exists("/")).err == OK


def test_sessions_of_an_identity(make_server):
    server = make_server(zoolite__maxSessionsPerIdentity=2, tickTime=500)
    first, gone = come(server), come(server, "renewed", timeout=10000)
    gone.link.close()
    # It is there without its connection, and after a restart.
    assert is_refused(server)
    server.restart()
    assert is_refused(server)
    server.wait_log(r'event=session\.refused .*reason="too many sessions of its identity"')
    assert server.metric("sessions_refused_identity") == 1
    assert come(server, "second") and server.client(tls=False)
    # It may be resumed, and where it ends there is room.
    again = zk.Client(server.link())
    assert again.connect(session_id=gone.session_id, password=gone.password).session_id == gone.session_id
    again.close_session()
    assert come(server) and is_refused(server)
    first.link.close()


def test_write_rate_of_an_identity(make_server):
    """What two connections of one identity write together takes its time; nothing fails, nobody else waits."""
    server = make_server(zoolite__writeRate=80, tickTime=250)
    other = come(server, "second")
    assert other.call(zk.create("/node")).err == OK
    # The session of the one that writes most is shorter than what it waits for.
    mine = [come(server), come(server, "renewed", timeout=500)]
    began = time.monotonic()
    writes = [client.submit_all([zk.set_data("/node", b"x")] * count) for client, count in zip(mine, (10, 120))]
    servers.wait_until(lambda: server.metric("writes_paced"), DEADLINE_S, "a write to wait")
    assert [client.ping().err for client in mine] == [OK, OK]
    other_began = time.monotonic()
    assert [reply.err for reply in other.call_all([zk.set_data("/node", b"y"), zk.exists("/node")] * 15)] == [OK] * 30
    assert time.monotonic() - other_began < DEADLINE_S
    assert mine[0].call(zk.set_data("/node", b"z")).err == OK
    for client, xids in zip(mine, writes):
        assert {client.wait(xid).err for xid in xids} == {OK}
    # 80 at once, and 51 more.
    assert time.monotonic() - began >= 50 / 80
    server.wait_log(r'event=writes\.paced peer=127\.0\.0\.1:\d+ identity="CN=alice,OU=clients,O=Zoolite Test"')
    assert "session.expired" not in server.log()
    # A multi is as many writes as it holds, and reads do not count.
    assert mine[0].call(zk.multi([zk.set_data("/node", b"m")] * 40)).err == OK
    began = time.monotonic()
    assert [reply.err for reply in mine[1].call_all([zk.exists("/node")] * 200)] == [OK] * 200
    assert mine[1].call(zk.set_data("/node", b"n")).err == OK
    assert time.monotonic() - began >= 0.3


def test_addresses_without_a_certificate_share_a_rate(make_server):
    server = make_server(zoolite__writeRate=20)
    clients = [server.client(tls=False) for _ in range(2)]
    began = time.monotonic()
    xids = [client.submit_all([zk.create("/node%d" % number)] + [zk.set_data("/node%d" % number, b"x")] * 13)
            for number, client in enumerate(clients)]
    for client, mine in zip(clients, xids):
        assert [client.wait(xid).err for xid in mine] == [OK] * 14
    assert time.monotonic() - began >= 0.3


def test_a_writer_that_leaves_gains_nothing(make_server):
    """The rate goes on being the identity's when it has no connection."""
    server = make_server(zoolite__writeRate=20)
    began = time.monotonic()
    for number in range(7):
        with come(server) as client:
            assert [reply.err for reply in client.call_all([zk.create("/n%d-%d" % (number, i)) for i in range(4)])] == (
                [OK] * 4)
    assert time.monotonic() - began >= 0.3
