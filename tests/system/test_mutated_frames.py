"""A hundred thousand frames with random damage: each is answered or ends its connection, an ordinary client
beside them notices nothing, and nothing of it stays.

The damage follows from SEED; ZOOLITE_SEED is another one.
"""
import collections
import os
import random
import re
import threading

import pytest

import mutate
import servers
import zk_wire as zk

SEED = "20261126"
LANES = 6            # connections at a time
BATCH = 40           # frames sent at once on each
DEADLINE_S = 20
MOST_LINES = 60      # of the log, for one event in one second
MOST_GROWTH = 16 << 20
BROKEN = 0.04        # connections whose framing is damaged as well
LAST_XID = 0x7ffffffe
PING = zk.p_int(zk.PING)


class Ordinary(threading.Thread):
    """A client of its own corner; anything but the answer that is due is a failure."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.client = server.client()
        self.ending = threading.Event()
        self.failure = None
        self.rounds = 0
        self.client.auth("digest", b"ordinary:secret")
        acl = [zk.Acl(31, "auth", "")]
        self.expect(zk.create("/ordinary", b"", acl))
        self.acl = acl

    def expect(self, request):
        reply = self.client.call(request)
        assert reply.err == 0, (zk.OP_NAMES[request.op], reply)
        return reply.value

    def run(self):
        try:
            while not self.ending.is_set():
                self.round(b"%d" % self.rounds)
                self.rounds += 1
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure

    def round(self, data):
        """Every change is told once, every read shows what was written."""
        self.expect(zk.get_data("/ordinary", watch=True))
        self.expect(zk.set_data("/ordinary", data))
        path = self.expect(zk.create("/ordinary/e-", data, self.acl, zk.EPHEMERAL | zk.SEQUENTIAL)).path
        assert self.expect(zk.get_data("/ordinary")).data == data
        assert self.expect(zk.get_children("/ordinary")).names == [path.rsplit("/", 1)[1]]
        self.expect(zk.delete(path))
        events, self.client.events = self.client.events, []
        assert [(event.type, event.path) for event in events] == [(3, "/ordinary")]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()


class Lane:
    """One connection after the other of a session that is resumed as long as it lives."""

    def __init__(self, server):
        self.server = server
        self.session = (0, b"\0" * 16)
        self.link = None
        self.frames = []
        self.answered = 0   # frames that were answered, or ended the connection
        self.closed = 0

    def send(self, mutator, rng):
        """A batch on the connection, or on a new one, with a sane request behind it."""
        if self.link is None:
            self.connect()
        self.frames = [mutator.body() for _ in range(BATCH)]
        data = b"".join(zk.frame(zk.p_int(xid) + body) for xid, body in enumerate(self.frames))
        broken = rng.random() < BROKEN
        if broken:
            # The frames' own lengths too; the end of the stream is the only thing left to wait for.
            at = rng.randrange(len(data) - 4)
            data = data[:at] + zk.p_int(rng.choice(mutate.LENGTHS)) + data[at + rng.randrange(1, 9):]
        try:
            self.link.send(data + zk.frame(zk.p_int(LAST_XID) + zk.p_int(zk.EXISTS) + zk.exists("/").body))
            if broken:
                self.link.sock.shutdown(1)
        except (zk.Closed, OSError):
            pass  # what it said before it closed is still to be read
        return broken

    def connect(self):
        self.link = self.server.link(tls=False, timeout=DEADLINE_S)
        session_id, password = self.session
        self.link.send_frame(zk.connect_body(timeout=30000, session_id=session_id, password=password))
        reply = zk.decode_connect_reply(self.link.receive())
        if reply.timeout == 0:
            # One of the frames had closed it.
            self.session = (0, b"\0" * 16)
            self.connect()
        else:
            self.session = (reply.session_id, reply.password)

    def receive(self, broken):
        """Until the sane request is answered or the connection is closed: nothing else may happen."""
        # Pings alone are answered out of turn, with an xid of their own.
        due = [xid for xid, body in enumerate(self.frames) if body[:4] != PING] + [LAST_XID]
        answered = 0
        while broken or answered < len(due):
            try:
                body = self.link.receive(DEADLINE_S)
            except zk.Closed:
                self.link.close()
                self.link = None
                self.closed += 1
                # The next one has ended it. What became of those behind nobody can know.
                self.answered += 0 if broken else answered + 1
                return
            xid = zk.Reader(body).header()[0]
            if not broken and xid not in (zk.XID_EVENT, zk.XID_PING):
                assert xid == due[answered], "reply to %d, due was that to %d" % (xid, due[answered])
                answered += 1
        self.answered += len(self.frames)

    def end(self):
        """Leave no session behind."""
        if self.link is None:
            self.connect()
        self.link.send(zk.frame(zk.p_int(1) + zk.p_int(zk.CLOSE)))
        assert self.link.wait_closed(DEADLINE_S)
        self.link.close()


def damaged_greetings(server, rng, count):
    """Connect requests are frames as well; what cannot be one is closed."""
    whole = zk.frame(zk.connect_body(timeout=5000))
    for _ in range(count):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 2, 5))):
            data[rng.randrange(len(data))] = rng.choice((*mutate.INTERESTING, rng.randrange(256)))
        with server.link(tls=False, timeout=DEADLINE_S) as link:
            length = len(data) if rng.random() < 0.5 else rng.randrange(1, len(data))
            link.send(bytes(data[:length]))
            link.sock.shutdown(1)
            assert link.wait_closed(DEADLINE_S)


def flood(server, count, seed):
    """Send so many; gives how many connections they have cost."""
    rng = random.Random(seed)
    frames = []
    for request in mutate.requests("/mutated"):
        # What mostly ends the connection comes less often.
        frames += [zk.p_int(request.op) + request.body] * (1 if request.op in (zk.CLOSE, zk.AUTH) else 4)
    mutator = mutate.Mutator(rng, frames)
    with server.client(tls=False) as client:
        client.call(zk.create("/mutated"))
        client.close_session()
    lanes = [Lane(server) for _ in range(LANES)]
    while sum(lane.answered for lane in lanes) < count:
        broken = [lane.send(mutator, rng) for lane in lanes]
        for lane, is_broken in zip(lanes, broken):
            lane.receive(is_broken)
    damaged_greetings(server, rng, 500)
    for lane in lanes:
        lane.end()
    return sum(lane.closed for lane in lanes)


def assert_nothing_stays(server, ordinary):
    """Connections, sessions, watches and ephemerals of the flood are gone."""
    servers.wait_until(lambda: server.metric("num_alive_connections") <= 2, DEADLINE_S, "the connections to go")
    assert server.metric("watch_count") <= 1
    assert server.metric("ephemerals_count") <= 1
    assert ordinary.failure is None, ordinary.failure


def assert_log_is_limited(server):
    """What peers cause has a limit for each place; an expired session alone has a line of its own."""
    lines = collections.Counter(re.sub(r"\..*? event=(\S+) .*", r" \1", line) for line in server.log().splitlines()
                                if "event=session.expired" not in line)
    assert lines.most_common(1)[0][1] <= MOST_LINES, lines.most_common(3)


@pytest.mark.parametrize("kind", ["tested", "plain"])
def test_mutated_frames(make_server, kind):
    """With the sanitizers' eyes, and for what memory it takes on an ordinary build."""
    server = make_server.new(zoolite__cacheSize="8m", zoolite__maxPendingSize="8m", extendedTypesEnabled="true")
    count = 1000000 if os.environ.get("ZOOLITE_LONG") == "1" else 100000
    if kind == "plain":
        server.binary = os.environ.get("ZOOLITED_PLAIN") or server.binary
        count //= 5
    if servers.is_thread_sanitized(server.binary):
        # It is slow, and what a frame does stays in the core's thread.
        count //= 10
    seed = os.environ.get("ZOOLITE_SEED", SEED)
    server.start()
    with Ordinary(server) as ordinary:
        flood(server, 2000, seed + " to warm up")
        before = server.memory()
        closed = flood(server, count, seed)
        assert_nothing_stays(server, ordinary)
    assert ordinary.failure is None, "seed %s: %r" % (seed, ordinary.failure)
    assert ordinary.rounds > 10 and closed > 100
    assert_log_is_limited(server)
    if not servers.is_sanitized(server.binary):
        grown = server.memory() - before
        assert grown < MOST_GROWTH, "%d MiB" % (grown >> 20)
