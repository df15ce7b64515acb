"""The column of a field."""

from __future__ import annotations

import pytest

from pinscher.places import line_in_toml
from pinscher.rotation.columns import column_of

ONE_LINE = 'a = 1\n  pins = ["x", "y, z", \'w\'] # "q"\n'
MANY_LINES = 'pins = [\n  "x", "y",\n    "z",\n]\n'


@pytest.mark.parametrize(
    ("text", "keys", "column"),
    [
        (ONE_LINE, ("a",), 1),
        (ONE_LINE, ("pins",), 3),
        (ONE_LINE, ("pins", 0), 11),
        (ONE_LINE, ("pins", 1), 16),
        (ONE_LINE, ("pins", 2), 24),
        (MANY_LINES, ("pins", 0), 3),
        (MANY_LINES, ("pins", 1), 8),
        (MANY_LINES, ("pins", 2), 5),
        ("  ports = [1, 2]\n", ("ports", 1), 3),
    ],
)
def test_column_in_toml(text: str, keys: tuple[str | int, ...], column: int) -> None:
    """A field of TOML stands where its statement begins, and a text of an array where the text does."""
    assert column == column_of(text, keys, line_in_toml(text, keys) or 0)


def test_column_in_json() -> None:
    """A field of JSON stands where its name does, however many of them one line holds."""
    text = '{"a": {"b": [1, "x"]},\n "c": {"b": 2}}'
    assert [8, 17, 2, 8] == [column_of(text, keys, 1) for keys in (("a", "b"), ("a", "b", 1), ("c",), ("c", "b"))]
