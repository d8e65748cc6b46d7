"""The real clients as processes: started with a certificate of their own, read line by line.

Every program prints one JSON object a line ("event" and what belongs to it) and ends cleanly on a line on
stdin or at its end, so that none outlives the test that holds the other end of the pipe.
"""
import fcntl
import glob
import json
import os
import signal
import socket
import subprocess
import threading
import time

from servers import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
JAVA_JARS = ("zookeeper", "zookeeper-jute", "netty-codec", "netty-resolver", "slf4j-simple", "commons-cli",
             "curator-client", "curator-framework", "curator-recipes", "curator-x-discovery", "guava",
             "jackson-databind", "jackson-core", "jackson-annotations")
JAVA_OPTIONS = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dzookeeper.client.secure=true",
                "-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty")
C_OPTIONS = ("-std=c17", "-D_GNU_SOURCE", "-DTHREADED", "-O1", "-g", "-Wall", "-Wextra", "-Wshadow",
             "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror", "-isystem", "/usr/include/zookeeper")
DEADLINE_S = 30.0
TOUR_DEADLINE_S = 90.0


class Line(dict):
    """What a client said, with the moment (time.monotonic) it reached us."""

    def __init__(self, values, at):
        super().__init__(values)
        self.at = at


class Client:
    """A client process and all it said so far."""

    def __init__(self, name, command, directory):
        self.name = name
        self.stderr_path = os.path.join(directory, name + ".stderr")
        self.lines = []
        self._said = threading.Condition()
        self._ended = False
        with open(self.stderr_path, "ab") as stderr:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                                            text=True, encoding="utf-8")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for text in self.process.stdout:
            line = Line(json.loads(text), time.monotonic())
            with self._said:
                self.lines.append(line)
                self._said.notify_all()
        with self._said:
            self._ended = True
            self._said.notify_all()

    def mark(self):
        """Where we are: give it as `since` to look at what comes after."""
        with self._said:
            return len(self.lines)

    def since(self, mark, event=None, **fields):
        """All lines behind the mark with that event and those fields."""
        with self._said:
            return [line for line in self.lines[mark:]
                    if (event is None or line["event"] == event)
                    and all(line.get(key) == value for key, value in fields.items())]

    def wait(self, event, since=0, count=1, deadline_s=DEADLINE_S, **fields):
        """The count-th line behind `since` with that event and those fields."""
        def found():
            matches = self.since(since, event, **fields)
            return matches[count - 1] if len(matches) >= count else None
        return self._wait(found, deadline_s, "%s %s" % (event, fields or ""))

    def wait_list(self, path, children, since=0, deadline_s=DEADLINE_S):
        """The first list behind `since` that holds exactly these children."""
        return self.wait("list", since, deadline_s=deadline_s, path=path, children=sorted(children))

    def _wait(self, found, deadline_s, what):
        end = time.monotonic() + deadline_s
        with self._said:
            while True:
                line = found()
                if line is not None:
                    return line
                left = end - time.monotonic()
                if left <= 0 or self._ended:
                    raise AssertionError("%s: %s after %g s waiting for: %s\n%s" % (
                        self.name, "ended" if self._ended else "silent", deadline_s - left, what, self.story()))
                self._said.wait(left)

    def story(self, without=None):
        """For a failed test: what it said on both streams, but for lines on the path `without`."""
        with open(self.stderr_path, encoding="utf-8", errors="replace") as file:
            stderr = file.read()
        lines = [line for line in self.lines if without is None or line.get("path") != without]
        return "\n".join(json.dumps(line) for line in lines[-40:]) + "\n--- stderr:\n" + stderr[-3000:]

    def tell(self, text=""):
        """Answer an "ask", or, to a provider or consumer, say that it shall end."""
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def close(self, deadline_s=DEADLINE_S):
        """Let it end cleanly; its status must be 0 and its last word "closed"."""
        self.tell()
        status = self.wait_exit(deadline_s)
        assert status == 0 and self.since(0, "closed"), "%s ended with %d\n%s" % (self.name, status, self.story())

    def wait_exit(self, deadline_s=DEADLINE_S):
        status = self.process.wait(deadline_s)
        self._reader.join()
        return status

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        self.process.kill()
        self.wait_exit()

    def cleanup(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self._reader.join()
        self.process.stdout.close()


class Tools:
    """Compiles the programs once, also for those that test beside us, and starts them; ends all that are left with
    close()."""

    def __init__(self, directory, programs, authority):
        self.directory = str(directory)
        self.programs = str(programs)
        self.authority = authority
        self.clients = []

    def close(self):
        clients, self.clients = self.clients, []
        for client in clients:
            client.cleanup()

    def _build(self, name, make):
        """What make(path) made of that name, by whoever came first."""
        path = os.path.join(self.programs, name)
        with open(path + ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(path):
                make(path + ".new")
                os.rename(path + ".new", path)
        return path

    def build_go(self):
        """Debian's Go with Debian's library, offline, nothing of the user's settings in it."""
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.directory, "CGO_ENABLED": "0", "GOFLAGS": "",
                       "GOPATH": "/usr/share/gocode", "GO111MODULE": "off", "GOTOOLCHAIN": "local",
                       "GOCACHE": os.path.join(self.directory, "go-cache")}
        return self._build("zkgo", lambda path: run_tool(
            ["/usr/bin/go", "build", "-o", path, "."], os.path.join(HERE, "go"), environment))

    def build_java(self):
        sources = os.path.join(HERE, "java")
        files = [os.path.join(sources, name) for name in sorted(os.listdir(sources)) if name.endswith(".java")]
        # Other people's newest jars may warn of what they like.
        strict = [] if other_jars() else ["-Werror"]
        return self._build("classes", lambda path: run_tool(
            ["/usr/bin/javac", "-Xlint:all,-path", *strict, "-encoding", "UTF-8", "-cp", class_path(),
             "-d", path, *files], self.directory, None))

    def build_c(self):
        sources = sorted(glob.glob(os.path.join(HERE, "c", "*.c")))
        return self._build("api_check", lambda path: run_tool(
            ["/usr/bin/gcc", *C_OPTIONS, "-o", path, *sources, "-lzookeeper_mt", "-lpthread"], self.directory, None))

    def start(self, name, command):
        client = Client(name, command, self.directory)
        self.clients.append(client)
        return client

    def go(self, command, certificate, port, timeout_s, *rest, plain=False, name=None):
        authority = self.authority
        options = ["-server", "127.0.0.1:%d" % port, "-ca", authority.ca, "-timeout", "%gs" % timeout_s]
        if plain:
            options.append("-plain")
        elif certificate:
            options += ["-cert", authority.cert(certificate), "-key", authority.key(certificate)]
        return self.start(name or "go-%s-%s" % (command, certificate), [self.build_go(), command, *options, *rest])

    def provider(self, certificate, port, timeout_s, *paths, **how):
        return self.go("provider", certificate, port, timeout_s, *paths, **how)

    def kazoo_consumer(self, certificate, port, timeout_s, *directories, make=False, register=()):
        authority = self.authority
        options = ["--server", "127.0.0.1:%d" % port, "--ca", authority.ca, "--cert", authority.cert(certificate),
                   "--key", authority.key(certificate), "--timeout", "%g" % timeout_s]
        options += ["--make"] if make else []
        for path in register:
            options += ["--register", path]
        return self.start("kazoo-" + certificate, ["/usr/bin/python3", os.path.join(HERE, "consumer_kazoo.py"),
                                                   *options, *directories])

    def java(self, main, certificate, *arguments):
        authority = self.authority
        return self.start("java-%s-%s" % (main, certificate), [
            "/usr/bin/java", *JAVA_OPTIONS,
            "-Dzookeeper.ssl.keyStore.location=" + authority.both(certificate),
            "-Dzookeeper.ssl.trustStore.location=" + authority.ca,
            "-cp", class_path(self.build_java()), main, *arguments])

    def java_consumer(self, certificate, port, timeout_s, *directories, make=False, register=()):
        options = ["-make"] if make else []
        for path in register:
            options += ["-register", path]
        return self.java("Consumer", certificate, "127.0.0.1:%d" % port, "%d" % (timeout_s * 1000),
                         *options, *directories)


def other_jars():
    """A class path of ZooKeeper's client, Curator and what they need in place of Debian's, "" for Debian's."""
    return os.environ.get("ZOOLITE_CLIENT_JARS", "")


def class_path(*first):
    if other_jars():
        return ":".join([*first, other_jars()])
    return ":".join([*first, *("/usr/share/java/%s.jar" % name for name in JAVA_JARS)])


def run_tool(command, directory, environment):
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, "%s:\n%s%s" % (command[0], done.stdout, done.stderr)


def serve_questions(client, answers):
    """Let a program run to its end, and do what it asks for: answers[what](more)."""
    mark = 0
    while not client.since(0, "done"):
        ask = wait_until(lambda: client.since(mark, "ask") or client.since(0, "done")
                         or client.process.poll() is not None, TOUR_DEADLINE_S, client.story)
        if ask is True or ask[0]["event"] == "done":
            break
        mark = client.lines.index(ask[0]) + 1
        answers[ask[0]["what"]](ask[0]["more"])
        client.tell()
    assert client.wait_exit() == 0, client.story()


def check_tour(client, expected):
    """Every check of a program ran, and passed."""
    ran = client.since(0, "check")
    bad = ["%(name)s: %(why)s" % line for line in ran if not line["ok"]]
    assert not bad, "\n".join(bad)
    assert sorted(line["name"] for line in ran) == sorted(expected)


class Proxy:
    """Passes TCP through to a port of 127.0.0.1, and can take the line away and give it back."""

    def __init__(self, target_port):
        self.target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs = []
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                try:
                    far = None if self._is_cut else socket.create_connection(self.target)
                except OSError:
                    far = None
                if far is None:
                    near.close()
                    continue
                self._pairs.append((near, far))
            threading.Thread(target=self._serve, args=(near, far), daemon=True).start()

    def _serve(self, near, far):
        for sock in near, far:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        back.start()
        self._pump(near, far)
        back.join()
        near.close()
        far.close()

    @staticmethod
    def _pump(source, sink):
        """Until either end goes; then both go."""
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        shut(source, sink)

    def cut(self):
        """Break every connection; new ones are turned away until heal()."""
        with self._lock:
            self._is_cut = True
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            shut(*pair)

    def heal(self):
        with self._lock:
            self._is_cut = False

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


def shut(*sockets):
    for sock in sockets:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
