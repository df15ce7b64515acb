"""How long a certificate may be valid, by the day of its issuance: a dated file that a user may replace."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

from pinscher.rotation.unusable import UnusableFileError, read_json

FORMAT = 1
LARGEST_LIFETIMES = 1 << 20
"""Octets of a file of lifetimes."""


class InvalidLifetimesError(UnusableFileError):
    """A file of lifetimes that cannot be used."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Limits in days, each from a day of issuance on; ``source`` says who set them, ``dated`` on which day."""

    source: str
    dated: date
    limits: tuple[tuple[date, int], ...]

    def longest(self, issued: date) -> int | None:
        """Return the days that a certificate issued on a day may last, or None where nothing limits it yet."""
        return next((days for since, days in reversed(self.limits) if since <= issued), None)


@functools.cache
def shipped_lifetimes() -> Lifetimes:
    """Read the lifetimes that this release brings along: those of the CA/Browser Forum."""
    name = "certificate_lifetimes.json"
    content = resources.files("pinscher.rotation").joinpath("data", name).read_bytes()
    return read_lifetimes(content, source=name)


def read_lifetimes(content: bytes, *, source: str) -> Lifetimes:
    """Read a file of lifetimes; raise :class:`InvalidLifetimesError` with the place for anything else."""
    document = read_json(content, source=source, most=LARGEST_LIFETIMES, error=InvalidLifetimesError)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InvalidLifetimesError(source, "format", f"expected an object of format {FORMAT}")
    if not isinstance(document.get("source"), str):
        raise InvalidLifetimesError(source, "source", "expected a text that says where the limits are from")
    day = _day(document, "date", source, "")
    return Lifetimes(document["source"], day, _limits(document.get("limits"), source))


def _limits(value: Any, source: str) -> tuple[tuple[date, int], ...]:
    if not isinstance(value, list) or not value:
        raise InvalidLifetimesError(source, "limits", "expected an array of objects")
    limits = []
    for number, item in enumerate(value):
        place = f"limits[{number}]"
        if not isinstance(item, dict):
            raise InvalidLifetimesError(source, place, "expected an object")
        days = item.get("days")
        if type(days) is not int or not 1 <= days <= _MOST_DAYS:
            raise InvalidLifetimesError(source, f"{place}.days", f"expected a whole number of days up to {_MOST_DAYS}")
        limits.append((_day(item, "from", source, f"{place}."), days))
    if any(later <= earlier for (earlier, _), (later, _) in itertools.pairwise(limits)):
        raise InvalidLifetimesError(source, "limits", "expected each limit to begin after the one before it")
    return tuple(limits)


_MOST_DAYS = 36_500


def _day(table: dict[str, Any], name: str, source: str, before: str) -> date:
    try:
        return date.fromisoformat(table[name])
    except (KeyError, TypeError, ValueError):
        raise InvalidLifetimesError(source, f"{before}{name}", "expected YYYY-MM-DD") from None
