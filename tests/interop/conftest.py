"""What the interop tests share: certificates, servers, compiled clients.

    /usr/bin/python3 -m pytest tests/interop

tests the built zoolited ($ZOOLITED names another one). ZOOLITE_JUDGE=zookeeper runs the same tests against
Debian's ZooKeeper, ZOOLITE_JUDGE=both against both.
"""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import certs  # noqa: E402
import servers  # noqa: E402
from clients import Tools  # noqa: E402

KINDS = {"": ["zoolite"], "zoolite": ["zoolite"], "zookeeper": ["zookeeper"], "both": ["zoolite", "zookeeper"]}
PEOPLE = ("admin", "provider-1", "provider-2", "provider-3", "consumer-kazoo", "consumer-java")


@pytest.fixture(scope="session", params=KINDS[os.environ.get("ZOOLITE_JUDGE", "")])
def kind(request):
    if request.param == "zoolite":
        assert servers.find_zoolited(), "no zoolited: build it, or name one in $ZOOLITED"
        return servers.Zoolite
    assert servers.have_zookeeper(), "Debian's zookeeper is not installed"
    return servers.ZooKeeper


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    made = certs.make_authority(tmp_path_factory.mktemp("certificates"))
    for name in PEOPLE:
        made.issue(name, "/O=Zoolite Test/OU=clients/CN=" + name, extensions=certs.CLIENT_EXT)
    return made


@pytest.fixture(scope="module")
def start_server(kind, authority, tmp_path_factory):
    """start_server(tickTime=500, ...) gives a running server, with TLS alone where nothing else is asked for."""
    running = []

    def start(plain=False, **config):
        server = kind(tmp_path_factory.mktemp("server"), authority, plain=plain,
                      config={key.replace("__", "."): value for key, value in config.items()})
        running.append(server)
        return server.start()
    yield start
    for server in running:
        server.close()


@pytest.fixture(scope="session")
def compiled(authority, tmp_path_factory):
    # Above the directories of pytest-xdist's workers, where there are some.
    programs = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        programs = programs.parent
    tools = Tools(tmp_path_factory.mktemp("clients"), programs, authority)
    tools.build_go()
    tools.build_java()
    yield tools
    tools.close()


@pytest.fixture
def tools(compiled):
    yield compiled
    compiled.close()
