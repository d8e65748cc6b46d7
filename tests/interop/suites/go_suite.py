"""Runs go-zookeeper's own tests, as Debian carries them, against servers of ours.

The library is copied out of Debian's package (tools/check-latest: its successor out of a module) and compiled there,
with go/cluster.go in place of the two files that would start ZooKeeper from a jar. Each test runs in a process of its
own, several at a time.
"""
import collections
import concurrent.futures
import functools
import glob
import json
import os
import re
import shutil
import subprocess

import servers
from results import FAILED, PASSED, SKIPPED, Result, Suite

HERE = os.path.dirname(os.path.abspath(__file__))
GOPATH = "/usr/share/gocode"
PACKAGE = "src/github.com/samuel/go-zookeeper/zk"
# A library: where it lies, which files of it are replaced by which beside cluster.go, how go finds what it needs, and
# what its tests ask of a server's configuration.
Library = collections.namedtuple("Library", "source replaced dialect environment config")
SAMUEL = Library(os.path.join(GOPATH, PACKAGE), ("server_help.go", "server_java.go"), "samuel.go",
                 {"GO111MODULE": "off"}, {})
WORKERS = 3
TEST_DEADLINE_S = 200
# Those that take longest go first.
LONG = ("TestChildren", "TestSlowServer")
RESULTS = {"PASS": PASSED, "FAIL": FAILED, "SKIP": SKIPPED}


_built = {}  # by the place of the library


def maintained(source):
    """github.com/go-zookeeper/zk, which needs no other module."""
    return Library(source, ("server_help_test.go", "server_java_test.go"), "maintained.go",
                   {"GO111MODULE": "on", "GOPROXY": "off"}, {"extendedTypesEnabled": "true"})


def build(directory, library):
    """The compiled tests, made once: offline and with nothing of the user's settings in them."""
    if os.path.exists(_built.get(library.source, "")):
        return _built[library.source]
    package = os.path.join(directory, PACKAGE)
    os.makedirs(package)
    for path in glob.glob(os.path.join(library.source, "*.go")) + glob.glob(os.path.join(library.source, "go.mod")):
        if os.path.basename(path) not in library.replaced:
            # Without their modes: modules are kept read-only.
            shutil.copyfile(path, os.path.join(package, os.path.basename(path)))
    for name in ("cluster.go", library.dialect):
        shutil.copy(os.path.join(HERE, "go", name), package)
    program = os.path.join(directory, "suite")
    environment = {"PATH": "/usr/bin:/bin", "HOME": directory, "CGO_ENABLED": "0", "GOFLAGS": "",
                   "GOPATH": directory + ":" + GOPATH, "GOTOOLCHAIN": "local",
                   "GOCACHE": os.path.join(directory, "cache"), **library.environment}
    done = subprocess.run(["/usr/bin/go", "test", "-c", "-vet=off", "-o", program, "."], cwd=package, env=environment,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _built[library.source] = program
    return program


def find_tests(directory, library=SAMUEL):
    listed = subprocess.run([build(directory, library), "-test.list", "^Test"], capture_output=True, text=True,
                            check=True)
    return re.findall(r"^Test\w+$", listed.stdout, re.MULTILINE)


def run(kind, directory, names, library=SAMUEL):
    """{test: Result}"""
    program = build(os.path.join(directory, "go"), library)
    names = sorted(names, key=lambda name: name not in LONG)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        results = pool.map(lambda name: run_test(kind, directory, program, library, name), names)
        return dict(zip(names, results))


def describe_server(kind, place, config):
    """How cluster.go starts one: it chooses the port and the data directory."""
    server = kind(place, config=config)
    config = {key: value for key, value in server.config.items() if key not in ("clientPort", "dataDir")}
    return json.dumps({"command": ["CONFIG" if word == server.config_path else word for word in server.command()],
                       "config": "".join("%s=%s\n" % pair for pair in config.items())})


def run_test(kind, directory, program, library, name):
    place = os.path.join(directory, name)
    os.makedirs(place)
    environment = dict(os.environ, LC_ALL="C.UTF-8", SUITE_DIRECTORY=place,
                       SUITE_SERVER=describe_server(kind, place, library.config))
    command = ["setpriv", "--pdeathsig", "KILL", program, "-test.v", "-test.run", "^%s$" % name]
    with open(os.path.join(place, "output"), "w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output)
        try:
            process.wait(TEST_DEADLINE_S)
            late = ""
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            late = "\nended after %d s" % TEST_DEADLINE_S
        output.seek(0)
        said = output.read()
    return judge(kind, name, said + late)


def judge(kind, name, said):
    """The result; whatever the test found, a server of ours has to end well."""
    found = re.search(r"^--- (\w+): %s " % name, said, re.MULTILINE)
    result = Result(RESULTS[found[1]] if found else FAILED, said[-6000:])
    endings = re.findall(r"^server ended: (.*)$", said, re.MULTILINE)
    if kind is servers.Zoolite and any(ending != "exit status 0" for ending in endings):
        result.result = FAILED
    return result


SUITE = Suite("go-zookeeper's own suite", os.path.join(HERE, "go"), find_tests, run)


def suite_of(library, directory):
    """The same for another library; the directory is for its results."""
    return Suite(SUITE.title, directory, functools.partial(find_tests, library=library),
                 functools.partial(run, library=library))
