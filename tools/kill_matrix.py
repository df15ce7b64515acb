"""
Write the kill matrix in the docs: ``python tools/kill_matrix.py [--check]``.

Every deliberately wrong checker is played against the first case of every scenario. With ``--check`` nothing is played:
the page must name every checker with its scenario, which the tests prove.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PAGE = HERE / "docs" / "reference" / "kill-matrix.md"
sys.path.insert(0, str(HERE))

from pinscher.lab.player import Result, play  # noqa: E402
from pinscher.lab.scenarios import SCENARIOS  # noqa: E402
from tests.conformance.wrong_checkers import WRONG, Wrong  # noqa: E402

HEAD = """# The kill matrix

Made by `tools/kill_matrix.py` from `tests/conformance/wrong_checkers.py`; do not edit it by hand.
A lab whose scenarios let a wrong client pass proves nothing, so that {count} deliberately wrong pinning checks are played against it.
Each takes a right check and gets one step wrong, as real programs have.
The tests prove that each is killed by the scenario named here, that the right check passes that scenario, and that the wrong one is not simply dead: it accepts something that it must accept in the same family.
The last column says which other scenarios show the mistake as well, in the first of their cases.

| wrong checker | what it gets wrong | killed by | and by |
|---|---|---|---|
"""


def row(checker: Wrong) -> str:
    """Play a checker against everything and return its line."""
    with ThreadPoolExecutor(2) as pool:
        played = list(pool.map(lambda one: play(one.cases[0], checker.contestant, limit=5), SCENARIOS.values()))
    others = [
        f"`{one.case.scenario.id}`"
        for one in played
        if one.result in (Result.FAILED, Result.HUNG) and one.case.scenario.id != checker.killed_by
    ]
    more = f"{', '.join(others[:SHOWN])} and {len(others) - SHOWN} more" if len(others) > SHOWN else ", ".join(others)
    return f"{beginning(checker)} {more or 'no other'} |"


SHOWN = 6


def beginning(checker: Wrong) -> str:
    """Return what stands in a checker's line whatever else kills it."""
    why = checker.why.replace("``", "`")
    return f"| {checker.name} | {why} | `{checker.killed_by}` |"


def main() -> int:
    """Write the page, or with --check say whether it names every checker."""
    if "--check" not in sys.argv:
        rows = [row(checker) for checker in WRONG]
        PAGE.write_text(HEAD.format(count=len(WRONG)) + "\n".join(rows) + "\n", encoding="utf-8")
        return 0
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    wrong = [one.name for one in WRONG if not any(line.startswith(beginning(one)) for line in lines)]
    extra = len([line for line in lines if line.startswith("| ")]) - 1 - len(WRONG)
    print("\n".join(wrong) or ("the kill matrix is current" if not extra else f"{extra} lines too many"))
    return 1 if wrong or extra else 0


if __name__ == "__main__":
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    sys.exit(main())
