"""Many clients as services have them, held by zoolite-bench (its case "storm"): each with an ephemeral znode, one-shot
watches on data and children, and a persistent watch. They come back whenever they lose the server, all at once, and
judge what they are told.

    with Members(server, 500) as members:
        members.change("1")              # what all of them watch, through a client of the caller's
        server.restart()
        members.wait_storm()             # all are back
        members.finish(changes)          # nobody was told too little, too much, or out of order
"""
import json
import os
import select
import signal
import subprocess
import time

import servers
import zk_wire as zk

DEADLINE_S = 180


def find_bench(binary):
    return os.path.join(os.path.dirname(binary), "tools", "zoolite-bench")


class Members:
    def __init__(self, server, count, timeout_ms=30000, bench=None):
        authority = server.authority
        self.count = count
        self.errors_path = os.path.join(server.directory, "members.log")
        self.unread = b""
        self.head = None
        with open(self.errors_path, "wb") as errors:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", bench or find_bench(server.binary), "--json", "--ca", authority.ca,
                 "--cert", authority.cert("client"), "--key", authority.key("client"), "-c", str(count),
                 "--timeout", str(timeout_ms), "storm", "localhost:%d" % server.tls_port],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)

    def __enter__(self):
        try:
            self.head = self._next()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    # -- what they say --------------------------------------------------------------------------------

    def poll(self, wait_s=0.0):
        """Their next line, decoded, or None where there is none yet."""
        if b"\n" not in self.unread and select.select([self.process.stdout], [], [], wait_s)[0]:
            got = os.read(self.process.stdout.fileno(), 65536)
            assert got, "zoolite-bench has ended: " + self.complaints()
            self.unread += got
        if b"\n" not in self.unread:
            return None
        line, self.unread = self.unread.split(b"\n", 1)
        return json.loads(line)

    def _next(self, deadline_s=DEADLINE_S):
        end = time.monotonic() + deadline_s
        while True:
            line = self.poll(0.5)
            if line is not None:
                return line
            assert time.monotonic() < end, "zoolite-bench says nothing: " + self.complaints()

    def complaints(self):
        with open(self.errors_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_storm(self):
        """Until all that lost the server are back; what they say of it."""
        return self._next()

    # -- what happens to them -------------------------------------------------------------------------

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    @property
    def groups(self):
        return ["%s/g%04d" % (self.head["root"], group) for group in range(self.head["groups"])]

    def change(self, client, name, groups=None):
        """Change what they watch: data once, children once, and twice what has the persistent watch."""
        data = name.encode()
        for group in groups or self.groups:
            replies = client.call_all([
                zk.set_data(group + "/lasting", data), zk.set_data(group + "/data", data),
                zk.create("%s/kids/%s" % (group, name)), zk.set_data(group + "/lasting", data)])
            assert [reply.err for reply in replies] == [0] * 4

    def wait_watching(self, server):
        """Until each has all its watches armed; a persistent one counts for data and for children."""
        servers.wait_until(lambda: server.metric("watch_count") == 4 * self.count, DEADLINE_S, "all to watch")

    def check_ephemerals(self, client):
        """All are there, and each was made once and never removed, not for a moment."""
        found = 0
        for group in self.groups:
            stat = client.call(zk.exists(group + "/members")).value
            assert stat.cversion == stat.num_children
            found += stat.num_children
        assert found == self.count

    def finish(self):
        """Let them look round once more and leave; what they saw."""
        self.process.stdin.close()
        seen = self._next()
        while "told" not in seen:
            seen = self._next()
        assert self.process.wait(DEADLINE_S) == 0, self.complaints()
        faults = {key: seen[key] for key in ("missed", "twice", "disordered", "vanished", "expired", "failed")}
        assert not any(faults.values()), self.complaints()
        assert not self.complaints(), self.complaints()
        return seen
