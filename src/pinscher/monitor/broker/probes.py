"""
Endpoints that are due, from whoever leased them to the prober that looks.

Rules of this file:

1. Each vantage point has a stream of its own, which only the probers there empty.
2. Every prober leases for its own vantage point, and only as much as the probers there look at soon: what is in the
   stream has a lease that is still good.
3. A message leaves the stream after the commit of its look. One whose lease is over is dropped, for the endpoint is due
   again; so a look that is lost with its prober, or with the stream, is only late.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from taskiq import Context, TaskiqDepends
from taskiq.exceptions import SendTaskError

from pinscher.monitor.broker.jetstream import JetStream, work_off
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.schedule import Leased
from pinscher.monitor.tables import millis

if TYPE_CHECKING:
    from taskiq import AsyncBroker

    from pinscher.monitor.watch import Watch

LOOKS_AHEAD = 8
"""Looks in a stream for each that one prober has under way."""
MOST_WAITING = 20_000
"""Looks that wait at one vantage point."""
_IDLE_SECONDS = 1.0
_FULL_SECONDS = 0.05
_log = logging.getLogger("pinscher.monitor")


class _Counted(Protocol):
    async def under_way(self) -> int: ...


class ProbeLine:
    """The line of one vantage point's looks."""

    def __init__(self, broker: AsyncBroker, queue: _Counted, watch: Watch) -> None:
        self._broker = broker
        self._queue = queue
        self._watch = watch
        self._pool = concurrent.futures.ThreadPoolExecutor(watch.workers, "look")

        async def work(written: dict[str, Any], context: Context = TaskiqDepends()) -> None:  # noqa: B008
            if await self._is_done(_read(written)) and context.is_ackable:
                await context.ack()

        self._task = broker.register_task(work, task_name="look")

    @classmethod
    def at(cls, url: str, watch: Watch) -> tuple[JetStream, ProbeLine]:
        """Return the line over a NATS server, and the broker that is to be started."""
        schedule = watch.schedule
        name, lease_time = f"pinscher-probes-{schedule.vantage}", schedule.lease_time
        broker = JetStream(url, name, patience=lease_time / 2, most=MOST_WAITING, kept=lease_time)
        return broker, cls(broker, broker, watch)

    async def run(self) -> NoReturn:
        """Lease what is due, and look at what any prober of this vantage point leased, for ever."""
        with self._pool:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._fan_out())
                tasks.create_task(work_off(self._broker, workers=self._watch.workers))
        raise AssertionError("looking does not end")

    async def _fan_out(self) -> NoReturn:
        while True:
            try:
                pause = await self.turn()
            except MonitorError as error:
                _log.warning("nothing was leased, or nobody told: %s", error)
                pause = _IDLE_SECONDS
            await asyncio.sleep(pause)

    async def turn(self) -> float:
        """Lease what is due and hand it in; return the seconds after which there may be more to do."""
        room = self._watch.workers * LOOKS_AHEAD - await self._queue.under_way()
        if room <= 0:
            return _FULL_SECONDS
        leased = await self._watch.lease(room)
        try:
            await asyncio.gather(*(self._task.kiq(_written(one)) for one in leased))
        except SendTaskError as error:
            # What was leased is due again when its lease is over.
            raise MonitorError(str(error.__cause__)) from None
        return _FULL_SECONDS if leased else _IDLE_SECONDS

    async def _is_done(self, leased: Leased) -> bool:
        """Look and record it, unless the lease is over (rule 3)."""
        return leased.until <= millis(self._watch.now()) or await self._watch.visit(self._pool, leased)


def _written(leased: Leased) -> dict[str, Any]:
    host, port, protocol, address = leased.named
    return {
        "id": leased.id,
        "host": host,
        "port": port,
        "protocol": protocol,
        "address": address,
        "lease": leased.lease,
        "until": leased.until,
    }


def _read(written: dict[str, Any]) -> Leased:
    named = written["host"], written["port"], written["protocol"], written["address"]
    return Leased(written["id"], named, written["lease"], written["until"])
