"""zoolite-bench does what it reports: looked at from the side of the server."""
import json
import os
import re
import socket
import subprocess

import pytest

import members
import servers
import slowdisk
import zk_wire as zk

DEADLINE_S = 60


def command(server, case, *options, certificate="client"):
    program = os.path.join(os.path.dirname(servers.find_zoolited()), "tools", "zoolite-bench")
    authority = server.authority
    tls = ["--ca", authority.ca]
    if certificate:
        tls += ["--cert", authority.cert(certificate), "--key", authority.key(certificate)]
    return [program, "--json", *tls, *map(str, options), case, "localhost:%d" % server.tls_port]


def run(server, case, *options, **how):
    return subprocess.run(command(server, case, *options, **how), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=DEADLINE_S)


def bench(server, case, *options):
    done = run(server, case, *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def names(client, path):
    return client.call(zk.get_children(path)).value.names


def below(client, root):
    """The znodes that a run has made in its directories, by path."""
    found = []
    for one in names(client, root):
        for directory in names(client, "%s/%s" % (root, one)):
            path = "%s/%s/%s" % (root, one, directory)
            found += ["%s/%s" % (path, name) for name in names(client, path)]
    return found


@pytest.mark.parametrize("depth", [1, 8])
@pytest.mark.parametrize("case", ["get", "exists", "children", "set", "mixed", "create", "multi", "ephemeral"])
def test_cases(server, case, depth):
    root = "/bench-%s-%d" % (case, depth)
    report = bench(server, case, "-c", 3, "-d", depth, "-s", 1, "-w", 0.1, "-k", 20, "-v", 10, "--root", root,
                   "--server-pid", server.process.pid)
    assert report["case"] == case and report["tls"].startswith("TLSv1.3 ")
    assert report["operations"] > 0 and report["errors"] == 0
    assert report["server_cpu_us_per_operation"] >= 0
    latency = report["latency_us"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p999"] <= latency["max"]
    with server.client() as client:
        made = below(client, root)
        client.close_session()
    if case in ("create", "multi"):
        assert len(made) >= report["operations"] * (10 if case == "multi" else 1)
    else:
        assert len(made) == (0 if case == "ephemeral" else 20)


def test_set_writes_and_get_does_not(server):
    for case, versions in (("get", {0}), ("set", None)):
        root = "/bench-versions-" + case
        bench(server, case, "-c", 2, "-s", 0.3, "-w", 0, "-k", 2, "-v", 7, "--root", root)
        with server.client() as client:
            stats = [client.call(zk.exists(path)).value for path in below(client, root)]
            client.close_session()
        assert {stat.data_length for stat in stats} == {7}
        seen = {stat.version for stat in stats}
        assert seen == versions if versions else min(seen) > 0


def test_zipf_writes_the_first_keys_most(server):
    bench(server, "set", "-c", 2, "-d", 4, "-s", 0.5, "-w", 0, "-k", 20, "--zipf", 2, "--root", "/bench-zipf")
    with server.client() as client:
        versions = [client.call(zk.exists(path)).value.version for path in sorted(below(client, "/bench-zipf"))]
        client.close_session()
    assert len(versions) == 20 and versions[0] > sum(versions[1:]) > 0


def test_creates_go_to_as_many_directories_as_asked_for(server):
    bench(server, "create", "-c", 3, "-s", 0.3, "-w", 0, "--directories", 7, "--root", "/bench-directories")
    with server.client() as client:
        directories = {os.path.dirname(path) for path in below(client, "/bench-directories")}
        client.close_session()
    assert len(directories) == 7


def test_children_are_all_of_one_znode(server):
    bench(server, "children", "-c", 2, "-s", 0.2, "-w", 0, "-k", 1200, "--root", "/bench-children")
    with server.client() as client:
        made = below(client, "/bench-children")
        client.close_session()
    assert len(made) == 1200 and len({os.path.dirname(path) for path in made}) == 1


def test_multi_of_a_size(server):
    report = bench(server, "multi", "-c", 1, "-s", 0.2, "-w", 0, "--batch", 3, "--root", "/bench-batch")
    with server.client() as client:
        made = below(client, "/bench-batch")
        client.close_session()
    assert 3 * report["operations"] <= len(made) <= 3 * (report["operations"] + 1)


def test_locks_are_had_one_after_the_other(server):
    def told():
        return server.metric("sum_node_deleted_watch_count")

    watched, before = server.metric("watch_count"), told()
    report = bench(server, "lock", "-c", 5, "-s", 0.5, "-w", 0.1, "--root", "/bench-lock")
    assert report["operations"] > 0 and report["errors"] == 0
    # With five of them there is always somebody before who must let go first, and each such is waited for once.
    assert told() - before > 0.9 * report["operations"]
    with server.client() as client:
        assert below(client, "/bench-lock") == []
        client.close_session()
    assert server.metric("watch_count") == watched


def test_fan_out(server):
    report = bench(server, "fan-out", "-c", 31, "-s", 0.5, "-w", 0.1, "-k", 1, "--root", "/bench-fan-out")
    assert report["operations"] > 0 and report["errors"] == 0
    told, read = report["told_us"], report["latency_us"]
    assert 0 < told["p50"] <= read["p50"] and 0 < told["mean"] < read["mean"]
    with server.client() as client:
        path, = below(client, "/bench-fan-out")
        # One change more may have been on its way at the end.
        assert client.call(zk.exists(path)).value.version >= report["operations"]
        client.close_session()


@pytest.mark.parametrize("options", [["-c", "1"], ["-d", "2"]])
def test_who_waits_for_each_other_is_two_at_depth_one(server, options):
    for case in ("lock", "fan-out"):
        done = run(server, case, *options)
        assert done.returncode == 2 and "at least two connections" in done.stderr


def test_whole_sessions(server):
    """As many as are told have been opened and closed."""
    def closed():
        return server.metric("sessions_closed")

    before = closed()
    report = bench(server, "connects", "-c", 4, "-s", 1, "-w", 0.1, "--server-pid", server.process.pid)
    assert 0 < report["operations"] <= closed() - before
    assert report["server_cpu_us_per_operation"] > 0 and report["errors"] == 0 and report["tls"].startswith("TLSv1.3 ")


def test_all_register_at_once(make_server):
    server = make_server()
    running = bench(server, "register", "-c", 60, "--root", "/bench-register")
    assert running["operations"] == 60 and running["errors"] == 0 and running["seconds"] > 0
    with server.client() as client:
        base, = names(client, "/bench-register")
        stat = client.call(zk.exists("/bench-register/%s/d00000" % base)).value
        client.close_session()
    # Each came once and went with its session.
    assert (stat.cversion, stat.num_children) == (120, 0)


class Limit:
    """zoolite-limit with a directory of its own: enough of a server for command()."""

    def __init__(self, authority, directory, environment=None):
        self.authority = authority
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.tls_port = free.getsockname()[1]
        self.log = os.path.join(directory, "limit.log")
        program = os.path.join(os.path.dirname(servers.find_zoolited()), "tools", "zoolite-limit")
        self.process = subprocess.Popen([program, "--ca", authority.ca, "--cert", authority.cert("server"), "--key",
                                         authority.key("server"), "--dir", directory, "--value-size", "50",
                                         str(self.tls_port)], env=dict(os.environ, **(environment or {})))
        assert run(self, "first").returncode == 0

    def stop(self):
        self.process.terminate()
        assert self.process.wait(DEADLINE_S) == 0


@pytest.fixture
def limit(authority, tmp_path):
    limit = Limit(authority, str(tmp_path))
    yield limit
    limit.stop()


@pytest.mark.parametrize("depth", [1, 8])
@pytest.mark.parametrize("case", ["get", "exists", "mixed", "set", "create", "ephemeral", "multi"])
def test_limit(limit, case, depth):
    began = os.path.getsize(limit.log)
    report = bench(limit, case, "-c", 3, "-d", depth, "-s", 0.5, "-w", 0, "-k", 20, "-v", 50)
    assert report["operations"] > 0 and report["errors"] == 0 and report["tls"].startswith("TLSv1.3 ")
    written = os.path.getsize(limit.log) - began
    each = {"set": 80, "create": 80, "multi": 800, "ephemeral": 40}.get(case, 0)
    assert written > each * report["operations"]


@pytest.mark.parametrize("case", ["connects", "register"])
def test_limit_of_sessions(limit, case):
    report = bench(limit, case, "-c", 20, "-s", 0.5, "-w", 0, "-v", 50)
    assert report["operations"] > 0 and report["errors"] == 0


def test_limit_lets_nobody_in_without_a_certificate(limit):
    for certificate, status in ((None, 1), ("foreign", 1), ("client", 0)):
        assert run(limit, "get", "-c", 1, "-s", 0.2, "-w", 0, "-v", 50, certificate=certificate).returncode == status


def test_limit_answers_writes_once_they_are_on_disk(authority, tmp_path):
    """The request to open a session is a write as well."""
    disk = slowdisk.SlowDisk(tmp_path)
    limit = Limit(authority, str(tmp_path), disk.environment())
    try:
        with disk.hangs("hang-sync"):
            assert run(limit, "first", "-s", 1).returncode == 1
        assert run(limit, "first").returncode == 0
    finally:
        limit.stop()


def test_fill(server):
    report = bench(server, "fill", "-c", 2, "-d", 2, "-n", 1234, "-v", 5, "--root", "/bench-fill/below")
    assert report["operations"] == 1234 and report["errors"] == 0
    with server.client() as client:
        assert len(set(below(client, "/bench-fill/below"))) == 1234
        client.close_session()


def test_hot_reads_in_a_larger_tree(server):
    report = bench(server, "hot", "-c", 2, "-s", 0.3, "-w", 0, "-k", 20, "-v", 6, "--preload", 1234, "--root", "/bench-hot")
    assert report["operations"] > 0 and report["keys"] == 20
    with server.client() as client:
        made = below(client, "/bench-hot")
        assert len([path for path in made if re.search("/p[0-9]+/k", path)]) == 1234
        assert len([path for path in made if re.search("/d[0-9]+/k", path)]) == 20
        client.close_session()


def test_members_come_back(make_server):
    """What they watch changes before, meanwhile and afterwards."""
    server = make_server()
    with members.Members(server, 120) as crowd:
        assert crowd.head["groups"] == 2 and crowd.head["tls"].startswith("TLSv1.3 ")
        writer = server.client()
        crowd.change(writer, "before")
        # All of it has come, and they watch again.
        crowd.wait_watching(server)
        crowd.pause()
        server.restart()
        writer = server.client()
        crowd.change(writer, "meanwhile")
        crowd.resume()
        told = crowd.wait_storm()
        assert (told["lost"], told["back"]) == (120, 120)
        assert told["lost_at_us"] <= told["back_at_us"] and told["attempts"] >= 120
        crowd.change(writer, "afterwards")
        crowd.check_ephemerals(writer)
        # A one-shot watch tells of the first change it missed, a persistent one of none.
        assert crowd.finish()["told"] == 120 * (4 + 2 + 4)
    servers.wait_until(lambda: server.metric("ephemerals_count") == 0, DEADLINE_S, "the members to leave")


def test_members_tell_what_is_lost(make_server):
    """They are away for longer than their sessions live."""
    server = make_server(tickTime=200)
    with members.Members(server, 30, timeout_ms=1000) as crowd:
        crowd.pause()
        servers.wait_until(lambda: server.metric("sessions_expired") == 30, DEADLINE_S, "them to expire")
        crowd.resume()
        told = crowd.wait_storm()
        assert (told["lost"], told["back"]) == (30, 0)
        crowd.process.stdin.close()
        assert crowd.wait_storm()["expired"] == 30
        assert crowd.process.wait(DEADLINE_S) == 1
        assert "has expired" in crowd.complaints()


def test_schedule_is_kept(server):
    report = bench(server, "exists", "-c", 4, "-d", 2, "-s", 1, "-w", 0, "-k", 5, "-r", 100)
    # Never more than are due, and what is late is caught up with.
    assert 0 < report["operations"] <= 100 * report["seconds"] + 1


def alive(server):
    words = dict(line.split("\t") for line in server.four_letter_word("mntr").decode().splitlines())
    return int(words["zk_num_alive_connections"])


def test_idle_holds_until_told(server):
    before = alive(server)
    holding = subprocess.Popen(command(server, "idle", "-c", 20, "--server-pid", server.process.pid),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        report = json.loads(holding.stdout.readline())
        assert report["connections"] == 20 and min(report["server_rss_kib"] + report["server_pss_kib"]) > 0
        assert alive(server) == before + 20
        holding.stdin.close()
        assert holding.wait(DEADLINE_S) == 0
    finally:
        holding.kill()
        holding.wait()
        holding.stdout.close()
    servers.wait_until(lambda: alive(server) == before, DEADLINE_S, "the sessions to close")


def test_first_waits_for_the_server(make_server):
    server = make_server.new()
    waiting = subprocess.Popen(command(server, "first"), stdout=subprocess.PIPE, text=True)
    try:
        assert waiting.stdout.readline() == "waiting\n"
        server.start()
        assert json.loads(waiting.stdout.read())["session_at_us"] > 0
        assert waiting.wait(DEADLINE_S) == 0
    finally:
        waiting.kill()
        waiting.wait()
        waiting.stdout.close()


@pytest.mark.parametrize("certificate, reason", [(None, "TLS"), ("foreign", "TLS"), ("expired", "TLS")])
def test_who_is_not_let_in_is_told(server, certificate, reason):
    done = run(server, "get", "-c", 1, certificate=certificate)
    assert done.returncode == 1 and done.stdout == ""
    assert reason in done.stderr or "closed the connection" in done.stderr


def test_server_of_a_foreign_authority_is_not_trusted(server):
    done = subprocess.run([command(server, "get")[0], "--ca", server.authority.foreign_ca, "get",
                           "127.0.0.1:%d" % server.tls_port], capture_output=True, text=True, check=False,
                          timeout=DEADLINE_S)
    assert done.returncode == 1 and "certificate" in done.stderr


def test_end_of_the_server_is_an_error(make_server):
    server = make_server()
    running = subprocess.Popen(command(server, "get", "-c", 2, "-s", 30), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        servers.wait_until(lambda: alive(server) > 2, DEADLINE_S, "the sessions to open")
        server.kill()
        out, err = running.communicate(timeout=DEADLINE_S)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 1 and out == "" and err.startswith("zoolite-bench: ")


@pytest.mark.parametrize("options", [["-c", "0"], ["-d", "1.5"], ["-s", "x"], ["--root", "/"], ["--root", "bench"],
                                     ["--plain"], ["--no-such"]])
def test_bad_options(server, options):
    done = run(server, "get", *options)
    assert done.returncode == 2 and done.stdout == "" and "zoolite-bench" in done.stderr


def test_unknown_case(server):
    done = run(server, "nonsense")
    assert done.returncode == 2 and "nonsense" in done.stderr


def test_man_page_has_all_that_help_has():
    program = os.path.join(os.path.dirname(servers.find_zoolited()), "tools", "zoolite-bench")
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    head, cases = text.split("cases:\n")
    options = set(re.findall("--[a-z][a-z-]+", head))
    names = set(re.findall("^  ([a-z-]+) ", cases, re.MULTILINE))
    tree = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(tree, "tools", "bench", "zoolite-bench.1"), encoding="utf-8") as file:
        page = file.read().replace("\\-", "-")
    assert len(options) > 15 and len(names) > 15
    assert options <= set(re.findall("--[a-z][a-z-]+", page))
    assert names == set(re.findall(r"\.TP\n\.B ([a-z-]+)\n", page[page.index(".SH CASES"):page.index(".SH OPTIONS")]))
