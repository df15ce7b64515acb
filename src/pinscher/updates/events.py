"""What an updater has to tell: one event for everything that somebody may want to be woken for."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.errors import PinningError


class EventKind(enum.Enum):
    """What has happened; :attr:`is_alarm` says whether somebody should look."""

    ACCEPTED = "accepted"
    """A policy was accepted and is in force."""
    NOTHING_NEW = "nothing-new"
    """The repository was asked, and what is in force is the newest."""
    OVERRIDE = "override"
    """An emergency policy is offered; it is used only where a host's ladder asks for it."""
    REFUSED = "refused"
    """A mirror offered what must not be accepted."""
    UNREACHABLE = "unreachable"
    """A mirror gave no answer, or not in time."""
    LAPSED = "lapsed"
    """What proves that the policy is the newest has lapsed: something is broken, or somebody keeps updates away."""
    STORE = "store"
    """The store cannot be read or written, or what it holds does not verify."""
    FORKED = "forked"
    """The transparency log contradicts what it said before: somebody is shown pin sets that others are not shown."""
    OVERRIDE_USED = "override-used"
    """A connection was let through by an emergency policy; told by a keeper, once for each host."""
    EXPIRED = "expired"
    """Entries of the policy in force are past their ``expires``; told by a keeper, once for each policy."""
    CLOCK = "clock"
    """The clock is behind a time that an accepted update proved."""

    @property
    def is_alarm(self) -> bool:
        """Whether the event tells of a failure or of an emergency."""
        return self not in {EventKind.ACCEPTED, EventKind.NOTHING_NEW}


@dataclass(frozen=True, slots=True)
class Event:
    """One event: what, when, and the error, the version or the host that it is about."""

    kind: EventKind
    at: datetime
    text: str
    error: PinningError | None = field(default=None, kw_only=True)
    version: int | None = field(default=None, kw_only=True)
    host: str | None = field(default=None, kw_only=True)
