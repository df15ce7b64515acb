"""
The rollback floor: counters that only grow, below which nothing is accepted again.

A floor has a few named counters, such as ``policy`` and ``root``. A counter is one number or several, of which the
first that differs decides: ``(epoch, version)`` begins its versions anew with each epoch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    Floor = Mapping[str, tuple[int, ...]]

MOST_COUNTERS, MOST_NUMBERS, GREATEST_NUMBER = 8, 3, 2**63 - 1
_NAME = re.compile(r"[a-z]{1,16}", re.ASCII)
_COUNTER = re.compile(r"([a-z]{1,16}):([0-9]{1,19}(?:\.[0-9]{1,19}){0,2})", re.ASCII)
_EMPTY = "-"


def rollback_floor(*floors: Floor) -> dict[str, tuple[int, ...]]:
    """
    Return the greatest of several floors: the one embedded in a program, its store's, and the one beside the key.

    Authenticated encryption cannot tell an older genuine file from the newest; the others can. Where the key's place
    counts nothing (a passphrase, a key provided from outside), whoever restores an older copy of the whole store
    lowers the floor to what that copy says, and no further than the embedded one.
    """
    names = sorted({name for floor in floors for name in floor})
    return {name: max(floor.get(name, ()) for floor in floors) for name in names}


def is_below(floor: Floor, other: Floor) -> bool:
    """Tell whether any counter of *floor* is below that of *other*."""
    return any(floor.get(name, ()) < numbers for name, numbers in other.items())


def check_floor(floor: Floor) -> None:
    """Raise ``ValueError`` for what is no floor."""
    is_good = len(floor) <= MOST_COUNTERS and all(
        _NAME.fullmatch(name)
        and 1 <= len(numbers) <= MOST_NUMBERS
        and all(type(number) is int and 0 <= number <= GREATEST_NUMBER for number in numbers)
        for name, numbers in floor.items()
    )
    if not is_good:
        raise ValueError(f"a floor has at most {MOST_COUNTERS} counters of 1 to {MOST_NUMBERS} whole numbers from 0 on")


def write_floor(floor: Floor) -> str:
    """Return a floor as one word, such as ``policy:0.42,root:3``."""
    words = (f"{name}:{'.'.join(map(str, numbers))}" for name, numbers in sorted(floor.items()))
    return ",".join(words) or _EMPTY


def read_floor(text: str) -> dict[str, tuple[int, ...]]:
    """Read what :func:`write_floor` wrote; raise ``ValueError`` for anything else."""
    floor: dict[str, tuple[int, ...]] = {}
    for word in () if text == _EMPTY else text.split(","):
        found = _COUNTER.fullmatch(word)
        if found is None:
            raise ValueError("no floor")
        floor[found[1]] = tuple(map(int, found[2].split(".")))
    check_floor(floor)
    if write_floor(floor) != text:
        raise ValueError("no floor in its one form")
    return floor
