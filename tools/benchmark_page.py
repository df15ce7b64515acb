"""
Make ``docs/benchmarks.md`` and its plots from the raw data of one run: ``python tools/benchmark_page.py [--check] [FILE]``.

The raw data are ``docs/benchmarks/raw.jsonl``, which ``make bench`` writes. Nothing on the page is from elsewhere, and
the same data give the same octets. With ``--check`` nothing is written, and the exit is 1 where a file is not current.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
from pathlib import Path
from typing import Any

import plots

HERE = Path(__file__).resolve().parent.parent
RAW = HERE / "docs" / "benchmarks" / "raw.jsonl"
LEAST, MOST = 0.9, 1.35
PALE = "#9aa4af"
AXES = {
    "policy size": ("a policy", "hosts in the policy"),
    "chain length": ("a chain", "certificates in the validated chain"),
    "endpoints": ("a probe", "endpoints in one survey"),
    "reports": ("a stored report", "reports that are stored by then"),
}
TO_MICROSECONDS = {"s": 1e6, "ms": 1e3, "us": 1.0}
METHOD = """## Method

Everything on this page is from one run of `benchmarks/run.py`, which `make bench` starts, and [the raw data](benchmarks/raw.jsonl) hold each figure of each round.
Contenders play in one process, in an order that is shuffled anew each round, against one server in a process of its own on the loopback.
A ratio is that of two medians; its bar is from the 5th to the 95th percentile over rounds that were drawn again 2,000 times.
"plain again" is the same as "plain": what it differs by is the noise of the machine, and a limit is no narrower than that.
A ratio to another program is the machine's as well: on an Intel Xeon a probe was at 1.06 to 1.08 of `s_time` in three runs, where a bare handshake by Python's own `ssl` was at 1.03, and at 0.98 of blackbox_exporter; one of them had 64.6 KB in flight.
`python benchmarks/run.py --short` tries it in a tenth of the rounds, and `python tools/benchmark_page.py` makes this page.
"""


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what was measured on, and every line after it."""
    head, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return head, lines


def bootstrapped(of: list[float], to: list[float]) -> tuple[float, float, float]:
    """Return the ratio of two medians, and its 5th and 95th percentile over rounds that were drawn again."""
    chance = random.Random(7469)
    drawn = sorted(
        statistics.median(chance.choices(of, k=len(of))) / statistics.median(chance.choices(to, k=len(to)))
        for _ in range(2000)
    )
    return statistics.median(of) / statistics.median(to), drawn[100], drawn[1900]


def compared(lines: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return every group that has a plain contender, by the contenders' names."""
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for line in lines:
        if "cpu" in line:
            groups.setdefault(line["group"], {})[line["name"]] = line
    return {group: names for group, names in groups.items() if "plain" in names}


def ratio_rows(lines: list[dict[str, Any]]) -> list[tuple[str, list[tuple[plots.Ratio, float]]]]:
    """Return each group's ratios of the time that passes, each with that of the processor's time."""
    rows = []
    for group, names in compared(lines).items():
        made = []
        for name, line in names.items():
            if name != "plain":
                colour = PALE if name == "plain again" else plots.COLOURS[name != "pinned"]
                limit = line["limit"] if name == "pinned" else None
                one = plots.Ratio(name, *bootstrapped(line["figures"], names["plain"]["figures"]), limit, colour)
                made.append((one, statistics.median(line["cpu"]) / statistics.median(names["plain"]["cpu"])))
        rows.append((group, made))
    return rows


def curves(lines: list[dict[str, Any]], group: str) -> list[plots.Line]:
    """Return the curves of one group, in microseconds."""
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for line in lines:
        if line.get("group") == group and "at" in line:
            figures = [figure * TO_MICROSECONDS[line["unit"]] for figure in line["figures"]]
            found.setdefault(line["name"], []).append((line["at"], statistics.median(figures), *_quartiles(figures)))
    return [plots.Line(name, tuple(points)) for name, points in found.items()]


def _quartiles(figures: list[float]) -> tuple[float, float]:
    if len(figures) < 4:
        return min(figures), max(figures)
    first, _, third = statistics.quantiles(figures, n=4)
    return first, third


def files(head: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, str]:
    """Return every file that the raw data make, by its path below ``docs``."""
    rows = ratio_rows(lines)
    made = {
        "benchmarks/ratios.svg": plots.ratios(
            "Time that passes, against plain ssl", [(group, [one for one, _ in of]) for group, of in rows],
            least=LEAST, most=MOST,
        )
    }  # fmt: skip
    grown = {group: curves(lines, group) for group in AXES}
    for group, found in grown.items():
        if found:
            what, axis = AXES[group]
            made[f"benchmarks/{group.replace(' ', '-')}.svg"] = plots.growth(f"What {what} costs", axis, found)
    made["benchmarks.md"] = page(head, lines, rows, {group: found for group, found in grown.items() if found})
    return made


def page(
    head: dict[str, Any],
    lines: list[dict[str, Any]],
    rows: list[tuple[str, list[tuple[plots.Ratio, float]]]],
    grown: dict[str, list[plots.Line]],
) -> str:
    """Return the page."""
    parts = ["# Benchmarks\n", _measured_on(head), METHOD]
    parts.append("## Against plain, and against what clients bring themselves\n\n![ratios](benchmarks/ratios.svg)\n")
    parts.append(
        "| what | who | time that passes | 5th to 95th percentile | processor | limit on time |\n|---|---|---|---|---|---|"
    )
    for group, of in rows:
        for one, cpu in of:
            limit = "" if one.limit is None else f"{one.limit:g}"
            parts.append(
                f"| {group} | {one.name} | {one.middle:.3f} | {one.low:.3f} to {one.high:.3f} | {cpu:.3f} | {limit} |"
            )
    parts.append(
        "\nA fingerprint of urllib3 takes the place of the name, and one of aiohttp that of all verification: they do less than a plain connection.\n"
    )
    parts.append("## Costs with a limit\n\n| what | median | limit | |\n|---|---|---|---|")
    parts += [row for line in lines if (row := _cost(line))]
    parts.append(
        "\n## What grows with what\n\nPoints are medians, strokes the middle half of the figures; both axes are logarithmic.\nThe canonical forms of 4,096 host names are remembered: a look-up among more pays for making one.\n"
    )
    for group, found in grown.items():
        parts.append(f"![{group}](benchmarks/{group.replace(' ', '-')}.svg)\n")
        parts.append(_grown(group, found))
    parts.append("## What was printed\n")
    for line in lines:
        if "said" in line:
            kept = "every limit was kept" if line["kept"] else "a limit was not kept"
            parts.append(
                f"### {line['room']}\n\n{kept[0].upper()}{kept[1:]}.\n\n```text\n" + "\n".join(line["said"]) + "\n```\n"
            )
    return "\n".join(parts).rstrip("\n") + "\n"


def _measured_on(head: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in head["versions"].items())
    told = [
        f"Measured on {head['date']}: {head['machine']}; {head['system']}; Python {head['python']}; {head['openssl']}; {versions}.",
        f"The machine's load was {head['load']} when the run began.",
    ]
    if head["short"]:
        rooms = ", ".join(head["rooms"])
        told.append(
            f"**This was a short run of {rooms}, a tenth of the rounds, on a machine with other work: it judges nothing.**"
        )
    return "\n".join(told) + "\n"


def _cost(line: dict[str, Any]) -> str:
    if "figures" not in line or line.get("limit") is None or "cpu" in line or "at" in line:
        return ""
    middle = statistics.median(line["figures"])
    kept = "within" if middle <= line["limit"] else "**above**"
    return (
        f"| {line['room']}: {line['name']} | {middle:.3g} {line['unit']} | {line['limit']:g} {line['unit']} | {kept} |"
    )


def _grown(group: str, found: list[plots.Line]) -> str:
    places = sorted({point[0] for line in found for point in line.points})
    rows = [
        f"| {AXES[group][1]} | " + " | ".join(f"{place:,.0f}" for place in places) + " |",
        "|---" * (len(places) + 1) + "|",
    ]
    for line in found:
        by_place = {point[0]: point[1] for point in line.points}
        rows.append(
            f"| {line.name} | "
            + " | ".join(plots.spoken(by_place[place]) if place in by_place else "" for place in places)
            + " |"
        )
    return "\n".join(rows) + "\n"


def main(arguments: list[str]) -> int:
    """Write every file, or say which is not current."""
    named = [argument for argument in arguments if not argument.startswith("-")]
    made = files(*read(Path(named[0]) if named else RAW))
    stale = []
    for name, text in made.items():
        path = HERE / "docs" / name
        if "--check" in arguments:
            stale += [name] if not path.exists() or path.read_text(encoding="utf-8") != text else []
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if "--check" in arguments:
        print(f"not current: {', '.join(stale)}" if stale else "the page of benchmarks is current")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
