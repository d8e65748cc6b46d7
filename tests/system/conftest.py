"""Fixtures of the system tests: certificates, and servers that end with their test."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import certs  # noqa: E402
import servers  # noqa: E402


@pytest.fixture(scope="session", name="authority")
def fixture_authority(tmp_path_factory):
    return certs.make_authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session", autouse=True)
def fixture_binary():
    if servers.find_zoolited() is None:
        pytest.fail("no zoolited binary: set ZOOLITED")


class Factory:
    """Makes servers below one directory: factory(config...) is started, factory.new(...) is not yet."""

    def __init__(self, directory, authority):
        self.directory = directory
        self.authority = authority
        self.made = []

    def new(self, plain=True, tls=True, **config):
        """Configuration by keyword; two underscores stand for a dot: zoolite__segmentSize=…"""
        server = servers.Zoolite(self.directory / ("server%d" % len(self.made)), self.authority, plain, tls,
                                 {key.replace("__", "."): value for key, value in config.items()})
        self.made.append(server)
        return server

    def __call__(self, **config):
        return self.new(**config).start()

    def close(self):
        try:
            for server in self.made:
                server.finish()
        finally:
            for server in self.made:
                server.close()


@pytest.fixture(name="make_server")
def fixture_make_server(tmp_path, authority):
    factory = Factory(tmp_path, authority)
    yield factory
    factory.close()


@pytest.fixture(scope="module", name="server")
def fixture_server(tmp_path_factory, authority):
    """One server for a whole module of tests that leave it as they found it."""
    factory = Factory(tmp_path_factory.mktemp("server"), authority)
    yield factory(tickTime=500)
    factory.close()
