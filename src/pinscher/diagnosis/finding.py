"""What one rule hands back when it applies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.diagnosis.cause import Cause, Confidence


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause with its sentence; foreign text in it is escaped by the rule that puts it there."""

    cause: Cause
    confidence: Confidence
    sentence: str
    product: str | None = field(default=None, kw_only=True)
    facts: tuple[str, ...] = field(default=(), kw_only=True)
    next_action: str | None = field(default=None, kw_only=True)
    """Stands in for the cause's usual advice."""
