"""
What people read: one message for everything that waits on a route, and the digest of a day.

Rules of this file:

1. Every message says what, where, why, what to do next, and where there is more, and is bounded.
2. What an attacker may have chosen stands in it as text: a letter by which some service would make a link, a picture,
   a mention or markup comes back as its number.
3. Incidents and findings have half a message each, as far as there are so many: reports can be forged.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.monitor.alerts.plan import INCIDENT
from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.tables import moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pinscher.monitor.alerts.notices import Notice

MOST_TOLD = 10
"""Notices that a message tells in full; it counts the rest."""
_LONGEST = 300
"""Characters of one text of a notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message to people."""

    severity: Severity
    title: str
    body: str


def message_of(notices: Sequence[Notice], *, link: str, held: int = 0) -> Message:
    """Return one message for many notices, the gravest first; *held* were not written down."""
    ordered = sorted(notices, key=_order)
    first = ordered[0]
    title = f"{_heading(first)}: {plain(first.subject)}"
    if len(ordered) > 1:
        title = f"{_heading(first)} and {len(ordered) - 1} more: {plain(first.subject)}"
    named = _named(ordered)
    parts = [_told(notice, link) for notice in named]
    if len(ordered) > MOST_TOLD:
        rest = [notice for notice in ordered if notice not in named]
        parts.append(f"and {len(rest)} more: {_counted(rest)}")
    if held:
        parts.append(f"{held} more were held back, for too much happened")
    return Message(severity=first.severity, title=title, body="\n\n".join(parts))


def _order(notice: Notice) -> tuple[bool, int, bool, int]:
    """Put what the monitor found itself before what was reported, where both are as grave."""
    return notice.what == "closed", -notice.severity, notice.rule == INCIDENT, notice.at


def _named(ordered: Sequence[Notice]) -> list[Notice]:
    """Return what is told in full (rule 3)."""
    begun = [notice for notice in ordered if notice.rule == INCIDENT]
    found = [notice for notice in ordered if notice.rule != INCIDENT]
    half = MOST_TOLD // 2
    begun = begun[: max(half, MOST_TOLD - len(found))]
    return sorted([*begun, *found[: MOST_TOLD - len(begun)]], key=_order)


def digest_of(open_now: Sequence[Notice], *, link: str, held: int, at: datetime) -> Message:
    """Return what is open at the end of a day; *open_now* are in no order."""
    ordered = sorted(open_now, key=lambda notice: (-notice.severity, notice.at))
    parts = [f"{len(ordered)} open: {_counted(ordered)}" if ordered else "nothing is open"]
    parts += [f"{_heading(notice)}: {plain(notice.subject)}: {plain(notice.said)}" for notice in ordered[:MOST_TOLD]]
    if len(ordered) > MOST_TOLD:
        parts.append(f"and {len(ordered) - MOST_TOLD} more")
    if held:
        parts.append(f"{held} were held back, for too much happened")
    parts += [link] if link else []
    title = f"pinscher: the day until {at:%Y-%m-%d %H:%M}"
    return Message(severity=Severity.NOTICE, title=title, body="\n".join(parts))


def _heading(notice: Notice) -> str:
    return f"{notice.severity.word}: {plain(notice.rule)} {plain(notice.what)}"


def _told(notice: Notice, link: str) -> str:
    lines = [
        f"{_heading(notice)} on {moment(notice.at):%Y-%m-%d %H:%M} UTC",
        f"  where: {plain(notice.subject)}",
        f"  why:   {plain(notice.cause)}" if notice.cause else "",
        f"  what:  {plain(notice.said)}",
        f"  next:  {plain(notice.advice)}" if notice.what != "closed" else "",
        f"  more:  {link}{notice.path}" if link else "",
    ]
    return "\n".join(line for line in lines if line)


def _counted(notices: Sequence[Notice]) -> str:
    counts = Counter(notice.severity for notice in notices)
    return ", ".join(f"{counts[severity]} {severity.word}" for severity in sorted(counts, reverse=True))


def plain(text: str) -> str:
    """Return a text in one line of which no service makes anything but text (rule 2)."""
    shown = text if text.isascii() and text.isprintable() and len(text) <= _LONGEST else escaped(text, limit=_LONGEST)
    return shown.translate(_HARMLESS).replace("://", ":\\x2f/")


_HARMLESS = {ord(letter): f"\\x{ord(letter):02x}" for letter in "<>&[]@`|"}
