"""One thing that somebody should know: what it is, how grave, why, and what to do next."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from pinscher.errors import escaped


class Severity(enum.IntEnum):
    """How grave a finding is: something fails now, something will, or something is merely new."""

    NOTICE = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """The word that is shown."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One finding about one subject; two of the same rule about one subject are the same finding.

    Every text is printable ASCII of one line. ``cause`` is a diagnosis's, or empty where none was made.
    """

    rule: str
    severity: Severity
    said: str
    advice: str
    cause: str = field(default="")


def one_line(text: str) -> str:
    """Return what an error says, on one line of bounded length."""
    return escaped(" ".join(text.split()), limit=400)
