"""The smallest set that hits every path."""

from __future__ import annotations

import itertools
import random

import pytest

from pinscher.rotation.survival import smallest_cover

A, B, C, D = (letter.encode() for letter in "ABCD")


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([(A, B, C)], {C}),
        ([(A, C), (B, C)], {C}),
        ([(A, B), (C, D)], {B, D}),
        ([(A,), (B,), (A, B)], {A, B}),
        ([(A, B, C, D), (A, B), (A, C), (A, D)], {A}),
    ],
)
def test_smallest_set_of_a_few_paths(paths: list[tuple[bytes, ...]], expected: set[bytes]) -> None:
    """A set covers every path, none is smaller, and among equals it takes what comes last on its paths."""
    cover = smallest_cover(paths)
    assert cover is not None
    assert expected == set(cover.chosen)
    assert cover.is_smallest
    assert len(expected) == cover.at_least


def test_path_without_anything_to_choose_has_no_cover() -> None:
    """Where a path has no key that could be pinned, no set covers it."""
    assert smallest_cover([(A,), ()]) is None


def test_no_path_needs_no_pin() -> None:
    """Nothing to cover is covered by the empty set."""
    cover = smallest_cover([])
    assert cover is not None
    assert ((), True) == (cover.chosen, cover.is_smallest)


@pytest.mark.parametrize("seed", range(40))
def test_cover_is_as_small_as_trying_every_set_finds(seed: int) -> None:
    """The set has the size that a search through all sets finds, on random paths."""
    chance = random.Random(seed)
    elements = [bytes([number]) for number in range(chance.randint(3, 9))]
    paths = [tuple(chance.sample(elements, chance.randint(1, 3))) for _ in range(chance.randint(1, 14))]
    cover = smallest_cover(paths)
    assert cover is not None
    assert all(set(cover.chosen) & set(path) for path in paths)
    least = next(
        size
        for size in range(len(elements) + 1)
        if any(all(set(one) & set(path) for path in paths) for one in itertools.combinations(elements, size))
    )
    assert (least, True, least) == (len(cover.chosen), cover.is_smallest, cover.at_least)


def test_set_is_smaller_than_taking_the_most_frequent_key_again_and_again() -> None:
    """Where the key of the most paths is not in the smallest set, the smallest set is found all the same."""
    paths = [(b"X", b"Z", b"c"), (b"X", b"Z", b"d"), (b"X", b"a"), (b"Y", b"Z", b"e"), (b"Y", b"Z", b"f"), (b"Y", b"b")]
    cover = smallest_cover(paths)
    assert cover is not None
    assert ({b"X", b"Y"}, True) == (set(cover.chosen), cover.is_smallest)


def test_search_cut_short_still_covers_and_says_that_it_proved_nothing() -> None:
    """With too little work allowed the set covers every path, and nobody is told that it is the smallest."""
    chance = random.Random(7)
    elements = [bytes([number]) for number in range(40)]
    paths = [tuple(chance.sample(elements, 3)) for _ in range(200)]
    cover = smallest_cover(paths, most_work=1_000)
    assert cover is not None
    assert not cover.is_smallest
    assert 0 < cover.at_least < len(cover.chosen)
    assert all(set(cover.chosen) & set(path) for path in paths)


def test_cover_of_hundreds_of_pins_is_not_made_smaller() -> None:
    """A set that nobody could keep up is given as it was found first, and not called the smallest."""
    chance = random.Random(7)
    elements = [number.to_bytes(2) for number in range(3_000)]
    cover = smallest_cover([tuple(chance.sample(elements, 3)) for _ in range(3_000)])
    assert cover is not None
    assert not cover.is_smallest
    assert len(cover.chosen) > cover.at_least > 300


def test_thousands_of_different_paths_are_covered() -> None:
    """Beyond the number of paths that are compared with each other the answer is the same."""
    paths = [(number.to_bytes(2), b"x" if number % 2 else b"y") for number in range(4_000)]
    cover = smallest_cover(paths)
    assert cover is not None
    assert ({b"x", b"y"}, True) == (set(cover.chosen), cover.is_smallest)
