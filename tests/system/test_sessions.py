"""Sessions: negotiation, resuming, moving, refusal, expiry on time and never early."""
import socket
import threading
import time

import pytest

import certs
import servers
import zk_wire as zk

TICK_MS = 200
SLACK_S = 6.0  # an upper bound only, for slow machines and sanitizers


@pytest.fixture(name="quick", scope="module")
def fixture_quick(tmp_path_factory, authority):
    """A server with short ticks, so that sessions may be short."""
    server = servers.Zoolite(tmp_path_factory.mktemp("quick"), authority, config={"tickTime": TICK_MS})
    try:
        yield server.start()
        server.finish()
    finally:
        server.close()


def test_timeouts_are_negotiated(quick):
    for asked, granted in ((0, 2 * TICK_MS), (1, 2 * TICK_MS), (700, 700), (1 << 30, 20 * TICK_MS),
                           (-5, 2 * TICK_MS)):
        with quick.client(timeout=asked) as client:
            assert client.timeout_ms == granted
            client.close_session()


def test_bounds_of_timeouts_are_configurable(make_server):
    server = make_server(minSessionTimeout=1234, maxSessionTimeout=4321)
    for asked, granted in ((1, 1234), (2000, 2000), (99999, 4321)):
        with server.client(timeout=asked) as client:
            assert client.timeout_ms == granted


def test_session_ids_are_unique_and_plain(quick):
    clients = [quick.client(tls=False) for _ in range(50)]
    ids = {client.session_id for client in clients}
    assert len(ids) == 50
    # 0 is nobody; the highest byte is used up by ZooKeeper for containers and TTL znodes.
    assert all(0 < session < 1 << 56 for session in ids)
    assert len({client.password for client in clients}) == 50
    for client in clients:
        client.close_session()


def resume(server, old, **options):
    client = zk.Client(server.link(options.pop("certificate", "client"), options.pop("tls", None)))
    return client, client.connect(**{"session_id": old.session_id, "password": old.password,
                                     "timeout": old.timeout_ms, **options})


def test_resume_keeps_ephemerals(server):
    first = server.client()
    first.call(zk.create("/resume", flags=zk.EPHEMERAL))
    first.abandon()
    second, reply = resume(server, first)
    assert (reply.session_id, reply.password) == (first.session_id, first.password)
    assert second.call(zk.exists("/resume")).value.ephemeral_owner == first.session_id
    second.close_session()


def test_session_moves_and_the_old_connection_ends(server):
    first = server.client()
    second, reply = resume(server, first)
    assert reply.session_id == first.session_id
    assert first.link.wait_closed()
    assert second.call(zk.exists("/")).err == 0
    second.close_session()


def test_wrong_password_is_refused_and_leaves_the_owner_alone(server):
    owner = server.client()
    for password in (b"x" * 16, b"\0" * 16, None, b"", owner.password[:15], owner.password + b"x"):
        intruder = zk.Client(server.link())
        reply = intruder.connect(session_id=owner.session_id, password=password)
        assert (reply.timeout, reply.session_id, reply.password) == (0, 0, b"\0" * 16)
        assert intruder.link.wait_closed()
    assert owner.call(zk.exists("/")).err == 0
    owner.close_session()


def test_other_identity_is_refused_and_leaves_the_owner_alone(server):
    owner = server.client()
    for certificate, tls in (("second", True), ("chained", True), ("client", False)):
        intruder, reply = resume(server, owner, certificate=certificate, tls=tls)
        assert (reply.timeout, reply.session_id) == (0, 0), certificate
        assert intruder.link.wait_closed()
    assert owner.call(zk.exists("/")).err == 0
    again, reply = resume(server, owner)
    assert reply.session_id == owner.session_id
    again.close_session()


def test_renewed_certificate_resumes(make_server, authority):
    """The name counts, not the serial number."""
    server = make_server()
    owner = server.client()
    owner.abandon()
    authority.issue("renewed", certs.SUBJECTS["client"], extensions=certs.CLIENT_EXT)
    again, reply = resume(server, owner, certificate="renewed")
    assert reply.session_id == owner.session_id
    again.close_session()


def test_unknown_session_is_refused(server):
    for session in (1, -1, 0x7fffffffffffffff, 0x100000000):
        client = zk.Client(server.link())
        reply = client.connect(session_id=session, password=b"p" * 16)
        assert (reply.timeout, reply.session_id) == (0, 0)
        assert client.link.wait_closed()


def test_closed_session_cannot_be_resumed(server):
    client = server.client()
    client.close_session()
    _, reply = resume(server, client)
    assert reply.timeout == 0


def test_client_from_the_future_is_closed_without_a_reply(server):
    client = zk.Client(server.link())
    with pytest.raises(zk.Closed):
        client.connect(last_zxid_seen=0x7fffffffffffffff)


def test_expiry_is_on_time(quick):
    """Not before the timeout after the last word; ephemerals go, watchers are told, the id is dead."""
    timeout_s = 1.0
    with quick.client(tls=False) as watcher, quick.client(tls=False, timeout=1000) as victim:
        for name in ("a", "b", "c"):
            victim.call(zk.create("/expiry-" + name, flags=zk.EPHEMERAL))
            watcher.call(zk.exists("/expiry-" + name, watch=True))
        watcher.call(zk.get_children("/", watch=True))
        with zk.Pinger([watcher], 0.1):
            for _ in range(8):
                time.sleep(0.25)
                victim.ping()
            before = time.monotonic()
            victim.ping()
            after = time.monotonic()
        events = [watcher.wait_event(timeout=timeout_s + TICK_MS / 1000 + SLACK_S)]
        told = time.monotonic()
        assert told - before >= timeout_s
        assert told - after <= timeout_s + TICK_MS / 1000 + SLACK_S
        while len(events) < 4:
            events.append(watcher.wait_event())
        assert {(e.path, zk.EVENT_NAMES[e.type]) for e in events} == {
            ("/expiry-a", "NodeDeleted"), ("/expiry-b", "NodeDeleted"), ("/expiry-c", "NodeDeleted"),
            ("/", "NodeChildrenChanged")}
        assert len({e.zxid for e in events}) == 1  # one step
        for name in ("a", "b", "c"):
            assert watcher.call(zk.exists("/expiry-" + name)).err == -101
        assert victim.link.wait_closed()
        _, reply = resume(quick, victim, tls=False)
        assert reply.timeout == 0
        watcher.close_session()


def test_session_without_a_connection_expires_too(quick):
    with quick.client(tls=False) as watcher:
        victim = quick.client(timeout=600)
        victim.call(zk.create("/gone", flags=zk.EPHEMERAL))
        watcher.call(zk.exists("/gone", watch=True))
        before = time.monotonic()
        victim.abandon()
        with zk.Pinger([watcher], 0.1):
            quick.wait_log("event=session.expired session=0x%x" % victim.session_id,
                           deadline_s=0.6 + SLACK_S)
        assert time.monotonic() - before >= 0.5
        assert watcher.wait_event().path == "/gone"
        watcher.close_session()


@pytest.mark.parametrize("request_", [zk.auth("digest", "anna:secret"), zk.Request(zk.SASL, zk.p_buffer(b""))],
                         ids=["auth", "sasl"])
def test_authentication_is_no_sign_of_life(quick, request_):
    """As with ZooKeeper: who sends nothing else for its timeout loses its session, and its connection."""
    before = time.monotonic()
    with quick.client(tls=False, timeout=600) as client:
        with pytest.raises(zk.Closed):
            while time.monotonic() < before + 0.6 + SLACK_S:
                assert client.call(request_).err == 0
                time.sleep(0.05)
        assert time.monotonic() - before >= 0.5
        quick.wait_log("event=session.expired session=0x%x" % client.session_id)


def test_the_timeout_is_that_of_the_last_connect(quick):
    client = quick.client(tls=False, timeout=400)
    longer, reply = resume(quick, client, tls=False, timeout=4000)
    assert reply.timeout == 4000
    time.sleep(1.5)
    assert longer.ping().err == 0
    longer.close_session()


@pytest.mark.parametrize("end", ["stop", "kill"], ids=["SIGTERM", "SIGKILL"])
def test_changed_timeout_survives_a_restart(make_server, end):
    """A longer one is kept, and a shorter one too, though nothing else was written since."""
    server = make_server(tickTime=TICK_MS)
    longer, shorter = server.client(timeout=500), server.client(timeout=4000)
    watcher = server.client(timeout=4000)
    longer.call(zk.create("/longer", flags=zk.EPHEMERAL))
    shorter.call(zk.create("/shorter", flags=zk.EPHEMERAL))
    longer, reply = resume(server, longer, timeout=4000)
    assert reply.timeout == 4000
    shorter, reply = resume(server, shorter, timeout=500)
    assert reply.timeout == 500
    getattr(server, end)()
    server.start()
    watcher, _ = resume(server, watcher)
    watcher.call(zk.exists("/shorter", watch=True))
    assert watcher.wait_event(3).path == "/shorter"
    again, reply = resume(server, longer, timeout=4000)
    assert reply.session_id == longer.session_id
    assert again.call(zk.exists("/longer")).value.ephemeral_owner == longer.session_id
    server.wait_log("event=session.expired session=0x%x timeout_ms=500" % shorter.session_id)


@pytest.mark.alone
def test_any_request_keeps_a_session(quick):
    client = quick.client(tls=False, timeout=600)
    for index in range(12):
        time.sleep(0.2)
        assert client.call(zk.exists("/") if index % 2 else zk.set_data("/", b"")).err == 0
    client.close_session()


def test_stalled_server_expires_nobody_who_pinged(quick):
    """SIGSTOP for three timeouts: what clients sent meanwhile counts before anyone is judged."""
    clients = [quick.client(tls=index % 2 == 0, timeout=1000) for index in range(6)]
    for index, client in enumerate(clients):
        client.call(zk.create("/stalled-%d" % index, flags=zk.EPHEMERAL))
    with zk.Pinger(clients, 0.2) as pinger:
        quick.pause()
        time.sleep(3.0)
        quick.resume()
    assert pinger.failure is None
    for index, client in enumerate(clients):
        assert client.barrier().err == 0
        stat = client.call(zk.exists("/stalled-%d" % index)).value
        assert stat.ephemeral_owner == client.session_id
        client.close_session()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_stalled_server_expires_nobody_who_waits_at_the_door(quick, tls):
    """A client that came back in time, while the server was stopped, is let in again."""
    client = quick.client(tls=tls, timeout=1000)
    client.call(zk.create("/door", flags=zk.EPHEMERAL))
    quick.pause()
    client.abandon()
    result = []

    def come_back():
        result.append(resume(quick, client, tls=tls))
    thread = threading.Thread(target=come_back)
    thread.start()
    time.sleep(2.5)
    quick.resume()
    thread.join()
    again, reply = result[0]
    assert reply.session_id == client.session_id
    assert again.call(zk.exists("/door")).value.ephemeral_owner == client.session_id
    again.close_session()


@pytest.mark.alone
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_who_connected_in_time_may_ask_a_little_late(quick, tls):
    """The connection is there before the deadline, the connect request comes a moment after it."""
    client = quick.client(tls=tls, timeout=1000)
    client.call(zk.create("/late", flags=zk.EPHEMERAL))
    deadline = time.monotonic() + 1.0
    client.abandon()
    time.sleep(0.5)
    again = zk.Client(quick.link(tls=tls))
    time.sleep(max(0, deadline + 0.15 - time.monotonic()))
    assert again.connect(timeout=1000, session_id=client.session_id,
                         password=client.password).session_id == client.session_id
    assert again.call(zk.exists("/late")).value.ephemeral_owner == client.session_id
    again.close_session()


def test_silent_peers_hold_expiry_up_for_a_moment_only(quick):
    """Who connected in time and says nothing costs the others half a second, however many of them there are."""
    with quick.client(tls=False) as watcher, zk.Pinger([watcher], 0.1):
        victim = quick.client(timeout=1000)
        victim.abandon()
        since, before = quick.log_size(), time.monotonic()
        silent = [quick.link(tls=index % 2 == 0) for index in range(10)]
        quick.wait_log("event=session.expired session=0x%x" % victim.session_id, since)
        # 1.0 s of silence, the tick, half a second; the rest is a slow machine's.
        assert time.monotonic() - before < 1.0 + 0.5 + TICK_MS / 1000 + 2
        for link in silent:
            link.close()


@pytest.mark.alone
def test_busy_client_starves_nobody(quick):
    """One session pipelines without end; another, with a short timeout, only pings."""
    quiet = quick.client(tls=False, timeout=400)
    with quick.client(tls=False) as busy, zk.Pinger([quiet], 0.1) as pinger:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            busy.call_all([zk.set_data("/", b"x" * 1000) for _ in range(500)])
        busy.close_session()
    assert pinger.failure is None
    assert quiet.barrier().err == 0
    quiet.close_session()


def test_who_takes_no_replies_expires_on_time(quick):
    """What waits for a dead peer is no excuse for its silence."""
    with quick.client(tls=False) as watcher, zk.Pinger([watcher], 0.1):
        victim = quick.client(tls=False, timeout=1000)
        watching = quick.client(tls=False)
        assert victim.call(zk.create("/deaf", b"x" * 900000, flags=zk.EPHEMERAL)).err == 0
        assert watching.call(zk.exists("/deaf", watch=True)).err == 0
        before = time.monotonic()
        victim.submit_all([zk.get_data("/deaf")] * 30)
        assert watching.wait_event().path == "/deaf"
        # 1.0 s of silence, the tick, half a second; the rest is a slow machine's. What nobody takes is given up after 10 s.
        assert time.monotonic() - before < 1.0 + TICK_MS / 1000 + 0.5 + 4
        watching.close_session()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_stalled_server_expires_nobody_in_a_long_request(quick, tls):
    """It stops while a request is half sent; the rest is still with the client when it goes on."""
    client = quick.client(tls=tls, timeout=1500)
    client.call(zk.create("/upload", flags=zk.EPHEMERAL))
    client.link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    xid, data = client.prepare(zk.set_data("/upload", b"x" * 900000))
    ready = threading.Event()

    def upload():
        for start in range(0, len(data), 32768):
            client.link.send(data[start:start + 32768])
            time.sleep(0.03)
            if start > 5 * 32768:
                ready.set()
    thread = threading.Thread(target=upload)
    thread.start()
    assert ready.wait(20)
    quick.pause()
    time.sleep(2.5)
    quick.resume()
    thread.join()
    assert client.wait(xid).err == 0
    assert client.call(zk.exists("/upload")).value.ephemeral_owner == client.session_id
    client.close_session()
