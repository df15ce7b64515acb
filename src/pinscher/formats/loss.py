"""
What a target cannot say, by stable names, and the error that refuses to say something else in its place.

Rules of this file:

1. A file that is written decides every host and chain as the policy does, or the writing is refused.
2. A loss that was accepted by name is written, and recorded in the file together with what was given up.
3. A loss for which nothing honest can be written (``given_up`` is None) is refused whatever was accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Iterable

LOSSES: dict[str, str] = {
    "unlisted-hosts": "hosts that no entry names are let through",
    "denied-keys": "denied keys are not refused beside a matching pin",
    "report-only": "report-only entries are left out",
    "on-expiry-fail": "the pins are enforced past their expiry, where the policy refuses every connection",
    "on-expiry-report": "the pins are enforced past their expiry, where the policy would only report",
    "expiry-time": "the pins stop being enforced at the start of their last day (UTC)",
    "expiry-time-zone": "the pins stop being enforced at the start of a day in the device's own time zone",
    "certificate-pins": "pins of whole certificates are left out",
    "key-pins": "pins of keys are left out",
    "ip-address": "entries of IP addresses are left out",
    "one-label": "entries of exactly one label reach every depth",
    "any-depth": "names more than one label below are not pinned",
    "patterns": "entries of patterns are left out; the target lists single hosts",
    "apex": "the name itself is treated like the names below it",
    "unpinned": "an exception is pinned like the names around it",
    "narrower-entry": "a narrower entry does not win over a wider one",
    "missing-role": "the target needs to know whether a key is a leaf's or an authority's",
    "ca-pins": "pins of authorities are left out",
    "leaf-pins": "pins of leaves are left out",
    "backup-pin": "the target refuses fewer than two pins",
    "registry-suffix": "the target knows only names under a public suffix",
    "overlapping-name": "the target overlooks names below a name that repeats itself",
    "trust-on-first-use": "the first connection, and one after max-age without a visit, is not pinned",
    "list-age": "the pins are enforced only while the list is younger than 70 days",
    "several-hosts": "one file holds the pins of one host",
    "several-pins": "one host has one fingerprint",
    "both-lists": "a leaf and an authority are both required, which a policy cannot say",
}
"""Every loss there is, by the name that ``--accept-loss`` takes; the value says what is given up."""


@dataclass(frozen=True, slots=True)
class Loss:
    """
    One thing that a target cannot say.

    ``host`` is the pattern of the entry, or None where the whole policy is concerned. ``feature`` is what the policy
    says. ``choices`` are the nearest honest ways out. ``given_up`` says what is written once the loss is accepted.
    """

    name: str
    host: str | None
    feature: str
    choices: tuple[str, ...] = ()
    given_up: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Hold every loss to the table of names."""
        if self.name not in LOSSES:
            raise ValueError(f"there is no loss called {self.name!r}")

    def __str__(self) -> str:
        """Return the loss on one line: where, and what was given up."""
        return f"{self.name}: {self.host or 'the policy'}: {self.given_up or self.feature}"


class FormatLossError(PinningError):
    """A policy that a target cannot say, or a file that a policy cannot say; ``losses`` holds each reason."""

    def __init__(self, format_name: str, losses: Iterable[Loss]) -> None:
        self.format = format_name
        self.losses = tuple(losses)
        super().__init__("\n".join([f"{format_name!r} cannot say the same:", *map(_told, self.losses)]))

    def __reduce__(self) -> tuple[type[FormatLossError], tuple[str, tuple[Loss, ...]]]:
        """Pickle by the two values the error was made from."""
        return type(self), (self.format, self.losses)


def _told(loss: Loss) -> str:
    choices = list(loss.choices)
    if loss.given_up is not None:
        choices.append(f"accept the loss {loss.name!r}: {loss.given_up}")
    ways = "".join(f"\n    or {choice}" if number else f"\n    {choice}" for number, choice in enumerate(choices))
    return f"  {loss.host or 'the policy'}: {loss.feature}{ways}"


class LossLedger:
    """What one writing or reading cannot say: the losses that were accepted, and those that refuse it."""

    def __init__(self, format_name: str, accepted: frozenset[str]) -> None:
        self._format = format_name
        self._names = accepted
        self._accepted: dict[Loss, None] = {}
        self._refused: dict[Loss, None] = {}

    def add(self, loss: Loss) -> None:
        """Note a loss; whether it refuses the whole is decided by :meth:`settle`."""
        is_accepted = loss.name in self._names and loss.given_up is not None
        (self._accepted if is_accepted else self._refused)[loss] = None

    def accepts(self, name: str) -> bool:
        """Tell whether a loss was accepted by name."""
        return name in self._names

    def settle(self) -> tuple[str, ...]:
        """Raise :class:`FormatLossError` with every loss that was not accepted; return lines that record the others."""
        if self._refused:
            raise FormatLossError(self._format, self._refused)
        return tuple(f"given up: {loss}" for loss in self._accepted)
