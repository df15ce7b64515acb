"""What alerts still tell while strangers forge, after a clock was wrong, and after a long time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from pinscher.monitor.alerts import notices, tables
from pinscher.monitor.alerts.messages import MOST_TOLD, message_of
from pinscher.monitor.alerts.plan import INCIDENT
from pinscher.monitor.findings import Severity
from pinscher.monitor.ledger import Ledger
from pinscher.monitor.monitor import Monitor
from pinscher.monitor.tables import findings, incidents, millis
from tests.unit.monitor.scene import AT, DAY, HOST, HOUR, policy_of
from tests.unit.monitor.test_alerts import MINUTE, SECRET, TEAM, Scene
from tests.unit.monitor.test_alerts_plan import notice

if TYPE_CHECKING:
    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
FLOOD = 30
ON_CALL = f'[routes.on-call]\nurls = ["{SECRET}"]\nseverity = "critical"\n'


async def _forge(scene: Scene, cause: str, *, count: int = FLOOD) -> None:
    """Let so many incidents begin, each at a host of its own."""
    row = {
        "application": "bank-app", "key": "", "issuer": "", "cause": cause, "said": "forged", "advice": "look",
        "first": millis(scene.clock.at), "last": millis(scene.clock.at), "reports": 1, "times": 1, "versions": "{}", "chain": "",
        "share": "", "state": "open",
    }  # fmt: skip
    async with scene.database.writing() as connection:
        await connection.execute(insert(incidents), [row | {"host": f"h{number}.example"} for number in range(count)])


async def _told(scene: Scene, after: timedelta = 10 * MINUTE) -> str:
    """Return the text of what is carried in a turn."""
    before = len(scene.hand.parcels)
    await scene.turn(after)
    return "\n".join(f"{parcel.title}\n{parcel.body}" for parcel in scene.hand.parcels[before:])


# Forged reports.


@pytest.mark.parametrize("cause", ["unknown", "misissue-or-attack"])
async def test_forged_incidents_keep_no_finding_from_being_told(
    database: Database, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    """However many wait for the next message, what the monitor found itself stands in it by its name."""
    monkeypatch.setattr(notices, "MOST_WAITING", 20)
    scene = Scene(database, TEAM + 'zone = "UTC"\nquiet = { from = "11:00", to = "13:00", critical = "waits" }')
    await _forge(scene, cause)
    await scene.turn()
    await scene.find("pin-mismatch", severity=Severity.CRITICAL)
    await scene.turn(MINUTE)
    body = await _told(scene, HOUR)
    assert f"critical: pin-mismatch opened and 20 more: {HOST}:443" in body
    assert f"{FLOOD - 20} more were held back" in body


async def test_forged_lesser_incidents_keep_no_graver_one_from_being_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no more may wait, the least grave makes room, the newest first, and is counted."""
    monkeypatch.setattr(notices, "MOST_WAITING", 20)
    scene = Scene(database, TEAM)
    await scene.find("unreachable")
    await scene.turn()
    await _forge(scene, "unknown")
    await _forge(scene, "misissue-or-attack", count=1)
    body = await _told(scene)
    assert body.startswith("critical: incident began and 19 more: clients of bank-app at h0.example")
    assert f"{FLOOD - 19} more were held back" in body


async def test_a_flood_of_findings_keeps_no_graver_one_from_being_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of everything does not hide what is critical, and an end makes room for a beginning."""
    monkeypatch.setattr(notices, "MOST_WAITING", 3)
    scene = Scene(database, TEAM)
    for number in range(5):
        await scene.find("unreachable", subject=f"h{number}.example:443")
    await scene.turn()
    await scene.find(subject="h0.example:443")
    for number in range(3):
        await scene.find("new-issuer", subject=f"i{number}.example:443")
    await scene.find("pin-mismatch", severity=Severity.CRITICAL)
    body = await _told(scene)
    assert body.startswith(f"critical: pin-mismatch opened and 2 more: {HOST}:443")
    assert "2 more were held back" in body
    assert "closed" not in body


async def test_what_was_held_back_is_told_while_it_stays_open(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told with what stays open, and so is its end."""
    monkeypatch.setattr(notices, "MOST_WAITING", 3)
    scene = Scene(database, TEAM + "repeats = 1")
    for number in range(4):
        await scene.find("unreachable", subject=f"h{number}.example:443")
    assert "h3.example" not in await _told(scene)
    monkeypatch.setattr(notices, "MOST_WAITING", 4)
    assert "warning: unreachable still open on 2026-11-22 12:20 UTC\n  where: h3.example" in await _told(
        scene, DAY + 10 * MINUTE
    )
    await scene.find(subject="h3.example:443")
    assert "unreachable closed: h3.example:443" in await _told(scene)


def test_incidents_and_findings_have_room_in_every_message() -> None:
    """Half of what a message tells in full is kept for findings, and the other half for incidents."""
    forged = [notice(rule=INCIDENT, severity=Severity.CRITICAL, path=f"/incidents/{number}") for number in range(20)]
    found = [notice(rule="unreachable", path=f"/findings/{number}") for number in range(20)]
    for some, most in ((forged, MOST_TOLD), (found, MOST_TOLD), (forged + found, MOST_TOLD // 2)):
        body = message_of(some, link="https://monitor.example").body
        counts = {body.count(f"monitor.example/{kind}/") for kind in ("incidents", "findings")}
        assert {most} == counts - {0}
        assert f"and {len(some) - MOST_TOLD} more" in body


# A clock that was ahead, and was put right.


async def test_after_a_clock_that_was_ahead_a_route_goes_on(database: Database) -> None:
    """What was sent at a time that has not come keeps nothing back, and what stays open is told again."""
    scene = Scene(database, TEAM)
    scene.clock.at = AT + 365 * DAY
    await scene.find("certificate-ends", severity=Severity.CRITICAL)
    assert 1 == len(await scene.turn())
    scene.clock.at = AT
    assert [f"critical: certificate-ends still open: {HOST}:443"] == await scene.turn(HOUR)
    await scene.find("pin-mismatch", "certificate-ends", severity=Severity.CRITICAL)
    assert [f"critical: pin-mismatch opened: {HOST}:443"] == await scene.turn(HOUR)
    assert [f"critical: certificate-ends still open and 1 more: {HOST}:443"] == await scene.turn(DAY)


async def test_what_was_told_so_often_on_a_day_that_never_was_is_told(database: Database) -> None:
    """A day that begins in the future is none that is over the bound."""
    scene = Scene(database, TEAM + "most-a-day = 1\ngroup-minutes = 0")
    scene.clock.at = AT + 365 * DAY
    await scene.find("unreachable")
    await scene.turn()
    await scene.find()
    await scene.turn()
    scene.clock.at = AT
    await scene.find("unreachable")
    assert 1 == len(await scene.turn(HOUR))


async def test_a_message_that_is_due_when_a_clock_was_ahead_is_carried(database: Database) -> None:
    """It is tried again as soon as the clock is right, and given up three days later if no service takes it."""
    scene = Scene(database, TEAM + "repeats = 0")
    scene.hand.why[SECRET] = "no"
    scene.clock.at = AT + 365 * DAY
    await scene.find("pin-mismatch")
    assert 1 == len(await scene.turn())
    scene.clock.at = AT
    assert 1 == len(await scene.turn())
    assert [] == await scene.turn()
    for _ in range(73):
        await scene.turn(HOUR)
    assert 0 == await scene.count(tables.messages)


async def test_the_clock_of_another_process_may_be_a_little_ahead(database: Database) -> None:
    """What it noted some seconds from now is no time that never was: it still groups, and is not told again."""
    scene = Scene(database, TEAM)
    scene.clock.at = AT + timedelta(seconds=20)
    await scene.find("unreachable", subject="a.example:443")
    await scene.turn()
    scene.clock.at = AT
    await scene.find("unreachable", subject="b.example:443")
    assert [] == await scene.turn()


async def test_notes_are_tidied_after_a_clock_that_was_ahead(database: Database) -> None:
    """The next tidying does not wait for the time that the clock once showed."""
    scene = Scene(database, TEAM)
    scene.clock.at = AT + 365 * DAY
    await scene.find("unreachable")
    await scene.turn()
    await scene.find()
    await scene.turn()
    scene.clock.at = AT
    await scene.turn()
    assert 0 == await scene.count(tables.told)


# A long quiet time.


async def test_after_a_long_quiet_time_alerts_go_on(database: Database) -> None:
    """What is removed because it is old leaves no number behind that would be taken for one that was told."""
    scene = Scene(database, TEAM + "group-minutes = 0")
    monitor = await Monitor.open(database, policy_of("sha256/" + "A" * 43 + "="), _never, now=scene.clock)
    for number in range(2):
        await scene.find("unreachable", subject=f"h{number}.example:443")
        await scene.find(subject=f"h{number}.example:443")
    await _forge(scene, "unknown", count=3)
    assert 1 == len(await scene.turn())
    await scene.turn(2 * HOUR)
    scene.clock.at += 100 * DAY
    await monitor.tidy()
    assert [1, 1] == [await scene.count(findings), await scene.count(incidents)]
    await scene.find("pin-mismatch")
    assert [f"warning: pin-mismatch opened: {HOST}:443"] == await scene.turn()
    await _forge(scene, "unknown", count=1)
    assert ["warning: incident began: clients of bank-app at h0.example"] == await scene.turn(HOUR)


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at")


# The end of a finding.


@pytest.mark.parametrize("is_acknowledged", [True, False])
async def test_an_end_is_told_however_long_it_was_open(database: Database, *, is_acknowledged: bool) -> None:
    """Ten days later, after the last reminder or with none."""
    scene = Scene(database, TEAM)
    await scene.find("unreachable", severity=Severity.CRITICAL)
    await scene.turn()
    if is_acknowledged:
        await _acknowledge(scene)
    for _ in range(20):
        await scene.turn(DAY / 2)
    await scene.find()
    assert [f"critical: unreachable closed: {HOST}:443"] == await scene.turn(HOUR)
    for _ in range(10):
        assert [] == await scene.turn(DAY)
    assert 0 == await scene.count(tables.told)


async def _acknowledge(scene: Scene) -> None:
    async with scene.database.reading() as connection:
        number = (await connection.execute(select(findings.c.id))).scalar_one()
    await Ledger(scene.database).acknowledge(number, reason="on it", at=scene.clock.at)


@pytest.mark.parametrize("routes", [TEAM, ON_CALL])
async def test_an_end_is_told_as_gravely_as_the_opening(database: Database, routes: str) -> None:
    """What grew less grave before it closed has its end told where its opening was, once."""
    scene = Scene(database, routes)
    await scene.find("vantage-points-differ", severity=Severity.CRITICAL)
    await scene.turn()
    await scene.find("vantage-points-differ", severity=Severity.WARNING)
    assert [] == await scene.turn(HOUR)
    await scene.find()
    assert [f"critical: vantage-points-differ closed: {HOST}:443"] == await scene.turn(HOUR)


async def test_no_end_is_told_of_what_was_not_told(database: Database) -> None:
    """A finding that comes back less grave than a route asks for neither opens nor ends there."""
    scene = Scene(database, ON_CALL)
    await scene.find("unreachable", severity=Severity.CRITICAL)
    await scene.turn()
    await scene.find()
    assert 1 == len(await scene.turn(HOUR))
    await scene.find("unreachable")
    assert [] == await scene.turn(HOUR)
    await scene.find()
    assert [] == await scene.turn(HOUR)
