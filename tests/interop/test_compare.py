"""tools/compare: all of it once, small, on ZooKeeper, zoolited and the limit."""
import json
import os
import subprocess

import servers

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tools")
DEADLINE_S = 600
# Each size is three servers more.
GROWTH = ["--growth"] if os.environ.get("ZOOLITE_LONG") else []


def test_all_of_it(tmp_path):
    """It measures every case of the targets on every server it is for, judges, and leaves nothing behind."""
    report, raw, plots = tmp_path / "report.md", tmp_path / "raw", tmp_path / "plots"
    done = subprocess.run([os.path.join(TOOLS, "compare"), "--quick", *GROWTH, "--build",
                           os.path.dirname(servers.find_zoolited()), "--dir", str(tmp_path / "run"), "--markdown",
                           str(report), "--raw", str(raw), "--plots", str(plots)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    text = report.read_text()
    for title in ("Figures", "Targets", *(["How cost grows"] if GROWTH else [])):
        assert "\n## %s\n" % title in text and title in done.stdout
    for what in ("complete sessions", "last watcher told", "all registered", "start, empty", "memory with znodes",
                 "written for a set, no retention", "reads beside writes at 50 ms a flush", "create sustained",
                 "set sustained", "idle session", "get 8 x 1", "p99, half of ZooKeeper's"):
        rows = [line for line in text.splitlines() if line.startswith("| %s |" % what)]
        assert rows and any(row.endswith(("| met |", "| missed |")) for row in rows), what
    ran = {(one["server"], one["case"]) for one in map(json.loads, raw.read_text().splitlines())}
    both = {"get", "set", "create", "connects", "register", "fan-out", "fill", "idle"}
    growing = {("ZooKeeper", "children"), ("zoolited", "children"), ("limit", "create")} if GROWTH else set()
    assert ran == growing | {(server, case) for server in ("ZooKeeper", "zoolited") for case in both} | {
        ("limit", case) for case in ("get", "set", "connects", "register", "idle")}
    assert {"rates.svg", "latency.svg", "cpu.svg", *(["growth-1.svg"] if GROWTH else [])} <= set(os.listdir(plots))
    assert os.listdir(tmp_path / "run") == []
