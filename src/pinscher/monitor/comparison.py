"""What others say of the certificates that endpoints show: logs that promised them, and TLSA records."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pinscher.monitor.certificates import fetched
from pinscher.monitor.columns import fitting
from pinscher.monitor.findings.others import OTHERS_RULES, FollowedLog, ct_missing, tlsa_disagrees
from pinscher.monitor.ledger import Ledger
from pinscher.monitor.schedule import endpoint_of
from pinscher.monitor.tables import endpoints, millis, moment, policies, sightings
from pinscher.monitor.transparency.memory import Memory
from pinscher.probe.tlsa import TlsaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pinscher.monitor.database import Database
    from pinscher.monitor.findings.finding import Finding
    from pinscher.monitor.findings.told import Told
    from pinscher.monitor.transparency.logs import CtLog
    from pinscher.probe import Endpoint
    from pinscher.probe.tlsa import TlsaAnswer

    LookUp = Callable[[Endpoint], Awaitable[TlsaAnswer]]
    """Asks a resolver about an endpoint, and raises ``TlsaError`` for no answer."""

MOST_COMPARED = 10_000
"""Endpoints that are compared in one turn."""
_WINDOW = timedelta(days=1)
_AT_ONCE = 16


class Comparison:
    """Compares what endpoints showed last with what others say of it."""

    def __init__(
        self, database: Database, logs: tuple[CtLog, ...], look_up: LookUp | None, *, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._logs = logs
        self._look_up = look_up
        self._now = now
        self._ledger = Ledger(database)
        self._memory = Memory(database)

    async def turn(self) -> None:
        """Compare once, and bring the findings to what holds now."""
        if not self._logs and self._look_up is None:
            return
        at = self._now()
        shown = await self._shown(at)
        found = await self._promised(shown, at) | await self._announced(shown)
        async with self._database.writing() as connection:
            await self._ledger.settle_rules(connection, found, rules=OTHERS_RULES, at=at)

    async def _shown(self, at: datetime) -> list[tuple[Endpoint, tuple[bytes, ...]]]:
        """Return what each endpoint showed last within a day, the path that was validated or else what it sent."""
        # A look without an answer shows nothing, and takes back nothing of what was shown before it.
        is_shown = (sightings.c.last > millis(at - _WINDOW)) & (sightings.c.presented != "")
        newest = select(func.max(sightings.c.id)).where(is_shown)
        newest = newest.group_by(sightings.c.endpoint).order_by(sightings.c.endpoint).limit(MOST_COMPARED)
        asked = select(sightings.c.presented, sightings.c.validated, endpoints)
        asked = asked.join_from(sightings, endpoints, sightings.c.endpoint == endpoints.c.id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked.where(sightings.c.id.in_(newest)))).all()
            ders = await fetched(connection, {one for row in rows for one in (row.validated or row.presented).split()})
        chains = [(endpoint_of(row), (row.validated or row.presented).split()) for row in rows]
        return [(endpoint, tuple(ders[digest] for digest in chain)) for endpoint, chain in chains if chain]

    async def _promised(
        self, shown: list[tuple[Endpoint, tuple[bytes, ...]]], at: datetime
    ) -> dict[str, list[Finding]]:
        known = await self._memory.logs()
        logs = {log.id: FollowedLog(log, known[log.id.hex()]) for log in self._logs if log.id.hex() in known}
        logged = await self._memory.certificates(at)
        async with self._database.reading() as connection:
            seen = (await connection.execute(select(func.max(policies.c.seen)))).scalar()
        since = datetime.max.replace(tzinfo=UTC) if seen is None else moment(seen)
        told = await self._ledger.told("ct-missing")
        found: dict[str, list[Finding]] = {}
        for endpoint, chain in shown:
            subject = f"{endpoint}, its certificate in logs"
            finding = ct_missing(chain[0], logs, logged, since=since, told=_said(told, subject))
            if finding is not None:
                found[subject] = [finding]
        return found

    async def _announced(self, shown: list[tuple[Endpoint, tuple[bytes, ...]]]) -> dict[str, list[Finding]]:
        if self._look_up is None:
            return {}
        gate = asyncio.Semaphore(_AT_ONCE)
        told = await self._ledger.told("tlsa-disagrees")
        asked = [self._asked(self._look_up, endpoint, chain, gate, told) for endpoint, chain in shown]
        return dict(await asyncio.gather(*asked))

    async def _asked(
        self, look_up: LookUp, endpoint: Endpoint, chain: tuple[bytes, ...], gate: asyncio.Semaphore,
        told: Mapping[str, Told],
    ) -> tuple[str, list[Finding]]:  # fmt: skip
        subject = f"{endpoint}, its TLSA records"
        async with gate:
            try:
                finding = tlsa_disagrees(await look_up(endpoint), chain)
            except TlsaError:
                # A resolver that does not answer takes back nothing that was told, be it before a new start.
                finding = _said(told, subject)
        return subject, [] if finding is None else [finding]


def _said(told: Mapping[str, Told], subject: str) -> Finding | None:
    """Return what is told of a subject already."""
    one = told.get(fitting(subject))
    return None if one is None else one.finding
