"""One order explains all answers: concurrent sessions, half of them over TLS, pipeline reads and lists with and
without watches, creates, sets, deletes and multis, while the server is killed or stopped and started again; every request, answer and event is recorded with its zxid, and
checked against the log (tests/fault/history.h says for what). The history is then spoiled in each way there is, and
each of these must be found.

ZOOLITE_HISTORY_SEED and ZOOLITE_HISTORY_ANSWERS change the run; the seed is printed. With ZOOLITE_LONG it has more than
1,000,000 operations.
"""
import os
import random
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import certs  # noqa: E402
import servers  # noqa: E402
import zk_wire as zk  # noqa: E402

LONG = bool(os.environ.get("ZOOLITE_LONG"))
SEED = int(os.environ.get("ZOOLITE_HISTORY_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
ANSWERS = int(os.environ.get("ZOOLITE_HISTORY_ANSWERS", "1000000" if LONG else "100000"))
LEAST_KILLS = 3
MUTANTS = 3
DEADLINE_S = 1800 if LONG else 240
CONFIG = {"zoolite.segmentSize": 1 << 20, "zoolite.replayDelay": 1, "zoolite.replayBatch": 500,
          "zoolite.logRetention": "100g", "maxSessionTimeout": 600000}


def find_program():
    path = os.path.join(os.environ.get("ZOOLITE_BUILDDIR", "."), "tests", "fault", "history_run")
    if not os.access(path, os.X_OK):
        pytest.fail("no %s: make check TESTS=" % path)
    return path


class Program:
    """The sessions, and who reads what they say."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([find_program()] + [str(argument) for argument in arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = ""
        self.has_said = threading.Event()
        self.reader = threading.Thread(target=self._read)
        self.watchdog = threading.Timer(DEADLINE_S, self.process.kill)
        self.reader.start()
        self.watchdog.start()

    def _read(self):
        for line in self.process.stdout:
            self.said += line
            self.has_said.set()
        self.has_said.set()

    def finish(self):
        """The server has stopped: its exit status."""
        self.process.stdin.write("stopped\n")
        self.process.stdin.close()
        return self.process.wait()

    def close(self):
        self.watchdog.cancel()
        self.process.kill()
        self.process.wait()
        self.reader.join()


def end_and_start(server, program, rng):
    """Until the sessions have their answers; a while after each time that it began to serve. Every third end is
    a clean stop."""
    kills = stops = 0
    while not program.has_said.wait(rng.uniform(0.3, 1.5) if LONG else rng.uniform(0.05, 0.3)):
        if (kills + stops) % 3 != 2:
            server.kill()
            kills += 1
        else:
            assert server.stop() == 0, server.log()[-4000:]
            stops += 1
        server.start()
    return kills, stops


def test_one_order_explains_all_answers(tmp_path):
    if servers.find_zoolited() is None:
        pytest.fail("no zoolited binary: set ZOOLITED")
    print("\nseed %d (ZOOLITE_HISTORY_SEED)" % SEED, flush=True)
    (tmp_path / "certificates").mkdir()
    authority = certs.make_authority(tmp_path / "certificates")
    server = servers.Zoolite(tmp_path / "server", authority, True, True, config=CONFIG).start()
    setup = server.client(tls=False)
    for name in ("/h0", "/h1", "/h2"):
        assert setup.call(zk.create(name)).err == 0
    setup.close_session()
    began = time.monotonic()
    program = Program(server.port, server.tls_port, authority.ca, authority.cert("client"), authority.key("client"),
                      os.path.join(server.data_dir, "log"), SEED, ANSWERS, MUTANTS)
    try:
        kills, stops = end_and_start(server, program, random.Random(SEED))
        took = time.monotonic() - began
        assert program.said == "done\n", program.said
        server.finish()
        status = program.finish()
        program.reader.join()
        print("%s%d kills and %d stops in %.0f s, checked in %.0f s" % (
            program.said, kills, stops, took, time.monotonic() - began - took))
        assert status == 0, "seed %d: %s" % (SEED, program.said)
        assert kills >= LEAST_KILLS and stops > 0
    finally:
        program.close()
        server.close()
