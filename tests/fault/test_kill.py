"""Durability under SIGKILL: what was acknowledged is there after every restart, nothing is half there.

Eight sessions pipeline creates, sets, sequentials, deletes and multis; the server is killed at random
moments, also during its start, with small segments and a busy replay, so that kills fall into changes
of the segment and batches of the replay too. After each kill it starts on the same directory, the
sessions are resumed, and the whole tree is compared with what the clients know.

Each worker owns one directory, and the requests of a session are executed in order, so what is on disk
must be the state after some prefix of what the worker sent, and that prefix must hold everything that
was acknowledged.

ZOOLITE_KILL_SEED, ZOOLITE_KILL_ROUNDS and ZOOLITE_KILL_CHANGES change the run; the seed is printed. With
ZOOLITE_LONG it is twice as long: 100 kills and 100,000 acknowledgements.
"""
import os
import random
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import certs  # noqa: E402
import servers  # noqa: E402
import zk_wire as zk  # noqa: E402

SEED = int(os.environ.get("ZOOLITE_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
TIMES = 2 if os.environ.get("ZOOLITE_LONG") else 1
ROUNDS = int(os.environ.get("ZOOLITE_KILL_ROUNDS", TIMES * 50))
CHANGES = int(os.environ.get("ZOOLITE_KILL_CHANGES", TIMES * 50000))
WORKERS = 9
MAX_NODES = 40
SHARED = "/shared"
CONFIG = {"zoolite.segmentSize": 65536, "zoolite.replayDelay": 1, "zoolite.replayBatch": 100,
          "zoolite.logRetention": 1 << 20, "maxSessionTimeout": 600000}


class Node:
    """A znode as a worker knows it; zxids are None where no reply told them."""

    def __init__(self, data, version, czxid, mzxid, ephemeral):
        self.data = data
        self.version = version
        self.czxid = czxid
        self.mzxid = mzxid
        self.ephemeral = ephemeral

    def copy(self):
        return Node(self.data, self.version, self.czxid, self.mzxid, self.ephemeral)


class Model:
    """What one worker's directory holds."""

    def __init__(self, path):
        self.path = path
        self.nodes = {}
        self.creates = 0
        self.pzxid = None

    def copy(self):
        other = Model(self.path)
        other.nodes = {name: node.copy() for name, node in self.nodes.items()}
        other.creates, other.pzxid = self.creates, self.pzxid
        return other

    def next_name(self):
        return "s-%010d" % self.creates

    def apply(self, change, zxid=None):
        """change: (verb, name, data, ephemeral), or ("multi", [changes]); others leave no trace."""
        verb = change[0]
        if verb == "multi":
            for part in change[1]:
                self.apply(part, zxid)
        elif verb == "create":
            _, name, data, ephemeral = change
            self.nodes[name] = Node(data, 0, zxid, zxid, ephemeral)
            self.creates += 1
            self.pzxid = zxid
        elif verb == "set":
            node = self.nodes[change[1]]
            node.data, node.version, node.mzxid = change[2], node.version + 1, zxid
        elif verb == "delete":
            del self.nodes[change[1]]
            self.pzxid = zxid

    def differs(self, found, stat, owner):
        """The first difference from what the server shows, or None. found: name -> Data."""
        if set(found) != set(self.nodes):
            return "names: missing %s, too many %s" % (sorted(set(self.nodes) - set(found)),
                                                       sorted(set(found) - set(self.nodes)))
        if stat.cversion != 2 * self.creates - len(self.nodes) or stat.num_children != len(self.nodes):
            return "directory: cversion %d, %d children after %d creates" % (
                stat.cversion, stat.num_children, self.creates)
        if self.pzxid is not None and stat.pzxid != self.pzxid:
            return "directory: pzxid 0x%x, not 0x%x" % (stat.pzxid, self.pzxid)
        for name, node in self.nodes.items():
            reply = found[name]
            if (reply.data, reply.stat.version) != (node.data, node.version):
                return "%s: data or version %d, not %d" % (name, reply.stat.version, node.version)
            if node.czxid not in (None, reply.stat.czxid) or node.mzxid not in (None, reply.stat.mzxid):
                return "%s: zxids 0x%x 0x%x" % (name, reply.stat.czxid, reply.stat.mzxid)
            if reply.stat.ephemeral_owner != (owner if node.ephemeral else 0):
                return "%s: owner 0x%x" % (name, reply.stat.ephemeral_owner)
        return None

    def learn(self, found, stat):
        """Take over what the server shows, zxids above all."""
        self.pzxid = stat.pzxid
        for name, node in self.nodes.items():
            node.czxid, node.mzxid = found[name].stat.czxid, found[name].stat.mzxid


class Worker:
    """One session that changes its own directory, and creates in the shared one."""

    def __init__(self, number):
        self.number = number
        self.path = "/w%d" % number
        self.certain = Model(self.path)  # after the last check, and all acknowledged since
        self.ahead = Model(self.path)    # the same, and all that was sent
        self.sent = []                   # (change, xid) not acknowledged yet
        self.acknowledged = 0
        self.highest = 0
        self.client = None
        self.shared = {}                 # acknowledged names in the shared directory -> czxid
        self.seen = {}                   # directories of others -> newest (pzxid, cversion) read
        self.problems = []
        self.serial = 0
        self.rng = random.Random("%d worker %d" % (SEED, number))

    # -- making requests ----------------------------------------------------------------------------

    def data(self):
        self.serial += 1
        head = b"%d:%d:" % (self.number, self.serial)
        return head + b"x" * self.rng.choice((0, 10, 200, 1500))

    def one(self, model):
        """A change that will succeed on the model, applied there; and its request."""
        rng, names = self.rng, list(model.nodes)
        roll = rng.random()
        if len(names) > MAX_NODES or (names and roll < 0.2):
            name = rng.choice(names)
            version = model.nodes[name].version if rng.random() < 0.5 else -1
            change, request = ("delete", name), zk.delete(self.path + "/" + name, version)
        elif names and roll < 0.5:
            name = rng.choice(names)
            change = ("set", name, self.data())
            request = zk.set_data(self.path + "/" + name, change[2], model.nodes[name].version)
        elif roll < 0.65:
            change = ("create", model.next_name(), self.data(), roll < 0.55)
            request = zk.create(self.path + "/s-", change[2],
                                flags=zk.SEQUENTIAL | (zk.EPHEMERAL if change[3] else 0))
        else:
            change = ("create", "n%d" % self.serial, self.data(), roll > 0.9)
            request = zk.create2(self.path + "/" + change[1], change[2],
                                 flags=zk.EPHEMERAL if change[3] else 0)
        model.apply(change)
        return change, request

    def several(self, fails):
        """A multi of some changes, or one that must leave nothing since its last part fails."""
        model = self.ahead.copy() if fails else self.ahead
        parts = [self.one(model) for _ in range(self.rng.randrange(2, 6))]
        requests = [request for _, request in parts]
        if fails:
            return ("nothing",), zk.multi(requests + [zk.check(self.path, 12345)])
        return ("multi", [change for change, _ in parts]), zk.multi(requests)

    def any_request(self):
        roll = self.rng.random()
        if roll < 0.08:
            return ("read", self.rng.randrange(WORKERS)), None
        if roll < 0.16:
            return ("shared",), zk.create(SHARED + "/q-", b"", flags=zk.SEQUENTIAL)
        if roll < 0.28:
            return self.several(fails=roll < 0.20)
        return self.one(self.ahead)

    def run(self):
        """Pipeline until the connection ends."""
        try:
            while True:
                batch = [self.any_request() for _ in range(self.rng.randrange(1, 60))]
                frames = []
                for change, request in batch:
                    if change[0] == "read":
                        request = zk.exists("/w%d" % change[1])
                    xid, data = self.client.prepare(request)
                    self.sent.append((change, xid))
                    frames.append(data)
                self.client.link.send(b"".join(frames))
                while self.sent:
                    self.take(self.client.wait(self.sent[0][1]))
        except (zk.Closed, ConnectionError):
            self.drain()
        except (TimeoutError, zk.Malformed, AssertionError) as error:
            self.problems.append("%s: %s: %s" % (self.path, type(error).__name__, error))

    def drain(self):
        """Replies that left before the kill count: they were seen."""
        while self.sent and self.sent[0][1] in self.client.done:
            self.take(self.client.done.pop(self.sent[0][1]))

    def take(self, reply):
        """The reply to the oldest request under way."""
        change, _ = self.sent.pop(0)
        verb = change[0]
        assert reply.err == 0, (change, reply)
        assert reply.zxid >= self.highest, "zxid 0x%x after 0x%x" % (reply.zxid, self.highest)
        if verb == "read":
            stat = reply.value
            self.seen[change[1]] = max(self.seen.get(change[1], (0, 0)), (stat.pzxid, stat.cversion))
            return
        assert reply.zxid > self.highest or verb == "nothing", "zxid 0x%x twice" % reply.zxid
        self.highest = reply.zxid
        self.acknowledged += verb != "nothing"
        if verb == "shared":
            assert reply.value.path not in self.shared
            self.shared[reply.value.path] = reply.zxid
        elif verb == "create":
            assert reply.value.path == self.path + "/" + change[1], reply.value.path
        elif verb == "nothing":
            assert reply.value[-1].err == -103, reply.value
        self.certain.apply(change, reply.zxid)

    # -- after a restart ----------------------------------------------------------------------------

    def connect(self, server):
        """The first time a new session, afterwards the same one again."""
        old, self.client = self.client, zk.Client(server.link(tls=self.number % 3 == 0))
        if old is None:
            reply = self.client.connect(timeout=600000)
            assert reply.timeout == 600000
            assert self.client.call(zk.create(self.path)).err == 0
            return
        reply = self.client.connect(timeout=600000, session_id=old.session_id, password=old.password,
                                    last_zxid_seen=max(self.highest, old.last_zxid))
        assert reply.session_id == old.session_id, "%s: the session is gone" % self.path

    def check(self, checker):
        """Find the prefix that the server holds, and go on from there."""
        listing = checker.call(zk.get_children2(self.path)).value
        replies = checker.call_all([zk.get_data(self.path + "/" + name) for name in listing.names])
        found = {name: reply.value for name, reply in zip(listing.names, replies)}
        model, owner = self.certain, self.client.session_id
        unsure = [change for change, _ in self.sent]
        first = difference = model.differs(found, listing.stat, owner)
        while difference and unsure:
            model.apply(unsure.pop(0))
            difference = model.differs(found, listing.stat, owner)
        assert difference is None, "%s: %s (after what may or may not be there: %s)" % (
            self.path, first, difference)
        model.learn(found, listing.stat)
        self.sent = []
        self.ahead = model.copy()
        return listing.stat


class Shared:
    """The directory in which all workers create sequentials."""

    def __init__(self):
        self.highest = -1

    def check(self, checker, workers):
        """Every acknowledged number is there once; the next is above all; then the directory is emptied."""
        names = checker.call(zk.get_children(SHARED)).value.names
        acknowledged = [item for worker in workers for item in worker.shared.items()]
        assert len({path for path, _ in acknowledged}) == len(acknowledged), "a number was given twice"
        replies = checker.call_all([zk.exists(path) for path, _ in acknowledged])
        for (path, czxid), reply in zip(acknowledged, replies):
            assert reply.err == 0, "%s was acknowledged and is gone" % path
            assert reply.value.czxid == czxid, path
            self.highest = max(self.highest, int(path[-10:]))
        self.highest = max([self.highest] + [int(name[-10:]) for name in names])
        probe = checker.call(zk.create(SHARED + "/q-", b"", flags=zk.SEQUENTIAL)).value.path
        assert int(probe[-10:]) > self.highest, "%s, but %d was given before" % (probe, self.highest)
        self.highest = int(probe[-10:])
        doomed = [SHARED + "/" + name for name in names] + [probe]
        assert all(r.err == 0 for r in checker.call_all([zk.delete(path) for path in doomed]))
        for worker in workers:
            worker.shared.clear()


class Run:
    """Rounds of load, kill, restart, check on one data directory."""

    def __init__(self, server):
        self.server = server
        self.rng = random.Random("%d main" % SEED)
        self.workers = [Worker(number) for number in range(WORKERS)]
        self.shared = Shared()
        self.start_s = 0.2
        # What the kills met.
        self.starts = 0
        self.kills_in_start = 0
        self.kills_before_replay = 0
        self.kills_in_segment_change = 0

    def begin_start(self, **how):
        self.starts += 1
        self.server.start(**how)

    def start(self):
        began, since = time.monotonic(), self.server.log_size() if self.starts else 0
        self.begin_start()
        self.start_s = time.monotonic() - began
        ready = self.server.wait_log(r"event=store\.ready .*rows=(\d+)", since)
        self.kills_before_replay += int(ready.group(1)) > 0

    def kill(self):
        """The server must still have been there to be killed."""
        status = self.server.kill()
        assert status == -9, "it had ended with status %d; its log:\n%s" % (
            status, self.server.log()[-4000:])

    def log_files(self, end):
        return [name for name in os.listdir(os.path.join(self.server.data_dir, "log")) if name.endswith(end)]

    def segments(self):
        """How many segments of log there have been."""
        return max(int(name.split(".")[0]) for name in self.log_files(".db"))

    def wait_for_moment(self):
        """A little random time, or the next segment to be begun or prepared."""
        if self.rng.random() < 0.5:
            time.sleep(self.rng.random() * 0.02)
            return
        before, end = self.segments(), time.monotonic() + 1
        while self.segments() == before and time.monotonic() < end:
            time.sleep(0.0005)

    def load_and_kill(self):
        """Kill after a random number of acknowledged changes, in the midst of the next ones."""
        before = self.acknowledged()
        enough = before + self.rng.randrange(300, 1300)
        threads = [threading.Thread(target=worker.run) for worker in self.workers]
        for thread in threads:
            thread.start()
        servers.wait_until(lambda: self.acknowledged() >= enough or self.problems(), 120, "some changes")
        self.wait_for_moment()
        self.kill()
        for thread in threads:
            thread.join()
        assert not self.problems(), "\n".join(self.problems())
        # Those of the live segment, of the one that is prepared, and of a full one that was not closed yet.
        self.kills_in_segment_change += len(self.log_files(".db-wal")) > 2

    def kill_starts(self):
        """Now and then the start is killed too, at any moment of it."""
        while self.rng.random() < 0.4:
            since = self.server.log_size()
            self.begin_start(wait=False)
            time.sleep(self.rng.random() * 1.2 * self.start_s)
            self.kill()
            self.kills_in_start += "event=server.serving" not in self.server.log()[since:]

    def check(self):
        highest = max(worker.highest for worker in self.workers)
        for worker in self.workers:
            worker.connect(self.server)
        checker = self.server.client(tls=False)
        stats = [worker.check(checker) for worker in self.workers]
        for worker in self.workers:
            for other, (pzxid, _) in worker.seen.items():
                assert stats[other].pzxid >= pzxid, "what was read of /w%d is undone" % other
        first = checker.call(zk.set_data("/", b"x")).zxid
        assert first > highest, "zxid 0x%x after 0x%x" % (first, highest)
        self.shared.check(checker, self.workers)
        checker.close_session()

    def acknowledged(self):
        return sum(worker.acknowledged for worker in self.workers)

    def problems(self):
        return [problem for worker in self.workers for problem in worker.problems]

    def play(self):
        self.start()
        setup = self.server.client(tls=False)
        assert setup.call(zk.create(SHARED)).err == 0
        setup.close_session()
        for worker in self.workers:
            worker.connect(self.server)
        rounds = 0
        while rounds < ROUNDS or self.acknowledged() < CHANGES:
            self.load_and_kill()
            self.kill_starts()
            self.start()
            self.check()
            rounds += 1
        return rounds


def test_nothing_acknowledged_is_lost(tmp_path):
    if servers.find_zoolited() is None:
        pytest.fail("no zoolited binary: set ZOOLITED")
    print("\nseed %d (ZOOLITE_KILL_SEED)" % SEED, flush=True)
    (tmp_path / "ca").mkdir()
    server = servers.Zoolite(tmp_path / "server", certs.make_authority(tmp_path / "ca"), config=CONFIG)
    run = Run(server)
    began = time.monotonic()
    try:
        rounds = run.play()
        server.finish()
    finally:
        server.close()
        print("seed %d: %d changes acknowledged, %d segments in %d starts, kills: %d during a start, %d before the "
              "tree had all, %d during a change of segment, %.0f s" % (
                  SEED, run.acknowledged(), run.segments(), run.starts, run.kills_in_start, run.kills_before_replay,
                  run.kills_in_segment_change, time.monotonic() - began), flush=True)
    assert rounds >= ROUNDS and run.acknowledged() >= CHANGES
    # A start takes two: the one that it begins, and the one that it prepares.
    assert run.segments() > 2 * run.starts + rounds // 2
    assert run.kills_in_start >= rounds // 10
    assert run.kills_before_replay >= rounds // 5
    assert run.kills_in_segment_change >= rounds // 5
