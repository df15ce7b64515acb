"""Alerts at work: what happened is written down, made into messages, and carried, a turn every second."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy import func, select

from pinscher.monitor.alerts import tables
from pinscher.monitor.alerts.courier import Courier
from pinscher.monitor.alerts.notices import Scribe
from pinscher.monitor.alerts.outbox import Outbox, is_due
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.tables import settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from prometheus_client.metrics_core import Metric
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.alerts.plan import Plan
    from pinscher.monitor.database import Database

PAUSE = timedelta(seconds=1)
_TIDIED = timedelta(hours=1)
_TURN = "alerts"
"""The row that whoever writes about alerts holds, so that several processes on one database take turns."""
_log = logging.getLogger("pinscher.monitor")


class Alerts:
    """Tells people what a database holds, by a plan."""

    def __init__(
        self, database: Database, plan: Plan, *, now: Callable[[], datetime] = lambda: datetime.now(UTC),
        courier: Courier | None = None, outbox: Outbox | None = None,
    ) -> None:  # fmt: skip
        self._database = database
        self._now = now
        self._plan = plan
        self._scribe = Scribe(database, plan)
        self._outbox = outbox or Outbox(database, plan)
        self._courier = courier or Courier(allow_private=plan.allow_private)
        self._tidied: datetime | None = None

    async def begin(self) -> None:
        """Raise :class:`~pinscher.monitor.alerts.plan.InvalidAlertsError` where an address cannot be used."""
        await self._courier.check(self._plan)

    async def beside(self, work: Awaitable[object]) -> None:
        """Take turns for ever beside other work; when either ends, both do."""

        async def other() -> None:
            """Do the other work, and end with it."""
            await work

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(other())
            tasks.create_task(self.work())

    async def work(self) -> NoReturn:
        """Take turns, for ever."""
        while True:
            try:
                await self.turn()
            except MonitorError as error:
                _log.warning("alerts are put off: %s", error)
            await asyncio.sleep(PAUSE.total_seconds())

    async def turn(self) -> int:
        """Write down, make and carry what can be now, and return how many messages were taken."""
        at = self._now()
        if await self._is_something_new(at):
            await self._write(at)
        if self._tidied is None or not timedelta(0) <= at - self._tidied < _TIDIED:
            async with self._database.writing() as connection:
                await self._take_turn(connection)
                await self._scribe.tidy(connection, at)
            self._tidied = at
        return await self._deliver(at)

    async def _is_something_new(self, at: datetime) -> bool:
        """Look without writing: a disk is not asked to sync once a second."""
        async with self._database.reading() as connection:
            is_idle = await self._scribe.is_idle(connection) and not await self._scribe.are_reminders_due(
                connection, at
            )
            return not is_idle or bool(await self._outbox.ready(connection, at))

    async def _write(self, at: datetime) -> None:
        async with self._database.writing() as connection:
            await self._take_turn(connection)
            await self._scribe.take(connection, at)
            await self._scribe.remind(connection, at)
            for route in await self._outbox.ready(connection, at):
                await self._outbox.make(connection, route, at)

    async def _take_turn(self, connection: AsyncConnection) -> None:
        await connection.execute(self._database.insert_new(settings), [{"name": _TURN, "value": ""}])
        await connection.execute(select(settings).where(settings.c.name == _TURN).with_for_update())

    async def _deliver(self, at: datetime) -> int:
        async with self._database.reading() as connection:
            due = select(tables.messages.c.id).where(is_due(at)).limit(1)
            if (await connection.execute(due)).first() is None:
                return 0
        taken = 0

        async def told(number: int, why: str | None) -> None:
            nonlocal taken
            taken += await self._outbox.settle(number, why, self._now())

        parcels = await self._outbox.lease(at)
        if parcels:
            await self._courier.carry(parcels, told)
        return taken


async def figures(connection: AsyncConnection) -> Sequence[Metric]:
    """Return how many alerts wait and were given up, for Prometheus; all are zero where there are none."""
    waiting = (await connection.execute(select(func.count()).select_from(tables.messages))).scalar_one()
    notices = (await connection.execute(select(func.count()).select_from(tables.notices))).scalar_one()
    lost = (await connection.execute(select(func.sum(tables.routes.c.lost)))).scalar() or 0
    return (
        GaugeMetricFamily("pinscher_alerts_waiting", "Alerts that no service took yet.", value=waiting),
        GaugeMetricFamily("pinscher_alerts_grouping", "Notices that wait to become an alert.", value=notices),
        CounterMetricFamily("pinscher_alerts_lost", "Alerts that were given up.", value=lost),
    )
