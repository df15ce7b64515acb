"""
The book of findings: they open, change, are acknowledged or silenced with a reason, and close by themselves.

Rules of this file:

1. A finding is one row from its opening to its close; what comes back after its close is a new one.
2. What a person said of a finding holds while it stays as grave; once it becomes graver, it is open again.
3. A silence has a reason and an end; then the finding is open again.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from pinscher.errors import escaped
from pinscher.monitor.errors import MonitorError, UnknownRecordError
from pinscher.monitor.tables import events, findings, millis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database
    from pinscher.monitor.findings.finding import Finding


class State(enum.Enum):
    """What became of a finding."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    CLOSED = "closed"


LONGEST_REASON = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An open row of the book, as far as a decision about it needs it."""

    id: int
    severity: int
    said: str
    advice: str
    cause: str
    state: State
    until: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one row; ``id`` is None for a new one, and ``finding`` for one that closes."""

    id: int | None
    finding: Finding | None
    state: State
    what: str


def decide(known: Mapping[str, Entry], found: Iterable[Finding], at: datetime) -> list[Change]:
    """Return what changes in the open rows of one subject, by rule, when exactly *found* holds now."""
    now = {finding.rule: finding for finding in found}
    changes = [Change(entry.id, None, State.CLOSED, "closed") for rule, entry in known.items() if rule not in now]
    for rule, finding in now.items():
        entry = known.get(rule)
        change = Change(None, finding, State.OPEN, "opened") if entry is None else _changed(entry, finding, at)
        if change is not None:
            changes.append(change)
    return changes


def _changed(entry: Entry, finding: Finding, at: datetime) -> Change | None:
    if finding.severity > entry.severity:
        return Change(entry.id, finding, State.OPEN, "graver")
    if entry.state is State.SILENCED and entry.until is not None and entry.until <= millis(at):
        return Change(entry.id, finding, State.OPEN, "heard again")
    same = (finding.severity, finding.said, finding.advice, finding.cause)
    if same == (entry.severity, entry.said, entry.advice, entry.cause):
        return None
    return Change(entry.id, finding, entry.state, "changed")


class Ledger:
    """The findings of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settle(
        self, connection: AsyncConnection, subject: str, found: Iterable[Finding], *, at: datetime
    ) -> list[Change]:
        """Bring the rows of one subject to what holds now, within a transaction."""
        rows = await connection.execute(
            select(findings).where(findings.c.subject == subject, findings.c.closed.is_(None))
        )
        changes = decide({row.rule: _entry(row) for row in rows}, found, at)
        for change in changes:
            await _write(connection, subject, change, at)
        return changes

    async def settle_all(
        self, connection: AsyncConnection, found: Mapping[str, Finding], *, rule: str, at: datetime
    ) -> None:
        """Bring the rows of one rule to what holds now, over all subjects."""
        rows = await connection.execute(
            select(findings.c.subject).where(findings.c.rule == rule, findings.c.closed.is_(None))
        )
        for subject in {*found, *rows.scalars()}:
            await self.settle(connection, subject, [found[subject]] if subject in found else [], at=at)

    async def settle_rules(
        self, connection: AsyncConnection, found: Mapping[str, Iterable[Finding]], *, rules: Sequence[str], at: datetime
    ) -> None:
        """Bring the rows of some rules, which are the only ones of their subjects, to what holds now."""
        is_ours = findings.c.rule.in_(rules) & findings.c.closed.is_(None)
        rows = await connection.execute(select(findings.c.subject).where(is_ours))
        for subject in sorted({*found, *rows.scalars()}):
            await self.settle(connection, subject, found.get(subject, ()), at=at)

    async def close_gone(self, subjects: Iterable[str], *, at: datetime) -> None:
        """Close what is open about endpoints that are watched no more."""
        async with self._database.writing() as connection:
            for subject in subjects:
                await self.settle(connection, subject, [], at=at)

    async def acknowledge(self, finding: int, *, reason: str, at: datetime) -> None:
        """Note that somebody looks after a finding."""
        await self._say(finding, State.ACKNOWLEDGED, reason, None, at)

    async def silence(self, finding: int, *, reason: str, until: datetime, at: datetime) -> None:
        """Keep a finding quiet until a moment."""
        if until <= at:
            raise MonitorError("a silence ends in the future, found an end that has passed")
        await self._say(finding, State.SILENCED, reason, millis(until), at)

    async def _say(self, finding: int, state: State, reason: str, until: int | None, at: datetime) -> None:
        said = escaped(reason.strip(), limit=LONGEST_REASON)
        if not said:
            raise MonitorError("expected a reason, found none")
        statement = (
            update(findings)
            .where(findings.c.id == finding, findings.c.closed.is_(None))
            .values(state=state.value, reason=said, until=until, changed=millis(at))
        )
        async with self._database.writing() as connection:
            if (await connection.execute(statement)).rowcount != 1:
                raise UnknownRecordError(f"no open finding {finding}")
            await connection.execute(insert(events).values(finding=finding, at=millis(at), what=state.value, said=said))


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.id, row.severity, row.said, row.advice, row.cause, State(row.state), row.until)


async def _write(connection: AsyncConnection, subject: str, change: Change, at: datetime) -> None:
    values: dict[str, Any] = {"state": change.state.value, "changed": millis(at)}
    if change.finding is not None:
        finding = change.finding
        values |= {"severity": int(finding.severity), "said": finding.said, "advice": finding.advice}
        values["cause"] = finding.cause
    if change.state is State.CLOSED:
        values["closed"] = millis(at)
    if change.state is State.OPEN and change.id is not None:
        values |= {"until": None, "reason": ""}
    row = change.id
    if row is None and change.finding is not None:
        fresh = values | {"subject": subject, "rule": change.finding.rule, "opened": millis(at)}
        row = (await connection.execute(insert(findings).values(fresh).returning(findings.c.id))).scalar_one()
    else:
        await connection.execute(update(findings).where(findings.c.id == row).values(values))
    said = "" if change.finding is None else change.finding.said
    told = insert(events).values(finding=row, at=millis(at), what=change.what, said=said)
    await connection.execute(told)
