"""
Moments that have not come: the monitor's clock was ahead when they were written, and was put right.

Rules of this file:

1. What is stamped later than now, by more than clocks differ, is not believed.
2. A heartbeat with such a stamp counts as received when that was first noticed, and so silence is counted from then.
3. No stamp is written anew: it may be the present clock that is wrong, and behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select, update

from pinscher.monitor.tables import heartbeats, millis, moment, settings

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from pinscher.monitor.database import Database

SKEW = timedelta(minutes=5)
"""How far the clocks of two processes may be apart."""
_NOTE = "heartbeats-ahead"


def is_believed(stamp: ColumnElement[Any], at: datetime) -> ColumnElement[bool]:
    """Return the condition that a moment has come (rule 1)."""
    return stamp <= millis(at + SKEW)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When heartbeats were received, as far as that is believed; ``noticed`` is for those of a clock that was ahead."""

    at: datetime
    noticed: datetime

    @property
    def received(self) -> ColumnElement[int]:
        """When each heartbeat was received (rule 2)."""
        stamp = heartbeats.c.received
        return case((is_believed(stamp, self.at), stamp), else_=millis(self.noticed))

    def within(self, window: timedelta) -> ColumnElement[bool]:
        """Return the condition that a heartbeat was received so long ago at most."""
        since = self.at - window
        is_recent = heartbeats.c.received > millis(since)
        return is_recent if self.noticed > since else is_recent & is_believed(heartbeats.c.received, self.at)


async def arrivals(database: Database, at: datetime, *, is_noted: bool = False) -> Arrivals:
    """Return when heartbeats were received; with *is_noted* it is remembered what is noticed now for the first time."""
    newest = select(func.max(heartbeats.c.id)).where(~is_believed(heartbeats.c.received, at))
    noted = select(settings.c.value).where(settings.c.name == _NOTE)
    async with database.reading() as connection:
        last = (await connection.execute(newest)).scalar()
        number, stamp = map(int, ((await connection.execute(noted)).scalar() or "0 0").split())
    if last is None or (last <= number and moment(stamp) <= at + SKEW):
        return Arrivals(at, moment(stamp))
    if is_noted:
        await _note(database, f"{last} {millis(at)}")
    return Arrivals(at, at)


async def _note(database: Database, value: str) -> None:
    async with database.writing() as connection:
        await connection.execute(database.insert_new(settings), [{"name": _NOTE, "value": value}])
        await connection.execute(update(settings).where(settings.c.name == _NOTE).values(value=value))
