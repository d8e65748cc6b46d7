"""What tools/compare says: tables, targets, plots. Nothing here starts or measures anything."""
import math
import os
import statistics
from xml.sax.saxutils import escape

COLOURS = {"ZooKeeper": "#b07d2b", "zoolited": "#2b6cb0", "limit": "#7a7a7a"}
ZOOKEEPER, ZOOLITED, LIMIT = COLOURS


class Target:
    """zoolited's median must be at least, or at most, so many times another's, so much above it, or a figure."""

    def __init__(self, text, what, unit, at_least=None, at_most=None, of=None, above=None):
        self.text, self.what, self.unit = text, what, unit
        self.at_least, self.at_most, self.of, self.above = at_least, at_most, of, above

    def judge(self, results):
        """What was reached and whether that is enough; None where it was not measured."""
        values = results.values.get((self.what, self.unit), {})
        if ZOOLITED not in values or not {self.of, self.above} <= {None, *values}:
            return None
        reached = statistics.median(values[ZOOLITED])
        if self.of:
            base = statistics.median(values[self.of])
            if base <= 0:
                return None
            reached /= base
        if self.above:
            reached -= statistics.median(values[self.above])
        met = reached >= self.at_least if self.at_least is not None else reached <= self.at_most
        return reached, met

    def wanted(self):
        sign, value = (">=", self.at_least) if self.at_least is not None else ("<=", self.at_most)
        beside = " above " + self.above if self.above else ""
        return "%s %s %s" % (sign, figure(value), "x " + self.of if self.of else self.unit + beside)


def load_name(case, connections, depth):
    return "%s %d x %d" % (case, connections, depth)


def targets(options):
    """Those of the project, at the sizes that this run has."""
    found = []

    def load(case, depth, factor, of):
        name = load_name(case, options.connections, depth)
        found.append(Target(name, name, "/s", at_least=factor, of=of))

    for case in ("get", "exists"):
        load(case, 1, 0.8, LIMIT)
        load(case, 16, 0.5, LIMIT)
    load("set", 1, 0.7, LIMIT)
    load("set", 16, 0.35, LIMIT)
    load("create", 16, 0.4, LIMIT)
    for case, factors in (("ephemeral", {1: 2.5, 16: 6}), ("mixed", {1: 1.8, 16: 5}), ("multi", {1: 4})):
        for depth, factor in factors.items():
            load(case, depth, factor, ZOOKEEPER)
    for case in ("create", "set"):
        what = case + " sustained"
        found += [Target(what, what + ", of the burst", "%", at_least=70),
                  Target(what, what, "/s", at_least=1, of=ZOOKEEPER)]
    made = "making znodes by multis of 50"
    found.append(Target(made, made, "/s", at_least=2, of=ZOOKEEPER))
    for case in options.cases:
        for depth in options.depths:
            what = load_name(case, options.connections, depth) + ", p99"
            found.append(Target(what, what, "us", at_most=1, of=ZOOKEEPER))
    found += [
        Target("reads beside writes at 50 ms a flush", "reads beside writes at 50 ms a flush, p99", "us", at_most=2000),
        Target("complete sessions", "complete sessions", "/s", at_least=0.9, of=LIMIT),
        Target("idle session", "idle session, RSS", "KiB", at_most=22),
        Target("idle session", "idle session, RSS", "KiB", at_most=5, above=LIMIT),
        Target("last watcher told", "fan-out, last told", "ms", at_most=1 / 3, of=ZOOKEEPER),
        Target("last watcher has read again", "fan-out, last has read", "ms", at_most=1 / 3, of=ZOOKEEPER),
        Target("all registered", "registering at once", "s", at_most=2.8),
        Target("start, empty", "start to the first session, empty", "ms", at_most=50),
        Target("start with znodes", "start to the first session, with znodes", "ms", at_most=50),
        Target("memory, empty", "memory with one session, RSS", "MiB", at_most=12),
        Target("memory with znodes", "memory with znodes, RSS", "MiB", at_most=100),
        Target("written for a set", "written for a set", "B/op", at_most=3, of=ZOOKEEPER),
        Target("written for a set, no retention", "written for a set, no retention", "B/op", at_most=1.5, of=ZOOKEEPER),
    ]
    return found


# ---- figures ----

def figure(value):
    """Three digits that count, thousands apart."""
    if abs(value) >= 100:
        return format(round(value), ",")
    return "%.1f" % value if abs(value) >= 10 else "%.2f" % value


def spread(values, show=figure):
    if not values:
        return "-"
    middle = show(statistics.median(values))
    if len(values) == 1:
        return middle
    return "%s (%s - %s)" % (middle, show(min(values)), show(max(values)))


def ratio(old, new):
    """Of the medians, and the extremes of what each round gives (rounds without a divisor give none)."""
    def show(value):
        return "%.2f" % value

    if not old or not new or statistics.median(old) <= 0:
        return "-"
    middle = statistics.median(new) / statistics.median(old)
    each = [b / a for a, b in zip(old, new) if a > 0]
    if len(each) < 2:
        return show(middle)
    return "%s (%s - %s)" % (show(middle), show(min(each)), show(max(each)))


# ---- tables ----

def table_of(results):
    rows = [("what", "unit", *COLOURS, "zoolited : ZooKeeper", "zoolited : limit")]
    for (what, unit), values in results.values.items():
        old, new, most = (values.get(title, []) for title in COLOURS)
        rows.append((what, unit, spread(old), spread(new), spread(most), ratio(old, new), ratio(most, new)))
    return rows


def table_of_targets(results, options):
    rows = [("target", "wanted", "reached", "")]
    for target in targets(options):
        judged = target.judge(results)
        if judged:
            rows.append((target.text, target.wanted(), figure(judged[0]), "met" if judged[1] else "missed"))
    halves = [judged[0] <= 0.5 for judged in (target.judge(results) for target in targets(options)
                                              if target.what.endswith(", p99") and target.of) if judged]
    if halves:
        rows.append(("p99, half of ZooKeeper's", "in most cases", "%d of %d" % (sum(halves), len(halves)),
                     "met" if 2 * sum(halves) > len(halves) else "missed"))
    return rows


def slope(points):
    """The power of the size that the cost grows with, by least squares."""
    pairs = [(math.log(size), math.log(statistics.median(costs))) for size, costs in sorted(points.items())
             if statistics.median(costs) > 0]
    if len(pairs) < 2:
        return None
    mean_x, mean_y = (statistics.fmean(column) for column in zip(*pairs))
    below = sum((x - mean_x) ** 2 for x, _ in pairs)
    return sum((x - mean_x) * (y - mean_y) for x, y in pairs) / below


def table_of_growth(results):
    rows = [("cost", "unit", "by", "server", "at each size", "grows with the power")]
    for (what, unit, by), series in results.growth.items():
        for title, points in series.items():
            power = slope(points)
            each = ", ".join("%s: %s" % (format(size, ","), spread(costs)) for size, costs in sorted(points.items()))
            rows.append((what, unit, by, title, each, "-" if power is None else "%.2f" % power))
    return rows


def as_text(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if column < 2 else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def as_markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "| --- | --- |" + " ---: |" * (len(rows[0]) - 2))
    return "\n".join(lines)


# ---- plots ----

def svg(width, height, parts):
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">\n'
            '<rect width="100%%" height="100%%" fill="white"/>\n%s\n</svg>\n' % (width, height, "\n".join(parts)))


def text_at(x, y, text, anchor="start"):
    return '<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>' % (x, y, anchor, escape(text))


def legend(y):
    parts = []
    for number, (title, colour) in enumerate(COLOURS.items()):
        parts.append('<rect x="%d" y="%d" width="10" height="10" fill="%s"/>' % (10 + 110 * number, y, colour))
        parts.append(text_at(24 + 110 * number, y + 10, title))
    return parts


def bars(results, unit):
    """A group of bars for each row of that unit, the longest of each group as long as the others'."""
    left, room, step = 260, 420, 16
    parts, y = legend(8), 40
    for (what, its_unit), values in results.values.items():
        if its_unit != unit:
            continue
        medians = {title: statistics.median(values[title]) for title in COLOURS if title in values}
        most = max(medians.values()) or 1
        parts.append(text_at(left - 8, y + 12, what, "end"))
        for title, value in medians.items():
            parts.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>' % (
                left, y, max(1, room * value / most), step - 3, COLOURS[title]))
            parts.append(text_at(left + room * value / most + 5, y + 11, "%s %s" % (figure(value), unit)))
            y += step
        y += 10
    return svg(left + room + 130, y + 10, parts)


def lines_of(series, what, unit, by):
    """Cost by size, both axes by powers of ten."""
    left, top, width, height = 80, 50, 520, 300
    points = {title: [(size, statistics.median(costs)) for size, costs in sorted(sizes.items())]
              for title, sizes in series.items()}
    every = [(math.log10(size), math.log10(max(cost, 1e-3))) for line in points.values() for size, cost in line]
    (low_x, high_x), (low_y, high_y) = ((math.floor(min(c)), max(math.ceil(max(c)), math.floor(min(c)) + 1))
                                        for c in zip(*every))

    def place(x, y):
        return (left + width * (x - low_x) / (high_x - low_x), top + height - height * (y - low_y) / (high_y - low_y))

    parts = legend(8) + [text_at(left, 42, "%s, %s, by %s" % (what, unit, by))]
    for power in range(low_x, high_x + 1):
        x, y = place(power, low_y)
        parts.append('<path d="M%.1f %.1fV%d" stroke="#ddd"/>' % (x, y, top))
        parts.append(text_at(x, y + 16, format(10 ** power, ","), "middle"))
    for power in range(low_y, high_y + 1):
        x, y = place(low_x, power)
        parts.append('<path d="M%.1f %.1fH%d" stroke="#ddd"/>' % (x, y, left + width))
        parts.append(text_at(x - 6, y + 4, "%g" % 10 ** power, "end"))
    for title, line in points.items():
        placed = ["%.1f,%.1f" % place(math.log10(size), math.log10(max(cost, 1e-3))) for size, cost in line]
        parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (
            " ".join(placed), COLOURS[title]))
    return svg(left + width + 30, top + height + 40, parts)


def write_plots(results, directory):
    """Returns the names of the files."""
    os.makedirs(directory, exist_ok=True)
    plots = {}
    for name, unit in (("rates", "/s"), ("latency", "us"), ("cpu", "us/op")):
        if any(key[1] == unit for key in results.values):
            plots[name + ".svg"] = bars(results, unit)
    for number, ((what, unit, by), series) in enumerate(results.growth.items(), 1):
        plots["growth-%d.svg" % number] = lines_of(series, what, unit, by)
    for name, text in plots.items():
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)
    return list(plots)


def write_markdown(path, heading, tables, plots, plot_directory):
    """tables: (title, rows); those with no row but the head are left out."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join("- " + line for line in heading) + "\n")
        for title, rows in tables:
            if len(rows) > 1:
                file.write("\n## %s\n\n%s\n" % (title, as_markdown(rows)))
        beside = os.path.relpath(plot_directory, os.path.dirname(os.path.abspath(path))) if plots else ""
        for name in plots:
            file.write("\n![%s](%s)\n" % (name[:-4], os.path.join(beside, name)))
