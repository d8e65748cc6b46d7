"""Quotas of a whole server: enforceQuota, and statistics that are exact however znodes come and go."""
import pytest

import servers
import zk_wire as zk

OK, NO_NODE, QUOTA_EXCEEDED = 0, -101, -125
QUOTA = "/zookeeper/quota/q"
LIMITS, STATS = QUOTA + "/zookeeper_limits", QUOTA + "/zookeeper_stats"


def set_quota(client, limits):
    for request in (zk.create(QUOTA), zk.create(LIMITS, limits), zk.create(STATS, b"count=0,bytes=0")):
        assert client.call(request).err == OK


def statistics(client):
    return client.call(zk.get_data(STATS)).value.data


def expect(client, count, size):
    assert statistics(client) == b"count=%d,bytes=%d" % (count, size)


def resumed(server, client, tls=None):
    again = zk.Client(server.link(tls=tls))
    assert again.connect(session_id=client.session_id, password=client.password).session_id == client.session_id
    return again


@pytest.mark.parametrize("enforce", ["true", "false"])
def test_hard_limits(make_server, enforce):
    server = make_server(enforceQuota=enforce)
    client = server.client()
    assert client.call(zk.create("/q")).err == OK
    set_quota(client, b"count=1,bytes=1=;byteHardLimit=4;countHardLimit=2")
    beyond = QUOTA_EXCEEDED if enforce == "true" else OK
    assert client.call(zk.create("/q/a", b"1234")).err == OK
    assert client.call(zk.create("/q/b")).err == beyond
    server.wait_log(r"event=quota\.exceeded path=/q what=count now=3 limit=2 kind=hard")
    assert client.call(zk.set_data("/q", b"5")).err == beyond
    server.wait_log(r"event=quota\.exceeded path=/q what=bytes now=5 limit=4 kind=hard")
    results = client.call(zk.multi([zk.delete("/q/a"), zk.create("/q/c", b"1234"), zk.create("/q/d")])).value
    assert [result.err for result in results] == ([0, 0, QUOTA_EXCEEDED] if enforce == "true" else [0, 0, 0])
    expect(client, *((2, 4) if enforce == "true" else (4, 5)))


def test_soft_limits(make_server):
    server = make_server(enforceQuota="true")
    client = server.client()
    assert client.call(zk.create("/q")).err == OK
    set_quota(client, b"count=1,bytes=1")
    assert client.call(zk.create("/q/a", b"12")).err == OK
    server.wait_log(r"event=quota\.exceeded path=/q what=count now=2 limit=1 kind=soft")
    server.wait_log(r"event=quota\.exceeded path=/q what=bytes now=2 limit=1 kind=soft")


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_statistics_over_restarts(make_server, end):
    """Whatever way znodes go, and wherever the server ends between."""
    server = make_server(tickTime=200, minSessionTimeout=400, extendedTypesEnabled="true",
                         znode__container__checkIntervalMs=200)

    def restart():
        getattr(server, end)()
        server.start()

    client = server.client()
    for request in (zk.create("/q", b"1"), zk.create("/q/a", b"23"), zk.create_container("/q/box", b"456"),
                    zk.create("/q/box/in"), zk.create_ttl("/q/short", b"7890", ttl=100)):
        assert client.call(request).err == OK
    passing = server.client(timeout=1000)
    assert passing.call(zk.create("/q/e", b"12345", flags=zk.EPHEMERAL)).err == OK
    set_quota(client, b"count=-1,bytes=-1")
    restart()
    client = resumed(server, client)
    # The session is given its time again, and so is the TTL; both end.
    servers.wait_until(lambda: client.call(zk.exists("/q/e")).err == NO_NODE, 30, "the session to expire")
    servers.wait_until(lambda: client.call(zk.exists("/q/short")).err == NO_NODE, 30, "the TTL to be over")
    expect(client, 4, 6)
    assert client.call(zk.delete("/q/box/in")).err == OK
    servers.wait_until(lambda: client.call(zk.exists("/q/box")).err == NO_NODE, 30, "the container to go")
    expect(client, 2, 3)
    restart()
    client = resumed(server, client)
    expect(client, 2, 3)
    # The quota is still there, and another one within it counts alone.
    assert client.call(zk.multi([zk.set_data("/q/a", b"3"), zk.create("/q/b", b"45")])).err == OK
    expect(client, 3, 4)
    for request in (zk.create(QUOTA + "/a"), zk.create(QUOTA + "/a/zookeeper_limits", b"count=-1,bytes=-1"),
                    zk.create(QUOTA + "/a/zookeeper_stats"), zk.create("/q/a/c", b"6789")):
        assert client.call(request).err == OK
    assert client.call(zk.get_data(QUOTA + "/a/zookeeper_stats")).value.data == b"count=2,bytes=5"
    expect(client, 3, 4)
    assert client.call(zk.delete(LIMITS)).err == OK
    restart()
    client = resumed(server, client)
    assert client.call(zk.create("/q/d", b"x")).err == OK
    expect(client, 3, 4)
    assert client.call(zk.create(LIMITS, b"count=-1,bytes=-1")).err == OK
    expect(client, 5, 9)
