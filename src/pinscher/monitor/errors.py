"""What the monitor refuses, each with the status that a client of its HTTP interface sees."""

from __future__ import annotations

from typing import ClassVar

from pinscher.errors import PinningError


class MonitorError(PinningError):
    """Something that the monitor refuses; ``status`` is how HTTP says it."""

    status: ClassVar[int] = 400


class DatabaseUnusableError(MonitorError):
    """A database that cannot be opened, or was written by a later release."""

    status: ClassVar[int] = 503


class BrokerUnusableError(MonitorError):
    """A broker that cannot be reached, or that takes nothing more."""

    status: ClassVar[int] = 503


class NotStoredError(MonitorError):
    """What was sent is not stored, and was not acknowledged: the disk is full, the database gone, the queue long."""

    status: ClassVar[int] = 503


class UnreadableReportError(MonitorError):
    """A body that is no report and no heartbeat."""


class TooLargeError(MonitorError):
    """A body, or what is made of it, of more octets than are taken."""

    status: ClassVar[int] = 413


class TooSlowError(MonitorError):
    """A body that did not arrive in time."""

    status: ClassVar[int] = 408


class TooManyError(MonitorError):
    """More than is taken of one sender for now; ``seconds`` says when to try again."""

    status: ClassVar[int] = 429

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many at once, expected a pause of {seconds} s")
        self.seconds = seconds


class StrangerError(MonitorError):
    """A request without a token that is known."""

    status: ClassVar[int] = 401


class UnknownRecordError(MonitorError):
    """A finding, incident or endpoint that there is not, or is no longer open."""

    status: ClassVar[int] = 404
