"""
How much a host deserves pins: points with their reasons, added up from a data file of weights.

The score ranks hosts for a person to look at. It decides nothing, and a low score does not prove that nothing of value
crosses: what no reader saw has no points.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from pinscher.discover.matters import Matter
from pinscher.discover.ownership import Pinnable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pinscher.discover.endpoint import Endpoint
    from pinscher.discover.matters import Crossing
    from pinscher.discover.ownership import Ownership


@dataclass(frozen=True, slots=True)
class Reason:
    """Points, and what they are for."""

    points: int
    text: str


@dataclass(frozen=True, slots=True)
class Score:
    """The points of a host from 0 to 100, their reasons, and whether it deserves pins and can have them."""

    points: int
    reasons: tuple[Reason, ...]
    deserves: bool


_MANY = 5


def score(endpoint: Endpoint, ownership: Ownership) -> Score:
    """Score one endpoint."""
    reasons = tuple(reason for reason in _reasons(endpoint, ownership) if reason.points)
    points = max(0, min(100, sum(reason.points for reason in reasons)))
    is_possible = ownership.pinnable in (Pinnable.YES, Pinnable.WITH_CARE)
    return Score(points, reasons, deserves=is_possible and points >= _weights()["deserves"])


def _reasons(endpoint: Endpoint, ownership: Ownership) -> Iterator[Reason]:
    weights = _weights()
    for matter in Matter:
        full = weights["crossed"][matter.value]
        if words := _words(endpoint.crossed, matter):
            yield Reason(full, f"{matter.value}: {words}")
        elif words := _words(endpoint.beside, matter):
            yield Reason(round(full * weights["nearby"]), f"{matter.value}: {words} (named beside it)")
    best = max(endpoint.evidence, key=lambda one: weights["evidence"][one.value])
    yield Reason(weights["evidence"][best.value], best.value)
    yield Reason(weights["owner"][ownership.owner.value], f"{ownership.owner.value} ({ownership.by})")
    yield Reason(weights["pinnable"][ownership.pinnable.value], f"pinnable: {ownership.pinnable.value}")
    if endpoint.count >= _MANY:
        yield Reason(weights["many places"], f"seen {endpoint.count} times")
    if endpoint.is_aside:
        yield Reason(weights["aside"], "only in tests, examples or documents")


def _words(found: Iterable[Crossing], matter: Matter) -> str:
    return ", ".join(sorted({one.word for one in found if one.matter is matter}))


@functools.cache
def _weights() -> dict[str, Any]:
    text = resources.files("pinscher.discover").joinpath("data", "weights.json").read_text(encoding="ascii")
    found: dict[str, Any] = json.loads(text)
    return found
