"""
What is out there: which released version of which application shipped which policy, and how many users have it.

Rules of this file:

1. An inventory is TOML, ``format = 1``, with one ``[[deployments]]`` for each released version.
2. An unknown field, a second entry of one version, and shares of one application above 1 are errors with their line.
3. A share that is not said is not known, and never zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pinscher.document import LARGEST_TEXT
from pinscher.entry import InvalidPolicyError, check_text, dotted
from pinscher.errors import PinningError, escaped
from pinscher.text import read_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.entry import Path
    from pinscher.policy import Policy

    Read = Callable[[str], Policy]
    """Reads the policy or the application's file at a path; it raises ``PinningError`` for what it cannot read."""

FORMAT = 1
"""The only format of the inventory there is."""
MOST_DEPLOYMENTS = 10_000
_FIELDS = frozenset({"application", "version", "policy", "since", "share"})


class InvalidDeploymentsError(PinningError, ValueError):
    """
    An inventory that cannot be used, told with the place.

    ``source`` is the file's path, ``line`` counts from one or is None, ``path`` is the field.
    """

    def __init__(self, source: str, reason: str, *, path: str = "", line: int | None = None) -> None:
        place = escaped(source) if line is None else f"{escaped(source)}:{line}"
        super().__init__(": ".join(part for part in (place, path, reason) if part))
        self.source = source
        self.reason = reason
        self.path = path
        self.line = line

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the values the error was made from."""
        return _restored, (self.source, self.reason, self.path, self.line)


def _restored(source: str, reason: str, path: str, line: int | None) -> InvalidDeploymentsError:
    return InvalidDeploymentsError(source, reason, path=path, line=line)


@dataclass(frozen=True, slots=True)
class Deployment:
    """
    One released version: what it shipped, since when it is out, and its share of the application's users.

    ``file`` is the policy's path as the inventory writes it; ``since`` and ``share`` (0 to 1) are None where they are
    not said.
    """

    application: str
    version: str
    file: str
    policy: Policy
    since: date | None = None
    share: Decimal | None = None


def read_deployments(content: bytes, *, source: str, read: Read) -> tuple[Deployment, ...]:
    """Read an inventory, each policy by *read*; raise :class:`InvalidDeploymentsError` for anything else."""
    if len(content) > LARGEST_TEXT:
        raise InvalidDeploymentsError(source, f"an inventory has at most {LARGEST_TEXT >> 20} MiB")
    if content.lstrip()[:1] in (b"", b"{"):
        raise InvalidDeploymentsError(source, "expected TOML with format = 1 and [[deployments]]")
    try:
        table, _ = read_text(content, None)
    except InvalidPolicyError as error:
        raise InvalidDeploymentsError(source, error.reason, path=error.path, line=error.line) from None
    return _Reader(source, content.decode(), read).deployments(table)


class _Reader:
    """Reads the tables of one inventory, with the line of whatever is wrong."""

    def __init__(self, source: str, text: str, read: Read) -> None:
        self._source = source
        self._text_of_all = text
        self._read = read

    def deployments(self, table: dict[str, Any]) -> tuple[Deployment, ...]:
        for name in table:
            if name not in ("format", "deployments"):
                raise self._wrong("unknown field", name)
        if type(table.get("format")) is not int or table["format"] != FORMAT:
            raise self._wrong(f"expected format = {FORMAT}", "format")
        entries = table.get("deployments")
        if not isinstance(entries, list) or not 0 < len(entries) <= MOST_DEPLOYMENTS:
            raise self._wrong(f"expected 1 to {MOST_DEPLOYMENTS} tables [[deployments]]", "deployments")
        found = tuple(self._deployment(entry, position) for position, entry in enumerate(entries))
        self._check_together(found)
        return found

    def _deployment(self, entry: Any, position: int) -> Deployment:
        place: Path = ("deployments", position)
        if not isinstance(entry, dict):
            raise self._wrong("expected a table", *place)
        for name in entry:
            if name not in _FIELDS:
                raise self._wrong(f"unknown field; there are {', '.join(sorted(_FIELDS))}", *place, name)
        file = self._text(entry, "policy", place)
        return Deployment(
            self._text(entry, "application", place),
            self._text(entry, "version", place),
            file,
            self._policy(file, place),
            self._since(entry, place),
            self._share(entry, place),
        )

    def _text(self, entry: dict[str, Any], name: str, place: Path) -> str:
        value = entry.get(name)
        if not isinstance(value, str) or not value.strip():
            found = "nothing" if name not in entry else type(value).__name__ if not isinstance(value, str) else "''"
            raise self._wrong(f"expected a text in quotes, found {found}", *place, name)
        try:
            check_text(value, name)
        except InvalidPolicyError as error:
            raise self._wrong(error.reason, *place, name) from None
        return value

    def _policy(self, file: str, place: Path) -> Policy:
        try:
            return self._read(file)
        except PinningError as error:
            raise self._wrong(str(error), *place, "policy") from None

    def _since(self, entry: dict[str, Any], place: Path) -> date | None:
        value = entry.get("since")
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            raise self._wrong("expected a day without quotes, such as 2026-11-01", *place, "since")
        return value

    def _share(self, entry: dict[str, Any], place: Path) -> Decimal | None:
        value = entry.get("share")
        if value is None:
            return None
        # A share as the text wrote it, so that 0.1, 0.2 and 0.7 are one and no more.
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise self._wrong("expected a share of the application's users, from 0 to 1", *place, "share")
        return Decimal(repr(value))

    def _check_together(self, found: tuple[Deployment, ...]) -> None:
        versions: set[tuple[str, str]] = set()
        totals: dict[str, Decimal] = {}
        for position, one in enumerate(found):
            if (one.application, one.version) in versions:
                told = f"a second entry for {escaped(one.application)} {escaped(one.version)}"
                raise self._wrong(told, "deployments", position, "version")
            versions.add((one.application, one.version))
            totals[one.application] = totals.get(one.application, Decimal(0)) + (one.share or 0)
            if totals[one.application] > 1:
                told = f"the shares of {escaped(one.application)} come to {totals[one.application]}, more than 1"
                raise self._wrong(told, "deployments", position, "share")

    def _wrong(self, reason: str, *path: str | int) -> InvalidDeploymentsError:
        line = _line_of(self._text_of_all, path)
        return InvalidDeploymentsError(self._source, reason, path=dotted(path), line=line)


_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*deployments[ \t]*\]\]", re.MULTILINE)


def _line_of(text: str, path: Path) -> int | None:
    """Return the line of a field, of its table, or of a field outside of them; None where it cannot be told."""
    start, end = 0, len(text)
    if len(path) > 1 and isinstance(path[1], int):
        headers = [found.start() for found in _HEADER.finditer(text)]
        if path[1] >= len(headers):
            return None
        start, end = headers[path[1]], [*headers, end][path[1] + 1]
    name = path[-1] if path else ""
    field = re.compile(rf"^[ \t]*\[*[ \t]*[\"']?{re.escape(str(name))}[\"']?[ \t]*[=\]]", re.MULTILINE)
    found = field.search(text, start, end)
    if found is None and not start:
        return None
    return text.count("\n", 0, start if found is None else found.start()) + 1
