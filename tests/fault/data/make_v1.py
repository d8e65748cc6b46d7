#!/usr/bin/python3
"""Makes v1.tar.xz: data directories as a zoolited that writes schema version 1 leaves them, and what stands in them.

It was run once, with the last binary of that version, and cannot be run with a newer one:
    ZOOLITED=<binary of version 1> tests/fault/data/make_v1.py <an empty directory> v1.tar.xz
Each of clean/ (stopped), killed/ (SIGKILL: -wal files, and changes that tree.db does not have yet) and empty/ (stopped
before the first change) has data/, zoo.cfg's properties and, in expected.json, sessions with their passwords and every
znode with data, ACL and Stat, as clients saw them.
"""
import json
import os
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lib"))

import certs  # noqa: E402
import servers  # noqa: E402
import zk_wire as zk  # noqa: E402

CONFIG = {"zoolite.segmentSize": 65536, "extendedTypesEnabled": "true", "tickTime": 2000}
SOME_ACL = [zk.Acl(zk.PERM_ALL, "world", "anyone"), zk.Acl(zk.PERM_READ, "ip", "192.0.2.7")]


def tree(client, path="/"):
    """Every znode below path, as JSON has it."""
    found = {}
    children = client.call(zk.get_children2(path)).value
    data, acls = client.call(zk.get_data(path)).value, client.call(zk.get_acl(path)).value
    found[path] = {"data": None if data.data is None else data.data.hex(), "stat": list(data.stat),
                   "acl": [list(acl) for acl in acls.acls]}
    for name in sorted(children.names):
        found.update(tree(client, path.rstrip("/") + "/" + name))
    return found


def must(client, request):
    reply = client.call(request)
    assert reply.err == 0, (request, reply)
    return reply.value


def grow(client):
    """Znodes of every kind, in many directories, with lengths that need more pages than one."""
    must(client, zk.create("/app", b"settings", SOME_ACL))
    must(client, zk.create("/null", None))
    must(client, zk.create("/large", bytes(range(256)) * 80))
    must(client, zk.create_container("/container"))
    must(client, zk.create("/container/child", b"x"))
    must(client, zk.create_ttl("/ttl", b"for a day", ttl=86400000))
    for service in range(6):
        base = "/app/service%d" % service
        must(client, zk.create(base, b"%d" % service))
        for index in range(40):
            must(client, zk.create("%s/n%02d" % (base, index), b"value %d " % index * (index + 1)))
        for index in range(0, 40, 3):
            must(client, zk.set_data("%s/n%02d" % (base, index), b"again"))
        for index in range(0, 40, 7):
            must(client, zk.delete("%s/n%02d" % (base, index)))
    must(client, zk.create("/queue"))
    for _ in range(12):
        must(client, zk.create("/queue/q-", b"", flags=zk.SEQUENTIAL))
    must(client, zk.delete("/queue/q-0000000003"))


def own(client, name):
    """Ephemeral znodes of one session."""
    for index in range(3):
        must(client, zk.create("/app/service1/%s-%d" % (name, index), name.encode(), flags=zk.EPHEMERAL))
    must(client, zk.create("/queue/w-", name.encode(), flags=zk.EPHEMERAL | zk.SEQUENTIAL))


def change(client):
    """What the killed one has in its log alone."""
    must(client, zk.set_data("/app/service2/n01", b"changed"))
    must(client, zk.delete("/app/service2/n02"))
    must(client, zk.set_acl("/app/service3", SOME_ACL))
    must(client, zk.multi([zk.create("/app/late", b"1"), zk.create("/app/late/child", b"2"),
                           zk.set_data("/null", b"no more")]))
    for index in range(30):
        must(client, zk.create("/app/late/z%02d" % index, b"late"))


def expect(directory, server, sessions, client):
    with open(os.path.join(directory, "expected.json"), "w", encoding="ascii") as file:
        json.dump({"config": CONFIG, "tree": tree(client),
                   "sessions": [{"id": s.session_id, "password": s.password.hex(), "timeout": s.timeout_ms,
                                 "tls": tls} for s, tls in sessions]}, file, indent=1, sort_keys=True)


def make(directory, authority, ending):
    server = servers.Zoolite(directory, authority, True, True, dict(CONFIG)).start()
    sessions = []
    if ending != "empty":
        client = server.client(tls=False)
        grow(client)
        sessions = [(client, False), (server.client(tls=False), False), (server.client(tls=True), True)]
        for index, (owner, _) in enumerate(sessions):
            own(owner, "owner%d" % index)
    if ending == "killed":
        server.stop()
        server.config["zoolite.replayDelay"] = 60000
        server.start()
        for old, tls in sessions:
            old.link = server.link(tls=tls)
            old.pending.clear()
            reply = old.connect(session_id=old.session_id, password=old.password, timeout=old.timeout_ms)
            assert reply.timeout > 0
        change(sessions[0][0])
        gone = server.client(tls=False)
        own(gone, "gone")
        gone.close_session()
        new = server.client(tls=False)
        own(new, "new")
        sessions.append((new, False))
    last = sessions[0][0] if sessions else server.client(tls=False)
    expect(directory, server, sessions, last)
    if not sessions:
        last.close_session()
    server.kill() if ending == "killed" else server.stop()
    for name in os.listdir(directory):
        if name not in ("data", "expected.json"):
            os.remove(os.path.join(directory, name))
    os.remove(os.path.join(directory, "data", "lock"))


def main(directory, archive):
    os.makedirs(os.path.join(directory, "certificates"))
    authority = certs.make_authority(os.path.join(directory, "certificates"))
    endings = ("clean", "killed", "empty")
    for ending in endings:
        make(os.path.join(directory, ending), authority, ending)
    with tarfile.open(archive, "w:xz") as tar:
        for ending in endings:
            tar.add(os.path.join(directory, ending), ending, filter=anonymous)


def anonymous(info):
    """Nobody's, and without -shm files: they are made anew."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return None if info.name.endswith("-shm") else info


if __name__ == "__main__":
    main(*sys.argv[1:])
