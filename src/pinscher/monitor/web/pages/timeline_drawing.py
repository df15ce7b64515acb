"""Keys, certificates, policies and terms over time: bars and marks for a drawing, and the same as rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pinscher.der import certificate_summary
from pinscher.monitor.tables import moment
from pinscher.monitor.web.pages.shown import short_pin
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pinscher.monitor.findings.history import History, Sighting
    from pinscher.monitor.web.pages.calendar import Term

LEFT, WIDTH, LANE, TOP = 250, 1_200, 30, 44
_MOST_LABELLED = 90
"""A bar that is narrower than this many units has its text in the table alone."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Something that held from one moment to another."""

    about: str
    what: str
    detail: str
    first: datetime
    last: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A spell as it is drawn."""

    x: float
    y: int
    width: float
    kind: str
    label: str
    told: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment as it is drawn."""

    x: float
    y: int
    kind: str
    label: str
    told: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything of the picture; lanes and months are places and names."""

    height: int
    now: float
    months: tuple[tuple[float, str], ...]
    lanes: tuple[tuple[int, str, str], ...]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a drawing shows."""

    first: datetime
    last: datetime

    def x(self, at: datetime) -> float:
        """Return where a moment lies, at the edge where it lies beyond."""
        share = (at - self.first) / (self.last - self.first)
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT), 1)

    def shows(self, first: datetime, last: datetime) -> bool:
        """Tell whether any of a spell lies within."""
        return last >= self.first and first <= self.last


def key_spells(history: History) -> list[Spell]:
    """Return which leaf key an endpoint showed from when to when."""
    spells: list[Spell] = []
    for seen in history.sightings:
        key = seen.leaf_key
        if key is None:
            continue
        pin, kind = str(Pin(key)), _kind(seen)
        last = spells[-1] if spells else None
        if last is not None and (last.detail, last.kind) == (pin, kind):
            spells[-1] = Spell(last.about, last.what, pin, last.first, seen.last, kind)
        else:
            spells.append(Spell(str(history.endpoint), "key", pin, seen.first, seen.last, kind))
    return spells


def _kind(seen: Sighting) -> str:
    return "good" if seen.outcome is Outcome.MATCH else "bad"


def certificate_spells(history: History) -> list[Spell]:
    """Return the leaf certificates that an endpoint showed, from their first day to their last."""
    leaves = {(seen.validated or seen.presented)[0]: None for seen in history.sightings if seen.presented}
    spells = []
    for der in leaves:
        summary = certificate_summary(der)
        if summary.not_before is not None and summary.not_after is not None:
            spells.append(
                Spell(str(history.endpoint), "certificate", f"{summary.subject}, by {summary.issuer}",
                      summary.not_before, summary.not_after, "new")
            )  # fmt: skip
    return spells


def drawn(
    span: Span, at: datetime, histories: Sequence[History], terms: Iterable[Term], policies: Iterable[Any]
) -> Drawing:
    """Put everything in its place: a lane for policies, one for terms, and three for each endpoint."""
    lanes: list[tuple[int, str, str]] = [(TOP, "Policies", ""), (TOP + LANE, "Terms", "")]
    bars: list[Bar] = []
    marks = [*_policy_marks(span, policies, TOP), *_term_marks(span, terms, TOP + LANE)]
    y = TOP + 2 * LANE + 8
    for history in histories:
        lanes += [(y, str(history.endpoint), "keys"), (y + LANE, "", "certificates")]
        bars += _bars(span, key_spells(history), y)
        certificates = certificate_spells(history)
        # One is renewed before the one before it ends: neighbours lie in two lanes.
        bars += [*_bars(span, certificates[::2], y + LANE), *_bars(span, certificates[1::2], y + 2 * LANE)]
        y += 3 * LANE + 8
    return Drawing(y + 6, span.x(at), tuple(_months(span)), tuple(lanes), tuple(bars), tuple(marks))


def _bars(span: Span, spells: Iterable[Spell], y: int) -> Iterator[Bar]:
    for spell in spells:
        if span.shows(spell.first, spell.last):
            x = span.x(spell.first)
            width = round(max(span.x(spell.last) - x, 4), 1)
            name = short_pin(spell.detail) if spell.what == "key" else spell.detail
            label = name[: int(width / 7.2)] if width >= _MOST_LABELLED else ""
            told = f"{spell.what} {spell.detail}, {spell.first:%Y-%m-%d} to {spell.last:%Y-%m-%d}"
            yield Bar(x, y, width, spell.kind, label, told)


def _policy_marks(span: Span, policies: Iterable[Any], y: int) -> Iterator[Mark]:
    for row in policies:
        seen = moment(row.seen)
        if span.shows(seen, seen):
            told = f"policy {row.name} {row.version}, in force since {seen:%Y-%m-%d %H:%M} UTC"
            yield Mark(span.x(seen), y, "policy", f"version {row.version}", told)


def _term_marks(span: Span, terms: Iterable[Term], y: int) -> Iterator[Mark]:
    for term in terms:
        if term.at is not None and span.shows(term.at, term.at):
            yield Mark(span.x(term.at), y, "term", "", f"{term.at:%Y-%m-%d}: {term.about}: {term.said}")


def _months(span: Span) -> Iterator[tuple[float, str]]:
    day = datetime(span.first.year, span.first.month, 1, tzinfo=UTC)
    while day <= span.last:
        if day >= span.first:
            yield span.x(day), f"{day:%Y-%m}"
        day = (day + timedelta(days=32)).replace(day=1)
