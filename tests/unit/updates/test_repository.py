"""The actions on a repository: what they refuse, and what they leave behind."""

from __future__ import annotations

import pickle
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from publisher import Clock, Publisher, pin, policy
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, SSlibKey

from pinscher import Pin
from pinscher.updates.repository import (
    BrokenRepositoryError,
    MissingSignaturesError,
    Objection,
    RefusedPublicationError,
    Repository,
    RepositoryError,
    RoleKeys,
    SigningKey,
    SigningKeyError,
    delegate,
    make_key,
    override,
    public_key,
    publish,
    published_policy,
    renew,
    rotate,
    sign,
    staged_policy,
    start,
    status,
    withdrawn,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from publisher import Follower


def names(folder: str | Path) -> set[str]:
    """Return the files below a folder."""
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


def test_the_layout(publisher: Publisher) -> None:
    """What is served lies under its versions and hashes, and nothing stays staged."""
    served = names(publisher.repository.public)
    assert {
        "metadata/1.root.json", "metadata/1.targets.json", "metadata/2.targets.json", "metadata/1.snapshot.json",
        "metadata/2.snapshot.json", "metadata/timestamp.json",
    } == {name for name in served if name.startswith("metadata")}  # fmt: skip
    assert 1 == len([name for name in served if name.startswith("targets/") and name.endswith(".policy.json")])
    assert set() == names(Path(publisher.repository.path) / "staging")


def test_a_repository_below_a_file_is_broken(tmp_path: Path) -> None:
    """Where a file stands in the place of a folder, whatever is asked for is told as unreadable."""
    (tmp_path / "file").write_text("x")
    repository = Repository(tmp_path / "file")
    for ask in (repository.staged_roles, lambda: repository.version("targets"), lambda: repository.published("root")):
        with pytest.raises(BrokenRepositoryError, match=r"cannot read '.*file/.*': Not a directory"):
            ask()


def test_a_renewal_with_nothing_new(publisher: Publisher) -> None:
    """A renewal signs a timestamp, and a snapshot only once the old one is half over."""
    publisher.renew()
    assert (2, 3) == tuple(publisher.repository.version(role) for role in ("snapshot", "timestamp"))
    publisher.clock.move(days=4)
    publisher.renew()
    assert (3, 4) == tuple(publisher.repository.version(role) for role in ("snapshot", "timestamp"))


def test_nothing_is_published_by_other_keys(publisher: Publisher) -> None:
    """A renewal with another key than the online one writes nothing."""
    publish(publisher.repository, policy(2), at=publisher.clock())
    for name in ("alice", "bob"):
        sign(publisher.repository, publisher.keys[name])
    before = names(publisher.repository.public)
    with pytest.raises(SigningKeyError, match="'snapshot' lacks 1 signature of its online keys"):
        renew(publisher.repository, [publisher.keys["thief"]], at=publisher.clock())
    assert before == names(publisher.repository.public)


def test_the_first_publication_needs_root_and_targets(tmp_path: Path, publisher: Publisher) -> None:
    """Before root and targets are signed, there is nothing that a client could follow."""
    repository = Repository(tmp_path / "new")
    start(
        repository, root=publisher.role("alice", threshold=1), targets=publisher.role("bob", threshold=1),
        online=publisher.role("online", threshold=1), at=publisher.clock(),
    )  # fmt: skip
    online = [publisher.keys["online"]]
    with pytest.raises(MissingSignaturesError, match="the new root lacks 1 signature"):
        renew(repository, online, at=publisher.clock())
    sign(repository, publisher.keys["alice"])
    with pytest.raises(MissingSignaturesError, match="the first targets metadata lack 1 signature"):
        renew(repository, online, at=publisher.clock())
    sign(repository, publisher.keys["bob"])
    assert ("root", "targets") == renew(repository, online, at=publisher.clock()).published


def test_a_rotation_is_published_as_a_whole(publisher: Publisher) -> None:
    """New keys for a role are not published before they have signed what the role says."""
    rotate(
        publisher.repository, "targets", add=[publisher.public["dave"]], remove=["alice", "bob"], at=publisher.clock()
    )
    for name in ("alice", "bob"):
        sign(publisher.repository, publisher.keys[name], roles=("root",))
    with pytest.raises(MissingSignaturesError, match="'targets' lacks 2 signatures of the keys it has now"):
        publisher.renew()
    for name in ("carol", "dave"):
        sign(publisher.repository, publisher.keys[name])
    publisher.renew()
    assert [("carol", "dave")] == [one.signed for one in status(publisher.repository) if one.role == "targets"]


def test_a_delegated_roles_keys_are_rotated(publisher: Publisher, follow: Callable[..., Follower]) -> None:
    """A delegated role's keys are changed by the signers of targets, and its policy signed anew."""
    delegate(publisher.repository, "pay", publisher.role("dave", threshold=1), at=publisher.clock())
    publisher.publish(policy(1), by=("alice", "bob", "dave"), role="pay")
    rotate(publisher.repository, "pay", add=[publisher.public["carol"]], remove=["dave"], at=publisher.clock())
    publisher.signed_by("alice", "bob", "carol")
    assert policy(1) == follow(bundle="pay/policy.json").updater.refresh().policy


def test_who_is_on_call_is_rotated_before_the_first_emergency(publisher: Publisher) -> None:
    """Keys of a role that has not published anything are changed without it."""
    at = publisher.clock()
    assert ("targets",) == rotate(publisher.repository, "override", add=[publisher.public["dave"]], threshold=1, at=at)


def test_an_epoch_begins_with_a_policy(publisher: Publisher) -> None:
    """A new epoch is not published with the policy of the old one, which would lift the new floor."""
    publisher.publish(policy(900))
    rotate(publisher.repository, "root", begins_epoch=True, at=publisher.clock())
    for name in ("alice", "bob"):
        sign(publisher.repository, publisher.keys[name])
    with pytest.raises(MissingSignaturesError, match="a new epoch begins with a policy of its own"):
        publisher.renew()
    publisher.publish(policy(2))
    assert policy(2) == published_policy(publisher.repository, "policy.json", "targets")


@pytest.mark.parametrize(
    ("role", "named", "reason"),
    [
        ("snapshot", {}, "changed with its twin, as 'online'"),
        ("override", {"begins_epoch": True}, "an epoch is begun by root"),
        ("targets", {"remove": ["dave"]}, "has no key called 'dave'"),
        ("targets", {"threshold": 4}, "found 4"),
        ("targets", {"threshold": 0}, "found 0"),
        ("nobody", {}, "no role called 'nobody'"),
    ],
)
def test_a_rotation_that_is_refused(publisher: Publisher, role: str, named: dict[str, Any], reason: str) -> None:
    """A rotation that makes no sense is refused, and nothing is staged."""
    with pytest.raises(RepositoryError, match=reason):
        rotate(publisher.repository, role, at=publisher.clock(), **named)
    assert [] == publisher.repository.staged_roles()


def test_a_key_is_not_added_twice(publisher: Publisher) -> None:
    """A key that a role has already is not added again."""
    with pytest.raises(RepositoryError, match="has the key alice already"):
        rotate(publisher.repository, "targets", add=[publisher.public["alice"]], at=publisher.clock())
    with pytest.raises(RepositoryError, match="given twice"):
        RoleKeys((publisher.public["alice"],) * 2, 1)


def test_the_online_key_is_a_key_of_its_own(publisher: Publisher, tmp_path: Path) -> None:
    """A key that is on a reachable machine does not sign policies as well."""
    alice = publisher.role("alice", threshold=1)
    with pytest.raises(RepositoryError, match="has to be a key of its own"):
        start(Repository(tmp_path / "new"), root=alice, targets=alice, online=alice, at=publisher.clock())


@pytest.mark.parametrize("name", ["targets", "override", "", "A", "a/b", "../a", "x" * 65])
def test_a_role_is_not_called_so(publisher: Publisher, name: str) -> None:
    """A delegated role has a plain name, and not that of another role."""
    with pytest.raises(RepositoryError, match="a role's name"):
        delegate(publisher.repository, name, publisher.role("dave", threshold=1), at=publisher.clock())


def test_a_role_is_delegated_once(publisher: Publisher) -> None:
    """A role that is there is changed by a rotation."""
    delegate(publisher.repository, "pay", publisher.role("dave", threshold=1), at=publisher.clock())
    with pytest.raises(RepositoryError, match="already"):
        delegate(publisher.repository, "pay", publisher.role("dave", threshold=1), at=publisher.clock())


def test_what_checks_object_to_is_refused(publisher: Publisher) -> None:
    """Checks are told the policy before and after; what they object to is refused unless it is accepted by name."""
    seen: list[Any] = []

    def check(before: Any, after: Any) -> list[Objection]:
        seen.append((before, after))
        return [Objection("mine", "I do not like it")]

    with pytest.raises(RefusedPublicationError, match=r"mine\n  \[mine\] I do not like it") as caught:
        publish(publisher.repository, policy(2), checks=[check], at=publisher.clock())
    assert [(policy(1), policy(2))] == seen
    assert caught.value.objections == pickle.loads(pickle.dumps(caught.value)).objections
    assert [] == publisher.repository.staged_roles()
    done = publish(publisher.repository, policy(2), checks=[check], accepted=["mine"], at=publisher.clock())
    assert ("policy.json", "targets", policy(1)) == (done.bundle, done.role, done.before)
    assert ["targets"] == publisher.repository.staged_roles()


def test_the_same_policy_is_published_again(publisher: Publisher, client: Follower) -> None:
    """Publishing what is published prolongs its metadata, and changes nothing for clients."""
    publisher.clock.move(days=100)
    publisher.publish(policy(1))
    assert not client.updater.refresh().has_changed
    assert publisher.clock() + timedelta(days=120) == client.updater.state.expiries["targets"]


@pytest.mark.parametrize("role", ["root", "snapshot", "nobody"])
def test_a_role_that_carries_no_policy(publisher: Publisher, role: str) -> None:
    """Root, snapshot and timestamp carry no policy, and a role that is not there carries none either."""
    with pytest.raises(RepositoryError, match=role):
        publish(publisher.repository, policy(2), role=role, at=publisher.clock())


def test_an_override_keeps_denied_keys(publisher: Publisher) -> None:
    """Keys that the policy denies stay denied in an emergency, and cannot be accepted."""
    current = withdrawn(policy(1), Pin.parse(pin("stolen")))
    at = publisher.clock()
    ends = at + timedelta(hours=1)
    made = override(publisher.repository, ["api.example"], [Pin.parse(pin("new"))], ends=ends, current=current, at=at)
    entry = made.lookup("api.example")
    assert entry is not None
    assert entry.pinset is not None
    assert [pin("stolen")] == [str(key) for key in entry.pinset.denied_keys]
    with pytest.raises(ValueError, match="both accepted and denied"):
        override(publisher.repository, ["api.example"], [Pin.parse(pin("stolen"))], ends=ends, current=current, at=at)


def test_overrides_follow_each_other(publisher: Publisher, client: Follower) -> None:
    """A second emergency policy takes the place of the first."""
    for number in (1, 2):
        override(
            publisher.repository, ["api.example"], [Pin.parse(pin(f"emergency {number}"))], current=None,
            ends=publisher.clock() + timedelta(hours=number), at=publisher.clock(),
        )  # fmt: skip
        publisher.signed_by("alice", "bob")
        client.updater.refresh()
    assert client.updater.override is not None
    assert (2, publisher.clock() + timedelta(hours=2)) == (
        client.updater.override.policy.version, client.updater.override.ends,
    )  # fmt: skip


@pytest.mark.parametrize("hours", [0, -1, 72.1])
def test_an_override_ends_soon(publisher: Publisher, hours: float) -> None:
    """An emergency policy ends in the future, and within 72 hours."""
    ends = publisher.clock() + timedelta(hours=hours)
    with pytest.raises(RepositoryError, match="ends"):
        override(
            publisher.repository, ["a.example"], [Pin.parse(pin("x"))], ends=ends, current=None, at=publisher.clock()
        )


def test_a_withdrawn_key_is_denied_everywhere() -> None:
    """A withdrawn key is denied in every pinned entry; the first backup takes the place of an only pin."""
    new = withdrawn(policy(1), Pin.parse(pin("key 1")))
    entry = new.lookup("api.example")
    assert entry is not None
    assert entry.pinset is not None
    assert 2 == new.version
    assert ((pin("backup"),), (), (pin("key 1"),)) == tuple(tuple(map(str, group)) for group in entry.pinset.groups)
    with pytest.raises(RepositoryError, match="would have no pin left"):
        withdrawn(new, Pin.parse(pin("backup")))
    with pytest.raises(RepositoryError, match="denied already"):
        withdrawn(new, Pin.parse(pin("key 1")))
    with pytest.raises(RepositoryError, match=r"no entry 'b\.example'"):
        withdrawn(new, Pin.parse(pin("x")), hosts=["b.example"])


def test_no_repository(tmp_path: Path) -> None:
    """A folder without a repository is told, whatever is done to it."""
    for action in (status, lambda place: renew(place, [], at=Clock()())):
        with pytest.raises(RepositoryError, match="'pinscher repo init' makes one"):
            action(Repository(tmp_path))


def test_a_broken_repository(publisher: Publisher, tmp_path: Path) -> None:
    """Files that cannot be read are told by their place."""
    repository = publisher.repository
    for folder in (Path(repository.public) / "targets").iterdir():
        folder.write_bytes(b"{}")
    with pytest.raises(BrokenRepositoryError, match="is not what its metadata describe"):
        publish(repository, policy(2), at=publisher.clock())
    shutil.rmtree(Path(repository.public) / "targets")
    with pytest.raises(BrokenRepositoryError, match="is missing"):
        publish(repository, policy(2), at=publisher.clock())
    root = Path(repository.public) / "metadata" / "1.root.json"
    root.write_text("{}")
    with pytest.raises(BrokenRepositoryError, match=r"1\.root\.json' is no metadata"):
        status(repository)
    root.unlink()
    root.mkdir()
    with pytest.raises(BrokenRepositoryError, match="cannot read"):
        status(repository)


def test_a_bundle_that_was_left_behind(publisher: Publisher) -> None:
    """Staged metadata without the bundle that they name are not published."""
    publish(publisher.repository, policy(2), at=publisher.clock())
    for name in ("alice", "bob"):
        sign(publisher.repository, publisher.keys[name])
    shutil.rmtree(Path(publisher.repository.path) / "staging" / "targets")
    with pytest.raises(BrokenRepositoryError, match="is not in the staging folder"):
        publisher.renew()


def test_what_is_staged_is_what_its_signers_see(publisher: Publisher) -> None:
    """A staged bundle that somebody altered is neither shown nor published, and one that is no policy is told."""
    repository = publisher.repository
    publish(repository, policy(2), at=publisher.clock())
    assert (policy(2), None) == (staged_policy(repository, "targets"), staged_policy(repository, "root"))
    [staged] = (Path(repository.path) / "staging" / "targets").iterdir()
    staged.write_bytes(policy(2, key="another").to_json())
    for name in ("alice", "bob"):
        sign(repository, publisher.keys[name])
    for action in (lambda: staged_policy(repository, "targets"), publisher.renew):
        with pytest.raises(BrokenRepositoryError, match="is not what its metadata describe"):
            action()
    metadata = repository.staged("targets")
    assert metadata is not None
    metadata.signed.targets["policy.json"] = repository.stage_bundle("policy.json", b"{}")
    repository.stage("targets", metadata)
    with pytest.raises(RepositoryError, match="what is staged for 'targets' cannot be used"):
        staged_policy(repository, "targets")


def test_a_folder_that_cannot_be_written(tmp_path: Path, publisher: Publisher) -> None:
    """A folder that cannot be written is told."""
    (tmp_path / "file").write_bytes(b"")
    alice, online = publisher.role("alice", threshold=1), publisher.role("online", threshold=1)
    with pytest.raises(RepositoryError, match="cannot write"):
        start(Repository(tmp_path / "file" / "x"), root=alice, targets=alice, online=online, at=publisher.clock())
    with pytest.raises(SigningKeyError, match="cannot write"):
        make_key(str(tmp_path / "nowhere" / "key"))


def pem(key: Any, *, secret: bytes | None = None) -> bytes:
    """Return a private key in PEM."""
    encryption = BestAvailableEncryption(secret) if secret else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    "make", [lambda: ec.generate_private_key(ec.SECP256R1()), lambda: rsa.generate_private_key(65537, 2048)]
)
def test_keys_of_other_kinds(tmp_path: Path, make: Callable[[], Any], publisher: Publisher) -> None:
    """Keys that were made elsewhere sign as well: ECDSA and RSA, their public halves as PEM."""
    key = make()
    (tmp_path / "eve.pem").write_bytes(pem(key))
    (tmp_path / "eve.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    rotate(publisher.repository, "targets", add=[public_key(str(tmp_path / "eve.pub"))], at=publisher.clock())
    publisher.signed_by("alice", "bob")
    publish(publisher.repository, policy(2), at=publisher.clock())
    assert {"targets": 1} == sign(publisher.repository, SigningKey.load(f"file2:{tmp_path / 'eve.pem'}"))
    assert public_key(str(tmp_path / "eve.pem")).keyid == public_key(str(tmp_path / "eve.pub")).keyid


def test_an_encrypted_key(tmp_path: Path) -> None:
    """An encrypted key asks for its passphrase."""
    make_key(str(tmp_path / "key"), passphrase="correct horse")
    asked: list[str] = []

    def answer(what: str) -> str:
        asked.append(what)
        return "correct horse"

    assert SigningKey.load(str(tmp_path / "key"), passphrase=answer).signer.public_key.keytype == "ed25519"
    assert [str(tmp_path / "key")] == asked
    with pytest.raises(SigningKeyError, match="does not open"):
        SigningKey.load(str(tmp_path / "key"), passphrase=lambda _: "wrong")
    with pytest.raises(SigningKeyError, match="no passphrase was given"):
        SigningKey.load(str(tmp_path / "key"))


def test_files_that_are_no_keys(tmp_path: Path) -> None:
    """What is no key, or one that cannot sign metadata, is told by its name."""
    (tmp_path / "text").write_text("hello")
    (tmp_path / "dsa").write_bytes(pem(dsa.generate_private_key(2048)))
    for name, reason in (
        ("text", "no private key"),
        ("dsa", "cannot sign metadata"),
        ("none", "no such file"),
        ("\0", "null"),
    ):
        with pytest.raises(SigningKeyError, match=reason):
            SigningKey.load(str(tmp_path / name))
    with pytest.raises(SigningKeyError, match="no public key"):
        public_key(str(tmp_path / "text"))
    with pytest.raises(SigningKeyError, match="give its public key"):
        _ = SigningKey.load("hsm:2").signer


class Token(CryptoSigner):
    """A signer behind an address, as a token's is: it has one key, and refuses every other."""

    held: CryptoSigner

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Any, secrets_handler: Any = None) -> CryptoSigner:
        """Open the token for its own key."""
        if priv_key_uri == "token:unplugged":
            raise OSError("no such device")
        return CryptoSigner(cls.held._private_key, public_key)


def test_a_key_behind_an_address(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in a token signs by its address, for whichever of the role's keys is its own."""
    Token.held = CryptoSigner(publisher.keys["bob"].signer._private_key)
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "token", Token)
    publish(publisher.repository, policy(2), at=publisher.clock())
    assert {"targets": 1} == sign(publisher.repository, SigningKey.load("token:1"))
    assert [("bob",)] == [one.signed for one in status(publisher.repository) if one.is_staged]
    with pytest.raises(SigningKeyError, match="cannot be used: no such device"):
        sign(publisher.repository, SigningKey.load("token:unplugged"))
    Token.held = CryptoSigner.generate_ed25519()
    with pytest.raises(SigningKeyError, match="has nothing to sign here"):
        sign(publisher.repository, SigningKey.load("token:1"))


def test_a_key_without_a_good_name(tmp_path: Path) -> None:
    """A key whose file has an odd name is called by the beginning of its identifier."""
    make_key(str(tmp_path / "ö ö"))
    key = public_key(str(tmp_path / "ö ö.pub"))
    assert isinstance(key, SSlibKey)
    assert key.keyid[:8] == key.unrecognized_fields["x-pinscher-name"]
