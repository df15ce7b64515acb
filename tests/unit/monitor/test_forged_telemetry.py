"""What a holder of a public app token can make the monitor do: no alarm closes, no honest report waits, nothing floods."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, insert, select

from pinscher.monitor import triage
from pinscher.monitor.clients import _share
from pinscher.monitor.findings.silence import MOST_TOLD
from pinscher.monitor.tables import certificates, heartbeats, incidents, millis, reports
from pinscher.monitor.triage import MOST_GROUPS, Triage
from pinscher.monitor.views import Views
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.updates.floor import Floor
from pinscher.updates.state import State
from tests.unit.monitor.scene import AT, DAY, HOST, HOUR, Clock, begun, chain_of, issue, policy_of, root, taking_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime

    from pinscher.entry import HostPolicy
    from pinscher.monitor.database import Database
    from pinscher.monitor.monitor import Monitor
    from pinscher.updates import Updater

pytestmark = pytest.mark.anyio
ROOT = root()
PINNED, OTHER = issue(ROOT), issue(ROOT)
POLICY = policy_of(Pin.of(PINNED.der), version=7)
APP = "bank-app"
ROOTS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(3)]


class World:
    """A monitor that looks at nothing, and what clients, real and forged, send it."""

    def __init__(self, monitor: Monitor, clock: Clock) -> None:
        self.monitor, self.clock = monitor, clock

    async def beat(
        self, key: str, at: datetime, *, hosts: Iterable[str] = (HOST,), application: str = APP, **fields: Any
    ) -> None:
        """Send a heartbeat."""
        counts = [{"host": host, "outcome": "match"} for host in hosts]
        body = {"install": "one", "policy": "bank-app", "version": 7, "counts": counts, "id": f"{key} {at}"} | fields
        await self.monitor.collector.take_heartbeat(json.dumps(body).encode(), application=application, at=at)

    async def habit(self, at: datetime, **fields: Any) -> None:
        """Send five heartbeats, an hour apart."""
        for hour in range(5):
            await self.beat("habit", at + hour * HOUR, **fields)

    async def report(self, **fields: Any) -> None:
        """Send a report of a chain that was refused."""
        chain = [base64.b64encode(der).decode() for der in chain_of(OTHER)]
        body = {"hostname": HOST, "version": 7, "validated-certificate-chain": chain} | fields
        await self.monitor.collector.take_report(json.dumps(body).encode(), application=APP, at=self.clock())

    async def subjects(self) -> list[str]:
        """Return what the open findings are about."""
        return sorted(
            one["subject"] for one in await Views(self.monitor.database).findings(after=0, most=500, with_closed=False)
        )

    async def listen(self, at: datetime) -> list[str]:
        """Look for silence at a moment."""
        self.clock.at = at
        await self.monitor.listen()
        return await self.subjects()

    async def oversee(self) -> list[str]:
        """Compare heads."""
        await self.monitor.oversee()
        return await self.subjects()

    async def heads(self, *lines: str) -> None:
        """Store heartbeats with such heads, without a client for each."""
        common = {"application": APP, "received": millis(AT), "install": "one", "policy": "", "version": 1, "host": "",
                  "outcome": "", "matched": "", "times": 1}  # fmt: skip
        rows = [common | {"key": f"{number} {line}"[:128], "log_head": line} for number, line in enumerate(lines)]
        async with self.monitor.database.writing() as connection:
            await connection.execute(insert(heartbeats), rows)


async def _world(database: Database, policy: Policy = POLICY, **settings: Any) -> World:
    return World(*await begun(database, policy, **settings))


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """Return a monitor whose intake writes."""
    one = await _world(database)
    async with taking_in(one.monitor):
        yield one


# Heads of the log of pin sets.


class _Follower:
    """An updater that has read a head of the repository's log, in memory."""

    def __init__(self, head: str) -> None:
        self.state = State(
            policy=POLICY, floor=Floor(), refreshed=AT, failures=0, error=None, signers={}, expiries={}, override=None,
            log_head=head,
        )  # fmt: skip

    def refresh(self) -> None:
        """Find nothing new."""

    def log_roots(self, _: object) -> dict[int, bytes]:
        """Prove nothing: two roots that are told for one size are compared all the same."""
        return {}


async def _followed(database: Database) -> World:
    follower: Updater = _Follower(f"log.bank.example 9 {ROOTS[0]}")  # type: ignore[assignment]
    return await _world(database, updater=follower)


REAL = (f"log.bank.example 7 {ROOTS[0]}", f"log.bank.example 7 {ROOTS[1]}")


@pytest.mark.parametrize("is_followed", [True, False])
async def test_twenty_thousand_forged_heads_hide_no_fork(database: Database, is_followed: bool) -> None:
    """Two heads that contradict each other are found before and after a flood of newer ones, and stay found."""
    world = await (_followed(database) if is_followed else _world(database))
    await world.heads(*REAL)
    forged = [f"forged{number}.example {number} {ROOTS[2]}" for number in range(10_001)]
    await world.heads(*forged, *(f"log.bank.example {number + 10} {ROOTS[2]}" for number in range(10_001)))
    for _ in range(2):
        assert ["log of pin sets log.bank.example"] == await world.oversee()


async def test_beside_the_repositorys_log_no_other_is_told(database: Database) -> None:
    """A monitor that follows a repository knows its log: six hundred heartbeats with forks of logs that are made up say nothing."""
    world = await _followed(database)
    await world.heads(*(f"forged{number}.example 1 {one}" for number in range(300) for one in ROOTS[:2]))
    assert [] == await world.oversee()
    await world.heads(f"log.bank.example 9 {ROOTS[1]}")
    assert ["log of pin sets log.bank.example"] == await world.oversee()
    (fork,) = await Views(database).findings(after=0, most=9, with_closed=False)
    assert f"{ROOTS[0]} by the repository, {ROOTS[1]} by clients of bank-app (1)" in fork["said"]


async def test_without_a_repository_logs_that_are_made_up_are_a_bounded_number_of_findings(database: Database) -> None:
    """Three hundred forged forks are ten findings, and one that says that there are many."""
    world = await _world(database)
    await world.heads(*(f"forged{number}.example 1 {one}" for number in range(300) for one in ROOTS[:2]))
    assert 11 == len(await world.oversee())


@pytest.mark.parametrize("is_followed", [True, False])
async def test_what_is_no_head_stands_in_front_of_none(database: Database, is_followed: bool) -> None:
    """Text that only begins like a head neither hides a fork nor makes one."""
    world = await (_followed(database) if is_followed else _world(database))
    place = "log.bank.example 7"
    junk = (f"{place} {'!' * 44}", f"{place} {'~' * 44}", f"{place} {'A' * 44}", f"{place}_{ROOTS[2]}", "short", place)
    sizes = (f"log.bank.example {size} {one}" for size in ("07", "x", "", "9" * 20, "1 1") for one in ROOTS)
    await world.heads(*junk, *sizes)
    assert [] == [subject for subject in await world.oversee() if subject.endswith("log.bank.example")]
    await world.heads(*REAL)
    assert "log of pin sets log.bank.example" in await world.oversee()


# Silence.


async def test_hosts_that_nobody_pinned_have_no_habit(world: World) -> None:
    """Three heartbeats with a thousand invented hosts are no finding; the policy's own host is."""
    made_up = [f"h{number}.forged.example" for number in range(1023)]
    await world.habit(AT - 4 * DAY, hosts=[HOST, *made_up])
    await world.beat("goes on", AT, hosts=[])
    assert [f"clients of {APP} host {HOST}"] == await world.listen(AT)


async def test_versions_that_are_made_up_are_a_bounded_number_of_findings(world: World) -> None:
    """Of versions that nobody published fifty are told, and one finding more; the one that was published is among them."""
    for number in range(MOST_TOLD + 10):
        for hour in range(3):
            await world.beat(f"forged {number}", AT - 5 * DAY + hour * HOUR, version=1000 + number, hosts=[])
    await world.habit(AT - 4 * DAY, hosts=[])
    await world.beat("goes on", AT, version=8, hosts=[])
    found = await world.listen(AT)
    versions = [subject for subject in found if " policy version" in subject]
    assert (MOST_TOLD + 1, True) == (len(versions), f"clients of {APP} policy version 7" in versions)
    assert f"clients of {APP} many policy versions" in versions


async def test_the_longest_names_keep_no_honest_silence_from_being_told(database: Database) -> None:
    """A subject that is longer than its column is told all the same, and so is every other."""
    long = f"**.{'.'.join(['a' * 62] * 4)}"
    pins = f'pins = ["{Pin.of(PINNED.der)}"]\n'
    policy = Policy.loads(
        f'format = 1\nname = "bank-app"\nversion = 7\n[hosts."{HOST}"]\n{pins}[hosts."{long}"]\n{pins}'
    )
    world = await _world(database, policy)
    writing = asyncio.create_task(world.monitor.intake.run())
    name = "forged" * 20
    await world.habit(AT - 4 * DAY, hosts=[long], application=name)
    await world.beat("goes on", AT, hosts=[], application=name)
    await world.habit(AT - 4 * DAY)
    found = await world.listen(AT)
    assert (2, f"clients of {APP}", 320) == (len(found), found[0], len(found[1]))
    writing.cancel()


async def test_an_application_that_is_silent_for_a_month_is_still_told(world: World) -> None:
    """The dead-man alarm does not close for want of heartbeats: it closes when one comes, or once a person has seen it."""
    for hour in range(48):
        await world.beat("habit", AT + hour * HOUR)
    for days in (4, 20, 31, 33, 300):
        assert [f"clients of {APP}"] == await world.listen(AT + days * DAY)
    await world.beat("back", AT + 300 * DAY)
    assert [] == await world.listen(AT + 300 * DAY)


async def test_a_silence_that_a_person_has_seen_closes_after_a_month(world: World) -> None:
    """An application that was retired is acknowledged, and then forgotten with its heartbeats."""
    await world.habit(AT)
    await world.listen(AT + 4 * DAY)
    (told,) = await Views(world.monitor.database).findings(after=0, most=9, with_closed=False)
    await world.monitor.ledger.acknowledge(told["id"], reason="the application is retired", at=AT + 4 * DAY)
    assert [f"clients of {APP}"] == await world.listen(AT + 29 * DAY)
    assert [] == await world.listen(AT + 40 * DAY)


# Reports.


async def test_text_that_outgrows_its_column_keeps_no_honest_report_out(database: Database) -> None:
    """Whatever is written in one transaction with it is stored, and so is the forged text, cut to what fits."""
    world = await _world(database)
    forged = {"trustkit_version": "1" * 128, "app_version": "2" * 128}
    sent = [
        asyncio.create_task(world.report(id="honest")),
        asyncio.create_task(
            world.report(id="forged", **{name.replace("_", "-"): text for name, text in forged.items()})
        ),
        asyncio.create_task(world.beat("forged", AT, hosts=[f"**.{'.'.join(['a' * 62] * 4)}"])),
    ]
    # Each of them waits in the queue once its task had a turn.
    await asyncio.sleep(0)
    await world.monitor.intake.write()
    await asyncio.gather(*sent)
    async with database.reading() as connection:
        assert 2 == (await connection.execute(select(func.count()).select_from(reports))).scalar_one()
        assert 128 >= (await connection.execute(select(func.max(func.length(reports.c["library"]))))).scalar_one()
        assert 253 == (await connection.execute(select(func.max(func.length(heartbeats.c.host))))).scalar_one()


class _Patient:
    """A policy that is looked into slowly: as a stranger's chain would be, for as long as the test says."""

    version = POLICY.version

    def __init__(self) -> None:
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.asked = 0

    def lookup_canonical(self, host: str) -> HostPolicy | None:
        """Answer after the test has let it."""
        self.asked += 1
        self.is_asked.set()
        assert self.may_answer.wait(20), "nothing else went on while a claim was judged"
        return POLICY.lookup_canonical(host)


async def test_while_claims_are_judged_an_honest_report_is_stored(world: World) -> None:
    """Rule 4: judging holds up neither the loop nor the database, and the same claim is judged once."""
    await asyncio.gather(*(world.report(id=str(number)) for number in range(200)))
    patient = _Patient()
    turn = asyncio.create_task(world.monitor.triage.turn(patient))  # type: ignore[arg-type]
    await asyncio.to_thread(patient.is_asked.wait, 20)
    await world.report(id="honest")
    patient.may_answer.set()
    assert (200, 1) == (await turn, patient.asked)
    assert 1 == await world.monitor.triage.turn(POLICY)
    (one,) = await Views(world.monitor.database).incidents(after=0, most=9)
    assert 201 == one["reports"]


async def test_reports_that_two_processes_group_at_once_are_counted_once(world: World) -> None:
    """Rule 1: what another one wrote meanwhile is passed over, in each part of a turn."""
    hosts = [f"h{number}.example" for number in range(2 * MOST_GROUPS + 1)]
    await asyncio.gather(*(world.report(id=f"{host} {twice}", hostname=host) for host in hosts for twice in "ab"))
    await asyncio.gather(*(Triage(world.monitor.database).turn(POLICY) for _ in range(2)))
    async with world.monitor.database.reading() as connection:
        counted = (await connection.execute(select(func.sum(incidents.c.reports)))).scalar_one()
        waiting = select(func.count()).select_from(reports).where(reports.c.incident.is_(None))
        assert (2 * len(hosts), 0) == (counted, (await connection.execute(waiting)).scalar_one())


async def test_a_report_whose_certificates_were_tidied_away_holds_up_no_other(world: World) -> None:
    """What is removed between the reading of a report and its judging is judged without, and the turn goes on."""
    await asyncio.gather(world.report(id="one"), world.report(id="two", hostname="other.example"))
    async with world.monitor.database.writing() as connection:
        await connection.execute(certificates.delete())
    assert (2, 0) == (await world.monitor.triage.turn(POLICY), await world.monitor.triage.turn(POLICY))


@pytest.mark.parametrize("is_of_application", [True, False])
async def test_forged_incidents_hide_no_cause(
    world: World, monkeypatch: pytest.MonkeyPatch, *, is_of_application: bool
) -> None:
    """What is beyond the bound is one incident more for each cause, and says that it stands for many."""
    monkeypatch.setattr(triage, "MOST_OF_APPLICATION" if is_of_application else "MOST_GOING_ON", 3)
    for number in range(5):
        chain = [base64.b64encode(issue(ROOT).der).decode()]
        host = f"h{number}.example" if is_of_application else HOST
        await world.report(
            id=f"forged {number}", hostname=host, cause="clock-skew", **{"validated-certificate-chain": chain}
        )
    await world.monitor.group()
    for number in range(2):
        await world.report(id=f"honest {number}")
        await world.monitor.group()
    found = await Views(world.monitor.database).incidents(after=0, most=9)
    host = "many" if is_of_application else HOST
    assert [(host, "many", "wrong-clock", 2), (host, "many", "local-interception", 2)] == [
        (one["host"], one["key"], one["cause"], one["reports"]) for one in found[3:]
    ]
    scope = "application" if is_of_application else "host"
    for one, first in zip(found[3:], ("the clocks of these clients", "these machines trust the root"), strict=True):
        assert f"more than 3 incidents of this {scope} go on" in one["said"]
        assert f"; the first: {first}" in one["said"]


async def test_forged_alarms_hide_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound there is one incident for each kind of alarm."""
    no_chain: dict[str, Any] = {"validated-certificate-chain": []}
    monkeypatch.setattr(triage, "MOST_OF_APPLICATION", 3)
    for number in range(5):
        alarm = {"hostname": f"h{number}.example", "pinscher": {"alarm": "clock"}}
        await world.report(id=f"forged {number}", **alarm, **no_chain)
    await world.report(id="honest", pinscher={"alarm": "forked"}, **no_chain)
    await world.monitor.group()
    found = await Views(world.monitor.database).incidents(after=0, most=9)
    assert [("many", 2), ("many", 1)] == [(one["host"], one["reports"]) for one in found[3:]]
    assert "the transparency log contradicts" in found[4]["said"]


async def test_a_share_counts_the_hosts_of_incidents_alone(world: World) -> None:
    """Installs that tell of hosts that are made up are in no share, and a share that has not changed is not written."""
    await world.report(id="one")
    await world.monitor.group()
    await world.beat("one", AT, hosts=[HOST, "forged.example"])
    await world.beat("two", AT, hosts=["forged.example"], install="two")
    for _ in range(2):
        await world.monitor.listen()
        (one,) = await Views(world.monitor.database).incidents(after=0, most=9)
        assert "0/1" == one["share"]


def test_a_share_fits_however_many_installs_are_made_up() -> None:
    """Its column has room for sixteen characters."""
    assert "9999999/9999999" == _share(10**9, 10**12)
