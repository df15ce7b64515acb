"""Tables become a document or one located error; the rules are those at the top of ``document``."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.document import MOST_HOSTS, document_of
from pinscher.entry import InvalidPolicyError, Mode, OnExpiry, Redirects, Role, Rung, UnlistedHosts
from pinscher.fields import LARGEST_VERSION, plain_copy
from pinscher.pin import Pin
from tests.strategies import PLAIN

A, B, C = (str(Pin(letter * 32)) for letter in (b"a", b"b", b"c"))
HUGE = 1 << 100_000
"""A number that Python refuses to write in decimal, and that TOML can give in hexadecimal."""


def table(**changes: Any) -> dict[str, Any]:
    """Return a small document's tables with some of them replaced, or removed where the change is None."""
    found = {"format": 1, "name": "x", "version": 1, "hosts": {"a.example": {"pins": [A]}}} | changes
    return {name: value for name, value in found.items() if value is not None}


def host(**fields: Any) -> dict[str, Any]:
    """Return a small document's tables with fields added to its host; an underscore stands for a hyphen."""
    added = {name.replace("_", "-"): value for name, value in fields.items()}
    return table(hosts={"a.example": {"pins": [A]} | added})


def refused(tables: Any) -> InvalidPolicyError:
    """Return the error of tables that are refused."""
    with pytest.raises(InvalidPolicyError) as caught:
        document_of(tables)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
    return caught.value


# What is read.


def test_a_small_document_has_defaults() -> None:
    """A document says the format, a name, a version and one host; everything else has a default that pins."""
    document = document_of(table())
    assert ("x", 1, UnlistedHosts.DENY) == (document.name, document.version, document.unlisted_hosts)
    assert ((), (), {}) == (document.keys, document.reporting, document.extensions)
    (entry,) = document.hosts
    assert (Mode.ENFORCE, OnExpiry.KEEP_ENFORCING, Redirects.PINNED_ONLY) == (
        entry.mode,
        entry.on_expiry,
        entry.redirects,
    )
    assert ((Rung.ABORT,), None, (), None) == (entry.on_mismatch, entry.alternate, entry.report_to, entry.expires)


def test_a_pin_is_a_key_name_or_literal() -> None:
    """A pin is written by the name of a key or literally, and the entry remembers which."""
    keys = {"one": {"pin": A}, "two": {"pin": B, "role": "root"}}
    hosts = {"a.example": {"pins": ["one", C], "backup-pins": ["two"]}}
    document = document_of(table(keys=keys, hosts=hosts))
    (entry,) = document.hosts
    assert {Pin.parse(A): "one", Pin.parse(B): "two"} == entry.names
    assert entry.pinset is not None
    assert ((Pin.parse(A), Pin.parse(C)), (Pin.parse(B),), ()) == entry.pinset.groups
    assert [Role.ANY, Role.ROOT] == [key.role for key in document.keys]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-03-01T00:00:00Z", dt.datetime(2027, 3, 1, tzinfo=dt.UTC)),
        ("2027-03-01T01:30:00+01:30", dt.datetime(2027, 3, 1, tzinfo=dt.UTC)),
        ("2027-02-28T23:00:00.250-01:00", dt.datetime(2027, 3, 1, microsecond=250_000, tzinfo=dt.UTC)),
    ],
)
def test_json_writes_times_as_rfc_3339(text: str, expected: dt.datetime) -> None:
    """A time in JSON is a text of RFC 3339 with Z or an offset."""
    assert expected == document_of(host(expires=text)).hosts[0].expires


@pytest.mark.parametrize(
    "value",
    [
        "2027-03-01",
        "2027-03-01T00:00:00",
        "2027-03-01 00:00:00Z",
        "20270301T000000Z",
        "2027-W09-1T00:00:00Z",
        "2027-03-01T00Z",
        "2027-03-01T00:00:00,5Z",
        "2027-03-01T00:00:60Z",
        "2027-02-30T00:00:00Z",
        "２027-03-01T00:00:00Z",
        "2027-03-01T00:00:00Z\n",
        "",
        1_800_000_000,
        dt.date(2027, 3, 1),
        dt.datetime(2027, 3, 1),  # noqa: DTZ001
        dt.time(1),
    ],
)
def test_a_time_without_one_meaning_is_refused(value: object) -> None:
    """A time without an offset, a date, and every form that Python reads and RFC 3339 does not, is refused."""
    error = refused(host(expires=value))
    assert 'hosts."a.example".expires' == error.path
    assert "a time with its offset, such as 2027-03-01T00:00:00Z" in str(error)


@pytest.mark.parametrize(
    "value",
    ["2026-W01-1", "20261101", "2026-11-31", "2026-11-1", " 2026-11-01", 1, dt.datetime(2026, 11, 1, tzinfo=dt.UTC)],
)
def test_a_date_has_one_form(value: object) -> None:
    """A date is YYYY-MM-DD and exists."""
    assert "a date such as 2026-11-01" in str(refused(host(mode="report-only", report_only_since=value)))


# Rule 1: whatever the tables hold.


ODD = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([0, 1, 2, 2**70, float("nan"), float("inf"), 1.5]),
        st.text(max_size=5),
        st.sampled_from([A, "api", "report-only", "deny", "refresh", "a.example", "https://r.example", "2026-11-01"]),
        st.datetimes(timezones=st.none() | st.just(dt.UTC)),
        st.dates(),
        st.times(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)
FIELDS = {
    "mode report-only-since expires on-expiry on-mismatch alternate redirects report-to note unpinned pins backup-pins "
    "denied-keys": "hosts",
    "pin role stored rehearsed": "keys",
    "url heartbeats pins allow-private": "reporting",
}


@pytest.mark.parametrize("name", " ".join(FIELDS).split())
def test_a_number_that_python_cannot_write_is_refused(name: str) -> None:
    """A whole number of a hundred thousand bits is refused in any field, alone and in a list, with the field's place."""
    where = next(where for names, where in FIELDS.items() if name in names.split())
    for value in (HUGE, [HUGE], {"x": HUGE}):
        known = {"hosts": {"pins": [A]}, "keys": {"pin": A}, "reporting": {"url": "https://r.example"}}[where]
        error = refused(table() | {where: {"a.example": known | {name: value}}})
        assert (where, "a.example", name) == error.keys[:3]


@given(st.sampled_from(["format", "name", "version", "defaults", "hosts", "keys", "reporting", "extensions", "x"]), ODD)
def test_any_value_at_the_top_is_read_or_refused(name: str, value: object) -> None:
    """Whatever stands at the top of a document, it is read or refused with its place."""
    try:
        document_of(table() | {name: value})
    except InvalidPolicyError as error:
        assert not error.keys or name == error.keys[0]
        assert str(error).isprintable()


@given(st.data(), ODD)
def test_any_value_of_any_field_is_read_or_refused(data: st.DataObject, value: object) -> None:
    """Whatever a field holds, it is read or refused with its place, in one printable line."""
    names, where = data.draw(st.sampled_from(sorted(FIELDS.items())))
    name = data.draw(st.sampled_from(names.split()))
    known = {"hosts": {"pins": [A]}, "keys": {"pin": A}, "reporting": {"url": "https://r.example"}}[where]
    tables = table() | {where: {"a.example": known | {name: value}}}
    try:
        document_of(tables)
    except InvalidPolicyError as error:
        assert (where, "a.example") == error.keys[:2]
        assert str(error).isprintable()


@pytest.mark.parametrize(
    ("tables", "path", "reason"),
    [
        (table(format=None), "", "a policy begins with format = 1, found no format"),
        (table(keys={"k": {"role": "leaf"}}), "keys.k", "a key has a pin"),
        (table(format=HUGE), "format", "this library reads format 1, found a greater number; upgrade pinscher"),
        (table(format=-HUGE), "format", "expected 1, found a greater number"),
        (table(format="1"), "format", "expected 1, found '1'"),
        (table(format=1.0), "format", "expected 1, found 1.0"),
        (table(version=HUGE), "version", "found a greater number"),
        (table(version=LARGEST_VERSION + 1), "version", "a whole number from 1 to 2^53-1"),
        (table(version=None), "version", "found nothing"),
        (table(version=dt.date(2026, 1, 1)), "version", "found 2026-01-01"),
        (table(name=["x"]), "name", "found a list"),
        (table(name={"x": HUGE}), "name", "found a table"),
        (table(name="x" * 257), "name", "a text of one line"),
        (table(hosts={}), "", "at least one host"),
        (table(hosts=None), "", "at least one host"),
        (table(hosts=[]), "hosts", "a table, found a list"),
        (table(hosts={f"h{number}.example": 0 for number in range(MOST_HOSTS + 1)}), "hosts", "at most 100000 hosts"),
        (table(hosts={"": {"pins": [A]}}), 'hosts.""', "empty label"),
        (table(hosts={"x" * 1_000_000: {"pins": [A]}}), f'hosts."{"x" * 253}..."', "at most 253"),
        (table(hosts={"a.example": {}}), 'hosts."a.example"', "one of the two"),
        (host(pins="a"), 'hosts."a.example".pins', "a list of texts, found 'a'"),
        (host(pins=[["a"]]), 'hosts."a.example".pins', "a list of texts, found a list"),
        (host(pins=["sha256/" + "x" * 1_000_000]), 'hosts."a.example".pins[0]', "pin 'sha256/xxx"),
        (host(pins=["x" * 1_000_000]), 'hosts."a.example".pins[0]', "neither a pin"),
        (host(pins=[]), 'hosts."a.example".pins', "at least one pin"),
        (host(unpinned="x"), 'hosts."a.example"', "one of the two"),
        (host(backup_pins=[A]), 'hosts."a.example"', "stands twice"),
        (host(denied_keys=[A]), 'hosts."a.example"', "could never match"),
        (host(on_mismatch=["allow"]), 'hosts."a.example".on-mismatch[0]', "no rung turns pinning off"),
        (host(on_mismatch="abort"), 'hosts."a.example".on-mismatch', "a list of texts"),
        (host(note=1), 'hosts."a.example".note', "a text, found 1"),
        (host(mode=True), 'hosts."a.example".mode', "found true"),
        (table(hosts={"a.example": {"backup-pins": [A]}}), 'hosts."a.example".pins', "at least one pin"),
        (table(hosts={"a.example": {"denied-keys": [A]}}), 'hosts."a.example".pins', "at least one pin"),
        (table(keys={"k": {"pin": 1}}), "keys.k.pin", "a pin is text"),
        (table(keys={"k": {"pin": A, "stored": False}}), "keys.k.stored", "a text, found false"),
        (table(keys={"a/b": {"pin": A}}), 'keys."a/b"', "1 to 128 letters"),
        (table(reporting={"r": {}}), "reporting.r.url", "an https address"),
        (
            table(reporting={"r": {"url": "https://r.example", "heartbeats": "yes"}}),
            "reporting.r.heartbeats",
            "true or",
        ),
        (table(reporting={"r": {"url": "https://r.example", "pins": ["k"]}}), "reporting.r.pins[0]", "neither a pin"),
        (table(defaults=1), "defaults", "a table, found 1"),
        (table(extensions=1), "extensions", "a table, found 1"),
        (table(extensions={"critical": "x"}), "extensions.critical", "a list of texts"),
        (table(extensions={"critical": ["x"]}), "extensions.critical[0]", "knows no extension 'x'"),
        (table(extensions={"x": [{"y": dt.date(2026, 1, 1)}]}), "extensions.x[0].y", "found 2026-01-01"),
        (table(extensions={"x": None}), "extensions.x", "found nothing"),
        (table(extensions={"x": HUGE}), "extensions.x", "found a greater number"),
    ],
)
def test_a_bad_value_is_named_with_its_place(tables: dict[str, Any], path: str, reason: str) -> None:
    """A value that a document cannot hold is shown as the document writes it, at its place, and shown short."""
    error = refused(tables)
    assert path == error.path
    assert reason in str(error)


# Rule 2: unknown fields.


@pytest.mark.parametrize(
    ("tables", "path", "hint"),
    [
        (table(host={}), "host", "did you mean 'hosts'?"),
        (table(defaults={"unlisted": "deny"}), "defaults.unlisted", "did you mean 'unlisted-hosts'?"),
        (table(keys={"k": {"pim": A}}), "keys.k.pim", "did you mean 'pin'?"),
        (host(backup_pin=[B]), 'hosts."a.example".backup-pin', "did you mean 'backup-pins'?"),
        (host(critical=1), 'hosts."a.example".critical', "known here: alternate, backup-pins, "),
        (table(reporting={"r": {"uri": ""}}), "reporting.r.uri", "did you mean 'url'?"),
        (host(pins=["api-2025"]) | {"keys": {"api-2026": {"pin": A}}}, 'hosts."a.example".pins[0]', "mean 'api-2026'?"),
    ],
)
def test_an_unknown_name_is_an_error_with_the_nearest_known(tables: dict[str, Any], path: str, hint: str) -> None:
    """A name that is not known is an error everywhere, and the nearest known name is told."""
    error = refused(tables)
    assert path == error.path
    assert hint in str(error)


def test_a_strangers_name_is_not_compared_for_long() -> None:
    """A name of a megabyte among ten thousand keys is refused at once."""
    keys = {f"key-{number}": {"pin": A} for number in range(10_000)}
    started = time.process_time()
    refused(host(pins=["k" * 1_000_000]) | {"keys": keys})
    refused(host(pins=["k" * 128]) | {"keys": keys})
    assert time.process_time() - started < 5


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), PLAIN, max_size=3))
def test_extensions_hold_what_other_programs_wrote(extensions: dict[str, Any]) -> None:
    """Unknown names stand under extensions, are kept, and decide nothing."""
    document = document_of(table(extensions=extensions))
    assert extensions == document.extensions
    assert document_of(table()).hosts == document.hosts


def test_extensions_are_copied() -> None:
    """A copy of plain values shares no list and no table with them."""
    value: dict[str, Any] = {"a": [{"b": []}]}
    copied = plain_copy(value)
    value["a"][0]["b"].append(1)
    assert {"a": [{"b": []}]} == copied


def test_extensions_have_a_depth() -> None:
    """Extensions nest sixteen levels, and no more."""

    def nested(levels: int) -> Any:
        return {"x": nested(levels - 1)} if levels else 1

    assert document_of(table(extensions=nested(16))).extensions
    assert "at most 16 levels" in str(refused(table(extensions=nested(17))))
