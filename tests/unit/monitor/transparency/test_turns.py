"""Logs that are slow or hang: no other log waits for them, and neither does anything else of the monitor."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.transparency import CtLog
from pinscher.lab.transparency_server import CtServer
from pinscher.monitor.database import Database
from pinscher.monitor.errors import NotStoredError
from pinscher.monitor.transparency.fetching import LogSite
from pinscher.monitor.transparency.follower import advance
from pinscher.monitor.transparency.logs import read_logs
from pinscher.monitor.transparency.names import Interests
from pinscher.monitor.transparency.turns import THREAD, Turn, aside
from pinscher.monitor.transparency.views import view_of
from pinscher.monitor.transparency.watching import LogSettings, Transparency
from pinscher.monitor.views import Views
from pinscher.pin import Pin
from pinscher.updates.log import LogUnreachableError
from tests.unit.monitor.scene import HOST, Clock, policy_of
from tests.unit.monitor.transparency.world import CA, HELD, Followed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pinscher.monitor.transparency.logs import CtLog as Known

POLICY = policy_of(Pin.of(HELD.der))
SILENT = 12


@pytest.fixture
def hanging() -> Iterator[str]:
    """Return the address of logs that take every connection and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    for thread in _reading():
        thread.join(30)
        assert not thread.is_alive()


def _reading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def _known(listed: bytes) -> Known:
    return read_logs(listed, at=datetime.now(UTC), allow_private=True)[0]


def _silent(url: str) -> tuple[Known, ...]:
    return tuple(_known(CtLog(f"log{number}.example/2026").listed(url, is_tiled=True)) for number in range(SILENT))


def _transparency(database: Database, *logs: Known, patience: float = 0.05) -> Transparency:
    settings = LogSettings(logs=logs, allow_private=True, seconds=15, patience=patience)
    return Transparency(database, settings, now=Clock(datetime.now(UTC)))


@pytest.mark.anyio
async def test_a_log_that_answers_does_not_wait_for_those_that_hang(database: Database, hanging: str) -> None:
    """What it has is recorded and told, turn after turn, while a dozen others hang; they are asked once."""
    log = CtLog()
    log.publish()
    with CtServer(log) as server:
        transparency = _transparency(database, *_silent(hanging), _known(server.listed(is_tiled=True)))
        while not await transparency.memory.logs():
            await transparency.turn(POLICY)
        log.add(CA.issue(HOST))
        log.publish()
        views = Views(database)
        while not (found := await views.findings(after=0, most=10, with_closed=False)):
            await transparency.turn(POLICY)
        assert "ct-foreign-ca" == found[0]["rule"]
        async with asyncio.timeout(60):
            # Whoever asked them again would have more of both from now on.
            while [SILENT, SILENT] != [len(transparency._going), len(_reading())]:
                await transparency.turn(POLICY)
        await transparency.close()
    assert {} == transparency._going


def test_nothing_else_waits_for_a_log_that_hangs(tmp_path: Path, hanging: str) -> None:
    """Threads that passwords are hashed in stay free, and the program ends, while a dozen logs never answer."""

    async def followed() -> str:
        """Follow once, hash, and end in the middle of the next turn."""
        database = await Database.in_folder(tmp_path)
        transparency = _transparency(database, *_silent(hanging))
        await transparency.turn(POLICY)
        hashed = await asyncio.to_thread(str, "hashed")
        turn = asyncio.create_task(transparency.turn(POLICY))
        await asyncio.sleep(0)
        turn.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await turn
        await transparency.close()
        await database.close()
        return hashed

    assert "hashed" == asyncio.run(followed())
    assert SILENT == len(_reading())


@pytest.mark.anyio
async def test_whoever_stops_waits_for_no_log(database: Database, hanging: str) -> None:
    """A turn that is cancelled while logs hang leaves no task behind."""
    transparency = _transparency(database, *_silent(hanging), patience=60)
    turn = asyncio.create_task(transparency.turn(POLICY))
    while len(_reading()) < SILENT:
        await transparency.memory.logs()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert {} == transparency._going


@pytest.mark.anyio
async def test_a_log_that_cannot_be_recorded_is_told_after_the_others_are_settled(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turn fails as its log does, and the log is read again in the next one."""

    async def full(*_: object, **__: object) -> bool:
        """Store nothing."""
        raise NotStoredError("nothing was stored: the disk is full")

    with CtServer(CtLog()) as server:
        transparency = _transparency(database, _known(server.listed(is_tiled=True)), patience=30)
        with monkeypatch.context() as patch:
            patch.setattr(transparency.memory, "record", full)
            with pytest.raises(NotStoredError, match="the disk is full"):
                await transparency.turn(POLICY)
        await transparency.turn(POLICY)
        assert 1 == len(await transparency.memory.logs())


def test_a_turn_that_is_over_keeps_what_it_proved(followed: Followed) -> None:
    """A log that has more than fits into a turn is read on in the next one, and is in no trouble."""
    followed.turn()
    followed.fill(700)
    left = iter([False, False, True])
    site = LogSite(followed.listed.url, allow_private=True)
    progress = advance(
        view_of(followed.listed, site), followed.place, Interests(followed.policy), is_over=lambda: next(left)
    )
    site.close()
    assert (None, True) == (progress.trouble, progress.is_behind)
    assert progress.place is not None
    assert (512 if followed.is_tiled else 517) == progress.place.read.size
    followed.place = progress.place
    assert not followed.turn().is_behind


def test_a_turn_that_is_cut_asks_for_nothing_more(followed: Followed) -> None:
    """Long after its time, or when nobody waits for it, a turn ends at the next file."""
    turn = Turn(3600)
    assert [False, False] == [turn.is_over(), turn.is_cut()]
    assert [True, False] == [Turn(0).is_over(), Turn(0.001 + 3600).is_over()]
    site = LogSite(followed.listed.url, allow_private=True, is_cut=turn.is_cut)
    assert site.fetch("nothing", 100) is None
    turn.end()
    assert [True, True] == [turn.is_over(), turn.is_cut()]
    with pytest.raises(LogUnreachableError, match="a was not asked for: the log took too long"):
        site.fetch("a", 100)
    site.close()


@pytest.mark.anyio
async def test_what_fails_in_a_thread_is_raised_where_it_is_waited_for() -> None:
    """An error travels as a value does, and one that nobody waits for any more is dropped."""
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 / 0)
    for divisor in (1, 0):
        begun, may_end = threading.Event(), threading.Event()
        task = asyncio.create_task(aside(functools.partial(_waiting, begun, may_end, divisor)))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        may_end.set()
        for thread in _reading():
            await asyncio.to_thread(thread.join, 30)
        await asyncio.sleep(0)


def _waiting(begun: threading.Event, may_end: threading.Event, divisor: int) -> float:
    begun.set()
    may_end.wait(30)
    return 1 / divisor
