"""What a peer can make grow has a bound: connections, frames, strangers' time, unread replies."""
import random
import select
import socket
import threading

import pytest

import servers
import zk_wire as zk

CLOSED_WITHIN_S = 15


def opens(server, tls):
    """A session, or None where the connection was refused."""
    try:
        return server.client(tls=tls)
    except (OSError, zk.Closed):
        return None


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_connections_of_an_address(make_server, tls):
    server = make_server(maxClientCnxns=3)
    # The look whether the server is ready may linger for a moment.
    inside = [servers.wait_until(lambda: opens(server, tls), 10, "a place") for _ in range(3)]
    assert opens(server, tls) is None
    server.wait_log(r"event=gate\.refused.*(address|maxClientCnxns)")
    assert all(client.call(zk.exists("/")).err == 0 for client in inside)
    inside.pop().close_session()
    again = servers.wait_until(lambda: opens(server, tls), 10, "the place that became free")
    assert again.call(zk.exists("/")).err == 0


def test_connections_in_all(make_server):
    server = make_server(maxCnxns=4)
    inside = [servers.wait_until(lambda: opens(server, i % 2 == 0), 10, "a place") for i in range(4)]
    assert opens(server, False) is None
    assert opens(server, True) is None
    for client in inside:
        assert client.call(zk.exists("/")).err == 0
        client.abandon()
    assert servers.wait_until(lambda: opens(server, True), 10, "the places that became free")


def test_size_of_a_frame(make_server):
    server = make_server(jute__maxbuffer=4096)
    client = server.client(tls=False)
    assert client.call(zk.create("/fits", b"x" * 2500)).err == 0
    empty = len(zk.create("/over").body) + 8
    assert client.call(zk.create("/last", b"x" * (4096 - empty))).err == 0
    assert len(client.call(zk.get_data("/last")).value.data) == 4096 - empty
    assert server.metric("frames_refused") == 0
    client.submit(zk.create("/over", b"x" * (4096 - empty + 1)))
    assert client.link.wait_closed(CLOSED_WITHIN_S)
    assert server.metric("frames_refused") == 1
    again = zk.Client(server.link(tls=False))
    again.connect(session_id=client.session_id, password=client.password)
    assert again.call(zk.exists("/over")).err == -101
    assert len(again.call(zk.get_data("/fits")).value.data) == 2500
    again.close_session()


def test_size_of_a_large_frame(make_server):
    """Both ways, and alone or many at once: the other limits make room for what this one lets in."""
    server = make_server(jute__maxbuffer=4 << 20)
    client = server.client()
    data = b"x" * ((4 << 20) - len(zk.create("/large").body) - 8)
    assert client.call(zk.create("/large", data)).err == 0
    assert client.call(zk.set_data("/large", data[:-8])).err == 0
    assert [len(reply.value.data) for reply in client.call_all([zk.get_data("/large")] * 5)] == [len(data) - 8] * 5


def test_a_frame_above_all_that_connections_may_hold(make_server):
    """What jute.maxbuffer lets in is taken, and given back, whatever zoolite.maxBuffered and maxReply say."""
    server = make_server(jute__maxbuffer=6 << 20, zoolite__maxBuffered="1m", zoolite__maxReply="1m")
    client = server.client()
    data = b"x" * (5 << 20)
    assert client.call(zk.create("/large", data)).err == 0
    assert client.call(zk.get_data("/large")).value.data == data


def test_connects_at_once(make_server):
    """Tokens, as ZooKeeper's: those who come when there are none are closed, and may come again."""
    server = make_server(connection_throttle_tokens=3, connection_throttle_fill_time=3600000)
    inside = [server.client() for _ in range(3)]
    refused = server.metric("sessions_refused")
    assert opens(server, True) is None
    assert opens(server, False) is None
    assert server.metric("sessions_refused") == refused + 2
    assert all(client.call(zk.exists("/")).err == 0 for client in inside)
    # Resuming takes one as well.
    again = zk.Client(server.link())
    with pytest.raises((zk.Closed, OSError)):
        again.connect(session_id=inside[0].session_id, password=inside[0].password)
    assert inside[0].call(zk.exists("/")).err == 0


def test_connects_at_once_are_filled_up(make_server):
    server = make_server(connection_throttle_tokens=2, connection_throttle_fill_time=200,
                         connection_throttle_fill_count=2)
    for _ in range(5):
        assert servers.wait_until(lambda: opens(server, False), 10, "a token").call(zk.exists("/")).err == 0


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("length", [2000, 100000, 0xfffff, 0x7fffffff, -1, 43, 1])
def test_first_frame_of_a_stranger_is_small(server, tls, length):
    """The length alone is enough: nothing is waited for, or kept."""
    with server.link(tls=tls) as link:
        link.send(zk.p_int(length) + (b"" if length > 1000 or length < 0 else b"x" * length))
        assert link.wait_closed(CLOSED_WITHIN_S)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_silent_strangers_are_closed(make_server, tls):
    server = make_server(zoolite__firstRequestTimeout=1000)
    silent = [server.link(tls=tls) for _ in range(10)]
    halves = [server.link(tls=tls) for _ in range(10)]
    for index, link in enumerate(halves):
        link.send(zk.frame(zk.connect_body())[:index * 4 + 1])
    client = server.client(tls=tls)
    for link in silent + halves:
        assert link.wait_closed(CLOSED_WITHIN_S)
    assert client.call(zk.exists("/")).err == 0
    client.close_session()


def test_slow_talkers_are_closed(make_server):
    """A byte now and then does not renew a stranger's time."""
    server = make_server(zoolite__firstRequestTimeout=1000)
    body = zk.frame(zk.connect_body())
    with server.link(tls=False) as link:
        def drip():
            for byte in body[:-1]:
                link.send(bytes([byte]))
                if not select.select([link.sock], [], [], 0.4)[0]:
                    continue
                return
        try:
            drip()
        except zk.Closed:
            pass
        assert link.wait_closed(CLOSED_WITHIN_S)


def alive(server):
    for line in server.four_letter_word("mntr", tls=False).decode().splitlines():
        if line.startswith("zk_num_alive_connections\t"):
            return int(line.split("\t")[1])
    raise AssertionError("mntr has no zk_num_alive_connections")


def test_slow_readers_are_cut_off(make_server):
    """Who asks for much and takes nothing is closed; nobody else notices, and memory stays bounded."""
    server = make_server(zoolite__maxUnsent=1 << 20, zoolite__unsentTimeout=1000)
    ordinary = server.client()
    assert ordinary.call(zk.create("/big", b"x" * 500000)).err == 0
    before = memory(server)
    slow = zk.Client(zk.Link(("127.0.0.1", server.port)))
    slow.connect(timeout=40000)
    slow.link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.link.sock.setblocking(False)
    request = b"".join(slow.prepare(zk.get_data("/big"))[1] for _ in range(400))
    try:
        slow.link.sock.send(request)
    except BlockingIOError:
        pass
    servers.wait_until(lambda: ordinary.call(zk.exists("/")).err == 0 and alive(server) <= 2, 30,
                       "the slow reader to be cut off")
    # Sanitizers keep freed memory for a while; 200 MB of replies must not have been there at all.
    assert memory(server) - before < 128 << 20
    ordinary.close_session()


def memory(server):
    with open("/proc/%d/status" % server.process.pid, encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def test_reader_that_pauses_loses_nothing(server):
    """A client slower than its replies, but alive, gets them all and in order."""
    client = server.client(tls=False)
    client.call(zk.create("/chunk", b"y" * 100000))
    xids = client.submit_all([zk.get_data("/chunk") for _ in range(100)])
    for xid in xids:
        assert len(client.wait(xid).value.data) == 100000
    client.call(zk.delete("/chunk"))
    client.close_session()


def test_watches_of_a_connection(make_server):
    server = make_server(zoolite__maxWatches=10)
    client, other = server.client(), server.client()
    for index in range(10):
        assert client.call(zk.exists("/w%d" % index, watch=True)).err == -101
    with pytest.raises(zk.Closed):
        client.call(zk.exists("/w10", watch=True))
        client.barrier()
    assert other.call(zk.exists("/w10", watch=True)).err == -101


def test_ephemerals_of_a_session(make_server):
    server = make_server(zoolite__maxEphemerals=10)
    client, other = server.client(), server.client()
    for index in range(10):
        assert client.call(zk.create("/e%d" % index, flags=zk.EPHEMERAL)).err == 0
    assert client.call(zk.create("/e10", flags=zk.EPHEMERAL)).err != 0
    server.wait_log(r'event=request\.limited .*session=0x%x op=create reason="too many ephemeral znodes' % client.session_id)
    assert server.metric("ephemerals_refused") == 1
    assert client.call(zk.create("/plain")).err == 0
    assert other.call(zk.create("/e10", flags=zk.EPHEMERAL)).err == 0
    assert client.call(zk.delete("/e0")).err == 0
    assert client.call(zk.create("/e0", flags=zk.EPHEMERAL)).err == 0


def test_identities_of_a_connection(server):
    """Twenty logins are not all kept; the link is told or goes on, but never grows without end."""
    client = server.client(tls=False)
    try:
        replies = [client.auth("digest", b"user%d:p" % index).err for index in range(40)]
    except zk.Closed:
        return
    assert replies[:10] == [0] * 10
    client.call(zk.create("/ids", acl=[zk.Acl(zk.PERM_ALL, "auth", "")], flags=zk.EPHEMERAL))
    assert len(client.call(zk.get_acl("/ids")).value.acls) <= 16
    client.close_session()


def test_nothing_behind_a_failed_authentication_is_executed(server):
    client, other = server.client(tls=False), server.client()
    frames = [client.prepare(zk.auth("nonsense", b"x"), zk.XID_AUTH)[1]]
    frames += [client.prepare(zk.create("/behind-%d" % index))[1] for index in range(5)]
    client.link.send(b"".join(frames))
    assert client.link.wait_closed(CLOSED_WITHIN_S)
    assert other.call(zk.sync("/")).err == 0
    assert other.call(zk.exists("/behind-0")).err == -101
    other.close_session()


def test_nothing_behind_a_close_is_executed(server):
    client, other = server.client(tls=False), server.client()
    client.link.send(b"".join(client.prepare(request)[1] for request in (
        zk.create("/before"), zk.close(), zk.create("/behind"))))
    assert client.wait(1).err == 0
    assert client.wait(2).err == 0
    assert client.link.wait_closed(CLOSED_WITHIN_S)
    other.call(zk.sync("/"))
    assert other.call(zk.exists("/behind")).err == -101
    assert other.call(zk.delete("/before")).err == 0
    other.close_session()


def test_noise_does_no_harm(server):
    """Frames of random bytes on live sessions: an answer or a closed link, and the server lives."""
    rng = random.Random(20260101)
    other = server.client()
    for round_ in range(60):
        client = server.client(tls=False, timeout=1000)
        body = zk.p_int(round_) + zk.p_int(rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 100, 101]))
        body += bytes(rng.randrange(256) for _ in range(rng.randrange(80)))
        client.link.send(zk.frame(body))
        try:
            client.link.receive(10)
        except zk.Closed:
            pass
        client.abandon()
        assert other.call(zk.exists("/")).err == 0
    other.close_session()


def test_big_crowd(make_server):
    """Several hundred sessions at once, all answered."""
    server = make_server()
    clients = [server.client(tls=False) for _ in range(400)]
    done = []

    def work(mine):
        for client in mine:
            client.call(zk.create("/crowd-%d" % client.session_id, flags=zk.EPHEMERAL))
            done.append(client)
    threads = [threading.Thread(target=work, args=(clients[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 400
    assert clients[0].call(zk.exists("/")).value.num_children == 401
    for client in clients[1:]:
        client.link.reset()
    assert clients[0].call(zk.exists("/")).value.num_children == 401


def other_address():
    """One of this machine's that is not of loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = sock.getsockname()[0]
        return None if address.startswith("127.") else address


def looks(port, source):
    """Whether who comes from there is answered at the admin server's port."""
    try:
        with zk.Link((source, port), source=(source, 0)) as link:
            link.send(b"GET /commands/ruok HTTP/1.0\r\n\r\n")
            return b"200 OK" in link.read_to_end()
    except (OSError, zk.Closed):
        return False


def holds(server, source):
    """A link with a session, or None where it was refused."""
    client = None
    try:
        client = zk.Client(zk.Link(("127.0.0.1", server.port), source=(source, 0)))
        client.connect()
    except (OSError, zk.Closed):
        return None
    return client.link


def test_who_looks_from_this_machine(make_server):
    """The limits of connections let in from loopback who wants to see why the house is full, though no crowd; from
    elsewhere nobody."""
    address = other_address()
    if address is None:
        pytest.skip("this machine has no address but those of loopback")
    port = servers.free_ports(1)[0]
    server = make_server(maxCnxns=4, maxClientCnxns=2, admin__enableServer="true", admin__serverAddress="0.0.0.0",
                         admin__serverPort=port)
    held = [zk.Link((address, port), source=(address, 0)) for _ in range(2)]
    servers.wait_until(lambda: not looks(port, address), 10, "the places of the address to be taken")
    server.wait_log(r'event=gate\.refused peer=%s:\d+ reason="too many connections from address"' % address)
    for link in held:
        link.close()
    servers.wait_until(lambda: looks(port, address), 10, "a place of the address")
    # All four places, from addresses that have two each.
    held = [servers.wait_until(lambda: holds(server, "127.0.0.%d" % (3 + index // 2)), 10, "a place")
            for index in range(4)]
    since = server.log_size()
    assert not looks(port, address) and opens(server, True) is None
    server.wait_log(r'event=gate\.refused peer=%s:\d+ reason="too many connections"' % address, since)
    # More of one address than it may have elsewhere, and than there are in all.
    held += [zk.Link(("127.0.0.1", port)) for _ in range(10)]
    assert looks(port, "127.0.0.1")
    held += [zk.Link(("127.0.0.1", port)) for _ in range(10)]
    servers.wait_until(lambda: not looks(port, "127.0.0.1"), 10, "a crowd to be refused")
    for link in held:
        link.close()
    servers.wait_until(lambda: looks(port, "127.0.0.1") and looks(port, address), 10, "places")
