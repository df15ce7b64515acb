"""
Hypothesis strategies for the values of the ground floor: pins, hosts, entries and whole policies.

Everything drawn is valid; what is not is made from it by the test that needs it.
"""

from __future__ import annotations

import string
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pinscher.entry import HostPolicy, Key, Mode, OnExpiry, Redirects, ReportChannel, Role, Rung, UnlistedHosts
from pinscher.fields import LARGEST_VERSION
from pinscher.host import HostPattern, canonical_host
from pinscher.pin import Pin, PinKind, PinSet
from pinscher.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

PINS: SearchStrategy[Pin] = st.builds(Pin, st.binary(min_size=32, max_size=32), kind=st.sampled_from(PinKind))
"""Any pin."""

LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,5}[a-z0-9_])?", fullmatch=True)
"""One canonical label."""

NAMES = st.builds(
    lambda labels, end: ".".join([*labels, end]), st.lists(LABELS, max_size=3), st.sampled_from(["example", "test"])
)
"""A canonical DNS name."""

ADDRESSES = st.ip_addresses().map(str).map(canonical_host)
"""A canonical IP literal, of either version."""

HOSTS = st.one_of(NAMES, ADDRESSES)
"""A canonical host."""

PATTERNS = st.one_of(
    st.builds(str.__add__, st.sampled_from(["", "*.", "**."]), NAMES),
    ADDRESSES,
)
"""The text of a host pattern, canonical."""

TIMES = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001  (Hypothesis adds the zone)
    max_value=datetime(9990, 1, 1),  # noqa: DTZ001
    timezones=st.one_of(
        st.just(UTC), st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    ),
)
"""An aware time, in any zone of whole minutes."""

DATES = st.dates(min_value=date(1000, 1, 1))
"""A date with a year of four digits."""

LINES = st.text(
    st.one_of(st.just(" "), st.characters(exclude_categories=["C", "Z"]), st.sampled_from("\"'\\#[]{}=,")), max_size=20
)
"""Free text that fits on one line, with all that TOML and JSON escape."""

IDENTIFIERS = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=8)
"""The name of a key or of a report channel."""

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Any text that UTF-8 can write, control characters included."""

PLAIN: SearchStrategy[Any] = st.recursive(
    st.one_of(TEXTS, st.booleans(), st.integers(-LARGEST_VERSION, LARGEST_VERSION)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
"""What may stand under an extension."""


def spelt(name: str) -> SearchStrategy[str]:
    """Return other spellings of a canonical DNS name, which name the same host."""
    cases: list[Callable[[str], str]] = [str.lower, str.upper, str.title, lambda text: text + "."]
    return st.sampled_from(cases).map(lambda change: change(name))


@st.composite
def keys(draw: DrawFn) -> tuple[Key, ...]:
    """Draw some keys, each of another name."""
    names = draw(st.lists(IDENTIFIERS, max_size=3, unique=True))
    return tuple(
        Key(
            name,
            draw(PINS),
            role=draw(st.sampled_from(Role)),
            stored=draw(st.none() | LINES),
            rehearsed=draw(st.none() | DATES),
        )
        for name in names
    )


def _key_names(draw: DrawFn, pins: Sequence[Pin], known: Sequence[Key]) -> dict[Pin, str]:
    """Draw which of the pins the document writes by a key's name."""
    return {key.pin: key.name for key in known if key.pin in pins and draw(st.booleans())}


def _some_pins(draw: DrawFn, known: Sequence[Key], most: int) -> list[Pin]:
    pool = st.one_of(PINS, st.sampled_from([key.pin for key in known])) if known else PINS
    return draw(st.lists(pool, min_size=1, max_size=most, unique=True))


@st.composite
def channels(draw: DrawFn, known: Sequence[Key] = ()) -> tuple[ReportChannel, ...]:
    """Draw some report channels, each of another name."""
    found = []
    for name in draw(st.lists(IDENTIFIERS, max_size=2, unique=True)):
        pins = tuple(_some_pins(draw, known, 2)) if draw(st.booleans()) else ()
        channel = ReportChannel(
            name,
            f"https://{draw(NAMES)}/{draw(st.text(string.ascii_letters, max_size=5))}",
            pins=pins,
            heartbeats=draw(st.booleans()),
            allow_private=draw(st.booleans()),
            names=_key_names(draw, pins, known),
        )
        found.append(channel)
    return tuple(found)


@st.composite
def entries(
    draw: DrawFn,
    pattern: str | None = None,
    *,
    known: Sequence[Key] = (),
    report_to: Sequence[str] = (),
    alternates: Sequence[str] = (),
) -> HostPolicy:
    """Draw the entry of a pinned host; *alternates* are hosts that another entry pins."""
    pins = _some_pins(draw, known, 5)
    cut = draw(st.integers(1, len(pins)))
    end = draw(st.integers(cut, len(pins)))
    mode = draw(st.sampled_from(Mode))
    return HostPolicy(
        HostPattern.parse(draw(PATTERNS) if pattern is None else pattern),
        PinSet(pins[:cut], backup_pins=pins[cut:end], denied_keys=pins[end:]),
        mode=mode,
        report_only_since=draw(DATES) if mode is Mode.REPORT_ONLY else None,
        expires=draw(st.none() | TIMES),
        on_expiry=draw(st.sampled_from(OnExpiry)),
        on_mismatch=draw(st.lists(st.sampled_from([Rung.REFRESH, Rung.OVERRIDE]), unique=True).map(tuple)),
        alternate=draw(st.sampled_from([None, *alternates])),
        redirects=draw(st.sampled_from(Redirects)),
        report_to=tuple(draw(st.lists(st.sampled_from(report_to), unique=True))) if report_to else (),
        note=draw(st.none() | LINES),
        names=_key_names(draw, pins, known),
    )


@st.composite
def exceptions(draw: DrawFn, pattern: str | None = None) -> HostPolicy:
    """Draw the entry of a host that is not pinned, with its reason."""
    reason = draw(LINES.filter(str.strip))
    return HostPolicy(HostPattern.parse(draw(PATTERNS) if pattern is None else pattern), unpinned=reason)


@st.composite
def policies(draw: DrawFn) -> Policy:
    """Draw a policy that uses every field of the document."""
    known = draw(keys())
    reporting = draw(channels(known))
    patterns = draw(st.lists(PATTERNS, min_size=1, max_size=5, unique=True))
    unpinned = set(draw(st.lists(st.sampled_from(patterns), max_size=1)))
    alternates = [one for one in patterns if "*" not in one and one not in unpinned]
    report_to = [channel.name for channel in reporting]
    return Policy(
        [
            draw(exceptions(one))
            if one in unpinned
            else draw(entries(one, known=known, report_to=report_to, alternates=alternates))
            for one in patterns
        ],
        name=draw(LINES.filter(bool)),
        version=draw(st.integers(1, LARGEST_VERSION)),
        unlisted_hosts=draw(st.sampled_from(UnlistedHosts)),
        keys=known,
        reporting=reporting,
        extensions=draw(st.dictionaries(TEXTS.filter(lambda name: name != "critical"), PLAIN, max_size=3)),
    )
