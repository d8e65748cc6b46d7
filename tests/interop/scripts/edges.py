"""The edges: our limits, odd ids, requests that nobody sends on purpose, and what is sent behind an end."""
import zk_wire as zk
from zk_wire import Acl
from differential import case, case_with_ttl

ALICE = "CN=alice,OU=clients,O=Zoolite Test"
ANYONE = Acl(31, "world", "anyone")
LAST_ZXID = 0x7fffffffffffffff
MAX_EPHEMERALS = 2000  # as test_differential.py sets it


# -- limits --------------------------------------------------------------------------------------------


def auth_and_close(t, data, *marks):
    """Authenticate and say good-bye in one write. Who is refused is cut off, his good-bye unheard."""
    a = t.session("a", plain=True)
    with t.differs(*marks):
        a.pipeline(zk.auth("digest", data), zk.close(), closes=True)
    t.lose_count()


@case
def limit_identities(t):
    """We keep 16 identities of a connection: the address and 15 more."""
    a = t.session("a", plain=True)
    for number in range(15):
        a.auth("digest", b"user%d:p" % number)
    a.auth("digest", b"user0:p")
    with t.differs("limits"):
        a.pipeline(zk.auth("digest", b"one more:p"), zk.close(), closes=True)
    t.lose_count()
    t.boss.set_data(t.root)


@case
def limit_identity_size(t):
    """A password may be long, of a user we keep 4,096 bytes."""
    auth_and_close(t, b"u:" + b"p" * 5000)
    auth_and_close(t, b"u" * 4096 + b":p")
    auth_and_close(t, b"u" * 4097 + b":p", "limits")


@case
def limit_path(t):
    """16 KiB. What only reads, and finds nothing, may name any."""
    z = t.boss
    at_limit, above = (t.path("n" * (length - len(t.root) - 1)) for length in (16384, 16385))
    z.create(at_limit)
    z.exists(at_limit, watch=True)
    z.delete(at_limit)
    z.exists(above)
    z.get_data(above, watch=True)
    z.delete(above)
    z.set_data(above)
    with t.differs("limits"):
        z.exists(above, watch=True)
    with t.differs("limits"):
        z.create(above[:-1] + "x")
    t.tidy(above[:-1] + "x")
    z.sync("/")
    z.create(t.path("on"))


@case
def limit_acl_entries(t):
    z = t.boss
    users = [Acl(31, "digest", "user%d:x" % i) for i in range(128)]
    z.create(t.path("a"), acl=users[1:] + [ANYONE])
    z.get_acl(t.path("a"))
    with t.differs("limits"):
        z.create(t.path("b"), acl=users + [ANYONE])
    t.tidy(t.path("b"))
    z.set_data(t.path("a"))


@case
def limit_ephemerals(t):
    """Of a session; another one has its own."""
    a, b = t.session("a"), t.session("b")
    a.multi(*[zk.create(t.path("e%d" % i), flags=zk.EPHEMERAL) for i in range(MAX_EPHEMERALS)])
    a.create(t.path("persistent"))
    b.create(t.path("other"), flags=zk.EPHEMERAL)
    with t.differs("limits"):
        a.create(t.path("one-more"), flags=zk.EPHEMERAL)
    a.delete(t.path("e0"))
    a.create(t.path("again"), flags=zk.EPHEMERAL)


# -- ids -----------------------------------------------------------------------------------------------


@case
def ids_of_ip(t):
    """Numbers as Java reads them; 3.8.0 knows no IPv6."""
    z = t.boss
    for number, address in enumerate((
            "127.0.0.01", "0127.0.0.1", "+127.0.0.1", "127.-0.+0.1", "127.0.0.1/08", "127.0.0.1/0008", "127.0.0.1/+8",
            "126.0.0.1/-0", "128.0.0.1/1", "0177.0.0.1", "127.0.0.1/33", "127.0.0.1/-1", "127.0.0.1/", "127.0.0.1/8/8",
            "127.0.0.1 ", " 127.0.0.1", "127.0.0", "127.0.0.1.", "127.0.0.256", "0x7f.0.0.1", "1", "",
            "::ffff:127.0.0.1", "::1/129", ":::")):
        path = t.path("n%d" % number)
        z.create(path, b"x", acl=[Acl(31, "ip", address)])
        z.get_data(path)
    for number, address in enumerate(("::1", "::", "::1/128", "fe80::/10", "1:2:3:4:5:6:7:8")):
        with t.differs("ip-v6"):
            z.create(t.path("v6-%d" % number), acl=[Acl(31, "ip", address)])
        t.tidy(t.path("v6-%d" % number))


@case
def ids_of_x509(t):
    """What Java's X500Principal takes (test_x509_ids.sh asks it about many more)."""
    z = t.boss
    for number, name in enumerate((
            "CN=a", "cn=a", "CN = a", " CN=a", "CN=", "C=", "CN=a;OU=b", "CN=a+OU=b", "CN=a,", "CN=a+", "CN=a,,OU=b",
            "OID.1.2.3=a", "oid.1.2=a", "1.2.3=a", "OID.1=a", "1=a", "3.2.1=x", "1.40=x", "FOO=a", "SN=x", "TITLE=x",
            "X.509=1", "C-N=a", "emailAddress=a@b", "DNQ=x", "S=x", "IP=1", "GENERATION=2", "SERIALNUMBER=1",
            "CN=#0403414243", "1.2.3=#0403414243", "CN=#zz", "CN=#0404414243", "CN=#24800401610000", "CN=a<b", "CN=a=b",
            "CN=\u00fc", "CN=a\nOU=b", "CN=a\\,b", "CN=a\\20b", "CN=a\\2b", "CN=a\\zb", "CN=\\", "CN=\"a,b\"",
            "CN=\"a\" b")):
        z.create(t.path("n%d" % number), acl=[Acl(31, "x509", name), ANYONE])
    z.get_children2(t.root)


@case
def ids_with_nul(t):
    """An identity is text, and text ends at a NUL."""
    z = t.boss
    for number, (scheme, name) in enumerate((("digest", "a\0:b"), ("digest", "a:b\0"), ("x509", "CN=a\0b"))):
        with t.differs("nul-in-ids"):
            z.create(t.path("n%d" % number), acl=[Acl(31, scheme, name), ANYONE])
        t.tidy(t.path("n%d" % number))
    for scheme, name in (("ip", "127.0.0.1\0"), ("world", "anyone\0"), ("digest\0", "a:b")):
        z.create(t.path("n"), acl=[Acl(31, scheme, name), ANYONE])
    auth_and_close(t, b"u:p\0q")
    auth_and_close(t, b"u\0:p", "nul-in-ids")


# -- requests that nobody sends ------------------------------------------------------------------------


@case
def bare_check(t):
    """A request of no type that 3.9 knows, and the end of the connection. One that succeeds must never be sent to 3.8.0:
    it dies of it."""
    a = t.session("a")
    with t.differs("bare-check", "bare-check-end"):
        a.raw(zk.CHECK, zk.check(t.path("none")).body, "check of nothing")
    a.drop()
    t.lose_count()
    t.boss.set_data(t.root, b"on")


def ask_to_reconfigure(t):
    """One node has nothing to configure, whoever asks."""
    z = t.boss
    good = zk.p_string("server.1=x") + zk.p_string(None) + zk.p_string(None) + zk.p_long(-1)
    for what, body in (("good", good), ("nulls", zk.p_string(None) * 3 + zk.p_long(-1)), ("extra bytes", good + b"xx"),
                       ("cut", good[:-1]), ("empty", b""), ("a length that cannot be", zk.p_int(-2) + good[4:])):
        z.raw(zk.RECONFIG, body, what)
        z.set_data(t.root)


@case
def reconfig(t):
    ask_to_reconfigure(t)


@case_with_ttl
def reconfig_enabled(t):
    ask_to_reconfigure(t)


@case
def sasl(t):
    """Nobody authenticates with it: a token is answered, no token ends the connection."""
    for plain in (True, False):
        a = t.session("a", plain=plain)
        for what, body in (("token", zk.p_buffer(b"abc")), ("extra bytes", zk.p_buffer(b"a") + b"zz"),
                           ("empty token", zk.p_buffer(b""))):
            a.raw(zk.SASL, body, what)
            a.set_data(t.root)
    for what, body in (("null token", zk.p_buffer(None)), ("empty", b""), ("cut length", b"\0\0\0"),
                       ("cut token", zk.p_buffer(b"abc")[:5])):
        a = t.session("a")
        a.raw(zk.SASL, body, what, closes=True)
        t.resume(a).exists(t.root)
    t.boss.set_data(t.root)


@case
def set_watches_null_path(t):
    """The paths in front of it are armed, or told."""
    w, z = t.session("w"), t.boss
    n = t.path("n")
    z.create(n)
    w.set_watches(LAST_ZXID, data=[n, None, t.path("m")])
    z.set_data(n, b"1")
    w.set_watches(LAST_ZXID, exist=[None])
    w.set_watches(LAST_ZXID, child=[None])
    w.set_watches(0, data=[n, None])
    w.exists(t.root)
    z.set_data(n, b"2")


# -- multi ---------------------------------------------------------------------------------------------


@case
def multi_flags(t):
    """Flags that are no mode, and those of a TTL in a request that has none: as the first, behind a failure, and behind
    one that is well. 3.8.0 reads flags when it comes to them; that it does not undo what came before is kept out."""
    z = t.boss
    fails = zk.check(t.path("none"))
    for op in (zk.create, zk.create2):
        for flags in (5, 6, 7, 8, -1):
            request = op(t.path("m%d-" % flags), flags=flags)
            for requests in ((request,), (request, fails)):
                with t.differs(*["multi-bad-mode"] * (flags not in (5, 6))):
                    z.multi(*requests)
                z.set_data(t.root)
            with t.differs("multi-bad-mode"):
                z.multi(fails, request)
            z.set_data(t.root)
    z.get_children2(t.root)


@case
def multi_null_ids(t):
    """An ACL with a null id is no text to judge: the whole multi is malformed, and takes its zxid."""
    z = t.boss
    for number, scheme in enumerate(("x509", "ip", "digest", "world")):
        z.multi(zk.create(t.path("a%d" % number)), zk.create(t.path("b%d" % number), acl=[Acl(31, scheme, None)]))
        z.set_data(t.root)
        z.multi(zk.create(t.path("c%d" % number), acl=[Acl(31, scheme, None)]), zk.create(t.path("d%d" % number)))
        z.set_data(t.root)
    for scheme, name in (("auth", None), (None, "x"), (None, None), ("nonsense", None)):
        z.multi(zk.create(t.path("e")), zk.create(t.path("f"), acl=[Acl(31, scheme, name)]))
        z.set_data(t.root)
    with t.differs("multi-null-acl"):
        z.multi(zk.create(t.path("g")), zk.create(t.path("h"), acl=None))
    z.get_children2(t.root)


# -- ends ----------------------------------------------------------------------------------------------


@case
def behind_close(t):
    """What stands behind closeSession in one write is not executed."""
    a, z = t.session("a"), t.boss
    a.create(t.path("e"), flags=zk.EPHEMERAL)
    z.exists(t.path("behind"), watch=True)
    a.pipeline(zk.create(t.path("before")), zk.close(), zk.create(t.path("behind")), closes=True)
    t.lose_count()
    z.exists(t.path("behind"))
    z.exists(t.path("e"))
    z.get_children2(t.root)


@case
def behind_unknown(t):
    """An unknown opcode ends the connection; 3.8.0 still executes what it has read by then."""
    a, z = t.session("a"), t.boss
    a.pipeline(zk.Request(99, b""), zk.create(t.path("behind")), closes=True)
    t.lose_count()
    with t.differs("behind-an-end"):
        z.create(t.path("behind"))


@case
def behind_failed_auth(t):
    """Who fails to prove who he is changes nothing any more."""
    z = t.boss
    for plain in (False, True):
        a = t.session("a", plain=plain)
        a.pipeline(zk.auth("nonsense", b"x"), zk.create(t.path("behind")), closes=True)
        t.lose_count()
        z.exists(t.path("behind"))
        t.resume(a).exists(t.root)


@case
def expiry(t):
    """A session that nobody comes back to ends; whoever watches what it owned is told, and it is gone for good."""
    a, w, z = t.session("a", timeout=4000), t.session("w"), t.boss
    z.create(t.path("p"))
    a.create(t.path("p", "e"), flags=zk.EPHEMERAL)
    w.exists(t.path("p", "e"), watch=True)
    w.get_children(t.path("p"), watch=True)
    z.get_data(t.path("p", "e"), watch=True)
    a.drop()
    t.wait_gone(t.path("p", "e"))
    w.get_children2(t.path("p"))
    z.create(t.path("after"))
    t.resume(a, "too late")


@case
def resume_tls_session_plain(t):
    """A certificate opened the session: without one nobody has it back."""
    a = t.session("a")
    a.create(t.path("e"), flags=zk.EPHEMERAL)
    with t.differs("takeover-identity"):
        b = t.resume(a, "plain", plain=True, watch=[a])
    a.drop()
    b.drop()
    t.boss.exists(t.path("e"))
