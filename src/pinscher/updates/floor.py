"""
The rollback floor: below what nothing is accepted, whoever signed it and however empty the store is.

Rules of this file:

1. Of several floors the greatest holds: the embedded one, the stored one, and a counter's.
2. The floor counts what offline keys signed, and never the versions of timestamp and snapshot: somebody who stole the
   online key could otherwise lift it out of reach (fast-forward attack).
3. A higher epoch, which only the root role can sign, begins the policy's versions anew. It is the way back for a fleet
   to which the holders of the targets keys, or their thief, published too high a version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

from pinscher.updates.errors import RollbackError, UpdateStoreError

if TYPE_CHECKING:
    from pinscher.policy import Policy

_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What a client has seen: the epoch and version of the policy, the version of root, and a time (Unix seconds)."""

    epoch: int = 0
    policy: int = 0
    root: int = 0
    seen: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no count."""
        for name in _NAMES:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
                raise UpdateStoreError(f"a floor's {name} is a whole number from 0 on, found {value!r}")

    def raised(self, other: Floor) -> Floor:
        """Return the greater of two floors (rule 1)."""
        epoch, policy = max((self.epoch, self.policy), (other.epoch, other.policy))
        return Floor(epoch=epoch, policy=policy, root=max(self.root, other.root), seen=max(self.seen, other.seen))

    def check_root(self, version: int) -> None:
        """Refuse a chain of roots that ends below the floor."""
        if version < self.root:
            raise RollbackError(f"the newest root offered is version {version}, and version {self.root} was accepted")

    def check_policy(self, epoch: int, policy: Policy) -> None:
        """Refuse a policy below the floor (rule 3)."""
        if (epoch, policy.version) < (self.epoch, self.policy):
            offered = f"policy version {policy.version} is offered"
            if epoch != self.epoch:
                offered += f" in epoch {epoch}"
            accepted = f"version {self.policy}"
            if epoch != self.epoch:
                accepted += f" of epoch {self.epoch}"
            raise RollbackError(f"{offered}, and {accepted} was accepted")

    def to_json(self) -> bytes:
        """Return the floor as a line of JSON."""
        return (json.dumps({name: getattr(self, name) for name in _NAMES}) + "\n").encode()

    @classmethod
    def loads(cls, text: bytes) -> Self:
        """Read what :meth:`to_json` wrote; raise :class:`UpdateStoreError` for anything else."""
        try:
            table = json.loads(text)
        except (ValueError, RecursionError):
            raise UpdateStoreError("the floor is not JSON") from None
        if not isinstance(table, dict) or not set(_NAMES).issuperset(table):
            raise UpdateStoreError(f"a floor is a table with {', '.join(_NAMES)}")
        return cls(**table)


_NAMES = tuple(field.name for field in fields(Floor))
