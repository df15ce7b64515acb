"""The line of a field is found in both forms, or none is given."""

from __future__ import annotations

import json
import time
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.places import half_pair_in_json, line_in_json, line_in_toml, odd_number_in_json, repeated_in_json
from tests.strategies import PLAIN, TEXTS, policies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.entry import Path
    from pinscher.policy import Policy

TABLES = st.dictionaries(TEXTS, PLAIN, min_size=1, max_size=4)


def places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the path of everything inside a parsed document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key), one
        yield from places(one, (*path, key))


@given(TABLES, st.data())
def test_every_place_of_a_json_text_is_found(table: dict[str, Any], data: st.DataObject) -> None:
    """In a JSON text with one field on each line, the line of any path is that field's."""
    path, value = data.draw(st.sampled_from(list(places(table))))
    line = line_in_json(json.dumps(table, indent=1), path)
    assert line is not None
    # What stands on the line begins with the field's name, or is the element.
    found = json.dumps(table, indent=1).split("\n")[line - 1].strip()
    assert found.startswith(json.dumps(path[-1]) + ":" if isinstance(path[-1], str) else json.dumps(value)[0])


def line_by_parsing(text: str, path: Path, value: Any) -> int:
    """Return the line of a path in what our writer wrote: the end of the shortest beginning that has it, counted back."""
    lines = text.split("\n")
    for end in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
        if any(path == one for one, _ in places(table)):
            break
    if lines[end - 1] != "]":
        return end
    if isinstance(path[-1], int):
        siblings = next(one for place, one in places(table) if place == path[:-1])
        return end - len(siblings) + path[-1]
    return end - 1 - len(value)


@given(policies(), st.data())
def test_every_place_of_a_policy_is_found_in_toml(policy: Policy, data: st.DataObject) -> None:
    """In the TOML of any policy, the line of any path is the one that parsing line by line gives."""
    text = policy.to_toml()
    found = [place for place in places(tomllib.loads(text)) if place[0][0] != "extensions" and len(place[0]) != 1]
    path, value = data.draw(st.sampled_from(found))
    assert line_by_parsing(text, path, value) == line_in_toml(text, path)


TOML = '''# a comment with [hosts."no"] and a line end that is none:\x85 \u2028 =
format = 1
name = """
[hosts."no"]
pins = ["\\""]"""
literal = \'\'\'
version = ''\'\'\'

[hosts."a.example"]
mode = "enforce" # pins = 3
pins = [
  "one", # "a comment", with a comma
  'two', "three",
]
"quo\\u0074ed" = 1

[ hosts . 'b.example' ]
expires = 2027-03-01 00:00:00.5Z
on.mismatch = 1
"" = 2

[extensions]
table = {one = 1, two = [{three = [[]]}, {four = {}, five = "x"}]}
float = [1.5,
  2.5, [
    3, 4]]

[[array]]
x = 1
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("format",), 2),
        (("name",), 3),
        (("literal",), 6),
        (("version",), None),
        (("hosts",), 9),
        (("hosts", "no"), None),
        (("hosts", "a.example"), 9),
        (("hosts", "a.example", "mode"), 10),
        (("hosts", "a.example", "pins"), 11),
        (("hosts", "a.example", "pins", 0), 12),
        (("hosts", "a.example", "pins", 1), 13),
        (("hosts", "a.example", "pins", 2), 13),
        (("hosts", "a.example", "pins", 3), 11),
        (("hosts", "a.example", "quoted"), 15),
        (("hosts", "a.example", "absent"), 9),
        (("hosts", "b.example"), 17),
        (("hosts", "b.example", "expires"), 18),
        (("hosts", "b.example", "on", "mismatch"), 19),
        (("hosts", "b.example", ""), 20),
        (("extensions", "table", "two", 0, "three", 0), 23),
        (("extensions", "table", "two", 1, "five"), 23),
        (("extensions", "float", 1), 25),
        (("extensions", "float", 2, 1), 26),
        (("array",), 28),
        ((), None),
    ],
)
def test_a_line_is_found_in_toml(path: Path, line: int | None) -> None:
    """The line of a field is found through comments, texts of several lines, inline tables and nested lists."""
    tomllib.loads(TOML)
    assert line == line_in_toml(TOML, path)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("a", 1), 3),
        (("a", 2, "b"), 5),
        (("a", 2, "c", "d"), 6),
        (("a", 2, "c", "e"), 6),
        (("a", 9), 2),
        (('"', "x"), 9),
        (("\n",), 10),
        (("absent",), None),
        ((), None),
    ],
)
def test_a_line_is_found_in_json(path: Path, line: int | None) -> None:
    """The line of a field is found through texts that look like syntax and names with escapes."""
    text = """{
"a": [1,
  "}],:{[\\"",
  {
    "b": true,
    "c": {"d": {}}}
],
"z": {},
"\\"": {"x":
1}, "\\n"
: null}"""
    # The offset is that of the name; its value may stand on the next line.
    expected = {("\n",): 10}.get(path, line)
    json.loads(text)
    assert expected == line_in_json(text, path)


@given(TABLES)
def test_nothing_is_repeated_in_what_json_writes(table: dict[str, Any]) -> None:
    """A text in which no object has a key twice has no repeated key, however often a key stands in other objects."""
    assert repeated_in_json(json.dumps({"x": table, "y": [table, table], "z": {"x": table}})) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1,\n"a": 2}', (("a",), 2)),
        ('{"a": 1,\n"\\u0061": 2}', (("a",), 2)),
        ('{"a": {"b": 1},\n"c": {"b": 1,\n"b": 1}}', (("c", "b"), 3)),
        ('{"a": [{"b": 1}, {"b": 1,\n"b": 1}]}', (("a", 1, "b"), 2)),
        ('{"a": {"b": 1, "b": 2},\n"a": 1}', (("a", "b"), 1)),
        ('{"a": {"b": 1},\n"a": {"b": 1}}', (("a",), 2)),
    ],
)
def test_a_repeated_key_is_found(text: str, expected: tuple[Path, int]) -> None:
    """The first key that repeats in its own object is found, also when it is spelt with an escape."""
    assert expected == repeated_in_json(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1,\n"b": NaN}', 2),
        ('{"a": "1.5",\n"b": 1.5}', 2),
        ('{"a": [1,\n-Infinity]}', 2),
        ('{"a":\n' + "1" * 4301 + "}", 2),
        ('{"a": -1, "b": true, "c": false, "d": null, "e": "NaN"}', None),
    ],
)
def test_a_number_that_is_not_whole_is_found(text: str, line: int | None) -> None:
    """The first number that a policy cannot hold is found, and texts are not taken for numbers."""
    assert line == odd_number_in_json(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": "\\ud83d\\ude00",\n"b": "\\ude00"}', 2),
        ('{"a": 1,\n"b": "\\uD800\\uD800\\uDC00"}', 2),
        ('{"a": "\\\\ud800"}', None),
        ('{"a": "\\ud83d\\ude00"}', None),
    ],
)
def test_half_of_a_surrogate_pair_is_found(text: str, line: int | None) -> None:
    """A half of a surrogate pair is found; a whole pair and an escaped backslash are none."""
    assert line == half_pair_in_json(text)


def test_looking_for_a_line_takes_time_in_proportion_to_the_text() -> None:
    """Deep nesting does not make the look for a line slow, nor does a text of a megabyte take memory for each letter."""
    deep = '{"a":' + "[" * 900 + ",".join(["1"] * 200_000) + "]" * 900 + "}"
    wide = '{"a": "' + 'x\\"' * 500_000 + '"}'
    toml = "a = [" + "[" * 100 + ",".join(["1"] * 200_000) + "]" * 101 + '\nb = "' + 'x\\"' * 500_000 + '"'
    started = time.process_time()
    assert 1 == line_in_json(deep, ("a", 0, "x"))
    assert repeated_in_json(deep) is None
    assert line_in_json(wide, ("absent",)) is None
    assert 2 == line_in_toml(toml, ("b",))
    assert time.process_time() - started < 10
