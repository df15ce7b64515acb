"""The index of a store: which entries it holds, in which files, and the rollback floor."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pinscher.store.floor import read_floor, write_floor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinscher.store.floor import Floor

MOST_ENTRIES = 10_000
LARGEST_INDEX = 4 * 1024 * 1024
LARGEST_ENTRY = 64 * 1024 * 1024
"""Octets of one entry; a policy document has at most a quarter of it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", re.ASCII)


def check_name(name: str) -> None:
    """Raise ``ValueError`` unless *name* can be an entry's name; it never becomes the name of a file."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"an entry called {name!a}, expected at most 200 letters, digits and ._-/")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry lies: its file's identity, and the SHA-256 of the whole sealed file."""

    file: str
    digest: str
    length: int


@dataclass(frozen=True, slots=True)
class Index:
    """An index; *generation* grows by one with every write."""

    generation: int
    floor: Floor
    places: Mapping[str, Place]

    def write(self) -> bytes:
        """Return the index as JSON."""
        entries = {name: [place.file, place.digest, place.length] for name, place in self.places.items()}
        table = {"entries": entries, "floor": write_floor(self.floor), "generation": self.generation}
        return json.dumps(table, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read what :meth:`write` wrote and the seal has kept; raise ``ValueError`` for anything else."""
        try:
            table = json.loads(content)
            places = {name: Place(*place) for name, place in table["entries"].items()}
            return cls(int(table["generation"]), read_floor(table["floor"]), places)
        except (KeyError, TypeError, AttributeError, RecursionError):
            raise ValueError("no index of a store") from None
