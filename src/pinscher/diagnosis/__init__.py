"""
Why a verdict came out as it did: a cause, how sure that is, the facts it rests on, and what to do next.

Nothing here decides anything. The verdict stands before it is explained, and an explanation never makes a key trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.diagnosis.cause import Cause, Confidence, Diagnosis, Facts
from pinscher.diagnosis.explanation import explain

if TYPE_CHECKING:
    from pinscher.verdict import Verdict

__all__ = ["Cause", "Confidence", "Diagnosis", "Facts", "diagnose", "explain"]


def diagnose(verdict: Verdict, facts: Facts | None = None) -> Diagnosis:
    """
    Say why *verdict* came out as it did, from it and from *facts*; the rules head ``pinscher.diagnosis.rules``.

    It proves nothing about the server. A diagnosis of a rotation is no reason to add a key: ask who operates the host.
    """
    from pinscher.diagnosis import rules  # noqa: PLC0415  (only a refusal pays for the rules)

    return rules.diagnose(verdict, facts)
