"""The questions that schema/*.sql tells people to ask, asked of a server that runs: each gets an answer."""
import glob
import os
import re
import subprocess

import pytest

import servers
import zk_wire as zk

SCHEMA = os.path.join(os.environ.get("ZOOLITE_SRCDIR", servers.REPOSITORY), "schema")
OTHER_SESSION = re.compile(r"0x[0-9a-f]{8,}")


def questions(name):
    """The statements and commands in the comments of one file, in their order."""
    with open(os.path.join(SCHEMA, name), encoding="utf-8") as file:
        lines = [line[2:].strip() for line in file if re.match(r"--     +\S", line)]
    found, held = [], ""
    for line in lines:
        held = (held + " " + line).strip()
        if held.endswith((";", "done")):
            found.append(held)
            held = ""
    assert held == "", "%s: no end of %s" % (name, held)
    return found


def newest(pattern):
    """The file in schema/ with the highest version."""
    return max(os.path.basename(path) for path in glob.glob(os.path.join(SCHEMA, pattern)))


@pytest.fixture(scope="module", name="registry")
def fixture_registry(tmp_path_factory, authority):
    """A service with a provider, and a log of more than one segment."""
    server = servers.Zoolite(tmp_path_factory.mktemp("schema"), authority,
                             config={"zoolite.segmentSize": "64k", "zoolite.replayDelay": 0})
    server.start()
    client = server.client(timeout=20000)
    for path, flags in (("/HelloWorldService", 0), ("/HelloWorldService/1.0.0", 0),
                        ("/HelloWorldService/1.0.0/10.0.0.7:8080", zk.EPHEMERAL)):
        assert client.call(zk.create(path, b"x", flags=flags)).err == 0
    segments = os.path.join(server.data_dir, "log", "*.db")
    while len(glob.glob(segments)) < 4:
        assert client.call(zk.set_data("/HelloWorldService", b"x" * 10000)).err == 0
    yield server, client
    try:
        server.finish()
    finally:
        server.close()


def answer(server, command, text=None):
    done = subprocess.run(command, cwd=server.data_dir, input=text, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0 and done.stderr == "", (command, text, done.stderr)
    return done.stdout


def test_questions_are_found():
    assert len(questions(newest("tree-*.sql"))) >= 4 and len(questions(newest("log-*.sql"))) >= 5


@pytest.mark.parametrize("question", questions(newest("tree-*.sql")))
def test_of_the_tree(registry, question):
    """The tree is a little behind: what was asked for comes."""
    server, _ = registry
    servers.wait_until(lambda: answer(server, ["sqlite3", "-readonly", "tree.db"], question).strip(), 20,
                       "an answer to " + question)


def test_of_the_log(registry):
    server, client = registry
    # ATTACH belongs to the statement behind it.
    statements = [OTHER_SESSION.sub("0x%x" % client.session_id, text) for text in questions(newest("log-*.sql"))]
    held = ""
    for text in statements:
        if text.startswith("for "):
            assert "/HelloWorldService" in answer(server, ["sh", "-c", text.replace("...", "*")])
        elif text.startswith("ATTACH "):
            held = text + "\n"
        else:
            name = "log/0000000002.db" if held else "log/0000000001.db"
            assert answer(server, ["sqlite3", "-readonly", name], held + text).strip(), text
            held = ""
    assert held == ""
