"""Same bytes, same answer: the scripts in scripts/ against Debian's ZooKeeper and against zoolited.

Every reply, event and closed connection of each script is compared, times and ids aside. The table in
differences.md is the only list of exceptions; what is not in it fails, and an entry of it that never
occurs fails too. With ZOOLITE_DIFFERENTIAL=self ZooKeeper is held against a second ZooKeeper, which
shows that the scripts themselves are deterministic.
"""
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
import servers  # noqa: E402

for module in sorted(m.name for m in pkgutil.iter_modules([os.path.join(HERE, "scripts")])):
    importlib.import_module(module)

AGAINST_ITSELF = os.environ.get("ZOOLITE_DIFFERENTIAL") == "self"
TABLE = differential.read_differences(os.path.join(HERE, "differences.md"))
CONFIG = {"minSessionTimeout": 4000, "maxSessionTimeout": 300000}


class Pair:
    """Both servers, what is known of each, and what the run has shown so far."""

    def __init__(self, directory):
        authority = certs.make_authority(directory / "ca")
        second = servers.ZooKeeper if AGAINST_ITSELF else servers.Zoolite
        self.servers = [servers.ZooKeeper(directory / "reference", authority, config=CONFIG),
                        second(directory / "ours", authority, config=CONFIG)]
        self.sides = [differential.Side(server) for server in self.servers]
        self.used = set()
        self.ran = set()
        self.operations = 0


@pytest.fixture(scope="module", name="pair")
def fixture_pair(tmp_path_factory):
    if not servers.have_zookeeper():
        pytest.skip("Debian's zookeeper is not installed")
    if not AGAINST_ITSELF and servers.find_zoolited() is None:
        pytest.fail("no zoolited binary: set ZOOLITED")
    directory = tmp_path_factory.mktemp("differential")
    (directory / "ca").mkdir()
    pair = Pair(directory)
    try:
        for server in pair.servers:
            server.start(wait=False)
        for server in pair.servers:
            server.wait_ready()
        yield pair
        print("\n%d steps in %d cases" % (pair.operations, len(pair.ran)))
        if not AGAINST_ITSELF:
            pair.servers[1].finish()
    finally:
        for server in pair.servers:
            server.close()


@pytest.mark.parametrize("case", differential.CASES, ids=lambda case: case.name)
def test_case(pair, case):
    reference, ours = differential.run_case(case, pair.sides)
    comparison = differential.Comparison({} if AGAINST_ITSELF else TABLE, not AGAINST_ITSELF)
    comparison.compare(reference, ours)
    pair.used |= comparison.used
    pair.ran.add(case.name)
    pair.operations += len(reference)
    for server in pair.servers:
        assert server.is_running(), server.log()[-3000:]
    assert not comparison.problems, "%d differences that differences.md does not allow:\n%s" % (
        len(comparison.problems), "\n".join(comparison.problems))


def test_every_entry_of_the_table_occurs(pair):
    if AGAINST_ITSELF or len(pair.ran) < len(differential.CASES):
        pytest.skip("only after a whole run")
    assert set(TABLE) - pair.used == set()


def test_the_script_is_large_enough(pair):
    if len(pair.ran) < len(differential.CASES):
        pytest.skip("only after a whole run")
    assert pair.operations >= 600
