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

LONGEST = 8192
"""Octets that a mutated input has at most."""

_INTERESTING: tuple[bytes, ...] = (
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


def run(
    target: Callable[[bytes], None],
    seeds: Sequence[bytes],
    *,
    words: Sequence[bytes] = (),
    reaches: Callable[[bytes], bool] | None = None,
) -> None:
    """
    Fuzz *target* as the command line says; an input that breaks it is printed, and its error raised.

    *words* are pieces of the target's own language, beside the ones that trouble any parser. *reaches* tells whether an
    input gets past the parser: a share of none is a fuzzer that tests nothing.
    """
    try:
        import atheris  # noqa: PLC0415  (not needed where the mutation loop will do)
    except ImportError:
        seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
        count, accepted = mutate(target, seeds, seconds, words=words, reaches=reaches)
        through = "" if reaches is None else f", {accepted} of them got through"
        print(f"{count} inputs in {seconds:g} seconds{through}, none broke it")
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


def mutate(
    target: Callable[[bytes], None],
    seeds: Sequence[bytes],
    seconds: float,
    *,
    words: Sequence[bytes] = (),
    reaches: Callable[[bytes], bool] | None = None,
) -> tuple[int, int]:
    """Give *target* its seeds, then mutations until the time is over; return how many it took, and how many got through."""
    chance = random.Random(7469)
    ends, count, accepted, known = time.monotonic() + seconds, 0, 0, list(seeds)
    while count < len(known) or time.monotonic() < ends:
        content = known[count] if count < len(known) else mutated(chance, known, words)
        try:
            target(content)
        except BaseException:
            print(f"broken by {content!r}", file=sys.stderr)
            raise
        count += 1
        accepted += reaches is not None and reaches(content)
    return count, accepted


def mutated(chance: random.Random, seeds: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """Return a seed changed in one to four places: octets replaced, cut, doubled, inserted or spliced, lines among them."""
    content, other = bytearray(chance.choice(seeds)), chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 4))):
        place = chance.randint(0, len(content))
        match chance.randrange(8):
            case 0:
                content[place : place + 1] = chance.randbytes(1)
            case 1:
                del content[place : place + chance.choice((1, 1, 2, 16, LONGEST))]
            case 2:
                content[place:place] = content[place : place + chance.randint(1, 32)]
            case 3 | 4:
                end = place + chance.choice((0, 0, 1, 2, 8, 40))
                content[place:end] = chance.choice((*_INTERESTING, *words))
            case 5:
                content[place:] = other[chance.randint(0, min(place, len(other))) :]
            case 6:
                content[place:place] = chance.choice(other.split(b"\n")) + b"\n"
            case _ if content:
                content[place % len(content)] ^= 1 << chance.randrange(8)
    return bytes(content[:LONGEST])
