"""
Findings about the log of one's own pin sets: clients that were shown different histories.

Rules of this file:

1. A head stands in each heartbeat, and heartbeats can be forged by anyone who has the application. A fork that they
   tell of is a reason to compare the signed heads, and no proof by itself.
2. Where the repository is followed, its log alone is compared, and every size that clients tell of with the root that
   the log's tiles prove for it. Where none is, two roots for one size are compared; at most ten logs are told one by
   one, and beyond them one finding more says that there are many.
3. A fork stays as it was told until the log is left, or until a person has acknowledged it and no two heads that are
   remembered contradict each other any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.monitor.findings.finding import Finding, Severity, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pinscher.errors import PinningError
    from pinscher.monitor.findings.told import Told

HEAD_RULES = ("log-forked", "log-unproven")
"""The rules of this file's findings."""
MOST_LOGS = 10
"""Logs that nobody follows and that are told one by one (rule 2)."""
_HEAD = re.compile(r"(.{1,150}) (0|[1-9][0-9]{0,18}) ([A-Za-z0-9+/]{43}=)")
_ROOTS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class ToldHead:
    """A head on one line, as a client or the repository tells it, and who says so."""

    line: str
    by: str


def origin_of(line: str) -> str | None:
    """Return the name of the log whose head a line is, or None for a line that is no head."""
    found = _HEAD.fullmatch(line)
    return None if found is None else found[1]


def log_forked(
    heads: Iterable[ToldHead], told: Mapping[str, Told] | None = None, *, followed: str | None = None
) -> dict[str, list[Finding]]:
    """
    Return a finding for each log of which two roots are told for one size; a line that is no head is passed over.

    *heads* are the ones that matter most first, and *followed* is the name of the repository's log.
    """
    subjects = None if followed is None else {_subject(followed)}
    known = {subject: one for subject, one in (told or {}).items() if subjects is None or subject in subjects}
    fresh = {subject: said for subject, said in _forks(heads).items() if subjects is None or subject in subjects}
    found = {subject: [one.finding] for subject, one in known.items() if subject in fresh or not one.is_acknowledged}
    for subject, said in fresh.items():
        if subject not in found:
            found |= {subject: [_finding(said)]} if len(found) < MOST_LOGS else {_MANY: [_finding(_MANY_SAID)]}
    return found


def log_unproven(followed: str, error: PinningError) -> dict[str, list[Finding]]:
    """Return the finding about a followed log whose tiles do not prove what clients' heads are compared with."""
    finding = Finding(
        rule="log-unproven",
        severity=Severity.WARNING,
        said=f"clients' heads of other sizes than the repository's are not compared: {one_line(str(error))}",
        advice="look whether the repository serves the log's tiles: 'pinscher log verify' tells what is missing there",
    )
    return {_subject(followed): [finding]}


def _forks(heads: Iterable[ToldHead]) -> dict[str, str]:
    """Return what there is to say of each log, of the first size that is told with two roots."""
    roots: dict[tuple[str, str], dict[str, str]] = {}
    for one in heads:
        found = _HEAD.fullmatch(one.line)
        if found is not None:
            roots.setdefault((found[1], found[2]), {}).setdefault(found[3], one.by)
    forks: dict[str, str] = {}
    for (origin, size), known in roots.items():
        if len(known) > 1:
            shown = [f"{root} by {escaped(by, limit=60)}" for root, by in sorted(known.items())[:_ROOTS_SHOWN]]
            forks.setdefault(_subject(origin), f"two roots for {size} entries: {', '.join(shown)}")
    return forks


def _subject(origin: str) -> str:
    return f"log of pin sets {escaped(origin)}"


_MANY = "many logs of pin sets"
_MANY_SAID = f"two roots each are told of more than {MOST_LOGS} logs"


def _finding(said: str) -> Finding:
    return Finding(
        rule="log-forked",
        severity=Severity.CRITICAL,
        said=said,
        advice="compare the signed heads of those clients ('pinscher log verify'): if both are signed, "
        "somebody with the log's key shows clients different pin sets; heartbeats alone can be forged",
    )
