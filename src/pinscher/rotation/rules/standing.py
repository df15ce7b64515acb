"""Where the pins of a policy stand, so that a rule can say it and a line can be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.entry import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pinscher.entry import HostPolicy, Key, Path
    from pinscher.pin import Pin
    from pinscher.policy import Policy


@dataclass(frozen=True, slots=True)
class Standing:
    """One pin in one array of one entry; ``key`` is the key that it was written by, if it was."""

    entry: HostPolicy
    pin: Pin
    key: Key | None
    group: str
    position: int

    @property
    def keys(self) -> Path:
        """The way to the pin in the document."""
        return (*place_of(self.entry), self.group, self.position)

    @property
    def role(self) -> Role:
        """Where on a chain the key stands, as far as the policy says."""
        return Role.ANY if self.key is None else self.key.role

    @property
    def shown(self) -> str:
        """The key's name, or the pin itself."""
        return str(self.pin) if self.key is None else self.key.name


PINS, BACKUP_PINS, DENIED_KEYS = "pins", "backup-pins", "denied-keys"
"""The three arrays of an entry."""


def place_of(entry: HostPolicy) -> Path:
    """Return the way to an entry, its host as the policy writes it; the document may spell it otherwise."""
    return "hosts", entry.host


def standing(policy: Policy, *groups: str) -> Iterator[Standing]:
    """Yield every pin of those arrays, or of all that accept, entry by entry."""
    known = policy.keys
    for entry in policy.hosts:
        yield from standing_in(entry, known, *groups)


def standing_in(entry: HostPolicy, known: Mapping[str, Key], *groups: str) -> Iterator[Standing]:
    """Yield the pins of one entry, as :func:`standing` does; *known* are the policy's keys."""
    if entry.pinset is None:
        return
    for group, pins in zip((PINS, BACKUP_PINS, DENIED_KEYS), entry.pinset.groups, strict=True):
        if group in (groups or (PINS, BACKUP_PINS)):
            for position, pin in enumerate(pins):
                key = known[entry.names[pin]] if pin in entry.names else None
                yield Standing(entry, pin, key, group, position)
