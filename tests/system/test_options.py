"""That options arrive where they act: each test here fails where the server does not pass its option on."""
import glob
import os
import sqlite3
import socket
import struct
import subprocess

import pytest

import servers
import zk_wire as zk

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST_DUMP = 0x301
NLMSG_DONE = 3
TCP_LISTEN = 10


def listener(port):
    """(connections that wait to be accepted, how many may) of the socket that listens at 127.0.0.1 and this port."""
    body = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 1 << TCP_LISTEN) + bytes(48)
    head = struct.pack("=IHHII", 16 + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(10)
        netlink.send(head + body)
        found = None
        while True:
            data = netlink.recv(1 << 16)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == NLMSG_DONE:
                    assert found, "nobody listens at %d" % port
                    return found
                assert kind == SOCK_DIAG_BY_FAMILY, "netlink answers %d" % kind
                if struct.unpack_from(">H", data, 20)[0] == port:
                    found = struct.unpack_from("=II", data, 72)
                data = data[(length + 3) & ~3:]


def test_log_directory(make_server, tmp_path):
    """The log of changes lies in dataLogDir, and nothing of it in dataDir."""
    apart = str(tmp_path / "apart")
    server = make_server(dataLogDir=apart)
    with server.client() as client:
        assert client.call(zk.create("/logged", b"")).err == 0
        client.close_session()
    assert not glob.glob(os.path.join(server.data_dir, "**", "0*.db"), recursive=True)
    # The one behind it may be in the making.
    log = sqlite3.connect("file:%s?mode=ro" % min(glob.glob(os.path.join(apart, "log", "*.db"))), uri=True)
    assert ("/logged",) in log.execute("SELECT path FROM change").fetchall()
    log.close()
    server.restart()
    with server.client() as client:
        assert client.call(zk.exists("/logged")).err == 0
        client.close_session()


def test_backlog(make_server):
    server = make_server(clientPortListenBacklog=7)
    assert listener(server.port)[1] == 7
    assert listener(server.tls_port)[1] == 7


@pytest.mark.parametrize("most, waits", [(1000, True), (None, False)])
def test_lag(make_server, most, waits):
    """More rows than that which the tree does not have yet, for it is given a minute: writers wait."""
    server = make_server(zoolite__maxLag=most, zoolite__replayDelay="1m", zoolite__replayBatch=1000000)
    client = server.client(tls=False)
    first = client.submit_all([zk.create("/%04d" % index) for index in range(990)])
    assert all(client.wait(xid).err == 0 for xid in first)
    assert server.metric("connections_parked") == 0
    rest = client.submit_all([zk.create("/more-%04d" % index) for index in range(100)])
    if waits:
        servers.wait_until(lambda: server.metric("connections_parked") > 0, 10, "a connection to wait")
        assert rest[-1] not in client.done
    else:
        assert all(client.wait(xid).err == 0 for xid in rest)
        assert server.metric("connections_parked") == 0


def test_threads_of_the_gate(make_server):
    few, many = (make_server(zoolite__gateThreads=count) for count in (1, 6))
    threads = [len(os.listdir("/proc/%d/task" % server.process.pid)) for server in (few, many)]
    assert threads[1] - threads[0] == 5


def test_password_of_the_key_in_a_file(make_server, authority, tmp_path):
    """The server starts with a locked key, and reads another password when it reloads."""
    def lock(name, password):
        path = str(tmp_path / name)
        subprocess.run(["openssl", "pkcs8", "-topk8", "-in", authority.key("server"), "-out", path, "-passout",
                        "pass:" + password], check=True)
        with open(authority.cert("server"), encoding="ascii") as cert, open(path, "a", encoding="ascii") as file:
            file.write(cert.read())
        return path
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o600)
    server = make_server(ssl__keyStore__location=lock("first.pem", "hunter2"), ssl__keyStore__password="wrong",
                         ssl__keyStore__passwordPath=str(secret))
    server.client().close_session()
    server.config["ssl.keyStore.location"] = lock("second.pem", "hunter3")
    server.write_config()
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.refused.*second\.pem", since)
    secret.write_text("hunter3\n")
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.done", since)
    server.client().close_session()


@pytest.mark.parametrize("name", ["netty.server.outstandingHandshake.limit", "zoolite.maxHandshakes"])
def test_handshakes_at_once(make_server, name):
    """One more than may be under way stays in the backlog. Room is made after a while, so look again if need be."""
    server = make_server(**{name.replace(".", "__"): 2})

    def one_waits():
        links = [zk.Link(("127.0.0.1", server.tls_port)) for _ in range(2)]
        servers.wait_until(lambda: listener(server.tls_port)[0] == 0, 10, "an empty backlog")
        links.append(zk.Link(("127.0.0.1", server.tls_port)))
        # Who came later, to a port that has room, is accepted and answered.
        assert server.four_letter_word("ruok", tls=False) == b"imok"
        waits = listener(server.tls_port)[0]
        for link in links:
            link.close()
        return waits == 1
    servers.wait_until(one_waits, 20, "a connection that is not accepted")


def test_repetition_is_told(make_server):
    server = make_server(zookeeper__tickTime=1700)
    number = list(server.config).index("zookeeper.tickTime") + 1
    server.wait_log(r"level=info event=config\.repeated property=zookeeper\.tickTime line=%d$" % number)
    assert b"tickTime=1700\n" in server.four_letter_word("conf")
