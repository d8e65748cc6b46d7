"""Runs go-zookeeper's own tests, as Debian carries them, against servers of ours.

The library is copied out of Debian's package and compiled there, with go/cluster.go in place of the two files that
would start ZooKeeper from a jar. Each test runs in a process of its own, several at a time.
"""
import concurrent.futures
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
REPLACED = ("server_help.go", "server_java.go")
WORKERS = 3
TEST_DEADLINE_S = 200
# Those that take longest go first.
LONG = ("TestChildren", "TestSlowServer")
RESULTS = {"PASS": PASSED, "FAIL": FAILED, "SKIP": SKIPPED}


_built = []


def build(directory):
    """The compiled tests, made once: offline and with nothing of the user's settings in them."""
    if _built and os.path.exists(_built[0]):
        return _built[0]
    package = os.path.join(directory, PACKAGE)
    os.makedirs(package)
    for path in glob.glob(os.path.join(GOPATH, PACKAGE, "*.go")):
        if os.path.basename(path) not in REPLACED:
            shutil.copy(path, package)
    shutil.copy(os.path.join(HERE, "go", "cluster.go"), package)
    program = os.path.join(directory, "suite")
    environment = {"PATH": "/usr/bin:/bin", "HOME": directory, "CGO_ENABLED": "0", "GOFLAGS": "",
                   "GOPATH": directory + ":" + GOPATH, "GO111MODULE": "off", "GOTOOLCHAIN": "local",
                   "GOCACHE": os.path.join(directory, "cache")}
    done = subprocess.run(["/usr/bin/go", "test", "-c", "-vet=off", "-o", program, "."], cwd=package, env=environment,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _built[:] = [program]
    return program


def find_tests(directory):
    listed = subprocess.run([build(directory), "-test.list", "^Test"], capture_output=True, text=True, check=True)
    return re.findall(r"^Test\w+$", listed.stdout, re.MULTILINE)


def run(kind, directory, names):
    """{test: Result}"""
    program = build(os.path.join(directory, "go"))
    names = sorted(names, key=lambda name: name not in LONG)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        results = pool.map(lambda name: run_test(kind, directory, program, name), names)
        return dict(zip(names, results))


def describe_server(kind, place):
    """How cluster.go starts one: it chooses the port and the data directory."""
    server = kind(place)
    config = {key: value for key, value in server.config.items() if key not in ("clientPort", "dataDir")}
    return json.dumps({"command": ["CONFIG" if word == server.config_path else word for word in server.command()],
                       "config": "".join("%s=%s\n" % pair for pair in config.items())})


def run_test(kind, directory, program, name):
    place = os.path.join(directory, name)
    os.makedirs(place)
    environment = dict(os.environ, LC_ALL="C.UTF-8", SUITE_DIRECTORY=place, SUITE_SERVER=describe_server(kind, place))
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
