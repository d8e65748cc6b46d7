"""What systemd is told: ready, reloading, stopping, alive."""
import os
import socket
import time

import pytest

import servers
import slowdisk
import zk_wire as zk

DEADLINE_S = 20


@pytest.fixture(autouse=True)
def fixture_libsystemd():
    if "libsystemd" not in servers.build_of(servers.find_zoolited()) and not os.environ.get("CI"):
        pytest.skip("built without libsystemd")


class Supervisor:
    """The socket that a service is told of."""

    def __init__(self):
        # In the abstract name space: paths of sockets are short.
        self.name = "@zoolite-test-%d-%d" % (os.getpid(), time.monotonic_ns())
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + self.name[1:])
        self.sock.settimeout(DEADLINE_S)

    def environment(self, **more):
        return {"NOTIFY_SOCKET": self.name, **more}

    def next(self, timeout_s=DEADLINE_S):
        """The variables of the next message that is not a sign of life alone."""
        while True:
            message = self.sock_receive(timeout_s)
            if message != {"WATCHDOG": "1"}:
                return message

    def sock_receive(self, timeout_s=DEADLINE_S):
        self.sock.settimeout(timeout_s)
        return dict(line.split("=", 1) for line in self.sock.recv(65536).decode().splitlines())

    def close(self):
        self.sock.close()


@pytest.fixture(name="supervisor")
def fixture_supervisor():
    supervisor = Supervisor()
    yield supervisor
    supervisor.close()


def test_ready_reloading_stopping(make_server, supervisor):
    server = make_server.new()
    server.extra_environment = supervisor.environment()
    server.start(wait=False)
    assert supervisor.next() == {"READY": "1"}
    # It serves when it says so, not before.
    with server.client() as client:
        client.close_session()
    for _ in range(2):
        before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.hangup()
        message = supervisor.next()
        assert message.pop("RELOADING") == "1"
        assert before_us <= int(message.pop("MONOTONIC_USEC")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert not message
        assert supervisor.next() == {"READY": "1"}
    # A reload that is refused ends too.
    os.truncate(server.config_path, 0)
    server.hangup()
    assert supervisor.next()["RELOADING"] == "1"
    assert supervisor.next() == {"READY": "1"}
    server.wait_log(r"event=reload\.refused")
    assert server.stop() == 0
    assert supervisor.next() == {"STOPPING": "1"}


def test_watchdog(make_server, supervisor):
    """Twice in the time at least, with nothing to do; and nothing while it does not run."""
    server = make_server.new()
    server.extra_environment = supervisor.environment(WATCHDOG_USEC="400000")
    server.start()
    assert supervisor.next() == {"READY": "1"}
    for _ in range(4):
        assert supervisor.sock_receive(1) == {"WATCHDOG": "1"}
    server.pause()
    with pytest.raises(TimeoutError):
        for _ in range(3):  # what was under way
            supervisor.sock_receive(0.8)
    server.resume()
    assert supervisor.sock_receive(5) == {"WATCHDOG": "1"}


def test_watchdog_is_fed_by_the_core_alone(make_server, supervisor, tmp_path):
    """Its loop stands, all other threads go on: nothing says that the server is alive."""
    disk = slowdisk.SlowDisk(tmp_path)
    server = make_server.new()
    server.extra_environment = {**disk.environment(), **supervisor.environment(WATCHDOG_USEC="400000")}
    server.start()
    assert supervisor.next() == {"READY": "1"}
    client = server.client()
    with disk.hangs("hang-core"):
        held = client.submit(zk.create("/held"))
        with pytest.raises(TimeoutError):
            for _ in range(4):  # what was under way
                supervisor.sock_receive(0.8)
        # Handshakes are another thread's, and it is well.
        with server.link():
            pass
        assert held not in client.done
    assert client.wait(held).err == 0
    assert supervisor.sock_receive(5) == {"WATCHDOG": "1"}


def test_no_watchdog_unasked(make_server, supervisor):
    server = make_server.new()
    server.extra_environment = supervisor.environment()
    server.start()
    assert supervisor.sock_receive() == {"READY": "1"}
    with pytest.raises(TimeoutError):
        supervisor.sock_receive(1.5)
