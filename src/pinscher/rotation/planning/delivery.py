"""
How fast a published policy reaches the clients: the curve of those who come for it, and the refresh after that.

Rules of this file:

1. A curve says which share of the clients, in percent, has what was published so many days ago. Between two points it
   is a straight line, before the first nobody has it, and after the last the share stays.
2. Where clients fetch a bundle, each of them may be as late as a whole refresh interval.
3. A share that a curve never reaches has no lead time, and that is an error, not a large number.
"""

from __future__ import annotations

import csv
import io
import math
import tomllib
from dataclasses import dataclass
from typing import Any

from pinscher.errors import PinningError, escaped

LARGEST_CURVE = 1 << 20
"""Octets of a file with a curve."""
_MOST_DAYS = 36_500


class InvalidAdoptionError(PinningError, ValueError):
    """A curve that cannot be used; ``source`` names the file."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{escaped(source)}: {reason}")
        self.source = source
        self.reason = reason


class UnreachableShareError(PinningError, ValueError):
    """A share of clients that never has what is published; ``share`` is asked for and ``most`` is reached."""

    def __init__(self, share: float, most: float) -> None:
        super().__init__(f"{share:g} % of the clients are asked for, and the curve of adoption ends at {most:g} %")
        self.share = share
        self.most = most


@dataclass(frozen=True, slots=True)
class Adoption:
    """A curve: days after a publication, and the share of clients in percent that has it (rule 1)."""

    points: tuple[tuple[float, float], ...]

    def share_after(self, days: float) -> float:
        """Return the share of clients that has what was published so many days ago."""
        day, share = 0.0, 0.0
        if days < self.points[0][0]:
            return 0.0
        for next_day, next_share in self.points:
            if days < next_day:
                return share + (next_share - share) * (days - day) / (next_day - day)
            day, share = next_day, next_share
        return share

    def days_until(self, share: float) -> float:
        """Return the days until so many clients have it; raise :class:`UnreachableShareError` if they never do."""
        day, reached = self.points[0][0], 0.0
        for next_day, next_share in self.points:
            if next_share >= share:
                rise = next_share - reached
                return next_day if not rise or next_day == day else day + (next_day - day) * (share - reached) / rise
            day, reached = next_day, next_share
        raise UnreachableShareError(share, reached)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The way to the clients: who comes for a policy, and how many days later at most they fetch it (rule 2)."""

    adoption: Adoption | None = None
    refresh_days: float = 0.0

    def lead_days(self, share: float) -> int:
        """Return the whole days that a policy has to be out before so many clients have it."""
        coming = 0.0 if self.adoption is None else self.adoption.days_until(share)
        # What lies a rounding error above a whole day is that day.
        return math.ceil(round(coming + self.refresh_days, 9))

    def share_after(self, days: float) -> float:
        """Return the share of clients in percent that surely has a policy published so many days ago."""
        left = days - self.refresh_days
        if left < 0:
            return 0.0
        return 100.0 if self.adoption is None else self.adoption.share_after(left)


def read_adoption(content: bytes, *, source: str) -> Adoption:
    """
    Read a curve from CSV (``day,share`` per line) or TOML (``points = [[day, share], …]``), the shares in percent.

    Raises :class:`InvalidAdoptionError` for anything else.
    """
    if len(content) > LARGEST_CURVE:
        raise InvalidAdoptionError(source, f"at most {LARGEST_CURVE >> 20} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidAdoptionError(source, f"not UTF-8 at byte {error.start}") from None
    rows = _rows_of_toml(text, source) if "=" in text else _rows_of_csv(text, source)
    return Adoption(_checked(rows, source))


def _rows_of_toml(text: str, source: str) -> list[Any]:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidAdoptionError(source, f"not TOML: {escaped(str(error))}") from None
    points = document.get("points")
    if not isinstance(points, list) or set(document) != {"points"}:
        raise InvalidAdoptionError(source, "expected points = [[day, share], ...] and nothing else")
    return points


def _rows_of_csv(text: str, source: str) -> list[Any]:
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        if rows and rows[0] == ["day", "share"]:
            del rows[0]
        return [[float(cell) for cell in row] for row in rows]
    except (ValueError, csv.Error) as error:
        raise InvalidAdoptionError(source, f"not CSV of day,share: {escaped(str(error))}") from None


def _checked(rows: list[Any], source: str) -> tuple[tuple[float, float], ...]:
    points: list[tuple[float, float]] = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) != 2 or not all(type(one) in (int, float) for one in row):
            raise InvalidAdoptionError(source, f"point {number}: expected a day and a share")
        day, share = row
        if not 0 <= day <= _MOST_DAYS or not 0 <= share <= 100:
            raise InvalidAdoptionError(
                source, f"point {number}: expected days from 0 and a share from 0 to 100 percent"
            )
        if points and (day <= points[-1][0] or share < points[-1][1]):
            raise InvalidAdoptionError(source, f"point {number}: expected a later day and no smaller a share")
        points.append((float(day), float(share)))
    if not points:
        raise InvalidAdoptionError(source, "expected at least one point")
    return tuple(points)
