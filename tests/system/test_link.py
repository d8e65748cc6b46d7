"""Who gets to the door at all: lists of networks, revocation, and what happens to those inside when that changes."""
import os
import re
import shutil
import socket
import ssl
import time

import pytest

import certs
import servers
import zk_wire as zk

CLOSED_WITHIN_S = 10


def write(path, text):
    """In one step, as who cares for a running server does it."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.rename(path + ".new", path)
    return path


def hang_up(server, event="done"):
    since = server.log_size()
    server.hangup()
    return server.wait_log(r"^.*event=reload\.%s.*$" % event, since).group(0)


def is_shut(port, source="127.0.0.1", family=socket.AF_INET):
    """Whether who comes from there is closed without a word, before he has said one."""
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(CLOSED_WITHIN_S)
        sock.bind((source, 0))
        sock.connect((host, port))
        try:
            sock.send(b"srvr")
            return sock.recv(1) == b""
        except ConnectionError:
            return True


# ---- lists of networks ----

def test_denied_networks(make_server, tmp_path):
    """Closed before a byte was read, at both ports for clients; nothing of it counts as a handshake."""
    deny = write(str(tmp_path / "deny"), "# who must not come\n127.0.0.2\n127.8.0.0/13  # a room\n2001:db8::/32\n")
    server = make_server(zoolite__denyList=deny)
    server.wait_log(r"event=networks\.loaded property=zoolite\.denyList file=\S+ networks=3")
    before = server.metric("connections_denied")
    for source in ("127.0.0.2", "127.8.0.0", "127.15.255.255"):
        since = server.log_size()
        assert is_shut(server.port, source) and is_shut(server.tls_port, source)
        server.wait_log(r'event=gate\.refused peer=%s:\d+ reason="denied network"' % source, since)
    for source in ("127.0.0.1", "127.0.0.3", "127.7.255.255", "127.16.0.0"):
        assert not is_shut(server.port, source), source
    assert server.metric("connections_denied") == before + 6
    assert server.metric("connections_rejected_tls") == 0
    server.client().close_session()


def test_allowed_networks(make_server, tmp_path):
    """What is not allowed is denied, and what is denied is not allowed by being in both; probes are not judged."""
    deny = write(str(tmp_path / "deny"), "127.0.0.4")
    allow = write(str(tmp_path / "allow"), "127.0.0.4/30\n")
    ports = servers.free_ports(2)
    server = make_server.new(zoolite__denyList=deny, zoolite__allowList=allow, zoolite__monitorPort=ports[0],
                             admin__enableServer="true", admin__serverPort=ports[1])
    server.start(wait=False).wait_log(r"event=server\.serving")
    since = server.log_size()
    assert is_shut(server.tls_port, "127.0.0.1") and is_shut(server.tls_port, "127.0.0.8")
    server.wait_log(r'event=gate\.refused peer=127\.0\.0\.8:\d+ reason="not an allowed network"', since)
    assert is_shut(server.tls_port, "127.0.0.4")
    server.wait_log(r'event=gate\.refused peer=127\.0\.0\.4:\d+ reason="denied network"', since)
    assert b"Mode: " in server.four_letter_word("srvr", tls=False, port=ports[0])
    with zk.Link(("127.0.0.1", ports[1])) as link:
        link.send(b"GET /commands/ruok HTTP/1.0\r\n\r\n")
        assert b"200 OK" in link.read_to_end()


def test_lists_of_both_families(make_server, tmp_path):
    """At a socket for both, where an IPv4 peer comes as an IPv6 one."""
    deny = write(str(tmp_path / "deny"), "::1\n127.0.0.2\n::ffff:127.0.0.3\n")
    server = make_server(zoolite__denyList=deny, clientPortAddress=None)
    assert is_shut(server.port, "::1", socket.AF_INET6)
    assert is_shut(server.port, "127.0.0.2") and is_shut(server.port, "127.0.0.3")
    assert not is_shut(server.port, "127.0.0.4")


def test_bad_list(make_server, tmp_path):
    """It stops a start and a check with file and line; a reload leaves the lists, all of them, as they were."""
    deny = write(str(tmp_path / "deny"), "127.0.0.2\n")
    allow = write(str(tmp_path / "allow"), "127.0.0.0/8\n")
    server = make_server(zoolite__denyList=deny, zoolite__allowList=allow)
    write(deny, "127.0.0.3\n")
    write(allow, "127.0.0.0/8\n10.0.0.0/33\n")
    reason = r'%s:2: .{0,2}10\.0\.0\.0/33.{0,2} is no address or network' % allow
    line = hang_up(server, "refused")
    number = list(server.config).index("zoolite.allowList") + 1
    assert re.search(r"line=%d property=zoolite\.allowList reason=\"%s" % (number, reason), line), line
    assert is_shut(server.port, "127.0.0.2") and not is_shut(server.port, "127.0.0.3")
    server.stop()
    server.start(wait=False)
    assert server.wait_exit() == 2
    assert re.search(r"zoo\.cfg:%d: zoolite\.allowList: %s" % (number, reason), server.log())
    write(allow, "127.0.0.0/8\n")
    server.start()
    assert is_shut(server.port, "127.0.0.3") and not is_shut(server.port, "127.0.0.2")
    server.config.update({"zoolite.denyList": None, "zoolite.allowList": str(tmp_path / "gone")})
    server.write_config()
    assert "No such file" in hang_up(server, "refused")
    assert is_shut(server.port, "127.0.0.3")
    server.config["zoolite.allowList"] = None
    server.write_config()
    hang_up(server)
    assert not is_shut(server.port, "127.0.0.3")


# ---- certificates ----

class Yard:
    """What a matrix of certificates is made of: an authority of its own, whose lists of revoked ones are changed."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.authority = auth = certs.Authority(directory)
        auth.make_ca("ca", "/O=Yard/CN=Root")
        auth.issue("server", "/O=Yard/CN=localhost", extensions=certs.SERVER_EXT)
        auth.issue("inter", "/O=Yard/CN=Inter", extensions=certs.CA_EXT)
        auth.issue("revoked-inter", "/O=Yard/CN=Bad Inter", extensions=certs.CA_EXT)
        for name in ("good", "revoked"):
            auth.issue(name, "/O=Yard/CN=" + name, extensions=certs.CLIENT_EXT)
        for name, issuer in (("chained", "inter"), ("revoked-chained", "inter"), ("below-revoked", "revoked-inter")):
            auth.issue(name, "/O=Yard/CN=" + name, issuer, certs.CLIENT_EXT, chain=(auth.cert(issuer),))
        auth.issue("not-yet", "/O=Yard/CN=not-yet", extensions=certs.CLIENT_EXT,
                   dates=("20400101000000Z", "20410101000000Z"))
        auth.issue("server-only", "/O=Yard/CN=server-only", extensions="extendedKeyUsage=serverAuth\n")
        auth.issue("encipher-only", "/O=Yard/CN=encipher-only", extensions="keyUsage=keyEncipherment\n")
        auth.issue("signer", "/O=Yard/CN=signer", extensions=certs.CA_EXT)
        auth.issue("leaf-as-ca", "/O=Yard/CN=leaf-as-ca", "good", certs.CLIENT_EXT, chain=(auth.cert("good"),))
        auth.make_key_of_another("good", "revoked")
        auth.make_ca("second-ca", "/O=Yard/CN=Second Root")
        auth.issue("of-second", "/O=Yard/CN=of-second", "second-ca", certs.CLIENT_EXT)
        self.crls = os.path.join(self.directory, "crls")
        os.mkdir(self.crls)
        auth.make_crl(self.crl("bad"), "revoked-inter")
        auth.make_crl(self.crl("second"), "second-ca")

    def revoke(self, root=("revoked", "revoked-inter"), inter=("revoked-chained",), dates=None):
        self.authority.make_crl(self.crl("root"), "ca", root, dates)
        self.authority.make_crl(self.crl("inter"), "inter", inter)

    def crl(self, name):
        return os.path.join(self.crls, name + ".pem")


@pytest.fixture(name="yard", scope="module")
def fixture_yard(tmp_path_factory):
    return Yard(tmp_path_factory.mktemp("yard"))


@pytest.fixture(name="revoking")
def fixture_revoking(yard, tmp_path):
    """A server that asks for lists of revoked certificates."""
    yard.revoke()
    server = servers.Zoolite(tmp_path / "server", yard.authority, config={"zoolite.crlFile": yard.crls})
    try:
        yield server.start()
        server.finish()
    finally:
        server.close()


VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)

# Who comes, and what the log says where nobody gets in.
MATRIX = {
    "good": None,
    "chained": None,
    None: r"no certificate$",
    "revoked": r"certificate revoked \(CN=revoked,O=Yard\)",
    "revoked-chained": r"certificate revoked \(CN=revoked-chained,O=Yard\)",
    "below-revoked": r"certificate revoked \(CN=below-revoked,O=Yard, at its issuer CN=Bad Inter,O=Yard\)",
    "not-yet": r"certificate is not yet valid \(CN=not-yet,O=Yard\)",
    "server-only": r"unsuitable certificate purpose \(CN=server-only,O=Yard\)",
    "encipher-only": r"unsuitable certificate purpose \(CN=encipher-only,O=Yard\)",
    "signer": r"unsuitable certificate purpose \(CN=signer,O=Yard\)",
    "leaf-as-ca": r"invalid CA certificate|unsuitable certificate purpose|invalid certificate",
    "forged": r"bad signature",
}


def come(server, name, version):
    """Ask for a session and send a change behind it at once. Whether there is a session, and how many bytes came."""
    context = servers.tls_context(server.authority, name, minimum=version, maximum=version)
    answer = b""
    try:
        with zk.Link(("127.0.0.1", server.tls_port), context, CLOSED_WITHIN_S) as link:
            link.send(zk.frame(zk.connect_body()) + zk.request_frame(zk.create("/stranger", flags=zk.EPHEMERAL), 1) +
                      zk.request_frame(zk.close(), 2))
            answer = link.read_to_end()
    except (OSError, zk.Closed):
        pass
    return len(answer)


def parsed(server):
    """What the server has read of its clients, as requests."""
    return [server.metric(name) for name in ("connection_request_count", "bytes_received_count", "changes_logged")]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v.name)
def test_matrix_of_certificates(revoking, version):
    """Each gets what the table says, the log says why, and not a byte of the refused was taken for a request."""
    for name, reason in MATRIX.items():
        before, since = parsed(revoking), revoking.log_size()
        refused = revoking.metric("connections_rejected_tls")
        revoked = revoking.metric("connections_revoked")
        answer = come(revoking, name, version)
        if reason is None:
            assert answer > 40, name
            assert [now - was for now, was in zip(parsed(revoking), before)][::2] == [1, 3], name
            assert "event=gate.refused" not in revoking.log()[since:], name
            continue
        line = revoking.wait_log(r'event=gate\.refused peer=127\.0\.0\.1:\d+ reason="([^"]*)"', since).group(1)
        assert re.search(reason, line), (name, line)
        assert answer == 0, name
        assert parsed(revoking) == before, name
        assert revoking.metric("connections_rejected_tls") == refused + 1, name
        assert revoking.metric("connections_revoked") - revoked == ("certificate revoked" in line), name


STALE = ("20200101000000Z", "20200201000000Z")
FUTURE = ("20400101000000Z", "20410101000000Z")


@pytest.mark.parametrize("dates, reason", [(STALE, "CRL has expired"), (FUTURE, "CRL is not yet valid"),
                                           (None, "unable to get certificate CRL")])
def test_crl_that_does_not_tell(revoking, yard, dates, reason):
    """Of another day, or missing: by default nobody gets in, else all with a warning whom it does not revoke."""
    if dates is None:
        os.remove(yard.crl("root"))
    else:
        yard.revoke(dates=dates)
    hang_up(revoking)
    since = revoking.log_size()
    assert come(revoking, "good", None) == 0
    revoking.wait_log(r'event=gate\.refused peer=\S+ reason="%s \(CN=good,O=Yard\)"' % reason, since)
    # Its issuer's list is good, the list that tells of the issuer is not.
    since = revoking.log_size()
    assert come(revoking, "chained", None) == 0
    revoking.wait_log(r'event=gate\.refused peer=\S+ reason="%s \(CN=chained,O=Yard, at its issuer CN=Inter' % reason,
                      since)
    revoking.config["zoolite.crlMissing"] = "allow"
    revoking.write_config()
    hang_up(revoking)
    for name in ("good", "chained"):
        since, before = revoking.log_size(), revoking.metric("connections_doubtful")
        assert come(revoking, name, None) > 0
        revoking.wait_log(r'event=gate\.doubtful peer=\S+ subject="CN=%s,O=Yard" reason="%s"' % (name, reason), since)
        assert revoking.metric("connections_doubtful") == before + 1
    assert come(revoking, "revoked-chained", None) == 0
    # What an old list says of them is still true.
    assert (come(revoking, "revoked", None) == 0) == (dates is not None)


def test_trust_in_an_intermediate_alone(revoking, yard):
    """No list tells of the trusted one at the end, and none need."""
    revoking.config["ssl.trustStore.location"] = yard.authority.cert("inter")
    revoking.write_config()
    hang_up(revoking)
    assert come(revoking, "chained", None) > 0
    assert come(revoking, "revoked-chained", None) == 0
    assert come(revoking, "good", None) == 0


def test_file_of_crls_that_is_none(revoking, yard):
    """The old lists stay, the log names the file; a start is refused with the line in the configuration."""
    broken = os.path.join(yard.crls, "zz.pem")
    number = list(revoking.config).index("zoolite.crlFile") + 1
    with open(yard.crl("root"), encoding="ascii") as file:
        text = file.read()
    forged = yard.authority.make_crl(os.path.join(yard.directory, "forged.pem"), "ca")
    yard.authority.make_ca("other-ca", "/O=Yard/CN=Root")
    yard.authority.make_crl(forged, "other-ca")
    with open(forged, encoding="ascii") as file:
        forged = file.read()
    try:
        for content, reason in (("nothing", "there is no CRL in it"), (text[:200], "no usable CRL"),
                                (text + text[:300], "no usable CRL"), (forged, "not signed by the CA")):
            write(broken, content)
            line = hang_up(revoking, "refused")
            assert "line=%d property=zoolite.crlFile" % number in line and reason in line, line
            assert "crls/zz.pem: " in line
            assert come(revoking, "revoked", None) == 0 and come(revoking, "good", None) > 0
        revoking.stop()
        revoking.start(wait=False)
        assert revoking.wait_exit() == 2
        assert re.search(r"zoo\.cfg:%d: zoolite\.crlFile: .*zz\.pem: " % number, revoking.log())
    finally:
        os.remove(broken)
    # What begins with a dot is none of them, nor is a directory; a file in place of the directory will do.
    write(os.path.join(yard.crls, ".hidden"), "nothing")
    os.makedirs(os.path.join(yard.crls, "deeper"), exist_ok=True)
    revoking.start()
    revoking.config["zoolite.crlFile"] = yard.crl("root")
    revoking.write_config()
    hang_up(revoking)
    assert come(revoking, "revoked", None) == 0 and come(revoking, "good", None) > 0
    revoking.config["zoolite.crlFile"] = None
    revoking.write_config()
    hang_up(revoking)
    assert come(revoking, "revoked", None) > 0


def test_what_asks_for_revocation_gets_it(make_server, authority, tmp_path):
    """ZooKeeper's property without lists stops the start; none of the two is an old file that goes on."""
    server = make_server.new(ssl__crl="true")
    server.start(wait=False)
    assert server.wait_exit() == 2
    number = list(server.config).index("ssl.crl") + 1
    assert "zoo.cfg:%d: ssl.crl=true needs zoolite.crlFile" % number in server.log()
    server.config["zoolite.crlFile"] = authority.make_crl(str(tmp_path / "crl.pem"), "ca", ["second"])
    server.start()
    server.client("client").close_session()
    assert come(server, "second", None) == 0


# ---- files that change ----

SOON = "50ms"


def serial_of(server):
    """Of the certificate that the server shows, in DER."""
    with zk.Link(("127.0.0.1", server.tls_port), server.context("client")) as link:
        return link.sock.getpeercert(True)


def test_files_are_taken_when_they_change(make_server, authority, tmp_path):
    """Each by itself, a reload each, with the file's name in the log; a client that is in does not notice."""
    names = {name: str(tmp_path / name) for name in ("crt", "key", "ca", "crl", "deny", "allow")}
    shutil.copy(authority.cert("server"), names["crt"])
    shutil.copy(authority.key("server"), names["key"])
    shutil.copy(authority.ca, names["ca"])
    authority.make_crl(names["crl"])
    write(names["deny"], "")
    write(names["allow"], "127.0.0.0/8\n")
    server = make_server(ssl__keyStore__location=None, zoolite__certFile=names["crt"], zoolite__keyFile=names["key"],
                         ssl__trustStore__location=names["ca"], zoolite__crlFile=names["crl"],
                         zoolite__denyList=names["deny"], zoolite__allowList=names["allow"],
                         zoolite__reloadInterval=SOON)
    inside = server.client()
    inside.call(zk.create("/here", flags=zk.EPHEMERAL))

    def changed(name, change):
        since = server.log_size()
        change()
        server.wait_log(r"event=reload\.noticed file=%s$" % names[name], since)
        server.wait_log(r"event=reload\.done", since)
        assert inside.call(zk.exists("/here")).err == 0
        # Once is enough.
        assert "event=reload.refused" not in server.log()[since:]

    assert not is_shut(server.port, "127.0.0.2")
    changed("deny", lambda: write(names["deny"], "127.0.0.2\n"))
    assert is_shut(server.port, "127.0.0.2")
    changed("allow", lambda: write(names["allow"], "127.0.0.1\n"))
    assert is_shut(server.port, "127.0.0.3")
    changed("crl", lambda: authority.make_crl(names["crl"], revoked=["second"]))
    assert come(server, "second", None) == 0
    assert come(server, "foreign", None) == 0
    certs.Authority._write(names["ca"] + ".both", authority.ca, authority.foreign_ca)
    changed("ca", lambda: os.rename(names["ca"] + ".both", names["ca"]))
    since = server.log_size()
    assert come(server, "foreign", None) == 0
    server.wait_log("unable to get certificate CRL", since)
    # The certificate first, and its key a moment later: what does not fit together is not taken.
    old = serial_of(server)
    authority.issue("renewed", "/O=Zoolite Test/CN=localhost", extensions=certs.SERVER_EXT)
    since = server.log_size()
    shutil.copy(authority.cert("renewed"), names["crt"])
    server.wait_log(r"event=reload\.refused property=zoolite\.keyFile reason=.*does not belong", since)
    assert serial_of(server) == old
    since = server.log_size()
    shutil.copy(authority.key("renewed"), names["key"])
    server.wait_log(r"event=reload\.noticed file=%s$" % names["key"], since)
    server.wait_log(r"event=reload\.done", since)
    assert serial_of(server) != old
    assert server.log().count("event=reload.refused") == 1
    inside.close_session()


def test_files_that_a_reload_names_are_looked_at(yard, tmp_path):
    """A list of revoked ones that came by SIGHUP stays when another file is read anew; a reload that is refused leaves
    the files that are in force under observation."""
    yard.revoke()
    allow, own = str(tmp_path / "allow"), str(tmp_path / "server.pem")
    write(allow, "127.0.0.0/8\n")
    shutil.copy(yard.authority.both("server"), own)
    server = servers.Zoolite(tmp_path / "server", yard.authority, config={
        "zoolite.reloadInterval": "50ms", "zoolite.allowList": allow, "ssl.keyStore.location": own})
    try:
        server.start()
        assert come(server, "revoked", None) > 0
        server.config.update({"zoolite.crlFile": yard.crls, "zoolite.crlMissing": "allow"})
        server.write_config()
        since = server.log_size()
        hang_up(server)
        assert "reload.waits" not in server.log()[since:]
        assert come(server, "revoked", None) == 0
        since = server.log_size()
        os.utime(own)
        server.wait_log(r"event=reload\.noticed file=%s\n(?:.*\n)*?.*event=reload\.done" % own, since)
        assert come(server, "revoked", None) == 0 and come(server, "good", None) > 0
        server.config["zoolite.denyList"] = str(tmp_path / "gone")
        server.write_config()
        hang_up(server, "refused")
        since = server.log_size()
        write(allow, "127.0.0.9\n")
        server.wait_log(r"event=reload\.noticed file=%s\n(?:.*\n)*?.*event=reload\.done" % allow, since)
        assert is_shut(server.port) and not is_shut(server.port, "127.0.0.9")
        server.stop()
    finally:
        server.close()


def test_secrets_of_kubernetes(make_server, authority, tmp_path):
    """All files change with one link; cut and broken ones in it leave the old ones as they are."""
    def fill(version, name, trust):
        place = tmp_path / version
        place.mkdir()
        shutil.copy(authority.cert(name), place / "tls.crt")
        shutil.copy(authority.key(name), place / "tls.key")
        certs.Authority._write(place / "ca.crt", *trust)

    def swap(version):
        os.symlink(version, tmp_path / "..new")
        os.rename(tmp_path / "..new", tmp_path / "..data")

    authority.issue("next", "/O=Zoolite Test/CN=localhost", extensions=certs.SERVER_EXT)
    fill("..1", "server", [authority.ca])
    fill("..2", "next", [authority.ca, authority.foreign_ca])
    fill("..3", "next", [authority.ca])
    with open(tmp_path / "..3" / "tls.key", "w", encoding="ascii") as file:
        file.write("cut")
    swap("..1")
    files = {}
    for name in ("tls.crt", "tls.key", "ca.crt"):
        os.symlink("..data/" + name, tmp_path / name)
        files[name] = str(tmp_path / name)
    server = make_server(ssl__keyStore__location=None, zoolite__certFile=files["tls.crt"],
                         zoolite__keyFile=files["tls.key"], ssl__trustStore__location=files["ca.crt"],
                         zoolite__reloadInterval=SOON)
    old = serial_of(server)
    assert come(server, "foreign", None) == 0
    since = server.log_size()
    swap("..2")
    server.wait_log(r"event=reload\.done", since)
    new = serial_of(server)
    assert new != old
    assert come(server, "foreign", None) > 0
    since = server.log_size()
    swap("..3")
    server.wait_log(r"event=reload\.refused property=zoolite\.keyFile", since)
    assert serial_of(server) == new
    assert come(server, "foreign", None) > 0
    since = server.log_size()
    os.remove(tmp_path / "..data")
    server.wait_log(r"event=reload\.refused .*No such file", since)
    assert serial_of(server) == new


def test_pipes_are_no_files(revoking, yard, tmp_path):
    """To open one would take until somebody writes to it: the server goes on as it was."""
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    for name in ("zoolite.crlFile", "zoolite.denyList", "ssl.trustStore.location", "ssl.keyStore.location"):
        was = revoking.config.get(name)
        revoking.config[name] = pipe
        revoking.write_config()
        assert "property=%s" % name in hang_up(revoking, "refused")
        revoking.config[name] = was
    pipe = yard.crl("pipe")
    os.mkfifo(pipe)
    try:
        revoking.write_config()
        assert "crls/pipe.pem: that is no file" in hang_up(revoking, "refused")
        assert come(revoking, "good", None) > 0 and come(revoking, "revoked", None) == 0
    finally:
        os.remove(pipe)


def test_files_are_left_alone_where_nobody_looks(make_server, tmp_path):
    deny = write(str(tmp_path / "deny"), "127.0.0.2\n")
    server = make_server(zoolite__denyList=deny, zoolite__reloadInterval=0)
    write(deny, "127.0.0.3\n")
    hang_up(server)
    assert is_shut(server.port, "127.0.0.3")
    assert "event=reload.noticed" not in server.log()


# ---- who is in when that changes ----

def cut_off(client, server, since, reason, who):
    """The link ends, the log says whose it was and why, and the session is not to be had again."""
    assert client.link.wait_closed(CLOSED_WITHIN_S)
    server.wait_log(r'event=connection\.cut peer=127\.\d+\.\d+\.\d+:\d+ subject=%s session=0x%x reason="%s' % (
        who, client.session_id, reason), since)


def watch(server, path, name="good"):
    """A client that looks at an ephemeral znode of another."""
    watcher = server.client(name)
    assert watcher.call(zk.exists(path, watch=True)).err == 0
    return watcher


def told_that_it_went(watcher, path):
    event = watcher.wait_event()
    assert (event.path, zk.EVENT_NAMES[event.type]) == (path, "NodeDeleted")
    assert watcher.call(zk.exists(path)).err == -101


@pytest.fixture(name="looking")
def fixture_looking(yard, tmp_path):
    """A server that looks at its files all the time."""
    yard.revoke()
    deny = write(str(tmp_path / "deny"), "")
    trust = str(tmp_path / "trust")
    certs.Authority._write(trust, yard.authority.ca, yard.authority.cert("second-ca"))
    server = servers.Zoolite(tmp_path / "server", yard.authority, config={
        "zoolite.crlFile": yard.crls, "zoolite.denyList": deny, "ssl.trustStore.location": trust,
        "zoolite.reloadInterval": SOON})
    try:
        yield server.start()
        server.finish()
    finally:
        server.close()


def enter_with(server, name, path):
    client = server.client(name)
    assert client.call(zk.create(path, flags=zk.EPHEMERAL)).err == 0
    return client


def test_revoked_while_inside(looking, yard):
    """Leaf and intermediate: cut, znodes gone, watchers told; the others notice nothing."""
    yard.revoke(root=(), inter=())
    hang_up(looking)
    inside = {name: enter_with(looking, name, "/" + name) for name in ("revoked", "revoked-chained", "below-revoked")}
    watchers = {name: watch(looking, "/" + name) for name in inside}
    before, since = looking.metric("connections_cut"), looking.log_size()
    yard.revoke()
    for name, client in inside.items():
        at = "" if name != "below-revoked" else ", at its issuer CN=Bad Inter,O=Yard"
        cut_off(client, looking, since, r"certificate revoked \(CN=%s,O=Yard%s\)" % (name, at), '"CN=%s,O=Yard"' % name)
    assert looking.metric("connections_cut") == before + 3
    for name, watcher in watchers.items():
        told_that_it_went(watcher, "/" + name)
        watcher.close_session()


def test_ca_that_goes_while_inside(looking, yard):
    client = enter_with(looking, "of-second", "/of-second")
    watcher, since = watch(looking, "/of-second"), looking.log_size()
    shutil.copy(yard.authority.ca, looking.config["ssl.trustStore.location"])
    cut_off(client, looking, since, "unable to get local issuer certificate", '"CN=of-second,O=Yard"')
    told_that_it_went(watcher, "/of-second")
    looking.wait_log(r"event=sweep\.done judged=\d+ cut=1$", since)
    watcher.close_session()


def test_denied_while_inside(looking):
    """At the plain port too; probes and others stay."""
    clients = []
    for port, context in ((looking.port, None), (looking.tls_port, looking.context("good"))):
        link = zk.Link(("127.0.0.1", port), context, source=("127.0.0.9", 0))
        clients.append(zk.Client(link))
        clients[-1].connect()
        clients[-1].call(zk.create("/denied%d" % len(clients), flags=zk.EPHEMERAL))
    watcher, since = watch(looking, "/denied1"), looking.log_size()
    write(looking.config["zoolite.denyList"], "127.0.0.9\n")
    cut_off(clients[0], looking, since, "denied network", "none")
    cut_off(clients[1], looking, since, "denied network", '"CN=good,O=Yard"')
    told_that_it_went(watcher, "/denied1")
    assert watcher.call(zk.exists("/denied2")).err == -101
    write(looking.config["zoolite.denyList"], "")
    watcher.close_session()


def test_crl_that_goes_stale_while_inside(looking, yard):
    """Nobody is cut for what is not known of him; who is new does not get in."""
    client, since = looking.client("good"), looking.log_size()
    yard.revoke(dates=STALE)
    looking.wait_log(r"event=sweep\.done judged=\d+ cut=0$", since)
    assert client.call(zk.exists("/")).err == 0
    assert come(looking, "good", None) == 0
    client.close_session()


def test_certificate_that_runs_out_while_inside(looking, yard):
    """To the second, and without a reload."""
    end = time.time() + 2
    stamp = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at)) for at in (end - 100, end)]
    yard.authority.issue("short", "/O=Yard/CN=short", extensions=certs.CLIENT_EXT, dates=stamp)
    client = enter_with(looking, "short", "/short")
    watcher, since = watch(looking, "/short"), looking.log_size()
    cut_off(client, looking, since, "a certificate of its chain has run out", '"CN=short,O=Yard"')
    assert time.time() >= int(end)
    told_that_it_went(watcher, "/short")
    assert come(looking, "short", None) == 0
    watcher.close_session()


def test_rules_that_change_during_a_handshake(looking, yard):
    """Who began it under the old ones is judged by the new ones, before a byte of his is read."""
    yard.revoke(root=())
    hang_up(looking)
    before, since = parsed(looking), looking.log_size()
    sock = socket.create_connection(("127.0.0.1", looking.tls_port), CLOSED_WITHIN_S)
    out, into = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = looking.context("revoked").wrap_bio(into, out)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    sock.sendall(out.read())
    # The server has chosen what it judges by when it has answered.
    while True:
        into.write(sock.recv(65536))
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            pass
    yard.revoke()
    looking.wait_log(r"event=sweep\.done", since)
    tls.write(zk.frame(zk.connect_body()))
    sock.sendall(out.read())
    looking.wait_log(r'event=connection\.cut .*subject="CN=revoked,O=Yard" session=0x0 reason="certificate revoked', since)
    assert parsed(looking) == before
    sock.close()


def test_warnings_before_the_end(make_server, yard):
    """30, 7 and 1 days before, once each: of the server, the CA, its list and who is connected; figures for all."""
    auth = yard.authority
    now = time.time()
    dates = {days: [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at)) for at in (now - 86400 * 90, now + days * 86400 + 900)]
             for days in (0, 5, 6)}
    auth.make_crl(yard.crl("root"), "ca", dates=dates[6])
    auth.issue("near", "/O=Yard/CN=localhost", extensions=certs.SERVER_EXT, dates=dates[0])
    auth.issue("near-client", "/O=Yard/CN=near", extensions=certs.CLIENT_EXT, dates=dates[5])
    server = make_server(ssl__keyStore__location=auth.both("near"), ssl__trustStore__location=auth.ca,
                         zoolite__crlFile=yard.crl("root"))
    server.authority = auth
    expected = [r'part=server name="CN=localhost,O=Yard" until=\S+ days=0$', r'part=ca name="CN=Root,O=Yard" until=\S+ days=29$',
                r'part=crl name="CN=Root,O=Yard" until=\S+ days=6$']
    for line in expected:
        server.wait_log("level=warn event=validity.ends " + line)
    assert [server.metric(name) for name in ("server_certificate_days", "ca_certificate_days", "crl_days")] == [0, 29, 6]
    assert "zk_peer_certificate_days" not in server.four_letter_word("mntr").decode()
    clients = [server.client("near-client") for _ in range(2)]
    server.wait_log(r'event=validity\.ends part=peer name="CN=near,O=Yard" until=\S+ days=5 peer=127\.0\.0\.1:\d+')
    assert server.metric("peer_certificate_days") == 5
    hang_up(server)
    clients.append(server.client("good"))
    server.wait_log(r'event=validity\.ends part=peer name="CN=good,O=Yard" until=\S+ days=19')
    assert server.metric("validity_warnings") == server.log().count("event=validity.ends") == 5
    for client in clients:
        client.close_session()


# ---- who costs more than he should ----

def from_address(server, name, source, version=None):
    """What came of a handshake from there: True where there was a session."""
    context = servers.tls_context(server.authority, name, minimum=version, maximum=version)
    try:
        with zk.Link(("127.0.0.1", server.tls_port), context, CLOSED_WITHIN_S, source=(source, 0)) as link:
            client = zk.Client(link)
            client.connect()
            client.close_session()
            return True
    except (OSError, zk.Closed):
        return False


def test_addresses_that_fail(make_server, authority):
    """After so many failures nothing of theirs is looked at until the window ends; others come and go meanwhile."""
    server = make_server(zoolite__maxFailures=3, zoolite__failureWindow="2s")
    # Who only looks whether somebody listens is no failure.
    for _ in range(5):
        socket.create_connection(("127.0.0.1", server.tls_port), CLOSED_WITHIN_S, ("127.0.0.6", 0)).close()
    servers.wait_until(lambda: server.metric("connections_rejected_tls") == 5, 10, "those to be seen")
    began = time.monotonic()
    for name in ("foreign", None, "expired"):
        assert not is_shut(server.port, "127.0.0.6")
        assert not from_address(server, name, "127.0.0.6", ssl.TLSVersion.TLSv1_2)
    servers.wait_until(lambda: server.metric("connections_rejected_tls") == 8, 10, "three failures")
    since, before = server.log_size(), server.metric("connections_rejected_tls")
    shut = is_shut(server.tls_port, "127.0.0.6")
    if time.monotonic() < began + 2:
        assert shut
        server.wait_log(r'event=gate\.refused peer=127\.0\.0\.6:\d+ reason="too many failed handshakes from address"', since)
        assert server.metric("connections_rejected_tls") == before
        assert server.metric("connections_suspected") >= 1
    assert from_address(server, "client", "127.0.0.7")
    servers.wait_until(lambda: from_address(server, "client", "127.0.0.6"), 20, "the window to end")
    assert time.monotonic() >= began + 2


def test_addresses_that_speak_no_tls(make_server):
    """Plain text at the TLS port is a failure of its address too."""
    server = make_server(zoolite__maxFailures=3, zoolite__failureWindow="1m")
    for _ in range(3):
        with zk.Link(("127.0.0.1", server.tls_port), source=("127.0.0.8", 0)) as link:
            link.send(b"GET / HTTP/1.0\r\n\r\n")
            assert link.wait_closed(CLOSED_WITHIN_S)
    servers.wait_until(lambda: server.metric("connections_rejected_tls") == 3, 10, "those to be counted")
    assert is_shut(server.tls_port, "127.0.0.8")
    server.wait_log(r'peer=127\.0\.0\.8:\d+ reason="too many failed handshakes from address"')
    assert server.metric("connections_suspected") == 1


def test_addresses_that_hurry(make_server):
    """So many handshakes in a second, each address for itself."""
    server = make_server(zoolite__maxHandshakeRate=1)
    callers = [socket.create_connection(("127.0.0.1", server.tls_port), CLOSED_WITHIN_S, ("127.0.0.6", 0))
               for _ in range(30)]
    assert from_address(server, "client", "127.0.0.7")
    server.wait_log(r'event=gate\.refused peer=127\.0\.0\.6:\d+ reason="too many handshakes a second from address"')
    refused = servers.wait_until(lambda: server.metric("connections_suspected"), 10, "somebody to be refused")
    closed = 0
    for sock in callers:
        sock.setblocking(False)
        try:
            closed += sock.recv(1) == b""
        except BlockingIOError:
            pass
        except ConnectionError:
            closed += 1
        sock.close()
    assert 0 < refused <= closed < 30
