"""
Notices: what happened to findings, and incidents that began, written down for each route that wants them.

Rules of this file:

1. What happened becomes a notice on every route in one transaction with the note that it did: a process that is killed
   loses none and makes none twice.
2. About one finding a route is told so often a day and no oftener, and again so many times while it stays open and
   nobody acknowledged it.
3. What waits is bounded, incidents apart from findings: reports can be forged, and so no number of them keeps out what
   the monitor found itself. Over a bound the least grave makes room, the newest first. It is counted, the next message
   says how many there were, and a finding is told again like every other that stays open.
4. That something closed is told where it was told that it opened, however long ago, and as gravely.
5. What was noted at a time that has not come was noted by a clock that was ahead, and keeps nothing back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, delete, exists, func, insert, or_, select, update

from pinscher.host import LONGEST_HOST
from pinscher.monitor.alerts import tables
from pinscher.monitor.alerts.plan import INCIDENT, MANY
from pinscher.monitor.clocks import SKEW
from pinscher.monitor.columns import fitting
from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.findings.issued import entry_of
from pinscher.monitor.judging import IncidentCause
from pinscher.monitor.ledger import State
from pinscher.monitor.tables import events, findings, incidents, millis, settings
from pinscher.monitor.vantage import watched_of
from pinscher.probe import Endpoint, InvalidEndpointError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Row, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.alerts.plan import Plan, Route
    from pinscher.monitor.database import Database

MOST_TAKEN = 500
"""Events in one transaction."""
MOST_WAITING = 1_000
"""Notices of one route about findings, and as many about incidents."""
DAY = timedelta(days=1)
_SETTLED = timedelta(hours=1)
"""How long a transaction may have been under way whose numbers are lower than those that are seen."""
_TOLD = frozenset({"opened", "graver", "heard again", "closed"})
_CLOSED = "closed"
_ENDED = -1
"""The repeats of what is over: nothing about it is told any more until it begins anew."""

_SEVERITIES = {
    IncidentCause.MISISSUE_OR_ATTACK.value: Severity.CRITICAL,
    IncidentCause.UNANNOUNCED_ROTATION.value: Severity.CRITICAL,
    IncidentCause.WRONG_CLOCK.value: Severity.NOTICE,
}
"""How grave an incident is by its cause; every other cause is a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that happened, as routes choose by it and people read it."""

    at: int
    severity: Severity
    what: str
    rule: str
    subject: str
    host: str
    application: str
    cause: str
    said: str
    advice: str
    path: str

    @property
    def row(self) -> dict[str, Any]:
        """The notice as it is stored; a pattern of hosts may be longer than a host."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return fields | {"severity": int(self.severity), "host": fitting(self.host, LONGEST_HOST)}


def notice_of(finding: Row[Any], *, what: str, at: int) -> Notice:
    """Return what happened to a finding."""
    host, application = _place(finding.subject)
    return Notice(
        at=at, severity=Severity(finding.severity), what=what, rule=finding.rule, subject=finding.subject, host=host,
        application=application, cause=finding.cause, said=finding.said, advice=finding.advice,
        path=f"/findings/{finding.id}",
    )  # fmt: skip


def _place(subject: str) -> tuple[str, str]:
    """Return the host, or pattern of hosts, and the application that a finding is about; empty where it has none."""
    if subject.startswith(_CLIENTS):
        application, _, rest = subject.removeprefix(_CLIENTS).partition(" ")
        host = rest.removeprefix("host ") if rest.startswith("host ") else ""
        return MANY if rest == "many hosts" else host, application
    try:
        return entry_of(subject) or Endpoint.parse(watched_of(subject.partition(", ")[0])).host, ""
    except InvalidEndpointError:
        return "", ""


_CLIENTS = "clients of "


def _incident(row: Row[Any]) -> Notice:
    said = f"{row.said}; {row.reports} reports of {row.application}, issuer {row.issuer or 'unknown'}"
    return Notice(
        at=row.first, severity=_SEVERITIES.get(row.cause, Severity.WARNING), what="began", rule=INCIDENT,
        subject=fitting(f"clients of {row.application} at {row.host}"), host=row.host, application=row.application,
        cause=row.cause, said=said, advice=row.advice, path=f"/incidents/{row.id}",
    )  # fmt: skip


class Scribe:
    """Writes notices down; each method is handed the transaction that it belongs to."""

    def __init__(self, database: Database, plan: Plan) -> None:
        self._database = database
        self._plan = plan

    async def is_idle(self, connection: AsyncConnection) -> bool:
        """Tell whether nothing has happened that is not written down."""
        return not await _fresh(connection, events, 1) and not await _fresh(connection, incidents, 1)

    async def take(self, connection: AsyncConnection, at: datetime) -> int:
        """Write down what happened since the last time, and return how much it was (rule 1)."""
        rows = await _fresh(connection, events, MOST_TAKEN)
        for event in rows:
            if event.what not in _TOLD:
                continue
            finding = (await connection.execute(select(findings).where(findings.c.id == event.finding))).one()
            if finding.closed is None or event.at > millis(at - DAY):
                # At the first start, what closed long ago is no news.
                await self._tell(connection, notice_of(finding, what=event.what, at=event.at), at)
        begun = await _fresh(connection, incidents, MOST_TAKEN)
        for row in begun:
            if row.last > millis(at - DAY):
                await self._tell(connection, _incident(row), at)
        for table, seen in ((events, rows), (incidents, begun)):
            if seen:
                marks = [{"kind": table.name, "number": row.id, "at": millis(at)} for row in seen]
                await connection.execute(insert(tables.taken), marks)
        return len(rows) + len(begun)

    async def remind(self, connection: AsyncConnection, at: datetime) -> None:
        """Write down again what stays open and was told long ago (rule 2)."""
        for route in self._plan.routes:
            for row in await connection.execute(_stale(route, at)):
                await self._note(connection, route, notice_of(row, what="still open", at=millis(at)))
                again = {"repeats": tables.told.c.repeats + 1, "last": millis(at)}
                await connection.execute(update(tables.told).where(_told_at(route, row)).values(again))

    async def are_reminders_due(self, connection: AsyncConnection, at: datetime) -> bool:
        """Tell whether something is to be told again."""
        for route in self._plan.routes:
            if (await connection.execute(_stale(route, at).limit(1))).first() is not None:
                return True
        return False

    async def tidy(self, connection: AsyncConnection, at: datetime) -> None:
        """Forget what is noted about numbers that can come no more, and about days that are over."""
        for table in (events, incidents):
            mark = f"alerts-{table.name}"
            known = and_(tables.taken.c.kind == table.name, tables.taken.c.at <= millis(at - _SETTLED))
            settled = (await connection.execute(select(func.max(tables.taken.c.number)).where(known))).scalar()
            if settled is None or await _fresh(connection, table, 1):
                continue
            await connection.execute(self._database.insert_new(settings), [{"name": mark, "value": "0"}])
            await connection.execute(update(settings).where(settings.c.name == mark).values(value=str(settled)))
            old = and_(tables.taken.c.kind == table.name, tables.taken.c.number <= settled)
            await connection.execute(delete(tables.taken).where(old))
        longest = max(DAY, *(route.repeat * (route.repeats + 1) for route in self._plan.routes))
        await connection.execute(delete(tables.told).where(await _is_over(connection, at, longest)))

    async def _tell(self, connection: AsyncConnection, notice: Notice, at: datetime) -> None:
        for route in self._plan.routes:
            told = await _end_of(connection, route, notice) if notice.what == _CLOSED else notice
            if told is not None and route.wants(told):
                await self._tell_on(connection, route, told, at)

    async def _tell_on(self, connection: AsyncConnection, route: Route, notice: Notice, at: datetime) -> None:
        """Write a notice down on one route, unless it was told often enough (rules 2 to 4)."""
        known = (await connection.execute(select(tables.told).where(_told_at(route, notice)))).first()
        is_today = known is not None and is_within(known.since, at, DAY)
        times = known.times if known is not None and is_today else 0
        if times < route.most_a_day:
            times += await self._note(connection, route, notice)
        else:
            await count(connection, self._database, route.name, held=1)
        key = {"route": route.name, "subject": notice.subject, "rule": notice.rule, "severity": int(notice.severity)}
        day = {"since": known.since if known is not None and is_today else millis(at), "times": times}
        fresh = key | day | {"repeats": 0, "last": millis(at)}
        await connection.execute(delete(tables.told).where(_told_at(route, notice)))
        await connection.execute(insert(tables.told).values(fresh))
        if notice.what == _CLOSED:
            await connection.execute(update(tables.told).where(_told_of(route, notice)).values(repeats=_ENDED))

    async def _note(self, connection: AsyncConnection, route: Route, notice: Notice) -> bool:
        """Write a notice down if there is room for it, or a lesser one makes room; tell whether it was (rule 3)."""
        columns = tables.notices.c
        is_kind = columns.rule == INCIDENT if notice.rule == INCIDENT else columns.rule != INCIDENT
        is_ours = and_(columns.route == route.name, is_kind)
        weight = case((columns.what == _CLOSED, 0), else_=columns.severity)
        is_full = (await connection.execute(select(func.count()).where(is_ours))).scalar_one() >= MOST_WAITING
        if is_full:
            await count(connection, self._database, route.name, held=1)
            lightest = select(columns.id, weight.label("weight")).where(is_ours).order_by(weight, columns.id.desc())
            least = (await connection.execute(lightest.limit(1))).one()
            if least.weight >= (0 if notice.what == _CLOSED else notice.severity):
                return False
            await connection.execute(delete(tables.notices).where(columns.id == least.id))
        await connection.execute(insert(tables.notices).values({"route": route.name} | notice.row))
        return True


async def count(connection: AsyncConnection, database: Database, route: str, *, held: int = 0, lost: int = 0) -> None:
    """Count what was held back on a route, or lost."""
    table = tables.routes
    await connection.execute(database.insert_new(table), [{"route": route}])
    more = {"held": table.c.held + held, "lost": table.c.lost + lost}
    await connection.execute(update(table).where(table.c.route == route).values(more))


def is_within(noted: int, at: datetime, span: timedelta) -> bool:
    """Tell whether a stored moment is in a span that ends now; one that has not come is not (rule 5)."""
    return millis(at - span) < noted <= millis(at + SKEW)


async def _fresh(connection: AsyncConnection, table: Table, most: int) -> Sequence[Row[Any]]:
    """Return what of a table is not noted yet."""
    asked = select(table).where(await _is_fresh(connection, table)).order_by(table.c.id).limit(most)
    return (await connection.execute(asked)).all()


async def _is_fresh(connection: AsyncConnection, table: Table) -> Any:
    """Return the condition that a row is not noted yet; whatever is below the mark is."""
    mark = select(settings.c.value).where(settings.c.name == f"alerts-{table.name}")
    settled = int((await connection.execute(mark)).scalar() or 0)
    noted = select(tables.taken.c.number).where(tables.taken.c.kind == table.name, tables.taken.c.number == table.c.id)
    return and_(table.c.id > settled, ~noted.exists())


async def _is_over(connection: AsyncConnection, at: datetime, longest: timedelta) -> Any:
    """Return the condition that nothing can follow on what was told: it is old, not open, and no event of it waits."""
    told = tables.told.c
    is_open = exists().where(
        findings.c.subject == told.subject, findings.c.rule == told.rule, findings.c.closed.is_(None)
    )
    # All in one statement: what closes meanwhile is open to it, or its event waits.
    waits = exists().where(await _is_fresh(connection, events))
    return and_(or_(told.last < millis(at - longest), told.last > millis(at + SKEW)), ~is_open, ~waits)


async def _end_of(connection: AsyncConnection, route: Route, notice: Notice) -> Notice | None:
    """Return the end of something as gravely as it was told on a route, or None where it was not (rule 4)."""
    is_told = and_(_told_of(route, notice), tables.told.c.repeats > _ENDED)
    gravest = (await connection.execute(select(func.max(tables.told.c.severity)).where(is_told))).scalar()
    return None if gravest is None else replace(notice, severity=Severity(gravest))


def _told_of(route: Route, what: Notice | Row[Any]) -> Any:
    columns = tables.told.c
    return and_(columns.route == route.name, columns.subject == what.subject, columns.rule == what.rule)


def _told_at(route: Route, what: Notice | Row[Any]) -> Any:
    return and_(_told_of(route, what), tables.told.c.severity == int(what.severity))


def _stale(route: Route, at: datetime) -> Any:
    """Return the query for findings that are open, as nobody said otherwise, and were told a while ago."""
    columns = tables.told.c
    same = and_(
        columns.subject == findings.c.subject, columns.rule == findings.c.rule,
        columns.severity == findings.c.severity,
    )  # fmt: skip
    return (
        select(findings)
        .join_from(findings, tables.told, same)
        .where(
            findings.c.closed.is_(None), findings.c.state == State.OPEN.value, columns.route == route.name,
            or_(columns.last <= millis(at - route.repeat), columns.last > millis(at + SKEW)),
            columns.repeats > _ENDED, columns.repeats < route.repeats,
        )
        .order_by(findings.c.id)
        .limit(MOST_TAKEN)
    )  # fmt: skip


def noticed(rows: Sequence[Row[Any]]) -> Iterator[Notice]:
    """Return stored notices as values."""
    for row in rows:
        fields = {name: getattr(row, name) for name in Notice.__slots__}
        yield Notice(**fields | {"severity": Severity(row.severity)})
