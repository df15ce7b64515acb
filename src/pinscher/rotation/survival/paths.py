"""
All paths from a leaf to a trust anchor, as a verifier that tries every one could build them.

Rules of this file:

1. A path ends at a trust anchor. One that is not self-signed may also be passed on the way to another.
2. A name with its key stands once on a path (RFC 4158 section 5.2). A verifier that goes round in circles passes all
   the keys of such a path and more, so a pin that holds the one holds the other; only a denied key could stand in the
   circle, and is not seen there.
3. Every certificate above the leaf is valid at the moment, may issue, permits the leaf's names, and has not more
   authorities below it than its path length allows; those that are self-issued do not count (RFC 5280 section 6.1.4).
4. Bare anchors are taken as some verifiers take them (rustls, Android): of a root only the name, the key and the name
   constraints count.
5. The search is bounded, and what is cut short is never silent.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from pinscher.rotation.survival.certificate import Names
    from pinscher.rotation.survival.graph import Graph

PathNumbers = tuple[int, ...]
"""The authorities of a path by their numbers in the graph, the leaf's issuer first and the trust anchor last."""


class Anchors(enum.Enum):
    """What of a trust anchor counts (rule 4)."""

    WHOLE = "whole"
    BARE = "bare"


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a search goes: paths found, certificates on one path above the leaf, and steps taken."""

    paths: int = 10_000
    authorities: int = 10
    steps: int = 1_000_000


class TooManyPathsError(PinningError):
    """A search that was cut short; whatever it found until then, there is or may be more. ``reason`` says where."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ground:
    """What one search stands on: the certificates that a client knows and those that it trusts, by their numbers."""

    graph: Graph
    known: frozenset[int]
    anchors: frozenset[int]
    at: datetime
    names: Names
    limits: Limits
    taken: Anchors = Anchors.WHOLE

    def fits(self, number: int) -> bool:
        """Tell whether a certificate may stand between a leaf and an anchor (rule 3)."""
        one = self.graph.certificates[number]
        is_known = number in self.known or number in self.anchors
        return is_known and one.is_valid_at(self.at) and one.can_issue() and one.permits(self.names)

    def ends(self, number: int) -> bool:
        """Tell whether a path may end at a certificate."""
        if number not in self.anchors:
            return False
        if self.taken is Anchors.BARE:
            return self.graph.certificates[number].permits(self.names)
        return self.fits(number)


def all_paths(ground: Ground, first: Iterable[int]) -> Iterator[PathNumbers]:
    """
    Yield every path that begins with one of the certificates *first*; raise :class:`TooManyPathsError` when cut short.

    The leaf itself is not looked at here: neither its dates nor its names.
    """
    yield from _Search(ground, tuple(first)).walk()


class _Search:
    """One search in depth; what no anchor can be reached from is never entered."""

    def __init__(self, ground: Ground, first: tuple[int, ...]) -> None:
        self._ground = ground
        self._first = first
        self._certificates = ground.graph.certificates
        self._above = _reachable(ground, first)
        self._ending = frozenset(number for number in self._above if ground.ends(number))
        self._leading = _leading(self._above, self._ending)
        self._found = 0
        self._steps = 0
        self._is_deeper = False

    def walk(self) -> Iterator[PathNumbers]:
        yield from self._walk(self._first, (), 0)
        if self._is_deeper:
            raise TooManyPathsError(f"there are paths with more than {self._ground.limits.authorities} authorities")

    def _walk(self, candidates: Iterable[int], path: PathNumbers, below: int) -> Iterator[PathNumbers]:
        """Go on from *path*, which has so many authorities that are not self-issued."""
        limits, holders = self._ground.limits, self._ground.graph.holders
        passed = {holders[number] for number in path}
        for number in candidates:
            if number not in self._leading or holders[number] in passed:
                continue
            if len(path) == limits.authorities:
                self._is_deeper = True
                return
            self._steps += 1
            if self._steps > limits.steps:
                raise TooManyPathsError(f"more than {limits.steps} steps")
            yield from self._stand(number, (*path, number), below)

    def _stand(self, number: int, path: PathNumbers, below: int) -> Iterator[PathNumbers]:
        one = self._certificates[number]
        is_short = one.path_length is None or below <= one.path_length
        if number in self._ending and (is_short or self._ground.taken is Anchors.BARE):
            self._found += 1
            if self._found > self._ground.limits.paths:
                raise TooManyPathsError(f"more than {self._ground.limits.paths} paths")
            yield path
            if number in self._above[number]:
                return
        if is_short and number in self._above and self._ground.fits(number):
            yield from self._walk(self._above[number], path, below + (not one.is_self_issued))


def _reachable(ground: Ground, first: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Return the certificates that a path may pass or end at, each with its issuers."""
    above: dict[int, tuple[int, ...]] = {}
    waiting = list(first)
    while waiting:
        number = waiting.pop()
        if number in above:
            continue
        if ground.fits(number):
            above[number] = ground.graph.issuers(number)
            waiting.extend(above[number])
        elif ground.ends(number):
            above[number] = ()
    return above


def _leading(above: dict[int, tuple[int, ...]], ending: Collection[int]) -> frozenset[int]:
    """Return the certificates from which an ending one can be reached."""
    below: dict[int, list[int]] = {}
    for number, issuers in above.items():
        for issuer in issuers:
            below.setdefault(issuer, []).append(number)
    leading: set[int] = set()
    waiting = list(ending)
    while waiting:
        number = waiting.pop()
        if number not in leading:
            leading.add(number)
            waiting.extend(below.get(number, ()))
    return frozenset(leading)
