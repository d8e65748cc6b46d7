"""A tree made by random operations, in whatever server: what an import or an export has to carry.

Everything follows from a seed but for zxids, times and the ids of sessions. Sessions come and go, the server is
killed now and then; what is left in the end is looked at whole, by a super user.
"""
import base64
import hashlib

import zk_wire as zk
from servers import wait_until
from zk_wire import Acl

NAMES = ("a", "b", "c", "d", "\u00fc\u4f60", "x y")
DEPTH = 4
HOUR_MS = 3600000
CONTAINER, TTL = -1 << 63, -1 << 56
SUPER = "super:secret"
SHORT_MS, LONG_MS = 800, 60000
KINDS = (("create", 30), ("sequential", 14), ("container", 5), ("ttl", 5), ("ephemeral", 8), ("delete", 18),
         ("set_data", 24), ("set_acl", 6), ("multi", 10), ("quota", 3), ("session", 3))


def digest_id(text):
    return "%s:%s" % (text.split(":")[0], base64.b64encode(hashlib.sha1(text.encode()).digest()).decode())


# What a server is configured with, so that its tree can be made and looked at, and nothing goes by itself meanwhile.
CONFIG = {"DigestAuthenticationProvider.superDigest": digest_id(SUPER), "extendedTypesEnabled": "true",
          "znode.container.checkIntervalMs": HOUR_MS,
          "tickTime": 200, "minSessionTimeout": SHORT_MS, "maxSessionTimeout": LONG_MS}
ACLS = (zk.OPEN_ACL, zk.OPEN_ACL, (Acl(1, "world", "anyone"), Acl(31, "digest", digest_id("u1:p1"))),
        (Acl(31, "ip", "127.0.0.1"), Acl(5, "ip", "10.0.0.0/8")), (Acl(31, "x509", "CN=alice,O=Test"),),
        (Acl(31, "digest", digest_id("u2:p2")),))


def connect(server, timeout=LONG_MS):
    """A client that may do everything."""
    client = server.client(timeout=timeout)
    assert client.auth("digest", SUPER.encode()).err == 0
    return client


class RandomTree:
    """Makes it. Paths that are known to be there are kept in mind, so that most operations meet one."""

    def __init__(self, server, rng, timeout):
        self.server = server
        self.rng = rng
        self.timeout = timeout  # of the sessions
        self.paths = []  # that are there, but for those gone meanwhile
        self.marks = {}  # what ZooKeeper keeps as the owner of those, and tells no client
        self.quotas = set()
        self.counts = {}  # of answers
        self.client = self.other = None
        self.connect()

    def connect(self):
        self.client, self.other = connect(self.server, self.timeout), connect(self.server, self.timeout)

    def kill(self):
        self.client.abandon()
        self.other.abandon()
        self.server.kill()
        self.server.start()
        self.connect()

    def grow(self, count):
        names, weights = zip(*KINDS)
        for name in self.rng.choices(names, weights, k=count):
            getattr(self, name)()

    def finish(self):
        """End all sessions, in two ways, and wait until no ephemeral znode is left."""
        self.other.close_session()
        self.client.abandon()
        wait_until(lambda: self.server.metric("ephemerals_count") == 0, 30, "ephemerals to go")

    # -- operations -----------------------------------------------------------------------------------

    def call(self, request, client=None):
        reply = (client or self.client).call(request)
        answer = "%s %s" % (zk.OP_NAMES[request.op], zk.ERR_NAMES[reply.err])
        self.counts[answer] = self.counts.get(answer, 0) + 1
        return reply

    def data(self):
        kind = self.rng.random()
        if kind < 0.1:
            return None
        return self.rng.randbytes(self.rng.randrange(3000 if kind > 0.97 else 20))

    def acl(self):
        return self.rng.choice(ACLS)

    def known(self):
        return self.rng.choice(self.paths) if self.paths else "/"

    def new_path(self):
        parent = "" if not self.paths or self.rng.random() < 0.2 else self.known()
        if parent.count("/") >= DEPTH:
            parent = parent.rsplit("/", 1)[0]
        return "%s/%s" % (parent, self.rng.choice(NAMES))

    def learn(self, reply, mark=0):
        if reply.err == 0:
            self.paths.append(reply.value.path)
            self.marks[reply.value.path] = mark

    def create(self):
        make = self.rng.choice((zk.create, zk.create2))
        self.learn(self.call(make(self.new_path(), self.data(), self.acl())))

    def sequential(self):
        self.learn(self.call(zk.create(self.new_path(), self.data(), self.acl(), zk.SEQUENTIAL)))

    def container(self):
        self.learn(self.call(zk.create_container(self.new_path(), self.data(), self.acl())), CONTAINER)

    def ttl(self):
        ttl = self.rng.randrange(HOUR_MS, 100 * HOUR_MS)
        self.learn(self.call(zk.create_ttl(self.new_path(), self.data(), self.acl(), self.rng.choice((5, 6)), ttl)),
                   TTL | ttl)

    def ephemeral(self):
        flags = zk.EPHEMERAL | self.rng.choice((0, zk.SEQUENTIAL))
        self.call(zk.create(self.new_path(), self.data(), self.acl(), flags), self.other)

    def delete(self):
        path = self.known()
        if self.call(zk.delete(path)).err == 0:
            self.paths = [known for known in self.paths if known != path]

    def set_data(self):
        self.call(zk.set_data(self.known(), self.data()))

    def set_acl(self):
        self.call(zk.set_acl(self.known(), self.acl()))

    def multi(self):
        ops = [zk.set_data(self.known(), self.data()) if self.rng.random() < 0.5 else
               zk.create(self.new_path(), self.data(), self.acl(), self.rng.choice((0, zk.SEQUENTIAL)))
               for _ in range(self.rng.randrange(1, 5))]
        reply = self.call(zk.multi(ops))
        for result in reply.value or ():
            if result.type in (zk.CREATE, zk.CREATE2):
                self.paths.append(result.value.path)
                self.marks[result.value.path] = 0

    def quota(self):
        """As ZooKeeper's command line sets one."""
        path = self.known()
        if any(quota.startswith(path + "/") or path.startswith(quota + "/") or path == quota for quota in self.quotas):
            return
        self.quotas.add(path)
        at = "/zookeeper/quota"
        for part in path.split("/")[1:]:
            at += "/" + part
            self.call(zk.create(at, None))
        self.call(zk.create(at + "/zookeeper_limits", b"count=1000,bytes=-1"))
        self.call(zk.create(at + "/zookeeper_stats", b"count=0,bytes=0"))

    def session(self):
        """Ephemerals go."""
        self.other.close_session()
        self.other = connect(self.server, self.timeout)


def look(server):
    """Every znode: path -> (data, Stat, ACLs, names of the children)."""
    found = {}
    with connect(server) as client:
        paths = ["/"]
        while paths:
            path = paths.pop()
            data, acls, children = client.call_all([zk.get_data(path), zk.get_acl(path), zk.get_children2(path)])
            assert (data.err, acls.err, children.err) == (0, 0, 0), path
            assert data.value.stat == acls.value.stat == children.value.stat, path
            names = sorted(children.value.names)
            found[path] = (data.value.data, data.value.stat, tuple(acls.value.acls), names)
            paths += [path.rstrip("/") + "/" + name for name in names]
        client.close_session()
    return found


def marks_of(tree, marks):
    """How many containers and znodes with a TTL there are in a tree."""
    there = [mark for path, mark in marks.items() if path in tree]
    return there.count(CONTAINER), sum(mark != CONTAINER and mark < 0 for mark in there)


def creates(stat):
    """What a sequential znode below is numbered with."""
    return (stat.cversion + stat.num_children) // 2


def check_sequences(server, tree, rng, count=10):
    """A sequential znode below some of them: the right number, each."""
    free = sorted(path for path, (_, stat, _, _) in tree.items()
                  if stat.ephemeral_owner <= 0 and not path.startswith("/zookeeper"))
    with connect(server) as client:
        for path in rng.sample(free, min(count, len(free))):
            reply = client.call(zk.create(path.rstrip("/") + "/n-", b"", flags=zk.SEQUENTIAL))
            assert reply.err == 0, path
            assert reply.value.path == "%s/n-%010d" % (path.rstrip("/"), creates(tree[path][1]))
        client.close_session()


def differences(was, now):
    """Lines that say in what two trees differ."""
    lines = ["%s: missing" % path for path in sorted(was.keys() - now.keys())]
    lines += ["%s: too many" % path for path in sorted(now.keys() - was.keys())]
    for path in sorted(was.keys() & now.keys()):
        if was[path] != now[path]:
            lines.append("%s:\n  was %s\n  is  %s" % (path, was[path], now[path]))
    return lines
