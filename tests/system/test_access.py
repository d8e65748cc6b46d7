"""Who must say who it is, and who is asked for no permission: what the configuration says reaches the core."""
import base64
import hashlib

import pytest

import zk_wire as zk

OK, NO_AUTH, CLOSED_REQUIRE_AUTH = 0, -102, -124
CLOSED_WITHIN_S = 15


def digest(login):
    """As ZooKeeper's DigestAuthenticationProvider.generateDigest."""
    return login.split(":")[0] + ":" + base64.b64encode(hashlib.sha1(login.encode()).digest()).decode()


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
