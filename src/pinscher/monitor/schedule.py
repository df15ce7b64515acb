"""
When to look at which endpoint next.

Rules of this file:

1. Each vantage point has a schedule of its own. An endpoint is leased by moving its ``due`` on, in one statement: no
   two workers get it, and one that is lost with its worker is due again when the lease is over.
2. Only the holder of a lease ends it; one that comes too late changes nothing.
3. The next look is an interval later, give or take a tenth, so that endpoints spread over time.
4. What is due later than any look or lease of now could make it is due at once: the clock was ahead when it was
   written, and was put right, or the interval was longer. Nobody would look until it is as late as the clock once was.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, literal, select, true, update

from pinscher.monitor.clocks import SKEW
from pinscher.monitor.database import insert_all
from pinscher.monitor.tables import endpoints, looks, millis, moment
from pinscher.monitor.vantage import DEFAULT_VANTAGE
from pinscher.probe import Endpoint, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database

Names = tuple[str, int, str, str]
"""Host, port, protocol and address of an endpoint, as they are stored."""

MOST_LEASED = 500
"""Endpoints that are leased in one statement."""
LEASE = timedelta(minutes=2)
"""How long a look may take before somebody else looks, unless the schedule says another time."""
_JITTER = 0.1
_log = logging.getLogger("pinscher.monitor")


@dataclass(frozen=True, slots=True)
class Leased:
    """An endpoint to look at now, and the lease that says so."""

    id: int
    named: Names
    lease: int
    until: int = 0
    """When the lease is over, as it is stored."""

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint, made when it is looked at and not for hundreds at once."""
        host, port, protocol, address = self.named
        return Endpoint(host, port, protocol=Protocol(protocol), connect_to=address or None)


class Schedule:
    """The endpoints of a database, and when each is due at one vantage point."""

    def __init__(
        self, database: Database, *, interval: timedelta, vantage: str = DEFAULT_VANTAGE, lease_time: timedelta = LEASE
    ) -> None:
        self.vantage = vantage
        self.lease_time = lease_time
        self._database = database
        self._interval = interval
        self._latest = max((1 + _JITTER) * interval, lease_time) + SKEW
        """How far ahead of now anything may be due (rule 4)."""

    async def watch(self, wanted: Iterable[Endpoint], *, at: datetime, is_anew: bool) -> None:
        """Watch exactly these endpoints: new ones are due now, and with *is_anew* every one is, wherever it is seen."""
        named = {names_of(endpoint): endpoint for endpoint in wanted}
        async with self._database.writing() as connection:
            known = (await connection.execute(select(endpoints))).all()
            gone = [row.id for row in known if (row.host, row.port, row.protocol, row.address) not in named]
            for start in range(0, len(gone), MOST_LEASED):
                chunk = gone[start : start + MOST_LEASED]
                await connection.execute(delete(endpoints).where(endpoints.c.id.in_(chunk)))
            rows = [
                {"host": host, "port": port, "protocol": protocol, "address": address}
                for host, port, protocol, address in named
            ]
            await insert_all(connection, self._database.insert_new(endpoints), rows)
            every = select(endpoints.c.id, literal(self.vantage), literal(millis(at))).where(true())
            fresh = self._database.insert_new(looks).from_select(["endpoint", "vantage", "due"], every)
            await connection.execute(fresh)
            if is_anew:
                await connection.execute(update(looks).values(due=millis(at)))

    async def lease(self, at: datetime, *, most: int = MOST_LEASED) -> list[Leased]:
        """Lease the endpoints that are due, the longest overdue first (rule 1), then what is due too late (rule 4)."""
        until = millis(at + self.lease_time)
        async with self._database.writing() as connection:
            leases = await self._take(connection, looks.c.due <= millis(at), until, most)
            if len(leases) < most and await self._is_ahead(connection, at):
                is_late = looks.c.due > millis(at + self._latest)
                late = await self._take(connection, is_late, until, most - len(leases))
                if late:
                    _log.warning("%d endpoints were due later than clock and interval allow: looked at now", len(late))
                leases |= late
            rows = (await connection.execute(_NAMES.where(endpoints.c.id.in_(leases)))).all() if leases else []
        return [Leased(number, (*names,), leases[number], until) for number, *names in rows]

    async def _is_ahead(self, connection: AsyncConnection, at: datetime) -> bool:
        """Tell whether anything is due too late; the last row of the index says it, however many there are."""
        last = select(func.max(looks.c.due)).where(looks.c.vantage == self.vantage)
        found = (await connection.execute(last)).scalar()
        return found is not None and found > millis(at + self._latest)

    async def _take(
        self, connection: AsyncConnection, is_due: ColumnElement[bool], until: int, most: int
    ) -> dict[int, int]:
        """Lease endpoints within a transaction, and return the number of each one's lease."""
        due = (
            select(looks.c.endpoint)
            .where(looks.c.vantage == self.vantage, is_due)
            .order_by(looks.c.due)
            .limit(most)
            .with_for_update(skip_locked=True)
            # As a part of the condition PostgreSQL may ask it anew for each row, and lease more than was asked for.
            .cte("due")
        )
        statement = (
            update(looks)
            .where(looks.c.vantage == self.vantage, looks.c.endpoint.in_(select(due.c.endpoint)))
            .values(due=until, lease=looks.c.lease + 1)
            .returning(looks.c.endpoint, looks.c.lease)
        )
        return {row.endpoint: row.lease for row in (await connection.execute(statement)).all()}

    async def finish(self, connection: AsyncConnection, leased: Leased, outcome: str, *, at: datetime) -> bool:
        """End a lease within a transaction, and tell whether it was still held (rules 2 and 3)."""
        spread = 1 + random.uniform(-_JITTER, _JITTER)  # noqa: S311  (spreads load, and guards nothing)
        looked = {"looked": millis(at), "outcome": outcome}
        statement = (
            update(looks)
            .where(looks.c.endpoint == leased.id, looks.c.vantage == self.vantage, looks.c.lease == leased.lease)
            .values(due=millis(at + self._interval * spread), **looked)
        )
        if (await connection.execute(statement)).rowcount != 1:
            return False
        await connection.execute(update(endpoints).where(endpoints.c.id == leased.id).values(looked))
        return True

    async def next_due(self) -> datetime | None:
        """Return when the next endpoint is due, or None where nothing is watched."""
        first = select(func.min(looks.c.due)).where(looks.c.vantage == self.vantage)
        async with self._database.reading() as connection:
            found = (await connection.execute(first)).scalar()
        return None if found is None else moment(found)


_NAMES = select(endpoints.c.id, endpoints.c.host, endpoints.c.port, endpoints.c.protocol, endpoints.c.address)


def names_of(endpoint: Endpoint) -> Names:
    """Return an endpoint as it is stored."""
    return endpoint.host, endpoint.port, endpoint.protocol.value, endpoint.connect_to or ""


def endpoint_of(row: Row[Any]) -> Endpoint:
    """Return the endpoint of a row."""
    return Endpoint(row.host, row.port, protocol=Protocol(row.protocol), connect_to=row.address or None)
