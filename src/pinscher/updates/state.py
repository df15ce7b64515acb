"""What an updater says of itself: what a refresh came to, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.errors import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pinscher.errors import PinningError
    from pinscher.policy import Policy
    from pinscher.updates.bundle import Override
    from pinscher.updates.floor import Floor


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh came to: the policy in force, whether it is another than before, and whether anybody was asked."""

    policy: Policy
    has_changed: bool
    was_asked: bool
    mirror: str | None


@dataclass(frozen=True, slots=True)
class State:
    """The state of an updater, for people: what is in force, since when, who signs, and what lapses when."""

    policy: Policy | None
    floor: Floor
    refreshed: datetime | None
    failures: int
    error: PinningError | None
    signers: Mapping[str, tuple[int, int]]
    expiries: Mapping[str, datetime]
    override: Override | None
    log_head: str | None
    """The newest head of the log: its name, its size and its root, on one line."""


def head_line(note: bytes | None) -> str | None:
    """Return a log's head that was verified before as one line, for people."""
    return None if note is None else escaped(" ".join(note.decode(errors="replace").split("\n")[:3]))
