"""Certificates that came with reports: how long they stay, and what keeps them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from pinscher.lab.encoding import pem
from pinscher.monitor import monitor as module
from pinscher.monitor.board import Board
from pinscher.monitor.certificates import digest_of, forget
from pinscher.monitor.collector import RECOGNISED_FOR, Collector
from pinscher.monitor.database import insert_all
from pinscher.monitor.errors import TooManyError
from pinscher.monitor.limits import APPLICATION_RATE, OCTET_RATE, Rate
from pinscher.monitor.measures import metrics
from pinscher.monitor.monitor import Monitor
from pinscher.monitor.sightings import Sightings
from pinscher.monitor.tables import certificates, endpoints, incidents, millis, reports
from pinscher.pin import Pin
from tests.unit.monitor.scene import AT, DAY, HOST, HOUR, Clock, issue, policy_of, root, sighting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Table

    from pinscher.lab.authority import HeldCertificate
    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
ROOT = root()
PINNED, OTHER, THIRD = issue(ROOT), issue(ROOT), issue(ROOT)
OLD = 92 * DAY
"""Longer than reports are kept, and the day longer that certificates stay."""


class Scene:
    """A monitor that looks at nothing, and reports of one certificate each."""

    def __init__(self, monitor: Monitor, clock: Clock) -> None:
        self.monitor, self.clock = monitor, clock

    async def report(self, held: HeldCertificate, *, key: str, times: int = 1, hostname: str = HOST) -> None:
        """Send a report of a certificate that was served."""
        chain = [pem("CERTIFICATE", held.der).decode()] * times
        body = {"hostname": hostname, "id": key, "served-certificate-chain": chain}
        await self.monitor.collector.take_report(json.dumps(body).encode(), application="bank-app", at=self.clock())

    async def count(self, table: Table) -> int:
        """Return how many rows a table has."""
        async with self.monitor.database.reading() as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())

    async def digests(self) -> set[str]:
        """Return the certificates that are stored."""
        async with self.monitor.database.reading() as connection:
            return set((await connection.execute(select(certificates.c.digest))).scalars())

    async def seen(self, held: HeldCertificate) -> int:
        """Return when a certificate was seen."""
        asked = select(certificates.c.seen).where(certificates.c.digest == digest_of(held.der))
        async with self.monitor.database.reading() as connection:
            return int((await connection.execute(asked)).scalar_one())


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at")


@pytest.fixture
async def scene(database: Database) -> AsyncIterator[Scene]:
    """Return a monitor whose intake writes."""
    clock = Clock()
    monitor = await Monitor.open(database, policy_of(Pin.of(PINNED.der)), _never, now=clock)
    writing = asyncio.create_task(monitor.intake.run())
    yield Scene(monitor, clock)
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing


async def test_a_certificate_goes_after_its_last_report(scene: Scene) -> None:
    """It stays as long as reports are kept, and a day longer."""
    await scene.report(OTHER, key="a")
    scene.clock.at += 90 * DAY
    await scene.monitor.tidy()
    assert {digest_of(OTHER.der)} == await scene.digests()
    scene.clock.at += 2 * DAY
    await scene.monitor.tidy()
    assert set() == await scene.digests()


async def test_what_an_incident_shows_stays(scene: Scene) -> None:
    """The chain of an incident that goes on can be drawn after its first reports have gone."""
    await scene.report(OTHER, key="a")
    await scene.monitor.group()
    scene.clock.at += OLD
    async with scene.monitor.database.writing() as connection:
        await connection.execute(update(incidents).values(last=millis(scene.clock.at)))
    await scene.monitor.tidy()
    board = Board(scene.monitor.database)
    async with scene.monitor.database.reading() as connection:
        assert 0 == (await connection.execute(select(func.count()).select_from(reports))).scalar_one()
        number = (await connection.execute(select(incidents.c.id))).scalar_one()
    assert [OTHER.der] == await board.chain(await board.incident(number))


async def test_an_incident_goes_with_its_last_report(scene: Scene) -> None:
    """It stays for as long as reports are kept after the last of them, and its certificates a day longer."""
    await scene.report(OTHER, key="a")
    await scene.monitor.group()
    scene.clock.at += 2 * DAY
    await scene.report(THIRD, key="b")
    await scene.monitor.group()
    for after, left in ((88 * DAY, 2), (HOUR, 1), (0 * DAY, 1)):
        scene.clock.at += after
        await scene.monitor.tidy()
        assert left == await scene.count(incidents)
    scene.clock.at += DAY
    await scene.monitor.tidy()
    assert {digest_of(THIRD.der)} == await scene.digests()


async def test_many_incidents_are_removed_in_pieces(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tidying removes a bounded number, the oldest first, and the next one goes on."""
    monkeypatch.setattr(module, "MOST_REMOVED", 2)
    for number in range(6):
        await scene.report(OTHER, key=f"{number}", hostname=f"h{number}.example")
    await scene.monitor.group()
    scene.clock.at += OLD
    for left in (4, 2, 1, 1):
        await scene.monitor.tidy()
        assert left == await scene.count(incidents)


async def test_incidents_that_have_ended_are_in_no_figure(scene: Scene) -> None:
    """Counted are those of which there was a report within a day."""
    await scene.report(OTHER, key="a")
    await scene.monitor.group()
    for after, count in ((0 * DAY, 1), (2 * DAY, 0)):
        scene.clock.at += after
        assert count == (await metrics(scene.monitor)).count(b"\npinscher_incidents{")


async def test_what_an_endpoint_showed_stays(scene: Scene) -> None:
    """The history of an endpoint that shows the same for a year can be read."""
    database, seen = scene.monitor.database, sighting(PINNED)
    async with database.writing() as connection:
        row = {"host": HOST, "port": 443}
        number = (await connection.execute(endpoints.insert().values(row).returning(endpoints.c.id))).scalar_one()
        await Sightings(database).add(connection, number, seen)
    stored = await scene.digests()
    await scene.report(OTHER, key="a")
    for _ in range(4):
        scene.clock.at += OLD
        await scene.monitor.tidy()
    assert stored == await scene.digests()
    assert 2 == len(stored)


async def test_what_a_report_names_stays_however_old_it_says_to_be(scene: Scene) -> None:
    """In a database of a former release a certificate says when it was seen first."""
    scene.clock.at += OLD
    await scene.report(OTHER, key="a")
    async with scene.monitor.database.writing() as connection:
        await connection.execute(update(certificates).values(seen=millis(AT)))
    await scene.monitor.tidy()
    assert millis(scene.clock()) == await scene.seen(OTHER)


async def test_a_certificate_that_comes_again_is_seen_again(scene: Scene) -> None:
    """Within the hour it is recognised and costs nothing; after it its row says so, and it is stored if it went."""
    for key, later in (("a", 0 * HOUR), ("b", HOUR / 2), ("c", HOUR / 2), ("d", HOUR)):
        scene.clock.at += later
        await scene.report(OTHER, key=key)
    assert millis(AT + 2 * HOUR) == await scene.seen(OTHER)
    async with scene.monitor.database.writing() as connection:
        await connection.execute(certificates.delete())
    scene.clock.at += RECOGNISED_FOR
    await scene.report(OTHER, key="e")
    assert {digest_of(OTHER.der)} == await scene.digests()


async def test_a_replayed_report_leads_to_no_certificate_that_is_missing(scene: Scene) -> None:
    """Whoever repeats a key to have an old certificate recognised has it renewed, and reports of it are grouped."""
    await scene.report(OTHER, key="a")
    scene.clock.at += OLD
    await scene.report(THIRD, key="b")
    await scene.report(OTHER, key="b")
    await scene.monitor.tidy()
    await scene.report(OTHER, key="c")
    await scene.monitor.group()
    assert {digest_of(OTHER.der), digest_of(THIRD.der)} == await scene.digests()


async def test_who_renews_a_certificate_keeps_it(scene: Scene) -> None:
    """A certificate that somebody is about to store again is not removed, whoever began first."""
    database, old, now = scene.monitor.database, AT - OLD, {"digest": "a" * 64, "der": b"x", "seen": millis(AT)}
    async with database.writing() as connection:
        await insert_all(connection, database.insert_new(certificates), [now | {"seen": millis(old)}])
    async with database.writing() as connection:
        await insert_all(connection, database.insert_new(certificates), [now])
        forgetting = asyncio.create_task(forget(database, before=AT - DAY, at=AT))
        await asyncio.wait([forgetting], timeout=0.2)
    assert 1 == await forgetting
    assert {"a" * 64} == await scene.digests()


async def test_a_certificate_that_is_being_removed_is_stored_anew(scene: Scene) -> None:
    """Whoever stores one while it is removed comes after that, and it is there."""
    database, row = scene.monitor.database, {"digest": "a" * 64, "der": b"x", "seen": millis(AT - OLD)}
    statement = database.insert_new(certificates)

    async def store() -> None:
        """Store it, seen now."""
        async with database.writing() as connection:
            await insert_all(connection, statement, [row | {"seen": millis(AT)}])

    async with database.writing() as connection:
        await insert_all(connection, statement, [row])
    async with database.writing() as connection:
        await connection.execute(certificates.delete())
        storing = asyncio.create_task(store())
        await asyncio.wait([storing], timeout=0.2)
        assert not storing.done()
    await storing
    assert {"a" * 64} == await scene.digests()


async def test_many_certificates_are_removed_in_pieces(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tidying goes on until nothing is left to remove, a bounded number at a time."""
    monkeypatch.setattr("pinscher.monitor.certificates.MOST_FORGOTTEN", 2)
    monkeypatch.setattr(module, "MOST_FORGOTTEN", 2)
    rows = [{"digest": f"{number:064}", "der": b"x", "seen": millis(AT - OLD)} for number in range(5)]
    database = scene.monitor.database
    async with database.writing() as connection:
        await insert_all(connection, database.insert_new(certificates), rows)
    assert 2 == await forget(database, before=AT - 90 * DAY, at=AT)
    assert 3 == len(await scene.digests())
    await scene.monitor.tidy()
    assert set() == await scene.digests()


async def test_what_is_recognised_takes_little_memory(scene: Scene) -> None:
    """A text of 128 KiB is remembered by 32 octets."""
    collector = scene.monitor.collector
    text = pem("CERTIFICATE", OTHER.der).decode()
    padded = text.replace("-----END", "\n" * 60_000 + "-----END")
    body = {"hostname": HOST, "id": "a", "served-certificate-chain": [padded, padded]}
    await collector.take_report(json.dumps(body).encode(), application="bank-app", at=AT)
    assert [32] == [len(known) for known in collector._recognised]
    assert {digest_of(OTHER.der)} == await scene.digests()


async def test_an_application_sends_so_many_octets(scene: Scene) -> None:
    """Beyond its octets nothing of a body is read, however few requests it makes; others are not touched."""
    seconds = [0.0]
    intake = scene.monitor.intake
    collector = Collector(intake, rate=Rate(a_second=100, burst=1_000), clock=lambda: seconds[0])
    junk, beat = b"x" * 900, json.dumps({"install": "one"}).encode().ljust(900)
    await collector.take_heartbeat(beat, application="bank-app", at=AT)
    with pytest.raises(TooManyError) as refused:
        await collector.take_report(junk, application="bank-app", at=AT)
    assert 8 == refused.value.seconds
    await collector.take_heartbeat(beat, application="shop", at=AT)
    seconds[0] += 8
    await collector.take_heartbeat(beat, application="bank-app", at=AT + HOUR)


def test_usual_reports_are_bounded_by_their_number_alone() -> None:
    """What an application may send at once, and in a second, has room for twelve KiB in each request."""
    assert 12 * 1024 <= OCTET_RATE.a_second / APPLICATION_RATE.a_second
    assert 12 * 1024 <= OCTET_RATE.burst / APPLICATION_RATE.burst
