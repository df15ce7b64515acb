"""
No alarm is silent: each is an event for the callback, a record in the log and a report that is stored.

The table of ``docs/reference/updates.md`` names them; a forked log shows in a heartbeat's head as well.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "reports"))

from collecting import Collector

from pinscher.keeper import Reporting
from pinscher.lab.server import TlsServer
from pinscher.reports import Heartbeat, ViolationReport, read_heartbeat, read_report
from pinscher.store import KeptKey, KeyFile, SealedStore
from pinscher.updates import Event, EventKind, SealedBundleStore
from pinscher.updates.repository import override, start_log

from .conftest import HOST, real

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pinscher

    from .conftest import World


class Scene:
    """A keeper whose policy reports to a collector, and what came of it in each of the four places."""

    def __init__(self, world: World, collector: Collector, port: int) -> None:
        self.world, self.collector, self.port = world, collector, port
        self.moved = timedelta()
        self.handed_on: list[Any] = []

    def now(self) -> datetime:
        """Return the time, moved."""
        return real() + self.moved

    def publish(self, version: int, *names: str, more: str = "") -> None:
        """Publish a policy that reports."""
        self.world.publish(version, *names, more=more + self.world.channel(self.port))

    def keeper(self, **settings: Any) -> pinscher.Keeper:
        """Return a keeper that has accepted version 2."""
        kept = self.world.keeper(
            reporting=Reporting(trust=self.world.root.pem), report=self.handed_on.append, now=self.now, **settings
        )
        return kept.start()

    def asked(self, keeper: pinscher.Keeper) -> bool:
        """Have the repository asked once more, and tell whether it answered."""
        return asyncio.run(keeper.refreshed(20))

    def reports(self) -> list[ViolationReport]:
        """Return what the collector stored."""
        return [read_report(body) for target, body in list(self.collector.stored.values()) if target == "/v1/reports"]

    def heartbeats(self) -> list[Heartbeat]:
        """Return the heartbeats that the collector stored."""
        stored = list(self.collector.stored.values())
        return [read_heartbeat(body) for target, body in stored if target == "/v1/heartbeats"]

    def report_of(self, kind: EventKind) -> ViolationReport:
        """Wait for the report of an alarm, and return it."""
        with self.collector.changed:
            assert self.collector.changed.wait_for(lambda: self._found(kind), 20), self.reports()
        return self._found(kind)[0]

    def _found(self, kind: EventKind) -> list[ViolationReport]:
        return [one for one in self.reports() if one.judged is not None and one.judged.alarm == kind.value]


@pytest.fixture
def scene(world: World) -> Iterator[Scene]:
    """Return a scene in which version 2 reports."""
    collector = Collector()
    with TlsServer(world.collecting, protocol=collector) as server:
        made = Scene(world, collector, server.port)
        made.publish(2, "a")
        yield made


def unreachable(scene: Scene) -> None:
    """Have the repository fail."""
    keeper = scene.keeper()
    scene.world.repository.answers["/metadata/timestamp.json"] = 500
    assert not scene.asked(keeper)


def refused(scene: Scene) -> None:
    """Have the repository offer what is no metadata."""
    keeper = scene.keeper()
    scene.world.repository.answers["/metadata/timestamp.json"] = b"nonsense"
    assert not scene.asked(keeper)


def lapsed(scene: Scene) -> None:
    """Have nobody renew what proves that the policy is the newest."""
    keeper = scene.keeper()
    scene.moved = timedelta(days=3)
    assert not scene.asked(keeper)


def clock(scene: Scene) -> None:
    """Set the clock back behind an update that was accepted."""
    keeper = scene.keeper()
    scene.moved = -timedelta(hours=2)
    assert scene.asked(keeper)


def sealed(scene: Scene) -> SealedStore:
    """Return a sealed store."""
    place = scene.world.folder / "sealed"
    return SealedStore.open(place, KeptKey(KeyFile(scene.world.folder / "key")))


def broken_at_a_start(scene: Scene) -> None:
    """Change an octet of a sealed store while the program does not run."""
    store = scene.world.stack.enter_context(sealed(scene))
    scene.keeper(store=SealedBundleStore(store)).close()
    flip(scene)
    scene.keeper(store=SealedBundleStore(store), embedded=scene.world.policy(1, "a"))


def broken_while_it_runs(scene: Scene) -> None:
    """Change an octet of a sealed store while the program runs."""
    store = scene.world.stack.enter_context(sealed(scene))
    keeper = scene.keeper(store=SealedBundleStore(store))
    assert {} == keeper.reports.failures
    flip(scene)
    assert scene.asked(keeper)


def flip(scene: Scene) -> None:
    """Change an octet of a sealed store."""
    index = scene.world.folder / "sealed" / "index"
    content = bytearray(index.read_bytes())
    content[-1] ^= 1
    index.write_bytes(content)


def expired(scene: Scene) -> None:
    """Have pins in force that are past their time."""
    keeper = scene.keeper()
    scene.publish(3, "a", more="expires = 2026-01-01T00:00:00Z\n")
    assert scene.asked(keeper)


def emergency(scene: Scene) -> None:
    """Have a connection let through by an emergency policy."""
    keeper = scene.keeper()
    world = scene.world
    override(
        world.publisher.repository, [HOST], [world.pin("b")],
        ends=(real() + timedelta(hours=1)).replace(microsecond=0), current=keeper.policy, at=real(),
    )  # fmt: skip
    world.publisher.signed_by("alice", "bob")
    world.bank.show(world.keys["b"])
    assert "override" == world.talk(keeper).policy.name


def fork(scene: Scene) -> None:
    """Have the log tell another story than the one that was seen."""
    world = scene.world
    verifier = start_log(world.publisher.repository, "pins.bank.test/log")
    scene.publish(3, "a")
    shutil.copytree(world.publisher.folder, world.folder / "thief")
    scene.publish(4, "a")
    keeper = scene.keeper(log=str(verifier))
    thief = type(world.publisher).__new__(type(world.publisher))
    thief.__dict__.update(vars(world.publisher))
    thief.folder = world.folder / "thief"
    thief.repository = type(world.publisher.repository)(thief.folder / "repository")
    for version in (5, 6, 7):
        thief.publish(world.policy(version, "c", more=world.channel(scene.port)))
    world.repository.folder = thief.repository.public
    assert not scene.asked(keeper)
    fresh = scene.keeper(log=str(verifier), store=world.folder / "fresh")
    heads = {keeper.state.log_head, fresh.state.log_head}
    fresh.reports.begin().beat_soon()  # type: ignore[union-attr]
    assert 2 == len(heads)
    with scene.collector.changed:
        changed = scene.collector.changed
        assert changed.wait_for(lambda: heads <= {beat.log_head for beat in scene.heartbeats()}, 20), heads


ALARMS: dict[str, tuple[Callable[[Scene], None], EventKind, str, str, str]] = {
    "the repository fails": (unreachable, EventKind.UNREACHABLE, "127.0.0.1", "RepositoryUnreachableError", "500"),
    "an update is refused": (refused, EventKind.REFUSED, "127.0.0.1", "UnreadableMetadataError", "timestamp"),
    "a proof has lapsed": (lapsed, EventKind.LAPSED, "127.0.0.1", "FreezeError", "timestamp"),
    "the clock is behind": (clock, EventKind.CLOCK, "", "", "an update was accepted at"),
    "the seal is broken at a start": (broken_at_a_start, EventKind.STORE, "", "SealBrokenError", ""),
    "the seal is broken later": (broken_while_it_runs, EventKind.STORE, "", "SealBrokenError", ""),
    "pins have expired": (expired, EventKind.EXPIRED, "", "", HOST),
    "an emergency policy is offered": (emergency, EventKind.OVERRIDE, "", "", HOST),
    "an emergency policy is used": (emergency, EventKind.OVERRIDE_USED, HOST, "", "let through"),
    "the log has forked": (fork, EventKind.FORKED, "127.0.0.1", "ForkError", "the log has forked"),
}
"""What raises each alarm, its event, and the host, the error and a word of its report."""


@pytest.mark.parametrize(("play", "kind", "host", "error", "word"), ALARMS.values(), ids=ALARMS)
def test_no_alarm_is_silent(
    scene: Scene, caplog: pytest.LogCaptureFixture,
    play: Callable[[Scene], None], kind: EventKind, host: str, error: str, word: str,
) -> None:  # fmt: skip
    """An alarm reaches the callback, the log, the application's own report and the collector."""
    play(scene)
    told = scene.report_of(kind)
    assert kind in {event.kind for event in scene.world.events}
    assert kind in {one.kind for one in scene.handed_on if isinstance(one, Event)}
    records = [one for one in caplog.records if one.getMessage().startswith(f"{kind.value}: ")]
    assert {"WARNING"} == {one.levelname for one in records}
    assert {one.name for one in records} <= {"pinscher.updates", "pinscher.keeper"}
    assert told.judged is not None
    assert (host, error) == (told.host, told.judged.error)
    assert word in told.judged.said
    assert bool(word) is bool(told.judged.said)
    assert str(scene.world.folder) not in str(told)


def test_every_alarm_has_its_test() -> None:
    """Each event that is an alarm is raised above."""
    assert {kind for kind in EventKind if kind.is_alarm} == {kind for _, kind, *_ in ALARMS.values()}


def test_an_emergency_policy_shows_in_the_reports(scene: Scene) -> None:
    """What an emergency policy let through is told to the channels of its host, and says what was tried."""
    emergency(scene)
    scene.report_of(EventKind.OVERRIDE_USED)
    with scene.collector.changed:
        told = scene.collector.changed.wait_for(
            lambda: [one for one in scene.reports() if one.host == HOST and one.served + one.validated], 20
        )
    judged = [one.judged for one in told if one.judged is not None]
    assert ["override"] == [one.policy for one in judged]
    assert judged[0].steps[-1].startswith("override: version 1 is used, for policy 'bank' version 2")
