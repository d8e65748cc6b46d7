"""What other people's test suites gave: read, written and compared the same way for each.

Beside a suite's runner stand two files. reference.txt has what became of every test against Debian's ZooKeeper,
one "ID RESULT" a line; tests/interop/reference renews it. left_out.txt names the tests that `zoolited` need not
pass, one "ID REASON" a line: those, and no others, that do not pass against ZooKeeper either.

A test that fails is run once more, against either server: suites of clients wait for fixed times here and there.
"""
import os

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
# So many tests of a suite may need their second run.
TWICE_MOST = 10


class Result:
    """What became of one test."""

    def __init__(self, result, why="", runs=1):
        self.result = result
        self.why = why
        self.runs = runs


class Suite:
    """The files of one suite, and its runner: find_tests(directory) names all tests there are, and
    run(kind, directory, names) gives a Result for each of the names. kind is a class of servers.py, and a directory
    a place for what servers and tests leave."""

    def __init__(self, title, directory, find_tests, run):
        self.title = title
        self.reference_path = os.path.join(directory, "reference.txt")
        self.left_out_path = os.path.join(directory, "left_out.txt")
        self.find_tests = find_tests
        self._run = run

    def run(self, kind, directory, names):
        """Run those tests, and once more those that failed."""
        results = self._run(kind, os.path.join(directory, "1"), names)
        failed = [name for name, result in results.items() if result.result == FAILED]
        if failed:
            again = self._run(kind, os.path.join(directory, "2"), failed)
            for name in failed:
                result = again[name]
                if result.result == FAILED:
                    result.why = "%s\n--- and the second time ---\n%s" % (results[name].why, result.why)
                result.runs = 2
                results[name] = result
        return results

    def reference(self):
        """{test: result} against ZooKeeper."""
        return dict(read_pairs(self.reference_path))

    def left_out(self):
        """{test: reason}"""
        return dict(read_pairs(self.left_out_path))

    def required(self):
        """The tests that have to pass: all that pass against ZooKeeper."""
        return [name for name, result in self.reference().items() if result == PASSED]

    def renew(self, kind, directory):
        """Run everything against ZooKeeper and record it; the lines that changed are returned."""
        before = self.reference() if os.path.exists(self.reference_path) else {}
        names = self.find_tests(os.path.join(directory, "names"))
        now = {name: result.result for name, result in self.run(kind, directory, names).items()}
        with open(self.reference_path, "w", encoding="utf-8") as file:
            file.write("# %s against Debian's ZooKeeper; renewed by tests/interop/reference.\n" % self.title)
            for name in sorted(now):
                file.write("%s %s\n" % (name, now[name]))
        return ["%s: %s, was %s" % (name, now.get(name, "gone"), before.get(name, "not there"))
                for name in sorted(set(before) | set(now)) if before.get(name) != now.get(name)]


def read_pairs(path):
    """The lines "NAME REST" of a file, without comments; no name twice."""
    seen = set()
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.strip() or line.startswith("#"):
                continue
            name, rest = line.rstrip("\n").split(" ", 1)
            assert name not in seen, "%s: %s stands there twice" % (path, name)
            seen.add(name)
            yield name, rest.strip()


def check_lists(suite, most, directory):
    """The suite has the tests of the reference, its two files agree, and no more than that many tests are left out;
    a line to print."""
    reference, left_out = suite.reference(), suite.left_out()
    assert set(reference) == set(suite.find_tests(directory)), "the suite is another one: renew its reference"
    wrong = {name for name, result in reference.items() if result not in (PASSED, FAILED, SKIPPED)}
    assert not wrong, "no such result: %s" % wrong
    not_passed = {name for name, result in reference.items() if result != PASSED}
    assert set(left_out) == not_passed, "left out without need: %s; not named: %s" % (
        sorted(set(left_out) - not_passed), sorted(not_passed - set(left_out)))
    assert all(left_out.values()), "a test is left out without a reason"
    assert len(left_out) <= most, "%d tests are left out, %d at most" % (len(left_out), most)
    return "%s: %d tests have to pass, %d are left out (%d at most)" % (
        suite.title, len(reference) - len(left_out), len(left_out), most)
