"""What is written as TOML is read back as it was."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pinscher.toml import write_toml
from tests.strategies import DATES, PLAIN, TEXTS, TIMES

ENTRIES = st.dictionaries(TEXTS, st.dictionaries(TEXTS, PLAIN, max_size=3), max_size=3)
DOCUMENTS = st.fixed_dictionaries(
    {"format": st.just(1)},
    optional={"name": TEXTS, "keys": ENTRIES, "hosts": ENTRIES, "reporting": ENTRIES, "extensions": PLAIN},
)


@given(DOCUMENTS)
def test_tables_are_read_as_they_are_written(table: dict[str, Any]) -> None:
    """Whatever a document's tables hold, control characters and nested tables included, comes back from its TOML."""
    expected = {name: value for name, value in table.items() if not _is_gone(name, value)}
    assert expected == tomllib.loads(write_toml(table))


def _is_gone(name: str, value: object) -> bool:
    """Tell whether a table of entries has none, for which no header is written."""
    return name in ("keys", "hosts", "reporting") and value == {}


@given(TIMES, DATES)
def test_times_are_written_in_utc(time: datetime, day: date) -> None:
    """A time is written in UTC and a date as it is."""
    written = write_toml({"time": time, "day": day})
    assert {"time": time.astimezone(UTC), "day": day} == tomllib.loads(written)
    assert "Z\n" in written


def test_a_document_is_written_for_people() -> None:
    """One header for each entry, bare names where TOML allows them, a line for each of several long values."""
    pins = [f"sha256/{letter * 43}=" for letter in "AB"]
    table = {
        "format": 1,
        "name": 'a "name"',
        "defaults": {"unlisted-hosts": "allow"},
        "keys": {"api-2026": {"pin": pins[0]}, "a.b": {"pin": pins[1]}},
        "hosts": {
            "*.a.example": {"pins": pins, "expires": datetime(2027, 3, 1, 1, tzinfo=timezone(timedelta(hours=1)))}
        },
        "extensions": {"x": {"on": True, "": ["a", 1]}, "empty": {}, "none": []},
    }
    expected = f"""format = 1
name = "a \\"name\\""

[defaults]
unlisted-hosts = "allow"

[keys.api-2026]
pin = "{pins[0]}"

[keys."a.b"]
pin = "{pins[1]}"

[hosts."*.a.example"]
pins = [
  "{pins[0]}",
  "{pins[1]}",
]
expires = 2027-03-01T00:00:00Z

[extensions]
x = {{on = true, "" = ["a", 1]}}
empty = {{}}
none = []
"""
    assert expected == write_toml(table)
