"""
Why a verdict came out as it did: a cause, how sure that is, the facts it rests on, and what to do next.

Nothing here decides anything. The verdict stands before it is explained, and an explanation never makes a key trusted.
"""

from __future__ import annotations

from pinscher.diagnosis.cause import Cause, Confidence, Diagnosis, Facts
from pinscher.diagnosis.explanation import explain
from pinscher.diagnosis.rules import diagnose

__all__ = ["Cause", "Confidence", "Diagnosis", "Facts", "diagnose", "explain"]
