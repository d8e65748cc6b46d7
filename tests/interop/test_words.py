"""Four-letter words and the admin server beside Debian's ZooKeeper: the same lines, members and types.

Both servers see the same requests; numbers, ids and addresses aside, what they tell has the same shape. What
is told by one alone stands in the lists here, each with its reason.
"""
import json
import re
import socket
import urllib.request

import pytest

import servers
import zk_wire as zk

WORDS = ("conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst", "srvr",
         "stat", "wchc", "wchp", "wchs")
COMMANDS = ("configuration", "connections", "dirs", "dump", "environment", "get_trace_mask", "hash",
            "initial_configuration", "is_read_only", "last_snapshot", "leader", "observers", "ruok", "server_stats",
            "stats", "voting_view", "watch_summary", "watches", "watches_by_path", "zabstate", "nope")

# What ZooKeeper counts and we have not: name (a regular expression, without its avg_, min_, ... prefix) and why.
NOT_HERE = (
    (r"connection_(drop_probability|drop_count|token_deficit)|.*throttle.*|throttled_ops|stale_(requests|replies).*"
     r"|large_requests_rejected", "its ways to slow clients down; ours are other limits"),
    (r"proposal_.*|learner_.*|.*_?commit_.*|.*commitproc.*|commit_count|request_commit_queued|om_.*|quorum_.*"
     r"|(follower|observer)_sync_time|election_time|looking_count|diff_count|snap_count|inflight_.*|ensemble_.*"
     r"|.*leader_unavailable_time|unavailable_time|quit_leading.*|propagation_latency|requests_not_forwarded.*"
     r"|skip_learner.*|revalidate_count|.*write_committed_time_ms", "an ensemble's, or its pipeline's"),
    (r"prep_.*|sync_process.*|outstanding_changes_.*|close_session_prep_time|.*session_queue.*|read_final.*"
     r"|write_final.*|write_batch_time.*|concurrent_request.*|time_waiting.*|netty_.*|jvm_pause_time_ms"
     r"|socket_closing_time", "threads and queues that we do not have"),
    (r"dead_watchers_.*|add_dead_watcher.*", "its watch table"),
    (r"response_packet_.*", "its caches of replies"),
    (r"snapshottime|startup_.*|dbinittime|restore_.*|snapshot_(error|rate_limited)_count", "its files"),
    (r"digest_mismatches_count|unrecoverable_error_count", "ends the process here"),
    (r"insecure_admin_count|tls_handshake_exceeded|cnxn_closed_without_zk_server_running", "does not happen here"),
    (r".*_per_namespace", "names of znodes are no metrics here"),
)


class AdminZooKeeper(servers.ZooKeeper):
    """With its AdminServer, and NIO, which tells more in dump than Netty does."""

    ADMIN_LIBRARIES = ("jetty9-server", "jetty9-servlet", "jetty9-security", "jetty9-http", "jetty9-io", "jetty9-util",
                       "jetty9-util-ajax", "servlet-api", "jackson-core", "jackson-databind", "jackson-annotations")

    def command(self):
        command = super().command()
        at = command.index("-cp") + 1
        command[at] += "".join(":/usr/share/java/%s.jar" % name for name in self.ADMIN_LIBRARIES)
        return command


@pytest.fixture(name="both", scope="module")
def fixture_both(tmp_path_factory):
    """Both servers with a client each that did the same."""
    pair, clients = [], []
    for kind, more in ((AdminZooKeeper, {"serverCnxnFactory": None}), (servers.Zoolite, {})):
        port = servers.free_ports(1)[0]
        config = dict({"admin.enableServer": "true", "admin.serverAddress": "127.0.0.1", "admin.serverPort": port},
                      **more)
        server = kind(tmp_path_factory.mktemp("words"), tls=False, config=config)
        server.admin = port
        pair.append(server)
    try:
        for server in pair:
            server.start()
            client = server.client(timeout=20000)
            clients.append(client)
            for request in (zk.create("/e", flags=zk.EPHEMERAL), zk.create("/p"), zk.exists("/e", watch=True),
                            zk.exists("/no", watch=True), zk.get_children("/", watch=True)):
                client.call(request)
            client.ping()
        yield pair
    finally:
        for client in clients:
            client.link.close()
        for server in pair:
            server.close()


def ask(server, word):
    return server.four_letter_word(word).decode()


def words_shape(text):
    """The lines without what differs from run to run, and from place to place."""
    lines = []
    for line in text.split("\n"):
        line = re.sub(r"(version[:=\t] ?|^(?:java|user|os|host)\.[a-z.]+=|dataDir=|dataLogDir=).*", r"\1...", line)
        line = re.sub(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ \d{4}", "DATE", line)
        line = re.sub(r"\[[0-9a-f]\]", "[OPS]", line)
        line = re.sub(r"0x[0-9a-f]+", "HEX", line)
        lines.append(re.sub(r"-?\d+(\.\d+)*(E-?\d+)?", "N", line))
    return lines


def dump_shape(lines):
    """Empty steps that have passed already stay in ZooKeeper's list; who asks may share a step with others."""
    return [line for line in lines if "expire at" not in line]


@pytest.mark.parametrize("word", [word for word in WORDS if word not in ("mntr", "crst", "srst")])
def test_words_have_one_shape(both, word):
    theirs, ours = (words_shape(ask(server, word)) for server in both)
    if word in ("cons", "stat", "wchc", "wchp"):
        theirs, ours = sorted(theirs), sorted(ours)
    if word == "dump":
        theirs, ours = dump_shape(theirs), dump_shape(ours)
    assert ours == theirs


@pytest.mark.parametrize("word", ("crst", "srst"))
def test_resets_say_the_same(both, word):
    theirs, ours = (ask(server, word) for server in both)
    assert ours == theirs


def test_trace_mask(both):
    for server in both:
        assert ask(server, b"stmk\0\0\0\0\0\0\1\x02") == "258"
        assert ask(server, "gtmk") == "258"
        assert ask(server, b"stmk\0\0\0\0\0\0\1\x32") == "306"


def keys_of_mntr(server):
    lines = ask(server, "mntr").splitlines()
    return [line.split("\t")[0] for line in lines if line]


def test_mntr_has_every_key_that_makes_sense(both):
    theirs, ours = (keys_of_mntr(server) for server in both)
    assert ours[:2] == theirs[:2] == ["zk_version", "zk_server_state"]
    reasons = dict.fromkeys(NOT_HERE, 0)
    for key in theirs:
        name = re.sub(r"^zk_((avg|min|max|cnt|sum|p50|p95|p99|p999)_(?!latency$|client_response_size$"
                      r"|file_descriptor_count$))?", "", key)
        found = [entry for entry in NOT_HERE if re.fullmatch(entry[0], name)]
        assert bool(found) != (key in ours), "%s: here, or one reason why not" % key
        for entry in found:
            reasons[entry] += 1
    assert all(reasons.values()), [entry for entry, count in reasons.items() if count == 0]


# What has to be the same number on both where both were asked for the same.
EQUAL = re.compile(r"zk_(znode_count|watch_count|ephemerals_count|(global|local)_sessions|num_alive_connections"
                   r"|outstanding_requests|outstanding_tls_handshake|auth_failed_count"
                   r"|(avg|min|max|cnt|sum)_node_(created|changed)_watch_count"
                   r"|(min|max)_client_response_size|stale_sessions_expired|connection_rejected)")


def busy(client):
    """Znodes, watches of the kinds that 3.8 and 3.9 count alike, and what fires some of them."""
    for request in (zk.create_container("/n"), zk.create("/n/a"), zk.create("/n/b", flags=zk.EPHEMERAL),
                    zk.create("/n/c"), zk.exists("/n/a", watch=True), zk.get_data("/n/a", watch=True),
                    zk.get_data("/n/b", watch=True), zk.exists("/n/no", watch=True),
                    zk.get_children("/n/c", watch=True), zk.add_watch("/n/p", zk.PERSISTENT)):
        client.call(request)
    for request in (zk.create("/n/no"), zk.set_data("/n/a", b"x"), zk.create("/n/p")):
        client.call(request)


def test_figures_are_the_same(both):
    """mntr, and the node count of srvr and of the admin server, for the same requests."""
    figures, watched = [], []
    for server in both:
        ask(server, "srst")
        with server.client(timeout=20000) as client:
            busy(client)
            values = dict(line.split("\t") for line in ask(server, "mntr").splitlines())
            figures.append({key: value for key, value in values.items() if EQUAL.fullmatch(key)})
            figures[-1]["srvr"] = re.search(r"^Node count: (\d+)$", ask(server, "srvr"), re.MULTILINE)[1]
            figures[-1]["server_stats"] = str(json.loads(fetch(server, "/server_stats")[1])["node_count"])
            watched.append([ask(server, "wchs"), sorted(re.sub("0x[0-9a-f]+", "ID", ask(server, "wchp")).split("\n"))])
            for path in ("/n/p", "/n/no", "/n/c", "/n/b", "/n/a", "/n"):
                client.call(zk.delete(path))
            client.close_session()
    assert figures[1] == figures[0]
    assert watched[1] == watched[0]
    assert len(figures[0]) == 25 and figures[0]["srvr"] == figures[0]["server_stats"] == figures[0]["zk_znode_count"]


def fetch(server, command):
    with urllib.request.urlopen("http://127.0.0.1:%d/commands%s" % (server.admin, command), timeout=15) as response:
        return response.headers.get_content_type(), response.read().decode()


def json_shape(value):
    """Members in their order with their types; numbers as keys and the length of lists aside."""
    if isinstance(value, dict):
        return [(re.sub(r"^\d+$", "N", key), json_shape(member)) for key, member in value.items()]
    if isinstance(value, list):
        return [json_shape(member) for member in value]
    return type(value).__name__


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_one_shape(both, command):
    answers = [fetch(server, "/" + command) for server in both]
    assert answers[0][0] == answers[1][0] == "application/json"
    theirs, ours = (json.loads(text) for _, text in answers)
    if command == "leader":
        # Jackson's map has the error in another place.
        theirs, ours = (dict(sorted(answer.items())) for answer in (theirs, ours))
    if command == "dump":
        # As in dump_shape.
        steps = theirs["expiry_time_to_session_ids"]
        theirs["expiry_time_to_session_ids"] = {step: who for step, who in steps.items() if who}
    if command == "watches_by_path":
        for answer in (theirs, ours):
            answer["path_to_session_ids"] = dict(sorted(answer["path_to_session_ids"].items()))
    if command in ("server_stats", "stats"):
        # Jackson's order of a bean's members is the JVM's, and no promise.
        for answer in (theirs, ours):
            answer["server_stats"] = dict(sorted(answer["server_stats"].items()))
    assert json_shape(ours) == json_shape(theirs)
    # The layout too: Jackson's, line by line.
    lines = [[line.split(" : ")[0] for line in text.splitlines()] for _, text in answers]
    if command not in ("leader", "dump", "watches", "watches_by_path", "server_stats", "stats"):
        assert lines[1] == lines[0]


def test_commands_that_both_list(both):
    theirs, ours = (re.findall(r'<a href="/commands/(\w+)">', fetch(server, "")[1]) for server in both)
    acting = [name for name in theirs if name not in ours]
    newer = ["restore", "snapshot"] if servers.other_zookeeper() else []
    assert acting == sorted(["connection_stat_reset", "observer_connection_stat_reset", "set_trace_mask",
                             "stat_reset"] + newer)
    assert [name for name in theirs if name not in acting] == ours


def test_whitelist(tmp_path):
    """The words of a refusal, on both."""
    said = []
    for number, kind in enumerate((servers.ZooKeeper, servers.Zoolite)):
        server = kind(tmp_path / str(number), tls=False, config={"4lw.commands.whitelist": "ruok"})
        try:
            server.start()
            said.append([ask(server, word) for word in WORDS + ("stmk",) if word != "srvr"])
        except socket.timeout:
            pytest.fail("no answer of %s" % server.name)
        finally:
            server.close()
    assert said[1] == said[0]
