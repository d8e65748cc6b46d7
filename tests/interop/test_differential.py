"""Same bytes, same answer: the scripts in scripts/, and random walks, against Debian's ZooKeeper and against
zoolited.

Every reply, event and closed connection is compared, times and ids aside. The table in differences.md is
the only list of exceptions; what is not in it fails, and an entry of it that never occurs fails too. With
ZOOLITE_DIFFERENTIAL=self ZooKeeper is held against a second ZooKeeper, which shows that scripts and walks
themselves are deterministic.

ZOOLITE_ZOOKEEPER_JARS names the class path of a ZooKeeper 3.9 that judges in place of Debian's: then the table's column
of 3.9 counts.

The walks follow from SEED; ZOOLITE_SEED=NUMBER is another one, ZOOLITE_SEED=NUMBER/WALK one walk alone,
as a failure names it. ZOOLITE_LONG=1 walks ten times as far.
"""
import collections
import importlib
import os
import pkgutil
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (os.path.join(os.path.dirname(HERE), "lib"), os.path.join(HERE, "scripts")):
    if folder not in sys.path:
        sys.path.insert(0, folder)

import certs  # noqa: E402
import differential  # noqa: E402
import lockstep  # noqa: E402
import random_ops  # noqa: E402
import servers  # noqa: E402

for module in sorted(m.name for m in pkgutil.iter_modules([os.path.join(HERE, "scripts")])):
    importlib.import_module(module)

AGAINST_ITSELF = os.environ.get("ZOOLITE_DIFFERENTIAL") == "self"
differential.Run.is_39 = bool(servers.other_zookeeper())
CASES = differential.CASES
TABLE = differential.read_differences(os.path.join(HERE, "differences.md"), differential.Run.is_39)
MOST_DIFFERENCES = 25
# Nothing is removed behind our back: each server would do it at a time of its own.
CONFIG = {"minSessionTimeout": 4000, "maxSessionTimeout": 300000, "znode.container.checkIntervalMs": 86400000,
          "zoolite.maxEphemerals": 2000}

SEED = "20261125"
CHOSEN_SEED, _, CHOSEN_WALK = os.environ.get("ZOOLITE_SEED", SEED).partition("/")
WALKS = 400 if os.environ.get("ZOOLITE_LONG") == "1" else 40
WALK_OPERATIONS = 2550
MOST_PROBLEMS = 3


class Pair:
    """Both servers, and what is known of each."""

    def __init__(self, directory, **config):
        authority = certs.make_authority(directory / "ca")
        second = servers.ZooKeeper if AGAINST_ITSELF else servers.Zoolite
        self.servers = [kind(directory / name, authority, config={**CONFIG, **config})
                        for kind, name in ((servers.ZooKeeper, "reference"), (second, "ours"))]
        self.sides = [differential.Side(server) for server in self.servers]

    def assert_running(self):
        for server in self.servers:
            assert server.is_running(), server.log()[-3000:]


class Tally:
    """What the run has shown so far."""

    def __init__(self):
        self.used = set()
        self.ran = set()
        self.steps = 0
        self.walked = 0  # operations of all walks
        self.told = collections.Counter()

    def is_whole(self):
        return len(self.ran) == len(CASES) and self.walked >= WALKS * WALK_OPERATIONS


def paired(tmp_path_factory, **config):
    if not servers.have_zookeeper():
        pytest.skip("Debian's zookeeper is not installed")
    if not AGAINST_ITSELF and servers.find_zoolited() is None:
        pytest.fail("no zoolited binary: set ZOOLITED")
    directory = tmp_path_factory.mktemp("differential")
    (directory / "ca").mkdir()
    pair = Pair(directory, **config)
    try:
        for server in pair.servers:
            server.start(wait=False)
        for server in pair.servers:
            server.wait_ready()
        yield pair
        if not AGAINST_ITSELF:
            pair.servers[1].finish()
    finally:
        for server in pair.servers:
            server.close()


@pytest.fixture(scope="module", name="pair")
def fixture_pair(tmp_path_factory):
    yield from paired(tmp_path_factory)


@pytest.fixture(scope="module", name="ttl_pair")
def fixture_ttl_pair(tmp_path_factory):
    yield from paired(tmp_path_factory, extendedTypesEnabled="true", reconfigEnabled="true",
                      enforceQuota="true")


@pytest.fixture(scope="module", name="tally")
def fixture_tally():
    tally = Tally()
    yield tally
    print("\n%d steps in %d cases, %d operations at random" % (tally.steps, len(tally.ran), tally.walked))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(request, tally, case):
    pair = request.getfixturevalue("ttl_pair" if case.ttl else "pair")
    reference, ours = differential.run_case(case, pair.sides)
    comparison = differential.Comparison({} if AGAINST_ITSELF else TABLE, not AGAINST_ITSELF)
    comparison.compare(reference, ours)
    tally.used |= comparison.used
    tally.ran.add(case.name)
    tally.steps += len(reference)
    pair.assert_running()
    assert not comparison.problems, "%d differences that differences.md does not allow:\n%s" % (
        len(comparison.problems), "\n".join(comparison.problems))


def walk(pair, tally, number):
    """One walk; gives what differed, in words."""
    steps = lockstep.Lockstep(pair.sides, {} if AGAINST_ITSELF else TABLE, "walk-%d" % number)
    try:
        random_ops.Walk(steps, CHOSEN_SEED, number).run(WALK_OPERATIONS)
        return None
    except lockstep.Mismatch as mismatch:
        return "ZOOLITE_SEED=%s/%d\n%s" % (CHOSEN_SEED, number, mismatch)
    finally:
        steps.end()
        tally.used |= steps.comparison.used
        tally.walked += steps.operations
        tally.told += steps.told


def test_random_walks(ttl_pair, tally):
    problems = []
    for number in [int(CHOSEN_WALK)] if CHOSEN_WALK else range(WALKS):
        problem = walk(ttl_pair, tally, number)
        ttl_pair.assert_running()
        problems += [problem] if problem else []
        if len(problems) == MOST_PROBLEMS:
            break
    assert not problems, "differences that differences.md does not allow:\n\n" + "\n\n".join(problems)
    assert CHOSEN_WALK or tally.walked >= 100000


def test_the_walks_went_everywhere(tally):
    """Each kind of request has been answered well, and each that can fail has failed; all events came."""
    if tally.walked < WALKS * WALK_OPERATIONS:
        pytest.skip("only after all walks")
    rare = {name for name in random_ops.EXPECTED if tally.told[name] < 10}
    assert not rare, {name: tally.told[name] for name in rare}


def test_every_entry_of_the_table_occurs(tally):
    if AGAINST_ITSELF or not tally.is_whole():
        pytest.skip("only after a whole run")
    assert {name for name, row in TABLE.items() if row.reference is not None} - tally.used == set()


def test_the_table_is_short():
    assert 0 < len(TABLE) <= MOST_DIFFERENCES


def test_the_script_is_large_enough(tally):
    if len(tally.ran) < len(CASES):
        pytest.skip("only after a whole run")
    assert tally.steps >= 600
