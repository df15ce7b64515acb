"""
What the book says already, for the rules whose evidence comes from strangers and passes.

A finding that rests on telemetry stays until somebody acknowledged it, or telemetry of later says that it is over: that
no evidence is remembered any more, or that others crowded it out, is no reason to believe that all is well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.monitor.findings.finding import Finding


@dataclass(frozen=True, slots=True)
class Told:
    """A finding that is open, as it was said, and whether a person took note of it."""

    finding: Finding
    is_acknowledged: bool = False
