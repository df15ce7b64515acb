"""The listed name that a person may have meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.diagnosis.nearest import is_one_slip, nearest_listed_name

from .scene import HOST, Authority, Scene


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("bank", "bank", False),
        ("bank", "bnak", True),
        ("bank", "ban", True),
        ("bank", "banks", True),
        ("bank", "tank", True),
        ("bank", "knab", False),
        ("bank", "bxnx", False),
        ("aa", "a", True),
        ("", "a", True),
        ("abcd", "badc", False),
    ],
)
def test_one_slip_is_one_edit(one: str, other: str, *, expected: bool) -> None:
    """One character added, dropped or changed, or two neighbours swapped, is one slip."""
    assert (is_one_slip(one, other), is_one_slip(other, one)) == (expected, expected)


@given(st.text("ab.", max_size=8), st.data())
def test_dropping_any_character_is_one_slip(text: str, data: st.DataObject) -> None:
    """A text is one slip away from itself without any one character."""
    at = data.draw(st.integers(0, len(text)))
    longer = text[:at] + "c" + text[at:]
    assert is_one_slip(text, longer)


def test_the_name_without_www_is_preferred_to_a_slip(authority: Authority) -> None:
    """A listed name that differs by ``www.`` alone is preferred to one that differs by a letter."""
    pin = authority.root("k").pin
    scene = Scene([pin], host="www.bank.example", entry=f'[hosts."bang.example"]\npins = ["{pin}"]')
    assert nearest_listed_name("bank.example", scene.policy) == "www.bank.example"


def test_a_pattern_is_told_as_the_policy_writes_it(authority: Authority) -> None:
    """The suggestion is the entry's own pattern, star and all."""
    scene = Scene([authority.root("k").pin], host=f"*.{HOST}")
    assert nearest_listed_name(HOST, scene.policy) == f"*.{HOST}"
