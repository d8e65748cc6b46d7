"""Multi: all or nothing, its replies, its errors, its Stats, its permissions."""
import zk_wire as zk
from zk_wire import Acl
from differential import case


@case
def multi_succeeds(t):
    """Each result in its place; one zxid for all."""
    z = t.boss
    p = t.path("n")
    z.multi()
    z.multi(zk.create(p))
    z.exists(p)
    z.multi(zk.delete(p))
    z.multi(zk.create(p, b"1"), zk.set_data(p, b"2", 0), zk.set_data(p, b"3", 1), zk.check(p, 2))
    z.get_data(p)
    z.multi(zk.create(p + "/a"), zk.create(p + "/a/b"), zk.delete(p + "/a/b"), zk.create(p + "/c"))
    z.exists(p)
    z.get_children2(p)
    z.multi(zk.check(p))
    z.multi(zk.check(p, 2), zk.check(p + "/a", 0))
    z.multi(zk.delete(p + "/a"), zk.delete(p + "/c"), zk.delete(p))
    z.exists(p)
    z.multi(zk.create(p), zk.delete(p))
    z.multi(zk.create(p), zk.delete(p), zk.create(p, b"second"))
    z.get_data(p)


@case
def multi_as_kafka(t):
    """A broker registers: null data, ephemeral, then setData with version 0; its epoch is the czxid."""
    a, p = t.session("a"), t.path("broker")
    a.multi(zk.create(p, None, flags=zk.EPHEMERAL), zk.set_data(p, b"{}", 0))
    a.get_data(p)
    a.multi(zk.create(p, None, flags=zk.EPHEMERAL), zk.set_data(p, b"{}", 0))
    a.multi(zk.check(t.root), zk.set_data(p, b"{1}", 1))
    t.boss.get_data(p)
    a.close()
    t.boss.get_data(p)


@case
def multi_create2(t):
    """3.8.0 answers a create2 inside a multi as a create."""
    z = t.boss
    p = t.path("n")
    with t.differs("multi-create2"):
        z.multi(zk.create2(p, b"x"))
    with t.differs("multi-create2"):
        z.multi(zk.create(t.path("m")), zk.create2(p + "/c", b"xy", flags=zk.SEQUENTIAL),
                zk.set_data(p, b"z"))
    z.multi(zk.create2(p), zk.check(p))
    z.get_children2(p)


@case
def multi_fails(t):
    """The header says OK, the results tell; nothing is left of it."""
    z = t.boss
    p = t.path("n")
    z.create(p)
    ok, later = zk.create(t.path("ok")), zk.create(t.path("later"))
    failing = (zk.create(p), zk.create(t.path("no", "parent")), zk.create("relative"),
               zk.create(t.path("bad/")), zk.create(t.path("x"), acl=[]), zk.create2(p),
               zk.delete(t.path("none")), zk.delete(p, 9), zk.delete(t.root), zk.delete("/"),
               zk.delete("relative"),
               zk.set_data(t.path("none")), zk.set_data(p, b"", 9), zk.set_data("bad/"),
               zk.check(t.path("none")), zk.check(p, 9), zk.check("relative"))
    for request in failing:
        z.multi(request)
        z.multi(ok, request, later)
        z.multi(ok, later, request)
        z.multi(request, request)
    for flags in (77, 7, -1):
        request = zk.create(t.path("x"), flags=flags)
        with t.differs("multi-bad-mode"):
            z.multi(request)
        with t.differs("multi-bad-mode"):
            z.multi(ok, request, later)
    z.get_children2(t.root)
    z.exists(p)
    z.multi(ok, later)
    z.exists(t.root)


@case
def multi_null_path(t):
    """3.8.0 stumbles over a null path in a multi, and sends the end of a reply behind the error."""
    z, ok = t.boss, zk.create(t.path("ok"))
    for request in (zk.create(None), zk.create2(None), zk.delete(None), zk.set_data(None), zk.check(None)):
        for requests in ((request,), (ok, request)):
            with t.differs(*["multi-error-body"] * (not t.is_39)):
                z.multi(*requests)
            t.lose_count()
            z.set_data(t.root)
    z.get_children2(t.root)


@case
def multi_sees_itself(t):
    """Later operations see the earlier ones; a failure takes back versions and counters."""
    z = t.boss
    p = t.path("n")
    z.create(p)
    z.multi(zk.set_data(p, b"1", 0), zk.set_data(p, b"2", 0))
    z.multi(zk.set_data(p, b"1", 0), zk.set_data(p, b"2", 1), zk.delete(p, 2), zk.check(p))
    z.get_data(p)
    z.multi(zk.create(p + "/s", flags=2), zk.create(p + "/s", flags=2), zk.check(t.path("none")))
    z.create(p + "/s", flags=2)
    z.multi(zk.create(p + "/a"), zk.delete(p + "/a"), zk.delete(p + "/s0000000000"), zk.delete(p, 7))
    z.multi(zk.delete(p), zk.create(p + "/x"))
    z.multi(zk.create(p + "/e", flags=1), zk.create(p + "/e/x"))
    z.get_children2(p)
    z.multi(zk.delete(p + "/s0000000000"), zk.delete(p), zk.create(p, b"new"), zk.create(p + "/s", flags=2))
    z.get_children2(p)
    z.multi(zk.create(p + "/k"), zk.delete(p))
    z.multi(zk.create(p + "/k"), zk.create(p + "/k"))
    z.get_children2(p)


@case
def multi_ephemerals(t):
    """Ephemerals in a multi go with their session."""
    a, z = t.session("a"), t.boss
    p = t.path("n")
    z.create(p)
    a.multi(zk.create(p + "/e1", flags=1), zk.create(p + "/e2", flags=3), zk.create(p + "/keep"))
    a.multi(zk.create(p + "/e3", flags=1), zk.delete(p + "/e1"))
    a.multi(zk.create(p + "/e4", flags=1), zk.check(p, 9))
    z.get_children2(p)
    a.close(unordered=True)
    z.get_children2(p)


@case
def multi_permissions(t):
    """The first operation that is not allowed decides."""
    z, a = t.boss, t.session("a", certificate="second")
    p = t.path("n")
    z.create(p, acl=[Acl(zk.PERM_READ | zk.PERM_WRITE, "world", "anyone"), Acl(31, "x509", "CN=x")])
    z.create(t.path("open"))
    z.create(t.path("blind"), acl=[Acl(zk.PERM_WRITE, "world", "anyone")])
    a.multi(zk.set_data(p, b"1"), zk.check(p, 1))
    a.multi(zk.set_data(p, b"1"), zk.create(p + "/c"))
    a.multi(zk.create(t.path("open", "c")), zk.delete(p + "/c"))
    a.multi(zk.check(t.path("blind")))
    a.multi(zk.create(t.path("locked"), acl=[Acl(0, "world", "anyone")]),
            zk.set_data(t.path("locked"), b"x"))
    a.multi(zk.create(t.path("by-auth"), acl=[Acl(31, "auth", "")]))
    a.get_acl(t.path("by-auth"), unordered=True)
    z.get_data(p)


@case
def multi_large(t):
    """Some hundreds of operations in one."""
    z = t.boss
    z.multi(*[zk.create(t.path("n%03d" % i), b"%d" % i) for i in range(300)])
    z.get_children2(t.root)
    z.multi(*[zk.set_data(t.path("n%03d" % i), b"x", 0) for i in range(300)])
    z.multi(*([zk.delete(t.path("n%03d" % i)) for i in range(299)] + [zk.delete(t.path("none"))]))
    z.get_children2(t.root)
    z.multi(*[zk.delete(t.path("n%03d" % i)) for i in range(300)])
    z.exists(t.root)


@case
def multi_malformed(t):
    """Frames that are no multi, and operations that have no place in one."""
    z = t.boss
    header, done = zk.multi_header, zk.multi_header(-1, True, -1)
    good = zk.create(t.path("n"))
    part = header(zk.CREATE, False, -1) + good.body
    bodies = (
        ("empty body", b""), ("only the end", done), ("cut header", header(1, False, -1)[:5]),
        ("header without a body", header(zk.CREATE, False, -1)), ("no end", part),
        ("cut in the operation", part[:-3]), ("cut end", part + done[:4]),
        ("cut after a good one", part + header(zk.DELETE, False, -1)),
        ("end with err 0", part.replace(b"n", b"m") + header(-1, True, 0)),
        ("end with type 1", zk.multi_header(zk.DELETE, True, -1)),
        ("behind the end", done + part),
        ("err 7 in a header", header(zk.CHECK, False, 7) + zk.check(t.root).body + done),
    )
    for name, body in bodies:
        z.raw(zk.MULTI, body, name)
    for op in (zk.NOTIFICATION, zk.EXISTS, zk.GET_ACL, zk.SET_ACL, zk.SYNC, zk.PING, zk.GET_CHILDREN2, 99,
               zk.CLOSE, -1, zk.AUTH):
        z.raw(zk.MULTI, header(op, False, -1) + zk.exists(t.root).body + done, "type %d inside" % op)
    z.raw(zk.MULTI, header(zk.MULTI, False, -1) + zk.multi([good]).body + done, "multi inside")
    z.raw(zk.MULTI, part + header(99, False, -1) + done, "type 99 behind a good one")
    z.get_children2(t.root)


@case
def multi_of_all_kinds(t):
    """Containers too, and what stands in no multi."""
    z, p = t.boss, t.path("n")
    z.multi(zk.create_container(p), zk.create_container(p + "/a", b"x"), zk.delete(p + "/a"))
    z.exists(p)
    z.multi(zk.create(t.path("m")), zk.create_container(p))
    for op in (zk.SET_ACL, zk.EXISTS, zk.GET_ACL, zk.SYNC, zk.MULTI, zk.GET_CHILDREN2, zk.CLOSE, zk.PING, zk.ADD_WATCH,
               99, 0, -1):
        z.multi(zk.create(t.path("m")), zk.Request(op, zk.p_string(p) + zk.p_int(-1)))
        z.exists(t.path("m"))
    z.multi(zk.create(t.path("m")), zk.get_data(p))
    z.multi(zk.get_data(p), zk.create(t.path("m")))
    z.multi(zk.get_data(p))
    z.multi(zk.get_data(p), zk.get_children(p))
    z.exists(t.path("m"))
    z.set_data(p, b"on")


@case
def multi_delete_container(t):
    z, p = t.boss, t.path("n")
    z.create_container(p)
    z.multi(zk.delete_container(p))
    z.multi(zk.set_data(p, b"x"), zk.Request(zk.DELETE_CONTAINER, zk.delete(p).body))
    z.exists(p)


@case
def multi_modes(t):
    """In a multi the flags decide what is made."""
    z = t.boss
    for flags in (0, 1, 2, 3, 4, 5, 6):
        z.multi(zk.create(t.path("c%d" % flags), flags=flags), zk.check(t.root))
        with t.differs(*["multi-create2"] * (flags < 4)):
            z.multi(zk.create2(t.path("d%d" % flags), flags=flags), zk.check(t.root))
        # In 3.8.0 an ordinary znode, an ephemeral one too; in 3.9 a container, as asked for.
        if not flags & zk.EPHEMERAL:
            with t.differs(*["multi-create2"] * (flags < 4)):
                z.multi(zk.create_container(t.path("e%d" % flags), flags=flags), zk.check(t.root))
        z.multi(zk.create_ttl(t.path("f%d" % flags), flags=flags), zk.check(t.root))
    z.get_children2(t.root)
    z.get_ephemerals("/")
    z.set_data(t.root, b"on")


@case
def multi_read(t):
    """Each part for itself."""
    z, b, p = t.boss, t.session("b", certificate="second"), t.path("n")
    z.create(p, b"data")
    z.create(p + "/a", None)
    z.create(p + "/hidden", b"x", acl=[Acl(31, "x509", "CN=alice,OU=clients,O=Zoolite Test")])
    for session in (z, b):
        session.multi_read()
        session.multi_read(zk.get_data(p))
        session.multi_read(zk.get_children(p))
        session.multi_read(zk.get_data(p), zk.get_children(p), zk.get_data(p + "/a"), zk.get_children(p + "/a"))
        session.multi_read(zk.get_data(t.path("none")), zk.get_data(p), zk.get_children(t.path("none")))
        session.multi_read(zk.get_data(p + "/hidden"), zk.get_children(p + "/hidden"), zk.get_data(p))
        session.multi_read(*[zk.get_data(path) for path in ("", "relative", "//", p + "/", "/", "/zookeeper/config")])


@case
def multi_read_sets_no_watch(t):
    """Or does it? The watch flag is in the request of each part."""
    w, z, p = t.session("w"), t.boss, t.path("n")
    z.create(p)
    w.multi_read(zk.get_data(p, True), zk.get_children(p, True), zk.get_data(t.path("later"), True))
    w.check_watches(p)
    z.set_data(p, b"x")
    z.create(p + "/a")
    z.create(t.path("later"))


@case
def multi_read_wrong(t):
    """What is no getData or getChildren, and bodies that end early."""
    z, p = t.boss, t.path("n")
    z.create(p)
    for request in (zk.create(t.path("m")), zk.set_data(p, b"x"), zk.check(p), zk.delete(p), zk.exists(p),
                    zk.get_children2(p), zk.get_acl(p), zk.sync(p), zk.multi_read([zk.get_data(p)]),
                    zk.Request(99, b""), zk.Request(-1, b"")):
        # 3.8.0 reads what could stand in a multi, and stumbles only then.
        with t.differs(*["multi-error-body"] * (request.op in (zk.CREATE, zk.SET_DATA, zk.CHECK, zk.DELETE))):
            z.multi_read(request)
        z.multi_read(zk.get_data(p), request)
    z.get_children2(t.root)
    body = zk.multi_read([zk.get_data(p), zk.get_children(p)]).body
    for cut in (0, 4, 8, 9, 12, len(body) // 2, len(body) - 9, len(body) - 1):
        z.raw(zk.MULTI_READ, body[:cut], "cut at %d" % cut)
    z.raw(zk.MULTI_READ, body + b"more", "extra bytes")
    z.set_data(p, b"on")


@case
def multi_read_null_path(t):
    z, p = t.boss, t.path("n")
    z.create(p)
    for path_first in (False, True):
        parts = (zk.get_children(None), zk.get_children(p)) if path_first else (zk.get_children(p), zk.get_data(None))
        with t.differs("multi-error-body"):
            z.multi_read(*parts)
