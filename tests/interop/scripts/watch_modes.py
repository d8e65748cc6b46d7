"""addWatch, removeWatches, checkWatches, setWatches2.

Never set a watch on a null path here: 3.8.0 takes it, and dies when the connection ends.
"""
import zk_wire as zk
from zk_wire import Acl, PERSISTENT, PERSISTENT_RECURSIVE, WATCHES_ANY, WATCHES_CHILDREN, WATCHES_DATA
from differential import case

ALICE = "CN=alice,OU=clients,O=Zoolite Test"


def stir(z, p):
    """Every kind of change at p and below."""
    z.create(p, b"1")
    z.set_data(p, b"2")
    z.set_acl(p, zk.OPEN_ACL)
    z.create(p + "/a")
    z.create2(p + "/a/b", flags=zk.EPHEMERAL)
    z.create_container(p + "/a/c")
    z.set_data(p + "/a", b"3")
    z.multi(zk.set_data(p + "/a/b", b"4"), zk.delete(p + "/a/c"), zk.create(p + "/d"))
    z.multi(zk.set_data(p + "/a/b", b"4"), zk.delete(p + "/none"))
    z.delete(p + "/a/b")
    z.delete(p + "/a")
    z.delete(p + "/d")
    z.delete(p)


@case
def add_watch_persistent(t):
    w, z, p = t.session("w"), t.boss, t.path("n")
    w.add_watch(p, PERSISTENT)
    stir(z, p)
    stir(z, p)
    w.add_watch(p, PERSISTENT)
    z.create(p)


@case
def add_watch_recursive(t):
    w, z, p = t.session("w"), t.boss, t.path("n")
    w.add_watch(p, PERSISTENT_RECURSIVE)
    stir(z, p)
    stir(z, t.path("nn"))
    stir(z, p)


@case
def add_watch_of_all(t):
    """On the root, as Pulsar does; the own changes too."""
    w, z = t.session("w"), t.boss
    w.add_watch("/", PERSISTENT_RECURSIVE)
    stir(z, t.path("n"))
    stir(w, t.path("m"))
    w.remove_watches("/")
    stir(z, t.path("n"))
    w.add_watch("/", PERSISTENT)
    stir(z, t.path("n"))
    w.remove_watches("/")
    stir(z, t.path("n"))


@case
def add_watch_nested(t):
    """One event for a watcher, however many of its watches it meets; one for each watcher."""
    v, w, z, p = t.session("v"), t.session("w"), t.boss, t.path("n")
    w.add_watch(t.root, PERSISTENT_RECURSIVE)
    w.add_watch(p, PERSISTENT_RECURSIVE)
    w.add_watch(p + "/a", PERSISTENT)
    v.add_watch(p, PERSISTENT)
    v.exists(p + "/a", watch=True)
    v.add_watch(p + "/a/b", PERSISTENT_RECURSIVE)
    stir(z, p)
    v.get_data(t.root, watch=True)
    w.get_children(t.root, watch=True)
    stir(z, p)


@case
def add_watch_wrong(t):
    """Modes and paths that are none."""
    w, z, p = t.session("w"), t.boss, t.path("n")
    for mode in (2, 3, -1, 7, 2147483647, -2147483648):
        w.add_watch(p, mode)
    z.create(p)
    for path in ("", "relative", "//", p + "/", t.path("a//b"), t.path("."), t.path("a\0b"), t.path("\u20ac")):
        w.add_watch(path, PERSISTENT)
        w.add_watch(path + "r", PERSISTENT_RECURSIVE)
    z.set_data(p, b"x")
    stir(z, t.path("\u20ac"))
    for cut in (0, 3, 4, 8):
        w.raw(zk.ADD_WATCH, zk.add_watch(p, PERSISTENT).body[:cut], "cut at %d" % cut)
    w.raw(zk.ADD_WATCH, zk.add_watch(p, PERSISTENT).body + b"more", "extra bytes")
    z.set_data(p, b"y")


@case
def add_watch_needs_read(t):
    """Anyone may ask; what he may not read is not told."""
    w, z, p = t.session("w", certificate="second"), t.boss, t.path("n")
    w.add_watch(t.root, PERSISTENT_RECURSIVE)
    w.add_watch(p, PERSISTENT)
    z.create(p, acl=[Acl(31, "x509", ALICE)])
    z.set_data(p, b"1")
    z.create(p + "/open")
    z.create(p + "/hidden", acl=[Acl(31, "x509", ALICE)])
    z.set_data(p + "/open", b"2")
    z.set_data(p + "/hidden", b"2")
    z.set_acl(p, zk.OPEN_ACL)
    z.set_data(p, b"3")
    z.delete(p + "/hidden")
    z.set_acl(p + "/open", [Acl(30, "world", "anyone")])
    z.delete(p + "/open")
    z.delete(p)


@case
def add_watch_ends_with_its_connection(t):
    w, z, p = t.session("w"), t.boss, t.path("n")
    w.add_watch(p, PERSISTENT)
    w.add_watch(t.root, PERSISTENT_RECURSIVE)
    w.drop()
    w = t.resume(w, "again")
    stir(z, p)
    w.check_watches(p)
    w.remove_watches(p)


@case
def add_watch_twice(t):
    """3.8.0 has one mode for a watcher and path, the last one; 3.9 keeps them side by side."""
    w, z, p = t.session("w"), t.boss, t.path("n")
    z.create(p)
    w.add_watch(p, PERSISTENT)
    w.add_watch(p, PERSISTENT_RECURSIVE)
    z.set_data(p, b"1")
    with t.differs("watch-modes"):
        z.create(p + "/a")
    w.remove_watches(p)
    z.set_data(p, b"2")


@case
def add_watch_and_one_shot(t):
    """In 3.8.0 a one-shot watch takes the place of a persistent one on the same path."""
    w, z, p = t.session("w"), t.boss, t.path("n")
    z.create(p)
    w.add_watch(p, PERSISTENT)
    w.get_data(p, watch=True)
    z.set_data(p, b"1")
    with t.differs("watch-modes"):
        z.set_data(p, b"2")
    w.remove_watches(p)


@case
def check_watches_types(t):
    """Of each type, before and after the watch is spent."""
    w, z, p = t.session("w"), t.boss, t.path("n")
    kinds = (WATCHES_CHILDREN, WATCHES_DATA, WATCHES_ANY)

    def ask():
        for kind in kinds:
            w.check_watches(p, kind)
    ask()
    w.exists(p, watch=True)
    ask()
    z.create(p)
    ask()
    w.get_data(p, watch=True)
    ask()
    w.get_children(p, watch=True)
    ask()
    z.create(p + "/a")
    ask()
    z.set_data(p, b"x")
    ask()
    for path in ("/", p, p + "/a", "/none"):
        w.check_watches(path)
    for kind in (0, 6, 7, -1, 2147483647):
        w.check_watches(p, kind)
        w.remove_watches(p, kind)
    for op, body in ((zk.CHECK_WATCHES, zk.check_watches(p).body), (zk.REMOVE_WATCHES, zk.remove_watches(p).body)):
        for cut in (0, 3, 4, 8, len(body) - 1):
            w.raw(op, body[:cut], "cut at %d" % cut)
        w.raw(op, body + b"more", "extra bytes")


@case
def check_watches_of_others(t):
    """3.8.0 says yes when anybody watches the path."""
    v, w, p = t.session("v"), t.session("w"), t.path("n")
    v.get_data(t.root, watch=True)
    with t.differs("check-watches-own"):
        w.check_watches(t.root, WATCHES_DATA)
    v.add_watch(p, PERSISTENT)
    with t.differs("check-watches-own"):
        w.check_watches(p)
    w.add_watch(t.root, PERSISTENT_RECURSIVE)
    w.check_watches(t.root)
    v.check_watches(p)
    w.remove_watches(p)
    v.remove_watches(t.root, WATCHES_CHILDREN)


@case
def check_watches_null_path(t):
    """3.8.0 stumbles over a path that is null or has no slash; 3.9 looks it up."""
    w = t.session("w")
    w.add_watch(t.root, PERSISTENT_RECURSIVE)
    with t.differs("watches-odd-path"):
        w.check_watches(None)
    with t.differs("watches-odd-path"):
        w.check_watches("relative")
    w.remove_watches(None)
    w.remove_watches("relative")
    w.remove_watches("")
    w.check_watches("")


@case
def types_of_persistent_watches(t):
    """Types 4 and 5 came with 3.9."""
    w, z, p = t.session("w"), t.boss, t.path("n")
    z.create(p)
    w.add_watch(p, PERSISTENT)
    for kind in (4, 5):
        with t.differs("persistent-types"):
            w.check_watches(p, kind)
    with t.differs("persistent-types"):
        w.remove_watches(p, 5)
    w.remove_watches(p)
    with t.differs("persistent-types"):
        w.remove_watches(p, 4)
    z.set_data(p, b"x")


@case
def remove_watches_types(t):
    """What is taken away is silent, the rest is told."""
    w, z, p = t.session("w"), t.boss, t.path("n")
    z.create(p)
    for kind in (WATCHES_CHILDREN, WATCHES_DATA, WATCHES_ANY):
        w.remove_watches(p, kind)
        w.get_data(p, watch=True)
        w.get_children(p, watch=True)
        w.remove_watches(p, kind)
        w.remove_watches(p, kind)
        z.set_data(p, b"x")
        z.create(p + "/a")
        z.delete(p + "/a")
    w.exists(t.path("later"), watch=True)
    w.remove_watches(t.path("later"), WATCHES_CHILDREN)
    w.remove_watches(t.path("later"), WATCHES_DATA)
    z.create(t.path("later"))


@case
def remove_persistent_watches(t):
    w, z, p = t.session("w"), t.boss, t.path("n")
    w.add_watch(p, PERSISTENT)
    w.check_watches(p)
    w.remove_watches(p)
    w.remove_watches(p)
    w.check_watches(p)
    stir(z, p)
    w.add_watch(p, PERSISTENT_RECURSIVE)
    w.check_watches(p)
    w.remove_watches(p + "/a")
    z.create(p)
    w.remove_watches(p)
    z.create(p + "/a")
    z.delete(p + "/a")
    z.delete(p)


@case
def remove_half_of_a_persistent_watch(t):
    """3.8.0 takes half of it away; in 3.9 types data and children are those of one-shot watches."""
    w, z, p = t.session("w"), t.boss, t.path("n")
    z.create(p)
    w.add_watch(p, PERSISTENT)
    with t.differs("persistent-types"):
        w.remove_watches(p, WATCHES_DATA)
    with t.differs("watch-modes"):
        z.set_data(p, b"x")
    with t.differs("persistent-types"):
        w.remove_watches(p, WATCHES_CHILDREN)
    with t.differs("watch-modes"):
        z.create(p + "/a")


@case
def set_watches2(t):
    """All five lists: what was missed comes first, in order; then they are armed."""
    w, z, p = t.session("w"), t.boss, t.path("n")
    for name in ("data", "child", "exist", "same", "pers", "rec"):
        if name != "exist":
            z.create(t.path(name))
    mark = z.create(t.path("mark")).zxid
    z.set_data(t.path("data"), b"x")
    z.create(t.path("child", "c"))
    z.create(t.path("exist"))
    z.set_data(t.path("pers"), b"x")
    z.create(t.path("rec", "c"))
    w.set_watches2(mark, data=[t.path("data"), t.path("same"), t.path("gone")],
                   exist=[t.path("exist"), t.path("to come")],
                   child=[t.path("child"), t.path("same"), t.path("gone")],
                   persistent=[t.path("pers"), t.path("pers later")], recursive=[t.path("rec"), p])
    for name in ("data", "child", "exist", "same"):
        z.set_data(t.path(name), b"y")
        z.create(t.path(name, "d"))
    stir(z, t.path("to come"))
    stir(z, t.path("pers later"))
    stir(z, p)
    z.set_data(t.path("pers"), b"z")
    z.set_data(t.path("rec", "c"), b"z")
    w.set_watches2(mark)
    w.set_watches2(mark, None, None, None, None, None)
    w.set_watches2(0, persistent=["", "relative", "//"], recursive=[t.path("x/")])
    w.set_watches2(0x7fffffffffffffff, data=[t.path("data")] * 3, persistent=[t.path("pers")] * 2, recursive=[p] * 2)
    stir(z, p)
    z.set_data(t.path("pers"), b"1")
    z.set_data(t.path("data"), b"z")


@case
def set_watches2_malformed(t):
    z, p = t.boss, t.path("a")
    body = zk.set_watches2(1, [t.root], [t.root], [t.root], [p], [p + "/b"]).body
    for cut in (0, 7, 8, 12, 16, len(body) // 2, len(body) - 4, len(body) - 1):
        z.raw(zk.SET_WATCHES2, body[:cut], "cut at %d" % cut)
    z.raw(zk.SET_WATCHES2, body + b"more", "extra bytes")
    z.raw(zk.SET_WATCHES2, zk.p_long(0) + zk.p_int(0) * 4 + zk.p_int(1 << 30) + b"\0" * 40, "2^30 paths")
    z.raw(zk.SET_WATCHES2, zk.p_long(0) + zk.p_int(-7) * 5, "-7 paths")
    z.set_data(t.root, b"x")
    stir(z, p)
    z.remove_watches(t.root)


@case
def set_watches_null_lists(t):
    """The lists before one that is null count, those behind it do not."""
    w, z, p = t.session("w"), t.boss, t.path("n")
    z.create(p)
    w.set_watches(0, [p], None, [p])
    w.set_watches(0, [p, t.path("gone")], [p], None)
    w.set_watches(0x7fffffffffffffff, [p], [t.path("later")], None)
    w.set_watches2(0, [p], [p], [p], None, [p + "/b"])
    w.set_watches2(0, [p], [], [], [p + "/a"], None)
    z.set_data(p, b"x")
    z.create(t.path("later"))
    z.create(p + "/a")
    z.create(p + "/b")
    w.check_watches(p + "/a")
    w.check_watches(p + "/b")


@case
def set_watches2_needs_read(t):
    w, z = t.session("w", certificate="second"), t.boss
    since = z.create(t.path("mark")).zxid
    z.create(t.path("secret"), acl=[Acl(31, "x509", ALICE)])
    with t.differs("set-watches-read"):
        w.set_watches2(since, data=[t.path("secret")])
    w.set_watches2(since, persistent=[t.path("secret")], recursive=[t.path("secret", "a")])
    z.set_data(t.path("secret"), b"x")
    z.set_acl(t.path("secret"), zk.OPEN_ACL)
    z.create(t.path("secret", "a"))
