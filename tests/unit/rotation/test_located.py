"""The line and column of a field."""

from __future__ import annotations

import pytest

from pinscher.rotation.located import Located

TOML = 'a = 1\n  pins = ["x", "y, z", \'w\'] # "q"\n[hosts."b.c"]\nmany = [\n  "x", "y",\n    "z",\n]\n'


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (("a",), (1, 1)),
        (("pins",), (2, 3)),
        (("pins", 0), (2, 11)),
        (("pins", 1), (2, 16)),
        (("pins", 2), (2, 24)),
        (("hosts", "b.c"), (3, 2)),
        (("hosts", "b.c", "many"), (4, 1)),
        (("hosts", "b.c", "many", 1), (5, 8)),
        (("hosts", "b.c", "many", 2), (6, 5)),
        (("hosts", "b.c", "other"), (3, 2)),
        (("nothing",), (None, None)),
        ((), (None, None)),
    ],
)
def test_place_in_toml(keys: tuple[str | int, ...], place: tuple[int, int]) -> None:
    """A field of TOML stands where its name or text does; one that is not there, where its table does, or nowhere."""
    assert place == Located(TOML).place(keys)


def test_place_in_json() -> None:
    """A field of JSON stands where its name does, however many of them one line holds."""
    located = Located('{"a": {"b": [1, "x"]},\n "c": {"b": 2}}')
    places = [located.place(keys) for keys in (("a", "b"), ("a", "b", 1), ("c",), ("c", "b"), ("a", "z"))]
    assert [(1, 8), (1, 17), (2, 2), (2, 8), (1, 2)] == places


def test_place_far_down_is_that_of_what_is_around_it() -> None:
    """A field deeper than any rule looks stands where the deepest part of the way to it is found."""
    text = "{" + '"a": {' * 9 + '"b": 1' + "}" * 10
    assert (1, 2 + 6 * 7) == Located(text).place(("a",) * 9 + ("b",))
