"""Logs followed by a monitor: what is found, what is remembered, and what becomes of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pinscher.lab.authority import Authority
from pinscher.lab.keys import SigningKey
from pinscher.lab.transparency import CtLog
from pinscher.lab.transparency_server import CtServer
from pinscher.monitor.findings import Sighting
from pinscher.monitor.measures import metrics
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.sightings import Sightings
from pinscher.monitor.transparency.logs import read_logs
from pinscher.monitor.transparency.memory import Memory
from pinscher.monitor.transparency.watching import LogSettings
from pinscher.monitor.views import Views
from pinscher.pin import Pin
from pinscher.probe import Endpoint, NoAnswerError
from pinscher.verdict import Outcome
from tests.unit.monitor.scene import HOST, Clock, policy_of
from tests.unit.monitor.transparency.world import CA, HELD, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.monitor.database import Database
    from pinscher.policy import Policy
    from pinscher.probe import Observation

pytestmark = pytest.mark.anyio
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FOREIGN = Authority.root("Foreign Root").intermediate("Foreign CA")


def _nobody(endpoint: Endpoint) -> Observation:
    raise NoAnswerError(endpoint, "nobody is there")


class Scene:
    """A monitor that follows one log, of tiles or of RFC 6962."""

    def __init__(self, database: Database, server: CtServer, *, is_tiled: bool = True) -> None:
        self.database = database
        self.server = server
        self.is_tiled = is_tiled
        self.clock = Clock(datetime.now(UTC))
        self.policy: Policy = policy_of(Pin.of(HELD.der))

    async def monitor(self) -> Monitor:
        """Start the monitor anew."""
        logs = read_logs(self.server.listed(is_tiled=self.is_tiled), at=self.clock(), allow_private=True)
        settings = Settings(transparency=LogSettings(logs=logs, allow_private=True, seconds=10))
        monitor = await Monitor.open(self.database, self.policy, _nobody, settings=settings, now=self.clock)
        await monitor.begin()
        return monitor

    async def rules(self, monitor: Monitor | None = None) -> list[tuple[str, str]]:
        """Go on in the log, and return what is open, each with its severity."""
        await (monitor or await self.monitor()).follow_logs()
        return sorted((one["rule"], one["severity"]) for one in await self.shown())

    async def shown(self) -> list[dict[str, str]]:
        """Return what is open."""
        return await Views(self.database).findings(after=0, most=100, with_closed=False)


@pytest.fixture(params=[True, False], ids=["tiles", "RFC 6962"])
def scene(request: pytest.FixtureRequest, database: Database) -> Iterator[Scene]:
    """Return a monitor of a log with one certificate of somebody else."""
    log = CtLog()
    log.add(CA.issue("shop.example"))
    log.publish()
    with CtServer(log) as server:
        yield Scene(database, server, is_tiled=request.param)


async def test_a_rotation_that_somebody_forgot_is_found(scene: Scene) -> None:
    """A certificate by the CA of an accepted path, with a key that no pin accepts, is a warning until it is pinned."""
    monitor = await scene.monitor()
    assert [] == await scene.rules(monitor)
    await _accept_a_path(scene, monitor)
    forgotten = CA.issue(HOST)
    scene.server.log.add(forgotten, is_precertificate=True)
    scene.server.log.add(forgotten)
    scene.server.log.publish()
    assert [("ct-unpinned-key", "warning")] == await scene.rules(monitor)
    (shown,) = await scene.shown()
    assert f"key {Pin.of(forgotten.der)} for {HOST}" == shown["subject"]
    assert f"for {HOST} was issued with a key that clients refuse" in shown["said"]
    assert "in lab log log.lab.example/2026" in shown["said"]
    scene.policy = policy_of(Pin.of(HELD.der), Pin.of(forgotten.der), version=2)
    assert [("ct-pinned-key", "notice")] == await scene.rules()
    scene.clock.at += 8 * DAY
    await (await scene.monitor()).transparency.settle(scene.policy)
    assert [("ct-log-stale", "warning")] == sorted((one["rule"], one["severity"]) for one in await scene.shown())


async def _accept_a_path(scene: Scene, monitor: Monitor) -> None:
    """Have the monitor see the pinned certificate on a path that the policy accepts."""
    (leased,) = await monitor.watch.schedule.lease(scene.clock())
    chain = (*HELD.chain, ROOT.certificate)
    seen = Sighting(
        first=scene.clock(), last=scene.clock(), presented=HELD.chain, validated=chain, outcome=Outcome.MATCH
    )
    async with scene.database.writing() as connection:
        await Sightings(scene.database).add(connection, leased.id, seen)


async def test_a_certificate_by_a_ca_that_nobody_authorised_is_an_attack(scene: Scene) -> None:
    """A certificate by a CA that no pin and no accepted path knows is critical, under a star too."""
    monitor = await scene.monitor()
    await scene.rules(monitor)
    scene.server.log.add(FOREIGN.issue("*.bank.example"), is_precertificate=True)
    scene.server.log.add(FOREIGN.issue(HOST))
    scene.server.log.publish()
    assert [("ct-foreign-ca", "critical")] * 2 == await scene.rules(monitor)
    said = [one["said"] for one in await scene.shown()]
    assert 2 == sum("was issued by a CA that no pin and no accepted path knows" in one for one in said)
    assert 2 == sum("by CN=Foreign CA" in one for one in said)


async def test_a_path_that_was_merely_validated_authorises_nobody(scene: Scene) -> None:
    """An attack that the monitor saw at the endpoint does not make its CA one of ours."""
    monitor = await scene.monitor()
    await scene.rules(monitor)
    (leased,) = await monitor.watch.schedule.lease(scene.clock())
    evil = FOREIGN.issue(HOST)
    seen = Sighting(
        first=scene.clock(), last=scene.clock(), presented=evil.chain,
        validated=(*evil.chain, FOREIGN.trust_anchor.certificate), outcome=Outcome.NO_MATCHING_PIN,
    )  # fmt: skip
    async with scene.database.writing() as connection:
        await Sightings(scene.database).add(connection, leased.id, seen)
    scene.server.log.add(evil)
    scene.server.log.publish()
    assert ("ct-foreign-ca", "critical") in await scene.rules(monitor)


async def test_a_denied_key_is_found(scene: Scene) -> None:
    """A certificate with a key that the policy denies is critical, whoever issued it."""
    stolen = CA.issue(HOST)
    scene.policy = policy_of(Pin.of(HELD.der), Pin.of(CA.certificate), more=f'denied-keys = ["{Pin.of(stolen.der)}"]\n')
    await scene.rules()
    scene.server.log.add(stolen)
    scene.server.log.add(CA.issue(HOST))
    scene.server.log.publish()
    assert [("ct-denied-key", "critical"), ("ct-pinned-key", "notice")] == await scene.rules()


async def test_a_pin_on_a_whole_certificate_waits_for_it(scene: Scene) -> None:
    """A precertificate cannot be held to a pin on the certificate; the certificate can, once it is logged."""
    scene.policy = policy_of(Pin.of(HELD.der, kind="certificate"), Pin.of(ROOT.twin().certificate))
    monitor = await scene.monitor()
    await scene.rules(monitor)
    scene.policy = policy_of(
        Pin.of(HELD.der, kind="certificate"),
        more=f'\n[hosts."other.example"]\npins = ["{Pin.of(CA.certificate)}"]\n', version=2,
    )  # fmt: skip
    scene.server.log.add(HELD, is_precertificate=True)
    scene.server.log.publish()
    assert [("ct-not-told-yet", "notice")] == await scene.rules()


async def test_it_goes_on_where_it_was(scene: Scene) -> None:
    """After a start nothing is read twice, and nothing that was logged meanwhile is missed."""
    await scene.rules()
    scene.server.log.add(FOREIGN.issue(HOST))
    scene.server.log.publish()
    assert [("ct-foreign-ca", "critical")] == await scene.rules()
    scene.server.log.add(FOREIGN.issue(HOST))
    scene.server.log.publish()
    scene.server.asked.clear()
    assert [("ct-foreign-ca", "critical")] * 2 == await scene.rules()
    read = [path for path in scene.server.asked if "entries" in path]
    assert ([] if scene.is_tiled else ["/ct/v1/get-entries?start=2&end=2"]) == read


async def test_the_figures_of_a_log_are_counted(scene: Scene) -> None:
    """Each followed log has its size, what waits to be read, when it last proved what it says, and what it has of us."""
    monitor = await scene.monitor()
    log = monitor.settings.transparency.logs[0]
    labels = f'{{id="{log.id.hex()[:16]}",log="{log.name}"}}'
    assert [f"pinscher_log_certificates{labels} 0.0"] == await _log_figures(monitor)
    await monitor.follow_logs()
    scene.server.log.add(FOREIGN.issue(HOST))
    scene.server.log.publish()
    scene.clock.at += HOUR
    await monitor.follow_logs()
    last = scene.clock.at.replace(microsecond=scene.clock.at.microsecond // 1000 * 1000)
    expected = [
        f"pinscher_log_certificates{labels} 1.0", f"pinscher_log_checked_timestamp_seconds{labels} {last.timestamp()!r}",
        f"pinscher_log_entries{labels} 2.0", f"pinscher_log_unread{labels} 0.0",
    ]  # fmt: skip
    assert expected == await _log_figures(monitor)
    scene.server.log.add(CA.issue("shop.example"))
    scene.server.log.publish()
    scene.server.instead = {"/tile/data": [b"\x00"], "/ct/v1/get-entries": [b"{}"]}
    scene.clock.at += HOUR
    await monitor.follow_logs()
    assert [
        *expected[:2],
        f"pinscher_log_entries{labels} 3.0",
        f"pinscher_log_unread{labels} 1.0",
    ] == await _log_figures(monitor)


async def _log_figures(monitor: Monitor) -> list[str]:
    """Return the lines of a scrape that are about logs, the time written in full."""
    families = text_string_to_metric_families((await metrics(monitor)).decode())
    return sorted(
        f"{sample.name}{{"
        + ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
        + f"}} {sample.value!r}"
        for family in families
        for sample in family.samples
        if sample.name.startswith("pinscher_log_")
    )


async def test_of_two_that_follow_one_writes(scene: Scene) -> None:
    """Two processes with one database find everything once."""
    monitors = [await scene.monitor(), await scene.monitor()]
    await scene.rules(monitors[0])
    for _ in range(3):
        scene.server.log.add(FOREIGN.issue(HOST))
        scene.server.log.publish()
        await asyncio.gather(*(monitor.transparency.turn(scene.policy) for monitor in monitors))
    assert 3 == len(await Memory(scene.database).certificates(scene.clock()))


async def test_the_time_of_trouble_is_told(scene: Scene) -> None:
    """A log that does not answer is waited for an hour; one that signs wrongly is critical at once; both close."""
    monitor = await scene.monitor()
    await scene.rules(monitor)
    scene.server.instead = {"/": 503}
    assert [] == await scene.rules(monitor)
    scene.clock.at += 2 * HOUR
    assert [("ct-log-unreachable", "warning")] == await scene.rules(monitor)
    scene.server.instead = {}
    key, scene.server.log.key = scene.server.log.key, SigningKey.kept("p256", "intruder")
    intruder, scene.server.log.key = (scene.server.log.checkpoint(), scene.server.log.sth()), key
    scene.server.instead = {"/checkpoint": intruder[:1], "/ct/v1/get-sth": intruder[1:]}
    assert [("ct-log-unsigned", "critical")] == await scene.rules(monitor)
    scene.server.instead = {}
    assert [] == await scene.rules(monitor)


async def test_a_fork_stays_said(scene: Scene) -> None:
    """A log that showed two trees is not forgiven for showing the first one again."""
    monitor = await scene.monitor()
    scene.server.log.add(CA.issue("one.example"))
    scene.server.log.publish()
    await scene.rules(monitor)
    honest, other = scene.server.log, scene.server.log.forked(1)
    other.add(CA.issue("two.example"))
    other.publish()
    scene.server.log = other
    assert [("ct-log-forked", "critical")] == await scene.rules(monitor)
    scene.server.log = honest
    assert [("ct-log-forked", "critical")] == await scene.rules()


async def test_a_log_that_never_answered_is_told(scene: Scene) -> None:
    """A trouble of a log of which nothing is known yet is told as any other, and it is followed when it answers."""
    scene.server.instead = {"/": 500}
    await scene.rules()
    scene.clock.at += 2 * HOUR
    assert [("ct-log-unreachable", "warning")] == await scene.rules()
    scene.server.instead = {}
    assert [] == await scene.rules()


async def test_damage_and_rollback_grow_old(scene: Scene) -> None:
    """An older head is a warning; entries that the head does not sign are one too, and critical after an hour."""
    monitor = await scene.monitor()
    await scene.rules(monitor)
    honest, older = scene.server.log, scene.server.log.forked(0)
    older.publish(at=honest.at - HOUR)
    scene.server.log = older
    assert [("ct-log-behind", "warning")] == await scene.rules(monitor)
    scene.server.log = honest
    honest.add(HELD)
    honest.publish()
    scene.server.instead = {"/tile/data": [b"\x00"], "/ct/v1/get-entries": [b"{}"]}
    assert [("ct-log-damaged", "warning")] == await scene.rules(monitor)
    scene.clock.at += 2 * HOUR
    assert [("ct-log-damaged", "critical")] == await scene.rules(monitor)


async def test_what_cannot_be_read_is_told_for_four_weeks(scene: Scene) -> None:
    """An entry that names a host and is no certificate is a warning, and so are leaves that are no entries."""
    monitor = await scene.monitor()
    await scene.rules(monitor)
    scene.server.log.add_entry(b"0\x03" + HOST.encode())
    expected = [("ct-unreadable", "warning")]
    if not scene.is_tiled:
        scene.server.log.add_raw(b"\x00\x07" + HOST.encode())
        expected.insert(0, ("ct-log-malformed", "warning"))
    scene.server.log.publish()
    assert expected == await scene.rules(monitor)
    scene.clock.at += 29 * DAY
    assert "ct-unreadable" not in [rule for rule, _ in await scene.rules(monitor)]
    scene.clock.at += 90 * DAY
    await monitor.tidy()
    assert [] == await Memory(scene.database).certificates(scene.clock())


async def test_a_report_only_host_is_told_as_such(scene: Scene) -> None:
    """Where clients only report, that is what the finding says; names beyond three are counted."""
    scene.policy = policy_of(
        Pin.of(HELD.der), host="**.bank.example", more='mode = "report-only"\nreport-only-since = 2026-11-01\n'
    )
    monitor = await scene.monitor()
    await scene.rules(monitor)
    scene.server.log.add(FOREIGN.issue(*[f"h{number}.bank.example" for number in range(5)]))
    scene.server.log.publish()
    assert [("ct-foreign-ca", "critical")] == await scene.rules(monitor)
    (shown,) = await scene.shown()
    assert "h0.bank.example, h1.bank.example, h2.bank.example and 2 more" in shown["said"]
    assert "clients report it" in shown["said"]
