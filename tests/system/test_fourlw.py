"""Four-letter words, on every port, as tools read them."""
import re

import pytest

import servers
import zk_wire as zk

WHERE = ("plain", "TLS", "monitor")


@pytest.fixture(name="watched", scope="module")
def fixture_watched(tmp_path_factory, authority):
    monitor = servers.free_ports(1)[0]
    server = servers.Zoolite(tmp_path_factory.mktemp("watched"), authority,
                             config={"zoolite.monitorPort": monitor, "tickTime": 1000})
    server.monitor = monitor
    try:
        yield server.start()
        server.finish()
    finally:
        server.close()


def ask(server, word, where="plain"):
    if where == "monitor":
        return server.four_letter_word(word, tls=False, port=server.monitor).decode()
    return server.four_letter_word(word, tls=where == "TLS").decode()


def pairs(text, separator):
    return dict(line.split(separator, 1) for line in text.splitlines() if separator in line)


@pytest.mark.parametrize("where", WHERE)
def test_ruok(watched, where):
    assert ask(watched, "ruok", where) == "imok"
    assert ask(watched, "ruok\n", where) == "imok"


@pytest.mark.parametrize("where", WHERE)
def test_isro(watched, where):
    assert ask(watched, "isro", where) == "rw"


@pytest.mark.parametrize("where", WHERE)
def test_srvr(watched, where):
    """The order of lines is what go-zookeeper's expression wants."""
    with watched.client() as client:
        client.call(zk.set_data("/", b""))
        text = ask(watched, "srvr", where)
        client.close_session()
    expression = (r"^Zookeeper version: ([0-9.]+[^,]*), built on (\d\d/\d\d/\d{4} \d\d:\d\d [A-Z]{3})\n"
                  r"Latency min/avg/max: (\d+)/([0-9.]+)/(\d+)\n"
                  r"Received: (\d+)\nSent: (\d+)\nConnections: (\d+)\nOutstanding: (\d+)\n"
                  r"Zxid: 0x([0-9a-f]+)\nMode: (\w+)\nNode count: (\d+)\n$")
    match = re.match(expression, text)
    assert match, text
    assert match.group(11) == "standalone"
    assert int(match.group(10), 16) >> 32 > 0
    assert int(match.group(8)) >= 1


@pytest.mark.parametrize("where", WHERE)
def test_stat_lists_connections(watched, where):
    with watched.client(tls=False) as client:
        port = client.link.sock.getsockname()[1]
        text = ask(watched, "stat", where)
        client.close_session()
    assert text.startswith("Zookeeper version: ")
    assert re.search(r"^Clients:\n(?: .*\n)*? /127\.0\.0\.1:%d\[1\]\(queued=0,recved=\d+,sent=\d+\)" % port,
                     text, re.MULTILINE), text
    assert "Mode: standalone" in text


@pytest.mark.parametrize("where", WHERE)
def test_mntr(watched, where):
    with watched.client() as client:
        client.call(zk.create("/mntr", flags=zk.EPHEMERAL))
        client.call(zk.exists("/mntr", watch=True))
        text = ask(watched, "mntr", where)
        client.close_session()
    assert all("\t" in line and line.startswith("zk_") for line in text.splitlines()), text
    values = pairs(text, "\t")
    assert values["zk_server_state"] == "standalone"
    assert values["zk_ephemerals_count"] == "1"
    assert values["zk_watch_count"] == "1"
    for name in ("zk_version", "zk_avg_latency", "zk_max_latency", "zk_min_latency",
                 "zk_packets_received", "zk_packets_sent", "zk_num_alive_connections",
                 "zk_outstanding_requests", "zk_znode_count", "zk_approximate_data_size",
                 "zk_open_file_descriptor_count", "zk_max_file_descriptor_count"):
        assert name in values
        assert name == "zk_version" or float(values[name]) >= 0
    assert "/mntr" not in text


@pytest.mark.parametrize("where", WHERE)
def test_conf(watched, where):
    text = ask(watched, "conf", where)
    assert all("=" in line or line.startswith("membership:") for line in text.splitlines())
    values = pairs(text, "=")
    assert values["clientPort"] == str(watched.port)
    assert values["secureClientPort"] == str(watched.tls_port)
    assert values["tickTime"] == "1000"
    assert values["minSessionTimeout"] == "2000"
    assert values["maxSessionTimeout"] == "20000"
    assert values["dataDir"].startswith(watched.data_dir)


@pytest.mark.parametrize("where", WHERE)
def test_envi(watched, where):
    """kazoo reads the version with a single recv."""
    text = ask(watched, "envi", where)
    assert text.startswith("Environment:\n")
    assert re.search(r"^zookeeper\.version=\d+\.\d+\.\d+", text, re.MULTILINE)
    assert "HOME" not in text and "PATH" not in text


def test_envi_comes_in_one_piece(watched):
    with watched.link(tls=False) as link:
        link.send(b"envi")
        link.sock.settimeout(10)
        first = link.sock.recv(8192)
        assert link.sock.recv(8192) == b""
    assert b"zookeeper.version=" in first


def test_monitor_port_knows_words_alone(watched):
    with zk.Link(("127.0.0.1", watched.monitor)) as link:
        link.send(zk.frame(zk.connect_body()))
        assert link.read_to_end(15) == b""
    with pytest.raises(OSError):
        zk.Link(("127.0.0.2", watched.monitor), timeout=2)


def test_whitelist(make_server):
    server = make_server(**{"4lw__commands__whitelist": "srvr,ruok"})
    assert ask(server, "ruok") == "imok"
    for word in ("stat", "mntr", "conf", "envi", "isro", "wchp", "dump"):
        assert ask(server, word) == "%s is not executed because it is not in the whitelist.\n" % word


def test_default_whitelist(make_server):
    server = make_server(**{"4lw__commands__whitelist": None})
    assert "Mode: standalone" in ask(server, "srvr")
    assert "not in the whitelist" in ask(server, "mntr")


def test_unknown_words_are_a_bad_frame(watched):
    with watched.link(tls=False) as link:
        link.send(b"abcd")
        assert link.read_to_end(15) == b""


def test_words_do_not_work_within_a_session(watched):
    client = watched.client(tls=False)
    client.link.send(b"ruok")
    assert client.link.read_to_end(15) == b""
