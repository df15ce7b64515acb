"""
When each key has to be pinned, used and dropped, so that no client meets a key that it does not know.

``rotation_plan`` computes the days; ``chart``, ``picture`` and ``calendar_file`` show them. A plan is arithmetic on
what it is told: that clients follow the curve it was given is not proved here.
"""

from __future__ import annotations

from pinscher.rotation.planning.chart import chart, picture
from pinscher.rotation.planning.delivery import (
    Adoption,
    Delivery,
    InvalidAdoptionError,
    UnreachableShareError,
    read_adoption,
)
from pinscher.rotation.planning.exposure import Exposure, exposure
from pinscher.rotation.planning.icalendar import calendar_file
from pinscher.rotation.planning.learned import learned_adoption
from pinscher.rotation.planning.lifetimes import InvalidLifetimesError, Lifetimes, read_lifetimes, shipped_lifetimes
from pinscher.rotation.planning.plan import Issuance, Plan, Practice, Step, StepKind, Term, rotation_plan

__all__ = [
    "Adoption",
    "Delivery",
    "Exposure",
    "InvalidAdoptionError",
    "InvalidLifetimesError",
    "Issuance",
    "Lifetimes",
    "Plan",
    "Practice",
    "Step",
    "StepKind",
    "Term",
    "UnreachableShareError",
    "calendar_file",
    "chart",
    "exposure",
    "learned_adoption",
    "picture",
    "read_adoption",
    "read_lifetimes",
    "rotation_plan",
    "shipped_lifetimes",
]
