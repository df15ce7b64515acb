"""
The book of findings: they open, change, are acknowledged or silenced with a reason, and close by themselves.

Rules of this file:

1. A finding is one row from its opening to its close; what comes back after its close is a new one.
2. What a person said of a finding holds while it stays as grave; once it becomes graver, it is open again.
3. A silence has a reason and an end; then the finding is open again.
4. What can be settled a part at a time is, the gravest first, so that a report never waits long for its commit.
5. One finding that no database would take as it stands is made to fit, and undoes no other.
6. What is told for a time stays for as long after it was said, whatever holds meanwhile.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from pinscher.errors import escaped
from pinscher.monitor.columns import fitting
from pinscher.monitor.errors import MonitorError, UnknownRecordError
from pinscher.monitor.findings.finding import Finding, Severity
from pinscher.monitor.findings.told import Told
from pinscher.monitor.tables import events, findings, millis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database


class State(enum.Enum):
    """What became of a finding."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    CLOSED = "closed"


LONGEST_REASON = 500
"""Characters of a reason."""
MOST_SETTLED = 100
"""Changes in one transaction, where what is left waits for the next (rule 4)."""
_LONGEST_SAID = 4_000


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
    now = {finding.rule: _storable(finding) for finding in found}
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

    async def told(self, rule: str) -> dict[str, Told]:
        """Return the open findings of a rule, by subject."""
        asked = select(findings).where(findings.c.rule == rule, findings.c.closed.is_(None))
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked)).all()
        return {row.subject: _told(row) for row in rows}

    async def settle(
        self, connection: AsyncConnection, subject: str, found: Iterable[Finding], *, at: datetime,
        lasting: Mapping[str, timedelta] | None = None,
    ) -> list[Change]:  # fmt: skip
        """
        Bring the rows of one subject to what holds now, within a transaction.

        *lasting* says for how long what a rule found is told, whatever holds meanwhile (rule 6).
        """
        subject = fitting(subject)
        asked = select(findings).where(findings.c.subject == subject, findings.c.closed.is_(None))
        rows = (await connection.execute(asked)).all()
        now = {finding.rule: finding for finding in found}
        for row in rows:
            if row.rule not in now and await _lasts(connection, row, (lasting or {}).get(row.rule), at):
                now[row.rule] = _told(row).finding
        changes = decide({row.rule: _entry(row) for row in rows}, now.values(), at)
        for change in changes:
            await _write(connection, subject, change, at)
        return changes

    async def settle_rules(
        self, connection: AsyncConnection, found: Mapping[str, Iterable[Finding]], *, rules: Sequence[str],
        at: datetime, most: int | None = None,
    ) -> int:  # fmt: skip
        """
        Bring the rows of some rules, which are the only ones of their subjects, to what holds now.

        With *most* no more than so many changes are made, the gravest first; returned is how many are left.
        """
        is_ours = findings.c.rule.in_(rules) & findings.c.closed.is_(None)
        known: dict[str, dict[str, Entry]] = {}
        for row in await connection.execute(select(findings).where(is_ours)):
            known.setdefault(row.subject, {})[row.rule] = _entry(row)
        now = {fitting(subject): ours for subject, ours in found.items()}
        changes = [
            (subject, change)
            for subject in sorted({*now, *known})
            for change in decide(known.get(subject, {}), now.get(subject, ()), at)
        ]
        changes.sort(key=lambda pair: 0 if pair[1].finding is None else -pair[1].finding.severity)
        made = changes[:most]
        for subject, change in made:
            await _write(connection, subject, change, at)
        return len(changes) - len(made)

    async def settle_in_parts(
        self, found: Mapping[str, Sequence[Finding]], *, rules: Sequence[str], at: datetime
    ) -> None:
        """Bring the rows of some rules to what holds now, in as many transactions as it takes (rule 4)."""
        left, before = await self._settle_part(found, rules, at), math.inf
        # What another process changes back meanwhile is left to the next turn.
        while 0 < left < before:
            before, left = left, await self._settle_part(found, rules, at)

    async def _settle_part(self, found: Mapping[str, Sequence[Finding]], rules: Sequence[str], at: datetime) -> int:
        async with self._database.writing() as connection:
            return await self.settle_rules(connection, found, rules=rules, at=at, most=MOST_SETTLED)

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


async def _lasts(connection: AsyncConnection, row: Row[Any], time: timedelta | None, at: datetime) -> bool:
    """Tell whether a finding was told so short a while ago that it stays (rule 6)."""
    if time is None:
        return False
    said = events.c.what.in_(_SAID)
    told = select(func.max(events.c.at)).where(events.c.finding == row.id, said)
    last = (await connection.execute(told)).scalar()
    return last is not None and last >= millis(at - time)


_SAID = ("opened", "changed", "graver")
"""What happens to a finding when something else is said of it than before."""


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.id, row.severity, row.said, row.advice, row.cause, State(row.state), row.until)


def _told(row: Row[Any]) -> Told:
    finding = Finding(
        rule=row.rule, severity=Severity(row.severity), said=row.said, advice=row.advice, cause=row.cause
    )  # fmt: skip
    return Told(finding, is_acknowledged=row.state == State.ACKNOWLEDGED.value)


def _storable(finding: Finding) -> Finding:
    """Return a finding in the form that each of them shall have, printable ASCII of one line."""
    return replace(finding, said=_line(finding.said), advice=_line(finding.advice))


def _line(text: str) -> str:
    return text if text.isascii() and text.isprintable() else escaped(text, limit=_LONGEST_SAID)


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
