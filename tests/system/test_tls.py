"""The gate: who gets in over TLS, who does not, and what the log says of it."""
import os
import re
import socket
import ssl
import threading

import pytest

import certs
import servers
import zk_wire as zk

CLOSED_WITHIN_S = 10


def enter(server, context):
    """Try to open a session with this context. The reply, or what stopped it."""
    try:
        with zk.Link(("127.0.0.1", server.tls_port), context, CLOSED_WITHIN_S) as link:
            client = zk.Client(link)
            reply = client.connect()
            client.close_session()
            return reply
    except (OSError, zk.Closed) as error:
        return error


def test_known_certificates_get_in(server, authority):
    for name in ("client", "second", "chained"):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = servers.tls_context(authority, name, minimum=version, maximum=version)
            assert isinstance(enter(server, context), zk.ConnectReply), (name, version)


@pytest.mark.parametrize("enabled, inside", [("TLSv1.3", "TLSv1_3"), ("TLSv1.2", "TLSv1_2"),
                                             ("TLSv1.3,TLSv1.2", "TLSv1_2 TLSv1_3")])
def test_enabled_protocols(make_server, authority, enabled, inside):
    server = make_server(ssl__enabledProtocols=enabled)
    for name in ("TLSv1_2", "TLSv1_3"):
        version = ssl.TLSVersion[name]
        context = servers.tls_context(authority, minimum=version, maximum=version)
        since = server.log_size()
        if name in inside.split():
            assert isinstance(enter(server, context), zk.ConnectReply), name
        else:
            assert isinstance(enter(server, context), OSError), name
            server.wait_log(r"event=gate\.refused.*(protocol|version)", since)


GCM_1_2, GCM_1_3 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"


def suites_let_in(server, authority):
    """By these clients in this order, each with one suite."""
    inside = []
    for name in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA", None):
        version = ssl.TLSVersion.TLSv1_2 if name else ssl.TLSVersion.TLSv1_3
        context = servers.tls_context(authority, minimum=version, maximum=version)
        if name:
            context.set_ciphers(name)
        since = server.log_size()
        try:
            with zk.Link(("127.0.0.1", server.tls_port), context, CLOSED_WITHIN_S) as link:
                inside.append(link.sock.cipher()[0])
        except OSError:
            server.wait_log(r"event=gate\.refused.*(no cipher in common|protocol|version)", since)
            inside.append(None)
    return inside


@pytest.mark.parametrize("suites, inside", [
    (None, ["ECDHE-ECDSA-AES128-GCM-SHA256", None, "TLS_AES_256_GCM_SHA384"]),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", [None, "ECDHE-ECDSA-AES256-SHA", None]),
    (GCM_1_2, ["ECDHE-ECDSA-AES128-GCM-SHA256", None, None]),
    (GCM_1_3, [None, None, GCM_1_3]),
    (GCM_1_3 + " , " + GCM_1_2, ["ECDHE-ECDSA-AES128-GCM-SHA256", None, GCM_1_3])])
def test_cipher_suites(make_server, authority, suites, inside):
    """What a policy names is offered and nothing else, from the next reload on, too."""
    assert suites_let_in(make_server(ssl__ciphersuites=suites), authority) == inside


def test_cipher_suites_are_reloaded_and_checked(make_server, authority):
    server = make_server()
    server.config["ssl.ciphersuites"] = GCM_1_3
    server.write_config()
    server.hangup()
    server.wait_log(r"event=reload\.done")
    assert suites_let_in(server, authority) == [None, None, GCM_1_3]
    number = list(server.config).index("ssl.ciphersuites") + 1
    for suites, reason in (("TLS_NONE", "TLS_NONE: there is no such cipher suite"),
                           (GCM_1_3 + ",", ": there is no such cipher suite"),
                           ("ALL", "ALL: there is no such cipher suite"),
                           ("TLS_RSA_WITH_NULL_SHA", "TLS_RSA_WITH_NULL_SHA: that cipher suite is not to be had, or too weak")):
        server.config["ssl.ciphersuites"] = suites
        server.write_config()
        since = server.log_size()
        server.hangup()
        server.wait_log(r'event=reload\.refused line=%d property=ssl\.ciphersuites reason="%s"' % (number, reason), since)
        assert suites_let_in(server, authority) == [None, None, GCM_1_3]
    server.config.update({"ssl.ciphersuites": GCM_1_2, "ssl.enabledProtocols": "TLSv1.3"})
    server.stop()
    server.start(wait=False)
    assert server.wait_exit() == 2
    assert "no suite of a version of TLS that is offered" in server.log()


def test_identity_is_the_subject(server, authority):
    for name in ("client", "second", "chained"):
        with server.client(name) as client:
            client.call(zk.create("/me", acl=[zk.Acl(zk.PERM_ALL, "auth", "")], flags=zk.EPHEMERAL))
            assert client.call(zk.get_acl("/me")).value.acls == [
                zk.Acl(zk.PERM_ALL, "x509", authority.identity(name))]
            client.close_session()


def intermediate_missing(authority):
    """carol's certificate without that of the CA between her and the one we trust."""
    with open(authority.path("short.pem"), "w", encoding="ascii") as out:
        for part in (authority.key("chained"), authority.cert("chained")):
            with open(part, encoding="ascii") as file:
                out.write(file.read())
    return "short"


REFUSED = {
    "none": (None, r"no certificate"),
    "foreign": ("foreign", r"issuer|self[- ]signed"),
    "expired": ("expired", r"expired"),
    "self-signed": ("selfsigned", r"self[- ]signed"),
    "no intermediate": (intermediate_missing, r"issuer|verify the first certificate"),
}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                         ids=lambda v: v.name)
@pytest.mark.parametrize("kind", REFUSED)
def test_others_do_not_and_the_log_says_why(server, authority, kind, version):
    name, reason = REFUSED[kind]
    if callable(name):
        name = name(authority)
    since = server.log_size()
    context = servers.tls_context(authority, name, minimum=version, maximum=version)
    assert not isinstance(enter(server, context), zk.ConnectReply)
    line = server.wait_log(r"^.*event=gate\.refused.*$", since).group(0)
    assert re.search(reason, line), line
    assert "peer=127.0.0.1:" in line


def test_chain_with_the_wrong_purpose_does_not_get_in(server, authority):
    """A certificate for servers alone is none for a client."""
    authority.issue("serveronly", "/O=Zoolite Test/CN=serveronly",
                    extensions="extendedKeyUsage=serverAuth\n")
    since = server.log_size()
    assert not isinstance(enter(server, servers.tls_context(authority, "serveronly")), zk.ConnectReply)
    server.wait_log(r"event=gate\.refused.*purpose", since)


def test_weak_keys_do_not_get_in(server, authority):
    """RSA with 1024 bits is below the security level."""
    authority.openssl("genrsa", "-out", authority.key("weak"), "1024")
    request = authority.openssl("req", "-new", "-key", authority.key("weak"), "-subj", "/CN=weak")
    authority.openssl("x509", "-req", "-CA", authority.cert("ca"), "-CAkey", authority.key("ca"), "-days",
                      "5", "-set_serial", "77", "-out", authority.cert("weak"), text=request)
    authority._write(authority.both("weak"), authority.key("weak"), authority.cert("weak"))
    context = servers.tls_context(authority, None)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(authority.both("weak"))
    since = server.log_size()
    assert not isinstance(enter(server, context), zk.ConnectReply)
    server.wait_log(r"event=gate\.refused.*(key too small|key too weak)", since)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_do_not_get_in(server, authority):
    context = servers.tls_context(authority)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    since = server.log_size()
    assert not isinstance(enter(server, context), zk.ConnectReply)
    server.wait_log(r"event=gate\.refused.*version", since)


@pytest.mark.parametrize("data", [zk.frame(zk.connect_body()), b"ruok", b"GET / HTTP/1.1\r\n\r\n",
                                  b"\x16\x03\x01\xff\xff", os.urandom(64)],
                         ids=["session request", "ruok", "http", "cut hello", "noise"])
def test_plain_text_does_not_get_in(server, data):
    since = server.log_size()
    with zk.Link(("127.0.0.1", server.tls_port), None, CLOSED_WITHIN_S) as link:
        link.send(data)
        try:
            link.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server was quicker
        answer = link.read_to_end()
    # A TLS alert may come back, but no word of the protocol.
    assert len(answer) <= 16 and b"imok" not in answer
    server.wait_log(r"event=gate\.refused", since)


def test_early_data_of_a_stranger_is_not_read(server, authority):
    """TLS 1.3 lets a client send before the server has judged it; nothing of it is parsed."""
    context = servers.tls_context(authority, "foreign", minimum=ssl.TLSVersion.TLSv1_3)
    with server.client("client") as client:
        before = client.call(zk.exists("/")).zxid
        for _ in range(5):
            try:
                with zk.Link(("127.0.0.1", server.tls_port), context, CLOSED_WITHIN_S) as link:
                    link.send(zk.frame(zk.connect_body()) +
                              zk.frame(zk.p_int(1) + zk.p_int(zk.CREATE) + zk.create("/stranger").body))
                    assert link.read_to_end() == b""
            except (OSError, zk.Closed):
                pass
        assert client.call(zk.exists("/stranger")).err == -101
        assert client.call(zk.set_data("/", b"")).zxid == before + 1
        client.close_session()


def test_renegotiation_and_resumption_are_off(server, authority):
    context = servers.tls_context(authority, maximum=ssl.TLSVersion.TLSv1_2)
    with zk.Link(("127.0.0.1", server.tls_port), context) as link:
        session = link.sock.session
        zk.Client(link).connect()
    assert session is None or not session.has_ticket
    sock = socket.create_connection(("127.0.0.1", server.tls_port))
    with context.wrap_socket(sock, session=session) as again:
        assert not again.session_reused


def test_want_lets_strangers_in_without_identity(make_server, authority):
    server = make_server(ssl__clientAuth="want")
    assert isinstance(enter(server, servers.tls_context(authority, None)), zk.ConnectReply)
    with server.client() as client:
        client.call(zk.create("/mine", acl=[zk.Acl(zk.PERM_ALL, "auth", "")]))
        client.close_session()
    stranger = zk.Client(zk.Link(("127.0.0.1", server.tls_port), servers.tls_context(authority, None)))
    stranger.connect()
    assert stranger.call(zk.get_data("/mine")).err == -102
    assert stranger.call(zk.create("/x", acl=[zk.Acl(zk.PERM_ALL, "auth", "")])).err == -114
    assert not isinstance(enter(server, servers.tls_context(authority, "foreign")), zk.ConnectReply)


def test_reload_on_hangup(make_server, authority):
    """A new certificate and a new CA hold for those who come; who is in stays in."""
    server = make_server()
    other = certs.Authority(authority.directory)
    inside = server.client()
    trust = os.path.join(server.directory, "trust.pem")
    server.config["ssl.trustStore.location"] = trust
    certs.Authority._write(trust, authority.ca, authority.foreign_ca)
    server.write_config()
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.done", since)
    assert isinstance(enter(server, servers.tls_context(other, "foreign")), zk.ConnectReply)
    assert isinstance(enter(server, servers.tls_context(other, "client")), zk.ConnectReply)
    assert inside.call(zk.exists("/")).err == 0
    certs.Authority._write(trust, authority.ca)
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.done", since)
    assert not isinstance(enter(server, servers.tls_context(other, "foreign")), zk.ConnectReply)
    assert inside.call(zk.exists("/")).err == 0


def test_reload_leaves_the_rest_to_a_restart(make_server, authority):
    """Who is let in, by which protocols, and all that is no certificate, is as it was; the log names what waits."""
    server = make_server(ssl__enabledProtocols="TLSv1.3")
    old = servers.tls_context(authority, "client", maximum=ssl.TLSVersion.TLSv1_2)
    server.config.update({"ssl.clientAuth": "none", "ssl.enabledProtocols": "TLSv1.2,TLSv1.3", "maxCnxns": 1,
                          "zoolite.logLevel": "debug"})
    for _ in range(2):
        server.write_config()
        since = server.log_size()
        server.hangup()
        server.wait_log(r"event=reload\.done", since)
        line = server.wait_log(r"event=reload\.waits properties=(\S+) ", since)
        assert line.group(1) == "maxCnxns,ssl.clientAuth,ssl.enabledProtocols"
        assert not isinstance(enter(server, servers.tls_context(authority, None)), zk.ConnectReply)
        assert not isinstance(enter(server, old), zk.ConnectReply)
        assert isinstance(enter(server, servers.tls_context(authority, "client")), zk.ConnectReply)
    server.config.update({"maxCnxns": None, "ssl.clientAuth": "need", "ssl.enabledProtocols": "TLSv1.3"})
    server.write_config()
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.done", since)
    assert "event=reload.waits" not in server.log()[since:]


def test_reload_without_port_and_trust_opens_no_door(make_server, authority):
    """A file that is good for a server without TLS: this one asks for certificates, so it keeps what it has."""
    server = make_server()
    server.config.update({"secureClientPort": None, "secureClientPortAddress": None, "ssl.trustStore.location": None,
                          "ssl.clientAuth": None})
    server.write_config()
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.refused .*trusted CAs", since)
    assert not isinstance(enter(server, servers.tls_context(authority, None)), zk.ConnectReply)
    assert isinstance(enter(server, servers.tls_context(authority)), zk.ConnectReply)


def issue_dated(authority, name, first, last):
    authority.issue(name, "/O=Zoolite Test/CN=localhost", extensions=certs.SERVER_EXT, dates=(first, last))


def test_server_certificate_that_is_out_of_date(make_server, authority):
    """It serves, for it may be all there is; the log says so at the start and at each reload, with the day."""
    issue_dated(authority, "old-server", "20200101000000Z", "20210203000000Z")
    server = make_server(ssl__keyStore__location=authority.both("old-server"))
    expected = (r"level=warn event=config\.doubtful property=ssl\.keyStore\.location line=\d+ "
                'reason="the certificate has expired on 2021-02-03"')
    server.wait_log(expected)
    context = servers.tls_context(authority)
    context.verify_mode = ssl.CERT_NONE
    assert isinstance(enter(server, context), zk.ConnectReply)
    since = server.log_size()
    server.hangup()
    server.wait_log(expected, since)
    server.wait_log(r"event=reload\.done", since)
    server.config["ssl.keyStore.location"] = authority.both("server")
    server.write_config()
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.done", since)
    assert "config.doubtful" not in server.log()[since:]


def test_failed_reload_changes_nothing(make_server, authority):
    server = make_server()
    with open(os.path.join(server.directory, "broken.pem"), "w", encoding="ascii") as file:
        file.write("no certificate at all\n")
    server.config["ssl.keyStore.location"] = os.path.join(server.directory, "broken.pem")
    server.write_config()
    since = server.log_size()
    server.hangup()
    number = list(server.config).index("ssl.keyStore.location") + 1
    line = server.wait_log(r"^.*event=reload\.refused line=%d property=ssl.keyStore.location .*$" % number, since)
    assert "broken.pem" in line.group(0)
    assert isinstance(enter(server, servers.tls_context(authority)), zk.ConnectReply)


def test_certificate_and_key_in_files_of_their_own(make_server, authority):
    server = make_server(ssl__keyStore__location=None, zoolite__certFile=authority.cert("server"),
                         zoolite__keyFile=authority.key("server"))
    assert isinstance(enter(server, servers.tls_context(authority)), zk.ConnectReply)


def test_silent_handshakes_are_ended(make_server):
    """Who connects and says nothing, or half of something, is closed at the deadline; others get in."""
    server = make_server(ssl__handshakeDetectionTimeoutMillis=1000)
    silent = [zk.Link(("127.0.0.1", server.tls_port), None, CLOSED_WITHIN_S) for _ in range(20)]
    for link in silent[10:]:
        link.send(b"\x16\x03\x01\x02\x00\x01\x00")
    assert server.client().call(zk.exists("/")).err == 0
    for link in silent:
        assert link.wait_closed(CLOSED_WITHIN_S)


@pytest.mark.parametrize("reload", [False, True])
def test_first_handshakes_of_all_threads_at_once(make_server, reload):
    """What they share is ready before them; ThreadSanitizer looks at it."""
    server = make_server(zoolite__gateThreads=4)
    if reload:
        since = server.log_size()
        server.hangup()
        server.wait_log(r"event=reload\.done", since)
    begin = threading.Barrier(12)
    sessions = []

    def connect():
        begin.wait()
        sessions.append(server.client(tls=True).session_id)
    threads = [threading.Thread(target=connect) for _ in range(begin.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(sessions)) == begin.parties


def test_storm_of_handshakes_starves_nobody(server):
    """Many handshakes at once all get through, and an open session is answered meanwhile."""
    inside, failures = server.client(), []

    def come_and_go():
        for _ in range(5):
            try:
                server.client().close_session()
            except (OSError, zk.Closed) as error:
                failures.append(error)
    threads = [threading.Thread(target=come_and_go) for _ in range(20)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert inside.call(zk.exists("/")).err == 0
    assert failures == []
    inside.close_session()
