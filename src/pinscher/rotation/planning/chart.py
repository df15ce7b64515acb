"""The plan as a Gantt chart: in letters for a terminal, and as a picture in SVG that loads nothing from elsewhere."""

from __future__ import annotations

from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING

from pinscher.errors import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from pinscher.rotation.planning.plan import Plan, Term

_COLUMNS = 60
_AHEAD, _SERVING, _BEHIND, _NOTHING = ".", "#", "-", " "


def chart(plan: Plan, *, columns: int = _COLUMNS) -> list[str]:
    """Return a chart's lines, a row for each key: ``.`` pinned ahead, ``#`` serving, ``-`` pinned for a way back."""
    days = (plan.until - plan.start).days
    scale = f"{plan.start}{plan.until!s:>{max(columns - 10, 11)}}"
    rows = [
        f"key {term.key:<3} {''.join(_letter(term, plan, column * days // columns) for column in range(columns))}"
        for term in _shown(plan)
    ]
    issued = [one.on for one in plan.issuances if plan.start <= one.on < plan.until]
    renewals = {(on - plan.start).days * columns // days for on in issued}
    marks = "".join("^" if column in renewals else " " for column in range(columns))
    return [f"{'':8}{scale}", *(row.rstrip() for row in rows), f"{'renewed':8}{marks}".rstrip()]


def _shown(plan: Plan) -> Iterator[Term]:
    for term in plan.terms:
        if (term.pin_by or term.serves_from) < plan.until and (term.unpin_from is None or term.unpin_from > plan.start):
            yield term


def _letter(term: Term, plan: Plan, day: int) -> str:
    on = plan.start + timedelta(days=day)
    if on >= term.serves_from:
        if term.serves_until is None or on < term.serves_until:
            return _SERVING
        return _BEHIND if term.unpin_from is None or on < term.unpin_from else _NOTHING
    return _AHEAD if term.pin_by is not None and on >= term.pin_by else _NOTHING


_LEFT, _RIGHT, _TOP, _ROW, _WIDTH = 90, 30, 78, 34, 960
"""Pixels: the margins, the height of a row and the width of the picture."""
_LONGEST_NAME = 60
"""Characters of a name that fit over the chart."""
_INK, _FAINT = "#1f2933", "#d5dbe1"
_COLOURS = (("#f2b134", "pinned ahead"), ("#2f6f9f", "serving"), ("#b8c4ce", "pinned for a way back"))


def picture(plan: Plan, *, name: str) -> str:
    """Return the chart for a host called *name* as an SVG document of its own."""
    rows = list(_shown(plan))
    height = _TOP + _ROW * len(rows) + 46
    days = "1 day" if plan.lead_days == 1 else f"{plan.lead_days} days"
    told = f"{plan.share:g} % of clients have a pin {days} after its publication"
    title = escape(f"{escaped(name, limit=_LONGEST_NAME)}: {told}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">',
        f'<g font-family="sans-serif" font-size="13" fill="{_INK}">',
        f"<title>{title}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="20" y="28" font-size="17" font-weight="bold">{title}</text>',
        *_months(plan, height - 40),
    ]
    for number, term in enumerate(rows):
        parts += _bars(term, plan, _TOP + _ROW * number)
    parts += _renewals(plan, _TOP + _ROW * len(rows))
    parts += _legend(height - 12)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _x(on: date, plan: Plan) -> float:
    """Return where a day stands, no further out than the chart's own ends."""
    inside = min(max(on, plan.start), plan.until)
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * (inside - plan.start).days / (plan.until - plan.start).days, 1)


def _months(plan: Plan, bottom: int) -> Iterator[str]:
    """Yield a line for the first of each month, or of each third where there are many, with its label."""
    every = 1 if (plan.until - plan.start).days <= 400 else 3
    on = plan.start.replace(day=1)
    while on <= plan.until:
        if on >= plan.start and (on.month - 1) % every == 0:
            x = _x(on, plan)
            yield f'<line x1="{x}" y1="58" x2="{x}" y2="{bottom}" stroke="{_FAINT}"/>'
            if x < _WIDTH - _RIGHT - 40:
                yield f'<text x="{x + 3}" y="68" font-size="11">{on:%Y-%m}</text>'
        on = (on.replace(day=28) + timedelta(days=4)).replace(day=1)


def _bars(term: Term, plan: Plan, top: int) -> Iterator[str]:
    yield f'<text x="20" y="{top + 19}">key {term.key}</text>'
    serves_until = term.serves_until or plan.until
    ends = (
        (term.pin_by or term.serves_from, term.serves_from),
        (term.serves_from, serves_until),
        (serves_until, term.unpin_from or plan.until),
    )
    for (colour, what), (begin, end) in zip(_COLOURS, ends, strict=True):
        left, right = _x(begin, plan), _x(end, plan)
        if right > left:
            told = f"key {term.key} {what}, {begin} to {end}"
            yield (
                f'<rect x="{left}" y="{top + 5}" width="{round(right - left, 1)}" height="20" fill="{colour}">'
                f"<title>{told}</title></rect>"
            )


def _renewals(plan: Plan, top: int) -> Iterator[str]:
    for one in plan.issuances:
        if plan.start <= one.on < plan.until:
            x = _x(one.on, plan)
            yield f'<path d="M{x} {top} l4 7 h-8 z" fill="{_INK}"><title>certificate of {one.on}</title></path>'


def _legend(y: int) -> Iterator[str]:
    x = _LEFT
    for colour, what in _COLOURS:
        yield f'<rect x="{x}" y="{y - 11}" width="13" height="13" fill="{colour}"/>'
        yield f'<text x="{x + 19}" y="{y}">{what}</text>'
        x += 190
    yield f'<path d="M{x + 6} {y - 10} l4 7 h-8 z" fill="{_INK}"/><text x="{x + 19}" y="{y}">a new certificate</text>'
