"""The breadth of each real client, over mutual TLS and through a proxy that can take the line away.

The Go and Java programs run their checks themselves and say how each ended; kazoo's are here.
"""
import functools
import select
import threading
import time

import pytest
from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (AuthFailedError, BadVersionError, InvalidACLError, NoAuthError,
                              NoChildrenForEphemeralsError, NodeExistsError, NoNodeError, NotEmptyError,
                              RolledBackError, RuntimeInconsistency)
from kazoo.loggingsupport import BLATHER
from kazoo.protocol.states import EventType
from kazoo.recipe.partitioner import PartitionState
from kazoo.security import ACL, CREATOR_ALL_ACL, Id, Permissions, make_acl, make_digest_acl, make_digest_acl_credential

import zk_wire
from clients import Proxy, check_tour, serve_questions
from servers import wait_until

# kazoo 2.8.0 uses what Python 3.11 gives up.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:kazoo")

TIMEOUT_S = 10.0
PATIENCE_S = 20.0

GO_CHECKS = ["crud", "errors", "data", "children", "sequence", "ephemeral", "protected", "watches", "multi",
             "multi_fails", "acl_digest", "acl_x509", "sync", "lock", "reconnect", "close"]
JAVA_CHECKS = ["crud", "errors", "data", "modes", "create_stat", "children", "sync", "pipeline", "watches",
               "watch_order", "multi", "transaction", "multi_fails", "acl_digest", "acl_hidden", "acl_x509", "acl_ip",
               "config", "reconnect", "resume", "resume_wrong_password", "close"]


@pytest.fixture(scope="module")
def server(start_server):
    return start_server(tickTime=500)


@pytest.fixture
def proxy(server):
    made = Proxy(server.tls_port)
    yield made
    made.close()


def new_kazoo(authority, port, name="admin", **more):
    options = {"timeout": TIMEOUT_S, "connection_retry": {"max_tries": -1, "max_delay": 0.5}, **more}
    return KazooClient("127.0.0.1:%d" % port, use_ssl=True, ca=authority.ca, certfile=authority.cert(name),
                       keyfile=authority.key(name), **options)


@pytest.fixture
def connect(server, authority):
    """connect() gives a started kazoo client; more of them are more sessions."""
    clients = []

    def start(name="admin", port=None, **more):
        client = new_kazoo(authority, port or server.tls_port, name, **more)
        clients.append(client)
        client.start(30)
        return client
    yield start
    for client in clients:
        client.stop()
        client.close()


@pytest.fixture
def zk(connect):
    return connect()


@pytest.fixture
def root(zk, request):
    """A directory of the test's own."""
    path = "/kazoo-" + request.node.name.split("[")[0]
    zk.create(path)
    return path


# -- Go and Java ---------------------------------------------------------------------------------------


@pytest.fixture
def answers(proxy, zk):
    """What the programs ask for."""
    def cut(more):
        proxy.cut()
        zk.set(more["set"], b"changed")
        zk.delete(more["delete"])
        zk.create(more["create"])
        proxy.heal()
    return {"cut": cut}


def test_go_client(tools, proxy, authority, answers):
    client = tools.go("api", "provider-1", proxy.port, TIMEOUT_S, "-other-cert", authority.cert("provider-2"),
                      "-other-key", authority.key("provider-2"))
    serve_questions(client, answers)
    check_tour(client, GO_CHECKS)


def test_java_client(tools, proxy, authority, answers):
    client = tools.java("ApiCheck", "consumer-java", "127.0.0.1:%d" % proxy.port, "%d" % (TIMEOUT_S * 1000),
                        authority.cert("consumer-java"))
    serve_questions(client, answers)
    check_tour(client, JAVA_CHECKS)


def test_records_of_several_frames(server, zk):
    """Behind a TLS record with more than one frame stands another one in the socket.

    kazoo waits in select() between two frames and does not see what its TLS layer has decrypted already: were nothing
    behind it, it would sleep on the second frame until its next ping.
    """
    path, big = "/record", b"z" * 20_000
    zk.create(path, big)
    with server.link("admin") as link:
        sock = link.sock
        sock.sendall(zk_wire.frame(zk_wire.connect_body()))
        read_frame(sock)
        round_of = [zk_wire.get_data(path, watch=True), zk_wire.exists(path), zk_wire.ping(),
                    zk_wire.set_data(path, big), zk_wire.sync(path)]
        requests = [(xid, *round_of[(xid - 1) % len(round_of)]) for xid in range(1, 101)]
        sock.sendall(b"".join(zk_wire.frame(zk_wire.p_int(xid) + zk_wire.p_int(op) + body)
                              for xid, op, body in requests))
        frames, events, shared = 0, 0, 0
        while frames < 100:
            xid = int.from_bytes(read_frame(sock)[:4], "big", signed=True)
            if sock.pending() > 0:
                shared += 1
                assert select.select([sock.fileno()], [], [], TIMEOUT_S)[0], "nothing behind frame %d" % (frames + events)
            events += xid == -1
            frames += xid != -1
        assert events == 20 and shared > 0 and sock.pending() == 0


def test_kazoo_asks_much_at_once(connect, caplog):
    """No reply waits in its TLS layer until a ping's comes."""
    client = connect(timeout=600)
    client.create("/many", b"x" * 500)
    caplog.set_level(BLATHER)
    for count in [2, 3, 16, 300] * 5:
        asked = [client.get_async("/many") for _ in range(count)]
        assert all(one.get(timeout=TIMEOUT_S)[0] == b"x" * 500 for one in asked)
    assert "GetData(" in caplog.text
    assert caplog.text.count("Ping()") < 10


def read_frame(sock):
    def exactly(count):
        got = b""
        while len(got) < count:
            data = sock.recv(count - len(got))
            assert data, "closed"
            got += data
        return got
    return exactly(int.from_bytes(exactly(4), "big"))


# -- kazoo: znodes -------------------------------------------------------------------------------------


def test_kazoo_create_get_set_delete(zk, connect, root):
    other = connect()
    path = root + "/a"
    assert zk.create(path, b"one") == path
    data, stat = other.get(path)
    assert (data, stat.version, stat.dataLength, stat.ephemeralOwner) == (b"one", 0, 3, 0)
    assert stat.czxid == stat.mzxid == stat.pzxid > 0 and stat.ctime == stat.mtime
    changed = other.set(path, b"four", version=0)
    assert changed.version == 1 and changed.mzxid > stat.mzxid and changed.czxid == stat.czxid
    assert zk.exists(path) == changed == zk.get(path)[1]
    assert abs(changed.last_modified - time.time()) < 60
    zk.delete(path, version=1)
    assert other.exists(path) is None


def test_kazoo_errors(zk, root):
    zk.create(root + "/a")
    with pytest.raises(NodeExistsError):
        zk.create(root + "/a")
    with pytest.raises(NoNodeError):
        zk.create(root + "/no/child")
    with pytest.raises(NoNodeError):
        zk.get(root + "/no")
    with pytest.raises(BadVersionError):
        zk.set(root + "/a", b"", version=3)
    with pytest.raises(BadVersionError):
        zk.delete(root + "/a", version=3)
    zk.create(root + "/a/e", ephemeral=True)
    with pytest.raises(NotEmptyError):
        zk.delete(root + "/a")
    with pytest.raises(NoChildrenForEphemeralsError):
        zk.create(root + "/a/e/x")
    with pytest.raises(InvalidACLError):
        zk.create(root + "/acl", acl=[ACL(Permissions.ALL, Id("unheard-of", "x"))])


def test_kazoo_paths(zk, root):
    deep = root + "/a/b/c/d"
    zk.ensure_path(deep)
    zk.ensure_path(deep)
    assert zk.create(root + "/x/y/z", b"1", makepath=True) == root + "/x/y/z"
    path, stat = zk.create(root + "/create2", b"12", include_data=True)
    assert path == root + "/create2" and stat == zk.exists(path)
    odd = root + "/provider%3A%2F%2F10.0.0.1%3A20880%2Fü ö?&="
    zk.create(odd)
    children, stat = zk.get_children(root, include_data=True)
    assert sorted(children) == sorted(["a", "x", "create2", odd[len(root) + 1:]])
    assert stat.numChildren == stat.cversion == 4
    zk.delete(root + "/a", recursive=True)
    assert zk.exists(root + "/a") is None


def test_kazoo_sequence_and_ephemerals(zk, connect, root):
    other = connect()
    made = [zk.create(root + "/s-", sequence=True, ephemeral=i % 2 == 1) for i in range(6)]
    assert made == [root + "/s-%010d" % i for i in range(6)]
    assert other.exists(made[1]).ephemeralOwner == zk.client_id[0]
    zk.delete(made[5])
    assert other.create(root + "/s-", sequence=True, ephemeral=True) == root + "/s-0000000006"
    other.stop()
    assert sorted(zk.get_children(root)) == ["s-%010d" % i for i in range(5)]


def test_kazoo_large_data(zk, root):
    for size in 0, 1, 100_000, 1_000_000:
        zk.set(root, b"z" * size)
        assert zk.get(root)[0] == b"z" * size


def test_kazoo_async_order(zk, root):
    """A thousand requests under way, answered in their order, each read seeing the write before it."""
    done = []
    results = []
    for i in range(500):
        for result in zk.set_async(root, b"%d" % i), zk.get_async(root):
            result.rawlink(lambda r, n=len(results): done.append(n))
            results.append(result)
    assert [results[2 * i + 1].get(PATIENCE_S)[0] for i in range(500)] == [b"%d" % i for i in range(500)]
    wait_until(lambda: len(done) == 1000, PATIENCE_S, "all callbacks")
    assert done == sorted(done)


def test_kazoo_sync(zk, root):
    assert zk.sync(root) == root


def test_kazoo_transaction(zk, root):
    t = zk.transaction()
    t.create(root + "/a", b"1")
    t.create(root + "/a/s-", sequence=True)
    t.set_data(root + "/a", b"2", version=0)
    t.check(root + "/a", version=1)
    t.create(root + "/b")
    t.delete(root + "/b")
    res = t.commit()
    assert res[:2] == [root + "/a", root + "/a/s-0000000000"] and res[3:] == [True, root + "/b", True]
    assert res[2].version == 1 and res[2].czxid == res[2].mzxid
    assert zk.get(root + "/a")[0] == b"2" and zk.get_children(root) == ["a"]
    with zk.transaction() as t:
        t.delete(root + "/a/s-0000000000")
        t.delete(root + "/a")
    assert zk.get_children(root) == []


def test_kazoo_transaction_fails(zk, root):
    t = zk.transaction()
    t.create(root + "/a")
    t.check(root, version=9)
    t.create(root + "/b")
    assert [type(r) for r in t.commit()] == [RolledBackError, BadVersionError, RuntimeInconsistency]
    assert zk.get_children(root) == [] and zk.exists(root).cversion == 0


# -- kazoo: access -------------------------------------------------------------------------------------


def test_kazoo_acl_digest(zk, connect, root):
    anna = connect(auth_data=[("digest", "anna:secret")])
    path = root + "/anna"
    acl = [make_digest_acl("anna", "secret", all=True)]
    anna.create(path, b"x", acl=acl)
    for forbidden in (functools.partial(zk.get, path), functools.partial(zk.set, path, b""),
                      functools.partial(zk.get_children, path), functools.partial(zk.create, path + "/x"),
                      functools.partial(zk.set_acls, path, acl)):
        with pytest.raises(NoAuthError):
            forbidden()
    assert anna.get(path)[0] == b"x"
    assert anna.get_acls(path)[0] == acl
    zk.add_auth("digest", "anna:wrong")  # no failure, and no right
    with pytest.raises(NoAuthError):
        zk.get(path)
    zk.add_auth("digest", "anna:secret")
    assert zk.get(path)[0] == b"x"
    with pytest.raises(BadVersionError):
        anna.set_acls(path, acl, version=4)
    stat = anna.set_acls(path, [make_acl("world", "anyone", read=True)], version=0)
    assert (stat.aversion, stat.version) == (1, 0)
    with pytest.raises(NoAuthError):
        anna.set(path, b"y")


def test_kazoo_acl_hides_hashes(zk, connect, root):
    anna = connect(auth_data=[("digest", "anna:secret")])
    anna.create(root + "/a", acl=[make_digest_acl("anna", "secret", all=True), make_acl("world", "anyone", read=True)])
    shown, _ = zk.get_acls(root + "/a")
    assert shown[0].id == Id("digest", "anna:x")
    assert make_digest_acl_credential("anna", "secret") not in str(shown)


def test_kazoo_acl_x509(zk, connect, authority, root):
    """The certificate is the identity: `auth` and `x509` ACLs by its subject."""
    bob = connect("second")
    mine = ACL(Permissions.ALL, Id("x509", dn(authority, "admin")))
    zk.create(root + "/x509", b"x", acl=[mine])
    with pytest.raises(NoAuthError):
        bob.get(root + "/x509")
    assert connect("admin").get(root + "/x509")[0] == b"x"
    zk.create(root + "/auth", acl=CREATOR_ALL_ACL)
    assert mine in zk.get_acls(root + "/auth")[0]
    with pytest.raises(NoAuthError):
        bob.set(root + "/auth", b"")
    bobs = ACL(Permissions.ALL, Id("x509", authority.identity("second")))
    zk.create(root + "/bobs", b"b", acl=[bobs])
    assert bob.get(root + "/bobs")[0] == b"b"
    with pytest.raises(NoAuthError):
        zk.get(root + "/bobs")


def dn(authority, name):
    subject = authority.openssl("x509", "-in", authority.cert(name), "-noout", "-subject", "-nameopt", "RFC2253")
    return subject.strip().replace("subject=", "")


def test_kazoo_unknown_scheme_ends_the_session(connect):
    client = connect()
    with pytest.raises(AuthFailedError):
        client.add_auth("unheard-of", "x")


# -- kazoo: watches ------------------------------------------------------------------------------------


class Log(list):
    """Collects what a callback is given."""

    def __call__(self, *args):
        self.append(args[0] if len(args) == 1 else args)

    def wait(self, *expected):
        wait_until(lambda: len(self) >= len(expected), PATIENCE_S, "%s, have %s" % (expected, self))
        assert tuple(self) == expected
        self.clear()


def test_kazoo_watches(zk, connect, root):
    other = connect()
    seen = Log()

    def watch(event):
        seen((event.type, event.path))
    path = root + "/a"
    assert zk.exists(path, watch=watch) is None
    zk.get_children(root, watch=watch)
    other.create(path)
    seen.wait((EventType.CREATED, path), (EventType.CHILD, root))
    zk.get(path, watch=watch)
    other.set(path, b"1")
    seen.wait((EventType.CHANGED, path))
    other.set(path, b"2")  # one-shot
    zk.get(path, watch=watch)
    zk.get_children(root, watch=watch)
    other.delete(path)
    seen.wait((EventType.DELETED, path), (EventType.CHILD, root))
    zk.sync(root)
    assert seen == []


def test_kazoo_is_never_kept_waiting(zk, root):
    """An event and the reply to what caused it arrive together; kazoo must not sleep on the second."""
    for i in range(20):
        told = threading.Event()
        zk.get(root, watch=lambda event, told=told: told.set())
        begun = time.monotonic()
        zk.set(root, b"%d" % i)
        assert told.wait(PATIENCE_S)
        # It would be half of kazoo's read timeout, less 0.4 s: 2.9 s.
        assert time.monotonic() - begun < TIMEOUT_S / 5


def test_kazoo_data_watch(zk, connect, root):
    other = connect()
    path, seen = root + "/config", Log()
    zk.DataWatch(path, lambda data, stat: seen((data, stat and stat.version)))
    seen.wait((None, None))
    other.create(path, b"one")
    seen.wait((b"one", 0))
    other.set(path, b"two")
    seen.wait((b"two", 1))
    other.delete(path)
    seen.wait((None, None))


def test_kazoo_children_watch(zk, connect, root):
    other = connect()
    seen = Log()
    zk.ChildrenWatch(root, lambda children: seen(sorted(children)))
    seen.wait([])
    for count, name in enumerate(("a", "b", "c")):
        other.create(root + "/" + name, ephemeral=True)
        seen.wait(["a", "b", "c"][:count + 1])
    other.stop()
    wait_until(lambda: seen and seen[-1] == [], PATIENCE_S, "an empty list")


def test_kazoo_reconnect(zk, connect, proxy, root):
    """The session outlives its connection; recipes read again what changed meanwhile."""
    states, seen, data = Log(), Log(), Log()
    client = connect(port=proxy.port, auth_data=[("digest", "anna:secret")])
    session = client.client_id
    own = client.create(root + "/own", ephemeral=True)
    client.create(root + "/closed", b"x", acl=[make_digest_acl("anna", "secret", all=True)])
    client.ChildrenWatch(root, lambda children: seen(sorted(children)))
    client.DataWatch(root, lambda value, stat: data(value))
    seen.wait(["closed", "own"])
    data.wait(b"")
    client.add_listener(lambda state: states(state))
    proxy.cut()
    wait_until(lambda: states == [KazooState.SUSPENDED], PATIENCE_S, "the client to notice")
    zk.create(root + "/new")
    zk.set(root, b"changed")
    assert zk.exists(own).ephemeralOwner == session[0]
    proxy.heal()
    wait_until(lambda: seen and data, PATIENCE_S, "the changes")
    seen.wait(["closed", "new", "own"])
    data.wait(b"changed")
    assert states == [KazooState.SUSPENDED, KazooState.CONNECTED] and client.client_id == session
    assert client.get(root + "/closed")[0] == b"x"  # authenticated again
    assert zk.exists(own).ephemeralOwner == session[0]


def test_kazoo_session_expires(zk, connect, proxy, root):
    """Away for longer than the timeout: the ephemerals go, and the client hears that its session is lost."""
    states, gone = Log(), threading.Event()
    timeout_s = 2.0
    client = connect(port=proxy.port, timeout=timeout_s)
    session = client.client_id
    client.create(root + "/own", ephemeral=True)
    client.add_listener(lambda state: states(state))
    assert zk.exists(root + "/own", watch=lambda event: gone.set())
    proxy.cut()
    begun = time.monotonic()
    assert gone.wait(timeout_s + PATIENCE_S)
    assert time.monotonic() - begun >= timeout_s * 2 / 3 - 0.1
    assert zk.exists(root + "/own") is None
    proxy.heal()
    wait_until(lambda: KazooState.LOST in states and client.connected, PATIENCE_S, "LOST, and a new session")
    assert client.client_id[0] != session[0]


# -- kazoo: recipes ------------------------------------------------------------------------------------


def in_threads(*functions):
    threads = [threading.Thread(target=function, daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    return threads


def join(threads):
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_kazoo_lock(connect, root):
    clients = [connect() for _ in range(3)]
    inside, most, order = [], [], []

    def work(client, name):
        for _ in range(5):
            with client.Lock(root + "/lock", name):
                inside.append(name)
                most.append(len(inside))
                order.append(name)
                inside.remove(name)
    join(in_threads(*(functools.partial(work, client, str(i)) for i, client in enumerate(clients))))
    assert len(order) == 15 and max(most) == 1
    lock = clients[0].Lock(root + "/lock", "holder")
    assert lock.acquire(timeout=PATIENCE_S)
    other = clients[1].Lock(root + "/lock", "waiter")
    assert not other.acquire(blocking=False)
    assert lock.contenders() == ["holder"]
    clients[0].stop()  # a holder that goes gives it back
    assert other.acquire(timeout=PATIENCE_S)
    other.release()


def test_kazoo_read_write_locks_and_semaphore(connect, root):
    first, second = connect(), connect()
    readers = [c.ReadLock(root + "/rw") for c in (first, second)]
    for reader in readers:
        assert reader.acquire(timeout=PATIENCE_S)
    writer = first.WriteLock(root + "/rw")
    assert not writer.acquire(blocking=False)
    for reader in readers:
        reader.release()
    assert writer.acquire(timeout=PATIENCE_S)
    writer.release()
    leases = [c.Semaphore(root + "/sem", max_leases=2) for c in (first, second, first)]
    assert leases[0].acquire(timeout=PATIENCE_S) and leases[1].acquire(timeout=PATIENCE_S)
    assert not leases[2].acquire(blocking=False)
    leases[1].release()
    assert leases[2].acquire(timeout=PATIENCE_S)


def test_kazoo_election(connect, root):
    clients = [connect() for _ in range(3)]
    led, go = [], [threading.Event() for _ in clients]

    def lead(i):
        led.append(i)
        go[i].wait(PATIENCE_S)
    elections = [c.Election(root + "/election", str(i)) for i, c in enumerate(clients)]
    threads = []
    for i, election in enumerate(elections):
        threads += in_threads(functools.partial(election.run, lead, i))
        wait_until(lambda n=i: len(elections[0].contenders()) == n + 1, PATIENCE_S, "contender %d" % i)
    for i in range(3):
        wait_until(lambda n=i: led == list(range(n + 1)), PATIENCE_S, "leader %d" % i)
        go[i].set()
    join(threads)


def test_kazoo_party(connect, root):
    first, second = connect(), connect()
    one, two = first.Party(root + "/party", "one"), second.Party(root + "/party", "two")
    one.join()
    assert list(one) == ["one"]
    two.join()
    assert sorted(one) == ["one", "two"] and len(two) == 2
    shallow = second.ShallowParty(root + "/shallow", "three")
    shallow.join()
    assert list(first.ShallowParty(root + "/shallow")) == ["three"]
    second.stop()
    assert list(one) == ["one"]
    one.leave()
    assert first.get_children(root + "/party") == []


def test_kazoo_counter(connect, root):
    counters = [connect().Counter(root + "/counter") for _ in range(3)]

    def add(counter):
        for _ in range(10):
            counter += 1
    join(in_threads(*(functools.partial(add, counter) for counter in counters)))
    assert counters[0].value == 30
    counters[0] -= 5
    assert counters[1].value == 25


def test_kazoo_barriers_and_queues(connect, root):
    first, second = connect(), connect()
    barrier = first.Barrier(root + "/barrier")
    barrier.create()
    passed = []
    threads = in_threads(lambda: passed.append(second.Barrier(root + "/barrier").wait(PATIENCE_S)))
    assert not passed
    barrier.remove()
    join(threads)
    assert passed == [True]
    queue = first.Queue(root + "/queue")
    for i in range(5):
        queue.put(b"%d" % i, priority=200 - i)
    assert [second.Queue(root + "/queue").get() for _ in range(5)] == [b"4", b"3", b"2", b"1", b"0"]
    locking = first.LockingQueue(root + "/locking")
    locking.put(b"job")
    taker = second.LockingQueue(root + "/locking")
    assert taker.get(PATIENCE_S) == b"job" and taker.consume()


def test_kazoo_partitioner(connect, root):
    clients = [connect() for _ in range(2)]
    parts = [c.SetPartitioner(root + "/set", set=("a", "b", "c", "d"), identifier=str(i), time_boundary=0.1)
             for i, c in enumerate(clients)]

    def drive():
        for part in parts:
            if part.release:
                part.release_set()
        return all(part.state == PartitionState.ACQUIRED and len(list(part)) == 2 for part in parts)
    wait_until(drive, PATIENCE_S, "two halves")
    assert sorted([*parts[0], *parts[1]]) == ["a", "b", "c", "d"]
    for part in parts:
        part.finish()


def test_kazoo_four_letter_words(zk):
    """kazoo sends them over its own TLS settings."""
    assert zk.command(b"ruok") == "imok"
    assert zk.command(b"srvr").startswith("Zookeeper version: ")
    assert zk.server_version() >= (3, 5)
