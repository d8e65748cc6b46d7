"""The log: one line per event, key=value, nothing forged, nothing secret."""
import os
import re

import zk_wire as zk

LINE = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(debug|info|warn|error) event=[a-z0-9_.]+'
                  r'( [a-z0-9_]+=("(\\.|[^"\\])*"|[^\s"=]*))*$')


def test_every_line_is_an_event(make_server, authority):
    """Through a start, sessions, refused peers, bad frames and a stop."""
    server = make_server()
    with server.client() as client:
        client.call(zk.create("/log"))
        client.close_session()
    forged = b'"evil=1" \n2026-01-01T00:00:00.000Z level=error event=forged\n'
    for data in (b"\0\0\0\1x", forged, b"\xff" * 40):
        for tls in (False, True):
            with zk.Link(("127.0.0.1", server.tls_port if tls else server.port)) as link:
                link.send(data)
                link.wait_closed(15)
    stranger = server.client(tls=False)
    stranger.auth('evil\n level=error event=forged x="', b"secret")
    server.stop()
    lines = server.log().splitlines()
    assert len(lines) > 4
    for line in lines:
        assert LINE.match(line), line
    assert not [line for line in lines if " event=forged" in line.split("reason=")[0].split('"')[0]]


def test_levels(make_server):
    """What is below the level is not written; the level is read at the start, and again on SIGHUP."""
    server = make_server(zoolite__logLevel="warn")
    server.client().close_session()
    assert "level=info" not in server.log() and "level=debug" not in server.log()

    def set_level(level, tick):
        server.config.update({"zoolite.logLevel": level, "tickTime": tick})
        server.write_config()
        since = server.log_size()
        server.hangup()
        return since
    # A line of the reload itself tells when it is over: at warn level too, for tickTime waits.
    since = set_level("debug", 2001)
    server.wait_log(r"level=info event=reload\.done", since)
    server.client().close_session()
    server.wait_log(r"level=debug event=session\.closed", since)
    since = set_level("warn", 2002)
    server.wait_log(r"level=warn event=reload\.waits", since)
    since = server.log_size()
    server.client().close_session()
    assert not re.search("level=(info|debug)", server.log()[since:])


def test_a_start_and_a_stop_are_told(make_server):
    server = make_server()
    server.wait_log(r"event=server\.starting ")
    server.wait_log(r"event=server\.listening kind=clientPort host=127\.0\.0\.1 port=%d$" % server.port)
    server.wait_log(r"event=server\.listening kind=secureClientPort .*port=%d$" % server.tls_port)
    server.wait_log(r"event=server\.serving ")
    server.stop()
    server.wait_log(r"event=server\.stopping$")
    assert server.log().splitlines()[-1].endswith("event=server.stopped")


def test_no_secrets(make_server):
    """No session passwords, no auth packets, no data, no environment, no key passwords."""
    os.environ["ZOOLITE_TEST_SECRET"] = "environment-hunter2"
    try:
        server = make_server()
    finally:
        del os.environ["ZOOLITE_TEST_SECRET"]
    client = server.client(timeout=4000)
    client.auth("digest", b"user:auth-hunter2")
    client.call(zk.create("/data", b"data-hunter2"))
    client.call(zk.create("/acl", b"", [zk.Acl(31, "digest", "user:acl-hunter2")]))
    intruder = zk.Client(server.link())
    intruder.connect(session_id=client.session_id, password=b"wrong-hunter2..!")
    failing = server.client()
    failing.submit(zk.auth("nonsense", b"failed-hunter2"), zk.XID_AUTH)
    failing.link.wait_closed(15)
    client.link.send(b"\0\0\0\x04hunter2 in a bad frame")
    client.link.wait_closed(15)
    server.stop()
    log = server.log()
    assert "hunter2" not in log
    assert client.password.hex() not in log.lower()


def test_peers_cannot_flood_the_log(make_server):
    """A thousand refused strangers leave some lines, not a thousand."""
    server = make_server()
    before = server.log().count("\n")
    for _ in range(1000):
        with zk.Link(("127.0.0.1", server.tls_port)) as link:
            link.send(b"ruok")
    with server.client() as client:
        assert client.call(zk.exists("/")).err == 0
    assert server.log().count("\n") - before < 500


def test_an_expired_session_is_told(make_server):
    server = make_server(tickTime=200)
    client = server.client(timeout=400)
    client.abandon()
    server.wait_log(r"level=info event=session\.expired session=0x%x timeout_ms=400( |$)" % client.session_id)
