"""
The outbox: messages that are made in one transaction with what they tell, and leave when their service took them.

Rules of this file:

1. A message is delivered at least once: it leaves after its service took it, and is tried again until then.
2. Whoever delivers leases what is due; when that process dies, it is due again.
3. A service that does not answer is asked again after a while that doubles, up to an hour, for three days. While no
   service of a route answers, no more messages are made for it: what happens meanwhile is told in one. What waits for
   one address is bounded; what is over it is counted as lost.
4. Quiet hours, and the pause between two messages of a route, keep notices back; nothing else does. A time that has
   not come, because the clock was ahead when it was written, keeps nothing back.
"""

from __future__ import annotations

import logging
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, func, insert, or_, select, update

from pinscher.monitor.alerts import tables
from pinscher.monitor.alerts.courier import Parcel
from pinscher.monitor.alerts.messages import digest_of, message_of
from pinscher.monitor.alerts.notices import MOST_WAITING, count, is_within, notice_of, noticed
from pinscher.monitor.alerts.plan import INCIDENT
from pinscher.monitor.clocks import SKEW
from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.tables import findings, millis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.alerts.messages import Message
    from pinscher.monitor.alerts.notices import Notice
    from pinscher.monitor.alerts.plan import Plan, Route
    from pinscher.monitor.database import Database

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)
"""Before the second try, and between tries at most."""
KEPT = timedelta(days=3)
"""How long a message is tried."""
MOST_KEPT = 200
"""Messages that wait for one address."""
LEASE = timedelta(minutes=2)
MOST_CARRIED = 8
"""Messages that one process carries."""
_KINDS = {Severity.NOTICE: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
_log = logging.getLogger("pinscher.monitor")


class Outbox:
    """Makes messages of notices, and keeps them until they are taken."""

    def __init__(
        self, database: Database, plan: Plan, *,
        jitter: Callable[[], float] = lambda: random.uniform(0.5, 1.5),  # noqa: S311  (spreads load)
    ) -> None:  # fmt: skip
        self._database = database
        self._plan = plan
        self._jitter = jitter

    async def ready(self, connection: AsyncConnection, at: datetime) -> list[Route]:
        """Return the routes for which a message can be made now."""
        return [route for route in self._plan.routes if await self._is_ready(connection, route, at)]

    async def _is_ready(self, connection: AsyncConnection, route: Route, at: datetime) -> bool:
        columns = tables.notices.c
        asked = select(func.max(columns.severity)).where(columns.route == route.name)
        gravest = (await connection.execute(asked)).scalar()
        state = await _state(connection, route)
        if await _is_full(connection, route):
            return False
        if _is_digest_due(route, state, at):
            return True
        is_early = state is not None and is_within(state.sent, at, route.window)
        return gravest is not None and not is_early and not route.is_quiet(at, Severity(gravest))

    async def make(self, connection: AsyncConnection, route: Route, at: datetime) -> None:
        """Make the message of a route out of everything that may be told now, and its digest when it is time."""
        await connection.execute(self._database.insert_new(tables.routes), [{"route": route.name}])
        state = await _state(connection, route)
        if state is None or await _is_full(connection, route):
            return
        values: dict[str, Any] = {}
        if await self._make_message(connection, route, state.held, at):
            values = {"sent": millis(at), "held": 0}
        if _is_digest_due(route, state, at):
            held = 0 if values else state.held
            digest = digest_of(await _open(connection, route), link=self._plan.link, held=held, at=route.local(at))
            await self._put(connection, route, digest, at)
            values |= {"digested": f"{route.local(at):%Y-%m-%d}", "held": 0}
        if values:
            await connection.execute(update(tables.routes).where(tables.routes.c.route == route.name).values(values))

    async def _make_message(self, connection: AsyncConnection, route: Route, held: int, at: datetime) -> bool:
        columns = tables.notices.c
        asked = select(tables.notices).where(columns.route == route.name).order_by(columns.severity.desc(), columns.id)
        rows = (await connection.execute(asked.limit(2 * MOST_WAITING))).all()
        audible = [row for row in rows if not route.is_quiet(at, Severity(row.severity))]
        if not audible:
            return False
        await self._put(connection, route, message_of([*noticed(audible)], link=self._plan.link, held=held), at)
        numbers = [row.id for row in audible]
        await connection.execute(delete(tables.notices).where(tables.notices.c.id.in_(numbers)))
        return True

    async def _put(self, connection: AsyncConnection, route: Route, message: Message, at: datetime) -> None:
        common = {
            "route": route.name, "severity": int(message.severity), "title": message.title, "body": message.body,
            "made": millis(at), "due": millis(at),
        }  # fmt: skip
        columns = tables.messages.c
        for target in range(len(route.addresses)):
            waiting = select(func.count()).where(columns.route == route.name, columns.target == target)
            if (await connection.execute(waiting)).scalar_one() >= MOST_KEPT:
                await count(connection, self._database, route.name, lost=1)
                continue
            await connection.execute(insert(tables.messages).values(common | {"target": target}))

    async def lease(self, at: datetime) -> list[Parcel]:
        """Return what is due, and put its next time off (rule 2); what no address is left for is dropped."""
        columns = tables.messages.c
        due = select(tables.messages).where(is_due(at)).order_by(columns.tries, columns.id)
        async with self._database.writing() as connection:
            rows = (await connection.execute(due.limit(MOST_CARRIED).with_for_update(skip_locked=True))).all()
            parcels = []
            for row in rows:
                route = self._plan.route(row.route)
                if route is None or row.target >= len(route.addresses):
                    await self._lose(connection, row)
                    continue
                kind = _KINDS[Severity(row.severity)]
                parcels.append(Parcel(row.id, route.addresses[row.target], row.title, row.body, kind))
            leased = columns.id.in_([parcel.id for parcel in parcels])
            made = case((columns.made > millis(at + SKEW), millis(at)), else_=columns.made)
            await connection.execute(update(tables.messages).where(leased).values(due=millis(at + LEASE), made=made))
        return parcels

    async def settle(self, number: int, why: str | None, at: datetime) -> bool:
        """Note what became of a message, *why* telling why it was not taken; return whether it has left."""
        columns = tables.messages.c
        async with self._database.writing() as connection:
            row = (await connection.execute(select(tables.messages).where(columns.id == number))).first()
            if row is None:
                return True
            if why is None:
                await connection.execute(delete(tables.messages).where(columns.id == number))
            elif row.made <= millis(at - KEPT):
                await self._lose(connection, row)
            else:
                pause = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(row.tries, 16)) * self._jitter()
                later = {"tries": row.tries + 1, "due": millis(at + pause)}
                await connection.execute(update(tables.messages).where(columns.id == number).values(later))
        if why is not None and row.tries == 0:
            _log.warning("an alert on route %s, address %d, is tried again: %s", row.route, row.target, why)
        return why is None

    async def _lose(self, connection: AsyncConnection, row: Row[Any]) -> None:
        _log.error("an alert on route %s, address %d, is given up", row.route, row.target)
        await connection.execute(delete(tables.messages).where(tables.messages.c.id == row.id))
        await count(connection, self._database, row.route, lost=1)


def is_due(at: datetime) -> ColumnElement[bool]:
    """Return the condition that a message is carried now; what is due later than any pause of now is (rule 4)."""
    due = tables.messages.c.due
    return or_(due <= millis(at), due > millis(at + 2 * LONGEST_WAIT))


async def _state(connection: AsyncConnection, route: Route) -> Row[Any] | None:
    return (await connection.execute(select(tables.routes).where(tables.routes.c.route == route.name))).first()


async def _is_full(connection: AsyncConnection, route: Route) -> bool:
    """Tell whether every service behind this route has not taken what was made before (rule 3)."""
    columns = tables.messages.c
    failing = select(columns.target).where(columns.route == route.name, columns.tries > 0).distinct()
    return {*range(len(route.addresses))} <= set((await connection.execute(failing)).scalars())


def _is_digest_due(route: Route, state: Row[Any] | None, at: datetime) -> bool:
    if route.digest is None:
        return False
    local = route.local(at)
    return local.time() >= route.digest and (state is None or state.digested != f"{local:%Y-%m-%d}")


async def _open(connection: AsyncConnection, route: Route) -> Sequence[Notice]:
    rows = await connection.execute(select(findings).where(findings.c.closed.is_(None)).order_by(findings.c.id))
    told = (notice_of(row, what=row.state, at=row.opened) for row in rows)
    return [notice for notice in told if route.wants(notice) and notice.rule != INCIDENT]
