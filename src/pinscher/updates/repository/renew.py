"""
The moment of publication, and the proof of being current: a new snapshot and a new timestamp, by the online key.

Rules of this file:

1. What is staged and completely signed is published; what still lacks signatures waits.
2. Nothing is written unless the whole, as it would be, verifies: a client finds a repository that it can follow.
3. The timestamp is written last, and is the moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuf.api.metadata import MetaFile, Snapshot, Targets, Timestamp

from pinscher.errors import escaped
from pinscher.updates.limits import SNAPSHOT_LIFETIME, TIMESTAMP_LIFETIME
from pinscher.updates.repository.errors import MissingSignaturesError, SigningKeyError
from pinscher.updates.repository.layout import BUNDLE, new_metadata
from pinscher.updates.repository.logbook import enter
from pinscher.updates.repository.publish import begins_epoch
from pinscher.updates.repository.roles import signatures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from tuf.api.metadata import Metadata

    from pinscher.updates.repository.keys import SigningKey
    from pinscher.updates.repository.layout import Repository


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a renewal came to: the roles that were published, those that wait with what they lack, and the new end."""

    published: tuple[str, ...]
    waiting: dict[str, int]
    timestamp: int
    expires: datetime


def renew(
    repository: Repository,
    keys: Sequence[SigningKey],
    *,
    at: datetime,
    lifetime: timedelta = TIMESTAMP_LIFETIME,
    snapshot_lifetime: timedelta = SNAPSHOT_LIFETIME,
) -> Renewed:
    """
    Publish what is complete, and sign a snapshot and a timestamp.

    Raises:
        MissingSignaturesError: without the signatures that are missing, clients could not follow.
        SigningKeyError: the keys are not those of the online roles.
    """
    repository.require()
    waiting = _lacking(repository)
    ready = {role: metadata for role in repository.staged_roles() if role not in waiting
             and (metadata := repository.staged(role)) is not None}  # fmt: skip
    _check_whole(repository, ready, waiting)
    expires = at + lifetime
    snapshot = _snapshot(repository, ready, at, snapshot_lifetime)
    timestamp = new_metadata(Timestamp(repository.version("timestamp") + 1, None, expires))
    timestamp.signed.snapshot_meta = MetaFile(snapshot.signed.version)
    if not snapshot.signatures:
        _sign_online(repository, "snapshot", snapshot, keys)
    _sign_online(repository, "timestamp", timestamp, keys)
    enter(repository, ready.values())
    for metadata in ready.values():
        if isinstance(metadata.signed, Targets):
            for described in metadata.signed.targets.values():
                repository.publish_bundle(described)
    for role, metadata in ready.items():
        repository.publish(role, metadata)
    repository.publish("snapshot", snapshot)
    repository.publish("timestamp", timestamp)
    for role in ready:
        repository.unstage(role)
    repository.forget_bundles()
    return Renewed(tuple(ready), waiting, timestamp.signed.version, timestamp.signed.expires)


def _lacking(repository: Repository) -> dict[str, int]:
    found = {}
    for role in repository.staged_roles():
        staged = repository.staged(role)
        if staged is not None and not (known := signatures(repository, role, staged)).is_complete:
            found[role] = known.missing
    return found


def _check_whole(repository: Repository, ready: dict[str, Metadata[Any]], waiting: dict[str, int]) -> None:
    """Refuse a publication after which some role would not verify (rule 2)."""
    if "root" in waiting:
        # The staged root says who signs; without it nothing that is staged can be judged.
        raise MissingSignaturesError(f"the new root lacks {_counted(waiting['root'])}")
    if begins_epoch(repository) and not _has_new_policy(repository, ready):
        raise MissingSignaturesError("a new epoch begins with a policy of its own: publish one and have it signed")
    for role in ("targets", *_delegated(repository)):
        coming = ready.get(role) or repository.published(role)
        if coming is None:
            if role == "targets":
                raise MissingSignaturesError(f"the first targets metadata lack {_counted(waiting[role])}")
            continue
        missing = signatures(repository, role, coming).missing
        if missing:
            raise MissingSignaturesError(f"the role '{escaped(role)}' lacks {_counted(missing)} of the keys it has now")


def _has_new_policy(repository: Repository, ready: dict[str, Metadata[Any]]) -> bool:
    """Tell whether another bundle comes than the one that is served: that one would lift the floor of the new epoch."""
    published = repository.published("targets")
    known = published.signed.targets.get(BUNDLE) if published else None
    return "targets" in ready and ready["targets"].signed.targets.get(BUNDLE) != known


def _counted(number: int) -> str:
    return f"{number} signature{'' if number == 1 else 's'}"


def _delegated(repository: Repository) -> tuple[str, ...]:
    delegations = repository.targets().delegations
    return tuple((delegations and delegations.roles) or ())


def _snapshot(
    repository: Repository, ready: dict[str, Metadata[Any]], at: datetime, lifetime: timedelta
) -> Metadata[Any]:
    """Return the published snapshot if it still says everything for long enough, or a new one, unsigned."""
    versions = {
        role: (ready[role].signed.version if role in ready else repository.version(role))
        for role in ("targets", *_delegated(repository))
    }
    meta = {f"{role}.json": MetaFile(version) for role, version in versions.items() if version}
    before = repository.published("snapshot")
    if before is not None and isinstance(before.signed, Snapshot):
        # A role that is no longer delegated stays listed: clients refuse a snapshot from which something is gone.
        meta = {**before.signed.meta, **meta}
        is_fresh = before.signed.expires > at + lifetime / 2 and signatures(repository, "snapshot", before).is_complete
        if before.signed.meta == meta and is_fresh:
            return before
    return new_metadata(Snapshot(repository.version("snapshot") + 1, None, at + lifetime, meta))


def _sign_online(repository: Repository, role: str, metadata: Metadata[Any], keys: Sequence[SigningKey]) -> None:
    candidates = signatures(repository, role, metadata).candidates
    for key in keys:
        signature = key.sign(metadata.signed_bytes, candidates)
        if signature is not None:
            metadata.signatures[signature.keyid] = signature
    missing = signatures(repository, role, metadata).missing
    if missing:
        raise SigningKeyError(f"the role '{role}' lacks {_counted(missing)} of its online keys")
