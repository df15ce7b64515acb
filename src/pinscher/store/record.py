"""What a place that keeps a key holds: the key, whether its store was made, and counters that only grow."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from pinscher.store.errors import KeyUnavailableError
from pinscher.store.floor import read_floor, rollback_floor, write_floor

if TYPE_CHECKING:
    from pinscher.store.floor import Floor

LONGEST_RECORD = 1024
_FORM = re.compile(r"pinscher-key 1 (pending|made) ([-a-z0-9.:,]{1,700}) ([0-9a-f]{64})\n?", re.ASCII)


class Stage(enum.Enum):
    """How far the making of a store has come."""

    PENDING = "pending"
    MADE = "made"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A record; *counter* is the greatest rollback floor that the store has had."""

    stage: Stage
    counter: Floor
    key: bytes = field(repr=False)

    def write(self) -> str:
        """Return the record as one line of text."""
        return f"pinscher-key 1 {self.stage.value} {write_floor(self.counter)} {self.key.hex()}\n"

    @classmethod
    def read(cls, text: str, place: str) -> Self:
        """Read a record; raise :class:`KeyUnavailableError`, which does not repeat the text, for anything else."""
        found = _FORM.fullmatch(text)
        try:
            if found is None:
                raise ValueError("no record")  # noqa: TRY301  (as a bad floor in one)
            return cls(Stage(found[1]), read_floor(found[2]), bytes.fromhex(found[3]))
        except ValueError:
            raise KeyUnavailableError(
                "what is kept here is no key of a store", path=place, remedy="name another place, or empty this one"
            ) from None

    def made(self, floor: Floor) -> Self:
        """Return the record after its store was written with this rollback floor."""
        return replace(self, stage=Stage.MADE, counter=rollback_floor(self.counter, floor))
