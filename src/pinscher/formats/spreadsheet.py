"""
A table for people: comma-separated values, one pin a line, which says everything that decides about a connection.

Rules of this file:

1. The first line names the columns. ``use`` is pin, backup, denied or unpinned; an entry's further columns stand on its
   first line and are empty or the same on the others.
2. The host ``(any other)`` has ``allow`` or ``deny`` as its use.
3. A cell that a spreadsheet could take for a formula has an apostrophe in front, which is taken away on reading.
4. Reporting, alternates, the ladder and redirects are not in the table.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from pinscher.entry import HostPolicy, InvalidPolicyError, Key, Mode, OnExpiry, Role, UnlistedHosts
from pinscher.formats.format import Format, Reading
from pinscher.formats.reading import Reader
from pinscher.formats.text_lines import lines_of, text_of
from pinscher.host import HostPattern
from pinscher.pin import InvalidPinError, Pin, PinSet
from pinscher.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.formats.format import Choices

_NAME = "csv"
_COLUMNS = ("host", "use", "pin", "key", "role", "mode", "report-only-since", "expires", "on-expiry", "note")
_OTHERS = "(any other)"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
_USES = ("pin", "backup", "denied")


def write(policy: Policy, choices: Choices) -> bytes:
    """Return the table of a policy; nothing that decides about a connection is lost."""
    del choices
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(_COLUMNS)
    rows.writerow([_OTHERS, policy.unlisted_hosts.value, *[""] * 8])
    for entry in policy.hosts:
        for row in _rows(entry, policy):
            rows.writerow([_guarded(cell) for cell in row])
    return stream.getvalue().encode()


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _rows(entry: HostPolicy, policy: Policy) -> Iterator[list[str]]:
    since, expires = entry.report_only_since, entry.expires
    told = [
        entry.mode.value,
        since.isoformat() if since else "",
        expires.isoformat() if expires else "",
        entry.on_expiry.value if expires else "",
    ]
    if entry.pinset is None:
        yield [entry.host, "unpinned", "", "", "", "", "", "", "", entry.unpinned or ""]
        return
    note = entry.note or ""
    for use, pins in zip(_USES, entry.pinset.groups, strict=True):
        for pin in pins:
            name = entry.names.get(pin, "")
            role = policy.keys[name].role.value if name in policy.keys else ""
            yield [entry.host, use, str(pin), name, role, *told, note]
            note = ""


@dataclass(slots=True)
class _Entry:
    """The lines of one host."""

    line: int
    told: tuple[str, ...]
    note: str
    unpinned: bool = False
    pins: dict[str, list[Pin]] = field(default_factory=lambda: {use: [] for use in _USES})
    names: dict[Pin, str] = field(default_factory=dict)


def read(content: bytes, choices: Choices) -> Reading:
    """Return the policy of a table."""
    reader = _Reader(_NAME, choices)
    lines_of(content, reader)
    rows = csv.reader(io.StringIO(text_of(content, reader)), strict=True)
    try:
        numbered = [(rows.line_num, row) for row in rows if row]
    except csv.Error as error:
        raise reader.refuse(f"it is no table: {error}", line=rows.line_num) from None
    if not numbered or tuple(numbered[0][1]) != _COLUMNS:
        raise reader.refuse(f"the first line names the columns: {','.join(_COLUMNS)}")
    for number, row in numbered[1:]:
        reader.row(number, [cell.removeprefix("'") for cell in row])
    return reader.policy()


class _Reader(Reader):
    """Collects the lines by host."""

    def __init__(self, format_name: str, choices: Choices) -> None:
        super().__init__(format_name, choices)
        self._others: UnlistedHosts | None = None
        self._entries: dict[str, _Entry] = {}
        self._keys: dict[str, Key] = {}

    def row(self, number: int, row: list[str]) -> None:
        if len(row) != len(_COLUMNS):
            raise self.refuse(f"{len(_COLUMNS)} cells, found {len(row)}", line=number)
        host, use, pin, key, role, *told, note = row
        if host == _OTHERS:
            if self._others is not None or use not in ("allow", "deny"):
                raise self.refuse(f"one line says 'allow' or 'deny' for {_OTHERS}, found {use[:40]!a}", line=number)
            self._others = UnlistedHosts(use)
            return
        entry = self._entries.setdefault(host, _Entry(number, tuple(told), note))
        if entry.told != tuple(told) and any(told):
            raise self.refuse(f"{host[:80]!a}: two lines say different things of one host", line=number)
        if use == "unpinned" and entry.line == number:
            entry.unpinned = True
        elif use in _USES and not entry.unpinned:
            self._pin(entry, use, pin, key, role, number)
        else:
            raise self.refuse(f"a use is pin, backup, denied or unpinned (alone), found {use[:40]!a}", line=number)

    def _pin(self, entry: _Entry, use: str, text: str, name: str, role: str, number: int) -> None:
        try:
            pin = Pin.parse(text)
            if name:
                key = Key(name, pin, role=self._role(role, number))
                if self._keys.setdefault(name, key) != key:
                    raise self.refuse(f"the key {name!a} stands for two pins or roles", line=number)
                entry.names[pin] = name
        except (InvalidPinError, InvalidPolicyError) as error:
            raise self.refuse(str(error), line=number) from None
        entry.pins[use].append(pin)

    def _role(self, text: str, number: int) -> Role:
        try:
            return Role(text or "any")
        except ValueError:
            raise self.refuse(f"a role is leaf, intermediate, root or any, found {text[:40]!a}", line=number) from None

    def policy(self) -> Reading:
        entries = [self._host_policy(host, entry) for host, entry in self._entries.items()]
        if len({entry.pattern for entry in entries}) != len(entries):
            raise self.refuse("two spellings of one host stand in it")
        if not any(entry.pinset for entry in entries):
            raise self.refuse("it pins no host")
        others = UnlistedHosts.DENY if self._others is None else self._others
        for entry in entries:
            if entry.mode is Mode.REPORT_ONLY:
                self.weakening("report-only", entry.host)
            if entry.pinset is None:
                self.weakening("exception", entry.host)
        try:
            policy = Policy(entries, name=self.choices.policy_name, unlisted_hosts=others, keys=self._keys.values())
        except InvalidPolicyError as error:
            raise self.refuse(str(error)) from None
        return Reading(policy, tuple(self.weakenings))

    def _host_policy(self, host: str, entry: _Entry) -> HostPolicy:
        try:
            pattern = HostPattern.parse(host)
            if entry.unpinned:
                return HostPolicy(pattern, unpinned=entry.note)
            mode, since, expires, on_expiry = entry.told
            return HostPolicy(
                pattern,
                PinSet(entry.pins["pin"], backup_pins=entry.pins["backup"], denied_keys=entry.pins["denied"]),
                mode=Mode(mode or "enforce"),
                report_only_since=date.fromisoformat(since) if since else None,
                expires=datetime.fromisoformat(expires) if expires else None,
                on_expiry=OnExpiry(on_expiry or "keep-enforcing"),
                note=entry.note or None,
                names=entry.names,
            )
        except ValueError as error:
            raise self.refuse(f"{host[:80]!a}: {error}", line=entry.line) from None


FORMAT = Format(name=_NAME, title="Comma-separated values", file_name="pins.csv", read=read, write=write)
