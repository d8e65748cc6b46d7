"""What one peer does to cost the others: descriptors, silence, floods; and a crowd at the door."""
import socket
import threading
import time

import pytest

import servers
import zk_wire as zk

PING = zk.frame(zk.p_int(-2) + zk.p_int(11))


def limited(server, limit):
    """Start it under this `ulimit -n`."""
    command = server.command
    server.command = lambda: ["sh", "-c", 'ulimit %s && exec "$@"' % limit, "sh", *command()]
    return server.start()


def open_files(server):
    with open("/proc/%d/limits" % server.process.pid, encoding="ascii") as file:
        for line in file:
            if line.startswith("Max open files"):
                return [int(word) for word in line.split()[3:5]]
    raise AssertionError("no open files in /proc")


def test_peers_do_not_take_the_descriptors_of_the_store(make_server):
    """More idle sockets than descriptors: the late ones are refused, and writing goes on."""
    server = limited(make_server.new(zoolite__segmentSize="256k", zoolite__monitorPort=servers.free_ports(1)[0]),
                     "-n 100")
    server.wait_log(r"event=server\.connections most=\d+ .*descriptors")
    client = server.client(tls=False)
    assert client.call(zk.create("/d")).err == 0
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(150)]
    server.wait_log(r"event=gate\.refused.*too many connections")
    # Enough for several segments of the log: each of them needs files.
    for _ in range(20):
        assert all(reply.err == 0 for reply in client.call_all([zk.set_data("/d", b"x" * 5000)] * 20))
    monitor = server.config["zoolite.monitorPort"]
    answer = server.four_letter_word("mntr", tls=False, port=monitor).decode()
    refused = dict(line.split("\t", 1) for line in answer.splitlines())["zk_connections_refused"]
    assert int(refused) >= 150 - 100
    assert "gate.starved" not in server.log()
    for sock in idle:
        sock.close()
    again = servers.wait_until(lambda: opens(server), 10, "a place")
    assert len(again.call(zk.get_data("/d")).value.data) == 5000
    assert server.is_running()


def opens(server):
    """A session, or None where the connection was refused."""
    try:
        return server.client(tls=False)
    except (OSError, zk.Closed):
        return None


def test_soft_limit_of_descriptors_is_raised(make_server):
    server = limited(make_server.new(tls=False), "-Sn 80 && ulimit -Hn 300")
    assert open_files(server) == [300, 300]
    links = [server.link(tls=False) for _ in range(150)]
    client = server.client(tls=False)
    assert client.call(zk.create("/d")).err == 0
    assert "gate.refused" not in server.log()
    for link in links:
        link.close()


def crowd(server, count, tls, timeout):
    clients = []
    while len(clients) < count:
        clients += [server.client(tls=tls, timeout=timeout) for _ in range(20)]
        # The first must not expire before the last is there.
        for client in clients:
            client.ping()
    for client in clients:
        client.call(zk.create("/here-%d" % client.session_id, flags=zk.EPHEMERAL))
    return clients


def assert_nobody_expired(server, clients, links):
    for client, link in zip(clients, links):
        assert zk.decode_connect_reply(link.receive(20)).session_id == client.session_id
    assert "session.expired" not in server.log()
    with server.client() as other:
        names = other.call(zk.get_children("/")).value.names
        assert {"here-%d" % client.session_id for client in clients} <= set(names)


def resume_body(client, timeout):
    return zk.connect_body(timeout, client.session_id, client.password)


def test_crowd_at_the_door_after_a_stop(make_server):
    """All clients come back while the server stands still, longer than their sessions last."""
    server = make_server(tickTime=500)
    clients = crowd(server, 400, False, 4000)
    for client in clients:
        client.ping()
    server.pause()
    links = []
    for client in clients:
        client.link.close()
        links.append(server.link(tls=False))
        links[-1].send_frame(resume_body(client, 4000))
    time.sleep(4.5)
    server.resume()
    assert_nobody_expired(server, clients, links)


def test_crowd_at_the_door_with_tls(make_server):
    """The same with handshakes, which need answers of the server that stands still."""
    server = make_server(tickTime=500)
    clients = crowd(server, 60, True, 2000)
    links = [None] * len(clients)

    def come_back(index):
        links[index] = server.link(timeout=30)
        links[index].send_frame(resume_body(clients[index], 2000))
    for client in clients:
        client.ping()
    server.pause()
    for client in clients:
        client.link.close()
    threads = [threading.Thread(target=come_back, args=(index,)) for index in range(len(clients))]
    for thread in threads:
        thread.start()
    time.sleep(2.5)
    server.resume()
    for thread in threads:
        thread.join()
    assert_nobody_expired(server, clients, links)


@pytest.mark.alone
def test_silent_peers_in_all_places(make_server):
    """Peers that connect and say nothing do not keep the others out."""
    server = make_server(zoolite__maxHandshakes=10)
    established = server.client()
    silent = [socket.create_connection(("127.0.0.1", server.tls_port)) for _ in range(10)]
    time.sleep(0.2)
    began = time.monotonic()
    with server.client() as client:
        assert client.call(zk.exists("/")).err == 0
    # Who says nothing has little time where others wait; a handshake's own deadline is later.
    assert time.monotonic() - began < 4
    server.wait_log(r"event=gate\.refused.*handshake timed out")
    assert server.metric("handshakes_expired") >= 1
    server.wait_log(r"event=gate\.full .*waiting=[1-9]")
    assert server.metric("handshakes_full") >= 1
    assert established.call(zk.exists("/")).err == 0
    for sock in silent:
        sock.close()


class Worst(threading.Thread):
    """An ordinary client, and how long its slowest request took."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.client = server.client()
        self.seconds = 0
        self.count = 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.005):
            began = time.monotonic()
            self.client.call(zk.exists("/"))
            self.seconds = max(self.seconds, time.monotonic() - began)
            self.count += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


@pytest.mark.alone
def test_pings_behind_requests_that_wait(make_server):
    """Thousands of pings behind a reply that nobody takes: answered, in order, and nobody waits for it."""
    server = make_server()
    client = server.client(tls=False)
    client.call(zk.create("/big", b"x" * 1000000))
    burst = b"".join(client.prepare(request)[1] for request in (
        zk.set_data("/big", b"y" * 1000000), zk.get_data("/big"), zk.get_data("/big"), zk.exists("/")))
    pings = 4000
    with Worst(server) as ordinary:
        client.link.send(burst + PING * pings)
        pongs = 0
        while pongs < pings or client.pending:
            body = client.link.receive(20)
            if zk.Reader(body).int() == -2:
                pongs += 1
            else:
                client.take_frame(body)
    assert pongs == pings
    assert ordinary.seconds < 1
    assert client.call(zk.exists("/big")).err == 0
