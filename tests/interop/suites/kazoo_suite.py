"""Runs kazoo's own tests, as Debian's python3-kazoo carries them (tools/check-latest: another one), against one server
of ours at a time.

Each of its modules runs in a process of its own, with a server of its own (kazoo_plugin.py), several at a time:
most of the tests sleep.
"""
import concurrent.futures
import functools
import json
import os
import re
import subprocess

import servers
from results import FAILED, Result, Suite

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
DEBIAN = "/usr/lib/python3/dist-packages"
WORKERS = 4
# A module takes 40 s at most when all is well; each test that hangs adds kazoo_plugin.TEST_LIMIT_S.
MODULE_DEADLINE_S = 400
# Those that take longest go first.
LONG = ("test_sasl", "test_partitioner", "test_watchers", "test_eventlet_handler", "test_client", "test_lock",
        "test_gevent_handler")


def find_tests(directory, library=DEBIAN):
    """The ids of all tests, as kazoo_plugin.py gives them."""
    os.makedirs(directory)
    done = subprocess.run([PYTHON, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider", "--collect-only",
                           "--rootdir", library, "--pyargs", "kazoo.tests"], cwd=directory, capture_output=True,
                          text=True, env={**base_environment(directory), "PYTHONPATH": library}, check=True)
    return re.findall(r"^kazoo/tests/(test_\w+\.py::\S+)$", done.stdout, re.MULTILINE)


def base_environment(directory):
    """Nothing of the user's settings, and nothing written beside the sources."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": directory, "PYTHONDONTWRITEBYTECODE": "1"}


def run(kind, directory, names, library=DEBIAN):
    """{test: Result}; a test that said nothing has failed."""
    modules = sorted({name.split(".py::")[0] for name in names})
    modules.sort(key=lambda module: LONG.index(module) if module in LONG else len(LONG))
    results, endings = {}, []
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for found, ending in pool.map(lambda module: run_module(kind, directory, module, names, library),
                                      modules):
            results.update(found)
            endings.append(ending)
    for name in names:
        if name not in results:
            results[name] = Result(FAILED, "no result of it:\n" + "\n".join(endings))
    return results


def run_module(kind, directory, module, names, library):
    """What its tests gave, and how it ended."""
    place = os.path.join(directory, module)
    os.makedirs(place)
    results_path = os.path.join(place, "results")
    tests_path = os.path.join(place, "tests")
    with open(tests_path, "w", encoding="utf-8") as file:
        file.write("\n".join(names))
    environment = {**base_environment(place),
                   "PYTHONPATH": os.pathsep.join((HERE, os.path.dirname(servers.__file__), library)),
                   "SUITE_KIND": kind.__name__.lower(), "SUITE_DIRECTORY": place, "SUITE_RESULTS": results_path,
                   "SUITE_TESTS": tests_path}
    for name, value in os.environ.items():
        if name in ("ZOOLITED", "ZOOLITE_ZOOKEEPER_JARS") or name.endswith("SAN_OPTIONS"):
            environment[name] = value
    command = ["setpriv", "--pdeathsig", "KILL", PYTHON, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", place,
               "-p", "no:cacheprovider", "-p", "kazoo_plugin", "--pyargs", "kazoo.tests." + module]
    with open(os.path.join(place, "output"), "w", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output)
        try:
            ending = "%s ended with %d" % (module, process.wait(MODULE_DEADLINE_S))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            ending = "%s was ended after %d s" % (module, MODULE_DEADLINE_S)
    return read_results(results_path, module), ending


def read_results(path, module):
    results = {}
    if not os.path.exists(path):
        return results
    with open(path, encoding="utf-8") as file:
        for line in file:
            said = json.loads(line)
            # Whatever is no test went wrong with the module as a whole.
            assert "::" in said["test"], "%s: %s: %s" % (module, said["test"], said["why"])
            results[said["test"]] = Result(said["result"], said["why"])
    return results


SUITE = Suite("kazoo's own suite", os.path.join(HERE, "kazoo"), find_tests, run)


def suite_of(library, directory):
    """The same for the kazoo that was installed to a folder, with what its tests need; the directory is for results."""
    return Suite(SUITE.title, directory, functools.partial(find_tests, library=library),
                 functools.partial(run, library=library))
