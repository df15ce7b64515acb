"""The listed name that a person may have meant, when an unlisted host is refused."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.policy import Policy

_NAMES_COMPARED = 5000
"""Entries that are compared, so that a large policy does not make a refusal slow."""


def nearest_listed_name(host: str, policy: Policy) -> str | None:
    """Return the pattern of an entry that is one slip or a ``www.`` away from a canonical host, or None."""
    near = None
    for entry in itertools.islice(policy.hosts, _NAMES_COMPARED):
        shown = entry.host
        name = shown.lstrip("*.")
        if host.removeprefix("www.") == name.removeprefix("www."):
            return shown
        if near is None and is_one_slip(host, name):
            near = shown
    return near


def is_one_slip(one: str, other: str) -> bool:
    """Tell whether two texts differ by one character added, dropped or changed, or by two neighbours swapped."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    one, other = _without_common_start(one, other)
    one, other = _without_common_start(one[::-1], other[::-1])
    if len(one) <= 1 and len(other) <= 1:
        return True
    return len(one) == len(other) == 2 and one == other[::-1]


def _without_common_start(one: str, other: str) -> tuple[str, str]:
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    return one[start:], other[start:]
