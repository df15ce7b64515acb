"""The values of an entry cannot exist invalid, and each error names its field."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.entry import (
    LONGEST_TEXT,
    HostPolicy,
    InvalidPolicyError,
    Key,
    Mode,
    Redirects,
    ReportChannel,
    Rung,
    dotted,
)
from pinscher.errors import PinningError
from pinscher.host import HostPattern, InvalidHostError
from pinscher.pin import Pin, PinSet
from tests.strategies import LINES, TIMES, entries

A = Pin(b"a" * 32)
PINNED = PinSet([A])
SINCE = date(2026, 11, 1)


def entry(**values: Any) -> HostPolicy:
    """Return an entry with a pin and some further values."""
    return HostPolicy(HostPattern("a.example"), PINNED, **values)


# The error.


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), ""),
        (("name",), "name"),
        (("hosts", "api.bank.example", "pins", 1), 'hosts."api.bank.example".pins[1]'),
        (("keys", "api-2026", "pin"), "keys.api-2026.pin"),
        (("", "a b"), '"""a b"'.replace('""', '"".', 1)),
        (("a", 0, 1, "b"), "a[0][1].b"),
        (('"',), '"\\""'),
        (("\x1b[31m\u202e",), '"\\x1b[31m\\u202e"'),
        (("bücher",), '"b\\xfccher"'),
    ],
)
def test_a_path_is_written_as_toml_writes_it(path: tuple[str | int, ...], expected: str) -> None:
    """The path of a field is written with dots, quotes and positions, and what a stranger chose is escaped."""
    assert expected == dotted(path)


@given(st.lists(st.one_of(st.text(), st.integers(0, 9))))
def test_a_path_is_safe_to_show(path: list[str | int]) -> None:
    """Any path is shown in printable ASCII."""
    assert dotted(tuple(path)).isascii()
    assert dotted(tuple(path)).isprintable() or not path


def test_a_long_name_is_shown_short() -> None:
    """A name of a megabyte does not make a message of a megabyte."""
    assert len(str(InvalidPolicyError("reason", path=("hosts", "x" * 1_000_000)))) < 400
    with pytest.raises(InvalidPolicyError) as caught:
        Key("k" * 1_000_000, A)
    assert len(str(caught.value)) < 500


def test_an_error_carries_its_place() -> None:
    """An error has the file, the line and the path as values, keeps them through pickle, and shows them in order."""
    error = InvalidPolicyError("reason", path=("pins", 0)).under("hosts", "a").placed("pins.toml", 3)
    for one in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert ("pins.toml", 3, "hosts.a.pins[0]", "reason") == (one.source, one.line, one.path, one.reason)
        assert ("hosts", "a", "pins", 0) == one.keys
        assert "pins.toml:3: hosts.a.pins[0]: reason" == str(one)
    assert isinstance(error, PinningError)
    assert isinstance(error, ValueError)
    assert "reason" == str(InvalidPolicyError("reason"))


# An entry.


@given(entries())
def test_an_entry_is_a_value(one: HostPolicy) -> None:
    """An entry is equal to its copy, hashes alike, and cannot be changed."""
    for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one), dataclasses.replace(one)):
        assert (one, hash(one)) == (again, hash(again))
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.mode = Mode.ENFORCE  # type: ignore[misc]


def test_a_pattern_may_be_given_as_text() -> None:
    """A pattern given as text is parsed, and what is none is refused by its own error."""
    assert "**.a.example" == HostPolicy("**.A.example.", PINNED).host  # type: ignore[arg-type]
    with pytest.raises(InvalidHostError):
        HostPolicy("a..example", PINNED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "path", "reason"),
    [
        ({"unpinned": "x"}, "", "one of the two"),
        ({"unpinned": ""}, "", "one of the two"),
        ({"mode": Mode.REPORT_ONLY}, "mode", "go together"),
        ({"report_only_since": SINCE}, "mode", "go together"),
        ({"expires": datetime(2027, 3, 1)}, "expires", "a local time differs by machine"),  # noqa: DTZ001
        ({"expires": SINCE}, "expires", "a time with its offset"),
        ({"expires": "2027-03-01T00:00:00Z"}, "expires", "a time with its offset"),
        (
            {"expires": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))},
            "expires",
            "between the years 1 and 9999",
        ),
        ({"on_mismatch": (Rung.ABORT, Rung.REFRESH)}, "on-mismatch", "nothing comes after it"),
        ({"on_mismatch": (Rung.REFRESH, Rung.REFRESH)}, "on-mismatch", "stands once"),
        ({"alternate": "a..b"}, "alternate", "empty label"),
        ({"alternate": "*.a.example"}, "alternate", "a star"),
        ({"note": "a\nb"}, "note", "on one line"),
        ({"note": "a\u202eb"}, "note", "invisible"),
        ({"note": "a\x1b[31m"}, "note", "control"),
        ({"note": "x" * (LONGEST_TEXT + 1)}, "note", "at most 1024 characters, found 1025"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(values: dict[str, Any], path: str, reason: str) -> None:
    """What an entry must not say is refused when it is made, with the field's name in the document."""
    with pytest.raises(InvalidPolicyError, match=reason) as caught:
        entry(**values)
    assert path == caught.value.path


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "one of the two"),
        ({"unpinned": " "}, "gives its reason"),
        ({"unpinned": "a\tb"}, "on one line"),
        ({"unpinned": "x", "redirects": Redirects.ALLOW}, "nothing else"),
        ({"unpinned": "x", "report_to": ("main",)}, "nothing else"),
        ({"unpinned": "x", "alternate": "b.example"}, "nothing else"),
        ({"unpinned": "x", "mode": Mode.REPORT_ONLY, "report_only_since": SINCE}, "nothing else"),
        ({"unpinned": "x", "expires": datetime(2027, 3, 1, tzinfo=UTC)}, "nothing else"),
    ],
)
def test_an_exception_has_a_reason_and_nothing_else(values: dict[str, Any], reason: str) -> None:
    """An entry without pins gives its reason, and nothing that pins alone can mean."""
    with pytest.raises(InvalidPolicyError, match=reason):
        HostPolicy(HostPattern("a.example"), **values)


@given(LINES.filter(str.strip), LINES)
def test_an_exception_may_have_a_note(reason: str, note: str) -> None:
    """Any line of text is a reason, and a note may stand beside it."""
    one = HostPolicy(HostPattern("a.example"), unpinned=reason, note=note)
    assert (reason, note, None) == (one.unpinned, one.note, one.pinset)


@given(TIMES)
def test_times_become_utc(time: datetime) -> None:
    """A time in any zone is kept as the same moment in UTC."""
    expires = entry(expires=time).expires
    assert expires == time
    assert expires is not None
    assert UTC is expires.tzinfo


@pytest.mark.parametrize(
    ("given_in", "expected"),
    [
        ((), (Rung.ABORT,)),
        ((Rung.ABORT,), (Rung.ABORT,)),
        ((Rung.REFRESH,), (Rung.REFRESH, Rung.ABORT)),
        ((Rung.OVERRIDE, Rung.REFRESH, Rung.ABORT), (Rung.OVERRIDE, Rung.REFRESH, Rung.ABORT)),
    ],
)
def test_abort_is_the_end_of_every_ladder(given_in: tuple[Rung, ...], expected: tuple[Rung, ...]) -> None:
    """The ladder ends in "abort" whether or not it was written; an empty ladder is "abort" alone."""
    assert expected == entry(on_mismatch=given_in).on_mismatch


def test_an_alternate_becomes_canonical() -> None:
    """An alternate is kept as the host that TLS verifies."""
    assert "b.example" == entry(alternate="B.example.").alternate


# A key, a channel.


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a b", "ключ", "a\n", "k" * 129, "\x1b"])
def test_a_name_that_could_be_a_pin_is_refused(name: str) -> None:
    """The name of a key or channel is short, plain, and cannot be mistaken for a pin."""
    for make in (lambda: Key(name, A), lambda: ReportChannel(name, "https://reports.example")):
        with pytest.raises(InvalidPolicyError, match="1 to 128 letters") as caught:
            make()
        assert str(caught.value).isprintable()


def test_where_a_key_is_stored_is_one_line() -> None:
    """The place where a backup key is stored is text on one line."""
    with pytest.raises(InvalidPolicyError, match="on one line") as caught:
        Key("k", A, stored="safe\nB")
    assert "stored" == caught.value.path


@pytest.mark.parametrize(
    "url",
    [
        "https://reports.example",
        "https://reports.example:8443/v1?team=a",
        "https://bücher.example/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://[::ffff:8.8.8.8]/",
    ],
)
def test_reports_go_to_an_https_address(url: str) -> None:
    """A report channel has an https address, with a port and a query where they are needed."""
    assert url == ReportChannel("main", url).url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "reports.example",
        "//reports.example",
        "http://reports.example",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user@reports.example",
        "https://user:password@reports.example",
        "https://:password@reports.example",
        "https://@reports.example",
        "https://reports.example\\@evil.example",
        "https://evil.example\\.reports.example",
        "https://reports.example/#x",
        "https://reports.example/#",
        "https://reports.example:0",
        "https://reports.example:99999",
        "https://reports.example:x",
        "https://*.reports.example",
        "https://a..b",
        "https://127.1/",
        "https://0x7f000001/",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://reports.example/a b",
        "https://reports.example/\r\nX: y",
        "https://reports.example/\u202e",
        "https://reports.example/" + "x" * LONGEST_TEXT,
    ],
)
def test_reports_go_nowhere_else(url: str) -> None:
    """An address that is not https, hides a user, or reads differently to two readers is refused."""
    with pytest.raises(InvalidPolicyError) as caught:
        ReportChannel("main", url, allow_private=True)
    assert "url" == caught.value.path
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "0.0.0.0",
        "100.64.0.1",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:100.64.0.1]",
        "[64:ff9b::a00:1]",
        "192.88.99.1",
    ],
)
def test_reports_go_to_a_private_address_only_where_allowed(host: str) -> None:
    """A private address as a literal is refused, unless allow-private says that it is meant."""
    with pytest.raises(InvalidPolicyError, match="allow-private = true") as caught:
        ReportChannel("main", f"https://{host}/v1")
    assert "url" == caught.value.path
    assert ReportChannel("main", f"https://{host}/v1", allow_private=True).allow_private


def test_a_channel_has_a_canonical_host() -> None:
    """The host of a channel is told in canonical form."""
    assert "reports.example" == ReportChannel("main", "https://Reports.Example.:8443/v1").host
    assert "::1" == ReportChannel("main", "https://[0:0::1]/v1", allow_private=True).host
