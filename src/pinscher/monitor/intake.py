"""
Where accepted reports and heartbeats are written: many in one transaction, and answered after it is on the disk.

Rules of this file:

1. :meth:`Intake.store` returns after the commit that holds its rows, or after a broker's word that it has them in a
   file; it raises if there was neither.
2. What waits is bounded; beyond it :class:`NotStoredError` says so at once.
3. Rows that are there already, by application and idempotency key, are passed over: a retry is harmless.
4. A body that is too large for a broker is refused alone; whoever came with it is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pinscher.monitor.database import insert_all
from pinscher.monitor.errors import NotStoredError, TooLargeError
from pinscher.monitor.tables import certificates, heartbeats, reports

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from typing import NoReturn

    from pinscher.monitor.database import Database

MOST_WAITING = 5_000
MOST_WRITTEN = 500
"""Accepted bodies in one transaction."""


@dataclass(slots=True)
class Accepted:
    """The rows of one accepted body."""

    reports: Sequence[dict[str, Any]] = ()
    heartbeats: Sequence[dict[str, Any]] = ()
    certificates: Sequence[dict[str, Any]] = ()
    stored: asyncio.Future[None] = field(init=False)


class Intake:
    """The one writer of what clients send; *keep* is where a batch becomes durable, if that is not the database."""

    def __init__(
        self, database: Database, *, keep: Callable[[Sequence[Accepted]], Awaitable[None]] | None = None
    ) -> None:
        self._database = database
        self._keep = keep or self.commit
        self._waiting: deque[Accepted] = deque()
        self._arrived = asyncio.Event()
        self._certificates = database.insert_new(certificates)
        self._reports = database.insert_new(reports)
        self._heartbeats = database.insert_new(heartbeats)

    async def store(self, accepted: Accepted) -> None:
        """Return once the rows are on the disk (rule 1)."""
        if len(self._waiting) >= MOST_WAITING:
            raise NotStoredError(f"nothing was stored: {MOST_WAITING} wait already")
        accepted.stored = asyncio.get_running_loop().create_future()
        self._waiting.append(accepted)
        self._arrived.set()
        await accepted.stored

    async def run(self) -> NoReturn:
        """Write what arrives, for ever."""
        while True:
            await self._arrived.wait()
            await self.write()

    async def write(self) -> None:
        """Write what waits now, and tell those who wait for it."""
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_WRITTEN))]
        if not self._waiting:
            self._arrived.clear()
        await self._write(batch)

    async def _write(self, batch: Sequence[Accepted]) -> None:
        try:
            await self._keep(batch)
        except TooLargeError as error:
            if len(batch) == 1:
                _refuse(batch, error)
                return
            # What of the batch was kept already is passed over when it comes again (rules 3 and 4).
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])
        except NotStoredError as error:
            _refuse(batch, error)
        else:
            _acknowledge(batch)

    async def commit(self, batch: Sequence[Accepted]) -> None:
        """Write rows in one transaction, those that are there already passed over (rule 3)."""
        async with self._database.writing() as connection:
            for statement, rows in (
                (self._certificates, _ordered((row for one in batch for row in one.certificates), "digest")),
                (self._reports, _ordered((row for one in batch for row in one.reports), "key")),
                (self._heartbeats, _ordered((row for one in batch for row in one.heartbeats), "key")),
            ):
                await insert_all(connection, statement, rows)


def _refuse(batch: Iterable[Accepted], error: NotStoredError | TooLargeError) -> None:
    for one in batch:
        if not one.stored.done():
            one.stored.set_exception(type(error)(str(error)))


def _acknowledge(batch: Iterable[Accepted]) -> None:
    for one in batch:
        # Who left meanwhile does not hear that it is stored, and may send it again (rule 3).
        if not one.stored.done():
            one.stored.set_result(None)


def _ordered(rows: Iterable[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    # Two writers that insert in the same order do not wait for each other in a circle.
    return sorted(rows, key=lambda row: str(row[name]))
