"""
One step from what is held to what is offered: all of it is taken, or an error says why nothing is.

Rules of this file:

1. What is held is verified again, signatures and all, whenever a program starts; only lapsing is not asked about then,
   so that a program that was switched off for a month has its policy at once.
2. A step goes upwards: not below the floor, and never to another content under the same version.
3. A new root is kept even when what comes after it is refused, and then the policy in force is still the one that the
   root before it vouched for. Nothing else is kept: a forged timestamp must not keep the genuine ones out.
4. Where the program knows a log, a policy that the log does not prove is refused, and so is an override.
5. An override that cannot be used is told, and is no reason to refuse the policy beside it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pinscher.updates.bundle import Override, check_hosts, check_same_version, override_of, policy_of
from pinscher.updates.errors import AbsentFileError, FreezeError, UpdateError, WrongTargetError
from pinscher.updates.floor import Floor
from pinscher.updates.store import FLOOR_NAME
from pinscher.updates.trust import Trust, root_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinscher.policy import Policy
    from pinscher.updates.limits import Limits
    from pinscher.updates.log import NoteVerifier
    from pinscher.updates.trust import Fetch

_BUNDLE, _OVERRIDE = "bundle.json", "override.json"
_ACCEPTED_ROOT = "accepted-root"
LOG_HEAD = "log-head"
"""The name under which the newest signed head of the log is kept."""
_NEVER = datetime.min.replace(tzinfo=UTC)
"""A time at which nothing has lapsed yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an updater follows: the root that came with the program, and the names of the bundles."""

    root: bytes
    bundle: str
    override: str | None
    limits: Limits
    log: NoteVerifier | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What was accepted: the files that prove it, the floor, and what they say."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    floor: Floor = field(default_factory=Floor)
    policy: Policy | None = None
    epoch: int = 0
    override: Override | None = None
    trust: Trust | None = None

    @property
    def stored(self) -> dict[str, bytes]:
        """The files with the floor, as a store keeps them."""
        return {**self.files, FLOOR_NAME: self.floor.to_json()}


def reopened(source: Source, stored: Mapping[str, bytes], floor: Floor) -> Held:
    """
    Return what was held when the program ended (rule 1); nothing but the floor when nothing was.

    Raises:
        UpdateError: what was stored does not verify; the floor that it states is raised all the same.
    """
    files = {name: content for name, content in stored.items() if name != FLOOR_NAME}
    if _BUNDLE not in files:
        return Held(files, floor)
    kept = _Kept(files)
    trust = Trust(source.root, _as_accepted(files), at=_NEVER, limits=source.limits)
    trust.climb(kept)
    trust.refresh(kept)
    policy, _ = _bundle(trust, source.bundle, files[_BUNDLE], kept, was_accepted=True)
    override, content = None, files.get(_OVERRIDE)
    if source.override is not None and content is not None:
        override = Override(policy_of(_checked(trust, source.override, content, kept)[1]))
    reached = floor.raised(Floor(epoch=trust.epoch, policy=policy.version, root=trust.root_version))
    return Held(files, reached, policy, trust.epoch, override, trust)


def _as_accepted(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files without the roots that were taken after the last refresh that succeeded (rule 3)."""
    newest = files.get(_ACCEPTED_ROOT, b"")
    later = root_name(int(newest) + 1) if newest.isdigit() and len(newest) < 19 else None
    return {name: content for name, content in files.items() if name != later}


def without_bundles(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the metadata alone, for who has something newer in force than the bundle beside them."""
    return {name: content for name, content in files.items() if name not in {_BUNDLE, _OVERRIDE}}


class _Kept:
    """Answers for a repository out of what was kept."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def __call__(self, path: str, _octets: int, /) -> bytes:
        content = self._files.get(path.removeprefix("metadata/")) if path == "metadata/timestamp.json" else None
        if content is None:
            raise AbsentFileError(f"what was kept lacks {path}")
        return content


@dataclass(slots=True)
class Step:
    """One step, which knows afterwards what it took along even when it failed."""

    source: Source
    held: Held
    at: datetime
    trust: Trust = field(init=False)
    remarks: list[UpdateError] = field(init=False, default_factory=list)
    """What was wrong beside the policy (rule 5)."""

    def __post_init__(self) -> None:
        """Begin with the embedded root."""
        self.trust = Trust(self.source.root, self.held.files, at=self.at, limits=self.source.limits)

    def take(self, fetch: Fetch) -> Held:
        """Return what is held afterwards (rule 2); raise an :class:`UpdateError` and change nothing."""
        trust, held = self.trust, self.held
        trust.climb(fetch)
        held.floor.check_root(trust.root_version)
        trust.refresh(fetch)
        known = held.files.get(_BUNDLE)
        policy, content = _bundle(trust, self.source.bundle, known, fetch, held=held.policy)
        held.floor.check_policy(trust.epoch, policy)
        check_same_version(policy, epoch=trust.epoch, held=held.policy, held_epoch=held.epoch)
        head = held.files.get(LOG_HEAD)
        if content is not known or head is None:
            head = self._logged(policy, head, fetch)
        override, head = self._override(head, fetch)
        files = {**trust.files, _BUNDLE: content, _ACCEPTED_ROOT: str(trust.root_version).encode()}
        if head is not None:
            files[LOG_HEAD] = head
        if override is not None:
            files[_OVERRIDE] = override.policy.to_json()
        reached = Floor(
            epoch=trust.epoch, policy=policy.version, root=trust.root_version, seen=int(self.at.timestamp())
        )
        return Held(files, held.floor.raised(reached), policy, trust.epoch, override, trust)

    def _logged(self, policy: Policy, head: bytes | None, fetch: Fetch) -> bytes | None:
        """Return the newest head of the log, after it proved a policy (rule 4)."""
        if self.source.log is None:
            return head
        from pinscher.updates.logged import checked_head  # noqa: PLC0415  (who knows no log does not pay for it)

        return checked_head(policy, self.source.log, head, fetch)

    def _override(self, head: bytes | None, fetch: Fetch) -> tuple[Override | None, bytes | None]:
        """Return the emergency policy on offer, if any, and the newest head of the log."""
        name, held = self.source.override, self.held
        if name is None:
            return None, head
        try:
            known = held.files.get(_OVERRIDE)
            found = self.trust.find(name, fetch)
            if found is None:
                return None, head
            _, content = _checked(self.trust, name, known, fetch)
            if held.override is not None and content == known:
                return held.override, head
            policy = policy_of(content)
            check_hosts(policy, found.allowed)
            override = override_of(policy, self.at)
            return override, self._logged(policy, head, fetch)
        except FreezeError:
            # Its metadata lapse with it, which is its end and no alarm.
            return None, head
        except UpdateError as error:
            self.remarks.append(error)
            return None, head

    @property
    def after_failure(self) -> Held:
        """What is held after a refusal: what was, and the newer roots (rule 3)."""
        roots = {name: content for name, content in self.trust.files.items() if name.startswith("root/")}
        reached = Floor(root=self.trust.root_version)
        return dataclasses.replace(self.held, files={**self.held.files, **roots}, floor=self.held.floor.raised(reached))


def _checked(trust: Trust, name: str, known: bytes | None, fetch: Fetch) -> tuple[tuple[object, ...], bytes]:
    """Return the hosts that the signers of a bundle may speak of, and its bytes: the known ones if they still hold."""
    found = trust.find(name, fetch)
    if found is None:
        raise WrongTargetError(f"the repository has no bundle called {name!a}")
    if known is not None:
        try:
            found.check(known)
        except WrongTargetError:
            pass
        else:
            return found.allowed, known
    content = fetch(found.path, min(found.octets, trust.limits.bundle_octets))
    found.check(content)
    return found.allowed, content


def _bundle(
    trust: Trust,
    name: str,
    known: bytes | None,
    fetch: Fetch,
    *,
    held: Policy | None = None,
    was_accepted: bool = False,
) -> tuple[Policy, bytes]:
    found = trust.find(name, fetch)
    _, content = _checked(trust, name, known, fetch)
    if held is not None and content is known:
        # To read ten thousand hosts again takes half a second, and their octets have just been found to be the same.
        policy = held
    else:
        policy = policy_of(content, was_accepted=was_accepted and content is known)
    check_hosts(policy, found.allowed if found else ())
    return policy, content
