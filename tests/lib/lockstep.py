"""Drives one walk of requests through two servers at once and compares every byte of sense they answer.

A *peer* is a session that exists on both sides. Only one peer has requests under way at a time: it sends
a batch to both servers, and all replies are taken before the next peer has its turn. So each connection's
stream of replies and events is determined by the requests alone, and the two streams are compared in
their order: what comes up to and with one reply is one step of differential.Comparison. Two steps that
are equal at once cost next to nothing; only others are written out and held against the table.
"""
import collections
import time

import differential
import zk_wire as zk

DEADLINE_S = 20.0
TRACE = 15  # steps of the same paths that a failure shows
NEAR_S = 7200
CLOSED = "closed"

# One request of a walk. body: None, or the request's body for each side, where the sides know the same
# change by different zxids. marks: the differences of the table that may (not: must) show here.
Op = collections.namedtuple("Op", "request what paths marks bodies xid")


def make_op(request, what, paths=(), marks=(), bodies=None, xid=None):
    return Op(request, what, paths, marks, bodies, xid)


class Mismatch(Exception):
    """The servers differ, and the table does not say so."""


class Half:
    """What a walk knows of one server; stands for the Run of a scripted case."""

    def __init__(self, side):
        self.side = side
        self.owners = {0: "0"}  # session id -> name of the peer
        side.labels.setdefault(0, "0")
        side.last_write = None

    def zxid(self, value):
        return str(value) if value <= 0 else self.side.labels.get(value, differential.UNKNOWN)

    # In a walk an event comes with whatever its peer asks next.
    event_zxid = zxid

    def owner(self, session_id):
        return self.owners.get(session_id, differential.UNKNOWN)


class Connection:
    """A peer's connection to one side."""

    def __init__(self, name, half, certificate):
        self.name = name
        self.half = half
        self.floor = 0  # the highest zxid a reply has carried
        tls = certificate is not None
        self.link = half.side.server.link(certificate if tls else "client", tls=tls, timeout=DEADLINE_S)

    def connect(self, options):
        """The connect reply, or why there is none."""
        self.link.send_frame(zk.connect_body(timeout=300000, **options))
        try:
            return zk.decode_connect_reply(self.link.receive())
        except (zk.Closed, TimeoutError, zk.Malformed) as error:
            return differential.reason_of(error)

    def take(self, ops, xids):
        """What comes up to each reply: a list of Pendings for each op, then one with what ended it early."""
        steps = []
        for op, xid in zip(ops, xids):
            step = []
            steps.append(step)
            try:
                while not self._take_one(op, xid, step):
                    pass
            except (zk.Closed, TimeoutError, zk.Malformed) as error:
                step.append(differential.Record("connection", self.name,
                                                {"is": differential.reason_of(error)}))
                break
        return steps

    def _take_one(self, op, xid, step):
        body = self.link.receive()
        if body[:4] == b"\xff\xff\xff\xff":
            step.append(differential.Pending(self, None, "before", zk.decode_event(body), False))
            return False
        reply = zk.decode_reply(op.request.op, body)
        if reply.xid != xid:
            raise zk.Malformed("reply to xid %d, due was %d" % (reply.xid, xid))
        step.append(differential.Pending(self, op.request, op.what, reply, True))
        return True

    def end(self):
        """How the connection ends now that the server has to close it."""
        try:
            return "then " + self.link.receive().hex()
        except (zk.Closed, TimeoutError, zk.Malformed) as error:
            return differential.reason_of(error)


class Peer:
    """A session on both sides, with the connections it has just now."""

    def __init__(self, name, certificate):
        self.name = name
        self.certificate = certificate  # None: a plain connection
        self.connections = []
        self.replies = []               # the connect replies of both sides
        self.live = False               # the connections may be used
        self.next_xid = 1


class Lockstep:
    """Two servers and the peers that speak to both."""

    def __init__(self, sides, table, name):
        self.halves = [Half(side) for side in sides]
        self.comparison = differential.Comparison(table, check_marks=False)
        self.name = name
        self.peers = []
        self.operations = 0
        self.told = collections.Counter()  # how often what was answered, and which events came
        self.number = 0  # of the step, barriers and closes too
        self.trace = collections.deque(maxlen=4000)
        self.writes = collections.deque(maxlen=400)  # the zxids of both sides of the last writes

    # -- sessions -----------------------------------------------------------------------------------

    def open(self, peer):
        self._connect(peer, [{}, {}])
        for half, reply in zip(self.halves, peer.replies):
            half.owners[reply.session_id] = peer.name
        self.peers.append(peer)
        return peer

    def resume(self, peer, cut_first):
        """Resume the session on new connections; cut_first: the old ones are gone before."""
        old = peer.connections
        if peer.live:
            self._barrier(peer)
        if cut_first:
            self._cut(old)
        self._connect(peer, [{"session_id": reply.session_id, "password": reply.password,
                              "last_zxid_seen": connection.floor}
                             for connection, reply in zip(old, peer.replies)])
        if not cut_first:
            ends = [connection.end() for connection in old]
            self._demand(ends == [CLOSED, CLOSED], peer, "the connection taken over: %s" % ends)
            self._cut(old)

    def _connect(self, peer, options):
        peer.connections = [Connection(peer.name, half, peer.certificate) for half in self.halves]
        replies = [connection.connect(given) for connection, given in zip(peer.connections, options)]
        how = "resumed" if "session_id" in options[0] else "new"
        self.told["connect " + how] += 1
        self.trace.append((self.number, peer.name, "connect", (), "", how))
        told = [r if isinstance(r, str) else (r.protocol, r.timeout, r.read_only, len(r.password),
                                              "session_id" not in given or (r.session_id, r.password) ==
                                              (given["session_id"], given["password"]))
                for r, given in zip(replies, options)]
        self._demand(told[0] == told[1] and not isinstance(told[0], str) and told[0][1] > 0 and told[0][4],
                     peer, "connect: %s / %s" % tuple(replies))
        peer.replies = replies
        peer.live = True

    def close(self, peer):
        """Close the session. Its ephemerals go in an order that no server promises: all events before are
        taken first, and those it causes are compared as a set for each peer."""
        self.settle()
        self._batch(peer, [make_op(zk.close(), "")], unordered=True)
        ends = [connection.end() for connection in peer.connections]
        self._demand(ends == [CLOSED, CLOSED], peer, "after closeSession: %s" % ends)
        self._cut(peer.connections)
        self.peers.remove(peer)
        self.settle(unordered=True)

    def alone(self, peer, op):
        """A request that ZooKeeper answers out of turn: when there is nothing else to say."""
        self._barrier(peer)
        self.batch(peer, [op])

    def fail(self, peer, op):
        """A request that has to be answered and then to end the connection; the session stays."""
        self._barrier(peer)
        self._batch(peer, [op])
        ends = [connection.end() for connection in peer.connections]
        self._demand(ends == [CLOSED, CLOSED], peer, "after %s: %s" % (op.what, ends))
        peer.live = False

    def settle(self, unordered=False):
        """Take and compare what every peer has been told."""
        for peer in self.peers:
            self._barrier(peer, unordered)

    def _barrier(self, peer, unordered=False):
        self._batch(peer, [make_op(zk.exists("/"), "barrier")], unordered)

    def end(self):
        """Whatever has happened: leave nothing open."""
        for peer in self.peers:
            self._cut(peer.connections)

    @staticmethod
    def _cut(connections):
        for connection in connections:
            connection.link.close()

    # -- requests -----------------------------------------------------------------------------------

    def batch(self, peer, ops):
        """Send them in one write and compare what comes; gives the reference's replies."""
        self.operations += len(ops)
        return self._batch(peer, ops)

    def _batch(self, peer, ops, unordered=False):
        xids = self._send(peer, ops)
        first, self.number = self.number, self.number + len(ops)
        both = [connection.take(ops, xids) for connection in peer.connections]
        for half, steps in zip(self.halves, both):
            self._label(half, steps, first)
        for index, op in enumerate(ops):
            left, right = (steps[index] if index < len(steps) else [] for steps in both)
            self.trace.append((first + index, peer.name, self._name(op), op.paths, op.what, self._outcome(left)))
            if unordered:
                _sort_events(left)
                _sort_events(right)
            self._compare(peer, op, first + index, left, right)
        return [steps[-1].got for steps in both[0]]

    def _send(self, peer, ops):
        xids, parts = [], ([], [])
        for op in ops:
            xid = op.xid
            if xid is None:
                xid = peer.next_xid
                peer.next_xid += 1
            xids.append(xid)
            for side, part in enumerate(parts):
                body = op.request.body if op.bodies is None else op.bodies[side]
                part.append(zk.frame(zk.p_int(xid) + zk.p_int(op.request.op) + body))
        for connection, part in zip(peer.connections, parts):
            try:
                connection.link.send(b"".join(part))
            except zk.Closed as error:
                self._demand(False, peer, "the connection was closed: %s" % error)
        return xids

    def _label(self, half, steps, first):
        """Name the zxids of this batch's writes by the number of the step."""
        for index, step in enumerate(steps):
            last = step[-1] if step else None
            if isinstance(last, differential.Pending) and last.is_write():
                half.side.labels.setdefault(last.got.zxid, "%s#%d" % (self.name, first + index))

    # -- comparing ----------------------------------------------------------------------------------

    def _compare(self, peer, op, number, left, right):
        sides = (left, right)
        # Headers first: a write's zxid is counted from the write before it, equal or not.
        told = [[_headed(half, item) for item in items] for half, items in zip(self.halves, sides)]
        self.told.update(_name_of(item) for item in left)
        replied = all(items and isinstance(items[-1], differential.Pending) for items in sides)
        if replied and told[0] == told[1]:
            self._keep_zxids(left[-1], right[-1])
            return
        steps = []
        for half, items in zip(self.halves, sides):
            step = differential.Step("%s#%d" % (self.name, number),
                                     "%s.%s %s" % (peer.name, self._name(op), op.what), op.marks)
            step.records = [item.finish(half) if isinstance(item, differential.Pending) else item
                            for item in items]
            steps.append(step)
        before = len(self.comparison.problems)
        self.comparison.compare_step(*steps)
        if len(self.comparison.problems) > before or not replied:
            raise Mismatch("\n".join(self.comparison.problems[before:] or [steps[0].label, str(told)]) +
                           self._tail(op.paths))
        self._keep_zxids(left[-1], right[-1])

    def _keep_zxids(self, left, right):
        if left.is_write():
            self.writes.append((left.got.zxid, right.got.zxid))

    def _demand(self, condition, peer, what):
        if not condition:
            raise Mismatch("%s#%d %s\n    %s%s" % (self.name, self.number, peer.name, what, self._tail(())))

    def _tail(self, paths):
        """The last steps that touched these paths, their parents or children; without paths, the last."""
        kept = [step for step in self.trace if not paths or any(
            _related(a, b) for a in step[3] for b in paths)][-TRACE:]
        return "\n  on these paths, this one last:" + "".join(
            "\n    #%d %s.%s %s: %s" % (step[:3] + step[4:]) for step in kept)

    @staticmethod
    def _name(op):
        return zk.OP_NAMES.get(op.request.op, str(op.request.op))

    @staticmethod
    def _outcome(items):
        last = items[-1] if items else None
        if not isinstance(last, differential.Pending):
            return str(last)
        return zk.ERR_NAMES.get(last.got.err, str(last.got.err))


def _name_of(item):
    if not isinstance(item, differential.Pending):
        return item.op
    if item.request is None:
        return zk.EVENT_NAMES.get(item.got.type, str(item.got.type))
    # The header of a multi that failed says OK.
    undone = item.request.op == zk.MULTI and any(result.type == zk.ERROR for result in item.got.value or ())
    return "%s %s" % (zk.OP_NAMES.get(item.request.op), "undone" if undone else zk.ERR_NAMES.get(item.got.err))


def _related(a, b):
    if a is None or b is None:
        return a is b
    return a == b or a.startswith(b + "/") or b.startswith(a + "/")


def _sort_events(items):
    """By path; events of one path keep their order. The reply stays last."""
    events = [item for item in items[:-1]]
    events.sort(key=lambda item: str(item.got.path))
    items[:-1] = events


def _headed(half, item):
    """Everything that counts of one reply or event, as something that compares fast."""
    if not isinstance(item, differential.Pending):
        return str(item)
    got = item.got
    if item.request is None:
        return (got.type, got.state, got.path, got.err, half.zxid(got.zxid))
    return (got.xid, got.err, item.header_zxid(half), _told(half, got.value),
            got.body[16:] if got.value is None else None)


def _told(half, value):
    if value is None or isinstance(value, (str, int, bytes)):
        return value
    if isinstance(value, zk.Stat):
        return _stat(half, value)
    if isinstance(value, zk.Data):
        return (value.data, _stat(half, value.stat))
    if isinstance(value, zk.Children):
        return (sorted(value.names), value.stat and _stat(half, value.stat))
    if isinstance(value, zk.Created):
        return (value.path, value.stat and _stat(half, value.stat))
    if isinstance(value, zk.Acls):
        return (sorted(value.acls), _stat(half, value.stat))
    if value and isinstance(value[0], zk.Result):
        return [(result.type, result.err, _told(half, result.value)) for result in value]
    return sorted(value)


def _stat(half, stat):
    """A Stat with zxids and owner by name, and times by whether they make sense. What has no name differs."""
    zxids = [half.side.labels.get(zxid) or object() for zxid in (stat.czxid, stat.mzxid, stat.pzxid)]
    times = (stat.ctime <= stat.mtime and (stat.mtime == stat.ctime or stat.mzxid != stat.czxid) and
             abs(stat.ctime / 1000 - time.time()) < NEAR_S)
    return (zxids, stat.version, stat.cversion, stat.aversion, half.owner(stat.ephemeral_owner),
            stat.data_length, stat.num_children, times)
