"""Reports and heartbeats from their body to incidents, shares and alarms, on a monitor whose clock the test sets."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, text

from pinscher.monitor.client_alarms import ALARMS
from pinscher.monitor.clients import Client, Radius, blast_radius
from pinscher.monitor.errors import MonitorError, NotStoredError, UnknownRecordError, UnreadableReportError
from pinscher.monitor.findings.finding import Finding, Severity
from pinscher.monitor.intake import MOST_WAITING, Accepted
from pinscher.monitor.monitor import Monitor
from pinscher.monitor.tables import certificates, findings, heartbeats, reports
from pinscher.monitor.triage import MOST_GOING_ON
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

    from pinscher.lab.authority import HeldCertificate
    from pinscher.monitor.database import Database
    from pinscher.policy import Policy

pytestmark = pytest.mark.anyio
ROOT = root()
PINNED, OTHER = issue(ROOT), issue(ROOT)
POLICY = policy_of(Pin.of(PINNED.der), version=7)
APP = "bank-app"


class World:
    """A monitor that looks at nothing, and what clients send it."""

    def __init__(self, monitor: Monitor, clock: Clock) -> None:
        self.monitor, self.clock = monitor, clock

    async def report(self, held: HeldCertificate = OTHER, *, application: str = APP, **fields: Any) -> str:
        """Send a report of a chain that was refused."""
        from pinscher.lab.encoding import pem

        chain = [pem("CERTIFICATE", der).decode() for der in chain_of(held)]
        body = {
            "hostname": HOST,
            "version": 7,
            "served-certificate-chain": chain[:1],
            "validated-certificate-chain": chain,
        } | fields
        return await self.monitor.collector.take_report(
            json.dumps(body).encode(), application=application, at=self.clock()
        )

    async def beat(
        self, install: str, *, version: int = 7, outcome: str = "match", application: str = APP, at: object = None
    ) -> None:
        """Send a heartbeat."""
        body = {
            "install": install,
            "policy": "bank-app",
            "version": version,
            "counts": [{"host": HOST, "outcome": outcome, "times": 3}],
        }
        await self.monitor.collector.take_heartbeat(
            json.dumps(body | {"id": f"{install} {at or self.clock()} {version}"}).encode(),
            application=application,
            at=at or self.clock(),
        )  # type: ignore[arg-type]

    async def count(self, table: Any) -> int:
        """Return how many rows a table has."""
        async with self.monitor.database.reading() as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())

    async def incidents(self) -> list[dict[str, Any]]:
        """Group what waits, and return the incidents."""
        await self.monitor.group()
        return await Views(self.monitor.database).incidents(after=0, most=500)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """Return a monitor whose intake writes."""
    monitor, clock = await begun(database, POLICY)
    async with taking_in(monitor):
        yield World(monitor, clock)


async def test_a_report_is_stored_once_and_its_certificates_too(world: World) -> None:
    """The same key twice is one report; another report of the same chain stores no certificate anew."""
    assert "a" == await world.report(id="a")
    await world.report(id="a")
    await world.report(id="b")
    await world.report(id="a", application="shop")
    assert (3, 2) == (await world.count(reports), await world.count(certificates))


async def test_many_reports_at_once_are_all_stored(world: World) -> None:
    """Reports that come together are written together, and each is answered after its commit."""
    await asyncio.gather(*(world.report(id=str(number)) for number in range(700)))
    assert 700 == await world.count(reports)


async def test_a_heartbeat_is_stored_once(world: World) -> None:
    """The same heartbeat twice is one; one without counts is still a sign of life."""
    for _ in range(2):
        await world.beat("one")
    await world.monitor.collector.take_heartbeat(b'{"install": "two"}', application=APP, at=AT)
    assert 2 == await world.count(heartbeats)
    assert {APP: 3} == world.monitor.collector.heartbeats


async def test_a_certificate_of_junk_stores_nothing(world: World) -> None:
    """A report with a certificate that is none is refused as a whole."""
    with pytest.raises(UnreadableReportError):
        await world.report(**{"served-certificate-chain": ["AAAA"]})
    assert 0 == await world.count(reports)


async def test_who_left_before_the_answer_is_stored_all_the_same(world: World) -> None:
    """A client that is gone when the commit ends disturbs nobody."""
    sent = asyncio.create_task(world.report(id="gone"))
    # The report waits in the queue once its task had a turn.
    await asyncio.sleep(0)
    assert 1 == len(world.monitor.intake._waiting)
    sent.cancel()
    await world.report(id="stays")
    assert 2 == await world.count(reports)


async def test_what_waits_is_bounded(database: Database) -> None:
    """Beyond the bound a report is refused at once, and not acknowledged."""
    monitor = await Monitor.open(database, POLICY, looks_at_nothing, now=Clock())
    monitor.intake._waiting.extend([Accepted()] * MOST_WAITING)
    with pytest.raises(NotStoredError, match="wait already"):
        await monitor.intake.store(Accepted())


async def test_a_full_disk_acknowledges_nothing(world: World) -> None:
    """When the database takes no more, nobody is told that it did; when it does again, the same report is stored."""
    database = world.monitor.database
    if not database._is_sqlite:
        pytest.skip("the limit of pages is SQLite's")
    await world.report(id="before")
    async with database._engine.connect() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
    await _limit(database, pages)
    big = [issue(ROOT) for _ in range(40)]
    with pytest.raises(NotStoredError, match="database or disk is full"):
        await _send_all(world, big)
    stored = await world.count(reports)
    assert stored == world.monitor.collector.reports[APP]
    await _limit(database, 1_000_000)
    await world.report(big[-1], id="big again")
    assert stored + 1 == await world.count(reports)


async def _send_all(world: World, big: list[HeldCertificate]) -> None:
    for number, held in enumerate(big):
        await world.report(held, id=f"big {number}", library="x" * 128)


async def _limit(database: Database, pages: int) -> None:
    await database.close()
    from sqlalchemy import event

    event.listen(
        database._engine.sync_engine,
        "connect",
        lambda connection, _: connection.execute(f"PRAGMA max_page_count = {pages}").close(),
    )


async def test_reports_of_one_key_are_one_incident(world: World) -> None:
    """Reports of the same unexpected key are counted together, by policy version; another key is another incident."""
    for number in range(3):
        await world.report(id=str(number), version=6 + number % 2, times=2)
    await world.report(issue(ROOT), id="else")
    found = await world.incidents()
    assert [3, 1] == [one["reports"] for one in found]
    assert ({"6": 2, "7": 1}, 6, "local-interception", "CN=Bank Root") == (
        found[0]["versions"],
        found[0]["times"],
        found[0]["cause"],
        found[0]["issuer"],
    )
    detail = await Views(world.monitor.database).incident(found[0]["id"])
    assert [str(Pin.of(OTHER.der)), str(Pin.of(ROOT.certificate))] == [one["pin"] for one in detail["chain"]]


async def test_alarms_of_one_kind_are_one_incident(world: World) -> None:
    """Clients that raise an alarm of their updates are counted together; an alarm of another kind is another one."""
    for number, alarm in enumerate(("forked", "forked", "lapsed")):
        raised = {"alarm": alarm, "policy": "bank-app", "version": 7, "verdict": "0" * 16}
        chains = {"served-certificate-chain": [], "validated-certificate-chain": []}
        await world.report(id=str(number), hostname="", pinscher=raised, **chains)
    found = await world.incidents()
    assert [("client-alarm", 2), ("client-alarm", 1)] == [(one["cause"], one["reports"]) for one in found]
    assert [ALARMS["forked"].said, ALARMS["lapsed"].said] == [one["said"] for one in found]


async def test_an_incident_goes_on_until_a_day_of_silence(world: World) -> None:
    """A report within a day belongs to the incident, a later one begins another."""
    for number, after in enumerate((0 * HOUR, 20 * HOUR, 25 * HOUR)):
        world.clock.at += after
        await world.report(id=str(number))
        await world.incidents()
    assert [2, 1] == [one["reports"] for one in await world.incidents()]


async def test_a_flood_of_forged_keys_makes_no_flood_of_incidents(world: World) -> None:
    """Beyond a hundred incidents of one host the rest is one more."""
    import base64

    from tests.certificates import NOBODY_KNOWS, certificate, key_info

    for number in range(MOST_GOING_ON + 30):
        der = certificate(key_info(NOBODY_KNOWS, b"%d" % number))
        await world.report(id=str(number), **{"validated-certificate-chain": [base64.b64encode(der).decode()]})
    found = await world.incidents()
    assert (MOST_GOING_ON + 1, "many", 30) == (len(found), found[-1]["key"], found[-1]["reports"])


async def test_the_share_of_the_clients_is_in_the_incident(world: World) -> None:
    """Of three clients that were heard of today, one refuses."""
    await world.report(id="a")
    await world.incidents()
    for install, outcome in (("one", "match"), ("two", "no-matching-pin"), ("three", "match"), ("three", "not-pinned")):
        await world.beat(install, outcome=outcome)
    await world.beat("yesterday", outcome="no-matching-pin", at=AT - 2 * DAY)
    await world.monitor.listen()
    assert ["1/3"] == [one["share"] for one in await world.incidents()]
    await world.monitor.listen()


async def test_an_incident_is_acknowledged_with_a_reason(world: World) -> None:
    """A reason is asked for, and so is an incident that there is."""
    await world.report(id="a")
    number = (await world.incidents())[0]["id"]
    await world.monitor.triage.acknowledge(number, reason="calling\x00 them")
    (shown,) = await world.incidents()
    assert ("acknowledged", "calling\\x00 them") == (shown["state"], shown["reason"])
    with pytest.raises(MonitorError, match="expected a reason"):
        await world.monitor.triage.acknowledge(number, reason="")
    for ask in (
        world.monitor.triage.acknowledge(number + 1, reason="x"),
        Views(world.monitor.database).incident(number + 1),
        Views(world.monitor.database).endpoint(99),
    ):
        with pytest.raises(UnknownRecordError):
            await ask


async def test_clients_that_fall_silent_are_told_and_heard_again(world: World) -> None:
    """Two days after the last of many heartbeats the alarm is there; the next heartbeat closes it."""
    for hour in range(5):
        await world.beat("one", at=AT - 2 * DAY + hour * HOUR)
    await world.monitor.listen()
    shown = await Views(world.monitor.database).findings(after=0, most=9, with_closed=False)
    assert [("clients of bank-app", "clients-silent", "critical")] == [
        (one["subject"], one["rule"], one["severity"]) for one in shown
    ]
    await world.beat("one")
    await world.monitor.listen()
    assert [] == await Views(world.monitor.database).findings(after=0, most=9, with_closed=False)


async def test_a_version_that_falls_silent_is_a_notice(world: World) -> None:
    """While the application goes on, an old version's silence is told apart."""
    for hour in range(5):
        await world.beat("one", version=6, at=AT - 2 * DAY + hour * HOUR)
    await world.beat("one", version=7)
    await world.monitor.listen()
    shown = await Views(world.monitor.database).findings(after=0, most=9, with_closed=False)
    assert [("clients of bank-app policy version 6", "notice")] == [(one["subject"], one["severity"]) for one in shown]


async def test_what_is_old_is_removed(world: World) -> None:
    """Reports, heartbeats and closed findings go after their time, but for the finding of the newest event."""
    await world.report(id="a")
    for hour in range(5):
        await world.beat("one", at=AT - 2 * DAY + hour * HOUR)
    await world.monitor.listen()
    await world.beat("one")
    await world.monitor.listen()
    later = Finding(rule="unreachable", severity=Severity.WARNING, said="no answer", advice="look")
    async with world.monitor.database.writing() as connection:
        await world.monitor.ledger.settle(connection, "another", [later], at=world.clock.at)
        await world.monitor.ledger.settle(connection, "another", [], at=world.clock.at)
    assert 2 == await world.count(findings)
    world.clock.at += 91 * DAY
    await world.monitor.tidy()
    assert [0, 0, 1] == [await world.count(table) for table in (reports, heartbeats, findings)]


def _clients(*versions: int | None) -> list[Client]:
    return [Client(APP, str(number), "bank-app", version) for number, version in enumerate(versions)]


def test_the_blast_radius_is_a_share_of_the_clients_that_are_known() -> None:
    """Clients of a policy that does not accept the chain would refuse it; of an unknown policy nothing is known."""
    old, new = policy_of(Pin.of(PINNED.der), version=6), policy_of(Pin.of(OTHER.der), version=7)
    known: dict[tuple[str, int], Policy] = {("bank-app", 6): old, ("bank-app", 7): new}
    radius = blast_radius(_clients(6, 7, 7, 7, 5, None), HOST, chain_of(OTHER), known)
    assert Radius(clients=6, refusing=1, unknown=2, versions={"bank-app 6": 1}) == radius
    assert 0.25 == radius.share
    assert None is Radius().share


def test_a_denied_or_unreadable_certificate_is_refused_and_an_unpinned_host_refuses_nothing() -> None:
    """What clients do with junk and denied keys is to refuse; where nothing is pinned nothing is refused."""
    denied = policy_of(Pin.of(OTHER.der), more=f'denied-keys = ["{Pin.of(ROOT.certificate)}"]\n')
    for chain, host, refusing in ((chain_of(OTHER), HOST, 1), ((b"junk",), HOST, 1), ((b"junk",), "other.example", 0)):
        assert refusing == blast_radius(_clients(1), host, chain, {("bank-app", 1): denied}).refusing


async def test_the_clients_of_today_have_their_last_policy(world: World) -> None:
    """An install counts once, with what it had last; the policy in force is known."""
    await world.beat("one", version=6)
    await world.beat("one", version=7)
    await world.beat("two", at=AT - 2 * DAY)
    assert [Client(APP, "one", "bank-app", 7)] == await world.monitor.clients.recent(AT)
    assert {("bank-app", 7): POLICY} == await world.monitor.clients.known_policies()


async def test_a_database_that_restarts_is_used_again(world: World, request: pytest.FixtureRequest) -> None:
    """Connections that the server cut are replaced: a report is refused at worst, and its retry is stored."""
    from pinscher.monitor.database import Database

    if world.monitor.database._is_sqlite:
        pytest.skip("SQLite has no server that could restart")
    await world.report(id="before")
    other = await Database.open(request.getfixturevalue("postgresql_url"))
    async with other.reading() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = current_user"
            )
        )
    await other.close()
    with pytest.raises(NotStoredError):
        await world.report(id="meanwhile")
    await world.report(id="meanwhile")
    assert 2 == await world.count(reports)
