"""What a rehearsal holds a key against: where a policy has its pin, and what an authority issues for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.host import Reach
from pinscher.pin import Pin
from pinscher.rotation.keys.backup import BackupKeyError
from pinscher.rotation.keys.issuance import IssuanceError, issue
from pinscher.rotation.keys.pebble import Pebble
from pinscher.rotation.rules.standing import standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.policy import Policy
    from pinscher.rotation.keys.backup import BackupKey


class UnpinnedKeyError(BackupKeyError):
    """A key that opens, and that the policy pins for no host; ``pin`` is the key's."""

    def __init__(self, pin: Pin, reason: str) -> None:
        super().__init__(reason)
        self.pin = pin


class UnnamedKeyError(BackupKeyError):
    """A key that the policy pins, and has no name for; ``pin`` is the key's."""

    def __init__(self, pin: Pin) -> None:
        super().__init__(f"the policy has {pin} without a name: name it under [keys], for the day to stand in")
        self.pin = pin


@dataclass(frozen=True, slots=True)
class Place:
    """Where a policy has a key: under which names, and for which hosts, as a certificate would name them."""

    names: tuple[str, ...]
    hosts: tuple[str, ...]


def place_of(key: BackupKey, policy: Policy) -> Place:
    """Return where *policy* has a key; raise :class:`UnpinnedKeyError` or :class:`UnnamedKeyError` where it has not."""
    pin = key.pin
    names = tuple(name for name, one in policy.keys.items() if one.pin == pin)
    entries = [one.entry for one in standing(policy) if one.pin == pin]
    if not entries:
        stands = f"stands under [keys] as {names[0]}, and no host has it" if names else "is not in it"
        raise UnpinnedKeyError(pin, f"the policy does not pin this key: {pin} {stands}")
    if not names:
        raise UnnamedKeyError(pin)
    hosts = dict.fromkeys(
        str(entry.pattern) if entry.pattern.reach is Reach.ONE_LABEL else entry.pattern.name for entry in entries
    )
    return Place(names, tuple(hosts))


def prove_issuance(key: BackupKey, hosts: Sequence[str], *, program: str = "pebble") -> None:
    """Have a Pebble of the moment issue for *key*, and hold what it issued against the key's pin."""
    if not key.is_classical:
        raise IssuanceError(f"Pebble issues nothing for {key.kind} keys")
    with Pebble.running(program) as pebble:
        leaf, *_ = issue(pebble.directory, key.request(hosts), context=pebble.context)
    if Pin.of(leaf) != key.pin:
        raise IssuanceError(f"Pebble issued for another key: {Pin.of(leaf)}, expected {key.pin}")
