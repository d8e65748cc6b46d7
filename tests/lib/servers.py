"""Starts, stops and kills the servers the tests talk to: `zoolited`, and Debian's ZooKeeper beside it; with
ZOOLITE_ZOOKEEPER_JARS, a Java class path, the ZooKeeper 3.9 of those jars in place of Debian's.

Each server lives in a directory of its own below one the caller gives, listens on free ports of
127.0.0.1, and writes its log to a file there. Waiting is always for a condition with a deadline.
No server outlives its test: close() ends it, an exit handler ends what was forgotten, and the kernel
ends it when the starting thread dies (so start servers from a thread that lives as long as they should).
"""
import atexit
import itertools
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import zk_wire

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JAVA = "/usr/bin/java"
ZOOKEEPER_JAR = "/usr/share/java/zookeeper.jar"
START_DEADLINE_S = 60
STOP_DEADLINE_S = 30
POLL_S = 0.02
FIRST_PORT, PORTS_OF_BLOCK, PORT_BLOCKS = 10000, 350, 65

_running = set()
_ports_lock = threading.Lock()


@atexit.register
def _kill_forgotten():
    for server in list(_running):
        server.close()


def find_zoolited():
    """The binary under test: $ZOOLITED, or the one of a build in or beside the tree. None without one."""
    candidates = [os.environ.get("ZOOLITED", "")]
    candidates += [os.path.join(REPOSITORY, *place) for place in
                   (("build", "zoolited"), ("zoolited",), ("build", "src", "app", "zoolited"))]
    for path in candidates:
        if path and os.access(path, os.X_OK) and not os.path.isdir(path):
            return os.path.abspath(path)
    return None


def build_of(binary):
    """The libraries a binary asks for: "libasan", "libtsan" and "libsystemd" tell how it was built."""
    done = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True)
    return re.findall(r"^\s*(lib[a-z0-9_+-]+)\.so", done.stdout, re.MULTILINE)


def is_sanitized(binary):
    """Whether its memory says little: sanitizers keep what was freed."""
    return any(name in ("libasan", "libtsan") for name in build_of(binary))


def is_thread_sanitized(binary):
    return "libtsan" in build_of(binary)


def other_zookeeper():
    """The class path of a ZooKeeper 3.9 that stands for Debian's, "" where it does not."""
    return os.environ.get("ZOOLITE_ZOOKEEPER_JARS", "")


def have_zookeeper():
    return bool(other_zookeeper() or os.path.exists(ZOOKEEPER_JAR)) and os.access(JAVA, os.X_OK)


def _own_ports():
    """A block of ports, round and round, that no other process that runs tests has: they lie below those the kernel
    gives to connections, and whoever holds the name of the block has it until the end of the process."""
    first = random.randrange(PORT_BLOCKS)
    for index in range(PORT_BLOCKS):
        block = (first + index) % PORT_BLOCKS
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind("\0zoolite-test-ports-%d" % block)
        except OSError:
            holder.close()
            continue
        start = FIRST_PORT + block * PORTS_OF_BLOCK
        while True:
            # The name is bound as long as this generator lives.
            for port in range(start, start + PORTS_OF_BLOCK):
                yield port
    raise AssertionError("all %d blocks of ports are taken" % PORT_BLOCKS)


_ports = _own_ports()


def _is_free(port):
    with socket.socket() as sock:
        # As servers do it: only those that listen are in the way.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_ports(count):
    """Ports that nobody listens on just now, and that nobody else is told of for a while."""
    with _ports_lock:
        candidates = (next(_ports) for _ in range(PORTS_OF_BLOCK))
        free = list(itertools.islice(filter(_is_free, candidates), count))
    assert len(free) == count, "no free port among %d" % PORTS_OF_BLOCK
    return free


def wait_until(condition, deadline_s, what):
    """Poll until condition() is true and return what it gave; AssertionError after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("timed out after %g s waiting for %s" % (deadline_s, what))
        time.sleep(POLL_S)


def tls_context(authority, name="client", ca=None, minimum=None, maximum=None):
    """A client's context: trusts the authority's CA, shows the certificate of that name (None: none)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ca or authority.ca)
    if name is not None:
        context.load_cert_chain(authority.both(name))
    if minimum is not None:
        context.minimum_version = minimum
    if maximum is not None:
        context.maximum_version = maximum
    return context


class Server:
    """One server process. Subclasses say how to configure and start it."""

    name = "server"

    def __init__(self, directory, authority=None, plain=True, tls=True, config=None):
        self.directory = os.path.abspath(str(directory))
        os.makedirs(self.directory, exist_ok=True)
        self.authority = authority
        self.data_dir = os.path.join(self.directory, "data")
        self.log_path = os.path.join(self.directory, "server.log")
        self.config_path = os.path.join(self.directory, "zoo.cfg")
        ports = free_ports(2)
        self.port = ports[0] if plain else None
        self.tls_port = ports[1] if tls and authority else None
        self.process = None
        self.config = self.base_config()
        self.config.update(config or {})
        self.extra_environment = {}
        self._contexts = {}

    # -- what subclasses give -----------------------------------------------------------------------

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ, LC_ALL="C.UTF-8", **self.extra_environment)

    # -- configuration ------------------------------------------------------------------------------

    def base_config(self):
        config = {"dataDir": self.data_dir, "tickTime": 2000, "maxClientCnxns": 0,
                  "4lw.commands.whitelist": "*"}
        if self.port:
            config.update({"clientPort": self.port, "clientPortAddress": "127.0.0.1"})
        if self.tls_port:
            config.update({"secureClientPort": self.tls_port, "secureClientPortAddress": "127.0.0.1",
                           "ssl.keyStore.location": self.authority.both("server"),
                           "ssl.trustStore.location": self.authority.ca,
                           "ssl.clientAuth": "need"})
        return config

    def write_config(self):
        with open(self.config_path, "w", encoding="utf-8") as file:
            for key, value in self.config.items():
                if value is not None:
                    file.write("%s=%s\n" % (key, value))

    # -- life ---------------------------------------------------------------------------------------

    def start(self, wait=True):
        assert self.process is None, "already running"
        os.makedirs(self.data_dir, exist_ok=True)
        self.write_config()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.command()], cwd=self.directory,
                env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _running.add(self)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, deadline_s=START_DEADLINE_S):
        """Until it serves sessions (four-letter words alone are answered earlier)."""
        wait_until(self._is_ready, deadline_s, "%s to serve; its log ends:\n%s" % (self.name, self.log_path))
        return self

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("%s ended with status %d; its log:\n%s" % (
                self.name, self.process.returncode, self.log()[-4000:]))
        try:
            return b"Mode: " in self.four_letter_word("srvr", timeout=2)
        except OSError:
            return False

    def stop(self, deadline_s=STOP_DEADLINE_S):
        """SIGTERM, wait, and give the exit status."""
        return self._end(signal.SIGTERM, deadline_s)

    def kill(self):
        """SIGKILL; returns when the process is gone."""
        return self._end(signal.SIGKILL, STOP_DEADLINE_S)

    def _end(self, signum, deadline_s):
        process, self.process = self.process, None
        _running.discard(self)
        try:
            process.send_signal(signum)
            return process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("%s did not end within %g s" % (self.name, deadline_s)) from None

    def wait_exit(self, deadline_s=STOP_DEADLINE_S):
        """Wait for it to end by itself and give the exit status."""
        try:
            status = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s still runs after %g s" % (self.name, deadline_s)) from None
        self.process = None
        _running.discard(self)
        return status

    def finish(self):
        """The good end of a test: SIGTERM where it still runs, status 0, and no word of a sanitizer."""
        if self.process is not None:
            self.resume()
            status = self.stop()
            assert status == 0, "%s ended with status %d; its log:\n%s" % (
                self.name, status, self.log()[-4000:])
        complaint = re.search(r"^.*(Sanitizer|runtime error:).*$", self.log(), re.MULTILINE)
        assert not complaint, self.log()[complaint.start():][:6000]

    def close(self):
        """End it however it stands; for fixtures, after finish() or a failure."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGCONT)
            self.kill()

    def restart(self):
        self.stop()
        return self.start()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def hangup(self):
        self.process.send_signal(signal.SIGHUP)

    # -- talking to it ------------------------------------------------------------------------------

    def context(self, certificate):
        if certificate not in self._contexts:
            self._contexts[certificate] = tls_context(self.authority, certificate)
        return self._contexts[certificate]

    def link(self, certificate="client", tls=None, timeout=zk_wire.DEADLINE_S):
        """A bare connection without a session: over TLS where the server has it, else plain."""
        if tls if tls is not None else self.tls_port is not None:
            return zk_wire.Link(("127.0.0.1", self.tls_port), self.context(certificate), timeout)
        return zk_wire.Link(("127.0.0.1", self.port), None, timeout)

    def client(self, certificate="client", tls=None, **connect):
        """A client with an open session."""
        client = zk_wire.Client(self.link(certificate, tls))
        client.connect(**connect)
        return client

    def four_letter_word(self, word, tls=None, port=None, timeout=zk_wire.DEADLINE_S):
        """The whole answer, as bytes."""
        if tls is None:
            tls = self.port is None
        if port is None:
            port = self.tls_port if tls else self.port
        context = self.context("client") if tls else None
        with zk_wire.Link(("127.0.0.1", port), context, timeout) as link:
            link.send(word.encode("ascii") if isinstance(word, str) else word)
            return link.read_to_end()

    def metric(self, name):
        """One value of mntr, by its name without zk_."""
        answer = self.four_letter_word("mntr").decode()
        values = dict(line.split("\t", 1) for line in answer.splitlines())
        return int(values["zk_" + name])

    def memory(self, kind="VmRSS"):
        """Resident bytes now, or at most so far (VmHWM)."""
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as file:
            for line in file:
                if line.startswith(kind + ":"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no %s in /proc" % kind)

    def forget_peak(self):
        """VmHWM begins anew from what is resident now."""
        with open("/proc/%d/clear_refs" % self.process.pid, "w", encoding="ascii") as file:
            file.write("5")

    # -- its log ------------------------------------------------------------------------------------

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_size(self):
        return os.path.getsize(self.log_path)

    def wait_log(self, pattern, since=0, deadline_s=10):
        """The first match of the pattern (multi-line regular expression) behind byte `since`."""
        regex = re.compile(pattern, re.MULTILINE)

        def look():
            with open(self.log_path, "rb") as file:
                file.seek(since)
                return regex.search(file.read().decode("utf-8", "replace"))
        return wait_until(look, deadline_s, "log line /%s/ in %s" % (pattern, self.log_path))


class Zoolite(Server):
    """The server under test."""

    name = "zoolited"

    def __init__(self, *args, binary=None, **kwargs):
        self.binary = binary or find_zoolited()
        super().__init__(*args, **kwargs)

    def base_config(self):
        # Its port would be the same for all.
        # And what tests leave behind is kept for a while.
        return dict(super().base_config(), **{"admin.enableServer": "false", "zoolite.reserve": "1m"})

    def command(self):
        return [self.binary, self.config_path]


class ZooKeeper(Server):
    """Debian's ZooKeeper, or the other one, standalone, with Netty, no JMX, no admin server, no syncs of its log."""

    name = "zookeeper"
    LIBRARIES = ("zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-simple", "netty-codec",
                 "netty-resolver", "netty-transport-native-unix-common")
    OPTIONS = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
               "-Djava.awt.headless=true", "-Dzookeeper.jmx.log4j.disable=true",
               "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
               "-Dorg.slf4j.simpleLogger.showDateTime=true")
    # What it does not read from its configuration file.
    PROPERTIES = ("znode.container.checkIntervalMs", "znode.container.maxPerMinute",
                  "znode.container.maxNeverUsedIntervalMs")

    def base_config(self):
        config = super().base_config()
        config.update({
            "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
            "authProvider.x509": "org.apache.zookeeper.server.auth.X509AuthenticationProvider",
            "admin.enableServer": "false", "forceSync": "no", "preAllocSize": 1024})
        if self.tls_port:
            config.update({"ssl.keyStore.type": "PEM", "ssl.trustStore.type": "PEM"})
        return config

    def _is_ready(self):
        return super()._is_ready() and self._is_listening(self.tls_port)

    @staticmethod
    def _is_listening(port):
        """It opens the port for TLS behind the other one."""
        if port is None:
            return True
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False

    def command(self):
        jars = other_zookeeper() or ":".join("/usr/share/java/%s.jar" % name for name in self.LIBRARIES)
        properties = ["-D%s=%s" % (name, self.config[name]) for name in self.PROPERTIES if name in self.config]
        return [JAVA, *self.OPTIONS, *properties, "-cp", jars,
                "org.apache.zookeeper.server.ZooKeeperServerMain", self.config_path]


def remove_tree(directory):
    shutil.rmtree(directory, ignore_errors=True)
