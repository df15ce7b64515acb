"""A stranger's text is shown in printable ASCII and never longer than asked."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pinscher.errors import PinningError, escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 'quoted'", "plain text, 'quoted'"),
        ("", ""),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("one\r\ntwo\x00", "one\\x0d\\x0atwo\\x00"),
        ("back\\slash", "back\\\\slash"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u0430pple", "\\u0430pple"),
        ("\U0001f415", "\\U0001f415"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    """Control characters, escape sequences, bidirectional marks and look-alikes are shown as escapes."""
    assert shown == escaped(text)


@pytest.mark.parametrize(("limit", "shown"), [(0, ""), (1, "."), (3, "..."), (4, "a..."), (5, "abcde"), (6, "abcde")])
def test_a_long_text_ends_in_dots(limit: int, shown: str) -> None:
    """A text that does not fit is cut, and says so with three dots where they fit."""
    assert shown == escaped("abcde", limit=limit)


@given(st.text(), st.integers(0, 300))
@example("\U0001f415" * 300, 256)
def test_any_text_is_shown_in_so_many_printable_characters(text: str, limit: int) -> None:
    """Whatever the text, what is shown is printable ASCII of at most the length that was asked for."""
    shown = escaped(text, limit=limit)
    assert (True, True, True) == (shown.isascii(), shown.isprintable(), len(shown) <= limit)


@given(st.text(max_size=12), st.text(max_size=12))
def test_two_texts_are_never_shown_alike(one: str, other: str) -> None:
    """A backslash is escaped too, so that nobody can write an escape and have it taken for the character."""
    assert (one == other) == (escaped(one) == escaped(other))


def test_the_cost_follows_from_the_limit() -> None:
    """Of a giant text only what is shown is looked at."""

    class Giant(str):
        __slots__ = ("asked",)

        def __getitem__(self, place: object) -> str:
            self.asked = place
            return super().__getitem__(place)  # type: ignore[index]

    giant = Giant("x" * 1000)
    assert "x" * 13 + "..." == escaped(giant, limit=16)
    assert slice(None, 17) == giant.asked


def test_one_root_for_every_error() -> None:
    """Whoever catches PinningError has caught everything that Pinscher refuses."""
    from pinscher.chain import EmptyChainError
    from pinscher.der import CertificateParseError
    from pinscher.host import InvalidHostError
    from pinscher.pin import InvalidPinError
    from pinscher.policy import InvalidPolicyError

    roots = {EmptyChainError, CertificateParseError, InvalidHostError, InvalidPinError, InvalidPolicyError}
    assert roots == {error for error in roots if issubclass(error, PinningError) and issubclass(error, ValueError)}
