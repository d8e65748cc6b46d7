"""The engine of the differential test: runs one script against two servers and compares what they say.

A *case* is a function that drives sessions through a Run. It is run once against each side; every
reply, event and closed connection becomes a Record with normalised fields, and the two lists must be
equal but for the differences that the table (differences.md) allows.

What is normalised, and why:
  zxid      A write's header zxid becomes "write+n": n zxids after the write before it. A zxid in a Stat
            or event becomes the label of the step whose reply showed it first, so that both servers must
            mean the same write. A read's header zxid is only held to the rules that both servers
            promise: it never falls on a connection and is not below the newest zxid in its body.
  session   ids become the name of the session in the script, passwords "16 bytes".
  time      ctime and mtime become "now" when they are within the last hours, and their order is a field.
  order     names of children are sorted (no server promises an order). Everything else counts as it comes.

Determinism: each step waits for its replies, then for a barrier (an exists on the root) on every live
connection, so that all events a step causes are recorded with that step.
"""
import collections
import fnmatch
import hashlib
import re
import threading
import time

import zk_wire as zk

STEP_DEADLINE_S = 15.0
POLL_S = 0.05
FATE_S = 3.0  # how long a connection must stay open to count as untouched
BARRIER_XID = 0x40000000
UNKNOWN = "(unknown)"  # a zxid or owner the script should have made known before

WRITES = {zk.CREATE, zk.CREATE2, zk.CREATE_CONTAINER, zk.CREATE_TTL, zk.DELETE, zk.SET_DATA, zk.SET_ACL,
          zk.MULTI, zk.CHECK, zk.CLOSE, zk.RECONFIG, zk.DELETE_CONTAINER}

# ttl: for servers with extendedTypesEnabled and reconfigEnabled.
Case = collections.namedtuple("Case", "name run ttl")
# reference: None where this ZooKeeper answers as we do.
Difference = collections.namedtuple("Difference", "id operation reference ours why")


class Record:
    """One thing a server did: an operation's name, what was asked, and fields as text."""

    def __init__(self, op, what, fields):
        self.op = op
        self.what = what
        self.fields = fields

    def __str__(self):
        return "%s %s: %s" % (self.op, self.what,
                              " ".join("%s=%s" % item for item in self.fields.items()))


class Step:
    """The records of one step of a script, and the differences the script expects there."""

    def __init__(self, number, what, marks):
        self.number = number  # "case#n", the name of zxids that the step's writes took
        self.label = "%s %s" % (number, what)
        self.marks = marks
        self.records = []


class Side:
    """What is known of one server over all cases."""

    def __init__(self, server):
        self.server = server
        self.labels = {}      # zxid -> label of the step that showed it
        self.last_write = None


def show(data):
    """Bytes or text in short."""
    if data is None:
        return "null"
    if len(data) <= 80:
        return repr(data)
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    return "%d bytes, sha256 %s" % (len(raw), hashlib.sha256(raw).hexdigest()[:16])


class Session:
    """A session of the script; each method is one step. Replies come back for the script to use."""

    def __init__(self, run, name, certificate, plain):
        self.run = run
        self.name = name
        self.certificate = certificate
        self.plain = plain
        self.client = None
        self.live = False
        self.floor = 0  # the highest zxid a reply on this connection has carried
        self.session_id = 0
        self.password = b""
        self.timeout = 0

    # -- ordinary operations ------------------------------------------------------------------------

    def create(self, path, data=b"", acl=zk.OPEN_ACL, flags=0, **step):
        return self.call(zk.create(path, data, acl, flags), "%s flags %d" % (show(path), flags), **step)

    def create2(self, path, data=b"", acl=zk.OPEN_ACL, flags=0, **step):
        return self.call(zk.create2(path, data, acl, flags), "%s flags %d" % (show(path), flags), **step)

    def create_container(self, path, data=b"", acl=zk.OPEN_ACL, flags=4, **step):
        return self.call(zk.create_container(path, data, acl, flags), "%s flags %d" % (show(path), flags), **step)

    def create_ttl(self, path, data=b"", acl=zk.OPEN_ACL, flags=5, ttl=3600000, **step):
        return self.call(zk.create_ttl(path, data, acl, flags, ttl),
                         "%s flags %d ttl %d" % (show(path), flags, ttl), **step)

    def delete_container(self, path, **step):
        return self.call(zk.delete_container(path), show(path), **step)

    def delete(self, path, version=-1, **step):
        return self.call(zk.delete(path, version), "%s version %d" % (show(path), version), **step)

    def exists(self, path, watch=False, **step):
        return self.call(zk.exists(path, watch), show(path) + " watch" * watch, **step)

    def get_data(self, path, watch=False, **step):
        return self.call(zk.get_data(path, watch), show(path) + " watch" * watch, **step)

    def set_data(self, path, data=b"", version=-1, **step):
        return self.call(zk.set_data(path, data, version), "%s version %d" % (show(path), version), **step)

    def get_children(self, path, watch=False, **step):
        return self.call(zk.get_children(path, watch), show(path) + " watch" * watch, **step)

    def get_children2(self, path, watch=False, **step):
        return self.call(zk.get_children2(path, watch), show(path) + " watch" * watch, **step)

    def sync(self, path, **step):
        return self.call(zk.sync(path), show(path), **step)

    def get_acl(self, path, **step):
        return self.call(zk.get_acl(path), show(path), **step)

    def set_acl(self, path, acl, version=-1, **step):
        what = "%s %s version %d" % (show(path), acl if acl is None else [tuple(a) for a in acl], version)
        return self.call(zk.set_acl(path, acl, version), what, **step)

    def multi(self, *requests, **step):
        what = ", ".join(zk.OP_NAMES.get(r.op, str(r.op)) for r in requests)
        return self.call(zk.multi(requests), what, **step)

    def multi_read(self, *requests, **step):
        what = ", ".join(zk.OP_NAMES.get(r.op, str(r.op)) for r in requests)
        return self.call(zk.multi_read(requests), what, **step)

    def get_ephemerals(self, prefix, **step):
        return self.call(zk.get_ephemerals(prefix), show(prefix), **step)

    def get_all_children_number(self, path, **step):
        return self.call(zk.get_all_children_number(path), show(path), **step)

    def who_am_i(self, **step):
        return self.call(zk.who_am_i(), "", **step)

    def add_watch(self, path, mode=zk.PERSISTENT, **step):
        return self.call(zk.add_watch(path, mode), "%s mode %d" % (show(path), mode), **step)

    def check_watches(self, path, kind=zk.WATCHES_ANY, **step):
        return self.call(zk.check_watches(path, kind), "%s type %d" % (show(path), kind), **step)

    def remove_watches(self, path, kind=zk.WATCHES_ANY, **step):
        return self.call(zk.remove_watches(path, kind), "%s type %d" % (show(path), kind), **step)

    def set_watches(self, relative_zxid, data=(), exist=(), child=(), **step):
        return self.call(zk.set_watches(relative_zxid, data, exist, child),
                         "data %s exist %s child %s" % (data, exist, child),
                         **dict({"xid": zk.XID_SET_WATCHES}, **step))

    def set_watches2(self, relative_zxid, data=(), exist=(), child=(), persistent=(), recursive=(), **step):
        return self.call(zk.set_watches2(relative_zxid, data, exist, child, persistent, recursive),
                         "data %s exist %s child %s persistent %s recursive %s" % (
                             data, exist, child, persistent, recursive),
                         **dict({"xid": zk.XID_SET_WATCHES}, **step))

    def auth(self, scheme, data, **step):
        return self.call(zk.auth(scheme, data), "%s %s" % (scheme, show(data)),
                         **dict({"xid": zk.XID_AUTH}, **step))

    def ping(self, **step):
        return self.call(zk.ping(), "", **dict({"xid": zk.XID_PING}, **step))

    def close(self, **step):
        """Close the session properly; the connection goes with it."""
        return self.call(zk.close(), "", closes=True, **step)

    # -- raw ----------------------------------------------------------------------------------------

    def raw(self, op, body, what=None, **step):
        """Any opcode with any body."""
        return self.call(zk.Request(op, body), what or "body %s" % show(body), **step)

    def call(self, request, what, **step):
        replies = self.run.exchange(self, [(request, what)], **step)
        return replies[0] if replies else None

    def pipeline(self, *requests, **step):
        """Send all in one write."""
        return self.run.exchange(self, [(r, "pipelined %d" % i) for i, r in enumerate(requests)], **step)

    def send_bytes(self, data, what, **step):
        """Send bytes that no reply is due to; by default the connection must go."""
        return self.run.exchange(self, [], data=data, what=what, **dict({"closes": True}, **step))

    def drop(self):
        """Cut the connection and leave the session. Not a step: nothing is recorded."""
        self.client.link.close()
        self.live = False


class Run:
    """One case against one side."""

    is_39 = False  # whether ZooKeeper 3.9 judges, for both sides; test_differential.py sets it

    def __init__(self, case, side):
        self.case = case
        self.side = side
        self.steps = []
        self.sessions = []
        self.names = {}
        self.marks = ()
        self.side.last_write = None
        self.root = "/" + case.name
        self.boss = None

    def path(self, *parts):
        return "/".join((self.root,) + parts)

    def differs(self, *ids):
        """Steps in this context show exactly these differences."""
        return _Marks(self, ids)

    def lose_count(self):
        """After a difference in how many zxids were taken: the next write is not held to the last."""
        self.side.last_write = None

    # -- opening sessions ---------------------------------------------------------------------------

    def session(self, name, certificate="client", plain=False, **connect):
        """Open a connection and a session; connect options as in zk_wire.connect_body."""
        session = Session(self, name, certificate, plain)
        self.connect(session, **connect)
        return session

    def resume(self, old, name=None, watch=(), certificate=None, plain=None, **connect):
        """Resume old's session on a new connection; watch: sessions whose connections' fate is recorded."""
        session = Session(self, name or old.name, certificate or old.certificate,
                          old.plain if plain is None else plain)
        options = {"session_id": old.session_id, "password": old.password, "timeout": old.timeout}
        options.update(connect)
        self.connect(session, watch, **options)
        return session

    def connect(self, session, watch=(), body=None, **options):
        """The step itself. body: bytes to send in place of a well-formed connect request."""
        options.setdefault("timeout", 300000)
        options.setdefault("session_id", 0)
        what = "%s timeout %s" % (session.name, options["timeout"])
        step = self.begin("connect " + session.name)
        client = zk.Client(self.side.server.link(session.certificate, tls=not session.plain,
                                                 timeout=STEP_DEADLINE_S))
        session.client = client
        if body is None:
            client.link.send_frame(zk.connect_body(**options))
        else:
            client.link.send(body)
        fields = {}
        try:
            reply = zk.decode_connect_reply(client.link.receive())
        except (zk.Closed, TimeoutError, zk.Malformed) as error:
            fields["reply"] = reason_of(error)
        else:
            self._admit(session, reply, options, fields)
        step.records.append(Record("connect", what, fields))
        if not session.live:
            fields["then"] = self._end(session, step)
        for other in watch:
            self._fate(other, step)
        self.sessions.append(session)
        self._barriers(step)
        return session

    def _admit(self, session, reply, options, fields):
        fields["protocol"] = str(reply.protocol)
        fields["timeout"] = str(reply.timeout)
        fields["read_only"] = str(reply.read_only)
        fields["password"] = "zeros" if not any(reply.password) else "%d bytes" % len(reply.password)
        if reply.session_id == 0:
            fields["session"] = "0"
        elif reply.session_id in self.names:
            fields["session"] = "resumed " + self.names[reply.session_id]
            fields["password"] += ", the same" * (reply.password == options.get("password"))
        else:
            fields["session"] = "new"
            self.names[reply.session_id] = session.name
        session.session_id, session.password = reply.session_id, reply.password
        session.timeout = reply.timeout
        session.live = reply.timeout > 0

    # -- one step -----------------------------------------------------------------------------------

    def begin(self, what):
        step = Step("%s#%d" % (self.case.name, len(self.steps)), what, self.marks)
        self.steps.append(step)
        return step

    def exchange(self, session, requests, xid=None, data=None, what="", closes=False, unordered=False):
        """Send the requests (or raw data), gather replies and events, then settle.

        closes: the server must close the connection after the last reply. unordered: the events of
        this step, and the ids of an ACL, have no order that a server promises."""
        first = requests[0] if requests else (None, what)
        name = zk.OP_NAMES.get(first[0].op, "opcode %d" % first[0].op) if first[0] else "bytes"
        step = self.begin("%s.%s %s" % (session.name, name, first[1]))
        client = session.client
        try:
            if data is not None:
                client.link.send(data)
            prepared = [client.prepare(request, xid) for request, _ in requests]
            if prepared:
                client.link.send(b"".join(part for _, part in prepared))
        except zk.Closed:
            session.live = False
            step.records.append(Record("connection", session.name, {"is": "closed already"}))
            return []
        replies = self._gather(session, step, requests, [x for x, _ in prepared], unordered)
        if closes or not session.live:
            self._expect_end(session, step)
        self._barriers(step, unordered)
        self._label(step)
        return replies

    def _gather(self, session, step, requests, xids, unordered):
        """Receive until every reply is here; events on the way are recorded where they come."""
        client, replies = session.client, []
        for (request, what), xid in zip(requests, xids):
            try:
                reply = client.wait(xid, STEP_DEADLINE_S)
            except (zk.Closed, TimeoutError, zk.Malformed) as error:
                self._events(session, step, "before", unordered)
                step.records.append(Record(zk.OP_NAMES.get(request.op, str(request.op)), what,
                                           {"reply": reason_of(error)}))
                session.live = isinstance(error, TimeoutError)
                break
            self._events(session, step, "before", unordered)
            replies.append(reply)
            step.records.append(Pending(session, request, what, reply, unordered))
        return replies

    def _events(self, session, step, when, unordered=False):
        events, session.client.events = session.client.events, []
        if unordered:
            events.sort(key=lambda e: (str(e.path), e.type))
        for event in events:
            step.records.append(Pending(session, None, when, event, False))

    def _barriers(self, step, unordered=False):
        """Ask something small on every live connection, so that all events of the step are here."""
        for session in self.sessions:
            if not session.live:
                continue
            client = session.client
            try:
                reply = client.wait(client.submit(zk.exists("/"), BARRIER_XID), STEP_DEADLINE_S)
            except (zk.Closed, TimeoutError, zk.Malformed) as error:
                session.live = False
                self._events(session, step, "after", unordered)
                step.records.append(Record("connection", session.name, {"is": reason_of(error)}))
                continue
            self._events(session, step, "after", unordered)
            if reply.zxid < session.floor:
                step.records.append(Record("barrier", session.name, {"zxid": "fell"}))
            session.floor = max(session.floor, reply.zxid)
        self._label(step)

    def _expect_end(self, session, step):
        state = self._end(session, step)
        step.records.append(Record("connection", session.name, {"is": state}))

    def _end(self, session, step):
        """The server must end this connection now; what it still sends is recorded."""
        link = session.client.link
        state = "closed"
        try:
            while True:
                body = link.receive(STEP_DEADLINE_S)
                step.records.append(Record("frame", session.name, {"body": body.hex()}))
        except zk.Closed:
            pass
        except (TimeoutError, zk.Malformed) as error:
            state = reason_of(error)
        link.close()
        session.live = False
        return state

    def _fate(self, session, step):
        """Whether another connection is cut within a short while. A live one takes the whole while."""
        if not session.live:
            return
        state = "open"
        try:
            if session.client.link.wait_closed(FATE_S):
                state = "closed"
                session.live = False
                session.client.link.close()
        except zk.Malformed as error:
            state = reason_of(error)
        step.records.append(Record("connection", session.name, {"is": state}))

    def wait_gone(self, path):
        """A step: wait until the server removes the znode by itself, which is in time a matter of its own."""
        step = self.begin("wait until %s is gone" % show(path))
        end = time.monotonic() + STEP_DEADLINE_S
        while self._look(path) is not None and time.monotonic() < end:
            time.sleep(POLL_S)
        self.side.labels.setdefault(self._look(path.rpartition("/")[0]).pzxid, step.number + ".0")
        self._events(self.boss, step, "before")
        self._barriers(step)

    def tidy(self, path):
        """Delete what one side alone may have, so that both go on with as many znodes. Not a step."""
        client = self.boss.client
        client.wait(client.submit(zk.delete(path), BARRIER_XID), STEP_DEADLINE_S)

    def _look(self, path):
        """A Stat that is no record."""
        client = self.boss.client
        return client.wait(client.submit(zk.exists(path), BARRIER_XID), STEP_DEADLINE_S).value

    # -- normalising --------------------------------------------------------------------------------

    def _label(self, step):
        """Give the zxids that this step's writes showed their names, then write the records out."""
        for index, record in enumerate(step.records):
            if isinstance(record, Pending) and record.is_write():
                self.side.labels.setdefault(record.got.zxid, "%s.%d" % (step.number, index))
        step.records = [record.finish(self) if isinstance(record, Pending) else record
                        for record in step.records]

    def zxid(self, value):
        if value <= 0:
            return str(value)
        return self.side.labels.get(value, UNKNOWN)

    def event_zxid(self, value):
        """An event's: it must be that of a write of the step at hand, which caused it."""
        label = self.zxid(value)
        return label if value <= 0 or label.startswith(self.steps[-1].number + ".") else "not of this step"

    def owner(self, session_id):
        return "0" if session_id == 0 else self.names.get(session_id, UNKNOWN)

    def play(self):
        """Run the script; whatever stops it becomes a record too."""
        try:
            self.boss = self.session("boss")
            self.boss.create(self.root)
            self.case.run(self)
            for session in self.sessions:
                if session.live:
                    session.close(unordered=True)
        except (zk.Closed, zk.Malformed, OSError, AttributeError, AssertionError, IndexError, KeyError,
                TypeError) as error:
            step = self.begin("the script stopped")
            step.records.append(Record("script", "stopped", {"by": "%s: %s" % (type(error).__name__, error)}))
        finally:
            for session in self.sessions:
                session.client.link.close()
        return self.steps


class Pending:
    """A reply or event (request None) as received; becomes a Record when the zxids of its step are known."""

    def __init__(self, session, request, what, got, unordered):
        self.session = session
        self.request = request
        self.what = what
        self.got = got
        self.unordered = unordered
        self.header = None  # the header's zxid in words, once it is known
        self.order = self._check_order() if request is not None else None

    def _check_order(self):
        """A connection's zxids never fall (but for pings, which may overtake), nor lag behind a body."""
        zxid, session = self.got.zxid, self.session
        if zxid <= 0 or self.request.op == zk.PING:
            return None
        if zxid < session.floor:
            return "fell"
        session.floor = zxid
        return "below its body" if zxid < _newest(self.got.value) else None

    def is_write(self):
        return self.request is not None and self.request.op in WRITES and self.got.zxid > 0

    def finish(self, run):
        if self.request is None:
            return self._finish_event(run)
        fields = {"xid": str(self.got.xid), "err": _err(self.got.err)}
        self._add_value(run, fields, "", self.request.op, self.got.value)
        if self.got.value is None and len(self.got.body) > 16:
            fields["body"] = self.got.body[16:].hex()
        fields["zxid"] = self.header_zxid(run)
        name = zk.OP_NAMES.get(self.request.op, "opcode %d" % self.request.op)
        return Record(name, "%s %s" % (self.session.name, self.what), fields)

    def _finish_event(self, run):
        event = self.got
        return Record("event", self.session.name, {
            "type": zk.EVENT_NAMES.get(event.type, str(event.type)), "state": str(event.state),
            "path": show(event.path), "zxid": run.event_zxid(event.zxid), "err": _err(event.err),
            "when": self.what})

    def header_zxid(self, run):
        """The header's zxid in words. The first call counts a write, so calls come in order."""
        if self.header is None:
            self.header = self._tell_header(run)
        return self.header

    def _tell_header(self, run):
        zxid = self.got.zxid
        if zxid <= 0:
            return str(zxid)
        if self.order:
            return self.order
        if not self.is_write():
            return "read"
        last, run.side.last_write = run.side.last_write, max(zxid, run.side.last_write or 0)
        return "write" if last is None else "write%+d" % (zxid - last)

    def _add_value(self, run, fields, prefix, op, value):
        if value is None:
            return
        if op in (zk.MULTI, zk.MULTI_READ):
            fields["results"] = str(len(value))
            for index, result in enumerate(value):
                part = "%d." % index
                fields[part + "type"] = zk.OP_NAMES.get(result.type, str(result.type))
                fields[part + "err"] = _err(result.err)
                self._add_value(run, fields, part, result.type, result.value)
        elif isinstance(value, zk.Stat):
            _add_stat(run, fields, prefix, value)
        elif isinstance(value, tuple):
            for name, part in zip(value._fields, value):
                if isinstance(part, zk.Stat):
                    _add_stat(run, fields, prefix, part)
                elif name == "names":
                    fields[prefix + name] = "null" if part is None else str(sorted(part))
                elif name == "acls":
                    acls = None if part is None else [tuple(a) for a in part]
                    fields[prefix + name] = str(sorted(acls) if self.unordered and acls else acls)
                elif part is not None or name == "data":
                    fields[prefix + name] = show(part)
        elif isinstance(value, list):
            # Ephemerals and identities: no server promises an order.
            fields[prefix + "value"] = str(sorted(map(str, value)))
        else:
            fields[prefix + "value"] = str(value) if isinstance(value, int) else show(value)


class _Marks:
    def __init__(self, run, ids):
        self.run = run
        self.ids = ids

    def __enter__(self):
        self.before, self.run.marks = self.run.marks, self.run.marks + self.ids

    def __exit__(self, *_):
        self.run.marks = self.before


def _err(code):
    return zk.ERR_NAMES.get(code, str(code))


def reason_of(error):
    if isinstance(error, zk.Closed):
        return "closed"
    return "silent" if isinstance(error, TimeoutError) else "malformed: %s" % error


def _newest(value):
    """The newest zxid a reply's body shows."""
    if isinstance(value, zk.Stat):
        return max(value.czxid, value.mzxid, value.pzxid)
    if isinstance(value, (tuple, list)):
        return max(map(_newest, value), default=0)
    return 0


def _add_stat(run, fields, prefix, stat):
    for name, value in zip(stat._fields, stat):
        if name in ("czxid", "mzxid", "pzxid"):
            text = run.zxid(value)
        elif name in ("ctime", "mtime"):
            text = "now" if abs(value / 1000 - time.time()) < 7200 else str(value)
        elif name == "ephemeral_owner":
            text = run.owner(value)
        else:
            text = str(value)
        fields[prefix + "stat." + name] = text
    if stat.mzxid == stat.czxid and stat.mtime != stat.ctime:
        fields[prefix + "stat.times"] = "differ though never changed"
    elif stat.mtime < stat.ctime:
        fields[prefix + "stat.times"] = "changed before created"


# -- comparing ---------------------------------------------------------------------------------------

def read_differences(path, is_39=False):
    """The rows of the table in differences.md, by id, for ZooKeeper 3.8.0 or for 3.9.

    In the columns of answers, what stands in backquotes is the pattern: `field=value` (both may be
    globs, an absent field has the value -), or `nothing` for a record that one side does not send.
    A ZooKeeper's column begins with "as we" where it answers as we do; that of 3.9 with "the same" where it
    answers as 3.8.0. Else it has patterns of its own."""
    table = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if len(cells) != 6 or cells[0] in ("id", "") or set(cells[0]) <= set("-: "):
                continue
            operation = re.findall(r"`([^`]+)`", cells[1])
            table[cells[0]] = Difference(cells[0], operation, _reference(cells, is_39), _patterns(cells[4]),
                                         cells[5])
    return table


def _reference(cells, is_39):
    old, new = cells[2:4]
    cell = new if is_39 and not new.startswith("the same") else old
    if cell.startswith("as we"):
        return None
    assert _patterns(cell), "%s: no pattern of what ZooKeeper answers" % cells[0]
    return _patterns(cell)


def _patterns(cell):
    return [tuple(text.split("=", 1)) if "=" in text else (text, None)
            for text in re.findall(r"`([^`]+)`", cell)]


def _covers(patterns, field, value):
    return any(expected is not None and fnmatch.fnmatchcase(field, name) and
               fnmatch.fnmatchcase(value, expected) for name, expected in patterns)


def _is_nothing(patterns):
    return ("nothing", None) in patterns


def _is_same(record, other):
    """But for the zxid, which is a difference of its own."""
    return record.op == other.op and dict(record.fields, zxid="") == dict(other.fields, zxid="")


def _applies(difference, step, record):
    """Whether an entry speaks of this record: by the step's mark, or everywhere for `any event`."""
    if difference.reference is None:
        return False
    if "any " + record.op in difference.operation:
        return True
    return difference.id in step.marks and record.op in difference.operation


class Comparison:
    """Compares the two runs of a case; gathers unexplained differences and the entries that occurred."""

    def __init__(self, table, check_marks=True):
        self.table = table
        self.check_marks = check_marks
        self.used = set()
        self.problems = []
        self.step_used = set()

    def compare(self, reference_steps, our_steps):
        for reference, ours in zip(reference_steps, our_steps):
            self.compare_step(reference, ours)
            for mark in reference.marks:
                if self.check_marks and mark not in self.step_used and not self._is_settled(mark):
                    self.problems.append("%s\n    is marked %s, but shows no such difference, or the "
                                         "table has no such entry" % (reference.label, mark))
            if reference.records and reference.records[-1].op == "script":
                self.problems.append("%s\n    %s" % (reference.label, reference.records[-1]))
        if len(reference_steps) != len(our_steps):
            longer = max(reference_steps, our_steps, key=len)
            self.problems.append("one side's script stopped; the other went on with: %s"
                                 % longer[min(len(reference_steps), len(our_steps))].label)

    def _is_settled(self, mark):
        return mark in self.table and self.table[mark].reference is None

    def compare_step(self, reference, ours):
        """One step alone; its marks are not asked whether they occurred."""
        self.step_used = set()
        left, right = list(reference.records), list(ours.records)
        left, right = (self._drop_unsent(reference, left, right, lambda d: d.ours, lambda d: d.reference),
                       self._drop_unsent(reference, right, left, lambda d: d.reference, lambda d: d.ours))
        for index in range(max(len(left), len(right))):
            a = left[index] if index < len(left) else None
            b = right[index] if index < len(right) else None
            if a is None or b is None or a.op != b.op:
                self.problems.append("%s\n  reference: %s\n  ours:      %s" % (reference.label, a, b))
                return
            self._compare_record(reference, a, b)

    def _drop_unsent(self, step, records, others, absent_side, present_side):
        """Take out records that the table says the other side does not send, and that it did not."""
        kept = []
        for record in records:
            for difference in () if any(_is_same(record, other) for other in others) else self.table.values():
                if (_applies(difference, step, record) and _is_nothing(absent_side(difference)) and
                        all(_covers([p], p[0], record.fields.get(p[0], "-"))
                            for p in present_side(difference) if p[1] is not None)):
                    self._use(difference)
                    break
            else:
                kept.append(record)
        return kept

    def _compare_record(self, step, a, b):
        unexplained = []
        for field in list(a.fields) + [f for f in b.fields if f not in a.fields]:
            left, right = a.fields.get(field, "-"), b.fields.get(field, "-")
            if left != right and not self._explained(step, a, field, left, right):
                unexplained.append("%s: %s / %s" % (field, left, right))
            elif left == UNKNOWN:
                unexplained.append("%s: %s, which the script must make known" % (field, left))
        if unexplained:
            self.problems.append("%s\n  reference: %s\n  ours:      %s\n    %s" % (
                step.label, a, b, "\n    ".join(unexplained)))

    def _explained(self, step, record, field, left, right):
        for difference in self.table.values():
            if (_applies(difference, step, record) and _covers(difference.reference, field, left) and
                    _covers(difference.ours, field, right)):
                self._use(difference)
                return True
        return False

    def _use(self, difference):
        self.used.add(difference.id)
        self.step_used.add(difference.id)


def run_case(case, sides):
    """Play the case against both sides at once; gives the two lists of steps."""
    results = [None, None]

    def play(index):
        results[index] = Run(case, sides[index]).play()
    threads = [threading.Thread(target=play, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


CASES = []


def case(function):
    """Decorator: adds a function to the script under its own name, dashes for underscores."""
    CASES.append(Case(function.__name__.replace("_", "-"), function, False))
    return function


def case_with_ttl(function):
    """The same for servers that have TTL znodes, and where reconfig is not disabled."""
    CASES.append(Case(function.__name__.replace("_", "-"), function, True))
    return function
