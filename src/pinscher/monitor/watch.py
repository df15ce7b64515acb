"""
The watch: endpoints that are due are looked at, and what they show becomes history and findings.

Rules of this file:

1. At most so many looks are under way as there are workers, and only as many endpoints are leased.
2. A look is recorded in one transaction: the history, the findings, and the end of the lease.
3. A look whose lease is over is dropped: somebody else looks.
4. Nothing that a server shows ends the watch.
5. A look that fails at the monitor's own end, whatever the reason, is recorded as one that failed: an endpoint that
   nobody can look at never keeps the verdict that it had.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.monitor.errors import MonitorError
from pinscher.monitor.findings import LASTING, RULES, History, Sighting
from pinscher.monitor.ledger import Ledger
from pinscher.monitor.looking import Looker, place_of, words_of
from pinscher.monitor.schedule import LEASE, Schedule
from pinscher.monitor.sightings import Sightings
from pinscher.monitor.vantage import DEFAULT_VANTAGE, subject_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import NoReturn

    from pinscher.monitor.database import Database
    from pinscher.monitor.looking import Addresses, Look
    from pinscher.monitor.schedule import Leased
    from pinscher.policy import Policy

_log = logging.getLogger("pinscher.monitor")


class Watch:
    """Looks at the endpoints of a database against one policy."""

    def __init__(
        self, database: Database, policy: Policy, look: Look, *, now: Callable[[], datetime],
        interval: timedelta, workers: int = 32, trust_named: bool = False, vantage: str = DEFAULT_VANTAGE,
        lease_time: timedelta = LEASE, addresses: Addresses | None = None,
    ) -> None:  # fmt: skip
        """
        Set a watch up; *trust_named* says that the operator named the trust anchors.

        *addresses* finds those of an endpoint's name, each of which is looked at; without it the look finds one.
        """
        self._database = database
        self.policy = policy
        self.now = now
        self.workers = workers
        self._looker = Looker(
            look=look, now=now, vantage=vantage, time_of_a_look=lease_time / 2, trust_named=trust_named,
            addresses=addresses,
        )  # fmt: skip
        self._ledger = Ledger(database)
        self._sightings = Sightings(database)
        self.schedule = Schedule(database, interval=interval, vantage=vantage, lease_time=lease_time)
        self.looks = 0

    async def run(self) -> NoReturn:
        """Look at what is due, for ever."""
        with concurrent.futures.ThreadPoolExecutor(self.workers, "look") as pool:
            going: set[asyncio.Task[bool]] = set()
            try:
                while True:
                    going |= await self._begin(pool, self.workers - len(going))
                    going = await self._pause(going)
            finally:
                for task in going:
                    task.cancel()

    async def turn(self) -> int:
        """Look at what is due now, wait for the answers, and return how many there were."""
        with concurrent.futures.ThreadPoolExecutor(self.workers, "look") as pool:
            tasks = await self._begin(pool, self.workers)
            await asyncio.gather(*tasks)
        return len(tasks)

    async def _begin(self, pool: concurrent.futures.Executor, most: int) -> set[asyncio.Task[bool]]:
        leased = await self.lease(most) if most else ()
        return {asyncio.create_task(self.visit(pool, one)) for one in leased}

    async def lease(self, most: int) -> Sequence[Leased]:
        """Lease what is due, or nothing where the database does not answer."""
        try:
            return await self.schedule.lease(self.now(), most=most)
        except MonitorError as error:
            # A full disk or a database that restarts: what is due stays due.
            _log.warning("nothing was leased: %s", error)
            return ()

    async def _pause(self, going: set[asyncio.Task[bool]]) -> set[asyncio.Task[bool]]:
        """Wait for an answer, or for the time until something may be due."""
        if not going:
            await asyncio.sleep(_IDLE.total_seconds())
            return going
        _, pending = await asyncio.wait(going, timeout=_IDLE.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        return pending

    async def visit(self, pool: concurrent.futures.Executor, leased: Leased) -> bool:
        """Look at an endpoint and record it, and tell whether there is nothing left to do under this lease."""
        loop = asyncio.get_running_loop()
        seen = await loop.run_in_executor(pool, self._looker.sighting, leased, self.policy)
        try:
            await self._take(leased, seen)
        except MonitorError as error:
            _log.warning("a look at %s was not recorded, and is due again: %s", place_of(leased), error)
            return False
        except Exception as error:  # noqa: BLE001  (the daemon's edge: one endpoint's fault is not the others')
            _log.warning("a look at %s cannot be recorded, and is due again: %s", place_of(leased), words_of(error))
            return False
        return True

    async def _take(self, leased: Leased, seen: Sighting) -> None:
        """Record a look, or that it failed where what it saw cannot be recorded (rule 5)."""
        try:
            await self._record(leased, seen)
        except MonitorError:
            raise
        except Exception as error:  # noqa: BLE001  (the daemon's edge: one endpoint's fault is not the others')
            failed = self._looker.failed(leased, error)
            # Without the history, which may be what cannot be read.
            await self._record(leased, failed, History(leased.endpoint, (failed,)))

    async def _record(self, leased: Leased, seen: Sighting, history: History | None = None) -> None:
        outcome = "no-answer" if seen.outcome is None else seen.outcome.value
        async with self._database.writing() as connection:
            if not await self.schedule.finish(connection, leased, outcome, at=seen.last):
                return
            await self._sightings.add(connection, leased.id, seen)
            if history is None:
                history = await self._sightings.of(connection, leased.id, leased.endpoint, vantage=seen.vantage)
            found = [finding for rule in RULES if (finding := rule(history, self.policy, seen.last)) is not None]
            subject = subject_of(leased.endpoint, seen.vantage)
            await self._ledger.settle(connection, subject, found, at=seen.last, lasting=LASTING)
        self.looks += 1


_IDLE = timedelta(seconds=1)
"""How often it is asked whether something is due."""
