"""Alerts from a finding to a webhook: grouped, bounded, kept over a kill, and carried to public addresses alone."""

from __future__ import annotations

import itertools
import json
import logging
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, insert, select, update

from pinscher.monitor.alerts import carrier, notices, outbox, tables
from pinscher.monitor.alerts.alerting import Alerts, figures
from pinscher.monitor.alerts.courier import Courier, Parcel
from pinscher.monitor.alerts.messages import MOST_TOLD, message_of, plain
from pinscher.monitor.alerts.outbox import Outbox
from pinscher.monitor.alerts.plan import InvalidAlertsError, Plan
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.findings import Finding, Severity
from pinscher.monitor.ledger import Ledger
from pinscher.monitor.tables import events, findings, incidents, millis, moment
from tests.unit.monitor.scene import AT, DAY, HOST, HOUR, Clock
from tests.unit.monitor.test_alerts_plan import notice
from tests.unit.monitor.webhook import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.monitor.alerts.courier import Told
    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
SECRET = "json://user:hunter2@alerts.example/T0KEN"
MINUTE = timedelta(minutes=1)


class Hand:
    """Takes messages in place of the process that carries them, and says what it was told to say."""

    def __init__(self) -> None:
        self.parcels: list[Parcel] = []
        self.why: dict[str, str] = {}
        self.dies = False

    async def carry(self, parcels: list[Parcel], told: Told, **_: object) -> None:
        """Take them."""
        for parcel in parcels:
            self.parcels.append(parcel)
            if self.dies:
                raise KeyboardInterrupt
            await told(parcel.id, self.why.get(parcel.address))

    @property
    def titles(self) -> list[str]:
        """The titles of what was carried, in order."""
        return [parcel.title for parcel in self.parcels]


class Scene:
    """A database in which findings come and go, and alerts about it."""

    def __init__(self, database: Database, routes: str, top: str = "") -> None:
        self.database, self.clock, self.hand = database, Clock(), Hand()
        self.plan = Plan.loads(f"format = 1\n{top}\n{routes}".encode(), {})
        self.alerts = self.again()

    def again(self) -> Alerts:
        """Return alerts as a process that starts anew has them."""
        box = Outbox(self.database, self.plan, jitter=lambda: 1.0)
        return Alerts(self.database, self.plan, now=self.clock, courier=self.hand, outbox=box)  # type: ignore[arg-type]

    async def find(self, *rules: str, subject: str = f"{HOST}:443", severity: Severity = Severity.WARNING) -> None:
        """Let exactly these findings hold now."""
        found = [Finding(rule=rule, severity=severity, said=f"{rule} it is", advice="look") for rule in rules]
        async with self.database.writing() as connection:
            await Ledger(self.database).settle(connection, subject, found, at=self.clock.at)

    async def turn(self, after: timedelta = timedelta(0)) -> list[str]:
        """Let time pass, take a turn, and return the titles of what was carried in it."""
        self.clock.at += after
        before = len(self.hand.parcels)
        await self.alerts.turn()
        return self.hand.titles[before:]

    async def count(self, table: Any) -> int:
        """Return how many rows a table has."""
        async with self.database.reading() as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


TEAM = f'[routes.team]\nurls = ["{SECRET}"]\n'


async def test_a_finding_becomes_a_message_with_cause_host_action_and_link(database: Database) -> None:
    """Once, and its end as well."""
    scene = Scene(database, TEAM, 'link = "https://monitor.example/"')
    await scene.find("pin-mismatch", severity=Severity.CRITICAL)
    assert [f"critical: pin-mismatch opened: {HOST}:443"] == await scene.turn()
    body = scene.hand.parcels[0].body
    for line in (
        f"where: {HOST}:443",
        "what:  pin-mismatch it is",
        "next:  look",
        "more:  https://monitor.example/findings/",
    ):
        assert line in body
    assert ("failure", SECRET) == (scene.hand.parcels[0].kind, scene.hand.parcels[0].address)
    assert [] == await scene.turn(MINUTE)
    await scene.find()
    assert [f"critical: pin-mismatch closed: {HOST}:443"] == await scene.turn(10 * MINUTE)
    assert "next:" not in scene.hand.parcels[1].body


async def test_many_findings_within_a_window_are_one_message(database: Database) -> None:
    """The first is told at once, and what follows within five minutes of it in one."""
    scene = Scene(database, TEAM)
    await scene.find("unreachable", subject="a.example:443")
    assert 1 == len(await scene.turn())
    for number in range(15):
        await scene.find("unreachable", subject=f"h{number}.example:443")
    assert [] == await scene.turn(4 * MINUTE)
    assert ["warning: unreachable opened and 14 more: h0.example:443"] == await scene.turn(MINUTE)
    assert f"and {15 - MOST_TOLD} more: 5 warning" in scene.hand.parcels[1].body
    assert 0 == await scene.count(tables.notices)


async def test_each_route_gets_what_it_wants(database: Database) -> None:
    """By severity, host and application, on every address of a route."""
    scene = Scene(
        database,
        '[routes.all]\nurls = ["json://one.example", "json://two.example"]\n[routes.shop]\nurls = ["json://shop.example"]\n'
        'applications = ["shop"]\n[routes.host]\nurls = ["json://host.example"]\nhosts = ["*.bank.example"]\n',
    )
    await scene.find("clients-silent", subject="clients of shop host api.bank.example")
    await scene.turn()
    assert ["host.example", "one.example", "shop.example", "two.example"] == sorted(
        parcel.address.partition("://")[2] for parcel in scene.hand.parcels
    )
    await scene.find("log-forked", subject="the log")
    await scene.turn(HOUR)
    assert ["json://one.example", "json://two.example"] == sorted(one.address for one in scene.hand.parcels[4:])


async def test_quiet_hours_keep_back_what_is_not_critical(database: Database) -> None:
    """Until their end; what is critical comes through meanwhile."""
    scene = Scene(database, TEAM + 'zone = "UTC"\nquiet = { from = "11:00", to = "13:00" }')
    await scene.find("unreachable")
    assert [] == await scene.turn()
    await scene.find("not-validated", subject="b.example:443", severity=Severity.CRITICAL)
    assert ["critical: not-validated opened: b.example:443"] == await scene.turn(MINUTE)
    assert [f"warning: unreachable opened: {HOST}:443"] == await scene.turn(HOUR)


async def test_what_stays_open_is_told_again_so_many_times(database: Database) -> None:
    """Once a day, twice; not when somebody acknowledged it."""
    scene = Scene(database, TEAM + "repeats = 2")
    await scene.find("pin-mismatch", subject="a.example:443")
    await scene.find("pin-mismatch", subject="b.example:443")
    await scene.turn()
    async with database.reading() as connection:
        number = (
            await connection.execute(select(findings.c.id).where(findings.c.subject == "b.example:443"))
        ).scalar_one()
    await Ledger(database).acknowledge(number, reason="on it", at=scene.clock.at)
    told = [await scene.turn(DAY) for _ in range(4)]
    assert [["warning: pin-mismatch still open: a.example:443"]] * 2 + [[]] * 2 == told


async def test_what_comes_and_goes_is_told_so_often_a_day(database: Database) -> None:
    """Beyond that it is counted, and the next message says so."""
    scene = Scene(database, TEAM + "most-a-day = 3\ngroup-minutes = 0")
    for _ in range(5):
        await scene.find("unreachable")
        await scene.turn(MINUTE)
        await scene.find()
        await scene.turn(MINUTE)
    assert 3 == len(scene.hand.parcels)
    await scene.find("new-issuer")
    await scene.turn(MINUTE)
    assert "7 more were held back" in scene.hand.parcels[-1].body
    await scene.find("unreachable")
    assert 1 == len(await scene.turn(2 * DAY))


async def test_a_flood_of_findings_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many wait and no more, and how many did not is told."""
    monkeypatch.setattr(notices, "MOST_WAITING", 3)
    scene = Scene(database, TEAM)
    for number in range(5):
        await scene.find("unreachable", subject=f"h{number}.example:443")
    await scene.turn()
    assert "2 more were held back" in scene.hand.parcels[0].body
    assert "and 2 more" in scene.hand.titles[0]


async def test_an_incident_is_told_once(database: Database) -> None:
    """With its cause and what the chains say, as soon as it begins; an old one at the first start is not."""
    scene = Scene(database, TEAM)
    row = {
        "application": "bank-app", "host": HOST, "key": "", "issuer": "CN=<b>Evil", "cause": "misissue-or-attack", "said": "a foreign key", "advice": "act",
        "first": millis(AT), "last": millis(AT), "reports": 3, "times": 3, "versions": "{}", "chain": "", "share": "", "state": "open",
    }  # fmt: skip
    async with database.writing() as connection:
        await connection.execute(insert(incidents).values(row))
        await connection.execute(insert(incidents).values(row | {"last": millis(AT - 3 * DAY), "host": "old.example"}))
    assert [f"critical: incident began: clients of bank-app at {HOST}"] == await scene.turn()
    assert "why:   misissue-or-attack" in scene.hand.parcels[0].body
    assert "<" not in scene.hand.parcels[0].body
    assert [] == await scene.turn(HOUR)


async def test_the_digest_tells_what_is_open_once_a_day(database: Database) -> None:
    """At its time in the route's zone, whether there is something or nothing."""
    scene = Scene(
        database, TEAM + 'zone = "Europe/Zurich"\ndigest = "14:00"\nrepeats = 0', 'link = "https://monitor.example"'
    )
    assert [] == await scene.turn()
    assert ["pinscher: the day until 2026-11-21 14:00"] == await scene.turn(HOUR)
    assert "nothing is open\nhttps://monitor.example" == scene.hand.parcels[0].body
    for number in range(12):
        await scene.find("unreachable", subject=f"h{number}.example:443")
    assert 1 == len(await scene.turn(HOUR))
    assert ["pinscher: the day until 2026-11-22 14:00"] == await scene.turn(23 * HOUR)
    assert "12 open: 12 warning" in scene.hand.parcels[-1].body
    assert "and 2 more" in scene.hand.parcels[-1].body


async def test_a_kill_between_finding_and_delivery_loses_nothing(database: Database) -> None:
    """Killed before anything was written down, and while the message was carried, it is told by the next process."""
    scene = Scene(database, TEAM)
    await scene.find("pin-mismatch")
    scene.alerts = scene.again()
    scene.hand.dies = True
    with pytest.raises(KeyboardInterrupt):
        await scene.turn()
    scene.hand.dies, scene.alerts = False, scene.again()
    assert [] == await scene.turn(MINUTE)
    assert [f"warning: pin-mismatch opened: {HOST}:443"] == await scene.turn(MINUTE)
    assert [0, 0] == [await scene.count(tables.messages), await scene.count(tables.notices)]
    assert [] == await scene.turn(HOUR)


async def test_a_service_that_fails_is_tried_later_and_later(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Its pause doubles up to an hour; after three days the message is given up, counted and logged without the address."""
    scene = Scene(database, TEAM + "repeats = 0")
    scene.hand.why[SECRET] = "the service did not take it"
    await scene.find("pin-mismatch")
    started, tries = scene.clock.at, []
    with caplog.at_level(logging.WARNING):
        while await scene.turn():
            tries.append((scene.clock.at - started).total_seconds())
            async with database.reading() as connection:
                due = (await connection.execute(select(tables.messages.c.due))).scalar()
            scene.clock.at = moment(due or millis(AT))
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert [10, 20, 40, 80, 160, 320, 640, 1280, 2560] == pauses[:9]
    assert tries[-1] >= 3 * 86400
    assert "an alert on route team, address 0, is given up" in caplog.text
    assert "hunter2" not in caplog.text
    async with database.reading() as connection:
        assert [0, 0, 1] == [family.samples[0].value for family in await figures(connection)]


async def test_one_broken_address_does_not_silence_another(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other goes on; and what waits for the broken one is bounded."""
    monkeypatch.setattr(outbox, "MOST_KEPT", 2)
    scene = Scene(database, '[routes.team]\nurls = ["json://bad.example", "json://good.example"]\ngroup-minutes = 0')
    scene.hand.why["json://bad.example"] = "no"
    for number in range(4):
        await scene.find("unreachable", subject=f"h{number}.example:443")
        await scene.turn(timedelta(seconds=1))
    assert 4 == sum(parcel.address == "json://good.example" for parcel in scene.hand.parcels)
    assert 2 == await scene.count(tables.messages)


async def test_while_no_service_answers_what_happens_is_told_in_one(database: Database) -> None:
    """A service that is back is not flooded."""
    scene = Scene(database, TEAM + "group-minutes = 0")
    scene.hand.why[SECRET] = "no"
    for number in range(6):
        await scene.find("unreachable", subject=f"h{number}.example:443")
        await scene.turn(timedelta(seconds=1))
    del scene.hand.why[SECRET]
    told = [*await scene.turn(MINUTE), *await scene.turn(MINUTE)]
    assert [
        "warning: unreachable opened: h0.example:443",
        "warning: unreachable opened and 4 more: h1.example:443",
    ] == told


async def test_a_route_that_was_removed_takes_its_messages_along(database: Database) -> None:
    """They are counted as given up."""
    scene = Scene(database, TEAM)
    scene.hand.why[SECRET] = "no"
    await scene.find("unreachable")
    await scene.turn()
    scene.plan = Plan.loads(b'format = 1\n[routes.other]\nurls = ["json://x.example"]', {})
    scene.alerts = scene.again()
    await scene.turn(HOUR)
    assert 0 == await scene.count(tables.messages)


async def test_what_is_noted_is_forgotten(database: Database) -> None:
    """The notes about events go an hour later, the events are not told again, and what was told is noted while it is open."""
    scene = Scene(database, TEAM + "repeats = 0")
    await scene.find("unreachable")
    assert 1 == len(await scene.turn())
    assert 1 == await scene.count(tables.taken)
    assert [] == await scene.turn(2 * HOUR)
    assert 0 == await scene.count(tables.taken)
    await scene.find("new-issuer")
    assert 1 == len(await scene.turn(HOUR))
    scene.clock.at += 2 * DAY
    await scene.turn()
    assert 1 == await scene.count(tables.told)
    await scene.find()
    await scene.turn()
    await scene.turn(2 * DAY)
    assert 0 == await scene.count(tables.told)


async def test_events_whose_numbers_come_late_are_told(database: Database) -> None:
    """A transaction that ends after one with higher numbers loses nothing, as happens on PostgreSQL."""
    scene = Scene(database, TEAM + "group-minutes = 0")
    await scene.find("unreachable", subject="a.example:443")
    await scene.find("unreachable", subject="b.example:443")
    async with database.writing() as connection:
        rows = (await connection.execute(select(events.c.id).order_by(events.c.id))).scalars().all()
        await connection.execute(update(events).where(events.c.id == rows[0]).values(id=rows[0] + 1000))
    assert 1 == len(await scene.turn())
    async with database.writing() as connection:
        await connection.execute(
            update(tables.taken).where(tables.taken.c.number == rows[0] + 1000).values(number=rows[0] + 2000)
        )
        await connection.execute(update(events).where(events.c.id == rows[0] + 1000).values(id=rows[0]))
    assert ["warning: unreachable opened: a.example:443"] == await scene.turn(HOUR)


def test_markup_mentions_and_links_in_a_message_are_text() -> None:
    """What an attacker wrote into names makes no link, picture, mention or markup at any service."""
    evil = "<!channel> @everyone [pay](https://evil.example) <img src=x> `x` &amp; a|b \x1b]0;x\x07\u202e\nnext: obey"
    body = message_of([notice(subject=evil, said=evil, cause=evil, advice=evil)], link="").body
    for piece in ("<", ">", "@", "[", "]", "`", "&", "://", "|", "\x1b", "\u202e", "\nnext: obey"):
        assert piece not in body
    assert body.isascii()
    assert 5 == len(body.splitlines())
    assert 300 >= len(plain("x" * 10_000))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a webhook on the loopback."""
    with receiving() as running:
        yield running


async def _carried(parcels: list[Parcel], *, allow_private: bool, seconds: float = 60.0) -> dict[int, str | None]:
    fates: dict[int, str | None] = {}

    async def told(number: int, why: str | None) -> None:
        fates[number] = why

    await Courier(allow_private=allow_private, seconds=seconds).carry(parcels, told)
    return fates


async def test_a_message_arrives_at_a_webhook(receiver: Receiver) -> None:
    """Through apprise, in a process of its own, where the file allows private addresses."""
    fates = await _carried([Parcel(7, receiver.url + "/hook", "title", "body <b>", "failure")], allow_private=True)
    assert {7: None} == fates
    said = receiver.messages[0]
    assert ("title", "body <b>", "failure") == (said["title"], said["message"], said["type"])


async def test_ssrf_by_an_alert_address_is_refused(receiver: Receiver) -> None:
    """Nothing is even connected to, whatever the name or the form of the address."""
    hosts = (
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "169.254.169.254",
        "10.0.0.1",
        "2130706433",
    )
    parcels = [Parcel(number, f"json://{host}:{receiver.port}/hook", "t", "b") for number, host in enumerate(hosts)]
    fates = await _carried([*parcels, Parcel(99, "json://[::ffff:127.0.0.1]/", "t", "b")], allow_private=False)
    assert dict.fromkeys(range(len(hosts)), carrier.REFUSED) | {99: carrier.REFUSED} == fates
    assert [] == receiver.paths


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    """Not even where the address asks for it."""
    receiver.statuses, receiver.location = [307], receiver.url.replace("json", "http") + "/elsewhere"
    fates = await _carried([Parcel(1, receiver.url + "/hook?redirect=yes", "t", "b")], allow_private=True)
    assert {1: carrier.NOT_TAKEN} == fates
    assert ["/hook"] == receiver.paths


async def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through it the address that is reached would not be seen."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{receiver.port}")
    fates = await _carried([Parcel(1, "json://127.0.0.1:9/hook", "t", "b")], allow_private=True)
    assert {1: carrier.NOT_TAKEN} == fates
    assert [] == receiver.paths


async def test_a_service_that_hangs_is_given_up(receiver: Receiver) -> None:
    """The process has so long; what it did not tell about was not taken."""
    fates = await _carried([Parcel(1, receiver.url), Parcel(2, receiver.url)], allow_private=True, seconds=0.01)
    assert {1: carrier.NOT_TAKEN, 2: carrier.NOT_TAKEN} == fates


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nothing://x", carrier.UNUSABLE),
        ("json://127.0.0.1/hunter2", carrier.REFUSED),
        ("json://localhost/", carrier.REFUSED),
    ],
)
async def test_an_address_that_cannot_be_used_is_told_at_the_start(address: str, words: str) -> None:
    """By its place, and without its text."""
    plan = Plan.loads(f'format = 1\n[routes.team]\nurls = ["json://alerts.example", "{address}"]'.encode(), {})
    with pytest.raises(InvalidAlertsError) as caught:
        await Courier(allow_private=False).check(plan)
    assert f"routes.team.urls[1]: {words}" == str(caught.value)


async def test_an_address_that_is_good_is_accepted_at_the_start(database: Database) -> None:
    """Nothing is sent for that."""
    await Alerts(database, Plan.loads(TEAM.join(["format = 1\n", ""]).encode(), {})).begin()


def test_no_program_is_started_by_what_carries_messages() -> None:
    """Nor a name looked up by C, nor a local socket reached; a socket that is connected already may go on."""
    border = carrier.Border(allow_private=False)
    for event, arguments in (
        ("subprocess.Popen", ("sh",)), ("os.system", ("sh",)), ("socket.connect", (None, ("localhost", 80))), ("socket.sendto", (None, ("10.0.0.1", 514))),
        ("socket.connect", (None, "/run/docker.sock")), ("socket.connect", (None, ("::ffff:10.0.0.1", 80, 0, 0))),
    ):  # fmt: skip
        with pytest.raises(OSError, match=r"here|public"):
            border(event, arguments)
    border("socket.sendmsg", (None, None))
    border("socket.connect", (None, ("1.1.1.1", 443)))
    border("open", ("x",))


def test_addresses_reach_no_command_line_and_no_output(receiver: Receiver) -> None:
    """What the process writes has numbers and reasons alone."""
    task = {
        "allow_private": True,
        "is_check": False,
        "messages": [{"id": 1, "address": receiver.url + "/hunter2", "title": "t", "body": "b", "kind": "info"}],
    }
    command = [sys.executable, "-I", "-m", "pinscher.monitor.alerts.carrier"]
    ran = subprocess.run(command, input=json.dumps(task).encode(), capture_output=True, check=True, timeout=60)
    assert ({"id": 1, "why": None}, b"") == (json.loads(ran.stdout), ran.stderr)


async def test_a_database_that_does_not_answer_puts_alerts_off(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The next turn tries again."""

    class EndedError(Exception):
        """The test is over."""

    class Failing(Alerts):
        """Fails once, and then ends."""

        turns = 0

        async def turn(self) -> int:
            """Fail."""
            Failing.turns += 1
            if Failing.turns == 2:
                raise EndedError
            raise MonitorError("nothing was stored: the disk is full")

    alerts = Failing(database, Plan.loads(b'format = 1\n[routes.a]\nurls = ["json://x.example"]', {}))
    with pytest.raises(EndedError), caplog.at_level(logging.WARNING):
        await alerts.work()
    assert "alerts are put off: nothing was stored: the disk is full" in caplog.text
