"""Creating, reading, changing and deleting znodes; paths, versions, Stats, sequences, ephemerals."""
import zk_wire as zk
from differential import case

EPHEMERAL_SEQUENTIAL = zk.EPHEMERAL | zk.SEQUENTIAL


@case
def system_nodes(t):
    """What is there from the start, and what may be done to it."""
    z = t.boss
    for path in ("/zookeeper", "/zookeeper/config", "/zookeeper/quota"):
        z.exists(path)
        z.get_data(path)
        z.get_children2(path)
        z.get_acl(path)
    z.get_children("/zookeeper")
    z.get_acl("/")
    z.get_data("/")
    z.delete("/")
    z.delete("/", 5)
    z.delete("/zookeeper")
    z.set_data("/zookeeper/config", b"x")
    z.set_data("/zookeeper/config", b"x", 7)
    z.delete("/zookeeper/config")
    z.create("/")
    z.create2("/")
    z.create("/", flags=zk.SEQUENTIAL)
    z.create("/zookeeper")
    z.create("/zookeeper/config/x")
    z.set_data("/", b"", 99)
    z.set_acl("/zookeeper/config", zk.OPEN_ACL)


@case
def basics(t):
    """One znode's life, Stat by Stat."""
    z, p = t.boss, t.path("a")
    z.exists(p)
    z.get_data(p)
    z.get_children(p)
    z.get_children2(p)
    z.get_acl(p)
    z.set_data(p, b"x")
    z.delete(p)
    z.set_acl(p, zk.OPEN_ACL)
    z.create(p, b"one")
    z.create(p, b"two")
    z.create2(p, b"two")
    z.exists(p)
    z.get_data(p)
    z.get_children(p)
    z.get_children2(p)
    z.get_acl(p)
    z.set_data(p, b"three")
    z.set_data(p, b"four", 1)
    z.set_data(p, b"five", 1)
    z.get_data(p)
    z.create2(p + "/b", b"child")
    z.exists(p)
    z.delete(p)
    z.delete(p, 0)
    z.set_data(p + "/b", b"changed child")
    z.exists(p)
    z.set_acl(p, zk.OPEN_ACL)
    z.exists(p)
    z.delete(p + "/b", 0)
    z.delete(p + "/b", 1)
    z.exists(p)
    z.delete(p, 2)
    z.exists(p)
    z.exists(t.root)
    z.create(p, b"again")
    z.exists(p)


@case
def versions(t):
    """-1 is any; others must match; negative ones too."""
    z, p = t.boss, t.path("v")
    z.create(p)
    for version in (1, -2, -2147483648, 2147483647, 0, 0, 1, -1, -1, 3, 4):
        z.set_data(p, b"%d" % version, version)
    for version in (1, -2, 2147483647, 0, 0, 1, -1, 3):
        z.set_acl(p, zk.OPEN_ACL, version)
    z.exists(p)
    for version in (0, -2, 4, 6, 5):
        z.delete(p, version)
    z.create(p)
    z.delete(p, -1)


@case
def data_kinds(t):
    """Null and empty data are two things, and any bytes pass."""
    z = t.boss
    for name, data in (("null", None), ("empty", b""), ("zero", b"\0"), ("bytes", bytes(range(256))),
                       ("big", b"0123456789abcdef" * 4096), ("bigger", b"z" * 900000)):
        p = t.path(name)
        z.create2(p, data)
        z.get_data(p)
        z.exists(p)
        z.set_data(p, None)
        z.get_data(p)
        z.set_data(p, b"")
        z.get_data(p)
        z.set_data(p, data)
        z.get_data(p)
    z.create(t.path("null-1"), None)
    z.get_data(t.path("null-1"))


def padded_create(path, frame_length):
    """A create whose frame has exactly this length."""
    empty = zk.create(path)
    return zk.create(path, b"d" * (frame_length - 8 - len(empty.body)))


@case
def data_limits(t):
    """jute.maxbuffer: the frame's length and the data's."""
    z = t.boss
    for length in (0xfffff - 1100, 0xfffff - 1000, 0xfffff - 1, 0xfffff):
        p = t.path("frame-%x" % length)
        z.call(padded_create(p, length), "frame of 0x%x bytes" % length)
        z.exists(p)
    for length in (0x100000, 0x100001):
        a = t.session("over-%x" % length)
        a.create(t.path("e-%x" % length), flags=zk.EPHEMERAL)
        request = padded_create(t.path("frame-%x" % length), length)
        a.send_bytes(zk.frame(zk.p_int(1) + zk.p_int(request.op) + request.body)[:2000],
                     "frame of 0x%x bytes" % length)
        t.resume(a).exists(t.path("e-%x" % length))
        z.exists(t.path("frame-%x" % length))
    z.get_children2(t.root)


# Paths after the case's own root; "%s" stands for it.
ODD_PATHS = (
    "", "/", "relative", "relative/x", "%s/", "%s//", "%s//x", "/%s/x", "%s/x/", "%s/.", "%s/..",
    "%s/./x", "%s/../x", "%s/x/.", "%s/x/..", "%s/...", "%s/.x", "%s/x.", "%s/a\0b", "%s/\0",
    "%s/\x01", "%s/\x09", "%s/\x1f", "%s/ ", "%s/\x7f", "%s/\x80", "%s/\x9f", "%s/\xa0", "%s/\xe9",
    "%s/\u20ac", "%s/\ud7ff", "%s/\ue000", "%s/\uf8ff", "%s/\uf900", "%s/\uffef", "%s/\ufff0",
    "%s/\ufffd", "%s/\uffff", "%s/\U0001f600", "%s/" + "n" * 3000, "%s/no/parent", "%s/\uff0f",
)
BAD_BYTES = (b"%s/\xff", b"%s/\xc3", b"%s/a\xc3", b"%s/\xc0\x80", b"%s/\xc1\xbf", b"%s/\xed\xa0\x80",
             b"%s/\xed\xbf\xbf", b"%s/\xf0\x80\x80\x80", b"%s/\xf4\x90\x80\x80", b"%s/\xe2\x82",
             b"\xff", b"/\xff")


def odd_paths(t):
    """Every odd path, the null path too. Two of the root's own are left to the case system_nodes."""
    root = t.root
    for path in ODD_PATHS:
        yield path.replace("%s", root)
    for path in BAD_BYTES:
        yield path.replace(b"%s", root.encode())
    yield None


@case
def paths_of_create(t):
    for path in odd_paths(t):
        if path != "/":
            t.boss.create(path, b"x")


@case
def paths_of_create2(t):
    for path in odd_paths(t):
        if path != "/":
            t.boss.create2(path, b"x")


@case
def paths_of_sequential(t):
    for path in odd_paths(t):
        if path not in ("/", "") and path is not None and not (isinstance(path, bytes) and
                                                               not path.startswith(t.root.encode())):
            t.boss.create(path, b"x", flags=zk.SEQUENTIAL)


@case
def paths_of_delete(t):
    for path in odd_paths(t):
        t.boss.delete(path, 5)


@case
def paths_of_exists(t):
    for path in odd_paths(t):
        t.boss.exists(path)


@case
def paths_of_get_data(t):
    for path in odd_paths(t):
        t.boss.get_data(path)


@case
def paths_of_set_data(t):
    for path in odd_paths(t):
        t.boss.set_data(path, b"", 99)


@case
def paths_of_get_children(t):
    for path in odd_paths(t):
        t.boss.get_children(path)


@case
def paths_of_get_children2(t):
    for path in odd_paths(t):
        t.boss.get_children2(path)


@case
def paths_of_sync(t):
    for path in odd_paths(t):
        if isinstance(path, bytes) or path and "\U0001f600" in path:
            with t.differs("utf8-text"):
                t.boss.sync(path)
        else:
            t.boss.sync(path)


@case
def paths_of_get_acl(t):
    for path in odd_paths(t):
        t.boss.get_acl(path)


@case
def paths_of_set_acl(t):
    for path in odd_paths(t):
        t.boss.set_acl(path, zk.OPEN_ACL, 99)


@case
def names_that_must_work(t):
    """URL-encoded Dubbo names of kilobytes, dots inside, spaces, many levels."""
    z = t.boss
    url = ("dubbo%3A%2F%2F10.0.0.7%3A20880%2Fcom.foo.BarService%3Fapplication%3Ddemo%26"
           "methods%3DsayHello%2CsayBye%26timestamp%3D1700000000000") * 12
    z.create(t.path("providers"))
    z.create2(t.path("providers", url), flags=zk.EPHEMERAL)
    z.get_children(t.path("providers"))
    z.get_data(t.path("providers", url))
    path = t.root
    for level in range(40):
        path += "/level %d" % level
        z.create(path)
    z.exists(path)
    z.get_children2(path.rsplit("/", 1)[0])


@case
def order_of_checks_in_create(t):
    """Several things wrong at once: which is told."""
    z = t.boss
    bad_acl = [zk.Acl(zk.PERM_ALL, "nonsense", "x")]
    z.create(t.path("ro"), acl=[zk.Acl(zk.PERM_READ, "world", "anyone")])
    z.create(t.path("e"), flags=zk.EPHEMERAL)
    z.create("no-slash", acl=bad_acl)
    z.create(t.path("a\0"), acl=bad_acl)
    z.create(t.path("missing", "x"), acl=bad_acl)
    z.create(t.path("missing", "x/"))
    z.create(t.path("ro", "x"), acl=bad_acl)
    z.create(t.path("ro", ".."))
    z.create(t.path("ro", "x"))
    z.create(t.path("ro"))
    z.create(t.path("e", "x"), acl=bad_acl)
    z.create(t.path("e", "."))
    z.create(t.path("e", "x"))
    z.create(t.path("e", "x"), flags=9)
    z.create(t.path("e"), acl=bad_acl)
    z.create(t.path("e"), flags=77)
    z.create(t.path("missing", "x"), flags=77)
    z.create(t.path("e", "x"), acl=[])
    z.create(t.path("ro", "."), flags=zk.SEQUENTIAL)
    z.create(t.path("e", "s-"), flags=zk.SEQUENTIAL)
    z.create(t.path("e", "s-"), flags=EPHEMERAL_SEQUENTIAL)


@case
def create_flags(t):
    """The four modes, 4 (an ordinary node), and numbers that are no mode."""
    z = t.boss
    for op in (zk.CREATE, zk.CREATE2):
        for flags in (0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 255, -1, -2147483648, 2147483647):
            p = t.path("%d-%d-" % (op, flags))
            z.call(zk.create(p, b"d", flags=flags, op=op), "flags %d op %d" % (flags, op))
    z.get_children2(t.root)
    z.exists(t.path("1-4-"))
    z.create(t.path("1-4-", "child"))
    z.delete(t.path("1-4-", "child"))
    z.exists(t.path("1-4-"))


@case
def stats_of_parents(t):
    """cversion, pzxid and numChildren move with children, not with their data."""
    z = t.boss
    z.create(t.path("p"))
    for step in ("create a", "create b", "delete a", "create a", "set a", "create c", "delete b",
                 "delete a", "delete c", "create a"):
        verb, name = step.split()
        p = t.path("p", name)
        if verb == "create":
            z.create2(p, b"x")
        elif verb == "delete":
            z.delete(p)
        else:
            z.set_data(p, b"longer")
        z.exists(t.path("p"))
    z.create(t.path("p", "a"))
    z.delete(t.path("p", "missing"))
    z.exists(t.path("p"))
    z.set_data(t.path("p"), b"own data")
    z.set_acl(t.path("p"), zk.OPEN_ACL)
    z.get_children2(t.path("p"))
    z.create(t.path("p", "a", "grandchild"))
    z.exists(t.path("p"))
    z.exists(t.path("p", "a"))


@case
def sequences(t):
    """Numbers come from the parent's count of creates; failures do not count."""
    z = t.boss
    z.create(t.path("q"))
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.create(t.path("q", "plain"))
    z.create2(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.delete(t.path("q", "s-0000000003"))
    z.create2(t.path("q", "s-"), flags=EPHEMERAL_SEQUENTIAL)
    z.create(t.path("q", "plain"))
    z.create(t.path("missing", "s-"), flags=zk.SEQUENTIAL)
    z.create(t.path("q", "s-"), acl=[], flags=zk.SEQUENTIAL)
    z.create(t.path("q", "other"), flags=zk.SEQUENTIAL)
    z.create(t.path("q", ""), flags=zk.SEQUENTIAL)
    z.create(t.path("q", "a\x01"), flags=zk.SEQUENTIAL)
    z.create(t.path("q", "."), flags=zk.SEQUENTIAL)
    z.multi(zk.create(t.path("q", "m-"), flags=2), zk.create(t.path("q", "m-"), flags=3))
    z.multi(zk.create(t.path("q", "m-"), flags=2), zk.delete(t.path("missing")))
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.exists(t.path("q"))
    z.get_children2(t.path("q"))


@case
def sequence_collision(t):
    """When the next name is taken, create fails, and goes on failing."""
    z = t.boss
    z.create(t.path("q"))
    z.create(t.path("q", "s-0000000002"))
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.create(t.path("q", "s-"), flags=EPHEMERAL_SEQUENTIAL)
    z.create(t.path("q", "t-"), flags=zk.SEQUENTIAL)
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.exists(t.path("q"))


@case
def sequence_of_new_parent(t):
    """A parent made anew counts from nought."""
    z = t.boss
    z.create(t.path("q"))
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.delete(t.path("q", "s-0000000000"))
    z.delete(t.path("q", "s-0000000001"))
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.delete(t.path("q", "s-0000000002"))
    z.delete(t.path("q"))
    z.create(t.path("q"))
    z.create(t.path("q", "s-"), flags=zk.SEQUENTIAL)
    z.exists(t.path("q"))


@case
def ephemerals(t):
    """They carry their owner, bear no children, and go with the session, all with one zxid."""
    a, b, z = t.session("a"), t.session("b"), t.boss
    z.create(t.path("p"))
    a.create(t.path("p", "1"), b"x", flags=zk.EPHEMERAL)
    a.create2(t.path("p", "2"), None, flags=zk.EPHEMERAL)
    a.create2(t.path("p", "s-"), flags=EPHEMERAL_SEQUENTIAL)
    b.create2(t.path("p", "b"), flags=zk.EPHEMERAL)
    a.create(t.path("other"), flags=zk.EPHEMERAL)
    b.create(t.path("p", "1"), flags=zk.EPHEMERAL)
    b.create(t.path("p", "1", "child"))
    a.create(t.path("p", "1", "child"), flags=zk.EPHEMERAL)
    b.set_data(t.path("p", "1"), b"from b")
    b.get_data(t.path("p", "1"))
    b.delete(t.path("p", "2"))
    a.create(t.path("p", "2"), flags=0)
    z.get_children2(t.path("p"))
    z.get_children2(t.root)
    a.close()
    z.get_children2(t.path("p"))
    z.exists(t.path("p", "1"))
    z.exists(t.path("p", "2"))
    z.get_children2(t.root)
    b.close()
    z.get_children2(t.path("p"))
    c = t.session("c")
    c.close()
    z.exists(t.path("p"))


@case
def ephemerals_and_watchers(t):
    """Who is told when a session ends: others, and the session itself before its reply."""
    a, b = t.session("a"), t.session("b")
    b.create(t.path("p"))
    a.create(t.path("p", "e"), flags=zk.EPHEMERAL)
    a.exists(t.path("p", "e"), watch=True)
    b.get_data(t.path("p", "e"), watch=True)
    b.get_children(t.path("p"), watch=True)
    t.boss.exists(t.path("p", "e"), watch=True)
    a.close()
    b.get_children2(t.path("p"))
    c = t.session("c")
    for name in ("x", "y", "z"):
        c.create(t.path("p", name), flags=zk.EPHEMERAL)
        b.exists(t.path("p", name), watch=True)
    b.get_children(t.path("p"), watch=True)
    c.get_data(t.path("p", "y"), watch=True)
    c.close(unordered=True)
    b.get_children2(t.path("p"))


@case
def syncs(t):
    """sync answers with the path it was given."""
    z = t.boss
    z.sync("/")
    z.sync(t.root)
    z.sync(t.path("missing"))
    z.create(t.path("a"))
    z.sync(t.path("a"))
    a = t.session("a")
    a.pipeline(zk.create(t.path("b")), zk.sync("/"), zk.exists(t.path("b")))
