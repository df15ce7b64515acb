"""Write the index of decisions from their own headings and questions: ``python tools/decisions_index.py [--check]``."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "decisions"
PAGE = FOLDER / "index.md"
HEAD = """# Decisions

Made by `tools/decisions_index.py` from the decisions themselves; do not edit it by hand.
A decision that somebody might want to open again is written down with its reason and with what else was considered.

| | decision | status |
|---|---|---|
"""


def row(path: Path) -> str:
    """Return a decision's line."""
    number, _, title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").partition(". ")
    status = next(
        line.removeprefix("Status: ").rstrip(".")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("Status: ")
    )
    if path.name[:4] != f"{int(number):04}":
        raise SystemExit(f"{path.name} calls itself decision {number}")
    return f"| {number} | [{title}]({path.name}) | {status} |\n"


def main() -> int:
    """Write the index, or with --check say whether it is current."""
    page = HEAD + "".join(row(path) for path in sorted(FOLDER.glob("[0-9]*.md")))
    if "--check" in sys.argv:
        is_current = PAGE.read_text(encoding="utf-8") == page
        print("the index of decisions is current" if is_current else "stale: run tools/decisions_index.py")
        return 0 if is_current else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
