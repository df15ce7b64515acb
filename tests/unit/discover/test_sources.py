"""Source code in six languages: addresses in texts count, those in comments are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pinscher.discover.lexing import Kind, pieces_of
from pinscher.discover.limits import LARGEST_PAGE

if TYPE_CHECKING:
    from conftest import Read

PYTHON = '''"""See https://docs.example."""
# https://comment.example
def call(token):
    r"""More at https://docs.example."""
    send("https://a.example/pay", headers={"X-Api-Key": token}, body=f"https://{host}/")
    send(
        """https://b.example"""
    )
'''


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.py", 'URL = "https://a.example"  # https://c.example\nuserPassword = 1\n'),
        ("a.js", "const u = `https://a.example/${x}`; // https://c.example\nlet userPassword"),
        ("a.ts", "/* https://c.example\n*/ const u: string = 'https://a.example', userPassword"),
        ("a.kt", 'val u = """https://a.example"""\n// https://c.example\nval userPassword = 1'),
        ("A.java", 'String u = "https://a.example"; // https://c.example\nString userPassword;'),
        ("a.swift", 'let u = URL(string: "https://a.example")! // https://c.example\nlet userPassword = ""'),
    ],
)
def test_a_text_counts_and_a_comment_is_counted(read: Read, name: str, content: str) -> None:
    """The address in a text is a sighting, with the names beside it."""
    found = read(name, content)
    assert ({"a.example": 1}, {"an address in a comment": 1}) == (found.hosts, found.skipped)
    assert {"password"} == found.beside("a.example")


def test_a_docstring_is_a_comment(read: Read) -> None:
    """In Python a text that stands for itself documents, and one that is an argument does not."""
    found = read("a.py", PYTHON)
    assert {"a.example": ["a.py:5"], "b.example": ["a.py:7"]} == found.places
    assert {"an address in a comment": 3, "a host that is put together at run time": 1} == found.skipped
    assert {"access token", "api key", "payment"} == found.beside("a.example")


def test_names_far_away_are_not_beside(read: Read) -> None:
    """A name more than twelve lines away is somebody else's."""
    assert set() == read("a.py", 'URL = "https://a.example"\n' + "\n" * 12 + "password = 1").beside("a.example")


def test_pieces_have_their_lines() -> None:
    """Texts, names and comments of a file that no compiler would take."""
    pieces = [(one.kind, one.content, one.line) for one in pieces_of('x\n"a\n# b', ".py")]
    assert [(Kind.NAME, "x", 1), (Kind.TEXT, '"a', 2), (Kind.COMMENT, "# b", 3)] == pieces


def test_what_is_not_read_says_so(read: Read) -> None:
    """Binary content and huge files are refused, long lines are read to a bound."""
    assert "a.py:1: expected source code, found binary content" == str(read("a.py", b"\0").error)
    assert f"a.py: more than {LARGEST_PAGE} octets of source code" == str(read("a.py", " " * (LARGEST_PAGE + 1)).error)
    assert {"the rest of a long text": 1} == read("a.js", f'"{"x" * 20_000}"').skipped
