"""The control socket: every command from outside, who is let in, and peers that do not behave."""
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile

import pytest

import servers
import slowdisk
import zk_wire as zk

DEADLINE_S = 20
NOBODY = 65534
NO_NODE = -101
NODE_DELETED = 2
COMMANDS = ("help", "stat_reset", "connection_stat_reset", "set_trace_mask", "shed_connections", "close_session",
            "kick", "reload", "snapshot", "stop")


def path_of(server):
    return server.config.get("zoolite.controlSocket", os.path.join(server.data_dir, "control.sock"))


def unix_socket(server, call):
    """A socket after call(its address): paths of sockets are short, those of tests are not."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE_S)
    directory = os.open(os.path.dirname(path_of(server)), os.O_PATH)
    try:
        call(sock, "/proc/self/fd/%d/%s" % (directory, os.path.basename(path_of(server))))
    finally:
        os.close(directory)
    return sock


def connect(server):
    return unix_socket(server, socket.socket.connect)


def read_all(sock):
    """What comes until the end; a server that leaves something of ours unread resets."""
    data = b""
    try:
        while True:
            more = sock.recv(65536)
            if not more:
                return data
            data += more
    except ConnectionResetError:
        return data


def raw(server, data):
    with connect(server) as sock:
        sock.sendall(data)
        return read_all(sock)


def silent(server):
    """What comes to whom says nothing."""
    with connect(server) as sock:
        return read_all(sock)


def ask(server, line):
    """The lines of the answer."""
    return raw(server, line.encode() + b"\n").decode("ascii").splitlines()


def program(server, *arguments):
    return subprocess.run([server.binary, *arguments], capture_output=True, text=True, timeout=60, check=False,
                          cwd=server.directory, env=server.environment())


def control(server, *words):
    return program(server, "--control", *words, server.config_path)


def lines_of(server, since, command):
    """The log's lines about a command."""
    return re.findall(r"event=control\.command command=%s (.*)" % command, server.log()[since:])


def expect_line(server, since, command, rest):
    found = lines_of(server, since, command)
    assert len(found) == 1, server.log()[since:]
    assert re.fullmatch(r"%s uid=%d pid=\d+ result=%s" % (rest[0], os.geteuid(), rest[1]), found[0]), found


def ended(client):
    """Whether the server ends this link (and sends nothing more on it)."""
    return client.link.read_to_end() == b""


# -- the commands ---------------------------------------------------------------------------------------


def test_help(server):
    since = server.log_size()
    answer = ask(server, "help")
    assert answer[0] == "ok"
    assert [re.match(r"\w+", line)[0] for line in answer[1:]] == list(COMMANDS)
    assert lines_of(server, since, "help") == []


def test_stat_reset(server):
    with server.client() as client:
        client.call(zk.exists("/"))
        assert server.metric("packets_received") > 0 and server.metric("connections_accepted") > 1
        since = server.log_size()
        assert ask(server, "stat_reset") == ["ok"]
        expect_line(server, since, "stat_reset", ("argument=0", "ok"))
        # Nothing but what asked since then.
        assert server.metric("connections_accepted") <= 2
        assert server.metric("control_commands") == 1
        assert b"\nReceived: 0\n" in server.four_letter_word("srvr")


def test_connection_stat_reset(server):
    with server.client() as client:
        for _ in range(3):
            client.call(zk.exists("/"))
        mine = re.compile(r":%d\[\d\]\(queued=\d+,recved=(\d+),sent=(\d+)" % client.link.sock.getsockname()[1])
        assert mine.search(server.four_letter_word("cons").decode()).groups() == ("4", "4")
        since = server.log_size()
        assert ask(server, "connection_stat_reset") == ["ok"]
        expect_line(server, since, "connection_stat_reset", ("argument=0", "ok"))
        assert mine.search(server.four_letter_word("cons").decode()).groups() == ("0", "0")


def test_set_trace_mask(server):
    since = server.log_size()
    assert server.four_letter_word("gtmk") == b"306"
    assert ask(server, "set_trace_mask -17") == ["ok", "tracemask=-17"]
    expect_line(server, since, "set_trace_mask", ("argument=-17", "ok"))
    assert server.four_letter_word("gtmk") == b"-17"
    assert ask(server, "set_trace_mask 306") == ["ok", "tracemask=306"]


def test_shed_connections(server):
    """They are closed by lot, their sessions go on."""
    clients = [server.client(tls=i % 2 == 0, timeout=10000) for i in range(40)]
    for i, client in enumerate(clients):
        assert client.call(zk.create("/shed%d" % i, flags=zk.EPHEMERAL)).err == 0
    since = server.log_size()
    assert ask(server, "shed_connections 0") == ["ok", "connections_shed=0"]
    expect_line(server, since, "shed_connections", ("argument=0", "ok"))
    for client in clients:
        assert client.call(zk.exists("/")).err == 0
    # A lot for each: that all 40 or none are drawn happens once in 2^39 runs.
    answer = ask(server, "shed_connections 50")
    shed = int(re.fullmatch(r"connections_shed=(\d+)", answer[1])[1])
    assert 0 < shed < 40
    assert ask(server, "shed_connections 100")[1] == "connections_shed=%d" % (40 - shed)
    assert all(ended(client) for client in clients)
    for i, client in enumerate(clients):
        with zk.Client(server.link(tls=i % 2 == 0)) as again:
            reply = again.connect(session_id=client.session_id, password=client.password)
            assert reply.session_id == client.session_id
            assert again.call(zk.exists("/shed%d" % i)).err == 0
            again.close_session()
        client.abandon()


def test_shed_connections_spares_who_looks(make_server):
    """Who watches the server is no client to get rid of."""
    port = servers.free_ports(1)[0]
    server = make_server(zoolite__monitorPort=port)
    with zk.Link(("127.0.0.1", port)) as link:
        link.send(b"ru")
        # It and the one that asks.
        servers.wait_until(lambda: server.metric("num_alive_connections") == 2, DEADLINE_S, "the connection to be taken")
        assert ask(server, "shed_connections 100") == ["ok", "connections_shed=0"]
        link.send(b"ok")
        assert link.read_to_end() == b"imok"


def test_close_session(server):
    """It ends as by its client: the ephemeral znodes with it, their watchers told, and nobody resumes it."""
    with server.client(timeout=20000) as owner, server.client() as watcher:
        assert owner.call(zk.create("/owned", flags=zk.EPHEMERAL)).err == 0
        assert watcher.call(zk.exists("/owned", watch=True)).err == 0
        since = server.log_size()
        name = "0x%x" % owner.session_id
        assert ask(server, "close_session " + name) == ["ok"]
        found = lines_of(server, since, "close_session")
        assert len(found) == 1
        assert re.fullmatch(r"session=%s uid=%d pid=\d+ result=ok" % (name, os.geteuid()), found[0])
        event = watcher.wait_event()
        assert (event.type, event.path) == (NODE_DELETED, "/owned")
        assert watcher.call(zk.exists("/owned")).err == NO_NODE
        assert ended(owner)
        with zk.Client(server.link()) as again:
            reply = again.connect(session_id=owner.session_id, password=owner.password)
            assert reply.session_id == 0 and reply.timeout == 0
        # It is no longer there; and without 0x.
        assert ask(server, "close_session %x" % owner.session_id) == ["error: there is no such session"]
        assert ask(server, "close_session 0") == ["error: there is no such session"]
        watcher.close_session()


def test_close_session_without_connection(server):
    with server.client(timeout=20000) as owner:
        assert owner.call(zk.create("/orphan", flags=zk.EPHEMERAL)).err == 0
    with server.client() as other:
        assert other.call(zk.exists("/orphan")).err == 0
        assert ask(server, "close_session 0x%x" % owner.session_id) == ["ok"]
        assert other.call(zk.exists("/orphan")).err == NO_NODE
        other.close_session()


def test_kick_a_session(server):
    """Cut at once, though it takes nothing of what is sent to it; its session is over, its neighbour's is not."""
    with server.client(timeout=20000) as owner, server.client() as watcher:
        assert owner.call(zk.create("/kicked", b"x" * 500000, flags=zk.EPHEMERAL)).err == 0
        assert watcher.call(zk.exists("/kicked", watch=True)).err == 0
        owner.link.send(b"".join(owner.prepare(zk.get_data("/kicked"), xid)[1] for xid in range(100, 108)))
        before, since = server.metric("connections_kicked"), server.log_size()
        done = program(server, "--kick", "0x%x" % owner.session_id, server.config_path)
        assert (done.returncode, done.stdout) == (0, "ok\nconnections_kicked=1\nsessions_ended=1\n"), done
        assert server.metric("connections_kicked") == before + 1
        found = lines_of(server, since, "kick")
        assert re.fullmatch(r"session=0x%x uid=%d pid=\d+ result=ok" % (owner.session_id, os.geteuid()), found[0])
        server.wait_log(r"event=conn\.failed .*reason=\"kicked by an administrator\"", since)
        assert (watcher.wait_event().type, watcher.call(zk.exists("/kicked")).err) == (NODE_DELETED, NO_NODE)
        assert owner.link.wait_closed(DEADLINE_S)
        with zk.Client(server.link()) as again:
            assert again.connect(session_id=owner.session_id, password=owner.password).session_id == 0
        # One that nobody is connected to; and who is not there.
        watcher.close_session()
    with server.client(timeout=20000) as orphan:
        pass
    assert ask(server, "kick 0x%x" % orphan.session_id) == ["ok", "connections_kicked=0", "sessions_ended=1"]
    assert ask(server, "kick 0x%x" % orphan.session_id) == ["error: there is no such session"]


def test_kick_an_address(make_server):
    """Everybody from there, with a session and without, and nobody else."""
    server = make_server(clientPortAddress=None, secureClientPortAddress=None)
    fours = [server.client(tls=tls, timeout=20000) for tls in (True, False)]
    stranger = server.link()
    six = zk.Client(zk.Link(("::1", server.port), None))
    six.connect()
    assert fours[0].call(zk.create("/four", flags=zk.EPHEMERAL)).err == 0
    assert six.call(zk.create("/six", flags=zk.EPHEMERAL)).err == 0
    servers.wait_until(lambda: server.metric("num_alive_connections") == 5, DEADLINE_S, "all connections, and this one")
    since = server.log_size()
    for nowhere in ("127.0.0.2", "10.0.0.0/8", "::2", "::1:0/112"):
        assert ask(server, "kick " + nowhere) == ["ok", "connections_kicked=0", "sessions_ended=0"], nowhere
    assert ask(server, "kick 127.0.0.0/8") == ["ok", "connections_kicked=3", "sessions_ended=2"]
    assert re.match(r"range=127\.0\.0\.0/8 uid=", lines_of(server, since, "kick")[-1])
    assert all(link.wait_closed(DEADLINE_S) for link in (fours[0].link, fours[1].link, stranger))
    assert [six.call(zk.exists(path)).err for path in ("/four", "/six")] == [NO_NODE, 0]
    assert ask(server, "kick ::1") == ["ok", "connections_kicked=1", "sessions_ended=1"]
    assert six.link.wait_closed(DEADLINE_S)
    # They may come again.
    with server.client() as again:
        assert again.call(zk.exists("/six")).err == NO_NODE


def test_kick_is_told_whom(server):
    for arguments in ((), ("0x1",), ("10.0.0.1/40", server.config_path), ("everybody", server.config_path)):
        done = program(server, "--kick", *arguments)
        assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done


def test_reload(make_server):
    """What SIGHUP does, with its outcome for who asks."""
    server = make_server(tickTime=1000)
    since = server.log_size()
    assert ask(server, "reload") == ["ok"]
    server.wait_log(r"event=reload\.done", since)
    expect_line(server, since, "reload", ("argument=0", "ok"))

    server.config.update({"tickTime": 2000, "maxClientCnxns": 5, "zoolite.logLevel": "warn"})
    server.write_config()
    assert ask(server, "reload") == ["ok", "waits_for_restart=tickTime,minSessionTimeout,maxSessionTimeout,"
                                     "maxClientCnxns"]

    server.config["zoolite.logLevel"] = "info"
    server.write_config()
    assert ask(server, "reload")[0] == "ok"
    since = server.log_size()
    with open(server.config_path, "a", encoding="utf-8") as file:
        file.write("no\\u00e4=1\n")
    lines = len(server.config) + 1
    answer = ask(server, "reload")
    assert len(answer) == 1
    assert re.fullmatch(r'error: line %d: unknown property "no\\xc3\\xa4"' % lines, answer[0]), answer
    server.wait_log(r"event=reload\.refused line=%d" % lines, since)
    assert len(lines_of(server, since, "reload")) == 1

    server.config["ssl.keyStore.location"] = "/does/not/exist.pem"
    server.write_config()
    answer = ask(server, "reload")
    assert len(answer) == 1 and "ssl.keyStore.location: " in answer[0] and "No such file" in answer[0]
    os.unlink(server.config_path)
    assert ask(server, "reload") == ["error: No such file or directory"]
    with server.client() as client:
        assert client.call(zk.exists("/")).err == 0


def test_stop(make_server):
    server = make_server()
    with server.client(timeout=20000) as client:
        assert client.call(zk.create("/kept", flags=zk.EPHEMERAL)).err == 0
        since = server.log_size()
        assert ask(server, "stop") == ["ok"]
        assert server.wait_exit() == 0
        expect_line(server, since, "stop", ("argument=0", "ok"))
        assert not os.path.lexists(path_of(server))
        server.start()
        with zk.Client(server.link()) as again:
            assert again.connect(session_id=client.session_id, password=client.password).session_id == client.session_id
            assert again.call(zk.exists("/kept")).err == 0


# -- the program that asks ------------------------------------------------------------------------------


def test_client_program(make_server):
    server = make_server()
    done = control(server, "help")
    assert done.returncode == 0 and done.stderr == "", done
    assert done.stdout.startswith("ok\nhelp: ")
    done = control(server, "set_trace_mask", "-5")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\ntracemask=-5\n", "")
    done = control(server, "close_session", "1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "error: there is no such session\n", "")
    for words, why in ((["nope"], 'there is no command "nope" (see help)\n'), (["stop", "now"], "stop takes nothing\n"),
                       (["x" * 300], "the line is longer than 256 bytes\n"),
                       (["stop\n"], "the line is not printable ASCII\n")):
        done = control(server, *words)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", why)
    for arguments in (["--control"], ["--control", "stop"]):
        done = program(server, *arguments)
        assert (done.returncode, done.stdout) == (2, "") and "--control takes" in done.stderr
    done = program(server, "--control", "stop", "/does/not/exist.cfg")
    assert (done.returncode, done.stdout) == (2, "") and "/does/not/exist.cfg: No such file" in done.stderr
    assert server.is_running()
    done = control(server, "stop")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert server.wait_exit() == 0
    done = control(server, "stop")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"nobody answers at .*control\.sock: No such file or directory\n", done.stderr)
    server.config["zoolite.controlSocket"] = "none"
    server.write_config()
    done = control(server, "stop")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "zoolite.controlSocket is none\n")


def test_client_program_without_an_answer(authority, tmp_path):
    """Somebody listens who says nothing."""
    server = servers.Zoolite(tmp_path, authority)
    os.makedirs(server.data_dir)
    server.write_config()
    with unix_socket(server, socket.socket.bind) as listener:
        listener.listen()
        asking = subprocess.Popen([server.binary, "--control", "stop", server.config_path], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        try:
            sock = listener.accept()[0]
            sock.settimeout(DEADLINE_S)
            assert sock.recv(100) == b"stop\n"
            sock.close()
            out, err = asking.communicate(timeout=DEADLINE_S)
        finally:
            if asking.poll() is None:
                asking.kill()
                asking.wait()
    assert asking.returncode == 1 and out == ""
    assert "it was closed (another user's server?)" in err


# -- who is let in --------------------------------------------------------------------------------------


def test_mode_and_place(server):
    assert stat.S_IMODE(os.stat(path_of(server)).st_mode) == 0o600
    assert stat.S_ISSOCK(os.stat(path_of(server)).st_mode)
    assert server.wait_log(r"event=control\.listening path=(\S+)")[1] == path_of(server)


def test_mode_under_an_open_umask(make_server):
    server = make_server.new()
    old = os.umask(0)
    try:
        server.start()
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(path_of(server)).st_mode) == 0o600


@pytest.fixture(name="open_directory")
def fixture_open_directory():
    """One that every user can walk into, unlike those of pytest."""
    directory = tempfile.mkdtemp(prefix="zoolite-control-")
    os.chmod(directory, 0o755)
    yield directory
    shutil.rmtree(directory)


ASK_AS = r"""
import os, socket, sys
os.setgroups([])
os.setresgid(*3 * [int(sys.argv[2])])
os.setresuid(*3 * [int(sys.argv[2])])
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(20)
try:
    sock.connect(sys.argv[1])
    sock.sendall(b"stop\n")
    print("read %r" % sock.recv(100))
except PermissionError:
    print("may not connect")
except (BrokenPipeError, ConnectionResetError):
    print("read b''")
"""


def ask_as(uid, path):
    done = subprocess.run(["/usr/bin/python3", "-c", ASK_AS, path, str(uid)], capture_output=True, text=True,
                          timeout=60, check=True)
    return done.stdout.strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_other_users_are_refused(make_server, open_directory):
    server = make_server(zoolite__controlSocket=os.path.join(open_directory, "control.sock"))
    # The file's mode keeps them out,
    assert ask_as(NOBODY, path_of(server)) == "may not connect"
    # and the server itself, whatever became of that; limited in the log, not in the count.
    os.chmod(path_of(server), 0o666)
    refused = server.metric("control_refused")
    since = server.log_size()
    for _ in range(3):
        assert ask_as(NOBODY, path_of(server)) == "read b''"
    server.wait_log(r"level=warn event=control\.refused uid=%d pid=\d+ reason=\"another user\"" % NOBODY, since)
    assert server.metric("control_refused") == refused + 3
    assert lines_of(server, since, "stop") == [] and server.is_running()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the server as another user")
def test_root_may_ask_another_users_server(make_server, authority, open_directory):
    server = make_server.new(tls=False, dataDir=os.path.join(open_directory, "data"))
    os.chown(open_directory, NOBODY, NOBODY)
    server.data_dir = server.config["dataDir"]
    copy = shutil.copy(server.binary, open_directory)
    config = os.path.join(open_directory, "zoo.cfg")
    server.write_config()
    shutil.copy(server.config_path, config)
    # Read by both, wherever the tests lie.
    server.command = lambda: ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", copy, config]
    os.makedirs(server.data_dir)
    os.chown(server.data_dir, NOBODY, NOBODY)
    # ASan's reports go where that user may write.
    server.extra_environment = {"ASAN_OPTIONS": "", "UBSAN_OPTIONS": "", "TSAN_OPTIONS": ""}
    server.start()
    assert os.stat(path_of(server)).st_uid == NOBODY
    assert ask(server, "help")[0] == "ok"
    assert ask_as(NOBODY, path_of(server)).startswith("read b'ok")
    assert server.wait_exit() == 0


# -- peers that do not behave ---------------------------------------------------------------------------


@pytest.mark.parametrize("data, why", (
    (b"\n", "the line names no command (see help)"),
    (b"nope\n", 'there is no command "nope" (see help)'),
    (b"stop now\n", "stop takes nothing"),
    (b"shed_connections 101\n", "shed_connections takes a number from 0 to 100"),
    (b"close_session x\n", "close_session takes a session's id in hex digits"),
    (b"stop\0\n", "the line is not printable ASCII"),
    (b"x" * 255 + b"\n", 'there is no command "%s" (see help)' % ("x" * 255)),
    (b"x" * 256, "the line is longer than 256 bytes"),
    (b"stop" + b" " * 252 + b"\n", "the line is longer than 256 bytes"),
    (b"x" * 100000, "the line is longer than 256 bytes"),
))
def test_wrong_lines(server, data, why):
    refused = server.metric("control_refused")
    with connect(server) as sock:
        try:
            sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            assert len(data) > 256
        assert read_all(sock).decode() == "error: %s\n" % why
    assert server.metric("control_refused") == refused + 1


def test_one_line_a_connection(server):
    """The line may end as in DOS; what stands behind it is not looked at."""
    assert raw(server, b"set_trace_mask 7\r\nset_trace_mask 8\n") == b"ok\ntracemask=7\n"
    assert server.four_letter_word("gtmk") == b"7"
    assert raw(server, b"set_trace_mask 306\n") == b"ok\ntracemask=306\n"


def test_in_parts(server):
    with connect(server) as sock:
        for byte in b"help\n":
            sock.sendall(bytes([byte]))
        assert read_all(sock).startswith(b"ok\n")


def test_half_a_line_is_not_done(server):
    """Whoever stops in the middle may have wanted to say more."""
    refused = server.metric("control_refused")
    with connect(server) as sock:
        sock.sendall(b"set_trace_mask 1")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"error: the line has no end\n"
    with connect(server) as sock:
        sock.sendall(b"stop")
    with connect(server) as sock:
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
    with connect(server) as sock:
        sock.sendall(b"help\n")
    servers.wait_until(lambda: server.metric("control_refused") == refused + 2, DEADLINE_S, "both to be refused")
    assert server.four_letter_word("gtmk") == b"306"


def test_silent_peers(make_server):
    """They have their time."""
    server = make_server(zoolite__controlTimeout="200ms")
    since = server.log_size()
    peers = [connect(server) for _ in range(2)]
    peers[0].sendall(b"sto")
    for sock in peers:
        assert read_all(sock) == b"error: no line has come in time\n"
        sock.close()
    server.wait_log(r"event=control\.timeout uid=%d pid=%d" % (os.geteuid(), os.getpid()), since)
    assert server.metric("control_refused") == 2


@pytest.mark.parametrize("most", (None, 3))
def test_number_of_peers(make_server, most):
    server = make_server(**{"zoolite__controlTimeout": "1m", "zoolite__maxControlConnections": most})
    peers = [connect(server) for _ in range(most or 8)]
    full = b"error: too many connections (zoolite.maxControlConnections)\n"
    assert silent(server) == full
    # Who speaks is told the same.
    done = control(server, "help")
    assert (done.returncode, done.stdout) == (1, full.decode())
    assert server.metric("control_refused") == 2
    peers[0].sendall(b"help\n")
    assert read_all(peers[0]).startswith(b"ok\n")
    assert ask(server, "help")[0] == "ok"
    for sock in peers:
        sock.close()


# -- the disk -------------------------------------------------------------------------------------------


def test_answer_waits_for_the_disk(make_server, tmp_path):
    """That a session is over is not told before it is on disk; other commands go on."""
    disk = slowdisk.SlowDisk(tmp_path)
    server = make_server.new(zoolite__controlTimeout="1m")
    server.extra_environment = disk.environment()
    server.start()
    with server.client() as owner, connect(server) as sock:
        with disk.hangs("hang-sync"):
            since = server.log_size()
            sock.sendall(b"close_session 0x%x\n" % owner.session_id)
            server.wait_log(r"event=control\.command command=close_session", since)
            assert ask(server, "help")[0] == "ok"
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(100)
        sock.settimeout(DEADLINE_S)
        assert read_all(sock) == b"ok\n"


def test_answer_while_the_disk_hangs(make_server, tmp_path):
    """It is told in time that this is not sure yet."""
    disk = slowdisk.SlowDisk(tmp_path)
    server = make_server.new(zoolite__controlTimeout="200ms")
    server.extra_environment = disk.environment()
    server.start()
    with server.client() as owner:
        line = "close_session 0x%x" % owner.session_id
        with disk.hangs("hang-sync"):
            assert ask(server, line) == ["error: it is done, but not on disk yet"]
        assert ask(server, line) == ["error: there is no such session"]


# -- the file -------------------------------------------------------------------------------------------


def test_stale_socket_is_replaced(make_server):
    server = make_server()
    before = os.stat(path_of(server)).st_ino
    server.kill()
    assert stat.S_ISSOCK(os.stat(path_of(server)).st_mode)
    done = control(server, "help")
    assert done.returncode == 1 and "Connection refused" in done.stderr
    # Held, so that the number is not used again.
    kept = path_of(server) + ".kept"
    os.link(path_of(server), kept)
    server.start()
    assert os.stat(path_of(server)).st_ino != before
    assert ask(server, "help")[0] == "ok"
    os.unlink(kept)


def test_two_servers(make_server, tmp_path):
    """One socket is one server's: the second does not start, and takes nothing away."""
    path = str(tmp_path / "both.sock")
    first = make_server(zoolite__controlSocket=path)
    second = make_server.new(zoolite__controlSocket=path).start(wait=False)
    assert second.wait_exit() == 1
    second.wait_log(r"event=server\.start_failed reason=\"zoolite\.controlSocket .*: somebody listens there\"")
    # Nor does another one in the same directory.
    third = make_server.new(dataDir=first.data_dir)
    assert third.start(wait=False).wait_exit() == 1
    assert ask(first, "help")[0] == "ok"
    assert first.stop() == 0
    assert not os.path.lexists(path)
    second.start()
    assert ask(second, "help")[0] == "ok"


def test_only_its_own_file_is_removed(make_server, tmp_path):
    server = make_server()
    os.rename(path_of(server), str(tmp_path / "away"))
    with open(path_of(server), "w", encoding="ascii") as file:
        file.write("another")
    assert server.stop() == 0
    with open(path_of(server), encoding="ascii") as file:
        assert file.read() == "another"
    # In the way of the next one: which goes on without,
    server.start()
    server.wait_log(r"level=warn event=control\.unavailable reason=\".*control\.sock: is there and is no socket\"")
    assert server.stop() == 0
    # but for a place that was named.
    server.config["zoolite.controlSocket"] = path_of(server)
    assert server.start(wait=False).wait_exit() == 1
    server.wait_log(r"event=server\.start_failed reason=\"zoolite\.controlSocket .* is no socket\"")
    with open(path_of(server), encoding="ascii") as file:
        assert file.read() == "another"


def test_long_path(make_server, tmp_path):
    """An address of a socket holds 108 bytes."""
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    server = make_server(zoolite__controlSocket=str(directory / "control.sock"))
    assert control(server, "help").stdout.startswith("ok\n")
    assert stat.S_IMODE(os.stat(path_of(server)).st_mode) == 0o600
    server.kill()
    server.start()
    assert control(server, "help").returncode == 0
    assert server.stop() == 0
    assert not os.path.lexists(path_of(server))


def test_none(make_server):
    server = make_server(zoolite__controlSocket="none")
    assert not os.path.lexists(os.path.join(server.data_dir, "control.sock"))
    assert "controlSocket" not in server.log()
