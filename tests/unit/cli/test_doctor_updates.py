"""What ``pinscher doctor --data`` says of the updates that a program keeps."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "updates"))

from publisher import Clock, Follower, Publisher, Server, pin, policy

from pinscher import Pin, Policy
from pinscher.cli.facts import Health
from pinscher.cli.update_facts import update_facts
from pinscher.updates.repository import override

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> Clock:
    """Return the clock of this test's world."""
    return Clock()


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> Iterator[tuple[Publisher, Follower]]:
    """Return a publisher, and a client that has accepted version 1."""
    publisher = Publisher(tmp_path / "publisher", clock)
    publisher.publish(policy(1))
    server = Server(publisher.repository.public)
    client = Follower(publisher, [server.address], tmp_path / "store")
    client.updater.refresh()
    yield publisher, client
    server.close()


def told(client: Follower, clock: Clock, **options: str | None) -> list[tuple[Health, str]]:
    """Return the facts of a client's folder."""
    named = {"root": None, "bundle": "policy.json"} | options
    return [(fact.health, fact.text) for fact in update_facts(str(client.store), at=clock(), **named)]  # type: ignore[arg-type]


def test_it_shows_version_age_signers_expiry_and_floor(kept: tuple[Publisher, Follower], clock: Clock) -> None:
    """A healthy folder: which policy, how old, who signs, what lapses next, and below what nothing is accepted."""
    publisher, client = kept
    clock.move(hours=3)
    expected = [
        (Health.OK, "app version 1, 1 host, in force, last refreshed 3 hours ago"),
        (Health.OK, "signed by: root 2 of 3, snapshot 1 of 1, targets 2 of 3, timestamp 1 of 1"),
        (Health.OK, "timestamp lapses next, in 1 day"),
        (Health.OK, "nothing below policy version 1 and root version 1"),
    ]
    assert expected == told(client, clock)
    root = publisher.folder / "root.json"
    root.write_bytes(publisher.root)
    assert expected == told(client, clock, root=str(root))


def test_what_lapsed_and_what_is_an_emergency_is_a_warning(kept: tuple[Publisher, Follower], clock: Clock) -> None:
    """A lapsed timestamp, expired pins and an emergency policy are warnings."""
    publisher, client = kept
    text = policy(2).to_toml().replace("pins = [", "expires = 2027-01-01T00:00:00Z\npins = [", 1)
    publisher.publish(Policy.loads(text))
    override(
        publisher.repository, ["api.example"], [Pin.parse(pin("new"))], ends=clock() + timedelta(hours=60),
        current=policy(2), at=clock(),
    )  # fmt: skip
    publisher.signed_by("alice", "bob")
    client.updater.refresh()
    clock.move(hours=50)
    assert [
        "timestamp lapsed 2 hours ago: nothing proves that this is the newest",
        "the pins of 1 host have expired, api.example first",
        "an emergency policy is in force for api.example until 2027-03-04 00:00 UTC",
    ] == [text for health, text in told(client, clock) if health is Health.WARNING]


def test_what_cannot_be_used_is_an_error(kept: tuple[Publisher, Follower], clock: Clock, tmp_path: Path) -> None:
    """No folder, nothing in it, a damaged file, another program's root: each is one error."""
    publisher, client = kept
    missing = Follower(publisher, ["http://127.0.0.1:1"], tmp_path / "nowhere")
    assert [(Health.ERROR, f"there is no folder '{tmp_path / 'nowhere'}'")] == told(missing, clock)
    (tmp_path / "nowhere").mkdir()
    assert [(Health.ERROR, "no update was ever accepted there")] == told(missing, clock)
    other = Publisher(tmp_path / "other", clock)
    root = tmp_path / "root.json"
    root.write_bytes(other.root)
    assert {Health.ERROR} == {health for health, _ in told(client, clock, root=str(root))}
    state = client.store / "state"
    state.write_bytes(state.read_bytes()[:-1])
    assert [Health.ERROR] == [health for health, _ in told(client, clock)]
