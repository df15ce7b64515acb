"""Two kinds of plot as SVG, drawn without a library: ratios with their spread, and growth on logarithmic axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

INK, FAINT, GRID, ALARM = "#1b1f24", "#57606a", "#d8dee4", "#b42318"
COLOURS = ("#1f6feb", "#b35900", "#2d7d46", "#8250df")
WIDTH = 860
_FONT = 'font-family="system-ui, -apple-system, Segoe UI, sans-serif"'


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line of the plot of ratios."""

    name: str
    middle: float
    low: float
    high: float
    limit: float | None
    colour: str


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its points by their place, each with the least and the greatest figure."""

    name: str
    points: tuple[tuple[float, float, float, float], ...]


def ratios(title: str, groups: Sequence[tuple[str, Sequence[Ratio]]], *, least: float, most: float) -> str:
    """Draw a dot for each ratio, a bar from its 5th to its 95th percentile, and a stroke where its limit is."""
    left, right, row = 210, WIDTH - 70, 21
    height = 62 + sum(24 + row * len(lines) for _, lines in groups) + 52
    drawn, top = [_text(12, 24, title, size=15, weight=600)], 50

    def x(value: float) -> float:
        return left + (min(max(value, least), most) - least) / (most - least) * (right - left)

    bottom = height - 52
    for step in range(round((most - least) / 0.05) + 1):
        value = least + step * 0.05
        width = 1.6 if abs(value - 1) < 1e-9 else 0.8
        drawn.append(_line(x(value), 36, x(value), bottom, FAINT if width > 1 else GRID, width))
        drawn.append(_text(x(value), bottom + 16, f"{value:.2f}", size=11, colour=FAINT, anchor="middle"))
    for name, lines in groups:
        drawn.append(_text(12, top + 6, name, size=12, weight=600))
        top += 24
        for one in lines:
            y = top - 3
            drawn.append(_text(left - 12, y + 4, one.name, size=12, colour=FAINT, anchor="end"))
            drawn.append(_line(x(one.low), y, x(one.high), y, one.colour, 3, opacity=0.35))
            if one.limit is not None:
                drawn.append(_line(x(one.limit), y - 8, x(one.limit), y + 8, ALARM, 2))
            drawn.append(f'<circle cx="{x(one.middle):.1f}" cy="{y}" r="4.5" fill="{one.colour}"/>')
            drawn.append(_text(right + 10, y + 4, f"{one.middle:.3f}", size=12))
            top += row
    drawn.append(
        _text(
            12,
            height - 8,
            "1.00 is plain; red strokes are limits; beyond the axis is at its end",
            size=11,
            colour=FAINT,
        )
    )
    return _svg(height, drawn, title)


def growth(title: str, axis: str, lines: Sequence[Line]) -> str:
    """Draw curves of microseconds, both axes logarithmic; a thin stroke at each point is from the least to the greatest figure."""
    left, right, above, below = 76, WIDTH - 30, 44, 330
    height = below + 56 + 18 * len(lines)
    every = [point for line in lines for point in line.points]
    first, last = min(point[0] for point in every), max(point[0] for point in every)
    least = 10 ** math.floor(math.log10(min(point[2] for point in every)))
    most = 10 ** math.ceil(math.log10(max(point[3] for point in every)))

    def x(value: float) -> float:
        return left + 20 + math.log(value / first) / (math.log(last / first) or 1) * (right - left - 40)

    def y(value: float) -> float:
        return below - math.log(value / least) / math.log(most / least) * (below - above)

    drawn = [_text(12, 24, title, size=15, weight=600)]
    for exponent in range(round(math.log10(least)), round(math.log10(most)) + 1):
        value = 10.0**exponent
        drawn.append(_line(left, y(value), right, y(value), GRID, 0.8))
        drawn.append(_text(left - 8, y(value) + 4, spoken(value), size=11, colour=FAINT, anchor="end"))
    for place in sorted({point[0] for point in every}):
        drawn.append(_line(x(place), above, x(place), below, GRID, 0.8))
        drawn.append(_text(x(place), below + 16, f"{place:,.0f}", size=11, colour=FAINT, anchor="middle"))
    drawn.append(_text((left + right) / 2, below + 34, axis, size=12, colour=FAINT, anchor="middle"))
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x(at):.1f},{y(middle):.1f}" for at, middle, _, _ in line.points)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for at, middle, low, high in line.points:
            drawn.append(_line(x(at), y(low), x(at), y(high), colour, 1.5, opacity=0.45))
            drawn.append(f'<circle cx="{x(at):.1f}" cy="{y(middle):.1f}" r="3.5" fill="{colour}"/>')
        legend = below + 56 + 18 * number
        drawn.append(_line(left, legend - 4, left + 22, legend - 4, colour, 3))
        drawn.append(_text(left + 30, legend, line.name, size=12))
    return _svg(height, drawn, title)


def spoken(microseconds: float) -> str:
    """Return a time in the unit that suits it."""
    for size, unit in ((1e6, "s"), (1e3, "ms"), (1.0, "us")):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds * 1e3:.3g} ns"


def _svg(height: float, drawn: Sequence[str], title: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" role="img"'
    inner = [f"<title>{escape(title)}</title>", '<rect width="100%" height="100%" fill="#ffffff"/>', *drawn]
    return "\n".join([f"{head} {_FONT}>", *inner, "</svg>"]) + "\n"


def _text(
    x: float, y: float, said: str, *, size: int, colour: str = INK, anchor: str = "start", weight: int = 400
) -> str:
    style = f'font-size="{size}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(said)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float, *, opacity: float = 1) -> str:
    style = f'stroke="{colour}" stroke-width="{width:g}" opacity="{opacity:g}"'
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'
