"""tools/compare: what its report says of given figures."""
import argparse
import os
import sys
import xml.etree.ElementTree

import pytest

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tools")
sys.path.insert(0, TOOLS)
import compare_report  # noqa: E402


class Results:
    def __init__(self, values=None, growth=None):
        self.values = values or {}
        self.growth = growth or {}


def options(**other):
    return argparse.Namespace(**dict({"connections": 50, "cases": ["get"], "depths": [1, 16]}, **other))


def rows_of(values):
    return compare_report.table_of_targets(Results(values), options())[1:]


@pytest.mark.parametrize("rate, verdict", [(80, "met"), (79, "missed")])
def test_target_beside_the_limit(rate, verdict):
    assert rows_of({("get 50 x 1", "/s"): {"zoolited": [1, rate, 1000], "limit": [100]}}) == [
        ("get 50 x 1", ">= 0.80 x limit", "%.2f" % (rate / 100), verdict)]


@pytest.mark.parametrize("memory, verdicts", [(21, ["met", "missed"]), (20, ["met", "met"]), (23, ["missed", "missed"])])
def test_target_of_a_figure_and_of_a_difference(memory, verdicts):
    rows = rows_of({("idle session, RSS", "KiB"): {"zoolited": [memory], "limit": [15]}})
    assert [row[3] for row in rows] == verdicts


def test_target_of_most_cases():
    def rows(short):
        values = {("get 50 x %d, p99" % depth, "us"): {"zoolited": [value], "ZooKeeper": [100]}
                  for depth, value in ((1, 50), (16, short))}
        return [row[3] for row in rows_of(values)]

    assert rows(50) == ["met", "met", "met"]
    assert rows(51) == ["met", "met", "missed"]


def test_what_was_not_measured_is_not_judged():
    assert rows_of({("get 50 x 1", "/s"): {"zoolited": [1]}, ("set 50 x 1", "/s"): {"limit": [1]}}) == []


def test_ratios_and_their_spread():
    row = compare_report.table_of(Results({("x", "/s"): {"ZooKeeper": [10, 20, 40], "zoolited": [30, 40, 40]}}))[1]
    assert row == ("x", "/s", "20.0 (10.0 - 40.0)", "40.0 (30.0 - 40.0)", "-", "2.00 (1.00 - 3.00)", "-")


def test_growth():
    series = {"zoolited": {10: [20], 100: [200], 1000: [2000]}, "limit": {10: [3], 100: [3]}}
    results = Results(growth={("children", "us", "children"): series})
    assert [row[5] for row in compare_report.table_of_growth(results)[1:]] == ["1.00", "0.00"]


def test_plots_are_svg(tmp_path):
    results = Results({("get <50>", "/s"): {"zoolited": [2], "limit": [4]}},
                      {("get", "us", "connections"): {"zoolited": {1: [3], 10: [0]}}})
    names = compare_report.write_plots(results, str(tmp_path))
    assert names == ["rates.svg", "growth-1.svg"]
    for name in names:
        assert xml.etree.ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg")
