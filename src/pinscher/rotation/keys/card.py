"""
The card that is printed and put beside a sealed key: which key this is, where it lies, and when it was tried.

A card is A6 in landscape. It holds nothing that is secret. Whoever holds it can compare the pin with the policy's by
eye or with the camera, and writes the rehearsals on it by hand.
"""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from pinscher.rotation.keys.backup import BackupKey

_WIDTH, _HEIGHT = 740, 525
_LEFT, _LABEL = 32, 132
_QR = 150
"""Side of the QR code."""


def card(
    key: BackupKey, *, name: str, algorithm: str, made: date, stored: str | None, hosts: Sequence[str] = ()
) -> str:
    """Return the card as SVG; it has a QR code of the pin where ``segno`` is installed."""
    parts = "\n".join(
        (
            *_frame(name),
            *_rows((("key", algorithm), ("made", f"{made}"), ("stored", stored or ""), ("for", ", ".join(hosts)))),
            *_numbers(key),
            *_code(str(key.pin)),
            *_log(),
        )
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="148mm" height="105mm" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="DejaVu Sans, Arial, sans-serif" font-size="15" fill="#111">\n{parts}\n</svg>\n'
    )


def _frame(name: str) -> Iterator[str]:
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
    yield (
        f'<rect x="12" y="12" width="{_WIDTH - 24}" height="{_HEIGHT - 24}" rx="10" fill="none" stroke="#111" '
        'stroke-width="2"/>'
    )
    yield f'<text x="{_LEFT}" y="42" font-size="13" fill="#555">BACKUP KEY, SEALED: do not use but in need</text>'
    size = 28 if len(name) <= _NAME else 14
    yield f'<text x="{_LEFT}" y="76" font-size="{size}" font-weight="bold">{_cut(name, 58)}</text>'


_NAME = 28
"""Characters of a name in large letters; a longer one gets small ones."""


def _rows(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    y = 108
    for label, text in rows:
        lines = textwrap.wrap(text, _COLUMNS, max_lines=2, placeholder=" ...") or ["not said"]
        yield f'<text x="{_LEFT}" y="{y}" fill="#555">{label}</text>'
        for line in lines:
            yield f'<text x="{_LABEL}" y="{y}" {_MONO}{_squeezed(line)}>{escape(line)}</text>'
            y += 21
        y += 4


_COLUMNS = 42
"""Characters of fixed width that stand beside the QR code."""
_MONO = 'font-family="DejaVu Sans Mono, Courier New, monospace" font-size="16"'


def _squeezed(line: str) -> str:
    """Return the attributes that keep a line with wide letters off the QR code."""
    columns = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)
    return "" if columns <= _COLUMNS else ' textLength="405" lengthAdjust="spacingAndGlyphs"'


def _numbers(key: BackupKey) -> Iterator[str]:
    digits = key.fingerprint
    yield f'<text x="{_LEFT}" y="292" fill="#555">pin</text>'
    yield f'<text x="{_LABEL}" y="292" {_MONO}>{key.pin}</text>'
    yield f'<text x="{_LEFT}" y="320" fill="#555">the same,</text>'
    yield f'<text x="{_LEFT}" y="341" fill="#555">SHA-256</text>'
    yield f'<text x="{_LABEL}" y="320" {_MONO}>{digits[:39]}</text>'
    yield f'<text x="{_LABEL}" y="341" {_MONO}>{digits[40:]}</text>'


def _code(text: str) -> Iterator[str]:
    """Draw a QR code with the quiet zone that ISO/IEC 18004 asks for, or nothing."""
    try:
        import segno  # noqa: PLC0415  (a card without a code is a card)
    except ImportError:
        return
    rows = [bytes(row) for row in segno.make_qr(text, error="m").matrix]
    unit = round(_QR / (len(rows) + 8), 3)
    dark = [f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module]
    place = f"translate({_WIDTH - _LEFT - _QR + 4 * unit:.3f} {30 + 4 * unit:.3f}) scale({unit})"
    yield f'<path transform="{place}" shape-rendering="crispEdges" d="{"".join(dark)}"/>'


def _log() -> Iterator[str]:
    yield f'<text x="{_LEFT}" y="380" fill="#555">rehearsed on, by (pinscher key rehearse)</text>'
    for y in (416, 450, 484):
        for left, right in ((_LEFT, 360), (380, _WIDTH - _LEFT)):
            yield f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#888"/>'


def _cut(text: str, limit: int) -> str:
    return escape(text if len(text) <= limit else f"{text[: limit - 3]}...")
