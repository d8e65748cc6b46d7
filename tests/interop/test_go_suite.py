"""go-zookeeper's own tests: whichever passes against Debian's ZooKeeper (suites/go/reference.txt) passes here.

A test that fails is run once more, as it was for the reference.
"""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "suites"))

import go_suite  # noqa: E402
import results  # noqa: E402

SUITE = go_suite.SUITE
# May become less, never more.
LEFT_OUT_MOST = 8


@pytest.fixture(scope="module", name="outcome")
def fixture_outcome(kind, tmp_path_factory):
    return SUITE.run(kind, str(tmp_path_factory.mktemp("go-suite")), SUITE.required())


@pytest.mark.parametrize("name", SUITE.required())
def test_go(outcome, name):
    assert outcome[name].result == results.PASSED, outcome[name].why


def test_lists(tmp_path, capsys):
    said = results.check_lists(SUITE, LEFT_OUT_MOST, str(tmp_path / "names"))
    with capsys.disabled():
        print("\n" + said)


def test_runs(outcome, capsys):
    """Says which tests took two runs; many of them are no accident."""
    twice = sorted(name for name, result in outcome.items() if result.runs > 1)
    with capsys.disabled():
        print("\n%d tests were run twice%s" % (len(twice), "".join("\n    " + name for name in twice)))
    assert len(twice) <= results.TWICE_MOST
