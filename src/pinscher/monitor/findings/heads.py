"""
Findings about the log of one's own pin sets: clients that were shown different histories.

A head stands in each heartbeat, and heartbeats can be forged by anyone who has the application. A fork that they tell
of is a reason to compare the signed heads, and no proof by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.monitor.findings.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD_RULES = ("log-forked",)
"""The rules of this file's findings."""
_HEAD = re.compile(r"(.{1,150}) (0|[1-9][0-9]{0,18}) ([A-Za-z0-9+/]{43}=)")


@dataclass(frozen=True, slots=True)
class ToldHead:
    """A head on one line, as a client or the repository tells it, and who says so."""

    line: str
    by: str


def log_forked(told: Iterable[ToldHead]) -> dict[str, list[Finding]]:
    """Return a finding for each log of which two roots are told for one size; a line that is no head is passed over."""
    roots: dict[tuple[str, int], dict[str, str]] = {}
    for one in told:
        found = _HEAD.fullmatch(one.line)
        if found is not None:
            roots.setdefault((found[1], int(found[2])), {}).setdefault(found[3], one.by)
    findings: dict[str, list[Finding]] = {}
    for (origin, size), known in sorted(roots.items()):
        if len(known) > 1:
            shown = ", ".join(f"{root} by {escaped(by, limit=60)}" for root, by in sorted(known.items())[:4])
            findings[f"log of pin sets {origin}"] = [
                Finding(
                    rule="log-forked",
                    severity=Severity.CRITICAL,
                    said=f"two roots for {size} entries: {shown}",
                    advice="compare the signed heads of those clients ('pinscher log verify'): if both are signed, "
                    "somebody with the log's key shows clients different pin sets; heartbeats alone can be forged",
                )
            ]
    return findings
