"""What a keeper tells the channels of its policy; the rules are those at the top of ``keeper/reporting.py``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import sys
import threading
import time
import warnings
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "reports"))

from collecting import Collector

import pinscher
from pinscher.keeper import Reporting
from pinscher.keeper.reporting import _in_child
from pinscher.lab.authority import Authority
from pinscher.lab.protocols.http import response
from pinscher.lab.server import TlsServer
from pinscher.reports import FolderVault, Kind, Spool, read_heartbeat, read_report
from pinscher.store import KeptKey, KeyFile, SealedStore
from pinscher.updates import EventKind, SealedBundleStore
from pinscher.updates.repository import start_log

from .conftest import HOST, real
from .serving import Front, Served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.lab.conversation import Conversation

    from .conftest import World


@pytest.fixture
def collector() -> Collector:
    """A collector that stores everything."""
    return Collector()


@pytest.fixture
def server(world: World, collector: Collector) -> Iterator[TlsServer]:
    """The collector's server."""
    with TlsServer(world.collecting, protocol=collector) as running:
        yield running


def reporting(world: World, **more: Any) -> Reporting:
    """Return how the tests' channels are served: quickly."""
    return Reporting(**{"trust": world.root.pem, "heartbeat": 3600.0} | more)


def refuse(world: World, keeper: pinscher.Keeper) -> pinscher.Verdict:
    """Show the bank's clients a key that no pin names, and return the verdict that refuses it."""
    world.bank.show(world.keys["c"])
    with pytest.raises(pinscher.PinMismatchError) as caught:
        world.talk(keeper)
    return caught.value.verdict


def test_a_keeper_tells_the_real_collector(world: World) -> None:
    """Refusals, what healed, alarms and counts reach the collector of ``pinscher serve``, with the log's head."""
    world.name = "told"
    verifier = start_log(world.publisher.repository, "pins.bank.test/log")
    served = Served(world.folder / "monitor")
    world.stack.callback(served.close)
    front = Front(served.port)
    channel = world.stack.enter_context(TlsServer(world.collecting, protocol=front))
    world.publish(2, "a", more=world.channel(channel.port))
    told = reporting(world, tokens={"main": served.token})
    with world.keeper(reporting=told, log=str(verifier)) as keeper:
        world.talk(keeper)
        refused = refuse(world, keeper)
        world.repository.answers["/metadata/timestamp.json"] = 500
        assert not asyncio.run(keeper.refreshed())
        front.wait(lambda one: len(one.reports) >= 2)
        del world.repository.answers["/metadata/timestamp.json"]
        world.publish(3, "c", more=world.channel(channel.port))
        healed = world.talk(keeper)
        head = keeper.state.log_head
    reports = {(one.judged.outcome or one.judged.alarm): one for one in front.reports if one.judged}
    assert {"no-matching-pin", "unreachable", "match"} == set(reports)
    mismatch, alarm, mended = (reports[name] for name in ("no-matching-pin", "unreachable", "match"))
    assert mismatch.judged is not None
    assert mended.judged is not None
    assert alarm.judged is not None
    assert (HOST, refused.id, 2) == (mismatch.host, mismatch.judged.verdict, mismatch.judged.version)
    assert (healed.steps, 3) == (mended.judged.steps, mended.judged.version)
    assert ("127.0.0.1", "RepositoryUnreachableError") == (alarm.host, alarm.judged.error)
    last = front.heartbeats[-1]
    assert (head, 3) == (last.log_head, last.version)
    assert head is not None
    counted = sorted(
        (one.host, one.outcome, one.version, one.times) for beat in front.heartbeats for one in beat.counts
    )
    assert [(HOST, "match", 2, 1), (HOST, "match", 3, 1), (HOST, "no-matching-pin", 2, 1)] == counted
    assert ["bank-app"] == [one["application"] for one in served.asked("/api/clients")["clients"]]
    assert len(front.reports) == served.acknowledged_reports


def test_nothing_is_begun_without_a_channel(world: World) -> None:
    """A policy without a channel has no thread begun, no folder made and nothing told."""
    before = set(threading.enumerate())
    with world.keeper() as keeper:
        refuse(world, keeper)
        fresh = {thread.name for thread in threading.enumerate() if thread not in before}
        assert [] == [name for name in fresh if "reports" in name]
        assert {} == keeper.reports.failures
    assert [] == list((world.folder / "store").glob("reports*"))


def test_a_channel_that_comes_with_a_policy_is_served(world: World, server: TlsServer, collector: Collector) -> None:
    """The first policy that names a channel begins to tell it, a later one that names none ends that."""
    keeper = world.keeper(reporting=reporting(world))
    keeper.start()
    refuse(world, keeper)
    world.publish(2, "a", more=world.channel(server.port))
    keeper.updater.refresh()
    refuse(world, keeper)
    collector.wait(1)
    world.publish(3, "b")
    keeper.updater.refresh()
    refuse(world, keeper)
    keeper.close()
    reports = [read_report(body) for target, body in collector.stored.values() if target == "/v1/reports"]
    assert [2] == [one.judged.version for one in reports if one.judged]


def test_a_channel_has_its_own_pins(world: World) -> None:
    """A collector with a key that the channel does not name is told nothing, however valid its certificate is."""
    collector = Collector()
    with TlsServer(world.root.issue("localhost"), protocol=collector) as intercepting:
        world.publish(2, "a", more=world.channel(intercepting.port))
        with world.keeper(reporting=reporting(world)) as keeper:
            refuse(world, keeper)
            keeper.close()
            intercepting.wait_idle()
        assert (0, {}) == (intercepting.application_bytes, collector.stored)
    left = FolderVault(world.folder / "store" / "reports-0")
    assert {Kind.REPORT, Kind.HEARTBEAT} == {item.kind for item in Spool(left).items()}
    left.close()


def test_a_channel_without_pins_is_verified(world: World) -> None:
    """A channel without pins of its own is verified as any server is, and one that nobody vouches for gets nothing."""
    told: list[int] = []
    for held in (world.collecting, Authority.root("Other").issue("localhost")):
        collector = Collector()
        with TlsServer(held, protocol=collector) as server:
            more = world.channel(server.port)
            world.publish(2 + len(told), "a", more=more[: more.rindex("pins = ")])
            store = world.folder / f"store{len(told)}"
            with world.keeper(reporting=reporting(world), store=store) as keeper:
                refuse(world, keeper)
        told.append(len([target for target, _ in collector.stored.values() if target == "/v1/reports"]))
    assert [1, 0] == told


def test_trust_that_cannot_be_read_is_told(world: World, server: TlsServer) -> None:
    """Trust anchors that are none refuse the channel and no connection, and the keeper says why."""
    world.publish(2, "a", more=world.channel(server.port))
    with world.keeper(reporting=Reporting(trust="/nowhere/at/all")) as keeper:
        world.talk(keeper)
        refuse(world, keeper)
    assert () == server.evidence.connections


def test_a_collector_that_hangs_delays_nothing(world: World) -> None:
    """A collector that never answers delays no connection, and no end beyond its seconds; the report waits."""
    gone = threading.Event()

    def hanging(conversation: Conversation) -> None:
        conversation.secure()
        gone.wait(120)

    with TlsServer(world.collecting, protocol=hanging) as server:
        world.publish(2, "a", more=world.channel(server.port).replace('["refresh", "override"]', '["abort"]'))
        keeper = world.keeper(reporting=reporting(world))
        keeper.start()
        began = time.monotonic()
        for _ in range(20):
            refuse(world, keeper)
        assert time.monotonic() - began < 15
        before = time.monotonic()
        keeper.close(0.5)
        assert time.monotonic() - before < 15
        gone.set()
    vault = world.folder / "store" / "reports-0"
    assert [Kind.REPORT] == [Kind.REPORT for name in os.listdir(vault) if ".reports." in name]


def test_what_waited_is_told_by_the_next_start(world: World, server: TlsServer, collector: Collector) -> None:
    """What a keeper could not deliver is delivered by the next one, under the same key."""
    collector.answer = lambda _: response(503, b"")
    world.publish(2, "a", more=world.channel(server.port))
    with world.keeper(reporting=reporting(world)) as keeper:
        refuse(world, keeper)
    assert {} == collector.stored
    asked = {one.fields["idempotency-key"] for one in collector.requests}
    collector.answer = lambda _: None
    with world.keeper(reporting=reporting(world)):
        collector.wait(2)
    assert asked <= set(collector.stored)


def test_processes_on_one_store_do_not_meet(world: World, server: TlsServer, collector: Collector) -> None:
    """Keepers on one store have a spool each; what one left behind goes along with the next that starts."""
    world.publish(2, "a", more=world.channel(server.port))
    collector.answer = lambda _: response(503, b"")
    first, second = (world.keeper(reporting=reporting(world)) for _ in range(2))
    for keeper in (first, second):
        keeper.start()
        refuse(world, keeper)
        world.bank.show(world.keys["a"])
    for keeper in (first, second):
        keeper.close()
    folders = sorted(path.name for path in (world.folder / "store").glob("reports-*"))
    assert ["reports-0", "reports-1"] == folders
    assert {0o700} == {stat.S_IMODE((world.folder / "store" / name).stat().st_mode) for name in folders}
    collector.answer = lambda _: None
    with world.keeper(reporting=reporting(world)):
        collector.wait(4)
    reports = [target for target, _ in collector.stored.values() if target == "/v1/reports"]
    assert 2 == len(reports)


def test_the_spool_is_sealed_with_the_store(world: World, server: TlsServer, collector: Collector) -> None:
    """With a sealed store the reports wait in it, and nothing of them can be read on the disk."""
    collector.answer = lambda _: response(503, b"")
    world.publish(2, "a", more=world.channel(server.port))
    place, key = world.folder / "sealed", KeptKey(KeyFile(world.folder / "key"))
    with SealedStore.open(place, key) as store:
        with world.keeper(reporting=reporting(world), store=SealedBundleStore(store)) as keeper:
            refuse(world, keeper)
        names = [name for name in store.names() if ".reports." in name]
        assert [True] == [name.startswith("reports-0.spool.") for name in names]
        content = store.read(names[0])
        assert content is not None
        assert HOST == read_report(content).host
        written = b"".join(
            path.read_bytes() for path in world.folder.rglob("*") if path.is_file() and "seal" in str(path)
        )
        assert b"hostname" not in written
        collector.answer = lambda _: None
        with world.keeper(reporting=reporting(world), store=SealedBundleStore(store)):
            collector.wait(2)
    assert "/v1/reports" in {target for target, _ in collector.stored.values()}


@pytest.mark.parametrize("store", [None, "file"])
def test_without_a_disk_reports_wait_in_memory(
    world: World, server: TlsServer, collector: Collector, caplog: pytest.LogCaptureFixture, store: str | None
) -> None:
    """Where no spool can be made, or the store has no place for one, reports are told from memory."""
    world.publish(2, "a", more=world.channel(server.port))
    settings: dict[str, Any] = {}
    if store is None:
        settings["store"] = Forgetful()
    else:
        (world.folder / "file").write_bytes(b"")
        settings["reporting"] = reporting(world, spool=world.folder / "file" / "reports")
    with caplog.at_level("INFO"), world.keeper(**{"reporting": reporting(world)} | settings) as keeper:
        refuse(world, keeper)
        collector.wait(1)
    assert "reports wait in memory" in caplog.text


def test_more_processes_than_places(
    world: World, server: TlsServer, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every place beside a store is taken, reports wait in memory."""
    monkeypatch.setattr("pinscher.keeper.spooling.MOST_PROCESSES", 1)
    world.publish(2, "a", more=world.channel(server.port))
    first, second = (world.keeper(reporting=reporting(world)) for _ in range(2))
    for keeper in (first, second):
        keeper.start()
        assert {} == keeper.reports.failures
    refuse(world, second)
    collector.wait(1)
    assert ["reports-0"] == [path.name for path in (world.folder / "store").glob("reports-*")]


def test_a_channel_that_is_gone_is_told_nothing(world: World, server: TlsServer, collector: Collector) -> None:
    """What waits for a channel that the policy in force does not name any more stays where it is, and why is known."""
    world.publish(2, "a", more=world.channel(server.port, name="old"))
    collector.answer = lambda _: response(503, b"")
    with world.keeper(reporting=reporting(world)) as keeper:
        refuse(world, keeper)
    asked = len(collector.requests)
    world.bank.show(world.keys["a"])
    world.publish(3, "a", more=world.channel(server.port))
    with world.keeper(reporting=reporting(world)) as keeper:
        assert asyncio.run(keeper.refreshed(20))
        refuse(world, keeper)
        keeper.close()
    assert {"old", "main"} == {
        name.rpartition(".")[2]
        for name in os.listdir(world.folder / "store" / "reports-0")
        if name.startswith("spool.")
    }
    assert asked < len(collector.requests)


def test_a_child_forgets_what_is_its_parents(world: World, server: TlsServer, collector: Collector) -> None:
    """What was begun is left to the parent, and a place is taken anew for the first thing that there is to tell."""
    world.publish(2, "a", more=world.channel(server.port).replace('["refresh", "override"]', '["abort"]'))
    keeper = world.keeper(reporting=reporting(world))
    keeper.updater.refresh()
    parents = keeper.reports.begin()
    assert parents is not None
    assert () == parents.spool.items()
    _in_child()
    refuse(world, keeper)
    collector.wait(1)
    assert parents is not keeper.reports.begin()
    assert parents.stop(10)


def test_a_mismatch_tells_that_pins_have_expired(world: World) -> None:
    """A mismatch on a host whose pins are past their time raises that alarm too, before any refresh does."""
    past = 'on-mismatch = ["abort"]\nexpires = 2026-01-01T00:00:00Z'
    world.publish(2, "a", more=past)
    moment = [real() - timedelta(days=3650)]
    keeper = world.keeper(now=lambda: moment[0], embedded=world.policy(2, "a", more=past))
    moment[0] = real()
    refuse(world, keeper)
    assert [EventKind.EXPIRED] == [event.kind for event in world.events]


class Forgetful:
    """A store of an application's own that keeps nothing."""

    def load(self) -> dict[str, bytes]:
        """Return nothing."""
        return {}

    def save(self, files: Any) -> None:
        """Forget the files."""

    def exclusive(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Keep nobody out."""
        assert seconds > 0
        return contextlib.nullcontext()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_tells_for_itself(world: World, server: TlsServer, collector: Collector) -> None:
    """A child of a fork takes a spool of its own, tells its refusals, and counts none of its parent's."""
    world.name = "forked"
    world.publish(2, "a", more=world.channel(server.port).replace('["refresh", "override"]', '["abort"]'))
    keeper = world.keeper(reporting=reporting(world))
    keeper.updater.refresh()
    refuse(world, keeper)
    collector.wait(1)
    keeper.close()
    keeper.reports.resume()
    assert {} == keeper.reports.failures
    world.bank.show(world.keys["b"])
    with warnings.catch_warnings():
        # That threads do not come along is what is tried here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            with socket.create_connection(world.bank.address, timeout=10) as plain:
                with contextlib.suppress(pinscher.PinMismatchError):
                    keeper.context.wrap_socket(plain, server_hostname=HOST)
            keeper.reports.stop(10.0)
            code = 0
        os._exit(code)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    beats = [read_heartbeat(body) for target, body in collector.stored.values() if target == "/v1/heartbeats"]
    leaves = {read_report(body).validated[0] for target, body in collector.stored.values() if target == "/v1/reports"}
    assert {world.keys["c"].der, world.keys["b"].der} == leaves
    assert [1] == [count.times for count in beats[-1].counts]
    assert 2 == len({beat.install for beat in beats})
