"""
Whether a pinned key is a leaf's or an authority's, as the policy's ``[keys.*]`` say it; never guessed.

A key's role may be "any", and a list of authorities (Apple's, TLSA usage 0) does not say whether one is an
intermediate or a root. What was read from such a list is kept in ``[extensions.formats] ca-keys``, by key name.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from pinscher.entry import Key, Role
from pinscher.formats.loss import Loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pinscher.formats.loss import LossLedger
    from pinscher.formats.said import Said
    from pinscher.host import HostPattern
    from pinscher.pin import Pin
    from pinscher.policy import Policy


class Position(enum.Enum):
    """Where on a chain a pin can match."""

    LEAF = "leaf"
    AUTHORITY = "authority"


_POSITIONS = {Role.LEAF: Position.LEAF, Role.INTERMEDIATE: Position.AUTHORITY, Role.ROOT: Position.AUTHORITY}
EXTENSION = "formats"
"""The policy extension that importers write."""


def positions_of(policy: Policy) -> dict[Pin, Position]:
    """Return the position of every pin whose key says it; a pin with two contradicting keys has none."""
    extension = policy.extensions.get(EXTENSION)
    named = extension.get("ca-keys") if isinstance(extension, dict) else None
    authorities = named if isinstance(named, list) else []
    found: dict[Pin, set[Position]] = {}
    for key in policy.keys.values():
        position = Position.AUTHORITY if key.name in authorities else _POSITIONS.get(key.role)
        if position is not None:
            found.setdefault(key.pin, set()).add(position)
    return {pin: positions.pop() for pin, positions in found.items() if len(positions) == 1}


def split(
    policy: Policy, host: str, pins: Iterable[Pin], losses: LossLedger
) -> tuple[tuple[Pin, ...], tuple[Pin, ...]]:
    """Return the leaf pins and the authority pins of an entry; a pin without a role is a loss that asks for it."""
    positions = positions_of(policy)
    names = {key.pin: key.name for key in policy.keys.values()}
    sorted_pins: dict[Position, list[Pin]] = {Position.LEAF: [], Position.AUTHORITY: []}
    for pin in pins:
        if pin in positions:
            sorted_pins[positions[pin]].append(pin)
            continue
        what = f"the key {names[pin]!r}" if pin in names else f"the pin {pin}"
        way = f"say role = ... under [keys.{names[pin]}]" if pin in names else "give it a name and a role under [keys]"
        losses.add(
            Loss("missing-role", host, f"{what} does not say whether it is a leaf, intermediate or root", (way,))
        )
    return tuple(sorted_pins[Position.LEAF]), tuple(sorted_pins[Position.AUTHORITY])


def leaf_only(policy: Policy, host: str, pins: Iterable[Pin], losses: LossLedger) -> tuple[Pin, ...]:
    """Return the leaf pins for a target that looks at the leaf alone; pins of authorities are a loss."""
    leaves, authorities = split(policy, host, pins, losses)
    if authorities:
        losses.add(Loss("ca-pins", host, "the target looks at the leaf alone, and would never see "
                        + ", ".join(map(str, authorities[:2])),
                        ("pin leaf keys for this host",),
                        given_up="only the leaf keys are accepted" if leaves else None))  # fmt: skip
    return leaves


class KeyNames:
    """The keys of a policy that is being read: each pin named once, with its position."""

    def __init__(self) -> None:
        self._keys: dict[Pin, Key] = {}
        self._authorities: list[str] = []
        self._counts = dict.fromkeys(Position, 0)

    def note(self, pin: Pin, position: Position) -> None:
        """Name a pin by its position; the first position that a file gives it stays."""
        if pin in self._keys:
            return
        self._counts[position] += 1
        stem = "leaf" if position is Position.LEAF else "ca"
        name = f"{stem}-{self._counts[position]}"
        self._keys[pin] = Key(name, pin, role=Role.LEAF if position is Position.LEAF else Role.ANY)
        if position is Position.AUTHORITY:
            self._authorities.append(name)

    def keys(self) -> tuple[Key, ...]:
        """Return the keys in the order they were noted."""
        return tuple(self._keys.values())

    def names(self) -> Mapping[Pin, str]:
        """Return the name of every pin."""
        return {pin: key.name for pin, key in self._keys.items()}

    def extensions(self) -> dict[str, object]:
        """Return the extension that remembers which keys stood in a list of authorities."""
        return {EXTENSION: {"ca-keys": list(self._authorities)}} if self._authorities else {}


def only_leaves(policy: Policy, entries: Mapping[HostPattern, Said], losses: LossLedger) -> dict[str, tuple[Pin, ...]]:
    """Return the leaf pins of each pinned host, for targets that list single hosts and look at the leaf alone."""
    return {
        pattern.name: leaf_only(policy, str(pattern), said.pins, losses)
        for pattern, said in entries.items()
        if said.pins
    }
