"""The updater: when it asks, whom it tells, and how it starts and stops."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from publisher import Follower, Publisher, Server, pin, policy

import pinscher
from pinscher import Pin
from pinscher.updates import (
    EventKind,
    Floor,
    FreezeError,
    Intervals,
    InvalidBundleError,
    RepositoryUnreachableError,
    RollbackError,
    SlowRetrievalError,
    ThresholdError,
    UpdateError,
    Updater,
)
from pinscher.updates.repository import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def test_the_first_refresh_brings_the_policy(follow: Callable[..., Follower], server: Server) -> None:
    """The first refresh fetches root, timestamp, snapshot, targets and the bundle, and puts the policy in force."""
    client = follow()
    assert client.updater.start() is None
    refreshed = client.updater.refresh()
    assert (policy(1), True, True, server.address) == (
        refreshed.policy, refreshed.has_changed, refreshed.was_asked, refreshed.mirror,
    )  # fmt: skip
    assert [policy(1)] == client.policies
    assert [EventKind.ACCEPTED] == [event.kind for event in client.events]
    assert 5 == sum(server.asked.values())


def test_a_check_that_finds_nothing_new_asks_twice(client: Follower, server: Server) -> None:
    """When there is nothing new, two small files are asked for, and nothing is written."""
    before = (client.store / "state").stat().st_mtime_ns
    server.asked.clear()
    refreshed = client.updater.refresh()
    assert (False, True) == (refreshed.has_changed, refreshed.was_asked)
    assert {"/metadata/2.root.json": 1, "/metadata/timestamp.json": 1} == dict(server.asked)
    assert before == (client.store / "state").stat().st_mtime_ns
    assert [policy(1)] == client.policies
    assert [EventKind.NOTHING_NEW] == [event.kind for event in client.events]


def test_the_next_start_needs_no_network(client: Follower, follow: Callable[..., Follower], server: Server) -> None:
    """A program starts with what was accepted last, before anybody is asked."""
    server.asked.clear()
    again = follow()
    assert policy(1) == again.updater.start()
    assert [policy(1)] == again.policies
    assert not server.asked
    assert policy(1) == again.updater.start()
    assert [policy(1)] == again.policies


def test_what_is_embedded_is_in_force_when_it_is_newer(client: Follower, follow: Callable[..., Follower]) -> None:
    """A newer program brings a newer policy, which an older stored one does not replace."""
    again = follow(embedded=policy(4).to_json())
    assert policy(4) == again.updater.start()
    with pytest.raises(RollbackError, match="version 1 is offered, and version 4 was accepted"):
        again.updater.refresh()


def test_an_embedded_policy_gives_way_to_the_repository(
    client: Follower, follow: Callable[..., Follower], publisher: Publisher
) -> None:
    """What the repository publishes after the embedded policy replaces it, and is stored."""
    again = follow(embedded=policy(4))
    again.updater.start()
    publisher.publish(policy(5))
    assert policy(5) == again.updater.refresh().policy
    assert policy(5) == follow(embedded=policy(4)).updater.start()


def test_the_minimum_interval_holds_whatever_asks(
    follow: Callable[..., Follower], publisher: Publisher, server: Server
) -> None:
    """Within the minimum interval nobody is asked again, and what is in force is returned."""
    client = follow(intervals=Intervals(least=timedelta(seconds=30)))
    client.updater.refresh()
    publisher.publish(policy(2))
    server.asked.clear()
    publisher.clock.move(seconds=29)
    refreshed = client.updater.refresh()
    assert (policy(1), False, None) == (refreshed.policy, refreshed.was_asked, refreshed.mirror)
    assert not server.asked
    publisher.clock.move(seconds=1)
    assert policy(2) == client.updater.refresh().policy


def test_a_refusal_is_remembered_for_the_minimum_interval(follow: Callable[..., Follower], server: Server) -> None:
    """Without any policy, the last refusal is raised again rather than the repository asked again."""
    server.answers["/metadata/timestamp.json"] = 500
    client = follow(intervals=Intervals(least=timedelta(seconds=30)))
    for _ in range(3):
        with pytest.raises(RepositoryUnreachableError, match="500"):
            client.updater.refresh()
    assert 1 == server.asked["/metadata/timestamp.json"]


def test_one_refresh_serves_everybody_who_asks(client: Follower, server: Server, publisher: Publisher) -> None:
    """Ten threads that ask at once are served by one refresh."""
    publisher.publish(policy(2))
    content = publisher.file("metadata/timestamp.json")
    arrived, go = threading.Event(), threading.Event()

    def held() -> Iterator[bytes]:
        arrived.set()
        go.wait(10)
        yield b"HTTP/1.0 200 OK\r\n\r\n" + content

    server.answers["/metadata/timestamp.json"] = held
    server.asked.clear()
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(client.updater.refresh())) for _ in range(10)]
    threads[0].start()
    assert arrived.wait(10)
    for thread in threads[1:]:
        thread.start()
    with pytest.raises(SlowRetrievalError, match=r"within 0\.01 seconds"):
        client.updater.refresh(0.01)
    go.set()
    for thread in threads:
        thread.join(10)
    assert {policy(2)} == {result.policy for result in results}
    assert 1 == server.asked["/metadata/timestamp.json"]


def test_a_refresh_with_a_time_limit(client: Follower, publisher: Publisher) -> None:
    """A refresh within a time limit returns like any other, and raises what it is refused with."""
    publisher.publish(policy(2))
    assert policy(2) == client.updater.refresh(10).policy
    publisher.clock.move(days=3)
    with pytest.raises(FreezeError):
        client.updater.refresh(10)


def test_a_callback_cannot_ask_for_a_refresh(follow: Callable[..., Follower], caplog: pytest.LogCaptureFixture) -> None:
    """A callback that refreshes would wait for itself; it is told so, and the refresh goes on."""
    client = follow(on_policy=lambda _: client.updater.refresh())
    assert policy(1) == client.updater.refresh().policy
    assert "from within a refresh" in caplog.text


def test_what_callbacks_raise_changes_nothing(
    follow: Callable[..., Follower], caplog: pytest.LogCaptureFixture
) -> None:
    """A callback that fails is logged, and the policy is in force."""

    def failing(_: object) -> None:
        raise ValueError("the application's own affair")

    client = follow(on_policy=failing, on_event=failing)
    assert policy(1) == client.updater.refresh().policy
    assert 2 == caplog.text.count("the application's own affair\n")


def test_several_mirrors_are_asked_in_order(follow: Callable[..., Follower], server: Server, mirror: Server) -> None:
    """The second mirror is asked only when the first has nothing that can be taken."""
    client = follow(server.address, mirror.address)
    assert server.address == client.updater.refresh().mirror
    assert not mirror.asked
    server.answers["/metadata/timestamp.json"] = 503
    assert mirror.address == client.updater.refresh().mirror


def test_the_gravest_refusal_is_raised(
    follow: Callable[..., Follower], server: Server, mirror: Server, publisher: Publisher
) -> None:
    """When every mirror fails, what speaks of an attack is raised before what speaks of a network."""
    from tuf.api.metadata import MetaFile, Timestamp

    server.answers["/metadata/timestamp.json"] = 503
    forged = Timestamp(9, None, publisher.clock() + timedelta(days=1), MetaFile(1))
    mirror.answers["/metadata/timestamp.json"] = publisher.forged(forged, "thief")
    client = follow(server.address, mirror.address)
    with pytest.raises(ThresholdError):
        client.updater.refresh()
    assert [EventKind.UNREACHABLE, EventKind.REFUSED] == client.kinds()


def test_following_in_a_thread(follow: Callable[..., Follower], publisher: Publisher) -> None:
    """In a thread, the updater refreshes at once, when it is provoked, and not after it was closed."""
    accepted = threading.Semaphore(0)
    client = follow(on_policy=lambda _: accepted.release())
    with client.updater as updater:
        assert accepted.acquire(timeout=10)
        publisher.publish(policy(2))
        updater.provoke()
        assert accepted.acquire(timeout=10)
        updater.follow()
    assert policy(2) == client.updater.policy
    assert [] == [thread for thread in threading.enumerate() if thread.name == "pinscher-updater"]


def test_following_goes_on_after_failures(follow: Callable[..., Follower], server: Server) -> None:
    """A refusal, and even a defect, does not end the thread; the next refresh comes sooner than the interval."""
    server.answers["/metadata/timestamp.json"] = 500
    told, accepted = threading.Semaphore(0), threading.Event()
    client = follow(
        on_event=lambda _: told.release(), on_policy=lambda _: accepted.set(),
        clock=time.monotonic, intervals=Intervals(least=timedelta(milliseconds=1)),
    )  # fmt: skip
    with client.updater:
        assert told.acquire(timeout=10)
        server.answers.clear()
        client.updater.provoke()
        assert accepted.wait(10)


def test_a_defect_does_not_end_the_updates(follow: Callable[..., Follower], caplog: pytest.LogCaptureFixture) -> None:
    """What a transport should never raise is logged, and the updater goes on."""

    def transport(_: str) -> Callable[[str, int], bytes]:
        def fetch(_path: str, _octets: int, /) -> bytes:
            raise LookupError("a defect")

        return fetch

    client = follow(transport=transport)
    client.updater._refresh_and_go_on()
    assert "a defect" in caplog.text
    assert 1 == client.updater.state.failures


def test_following_in_a_task(follow: Callable[..., Follower], publisher: Publisher) -> None:
    """In an asyncio task, the updater refreshes without holding the loop up, until the task is cancelled."""

    async def program() -> None:
        """Follow until the first bundle is accepted."""
        loop, accepted = asyncio.get_running_loop(), asyncio.Event()
        client = follow(on_policy=lambda _: loop.call_soon_threadsafe(accepted.set))
        task = asyncio.create_task(client.updater.follow_async())
        await asyncio.wait_for(accepted.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        publisher.publish(policy(2))
        refreshed = await client.updater.refresh_async()
        assert policy(2) == refreshed.policy

    asyncio.run(program())


def test_the_state_for_people(client: Follower, publisher: Publisher) -> None:
    """The state says what is in force, since when, who signs with how many keys, and what lapses when."""
    state = client.updater.state
    assert policy(1) == state.policy
    assert publisher.clock() == state.refreshed
    assert (0, None, None) == (state.failures, state.error, state.override)
    assert {"root": (2, 3), "targets": (2, 3), "snapshot": (1, 1), "timestamp": (1, 1)} == dict(state.signers)
    assert publisher.clock() + timedelta(days=2) == state.expiries["timestamp"]
    assert Floor(policy=1, root=1, seen=int(publisher.clock().timestamp())) == state.floor


def test_an_override_is_offered(client: Follower, publisher: Publisher, follow: Callable[..., Follower]) -> None:
    """An emergency policy is told once, offered for its hosts until it ends, and never put in force by itself."""
    ends = publisher.clock() + timedelta(hours=4)
    override(
        publisher.repository, ["api.example"], [Pin.parse(pin("emergency"))], ends=ends, current=policy(1),
        at=publisher.clock(),
    )  # fmt: skip
    publisher.signed_by("alice", "bob")
    client.updater.refresh()
    offered = client.updater.override
    assert offered is not None
    entry = offered.lookup("api.example", publisher.clock())
    assert entry is not None
    assert entry.pinset is not None
    assert [pin("emergency")] == [str(one) for one in entry.pinset]
    assert offered.lookup("other.example", publisher.clock()) is None
    assert offered.lookup("api.example", ends) is None
    assert policy(1) == client.updater.policy
    assert [EventKind.OVERRIDE] == client.kinds()
    client.updater.refresh()
    assert [] == client.kinds()
    again = follow()
    again.updater.start()
    assert again.updater.override is not None
    publisher.clock.move(hours=5)
    publisher.renew()
    client.updater.refresh()
    assert (None, []) == (client.updater.override, client.kinds())


def test_an_override_that_cannot_be_used(client: Follower, publisher: Publisher) -> None:
    """An emergency policy that reaches too far is told, and is no reason to refuse the policy beside it."""
    from tuf.api.metadata import Targets

    from pinscher.updates.repository.layout import new_metadata

    described = publisher.repository.stage_bundle("override.json", policy(7).to_json())
    forever = Targets(1, None, publisher.clock() + timedelta(days=100), {"override.json": described})
    publisher.repository.stage("override", new_metadata(forever))
    publisher.publish(policy(2))
    refreshed = client.updater.refresh()
    assert (policy(2), None) == (refreshed.policy, client.updater.override)
    told = [event for event in client.events if event.kind is EventKind.REFUSED]
    assert isinstance(told[0].error, InvalidBundleError)
    assert "says when it ends" in told[0].text


def test_a_repository_without_an_override(follow: Callable[..., Follower]) -> None:
    """A client that knows of no override asks for none."""
    client = follow(override=None)
    assert policy(1) == client.updater.refresh().policy
    assert client.updater.override is None


@pytest.mark.parametrize(
    "address",
    [
        "http://updates.example", "ftp://127.0.0.1", "https://user@updates.example", "https://updates.example?a=b",
        "https://", "https://up dates.example", "https://updates.example:0", "https://updates.example/é", "",
    ],
)  # fmt: skip
def test_an_address_that_is_not_https_is_refused(address: str, publisher: Publisher, tmp_path: Path) -> None:
    """Updates travel over HTTPS, or over plain HTTP on the loopback; nothing else is an address."""
    with pytest.raises(ValueError, match="the address of a repository"):
        Updater(address, root=publisher.root, store=tmp_path)


@pytest.mark.parametrize(
    "address",
    ["https://user:secret@updates.example", "https://user:secret@/", "https://user:secret@[x", "//a:secret@b"],
)
def test_a_secret_in_an_address_is_not_shown(address: str, publisher: Publisher, tmp_path: Path) -> None:
    """An address with a user and a password is refused in words that have neither."""
    with pytest.raises(ValueError, match="the address of a repository") as caught:
        Updater(address, root=publisher.root, store=tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8000/", "http://localhost", "http://[::1]:80", "https://updates.example/a"]
)
def test_addresses(address: str, publisher: Publisher, tmp_path: Path) -> None:
    """HTTPS anywhere and plain HTTP on the loopback are addresses."""
    assert Updater(address, root=publisher.root, store=tmp_path).policy is None


@pytest.mark.parametrize("name", ["../policy.json", "/policy.json", "a//b", "", "a b", ".hidden", "x" * 257])
def test_a_name_of_a_bundle_that_is_none(name: str, publisher: Publisher, tmp_path: Path) -> None:
    """The name of a bundle holds nothing that could be read as something else in an address."""
    with pytest.raises(ValueError, match="the name of a bundle"):
        Updater("https://updates.example", root=publisher.root, store=tmp_path, bundle=name)


def test_no_address_is_no_repository(publisher: Publisher, tmp_path: Path) -> None:
    """An updater without an address explodes where it is made."""
    with pytest.raises(ValueError, match="found none"):
        Updater([], root=publisher.root, store=tmp_path)


@pytest.mark.parametrize("root", [b"", b"{}", b"[" * 100000])
def test_a_root_that_is_none(root: bytes, tmp_path: Path) -> None:
    """A root that cannot be used explodes where the updater is made."""
    with pytest.raises(UpdateError, match="'root'"):
        Updater("https://updates.example", root=root, store=tmp_path)


def test_the_front_door_leads_to_the_updater() -> None:
    """``pinscher.Updater`` is the updater."""
    assert Updater is pinscher.Updater


def test_events_are_logged(client: Follower, publisher: Publisher, caplog: pytest.LogCaptureFixture) -> None:
    """Each event is a line of the log, an alarm a warning."""
    publisher.clock.move(days=3)
    with caplog.at_level(logging.WARNING, "pinscher.updates"), pytest.raises(FreezeError):
        client.updater.refresh()
    assert "lapsed: " in caplog.text
