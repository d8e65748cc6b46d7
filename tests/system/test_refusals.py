"""Every bound that is set can be reached: who goes beyond it is told so, or waits, it is counted, and nobody else
notices. What would once have ended the server is refused too."""
import threading
import time

import pytest

import servers
import zk_wire as zk

OK, MARSHALLING, BAD_ARGUMENTS, NO_NODE = 0, -5, -8, -101
INVALID_ACL, AUTH_FAILED, QUOTA_EXCEEDED = -114, -115, -125

AUTH_ACL = (zk.Acl(zk.PERM_ALL, "auth", ""),)


@pytest.fixture(name="tight", scope="module")
def fixture_tight(tmp_path_factory, authority):
    """Where everything is small."""
    server = servers.Zoolite(tmp_path_factory.mktemp("tight"), authority, config={
        "zoolite.maxPath": 256, "zoolite.maxIdentities": 4, "zoolite.maxIdentitySize": 100,
        "zoolite.maxAcls": 10, "zoolite.maxAclEntries": 5, "zoolite.maxAclSize": 300, "zoolite.maxEphemeralSize": "64k",
        "zoolite.maxEphemerals": 20, "zoolite.maxWatches": 10})
    try:
        yield server.start()
        server.finish()
    finally:
        server.close()


@pytest.fixture(name="bystander")
def fixture_bystander(tight):
    """Whoever else is there is served before and after, on the same connection."""
    with tight.client() as client:
        yield client
        assert client.call(zk.exists("/")).err == OK
        client.close_session()


class Counted:
    """The metric rises by so many inside."""

    def __init__(self, server, name, by=1):
        self.server, self.name, self.by = server, name, by

    def __enter__(self):
        self.before = self.server.metric(self.name)

    def __exit__(self, kind, *_):
        if kind is None:
            assert self.server.metric(self.name) - self.before == self.by, self.name


def path_of(length):
    return "/" + "p" * (length - 1)


def test_paths(tight, bystander):
    client = tight.client()
    assert client.call(zk.create(path_of(256))).err == OK
    assert client.call(zk.get_data(path_of(256), watch=True)).err == OK
    assert client.call(zk.exists(path_of(255), watch=True)).err == NO_NODE
    refused = [zk.create(path_of(257)), zk.create2(path_of(257)), zk.exists(path_of(257), watch=True),
               zk.create(path_of(250), flags=zk.SEQUENTIAL), zk.create(path_of(256) + "/c"),
               zk.set_watches(1 << 60, [path_of(257)]), zk.set_watches(0, [], [path_of(257)]),
               zk.set_watches(1 << 60, [], [], ["/", path_of(257)])]
    for request in refused:
        with Counted(tight, "paths_refused"):
            assert client.call(request).err == BAD_ARGUMENTS, request
    tight.wait_log(r'event=request\.limited .*op=create reason="the path is too long"')
    # Inside a multi it is the error of that operation, and nothing is done.
    with Counted(tight, "paths_refused"):
        reply = client.call(zk.multi([zk.create("/multi"), zk.create(path_of(257))]))
    assert [result.err for result in reply.value] == [OK, BAD_ARGUMENTS]
    assert client.call(zk.exists("/multi")).err == NO_NODE
    # Without a watch nothing is kept, so that it is a question like any other.
    assert client.call(zk.exists(path_of(257))).err == NO_NODE
    assert bystander.call(zk.delete(path_of(256))).err == OK
    assert client.wait_event().path == path_of(256)
    client.close_session()


def test_size_of_an_identity(tight, bystander):
    client = tight.client()
    user = b"u" * 100
    assert client.auth("digest", user + b":password that counts for nothing").err == OK
    with Counted(tight, "identities_refused"):
        assert client.auth("digest", user + b"u:p").err == AUTH_FAILED
    assert client.link.wait_closed()
    tight.wait_log(r'event=auth\.failed peer=\S+ scheme=digest reason="identity too long"')
    assert bystander.call(zk.exists("/")).err == OK


def test_number_of_identities(tight, bystander):
    """The certificate's and the address's count; the same one again does not."""
    client = tight.client()
    for user in (b"a:p", b"b:p", b"a:p"):
        assert client.auth("digest", user).err == OK
    with Counted(tight, "identities_refused"):
        assert client.auth("digest", b"c:p").err == AUTH_FAILED
    assert client.link.wait_closed()
    tight.wait_log(r'event=auth\.failed peer=\S+ scheme=digest reason="too many identities"')
    assert bystander.call(zk.exists("/")).err == OK


def digest_acl(count, length=10):
    return [zk.Acl(zk.PERM_ALL, "digest", "%02d" % index + "u" * (length - 4) + ":y")
            for index in range(count)]


@pytest.mark.parametrize("right, wrong", [(digest_acl(5), digest_acl(6)), (digest_acl(2, 130), digest_acl(2, 140))],
                         ids=["entries", "size"])
def test_acls(tight, bystander, right, wrong):
    client = tight.client()
    assert client.call(zk.create("/acl", b"")).err == OK
    for request in (zk.set_acl("/acl", wrong), zk.create("/more", b"", wrong)):
        with Counted(tight, "acls_refused"):
            assert client.call(request).err == INVALID_ACL
    with Counted(tight, "acls_refused"):
        reply = client.call(zk.multi([zk.create("/multi"), zk.create("/more", b"", wrong)]))
    assert [result.err for result in reply.value] == [OK, INVALID_ACL]
    assert client.call(zk.set_acl("/acl", right)).err == OK
    assert bystander.call(zk.exists("/multi")).err == NO_NODE
    assert client.call(zk.delete("/acl")).err == OK
    client.close_session()


def test_number_of_acls(tight, bystander):
    """Different ones; those of persistent znodes count until they are in tree.db."""
    def acl(index):
        return (zk.Acl(zk.PERM_ALL, "world", "anyone"), zk.Acl(zk.PERM_READ, "digest", "u%d:x" % index))

    def create(index, flags=0):
        return client.call(zk.create("/acl%d" % index, b"", acl(index), flags)).err

    # Those of earlier tests go with the replay.
    servers.wait_until(lambda: tight.metric("pending_znodes") == 0, 20, "the tree to have everything")
    client = tight.client()
    refused = next(index for index in range(11) if create(index, zk.EPHEMERAL) == INVALID_ACL)
    assert refused > 5
    for request in (zk.create("/more", b"", acl(refused)), zk.set_acl("/acl0", acl(refused))):
        with Counted(tight, "acls_refused"):
            assert client.call(request).err == INVALID_ACL
    # Those that are there do no harm, nor do readers.
    assert client.call(zk.create("/more", b"", acl(0), zk.EPHEMERAL)).err == OK
    assert client.call(zk.set_acl("/acl1", acl(0))).err == OK
    assert bystander.call(zk.exists("/acl0")).err == OK
    client.close_session()
    # Far more than the limit, one after the other.
    client = tight.client()
    for index in range(30):
        servers.wait_until(lambda index=index: create(index) == OK, 20, "room for an ACL")
    assert all(reply.err == OK for reply in client.call_all([zk.delete("/acl%d" % index) for index in range(30)]))
    client.close_session()


def test_number_of_ephemerals(tight, bystander):
    client = tight.client()
    for index in range(20):
        assert client.call(zk.create("/n%d" % index, flags=zk.EPHEMERAL)).err == OK
    with Counted(tight, "ephemerals_refused"):
        assert client.call(zk.create("/n20", flags=zk.EPHEMERAL)).err == QUOTA_EXCEEDED
    with Counted(tight, "ephemerals_refused"):
        reply = client.call(zk.multi([zk.create("/n20", flags=zk.EPHEMERAL)]))
        assert [result.err for result in reply.value] == [QUOTA_EXCEEDED]
    assert bystander.call(zk.create("/n20", flags=zk.EPHEMERAL)).err == OK
    client.close_session()
    assert bystander.call(zk.delete("/n20")).err == OK


def test_size_of_ephemerals(tight, bystander):
    """Data counts at create and at setData, whoever sets it, and is given back."""
    client = tight.client()
    assert client.call(zk.create("/one", b"x" * 40000, flags=zk.EPHEMERAL)).err == OK
    assert client.call(zk.create("/two", b"", flags=zk.EPHEMERAL)).err == OK
    for request in (zk.create("/three", b"x" * 30000, flags=zk.EPHEMERAL), zk.set_data("/two", b"x" * 30000)):
        with Counted(tight, "ephemerals_refused"):
            assert client.call(request).err == QUOTA_EXCEEDED
    with Counted(tight, "ephemerals_refused"):
        assert bystander.call(zk.set_data("/two", b"x" * 30000)).err == QUOTA_EXCEEDED
    assert bystander.call(zk.create("/three", b"x" * 30000, flags=zk.EPHEMERAL)).err == OK
    assert client.call(zk.create("/lasting", b"x" * 30000)).err == OK
    assert client.call(zk.set_data("/one", b"x" * 1000)).err == OK
    assert client.call(zk.set_data("/two", b"x" * 30000)).err == OK
    assert client.call(zk.delete("/lasting")).err == OK
    client.close_session()
    assert bystander.call(zk.delete("/three")).err == OK


def test_acls_of_ephemerals_count(make_server):
    """They are the owner's too, also when they are given later."""
    server = make_server(zoolite__maxEphemeralSize="64k")
    client = server.client()
    large = [zk.Acl(zk.PERM_READ, "digest", "%02d" % index + "u" * 2000 + ":y") for index in range(20)]
    large += zk.OPEN_ACL
    assert client.call(zk.create("/one", b"", large, zk.EPHEMERAL)).err == OK
    assert client.call(zk.create("/two", b"", flags=zk.EPHEMERAL)).err == OK
    with Counted(server, "ephemerals_refused", 2):
        assert client.call(zk.create("/three", b"", large, zk.EPHEMERAL)).err == QUOTA_EXCEEDED
        assert client.call(zk.set_acl("/two", large)).err == QUOTA_EXCEEDED
    assert client.call(zk.set_acl("/one", zk.OPEN_ACL)).err == OK
    assert client.call(zk.set_acl("/two", large)).err == OK
    client.close_session()


def test_watches(tight, bystander):
    client = tight.client()
    assert client.call(zk.set_watches(1 << 60, [], ["/w%d" % index for index in range(10)])).err == OK
    with Counted(tight, "watches_refused"):
        client.submit(zk.exists("/w10", watch=True))
        assert client.link.wait_closed()
    assert bystander.call(zk.exists("/w10", watch=True)).err == NO_NODE


def test_sessions(make_server):
    """The link closes without a word, which clients take for a reason to try again; nobody else is touched."""
    server = make_server(zoolite__maxSessions=3)
    inside = [server.client() for _ in range(3)]
    with Counted(server, "sessions_refused"):
        outside = zk.Client(server.link())
        with pytest.raises(zk.Closed):
            outside.connect()
    # To come back is not to come anew.
    inside[0].abandon()
    again = zk.Client(server.link())
    reply = again.connect(session_id=inside[0].session_id, password=inside[0].password)
    assert reply.session_id == inside[0].session_id
    for client in inside[1:]:
        assert client.call(zk.exists("/")).err == OK
    again.close_session()
    late = server.client()
    assert late.call(zk.exists("/")).err == OK


def test_size_of_a_reply(make_server):
    """A list of children that is larger than a reply may be ends the connection that asks for it, and no other."""
    server = make_server(zoolite__maxReply="1m")
    client, other = server.client(), server.client()
    names = ["/l/" + "n" * 10000 + "%03d" % index for index in range(120)]
    assert client.call(zk.create("/l")).err == OK
    assert all(reply.err == OK for reply in client.call_all([zk.create(name) for name in names[:90]]))
    assert len(client.call(zk.get_children("/l")).value.names) == 90
    assert all(reply.err == OK for reply in client.call_all([zk.create(name) for name in names[90:]]))
    with Counted(server, "replies_refused"):
        client.submit(zk.get_children("/l"))
        assert client.link.wait_closed()
    assert other.call(zk.exists("/l")).value.num_children == 120


def test_size_of_an_answer_in_text(make_server):
    """It is whole, or says that it is too large."""
    server = make_server(zoolite__maxReply="1m")
    client = server.client()
    paths = ["/" + "w" * 10000 + "%03d" % index for index in range(120)]
    client.call_all([zk.exists(path, watch=True) for path in paths[:100]])
    lines = server.four_letter_word("wchp").decode().splitlines()
    assert sorted(line for line in lines if line.startswith("/")) == paths[:100]
    client.call_all([zk.exists(path, watch=True) for path in paths[100:]])
    with Counted(server, "answers_too_large"):
        assert server.four_letter_word("wchp") == b"The answer is larger than zoolite.maxReply\n"
    server.wait_log(r"event=answer\.too_large to=wchp limit=1048576")
    assert client.call(zk.exists("/")).err == OK


def test_what_is_not_replayed_yet(make_server):
    """Above the bound writers wait, and are served when the tree has caught up; readers and pings do not wait."""
    server = make_server(zoolite__maxPendingSize="1m", zoolite__replayDelay=400)
    writers, reader = [server.client(tls=index % 2 == 0) for index in range(4)], server.client()
    failures = []

    def write(index, client):
        try:
            replies = client.call_all([zk.create("/p%d-%d" % (index, n), b"x" * 100000) for n in range(15)])
            assert [reply.err for reply in replies] == [OK] * 15
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)
    threads = [threading.Thread(target=write, args=item) for item in enumerate(writers)]
    for thread in threads:
        thread.start()
    waits = []
    while any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        assert reader.ping().err == OK
        assert reader.call(zk.exists("/")).err == OK
        waits.append(time.monotonic() - began)
        time.sleep(0.02)
    assert not failures
    assert server.metric("connections_parked") >= 4
    assert reader.call(zk.exists("/")).value.num_children == 61
    # Six megabytes in steps of one, and some time between two.
    assert max(waits) < 1
    assert not server.metric("connections_failed")


# -- what once ended the server ----------------------------------------------------------------------


def test_end_of_a_session_with_long_paths(make_server):
    """Paths of nearly a megabyte are refused; the end of a session with as much as it may hold is no trouble."""
    server = make_server(jute__maxbuffer=2 << 20)
    client, other = server.client(), server.client()
    with Counted(server, "paths_refused", 3):
        for index in range(3):
            assert client.call(zk.create("/%03d" % index + "x" * 940000, flags=zk.EPHEMERAL)).err == BAD_ARGUMENTS
    count = 0
    while True:
        err = client.call(zk.create("/%04d" % count + "x" * 16000, b"x" * 16000, flags=zk.EPHEMERAL)).err
        if err != OK:
            break
        count += 1
    assert err == QUOTA_EXCEEDED
    assert 400 < count < 530
    assert other.call(zk.exists("/")).value.num_children == count + 1
    client.close_session()
    assert other.call(zk.exists("/")).value.num_children == 1


def test_large_identity_in_many_acls(make_server):
    """A multi of 20 KB whose ACLs would be hundreds of megabytes."""
    server = make_server()
    client, other = server.client(), server.client()
    long = server.client(timeout=4000)
    assert long.auth("digest", b"u" * 900000 + b":p").err == AUTH_FAILED
    for index in range(14):
        assert client.auth("digest", b"%02d" % index + b"u" * 4000 + b":p").err == OK
    # What is allowed, in a multi that is too large for one record.
    names = ["/n%d" % index for index in range(1500)]
    reply = client.call(zk.multi([zk.create(name, b"", AUTH_ACL) for name in names]))
    assert reply.err == MARSHALLING
    server.wait_log(r"event=change\.too_large .*op=multi")
    assert other.call(zk.exists("/")).value.num_children == 1
    reply = client.call(zk.multi([zk.create(name, b"", AUTH_ACL) for name in names[:100]]))
    assert [result.err for result in reply.value] == [OK] * 100
    assert other.call(zk.exists("/")).value.num_children == 101


@pytest.mark.parametrize("kind", ["data", "exist", "child"])
def test_set_watches_on_a_path_of_megabytes(make_server, kind):
    """Whether the watch would be armed or an event be due."""
    server = make_server(jute__maxbuffer=16 << 20)
    client, other = server.client(), server.client()
    for since in (0, 1 << 60):
        with Counted(server, "paths_refused"):
            request = zk.set_watches(since, **{kind: ["/" + "x" * 5000000]})
            assert client.call(request).err == BAD_ARGUMENTS
    assert other.call(zk.exists("/")).err == OK
    assert not client.events
    client.close_session()
