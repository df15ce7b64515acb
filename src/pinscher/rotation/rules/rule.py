"""The form of a lint rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.rotation.finding import Confidence, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pinscher.entry import Path
    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances


@dataclass(frozen=True, slots=True)
class Rule:
    """
    A rule's name, the sentence that it holds a policy to, and the function that finds where a policy breaks it.

    ``severity``, ``confidence`` and ``remedy`` are those of most of its findings; a finding may say otherwise.
    """

    id: str
    sentence: str
    check: Callable[[Policy, Circumstances], Iterator[Finding]]
    severity: Severity
    confidence: Confidence
    remedy: str

    def finding(
        self, text: str, keys: Path, *, severity: Severity | None = None, confidence: Confidence | None = None
    ) -> Finding:
        """Return a finding of this rule at a place of the document."""
        return Finding(
            self.id,
            self.severity if severity is None else severity,
            text,
            self.remedy,
            keys=keys,
            confidence=self.confidence if confidence is None else confidence,
        )
