"""What the store refuses, each with the place and what to do."""

from __future__ import annotations

from pinscher.errors import PinningError, escaped


class StoreError(PinningError):
    """
    Something about the store that stands in the way; ``path`` says where and ``remedy`` what to do.

    Whoever catches it keeps the last policy in force: no error of the store is a reason to open.
    """

    def __init__(self, reason: str, *, path: str, remedy: str) -> None:
        super().__init__(f"{reason}: '{escaped(path)}'\n  remedy: {remedy}")
        self.reason = reason
        self.path = path
        self.remedy = remedy


class SealBrokenError(StoreError):
    """
    What lies on the disk is not what this program sealed on this machine: changed, cut, older, foreign or gone.

    It cannot be told whether a disk failed, a backup was restored or somebody tampered.
    """


class UnsafeFileError(StoreError):
    """A file or folder that somebody else owns or can reach; nothing in it was read."""


class KeyUnavailableError(StoreError):
    """The key cannot be had from where it is kept; the store may be whole."""


class StoreUnavailableError(StoreError):
    """The operating system does not let the store be read or written; what it held before is as it was."""
