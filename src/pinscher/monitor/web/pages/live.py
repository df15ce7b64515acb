"""
News for pages that are open: server-sent events that say *something changed*, and nothing of what.

Rules of this file:

1. One question a second goes to the database, however many pages are open, and none where none is.
2. An event has no content that a page shows: the page asks for itself again, and so sees what its reader may see.
3. A page is told at least once a minute, and only as long as its reader is logged in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import func, select
from starlette.responses import Response, StreamingResponse

from pinscher.monitor.account_tables import audit
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.tables import events, incidents, policies, reports, sightings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pinscher.monitor.database import Database

MOST_OPEN = 64
"""Pages that are told; another one is told to come back."""
PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two questions, and between two events at most."""
_log = logging.getLogger("pinscher.monitor")


class TooManyPagesError(MonitorError):
    """More open pages than are told of news."""

    status: ClassVar[int] = 503


class Live:
    """Tells open pages that something changed."""

    def __init__(self, database: Database, *, pause: float = PAUSE, longest: float = LONGEST_PAUSE) -> None:
        self._database = database
        self._pause = pause
        self._longest = longest
        self._open: set[asyncio.Event] = set()
        self._watching: asyncio.Task[None] | None = None
        self._is_over = False

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._is_over = True
        for news in self._open:
            news.set()

    def response(self, is_welcome: Callable[[], Awaitable[bool]]) -> Response:
        """Return the stream for one page; it ends when *is_welcome* says so (rule 3)."""
        if len(self._open) >= MOST_OPEN:
            raise TooManyPagesError(f"{MOST_OPEN} pages are told of news already: load this one by hand")
        return StreamingResponse(self._stream(is_welcome), media_type="text/event-stream")

    async def _stream(self, is_welcome: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        news = asyncio.Event()
        self._open.add(news)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield b"retry: 3000\n\n"
            while not self._is_over and await is_welcome():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._longest):
                        await news.wait()
                news.clear()
                if not self._is_over:
                    yield b"event: changed\ndata: \n\n"
        finally:
            self._open.discard(news)

    async def _watch(self) -> None:
        """Ask for what is newest as long as anybody listens (rule 1)."""
        known: tuple[int | None, ...] | None = None
        newest: tuple[int | None, ...] | None
        while self._open and not self._is_over:
            try:
                newest = await self._newest()
            except MonitorError as error:
                _log.warning("open pages hear nothing: %s", error)
                newest = known
            if newest != known and known is not None:
                for news in self._open:
                    news.set()
            known = newest
            await asyncio.sleep(self._pause)

    async def _newest(self) -> tuple[int | None, ...]:
        """Return what grows whenever a page changes; each is found at the end of an index."""
        waiting = select(func.count()).select_from(reports).where(reports.c.incident.is_(None))
        newest = (
            func.max(events.c.id), func.max(sightings.c.id), func.max(incidents.c.id), func.max(reports.c.id),
            func.max(audit.c.id), func.max(policies.c.seen),
        )  # fmt: skip
        asked = select(*(select(one).scalar_subquery() for one in newest), waiting.scalar_subquery())
        async with self._database.reading() as connection:
            return tuple((await connection.execute(asked)).one())
