"""Who may do what in which directory, and what one learns of the others: the sample of a policy as it is installed,
against tables; then what files say that are made for one question."""
import base64
import hashlib
import http.client
import json
import os
import re
import subprocess

import pytest

import certs
import servers
import zk_wire as zk

SAMPLE = os.path.join(servers.REPOSITORY, "src", "app", "policy.sample")

# Who the sample knows, by certificate; the last one has no role.
SUBJECTS = {
    "admin": "/O=Example/OU=administrators",
    "operator": "/O=Example/OU=operators",
    "provider": "/O=Example/L=dc1/OU=provider/CN=web",
    "consumer": "/O=Example/L=dc1/OU=consumer/CN=shop",
    "nobody": "/O=Example/OU=visitors",
}
ROLES = list(SUBJECTS)

# Made by an administrator before the tables are gone through, with ACLs that nobody can use.
TREE = ["/other", "/other/x", "/services", "/services/dc1", "/services/dc1/db", "/services/dc1/db/i-1",
        "/services/dc1/web", "/services/dc1/web/i-1", "/services/dc2", "/services/dc2/web"]
UNUSABLE = (zk.Acl(zk.PERM_ALL, "digest", "nobody:x"),)

# What every operation of a kind answers to each role; "create" and "delete" are of the znode at this path.
MATRIX = """
                                    admin       operator  provider    consumer  nobody
read    /                           ok          ok        ok          ok        NoAuth
read    /zookeeper                  ok          ok        ok          ok        NoAuth
read    /zookeeper/config           ok          ok        ok          ok        NoAuth
read    /zookeeper/quota            ok          ok        NoAuth      NoAuth    NoAuth
read    /services                   ok          ok        ok          ok        NoAuth
read    /services/dc1               ok          ok        ok          ok        NoAuth
read    /services/dc1/web           ok          ok        ok          ok        NoAuth
read    /services/dc1/web/i-1       ok          ok        ok          ok        NoAuth
read    /services/dc1/web/absent    NoNode      NoNode    NoNode      NoNode    NoAuth
read    /services/dc1/db            ok          ok        NoAuth      ok        NoAuth
read    /services/dc1/db/i-1        ok          ok        NoAuth      ok        NoAuth
read    /services/dc1/absent        NoNode      NoNode    NoAuth      NoNode    NoAuth
read    /services/dc2               ok          ok        NoAuth      NoAuth    NoAuth
read    /services/dc2/web           ok          ok        NoAuth      NoAuth    NoAuth
read    /services/absent            NoNode      NoNode    NoAuth      NoAuth    NoAuth
read    /other                      ok          ok        NoAuth      NoAuth    NoAuth
read    /absent                     NoNode      NoNode    NoAuth      NoAuth    NoAuth

write   /                           ok          NoAuth    NoAuth      NoAuth    NoAuth
write   /services/dc1/web           ok          NoAuth    NoAuth      NoAuth    NoAuth
write   /services/dc1/web/i-1       ok          NoAuth    ok          NoAuth    NoAuth
write   /services/dc1/web/absent    NoNode      NoAuth    NoNode      NoAuth    NoAuth
write   /services/dc1/db/i-1        ok          NoAuth    NoAuth      NoAuth    NoAuth
write   /services/dc2/web           ok          NoAuth    NoAuth      NoAuth    NoAuth
write   /other                      ok          NoAuth    NoAuth      NoAuth    NoAuth
write   /absent                     NoNode      NoAuth    NoAuth      NoAuth    NoAuth

create  /new                        ok          NoAuth    NoAuth      NoAuth    NoAuth
create  /services/new               ok          NoAuth    NoAuth      NoAuth    NoAuth
create  /services/dc1/new           ok          NoAuth    NoAuth      NoAuth    NoAuth
create  /services/dc1/web           NodeExists  NoAuth    NoAuth      NoAuth    NoAuth
create  /services/dc1/web/new       ok          NoAuth    ok          NoAuth    NoAuth
create  /services/dc1/web/i-1       NodeExists  NoAuth    NodeExists  NoAuth    NoAuth
create  /services/dc1/web/i-1/new   ok          NoAuth    ok          NoAuth    NoAuth
create  /services/dc1/web/no/new    NoNode      NoAuth    NoNode      NoAuth    NoAuth
create  /services/dc1/db/new        ok          NoAuth    NoAuth      NoAuth    NoAuth
create  /services/dc2/web/new       ok          NoAuth    NoAuth      NoAuth    NoAuth
create  /other/new                  ok          NoAuth    NoAuth      NoAuth    NoAuth
create  /no/new                     NoNode      NoAuth    NoAuth      NoAuth    NoAuth

delete  /other/x                    ok          NoAuth    NoAuth      NoAuth    NoAuth
delete  /services/dc1/web           NotEmpty    NoAuth    NoAuth      NoAuth    NoAuth
delete  /services/dc1/web/i-1       ok          NoAuth    ok          NoAuth    NoAuth
delete  /services/dc1/web/absent    NoNode      NoAuth    NoNode      NoAuth    NoAuth
delete  /services/dc1/db/i-1        ok          NoAuth    NoAuth      NoAuth    NoAuth
delete  /services/dc2/web           ok          NoAuth    NoAuth      NoAuth    NoAuth
delete  /absent                     NoNode      NoAuth    NoAuth      NoAuth    NoAuth

setACL  /services/dc1/web           ok          NoAuth    NoAuth      NoAuth    NoAuth
setACL  /services/dc1/web/i-1       ok          NoAuth    NoAuth      NoAuth    NoAuth
setACL  /services/dc1/web/absent    NoNode      NoAuth    NoAuth      NoAuth    NoAuth
setACL  /services/dc2/web           ok          NoAuth    NoAuth      NoAuth    NoAuth
setACL  /absent                     NoNode      NoAuth    NoAuth      NoAuth    NoAuth

sync    /services/dc2/web           ok          ok        ok          ok        ok
sync    /absent                     ok          ok        ok          ok        ok
watch   /services/dc2/web           ok          ok        ok          ok        ok
watch   /absent                     ok          ok        ok          ok        ok

count   /                           ok          ok        ok          ok        NoAuth
count   /services                   ok          ok        ok          ok        NoAuth
count   /services/dc1               ok          ok        ok          ok        NoAuth
count   /services/dc1/web           ok          ok        ok          ok        NoAuth
count   /services/dc2               ok          ok        NoAuth      NoAuth    NoAuth
count   /services/absent            NoNode      NoNode    NoAuth      NoAuth    NoAuth
"""

# Names in a list, and so many numChildren in every Stat; "-": the list is refused.
LISTS = """
                    admin                     operator                  provider            consumer            nobody
/                   other,services,zookeeper  other,services,zookeeper  services,zookeeper  services,zookeeper  -
/zookeeper          config,quota              config,quota              config              config              -
/services           dc1,dc2                   dc1,dc2                   dc1                 dc1                 -
/services/dc1       db,web                    db,web                    web                 db,web              -
/services/dc1/web   i-1                       i-1                       i-1                 i-1                 -
/services/dc1/db    i-1                       i-1                       -                   i-1                 -
/services/dc2       web                       web                       -                   -                   -
/other              x                         x                         -                   -                   -
"""

# Who is told of a znode that is created, written to and deleted here.
EVENTS = """
                        admin  operator  provider  consumer  nobody
/new                    yes    yes       no        no        no
/services/new           yes    yes       no        no        no
/services/dc1/new       yes    yes       no        yes       no
/services/dc1/db/new    yes    yes       no        yes       no
/services/dc1/web/new   yes    yes       yes       yes       no
/services/dc2/web/new   yes    yes       no        no        no
"""


def read_table(text):
    """Rows as (words before the cells, {role: cell})."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert lines[0] == ROLES
    return [(line[:-len(ROLES)], dict(zip(ROLES, line[-len(ROLES):]))) for line in lines[1:]]


def add_certificates(authority):
    for name, subject in SUBJECTS.items():
        if not os.path.exists(authority.both(name)):
            authority.issue(name, subject, extensions=certs.CLIENT_EXT)


def write_policy(server, text):
    path = os.path.join(server.directory, "policy")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)
    server.config["zoolite.policyFile"] = path


@pytest.fixture(name="make_policed")
def fixture_make_policed(make_server, authority):
    """A server with this policy; super users come with the certificate "second"."""
    add_certificates(authority)

    def make(text, **config):
        server = make_server.new(X509AuthenticationProvider__superUser=authority.identity("second"), **config)
        write_policy(server, text)
        return server.start()
    return make


@pytest.fixture(name="site", scope="module")
def fixture_site(tmp_path_factory, authority):
    """A server with the sample, and a client of every role."""
    add_certificates(authority)
    server = servers.Zoolite(tmp_path_factory.mktemp("site"), authority, config={
        "extendedTypesEnabled": "true", "admin.enableServer": "true", "admin.serverPort": servers.free_ports(1)[0]})
    with open(SAMPLE, encoding="utf-8") as file:
        write_policy(server, file.read())
    try:
        server.start()
        clients = {role: server.client(role) for role in ROLES}
        for path in TREE:
            assert clients["admin"].call(zk.create(path, acl=zk.OPEN_ACL)).err == 0
        for path in TREE:
            if path.startswith("/services"):
                assert clients["admin"].call(zk.set_acl(path, UNUSABLE)).err == 0
        yield server, clients
        server.finish()
    finally:
        server.close()


def part(reply):
    """The error of the only part of a multi or multiRead."""
    return reply.value[0].err if reply.err == 0 else reply.err


def plain(reply):
    return reply.err


def in_multi(request):
    return zk.multi([request]), part


def operations(kind, path):
    """Every request of a kind, with what takes its error from the reply."""
    if kind == "read":
        single = [zk.exists(path), zk.get_data(path), zk.get_children(path), zk.get_children2(path), zk.get_acl(path),
                  zk.exists(path, watch=True), zk.get_data(path, watch=True), zk.get_children(path, watch=True)]
        parts = [(zk.multi_read([zk.get_data(path)]), part), (zk.multi_read([zk.get_children(path)]), part),
                 in_multi(zk.check(path))]
        return [(request, plain) for request in single] + parts
    if kind == "write":
        return [(zk.set_data(path, b"x"), plain), in_multi(zk.set_data(path, b"x"))]
    if kind == "create":
        ways = [zk.create(path), zk.create2(path), zk.create(path, flags=zk.EPHEMERAL), zk.create_container(path),
                zk.create_ttl(path)]
        return [(request, plain) for request in ways] + [in_multi(zk.create(path)), in_multi(zk.create2(path))]
    if kind == "delete":
        return [(zk.delete(path), plain), in_multi(zk.delete(path))]
    if kind == "setACL":
        return [(zk.set_acl(path, UNUSABLE if path.startswith("/services") else zk.OPEN_ACL), plain)]
    if kind == "sync":
        return [(zk.sync(path), plain)]
    if kind == "watch":
        return [(request, plain) for request in (
            zk.add_watch(path, zk.PERSISTENT), zk.add_watch(path, zk.PERSISTENT_RECURSIVE), zk.check_watches(path),
            zk.set_watches2(1 << 62, persistent=[path], recursive=[path]), zk.remove_watches(path))]
    return [(zk.get_all_children_number(path), plain)]


def mend(admin, kind, path):
    """What an operation that was done has changed is undone."""
    if kind == "create":
        assert admin.call(zk.delete(path)).err == 0
    elif kind == "delete":
        assert admin.call(zk.create(path)).err == 0


@pytest.mark.parametrize("role", ROLES)
def test_every_operation(site, role):
    _, clients = site
    client, wrong, done = clients[role], [], 0
    for (kind, path), cells in read_table(MATRIX):
        for request, error_of in operations(kind, path):
            error = error_of(client.call(request))
            name = "ok" if error == 0 else zk.ERR_NAMES[error]
            if name != cells[role]:
                wrong.append("%s (%s) %s: %s, not %s" % (kind, zk.OP_NAMES[request.op], path, name, cells[role]))
            if error == 0:
                mend(clients["admin"], kind, path)
            done += 1
    assert not wrong, "\n".join(wrong)
    assert done > 300


@pytest.mark.parametrize("role", ROLES)
def test_lists(site, role):
    _, clients = site
    client = clients[role]
    for (path,), cells in read_table(LISTS):
        replies = client.call_all([zk.get_children(path), zk.get_children2(path), zk.exists(path), zk.get_data(path),
                                   zk.get_acl(path), zk.multi_read([zk.get_children(path)])])
        if cells[role] == "-":
            assert [reply.err for reply in replies[:5]] == [-102] * 5
            continue
        names = cells[role].split(",")
        assert sorted(replies[0].value.names) == sorted(replies[1].value.names) == names, path
        assert sorted(replies[5].value[0].value.names) == names
        stats = [replies[1].value.stat, replies[2].value, replies[3].value.stat, replies[4].value.stat]
        assert [stat.num_children for stat in stats] == [len(names)] * 4, path


@pytest.mark.parametrize("role", ROLES)
def test_counts(site, role):
    """So many are below a path as exist for the role."""
    _, clients = site
    client = clients[role]
    everything = TREE + ["/zookeeper", "/zookeeper/config", "/zookeeper/quota"]
    seen = [path for path in everything if client.call(zk.exists(path)).err == 0]
    for path in ["/"] + everything:
        count = client.call(zk.get_all_children_number(path))
        if path in seen or (path == "/" and seen):
            assert count.value == len([z for z in seen if z.startswith(path.rstrip("/") + "/")]), path
        else:
            assert count.err == -102


def test_count_of_many(make_policed):
    """Others are served while it goes on; pings of the one who asks, too."""
    server = make_policed("role all anyone\nallow all all /\ndeny all read /many/*/secret\n")
    boss, client, other = server.client("second"), server.client("nobody"), server.client("nobody")
    assert boss.call(zk.create("/many")).err == 0
    for block in range(40):
        paths = ["/many/%d" % i for i in range(block * 100, block * 100 + 100)]
        assert boss.call(zk.multi([zk.create(p) for path in paths for p in (path, path + "/secret")])).err == 0
    first = client.submit(zk.get_all_children_number("/many"))
    second = client.submit(zk.exists("/many"))
    assert other.call(zk.get_all_children_number("/many")).value == 4000
    assert other.call(zk.get_all_children_number("/many/7")).value == 0
    assert client.wait(first).value == 4000
    assert client.wait(second).err == 0
    assert boss.call(zk.get_all_children_number("/many")).value == 8000


def test_stats_of_writes_count_what_is_seen(site):
    """setData, setACL and a multi with one answer with a Stat, too."""
    server, clients = site
    admin = clients["admin"]
    assert admin.call(zk.set_data("/services/dc1", b"")).value.num_children == 2
    assert admin.call(zk.set_acl("/services/dc1", UNUSABLE)).value.num_children == 2
    with open(SAMPLE, encoding="utf-8") as file:
        sample = file.read()
    since = server.log_size()
    write_policy(server, sample + "allow provider write,admin /services/dc1\n")
    server.hangup()
    server.wait_log(r"event=policy\.loaded", since)
    provider = clients["provider"]
    assert provider.call(zk.set_data("/services/dc1", b"")).value.num_children == 1
    assert provider.call(zk.multi([zk.set_data("/services/dc1", b"")])).value[0].value.num_children == 1
    assert provider.call(zk.set_acl("/services/dc1", UNUSABLE)).value.num_children == 1
    since = server.log_size()
    write_policy(server, sample)
    server.hangup()
    server.wait_log(r"event=policy\.loaded", since)


def watching(server, role, path):
    """A client with every watch that tells of what becomes of path, as far as it gets them."""
    client = server.client(role)
    assert client.call(zk.add_watch("/", zk.PERSISTENT_RECURSIVE)).err == 0
    assert client.call(zk.add_watch(path, zk.PERSISTENT)).err == 0
    client.call(zk.exists(path, watch=True))
    return client


def sync_events(client):
    assert client.call(zk.sync("/")).err == 0
    events, client.events = client.events, []
    return [(zk.EVENT_NAMES[event.type], event.path) for event in events]


@pytest.mark.parametrize("row", read_table(EVENTS), ids=lambda row: row[0][0])
def test_events(site, row):
    server, clients = site
    (path,), cells = row
    watchers = {role: watching(server, role, path) for role in ROLES}
    admin = clients["admin"]
    assert [reply.err for reply in admin.call_all([zk.create(path), zk.set_data(path, b"2"), zk.delete(path)])] == [0] * 3
    told = [("NodeCreated", path), ("NodeDataChanged", path), ("NodeDeleted", path)]
    for role, client in watchers.items():
        assert sync_events(client) == (told if cells[role] == "yes" else []), role
        # Watches are one's own: that they are there tells nothing of the znode.
        assert client.call(zk.check_watches("/", zk.WATCHES_ANY)).err == 0
        assert client.call(zk.remove_watches(path, zk.WATCHES_ANY)).err == 0
        assert client.call(zk.check_watches(path, zk.WATCHES_ANY)).err == -121
        client.close_session()


@pytest.mark.parametrize("role", ROLES)
def test_set_watches_tells_nothing_else(site, role):
    """What is due at once after a reconnect: for what is there and what is not, only where one may read."""
    _, clients = site
    client = clients[role]
    paths = ["/services/dc1/web/i-1", "/services/dc1/web/absent", "/services/dc1/db/i-1", "/services/dc2/web",
             "/services/dc2/absent", "/other/x", "/absent"]
    sees = {row[0][1]: row[1][role] for row in read_table(MATRIX) if row[0][0] == "read"}
    sees["/other/x"], sees["/services/dc2/absent"] = sees["/other"], sees["/services/absent"]
    sync_events(client)
    assert client.call(zk.set_watches2(0, data=paths, exist=paths, child=paths)).err == 0
    expected = []
    for path in paths:
        if sees[path] == "ok":
            expected += [("NodeDataChanged", path), ("NodeCreated", path), ("NodeChildrenChanged", path)]
        elif sees[path] == "NoNode":
            expected += [("NodeDeleted", path)] * 2
    got = sync_events(client)
    # Who reads a directory without children has no change of these.
    assert sorted(got) == sorted(expected)
    for path in paths:
        client.call(zk.remove_watches(path, zk.WATCHES_ANY))


@pytest.mark.parametrize("role", ["provider", "consumer", "nobody"])
def test_watches_stay_where_nothing_is_told(site, role):
    """setWatches arms without asking: a watch that were used up by what one may not see would tell of it."""
    _, clients = site
    admin, client = clients["admin"], clients[role]
    path, above = "/services/dc2/web/hidden", "/services/dc2/web"
    assert client.call(zk.set_watches(0, exist=[path], child=[above])).err == 0
    assert [r.err for r in admin.call_all([zk.create(path), zk.set_data(path, b"2"), zk.delete(path)])] == [0] * 3
    assert sync_events(client) == []
    assert client.call(zk.remove_watches(path, zk.WATCHES_DATA)).err == 0
    assert client.call(zk.remove_watches(above, zk.WATCHES_CHILDREN)).err == 0


def test_what_is_still_told(site, make_policed):
    """That something in a directory one reads has changed, and how much there is in what one may delete."""
    _, clients = site
    consumer, admin = clients["consumer"], clients["admin"]
    before = consumer.call(zk.get_children2("/services", watch=True)).value.stat
    sync_events(consumer)
    assert admin.call(zk.create("/services/new")).err == 0
    assert sync_events(consumer) == [("NodeChildrenChanged", "/services")]
    after = consumer.call(zk.get_children2("/services")).value
    assert after.names == ["dc1"]
    assert after.stat.num_children == before.num_children == 1
    assert (after.stat.cversion, after.stat.pzxid) > (before.cversion, before.pzxid)
    assert admin.call(zk.delete("/services/new")).err == 0
    server = make_policed("role all anyone\nallow all all /a only\nallow all write,delete,create /a/b\n")
    client, boss = server.client("nobody"), server.client("second")
    assert [boss.call(zk.create(path)).err for path in ("/a", "/a/b", "/a/b/c")] == [0] * 3
    assert client.call(zk.get_children2("/a")).value == zk.Children([], boss.call(zk.exists("/a")).value._replace(
        num_children=0))
    assert client.call(zk.delete("/a/b")).err == -111
    assert client.call(zk.set_data("/a/b", b"", version=7)).err == -103
    assert client.call(zk.set_data("/a/b", b"")).value.num_children == 0
    assert client.call(zk.set_data("/a/b/d", b"")).err == -102
    assert [client.call(zk.delete(path)).err for path in ("/a/b/d", "/a/b/d/e")] == [-102, -102]


def test_names_in_uris(make_policed, authority):
    for name, uri in (("uri-provider", "room/dc1/provider/web"), ("uri-consumer", "room/dc1/consumer/shop"),
                      ("uri-up", "room/../consumer/shop"), ("uri-empty", "room//consumer/shop")):
        authority.issue(name, "/", extensions=certs.CLIENT_EXT +
                        "subjectAltName=critical,URI:spiffe://example.org/%s\n" % uri)
    with open(SAMPLE, encoding="utf-8") as file:
        server = make_policed(file.read(), zoolite__identity="uri,dn")
    admin = server.client("admin")
    for path in ("/services", "/services/dc1", "/services/dc1/web", "/services/dc1/db", "/services/dc2"):
        assert admin.call(zk.create(path)).err == 0
    provider, consumer = server.client("uri-provider"), server.client("uri-consumer")
    assert [provider.call(zk.create(path)).err for path in (
        "/services/dc1/web/1", "/services/dc1/db/1", "/services/dc2/web")] == [0, -102, -102]
    assert consumer.call(zk.get_children("/services")).value.names == ["dc1"]
    assert sorted(consumer.call(zk.get_children("/services/dc1")).value.names) == ["db", "web"]
    for name in ("uri-up", "uri-empty"):
        assert server.client(name).call(zk.get_children("/services")).err == -102


def test_ephemerals_are_those_that_one_reads(make_policed):
    server = make_policed("role all anyone\nallow all create /\nallow all read /seen\n")
    client = server.client("nobody")
    # A parent that may be created in, but not read; the root, too.
    made = client.call(zk.create("/n-", flags=zk.EPHEMERAL | zk.SEQUENTIAL))
    assert (made.err, made.value.path) == (0, "/n-0000000000")
    assert client.call(zk.create("/seen")).err == 0
    assert client.call(zk.create("/seen/e", flags=zk.EPHEMERAL)).err == 0
    assert client.call(zk.create2("/hidden")).value.stat.num_children == 0
    assert client.call(zk.get_ephemerals("/")).value == ["/seen/e"]
    assert client.call(zk.get_ephemerals("/n")).value == []
    # What is there and what is not look alike, but where one may read.
    assert [client.call(zk.create(path)).err for path in ("/hidden", "/absent/x", "/seen", "/seen/e/x", "/seen/a/x")] == [
        -102, -102, -110, -108, -101]
    # Below an ephemeral one that is hidden it is as below one that is absent.
    assert client.call(zk.create("/e", flags=zk.EPHEMERAL)).err == 0
    assert [client.call(zk.create(path)).err for path in ("/e/x", "/absent/x")] == [-102, -102]


def test_acl_in_addition_or_not(make_policed):
    server = make_policed("role all anyone\nallow all all /\nacl off /free\nacl on /free/own\n")
    client = server.client("nobody")
    mine = (zk.Acl(zk.PERM_ALL, "digest", "nobody:x"),)
    for path in ("/own", "/free", "/free/x", "/free/own", "/free/own/x"):
        assert client.call(zk.create(path, acl=zk.OPEN_ACL)).err == 0
    for path in ("/free/own/x", "/free/own", "/free/x", "/free", "/own"):
        assert client.call(zk.set_acl(path, mine)).err == 0
    assert client.call(zk.get_data("/own")).err == -102
    assert client.call(zk.create("/own/x")).err == -102
    assert client.call(zk.get_data("/free")).err == 0
    assert client.call(zk.create("/free/y")).err == 0
    assert client.call(zk.delete("/free/y")).err == 0
    # Its hash is for those who may change it.
    assert client.call(zk.get_acl("/free")).value.acls == list(mine)
    assert client.call(zk.get_data("/free/own")).err == -102
    # The path of what is deleted counts, and its parent's ACL.
    assert client.call(zk.delete("/free/own/x")).err == -102
    # Neither policy nor ACL bind a super user.
    boss = server.client("second")
    assert [boss.call(request).err for request in (zk.get_data("/own"), zk.delete("/free/own/x"), zk.create("/z"))] == [0] * 3


def test_policy_and_acl_both_must_allow(make_policed):
    server = make_policed("role all anyone\nallow all read,create /\n")
    client, boss = server.client("nobody"), server.client("second")
    assert client.call(zk.create("/a")).err == 0
    assert client.call(zk.set_data("/a", b"")).err == -102
    assert boss.call(zk.set_acl("/a", (zk.Acl(zk.PERM_READ, "world", "anyone"),))).err == 0
    assert client.call(zk.get_data("/a")).err == 0
    assert client.call(zk.create("/a/x")).err == -102
    # The ACL lets everybody see its hashes, the policy does not.
    assert boss.call(zk.set_acl("/a", zk.OPEN_ACL + (zk.Acl(zk.PERM_READ, "digest", "carol:secret"),))).err == 0
    assert client.call(zk.get_acl("/a")).value.acls[1].id == "carol:x"
    assert boss.call(zk.get_acl("/a")).value.acls[1].id == "carol:secret"


def test_sequential_names_are_judged_as_they_will_be(make_policed):
    server = make_policed("role all anyone\nallow all create /q/*\ndeny all create /q/n-0000000001\n")
    client = server.client("nobody")
    assert server.client("second").call(zk.create("/q")).err == 0
    number = zk.create("/q/n-", flags=zk.SEQUENTIAL)
    assert client.call(number).value.path == "/q/n-0000000000"
    assert client.call(number).err == -102
    assert client.call(zk.create("/q/m-", flags=zk.SEQUENTIAL)).value.path == "/q/m-0000000001"
    assert client.call(number).value.path == "/q/n-0000000002"


CLOSED = "role someone x509:CN=nobody\nallow someone read /\n"
OPEN = "role all anyone\nallow all read,create /\n"


def reload(server, expected):
    since = server.log_size()
    server.hangup()
    server.wait_log(expected, since)


def test_reload(make_policed):
    server = make_policed(CLOSED)
    client = server.client("nobody")
    assert client.call(zk.add_watch("/", zk.PERSISTENT_RECURSIVE)).err == 0
    boss = server.client("second")
    assert client.call(zk.get_data("/")).err == -102
    assert boss.call(zk.create("/1")).err == 0
    write_policy(server, OPEN)
    reload(server, r"event=policy\.loaded .*roles=1 rules=2")
    assert client.call(zk.get_data("/")).err == 0
    assert boss.call(zk.create("/2")).err == 0
    # One with an error changes nothing.
    write_policy(server, CLOSED + "allow someone reed /\n")
    reload(server, r"event=reload\.refused line=\d+ property=zoolite\.policyFile reason=.*policy:3: reed: rights are ")
    assert server.metric("policy_errors") == 1
    assert client.call(zk.get_data("/")).err == 0
    assert boss.call(zk.create("/3")).err == 0
    write_policy(server, CLOSED)
    reload(server, r"event=policy\.loaded")
    assert client.call(zk.get_data("/")).err == -102
    assert boss.call(zk.create("/4")).err == 0
    assert sync_events(client) == [("NodeCreated", "/2"), ("NodeCreated", "/3")]
    assert server.metric("policy_loaded") == 3
    assert server.metric("events_withheld") == 2
    # Nobody takes it away by leaving a line out.
    server.config["zoolite.policyFile"] = None
    server.write_config()
    reload(server, r"event=policy\.kept")
    assert client.call(zk.get_data("/")).err == -102
    server.restart()
    assert server.client("nobody").call(zk.get_data("/")).err == 0


def test_file_that_changes_is_read(make_policed):
    server = make_policed(CLOSED, zoolite__reloadInterval="50ms")
    client = server.client("nobody")
    assert client.call(zk.get_data("/")).err == -102
    since = server.log_size()
    write_policy(server, OPEN)
    server.wait_log(r"event=policy\.loaded .*rules=2", since)
    assert re.search(r"event=reload\.noticed file=\S+/policy\n", server.log()[since:])
    assert client.call(zk.get_data("/")).err == 0
    since = server.log_size()
    write_policy(server, "allow nobody read /\n")
    server.wait_log(r"event=reload\.refused property=zoolite\.policyFile reason=.*no line before says who", since)
    assert client.call(zk.get_data("/")).err == 0

    def told():
        rows = [json.loads(line) for line in run(server, "--export-audit").stdout.splitlines()]
        results = [row.get("result") for row in rows if row["kind"] == "reload"]
        return len(results) == 2 and results[0] is None and "no line before says who" in results[1]
    servers.wait_until(told, 10, "both reloads on the audit trail")


def test_file_that_is_being_written_is_left_alone(make_policed):
    """What is there of it so far allows more than the whole."""
    server = make_policed(CLOSED, zoolite__reloadInterval="500ms")
    client = server.client("nobody")
    since = server.log_size()
    write_policy(server, OPEN)
    while server.log()[since:].count("event=reload.settling") < 2:
        assert "event=policy.loaded" not in server.log()[since:]
        os.utime(server.config["zoolite.policyFile"])
    write_policy(server, OPEN + "deny all read /\n")
    server.wait_log(r"event=policy\.loaded .*rules=3", since)
    assert server.log()[since:].count("event=policy.loaded") == 1
    assert client.call(zk.get_data("/")).err == -102
    # What is written for ever is taken none the less.
    since = server.log_size()
    write_policy(server, OPEN)
    while "event=policy.loaded" not in server.log()[since:]:
        os.utime(server.config["zoolite.policyFile"])
    assert client.call(zk.get_data("/")).err == 0


def test_a_good_one_beside_a_bad_certificate(make_policed):
    """Each is taken, or not, by itself."""
    server = make_policed(CLOSED)
    client = server.client("nobody")
    server.config["ssl.keyStore.location"] = os.path.join(server.directory, "none.pem")
    server.write_config()
    write_policy(server, OPEN)
    reload(server, r"event=reload\.refused .*property=ssl\.keyStore\.location")
    assert client.call(zk.get_data("/")).err == 0


def test_reload_brings_the_first_one(make_server, authority):
    add_certificates(authority)
    server = make_server()
    client = server.client("nobody")
    assert client.call(zk.get_data("/")).err == 0
    write_policy(server, CLOSED)
    server.write_config()
    reload(server, r"event=policy\.loaded")
    assert client.call(zk.get_data("/")).err == -102


def test_refusals_are_told(make_policed):
    server = make_policed(OPEN)
    client = server.client("nobody")
    before = server.metric("policy_refused")
    assert client.call(zk.set_data("/x\ny", b"")).err == -8
    assert client.call(zk.set_data("/", b"")).err == -102
    assert client.call(zk.multi([zk.delete("/a b")])).value[0].err == -102
    assert server.metric("policy_refused") == before + 2
    server.wait_log(r'event=policy\.refused peer=127\.0\.0\.1:\d+ subject="?OU=visitors,O=Example"? op=setData right=write path=/ ')
    server.wait_log(r'event=policy\.refused .*op=multi right=delete path="/a b"')


def test_users_prove_their_names(make_policed):
    """Anybody may say "carol": the hash is in the policy. An identity that is added counts from then on; who guesses
    is refused, and the connection ends."""
    login = b"carol:pass"
    digest = base64.b64encode(hashlib.sha1(login).digest()).decode()
    server = make_policed("role carol digest:carol:%s\nallow carol read /\n" % digest)
    client = server.client("nobody")
    assert client.call(zk.get_data("/")).err == -102
    assert client.auth("digest", login).err == 0
    assert client.call(zk.get_data("/")).err == 0
    guessing = server.client("nobody")
    assert guessing.auth("digest", b"carol:guess").err == -115
    assert guessing.link.wait_closed(10)


def test_too_many_roles(make_policed):
    server = make_policed("role r network:127.0.0.1\nrole s anyone\nrole t dn:O=Example\nallow r,s,t read /\n",
                          zoolite__maxRoles=2)
    assert server.client(tls=False).call(zk.get_data("/")).err == 0
    assert server.client("nobody").call(zk.get_data("/")).err == -102
    server.wait_log(r"event=policy\.too_many_roles scheme=x509 id=\"?OU=visitors,O=Example")
    assert server.metric("policy_roles_refused") == 1


def ask(server, word, role):
    link = zk.Link(("127.0.0.1", server.port), None) if role is None else server.link(role)
    with link:
        link.send(word.encode())
        return link.read_to_end().decode()


@pytest.mark.parametrize("word", ["cons", "dump", "stat", "wchc", "wchp"])
def test_words_that_name_things(site, word):
    server, clients = site
    clients["admin"].call(zk.exists("/services/dc2/web", watch=True))
    refused = "%s is not executed because the policy does not let you read everything.\n" % word
    for role in ROLES + [None]:
        answer = ask(server, word, role)
        assert (answer == refused) == (role not in ("admin", "operator")), (role, answer)
    assert "Mode: standalone" in ask(server, "srvr", "nobody")


def fetch(server, command):
    connection = http.client.HTTPConnection("127.0.0.1", server.config["admin.serverPort"], timeout=15)
    connection.request("GET", "/commands/" + command, headers={"Connection": "close"})
    return connection.getresponse()


@pytest.mark.parametrize("command", ["connections", "dump", "stats", "watches", "watches_by_path", "wchp"])
def test_http_names_nothing(site, command):
    """There is no identity but the address."""
    server, _ = site
    answer = fetch(server, command)
    assert answer.status == 403
    assert b"dc1" not in answer.read()


def test_this_machine_may_have_a_role(make_policed):
    server = make_policed("role local network:127.0.0.1\nallow local read /\n", admin__enableServer="true",
                          admin__serverPort=servers.free_ports(1)[0])
    assert "not executed" not in ask(server, "wchp", None)
    assert fetch(server, "watches").status == 200


@pytest.mark.parametrize("rule", ["deny local read /x only", "deny other read /x", "allow local none /x/y"])
def test_words_are_not_for_who_may_not_read_all(make_policed, rule):
    server = make_policed("role local network:127.0.0.1\nrole other anyone\nallow local read /\n%s\n" % rule,
                          admin__enableServer="true", admin__serverPort=servers.free_ports(1)[0])
    assert "not executed" in ask(server, "wchp", None)
    assert fetch(server, "watches").status == 403


def run(server, *arguments):
    return subprocess.run([server.binary, *arguments, server.config_path], capture_output=True, text=True, check=False)


def test_files_with_an_error(tmp_path, authority):
    server = servers.Zoolite(tmp_path, authority)
    write_policy(server, "role a anyone\nallow a read services\n")
    server.write_config()
    done = run(server, "-t")
    assert done.returncode == 2
    assert re.match(r"\S+zoo\.cfg:\d+: zoolite\.policyFile: \S+/policy:2: services: a path begins with /$",
                    done.stderr.strip())
    assert run(server).returncode == 2
    for option, value, reason in (("zoolite.maxPolicySize", "1k", "it is larger than zoolite.maxPolicySize"),
                                  ("zoolite.maxPolicyRules", "39", "there are more rules than zoolite.maxPolicyRules")):
        write_policy(server, "role a anyone\n" + "allow a read /a/long/directory\n" * 39)
        server.write_config()
        assert run(server, "-t").returncode == 0
        server.config[option] = value
        server.write_config()
        assert reason in run(server, "-t").stderr
        del server.config[option]


def test_explain_access(site):
    server, _ = site
    done = run(server, "--explain-access", "x509:CN=web,OU=provider,L=dc1,O=Example", "ip:10.0.0.1",
               "/services/dc1/web/x")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "role: provider room=dc1 service=web"
    assert re.match(r"read: yes, \S+/policy:\d+: allow provider read +/services/\$\{room\}/\$\{service\}$", lines[1])
    assert re.match(r"write: yes, \S+/policy:\d+: allow provider create,write,delete ", lines[2])
    assert lines[5] == "admin: no, no line speaks of it"
    assert re.match(r"ACL of the znode: not asked, \S+/policy:\d+: acl off /services$", lines[6])
    assert run(server, "--explain-access", "x509:CN=x", "digest:super:x", "/").stdout.startswith("roles: none\n")
    assert run(server, "--explain-access", "x509:CN=x", "services").returncode == 2
    assert run(server, "--explain-access", "CN=x", "/services").returncode == 2
    assert run(server, "--explain-access").returncode == 2


def test_explain_access_where_no_line_decides(make_server, authority):
    server = make_server(X509AuthenticationProvider__superUser=authority.identity("second"))
    boss = run(server, "--explain-access", "x509:" + authority.identity("second"), "/")
    assert boss.stdout == "a super user: neither policy nor ACLs are asked\n"
    assert run(server, "--explain-access", "ip:127.0.0.1", "/").stdout == (
        "zoolite.policyFile is not set: ACLs alone decide\n")


def test_many_rules(make_policed):
    """A decision does not go through them: as many requests as without take no order of magnitude longer."""
    text = "".join("role r%d dn:CN=%d\nallow r%d read /many/%d\n" % (i, i, i, i) for i in range(1000))
    text += "role all dn:O=Example\nallow all read / only\nallow all create,read /many only\n"
    text += "".join("allow all read,create /many/%d\n" % i for i in range(3000))
    server = make_policed(text)
    client = server.client("nobody")
    assert server.client("second").call(zk.create("/many")).err == 0
    assert client.call(zk.create("/many/2999")).err == 0
    assert client.call(zk.create("/many/3000")).err == -102
    assert client.call(zk.get_children2("/many")).value.stat.num_children == 1
    assert client.call(zk.get_children("/many")).value.names == ["2999"]
