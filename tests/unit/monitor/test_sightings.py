"""The history of an endpoint; the rules are those at the top of ``monitor/sightings.py``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pinscher.monitor.findings import History, Sighting
from pinscher.monitor.findings.history import NOT_LOOKED
from pinscher.monitor.findings.keys import new_issuer
from pinscher.monitor.findings.reach import look_failed, unreachable
from pinscher.monitor.schedule import Schedule
from pinscher.monitor.sightings import MOST_KEPT, Sightings
from pinscher.pin import Pin
from tests.unit.monitor.scene import AT, DAY, ENDPOINT, HOST, issue, policy_of, root, sighting

if TYPE_CHECKING:
    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)
HELD = issue(root())
POLICY = policy_of(Pin.of(HELD.der))


async def _kept(database: Database, *seen: Sighting) -> History:
    """Add sightings to an empty history, and return what is kept of them."""
    await Schedule(database, interval=timedelta(minutes=5)).watch([ENDPOINT], at=AT, is_anew=False)
    (leased,) = await Schedule(database, interval=timedelta(minutes=5)).lease(AT)
    sightings = Sightings(database)
    async with database.writing() as connection:
        for one in seen:
            await sightings.add(connection, leased.id, one)
        return await sightings.of(connection, leased.id, ENDPOINT)


def _failure(number: int, failure: str = "") -> Sighting:
    at = AT + number * SECOND
    return Sighting(first=at, last=at, failure=failure or f"reason {number}")


def _foreign(number: int) -> Sighting:
    at = AT + number * SECOND
    return Sighting(first=at, last=at, presented=(b"foreign %d" % number,))


async def test_an_outage_is_one_row(database: Database) -> None:
    """Failures in a row are one sighting from the first to the last, in the words of the last, whatever they say."""
    (outage,) = (await _kept(database, *map(_failure, range(60)))).sightings
    assert (60, AT, AT + 59 * SECOND, "reason 59") == (outage.times, outage.first, outage.last, outage.failure)


async def test_two_outages_are_two_rows(database: Database) -> None:
    """What answered between them stands between them."""
    history = await _kept(database, _failure(0), sighting(HELD, at=AT + SECOND), _failure(2), _failure(3))
    assert [1, 1, 2] == [one.times for one in history.sightings]
    assert ["reason 0", "", "reason 3"] == [one.failure for one in history.sightings]


OWN = f"{NOT_LOOKED}the roots are gone"


def _rules(history: History) -> list[tuple[str, str, bool]]:
    """Return what is told of a host without an answer: the rule, how grave, and whether since the first sighting."""
    latest = history.sightings[-1].last
    found = [finding for rule in (unreachable, look_failed) if (finding := rule(history, POLICY, latest))]
    return [(one.rule, one.severity.word, f"{AT:%H:%M} UTC" in one.said) for one in found]


async def test_a_monitor_that_could_not_look_is_no_outage(database: Database) -> None:
    """Hours in which the monitor was blind, and then one look without an answer, are no outage of the endpoint."""
    blind = [_failure(minute * 60, OWN) for minute in range(120)]
    history = await _kept(database, *blind, _failure(7200))
    assert [120, 1] == [one.times for one in history.sightings]
    assert [] == _rules(history)


async def test_an_outage_goes_on_while_the_monitor_cannot_look(database: Database) -> None:
    """A look that could not be made is told from when on it was, and takes nothing back of an outage."""
    down = [_failure(minute * 60) for minute in range(120)]
    history = await _kept(database, *down, _failure(7200, OWN))
    assert [("unreachable", "critical", True), ("look-failed", "critical", False)] == _rules(history)


async def test_an_outage_is_over_with_an_answer_whatever_came_between(database: Database) -> None:
    """What answered ends an outage, though the monitor could not look before or after."""
    looks = [
        _failure(0),
        _failure(1),
        _failure(2, OWN),
        sighting(HELD, at=AT + 3 * SECOND),
        _failure(4, OWN),
        _failure(5),
    ]
    assert [] == _rules(await _kept(database, *looks))


async def test_a_history_has_an_end(database: Database) -> None:
    """Of an endpoint that changes at every look the newest hundred sightings stay."""
    history = await _kept(database, *map(_foreign, range(MOST_KEPT + 5)))
    assert [b"foreign %d" % number for number in range(5, MOST_KEPT + 5)] == [
        one.presented[0] for one in history.sightings
    ]


async def test_history_wiped_by_failures_and_foreign_chains(database: Database) -> None:
    """No series of looks without a validated path makes a new CA with the same key look like the one before it."""
    junk = [make(number) for number in range(MOST_KEPT) for make in (_failure, _foreign)]
    other = root("Other Root").issue(HOST, key=HELD.key, not_before=AT - DAY, not_after=AT + 60 * DAY)
    history = await _kept(database, sighting(HELD), *junk, sighting(other, at=AT + DAY))
    assert MOST_KEPT + 2 == len(history.sightings)
    found = new_issuer(history, POLICY, AT + DAY)
    assert found is not None
    assert "until then by CN=Bank Root" in found.said
