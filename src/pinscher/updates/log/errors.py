"""What a transparency log's reader refuses."""

from __future__ import annotations

from pinscher.errors import PinningError


class LogError(PinningError):
    """Something about a transparency log that cannot be believed."""


class InvalidNoteError(LogError, ValueError):
    """A note or checkpoint that no known key signed, or that is none."""


class InvalidProofError(LogError, ValueError):
    """A proof that does not lead from what it is about to the root that was signed."""


class LogUnreachableError(LogError):
    """A log of which nothing can be said: it is not there, does not answer, or is locked."""


class LogDamagedError(LogError):
    """A mirror whose files do not say what its checkpoint signs, or of which one is missing or out of bounds."""


class LogBehindError(LogError):
    """A mirror that serves an older head than one that was seen: behind, restored from a copy, or holding back."""


class ForkedLogError(LogError):
    """
    Two heads of one log that cannot both be true: somebody with the log's key showed one of them to somebody else.

    ``older`` and ``newer`` are the two heads; their signed notes together are the evidence.
    """

    def __init__(self, reason: str, *, older: object, newer: object) -> None:
        super().__init__(f"the log has forked: {reason}\n  one head:   {older}\n  other head: {newer}")
        self.older = older
        self.newer = newer
