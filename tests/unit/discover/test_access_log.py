"""Access logs give the hosts that were asked for, and never those who asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Read

COMBINED = (
    '10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "POST /transfer?token=x HTTP/1.1" 200 1 "https://ref.example/" "UA"'
)


@pytest.mark.parametrize(
    ("line", "host", "words"),
    [
        ("www.bank.example:443 " + COMBINED, "www.bank.example", {"transfer", "access token"}),
        ("www.bank.example:80 " + COMBINED.replace(" - - ", " - bob "), "www.bank.example",
         {"transfer", "access token", "authorization basic"}),
        (COMBINED.replace("POST /transfer?token=x", "GET http://up.example/x"), "up.example", set()),
        ("1792000000.450    180 10.0.0.1 TCP_MISS/200 411 GET http://up.example/?iban=x - DIRECT/1.2.3.4 text/html",
         "up.example", {"iban"}),
        ("1792000000.450 1 10.0.0.1 TCP_TUNNEL/200 39 CONNECT tls.example:443 - DIRECT/1.2.3.4 -", "tls.example", set()),
        ('{"request": {"host": "a.example", "uri": "/pay", "method": "POST", "headers": {"Cookie": ["sid=1"], "X": []}}}',
         "a.example", {"payment", "session cookie"}),
        ('{"http_host": "a.example", "scheme": "http", "request_uri": "x", "headers": 1}', "a.example", set()),
    ],
)  # fmt: skip
def test_a_line_names_a_host(read: Read, line: str, host: str, words: set[str]) -> None:
    """Each form of line gives its host, and what the address and the user say that crossed."""
    found = read("access.log", line)
    assert {host: 1} == found.hosts
    assert words == set(found.crossed(host))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (COMBINED, "a request without its host"),
        ('{"uri": "/"}', "a request without its host"),
        ('{"request": 5}', "a request without its host"),
        ("{", "a line in no known form of log"),
        ("something else", "a line in no known form of log"),
        ("www.bank.example " + COMBINED + "x" * 70_000, "the rest of a long line"),
    ],
)
def test_a_line_without_one_is_counted(read: Read, line: str, reason: str) -> None:
    """What names no host is counted under its reason."""
    assert {reason: 1} == read("access.log", line + "\n\n").skipped


def test_a_log_is_known_by_its_first_line(read: Read) -> None:
    """A file of any name that begins as a log does is read as one."""
    assert {"www.bank.example": 1} == read("rotated.1", "www.bank.example " + COMBINED + "\n").hosts
