"""The error of a file that somebody hands to this room and that cannot be used."""

from __future__ import annotations

from pinscher.errors import PinningError, escaped


class UnusableFileError(PinningError, ValueError):
    """A file that cannot be used; ``source`` names the file, ``path`` the place in it, ``reason`` says why."""

    def __init__(self, source: str, path: str, reason: str) -> None:
        super().__init__(": ".join(part for part in (escaped(source), path, reason) if part))
        self.source = source
        self.path = path
        self.reason = reason
