"""The Prometheus endpoint, read as strictly as its text format 0.0.4 is written."""
import http.client
import math
import re
import socket

import pytest

import servers
import zk_wire as zk

PROVIDER = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
# Names and types as ZooKeeper's provider prints them.
ZOOKEEPERS = {
    "gauge": ("ephemerals_count", "num_alive_connections", "avg_latency", "outstanding_requests", "znode_count",
              "global_sessions", "local_sessions", "non_mtls_remote_conn_count", "non_mtls_local_conn_count",
              "last_client_response_size", "max_client_response_size", "min_client_response_size", "packets_sent",
              "packets_received", "watch_count", "auth_failed_count", "min_latency", "max_latency",
              "max_file_descriptor_count", "open_file_descriptor_count", "approximate_data_size", "uptime",
              "outstanding_tls_handshake"),
    "counter": ("connection_rejected", "unsuccessful_handshake", "stale_sessions_expired", "bytes_received_count",
                "response_bytes", "connection_request_count", "connection_revalidate_count",
                "sessionless_connections_expired", "watch_bytes"),
    "summary": ("readlatency", "updatelatency", "fsynctime", "node_created_watch_count", "node_deleted_watch_count",
                "node_changed_watch_count", "node_children_watch_count"),
}


@pytest.fixture(name="watched", scope="module")
def fixture_watched(tmp_path_factory, authority):
    port = servers.free_ports(1)[0]
    server = servers.Zoolite(tmp_path_factory.mktemp("metrics"), authority, config={
        "metricsProvider.className": PROVIDER, "metricsProvider.httpPort": port,
        "metricsProvider.exportJvmInfo": "true"})
    server.metrics = port
    try:
        yield server.start()
        server.finish()
    finally:
        server.close()


def fetch(port, path="/metrics", method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
VALUE = r"(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|NaN|[+-]?Inf)"
SAMPLE = re.compile(r"(%s)(?:\{((?:[a-zA-Z_]\w*=\"(?:[^\"\\\n]|\\[\\\"n])*\",?)*)\})? (%s)" % (NAME, VALUE))


class Family:
    def __init__(self, name, text):
        self.name = name
        self.help = text
        self.type = None
        self.samples = {}


def parse(text):
    """Families by name. HELP, TYPE, then the samples of one family, each family once."""
    assert text.endswith("\n") and "\r" not in text
    families = {}
    family = None
    for line in text[:-1].split("\n"):
        comment = re.fullmatch(r"# (HELP|TYPE) (%s) (.+)" % NAME, line)
        if comment and comment[1] == "HELP":
            assert comment[2] not in families, line
            family = families[comment[2]] = Family(comment[2], comment[3])
        elif comment:
            assert comment[2] == family.name and family.type is None and not family.samples, line
            assert comment[3] in ("gauge", "counter", "summary"), line
            family.type = comment[3]
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            allowed = {family.name}
            if family.type == "summary":
                allowed |= {family.name + "_sum", family.name + "_count"}
            assert name in allowed and family.type, line
            assert (name, labels) not in family.samples, line
            assert (labels is not None) == (family.type == "summary" and name == family.name), line
            family.samples[name, labels] = float(value)
    assert all(f.samples for f in families.values())
    return families


def scrape(server):
    response, body = fetch(server.metrics)
    assert response.status == 200
    assert response.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    assert int(response.getheader("Content-Length")) == len(body)
    return parse(body.decode("utf-8"))


def value(families, name):
    return families[name].samples[name, None]


def test_format_and_names(watched):
    families = scrape(watched)
    for kind, names in ZOOKEEPERS.items():
        for name in names:
            assert families[name].type == kind, name
    for family in families.values():
        if family.type == "counter":
            assert value(families, family.name) >= 0
        # No two families may be mistaken for parts of one.
        for suffix in ("_sum", "_count"):
            assert family.type != "summary" or family.name + suffix not in families


def test_quantiles_of_nothing_are_no_numbers(watched):
    summaries = [family for family in scrape(watched).values() if family.type == "summary"]
    empty = [family for family in summaries if family.samples[family.name + "_count", None] == 0]
    assert empty
    for family in summaries:
        quantiles = [number for (name, _), number in family.samples.items() if name == family.name]
        assert quantiles and all(math.isnan(number) == (family in empty) for number in quantiles), family.name


def test_values(watched):
    with watched.client() as client:
        before = scrape(watched)
        for i in range(10):
            client.call(zk.create("/secret-name-%d" % i, b"x" * 100, flags=zk.EPHEMERAL))
            client.call(zk.get_data("/secret-name-%d" % i))
        client.call(zk.exists("/secret-watched", watch=True))
        after = scrape(watched)
        assert value(after, "znode_count") == value(before, "znode_count") + 10
        assert value(after, "ephemerals_count") == value(before, "ephemerals_count") + 10
        assert value(after, "watch_count") == value(before, "watch_count") + 1
        assert value(after, "packets_received") == value(before, "packets_received") + 21
        assert value(after, "packets_sent") == value(before, "packets_sent") + 21
        assert value(after, "num_alive_connections") == 1
        assert value(after, "global_sessions") == 1
        assert value(after, "changes_logged") >= value(before, "changes_logged") + 10
        assert value(after, "http_requests") == value(before, "http_requests") + 1
        for name, many in (("readlatency", 11), ("updatelatency", 10), ("fsynctime", 1)):
            count = after[name].samples[name + "_count", None]
            assert count >= before[name].samples[name + "_count", None] + many
            assert after[name].samples[name + "_sum", None] >= before[name].samples[name + "_sum", None]
            quantiles = [after[name].samples[name, 'quantile="%s"' % q]
                         for q in (("0.5", "0.9", "0.99") if name != "fsynctime" else ("0.5",))]
            assert quantiles == sorted(quantiles) and not any(math.isnan(q) for q in quantiles)
        # As mntr tells it.
        words = dict(line[3:].split("\t") for line in watched.four_letter_word("mntr").decode().splitlines())
        for name in ("znode_count", "ephemerals_count", "watch_count", "max_file_descriptor_count"):
            assert int(words[name]) == value(after, name)
        text = fetch(watched.metrics)[1]
        assert b"secret" not in text
        client.close_session()


def test_nothing_else_is_there(watched):
    for path in ("/", "/commands", "/commands/ruok", "/metrics/", "/metricsx"):
        assert fetch(watched.metrics, path)[0].status == 404
    assert fetch(watched.metrics, method="POST")[0].status == 405
    response, body = fetch(watched.metrics, method="HEAD")
    assert response.status == 200 and body == b""
    assert fetch(watched.metrics, "/metrics?name[]=znode_count")[0].status == 200


def test_only_where_it_is_asked_for(make_server):
    port = servers.free_ports(1)[0]
    make_server(metricsProvider__httpPort=port)
    with pytest.raises(OSError):
        fetch(port)


def test_port_in_use(tmp_path, authority):
    """They were asked for by name: a server without them does not start, as ZooKeeper does not."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = servers.Zoolite(tmp_path / "server", authority, config={
            "metricsProvider.className": PROVIDER, "metricsProvider.httpPort": taken.getsockname()[1]})
        try:
            server.start(wait=False)
            assert server.wait_exit() == 1
            server.wait_log(r"event=server\.start_failed reason=\"metricsProvider\.httpPort \d+: ")
        finally:
            server.close()
