"""Quotas: statistics that follow every change, and limits that are logged or enforced."""
import zk_wire as zk
from differential import case_with_ttl

NO_LIMIT = b"count=-1,bytes=-1"


def quota_of(path, name=""):
    return "/zookeeper/quota" + path + name


def limit(z, path, limits, stats=b""):
    """As zkCli's setquota: the znodes above, limits, statistics."""
    for end in range(len(path)):
        if path[end] == "/" and end > 0:
            z.create(quota_of(path[:end]))
    z.create(quota_of(path))
    z.create(quota_of(path, "/zookeeper_limits"), limits)
    z.create(quota_of(path, "/zookeeper_stats"), stats)
    z.get_data(quota_of(path, "/zookeeper_stats"))


def unlimit(z, path):
    for name in ("/zookeeper_limits", "/zookeeper_stats", ""):
        z.delete(quota_of(path, name))
    while path.rfind("/") > 0:
        path = path[:path.rfind("/")]
        z.delete(quota_of(path))


@case_with_ttl
def quota_statistics(t):
    """Each kind of change moves them, with no Stat."""
    z, p = t.boss, t.path("n")
    stats = quota_of(p, "/zookeeper_stats")
    z.create(p, b"12345")
    z.create(p + "/a", b"123")
    z.create(p + "b", b"beside")
    limit(z, p, NO_LIMIT, b"count=7,bytes=7")

    def told():
        z.get_data(stats)
    z.create(p + "/c", None)
    told()
    z.create2(p + "/s-", b"1234", flags=zk.SEQUENTIAL)
    z.create_container(p + "/k", b"12")
    z.create_ttl(p + "/t", b"1")
    told()
    z.set_data(p, b"1")
    z.set_data(p + "/a", None)
    z.set_data(p + "/a", b"wrong version", 9)
    z.set_data(p + "b", b"longer than it was")
    told()
    z.multi(zk.create(p + "/m", b"12"), zk.create(p + "/m/n", b"3"), zk.set_data(p + "/m", b""), zk.delete(p + "/c"))
    told()
    z.multi(zk.create(p + "/x", b"12"), zk.set_data(p, b"123456789"), zk.delete(p + "/none"))
    told()
    z.delete(p + "/m/n")
    told()


@case_with_ttl
def quota_of_a_session(t):
    """Ephemerals leave the statistics with their session."""
    a, z, p = t.session("a"), t.boss, t.path("n")
    z.create(p)
    limit(z, p, NO_LIMIT)
    for name in ("a", "b"):
        a.create(p + "/" + name, b"123", flags=zk.EPHEMERAL)
    z.get_data(quota_of(p, "/zookeeper_stats"))
    a.close(unordered=True)
    z.get_data(quota_of(p, "/zookeeper_stats"))
    unlimit(z, p)
    z.get_children2("/zookeeper/quota")


@case_with_ttl
def quota_limits(t):
    """A soft limit hinders nobody; a hard one does, and stands for the soft one."""
    z, p = t.boss, t.path("n")
    z.create(p, b"1234567")
    for limits in (b"count=2,bytes=8", b"count=-1,bytes=-1=;byteHardLimit=8;countHardLimit=2",
                   b"count=1,bytes=1=;byteHardLimit=8;countHardLimit=2", b"count=9,bytes=9=;byteHardLimit=3",
                   b"count=-1,bytes=-1=;byteHardLimit=0;countHardLimit=0", b"", b"nonsense", b"count=x,bytes=8",
                   b",count=9", b"count=9,", b"count=,bytes=9", None):
        limit(z, p, limits)
        z.create(p + "/a", b"1")
        z.create(p + "/b", b"")
        z.set_data(p, b"12345678")
        z.set_data(p, b"12345678", 99)
        z.set_data(p, b"12")
        z.set_data(p, b"123")
        z.multi(zk.check(p), zk.create(p + "/c", b"1"))
        z.create(p + "/d", None)
        z.get_data(quota_of(p, "/zookeeper_stats"))
        z.get_children2(p)
        for name in "abcd":
            z.delete(p + "/" + name)
        unlimit(z, p)
        z.set_data(p, b"1234567")


@case_with_ttl
def quota_in_multi(t):
    """Half of it is too much, or the first part makes room for the second."""
    a, z = t.session("a"), t.boss
    p, q = t.path("n"), t.path("m")
    for path in (p, q):
        z.create(path, b"1234")
        limit(z, path, b"count=-1,bytes=-1=;byteHardLimit=4;countHardLimit=2")
    z.multi(zk.set_data(p, b"12345"), zk.create(p + "/a"))
    with t.differs("quota-in-multi"):
        a.multi(zk.create(p + "/a", flags=zk.EPHEMERAL), zk.create(p + "/b", flags=zk.EPHEMERAL))
    with t.differs("quota-in-multi"):
        a.multi(zk.set_data(q, b""), zk.create(q + "/a", b"1", flags=zk.EPHEMERAL))
    a.close(unordered=True)
    # From here on both trees are the same again.
    z.delete(p)
    z.delete(q)
    for path in (p, q):
        z.get_data(quota_of(path, "/zookeeper_stats"))


@case_with_ttl
def quota_of_quotas(t):
    """The longest path counts, and nothing is limited without statistics."""
    z, p = t.boss, t.path("n")
    z.create(p)
    z.create(p + "/in", b"1")
    limit(z, p, b"count=-1,bytes=-1=;countHardLimit=4")
    limit(z, p + "/in", b"count=-1,bytes=-1=;countHardLimit=2")
    z.create(p + "/in/a", b"22")
    z.create(p + "/in/b", b"22")
    z.create(p + "/a", b"1")
    z.create(p + "/b", b"1")
    z.create(p + "/c", b"1")
    for path in (p, p + "/in"):
        z.get_data(quota_of(path, "/zookeeper_stats"))
    z.delete(quota_of(p + "/in", "/zookeeper_stats"))
    z.create(p + "/in/c", b"1")
    z.create(p + "/d", b"1")
    z.get_data(quota_of(p, "/zookeeper_stats"))
