"""
What follows when the update system itself fails; ``docs/reference/updates.md`` holds the table, one row for each test.

In every row the last accepted policy stays in force, and an alarm is told.
"""

from __future__ import annotations

import resource
import shutil
import socket
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from publisher import Follower, Publisher, Server, policy
from tuf.api.metadata import MetaFile, Snapshot

from pinscher.store import ProvidedKey, SealBrokenError, SealedStore
from pinscher.updates import (
    EventKind,
    FreezeError,
    RepositoryUnreachableError,
    RootExpiredError,
    SealedBundleStore,
    StoreBusyError,
    ThresholdError,
    UpdateStoreError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def nobody() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_repository_unreachable(client: Follower, follow: Callable[..., Follower]) -> None:
    """Repository unreachable: the policy of the last start is in force at once, and each failure is told."""
    again = follow(nobody())
    assert policy(1) == again.updater.start()
    with pytest.raises(RepositoryUnreachableError, match="Connection refused"):
        again.updater.refresh()
    assert policy(1) == again.updater.policy
    assert [EventKind.UNREACHABLE] == again.kinds()
    assert 1 == again.updater.state.failures


def test_repository_unreachable_for_long(
    client: Follower, follow: Callable[..., Follower], publisher: Publisher
) -> None:
    """Repository unreachable for longer than a timestamp lasts: that nothing proves the policy new is told as well."""
    again = follow(nobody())
    again.updater.start()
    publisher.clock.move(days=3)
    with pytest.raises(RepositoryUnreachableError):
        again.updater.refresh()
    assert policy(1) == again.updater.policy
    assert [EventKind.UNREACHABLE, EventKind.LAPSED] == again.kinds()


def test_timestamp_lapsed(client: Follower, publisher: Publisher) -> None:
    """Timestamp lapsed, because nobody ran ``repo renew``: the policy stays, and the alarm rises."""
    publisher.clock.move(days=3)
    with pytest.raises(FreezeError, match="'timestamp' have lapsed"):
        client.updater.refresh()
    assert policy(1) == client.updater.policy
    assert [EventKind.LAPSED] == client.kinds()


def test_snapshot_refused(client: Follower, publisher: Publisher, server: Server) -> None:
    """Snapshot refused: the policy stays, and the repository is followed again once it is mended."""
    publisher.publish(policy(2))
    number = publisher.repository.version("snapshot")
    forged = Snapshot(number, None, publisher.clock() + timedelta(days=1), {"targets.json": MetaFile(3)})
    server.answers[f"/metadata/{number}.snapshot.json"] = publisher.forged(forged, "thief")
    with pytest.raises(ThresholdError):
        client.updater.refresh()
    assert policy(1) == client.updater.policy
    assert [EventKind.REFUSED] == client.kinds()
    server.answers.clear()
    assert policy(2) == client.updater.refresh().policy


def sealed(folder: Path) -> SealedStore:
    """Return the sealed store of these tests."""
    return SealedStore.open(folder, ProvidedKey(b"k" * 32, "of the test"))


def test_seal_broken(follow: Callable[..., Follower], tmp_path: Path) -> None:
    """Seal broken: what is embedded is in force, the alarm rises, and the running program goes on with what it has."""
    folder = tmp_path / "sealed"
    with sealed(folder) as store:
        running = follow(store=SealedBundleStore(store))
        running.updater.refresh()
        victim = max(folder.glob("*.entry"), key=lambda path: path.stat().st_size)
        broken = bytearray(victim.read_bytes())
        broken[-1] ^= 1
        victim.write_bytes(broken)
        again = follow(store=SealedBundleStore(store), embedded=policy(1))
        assert policy(1) == again.updater.start()
        told = [event for event in again.events if event.kind is EventKind.STORE]
        assert isinstance(told[0].error, SealBrokenError)
        assert policy(1) == running.updater.refresh().policy
        assert EventKind.STORE in running.kinds()


def test_sealed_store_keeps_the_floor(follow: Callable[..., Follower], publisher: Publisher, tmp_path: Path) -> None:
    """A sealed store holds what was accepted and its floor, for the next start."""
    publisher.publish(policy(2))
    with sealed(tmp_path / "sealed") as store:
        follow(store=SealedBundleStore(store)).updater.refresh()
        assert {"policy": (0, 2), "root": (1,)} == store.floor
    with sealed(tmp_path / "sealed") as store:
        again = follow(store=SealedBundleStore(store))
        assert policy(2) == again.updater.start()
        assert [] == again.kinds()


def test_store_empty(client: Follower, follow: Callable[..., Follower]) -> None:
    """Store empty: what is embedded is in force until the first refresh, and nothing else is."""
    shutil.rmtree(client.store)
    assert follow(nobody()).updater.start() is None
    again = follow(embedded=policy(1))
    assert policy(1) == again.updater.start()
    assert [] == again.kinds()
    assert not again.updater.refresh().has_changed


def test_store_emptied_but_for_the_floor(
    client: Follower, follow: Callable[..., Follower], publisher: Publisher
) -> None:
    """Store emptied of a policy that the floor remembers: an older embedded one is in force, and the alarm says so."""
    publisher.publish(policy(2))
    client.updater.refresh()
    (client.store / "state").unlink()
    again = follow(embedded=policy(1))
    assert policy(1) == again.updater.start()
    assert "version 2 was accepted and is gone; version 1 is in force" in again.events[0].text
    assert [EventKind.STORE] == again.kinds()
    assert policy(2) == again.updater.refresh().policy


def test_store_damaged(client: Follower, follow: Callable[..., Follower]) -> None:
    """Store damaged: it is told, what is embedded is in force, and the next refresh mends it."""
    state = client.store / "state"
    state.write_bytes(state.read_bytes()[:-1])
    again = follow(embedded=policy(1))
    assert policy(1) == again.updater.start()
    assert [EventKind.STORE] == again.kinds()
    again.updater.refresh()
    assert policy(1) == follow().updater.start()


@pytest.fixture
def full_disk() -> Iterator[Callable[[], None]]:
    """Return what lets every write to a file fail from now on, until the test ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_read_only(
    client: Follower, publisher: Publisher, follow: Callable[..., Follower], full_disk: Callable[[], None]
) -> None:
    """Disk read-only or full: a newer policy is accepted for as long as the program runs, and the alarm rises."""
    publisher.publish(policy(2))
    before = (client.store / "state").read_bytes()
    full_disk()
    assert policy(2) == client.updater.refresh().policy
    assert [EventKind.STORE] == client.kinds()
    assert policy(2) == client.updater.refresh().policy
    assert before == (client.store / "state").read_bytes()
    assert policy(1) == follow().updater.start()


def test_no_place_for_a_store(publisher: Publisher, follow: Callable[..., Follower], tmp_path: Path) -> None:
    """A store that can be neither read nor locked nor written is told, and updates go on without it."""
    (tmp_path / "file").write_bytes(b"")
    client = follow(store=tmp_path / "file" / "store")
    assert policy(1) == client.updater.refresh().policy
    assert {EventKind.STORE} == set(client.kinds())


def test_clock_behind(client: Follower, publisher: Publisher, server: Server, follow: Callable[..., Follower]) -> None:
    """Clock wrong, behind: the time that an accepted update proved is taken instead, so that nothing old seems fresh."""
    yesterday = server.frozen()
    publisher.clock.move(days=3)
    publisher.publish(policy(2))
    client.updater.refresh()
    publisher.clock.move(days=-3)
    again = follow()
    again.updater.start()
    assert policy(2) == again.updater.refresh().policy
    assert [EventKind.CLOCK] == again.kinds()
    (client.store / "state").unlink()
    server.answers.update(yesterday)
    with pytest.raises(FreezeError):
        follow().updater.refresh()


def test_clock_ahead(client: Follower, publisher: Publisher) -> None:
    """Clock wrong, ahead: everything seems to have lapsed; the policy stays and the alarm rises, until it is set right."""
    publisher.clock.move(days=4000)
    with pytest.raises(FreezeError):
        client.updater.refresh()
    assert policy(1) == client.updater.policy
    assert [EventKind.LAPSED] == client.kinds()
    publisher.clock.move(days=-4000)
    client.updater.refresh()
    assert [] == client.kinds()


def test_root_expired(client: Follower, publisher: Publisher) -> None:
    """Root expired: the policy stays and the alarm rises, until the key holders sign another root."""
    from pinscher.updates.repository import rotate

    publisher.clock.move(days=366)
    publisher.renew()
    with pytest.raises(RootExpiredError):
        client.updater.refresh()
    assert policy(1) == client.updater.policy
    assert [EventKind.LAPSED] == client.kinds()
    rotate(publisher.repository, "root", at=publisher.clock())
    publisher.signed_by("alice", "bob")
    publisher.publish(policy(2))
    assert policy(2) == client.updater.refresh().policy


def test_another_process_keeps_the_lock(client: Follower, follow: Callable[..., Follower]) -> None:
    """A store that another process keeps locked is told after a time limit, and the policy stays."""
    from pinscher.updates import Limits

    again = follow(limits=Limits(lock_seconds=0.05))
    with client.updater._store.exclusive(1):
        with pytest.raises(StoreBusyError, match=r"for 0\.05 seconds"):
            again.updater.refresh()
    assert policy(1) == again.updater.policy
    assert [EventKind.STORE] == again.kinds()


def test_what_another_process_accepted_is_in_force(
    client: Follower, publisher: Publisher, follow: Callable[..., Follower], server: Server
) -> None:
    """What another process accepted is in force here after the next refresh, even one that fails."""
    other = follow()
    publisher.publish(policy(2))
    other.updater.refresh()
    server.answers["/metadata/timestamp.json"] = 500
    with pytest.raises(RepositoryUnreachableError, match="status 500"):
        client.updater.refresh()
    assert policy(2) == client.updater.policy
    assert [policy(1), policy(2)] == client.policies


def test_a_store_with_a_bad_floor(client: Follower, follow: Callable[..., Follower]) -> None:
    """A floor that cannot be read is told, and what is stored is not believed to be the newest without it."""
    (client.store / "floor.json").write_bytes(b"[]")
    again = follow()
    again.updater.start()
    assert isinstance(again.events[0].error, UpdateStoreError)
    assert policy(1) == again.updater.refresh().policy
