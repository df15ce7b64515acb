"""
Which signed metadata are believed, decided without a network, a disk or a clock of its own.

Bytes come from ``fetch``, which is handed in, and the time is an argument; the signatures, thresholds, versions and
expiries are those of The Update Framework, https://theupdateframework.github.io/specification/latest/. This is the one
file that uses a private module of the package ``tuf``: its set of trusted metadata, which its own client is built on.

Rules of this file:

1. The order is root, timestamp, snapshot, targets, delegated roles; nothing is believed before what it rests on.
2. Newer roots are climbed one by one, each signed by the threshold of the one before and of its own (5.3).
3. What was kept from before is believed only as far as it verifies again, and guards against older metadata.
4. Only the metadata at the end of each step must not have lapsed (5.3.10, 5.4.4, 5.5.6, 5.6.5).
5. Every refusal is one of the errors of this room.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import quote

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from pinscher.errors import escaped
from pinscher.updates.bundle import HOSTS_FIELD, patterns_of
from pinscher.updates.errors import (
    AbsentFileError,
    FreezeError,
    MixAndMatchError,
    RollbackError,
    RootExpiredError,
    ThresholdError,
    UnreadableMetadataError,
    UpdateError,
    WrongTargetError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from pinscher.host import HostPattern
    from pinscher.updates.limits import Limits

EPOCH_FIELD = "x-pinscher-epoch"
"""The field of root that counts how often the policy's versions began anew."""


class Fetch(Protocol):
    """Returns the file at a path of the repository, or raises an :class:`UpdateError`."""

    def __call__(self, path: str, octets: int, /) -> bytes:
        """Return at most *octets* octets; raise ``AbsentFileError`` where there is no such file."""


class Trust:
    """
    The metadata believed so far, beginning with a root that came with the program.

    Args:
        root: the embedded root; it proves itself to nobody, and everything else rests on it.
        kept: what :attr:`files` was when an earlier refresh ended.
        at: the time at which lapsing is judged.
        limits: how much is read.
    """

    def __init__(self, root: bytes, kept: Mapping[str, bytes], *, at: datetime, limits: Limits) -> None:
        self._kept = kept
        self.limits = limits
        with _named("root"):
            self._set = TrustedMetadataSet(root, EnvelopeType.METADATA)
        self._set.reference_time = at
        self.files: dict[str, bytes] = {}
        """What was believed, by name, for the next time."""
        self._keep(root_name(self.root_version), root)

    @property
    def root_version(self) -> int:
        """The version of the newest root."""
        return int(self._set.root.version)

    @property
    def epoch(self) -> int:
        """How often the policy's versions began anew."""
        epoch = self._set.root.unrecognized_fields.get(EPOCH_FIELD, 0)
        if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 <= epoch < 2**63:
            raise UnreadableMetadataError(f"{EPOCH_FIELD} is a whole number from 0 on")
        return epoch

    @property
    def expiries(self) -> dict[str, datetime]:
        """When each role's metadata lapse, by role."""
        return {role: self._set[role].expires for role in _TOP if role in list(self._roles())}

    @property
    def signers(self) -> dict[str, tuple[int, int]]:
        """How many of how many keys sign for each top-level role."""
        return {name: (role.threshold, len(role.keyids)) for name, role in self._set.root.roles.items()}

    def _roles(self) -> Iterator[str]:
        return (role for role in _TOP if self._set.get(role) is not None)

    def _keep(self, name: str, content: bytes) -> None:
        self.files[name] = content

    def refresh(self, fetch: Fetch) -> None:
        """Take the newest metadata of the roles below root (rule 1); :meth:`climb` comes before."""
        self._take_timestamp(fetch)
        self._take_snapshot(fetch)
        self._take_targets(Targets.type, Root.type, fetch)

    def climb(self, fetch: Fetch) -> None:
        """Take newer roots until there is none (rule 2)."""
        fetched = 0
        while fetched < self.limits.root_rotations:
            version = self.root_version + 1
            name = root_name(version)
            kept = self._kept.get(name)
            if kept is not None and self._has_taken_root(kept):
                self._keep(name, kept)
                continue
            try:
                content = fetch(f"metadata/{version}.root.json", self.limits.root_octets)
                fetched += 1
            except AbsentFileError:
                return
            with _named("root", wrong_version=RollbackError):
                self._set.update_root(content)
            self._keep(name, content)
            _check_distinct(self._set.root)

    def _has_taken_root(self, kept: bytes) -> bool:
        try:
            self._set.update_root(kept)
        except exceptions.RepositoryError:
            return False
        return True

    def _take_timestamp(self, fetch: Fetch) -> None:
        with _named("root", expired=RootExpiredError):
            if self._set.root.is_expired(self._set.reference_time):
                raise exceptions.ExpiredMetadataError
        kept = self._kept.get(_TIMESTAMP)
        if kept is not None:
            with contextlib.suppress(exceptions.RepositoryError):
                self._set.update_timestamp(kept)
        content = fetch(f"metadata/{_TIMESTAMP}", self.limits.timestamp_octets)
        with _named("timestamp"):
            try:
                self._set.update_timestamp(content)
            except exceptions.EqualVersionNumberError:
                # The same version again is no news, and lapses like any other.
                content = kept or content
                if self._set.timestamp.is_expired(self._set.reference_time):
                    raise exceptions.ExpiredMetadataError from None
        self._keep(_TIMESTAMP, content)

    def _take_snapshot(self, fetch: Fetch) -> None:
        kept = self._kept.get(_SNAPSHOT)
        if kept is not None:
            with contextlib.suppress(exceptions.RepositoryError):
                self._set.update_snapshot(kept, trusted=True)
                self._keep(_SNAPSHOT, kept)
                return
        described = self._set.timestamp.snapshot_meta
        path = self._path("snapshot", described.version)
        content = fetch(path, described.length or self.limits.snapshot_octets)
        with _named("snapshot", wrong_version=self._older_or_mixed(content, described.version), odd=MixAndMatchError):
            self._set.update_snapshot(content)
        self._keep(_SNAPSHOT, content)

    @staticmethod
    def _older_or_mixed(content: bytes, version: int) -> type[UpdateError]:
        """Name a snapshot's wrong version: another than the timestamp's is mixed in, else it holds an older role."""
        with contextlib.suppress(DeserializationError):
            if Metadata[Snapshot].from_bytes(content).signed.version == version:
                return RollbackError
        return MixAndMatchError

    def _take_targets(self, role: str, parent: str, fetch: Fetch) -> Targets:
        if self._set.contains(role, parent):
            return cast("Targets", self._set[role])
        name = role_name(role)
        kept = self._kept.get(name)
        if kept is not None:
            with contextlib.suppress(exceptions.RepositoryError):
                taken = self._set.update_delegated_targets(kept, role, parent)
                self._keep(name, kept)
                return taken
        described = self._set.snapshot.meta.get(f"{role}.json")
        if described is None:
            raise MixAndMatchError(f"the snapshot does not hold the role '{escaped(role)}'")
        content = fetch(self._path(role, described.version), described.length or self.limits.targets_octets)
        with _named(role, wrong_version=MixAndMatchError, odd=MixAndMatchError):
            taken = self._set.update_delegated_targets(content, role, parent)
        self._keep(name, content)
        _check_distinct(taken)
        return taken

    def _path(self, role: str, version: int) -> str:
        name = f"{quote(role, safe='')}.json"
        return f"metadata/{version}.{name}" if self._set.root.consistent_snapshot else f"metadata/{name}"

    def find(self, bundle: str, fetch: Fetch) -> Found | None:
        """
        Return what the most trusted role says of a bundle, or None (5.6.7).

        Roles are asked in the order of the delegations, each once, and at most as many as the limit allows.
        """
        waiting: list[tuple[str, str, tuple[tuple[HostPattern, ...], ...]]] = [(Targets.type, Root.type, ())]
        asked: set[str] = set()
        while waiting and len(asked) <= self.limits.delegations:
            role, parent, allowed = waiting.pop()
            if role in asked:
                continue
            if role != Targets.type and f"{role}.json" not in self._set.snapshot.meta:
                # A role that has not published anything yet.
                continue
            targets = self._take_targets(role, parent, fetch)
            described = targets.targets.get(bundle)
            if described is not None:
                return Found(self._bundle_path(described), described, role, allowed)
            asked.add(role)
            children, is_last = _children(targets, bundle)
            if is_last:
                waiting.clear()
            waiting.extend((name, role, allowed + hosts) for name, hosts in reversed(children))
        return None

    def _bundle_path(self, described: TargetFile) -> str:
        if not self._set.root.consistent_snapshot:
            return f"targets/{described.path}"
        directory, slash, name = described.path.rpartition("/")
        return f"targets/{directory}{slash}{next(iter(described.hashes.values()))}.{name}"


_TOP = (Root.type, Timestamp.type, Snapshot.type, Targets.type)
_TIMESTAMP = "timestamp.json"
_SNAPSHOT = "snapshot.json"


def root_name(version: int) -> str:
    """Return the name under which a version of root is kept."""
    return f"root/{version}.json"


def role_name(role: str) -> str:
    """Return the name under which the metadata of targets or a delegated role are kept."""
    return f"role/{quote(role, safe='')}.json"


class Found:
    """What signed metadata say of one bundle: where it lies, and the hosts that each role on the way may speak of."""

    def __init__(
        self, path: str, described: TargetFile, role: str, allowed: tuple[tuple[HostPattern, ...], ...]
    ) -> None:
        self.path = path
        self.octets = int(described.length)
        self.role = role
        self.allowed = allowed
        self._described = described

    def check(self, content: bytes) -> None:
        """Refuse other bytes than the metadata describe (5.7.3)."""
        try:
            self._described.verify_length_and_hashes(content)
        except exceptions.LengthOrHashMismatchError:
            reason = (
                f"the bundle is not the one that the role '{escaped(self.role)}' signed: its length or hash differs"
            )
            raise WrongTargetError(reason) from None


def _check_distinct(delegator: Root | Targets) -> None:
    """Refuse a role whose threshold fewer keys could reach than it says, one of them listed under several names."""
    roles = delegator.roles if isinstance(delegator, Root) else (delegator.delegations and delegator.delegations.roles)
    for name, role in (roles or {}).items():
        keys = {json.dumps(delegator.get_key(keyid).keyval, sort_keys=True) for keyid in role.keyids}
        if len(keys) != len(role.keyids):
            raise ThresholdError(f"one key stands twice in the role '{escaped(name)}', and each counts once")


def _children(targets: Targets, bundle: str) -> tuple[list[tuple[str, tuple[tuple[HostPattern, ...], ...]]], bool]:
    """Return the roles to ask next, and whether the last of them ends the search."""
    children: list[tuple[str, tuple[tuple[HostPattern, ...], ...]]] = []
    if targets.delegations is None:
        return children, False
    roles = targets.delegations.roles or {}
    for name, is_last in targets.delegations.get_roles_for_target(bundle):
        role = roles.get(name)
        field: Any = None if role is None else role.unrecognized_fields.get(HOSTS_FIELD)
        children.append((name, () if field is None else (patterns_of(field),)))
        if is_last:
            return children, True
    return children, False


_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


def check_name(bundle: str) -> str:
    """Refuse a bundle's name that could be read as something else in an address or on a disk."""
    if len(bundle) > 256 or not _SAFE.fullmatch(bundle):
        raise ValueError(f"the name of a bundle is letters, digits, '.', '_', '-' and '/', found {bundle!r}")
    return bundle


@contextlib.contextmanager
def _named(
    role: str,
    *,
    wrong_version: type[UpdateError] = RollbackError,
    expired: type[UpdateError] = FreezeError,
    odd: type[UpdateError] = UnreadableMetadataError,
) -> Iterator[None]:
    """Turn what the package refuses into this room's errors (rule 5)."""
    shown = f"'{escaped(role)}'"
    try:
        yield
    except DeserializationError:
        raise UnreadableMetadataError(f"the metadata of {shown} cannot be read") from None
    except exceptions.UnsignedMetadataError as error:
        raise ThresholdError(f"the metadata of {shown} lack signatures: {escaped(str(error))}") from None
    except exceptions.ExpiredMetadataError:
        raise expired(f"the metadata of {shown} have lapsed, and no newer ones are offered") from None
    except exceptions.LengthOrHashMismatchError:
        raise MixAndMatchError(f"the metadata of {shown} are not those that were published with the rest") from None
    except exceptions.BadVersionNumberError as error:
        raise wrong_version(f"the metadata of {shown} have the wrong version: {escaped(str(error))}") from None
    except (exceptions.RepositoryError, ValueError) as error:
        raise odd(f"the metadata of {shown} are not usable: {escaped(str(error))}") from None
