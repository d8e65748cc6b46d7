"""Named attacks on the whole server, and an ordinary client beside each: it loses no request and no session, memory
stays bounded and comes back, and the log and the counters say what was refused. How long its requests took is told, as
a ratio to the same without the attack, and asserted of nobody. ZOOLITE_LONG=1 attacks ten times as long.

Figures of memory hold for an ordinary build: $ZOOLITED_PLAIN names one to use beside one with sanitizers."""
import os
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import attackers  # noqa: E402
import certs  # noqa: E402
import servers  # noqa: E402
import zk_wire as zk  # noqa: E402

pytestmark = pytest.mark.alone

LONG = os.environ.get("ZOOLITE_LONG") == "1"
SECONDS = 20 if LONG else 2
QUIET_S = 0.7
PEAK = 64 << 20
LEFT = 16 << 20
BACK_WITHIN_S = 20
TICK_MS = 1000
SESSION_MS = 4000


@pytest.fixture(scope="module", name="authority")
def fixture_authority(tmp_path_factory):
    return certs.make_authority(tmp_path_factory.mktemp("certificates"))


class Ordinary(threading.Thread):
    """A client as there are many: it registers, changes, reads, pings; and notes how long each took."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.client = server.client(timeout=SESSION_MS)
        self.name_ = "/ordinary-%x" % self.client.session_id
        self.reads, self.writes = [], []  # seconds
        self.failure = None
        self.over = threading.Event()
        self.ok(zk.create(self.name_ + "-owned", flags=zk.EPHEMERAL), self.writes)
        self.ok(zk.create(self.name_ + "-data"), self.writes)
        self.start()

    def ok(self, request, seconds):
        began = time.monotonic()
        reply = self.client.call(request)
        seconds.append(time.monotonic() - began)
        assert reply.err == 0, "%s: %d" % (zk.OP_NAMES[request.op], reply.err)
        return reply.value

    def round(self, number):
        data = b"%d" % number
        self.ok(zk.set_data(self.name_ + "-data", data), self.writes)
        assert self.ok(zk.get_data(self.name_ + "-data"), self.reads).data == data
        self.ok(zk.create(self.name_ + "-now", flags=zk.EPHEMERAL), self.writes)
        self.ok(zk.delete(self.name_ + "-now"), self.writes)
        began = time.monotonic()
        self.client.ping()
        self.reads.append(time.monotonic() - began)

    def run(self):
        number = 0
        try:
            while not self.over.wait(0.01):
                number += 1
                self.round(number)
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def take_seconds(self):
        taken, (self.reads, self.writes) = (self.reads, self.writes), ([], [])
        return taken

    def end(self, server):
        """No request failed, and what it registered in the beginning is still there, and still its own."""
        self.over.set()
        self.join()
        assert self.failure is None, "the ordinary client: %r" % self.failure
        with server.client() as other:
            stat = other.call(zk.exists(self.name_ + "-owned")).value
            assert stat.ephemeral_owner == self.client.session_id
            other.close_session()
        self.client.close_session()


def p99(seconds):
    return sorted(seconds)[len(seconds) * 99 // 100]


def figures(what, attacked, quiet):
    return "%d %s, p99 %.1f ms, %.1f ms without attack (%.1f times), slowest %.0f ms" % (
        len(attacked), what, p99(attacked) * 1e3, p99(quiet) * 1e3, p99(attacked) / p99(quiet), max(attacked) * 1e3)


class Field:
    """A server, its ordinary client, and what is measured while it is attacked."""

    def __init__(self, server, capsys):
        self.server = server
        self.capsys = capsys
        self.measures = not servers.is_sanitized(server.binary)
        self.ordinary = Ordinary(server)
        self.running = []

    def begin(self):
        time.sleep(QUIET_S)
        self.quiet = self.ordinary.take_seconds()
        self.before = self.server.memory()
        self.server.forget_peak()

    def attack(self, kind, **options):
        authority = self.server.authority
        options.setdefault("certificates", [authority.both("client")])
        self.running.append(attackers.Attack(kind, **{"port": self.server.tls_port, "seconds": SECONDS, **options}))

    def wait_over(self):
        """What the attackers did; the memory and the ordinary client are judged, and the figures told."""
        did = [attack.wait_over() for attack in self.running]
        attacked = self.ordinary.take_seconds()
        grown = self.server.memory("VmHWM") - self.before
        self.ordinary.end(self.server)
        if self.measures:
            assert grown <= PEAK, "%d MiB at most" % (grown >> 20)
            servers.wait_until(lambda: self.server.memory() <= self.before + LEFT, BACK_WITHIN_S,
                               "memory to come back")
        self.tell(grown, attacked)
        return did

    def tell(self, grown, attacked):
        with self.capsys.disabled():
            print("\n%s: %s; %s; memory +%.1f MiB at most, %+.1f MiB afterwards" % (
                os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].split(" ")[0],
                figures("reads and pings", attacked[0], self.quiet[0]), figures("writes", attacked[1], self.quiet[1]),
                grown / 2**20, (self.server.memory() - self.before) / 2**20))

    def close(self):
        for attack in self.running:
            attack.close()


@pytest.fixture(name="field")
def fixture_field(tmp_path, authority, capsys):
    if servers.find_zoolited() is None:
        pytest.fail("no zoolited binary: set ZOOLITED")
    made = []

    def begin(prepare=None, **config):
        settings = {"tickTime": TICK_MS, "maxClientCnxns": 60, **{
            key.replace("__", "."): value for key, value in config.items()}}
        server = servers.Zoolite(tmp_path / "server", authority, config=settings,
                                 binary=os.environ.get("ZOOLITED_PLAIN") or None)
        made.append(server)
        server.start()
        if prepare:
            prepare(server)
        field = Field(server, capsys)
        made.insert(0, field)
        field.begin()
        return field

    yield begin
    for thing in made:
        thing.close()


def assert_stayed(field):
    """To be asked last: the server ends well, and nobody's session ran out but an attacker's."""
    assert field.server.is_running()
    assert "session=0x%x " % field.ordinary.client.session_id not in field.server.log()
    field.server.finish()


def test_half_open_connections(field):
    """5,000 that say nothing, from as many addresses as it takes, and more from one; a newcomer gets in meanwhile."""
    here = field(ssl__handshakeDetectionTimeoutMillis=1500)
    server = here.server
    here.attack("half_open", first=900, addresses=1, count=100, port=server.port, seconds=0.5)
    server.wait_log(r'event=gate\.refused peer=127\.1\.3\.151:\d+ reason="too many connections from address"')
    here.running[0].wait_over()
    for first in range(0, 500, 100):
        here.attack("half_open", first=first, addresses=100, count=1000, seconds=SECONDS + 1)
    for attack in here.running[1:]:
        attack.wait_ready()
    began = time.monotonic()
    Ordinary(server).end(server)
    with here.capsys.disabled():
        print("\na newcomer was in after %.1f s" % (time.monotonic() - began))
    here.running.pop(0).close()
    did = here.wait_over()
    assert sum(each["begun"] for each in did) >= 5000
    server.wait_log(r'event=gate\.refused peer=\S+ reason="handshake timed out"')
    assert server.metric("handshakes_expired") > 0
    assert_stayed(here)


@pytest.mark.parametrize("limit", [0, 5], ids=["unlimited", "limited"])
def test_bad_certificates(field, authority, limit):
    """Where failures of an address are limited, most of them cost no work with keys."""
    here = field(zoolite__maxFailures=limit)
    bad = [authority.both(name) for name in ("selfsigned", "foreign", "expired")] + [None]
    for first in range(0, 30, 10):
        here.attack("bad_certificates", certificates=bad, first=first, addresses=4)
    did = here.wait_over()
    server = here.server
    tried = sum(each["tried"] for each in did)
    assert tried > 0 and sum(each["let_in"] for each in did) == 0
    servers.wait_until(lambda: server.metric("connections_rejected_tls") + server.metric("connections_suspected") ==
                       tried, 10, "the last to be refused")
    suspected = server.metric("connections_suspected")
    if limit == 0:
        assert suspected == 0
    else:
        # Who was told that it failed may come again before the failure is noted.
        assert 12 * limit <= tried - suspected <= 12 * (limit + 1)
        server.wait_log(r'event=gate\.refused peer=\S+ reason="too many failed handshakes from address"')
    server.wait_log(r'event=gate\.refused peer=127\.1\.0\.\d+:\d+ reason="?[^\n]*certificate')
    assert server.metric("sessions_opened") <= 3
    assert_stayed(here)


def test_a_byte_a_second(field):
    """Within a handshake or a connect request it gives nobody more time."""
    here = field(ssl__handshakeDetectionTimeoutMillis=1000, zoolite__firstRequestTimeout=1000)
    here.attack("drip", count=100, timeout_ms=2000, seconds=SECONDS + 1.5)
    did = here.wait_over()[0]
    # Who has a session may be slow at a request: that costs what pings cost.
    assert did["cut"] == 200 and did["left"] == 100
    server = here.server
    assert server.metric("handshakes_expired") == 100
    assert server.metric("sessionless_connections_expired") == 100
    server.wait_log(r'event=gate\.refused peer=\S+ reason="handshake timed out"')
    server.wait_log(r'event=conn\.failed peer=\S+ reason="no session was asked for in time"')
    assert_stayed(here)


def test_large_frames_of_strangers(field):
    """1 MB announced before there is a session: closed by the length alone, whatever comes behind it."""
    here = field()
    here.attack("announce", tls=True, first=0, count=500, parts=1)
    here.attack("announce", tls=True, first=200, count=500, parts=64)
    here.attack("announce", tls=False, first=400, count=1000, parts=64, port=here.server.port)
    announced = sum(each["announced"] for each in here.wait_over())
    server = here.server
    assert announced > 0
    servers.wait_until(lambda: server.metric("connections_failed") >= announced, 10, "all of them to be refused")
    server.wait_log(r"event=conn\.failed peer=127\.1\.\S+ reason=\"[^\n]*frame")
    assert server.metric("buffered_bytes") < 1 << 20
    assert_stayed(here)


def test_readers_that_never_read(field):
    """70 sessions ask for 100 MB each, and read nothing: the heaviest go, and those that take nothing for a while."""
    def prepare(server):
        with server.client() as client:
            assert client.call(zk.create("/large", b"x" * 1000000)).err == 0
            client.close_session()
    here = field(prepare, zoolite__unsentTimeout=1000)
    here.attack("unread", path="/large", count=70)
    did = here.wait_over()[0]
    server = here.server
    assert did["cut"] > 0
    assert server.metric("connections_shed") + server.metric("connections_failed") > 0
    server.wait_log(r"event=conn\.failed peer=127\.1\.\S+ reason=")
    servers.wait_until(lambda: server.metric("buffered_bytes") < 1 << 20, 10, "what was held to be given back")
    assert_stayed(here)


def write_frames(tmp_path, requests):
    path = str(tmp_path / "frames")
    with open(path, "wb") as file:
        file.write(b"".join(zk.request_frame(request, xid) for xid, request in enumerate(requests, 1)))
    return path


def test_watches_without_end(field, tmp_path):
    """100,000 of one client, and one more, which ends its connection."""
    here = field()
    paths = ["/watched-%06d" % number for number in range(100001)]
    requests = [zk.exists(path, watch=True) for path in paths[:20000]]
    requests += [zk.set_watches(0, [], paths[start:start + 1000]) for start in range(20000, 100000, 1000)]
    requests += [zk.exists(paths[-1], watch=True)] * 2
    here.attack("flood", file=write_frames(tmp_path, requests))
    did = here.wait_over()[0]
    server = here.server
    assert did["rounds"] == did["closed"] == server.metric("watches_refused") > 0
    server.wait_log(r"event=conn\.failed peer=127\.1\.\S+ reason=[^\n]*watches")
    assert server.metric("watch_count") == 0
    assert_stayed(here)


def test_identities_without_end(field, tmp_path):
    """20,000 logins on one connection."""
    here = field()
    requests = [zk.auth("digest", b"user%d:password" % number) for number in range(20000)]
    here.attack("flood", file=write_frames(tmp_path, requests))
    did = here.wait_over()[0]
    server = here.server
    # The first that is too many ends its connection, as every login that fails does.
    assert did["rounds"] == did["closed"] == server.metric("identities_refused") > 0
    server.wait_log(r"event=auth\.failed peer=127\.1\.\S+ scheme=digest reason=\"too many identities\"")
    assert_stayed(here)
