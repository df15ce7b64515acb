"""Every log followed, turn by turn, and what they say brought into the book of findings."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from pinscher.monitor.findings.issued import ISSUED_RULES, issued_findings
from pinscher.monitor.findings.logs import LOG_RULES, log_findings, subject_of
from pinscher.monitor.ledger import Ledger
from pinscher.monitor.transparency.fetching import SECONDS, LogSite
from pinscher.monitor.transparency.follower import advance
from pinscher.monitor.transparency.memory import Memory
from pinscher.monitor.transparency.names import Interests
from pinscher.monitor.transparency.tables import ct_logs
from pinscher.monitor.transparency.views import view_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from datetime import datetime

    from pinscher.monitor.database import Database
    from pinscher.monitor.transparency.follower import Place, Progress
    from pinscher.monitor.transparency.logs import CtLog
    from pinscher.monitor.transparency.memory import Known
    from pinscher.policy import Policy

TRANSPARENCY_RULES = (*ISSUED_RULES, *LOG_RULES)
"""The rules of findings that are about certificates and logs, and about no endpoint."""
_MOST_AT_ONCE = 8
"""Logs that are asked at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Which logs to follow, and how."""

    logs: tuple[CtLog, ...] = field(default=())
    allow_private: bool = False
    from_start: bool = False
    seconds: float = SECONDS
    context: ssl.SSLContext | None = None


class Transparency:
    """Follows logs for the names of a policy."""

    def __init__(self, database: Database, settings: LogSettings, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._settings = settings
        self._now = now
        self._ledger = Ledger(database)
        self.memory = Memory(database)

    async def turn(self, policy: Policy) -> None:
        """Go on in every log, write what was found, and settle the findings."""
        interests = Interests(policy)
        known = await self.memory.logs()
        gate = asyncio.Semaphore(_MOST_AT_ONCE)
        turns = [self._follow(log, known.get(log.id.hex()), interests, gate) for log in self._settings.logs]
        await asyncio.gather(*turns)
        await self.settle(policy)

    async def _follow(self, log: CtLog, known: Known | None, interests: Interests, gate: asyncio.Semaphore) -> None:
        async with gate:
            place = None if known is None else known.place
            progress = await asyncio.to_thread(self._advance, log, place, interests)
            await self.memory.record(log, known, progress, at=self._now())

    def _advance(self, log: CtLog, place: Place | None, interests: Interests) -> Progress:
        settings = self._settings
        site = LogSite(
            log.url, allow_private=settings.allow_private, seconds=settings.seconds, context=settings.context
        )
        try:
            return advance(view_of(log, site), place, interests, from_start=settings.from_start)
        finally:
            site.close()

    async def settle(self, policy: Policy) -> None:
        """Bring the findings about certificates and logs to what holds now."""
        at, known = self._now(), await self.memory.logs()
        names = {log.id.hex(): log.name for log in self._settings.logs}
        logged, issuers = await self.memory.certificates(at), await self.memory.issuers()
        found = issued_findings(logged, policy, issuers, names, at)
        for log in self._settings.logs:
            if log.id.hex() in known:
                found[subject_of(log)] = log_findings(log, known[log.id.hex()], at)
        async with self._database.writing() as connection:
            # Another process that settles the same findings waits here, and finds them settled.
            await connection.execute(select(ct_logs.c.log).order_by(ct_logs.c.log).with_for_update())
            await self._ledger.settle_rules(connection, found, rules=TRANSPARENCY_RULES, at=at)
