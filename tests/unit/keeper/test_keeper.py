"""What a keeper does for its context."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import threading
import time
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.keeper.healer import Doctor
from pinscher.updates import Event, EventKind, Intervals, RepositoryUnreachableError
from pinscher.updates.repository import override

from .conftest import HOST, real

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import World

SLOW = Intervals(least=timedelta(seconds=30))


def refused(world: World, keeper: pinscher.Keeper) -> pinscher.Verdict:
    """Talk to the bank, and return the verdict that refused."""
    with pytest.raises(pinscher.PinMismatchError) as caught:
        world.talk(keeper)
    return caught.value.verdict


def test_a_keeper_follows_and_its_context_with_it(world: World) -> None:
    """A keeper that is started has the newest policy in force in its context, and hears nothing of what matches."""
    with world.keeper() as keeper:
        assert pinscher.Outcome.MATCH is world.talk(keeper).outcome
        assert (1, 1) == (keeper.policy.version, keeper.state.floor.policy)
    assert [] == world.reported


def test_before_the_first_policy_everything_is_refused(world: World) -> None:
    """Without a policy a keeper's context lets nothing through, and a start that can get none says why."""
    keeper = world.keeper()
    assert pinscher.Outcome.UNLISTED_HOST is refused(world, keeper).outcome
    world.repository.answers["/metadata/timestamp.json"] = 500
    with pytest.raises(RepositoryUnreachableError):
        keeper.start()


def test_a_restart_needs_no_network(world: World) -> None:
    """A keeper has what was accepted before, or what is embedded, without asking anybody."""
    with world.keeper():
        pass
    asked = world.asked()
    assert pinscher.Outcome.MATCH is world.talk(world.keeper()).outcome
    embedded = world.keeper(store=world.folder / "other", embedded=world.policy(1, "a"))
    assert pinscher.Outcome.MATCH is world.talk(embedded).outcome
    assert asked == world.asked()


def test_a_mismatch_fetches_what_mends_it(world: World) -> None:
    """A connection with an unannounced key is let through by the policy that its mismatch fetched."""
    keeper = world.keeper()
    keeper.updater.refresh()
    world.bank.show(world.keys["b"])
    world.publish(2, "b")
    verdict = world.talk(keeper)
    assert (2, 1) == (verdict.policy.version, len(verdict.steps))
    assert verdict.steps[0].startswith("refresh: version 2, after ")
    assert [verdict] == world.reported


def test_asyncio_heals_the_next_time(world: World) -> None:
    """An asyncio client is refused once, waits for what was asked, and gets through the next time."""

    async def connect(keeper: pinscher.Keeper) -> None:
        """Connect once."""
        _, writer = await asyncio.open_connection(*world.bank.address, ssl=keeper.context, server_hostname=HOST)
        writer.close()
        await writer.wait_closed()

    async def play() -> pinscher.Verdict:
        """Rotate without notice, and connect until it heals."""
        async with world.keeper() as keeper:
            await connect(keeper)
            world.bank.show(world.keys["b"])
            world.publish(2, "b")
            with pytest.raises(pinscher.PinMismatchError) as caught:
                await connect(keeper)
            assert await keeper.refreshed()
            await connect(keeper)
            return caught.value.verdict

    steps = asyncio.run(play()).steps
    assert "refresh: asked in the background, this connection does not wait" == steps[0]


def test_an_attacker_cannot_turn_a_keeper_against_its_repository(world: World) -> None:
    """A hundred mismatches within the minimum interval ask the repository once, and are refused at once."""
    keeper = world.keeper(intervals=SLOW)
    keeper.start()
    world.bank.show(world.keys["b"])
    found = [refused(world, keeper).steps[0] for _ in range(100)]
    assert [] == [step for step in found if not re.match(r"refresh: not asked, \d+ s of the minimum interval", step)]
    assert 1 == world.asked()


def test_the_same_mismatch_waits_longer_each_time(world: World) -> None:
    """A mismatch that a refresh did not mend provokes the next one later and later; a new policy forgets that."""
    keeper = world.keeper(intervals=Intervals(least=timedelta()), most_patience=60.0)
    keeper.updater.refresh()
    world.bank.show(world.keys["b"])
    doctor = keeper._doctor
    doctor._least = 16.0
    assert refused(world, keeper).steps[0].startswith("refresh: nothing newer, after ")
    assert refused(world, keeper).steps[0].startswith("refresh: not asked again, for it did not help before; the next")
    world.publish(2, "b")
    keeper.updater.refresh()
    assert 2 == world.talk(keeper).policy.version


def test_the_first_minute_of_a_mismatch_is_prompt(world: World) -> None:
    """For a minute the same mismatch provokes again after the same five seconds, from then on after twice the time."""
    keeper = world.keeper(intervals=Intervals(least=timedelta()))
    keeper.updater.refresh()
    world.bank.show(world.keys["b"])
    verdict, now = refused(world, keeper), [1000.0]
    doctor = Doctor(keeper.updater, least=5.0, most=60.0, clock=lambda: now[0])
    pauses = []
    for _ in range(18):
        assert doctor.refresh(verdict, 4.0).startswith("nothing newer")
        found = re.fullmatch(r"not asked again, .*; the next time in (\d+) s", doctor.refresh(verdict, 4.0))
        assert found is not None
        pauses.append(int(found[1]))
        now[0] += pauses[-1]
    assert [5] * 13 + [10, 20, 40, 60, 60] == pauses


def test_who_asked_meanwhile_has_asked_for_all(world: World) -> None:
    """A mismatch needs no refresh of its own where another was begun after it: nobody waits for the interval again."""
    keeper = world.keeper(intervals=SLOW)
    keeper.updater.refresh()
    asked = keeper.updater.attempts
    assert keeper._doctor.ask(1.0, before=asked - 1) is None
    answer = keeper._doctor.ask(1.0, before=asked)
    assert answer is not None
    assert answer.startswith("not asked, ")
    assert 1 == world.asked()


def test_an_emergency_policy_is_used_and_the_alarm_rises(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """An emergency policy lets its host through until it ends; event, log and report say so, once each."""
    keeper = world.keeper()
    keeper.updater.refresh()
    world.bank.show(world.keys["b"])
    assert "override: none is in force for this host" == refused(world, keeper).steps[1]
    override(
        world.publisher.repository, [HOST], [pinscher.Pin.of(world.keys["b"].der)],
        ends=(real() + timedelta(hours=1)).replace(microsecond=0), current=keeper.policy, at=real(),
    )  # fmt: skip
    world.publisher.signed_by("alice", "bob")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            verdict = world.talk(keeper)
            assert ("override", 1) == (verdict.policy.name, verdict.policy.version)
            assert verdict.steps[-1].startswith("override: version 1 is used, for policy 'bank' version 1")
    kinds = [event.kind for event in world.events]
    assert 1 == kinds.count(EventKind.OVERRIDE_USED) == kinds.count(EventKind.OVERRIDE)
    assert "override-used: bank.test was let through by the emergency policy, version 1" in caplog.text
    assert [event for event in world.events if event.kind.is_alarm] == [
        told for told in world.reported if isinstance(told, Event)
    ]
    assert 2 == sum(told.policy.name == "override" for told in world.reported if isinstance(told, pinscher.Verdict))


def test_expired_pins_raise_the_alarm(world: World) -> None:
    """Pins past their time go on being enforced, and an event says so once for each policy."""
    world.publish(2, "a", more="expires = 2026-01-01T00:00:00Z")
    keeper = world.keeper()
    keeper.updater.refresh()
    world.talk(keeper)
    keeper.updater.refresh()
    assert [EventKind.ACCEPTED, EventKind.EXPIRED] == [event.kind for event in world.events][:2]
    assert 1 == [event.kind for event in world.events].count(EventKind.EXPIRED)


def test_a_keeper_serves_report_channels(world: World) -> None:
    """A policy with a report channel warns nobody where a keeper has it."""
    channel = 'report-to = ["main"]\n[reporting.main]\nurl = "https://reports.example/v1"\n'
    world.publish(2, "a", more=channel + f'pins = ["{pinscher.Pin.of(world.keys["c"].der)}"]')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with world.keeper() as keeper:
            assert 2 == keeper.policy.version


def test_what_a_callback_raises_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A callback that fails changes nothing, and is in the log."""

    def fail(_: object) -> None:
        raise ValueError("mine")

    with world.keeper(on_event=fail, report=None) as keeper:
        world.talk(keeper)
    assert "a callback of the keeper failed" in caplog.text


def test_a_repository_that_fails_is_told_in_the_steps(world: World) -> None:
    """A refusal says that the repository could not be asked, or did not answer in time, or that nobody asks any more."""
    keeper = world.keeper()
    keeper.updater.refresh()
    world.bank.show(world.keys["b"])
    world.repository.answers["/metadata/timestamp.json"] = 500
    assert refused(world, keeper).steps[0].startswith("refresh: failed with RepositoryUnreachableError, after ")

    def never() -> Any:
        world.repository.ending.wait(20)
        yield b""

    world.repository.answers["/metadata/timestamp.json"] = never
    keeper._heal_seconds = 0.3
    assert "no answer in time" in refused(world, keeper).steps[0]
    keeper.close(0.1)
    assert "the keeper is closed" in refused(world, keeper).steps[0]
    world.repository.ending.set()


def test_the_updates_own_channel_only_reports(world: World) -> None:
    """The policy in force is in force on the updates' own channel too, where it refuses nothing."""
    with world.keeper() as keeper:
        entry = keeper.channel.policy.lookup(HOST)
        assert entry is not None
        assert pinscher.Mode.REPORT_ONLY is entry.mode


def test_a_policy_that_the_follower_fetched_meanwhile_mends_too(world: World) -> None:
    """A mismatch that was judged before a newer policy came is judged by that one."""
    keeper = world.keeper(report=None, on_event=None, intervals=Intervals(least=timedelta()))
    keeper.updater.refresh()
    world.bank.show(world.keys["b"])
    for _ in range(3):
        assert refused(world, keeper).steps[0].startswith("refresh: nothing newer")
    world.publish(2, "b")
    keeper.updater.refresh()
    assert () == world.talk(keeper).steps


def test_only_so_many_mismatches_are_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of mismatches is bounded: the oldest is forgotten."""
    monkeypatch.setattr("pinscher.keeper.healer.MISMATCHES_REMEMBERED", 1)
    keeper = world.keeper()
    keeper.updater.refresh()
    for name in "bc":
        world.bank.show(world.keys[name])
        refused(world, keeper)
    assert 1 == len(keeper._doctor._vain)


def test_what_the_channel_meets_is_reported(world: World) -> None:
    """A mismatch on the updates' own channel is reported and refuses nothing, and a match there is not told."""
    keeper = world.keeper()
    keeper.updater.refresh()
    keeper.channel.load_verify_locations(cadata=world.root.pem.decode())
    for name, expected in (("a", 0), ("b", 1)):
        world.bank.show(world.keys[name])
        with socket.create_connection(world.bank.address, timeout=10) as plain:
            with keeper.channel.wrap_socket(plain, server_hostname=HOST):
                pass
        assert expected == len(world.reported)


def test_an_asyncio_mismatch_that_did_not_help_before_asks_nobody(world: World) -> None:
    """A known mismatch provokes no refresh in the background either, before its time has come."""
    keeper = world.keeper(heal_seconds=10.0)
    keeper.updater.refresh()
    world.bank.show(world.keys["b"])
    verdict = refused(world, keeper)
    keeper._doctor._least = keeper._doctor._most = 16.0
    asked = world.asked()
    assert keeper.refresh(verdict, 0.0).startswith("not asked again, for it did not help before; the next time in 1")
    assert asked == world.asked()
    keeper.close()
    assert not asyncio.run(keeper.refreshed(0.1))


@pytest.mark.parametrize("fails", [False, True])
def test_a_refresh_that_looked_too_early_does_not_count(
    world: World, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    """A mismatch that finds a refresh under way, which saw the old state or fails, has the repository asked once more."""
    keeper = world.keeper()
    keeper.updater.refresh()
    old, reached, go = world.publisher.file("metadata/timestamp.json"), threading.Event(), threading.Event()

    def late() -> Iterator[bytes]:
        del world.repository.answers["/metadata/timestamp.json"]
        reached.set()
        go.wait(10)
        status = b"500 No" if fails else b"200 OK"
        yield b"HTTP/1.0 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(old), old)

    refresh = keeper.updater.refresh

    def joining(seconds: float | None = None) -> Any:
        go.set()
        return refresh(seconds)

    keeper.updater._clock = lambda: 1e9
    world.repository.answers["/metadata/timestamp.json"] = late

    def early_refresh() -> None:
        with contextlib.suppress(RepositoryUnreachableError):
            refresh()

    early = threading.Thread(target=early_refresh)
    early.start()
    assert reached.wait(10)
    keeper.updater._clock = time.monotonic
    world.bank.show(world.keys["b"])
    world.publish(2, "b")
    monkeypatch.setattr(keeper.updater, "refresh", joining)
    assert 2 == world.talk(keeper).policy.version
    early.join()
