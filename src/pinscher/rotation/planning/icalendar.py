"""
The plan as an iCalendar file (RFC 5545), a day's event for each step.

Lines end with CRLF and are folded at 75 octets, never inside a character (section 3.1); commas, semicolons, backslashes
and line ends in a text are escaped (section 3.3.11). A name from outside is escaped to printable ASCII before that.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.rotation.planning.plan import StepKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pinscher.rotation.planning.plan import Plan, Step

_LONGEST_LINE = 75
"""Octets, the end of the line not counted."""
_WORDS = {
    StepKind.PIN: "pin key {}",
    StepKind.RENEW: "renew with key {}",
    StepKind.SWITCH: "switch to key {}",
    StepKind.UNPIN: "unpin key {}",
}


def calendar_file(plan: Plan, *, name: str, at: datetime) -> bytes:
    """Return the plan for a host called *name* as it stands at the aware time *at*; a step keeps its UID."""
    return b"".join(map(_folded, _lines(plan, escaped(name), at)))


def _lines(plan: Plan, name: str, at: datetime) -> Iterator[str]:
    yield "BEGIN:VCALENDAR"
    yield "VERSION:2.0"
    yield "PRODID:-//Pinscher//rotation plan//EN"
    for step in plan.steps:
        yield from _event(step, name, at)
    yield "END:VCALENDAR"


def _event(step: Step, name: str, at: datetime) -> Iterator[str]:
    summary = f"{name}: {_WORDS[step.kind].format(step.key)}"
    identity = hashlib.sha256(f"{name}\n{step.kind.value}\n{step.key}\n{step.on}".encode()).hexdigest()[:32]
    yield "BEGIN:VEVENT"
    yield f"UID:{identity}@pinscher.invalid"
    yield f"DTSTAMP:{at:%Y%m%dT%H%M%SZ}"
    yield f"DTSTART;VALUE=DATE:{step.on:%Y%m%d}"
    yield f"SUMMARY:{_text(summary)}"
    described = f"{step.text}\nif it is late: {step.late}"
    yield f"DESCRIPTION:{_text(described)}"
    yield "TRANSP:TRANSPARENT"
    if step.breaks_on is not None:
        yield from ("BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{_text(summary)}", "TRIGGER:-P3D", "END:VALARM")
    yield "END:VEVENT"


def _text(value: str) -> str:
    """Escape a text value (section 3.3.11)."""
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        value = value.replace(plain, written)
    return value


def _folded(line: str) -> bytes:
    """Fold a content line (section 3.1); a continuation begins with a space, which counts."""
    folded, length = b"", 0
    for character in line:
        octets = character.encode()
        if length + len(octets) > _LONGEST_LINE:
            folded, length = folded + b"\r\n ", 1
        folded, length = folded + octets, length + len(octets)
    return folded + b"\r\n"
