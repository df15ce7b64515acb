"""A plan as a chart, a picture and a calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from pinscher.rotation.planning import (
    Delivery,
    Plan,
    Practice,
    calendar_file,
    chart,
    picture,
    rotation_plan,
    shipped_lifetimes,
)

START = date(2026, 11, 21)
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVIL = 'x"><script>alert(1)</script>\r\nBEGIN:VEVENT,;\\\x1b[2J\u202e'


def _plan(days: int = 365, lead: float = 10, **practice: object) -> Plan:
    held = Practice(100, **practice)  # type: ignore[arg-type]
    return rotation_plan(
        START, days, held,
        lifetimes=shipped_lifetimes(), delivery=Delivery(refresh_days=lead), share=99.9,
    )  # fmt: skip


def test_chart_shows_each_key_from_its_pin_to_its_end() -> None:
    """A key is pinned ahead, serves, and is pinned for a way back, in this order and on these days."""
    assert [
        "        2026-11-21                                        2027-11-21",
        "key 0   ###########---",
        "key 1           ...###########--",
        "key 2                      ...###########--",
        "key 3                                 ...###########--",
        "key 4                                            ...###########--",
        "key 5                                                      ....#####",
        "renewed ^         ^          ^          ^          ^          ^",
    ] == chart(_plan(lead=20, way_back=14))


def test_chart_leaves_out_what_is_over_before_it_begins() -> None:
    """A key that is not yet pinned at the end of the plan has no row."""
    assert ["key 0   " + "#" * 20] == chart(_plan(20), columns=20)[1:-1]


def test_picture_is_a_document_that_loads_nothing() -> None:
    """The picture is well-formed XML of shapes and words, with a row for each key, and refers to nothing outside."""
    plan = _plan()
    svg = fromstring(picture(plan, name=EVIL))
    words = [one.text for one in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {f"key {number}" for number in range(6)} <= set(words)
    assert {"rect", "text", "line", "path", "title", "g", "svg"} == {one.tag.partition("}")[2] for one in svg.iter()}
    assert not any("href" in name or name.startswith("on") for one in svg.iter() for name in one.attrib)
    shown = picture(plan, name=EVIL)
    assert "<script" not in shown
    assert shown.isascii()
    assert all(
        float(one.attrib["x"]) + float(one.attrib.get("width", 0)) <= 960
        for one in svg.iter("{http://www.w3.org/2000/svg}rect")
        if "x" in one.attrib
    )


@pytest.mark.parametrize(("lead", "told"), [(0.5, "a pin 1 day after its"), (10, "a pin 10 days after its")])
def test_picture_counts_days_as_a_person_does(lead: float, told: str) -> None:
    """The title says one day, and several days."""
    assert told in picture(_plan(lead=lead), name="x")


def test_picture_of_years_has_fewer_labels() -> None:
    """A chart of several years is labelled by the quarter."""
    labels = [
        one.text
        for one in fromstring(picture(_plan(1200), name="x")).iter("{http://www.w3.org/2000/svg}text")
        if one.attrib.get("font-size") == "11"
    ]
    assert ["2027-01", "2027-04", "2027-07"] == labels[:3]


def _unfolded(content: bytes) -> list[str]:
    return content.replace(b"\r\n ", b"").decode().split("\r\n")


def test_calendar_is_lines_that_rfc_5545_allows() -> None:
    """Lines end with CRLF, are at most 75 octets long, and a text's own line ends and commas are escaped."""
    content = calendar_file(_plan(), name=EVIL, at=AT)
    assert content.endswith(b"END:VCALENDAR\r\n")
    lines = content.split(b"\r\n")
    assert b"" == lines[-1]
    assert all(len(line) <= 75 and b"\n" not in line and b"\r" not in line for line in lines)
    assert any(len(line) == 75 for line in lines)
    unfolded = _unfolded(content)
    assert "DTSTAMP:20261121T120000Z" in unfolded
    assert unfolded.count("BEGIN:VEVENT") == unfolded.count("END:VEVENT") == len(_plan().steps)
    assert unfolded.count("BEGIN:VALARM") == sum(step.breaks_on is not None for step in _plan().steps)
    (summary,) = {line for line in unfolded if line.startswith("SUMMARY") and line.endswith("switch to key 1")}
    assert "BEGIN:VEVENT\\,\\;" in summary
    assert {
        "BEGIN",
        "VERSION",
        "PRODID",
        "UID",
        "DTSTAMP",
        "DTSTART;VALUE=DATE",
        "SUMMARY",
        "DESCRIPTION",
        "TRANSP",
        "ACTION",
        "TRIGGER",
        "END",
        "",
    } == {line.partition(":")[0] for line in unfolded}


def test_step_keeps_its_uid() -> None:
    """The same step has the same UID whenever the calendar is written, and two steps never share one."""
    first, second = (
        [line for line in _unfolded(calendar_file(_plan(), name="a.example", at=at)) if line.startswith("UID")]
        for at in (AT, AT + timedelta(days=1))
    )
    assert first == second
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("length", [74, 75, 76, 149, 150])
def test_fold_comes_at_the_75th_octet(length: int) -> None:
    """A line is folded exactly where it would be longer than 75 octets."""
    from pinscher.rotation.planning.icalendar import _folded

    folded = _folded("x" * length)
    assert [min(length, 75)] == [len(folded.split(b"\r\n")[0])]
    assert b"x" * length == folded.replace(b"\r\n ", b"")[:-2]


@given(st.text(max_size=200))
def test_fold_never_splits_a_character(text: str) -> None:
    """Every piece of a folded line is whole UTF-8 of at most 75 octets."""
    from pinscher.rotation.planning.icalendar import _folded

    line = text.replace("\r", "").replace("\n", "").encode(errors="replace").decode()
    pieces = _folded(line)[:-2].split(b"\r\n ")
    assert line == "".join(piece.decode() for piece in pieces)
    assert all(len(piece) <= 75 - (place > 0) for place, piece in enumerate(pieces))
