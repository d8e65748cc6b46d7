"""The way out to ZooKeeper, as far as there need be no ZooKeeper: which snapshots are taken, and what is said of them.
tests/interop/test_migration.py has what becomes of them there."""
import glob
import os
import shutil
import subprocess
import sys

import pytest

import servers
import zk_wire as zk


def zoolited(*arguments):
    return subprocess.run([servers.find_zoolited(), *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          check=False)


def taken(server):
    """A snapshot that was verified."""
    done = zoolited("--control", "snapshot", server.config_path)
    assert done.stdout.startswith("ok\n"), done.stdout
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)["snapshot"]


@pytest.fixture(name="snapshot")
def fixture_snapshot(make_server):
    """A file that was verified, of a server that runs."""
    server = make_server()
    with server.client() as client:
        client.call_all([zk.create("/n%d" % index, b"x" * 100) for index in range(50)])
    return taken(server)


def exported(source, target, more=()):
    done = zoolited("--export", target, source, *more)
    assert done.returncode == 0, done.stderr
    assert os.listdir(os.path.join(target, "version-2"))
    return done.stdout


def refused(source, target):
    done = zoolited("--export", target, source)
    assert (done.returncode, done.stdout) == (1, ""), done.stdout
    assert not os.path.exists(target)
    return done.stderr.splitlines()[-1]


def test_a_verified_snapshot(snapshot, tmp_path):
    told = exported(snapshot, tmp_path / "zookeeper")
    assert "warning: " not in told
    assert "carried: 54 znodes " in told


def test_policies(make_server, tmp_path):
    """They are in no snapshot: they are told of all the same."""
    policy = tmp_path / "policy"
    policy.write_text("role all anyone\nallow all all /\n")
    server = make_server(zoolite__policyFile=str(policy))
    snapshot = taken(server)
    told = exported(snapshot, tmp_path / "one")
    assert "policy: not carried and not looked at: " in told
    expected = "policy %s:2: not carried: allow all all /; " % policy
    told = exported(snapshot, tmp_path / "two", more=[server.config_path])
    assert expected in told and "not looked at" not in told
    server.stop()
    told = exported(server.data_dir, tmp_path / "three")
    assert "policy: not carried and not looked at: " in told
    told = exported(server.data_dir, tmp_path / "four", more=[server.config_path])
    assert expected in told and "not looked at" not in told
    policy.unlink()
    done = zoolited("--export", tmp_path / "five", snapshot, server.config_path)
    assert done.returncode == 1 and str(policy) in done.stderr and not os.path.exists(tmp_path / "five")
    done = zoolited("--export", tmp_path / "five", server.config_path, server.config_path)
    assert done.returncode == 2 and "before the configuration file" in done.stderr


def test_nobody_verified_it(snapshot, tmp_path):
    copy = shutil.copy(snapshot, tmp_path / "copy.db")
    told = exported(copy, tmp_path / "zookeeper")
    assert "warning: %s.verified is missing: the snapshot is whole, but nothing says " % copy in told


def alter_digest(snapshot):
    seal = snapshot + ".verified"
    with open(seal, encoding="ascii") as file:
        text = file.read()
    digest = text.split("digest=", 1)[1][:64]
    with open(seal, "w", encoding="ascii") as file:
        file.write(text.replace(digest, "ab" * 32))


def test_altered_since(snapshot, tmp_path):
    alter_digest(snapshot)
    assert "the file was altered after it was verified" in refused(snapshot, tmp_path / "zookeeper")
    with open(snapshot + ".verified", "w", encoding="ascii") as file:
        file.write("what is this")
    assert ".verified: is damaged" in refused(snapshot, tmp_path / "zookeeper")


EDIT = """import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("UPDATE meta SET value = value + 1 WHERE key = 'znodes'")
os._exit(0)
"""


def test_found_damaged(make_server, tmp_path):
    """By the server that took it; nothing of what is wrong with it would be written. Under another name, too."""
    server = make_server()
    server.stop()
    # What it wrote stays in the -wal: pages of the database itself have checksums that it does not know of.
    subprocess.run([sys.executable, "-c", EDIT, os.path.join(server.data_dir, "tree.db")], check=True)
    server.start()
    assert zoolited("--control", "snapshot", server.config_path).returncode == 1
    bad, = glob.glob(os.path.join(server.data_dir, "snapshots", "tree-*.bad"))
    assert "%s: is one that was found damaged" % bad in refused(bad, tmp_path / "zookeeper")
    copy = shutil.copy(bad, tmp_path / "copy.db")
    assert "meta counts 5 persistent znodes, and there are 4" in refused(copy, tmp_path / "zookeeper")


def test_the_last_one_of_a_server_is_looked_at_again(make_server, tmp_path):
    """It takes no other where nothing has changed, however long ago that one was verified."""
    server = make_server()
    snapshot = taken(server)
    alter_digest(snapshot)
    assert taken(server) == snapshot
    assert "the file was altered after it was verified" in refused(server.config_path, tmp_path / "zookeeper")


def test_cut_short(snapshot, tmp_path):
    copy = shutil.copy(snapshot, tmp_path / "copy.db")
    with open(copy, "r+b") as file:
        file.truncate(os.path.getsize(copy) - 4096)
    assert str(copy) in refused(copy, tmp_path / "zookeeper")
