"""ACLs of every scheme, permissions on every operation, authentication."""
import base64
import hashlib

import zk_wire as zk
from zk_wire import Acl
from differential import case

ALICE = "CN=alice,OU=clients,O=Zoolite Test"
BOB = "CN=bob,OU=clients,O=Zoolite Test"


def digest_id(user, password):
    """The id under which the digest scheme knows user:password."""
    text = ("%s:%s" % (user, password)).encode()
    return "%s:%s" % (user, base64.b64encode(hashlib.sha1(text).digest()).decode())


def world(perms):
    return [Acl(perms, "world", "anyone")]


@case
def acl_lists(t):
    """Which lists of entries are accepted, and what is kept of them."""
    z = t.boss
    u = digest_id("u", "p")
    lists = (
        None, [], world(31), world(0), world(1), world(32), world(63), world(-1), world(2147483647),
        [Acl(31, "world", "someone")], [Acl(31, "world", "")], [Acl(31, "world", None)],
        [Acl(31, "", "anyone")], [Acl(31, None, "anyone")], [Acl(31, None, None)],
        [Acl(31, "World", "anyone")], [Acl(31, "nonsense", "x")],
        [Acl(31, "digest", u)], [Acl(31, "digest", "u:p")], [Acl(31, "digest", "u")],
        [Acl(31, "digest", "")], [Acl(31, "digest", ":")], [Acl(31, "digest", "u:")],
        [Acl(31, "digest", ":p")], [Acl(31, "digest", "a:b:c")],
        [Acl(31, "ip", "127.0.0.1")], [Acl(31, "ip", "127.0.0.1/32")], [Acl(31, "ip", "10.0.0.0/8")],
        [Acl(31, "ip", "0.0.0.0/0")], [Acl(31, "ip", "10.0.0.1/33")], [Acl(31, "ip", "10.0.0.1/-1")],
        [Acl(31, "ip", "10.0.0")], [Acl(31, "ip", "10.0.0.256")], [Acl(31, "ip", "10.0.0.1.2")],
        [Acl(31, "ip", "hello")], [Acl(31, "ip", "")], [Acl(31, "ip", "10.0.0.1/x")],
        [Acl(31, "ip", "10.0.0.1/8/8")], [Acl(31, "ip", "10.0.0.1/")],
        [Acl(31, "x509", ALICE)], [Acl(31, "x509", "CN=nobody")], [Acl(31, "x509", "no name")],
        [Acl(31, "x509", "")],
        [Acl(31, "auth", "")], [Acl(31, "auth", "ignored")], [Acl(1, "auth", None)],
        [Acl(31, "super", "x")], [Acl(31, "sasl", "x")],
        world(31) + world(31), world(1) + world(2), [Acl(31, "digest", u), Acl(1, "world", "anyone")],
        [Acl(1, "world", "anyone"), Acl(31, "digest", u)], world(31) + [Acl(31, "nonsense", "x")],
        world(31) + [Acl(31, "auth", "")],
    )
    for number, acl in enumerate(lists):
        p = t.path("n%02d" % number)
        z.call(zk.create(p, b"", acl), "acl %s" % (acl and [tuple(a) for a in acl]))
        z.get_acl(p)
        z.exists(t.root)
    z.create(t.path("target"))
    for acl in lists[:30:3]:
        z.set_acl(t.path("target"), acl)
        z.get_acl(t.path("target"))


OPERATIONS = (
    ("getData", lambda p: zk.get_data(p)), ("getChildren", lambda p: zk.get_children(p)),
    ("getChildren2", lambda p: zk.get_children2(p)), ("getACL", lambda p: zk.get_acl(p)),
    ("setData", lambda p: zk.set_data(p, b"new")), ("create", lambda p: zk.create(p + "/c")),
    ("delete child", lambda p: zk.delete(p + "/c")),
    ("delete no child", lambda p: zk.delete(p + "/none")),
    ("create2", lambda p: zk.create2(p + "/c2")), ("delete c2", lambda p: zk.delete(p + "/c2")),
    ("sequential", lambda p: zk.create(p + "/s", flags=2)),
    ("ephemeral", lambda p: zk.create(p + "/e", flags=1)),
    ("delete existing child", lambda p: zk.delete(p + "/k")),
    ("sync", lambda p: zk.sync(p)),
    ("multi setData", lambda p: zk.multi([zk.set_data(p, b"m")])),
    ("multi check", lambda p: zk.multi([zk.check(p, -1)])),
    ("multi create", lambda p: zk.multi([zk.create(p + "/m")])),
    ("multi delete", lambda p: zk.multi([zk.delete(p + "/m")])),
)


def try_everything(t, session, path, exists_differs=False):
    """Every operation on the node at path, then setACL, which may lock us out."""
    if exists_differs:
        with t.differs("exists-read"):
            session.exists(path)
    else:
        session.exists(path)
    session.exists(path + "/none")
    for name, request in OPERATIONS:
        session.call(request(path), "%s at %s" % (name, path), unordered=True)
    session.set_acl(path, zk.OPEN_ACL)


@case
def permissions_world(t):
    """Each single permission, and all but each, for everybody."""
    z, a = t.boss, t.session("a", certificate="second")
    for perms in (0, 1, 2, 4, 8, 16, 30, 29, 27, 23, 15, 31):
        p = t.path("p%d" % perms)
        z.create(p, b"secret")
        z.create(p + "/k")
        z.set_acl(p, world(perms))
        try_everything(t, a, p, exists_differs=not perms & 1)


@case
def permissions_x509(t):
    """An identity from the certificate; another certificate has none of it."""
    alice, bob = t.boss, t.session("bob", certificate="second")
    plain = t.session("plain", plain=True)
    p = t.path("alices")
    alice.create(p, b"x", acl=[Acl(31, "x509", ALICE)])
    alice.create(p + "/k")
    try_everything(t, bob, p, exists_differs=True)
    try_everything(t, plain, p, exists_differs=True)
    try_everything(t, alice, p)
    q = t.path("mixed")
    alice.create(q, b"x", acl=[Acl(17, "x509", BOB), Acl(6, "x509", ALICE)])
    bob.create(q + "/x")
    bob.get_data(q)
    bob.get_acl(q)
    alice.create(q + "/k")
    alice.get_data(q)
    alice.get_acl(q)
    alice.set_data(q, b"y", 0)
    alice.delete(q + "/k")
    r = t.path("by-auth")
    bob.create(r, b"x", acl=[Acl(31, "auth", "")], unordered=True)
    bob.get_acl(r, unordered=True)
    alice.get_data(r)
    alice.get_acl(r)
    alice.get_children(r)
    alice.set_data(r, b"x")
    with t.differs("exists-read"):
        alice.exists(r, watch=True)
    bob.set_data(r, b"z")
    for wrong in ("alice", "CN=alice", ALICE.lower(), ALICE + ",C=X", " " + ALICE):
        s = t.path("wrong-" + str(len(wrong)) + wrong[:2].strip())
        alice.create(s, b"x", acl=[Acl(30, "world", "anyone"), Acl(1, "x509", wrong)])
        alice.get_data(s)


@case
def permissions_digest(t):
    """user:password proved on the connection."""
    z, a = t.boss, t.session("a", certificate="second")
    p = t.path("digest")
    z.create(p, b"x", acl=[Acl(31, "digest", digest_id("u", "p"))])
    z.get_data(p)
    z.auth("digest", b"u:p")
    z.get_data(p)
    z.create(p + "/k")
    a.auth("digest", b"u:wrong")
    try_everything(t, a, p, exists_differs=True)
    a.auth("digest", b"u:p")
    a.auth("digest", b"u:p")
    try_everything(t, a, p)
    q = t.path("by-auth")
    b = t.session("b", plain=True)
    b.create(q, acl=[Acl(31, "auth", "")])
    b.auth("digest", b"v:w")
    b.create(q, acl=[Acl(31, "auth", "")])
    b.get_acl(q)
    b.auth("digest", b"x:y")
    b.create(t.path("two"), acl=[Acl(31, "auth", "")])
    b.get_acl(t.path("two"), unordered=True)
    b.create(t.path("three"), acl=[Acl(1, "auth", ""), Acl(2, "auth", "x")])
    b.get_acl(t.path("three"), unordered=True)
    b.create(t.path("four"), acl=[Acl(1, "world", "anyone"), Acl(31, "auth", "")])
    a.get_acl(t.path("four"), unordered=True)
    b.get_acl(t.path("four"), unordered=True)
    t.boss.get_data(q)


@case
def permissions_ip(t):
    """Addresses and networks."""
    z = t.boss
    for plain in (False, True):
        a = t.session("plain" if plain else "tls", certificate="second", plain=plain)
        for number, address in enumerate(("127.0.0.1", "127.0.0.1/32", "127.0.0.0/8", "127.1.2.3/8",
                                          "0.0.0.0/0", "10.0.0.1", "127.0.0.2", "127.0.0.2/32",
                                          "127.0.0.2/30", "126.0.0.0/8", "126.0.0.0/7")):
            p = t.path("%s%d" % (a.name, number))
            z.create(p, b"x", acl=[Acl(31, "ip", address)])
            a.get_data(p)
            a.create(p + "/c")
    a.auth("ip", b"")
    a.auth("ip", b"10.0.0.1")
    a.get_data(t.path("plain5"))
    a.create(t.path("by-auth"), acl=[Acl(31, "auth", "")])


@case
def get_acl_hides_digests(t):
    """Who has READ but not ADMIN sees user names without their hashes."""
    z, a = t.boss, t.session("a", certificate="second")
    u = digest_id("u", "p")
    cases = (("reads", [Acl(31, "digest", u), Acl(1, "world", "anyone")]),
             ("admin", [Acl(31, "digest", u), Acl(16, "world", "anyone")]),
             ("both", [Acl(31, "digest", u), Acl(17, "world", "anyone")]),
             ("writes", [Acl(31, "digest", u), Acl(14, "world", "anyone")]),
             ("odd", [Acl(31, "digest", "a:b"), Acl(1, "world", "anyone"), Acl(1, "ip", "1.2.3.4")]))
    for name, acl in cases:
        z.create(t.path(name), acl=acl)
        a.get_acl(t.path(name))
    a.auth("digest", b"u:p")
    for name, _ in cases:
        a.get_acl(t.path(name))


@case
def set_acl_effects(t):
    """aversion moves, nothing else; the new list counts at once."""
    z, a = t.boss, t.session("a", certificate="second")
    p = t.path("n")
    z.create(p, b"x")
    z.set_acl(p, world(1))
    a.set_data(p, b"y")
    z.set_acl(p, world(31))
    z.set_acl(p, world(17), 0)
    z.set_acl(p, world(16), 1)
    z.get_acl(p)
    a.get_data(p)
    z.set_acl(p, [Acl(31, "x509", ALICE)], 2)
    a.get_data(p)
    a.set_acl(p, world(31), 3)
    z.get_data(p)
    z.set_acl(p, [Acl(31, "nonsense", "")], 3)
    z.set_acl(p, [Acl(31, "nonsense", "")], 77)
    z.set_acl(t.path("missing"), [], 77)
    z.set_acl(p, [], 3)
    z.set_acl(p, None, 3)
    z.exists(p)


@case
def delete_needs_the_parent(t):
    """DELETE is asked of the parent, not of the node."""
    z, a = t.boss, t.session("a", certificate="second")
    z.create(t.path("free"))
    z.create(t.path("free", "locked"), acl=[Acl(31, "x509", ALICE)])
    z.create(t.path("kept"))
    z.create(t.path("kept", "open"))
    z.set_acl(t.path("kept"), world(23))
    a.delete(t.path("kept", "open"))
    a.delete(t.path("kept", "none"))
    a.delete(t.path("free", "locked"), 9)
    a.delete(t.path("free", "locked"))
    a.delete(t.path("kept"))


@case
def auth_packets(t):
    """What each scheme answers; a failure ends the connection, not the session."""
    for number, data in enumerate((b"u:p", b"u", b"", b":", b"u:", b":p", b"a:b:c", "ü:ö".encode(), None)):
        a = t.session("digest %d" % number, plain=True)
        a.raw(zk.AUTH, zk.p_int(0) + zk.p_string("digest") + zk.p_buffer(data), "digest %s" % data,
              xid=zk.XID_AUTH, closes=data is None)
        if data is not None:
            a.create(t.path("d%d" % number), acl=[Acl(31, "auth", "")])
            a.get_acl(t.path("d%d" % number))
    a = t.session("kinds", plain=True)
    a.raw(zk.AUTH, zk.auth("digest", b"k:k", kind=5).body, "kind 5", xid=zk.XID_AUTH)
    a.auth("ip", b"whatever")
    a.auth("ip", b"")
    for scheme in ("world", "auth", "nonsense", "", "Digest", "super", "x509 "):
        b = t.session("fails " + scheme)
        b.create(t.path("e" + scheme.strip()), flags=zk.EPHEMERAL)
        b.auth(scheme, b"anyone", closes=True)
        t.boss.exists(t.path("e" + scheme.strip()))
        t.resume(b)
    c = t.session("null scheme")
    c.auth(None, b"x", closes=True)
    t.resume(c)
    d = t.session("x509 plain", plain=True)
    d.auth("x509", b"", closes=True)
    e = t.session("x509 tls")
    e.auth("x509", b"")
    e.auth("x509", b"CN=root")
    e.create(t.path("x509"), acl=[Acl(31, "auth", "")])
    e.get_acl(t.path("x509"), unordered=True)


@case
def auth_not_utf8(t):
    """A login in Latin-1: Java reads U+FFFD for what is no UTF-8, we take bytes for bytes."""
    a = t.session("a", plain=True)
    a.auth("digest", b"\xff:\xfe")
    a.create(t.path("n"), acl=[Acl(31, "auth", "")])
    with t.differs("utf8-text"):
        a.get_acl(t.path("n"))
    a.get_data(t.path("n"))


@case
def auth_belongs_to_the_connection(t):
    """A resumed session has to prove itself again."""
    a = t.session("a", plain=True)
    a.auth("digest", b"u:p")
    a.create(t.path("n"), acl=[Acl(31, "auth", "")])
    a.get_data(t.path("n"))
    a.drop()
    b = t.resume(a)
    b.get_data(t.path("n"))
    b.auth("digest", b"u:p")
    b.get_data(t.path("n"))


@case
def auth_many_identities(t):
    """We keep 16 identities of a connection; ZooKeeper all."""
    a = t.session("a", plain=True)
    for number in range(14):
        a.auth("digest", b"user%d:p" % number)
    a.create(t.path("n"), acl=[Acl(31, "digest", digest_id("user13", "p"))])
    a.get_data(t.path("n"))
    for number in range(14, 20):
        a.auth("digest", b"user%d:p" % (number % 14))
    a.get_data(t.path("n"))
