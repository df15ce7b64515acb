"""
Run a fuzz target: with atheris where it is installed, and otherwise by mutating its seeds for some seconds.

``python fuzz/fuzz_host.py 60`` spends a minute. With atheris its own options follow the name instead.
"""

from __future__ import annotations

import random
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST = 4096
"""Octets that a mutated input has at most."""

_INTERESTING = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\x84\xff\xff\xff\xff",
    b"\r\n",
    b"*.",
    b"xn--",
    b"=",
    b".",
    b":",
    "。ß\u202e".encode(),
)


def run(target: Callable[[bytes], None], seeds: Sequence[bytes]) -> None:
    """Fuzz *target* as the command line says; an input that breaks it is printed, and its error raised."""
    try:
        import atheris  # noqa: PLC0415  (not needed where the mutation loop will do)
    except ImportError:
        seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
        print(f"{mutate(target, seeds, seconds)} inputs in {seconds:g} seconds, none broke it")
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


def mutate(target: Callable[[bytes], None], seeds: Sequence[bytes], seconds: float) -> int:
    """Give *target* its seeds, then mutations of them until the time is over; return how many inputs it took."""
    chance = random.Random(7469)
    ends, count, known = time.monotonic() + seconds, 0, list(seeds)
    while count < len(known) or time.monotonic() < ends:
        content = known[count] if count < len(known) else mutated(chance, known)
        try:
            target(content)
        except BaseException:
            print(f"broken by {content!r}", file=sys.stderr)
            raise
        count += 1
    return count


def mutated(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return a seed changed in one to four places: octets replaced, cut, doubled, inserted or spliced."""
    content = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 4)):
        place = chance.randint(0, len(content))
        match chance.randrange(6):
            case 0:
                content[place : place + 1] = chance.randbytes(1)
            case 1:
                del content[place : place + chance.choice((1, 1, 2, 16, LONGEST))]
            case 2:
                content[place:place] = content[place : place + chance.randint(1, 32)]
            case 3:
                content[place:place] = chance.choice(_INTERESTING)
            case 4:
                content[place:] = chance.choice(seeds)[chance.randint(0, place) :]
            case _ if content:
                content[place % len(content)] ^= 1 << chance.randrange(8)
    return bytes(content[:LONGEST])
