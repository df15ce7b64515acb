"""
Accepted reports and heartbeats, from the collector that took them to the one that stores them.

Rules of this file:

1. A collector acknowledges a report when the stream has it in its file; from then on any collector can store it.
2. A message leaves the stream after the commit that holds its rows.
3. A row that is stored already is passed over, by its idempotency key: a message that is given twice is harmless.
4. A body stands for itself alone: the counts of one that is too large for a message go in several, and one that the
   broker does not take all the same is refused as such, and not those that came with it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
from taskiq import Context, TaskiqDepends
from taskiq.exceptions import SendTaskError

from pinscher.monitor.broker.jetstream import JetStream, work_off
from pinscher.monitor.errors import NotStoredError, TooLargeError
from pinscher.monitor.intake import Accepted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from datetime import timedelta

    from taskiq import AsyncBroker

STREAM = "pinscher-reports"
MOST_WAITING = 20_000
"""Messages of reports that wait."""
LARGEST_MESSAGE = 700_000
"""Octets of the rows in one message, unless one report alone has more; a NATS server takes 1 MiB by default."""
_STORING_AT_ONCE = 4
_AGAIN_SECONDS = 0.5
_log = logging.getLogger("pinscher.monitor")


class ReportLine:
    """The line of accepted bodies; *store* commits them and raises :class:`NotStoredError` where it cannot."""

    def __init__(
        self, broker: AsyncBroker, store: Callable[[Sequence[Accepted]], Awaitable[None]], *, patience: timedelta
    ) -> None:
        self._broker = broker
        self._store = store
        self._patience = patience

        async def work(packed: bytes, context: Context = TaskiqDepends()) -> None:  # noqa: B008  (Taskiq's way)
            if await self._is_stored_in_time(_unpacked(packed)) and context.is_ackable:
                await context.ack()

        self._task = broker.register_task(work, task_name="store-reports")

    @classmethod
    def at(
        cls, url: str, store: Callable[[Sequence[Accepted]], Awaitable[None]], *, patience: timedelta
    ) -> tuple[JetStream, ReportLine]:
        """Return the line over a NATS server, and the broker that is to be started."""
        broker = JetStream(url, STREAM, patience=patience, most=MOST_WAITING)
        return broker, cls(broker, store, patience=patience)

    async def hand_in(self, batch: Sequence[Accepted]) -> None:
        """Return when the stream holds the rows (rule 1); raise :class:`TooLargeError` where it never will (rule 4)."""
        try:
            for packed in _packed(batch):
                await self._task.kiq(packed)
        except SendTaskError as error:
            kind = TooLargeError if isinstance(error.__cause__, TooLargeError) else NotStoredError
            raise kind(f"nothing was stored: {error.__cause__}") from None

    async def run(self) -> NoReturn:
        """Store what any collector handed in, for ever."""
        await work_off(self._broker, workers=_STORING_AT_ONCE)

    async def _is_stored_in_time(self, batch: Sequence[Accepted]) -> bool:
        """Store rows, or give them up before the server gives them to somebody else (rule 2)."""
        try:
            async with asyncio.timeout(self._patience.total_seconds() / 2):
                while not await self._is_stored(batch):  # noqa: ASYNC110  (nobody tells when it is back)
                    await asyncio.sleep(_AGAIN_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _is_stored(self, batch: Sequence[Accepted]) -> bool:
        try:
            await self._store(batch)
        except NotStoredError as error:
            _log.warning("accepted reports wait in the broker: %s", error)
            return False
        return True


def _packed(batch: Sequence[Accepted]) -> Iterator[bytes]:
    """Write the rows of a batch, in as many pieces as messages can hold; a certificate stands once in each."""
    certificates = {row["digest"]: row for one in batch for row in one.certificates}
    rows = {
        "reports": [row for one in batch for row in one.reports],
        "heartbeats": [row for one in batch for row in one.heartbeats],
        "certificates": list(certificates.values()),
    }
    packed = msgspec.msgpack.encode(rows)
    halves = () if len(packed) <= LARGEST_MESSAGE else _halves(batch)
    if not halves:
        yield packed
    for half in halves:
        yield from _packed(half)


def _halves(batch: Sequence[Accepted]) -> tuple[Sequence[Accepted], ...]:
    """Cut a batch between its bodies, or one body between its counts (rule 4); return nothing where neither can be."""
    middle = len(batch) // 2
    if middle:
        return batch[:middle], batch[middle:]
    one = batch[0]
    middle = len(one.heartbeats) // 2
    if not middle:
        return ()
    first = Accepted(one.reports, one.heartbeats[:middle], one.certificates)
    return [first], [Accepted(heartbeats=one.heartbeats[middle:])]


def _unpacked(packed: bytes) -> list[Accepted]:
    rows: dict[str, list[dict[str, Any]]] = msgspec.msgpack.decode(packed)
    return [Accepted(**rows)]
