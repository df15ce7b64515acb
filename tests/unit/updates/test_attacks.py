"""
The attacks on an update, over real HTTP, each by its name.

The names are those of section 1.5.2 of the specification, https://theupdateframework.github.io/specification/latest/,
and of the papers behind it: Cappos and others, "A Look In the Mirror: Attacks on Package Managers" (CCS 2008), and
Samuel and others, "Survivable Key Compromise in Software Update Systems" (CCS 2010).
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from publisher import Follower, Publisher, Server, pin, policy
from tuf.api.metadata import DelegatedRole, Delegations, MetaFile, Snapshot, TargetFile, Targets, Timestamp

from pinscher.host import HostPattern
from pinscher.updates import (
    EndlessDataError,
    EventKind,
    Floor,
    FreezeError,
    InvalidBundleError,
    Limits,
    MixAndMatchError,
    RollbackError,
    SlowRetrievalError,
    ThresholdError,
    UnreadableMetadataError,
    WrongTargetError,
)
from pinscher.updates.repository import delegate, rotate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pinscher.updates import UpdateError

FAR = timedelta(days=30)


def refused(client: Follower, kind: type[UpdateError], *, stays: int = 1) -> UpdateError:
    """Refresh, and return the refusal; the policy in force has stayed and an alarm has been told."""
    with pytest.raises(kind) as caught:
        client.updater.refresh()
    assert client.updater.policy is not None
    assert stays == client.updater.policy.version
    assert client.kinds()
    return caught.value


def offer(publisher: Publisher, server: Server, targets: bytes, version: int, online: str = "online") -> None:
    """Serve targets metadata under a new snapshot and timestamp, as somebody with the online key could."""
    expires = publisher.clock() + FAR
    number = publisher.repository.version("snapshot") + 1
    snapshot = Snapshot(number, None, expires, {"targets.json": MetaFile(version)})
    timestamp = Timestamp(publisher.repository.version("timestamp") + 1, None, expires, MetaFile(number))
    server.answers["/metadata/timestamp.json"] = publisher.forged(timestamp, online)
    server.answers[f"/metadata/{number}.snapshot.json"] = publisher.forged(snapshot, online)
    server.answers[f"/metadata/{version}.targets.json"] = targets


def targets_with(publisher: Publisher, server: Server, content: bytes, *by: str, version: int = 9) -> bytes:
    """Return targets metadata for a bundle, signed by anybody, and serve the bundle."""
    described = TargetFile.from_data("policy.json", content, ["sha256"])
    server.answers[f"/targets/{described.hashes['sha256']}.policy.json"] = content
    signed = Targets(version, None, publisher.clock() + FAR, {"policy.json": described})
    return publisher.forged(signed, *by)


def test_arbitrary_installation(publisher: Publisher, server: Server, client: Follower) -> None:
    """Arbitrary installation: a stranger's bundle is refused, even with the online key in the stranger's hands."""
    forged = targets_with(publisher, server, policy(2, key="stranger").to_json(), "thief")
    offer(publisher, server, forged, 9)
    assert "0/2 keys" in str(refused(client, ThresholdError))


@pytest.mark.parametrize("name", ["timestamp.json", "2.root.json"])
def test_endless_data(server: Server, client: Follower, name: str) -> None:
    """Endless data: a file is read up to its limit, and the rest is left where it is."""

    def endless() -> Iterator[bytes]:
        yield b"HTTP/1.0 200 OK\r\n\r\n"
        while not server.ending.is_set():
            yield b" " * 65536

    server.answers[f"/metadata/{name}"] = endless
    assert name in str(refused(client, EndlessDataError))
    assert server.octets < 32 * 1024 * 1024


def test_endless_data_in_a_bundle(publisher: Publisher, server: Server, client: Follower) -> None:
    """Endless data: a bundle is read up to the length that its signers gave it."""
    publisher.publish(policy(2))
    path = next(
        name for name in server.frozen() if name.startswith("/targets/") and b'"version":2' in publisher.file(name[1:])
    )
    server.answers[path] = publisher.file(path[1:]) + b" "
    refused(client, EndlessDataError)


def test_extraneous_dependencies(publisher: Publisher, server: Server, client: Follower) -> None:
    """Extraneous dependencies: whatever else the metadata name, nothing but the bundle is fetched."""
    signed = publisher.signed("targets")
    new = TargetFile.from_data("policy.json", policy(2).to_json(), ["sha256"])
    server.answers[f"/targets/{new.hashes['sha256']}.policy.json"] = policy(2).to_json()
    others = {
        f"extra-{number}.json": TargetFile.from_data(f"extra-{number}.json", b"{}", ["sha256"]) for number in range(50)
    }
    signed.targets = {"policy.json": new, **others}
    signed.version = 9
    offer(publisher, server, publisher.forged(signed, "alice", "bob"), 9)
    server.asked.clear()
    client.updater.refresh()
    assert client.updater.policy == policy(2)
    assert [] == [path for path in server.asked if "extra" in path]
    assert 5 == sum(server.asked.values())


def test_fast_forward(publisher: Publisher, server: Server, client: Follower, follow: Callable[..., Follower]) -> None:
    """Fast-forward: versions driven to the limit with a stolen online key are overcome by changing that key."""
    expires = publisher.clock() + FAR
    snapshot = Snapshot(2**31, None, expires, publisher.signed("snapshot").meta)
    timestamp = Timestamp(2**31, None, expires, MetaFile(2**31))
    server.answers["/metadata/timestamp.json"] = publisher.forged(timestamp, "online")
    server.answers[f"/metadata/{2**31}.snapshot.json"] = publisher.forged(snapshot, "online")
    client.updater.refresh()
    server.answers.clear()
    publisher.publish(policy(2))
    refused(client, RollbackError)
    rotate(publisher.repository, "online", add=[publisher.public["online2"]], remove=["online"], at=publisher.clock())
    publisher.online = ["online2"]
    publisher.signed_by("alice", "bob")
    client.updater.refresh()
    assert client.updater.policy == policy(2)
    again = follow()
    assert again.updater.start() == policy(2)


def test_fast_forward_of_the_policy(publisher: Publisher, client: Follower) -> None:
    """Fast-forward: a policy version driven up with the targets keys is overcome by an epoch, which root begins."""
    publisher.publish(policy(2**40))
    client.updater.refresh()
    rotate(
        publisher.repository, "targets", add=[publisher.public["dave"]], remove=["alice"], begins_epoch=True,
        at=publisher.clock(),
    )  # fmt: skip
    publisher.publish(policy(2), by=("alice", "bob", "dave"))
    client.updater.refresh()
    assert client.updater.policy == policy(2)
    assert (1, 2) == (client.updater.state.floor.epoch, client.updater.state.floor.policy)


def test_indefinite_freeze(publisher: Publisher, server: Server, client: Follower, clock: object) -> None:
    """Indefinite freeze: a mirror that stands still is found out when its timestamp lapses, within two days."""
    server.answers.update(server.frozen())
    publisher.clock.move(hours=47)
    publisher.publish(policy(2))
    assert not client.updater.refresh().has_changed
    publisher.clock.move(hours=2)
    assert "timestamp" in str(refused(client, FreezeError))
    server.answers.clear()
    assert client.updater.refresh().has_changed


def test_malicious_mirror(
    publisher: Publisher, server: Server, mirror: Server, follow: Callable[..., Follower]
) -> None:
    """Malicious mirror: what one mirror serves is refused by its name, and the next one is asked."""
    server.answers["/metadata/timestamp.json"] = b'{"signed": {}, "signatures": []}'
    client = follow(server.address, mirror.address)
    refreshed = client.updater.refresh()
    assert (policy(1), mirror.address) == (refreshed.policy, refreshed.mirror)
    told = [event for event in client.events if event.kind is EventKind.REFUSED]
    assert isinstance(told[0].error, UnreadableMetadataError)
    assert told[0].error.mirror == server.address


def test_mix_and_match(publisher: Publisher, server: Server, client: Follower) -> None:
    """Mix-and-match: a snapshot from another day does not go with today's timestamp."""
    old = publisher.file(f"metadata/{publisher.repository.version('snapshot')}.snapshot.json")
    publisher.publish(policy(2))
    server.answers[f"/metadata/{publisher.repository.version('snapshot')}.snapshot.json"] = old
    refused(client, MixAndMatchError)


def test_mix_and_match_of_targets(publisher: Publisher, server: Server, client: Follower) -> None:
    """Mix-and-match: targets metadata from another day do not go with today's snapshot."""
    old = publisher.file(f"metadata/{publisher.repository.version('targets')}.targets.json")
    publisher.publish(policy(2))
    server.answers[f"/metadata/{publisher.repository.version('targets')}.targets.json"] = old
    refused(client, MixAndMatchError)


def test_rollback(publisher: Publisher, server: Server, client: Follower) -> None:
    """Rollback: yesterday's files, all of them genuine, are refused by who has seen today's."""
    yesterday = server.frozen()
    publisher.publish(policy(2))
    client.updater.refresh()
    server.answers.update(yesterday)
    refused(client, RollbackError, stays=2)


def test_rollback_with_a_deleted_cache(
    publisher: Publisher, server: Server, client: Follower, follow: Callable[..., Follower]
) -> None:
    """Rollback: somebody who deletes the cache has not lowered the floor, which lies in a file of its own."""
    yesterday = server.frozen()
    publisher.publish(policy(2))
    client.updater.refresh()
    (client.store / "state").unlink()
    server.answers.update(yesterday)
    again = follow()
    with pytest.raises(RollbackError):
        again.updater.refresh()
    assert again.updater.policy is None
    assert [EventKind.STORE, EventKind.REFUSED] == again.kinds()[-2:]


def test_rollback_below_the_embedded_policy(
    publisher: Publisher, server: Server, client: Follower, follow: Callable[..., Follower]
) -> None:
    """Rollback: with everything on the disk deleted, nothing goes below what came with the program."""
    shutil.rmtree(client.store)
    again = follow(embedded=policy(3))
    refused(again, RollbackError, stays=3)
    floored = follow(store=client.store.with_name("other"), floor=Floor(root=7))
    with pytest.raises(RollbackError, match="version 7 was accepted"):
        floored.updater.refresh()


def test_rollback_with_a_stolen_online_key(
    publisher: Publisher, server: Server, client: Follower, follow: Callable[..., Follower]
) -> None:
    """Rollback: the online key presents an old policy as new, with the cache deleted too, and meets the floor."""
    old = publisher.file("metadata/2.targets.json")
    publisher.publish(policy(2))
    client.updater.refresh()
    offer(publisher, server, old, 2)
    refused(client, RollbackError, stays=2)
    (client.store / "state").unlink()
    again = follow()
    with pytest.raises(RollbackError, match="version 1 is offered, and version 2 was accepted"):
        again.updater.refresh()


def test_rollback_of_one_role(publisher: Publisher, server: Server, client: Follower) -> None:
    """Rollback: a newer snapshot that lists an older version of a role is refused."""
    publisher.publish(policy(2))
    client.updater.refresh()
    offer(publisher, server, publisher.file("metadata/2.targets.json"), 2)
    assert "snapshot" in str(refused(client, RollbackError, stays=2))


def test_two_contents_of_one_version(publisher: Publisher, server: Server, client: Follower) -> None:
    """Rollback: another content under the version that is in force is refused, even with every signature."""
    forged = targets_with(publisher, server, policy(1, key="another").to_json(), "alice", "bob")
    offer(publisher, server, forged, 9)
    assert "another content" in str(refused(client, RollbackError))


def test_slow_retrieval(publisher: Publisher, server: Server, follow: Callable[..., Follower]) -> None:
    """Slow retrieval: a file that drips, octet by octet, is cut off when its time is over."""
    client = follow(limits=Limits(idle_seconds=60, file_seconds=2))
    client.updater.refresh()

    def dripping() -> Iterator[bytes]:
        yield b"HTTP/1.0 200 OK\r\n\r\n"
        while not server.ending.wait(0.02):
            yield b" "

    server.answers["/metadata/timestamp.json"] = dripping
    refused(client, SlowRetrievalError)


def test_slow_retrieval_in_the_headers(server: Server, follow: Callable[..., Follower]) -> None:
    """Slow retrieval: a header that drips is cut off as well."""
    client = follow(limits=Limits(idle_seconds=60, file_seconds=2))
    client.updater.refresh()

    def dripping() -> Iterator[bytes]:
        yield b"HTTP/1.0 200 OK\r\nX-Drip: "
        while not server.ending.wait(0.02):
            yield b"x"

    server.answers["/metadata/timestamp.json"] = dripping
    refused(client, SlowRetrievalError)


def test_slow_retrieval_by_silence(server: Server, follow: Callable[..., Follower]) -> None:
    """Slow retrieval: a server that says nothing is left after one read's time."""
    client = follow(limits=Limits(idle_seconds=2, file_seconds=60))
    client.updater.refresh()

    def silent() -> Iterator[bytes]:
        server.ending.wait(10)
        yield b""

    server.answers["/metadata/timestamp.json"] = silent
    assert "2 seconds" in str(refused(client, SlowRetrievalError))


def test_key_compromise_below_the_threshold(publisher: Publisher, server: Server, client: Follower) -> None:
    """Key compromise: one of two signing keys and the online key together publish nothing."""
    forged = targets_with(publisher, server, policy(2, key="stranger").to_json(), "alice", "thief")
    offer(publisher, server, forged, 9)
    assert "1/2 keys" in str(refused(client, ThresholdError))


def test_one_signature_counts_once(publisher: Publisher, server: Server, client: Follower) -> None:
    """Key compromise: a signature copied under another key's name does not count as that key's."""
    import json

    forged = json.loads(targets_with(publisher, server, policy(2, key="stranger").to_json(), "alice"))
    copied = dict(forged["signatures"][0], keyid=publisher.public["bob"].keyid)
    forged["signatures"].append(copied)
    offer(publisher, server, json.dumps(forged).encode(), 9)
    refused(client, ThresholdError)


def test_one_key_under_two_names(publisher: Publisher, server: Server, client: Follower) -> None:
    """Key compromise: a root that lists one key under two names, so that it alone reaches a threshold, is refused."""
    from securesystemslib.signer import SSlibKey

    root = publisher.signed("root")
    root.version = 2
    twin = SSlibKey("f" * 64, *(getattr(publisher.public["alice"], name) for name in ("keytype", "scheme", "keyval")))
    root.add_key(twin, "targets")
    server.answers["/metadata/2.root.json"] = publisher.forged(root, "alice", "bob")
    assert "stands twice" in str(refused(client, ThresholdError))


def test_wrong_target(publisher: Publisher, server: Server, client: Follower) -> None:
    """Wrong software: another bundle at the bundle's address is not what the signers described."""
    publisher.publish(policy(2))
    path = next(
        name for name in server.frozen() if name.startswith("/targets/") and b'"version":2' in publisher.file(name[1:])
    )
    server.answers[path] = policy(2, key="another").to_json()
    refused(client, WrongTargetError)


def test_wrong_target_for_somebody_elses_hosts(publisher: Publisher, follow: Callable[..., Follower]) -> None:
    """Wrong software: a team's role, with all its keys, cannot speak of hosts that were not given to it."""
    hosts = [HostPattern.parse("**.pay.example")]
    delegate(publisher.repository, "pay", publisher.role("dave", threshold=1), hosts=hosts, at=publisher.clock())
    publisher.publish(policy(1, host="a.pay.example"), by=("alice", "bob", "dave"), role="pay")
    client = follow(bundle="pay/policy.json")
    assert client.updater.refresh().policy == policy(1, host="a.pay.example")
    signed = publisher.signed("pay")
    stolen = publisher.repository.stage_bundle("pay/policy.json", policy(2, host="login.example").to_json())
    publisher.repository.publish_bundle(stolen)
    signed.targets["pay/policy.json"] = stolen
    signed.version += 1
    from tuf.api.metadata import Metadata

    publisher.repository.stage("pay", Metadata.from_bytes(publisher.forged(signed, "dave")))
    publisher.renew()
    error = refused(client, WrongTargetError)
    assert "login.example" in str(error)
    assert "**.pay.example" in str(error)


def test_wrong_target_that_is_not_there(publisher: Publisher, follow: Callable[..., Follower]) -> None:
    """Wrong software: a repository without the bundle that a client follows is told as that."""
    client = follow(bundle="other.json")
    with pytest.raises(WrongTargetError, match=r"no bundle called 'other\.json'"):
        client.updater.refresh()


def test_a_bundle_that_is_no_policy(publisher: Publisher, server: Server, client: Follower) -> None:
    """A bundle with every signature that is no policy, or not in its canonical form, is refused by name."""
    offer(publisher, server, targets_with(publisher, server, b"{}", "alice", "bob"), 9)
    refused(client, InvalidBundleError)
    loose = policy(2).to_json().replace(b'":', b'": ')
    offer(publisher, server, targets_with(publisher, server, loose, "alice", "bob"), 9)
    assert "canonical" in str(refused(client, InvalidBundleError))


def test_delegations_in_a_circle(publisher: Publisher, server: Server, follow: Callable[..., Follower]) -> None:
    """Endless data: roles that delegate to each other in a circle are each asked once."""
    keys = {publisher.public["alice"].keyid: publisher.public["alice"]}

    def delegating(to: str) -> Delegations:
        return Delegations(dict(keys), {to: DelegatedRole(to, list(keys), 1, terminating=False, paths=["*.json"])})

    expires = publisher.clock() + FAR
    meta = {f"{name}.json": MetaFile(9) for name in ("targets", "a", "b")}
    server.answers["/metadata/timestamp.json"] = publisher.forged(Timestamp(9, None, expires, MetaFile(9)), "online")
    server.answers["/metadata/9.snapshot.json"] = publisher.forged(Snapshot(9, None, expires, meta), "online")
    for name, to, signers in (("targets", "a", ("alice", "bob")), ("a", "b", ("alice",)), ("b", "a", ("alice",))):
        signed = Targets(9, None, expires, {}, delegating(to))
        server.answers[f"/metadata/9.{name}.json"] = publisher.forged(signed, *signers)
    with pytest.raises(WrongTargetError):
        follow(override=None).updater.refresh()
    assert {1} == {server.asked[f"/metadata/9.{name}.json"] for name in ("targets", "a", "b")}


def test_signers_change(publisher: Publisher, client: Follower) -> None:
    """Rotation: a new signer signs, and a removed one does not any more."""
    at = publisher.clock()
    rotate(publisher.repository, "targets", add=[publisher.public["dave"]], remove=["alice", "carol"], at=at)
    publisher.signed_by("alice", "bob", "dave")
    publisher.publish(policy(2), by=("bob", "dave"))
    client.updater.refresh()
    assert client.updater.policy == policy(2)


def test_removed_signers_sign_nothing(publisher: Publisher, server: Server, client: Follower) -> None:
    """Rotation: what removed signers sign afterwards is refused."""
    at = publisher.clock()
    rotate(publisher.repository, "targets", add=[publisher.public["dave"]], remove=["alice", "carol"], at=at)
    publisher.signed_by("alice", "bob", "dave")
    client.updater.refresh()
    forged = targets_with(publisher, server, policy(2).to_json(), "alice", "carol")
    offer(publisher, server, forged, 9)
    refused(client, ThresholdError)


def test_signers_change_and_change_back(publisher: Publisher, follow: Callable[..., Follower], tmp_path: Path) -> None:
    """Rotation in both directions: who slept through the new signers and the return of the old ones still follows."""
    sleeper = follow(store=tmp_path / "sleeper")
    sleeper.updater.refresh()
    at, repository = publisher.clock(), publisher.repository
    rotate(repository, "root", add=[publisher.public["dave"]], remove=["alice"], at=at)
    publisher.signed_by("alice", "bob", "dave")
    rotate(repository, "root", add=[publisher.public["alice"]], remove=["dave"], at=at)
    publisher.signed_by("bob", "carol", "dave")
    publisher.publish(policy(2))
    assert sleeper.updater.refresh().policy == policy(2)
    assert 3 == sleeper.updater.state.floor.root
    again = follow(store=tmp_path / "sleeper")
    assert again.updater.start() == policy(2)


@pytest.mark.parametrize("signers", [("bob", "dave"), ("alice", "carol")])
def test_a_root_needs_old_and_new_signers(
    publisher: Publisher, server: Server, client: Follower, signers: tuple[str, str]
) -> None:
    """Rotation: a root that only the new keys, or only the old ones, signed is refused."""
    from pinscher.updates.repository.roles import set_keys

    root = publisher.signed("root")
    set_keys(root, "root", [publisher.public["bob"], publisher.public["dave"]], 2)
    root.version = 2
    server.answers["/metadata/2.root.json"] = publisher.forged(root, *signers)
    assert "root" in str(refused(client, ThresholdError))


def test_a_hidden_root_is_missed(
    publisher: Publisher, server: Server, client: Follower, follow: Callable[..., Follower]
) -> None:
    """Rotation: a mirror that hides newer roots cannot bring removed keys back to who has seen them go."""
    yesterday = server.frozen()
    rotate(publisher.repository, "online", add=[publisher.public["online2"]], remove=["online"], at=publisher.clock())
    publisher.online = ["online2"]
    publisher.signed_by("alice", "bob")
    client.updater.refresh()
    (client.store / "state").unlink()
    server.answers.update(yesterday)
    server.answers["/metadata/2.root.json"] = 404
    with pytest.raises(RollbackError, match="the newest root offered is version 1"):
        follow().updater.refresh()


def test_a_new_root_is_kept_when_the_rest_is_refused(
    publisher: Publisher, server: Server, client: Follower, follow: Callable[..., Follower]
) -> None:
    """Rotation: a key that a new root removed stays removed, even when everything after that root was refused."""
    rotate(publisher.repository, "online", add=[publisher.public["online2"]], remove=["online"], at=publisher.clock())
    publisher.online = ["online2"]
    publisher.signed_by("alice", "bob")
    server.answers["/metadata/timestamp.json"] = b"{}"
    refused(client, UnreadableMetadataError)
    again = follow()
    server.answers["/metadata/2.root.json"] = 404
    offer(publisher, server, publisher.file("metadata/2.targets.json"), 2)
    refused(again, ThresholdError)


def test_pins_of_the_tests_differ() -> None:
    """Two versions of the tests' policy pin different keys."""
    assert pin("key 1") != pin("key 2")


def test_a_role_missing_from_the_snapshot(publisher: Publisher, server: Server, client: Follower) -> None:
    """Mix-and-match: a snapshot from which something has gone, or that never knew the targets role, is refused."""
    expires = publisher.clock() + FAR
    server.answers["/metadata/timestamp.json"] = publisher.forged(Timestamp(9, None, expires, MetaFile(9)), "online")
    server.answers["/metadata/9.snapshot.json"] = publisher.forged(Snapshot(9, None, expires, {}), "online")
    assert "missing info" in str(refused(client, MixAndMatchError))
    fresh = Follower(publisher, [server.address], client.store.with_name("fresh"))
    with pytest.raises(MixAndMatchError):
        fresh.updater.refresh()


def test_a_repository_without_consistent_snapshots(
    publisher: Publisher, server: Server, follow: Callable[..., Follower]
) -> None:
    """A repository whose root says that files have no versions in their names is followed as well."""
    expires = publisher.clock() + FAR
    root = publisher.signed("root")
    root.version, root.consistent_snapshot = 2, False
    content = policy(5).to_json()
    described = TargetFile.from_data("policy.json", content, ["sha256"])
    for name, signed, signers in (
        ("2.root", root, ("alice", "bob")),
        ("timestamp", Timestamp(9, None, expires, MetaFile(9)), ("online",)),
        ("snapshot", Snapshot(9, None, expires, {"targets.json": MetaFile(9)}), ("online",)),
        ("targets", Targets(9, None, expires, {"policy.json": described}), ("alice", "bob")),
    ):
        server.answers[f"/metadata/{name}.json"] = publisher.forged(signed, *signers)
    server.answers["/targets/policy.json"] = content
    assert policy(5) == follow().updater.refresh().policy


@pytest.mark.parametrize("epoch", [-1, True, "1", 2**63, None])
def test_an_epoch_that_is_none(publisher: Publisher, server: Server, client: Follower, epoch: object) -> None:
    """A root whose epoch is no count is refused."""
    root = publisher.signed("root")
    root.version = 2
    root.unrecognized_fields["x-pinscher-epoch"] = epoch
    server.answers["/metadata/2.root.json"] = publisher.forged(root, "alice", "bob")
    assert "x-pinscher-epoch" in str(refused(client, UnreadableMetadataError))


def test_a_root_out_of_turn(publisher: Publisher, server: Server, client: Follower) -> None:
    """Rollback: a root that does not follow the one before, or is no root at all, is refused."""
    root = publisher.signed("root")
    root.version = 3
    server.answers["/metadata/2.root.json"] = publisher.forged(root, "alice", "bob")
    refused(client, RollbackError)
    server.answers["/metadata/2.root.json"] = publisher.file("metadata/timestamp.json")
    refused(client, UnreadableMetadataError)


def test_a_kept_root_that_does_not_verify(
    publisher: Publisher, server: Server, client: Follower, follow: Callable[..., Follower]
) -> None:
    """A root in the store that its predecessor's keys did not sign is not believed, and asked for anew."""
    from pinscher.updates import DirectoryStore

    store = DirectoryStore(client.store)
    root = publisher.signed("root")
    root.version = 2
    store.save({**store.load(), "root/2.json": publisher.forged(root, "thief", "dave")})
    rotate(publisher.repository, "root", at=publisher.clock())
    publisher.signed_by("alice", "bob")
    again = follow()
    assert policy(1) == again.updater.refresh().policy
    assert 2 == again.updater.state.floor.root


def test_too_many_roots(publisher: Publisher, server: Server, follow: Callable[..., Follower]) -> None:
    """Endless data: no more new roots are climbed in one refresh than the limit allows; the next goes on from there."""
    for _ in range(3):
        rotate(publisher.repository, "root", at=publisher.clock())
        publisher.signed_by("alice", "bob")
    client = follow(limits=Limits(root_rotations=2))
    assert 3 == (client.updater.refresh() and client.updater.state.floor.root)
    assert 4 == (client.updater.refresh() and client.updater.state.floor.root)


def test_metadata_that_make_no_sense(publisher: Publisher, server: Server, client: Follower) -> None:
    """Metadata of another role, however well signed, are refused."""
    server.answers["/metadata/timestamp.json"] = publisher.file("metadata/2.snapshot.json")
    refused(client, UnreadableMetadataError)
    server.answers["/metadata/timestamp.json"] = b"[" * 10000
    refused(client, UnreadableMetadataError)
