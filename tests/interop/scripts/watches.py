"""Watches and events: kinds, order, who is told, setWatches, and who may not be told."""
import zk_wire as zk
from zk_wire import Acl
from differential import case

ALICE = "CN=alice,OU=clients,O=Zoolite Test"


@case
def watch_kinds(t):
    """Each reading operation, each change, one session watching, another writing."""
    w, z = t.session("w"), t.boss
    p = t.path("n")
    w.exists(p, watch=True)
    z.create(p)
    w.exists(p, watch=True)
    z.set_data(p, b"1")
    z.set_data(p, b"2")
    w.get_data(p, watch=True)
    z.set_data(p, b"3")
    w.get_data(p, watch=True)
    z.set_acl(p, zk.OPEN_ACL)
    z.delete(p)
    w.get_data(p, watch=True)
    z.create(p)
    w.get_children(p, watch=True)
    z.set_data(p, b"4")
    z.create(p + "/c")
    w.get_children2(p, watch=True)
    z.set_data(p + "/c", b"5")
    z.create(p + "/c/d")
    z.delete(p + "/c/d")
    z.delete(p + "/c")
    w.get_children2(p, watch=True)
    z.delete(p)
    w.get_children(p, watch=True)
    w.get_children2(p, watch=True)
    z.create(p)
    w.exists(p, watch=True)
    z.delete(p)
    z.create(p)


@case
def watch_own_changes(t):
    """The writer's own events come before its reply."""
    a = t.session("a")
    p = t.path("n")
    a.exists(p, watch=True)
    a.create(p)
    a.get_data(p, watch=True)
    a.set_data(p, b"1")
    a.get_children(p, watch=True)
    a.create(p + "/c")
    a.exists(p + "/c", watch=True)
    a.get_children2(p, watch=True)
    a.delete(p + "/c")
    a.get_data(p, watch=True)
    a.get_children(p, watch=True)
    a.delete(p)
    a.exists(p, watch=True)
    a.multi(zk.create(p), zk.set_data(p, b"x"), zk.delete(p))


@case
def watch_once(t):
    """One event for one change, however often and in whichever way it was asked for."""
    w, z = t.session("w"), t.boss
    p = t.path("n")
    z.create(p)
    w.exists(p, watch=True)
    w.get_data(p, watch=True)
    w.get_data(p, watch=True)
    z.set_data(p, b"1")
    z.set_data(p, b"2")
    w.get_data(p, watch=True)
    w.get_children(p, watch=True)
    z.delete(p)
    z.create(p)
    w.exists(p, watch=True)
    w.get_children(p, watch=True)
    z.create(p + "/c")
    z.set_data(p, b"3")
    z.delete(p + "/c")


@case
def watch_many_sessions(t):
    """Everyone who watches is told, each by its own."""
    watchers = [t.session("w%d" % i) for i in range(4)]
    z = t.boss
    p = t.path("n")
    z.create(p)
    for index, w in enumerate(watchers):
        (w.get_data, w.exists, w.get_children, w.get_children2)[index](p, watch=True)
    z.set_data(p, b"1")
    z.create(p + "/c")
    for w in watchers:
        w.exists(p + "/c", watch=True)
        w.get_children(p, watch=True)
    watchers[1].delete(p + "/c")
    for w in watchers:
        w.exists(p, watch=True)
    watchers[2].close()
    z.delete(p)


@case
def watch_errors(t):
    """A read that fails leaves a watch only when it was an exists on a missing node."""
    w, z = t.session("w"), t.boss
    p = t.path("n")
    w.get_data(p, watch=True)
    w.get_children(p, watch=True)
    z.create(p)
    z.delete(p)
    w.exists(p, watch=True)
    z.create(p)
    w.exists(t.path("a", "b", "c"), watch=True)
    z.create(t.path("a"))
    z.create(t.path("a", "b"))
    z.create(t.path("a", "b", "c"))
    w.exists("", watch=True)
    w.get_data("", watch=True)
    w.exists(t.path("bad/"), watch=True)
    w.exists(t.path("s"), watch=True)
    z.create(t.path("s"), flags=zk.SEQUENTIAL)


@case
def watch_failed_writes(t):
    """A change that fails tells nobody."""
    w, z = t.session("w"), t.boss
    p = t.path("n")
    z.create(p)
    w.get_data(p, watch=True)
    w.get_children(p, watch=True)
    w.exists(t.path("new"), watch=True)
    z.set_data(p, b"", 9)
    z.delete(p, 9)
    z.create(p)
    z.create(p + "/a/b")
    z.multi(zk.create(t.path("new")), zk.set_data(p, b""), zk.create(p + "/c"), zk.check(p, 99))
    z.set_data(p, b"now")


@case
def watch_and_multi(t):
    """Events of a multi come in the order of its operations."""
    w, z = t.session("w"), t.boss
    p = t.path("n")
    w.exists(p, watch=True)
    w.get_children(t.root, watch=True)
    z.multi(zk.create(p), zk.create(p + "/c"), zk.set_data(p, b"1"))
    w.get_data(p, watch=True)
    w.get_children(p, watch=True)
    w.exists(p + "/c", watch=True)
    w.exists(p + "/d", watch=True)
    z.multi(zk.set_data(p, b"2"), zk.set_data(p, b"3"), zk.create(p + "/d"), zk.delete(p + "/c"))
    w.exists(p, watch=True)
    w.get_children(t.root, watch=True)
    z.multi(zk.delete(p + "/d"), zk.delete(p), zk.create(p))
    w.exists(p, watch=True)
    z.multi(zk.check(p, 0))
    z.multi()
    z.delete(p)


@case
def watch_goes_with_the_connection(t):
    """A connection that ends takes its watches along."""
    w, z = t.session("w"), t.boss
    p = t.path("n")
    z.create(p)
    w.get_data(p, watch=True)
    w.drop()
    v = t.resume(w)
    z.set_data(p, b"1")
    v.get_data(p, watch=True)
    z.set_data(p, b"2")


@case
def watch_across_pipelines(t):
    """The event stands before every later reply that could show the change."""
    a = t.session("a")
    p = t.path("n")
    a.create(p)
    a.pipeline(zk.get_data(p, True), zk.set_data(p, b"1"), zk.get_data(p), zk.get_data(p, True),
               zk.delete(p), zk.exists(p, True), zk.create(p), zk.exists(p))
    a.pipeline(zk.get_children(p, True), zk.create(p + "/a"), zk.get_children(p, True),
               zk.create(p + "/b"), zk.get_children2(p), zk.delete(p + "/a"), zk.delete(p + "/b"))


@case
def set_watches_due(t):
    """Events missed while away come before the reply."""
    w, z = t.session("w"), t.boss
    for name in ("data", "gone", "same", "kids", "kids-gone", "kids-same", "there"):
        z.create(t.path(name))
    since = z.create(t.path("mark")).zxid
    z.set_data(t.path("data"), b"1")
    z.delete(t.path("gone"))
    z.create(t.path("kids", "k"))
    z.delete(t.path("kids-gone"))
    z.create(t.path("born"))
    w.set_watches(since, data=[t.path("data"), t.path("gone"), t.path("same")],
                  exist=[t.path("born"), t.path("unborn"), t.path("there")],
                  child=[t.path("kids"), t.path("kids-gone"), t.path("kids-same")])
    z.set_data(t.path("same"), b"2")
    z.set_data(t.path("data"), b"3")
    z.create(t.path("unborn"))
    z.create(t.path("kids-same", "k"))
    z.create(t.path("kids", "l"))
    z.create(t.path("gone"))


@case
def set_watches_kinds(t):
    """Children's creates and deletes move pzxid; a child's data does not; exists watches."""
    w, z = t.session("w"), t.boss
    z.create(t.path("p"))
    z.create(t.path("p", "c"))
    since = z.create(t.path("mark")).zxid
    z.set_data(t.path("p", "c"), b"x")
    w.set_watches(since, data=[t.path("p")], child=[t.path("p")])
    z.delete(t.path("p", "c"))
    z.set_data(t.path("p"), b"y")
    w.set_watches(since, data=[t.path("p")], child=[t.path("p")], xid=5)
    w.set_watches(since, data=[t.path("void")], exist=[t.path("void")], child=[t.path("void")])
    z.create(t.path("void"))
    w.set_watches(since, exist=[t.path("p"), t.path("void")])
    w.set_watches(0, data=[t.path("p")], child=[t.path("p")])
    w.set_watches(-1, data=[t.path("p")], exist=[], child=[])
    w.set_watches(0x7fffffffffffffff, data=[t.path("p")], exist=[t.path("later")], child=[t.path("p")])
    z.set_data(t.path("p"), b"z")
    z.create(t.path("later"))
    w.set_watches(since)
    w.set_watches(since, data=None, exist=None, child=None)
    w.set_watches(0x7fffffffffffffff, data=[t.path("p"), t.path("p")], exist=[t.path("p")])
    z.set_data(t.path("p"), b"w")
    w.set_watches(0x7fffffffffffffff, data=["", "bad", "/bad/", t.path("p")])
    z.set_data(t.path("p"), b"v")


@case
def set_watches_after_resume(t):
    """As real clients do it: reconnect, prove, re-arm, go on."""
    w, z = t.session("w", plain=True), t.boss
    w.auth("digest", b"u:p")
    w.create(t.path("n"), acl=[Acl(31, "auth", ""), Acl(31, "x509", ALICE)])
    seen = w.get_data(t.path("n"), watch=True)
    w.drop()
    z.set_data(t.path("n"), b"1")
    v = t.resume(w, last_zxid_seen=seen.zxid)
    v.auth("digest", b"u:p")
    v.set_watches(seen.zxid, data=[t.path("n")])
    v.get_data(t.path("n"), watch=True)
    z.set_data(t.path("n"), b"2")


@case
def rearm_in_one_write(t):
    """A client that waits for nothing: proof, watches, a read and a write at once, served one behind the other."""
    w, z, p = t.session("w", plain=True), t.boss, t.path("n")
    w.auth("digest", b"u:p")
    w.create(p, acl=[Acl(31, "auth", ""), Acl(31, "x509", ALICE)])
    seen = w.get_data(p, watch=True)
    w.drop()
    z.set_data(p, b"1")
    v = t.resume(w)
    v.pipeline(zk.auth("digest", b"u:p"), zk.set_watches(seen.zxid, data=[p]), zk.get_data(p, True),
               zk.set_data(p, b"2"))


@case
def watch_needs_read(t):
    """Nobody is told of a node that he may not read; its name neither."""
    w, z = t.session("w", certificate="second"), t.boss
    secret = [Acl(31, "x509", ALICE)]
    p = t.path("n")
    w.exists(p, watch=True)
    z.create(p, acl=secret)
    w.get_data(p, watch=True)
    w.get_children(p, watch=True)
    z.set_data(p, b"1")
    z.set_acl(p, zk.OPEN_ACL)
    w.get_data(p, watch=True)
    w.get_children(p, watch=True)
    z.set_acl(p, secret)
    z.set_data(p, b"2")
    z.create(p + "/c")
    z.delete(p + "/c")
    z.delete(p)
    z.create(p)
    w.get_data(p, watch=True)
    z.delete(p)
    w.get_children(t.root, watch=True)
    z.create(t.path("hidden"), acl=secret)
    w.get_children(t.root)


@case
def watch_exists_without_read(t):
    """3.8.0 lets anyone ask whether a node exists, and sets the watch."""
    w, z = t.session("w", certificate="second"), t.boss
    p = t.path("n")
    z.create(p, acl=[Acl(31, "x509", ALICE)])
    with t.differs("exists-read"):
        w.exists(p, watch=True)
    z.set_data(p, b"1")
    z.delete(p)


@case
def set_watches_leaks_nothing(t):
    """3.8.0 answers setWatches with events of nodes that the session may not read."""
    w, z = t.session("w", certificate="second"), t.boss
    since = z.create(t.path("mark")).zxid
    z.create(t.path("secret"), acl=[Acl(31, "x509", ALICE)])
    with t.differs("set-watches-read"):
        w.set_watches(since, data=[t.path("secret")])
    with t.differs("set-watches-read"):
        w.set_watches(since, exist=[t.path("secret")])
    with t.differs("set-watches-read"):
        w.set_watches(since, child=[t.path("secret")])
    w.set_watches(since, exist=[t.path("open")])
    z.create(t.path("open"))
