"""
Write into the docs how the diagnosis does on every refusal of the lab: ``python tools/diagnosis_summary.py [--check]``.

Every scenario is played with a pinned context, and each refusal is held against what an expert would say.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent.parent
PAGE = HERE / "docs" / "reference" / "diagnosis.md"
sys.path.insert(0, str(HERE))

from pinscher.lab.scenarios import SCENARIOS  # noqa: E402
from tests.conformance.diagnosed import (  # noqa: E402
    ATTACK,
    OPEN,
    ROTATION,
    Mark,
    is_refusing,
    label_of,
    mark,
    refusals,
)
from tests.conftest import REDIRECTIONS  # noqa: E402

if TYPE_CHECKING:
    from pinscher.diagnosis import Cause

BEGIN = "<!-- made by tools/diagnosis_summary.py: do not edit it by hand -->"
END = "<!-- the end of what tools/diagnosis_summary.py made -->"
CALLED = {"a rotation": ROTATION, "an attack": ATTACK, "open": OPEN}
ELSE = "something else"
HEAD = f"""| what happens | {" | ".join(f"called {name}" for name in (*CALLED, ELSE))} | as an expert | open, not as an expert | wrong |
|---|---|---|---|---|---|---|---|"""


def main() -> int:
    """Write the table into the page, or with --check say whether it is current."""
    for redirection in REDIRECTIONS:
        os.environ.pop(redirection, None)
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    made = before + table(counted()) + rest.partition(END)[2]
    if "--check" not in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    is_current = BEGIN in text and made == text
    command = "python tools/diagnosis_summary.py"
    print("the table of diagnoses is current" if is_current else f"out of date; make it with: {command}")
    return 0 if is_current else 1


def counted() -> dict[str, Counter[str]]:
    """Play every refusal of the lab and count, by what really happens, what it is called and how good that is."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for scenario in filter(is_refusing, SCENARIOS.values()):
        for refused in refusals(scenario):
            label = label_of(scenario, refused)
            if label is None:
                raise SystemExit(f"{refused.case}, visit {refused.number}: no label in expected_causes.json")
            if refused.diagnosis is not None:
                rows[label.truth].update([called(refused.diagnosis.cause), mark(label, refused.diagnosis)])
    return rows


def called(cause: Cause) -> str:
    """Return what a person who reads a cause takes it for."""
    return next((name for name, causes in CALLED.items() if cause in causes), ELSE)


def table(rows: dict[str, Counter[str]]) -> str:
    """Return the marked part of the page."""
    total = sum(rows.values(), Counter[str]())
    lines = [_row(truth, rows[truth]) for truth in sorted(rows)]
    return "\n".join([BEGIN, HEAD, *lines, _row("all", total), END])


def _row(name: str, row: Counter[str]) -> str:
    return f"| {name} | {' | '.join(str(row[column]) for column in (*CALLED, ELSE, *Mark))} |"


if __name__ == "__main__":
    sys.exit(main())
