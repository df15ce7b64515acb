"""A PostgreSQL server of the monitor that gets into trouble: its disk is full, or it crashes and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from pinscher.lab.authority import Authority
from pinscher.monitor.database import Database
from pinscher.monitor.errors import NotStoredError
from pinscher.monitor.monitor import Monitor
from pinscher.monitor.tables import reports
from pinscher.pin import Pin
from tests.conformance.postgresql import cluster
from tests.unit.monitor.postgresql import address_of, installed
from tests.unit.monitor.scene import AT, HOST, Clock, issue, policy_of, root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.conformance.postgresql import Cluster, Server

pytestmark = pytest.mark.anyio
LARGEST_FILE = 1 << 20
"""Octets of a file on the full disk: one segment of the write-ahead log, which a table outgrows."""
HELD = Authority.root().issue("127.0.0.1")
POLICY = policy_of(Pin.of(issue(root()).der))
SENDERS = 8
ENOUGH, MOST = 100, 20_000


@pytest.fixture
def made() -> Iterator[Cluster]:
    """Return a cluster whose write-ahead log is of small files."""
    with cluster(installed(), "--wal-segsize=1") as one:
        yield one


class World:
    """A monitor whose intake writes, and a client who keeps what was acknowledged."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.acknowledged: set[str] = set()
        self.has_enough = asyncio.Event()

    async def report(self, key: str) -> None:
        """Send a report of much text; it is acknowledged or an error."""
        body = {"id": key, "hostname": HOST, "version": 1, "library": "x" * 128, "diagnosis": key * 40}
        await self.monitor.collector.take_report(json.dumps(body).encode(), application="bank-app", at=AT)
        self.acknowledged.add(key)
        if len(self.acknowledged) == ENOUGH:
            self.has_enough.set()

    async def stored(self) -> set[str]:
        """Return the keys of the reports in the database."""
        async with self.monitor.database.reading() as connection:
            return {row.key for row in await connection.execute(select(reports.c.key))}


@contextlib.asynccontextmanager
async def _monitor_on(server: Server) -> AsyncIterator[World]:
    database = await Database.open(address_of(server))
    monitor = await Monitor.open(database, POLICY, _never, now=Clock())
    writing = asyncio.create_task(monitor.intake.run())
    try:
        yield World(monitor)
    finally:
        writing.cancel()
        await database.close()


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at")


async def test_a_full_disk_acknowledges_nothing(made: Cluster) -> None:
    """When the server takes no more, nobody is told that it did; when it does again, the same report is stored."""
    with made.serving(HELD, largest_file=LARGEST_FILE) as server, server.unread():
        async with _monitor_on(server) as world:
            with pytest.raises(NotStoredError, match="could not extend file"):
                await _send_until_refused(world)
            acknowledged = set(world.acknowledged)
            assert acknowledged
            assert acknowledged == await world.stored()
    with made.serving(HELD) as server, server.unread():
        async with _monitor_on(server) as world:
            await world.report("after")
            assert {"after", *acknowledged} == await world.stored()


async def _send_until_refused(world: World) -> None:
    """Send many at a time, and raise the first error once all of them were answered."""
    for first in range(0, MOST, 200):
        sent = (world.report(f"{number:06}") for number in range(first, first + 200))
        for error in filter(None, await asyncio.gather(*sent, return_exceptions=True)):
            raise error


async def test_a_server_that_crashes_loses_nothing_acknowledged(made: Cluster) -> None:
    """
    Whatever was acknowledged before the crash is there after the recovery.

    What was refused meanwhile is stored by its retry.
    """
    with made.serving(HELD) as server, server.unread():
        async with _monitor_on(server) as world:
            tasks = [asyncio.create_task(_send_until_refused_in_turn(world, sender)) for sender in range(SENDERS)]
            await world.has_enough.wait()
            server.crash()
            refused = await asyncio.gather(*tasks)
            before = set(world.acknowledged)
            with made.serving(HELD, port=server.port) as again, again.unread():
                assert before <= await world.stored()
                for key in refused:
                    await world.report(key)
                assert world.acknowledged <= await world.stored()


async def _send_until_refused_in_turn(world: World, sender: int) -> str:
    """Return the key of the report that was refused."""
    for number in range(MOST):
        key = f"{sender}-{number}"
        try:
            await world.report(key)
        except NotStoredError:
            return key
    raise AssertionError("nothing was refused")
