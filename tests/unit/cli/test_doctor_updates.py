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
from pinscher.cli.app import run
from pinscher.cli.facts import Health
from pinscher.cli.update_facts import update_facts
from pinscher.store import Custody, KeptKey, KeyFile, ProvidedKey, SealedStore
from pinscher.updates import SealedBundleStore, Updater
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


@pytest.fixture
def custody(tmp_path: Path) -> KeptKey:
    """Return the key of a sealed store."""
    return KeptKey(KeyFile(str(tmp_path / "keys" / "key")))


@pytest.fixture
def sealed(tmp_path: Path, custody: KeptKey, clock: Clock) -> Iterator[Path]:
    """Return the folder of a sealed store, in which a client has kept version 1."""
    publisher = Publisher(tmp_path / "publisher", clock)
    publisher.publish(policy(1))
    server = Server(publisher.repository.public)
    with SealedStore.open(tmp_path / "sealed", custody) as store:
        follower = Updater(
            server.address, root=publisher.root, store=SealedBundleStore(store), now=clock, clock=clock.seconds
        )
        follower.refresh()
    yield tmp_path / "sealed"
    server.close()


def told_of(folder: Path, custody: Custody | None, clock: Clock) -> list[tuple[str, Health, str]]:
    """Return the facts of a sealed store."""
    facts = update_facts(str(folder), root=None, bundle="policy.json", at=clock(), custody=custody)
    return [(fact.name, fact.health, fact.text) for fact in facts]


def test_a_sealed_store_is_opened_and_told_as_a_plain_one(sealed: Path, custody: KeptKey, clock: Clock) -> None:
    """With its key a sealed store is opened whole; then follow version, age, signers, expiry and floor."""
    clock.move(hours=3)
    place = custody.place
    assert [
        ("store", Health.OK, f"sealed and whole, opened 7 of 7, generation 2; its key: '{place}'"),
        ("store", Health.OK, "the floor beside the key: policy 0.1, root 1"),
        ("updates", Health.OK, "app version 1, 1 host, in force, last refreshed 3 hours ago"),
        ("updates", Health.OK, "signed by: root 2 of 3, snapshot 1 of 1, targets 2 of 3, timestamp 1 of 1"),
        ("updates", Health.OK, "timestamp lapses next, in 1 day"),
        ("updates", Health.OK, "nothing below policy version 1 and root version 1"),
    ] == told_of(sealed, custody, clock)


def test_no_secret_is_told(sealed: Path, custody: KeptKey, clock: Clock) -> None:
    """Neither the store's key nor anything derived from its record is in what is shown."""
    record = Path(custody.place).read_text().split()
    shown = str(told_of(sealed, custody, clock))
    assert not any(word in shown for word in record if len(word) >= 32)


def test_a_store_that_nothing_counts_is_a_warning(
    kept: tuple[Publisher, Follower], tmp_path: Path, clock: Clock
) -> None:
    """With a key from elsewhere nothing would tell an older copy of the store, and that is said."""
    key = ProvidedKey(bytes(32))
    SealedStore.open(tmp_path / "sealed", key).close()
    assert [
        (Health.OK, "sealed and whole, opened 0 of 0, generation 1; its key: 'the key provided'"),
        (Health.WARNING, "nothing beside the key (the key provided) would tell an older copy of the store"),
        (Health.ERROR, "no update was ever accepted there"),
    ] == [(health, text) for _, health, text in told_of(tmp_path / "sealed", key, clock)]


def test_a_sealed_store_that_does_not_open_is_an_error(sealed: Path, custody: KeptKey, clock: Clock) -> None:
    """A store without its key, a broken seal, and a store that is gone are each one error with what to do."""
    assert [("updates", Health.ERROR, f"'{sealed}' is a sealed store")] == told_of(sealed, None, clock)
    for entry in sealed.glob("*.entry"):
        entry.write_bytes(entry.read_bytes()[:-1])
    [(name, health, text)] = told_of(sealed, custody, clock)
    assert ("store", Health.ERROR, True) == (name, health, "the seal is broken" in text)
    for file in sealed.iterdir():
        file.unlink()
    [(_, _, text)] = told_of(sealed, custody, clock)
    assert "the store is gone, and its key" in text
    Path(custody.place).unlink()
    assert [("store", Health.ERROR, f"there is no sealed store in '{sealed}'")] == told_of(sealed, custody, clock)


def test_the_verb_takes_the_key(sealed: Path, custody: KeptKey, capsys: pytest.CaptureFixture[str]) -> None:
    """``doctor --data DIR --key WHERE`` shows a sealed store; a key without a folder is a usage error."""
    run(["doctor", "--data", str(sealed), "--key", f"file:{custody.place}"])
    assert "sealed and whole, opened 7 of 7" in capsys.readouterr().out
    assert 2 == run(["doctor", "--key", f"file:{custody.place}"])
    assert "name it with --data" in capsys.readouterr().err
