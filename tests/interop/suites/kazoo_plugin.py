"""A pytest plugin for kazoo's own tests: they get one server of ours where kazoo would start an ensemble.

kazoo's harness asks get_global_cluster() for servers that it can stop and start; here that is one standalone
server, `zoolited` or Debian's ZooKeeper, with the configuration kazoo would give its own (but for SASL, which
would take a JAAS file). Tests that stop a server really stop it. What became of each test goes to a file, one
JSON object a line. kazoo_suite.py starts this, and says by the environment what it shall do:

    SUITE_KIND       zoolite or zookeeper
    SUITE_DIRECTORY  of the server, and of the files below
    SUITE_RESULTS    the file of results
    SUITE_TESTS      a file with the ids of the tests to run, one a line
"""
import json
import os
import signal
import sys
import time

import pytest
from kazoo.testing import harness

import servers

# What kazoo's own managed server has: whoever knows "test" is the superuser, and all words are answered.
CONFIG = {"reconfigEnabled": "true",
          "authProvider.1": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
          "DigestAuthenticationProvider.superDigest": "super:D/InIHSb7yEEbrWz8b9l71RjZJU="}
# None of kazoo's tests waits longer when all is well; some would wait for ever.
TEST_LIMIT_S = 60
TEARDOWN_LIMIT_S = 10

KINDS = {"zoolite": servers.Zoolite, "zookeeper": servers.ZooKeeper}


class Node:
    """A server as kazoo's tests know it (kazoo.testing.common.ManagedZooKeeper)."""

    def __init__(self, server):
        self._server = server

    @property
    def address(self):
        return "127.0.0.1:%d" % self._server.port

    @property
    def client_port(self):
        return self._server.port

    @property
    def running(self):
        return self._server.process is not None

    def run(self):
        if not self.running:
            self._server.start()

    def stop(self):
        if self.running:
            status = self._server.stop()
            assert status in (0, 143), "the server ended with status %d" % status

    def finish(self):
        self._server.finish()


class Cluster:
    """The ensemble (kazoo.testing.common.ZookeeperCluster): of one."""

    def __init__(self):
        kind = KINDS[os.environ["SUITE_KIND"]]
        directory = os.path.join(os.environ["SUITE_DIRECTORY"], "server")
        self._nodes = [Node(kind(directory, config=CONFIG))]
        self._is_zoolite = kind is servers.Zoolite

    def __getitem__(self, index):
        return self._nodes[index]

    def __iter__(self):
        return iter(self._nodes)

    def start(self):
        for node in self._nodes:
            node.run()

    def terminate(self):
        """Newer kazoo calls this behind each class of tests: the server stays for the next one."""

    def get_logs(self):
        """Lines for whoever reads about a test that failed."""
        return []

    def finish(self):
        """End it; ours must end well, and without a word of a sanitizer."""
        for node in self._nodes:
            if self._is_zoolite:
                node.finish()
            else:
                node.stop()


_cluster = None


def get_cluster():
    global _cluster
    if _cluster is None:
        _cluster = Cluster()
    return _cluster


harness.get_global_cluster = get_cluster


# -- what runs, and what became of it --------------------------------------------------------------------


def name_of(item):
    """The id without the place where Debian keeps kazoo: test_client.py::TestClient::test_create."""
    return item.path.name + "::" + item.nodeid.split("::", 1)[1]


def record(name, result, seconds=0.0, why=""):
    with open(os.environ["SUITE_RESULTS"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"test": name, "result": result, "seconds": seconds, "why": why}) + "\n")


def pytest_collection_modifyitems(config, items):
    """None but those asked for."""
    with open(os.environ["SUITE_TESTS"], encoding="utf-8") as file:
        wanted = set(file.read().split())
    rest = [item for item in items if name_of(item) not in wanted]
    items[:] = [item for item in items if name_of(item) in wanted]
    config.hook.pytest_deselected(items=rest)


class TestTakesTooLong(Exception):
    """Comes out of whatever the test waits in."""


def interrupt(signum, frame):
    raise TestTakesTooLong("after %d s" % TEST_LIMIT_S)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item, nextitem):
    signal.signal(signal.SIGALRM, interrupt)
    # The first alarm ends the test, the next one its teardown, which may well wait for the same.
    signal.setitimer(signal.ITIMER_REAL, TEST_LIMIT_S, TEARDOWN_LIMIT_S)
    item.suite_reports = []
    begun = time.monotonic()
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    reports = item.suite_reports
    failed = [report for report in reports if report.failed]
    skipped = [report for report in reports if report.skipped]
    if failed or not reports:
        result, why = "failed", str(failed[0].longrepr) if failed else "not run"
    elif skipped:
        result, why = "skipped", str(skipped[0].longrepr[2])
    else:
        result, why = "passed", ""
    record(name_of(item), result, time.monotonic() - begun, why)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    item.suite_reports.append(outcome.get_result())


def pytest_collectreport(report):
    if report.failed:
        record("collection of " + report.nodeid, "failed", why=str(report.longrepr))


def pytest_sessionfinish():
    if _cluster is not None:
        try:
            _cluster.finish()
        except AssertionError as error:
            record("the server", "failed", why=str(error))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """All is written: wait for no thread that a test left in a loop."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
