"""By which names clients go: those of their certificates that zoolite.identity says, in ACLs and whoAmI."""
import pytest

import certs
import zk_wire as zk

OK, NO_AUTH, INVALID_ACL = 0, -102, -114
SPIFFE = "URI:spiffe://example.org/room/a/registry"


@pytest.fixture(scope="module", autouse=True)
def fixture_certificates(authority):
    """One with every kind of name, one whose subject is empty as SPIFFE's are, and one without any name."""
    sans = ("subjectAltName=URI:spiffe://example.org/room/a/registry,DNS:registry.example.org,"
            "email:registry@example.org,DNS:Second.example.org\n")
    authority.issue("service", "/O=Zoolite Test/OU=room-a/CN=registry", extensions=certs.CLIENT_EXT + sans)
    authority.issue("spiffe", "/", extensions=certs.CLIENT_EXT + "subjectAltName=critical,%s\n" % SPIFFE)
    authority.issue("other-spiffe", "/", extensions=certs.CLIENT_EXT + "subjectAltName=critical,%s2\n" % SPIFFE)
    authority.issue("nameless", "/", extensions=certs.CLIENT_EXT)


def names(client):
    return [name for name in client.call(zk.who_am_i()).value if name[0] != "ip"]


def only(scheme, ident):
    return (zk.Acl(zk.PERM_READ, scheme, ident),)


def test_all_names_in_the_order_of_the_chain(make_server):
    server = make_server(zoolite__identity="uri, dns,email,cn,dn")
    service, alice = server.client("service"), server.client("client")
    mine = [("san", SPIFFE), ("san", "DNS:registry.example.org"), ("san", "DNS:Second.example.org"),
            ("san", "EMAIL:registry@example.org"), ("san", "CN:registry"),
            ("x509", "CN=registry,OU=room-a,O=Zoolite Test")]
    assert names(service) == mine
    assert names(alice) == [("san", "CN:alice"), ("x509", "CN=alice,OU=clients,O=Zoolite Test")]
    for number, (scheme, ident) in enumerate(mine):
        path = "/node%d" % number
        assert alice.call(zk.create(path, b"x", acl=only(scheme, ident))).err == OK
        assert alice.call(zk.get_data(path)).err == NO_AUTH
        assert service.call(zk.get_data(path)).err == OK
    # They are compared as they stand, and given by nobody but the certificate.
    assert alice.call(zk.create("/case", acl=only("san", "DNS:second.example.org"))).err == OK
    assert service.call(zk.get_data("/case")).err == NO_AUTH
    assert alice.auth("san", SPIFFE.encode()).err == OK
    assert alice.call(zk.get_data("/node0")).err == NO_AUTH
    assert server.client(tls=False).auth("san", SPIFFE.encode()).err != OK


def test_auth_stands_for_all_names(make_server):
    server = make_server(zoolite__identity="uri,dn")
    service = server.client("service")
    assert service.call(zk.create("/mine", acl=(zk.Acl(zk.PERM_ALL, "auth", ""),))).err == OK
    acl = service.call(zk.get_acl("/mine")).value[0]
    assert [(entry.scheme, entry.id) for entry in acl] == names(service)


def test_by_default_it_is_the_subject(make_server):
    """As in ZooKeeper, which knows no scheme san either."""
    server = make_server()
    service = server.client("service")
    assert names(service) == [("x509", "CN=registry,OU=room-a,O=Zoolite Test")]
    assert service.call(zk.create("/a", acl=only("san", SPIFFE))).err == INVALID_ACL
    assert names(server.client("nameless")) == []


def test_malformed_names_in_acls(make_server):
    client = make_server(zoolite__identity="uri").client("spiffe")
    for ident in ("", "URI:", "spiffe://example.org", "IP:10.0.0.1", "uri:x", "DNS:a\nb"):
        assert client.call(zk.create("/a", acl=only("san", ident))).err == INVALID_ACL


def test_session_of_an_empty_subject_is_its_first_names(make_server):
    server = make_server(zoolite__identity="uri")
    owner = server.client("spiffe")
    assert names(owner) == [("san", SPIFFE)]
    theft = zk.Client(server.link("other-spiffe"))
    assert theft.connect(session_id=owner.session_id, password=owner.password).session_id == 0
    again = zk.Client(server.link("spiffe"))
    assert again.connect(session_id=owner.session_id, password=owner.password).session_id == owner.session_id


@pytest.mark.parametrize("name, config, reason", [
    ("nameless", {"zoolite__identity": "dn"}, "no name that zoolite.identity asks for"),
    ("client", {"zoolite__identity": "uri,dns"}, "no name that zoolite.identity asks for"),
    ("service", {"zoolite__identity": "uri,dns", "zoolite__maxIdentities": 4}, "more names than zoolite.maxIdentities"),
])
def test_certificates_without_an_identity_are_refused(make_server, name, config, reason):
    server = make_server(**config)
    link = server.link(name)
    assert link.wait_closed(15)
    server.wait_log("level=warn .*event=gate.refused .*reason=\"the certificate has %s" % reason)
    assert server.metric("identities_rejected") == 1
