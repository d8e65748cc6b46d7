"""Proofs of who one is that fail: each ends its connection, nothing behind it is executed, and it is counted, logged and
on the audit trail; what whoAmI says of those that don't."""
import base64
import hashlib

import pytest

import servers
import zk_wire as zk
from trail import rows, start_policed, trail_config, wait_row

OK, NO_NODE, AUTH_FAILED = 0, -101, -115


def digest(text):
    return text.split(":")[0] + ":" + base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


POLICY = """role carol digest:%s
role twice digest:%s dn:O=*
role twice digest:%s
role all anyone
allow all all /
""" % (digest("carol:rI6ht"), digest("dave:old"), digest("dave:new"))


@pytest.fixture(name="make_proving")
def fixture_make_proving(make_server, tmp_path):
    def make(policy=None, **config):
        server = make_server.new(DigestAuthenticationProvider__superDigest=digest("super:secret"),
                                 **trail_config(tmp_path, **config))
        return start_policed(server, tmp_path, policy)
    return make


def assert_closed(server, client, scheme, data, reason):
    """The answer is AUTH_FAILED, the end follows, and a request that stands behind it never was."""
    failed, since = server.metric("auth_failed"), server.log_size()
    proof = client.prepare(zk.auth(scheme, data), zk.XID_AUTH)[1]
    behind = client.prepare(zk.create("/behind"), 99)[1]
    client.link.send(proof + behind)
    assert client.wait(zk.XID_AUTH).err == AUTH_FAILED
    assert client.link.wait_closed(10)
    assert server.client().call(zk.exists("/behind")).err == NO_NODE
    assert server.metric("auth_failed") == failed + 1
    server.wait_log(r"event=auth\.failed", since)
    row = wait_row(server, kind="refuse", op="auth", session="0x%x" % client.session_id)
    assert row["result"] == reason


FAILING = {
    "no such scheme": (True, "nonsense", b"x"), "sasl": (True, "sasl", b""), "world": (True, "world", b"anyone"),
    "a name no certificate gave": (False, "x509", b"CN=client"), "another such": (False, "san", b"DNS:x"),
    "null": (True, "digest", None), "a NUL": (True, "digest", b"us\0er:x"), "too long": (True, "digest", b"u" * 6000 + b":x"),
}


@pytest.mark.parametrize("name", FAILING)
def test_what_is_no_proof(make_proving, name):
    tls, scheme, data = FAILING[name]
    server = make_proving(jute__maxbuffer=16384)
    assert_closed(server, server.client(tls=tls), scheme, data,
                  "identity too long" if name == "too long" else "authentication failed")


def test_passwords_that_are_switched_off(make_proving):
    server = make_proving(DigestAuthenticationProvider__enabled="false")
    assert_closed(server, server.client(), "digest", b"super:secret", "authentication failed")


@pytest.mark.parametrize("proof", [b"carol:wr0nG", b"carol", b"dave:rI6ht", b"super:wr0nG"])
def test_wrong_passwords_under_a_policy(make_proving, proof):
    server = make_proving(POLICY)
    for good in (b"carol:rI6ht", b"dave:old", b"dave:new", b"super:secret", b"erin:any", b"caroline:wrong", b"caro:l"):
        assert server.client().auth("digest", good).err == OK, good
    assert_closed(server, server.client(), "digest", proof, "wrong password")
    assert "rI6ht" not in server.log() and "wr0nG" not in server.log()


def test_wrong_passwords_without_a_policy(make_proving):
    """Any makes an identity, as in ZooKeeper; the super user's are told of."""
    server = make_proving()
    client = server.client()
    assert client.auth("digest", b"carol:any").err == OK
    assert client.auth("digest", b"super:wrong").err == OK
    assert client.auth("digest", b"supervisor:wrong").err == OK
    assert ("super", "") not in client.call(zk.who_am_i()).value
    assert client.auth("digest", b"super:secret").err == OK
    assert ("super", "") in client.call(zk.who_am_i()).value
    wait_row(server, kind="refuse", op="auth", result="wrong password")
    server.stop()
    assert [row["count"] for row in rows(server) if row["kind"] == "refuse"] == [1]


def test_who_am_i_tells_all_names_and_no_proof(make_proving, authority):
    server = make_proving(POLICY)
    client = server.client()
    for proof in (b"carol:rI6ht", b"erin:x", b"super:secret"):
        assert client.auth("digest", proof).err == OK
    assert client.auth("ip", b"10.0.0.1").err == OK
    assert client.auth("x509", b"CN=somebody else").err == OK
    assert sorted(client.call(zk.who_am_i()).value) == sorted([
        ("ip", "127.0.0.1"), ("x509", authority.identity("client")), ("digest", "carol"), ("digest", "erin"),
        ("digest", "super"), ("super", "")])
