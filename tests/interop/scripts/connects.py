"""Opening, resuming, refusing and ending sessions; pings; frames that end a connection."""
import zk_wire as zk
from differential import case

ZEROS = b"\0" * 16


@case
def connect_variants(t):
    """The readOnly byte, the password and the protocol version do not matter for a new session."""
    t.session("old client", read_only=None)
    t.session("new client", read_only=False)
    t.session("accepts read-only", read_only=True)
    t.session("null password", password=None)
    t.session("empty password", password=b"")
    t.session("short password", password=b"abc")
    t.session("long password", password=b"x" * 40)
    t.session("protocol 1", protocol=1)
    t.session("protocol -1", protocol=-1)
    t.session("plain", plain=True)
    t.session("plain old client", plain=True, read_only=None)
    body = zk.connect_body(timeout=300000)
    t.session("extra bytes", body=zk.frame(body + b"more"))
    t.session("readOnly is 7", body=zk.frame(body[:-1] + b"\x07"))


@case
def connect_timeouts(t):
    """Bounds of negotiation; the reply carries what was granted."""
    for timeout in (0, 1, -1, -2147483648, 3999, 4000, 4001, 30000, 299999, 300000, 300001, 2147483647):
        t.session("timeout %d" % timeout, timeout=timeout)


@case
def connect_last_zxid(t):
    """A client that saw more than the server has is closed without a word."""
    write = t.boss.create(t.path("a"))
    t.session("saw nothing", last_zxid_seen=0)
    t.session("saw the newest", last_zxid_seen=write.zxid)
    t.session("negative", last_zxid_seen=-1)
    t.session("far ahead", last_zxid_seen=0x7fffffffffffffff)
    t.session("a little ahead", last_zxid_seen=write.zxid + 1000000)
    t.resume(t.boss, "ahead with a good session", last_zxid_seen=0x7fffffffffffffff)
    t.boss.exists(t.path("a"))


@case
def connect_malformed(t):
    """First frames that are no connect request."""
    body = zk.connect_body()
    for cut in (1, 3, 4, 11, 12, 15, 16, 23, 24, 27, 28, 43):
        t.session("cut at %d" % cut, body=zk.frame(body[:cut]))
    t.session("frame length -1", body=zk.p_int(-1))
    t.session("frame length min", body=zk.p_int(-2147483648))
    t.session("frame length max", body=zk.p_int(2147483647))
    t.session("frame length 1 MB", body=zk.p_int(0x100000))
    t.session("password length -2", body=zk.frame(body[:24] + zk.p_int(-2) + body[28:]))
    t.session("password length huge", body=zk.frame(body[:24] + zk.p_int(0x7fffffff) + body[28:]))
    t.session("HTTP", plain=True, body=b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


@case
def connect_first_frame_size(t):
    """Before a session exists we read a small frame only."""
    with t.differs("first-frame"):
        large = t.session("large", body=zk.frame(zk.connect_body(timeout=300000) + b"x" * 5000))
    large.drop()
    t.lose_count()


@case
def connect_again_on_live_link(t):
    """A second connect request is read as a request with opcode 0."""
    a = t.session("a")
    a.send_bytes(zk.frame(zk.connect_body()), "second connect request")
    b = t.session("b")
    t.resume(a)
    b.exists(t.root)


@case
def resume_session(t):
    """Id and password give the session back, with ephemerals, without watches."""
    a = t.session("a")
    a.create(t.path("e"), b"1", flags=zk.EPHEMERAL)
    a.exists(t.path("e"), watch=True)
    a.drop()
    b = t.resume(a, "a")
    b.exists(t.path("e"))
    t.boss.set_data(t.path("e"), b"2")
    b.drop()
    c = t.resume(b, "a", read_only=None)
    c.create(t.path("f"), flags=zk.EPHEMERAL)
    c.drop()
    d = t.resume(c, "a", timeout=4000)
    d.drop()
    e = t.resume(d, "a", timeout=300000, last_zxid_seen=1)
    t.boss.get_children2(t.root, watch=True)
    with t.differs("resume-timeout"):
        e.close(unordered=True)
    t.boss.get_children2(t.root)
    t.resume(e, "after its close")
    t.boss.exists(t.path("e"))


@case
def resume_moves(t):
    """A session that appears on a new connection leaves the old one."""
    a = t.session("a")
    a.create(t.path("e"), flags=zk.EPHEMERAL)
    a.get_data(t.path("e"), watch=True)
    b = t.resume(a, "a", watch=[a])
    t.boss.set_data(t.path("e"), b"x")
    b.get_data(t.path("e"), watch=True)
    c = t.resume(b, "a", watch=[b])
    t.boss.set_data(t.path("e"), b"y")
    c.delete(t.path("e"))
    c.create(t.path("e"), flags=zk.EPHEMERAL)
    d = t.resume(c, "a", watch=[c], plain=False, read_only=True)
    d.exists(t.path("e"))


@case
def resume_refused(t):
    """Wrong passwords and unknown ids: timeout 0, id 0, zeros, then the end."""
    a = t.session("a")
    a.create(t.path("e"), flags=zk.EPHEMERAL)
    a.drop()
    wrong = bytes([a.password[0] ^ 1]) + a.password[1:]
    t.resume(a, "wrong password", password=wrong)
    t.resume(a, "zeros", password=ZEROS)
    t.resume(a, "null password", password=None)
    t.resume(a, "empty password", password=b"")
    t.resume(a, "short password", password=a.password[:15])
    t.resume(a, "long password", password=a.password + b"\0")
    t.resume(a, "wrong, without the readOnly byte", password=wrong, read_only=None)
    t.resume(a, "unknown id", session_id=a.session_id + 77)
    t.resume(a, "id 1", session_id=1)
    t.resume(a, "id -1", session_id=-1)
    t.resume(a, "id min", session_id=-0x8000000000000000)
    t.resume(a, "unknown id, zeros", session_id=a.session_id + 77, password=ZEROS)
    t.resume(a, "unknown id, without the readOnly byte", session_id=5, read_only=None)
    t.boss.exists(t.path("e"))
    t.resume(a, "a").exists(t.path("e"))


@case
def resume_wrong_password_while_connected(t):
    """3.8.0 cuts the owner off before it looks at the password."""
    a = t.session("a")
    a.create(t.path("e"), flags=zk.EPHEMERAL)
    with t.differs("takeover-password"):
        t.resume(a, "intruder", password=b"x" * 16, watch=[a])
    a.drop()
    t.boss.exists(t.path("e"))


@case
def resume_with_other_identity(t):
    """A session belongs to the certificate that opened it."""
    a = t.session("a")
    a.create(t.path("e"), flags=zk.EPHEMERAL)
    with t.differs("takeover-identity"):
        b = t.resume(a, "bob", certificate="second", watch=[a])
    a.drop()
    b.drop()
    t.boss.exists(t.path("e"))


@case
def resume_plain(t):
    """The same rules on the plain port."""
    a = t.session("a", plain=True)
    a.create(t.path("e"), flags=zk.EPHEMERAL)
    b = t.resume(a, "a", watch=[a])
    b.exists(t.path("e"))
    b.drop()
    t.resume(b, "wrong", password=ZEROS)
    c = t.resume(b, "a", read_only=None)
    c.close()
    t.boss.exists(t.path("e"))
    t.resume(c, "closed")


@case
def pings(t):
    """Answered with xid -2 whatever they carry, and with no change of anything."""
    a = t.session("a")
    a.ping()
    for xid in (0, 7, -1, -2, -4, 2147483647):
        a.ping(xid=xid)
    a.raw(zk.PING, b"body is ignored")
    a.create(t.path("x"))
    a.ping()


@case
def xids(t):
    """Any xid comes back as it was."""
    a = t.session("a")
    for xid in (0, 5, 5, 4, -2, -3, -4, -8, -9, 2147483647, -2147483648, -1):
        a.exists(t.root, xid=xid)
        a.create(t.path("x"), xid=xid)
    a.auth("digest", b"u:p", xid=99)
    a.auth("digest", b"u:p", xid=0)
    a.set_watches(0, [], [], [], xid=98)
    a.sync(t.root, xid=-2)


@case
def close_session(t):
    """The reply comes, then the end; what was sent behind it is not executed."""
    a = t.session("a")
    a.close()
    b = t.session("b")
    b.raw(zk.CLOSE, b"body is ignored", closes=True)
    c = t.session("c")
    c.raw(zk.CLOSE, b"", xid=-4, closes=True)
    t.resume(a, "a closed one")
    t.boss.create(t.path("after"))


@case
def unknown_opcodes(t):
    """Answered "unimplemented", then the connection ends, and the session lives."""
    for op in (0, 10, 23, 50, 99, 108, 200, 1000, -2, -3, -100, 2147483647, -2147483648):
        a = t.session("op %d" % op)
        a.raw(op, b"", closes=True)
        t.resume(a)
    b = t.session("b")
    b.create(t.path("e"), flags=zk.EPHEMERAL)
    b.raw(99, zk.p_string("/x"), closes=True)
    t.boss.exists(t.path("e"))
    t.resume(b).exists(t.path("e"))


@case
def frames_that_end_a_connection(t):
    """Cut headers and impossible lengths; the session lives on."""
    frames = (("header of 1 byte", zk.frame(b"\0")), ("header of 4 bytes", zk.frame(zk.p_int(1))),
              ("header of 7 bytes", zk.frame(zk.p_int(1) + b"\0\0\0")),
              ("length -1", zk.p_int(-1)), ("length -2", zk.p_int(-2)),
              ("length min", zk.p_int(-2147483648)), ("length max", zk.p_int(2147483647)),
              ("length 0x100000", zk.p_int(0x100000)), ("length 16 MB", zk.p_int(1 << 24)),
              ("HTTP", b"GET / HTTP/1.0\r\n\r\n"))
    for name, data in frames:
        a = t.session(name)
        a.create(t.path("e-" + name.replace(" ", "-")), flags=zk.EPHEMERAL)
        a.send_bytes(data, name)
        t.resume(a).exists(t.path("e-" + name.replace(" ", "-")))


@case
def frames_in_pieces(t):
    """A frame may come byte by byte, many may come at once."""
    a = t.session("a")
    t.boss.create(t.path("slow"), b"data")
    whole = zk.frame(zk.p_int(3) + zk.p_int(zk.GET_DATA) + zk.get_data(t.path("slow")).body)
    a.client.pending.append((3, zk.GET_DATA))
    for index in range(len(whole)):
        a.client.link.send(whole[index:index + 1])
    a.exists(t.path("slow"))
    assert a.client.done.pop(3).value.data == b"data"
    a.pipeline(*[zk.create(t.path("p%02d" % i)) for i in range(20)])
    a.pipeline(*[zk.exists(t.path("p%02d" % i)) for i in range(25)])
    a.pipeline(*[zk.delete(t.path("p%02d" % i)) for i in range(20)])
    a.pipeline(zk.create(t.path("q")), zk.get_data(t.path("q")), zk.set_data(t.path("q"), b"1", 0),
               zk.get_data(t.path("q")), zk.set_data(t.path("q"), b"2", 0), zk.sync(t.root),
               zk.exists(t.path("q")), zk.delete(t.path("q"), 1), zk.exists(t.path("q")),
               zk.get_children2(t.root))
