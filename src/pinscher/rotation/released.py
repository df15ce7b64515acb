"""
What a new policy means for the versions that were released: which differ from it, and which it would leave behind.

Rules of this file:

1. A version differs when its policy decides otherwise than the new one, or says otherwise what it decides by; another
   version number or spelling is no difference.
2. A version loses what its own policy allows and the new one refuses, once it takes the new one.
3. A version is stranded on a host when it enforces pins there, and the new policy accepts none of the keys that it
   accepts. Servers that follow the new policy are refused by it; it needs an update before they change.
4. A host that the new policy does not pin strands nobody: which key its servers show is not said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.entry import Mode
from pinscher.rotation.difference import difference, regions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pinscher.entry import HostPolicy
    from pinscher.policy import Policy
    from pinscher.rotation.change import Change
    from pinscher.rotation.deployments import Deployment


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """One released version beside a new policy: what changes for it (rule 1), and where it is stranded (rule 3)."""

    deployment: Deployment
    changes: tuple[Change, ...]
    stranded: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the version's policy and the new one differ."""
        return bool(self.changes)

    @property
    def losses(self) -> tuple[Change, ...]:
        """What the version loses when it takes the new policy (rule 2)."""
        return tuple(change for change in self.changes if change.breaks)


def left_behind(deployments: Iterable[Deployment], new: Policy) -> tuple[LeftBehind, ...]:
    """Return what *new* means for each released version, in their order."""
    return tuple(
        LeftBehind(one, tuple(_changes(one.policy, new)), tuple(dict.fromkeys(_stranded(one.policy, new))))
        for one in deployments
    )


def _changes(old: Policy, new: Policy) -> Iterator[Change]:
    return (change for change in difference(old, new) if change.kind not in ("version", "spelling"))


def _stranded(old: Policy, new: Policy) -> Iterator[str]:
    for before, after, hosts in regions(old, new):
        if _is_enforced(before) and after is not None and after.pinset is not None:
            assert before is not None  # noqa: S101  (what is enforced is an entry)
            assert before.pinset is not None  # noqa: S101
            if set(before.pinset).isdisjoint(after.pinset):
                yield from hosts


def _is_enforced(entry: HostPolicy | None) -> bool:
    return entry is not None and entry.pinset is not None and entry.mode is Mode.ENFORCE
