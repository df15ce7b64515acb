"""News for open pages: told when something changed, to those who may hear it, and never for ever."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from pinscher.monitor.audit import Deed
from pinscher.monitor.errors import DatabaseUnusableError
from pinscher.monitor.sessions import IDLE
from pinscher.monitor.web.pages.live import MOST_OPEN, Live, TooManyPagesError
from pinscher.monitor.web.server import listening, serve, server_of
from tests.unit.monitor.dashboard_scene import AT, Browser, Dashboard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio


async def _always() -> bool:
    """Let everybody listen."""
    return True


def _stream(live: Live, is_welcome: Any = _always) -> AsyncIterator[bytes]:
    return live.response(is_welcome).body_iterator  # type: ignore[attr-defined, no-any-return]


async def _next(stream: AsyncIterator[bytes]) -> bytes:
    """Return what a stream says next."""
    async with asyncio.timeout(20):
        return await anext(stream)


def _asked(live: Live, times: int, failing: tuple[int, ...] = ()) -> asyncio.Event:
    """Return what is set once the database was asked so often; the questions of *failing* find nobody."""
    enough, numbers, ask = asyncio.Event(), itertools.count(1), live._newest

    async def asking() -> tuple[int | None, ...]:
        """Count a question."""
        number = next(numbers)
        if number >= times:
            enough.set()
        if number in failing:
            raise DatabaseUnusableError("gone")
        return await ask()

    live._newest = asking  # type: ignore[method-assign]
    return enough


@pytest.fixture
async def dashboard(database: Database) -> Dashboard:
    """Return a dashboard."""
    return await Dashboard.of(database)


async def test_open_pages_are_told_of_a_change(dashboard: Dashboard) -> None:
    """Every page that is open, within a moment, and none of what it was."""
    live = Live(dashboard.monitor.database, pause=0.01, longest=1000)
    streams = [_stream(live), _stream(live)]
    assert [b"retry: 3000\n\n"] * 2 == [await _next(stream) for stream in streams]
    asked = _asked(live, 2)
    waiting = [asyncio.ensure_future(_next(stream)) for stream in streams]
    await asked.wait()
    await dashboard.desk.audit.note(Deed(who="ada", what="said"), at=AT)
    assert [b"event: changed\ndata: \n\n"] * 2 == [await one for one in waiting]
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]


async def test_a_page_is_told_from_time_to_time_whatever_happens(dashboard: Dashboard) -> None:
    """Times that a page shows grow old too."""
    stream = _stream(Live(dashboard.monitor.database, pause=1000, longest=0.01))
    assert [b"retry", b"event", b"event"] == [(await _next(stream))[:5] for _ in range(3)]
    await stream.aclose()  # type: ignore[attr-defined]


async def test_nobody_asks_when_no_page_is_open(dashboard: Dashboard) -> None:
    """The last page that closes ends the questions to the database; the next one begins them again."""
    live = Live(dashboard.monitor.database, pause=0.001, longest=1000)
    for _ in range(2):
        stream = _stream(live)
        await _next(stream)
        watching = live._watching
        assert watching is not None
        await stream.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(20):
            await watching


async def test_a_database_that_does_not_answer_ends_no_stream(dashboard: Dashboard) -> None:
    """What could not be asked is asked again."""
    live = Live(dashboard.monitor.database, pause=0.001, longest=1000)
    asked = _asked(live, 5, failing=(1, 3))
    stream = _stream(live)
    await _next(stream)
    told = asyncio.ensure_future(_next(stream))
    await asked.wait()
    await dashboard.desk.audit.note(Deed(who="ada", what="said"), at=AT)
    assert b"event: changed\ndata: \n\n" == await told
    await stream.aclose()  # type: ignore[attr-defined]


async def test_more_pages_than_are_told_are_refused(dashboard: Dashboard) -> None:
    """They are read all the same, and loaded by hand."""
    live = Live(dashboard.monitor.database, pause=1000, longest=1000)
    streams = [_stream(live) for _ in range(MOST_OPEN)]
    for stream in streams:
        await _next(stream)
    with pytest.raises(TooManyPagesError, match="64 pages"):
        live.response(_always)
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]


async def test_the_end_of_a_session_is_the_end_of_its_news(dashboard: Dashboard) -> None:
    """A page whose reader is logged out hears nothing more, whether it asks again or not."""
    browser = await dashboard.logged_in("ada")
    cookie = browser.client.cookies["pinscher-session"]

    async def is_welcome() -> bool:
        """Look whether the session goes on."""
        return await dashboard.desk.sessions.of(cookie, at=dashboard.clock(), is_used=False) is not None

    stream = _stream(Live(dashboard.monitor.database, pause=1000, longest=0.01), is_welcome)
    assert b"event" == [(await _next(stream))[:5] for _ in range(2)][1]
    dashboard.clock.at += IDLE
    async with asyncio.timeout(20):
        assert len([told async for told in stream]) <= 1
    assert "/login" == (await Browser(dashboard).get("/news")).url.path


async def test_a_server_that_stops_ends_the_news_first(database: Database, tmp_path: Path) -> None:
    """An open page does not keep the server from its end."""
    dashboard = await Dashboard.of(database)
    browser = await dashboard.logged_in("ada")
    cookie = browser.client.cookies["pinscher-session"]
    with listening("127.0.0.1", 0) as listener:
        server = server_of(dashboard.app)
        server.ending = dashboard.desk.live.close
        serving = asyncio.create_task(serve(server, listener, asyncio.Event().wait()))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(f"GET /news HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: pinscher-session={cookie}\r\n\r\n".encode())
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"retry: 3000")
            assert b"text/event-stream" in head
            assert b"content-security-policy" in head
            server.should_exit = True
            await reader.read()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
        writer.close()
