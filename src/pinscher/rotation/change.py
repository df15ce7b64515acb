"""One thing that a new policy says otherwise than the old one, in words."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from pinscher.errors import escaped


class Effect(enum.Enum):
    """What a change does to the pinning: it lets more through or is noticed less, the contrary, or neither."""

    WEAKENING = "weakening"
    STRENGTHENING = "strengthening"
    NEUTRAL = "neutral"


KINDS: dict[str, str] = {
    "unpinned": "hosts are not pinned any more",
    "pinned": "hosts are pinned that were not",
    "listed": "hosts are listed that were refused",
    "unlisted": "hosts are refused that were listed",
    "unlisted-hosts": "what follows for hosts that no entry names",
    "pattern": "another entry decides about hosts",
    "mode": "enforced or reported alone",
    "key-accepted": "a key is accepted that was not",
    "key-dropped": "a key is not accepted any more",
    "no-common-key": "no key is accepted by both policies",
    "backup": "a backup pin is gained, lost or taken into use",
    "denied-key": "a key is denied, or not denied any more",
    "expiry": "when the pins expire and what follows",
    "redirects": "where redirects may lead",
    "ladder": "what is tried on a mismatch",
    "alternate": "the alternate host",
    "reporting": "where reports go",
    "note": "a note, a reason or a date for people",
    "key": "what is known of a named key",
    "version": "the version",
    "name": "the policy's name",
    "extensions": "what other programs keep in the document",
    "spelling": "the document is written otherwise",
}
"""Every kind of change, by its stable name."""


@dataclass(frozen=True, slots=True)
class Change:
    """
    One change, told by a sentence.

    ``template`` has a ``{}`` for each of ``values``, which somebody else may have chosen, and which are escaped text:
    a page sets them apart from the words. ``hosts`` are the hosts concerned, none for the policy as a whole. ``breaks``
    says that some connection which the old policy allows is refused by the new one.
    """

    kind: str
    effect: Effect
    template: str
    values: tuple[str, ...] = ()
    hosts: tuple[str, ...] = field(default=(), kw_only=True)
    breaks: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Hold the kind to the table, and make every value safe to show."""
        if self.kind not in KINDS:
            raise ValueError(f"there is no kind of change called {self.kind!r}")
        object.__setattr__(self, "values", tuple(escaped(value) for value in self.values))

    @property
    def sentence(self) -> str:
        """What the change means, in printable ASCII."""
        return self.template.format(*self.values)
