"""Request bodies that are cut, too long, or hold impossible lengths: answered, and the link lives."""
import functools

import zk_wire as zk
from differential import WRITES, case


def requests(t):
    """A well-formed request of each kind."""
    p = t.path("n")
    return (zk.create(p, b"data"), zk.create2(p, b"data"), zk.delete(p), zk.exists(p), zk.get_data(p),
            zk.set_data(p, b"data"), zk.get_acl(p), zk.set_acl(p, zk.OPEN_ACL), zk.get_children(p),
            zk.get_children2(p), zk.sync(p), zk.create_container(p, b"data"), zk.create_ttl(p, b"data"),
            zk.multi_read([zk.get_data(p), zk.get_children(p)]), zk.get_ephemerals(p),
            zk.get_all_children_number(p), zk.check_watches(p), zk.remove_watches(p), zk.add_watch(p))


def send(t, op, body, what):
    """What cannot be read: 3.9 notices before it takes a zxid for a write."""
    with t.differs(*["malformed-zxid"] * (op in WRITES)):
        t.boss.raw(op, body, what)


@case
def malformed_cuts(t):
    """Each request's body cut at several places."""
    z = t.boss
    for request in requests(t):
        body = request.body
        for cut in sorted({0, 1, 3, 4, 5, len(body) // 2, len(body) - 5, len(body) - 1}):
            send(t, request.op, body[:cut], "body cut at %d" % cut)
    z.get_children2(t.root)


@case
def malformed_extra(t):
    """Bytes behind a request do not matter."""
    z = t.boss
    for request in requests(t):
        z.raw(request.op, request.body + b"extra bytes", "extra bytes")
    z.get_children2(t.root)


@case
def malformed_lengths(t):
    """Lengths of strings, buffers and vectors that cannot be."""
    z = t.boss
    z.create(t.path("n"))
    for length in (-2, -2147483648, 2147483647, 0x100000, 5000):
        field = zk.p_int(length)
        for op in (zk.CREATE, zk.CREATE2, zk.DELETE, zk.EXISTS, zk.GET_DATA, zk.SET_DATA, zk.GET_ACL,
                   zk.SET_ACL, zk.GET_CHILDREN, zk.GET_CHILDREN2, zk.SYNC):
            send(t, op, field + b"/abc" + b"\0" * 12, "path of length %d" % length)
        path = zk.p_string(t.path("m"))
        send(t, zk.CREATE, path + field + b"xx" + zk.p_acls(zk.OPEN_ACL) + zk.p_int(0),
             "data of length %d" % length)
        send(t, zk.SET_DATA, path + field + b"xx" + zk.p_int(0), "data of length %d" % length)
        entries = field + zk.p_acls(zk.OPEN_ACL)[4:]
        # Below -1 there are none: two requests that can be read.
        sender = z.raw if length < 0 else functools.partial(send, t)
        sender(zk.CREATE, path + zk.p_buffer(b"") + entries + zk.p_int(0), "%d ACL entries" % length)
        sender(zk.SET_ACL, zk.p_string(t.path("n")) + entries + zk.p_int(-1), "%d ACL entries" % length)
        send(t, zk.CREATE, path + zk.p_buffer(b"") + zk.p_int(1) + zk.p_int(31) + field + b"world" +
             zk.p_string("anyone") + zk.p_int(0), "scheme of length %d" % length)
    z.get_children2(t.root)
    z.get_acl(t.path("n"))


@case
def malformed_set_watches(t):
    """setWatches with bodies that are none."""
    z = t.boss
    body = zk.set_watches(1, [t.root], [t.root], [t.root]).body
    for cut in (0, 4, 8, 12, 14, len(body) - 4, len(body) - 1):
        z.raw(zk.SET_WATCHES, body[:cut], "cut at %d" % cut)
    z.raw(zk.SET_WATCHES, zk.p_long(0) + zk.p_int(1 << 30) + b"\0" * 40, "2^30 paths")
    z.raw(zk.SET_WATCHES, zk.p_long(0) + zk.p_int(-7) + zk.p_int(-7) + zk.p_int(-7), "-7 paths")
    z.set_data(t.root, b"x")


@case
def malformed_booleans(t):
    """Any byte but 0 is true."""
    w, z = t.session("w"), t.boss
    p = t.path("n")
    z.create(p)
    for value in (0, 1, 2, 127, 255):
        w.raw(zk.GET_DATA, zk.p_string(p) + bytes([value]), "watch byte %d" % value)
        z.set_data(p, b"%d" % value)


@case
def malformed_auth(t):
    """Auth packets that cannot be read."""
    body = zk.auth("digest", b"u:p").body
    for cut in (0, 3, 4, 8, 12, len(body) - 1):
        a = t.session("cut at %d" % cut)
        a.raw(zk.AUTH, body[:cut], "cut at %d" % cut, xid=zk.XID_AUTH, closes=True)
        t.resume(a)
