"""A database of either kind, and how it is closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pinscher.monitor import database as module

if TYPE_CHECKING:
    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio


async def test_what_is_under_way_is_waited_for(database: Database) -> None:
    """A connection that somebody still uses is given back before the database is closed."""
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), []

    async def read() -> None:
        """Hold a connection until it is time."""
        async with database.reading() as connection:
            begun.set()
            await go_on.wait()
            ended.append((await connection.execute(text("SELECT 1"))).scalar())

    reading = asyncio.create_task(read())
    await begun.wait()
    closing = asyncio.create_task(database.close())
    await asyncio.wait([closing], timeout=0.05)
    assert not closing.done()
    go_on.set()
    await closing
    assert [1] == ended
    await reading


async def test_a_use_without_end_does_not_keep_it_open(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end comes while somebody still holds a connection that they never give back."""
    monkeypatch.setattr(module, "_LONGEST_WAIT", 0.01)
    async with database.reading() as connection:
        await database.close()
        await connection.execute(text("SELECT 1"))
        await connection.invalidate()
