"""Any text is read as tables, or refused with its place."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.document import LARGEST_TEXT
from pinscher.entry import InvalidPolicyError
from pinscher.text import read_text
from pinscher.toml import write_toml
from tests.strategies import PLAIN, TEXTS

TABLES = st.dictionaries(TEXTS.filter(lambda name: name not in ("keys", "hosts", "reporting")), PLAIN, max_size=4)


def refused(text: Any) -> InvalidPolicyError:
    """Return the error of a text that is refused."""
    with pytest.raises(InvalidPolicyError) as caught:
        read_text(text, "pins")
    assert "pins" == caught.value.source
    return caught.value


@given(TABLES)
def test_both_forms_are_told_apart_by_their_first_character(table: dict[str, Any]) -> None:
    """A text that begins with a brace is JSON and any other is TOML, as text and as bytes."""
    as_json = json.dumps(table)
    as_toml = "# TOML\n" + write_toml(table)
    for text in (as_json, "\n \t" + as_json, as_json.encode(), bytearray(as_json.encode()), as_toml, as_toml.encode()):
        assert table == read_text(text, None)[0]


def test_the_line_of_a_field_is_found_in_either_form() -> None:
    """The function beside the tables finds the line of a field in the text that was read."""
    for text in ('{"a": 1,\n"b": [\n2]}', "a = 1\nb = [\n2]\n", "a = 1\r\nb = [\r\n2]\r\n"):
        _, line_of = read_text(text, None)
        assert [1, 2, 3, None] == [line_of(path) for path in (("a",), ("b",), ("b", 0), ("c",))]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (None, None, "a policy is text or bytes, found NoneType"),
        (memoryview(b"a = 1"), None, "found memoryview"),
        (["a = 1"], None, "found list"),
        ("", None, "the policy is empty"),
        (b"\n\n \t", None, "the policy is empty"),
        ("\u3000\u2028", None, "the policy is empty"),
        ("\ufeffa = 1", 1, "without a byte order mark"),
        ("a = 1".encode("utf-8-sig"), 1, "without a byte order mark"),
        ("a = 1".encode("utf-16"), 1, "not UTF-8 at byte 0"),
        ("a = 1".encode("utf-16-le"), 1, "not TOML"),
        ("a = 1".encode("utf-32-be"), 1, "not TOML"),
        (b"a = 1\nb = '\xe9'", 2, "not UTF-8 at byte 11"),
        (b"a = '\xc3", 1, "not UTF-8 at byte 5"),
        (b"a = '\xed\xa0\x80'", 1, "not UTF-8"),
        (b"a = '\xc0\xaf'", 1, "not UTF-8"),
        ("a = '\ud800'", None, "half of a surrogate pair"),
        ('a = 1\nb = "', 2, "not TOML"),
        ("a = 1\na = 2", 2, "not TOML: Cannot overwrite a value"),
        ("[a]\nb = 1\n[a]\nb = 1", 3, "not TOML: Cannot declare"),
        ('a = 1\n"\\u0061" = 2', 2, "not TOML: Cannot overwrite a value"),
        ("a = 2027-02-30\n", 1, "not TOML"),
        ("a = 2027-13-01T00:00:00Z", 1, "not TOML"),
        ("a = " + "1" * 5000, 1, "not TOML: Exceeds the limit"),
        ("a = 1\nb = " + "[" * 100_000, 2, "nested too deeply"),
        ("a = " + "{a = " * 100_000, 1, "nested too deeply"),
        ("\n" + ".".join(["a"] * 128) + " = 1", 2, "a dotted name of more than 127 parts"),
        ("[" + " . ".join(['"a"', "'b'"] * 64) + "]", 1, "a dotted name of more than 127 parts"),
        ("a = 1\n" + ".".join(['"\\""'] * 128) + " = 1", 2, "a dotted name of more than 127 parts"),
        ("x = {" + ".".join(["a"] * 128) + " = 1}", 1, "a dotted name of more than 127 parts"),
        ("-----BEGIN CERTIFICATE-----\n", 1, "not TOML"),
        ('"text"', 1, "not TOML"),
        ('{"a": 1', 1, "not JSON: Expecting"),
        ('{\n"a": "b\n"}', 2, "not JSON: Invalid control character"),
        ('{"a": 1}\n{}', 2, "not JSON: Extra data"),
        ('{"a": 1,}', 1, "not JSON"),
        ('{"a": 1 // comment\n}', 1, "not JSON"),
        ("{'a': 1}", 1, "not JSON"),
        ('\n{"a": [1,\nNaN]}', 3, "not JSON: NaN is not JSON"),
        ('{"a": Infinity}', 1, "not JSON: Infinity is not JSON"),
        ('{"a": -Infinity}', 1, "not JSON: -Infinity is not JSON"),
        ('{"a":\n1.0}', 2, "whole numbers only, found 1.0"),
        ('{"a": 1E400}', 1, "whole numbers only, found 1E400"),
        ('{"a":\n' + "9" * 5000 + "}", 2, "not JSON: Exceeds the limit"),
        ('{"a":' * 100_000, 1, "not JSON: nested too deeply"),
        ('{"a":' + "[" * 100_000, 1, "not JSON: nested too deeply"),
        ('{"a": {"b": 1,\n"b": 2}}', 2, "a.b: the key stands twice in one object"),
        ('{"a":\n"\\ud800"}', 2, "half of a surrogate pair"),
        ('{"\\uDFFF":\n1}', 1, "half of a surrogate pair"),
    ],
)
def test_what_is_neither_form_is_refused(text: Any, line: int | None, reason: str) -> None:
    """A text that is neither TOML nor JSON, or either with a trap in it, is refused with its line and reason."""
    error = refused(text)
    assert reason in str(error)
    assert line == error.line
    assert str(error).isprintable()


@pytest.mark.parametrize("text", [" " * (LARGEST_TEXT + 1), b"\xff" * (LARGEST_TEXT + 1)])
def test_a_text_has_a_limit(text: str | bytes) -> None:
    """A text of more than 16 MiB is refused before anything else."""
    assert "a policy has at most 16 MiB" in str(refused(text))


def test_a_text_at_the_limit_is_read() -> None:
    """A text of 16 MiB is read."""
    assert {"a": 1} == read_text("a = 1" + " " * (LARGEST_TEXT - 5), None)[0]


def test_a_name_of_127_labels_is_read() -> None:
    """The longest DNS name, of 127 labels, is read, quoted and as a dotted key."""
    name = ".".join(["a"] * 127)
    assert {name: 1} == read_text(f'"{name}" = 1', None)[0]
    assert {"a"} == read_text(f"{name} = 1", None)[0].keys()


@pytest.mark.parametrize("quoted", ['"{}"', "'{}'", '"\\"{}"', '"""\n\\"{}"""', "'''\n{}'''", "1 # {}"])
def test_a_text_with_many_dots_is_read(quoted: str) -> None:
    """A text or a comment with more dots than a name may have is read: only a key is limited."""
    assert "x" in read_text("x = " + quoted.format("a." * 1000 + "a") + "\n", None)[0]


def test_whole_surrogate_pairs_are_read() -> None:
    """An escaped surrogate pair is the character it stands for."""
    assert {"a": "\U0001f600"} == read_text('{"a": "\\ud83d\\ude00"}', None)[0]


def test_hostile_texts_are_refused_fast() -> None:
    """Repeated keys and long dotted keys are refused in time that is in proportion to the text."""
    started = time.process_time()
    refused("{" + "".join(f'"k{number}":1,' for number in range(100_000)) + '"k99999":2}')
    refused(".".join(["a"] * 1_000_000) + " = 1")
    refused('"' * 1_000_000)
    refused("a" * 1_000_000)
    refused("a = '" + "b." * 100 + "b" * 1_000_000)
    assert time.process_time() - started < 10


@given(st.one_of(st.binary(), st.text(), st.text("{}[]\",:=.\\#\n'uda01eE-+ NaN")))
def test_any_text_is_tables_or_the_error(text: Any) -> None:
    """Whatever the text, the answer is tables or InvalidPolicyError."""
    try:
        table, line_of = read_text(text, None)
    except InvalidPolicyError:
        return
    for key in table:
        assert line_of((key,)) is None or line_of((key,)) > 0  # type: ignore[operator]
