"""
What is heard of applications, their hosts and their policy versions, from the heartbeats that are stored.

Rules of this file:

1. A host is what an entry of a policy lists that the monitor was started with: heartbeats can be forged, and a host
   that nobody pinned has no habit, however often one tells of it.
2. A version that the monitor was never started with is heard of too, after those that it was, and as far as there is
   room: such numbers can be made up.
3. What was received while the clock was ahead is believed as ``clocks`` says, and makes no pause longer.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, literal, select

from pinscher.monitor.clocks import arrivals
from pinscher.monitor.findings.silence import LEAST_HEARTBEATS, LEAST_SILENCE, LEAST_SPAN, Habit, Heard, Scope
from pinscher.monitor.ledger import Ledger
from pinscher.monitor.tables import heartbeats, millis, moment, policies
from pinscher.policy import Policy

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row, Select

    from pinscher.monitor.clocks import Arrivals
    from pinscher.monitor.database import Database

REMEMBERED = timedelta(days=30)
"""How far back a habit is looked for."""
MOST_POLICIES = 50
"""Policies, the newest, whose entries and versions count as known."""
MOST_VERSIONS = 500
"""Silent versions that are looked at."""
_ASKED_AT_ONCE = 10_000
_MILLISECOND = timedelta(milliseconds=1)


class Hearing:
    """Listens to the heartbeats of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ledger = Ledger(database)
        self._listed: dict[str, frozenset[str]] = {}

    async def habits(self, at: datetime) -> Heard:
        """Return how everything used to report, and what is told of it already."""
        versions = await self._read_policies()
        arrived = await arrivals(self._database, at, is_noted=True)
        recent = arrived.within(REMEMBERED)
        found = await self._ask(Scope.APPLICATION, _habits(literal(""), recent, arrived))
        hosts = sorted(frozenset[str]().union(*self._listed.values()))
        for start in range(0, len(hosts), _ASKED_AT_ONCE):
            some = heartbeats.c.host.in_(hosts[start : start + _ASKED_AT_ONCE])
            found += await self._ask(Scope.HOST, _habits(heartbeats.c.host, recent & some, arrived))
        found += await self._ask(Scope.VERSION, _silent_versions(recent, versions, arrived))
        return Heard(found, await self._ledger.told("clients-silent"))

    async def _read_policies(self) -> list[int]:
        """Read the entries of the policies that are known, each policy once, and return their versions."""
        newest = select(policies.c.digest, policies.c.version).order_by(policies.c.seen.desc()).limit(MOST_POLICIES)
        async with self._database.reading() as connection:
            known = (await connection.execute(newest)).all()
            fresh = [row.digest for row in known if row.digest not in self._listed]
            asked = select(policies.c.digest, policies.c.document).where(policies.c.digest.in_(fresh))
            documents = (await connection.execute(asked)).all()
        read = {row.digest: await asyncio.to_thread(_hosts_of, row.document) for row in documents}
        everything = self._listed | read
        self._listed = {row.digest: everything[row.digest] for row in known if row.digest in everything}
        return [row.version for row in known]

    async def _ask(self, scope: Scope, asked: Select[Any]) -> list[Habit]:
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked)).all()
        return [_habit(scope, row) for row in rows]


def _hosts_of(document: str) -> frozenset[str]:
    """Return a policy's entries as heartbeats name them (``pinscher.reports.heartbeat``)."""
    return frozenset(entry.host for entry in Policy.loads(document).hosts)


def _habits(name: ColumnElement[Any], which: ColumnElement[bool], arrived: Arrivals) -> Select[Any]:
    told = select(heartbeats.c.application, name.label("name"), arrived.received.label("received"))
    beats = told.where(which).distinct().subquery()
    place = (beats.c.application, beats.c.name)
    before = func.lag(beats.c.received).over(partition_by=place, order_by=beats.c.received)
    pause = case((beats.c.received != millis(arrived.noticed), beats.c.received - before))
    paused = select(beats, pause.label("pause")).subquery()
    return select(
        paused.c.application,
        paused.c.name,
        func.min(paused.c.received).label("first"),
        func.max(paused.c.received).label("last"),
        func.count().label("times"),
        func.max(paused.c.pause).label("pause"),
    ).group_by(paused.c.application, paused.c.name)


def _silent_versions(recent: ColumnElement[bool], known: list[int], arrived: Arrivals) -> Select[Any]:
    """Ask for those alone that may have fallen silent, the known ones first (rule 2)."""
    habits = _habits(func.coalesce(heartbeats.c.version, 0), recent, arrived).subquery()
    is_habit = (habits.c.times >= LEAST_HEARTBEATS) & (habits.c.last - habits.c.first >= LEAST_SPAN // _MILLISECOND)
    asked = select(habits).where(is_habit & (habits.c.last < millis(arrived.at - LEAST_SILENCE)))
    return asked.order_by(case((habits.c.name.in_(known), 0), else_=1), habits.c.first).limit(MOST_VERSIONS)


def _habit(scope: Scope, row: Row[Any]) -> Habit:
    return Habit(
        scope=scope,
        application=row.application,
        name=str(row.name),
        first=moment(row.first),
        last=moment(row.last),
        times=row.times,
        longest_pause=timedelta(milliseconds=row.pause or 0),
    )
