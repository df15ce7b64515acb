"""What holds after the monitor's clock was ahead, and was put right; the rules are those of ``monitor/clocks.py``."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

import pytest

from pinscher.monitor.accounts import Accounts, Standing
from pinscher.monitor.board import Board
from pinscher.monitor.errors import UnknownRecordError
from pinscher.monitor.ledger import State
from pinscher.monitor.monitor import Monitor
from pinscher.monitor.passwords import Cost
from pinscher.monitor.sessions import Sessions
from pinscher.monitor.views import Views
from pinscher.pin import Pin
from tests.unit.monitor.scene import (
    AT,
    DAY,
    HOST,
    HOUR,
    Clock,
    begun,
    chain_of,
    issue,
    looks_at_nothing,
    policy_of,
    root,
    taking_in,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
APP = "shop-app"
POLICY = policy_of(Pin.of(issue(root()).der))
YEAR = 365 * DAY


class World:
    """A monitor whose clock the test sets, and an application that reports to it."""

    def __init__(self, monitor: Monitor, clock: Clock) -> None:
        self.monitor, self.clock, self._sent = monitor, clock, 0

    async def beat(self, *moments: datetime) -> None:
        """Send a heartbeat at each of these moments, as the monitor's clock shows them."""
        for at in moments:
            self._sent += 1
            body = {"install": f"{self._sent:032x}", "id": str(self._sent), "policy": "bank-app", "version": 7}
            await self.monitor.collector.take_heartbeat(json.dumps(body).encode(), application=APP, at=at)

    async def report(self, at: datetime) -> None:
        """Send a report at a moment, and have it grouped."""
        chain = [base64.b64encode(der).decode() for der in chain_of(FOREIGN)]
        body = {"hostname": HOST, "version": 7, "validated-certificate-chain": chain, "id": f"{at}"}
        await self.monitor.collector.take_report(json.dumps(body).encode(), application=APP, at=at)
        await self.monitor.group()

    async def silent(self, at: datetime) -> list[str]:
        """Listen at a moment, and return what is told of the whole application."""
        self.clock.at = at
        await self.monitor.listen()
        found = await Views(self.monitor.database).findings(after=0, most=50, with_closed=False)
        return [one["said"] for one in found if one["subject"] == f"clients of {APP}"]


FOREIGN = issue(root("Other Root"))


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """Return a monitor whose intake writes."""
    monitor, clock = await begun(database, POLICY)
    async with taking_in(monitor):
        yield World(monitor, clock)


async def _habit(world: World) -> datetime:
    """Report every hour for two days, once while the clock is a year ahead, and for an hour after it was put right."""
    await world.beat(*(AT + n * HOUR for n in range(48)), AT + YEAR, AT + 48 * HOUR, AT + 49 * HOUR)
    return AT + 49 * HOUR


async def test_a_silence_after_the_clock_was_ahead_is_told(world: World) -> None:
    """A heartbeat of a time that has not come counts as heard when that was noticed, and a day later there is silence."""
    noticed = await _habit(world)
    assert [] == await world.silent(noticed)
    assert [] == await world.silent(noticed + DAY)
    (said,) = await world.silent(noticed + DAY + HOUR)
    assert f"nothing heard since {noticed:%Y-%m-%d %H:%M} UTC" in said


async def test_a_silence_after_the_clock_was_ahead_outlasts_a_new_start(world: World) -> None:
    """What was noticed of the clock is remembered in the database: whoever starts the monitor anew hears nothing new."""
    noticed = await _habit(world)
    assert [] == await world.silent(noticed)
    told = await world.silent(noticed + 2 * DAY)
    monitor = await Monitor.open(world.monitor.database, POLICY, looks_at_nothing, now=world.clock)
    assert [True, told] == [bool(told), await World(monitor, world.clock).silent(noticed + 3 * DAY)]


async def test_a_clock_that_was_ahead_for_days_makes_nobody_silent(world: World) -> None:
    """Whoever reported all the time is not told of when the clock is put right, nor is later silence told any later."""
    await world.beat(*(AT + n * HOUR for n in range(48)), *(AT + YEAR + n * HOUR for n in range(48)))
    right = AT + 96 * HOUR
    assert [] == await world.silent(right)
    await world.beat(right + HOUR)
    assert [] == await world.silent(right + DAY)
    assert [1] == [len(await world.silent(right + DAY + 2 * HOUR))]


async def test_a_client_heard_of_ahead_of_time_counts_for_a_day(world: World) -> None:
    """The clients of the last day are not those of a year, and those heard of while the clock was ahead are among them."""
    await world.beat(AT + YEAR, AT + YEAR + HOUR, AT)
    assert 3 == len(await world.monitor.clients.recent(AT))
    assert [] == await world.silent(AT)
    assert [3, 0] == [len(await world.monitor.clients.recent(AT + days * DAY)) for days in (0.5, 1.5)]


async def test_a_session_or_link_made_ahead_of_time_is_none(database: Database) -> None:
    """Cookies and links made while the clock was ahead are no good once it is put right, nor when that time comes."""
    people, sessions = Accounts(database, time.monotonic, Cost(iterations=1, memory=64, lanes=1)), Sessions(database)
    secret = await people.invite("ada", Standing.OPERATOR, by="x", at=AT)
    link = await people.invitation(secret, address="", at=AT)
    ada = await people.accept(link, name="ada", password="correct horse battery", address="", at=AT)
    early, secret = (
        await sessions.begin(ada, at=AT + DAY),
        await people.invite("bob", Standing.VIEWER, by="x", at=AT + DAY),
    )
    assert None is not await sessions.of(early, at=AT + DAY)
    assert None is await sessions.of(early, at=AT)
    with pytest.raises(UnknownRecordError):
        await people.invitation(secret, address="", at=AT)
    await sessions.begin(ada, at=AT)
    await people.invite("eve", Standing.VIEWER, by="x", at=AT)
    assert None is await sessions.of(early, at=AT + DAY)
    with pytest.raises(UnknownRecordError):
        await people.invitation(secret, address="", at=AT + DAY)


async def test_an_attack_after_the_clock_was_ahead_is_an_incident_of_its_own(world: World) -> None:
    """An incident of a time that has not come takes no reports of now: somebody may have acknowledged it long ago."""
    board = Board(world.monitor.database)
    await world.report(AT + YEAR)
    (ahead,) = await board.going_on(AT, most=10)
    await world.monitor.triage.acknowledge(ahead.id, reason="the clock was wrong")
    assert {} == (await board.tally(AT)).incidents
    await world.report(AT)
    (attack,) = await board.going_on(AT, most=10)
    assert (True, State.OPEN.value, 1) == (attack.id != ahead.id, attack.state, attack.reports)
