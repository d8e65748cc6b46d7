"""createContainer, createTTL with and without extendedTypesEnabled, deleteContainer."""
import zk_wire as zk
from zk_wire import Acl
from differential import case, case_with_ttl

MODES = (0, 1, 2, 3, 4, 5, 6, 7, -1)


@case
def container_life(t):
    """A container is an ordinary znode while it stands; its owner is shown as 0."""
    z, p = t.boss, t.path("c")
    z.create_container(p, b"data")
    z.create_container(p)
    z.exists(p)
    z.get_data(p)
    z.get_children2(p)
    z.create(p + "/a")
    z.create2(p + "/s-", flags=zk.SEQUENTIAL)
    z.create(p + "/e", flags=zk.EPHEMERAL)
    z.create_container(p + "/c")
    z.create_container(p + "/c/d")
    z.delete(p)
    z.exists(p)
    z.set_data(p, b"other", 0)
    z.set_acl(p, [Acl(31, "world", "anyone")])
    for name in ("c/d", "c", "a", "e"):
        z.delete(p + "/" + name)
    z.get_children2(p)
    z.create_container(t.path("none", "c"))
    z.create_container(p + "/x", acl=[])
    z.create_container(p + "/x", None)
    z.get_data(p + "/x")
    z.get_children2(t.root)


@case
def container_modes(t):
    """createContainer makes a container whatever flags it carries; create with the flags of one does not."""
    z = t.boss
    for flags in MODES:
        z.create_container(t.path("c%d" % flags), flags=flags)
        z.create(t.path("p%d" % flags), flags=flags)
        z.create2(t.path("q%d" % flags), flags=flags)
    z.get_children2(t.root)
    z.get_ephemerals("/")


@case
def container_paths(t):
    z = t.boss
    for path in (None, "", "c", "/", "//", t.path("c/"), t.path("a//b"), t.path("."), t.path("a\0b"), "/zookeeper",
                 "/zookeeper/c"):
        z.create_container(path)
    z.delete("/zookeeper/c")


@case
def container_watches(t):
    """Events of a container, and who may not make one."""
    w, z, p = t.session("w"), t.boss, t.path("c")
    w.exists(p, watch=True)
    w.get_children(t.root, watch=True)
    z.create_container(p)
    w.get_children(p, watch=True)
    w.get_data(p, watch=True)
    z.create_container(p + "/d")
    z.delete(p + "/d")
    z.delete(p)
    z.create(p, acl=[Acl(27, "world", "anyone")])
    z.create_container(p + "/x")
    z.create(t.path("e"), flags=zk.EPHEMERAL)
    z.create_container(t.path("e", "x"))


@case
def container_sequence(t):
    """Containers count among the creates of their parent."""
    z = t.boss
    z.create_container(t.path("s-"), flags=zk.SEQUENTIAL)
    z.create(t.path("s-"), flags=zk.SEQUENTIAL)
    z.create_container(t.path("t-"))
    z.create2(t.path("s-"), flags=zk.SEQUENTIAL)
    z.get_children2(t.root)


@case
def container_deleted_by_a_client(t):
    """deleteContainer is how the server removes one; 3.8.0 takes the frame itself for the path."""
    z, p = t.boss, t.path("c")
    z.create_container(p)
    z.create(p + "/a")
    z.delete(p + "/a")
    with t.differs("delete-container"):
        z.delete_container(t.path("none"))
    with t.differs("malformed-zxid"):
        z.raw(zk.DELETE_CONTAINER, b"", "no body")
    with t.differs("delete-container"):
        z.delete_container(p)
    if t.is_39:
        t.tidy(p)  # there it is gone
        return
    z.exists(p)
    z.set_data(p, b"on")


@case
def ttl_refused(t):
    """Without extendedTypesEnabled: unimplemented, a failed write, and the connection lives."""
    z, p = t.boss, t.path("t")
    z.create_ttl(p)
    z.create_ttl(p, flags=6)
    z.create_ttl(p, ttl=0)
    z.create_ttl(p, acl=[])
    z.create_ttl(t.path("none", "t"))
    z.create_ttl("bad")
    z.create_ttl(None)
    z.exists(p)
    z.set_data(t.root, b"on")


@case
def ttl_call_for_other_modes(t):
    """createTTL with a mode that has no TTL."""
    z = t.boss
    for flags in (0, 1, 2, 3, 4, 7, 9, -1):
        z.create_ttl(t.path("t%d" % flags), flags=flags)
        z.create_ttl(t.path("u%d" % flags), flags=flags, ttl=0)
    z.get_children2(t.root)
    z.get_ephemerals("/")


@case_with_ttl
def ttl_life(t):
    """With extendedTypesEnabled: an ordinary znode while it stands."""
    z, p = t.boss, t.path("t")
    z.create_ttl(p, b"data")
    z.create_ttl(p)
    z.exists(p)
    z.get_data(p)
    z.create_ttl(p + "/s-", flags=6)
    z.create_ttl(p + "/s-", flags=6, ttl=1000000)
    z.create(p + "/e", flags=zk.EPHEMERAL)
    z.create_ttl(p + "/e/no")
    z.delete(p)
    z.set_data(p, b"other", 0)
    z.set_acl(p, [Acl(23, "world", "anyone")])
    z.delete(p + "/e")
    z.get_children2(p)
    z.create_ttl(t.path("none", "t"))
    z.create_ttl(t.path("x"), acl=[])
    z.create_ttl(t.path("x"), None)
    z.get_data(t.path("x"))
    z.get_ephemerals("/")


@case_with_ttl
def ttl_values(t):
    z = t.boss
    for number, ttl in enumerate((1, 0, -1, -2, 3600000, (1 << 40) - 1, 1 << 40, (1 << 40) + 1, 0xffffffffff,
                                  (1 << 63) - 1, -(1 << 63))):
        z.create_ttl(t.path("t%d" % number), ttl=ttl)
    z.create_ttl("bad", ttl=0)
    z.create_ttl(None, ttl=0)
    z.create_ttl(None)
    z.create_ttl(t.path("none", "t"), ttl=0)
    z.create_ttl(t.path("a//b"))
    z.get_children2(t.root)


@case_with_ttl
def ttl_modes(t):
    z = t.boss
    for flags in MODES:
        # Without a mode for it, a negative one takes 3.8.0 down.
        for ttl in (0, 3600000) + (-1,) * (flags in (5, 6)):
            z.create_ttl(t.path("t%d-%d" % (flags, ttl)), flags=flags, ttl=ttl)
        z.create(t.path("c%d" % flags), flags=flags)
        z.create2(t.path("d%d" % flags), flags=flags)
        z.create_container(t.path("e%d" % flags), flags=flags)
    z.get_children2(t.root)
    z.get_ephemerals("/")


@case_with_ttl
def ttl_in_multi(t):
    z, p = t.boss, t.path("t")
    z.multi(zk.create_ttl(p), zk.create_ttl(p + "/a", flags=6), zk.set_data(p, b"x", 0))
    z.get_children2(p)
    z.multi(zk.create(t.path("u")), zk.create_ttl(t.path("v"), ttl=0))
    z.multi(zk.create(t.path("u")), zk.create_ttl(p))
    for flags in (0, 1, 2, 4, 5):
        z.multi(zk.create_ttl(t.path("w%d" % flags), flags=flags, ttl=0), zk.check(t.root))
        z.multi(zk.create_ttl(t.path("x%d" % flags), flags=flags), zk.check(t.root))
    z.get_children2(t.root)
    z.set_data(p, b"on")
