"""The transparency log between a publisher and its clients, over real HTTP."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from publisher import Clock, Follower, Publisher, Server, pin, policy

from pinscher import Pin
from pinscher.updates import EventKind, ForkError, RepositoryUnreachableError, UnloggedError
from pinscher.updates.log import FolderSource, NoteVerifier, audit, entries_of, pin_set_entry
from pinscher.updates.repository import override, start_log
from pinscher.updates.repository.errors import BrokenRepositoryError, RepositoryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_OTHER_KIND = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def verifier(publisher: Publisher) -> NoteVerifier:
    """Give the repository a log, and publish version 2 into it."""
    made = start_log(publisher.repository, "pins.example/log")
    publisher.publish(policy(2))
    return made


def entries(publisher: Publisher, verifier: NoteVerifier) -> list[bytes]:
    """Return the entries of an audited log."""
    source = FolderSource(f"{publisher.repository.public}/log")
    return list(entries_of(source, audit(source, verifier).head))


def test_each_policy_is_in_the_log_before_its_clients_have_it(
    publisher: Publisher, verifier: NoteVerifier, follow: Callable[..., Follower], server: Server
) -> None:
    """A client takes policies that the log proves, remembers its head, and asks for no proof twice."""
    client = follow(log=str(verifier))
    client.updater.refresh()
    publisher.publish(policy(3))
    client.updater.refresh()
    asked = dict(server.asked)
    client.updater.refresh()
    assert {name: number for name, number in asked.items() if "log" in name} == {
        name: number for name, number in server.asked.items() if "log" in name
    }
    assert [pin_set_entry(policy(2)), pin_set_entry(policy(3))] == entries(publisher, verifier)
    assert client.updater.state.log_head is not None
    assert client.updater.state.log_head.startswith("pins.example/log 2 ")
    again = follow(log=str(verifier))
    again.updater.start()
    assert (client.updater.log_head, []) == (again.updater.log_head, again.kinds())


def test_a_policy_that_is_kept_out_of_the_log_is_refused(
    publisher: Publisher, verifier: NoteVerifier, follow: Callable[..., Follower], server: Server
) -> None:
    """A thief of the signing keys who leaves the log alone publishes nothing that a client takes."""
    client = follow(log=str(verifier))
    client.updater.refresh()
    client.events.clear()
    (publisher.folder / "repository" / "log.pub").rename(publisher.folder / "kept")
    publisher.publish(policy(3, key="thief"))
    with pytest.raises(UnloggedError, match="version 3 is offered without a proof that it is in the log"):
        client.updater.refresh()
    assert [EventKind.REFUSED] == client.kinds()
    proof = f"/log/proofs/{policy(3, key='thief').digest}"
    server.answers[proof] = publisher.file(f"log/proofs/{policy(2).digest}")
    with pytest.raises(UnloggedError, match="the log: "):
        client.updater.refresh()
    assert client.updater.policy is not None
    assert 2 == client.updater.policy.version


def test_log_fork(
    publisher: Publisher, verifier: NoteVerifier, follow: Callable[..., Follower], tmp_path: Path, clock: Clock
) -> None:
    """Log fork: a thief of every key cannot show one client another history than the one that it has seen."""
    shutil.copytree(publisher.folder, tmp_path / "thief")
    publisher.publish(policy(3))
    client = follow(log=str(verifier))
    client.updater.refresh()
    client.events.clear()
    thief = Publisher.__new__(Publisher)
    thief.__dict__.update(vars(publisher))
    thief.folder = tmp_path / "thief"
    thief.repository = type(publisher.repository)(thief.folder / "repository")
    for version in (4, 5, 6):
        thief.publish(policy(version, key="thief"))
    lying = Server(thief.repository.public)
    try:
        victim = follow(lying.address, log=str(verifier))
        with pytest.raises(ForkError, match="the log has forked"):
            victim.updater.refresh()
        assert [EventKind.FORKED] == victim.kinds()
        assert victim.updater.policy is not None
        assert 3 == victim.updater.policy.version
        fresh = follow(lying.address, store=tmp_path / "fresh", log=str(verifier))
        assert 6 == fresh.updater.refresh().policy.version
        assert fresh.updater.log_head != client.updater.log_head
    finally:
        lying.close()


def test_a_log_that_cannot_be_read_is_told(
    publisher: Publisher, verifier: NoteVerifier, follow: Callable[..., Follower], server: Server
) -> None:
    """A log whose tiles are missing proves nothing, and one that does not answer is unreachable."""
    client = follow(log=str(verifier))
    client.updater.refresh()
    publisher.publish(policy(3))
    server.answers["/log/tile/0/000.p/2"] = 404
    with pytest.raises(UnloggedError, match="is missing"):
        client.updater.refresh()
    server.answers["/log/tile/0/000.p/2"] = 500
    with pytest.raises(RepositoryUnreachableError):
        client.updater.refresh()


def test_an_emergency_policy_is_in_the_log_too(
    publisher: Publisher, verifier: NoteVerifier, follow: Callable[..., Follower], server: Server
) -> None:
    """An emergency policy is entered like any other, and one without a proof is told and not offered."""
    client = follow(log=str(verifier))
    for hours, is_proved in ((1, True), (2, False)):
        wanted = override(
            publisher.repository, ["api.example"], [Pin.parse(pin("new"))], ends=publisher.clock() + timedelta(hours=hours),
            current=policy(2), at=publisher.clock(),
        )  # fmt: skip
        publisher.signed_by("alice", "bob")
        if not is_proved:
            server.answers[f"/log/proofs/{wanted.digest}"] = 404
        client.updater.refresh()
        assert is_proved == (client.updater.override is not None)
    assert EventKind.REFUSED in client.kinds()
    assert 3 == len(entries(publisher, verifier))


def test_a_repository_has_one_log(publisher: Publisher, verifier: NoteVerifier) -> None:
    """A second log is refused, and so is publishing with a log whose key is gone, another's, or unreadable."""
    with pytest.raises(RepositoryError, match="the repository has a log already"):
        start_log(publisher.repository, verifier.name)
    top = publisher.folder / "repository"
    for name, content, reason in (
        ("log.key", b"nonsense", "cannot be read"),
        ("log.key", (publisher.folder / "alice").read_bytes(), "is not the key that"),
        ("log.key", _OTHER_KIND, "is not the key that"),
        ("log.pub", b"nonsense", "is no key of a log"),
    ):
        (top / name).write_bytes(content)
        with pytest.raises(BrokenRepositoryError, match=reason):
            publisher.publish(policy(3))


def test_a_disk_that_takes_no_log_is_told(publisher: Publisher, verifier: NoteVerifier, tmp_path: Path) -> None:
    """A log that cannot be begun, or a proof that cannot be written, is an error with its place."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(RepositoryError, match="cannot write"):
        start_log(type(publisher.repository)(file), verifier.name)
    proofs = publisher.folder / "repository" / "public" / "log" / "proofs"
    shutil.rmtree(proofs)
    proofs.write_bytes(b"")
    with pytest.raises(RepositoryError, match="cannot write"):
        publisher.publish(policy(3))


def test_only_new_proofs_are_made(publisher: Publisher, verifier: NoteVerifier) -> None:
    """A policy that is published again is not entered again."""
    publisher.publish(policy(2))
    assert 1 == len(entries(publisher, verifier))
