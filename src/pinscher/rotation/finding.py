"""What is wrong with a policy: which rule says so, how grave and how sure it is, where, and what to do."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.entry import dotted

if TYPE_CHECKING:
    from pinscher.entry import Path


class Severity(enum.IntEnum):
    """How grave a finding is: an error breaks or opens something now, a warning will one day, information might."""

    INFORMATION = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        """The word that is shown and typed."""
        return self.name.lower()


class Confidence(enum.IntEnum):
    """How sure a finding is: seen in the document or a certificate, drawn from what is known, or from a name alone."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def word(self) -> str:
        """The word that is shown."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing wrong with a policy.

    ``keys`` is the way to the place in the document, empty for the document as a whole. ``line`` and ``column`` count
    from one, and are None where the policy was not read from a text.
    """

    rule: str
    severity: Severity
    text: str
    remedy: str
    keys: Path = field(default=(), kw_only=True)
    confidence: Confidence = field(default=Confidence.HIGH, kw_only=True)
    line: int | None = field(default=None, kw_only=True)
    column: int | None = field(default=None, kw_only=True)

    @property
    def path(self) -> str:
        """The place as TOML writes it, such as ``hosts."api.example".pins[0]``."""
        return dotted(self.keys)
