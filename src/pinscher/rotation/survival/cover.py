"""
The smallest set of pins that every path holds one of: a hitting set, found exactly by branch and bound.

Finding it is NP-hard, so the work is bounded. A set that was cut short is one that covers every path all the same; only
that none is smaller has not been proved, and the answer says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_WORK = 1_000_000
"""Paths that are looked at, summed over all branches, before the search is cut short."""
_DEEPEST = 300
"""Pins beyond which a set is not made smaller."""
_MOST_COMPARED = 1_500
"""Different paths up to which those that hold another one's keys are left out, which takes the square of it."""


@dataclass(frozen=True, slots=True)
class Cover:
    """
    A set that covers every path; ``at_least`` is a number below which no set can be.

    ``is_smallest`` says that it was proved to be one of the smallest.
    """

    chosen: tuple[bytes, ...]
    at_least: int
    is_smallest: bool


def smallest_cover(paths: Iterable[Iterable[bytes]], *, most_work: int = MOST_WORK) -> Cover | None:
    """
    Return a smallest set that has an element of every path, or None where a path has none to choose from.

    Of several smallest sets it is one whose elements come late on their paths: a root before an intermediate.
    """
    sequences = [tuple(path) for path in paths]
    if not all(sequences):
        return None
    elements = _by_preference(sequences)
    place = {element: number for number, element in enumerate(elements)}
    masks = _least({sum(1 << place[element] for element in set(sequence)) for sequence in sequences})
    search = _Search(masks, most_work)
    best = search.best()
    chosen = tuple(elements[number] for number in range(len(elements)) if best >> number & 1)
    return Cover(chosen, len(chosen) if search.is_whole else search.at_least, search.is_whole)


def _by_preference(sequences: Sequence[tuple[bytes, ...]]) -> list[bytes]:
    """Return the elements, those first that stand nearest to the end of their paths."""
    distance: dict[bytes, int] = {}
    for sequence in sequences:
        for steps, element in enumerate(reversed(sequence)):
            distance[element] = max(distance.get(element, 0), steps)
    return sorted(distance, key=lambda element: distance[element])


def _least(masks: set[int]) -> list[int]:
    """Return the masks without those that contain another one, as far as that is quick."""
    ordered = sorted(masks, key=lambda mask: (mask.bit_count(), mask))
    if len(ordered) > _MOST_COMPARED:
        return ordered
    kept: list[int] = []
    for mask in ordered:
        if not any(smaller & mask == smaller for smaller in kept):
            kept.append(mask)
    return kept


class _Search:
    """Branches on the elements of an uncovered path, and cuts what cannot be smaller than the best so far."""

    def __init__(self, masks: list[int], most_work: int) -> None:
        self._masks = masks
        self._left = most_work
        self._best = _greedy(masks)
        self.at_least = _packed(masks)
        self.is_whole = True

    def best(self) -> int:
        if self._best.bit_count() > max(self.at_least, _DEEPEST):
            # Nobody keeps up so many pins, and a search as deep as that would overflow the stack.
            self.is_whole = False
        else:
            self._branch(self._masks, 0, 0)
        return self._best

    def _branch(self, masks: list[int], chosen: int, forbidden: int) -> None:
        if not masks:
            if chosen.bit_count() < self._best.bit_count():
                self._best = chosen
            return
        if chosen.bit_count() + _packed([mask & ~forbidden for mask in masks]) >= self._best.bit_count():
            return
        self._left -= len(masks)
        if self._left < 0:
            self.is_whole = False
            return
        shortest = min((mask & ~forbidden for mask in masks), key=int.bit_count)
        for element in _elements(shortest):
            self._branch([mask for mask in masks if not mask & element], chosen | element, forbidden)
            # From here on every set without this element is looked at, and those with it have been.
            forbidden |= element
            if any(not mask & ~forbidden for mask in masks):
                return


def _greedy(masks: list[int]) -> int:
    """Return a set that covers everything, by taking the element of the most uncovered paths again and again."""
    elements = [_elements(mask) for mask in masks]
    paths: dict[int, list[int]] = {}
    for number, held in enumerate(elements):
        for element in held:
            paths.setdefault(element, []).append(number)
    counts = {element: len(numbers) for element, numbers in paths.items()}
    uncovered = set(range(len(masks)))
    chosen = 0
    while uncovered:
        best = min(counts, key=lambda element: (-counts[element], element))
        chosen |= best
        for number in uncovered.intersection(paths[best]):
            uncovered.discard(number)
            for element in elements[number]:
                counts[element] -= 1
    return chosen


def _elements(mask: int) -> list[int]:
    """Return the elements of a mask, each as a mask of its own."""
    found = []
    while mask:
        element = mask & -mask
        found.append(element)
        mask ^= element
    return found


def _packed(masks: list[int]) -> int:
    """Return how many paths share no element with each other, found greedily: each of them needs one of its own."""
    used = count = 0
    for mask in sorted(masks, key=int.bit_count):
        if not mask & used:
            used |= mask
            count += 1
    return count
