"""
What a reader finds: that a host was seen at a place, and what crossed there.

Rules of this room:

1. What leaves a reader is a canonical host, a port, a place, and words of this project's own vocabulary. No text of
   the input leaves it, so no secret does: not a value, not a name, not a path, not a query.
2. What cannot be read is named and counted. A file with a damaged end gives what stood before the damage.
3. Every reader is bounded in memory, whatever its input; the bounds stand in ``limits``.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO, TypeAlias

    from pinscher.discover.matters import Crossing


class Evidence(enum.Enum):
    """How a host came to be known; the value is the word that is shown."""

    RECORDED = "recorded"
    """A request to it stands in a recording."""
    WATCHED = "watched"
    """A running program turned to it."""
    LOGGED = "logged"
    """A log says that it was asked for."""
    DECLARED = "declared"
    """An interface's description names it as a server."""
    CONFIGURED = "configured"
    """A settings file names it."""
    WRITTEN = "written"
    """It stands in source code."""
    PACKED = "packed"
    """It stands in a packed application."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; ``line`` counts from 1, and is None where a file has no lines."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        """Return ``file:line`` in printable ASCII."""
        shown = escaped(self.file)
        return shown if self.line is None else f"{shown}:{self.line}"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One host, seen once; ``issuer`` is the known organisation that a certificate shown there names as its issuer."""

    host: str
    place: Place
    evidence: Evidence
    port: int | None = field(default=None, kw_only=True)
    scheme: str | None = field(default=None, kw_only=True)
    crossed: Counter[Crossing] = field(default_factory=Counter, kw_only=True)
    beside: Counter[Crossing] = field(default_factory=Counter, kw_only=True)
    """What is merely named near the host, in code or settings."""
    issuer: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not read, and why; ``count`` says how often at this place."""

    reason: str
    place: Place
    count: int = 1


class UnreadableSourceError(PinningError):
    """A file that cannot be read on, told with its place; what was read before it stands."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.reason = reason


if TYPE_CHECKING:
    Find: TypeAlias = Sighting | Skipped


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read: its name for people, and its octets as a stream."""

    name: str
    stream: BinaryIO

    def error(self, reason: str, *, line: int | None = None) -> UnreadableSourceError:
        """Return the error that says what is wrong at a line."""
        return UnreadableSourceError(Place(self.name, line), reason)

    def lines(self, longest: int) -> Iterator[tuple[int, bytes, bool]]:
        """Yield each line's number, its first *longest* octets, and whether there were more."""
        number = 0
        while line := self.stream.readline(longest):
            number += 1
            is_cut = len(line) == longest and not line.endswith(b"\n")
            yield number, line, is_cut
            while is_cut and (rest := self.stream.readline(longest)) and not rest.endswith(b"\n"):
                pass
