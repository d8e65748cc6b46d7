"""Time as servers meet it: stopped for longer than sessions live, and a wall clock that jumps. Neither changes what
lives for so long."""
import os
import time

import pytest

import members
import servers
import wallclock
import zk_wire as zk

LONG = os.environ.get("ZOOLITE_LONG") == "1"
TICK_MS = 200
HOUR_S = 3600
SLACK_S = 6.0  # an upper bound only, for slow machines and sanitizers
DATA = b"d" * 2000


# ---- a server that stands still ----

@pytest.mark.alone
def test_stopped_server_expires_nobody(make_server):
    """For three timeouts and more (ZOOLITE_LONG=1: 20 s and 1,000 sessions). The clients, as real ones, give up the
    connection that brings nothing, and stand at the door again and again meanwhile: their hello is there, and nobody
    has read it. (Those who owe us bytes then have half a second in all, which is not enough for a machine that is busy
    with something else.)"""
    server = make_server.new(tickTime=TICK_MS, maxSessionTimeout=120000, zoolite__maxFailures=0)
    server.binary = os.environ.get("ZOOLITED_PLAIN") or server.binary
    count, timeout_ms, stopped_s = (1000, 6000, 20.0) if LONG else (100, 2000, 6.5)
    if servers.is_sanitized(server.binary):
        count = 20
    server.start()
    with members.Members(server, count, timeout_ms=timeout_ms) as crowd:
        writer = server.client(timeout=120000)
        crowd.change(writer, "before")
        crowd.wait_watching(server)
        server.pause()
        time.sleep(stopped_s)
        server.resume()
        # On a machine that is too busy some may have come and gone before.
        lost = 0
        while lost < count / 2:
            told = crowd.wait_storm()
            assert told["back"] == count
            lost = told["lost"]
        assert told["attempts"] > count
        crowd.change(writer, "afterwards")
        crowd.check_ephemerals(writer)
        assert server.metric("sessions_expired") == 0
        crowd.finish()


# ---- a wall clock that jumps ----

@pytest.fixture(name="clock")
def fixture_clock(tmp_path):
    return wallclock.WallClock(tmp_path)


@pytest.fixture(name="jumpy")
def fixture_jumpy(make_server, clock):
    server = make_server.new(tickTime=TICK_MS, extendedTypesEnabled="true", znode__container__checkIntervalMs=100,
                             zoolite__segmentSize=65536, zoolite__replayDelay=1,
                             zoolite__logRetentionTime=HOUR_S // 2 * 1000)
    server.extra_environment = clock.environment()
    return server.start()


def segments(server):
    return [name for name in os.listdir(os.path.join(server.data_dir, "log")) if name.endswith(".db")]


def fill_segments(server, client, path):
    """Write until some segments more are full; every one before them is behind the tree then."""
    wanted = len(segments(server)) + 3
    for _ in range(1000):
        client.call_all([zk.set_data(path, DATA)] * 10)
        if len(segments(server)) >= wanted:
            break
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 20, "the tree to have all")


def expect_gone(client, path):
    """Within a while, and not for another reason than its age."""
    servers.wait_until(lambda: client.call(zk.exists(path)).err == -101, SLACK_S + 2, path + " to go")


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S], ids=["forward", "back"])
def test_wall_clock_that_jumps_changes_nothing(jumpy, clock, by_s):
    """Sessions, ephemerals, containers, znodes with a time to live, and what the log keeps."""
    server = jumpy
    clients = [server.client(tls=index % 2 == 0, timeout=3000) for index in range(8)]
    for index, client in enumerate(clients):
        assert client.call(zk.create("/mine-%d" % index, flags=zk.EPHEMERAL)).err == 0
    writer, silent = server.client(timeout=4000), server.client(timeout=1000)
    assert silent.call(zk.create("/silent", flags=zk.EPHEMERAL)).err == 0
    for request in (zk.create_container("/box"), zk.create("/box/kid"), zk.create_container("/box/never-used"),
                    zk.create_ttl("/ten-minutes", ttl=600000), zk.create_ttl("/two-hours", ttl=7200000),
                    zk.create("/data", DATA)):
        assert writer.call(request).err == 0
    fill_segments(server, writer, "/data")
    kept = set(segments(server))
    assert writer.call(zk.create_ttl("/short", ttl=300)).err == 0

    with zk.Pinger(clients, 0.2) as pinger:
        mtime = writer.call(zk.set_data("/data", b"before")).value.mtime
        clock.jump(by_s)
        jumped = time.monotonic()
        after = writer.call(zk.set_data("/data", b"after")).value.mtime
        assert abs((after - mtime) / 1000 - by_s) < 60, "the clock has not jumped"
        # Who says nothing expires as ever, and what has lived long enough goes.
        expect_gone(writer, "/silent")
        assert time.monotonic() - jumped < 1 + TICK_MS / 1000 + SLACK_S
        expect_gone(writer, "/short")
        assert writer.call(zk.create_ttl("/short-again", ttl=300)).err == 0
        expect_gone(writer, "/short-again")
        # Segments that are full now are as old as they are.
        fill_segments(server, writer, "/data")
        end = time.monotonic() + 3.5
        while time.monotonic() < end:
            assert writer.call(zk.set_data("/data", DATA)).err == 0
            time.sleep(0.1)
        clock.jump(0)
        fill_segments(server, writer, "/data")
    assert pinger.failure is None

    assert kept <= set(segments(server))
    assert server.metric("log_segments_pruned") == 0
    assert server.metric("sessions_expired") == 1
    for path in ("/box/kid", "/box/never-used", "/ten-minutes", "/two-hours"):
        assert writer.call(zk.exists(path)).err == 0, path
    for index, client in enumerate(clients):
        assert client.barrier().err == 0
        assert client.call(zk.exists("/mine-%d" % index)).value.ephemeral_owner == client.session_id
    # A container goes when its last child has gone, whatever the clock says.
    clock.jump(by_s)
    assert writer.call(zk.delete("/box/kid")).err == 0
    assert writer.call(zk.delete("/box/never-used")).err == 0
    expect_gone(writer, "/box")


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S], ids=["forward", "back"])
def test_restart_with_another_wall_clock_is_no_event(jumpy, clock, by_s):
    """Sessions have their timeout again, and zxids rise, also where the clock went back."""
    server = jumpy
    owner = server.client(tls=False, timeout=3000)
    assert owner.call(zk.create("/mine", flags=zk.EPHEMERAL)).err == 0
    assert owner.call(zk.create_ttl("/ten-minutes", ttl=600000)).err == 0
    last = owner.call(zk.set_data("/mine", b"1")).zxid
    clock.jump(by_s)
    server.kill()
    server.start()
    again = zk.Client(server.link(tls=False))
    reply = again.connect(session_id=owner.session_id, password=owner.password, last_zxid_seen=last, timeout=3000)
    assert reply.session_id == owner.session_id
    assert again.call(zk.set_data("/mine", b"2")).zxid > last
    assert again.call(zk.exists("/mine")).value.ephemeral_owner == owner.session_id
    assert again.call(zk.exists("/ten-minutes")).err == 0
    assert server.metric("sessions_expired") == 0
