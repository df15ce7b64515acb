"""When endpoints are looked at."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from pinscher.monitor.database import Database
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.schedule import LEASE, Schedule
from pinscher.monitor.vantage import checked_vantage
from pinscher.monitor.views import Views
from pinscher.probe import Endpoint, Protocol
from tests.unit.monitor.scene import AT, HOUR

pytestmark = pytest.mark.anyio
INTERVAL = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
THREE = [
    Endpoint("a.example"),
    Endpoint("b.example", 25, protocol=Protocol.SMTP),
    Endpoint("c.example", connect_to="127.0.0.1"),
]


async def _schedule(database: Database) -> Schedule:
    schedule = Schedule(database, interval=INTERVAL)
    await schedule.watch(THREE, at=AT, is_anew=False)
    return schedule


async def test_what_is_due_is_leased_once(database: Database) -> None:
    """New endpoints are due at once, come back as they were given, and are nobody else's while they are leased."""
    schedule = await _schedule(database)
    assert AT == await schedule.next_due()
    first, second = await asyncio.gather(schedule.lease(AT, most=2), schedule.lease(AT, most=2))
    assert {str(endpoint) for endpoint in THREE} == {str(one.endpoint) for one in (*first, *second)}
    assert sorted(THREE, key=str) == sorted((one.endpoint for one in (*first, *second)), key=str)
    assert [] == await schedule.lease(AT + LEASE - SECOND)


async def test_a_lost_look_is_due_again(database: Database) -> None:
    """A lease that nobody ended is over after its time, and who comes too late changes nothing."""
    schedule = await _schedule(database)
    lost = await schedule.lease(AT)
    again = await schedule.lease(AT + LEASE)
    assert {one.id for one in lost} == {one.id for one in again}
    async with database.writing() as connection:
        assert [False] * 3 == [await schedule.finish(connection, one, "match", at=AT) for one in lost]
        assert [True] * 3 == [await schedule.finish(connection, one, "match", at=AT) for one in again]


async def test_the_next_look_is_an_interval_later_give_or_take_a_tenth(database: Database) -> None:
    """A finished endpoint is due between 0.9 and 1.1 intervals later."""
    schedule = await _schedule(database)
    leased = await schedule.lease(AT)
    async with database.writing() as connection:
        for one in leased:
            await schedule.finish(connection, one, "match", at=AT)
    due = await schedule.next_due()
    assert due is not None
    assert AT + 0.9 * INTERVAL <= due <= AT + 1.1 * INTERVAL
    assert [] == await schedule.lease(AT + 0.9 * INTERVAL - SECOND)
    assert 3 == len(await schedule.lease(AT + 1.1 * INTERVAL))


async def test_a_clock_that_was_ahead_and_was_put_right_stops_no_look(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """What was looked at, or leased, by a clock a year ahead is looked at as soon as it is right, once, and is told."""
    schedule = await _schedule(database)
    year = timedelta(days=365)
    leased = await schedule.lease(AT + year)
    async with database.writing() as connection:
        assert [True] * 2 == [await schedule.finish(connection, one, "match", at=AT + year) for one in leased[:2]]
    schedule = Schedule(database, interval=INTERVAL)
    first, second = await asyncio.gather(schedule.lease(AT, most=2), schedule.lease(AT, most=2))
    assert sorted(one.id for one in leased) == sorted(one.id for one in (*first, *second))
    assert [] == await schedule.lease(AT + LEASE - SECOND)
    assert any("were due later than clock and interval allow" in record.message for record in caplog.records)
    async with database.writing() as connection:
        assert [True] * 3 == [await schedule.finish(connection, one, "match", at=AT) for one in (*first, *second)]
    assert 3 == len(await schedule.lease(AT + 1.1 * INTERVAL))


async def test_what_is_due_comes_before_what_is_due_too_late(database: Database) -> None:
    """A clock that was put right does not keep those waiting that are due by it, and no more is leased than asked for."""
    schedule = await _schedule(database)
    (early,) = await schedule.lease(AT + HOUR, most=1)
    leased = [await schedule.lease(AT, most=2) for _ in range(2)]
    assert [2, 1] == [len(one) for one in leased]
    assert [early.id] == [one.id for one in leased[1]]


async def test_clocks_that_are_a_little_apart_take_nothing_from_each_other(database: Database) -> None:
    """What another process leased or finished some seconds in the future stays its own."""
    short = Schedule(database, interval=timedelta(seconds=10))
    await short.watch(THREE, at=AT, is_anew=False)
    first, second = await short.lease(AT + 20 * SECOND, most=2)
    assert 1 == len(await short.lease(AT, most=9))
    async with database.writing() as connection:
        assert await short.finish(connection, first, "match", at=AT + 20 * SECOND)
        assert await short.finish(connection, second, "match", at=AT + 20 * SECOND)
    assert [] == await short.lease(AT)


async def test_a_changed_list_is_followed(database: Database) -> None:
    """Endpoints that are listed no more are gone, new ones are due, and the others wait on, unless all begin anew."""
    schedule = await _schedule(database)
    await schedule.lease(AT)
    changed = [*THREE[:2], Endpoint("d.example")]
    await schedule.watch(changed, at=AT, is_anew=False)
    assert ["d.example:443"] == [str(one.endpoint) for one in await schedule.lease(AT)]
    shown = await Views(database).endpoints(after=0, most=10)
    assert ["a.example:443", "b.example:25", "d.example:443"] == sorted(one["endpoint"] for one in shown)
    await schedule.watch(changed, at=AT + HOUR, is_anew=True)
    assert 3 == len(await schedule.lease(AT + HOUR))


async def test_a_schedule_of_nothing(database: Database) -> None:
    """Without an endpoint nothing is ever due."""
    schedule = Schedule(database, interval=INTERVAL)
    await schedule.watch([], at=AT, is_anew=True)
    assert (None, []) == (await schedule.next_due(), await schedule.lease(AT))


async def test_each_vantage_point_has_a_schedule_of_its_own(database: Database) -> None:
    """What is leased at one vantage point is due at another; a changed policy makes it due at both."""
    here, there = (Schedule(database, interval=INTERVAL, vantage=name) for name in ("default", "tokyo"))
    await here.watch(THREE, at=AT, is_anew=False)
    await there.watch(THREE, at=AT, is_anew=False)
    leased = await here.lease(AT)
    assert [3, 0, 3] == [len(leased), len(await here.lease(AT)), len(await there.lease(AT, most=9))]
    async with database.writing() as connection:
        assert not await there.finish(connection, replace(leased[0], lease=9), "match", at=AT)
        assert await here.finish(connection, leased[0], "match", at=AT)
    await there.watch(THREE, at=AT + HOUR, is_anew=True)
    assert [3, 3] == [len(await one.lease(AT + HOUR)) for one in (here, there)]


@pytest.mark.parametrize("name", ["", "Tokyo", "a.b", "-a", "a-", "x" * 33, "*", "a\n"])
def test_a_vantage_point_has_a_plain_name(name: str) -> None:
    """What a subject of a stream or a label could mistake is refused."""
    with pytest.raises(MonitorError, match="cannot be named so"):
        checked_vantage(name)
    assert ["a", "tokyo-2"] == [checked_vantage(good) for good in ("a", "tokyo-2")]


async def test_no_more_is_leased_than_was_asked_for_whatever_plan_the_database_makes(
    database: Database, request: pytest.FixtureRequest
) -> None:
    """PostgreSQL may ask anew for each row what is due, and then leases everything; it is asked once."""
    if database._is_sqlite:
        pytest.skip("the plans are PostgreSQL's")
    plans = ("enable_hashjoin", "enable_hashagg", "enable_sort", "enable_mergejoin", "enable_material")
    await _set_plans(database, *(f"SET {plan} = off" for plan in plans))
    other = await Database.open(request.getfixturevalue("postgresql_url"))
    schedule = Schedule(other, interval=INTERVAL)
    await schedule.watch([Endpoint(f"h{number}.example") for number in range(40)], at=AT, is_anew=False)
    leased = [len(await schedule.lease(AT, most=8)) for _ in range(6)]
    await other.close()
    await _set_plans(database, *(f"RESET {plan}" for plan in plans))
    assert [8, 8, 8, 8, 8, 0] == leased


async def _set_plans(database: Database, *settings: str) -> None:
    async with database.writing() as connection:
        for setting in settings:
            await connection.execute(text(f"ALTER ROLE CURRENT_USER {setting}"))
