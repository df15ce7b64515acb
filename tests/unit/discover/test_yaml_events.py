"""YAML as a stream: the same fields as JSON, with lines, and never more than is written."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.discover import json_events, yaml_events
from pinscher.discover.json_events import DamagedError
from pinscher.discover.limits import LARGEST_PAGE, LONGEST_TEXT

NAMES = st.text(st.sampled_from("abc"), min_size=1, max_size=3)
VALUES = st.dictionaries(
    NAMES,
    st.recursive(
        st.integers(0, 9) | NAMES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    ),
    max_size=3,
)


def told(content: bytes) -> list[tuple[list[Any], str | None, int]]:
    """Return the fields of a document, their paths copied."""
    return [(list(one.path), one.value, one.line) for one in yaml_events.fields_of(io.BytesIO(content))]


@given(VALUES, st.sampled_from([None, 2]))
def test_json_is_yaml(value: dict[str, Any], indent: int | None) -> None:
    """A JSON document gives the same fields through either stream; only the lines of ends and beginnings differ."""
    text = json.dumps(value, indent=indent).encode()
    expected = [(list(one.path), one.value) for one in json_events.fields_of(io.BytesIO(text))]
    assert expected == [(path, text) for path, text, _ in told(text)]


def test_blocks_have_paths_and_lines() -> None:
    """Mappings and sequences in block form give the path and line of every value."""
    assert [([], None, 1), (["a"], None, 2), (["a", 0], "x", 2), (["a", 1], "y", 3), (["b"], "z", 4)] == told(
        b"a:\n- x\n- y\nb: z\n"
    )


def test_an_alias_is_not_followed() -> None:
    """A document that grows a billionfold when its aliases are followed stays as small as it is written."""
    bomb = b"a: &a [x, x]\n" + b"".join(b"b%d: &b%d [*a, *a]\n" % (number, number) for number in range(50))
    assert len(told(bomb)) < 200


def test_a_key_may_be_a_collection() -> None:
    """A mapping whose key is itself a collection is read on without confusion."""
    assert ([["c"], "d"]) == list(told(b"? [a, b]\n: x\nc: d\n")[-1][:2])


def test_a_long_value_keeps_its_beginning() -> None:
    """Of a long value the first characters are kept, and it says so."""
    (one,) = list(yaml_events.fields_of(io.BytesIO(b"x" * (LONGEST_TEXT + 1))))
    assert (LONGEST_TEXT, True) == (len(one.value or ""), one.is_cut)


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"a: b\nc: [", 2, "not YAML"),
        (b"a: \x01", 1, "not YAML"),
        (b"\xff\xfe\x00", 1, "not YAML"),
        (b"[" * 80, 1, "more than 64 levels of nesting"),
        (b" " * (LARGEST_PAGE + 1), 1, f"more than {LARGEST_PAGE} octets of YAML"),
    ],
)
def test_damage_is_named(content: bytes, line: int, reason: str) -> None:
    """What is no YAML says so, with its line."""
    with pytest.raises(DamagedError) as caught:
        told(content)
    assert (line, reason) == (caught.value.line, caught.value.reason)


@given(st.binary(max_size=60))
def test_any_octets_are_a_document_or_the_one_error(content: bytes) -> None:
    """Whatever the octets, the stream ends or says that it is damaged."""
    try:
        told(content)
    except DamagedError as error:
        assert error.line >= 1
