"""
Values as people read them, and the templates that put them on a page.

Rules of this file:

1. Every value is escaped for HTML by the template's own escaping; no value is ever marked as safe.
2. Before that a letter that is not printable ASCII is shown as its escape: a bidirectional mark, a control character
   or a look-alike letter changes nothing on the page and is seen.
"""

from __future__ import annotations

import functools
import hashlib
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.tables import moment


def plain(value: Any) -> Any:
    """Return a value of a template with nothing in it but printable ASCII (rule 2); markup of templates stays."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return ""
    return "".join(map(_plain, str(value)))


def _plain(letter: str) -> str:
    if " " <= letter <= "~":
        return letter
    return f"\\x{ord(letter):02x}" if letter <= "\xff" else ascii(letter)[1:-1]


When = datetime | str | int | None
"""A moment as the database stores it, as a view writes it, or as it is."""


def moment_of(value: When) -> datetime | None:
    """Return a moment, however it was written."""
    if isinstance(value, int):
        return moment(value)
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else value


def clock(value: When) -> str:
    """Return a moment to the minute, in UTC."""
    at = moment_of(value)
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def apart(value: When, now: datetime) -> str:
    """Return how far a moment is from now, in the largest unit that counts at least two of it."""
    at = moment_of(value)
    if at is None:
        return ""
    seconds = abs((at - now).total_seconds())
    if seconds < 60:
        return "just now" if at <= now else "within a minute"
    for name, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length or name == "minutes":
            count = int(seconds // length)
            words = f"{count} {name if count != 1 else name[:-1]}"
            return f"in {words}" if at > now else f"{words} ago"
    return ""


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def short(text: str, most: int = 40) -> str:
    """Return a text that is no longer than fits into a drawing."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def short_pin(pin: str | None) -> str:
    """Return the beginning of a pin, enough to tell it from others by eye."""
    return "(unreadable key)" if pin is None else f"{pin[:17]}..."


def severity_word(stored: int) -> str:
    """Return the word for a severity."""
    return Severity(stored).word


@functools.cache
def asset(name: str) -> tuple[bytes, str]:
    """Return a file that pages refer to, and the address that changes when it does."""
    content = resources.files(__package__).joinpath("static", name).read_bytes()
    return content, f"/static/{hashlib.sha256(content).hexdigest()[:16]}/{name}"


def asset_url(name: str) -> str:
    """Return the address of a file that pages refer to."""
    return asset(name)[1]


@functools.cache
def templates() -> Environment:
    """Return the templates of the dashboard."""
    made = Environment(
        loader=PackageLoader("pinscher.monitor.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "clock": clock,
        "apart": apart,
        "short": short,
        "short_pin": short_pin,
        "counted": counted,
        "severity_word": severity_word,
    }
    made.globals |= {"asset_url": asset_url}
    return made
