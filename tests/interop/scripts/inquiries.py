"""getEphemerals, getAllChildrenNumber, whoAmI."""
import zk_wire as zk
from zk_wire import Acl
from differential import case

ALICE = "CN=alice,OU=clients,O=Zoolite Test"


@case
def ephemerals_own(t):
    """The session's own, wherever they are; another's never."""
    a, b = t.session("a"), t.session("b")
    z, p = t.boss, t.path("dir")
    z.create(p)
    a.get_ephemerals("/")
    for name in ("a", "ab", "b"):
        a.create(t.path(name), flags=zk.EPHEMERAL)
        a.create(p + "/" + name, flags=zk.EPHEMERAL)
    a.create(p + "/s-", flags=zk.EPHEMERAL | zk.SEQUENTIAL)
    b.create(p + "/of-b", flags=zk.EPHEMERAL)
    for session in (a, b, z):
        for prefix in ("/", "", None, " ", " / ", t.root, p, p + "/", p + "/a", t.path("a"), t.path("a") + "/",
                       "relative", "//", "/\0", "/nothing", " " + p, p + " ", p.upper()):
            session.get_ephemerals(prefix)
    a.multi(zk.create(p + "/m", flags=zk.EPHEMERAL), zk.delete(p + "/a"))
    a.get_ephemerals(p)
    z.delete(p + "/b")
    a.get_ephemerals(p)
    a.drop()
    c = t.resume(a, "c")
    c.get_ephemerals(p)
    c.close(unordered=True)
    b.get_ephemerals("/")


@case
def ephemerals_unreadable(t):
    """The own ones need no permission."""
    a = t.session("a", certificate="second")
    a.create(t.path("hidden"), flags=zk.EPHEMERAL, acl=[Acl(31, "x509", ALICE)])
    a.get_ephemerals("/")
    a.get_data(t.path("hidden"))


@case
def all_children_number(t):
    z, p = t.boss, t.path("n")
    z.get_all_children_number(p)
    z.create(p)
    z.get_all_children_number(p)
    for name in ("a", "b", "b/c", "b/c/d", "b/c/e"):
        z.create(p + "/" + name)
    z.create(p + "b")
    z.create(p + "b/x")
    z.create(p + "/eph", flags=zk.EPHEMERAL)
    z.create_container(p + "/con")
    for path in (p, p + "/a", p + "/b", p + "/b/c", p + "b", t.root, p + "/", "/", "", "relative", "//", None,
                 "/zookeeper", "/zookeeper/config", "/nothing", p + "\0"):
        z.get_all_children_number(path)
    z.delete(p + "/b/c/d")
    z.get_all_children_number(p)
    z.multi(zk.create(p + "/m"), zk.delete(p + "/b/c/e"))
    z.get_all_children_number(p)


@case
def all_children_number_needs_read(t):
    """READ on the node itself; what is below is counted, readable or not."""
    b, z, p = t.session("b", certificate="second"), t.boss, t.path("n")
    z.create(p)
    z.create(p + "/a", acl=[Acl(31, "x509", ALICE)])
    z.create(p + "/a/b")
    b.get_all_children_number(p)
    b.get_all_children_number(p + "/a")
    b.get_all_children_number(p + "/a/b")
    z.set_acl(p, [Acl(30, "world", "anyone"), Acl(31, "x509", ALICE)])
    b.get_all_children_number(p)


@case
def who_am_i(t):
    """The address, the certificate, and each user once who has proved himself."""
    t.boss.who_am_i()
    a = t.session("a", plain=True)
    a.who_am_i()
    a.auth("digest", b"u:p")
    a.who_am_i()
    a.auth("digest", b"u:p")
    a.who_am_i()
    a.auth("digest", b"v:w:x")
    a.auth("digest", b"u:other")
    a.auth("digest", b"nameless")
    a.auth("digest", b":p")
    a.auth("ip", b"10.0.0.1")
    a.who_am_i()
    a.raw(zk.WHO_AM_I, b"anything", "a body")
    b = t.session("b", certificate="second")
    b.auth("digest", b"u:p")
    b.who_am_i()
    b.drop()
    t.resume(b, "c").who_am_i()
