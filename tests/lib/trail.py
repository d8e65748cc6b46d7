"""The audit trail of a server under test, as zoolited --export-audit tells it."""
import json
import re
import subprocess

import servers


def trail_config(directory, **config):
    """With a key beside the data, not in it."""
    return dict({"zoolite__auditKey": str(directory / "audit.key")}, **config)


def start_policed(server, directory, policy):
    """Start it, with that policy in force; None: without."""
    if policy:
        (directory / "policy").write_text(policy)
        (directory / "policy").chmod(0o644)
        server.config["zoolite.policyFile"] = str(directory / "policy")
    return server.start()


def run(server, *words):
    done = subprocess.run([server.binary, *words, server.config_path], capture_output=True, text=True, timeout=60,
                          check=False)
    complaint = re.search("Sanitizer|runtime error:", done.stderr)
    assert not complaint, done.stderr
    return done


def rows(server):
    done = run(server, "--export-audit")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def wait_rows(server, wanted, what):
    """Until the trail has a row that wanted() likes; that row."""
    return servers.wait_until(lambda: next((row for row in rows(server) if wanted(row)), None), 10, what)


def wait_row(server, **wanted):
    """Until a row has all these values; that row."""
    what = "a row with " + ", ".join("%s=%s" % item for item in wanted.items())
    return wait_rows(server, lambda row: all(row.get(key) == value for key, value in wanted.items()), what)
