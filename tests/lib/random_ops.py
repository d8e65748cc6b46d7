"""What a random walk does: sessions with different identities, and requests of every kind on a small tree.

Everything follows from a seed, the number of the walk and the replies of the reference, so a walk can be
run again alone. Each walk has a root of its own and sessions of its own. The tree is small enough for
sessions to get into each other's way all the time.

What ZooKeeper 3.8.0 does and later versions do not is kept out, where it would leave the servers in
different states (tests/interop/differences.md names what shows in an answer alone):
  - Each path has one kind of watch for each peer (3.8.0 keeps one mode for a watcher and path).
  - Who sets an exists watch may read the node: only below /secret a node may be unreadable.
  - removeWatches and checkWatches of type data or children ask for one-shot watches only.
  - The end of a connection that has a watch on a null path takes 3.8.0 down: no watch is set on null.
"""
import base64
import hashlib
import random

import differential
import lockstep
import zk_wire as zk
from zk_wire import Acl

NAMES = ("a", "b", "c")
USERS = ("u1:p1", "u2:p2", "u3:p3")
# Name, certificate (None: a plain connection), user it authenticates as.
PEOPLE = (("nobody", None, None), ("one", None, "u1:p1"), ("two", None, "u2:p2"), ("alice", "client", None),
          ("both", "second", "u1:p1"), ("late", None, None))
HOUR_MS = 3600000
MOST_LOOSE = 40  # sequential znodes that a walk lets stand

# What all walks together must have met, many times.
EXPECTED = ["%s %s" % (kind, answer) for kinds, answers in (
    ("create create2", "OK NodeExists NoNode NoAuth InvalidACL BadArguments NoChildrenForEphemerals"),
    ("createContainer createTTL", "OK NodeExists NoNode NoAuth"),
    ("delete", "OK NoNode NoAuth BadVersion NotEmpty"), ("setData setACL", "OK NoNode NoAuth BadVersion"),
    ("exists", "OK NoNode"), ("getData getChildren getChildren2 getACL getAllChildrenNumber", "OK NoNode NoAuth"),
    ("removeWatches checkWatches", "OK NoWatcher"), ("auth", "OK AuthFailed"),
    ("multi", "OK undone"), ("connect", "new resumed"),
    ("sync multiRead addWatch setWatches setWatches2 getEphemerals whoAmI ping closeSession", "OK"),
) for kind in kinds.split() for answer in answers.split()] + [
    "NodeCreated", "NodeDeleted", "NodeDataChanged", "NodeChildrenChanged"]


def digest_id(text):
    return "%s:%s" % (text.split(":")[0], base64.b64encode(hashlib.sha1(text.encode()).digest()).decode())


ANYONE = Acl(1, "world", "anyone")
U1, U2 = Acl(31, "digest", digest_id(USERS[0])), Acl(31, "digest", digest_id(USERS[1]))
ALICE = Acl(31, "x509", "CN=alice,OU=clients,O=Zoolite Test")
# Everybody may read.
READABLE = ([Acl(15, "world", "anyone")], [ANYONE, U1], [Acl(5, "world", "anyone"), Acl(31, "ip", "127.0.0.1")],
            [ANYONE, U2, ALICE], [Acl(13, "world", "anyone"), Acl(31, "auth", "")], [Acl(23, "world", "anyone")])
SECRET = ([U1], [U2, Acl(1, "ip", "10.0.0.0/8")], [ALICE, U1], [Acl(30, "world", "anyone")], [Acl(31, "auth", "")],
          [Acl(8, "world", "anyone"), U1, U2], [Acl(31, "ip", "127.0.0.0/8")], [Acl(16, "world", "anyone"), U2])
INVALID = (None, [], [Acl(31, "nonsense", "x")], [Acl(31, "world", "someone")], [Acl(31, "ip", "10.0.0.256")])
# What is asked now and then beside the tree.
ODD_PATHS = ("/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota", "", "a", "//", "/a/", "/a//b", "/a/./b",
             "/a/../b", "/a\0b", "/a\ue000", None)
ODD_MODES = (5, 6, 9, -1)  # none of create's
ODD_MODES_TOLD = tuple("flags %d" % mode for mode in ODD_MODES)
TTL_MODES_TOLD = ("flags 5", "flags 6")
ODD_VERSIONS = (-2, -2147483648, 2147483647, 7)


def null_acl(acl):
    """The mark of a create without a list of ACLs, which counts in a multi."""
    return ("multi-null-acl",) * (acl is None)


class Walker(lockstep.Peer):
    """A peer and what the walk has decided about it."""

    def __init__(self, name, certificate, user):
        super().__init__(name, certificate)
        self.user = user
        self.authenticated = False
        self.kinds = {}  # path -> "once", "persistent" or "recursive"


class Walk:
    """One walk: run() makes about so many requests."""

    def __init__(self, steps, seed, number):
        self.steps = steps
        self.rng = random.Random("%s/%d" % (seed, number))
        self.root = "/walk-%d" % number
        self.secret = self.root + "/secret"
        self.quota = "/zookeeper/quota" + self.root
        self.statistics = self.quota + "/zookeeper_stats"
        self.known = set()   # paths of the tree that are there as far as the replies told
        self.loose = []      # sequential znodes
        self.kinds = (
            (11, self.create), (5, self.create2), (3, self.create_container), (2, self.create_ttl),
            (12, self.delete), (8, self.exists), (8, self.get_data), (11, self.set_data),
            (4, self.get_children), (6, self.get_children2), (4, self.get_acl), (4, self.set_acl),
            (2, self.sync), (7, self.multi), (4, self.multi_read), (4, self.add_watch),
            (3, self.remove_watches), (3, self.check_watches), (2, self.get_ephemerals),
            (2, self.get_all_children_number), (1, self.who_am_i), (1.5, self.set_watches),
            (1.5, self.set_watches2))
        self.weights = [weight for weight, _ in self.kinds]

    def run(self, operations):
        for person in PEOPLE:
            self.come(Walker(*person))
        boss = self.steps.peers[0]
        self.learn(boss, [self.op(zk.create(path), path) for path in (self.root, self.secret)])
        self.steps.batch(boss, [self.op(zk.create(path, b"count=-1,bytes=-1"), path)
                                for path in (self.quota, self.quota + "/zookeeper_limits", self.statistics)])
        while self.steps.operations < operations:
            for peer in list(self.steps.peers):
                if peer not in self.steps.peers:  # closed in this round
                    continue
                self.turn(peer)
                if self.rng.random() < 0.06:
                    self.interrupt(self.rng.choice(self.steps.peers))
        while self.steps.peers:
            self.steps.batch(self.steps.peers[0], [self.op(zk.get_data(self.statistics), self.statistics)])
            self.steps.close(self.steps.peers[0])

    # -- sessions -----------------------------------------------------------------------------------

    def come(self, peer):
        self.steps.open(peer)
        self.authenticate(peer)

    def authenticate(self, peer):
        """Authentication belongs to the connection."""
        peer.authenticated = False
        if peer.user:
            self.alone(peer, zk.auth("digest", peer.user), "digest", zk.XID_AUTH)
            peer.authenticated = True

    def alone(self, peer, request, what, xid=None):
        self.steps.alone(peer, lockstep.make_op(request, what, xid=xid))

    def interrupt(self, peer):
        """What is not pipelined with other requests."""
        chance = self.rng.random()
        if chance < 0.3:
            self.alone(peer, zk.ping(), "", zk.XID_PING)
        elif chance < 0.45:
            peer.user = self.rng.choice(USERS)
            self.authenticate(peer)
        elif chance < 0.5:
            self.alone(peer, zk.auth("ip", "ignored"), "ip", zk.XID_AUTH)
        elif chance < 0.55:
            self.steps.fail(peer, lockstep.make_op(zk.auth("nonsense", "x"), "unknown scheme", xid=zk.XID_AUTH))
            self.return_of(peer, True)
        elif chance < 0.8:
            self.return_of(peer, self.rng.random() < 0.5)
        else:
            self.steps.close(peer)
            self.come(Walker("%s+" % peer.name, peer.certificate, peer.user))

    def return_of(self, peer, cut_first):
        """The session on a new connection; like a client it mostly arms its watches again."""
        self.steps.resume(peer, cut_first)
        if self.rng.random() < 0.8:
            self.authenticate(peer)
        if self.rng.random() < 0.7:
            self.learn(peer, [self.set_watches2(peer) if self.rng.random() < 0.5 else self.set_watches(peer)])

    # -- turns --------------------------------------------------------------------------------------

    def turn(self, peer):
        count = self.rng.choice((1, 2, 5, 10, 20, 30, 40))
        makers = self.rng.choices(self.kinds, self.weights, k=count)
        batch = []
        for _, make in makers:
            op = make(peer)
            if op is None:
                continue
            batch.append(op)
            # Until a setACL is applied, ZooKeeper checks requests behind it against the old list or the
            # new one, as it comes.
            if op.request.op == zk.SET_ACL:
                self.learn(peer, batch)
                batch = []
        self.learn(peer, batch)

    def learn(self, peer, ops):
        """Send a batch, if it is none of nothing, and keep in mind what is there after it."""
        if not ops:
            return
        for op, reply in zip(ops, self.steps.batch(peer, ops)):
            self.learn_reply(op.paths[0] if op.paths else None, op.request.op, reply)

    def learn_reply(self, path, kind, reply):
        if kind == zk.MULTI:
            for result in reply.value or ():
                if result.type in (zk.CREATE, zk.CREATE2):
                    self.learn_created(result.value.path)
        elif reply.err == -101 or (kind == zk.DELETE and reply.err == 0):
            self.known.discard(path)
            if path in self.loose:
                self.loose.remove(path)
        elif reply.err == 0 and isinstance(reply.value, zk.Created):
            self.learn_created(reply.value.path)
        elif reply.err == 0 and kind in (zk.EXISTS, zk.SET_DATA):
            self.known.add(path)

    def learn_created(self, path):
        if path[-1].isdigit() and path.startswith(self.root + "/"):
            self.loose.append(path)
        else:
            self.known.add(path)

    # -- choosing -----------------------------------------------------------------------------------

    def op(self, request, *paths, marks=(), what="", bodies=None):
        return lockstep.make_op(request, "%s %s" % (" ".join(map(repr, paths)), what), paths, marks, bodies)

    def some_path(self):
        """Any path of the tree, there or not."""
        if self.rng.random() < 0.15:
            return "/".join([self.secret] + self.rng.choices(NAMES, k=self.rng.choice((1, 1, 2))))
        return "/".join([self.root] + self.rng.choices(NAMES, k=self.rng.choice((1, 1, 2, 2, 2, 3))))

    def path(self, known=0.6):
        """A path to ask for: with this chance one that is there."""
        chance = self.rng.random()
        if chance < 0.02:
            return self.rng.choice(ODD_PATHS)
        if chance < 0.03:
            return self.root
        if self.loose and chance < 0.12:
            return self.rng.choice(self.loose)
        for _ in range(4 if self.rng.random() < known else 0):
            path = self.some_path()
            if path in self.known:
                return path
        return self.some_path()

    def new_path(self):
        """A path to create: mostly not there, and below one that is."""
        if self.rng.random() < 0.02:
            return self.rng.choice(ODD_PATHS)
        path = self.some_path()
        for _ in range(3):
            parent = path.rsplit("/", 1)[0]
            if path not in self.known and (parent in self.known or parent in (self.root, self.secret)):
                break
            path = self.some_path()
        return path

    def is_secret(self, path):
        return path is not None and path.startswith(self.secret)

    def version(self):
        chance = self.rng.random()
        if chance < 0.75:
            return -1
        return self.rng.choice((0, 1, 2, 3)) if chance < 0.98 else self.rng.choice(ODD_VERSIONS)

    def data(self):
        chance = self.rng.random()
        if chance < 0.1:
            return None
        if chance < 0.12:
            return self.rng.randbytes(self.rng.randrange(3000))
        return self.rng.randbytes(self.rng.randrange(12))

    def acl(self, path):
        chance = self.rng.random()
        if chance < 0.6:
            return zk.OPEN_ACL
        if chance < 0.62:
            return self.rng.choice(INVALID)
        return self.rng.choice(SECRET if self.is_secret(path) else READABLE)

    def kind_of(self, peer, path):
        """In 3.8.0, the one kind of watch that this peer sets on this path; in 3.9 they stand side by side."""
        if path not in peer.kinds or differential.Run.is_39:
            peer.kinds[path] = self.rng.choices(("once", "persistent", "recursive"), (70, 15, 15))[0]
        return peer.kinds[path]

    def watch(self, peer, path):
        return self.rng.random() < 0.4 and self.kind_of(peer, path) == "once"

    # -- writes -------------------------------------------------------------------------------------

    def mode(self):
        return self.rng.choices((0, zk.EPHEMERAL, zk.SEQUENTIAL, zk.EPHEMERAL | zk.SEQUENTIAL, *ODD_MODES),
                                (60, 22, 8, 8, *[0.3] * len(ODD_MODES)))[0]

    def created(self, maker, flags):
        if flags & zk.SEQUENTIAL and len(self.loose) > MOST_LOOSE:
            flags = 0
        path = self.new_path()
        data, acl = self.data(), self.acl(path)
        return self.op(maker(path, data, acl, flags), path, what="flags %d" % flags, marks=null_acl(acl))

    def create(self, _):
        return self.created(zk.create, self.mode())

    def create2(self, _):
        return self.created(zk.create2, self.mode())

    def create_container(self, _):
        return self.created(zk.create_container, 4)

    def create_ttl(self, _):
        flags = self.rng.choice((5, 5, 6))
        ttl = self.rng.choice((HOUR_MS, HOUR_MS, 10 * HOUR_MS, 0, -1, 1 << 40))
        path = self.new_path()
        if flags == 6 and len(self.loose) > MOST_LOOSE:
            flags = 5
        data, acl = self.data(), self.acl(path)
        return self.op(zk.create_ttl(path, data, acl, flags, ttl), path, what="flags %d ttl %d" % (flags, ttl),
                       marks=null_acl(acl))

    def delete(self, _):
        path, version = self.path(0.8), self.version()
        if len(self.loose) > MOST_LOOSE // 2 and self.rng.random() < 0.5:
            path = self.loose[0]
        return self.op(zk.delete(path, version), path, what="version %d" % version)

    def set_data(self, _):
        path, version = self.path(0.8), self.version()
        return self.op(zk.set_data(path, self.data(), version), path, what="version %d" % version)

    def set_acl(self, _):
        path, version = self.path(0.8), self.version()
        if path in (self.root, "/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"):
            return None
        acl = self.acl(path)
        return self.op(zk.set_acl(path, acl, version), path,
                       what="%s version %d" % (acl and [tuple(a) for a in acl], version))

    def multi(self, peer):
        makers = self.rng.choices((self.create, self.create2, self.create_container, self.create_ttl, self.delete,
                                   self.set_data, self.check), (24, 10, 5, 4, 20, 25, 12),
                                  k=self.rng.choice((0, 1, 2, 2, 3, 3, 4, 6)))
        ops = [make(peer) for make in makers]
        # What 3.8.0 answers to a null path in a multi stands in the scripts. Behind others, a create with a TTL
        # mode makes it forget that it has to undo them.
        if any(op.paths[0] is None for op in ops) or any(op.what.endswith(TTL_MODES_TOLD) for op in ops[1:]):
            return None
        marks = ("multi-create2",) * any(op.request.op == zk.CREATE2 for op in ops)
        marks += ("multi-bad-mode",) * any(op.what.endswith(ODD_MODES_TOLD) for op in ops)
        marks += tuple({mark for op in ops for mark in op.marks})
        what = ", ".join("%s %s" % (zk.OP_NAMES[op.request.op], op.what) for op in ops)
        return lockstep.make_op(zk.multi([op.request for op in ops]), what, [op.paths[0] for op in ops], marks)

    def check(self, _):
        path, version = self.path(0.8), self.version()
        return self.op(zk.check(path, version), path, what="version %d" % version)

    # -- reads --------------------------------------------------------------------------------------

    def exists(self, peer):
        path = self.path()
        secret = self.is_secret(path)
        # 3.8.0 would set a watch on a node that the peer may not read.
        watch = not secret and self.watch(peer, path)
        return self.op(zk.exists(path, watch), path, what="watch" * watch, marks=("exists-read",) * secret)

    def get_data(self, peer):
        return self.read(peer, zk.get_data)

    def get_children(self, peer):
        return self.read(peer, zk.get_children)

    def get_children2(self, peer):
        return self.read(peer, zk.get_children2)

    def read(self, peer, maker):
        path = self.path()
        watch = self.watch(peer, path)
        return self.op(maker(path, watch), path, what="watch" * watch)

    def get_acl(self, _):
        path = self.path()
        return self.op(zk.get_acl(path), path)

    def sync(self, _):
        path = self.path()
        return self.op(zk.sync(path), path)

    def multi_read(self, peer):
        paths = [self.path() for _ in range(self.rng.choice((0, 1, 2, 3, 5)))]
        # What 3.8.0 answers to a null path in a multi stands in the scripts.
        if None in paths:
            return None
        requests = [self.rng.choice((zk.get_data, zk.get_children))(path, self.watch(peer, path)) for path in paths]
        return self.op(zk.multi_read(requests), *paths)

    def get_ephemerals(self, _):
        prefix = self.rng.choice((None, "", "/", self.root, self.root + "/a", self.secret, " ", "a", "/nothing"))
        return self.op(zk.get_ephemerals(prefix), prefix)

    def get_all_children_number(self, _):
        path = self.path(0.8)
        return self.op(zk.get_all_children_number(path), path)

    def who_am_i(self, _):
        return self.op(zk.who_am_i())

    # -- watches ------------------------------------------------------------------------------------

    def add_watch(self, peer):
        path = self.path()
        kind = self.kind_of(peer, path)
        if kind == "once" or path is None:
            return None
        mode = zk.PERSISTENT if kind == "persistent" else zk.PERSISTENT_RECURSIVE
        return self.op(zk.add_watch(path, mode), path, what=kind)

    def type_of_watch(self, peer, path):
        if differential.Run.is_39:
            return self.rng.randrange(1, 6)
        if self.kind_of(peer, path) == "once":
            return self.rng.choice((zk.WATCHES_CHILDREN, zk.WATCHES_DATA, zk.WATCHES_ANY))
        return zk.WATCHES_ANY

    def watched_path(self, peer):
        """A path of the tree, mostly one that the peer has watched: 3.8.0 stumbles over some others."""
        path = self.rng.choice(list(peer.kinds)) if peer.kinds and self.rng.random() < 0.7 else self.path()
        return path if path is not None and path.startswith(self.root) else self.some_path()

    def remove_watches(self, peer):
        path = self.watched_path(peer)
        kind = self.type_of_watch(peer, path)
        return self.op(zk.remove_watches(path, kind), path, what="type %d" % kind)

    def check_watches(self, peer):
        path = self.watched_path(peer)
        kind = self.type_of_watch(peer, path)
        return self.op(zk.check_watches(path, kind), path, what="type %d" % kind, marks=("check-watches-own",))

    def set_watches(self, peer):
        return self.watches_set(peer, zk.set_watches, 3)

    def set_watches2(self, peer):
        return self.watches_set(peer, zk.set_watches2, 5)

    def watches_set(self, peer, maker, count):
        lists = [[] for _ in range(count)]
        for path in {self.path(): None for _ in range(self.rng.randrange(8))}:
            # 3.8.0 tells what the peer may not read, and arms no watch then; the scripts have that.
            kind = self.kind_of(peer, path) if path is not None else "once"
            if path is None or (self.is_secret(path) and kind == "once"):
                continue
            place = {"once": self.rng.randrange(3), "persistent": 3, "recursive": 4}[kind]
            if place < count:
                lists[place].append(path)
        zxids = self.rng.choice(self.steps.writes) if self.steps.writes else (0, 0)
        if self.rng.random() < 0.1:
            zxids = (self.rng.choice((0, -1, 1 << 62)),) * 2
        requests = [maker(zxid, *lists) for zxid in zxids]
        return self.op(requests[0], *sum(lists, []), what=str(lists), bodies=[r.body for r in requests])
