"""Pages of database files have checksums: what a disk altered is found, told, and given to no client."""
import glob
import os
import re
import subprocess

import pages
import servers
import zk_wire as zk

MARKER = b"the page that will be damaged "


def files(server):
    return [os.path.join(server.data_dir, "tree.db"), *sorted(glob.glob(os.path.join(server.data_dir, "log", "*.db")))]


def fill(server):
    with server.client() as client:
        assert client.call(zk.create("/whole", b"w" * 20000)).err == 0
        assert client.call(zk.create("/struck", MARKER * 700)).err == 0
        client.close_session()
    servers.wait_until(lambda: server.metric("replay_lag_rows") == 0, 20, "the log to be replayed into the tree")
    server.stop()


def strike(path, marker=MARKER):
    """Flip one bit of data inside a page that is full of it."""
    with open(path, "r+b") as file:
        at = file.read().index(marker * 100) + 1000
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 4]))
    return at // 4096 + 1


def test_every_page_has_a_checksum(make_server):
    server = make_server(zoolite__segmentSize="64k")
    fill(server)
    for path in files(server):
        assert pages.has_checksums(path), path
        assert pages.damaged(path) == [], path


def test_a_damaged_page_is_an_error_for_who_reads_it(make_server):
    server = make_server()
    fill(server)
    tree = os.path.join(server.data_dir, "tree.db")
    page = strike(tree)
    assert pages.damaged(tree) == [page]
    server.start()
    with server.client() as client:
        for _ in range(20):
            assert client.call(zk.get_data("/struck")).err == -1
        assert client.call(zk.get_data("/whole")).value.data == b"w" * 20000
        assert client.call(zk.create("/new")).err == 0
        client.close_session()
    said = re.findall(r"level=error event=store.page_damaged file=(\S+) page=(\d+) reason=\"its checksum does not fit\"",
                      server.log())
    assert said and set(said) == {(tree, str(page))}
    # Whoever asks again and again does not write the log full.
    assert len(said) <= 10
    assert server.metric("pages_damaged") >= 20
    done = subprocess.run(["sqlite3", "-readonly", tree, "SELECT length(data) FROM znode WHERE name = 'struck'"],
                          capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(len(MARKER * 700))
