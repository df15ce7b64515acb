"""The form of a dialect: its name, what it reads and what it writes, and what both are told and tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pinscher.policy import Policy


class UnreadableFileError(PinningError, ValueError):
    """
    A file that is not what its dialect says, told with the place; ``format`` names the dialect.

    ``source`` names the file where somebody has said its name: a reader is given octets alone.
    """

    def __init__(self, format_name: str, reason: str, *, line: int | None = None, source: str | None = None) -> None:
        place = f"{format_name} file" if line is None else f"{format_name} file, line {line}"
        super().__init__(f"{place}: {reason}" if source is None else f"{escaped(source)}: {place}: {reason}")
        self.format = format_name
        self.reason = reason
        self.line = line
        self.source = source

    def of(self, source: str) -> UnreadableFileError:
        """Return the same error with the name of its file."""
        return UnreadableFileError(self.format, self.reason, line=self.line, source=source)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the values the error was made from."""
        return _restored, (self.format, self.reason, self.line, self.source)


def _restored(format_name: str, reason: str, line: int | None, source: str | None) -> UnreadableFileError:
    return UnreadableFileError(format_name, reason, line=line, source=source)


WEAKENINGS: dict[str, str] = {
    "empty-pin-set": "an empty pin set takes the pins of a wider entry away",
    "override-pins": "a trust anchor that overrides pins lets its certificates through",
    "debug-overrides": "a debug build trusts further anchors, and no pin applies to them",
    "fail-open-expiry": "the pins stop being enforced at their expiry",
    "misspelt": "a misspelt or unknown name is ignored by the platform",
    "never-matches": "an entry that the platform never matches",
    "exception": "a host is taken out of a wider entry",
    "report-only": "a mismatch is reported and not refused",
    "one-pin": "one pin without a backup",
    "user-anchors": "pins do not apply to anchors that the user installed",
    "default-reports": "reports go to a default destination",
    "no-authority": "the record asks for no validation by a public authority",
    "removed": "a header that removes pins",
    "list-age": "the pins are enforced only while the list is young",
    "trust-on-first-use": "the first connection is not pinned",
}
"""Every weakening that an importer reports, by its stable name."""


@dataclass(frozen=True, slots=True)
class Weakening:
    """One place where a file pins less than it seems to; ``where`` and ``detail`` are escaped text."""

    name: str
    where: str
    detail: str = ""

    def __post_init__(self) -> None:
        """Hold the name to the table and make the stranger's text safe to show."""
        if self.name not in WEAKENINGS:
            raise ValueError(f"there is no weakening called {self.name!r}")
        object.__setattr__(self, "where", escaped(self.where, limit=120))
        object.__setattr__(self, "detail", escaped(self.detail or WEAKENINGS[self.name]))

    def __str__(self) -> str:
        """Return the weakening on one line."""
        return f"{self.name}: {self.where}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Choices:
    """
    What a reading or writing is told beside the file.

    ``at`` stands for now: the day from which an imported entry is report-only. ``accepted`` holds names of losses.
    ``variant`` selects one of the format's forms. ``is_public_suffix`` answers for a canonical name whether it is a
    public suffix; a target that needs to know refuses without it.
    """

    at: datetime
    accepted: frozenset[str] = field(default=frozenset(), kw_only=True)
    policy_name: str = field(default="imported", kw_only=True)
    variant: str | None = field(default=None, kw_only=True)
    is_public_suffix: Callable[[str], bool] | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says, and every place where it says less than it seems to."""

    policy: Policy
    weakenings: tuple[Weakening, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """
    One dialect, as a row of ``formats.FORMATS``.

    ``read`` raises :class:`UnreadableFileError` or ``FormatLossError`` and nothing else, for any bytes. ``write``
    raises ``FormatLossError``. Both are pure. None stands for a direction that the dialect does not have. ``variants``
    are the forms it writes, the default first. ``file_name`` is what the target calls the file.
    """

    name: str
    title: str
    file_name: str
    read: Callable[[bytes, Choices], Reading] | None
    write: Callable[[Policy, Choices], bytes] | None
    variants: tuple[str, ...] = ()
