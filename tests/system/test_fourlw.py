"""Four-letter words, on every port, as tools read them."""
import re
import struct
import time

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
    assert list(values) == ["clientPort", "secureClientPort", "dataDir", "dataDirSize", "dataLogDir", "dataLogSize",
                            "tickTime", "maxClientCnxns", "minSessionTimeout", "maxSessionTimeout",
                            "clientPortListenBacklog", "serverId"]
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


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_envi_comes_in_one_piece(watched, tls):
    with watched.link(tls=tls) as link:
        link.send(b"envi")
        link.sock.settimeout(10)
        first = link.sock.recv(8192)
        assert link.sock.recv(8192) == b""
    assert b"zookeeper.version=" in first


CONNECTION = re.compile(r" /(?P<address>[0-9.]+:\d+)\[(?P<ops>[0-9a-f]+)\]\(queued=(?P<queued>\d+),"
                        r"recved=(?P<recved>\d+),sent=(?P<sent>\d+)"
                        r"(?:,sid=0x(?P<sid>[0-9a-f]+),lop=(?P<lop>[A-Z0-9]+),est=(?P<est>\d+),to=(?P<to>\d+)"
                        r"(?:,lcxid=0x(?P<lcxid>[0-9a-f]+))?,lzxid=0x(?P<lzxid>[0-9a-f]+),lresp=(?P<lresp>\d+),"
                        r"llat=(?P<llat>\d+),minlat=(?P<minlat>\d+),avglat=(?P<avglat>\d+),"
                        r"maxlat=(?P<maxlat>\d+))?\)")


def connections(server, where="plain"):
    """What cons tells, by the peer's port."""
    lines = ask(server, "cons", where).split("\n")
    assert lines[-2:] == ["", ""], lines
    found = {}
    for line in lines[:-2]:
        match = CONNECTION.fullmatch(line)
        assert match, line
        found[int(match["address"].rsplit(":", 1)[1])] = match
    return found


def port_of(client):
    return client.link.sock.getsockname()[1]


@pytest.mark.parametrize("where", WHERE)
def test_cons(watched, where):
    with watched.client(timeout=15000) as client:
        client.call(zk.create("/cons", flags=zk.EPHEMERAL))
        written = client.call(zk.set_data("/cons", b"x"))
        client.call(zk.get_data("/cons"))
        mine = connections(watched, where)[port_of(client)]
        assert mine["ops"] == "1"
        assert int(mine["sid"], 16) == client.session_id
        assert (mine["lop"], mine["to"], mine["queued"]) == ("GETD", "15000", "0")
        assert (mine["recved"], mine["sent"]) == ("4", "4")
        assert mine["lcxid"] == "%x" % (client.next_xid - 1)
        assert int(mine["lzxid"], 16) == written.zxid
        assert int(mine["minlat"]) <= int(mine["avglat"]) <= int(mine["maxlat"])
        assert int(mine["llat"]) <= int(mine["maxlat"])
        assert abs(int(mine["est"]) / 1000 - time.time()) < 60
        client.ping()
        assert connections(watched, where)[port_of(client)]["lop"] == "PING"
        assert connections(watched, where)[port_of(client)]["lcxid"] == mine["lcxid"]
        client.close_session()


def test_cons_lists_who_has_no_session(watched):
    with watched.link(tls=False) as link:
        port = link.sock.getsockname()[1]
        servers.wait_until(lambda: connections(watched).get(port), 10, "the connection to be listed")
        assert connections(watched)[port]["sid"] is None


def test_crst(watched):
    with watched.client() as client:
        client.call(zk.create("/crst", flags=zk.EPHEMERAL))
        assert ask(watched, "crst") == "Connection stats reset.\n"
        mine = connections(watched)[port_of(client)]
        assert (mine["recved"], mine["sent"], mine["lop"], mine["lcxid"]) == ("0", "0", "NA", None)
        assert (mine["lzxid"], mine["lresp"], mine["maxlat"]) == ("f" * 16, "0", "0")
        client.call(zk.get_data("/crst"))
        mine = connections(watched)[port_of(client)]
        assert (mine["recved"], mine["lop"]) == ("1", "GETD")
        client.close_session()


def test_srst(watched):
    with watched.client() as client:
        client.call(zk.create("/srst", flags=zk.EPHEMERAL))
        client.call(zk.get_data("/srst"))
        before = pairs(ask(watched, "mntr"), "\t")
        assert int(before["zk_packets_received"]) >= 3 and int(before["zk_cnt_updatelatency"]) >= 1
        assert int(before["zk_cnt_fsynctime"]) >= 1 and int(before["zk_sum_updatelatency"]) >= 0
        assert ask(watched, "srst") == "Server stats reset.\n"
        after = pairs(ask(watched, "mntr"), "\t")
        for name in ("packets_received", "packets_sent", "cnt_readlatency", "cnt_updatelatency", "cnt_fsynctime",
                     "max_latency", "response_bytes"):
            assert after["zk_" + name] == "0", name
        assert after["zk_max_client_response_size"] == "-1"
        assert after["zk_znode_count"] == before["zk_znode_count"]
        client.close_session()


@pytest.mark.parametrize("where", WHERE)
def test_dirs(watched, where):
    match = re.fullmatch(r"datadir_size: (\d+)\nlogdir_size: (\d+)\n", ask(watched, "dirs", where))
    assert match and int(match[1]) > 0 and int(match[2]) > 0


@pytest.mark.parametrize("where", WHERE)
def test_dump(watched, where):
    with watched.client(timeout=4000) as first, watched.client(timeout=20000) as second:
        first.call(zk.create("/dump-1", flags=zk.EPHEMERAL))
        first.call(zk.create("/dump-2", flags=zk.EPHEMERAL))
        text = ask(watched, "dump", where)
        ids = ["0x%x" % client.session_id for client in (first, second)]
        date = r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ \d{4}"
        sets = r"Sets \((\d+)\)/\((\d+)\):\n((?:\d+ expire at %s:\n(?:\t.*\n)+)*)" % date
        match = re.fullmatch("SessionTracker dump:\nSession " + sets + "ephemeral nodes dump:\n"
                             r"Sessions with Ephemerals \((\d+)\):\n((?:0x[0-9a-f]+:\n(?:\t/.*\n)+)*)"
                             "Connections dump:\nConnections " + sets, text)
        assert match, text
        assert int(match[2]) == match[3].count("\t") and int(match[1]) == match[3].count(" expire at ")
        assert match[3].index(ids[0]) < match[3].index(ids[1])
        assert int(match[4]) == match[5].count("0x")
        owned = re.search("%s:\n((?:\t.*\n)+)" % ids[0], match[5])[1]
        assert sorted(owned.split()) == ["/dump-1", "/dump-2"] and ids[1] not in match[5]
        assert int(match[7]) == match[8].count("\t")
        for client, ident in zip((first, second), ids):
            assert "\tip: /127.0.0.1:%d sessionId: %s\n" % (port_of(client), ident) in match[8]
        first.close_session()
        second.close_session()


def blocks(text):
    """wchc and wchp: what stands below each line that is not indented."""
    assert text.endswith("\n")
    found = {}
    for line in text[:-1].splitlines():
        if line.startswith("\t"):
            found[name].append(line[1:])
        else:
            name = line
            found[name] = []
    return found


@pytest.mark.parametrize("where", WHERE)
def test_watches(watched, where):
    with watched.client() as first, watched.client() as second:
        first.call(zk.exists("/w-1", watch=True))
        first.call(zk.exists("/w-2", watch=True))
        second.call(zk.exists("/w-1", watch=True))
        second.call(zk.get_children("/", watch=True))
        assert ask(watched, "wchs", where) == "2 connections watching 2 paths\nTotal watches:3\n"
        ids = ["0x%x" % client.session_id for client in (first, second)]
        by_path = blocks(ask(watched, "wchp", where))
        assert {path: sorted(who) for path, who in by_path.items()} == {"/w-1": sorted(ids), "/w-2": ids[:1]}
        by_session = blocks(ask(watched, "wchc", where))
        assert {who: sorted(paths) for who, paths in by_session.items()} == {
            ids[0]: ["/w-1", "/w-2"], ids[1]: ["/w-1"]}
        first.close_session()
        second.close_session()
    assert ask(watched, "wchs", where) == "0 connections watching 0 paths\nTotal watches:0\n"
    assert ask(watched, "wchp", where) == "\n"
    assert ask(watched, "wchc", where) == "\n"


@pytest.mark.parametrize("where", WHERE)
def test_trace_mask(watched, where):
    before = ask(watched, "gtmk", where)
    assert re.fullmatch(r"-?\d+", before)
    assert ask(watched, b"stmk" + struct.pack(">q", 258), where) == "258"
    assert ask(watched, "gtmk", where) == "258"
    assert ask(watched, b"stmk" + struct.pack(">q", int(before)), where) == before


def test_trace_mask_may_come_late(watched):
    with watched.link(tls=False) as link:
        link.send(b"stmk\0\0\0")
        assert ask(watched, "gtmk") == "306"
        link.send(struct.pack(">q", 306)[3:])
        assert link.read_to_end(15) == b"306"


def test_hash_is_an_empty_list(watched):
    assert ask(watched, "hash") == ""


def test_monitor_port_knows_words_alone(watched):
    with zk.Link(("127.0.0.1", watched.monitor)) as link:
        link.send(zk.frame(zk.connect_body()))
        assert link.read_to_end(15) == b""
    with pytest.raises(OSError):
        zk.Link(("127.0.0.2", watched.monitor), timeout=2)


def test_whitelist(make_server):
    server = make_server(**{"4lw__commands__whitelist": "srvr,ruok"})
    assert ask(server, "ruok") == "imok"
    for word in ("stat", "mntr", "conf", "envi", "isro", "wchp", "dump", "cons", "crst", "dirs", "gtmk", "hash",
                 "srst", "stmk", "wchc", "wchs"):
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
