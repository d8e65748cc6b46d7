"""The flow of a registry with real clients, over mutual TLS, each with a certificate of its own: Go programs
provide, Python and Java programs consume. What a consumer is told, when, and which lists it holds.
"""
import logging
import socket
import ssl
import threading
import time
import urllib.parse

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError
from kazoo.security import make_acl, make_digest_acl

import servers
import zk_wire
from clients import Proxy

# kazoo 2.8.0 uses what Python 3.11 gives up.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:kazoo")

SERVICE = "/HelloWorldService/1.0.0"
METER = "/meter"
ONE, TWO, THREE = "100.19.20.01:16888", "100.19.20.02:16888", "100.19.20.03:16888"
TICK_S = 0.5
SHORT_S = 4.0   # session timeout of who will be killed
LONG_S = 10.0   # of everybody else: the longest that this tick allows
GRACE_S = 0.5   # behind timeout and tick, beside what the machine itself takes just then
AT_ONCE_S = 3.0  # "at once", on a loaded machine; far from LONG_S


@pytest.fixture(scope="module")
def server(start_server):
    started = start_server(tickTime=int(TICK_S * 1000))
    make_meter(started)
    return started


def make_meter(server):
    """The directory that Meter writes to."""
    with server.client("admin") as client:
        assert client.call(zk_wire.create(METER)).err == 0


@pytest.fixture
def admin(authority):
    """admin(server) gives a kazoo client of the administrator."""
    clients = []

    def connect(server, **more):
        client = KazooClient("127.0.0.1:%d" % server.tls_port, timeout=LONG_S, use_ssl=True, ca=authority.ca,
                             certfile=authority.cert("admin"), keyfile=authority.key("admin"), **more)
        clients.append(client)
        client.start(30)
        return client
    yield connect
    for client in clients:
        client.stop()
        client.close()


def everyone(consumers, path, children, marks=None):
    """All consumers come to hold this list; the lines that say so."""
    marks = marks or [0] * len(consumers)
    return [consumer.wait_list(path, children, mark) for consumer, mark in zip(consumers, marks)]


class Meter:
    """Within it the way of a plain write to each consumer is timed, all the while: what the machine takes just now.

    The consumers watch METER too. A write there waits until the one before has been told and read.
    """

    PAUSE_S = 0.1

    def __init__(self, server, consumers):
        self.server = server
        self.consumers = consumers
        self.samples = []  # consumer, when written, when told
        self._failure = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self):
        try:
            with self.server.client("admin") as client:
                while not self._ended.wait(self.PAUSE_S):
                    self._sample(client)
        except Exception as failure:  # pylint: disable=broad-except
            self._failure = failure

    def _sample(self, client):
        marks = [consumer.mark() for consumer in self.consumers]
        written = time.monotonic()
        reply = client.call(zk_wire.create(METER + "/it"))
        children = ["it"]
        if reply.err != 0:
            written, children = time.monotonic(), []
            reply = client.call(zk_wire.delete(METER + "/it"))
        assert reply.err == 0, reply
        for consumer, mark in zip(self.consumers, marks):
            told = consumer.wait("watch", mark, path=METER)
            self.samples.append((consumer, written, told.at))
            consumer.wait_list(METER, children, mark)

    def delay(self, consumer, since):
        """The longest way to this consumer, of those that ended later than `since`. There has to be one."""
        return max(told - written for who, written, told in self.samples if who is consumer and told >= since)


def told_first(consumer, mark, path, children):
    """The line that tells of a change of children; the first list read then has to be this one."""
    told = consumer.wait("watch", mark, path=path)
    read = consumer.wait("list", mark, path=path)
    assert told["type"] == "NodeChildrenChanged"
    assert read["why"] == "watch" and read["children"] == sorted(children), consumer.story(METER)
    return told


def check_late(consumer, told, begun, earliest_s, latest_s):
    late = told.at - begun
    assert earliest_s <= late <= latest_s, "%s was told after %.2f s, not %.2f..%.2f s\n%s" % (
        consumer.name, late, earliest_s, latest_s, consumer.story(METER))


def kill_and_check(server, provider, consumers, path, children, timeout_s, tick_s):
    """A provider dies without a word: nobody hears before its session ends, all hear soon after.

    Its last ping may be a third of the timeout old (that is how often the Go client pings).
    """
    earliest_s, latest_s = timeout_s * 2 / 3 - 0.1, timeout_s + tick_s + GRACE_S
    marks = [consumer.mark() for consumer in consumers]
    with Meter(server, consumers) as meter:
        begun = time.monotonic()
        provider.kill()
        all_told = [told_first(consumer, mark, path, children) for consumer, mark in zip(consumers, marks)]
    for consumer, told in zip(consumers, all_told):
        check_late(consumer, told, begun, earliest_s, latest_s + meter.delay(consumer, begun + earliest_s))


def close_and_check(provider, consumers, path, children):
    """A provider says good-bye: all hear at once."""
    marks = [consumer.mark() for consumer in consumers]
    begun = time.monotonic()
    provider.close()
    for consumer, mark in zip(consumers, marks):
        check_late(consumer, told_first(consumer, mark, path, children), begun, 0, AT_ONCE_S)


def no_session_lost(clients):
    for client in clients:
        assert not client.since(0, "lost"), client.story()


def test_providers_come_and_go(server, tools):
    port = server.tls_port
    consumers = [tools.kazoo_consumer("consumer-kazoo", port, LONG_S, SERVICE, METER),
                 tools.java_consumer("consumer-java", port, LONG_S, SERVICE, METER)]
    for consumer in consumers:
        consumer.wait("absent", path=SERVICE)
    one = tools.provider("provider-1", port, SHORT_S, SERVICE + "/" + ONE)
    two = tools.provider("provider-2", port, LONG_S, SERVICE + "/" + TWO)
    for provider in one, two:
        provider.wait("registered")
    everyone(consumers, SERVICE, [ONE, TWO])

    kill_and_check(server, one, consumers, SERVICE, [TWO], SHORT_S, TICK_S)
    close_and_check(two, consumers, SERVICE, [])
    no_session_lost([two, *consumers])


def test_provider_ends_with_sigterm(server, tools, admin):
    """What systemd or Kubernetes send counts as good-bye too."""
    client = admin(server)
    provider = tools.provider("provider-1", server.tls_port, LONG_S, "/terminated/a", "/terminated/b")
    provider.wait("registered", count=2)
    begun = time.monotonic()
    provider.terminate()
    assert provider.wait_exit() == 0
    assert client.get_children("/terminated") == []
    assert time.monotonic() - begun < AT_ONCE_S


def test_dubbo_layout(server, tools, admin):
    root = "/dubbo/com.foo.BarService"
    query = "?application=demo&dubbo=2.0.2&methods=sayHello,sayBye&side=%s&version=1.0.0&timestamp=1700000000000"
    providers, consumers_at = root + "/providers", root + "/consumers"
    configurators, routers = root + "/configurators", root + "/routers"

    def name(url):
        return urllib.parse.quote(url, safe="")
    one, two = (name("dubbo://10.20.153.%d:20880/com.foo.BarService" % i + query % "provider") for i in (10, 11))
    mine = [name("consumer://10.20.153.%d/com.foo.BarService" % i + query % "consumer") for i in (20, 21)]
    watched = [providers, configurators, routers]
    port = server.tls_port
    consumers = [tools.kazoo_consumer("consumer-kazoo", port, LONG_S, *watched, METER, make=True,
                                      register=[consumers_at + "/" + mine[0]]),
                 tools.java_consumer("consumer-java", port, LONG_S, *watched, METER, make=True,
                                     register=[consumers_at + "/" + mine[1]])]
    for path in watched:
        everyone(consumers, path, [])
    first = tools.provider("provider-1", port, SHORT_S, providers + "/" + one)
    second = tools.provider("provider-2", port, LONG_S, providers + "/" + two)
    everyone(consumers, providers, [one, two])

    client = admin(server)
    assert sorted(client.get_children(root)) == ["configurators", "consumers", "providers", "routers"]
    assert sorted(client.get_children(consumers_at)) == sorted(mine)
    override = name("override://0.0.0.0/com.foo.BarService?category=configurators&dynamic=false&weight=200")
    client.create(configurators + "/" + override, b"127.0.0.1")
    everyone(consumers, configurators, [override])
    route = name("condition://0.0.0.0/com.foo.BarService?category=routers&rule=host = 10.20.* => host = 10.20.153.11")
    client.create(routers + "/" + route, b"")
    everyone(consumers, routers, [route])
    marks = [consumer.mark() for consumer in consumers]
    client.delete(configurators + "/" + override)
    everyone(consumers, configurators, [], marks)

    kill_and_check(server, first, consumers, providers, [two], SHORT_S, TICK_S)
    close_and_check(second, consumers, providers, [])
    for consumer in consumers:
        consumer.close()
    assert client.get_children(consumers_at) == []
    no_session_lost([second, *consumers])


# -- who does not get in ---------------------------------------------------------------------------------

REFUSED = {  # who, and the reason in the log of zoolited and of ZooKeeper
    "foreign": ("unable to get (local )?issuer certificate.*CN=mallory", "PKIX path building failed"),
    "expired": ("certificate has expired.*CN=methuselah", "CertificateExpiredException"),
    "none": ("no certificate", "Empty client certificate chain"),
    "plain": ("not a TLS peer", "not an SSL/TLS record"),
}


def reason_in_log(server, who, port=None):
    """What the log must say of a refusal; zoolited also says of whom, in the same line."""
    ours, zookeepers = REFUSED[who]
    if isinstance(server, servers.Zoolite):
        return r"gate\.refused.*127\.0\.0\.1:%s\b.*reason=.*%s" % (port or r"\d+", ours)
    return zookeepers


def knock(server, authority, who, version):
    """Ask for a session as `who`; our port, and everything the server answered, which must be nothing."""
    sock = socket.create_connection(("127.0.0.1", server.tls_port), 20)
    port = sock.getsockname()[1]
    request = zk_wire.frame(zk_wire.connect_body())
    got = b""
    try:
        if who != "plain":
            context = servers.tls_context(authority, None if who == "none" else who, minimum=version, maximum=version)
            sock = context.wrap_socket(sock)
        sock.sendall(request)
        while True:
            data = sock.recv(4096)
            if not data:
                return port, got
            got += data
    except (ssl.SSLError, ConnectionError):
        return port, got
    finally:
        sock.close()


def is_refused_and_logged(server, authority, who, version):
    """Knock once. That it is refused is asserted; that it is logged is told, because lines may be suppressed where
    there were many in this second."""
    since = server.log_size()
    port, got = knock(server, authority, who, version)
    is_alert = who == "plain" and got[:1] == b"\x15"
    assert is_alert or got == b"", "%s got %r" % (who, got)
    try:
        return server.wait_log(reason_in_log(server, who, port), since, deadline_s=2)
    except AssertionError:
        return None


@pytest.mark.parametrize("who", REFUSED)
def test_strangers_stay_outside(server, tools, authority, caplog, who):
    """No session, not one byte of the protocol, and a line in the log that names the reason."""
    versions = [ssl.TLSVersion.TLSv1_2]
    if isinstance(server, servers.Zoolite) and who != "plain":
        versions.append(ssl.TLSVersion.TLSv1_3)  # off in ZooKeeper, unless one asks for it
    for version in versions:
        servers.wait_until(lambda v=version: is_refused_and_logged(server, authority, who, v), 30, "a line in the log")

    since = server.log_size()
    certificate = None if who in ("none", "plain") else who
    go = tools.provider(certificate, server.tls_port, SHORT_S, "/stranger/go", plain=who == "plain",
                        name="go-stranger-" + who)
    show = {} if who in ("none", "plain") else {"certfile": authority.cert(who), "keyfile": authority.key(who)}
    caplog.set_level(logging.WARNING)
    kazoo = KazooClient("127.0.0.1:%d" % server.tls_port, timeout=SHORT_S, use_ssl=who != "plain", ca=authority.ca,
                        connection_retry={"max_tries": 2, "delay": 0.01, "max_delay": 0.1}, **show)
    kazoo.start_async()
    servers.wait_until(lambda: "Failed connecting to Zookeeper" in caplog.text, 30, "kazoo to be turned away thrice")
    assert not kazoo.connected
    kazoo.stop()
    kazoo.close()
    go.wait("connecting", count=2)  # turned away, and at it again
    assert not go.since(0, "session")
    server.wait_log(reason_in_log(server, who), since)
    go.kill()
    assert_alive_and_untouched(server)


def test_java_stranger_stays_outside(server, tools):
    """Java shows no certificate where the server names its CAs and the own one is of another."""
    since = server.log_size()
    java = tools.java_consumer("foreign", server.tls_port, SHORT_S, "/", make=True, register=["/stranger/java"])
    reason = "(?:%s)|(?:%s)" % (reason_in_log(server, "foreign"), reason_in_log(server, "none"))
    server.wait_log(reason, since, deadline_s=30)
    servers.wait_until(lambda: "Session 0x0 for server" in java.story(), 30, "the client to be turned away")
    assert not java.since(0, "session"), java.story()
    java.kill()
    assert_alive_and_untouched(server)


def assert_alive_and_untouched(server):
    with server.client("admin") as client:
        assert client.call(zk_wire.exists("/stranger")).err == -101


# -- restart -------------------------------------------------------------------------------------------


def grow(client):
    """Persistent znodes of all sorts: with data, without, changed, sequential, with ACLs, with dead siblings."""
    client.add_auth("digest", "anna:secret")
    client.create("/grown/null/empty", b"", makepath=True)
    for i in range(40):
        path = client.create("/grown/s-", b"x" * i * 97, sequence=True)
        for version in range(i % 4):
            client.set(path, b"version %d" % version)
        if i % 5 == 0:
            client.delete(path)
    anna = make_digest_acl("anna", "secret", all=True)
    client.create("/grown/closed", b"secret", acl=[anna])
    client.set_acls("/grown/null", [anna, make_acl("world", "anyone", read=True)])
    transaction = client.transaction()
    transaction.create("/grown/together")
    transaction.create("/grown/together/child", b"1")
    transaction.set_data("/grown/together", b"2")
    assert not [r for r in transaction.commit() if isinstance(r, Exception)]


def look(client, path="/"):
    """The whole tree: path -> (data, Stat, ACL, children)."""
    data, stat = client.get(path)
    acl, _ = client.get_acls(path)
    children = sorted(client.get_children(path))
    tree = {path: (data, stat, acl, children)}
    for child in children:
        tree.update(look(client, path.rstrip("/") + "/" + child))
    return tree


def changed_in(before, after):
    return ["%s:\n  %s\n  %s" % (path, before.get(path), after.get(path))
            for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]


@pytest.fixture
def new_proxy():
    """new_proxy(port) gives a line to that port that can be cut."""
    proxies = []

    def start(port):
        proxies.append(Proxy(port))
        return proxies[-1]
    yield start
    for proxy in proxies:
        proxy.close()


def test_restart_is_no_event(start_server, tools, admin, new_proxy):
    tick_s, doomed_s, timeout_s = 1.0, 8.0, 20.0
    server = start_server(tickTime=int(tick_s * 1000))
    make_meter(server)
    port = server.tls_port
    line = new_proxy(port)
    client = admin(server, command_retry={"max_tries": 30}, connection_retry={"max_tries": -1, "max_delay": 0.5})
    grow(client)
    consumers = [tools.kazoo_consumer("consumer-kazoo", line.port, timeout_s, SERVICE, METER),
                 tools.java_consumer("consumer-java", line.port, timeout_s, SERVICE, METER)]
    one = tools.provider("provider-1", port, doomed_s, SERVICE + "/" + ONE)
    two = tools.provider("provider-2", port, timeout_s, SERVICE + "/" + TWO)
    everyone(consumers, SERVICE, [ONE, TWO])
    sessions = {c: c.wait("session")["session"] for c in (one, two, *consumers)}
    tree, session = look(client), client.client_id
    assert tree[SERVICE + "/" + ONE][1].ephemeralOwner == int(sessions[one], 16)

    for end in server.kill, server.stop:
        marks = {c: c.mark() for c in sessions}
        end()
        server.start()
        for c, mark in marks.items():
            c.wait("disconnected", mark)
            assert c.wait("resumed", mark)["session"] == sessions[c]
        # Each consumer has read again, and never saw anything but both.
        for consumer in consumers:
            consumer.wait("list", marks[consumer], why="resumed", path=SERVICE)
            lists = consumer.since(marks[consumer], "list", path=SERVICE)
            assert all(line["children"] == [ONE, TWO] for line in lists), consumer.story()
            assert not consumer.since(marks[consumer], "watch"), consumer.story()
        now = client.retry(look, client)
        assert not changed_in(tree, now), "\n".join(changed_in(tree, now))
        assert client.client_id == session
        no_session_lost(sessions)

    # Time goes on: newer zxids, the next number; and who lives on is watched, timed and told as before.
    newest = max(stat.mzxid for _, stat, _, _ in tree.values())
    path = client.create("/grown/s-", b"", sequence=True)
    assert path == "/grown/s-%010d" % 43  # three others were made there beside the forty
    assert client.exists(path).czxid > newest
    with pytest.raises(NodeExistsError):
        client.create(SERVICE + "/" + ONE)
    marks = [consumer.mark() for consumer in consumers]
    line.cut()  # what happened behind a restart and a broken line is told too
    server.kill()
    server.start()
    three = tools.provider("provider-3", port, timeout_s, SERVICE + "/" + THREE)
    three.wait("registered")
    line.heal()
    everyone(consumers, SERVICE, [ONE, TWO, THREE], marks)
    consumers[1].wait("list", marks[1], why="watch", children=[ONE, TWO, THREE])  # by Java's setWatches
    one.wait("resumed", count=3)
    kill_and_check(server, one, consumers, SERVICE, [TWO, THREE], doomed_s, tick_s)
    close_and_check(two, consumers, SERVICE, [THREE])
    close_and_check(three, consumers, SERVICE, [])
    no_session_lost([two, three, *consumers])
