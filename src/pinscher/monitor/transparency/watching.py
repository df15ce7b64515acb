"""
Every log followed, turn by turn, and what they say brought into the book of findings.

Rules of this file:

1. No log waits for another: each has a turn of its own, which is recorded when it ends, and is under way once at most.
2. The findings are settled with what is recorded, whoever is still reading.
"""

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
from pinscher.monitor.transparency.turns import TURN_SECONDS, Turn, aside
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
_MOST_AT_ONCE = 16
"""Logs that are read at the same time; the others stand in line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Which logs to follow, and how."""

    logs: tuple[CtLog, ...] = field(default=())
    allow_private: bool = False
    from_start: bool = False
    seconds: float = SECONDS
    turn_seconds: float = TURN_SECONDS
    patience: float = 10.0
    """Seconds after which the findings are settled without the logs that are still being read."""
    context: ssl.SSLContext | None = None


class Transparency:
    """Follows logs for the names of a policy."""

    def __init__(self, database: Database, settings: LogSettings, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._settings = settings
        self._now = now
        self._ledger = Ledger(database)
        self._gate = asyncio.Semaphore(_MOST_AT_ONCE)
        self._going: dict[bytes, asyncio.Task[None]] = {}
        self.memory = Memory(database)

    async def turn(self, policy: Policy) -> None:
        """Go on in every log that is not being read, and settle the findings when all were read, or after a while."""
        interests = Interests(policy)
        known = await self.memory.logs()
        for log in self._settings.logs:
            if log.id not in self._going:
                following = self._follow(log, known.get(log.id.hex()), interests)
                self._going[log.id] = asyncio.create_task(following)
        if self._going:
            await self._pause()
        errors = self._ended()
        await self.settle(policy)
        if errors:
            raise errors[0]

    async def _pause(self) -> None:
        try:
            await asyncio.wait(self._going.values(), timeout=self._settings.patience)
        except asyncio.CancelledError:
            await self.close()
            raise

    def _ended(self) -> list[BaseException]:
        """Let go of the turns that ended, and return what went wrong in them."""
        ended = [log for log, task in self._going.items() if task.done()]
        tasks = [self._going.pop(log) for log in ended]
        return [error for task in tasks if not task.cancelled() and (error := task.exception()) is not None]

    async def close(self) -> None:
        """Wait for no log any more."""
        going, self._going = list(self._going.values()), {}
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)

    async def _follow(self, log: CtLog, known: Known | None, interests: Interests) -> None:
        async with self._gate:
            place = None if known is None else known.place
            turn = Turn(self._settings.turn_seconds)
            try:
                progress = await aside(lambda: self._advance(log, place, interests, turn))
            finally:
                turn.end()
        await self.memory.record(log, known, progress, at=self._now())

    def _advance(self, log: CtLog, place: Place | None, interests: Interests, turn: Turn) -> Progress:
        settings = self._settings
        site = LogSite(
            log.url, allow_private=settings.allow_private, seconds=settings.seconds, context=settings.context,
            is_cut=turn.is_cut,
        )  # fmt: skip
        try:
            view = view_of(log, site)
            return advance(view, place, interests, from_start=settings.from_start, is_over=turn.is_over)
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
