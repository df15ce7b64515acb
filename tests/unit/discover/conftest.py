"""Reading made short: a name and a content become an inventory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol

import pytest

from pinscher.discover import Inventory, read_stream

if TYPE_CHECKING:
    from pinscher.discover import UnreadableSourceError


class Found:
    """What one file gave: its inventory and what stopped its reader."""

    def __init__(self, inventory: Inventory, error: UnreadableSourceError | None) -> None:
        self.inventory = inventory
        self.error = error

    @property
    def hosts(self) -> dict[str, int]:
        """How often each host was seen."""
        return {host: one.count for host, one in self.inventory.endpoints.items()}

    @property
    def places(self) -> dict[str, list[str]]:
        """Where each host was seen."""
        return {host: [str(place) for place in one.places] for host, one in self.inventory.endpoints.items()}

    @property
    def skipped(self) -> dict[str, int]:
        """How often something was skipped, by its reason."""
        return {reason: one.count for reason, one in self.inventory.skipped.items()}

    def crossed(self, host: str) -> dict[str, int]:
        """What crossed to a host, by its word."""
        return {one.word: count for one, count in self.inventory.endpoints[host].crossed.items()}

    def beside(self, host: str) -> set[str]:
        """What was named beside a host."""
        return {one.word for one in self.inventory.endpoints[host].beside}


class Read(Protocol):
    """Reads a content as a file of that name."""

    def __call__(self, name: str, content: bytes | str, reader: str | None = None) -> Found:
        """Read it."""
        ...


@pytest.fixture
def read() -> Read:
    """Read a content as a file of a name, by the reader that it is given or that the name and content ask for."""

    def run(name: str, content: bytes | str, reader: str | None = None) -> Found:
        inventory = Inventory()
        octets = content.encode() if isinstance(content, str) else content
        return Found(inventory, read_stream(name, io.BytesIO(octets), inventory, reader=reader))

    return run
