"""A small raw client of the ZooKeeper protocol for the tests: records, frames, sessions.

It hides nothing: every record can be written and read as it stands on the wire, bytes of any kind can
be sent, requests can be pipelined, and events are kept in the order in which they came. Sockets block,
each operation has a deadline. It is a client for one thread; give each thread its own.

    link = Link(("127.0.0.1", 2181))            # or Link(address, ssl_context)
    zk = Client(link); zk.connect()
    reply = zk.call(create("/a", b"x"))          # Reply(xid, zxid, err, value, body)
    xids = [zk.submit(get_data("/a")) for _ in range(100)]
    replies = [zk.wait(xid) for xid in xids]
    zk.events                                    # [Event(type, state, path, zxid, err)]
"""
import collections
import socket
import ssl
import struct
import threading
import time

DEADLINE_S = 20.0

# Opcodes.
NOTIFICATION, CREATE, DELETE, EXISTS, GET_DATA, SET_DATA, GET_ACL, SET_ACL = 0, 1, 2, 3, 4, 5, 6, 7
GET_CHILDREN, SYNC, PING, GET_CHILDREN2, CHECK, MULTI, CREATE2, RECONFIG = 8, 9, 11, 12, 13, 14, 15, 16
CHECK_WATCHES, REMOVE_WATCHES, CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL = 17, 18, 19, 20, 21
MULTI_READ, AUTH, SET_WATCHES, SASL, GET_EPHEMERALS, GET_ALL_CHILDREN_NUMBER = 22, 100, 101, 102, 103, 104
SET_WATCHES2, ADD_WATCH, WHO_AM_I, CLOSE = 105, 106, 107, -11
ERROR = -1

OP_NAMES = {
    NOTIFICATION: "notification", CREATE: "create", DELETE: "delete", EXISTS: "exists",
    GET_DATA: "getData", SET_DATA: "setData", GET_ACL: "getACL", SET_ACL: "setACL",
    GET_CHILDREN: "getChildren", SYNC: "sync", PING: "ping", GET_CHILDREN2: "getChildren2",
    CHECK: "check", MULTI: "multi", CREATE2: "create2", RECONFIG: "reconfig",
    CHECK_WATCHES: "checkWatches", REMOVE_WATCHES: "removeWatches",
    CREATE_CONTAINER: "createContainer", DELETE_CONTAINER: "deleteContainer",
    CREATE_TTL: "createTTL", MULTI_READ: "multiRead", AUTH: "auth", SET_WATCHES: "setWatches",
    SASL: "sasl", GET_EPHEMERALS: "getEphemerals", GET_ALL_CHILDREN_NUMBER: "getAllChildrenNumber",
    SET_WATCHES2: "setWatches2", ADD_WATCH: "addWatch", WHO_AM_I: "whoAmI", CLOSE: "closeSession",
    ERROR: "error",
}

ERR_NAMES = {
    0: "OK", -1: "SystemError", -2: "RuntimeInconsistency", -4: "ConnectionLoss",
    -5: "MarshallingError", -6: "Unimplemented", -8: "BadArguments", -100: "APIError",
    -101: "NoNode", -102: "NoAuth", -103: "BadVersion", -108: "NoChildrenForEphemerals",
    -110: "NodeExists", -111: "NotEmpty", -112: "SessionExpired", -113: "InvalidCallback",
    -114: "InvalidACL", -115: "AuthFailed", -118: "SessionMoved", -119: "NotReadOnly",
    -121: "NoWatcher", -123: "ReconfigDisabled", -124: "SessionClosedRequireAuth",
    -125: "QuotaExceeded", -127: "Throttled",
}

EVENT_NAMES = {1: "NodeCreated", 2: "NodeDeleted", 3: "NodeDataChanged", 4: "NodeChildrenChanged"}

XID_EVENT, XID_PING, XID_AUTH, XID_SET_WATCHES = -1, -2, -4, -8

PERM_READ, PERM_WRITE, PERM_CREATE, PERM_DELETE, PERM_ADMIN, PERM_ALL = 1, 2, 4, 8, 16, 31
EPHEMERAL, SEQUENTIAL = 1, 2
PERSISTENT, PERSISTENT_RECURSIVE = 0, 1  # modes of addWatch
WATCHES_CHILDREN, WATCHES_DATA, WATCHES_ANY = 1, 2, 3

Acl = collections.namedtuple("Acl", "perms scheme id")
Stat = collections.namedtuple("Stat", "czxid mzxid ctime mtime version cversion aversion "
                              "ephemeral_owner data_length num_children pzxid")
Request = collections.namedtuple("Request", "op body")
Reply = collections.namedtuple("Reply", "xid zxid err value body")
Event = collections.namedtuple("Event", "type state path zxid err")
ConnectReply = collections.namedtuple("ConnectReply", "protocol timeout session_id password read_only")
# One result of a multi; err is the failing code of an error result, else 0.
Result = collections.namedtuple("Result", "type err value")
# What the children operations and reads with data give back.
Data = collections.namedtuple("Data", "data stat")
Children = collections.namedtuple("Children", "names stat")
Acls = collections.namedtuple("Acls", "acls stat")
Identity = collections.namedtuple("Identity", "scheme user")
Created = collections.namedtuple("Created", "path stat")

OPEN_ACL = (Acl(PERM_ALL, "world", "anyone"),)

_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_STAT = struct.Struct(">qqqqiiiqiiq")
_REPLY = struct.Struct(">iqi")
_HEADER = struct.Struct(">ii")


class Closed(Exception):
    """The server closed the connection."""


class Malformed(Exception):
    """The server sent something that is not the record it should be."""


# -- writing records ---------------------------------------------------------------------------------

def p_int(value):
    return _INT.pack(value)


def p_long(value):
    return _LONG.pack(value)


def p_bool(value):
    return b"\x01" if value else b"\x00"


def p_buffer(value):
    """A buffer; None is the null buffer (length -1)."""
    return _INT.pack(-1) if value is None else _INT.pack(len(value)) + value


def p_string(value):
    """A string given as text, as bytes (sent as they are), or None."""
    return p_buffer(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)


def p_vector(items, pack):
    if items is None:
        return _INT.pack(-1)
    return _INT.pack(len(items)) + b"".join(map(pack, items))


def p_acl(acl):
    return _INT.pack(acl[0]) + p_string(acl[1]) + p_string(acl[2])


def p_acls(acls):
    return p_vector(acls, p_acl)


def frame(body):
    return _INT.pack(len(body)) + body


def request_frame(request, xid):
    """A whole request as it stands on the wire."""
    return _INT.pack(8 + len(request.body)) + _HEADER.pack(xid, request.op) + request.body


def connect_body(timeout=30000, session_id=0, password=b"\0" * 16, last_zxid_seen=0, read_only=False,
                 protocol=0):
    """A connect request; read_only None leaves the trailing byte off, as old clients do."""
    body = p_int(protocol) + p_long(last_zxid_seen) + p_int(timeout) + p_long(session_id)
    body += p_buffer(password)
    return body if read_only is None else body + p_bool(read_only)


# -- requests ----------------------------------------------------------------------------------------

def create(path, data=b"", acl=OPEN_ACL, flags=0, op=CREATE):
    return Request(op, p_string(path) + p_buffer(data) + p_acls(acl) + p_int(flags))


def create2(path, data=b"", acl=OPEN_ACL, flags=0):
    return create(path, data, acl, flags, CREATE2)


def create_container(path, data=b"", acl=OPEN_ACL, flags=4):
    return create(path, data, acl, flags, CREATE_CONTAINER)


def create_ttl(path, data=b"", acl=OPEN_ACL, flags=5, ttl=3600000):
    return Request(CREATE_TTL, create(path, data, acl, flags).body + p_long(ttl))


def delete_container(path):
    return Request(DELETE_CONTAINER, p_string(path))


def delete(path, version=-1):
    return Request(DELETE, p_string(path) + p_int(version))


def exists(path, watch=False):
    return Request(EXISTS, p_string(path) + p_bool(watch))


def get_data(path, watch=False):
    return Request(GET_DATA, p_string(path) + p_bool(watch))


def set_data(path, data=b"", version=-1):
    return Request(SET_DATA, p_string(path) + p_buffer(data) + p_int(version))


def get_children(path, watch=False):
    return Request(GET_CHILDREN, p_string(path) + p_bool(watch))


def get_children2(path, watch=False):
    return Request(GET_CHILDREN2, p_string(path) + p_bool(watch))


def sync(path):
    return Request(SYNC, p_string(path))


def get_acl(path):
    return Request(GET_ACL, p_string(path))


def set_acl(path, acl, version=-1):
    return Request(SET_ACL, p_string(path) + p_acls(acl) + p_int(version))


def check(path, version=-1):
    """For use inside a multi only: alone it takes ZooKeeper 3.8.0 down for good."""
    return Request(CHECK, p_string(path) + p_int(version))


def multi_header(op, done, err):
    return p_int(op) + p_bool(done) + p_int(err)


def multi(requests):
    body = b"".join(multi_header(r.op, False, -1) + r.body for r in requests)
    return Request(MULTI, body + multi_header(-1, True, -1))


def multi_read(requests):
    return Request(MULTI_READ, multi(requests).body)


def get_ephemerals(prefix=None):
    return Request(GET_EPHEMERALS, p_string(prefix))


def get_all_children_number(path):
    return Request(GET_ALL_CHILDREN_NUMBER, p_string(path))


def who_am_i():
    return Request(WHO_AM_I, b"")


def add_watch(path, mode=PERSISTENT):
    return Request(ADD_WATCH, p_string(path) + p_int(mode))


def check_watches(path, kind=WATCHES_ANY):
    return Request(CHECK_WATCHES, p_string(path) + p_int(kind))


def remove_watches(path, kind=WATCHES_ANY):
    return Request(REMOVE_WATCHES, p_string(path) + p_int(kind))


def set_watches(relative_zxid, data=(), exist=(), child=()):
    return Request(SET_WATCHES, p_long(relative_zxid) + p_vector(data, p_string) +
                   p_vector(exist, p_string) + p_vector(child, p_string))


def set_watches2(relative_zxid, data=(), exist=(), child=(), persistent=(), recursive=()):
    return Request(SET_WATCHES2, set_watches(relative_zxid, data, exist, child).body +
                   p_vector(persistent, p_string) + p_vector(recursive, p_string))


def auth(scheme, data, kind=0):
    return Request(AUTH, p_int(kind) + p_string(scheme) + p_string(data))


def ping():
    return Request(PING, b"")


def close():
    return Request(CLOSE, b"")


# -- reading records ---------------------------------------------------------------------------------

class Reader:
    """Reads records out of one frame; Malformed when it ends too early."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def _unpack(self, kind):
        try:
            values = kind.unpack_from(self.data, self.at)
        except struct.error as error:
            raise Malformed("record ends early: %s" % self.data.hex()) from error
        self.at += kind.size
        return values

    def int(self):
        return self._unpack(_INT)[0]

    def long(self):
        return self._unpack(_LONG)[0]

    def bool(self):
        self.at += 1
        if self.at > len(self.data):
            raise Malformed("record ends early: %s" % self.data.hex())
        return self.data[self.at - 1] != 0

    def buffer(self):
        length = self.int()
        if length == -1:
            return None
        if length < 0 or self.at + length > len(self.data):
            raise Malformed("bad length %d: %s" % (length, self.data.hex()))
        self.at += length
        return bytes(self.data[self.at - length:self.at])

    def string(self):
        value = self.buffer()
        return None if value is None else value.decode("utf-8", "backslashreplace")

    def vector(self, read):
        count = self.int()
        return None if count == -1 else [read() for _ in range(count)]

    def stat(self):
        return Stat(*self._unpack(_STAT))

    def acl(self):
        return Acl(self.int(), self.string(), self.string())

    def identity(self):
        return Identity(self.string(), self.string())

    def header(self):
        return self._unpack(_REPLY)

    def end(self):
        if self.at != len(self.data):
            raise Malformed("%d bytes too many: %s" % (len(self.data) - self.at, self.data.hex()))


def _read_results(reader):
    results = []
    while True:
        op, done, err = reader.int(), reader.bool(), reader.int()
        if done:
            if (op, err) != (-1, -1):
                raise Malformed("multi ends with type %d, err %d" % (op, err))
            return results
        if op == ERROR:
            inner = reader.int()
            if inner != err:
                raise Malformed("error result with %d in its header, %d in its body" % (err, inner))
            results.append(Result(op, err, None))
        else:
            if err != 0:
                raise Malformed("result of type %d with err %d" % (op, err))
            results.append(Result(op, 0, RESULTS[op](reader)))


RESULTS = {
    CREATE: lambda r: Created(r.string(), None),
    CREATE2: lambda r: Created(r.string(), r.stat()),
    DELETE: lambda r: None,
    EXISTS: lambda r: r.stat(),
    GET_DATA: lambda r: Data(r.buffer(), r.stat()),
    SET_DATA: lambda r: r.stat(),
    GET_ACL: lambda r: Acls(r.vector(r.acl), r.stat()),
    SET_ACL: lambda r: r.stat(),
    GET_CHILDREN: lambda r: Children(r.vector(r.string), None),
    GET_CHILDREN2: lambda r: Children(r.vector(r.string), r.stat()),
    SYNC: lambda r: r.string(),
    CHECK: lambda r: None,
    MULTI: _read_results,
    PING: lambda r: None,
    AUTH: lambda r: None,
    SET_WATCHES: lambda r: None,
    CLOSE: lambda r: None,
    CREATE_CONTAINER: lambda r: Created(r.string(), r.stat()),
    CREATE_TTL: lambda r: Created(r.string(), r.stat()),
    DELETE_CONTAINER: lambda r: None,
    MULTI_READ: _read_results,
    GET_EPHEMERALS: lambda r: r.vector(r.string),
    GET_ALL_CHILDREN_NUMBER: lambda r: r.int(),
    WHO_AM_I: lambda r: r.vector(r.identity),
    ADD_WATCH: lambda r: r.int(),
    CHECK_WATCHES: lambda r: None,
    REMOVE_WATCHES: lambda r: None,
    SET_WATCHES2: lambda r: None,
}


def decode_reply(op, body):
    """A reply to a request of this opcode from the frame's body; the value is None with an error.

    ZooKeeper puts nothing behind the header of an error, with rare exceptions: see Reply.body."""
    reader = Reader(body)
    xid, zxid, err = reader.header()
    value = None
    if err == 0 and op in RESULTS:
        value = RESULTS[op](reader)
        reader.end()
    return Reply(xid, zxid, err, value, body)


def decode_event(body):
    reader = Reader(body)
    _, zxid, err = reader.header()
    event = Event(reader.int(), reader.int(), reader.string(), zxid, err)
    reader.end()
    return event


def decode_connect_reply(body):
    """read_only is None when the trailing byte is not there."""
    reader = Reader(body)
    values = [reader.int(), reader.int(), reader.long(), reader.buffer()]
    read_only = reader.bool() if reader.at < len(body) else None
    reader.end()
    return ConnectReply(*values, read_only)


# -- the connection ----------------------------------------------------------------------------------

class Link:
    """A socket, plain or TLS, that sends bytes and receives frames, each call with a deadline."""

    def __init__(self, address, context=None, timeout=DEADLINE_S, source=None):
        self.timeout = timeout
        self.sock = socket.create_connection(address, timeout, source)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            try:
                self.sock = context.wrap_socket(self.sock)
            except OSError:
                self.sock.close()
                raise
        self.inbox = bytearray()
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Close with a TCP reset, as a machine that vanished would be noticed."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def fileno(self):
        return self.sock.fileno()

    def send(self, data):
        self.sock.settimeout(self.timeout)
        try:
            self.sock.sendall(data)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error

    def send_frame(self, body):
        self.send(frame(body))

    def fill(self, timeout):
        """Read what is there, waiting at most so long. False at the end of the stream."""
        if self.ended:
            return False
        self.sock.settimeout(max(timeout, 0.001))
        try:
            data = self.sock.recv(262144)
        except (TimeoutError, ssl.SSLWantReadError):
            raise TimeoutError("nothing came within %.3f s" % timeout) from None
        except (ConnectionError, ssl.SSLError):
            data = b""
        if not data:
            self.ended = True
            return False
        self.inbox += data
        return True

    def frame_if_any(self):
        """The next frame when it is already read, else None."""
        inbox = self.inbox
        if len(inbox) < 4:
            return None
        length = _INT.unpack_from(inbox)[0]
        if length < 0:
            raise Malformed("frame of length %d" % length)
        if len(inbox) < 4 + length:
            return None
        body = bytes(inbox[4:4 + length])
        del inbox[:4 + length]
        return body

    def receive(self, timeout=None):
        """The next frame's body. Closed at the end of the stream, TimeoutError at the deadline."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            body = self.frame_if_any()
            if body is not None:
                return body
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no frame came in time")
            if not self.fill(left):
                raise Closed("end of stream")

    def read_to_end(self, timeout=None):
        """All bytes until the server closes."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while self.fill(end - time.monotonic()):
            if time.monotonic() > end:
                raise TimeoutError("the server goes on sending")
        data, self.inbox = bytes(self.inbox), bytearray()
        return data

    def wait_closed(self, timeout=None):
        """Whether the server closes within the time; what comes before that is dropped."""
        try:
            self.read_to_end(timeout)
        except TimeoutError:
            return False
        return True


class Client:
    """A session on a link. Replies are matched to requests in order, events collected."""

    def __init__(self, link):
        self.link = link
        self.session_id = 0
        self.password = b"\0" * 16
        self.timeout_ms = 0
        self.next_xid = 1
        self.pending = collections.deque()  # (xid, op) of requests under way
        self.done = {}
        self.events = []
        self.last_zxid = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()

    def connect(self, timeout=30000, session_id=0, password=b"\0" * 16, **options):
        """Open or resume a session; the reply tells (timeout 0: refused)."""
        self.link.send_frame(connect_body(timeout, session_id, password, **options))
        reply = decode_connect_reply(self.link.receive())
        self.session_id, self.password = reply.session_id, reply.password
        self.timeout_ms = reply.timeout
        return reply

    def prepare(self, request, xid=None):
        """Book a request and give the xid its reply will carry, and its frame, for callers that join
        many before they send."""
        if xid is None:
            xid = self.next_xid
            self.next_xid += 1
        data = request_frame(request, xid)
        if request.op == PING:
            xid = XID_PING  # pings are answered so whatever their own xid
        self.pending.append((xid, request.op))
        return xid, data

    def submit(self, request, xid=None):
        """Send without waiting; give the xid."""
        xid, data = self.prepare(request, xid)
        self.link.send(data)
        return xid

    def submit_all(self, requests):
        """Send many in one write; give their xids."""
        prepared = [self.prepare(request) for request in requests]
        self.link.send(b"".join(data for _, data in prepared))
        return [xid for xid, _ in prepared]

    def take_frame(self, body):
        """Sort one received frame: an event, or the reply to the request that is due."""
        xid = _INT.unpack_from(body)[0]
        if xid == XID_EVENT and not (self.pending and self.pending[0][0] == XID_EVENT):
            self.events.append(decode_event(body))
            return
        for position, (due, op) in enumerate(self.pending):
            # Ping replies alone may overtake; all others come in the order of their requests.
            if due == xid and (position == 0 or op == PING):
                del self.pending[position]
                break
        else:
            raise Malformed("reply to xid %d, due was %s" % (xid, list(self.pending)[:3]))
        reply = decode_reply(op, body)
        if reply.zxid > self.last_zxid:
            self.last_zxid = reply.zxid
        self.done[xid] = reply

    def wait(self, xid, timeout=None):
        """The reply to this request."""
        end = time.monotonic() + (self.link.timeout if timeout is None else timeout)
        while xid not in self.done:
            self.take_frame(self.link.receive(end - time.monotonic()))
        return self.done.pop(xid)

    def call(self, request, timeout=None):
        return self.wait(self.submit(request), timeout)

    def call_all(self, requests):
        """Pipeline many and give their replies in order."""
        return [self.wait(xid) for xid in self.submit_all(requests)]

    def ping(self, timeout=None):
        return self.wait(self.submit(ping(), XID_PING), timeout)

    def auth(self, scheme, data):
        return self.wait(self.submit(auth(scheme, data), XID_AUTH))

    def barrier(self):
        """When this returns, every event due by now has come."""
        return self.call(exists("/"))

    def wait_event(self, timeout=None):
        """The oldest event not taken yet."""
        end = time.monotonic() + (self.link.timeout if timeout is None else timeout)
        while not self.events:
            self.take_frame(self.link.receive(end - time.monotonic()))
        return self.events.pop(0)

    def close_session(self):
        """Close the session properly, and the link."""
        reply = self.call(close())
        self.link.close()
        return reply

    def abandon(self):
        """Drop the link and leave the session."""
        self.link.close()


class Pinger(threading.Thread):
    """Keeps sessions alive from a thread of its own; it alone uses these clients while it runs.

    It goes on sending when nothing is answered, as a client does while its server is stopped."""

    def __init__(self, clients, every_s):
        super().__init__(daemon=True)
        self.clients = clients
        self.every_s = every_s
        self.ending = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.ending.wait(self.every_s):
                for client in self.clients:
                    client.submit(ping(), XID_PING)
        except (OSError, Closed) as error:
            self.failure = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()
