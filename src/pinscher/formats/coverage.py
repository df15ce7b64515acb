"""
Which hosts an entry reaches, told completely by three hosts for every name.

Rules of this file:

1. A look-up by exact names, ``*.`` and ``**.`` cannot tell two hosts apart that lie equally far (none, one, more
   labels) below the same longest listed name. So the name, one fresh label below it and two fresh ones stand for all.
2. :func:`entries_of` is the other way round: the fewest entries whose look-up answers as a platform's own does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pinscher.host import HostPattern, Reach, is_ip_literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Coverage(Generic[Answer]):
    """What is said about a name, about names one label below it, and about deeper ones; None where nothing is."""

    name: str
    at: Answer | None
    below: Answer | None
    deep: Answer | None


def coverage(names: Iterable[str], decide: Callable[[str], Answer | None]) -> tuple[Coverage[Answer], ...]:
    """Ask *decide* for the three hosts of every name (rule 1); a parent comes before the names below it."""
    found = []
    for name in sorted(set(names), key=lambda one: (one.count("."), one)):
        if is_ip_literal(name):
            found.append(Coverage(name, decide(name), None, None))
        else:
            below, deep = fresh_hosts(name)
            found.append(Coverage(name, decide(name), decide(below), decide(deep)))
    return tuple(found)


def fresh_hosts(name: str) -> tuple[str, str]:
    """Return a host one label and one two labels below a name; the labels hold a space, which no host has."""
    return f" .{name}", f" . .{name}"


def parents(host: str) -> Iterable[str]:
    """Yield the names above a host, the nearest first."""
    _, dot, name = host.partition(".")
    while dot:
        yield name
        _, dot, name = name.partition(".")


class Lookup(Generic[Answer]):
    """The look-up of a policy, over any answers: exact, then the longest suffix, ``*.`` before ``**.``."""

    def __init__(self, entries: Mapping[HostPattern, Answer]) -> None:
        self._tables: dict[Reach, dict[str, Answer]] = {reach: {} for reach in Reach}
        for pattern, answer in entries.items():
            self.add(pattern, answer)

    def add(self, pattern: HostPattern, answer: Answer) -> None:
        """Let a pattern give an answer."""
        self._tables[pattern.reach][pattern.name] = answer

    def __call__(self, host: str) -> Answer | None:
        """Return the answer of the most specific pattern, or None."""
        for reach in (Reach.EXACT, Reach.ANY_DEPTH):
            if host in self._tables[reach]:
                return self._tables[reach][host]
        for distance, parent in enumerate(parents(host)):
            if distance == 0 and parent in self._tables[Reach.ONE_LABEL]:
                return self._tables[Reach.ONE_LABEL][parent]
            if parent in self._tables[Reach.ANY_DEPTH]:
                return self._tables[Reach.ANY_DEPTH][parent]
        return None


class SuffixLookup(Generic[Answer]):
    """
    The look-up of platforms that list a name once, with or without every name below it; the longest name wins.

    With *hides*, a name listed without the names below it takes them out of a wider entry (Chromium); without, the
    wider entry still reaches them (Android, TrustKit, RFC 7469).
    """

    def __init__(self, entries: Mapping[str, tuple[bool, Answer]], *, hides: bool = False) -> None:
        self._entries = entries
        self._hides = hides

    def __call__(self, host: str) -> Answer | None:
        """Return the answer of the exact name, else of the nearest name above that includes its subdomains."""
        if host in self._entries:
            return self._entries[host][1]
        for parent in parents(host):
            includes, answer = self._entries.get(parent, (None, None))
            if includes:
                return answer
            if includes is False and self._hides:
                return None
        return None


def entries_of(
    names: Iterable[str], decide: Callable[[str], Answer | None], nothing: Answer
) -> dict[HostPattern, Answer]:
    """
    Return the fewest patterns whose look-up answers as *decide* does, for every host.

    *nothing* is the answer of an exception: where *decide* says None below a pattern that says something.
    """
    entries: dict[HostPattern, Answer] = {}
    so_far = Lookup(entries)
    for one in coverage(names, decide):
        below, deep = fresh_hosts(one.name)
        wanted = (
            (Reach.ANY_DEPTH, deep, one.deep),
            (Reach.ONE_LABEL, below, one.below),
            (Reach.EXACT, one.name, one.at),
        )
        for reach, host, answer in wanted[2:] if is_ip_literal(one.name) else wanted:
            current = so_far(host)
            if (None if current == nothing else current) != answer:
                pattern = HostPattern(one.name, reach=reach)
                entries[pattern] = nothing if answer is None else answer
                so_far.add(pattern, entries[pattern])
    return entries
