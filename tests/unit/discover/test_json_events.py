"""JSON as a stream: the values of a whole parser, from any pieces, in bounded memory, and one located error."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.discover.json_events import DamagedError, fields_of
from pinscher.discover.limits import DEEPEST, LONGEST_TEXT

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


class Dripping(io.BytesIO):
    """A stream that gives a few octets at a time."""

    def read(self, size: int | None = -1) -> bytes:
        """Give three octets, whatever was asked for."""
        del size
        return super().read(3)


def flat(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], str | None]]:
    """Return every value of a parsed document with its path, as the stream tells it."""
    if isinstance(value, dict):
        return [(path, None), *(one for key, item in value.items() for one in flat(item, (*path, key)))]
    if isinstance(value, list):
        return [(path, None), *(one for place, item in enumerate(value) for one in flat(item, (*path, place)))]
    return [(path, value if isinstance(value, str) else json.dumps(value))]


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_the_stream_says_what_a_whole_parser_says(value: Any, is_ascii: bool, indent: int | None) -> None:
    """Every value comes with its path, however it is written and in whatever pieces it arrives."""
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()
    assert flat(json.loads(text)) == [(tuple(one.path), one.value) for one in fields_of(Dripping(text))]


@given(st.binary(max_size=60) | st.text(st.sampled_from('{}[]:,"\\ \n1a'), max_size=30).map(str.encode))
def test_any_octets_are_a_document_or_the_one_error(content: bytes) -> None:
    """Whatever the octets, the stream ends or says at which line it is damaged."""
    try:
        list(fields_of(io.BytesIO(content)))
    except DamagedError as error:
        assert 1 <= error.line <= content.count(b"\n") + 1


def test_a_line_is_where_a_value_ends() -> None:
    """Lines count from 1."""
    assert [1, 2, 4] == [one.line for one in fields_of(io.BytesIO(b'{"a":\n1, "b":\n\n2}'))]


def test_a_long_text_keeps_its_beginning() -> None:
    """Of a long text the first octets are kept, and it says so; what follows it is read."""
    text = b'{"a": "' + b"x" * 3_000_000 + b'\\"y", "b": 1}'
    first, second = [one for one in fields_of(io.BytesIO(text)) if one.value is not None and one]
    assert ("x" * LONGEST_TEXT, True) == (first.value, first.is_cut)
    assert ("1", False) == (second.value, second.is_cut)


def test_a_text_cut_within_an_escape_loses_the_escape() -> None:
    """A beginning that ends within an escape is read without it."""
    text = b'"\\n' + b"x" * (LONGEST_TEXT - 5) + b"\\u00e9" + b"y" * LONGEST_TEXT + b'"'
    (one,) = fields_of(io.BytesIO(text))
    assert "\n" + "x" * (LONGEST_TEXT - 5) == one.value


def test_a_byte_order_mark_is_passed_over() -> None:
    """A document may begin with the mark of UTF-8."""
    assert ["1"] == [one.value for one in fields_of(io.BytesIO(b"\xef\xbb\xbf1"))]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file ends where a value was expected"),
        (b"[1", "expected ',' or ']', found the end of the file"),
        (b"[1}", "expected ',' or ']', found '}'"),
        (b'{"a":1 "b"', "expected ',' or '}', found a value"),
        (b"{1", "expected a name in quotes"),
        (b'{"a"1', "expected ':' after a name"),
        (b"[:", "expected a value, found ':'"),
        (b"[\xff", "expected a value, found the octet 0xff"),
        (b'"a', "the file ends within a text"),
        (b'"' + b"a" * LONGEST_TEXT * 2, "the file ends within a text"),
        (b"1 2", "expected the end, found more after the document"),
        (b"1" * 2000, "a number or word longer than 1024 octets"),
        (b"[" * 100, f"more than {DEEPEST} levels of nesting"),
        (b'{"a":' * 100, f"more than {DEEPEST} levels of nesting"),
    ],
)
def test_damage_is_named(content: bytes, reason: str) -> None:
    """A damaged document says what was expected and what was found."""
    with pytest.raises(DamagedError) as caught:
        list(fields_of(io.BytesIO(content)))
    assert reason == caught.value.reason


def test_a_broken_escape_is_read_as_it_stands() -> None:
    """A text that JSON does not allow is read as it stands: half a name is still a name."""
    assert ["\\x"] == [one.value for one in fields_of(io.BytesIO(b'"\\x"'))]
