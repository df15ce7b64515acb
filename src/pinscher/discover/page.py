"""
A file in which addresses stand among names: what is near an address is taken to cross there.

Nothing in a settings file or in source code says what an application sends; that a name such as ``api_key`` stands
within a few lines of an address is a hint, and the score treats it as one.
"""

from __future__ import annotations

import bisect
from collections import Counter
from typing import TYPE_CHECKING

from pinscher.discover.addresses import Address, addresses_in
from pinscher.discover.limits import MOST_FINDS
from pinscher.discover.sighting import Place, Sighting, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.discover.matters import Crossing
    from pinscher.discover.sighting import Evidence, Find

NEAR = 12
"""Lines before and after an address within which a name counts as its own."""


class Page:
    """The addresses and the words of one file, with their lines."""

    def __init__(self, file: str, evidence: Evidence) -> None:
        self._file = file
        self._evidence = evidence
        self._addresses: list[tuple[int, Address]] = []
        self._words: list[tuple[int, Crossing]] = []
        self._skipped: dict[str, tuple[int, int]] = {}

    def text(self, text: str, line: int) -> None:
        """Look for addresses in a text that begins at a line."""
        for address in addresses_in(text):
            if isinstance(address, str):
                self.skip(address, line)
            else:
                self.address(address, line)

    def address(self, address: Address, line: int) -> None:
        """Take one address."""
        if len(self._addresses) < MOST_FINDS:
            self._addresses.append((line, address))
        else:
            self.skip("more addresses in one file than are looked at", line)

    def word(self, crossing: Crossing | None, line: int) -> None:
        """Take a word that could cross."""
        if crossing is None:
            return
        if len(self._words) < MOST_FINDS:
            self._words.append((line, crossing))
        else:
            self.skip("more names in one file than are looked at", line)

    def skip(self, reason: str, line: int) -> None:
        """Count something that is not read."""
        first, count = self._skipped.get(reason, (line, 0))
        self._skipped[reason] = first, count + 1

    def finds(self) -> Iterator[Find]:
        """Yield a sighting for every address, with the words near it."""
        words = sorted(self._words, key=lambda one: one[0])
        lines = [line for line, _ in words]
        for line, address in self._addresses:
            near = words[bisect.bisect_left(lines, line - NEAR) : bisect.bisect_right(lines, line + NEAR)][:200]
            beside = Counter(dict.fromkeys([*(crossing for _, crossing in near), *address.moves], 1))
            yield Sighting(
                address.host, Place(self._file, line), self._evidence,
                port=address.port, scheme=address.scheme, crossed=address.carried, beside=beside,
            )  # fmt: skip
        for reason, (line, count) in self._skipped.items():
            yield Skipped(reason, Place(self._file, line), count)
