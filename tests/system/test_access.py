"""Who must say who it is, and who is asked for no permission: what the configuration says reaches the core."""
import base64
import hashlib

import pytest

import zk_wire as zk

OK, NO_AUTH, INVALID_ACL, AUTH_FAILED, CLOSED_REQUIRE_AUTH = 0, -102, -114, -115, -124
CLOSED_WITHIN_S = 15


def digest(login, algorithm="sha1"):
    """As ZooKeeper's DigestAuthenticationProvider.generateDigest."""
    return login.split(":")[0] + ":" + base64.b64encode(hashlib.new(algorithm, login.encode()).digest()).decode()


ALICES_ALONE = (zk.Acl(zk.PERM_READ, "digest", digest("alice:wonder")),)


def is_super(client):
    return [client.call(request).err for request in (
        zk.get_data("/closed"), zk.set_acl("/closed", ALICES_ALONE), zk.create("/closed/below"),
        zk.delete("/closed/below"))]


def test_super_digest(make_server):
    server = make_server(DigestAuthenticationProvider__superDigest=digest("super:secret"))
    client = server.client()
    assert client.call(zk.create("/closed", acl=ALICES_ALONE)).err == OK
    assert is_super(client) == [NO_AUTH] * 4
    assert client.auth("digest", b"super:wrong").err == OK
    assert is_super(client) == [NO_AUTH] * 4
    assert client.auth("digest", b"super:secret").err == OK
    assert is_super(client) == [OK] * 4
    assert ("super", "") in client.call(zk.who_am_i()).value
    # It belongs to the connection, not to the session.
    again = zk.Client(server.link())
    again.connect(session_id=client.session_id, password=client.password)
    assert is_super(again) == [NO_AUTH] * 4


def test_super_user_by_certificate(make_server, authority):
    # The fewest identities that may be: what the gate finds out must have room.
    server = make_server(X509AuthenticationProvider__superUser=authority.identity("second"), zoolite__maxIdentities=3)
    ordinary = server.client()
    assert ordinary.call(zk.create("/closed", acl=ALICES_ALONE)).err == OK
    assert is_super(ordinary) == [NO_AUTH] * 4
    assert is_super(server.client("second")) == [OK] * 4
    assert is_super(server.client(tls=False)) == [NO_AUTH] * 4


@pytest.mark.parametrize("request_", [zk.exists("/"), zk.ping(), zk.create("/stranger"), zk.close()],
                         ids=lambda request: zk.OP_NAMES[request.op])
def test_strangers_must_authenticate(make_server, request_):
    server = make_server(enforce__auth__enabled="true", enforce__auth__schemes="digest, x509")
    stranger = server.client(tls=False)
    data = stranger.prepare(request_, 7)[1]
    behind = stranger.prepare(zk.create("/behind"), 8)[1]
    stranger.pending[0] = (7, zk.AUTH)  # a header alone is the answer, with the xid that was sent
    stranger.link.send(data + behind)
    assert stranger.wait(7).err == CLOSED_REQUIRE_AUTH
    assert stranger.link.wait_closed(CLOSED_WITHIN_S)
    # The session is not over: who authenticates goes on with it.
    again = zk.Client(server.link(tls=False))
    assert again.connect(session_id=stranger.session_id, password=stranger.password).session_id == stranger.session_id
    assert again.auth("ip", b"").err == OK
    assert again.auth("digest", b"alice:wonder").err == OK
    assert again.call(zk.exists("/stranger")).err == -101
    assert again.call(zk.exists("/behind")).err == -101


def test_certificates_authenticate(make_server):
    server = make_server(enforce__auth__enabled="true", enforce__auth__schemes="x509")
    assert server.client().call(zk.exists("/")).err == OK
    stranger = server.client(tls=False)
    assert stranger.auth("digest", b"alice:wonder").err == OK
    assert stranger.call(zk.exists("/")).err == CLOSED_REQUIRE_AUTH


def test_schemes_alone_enforce_nothing(make_server):
    server = make_server(enforce__auth__schemes="x509")
    assert server.client(tls=False).call(zk.exists("/")).err == OK


def test_another_hash_of_passwords(make_server):
    server = make_server(DigestAuthenticationProvider__digestAlg="SHA-256",
                         DigestAuthenticationProvider__superDigest=digest("super:secret", "sha256"))
    client = server.client()
    assert client.auth("digest", b"alice:wonder").err == OK
    assert client.call(zk.create("/mine", acl=(zk.Acl(zk.PERM_ALL, "auth", ""),))).err == OK
    assert zk.Acl(zk.PERM_ALL, "digest", digest("alice:wonder", "sha256")) in client.call(
        zk.get_acl("/mine")).value[0]
    assert client.call(zk.create("/closed", acl=ALICES_ALONE)).err == OK
    assert client.call(zk.get_data("/closed")).err == NO_AUTH
    assert client.auth("digest", b"super:secret").err == OK
    assert client.call(zk.get_data("/closed")).err == OK


def test_without_passwords(make_server):
    server = make_server()
    assert server.client().call(zk.create("/alices", acl=ALICES_ALONE)).err == OK
    server.stop()
    server.config["DigestAuthenticationProvider.enabled"] = "false"
    server.start()
    client = server.client()
    assert client.call(zk.create("/more", acl=ALICES_ALONE)).err == INVALID_ACL
    assert client.call(zk.get_data("/alices")).err == NO_AUTH
    assert client.auth("digest", b"alice:wonder").err == AUTH_FAILED
    assert client.link.wait_closed(CLOSED_WITHIN_S)
    assert "wonder" not in server.log()


def test_addresses_of_both_kinds(make_server):
    """From 127.0.0.1 through the port for all addresses, from ::1 through the other one."""
    server = make_server(clientPortAddress=None, secureClientPortAddress=None)
    four, six = server.client(tls=False), zk.Client(zk.Link(("::1", server.port), None))
    six.connect()
    for number, (ident, fours, sixes) in enumerate((
            ("127.0.0.0/8", OK, NO_AUTH), ("127.0.0.2/32", NO_AUTH, NO_AUTH), ("::1", NO_AUTH, OK),
            ("::/112", NO_AUTH, OK), ("::/0", NO_AUTH, OK), ("0.0.0.0/0", OK, NO_AUTH),
            ("2001:db8::/32", NO_AUTH, NO_AUTH))):
        path = "/node%d" % number
        assert four.call(zk.create(path, acl=(zk.Acl(zk.PERM_READ, "ip", ident),))).err == OK
        assert (four.call(zk.get_data(path)).err, six.call(zk.get_data(path)).err) == (fours, sixes), ident
    for ident in ("::1/129", "10.0.0.0/33", "fe80::1%lo", "localhost"):
        assert four.call(zk.create("/bad", acl=(zk.Acl(zk.PERM_READ, "ip", ident),))).err == INVALID_ACL
