"""What a forwarder tells while it runs."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.verdict import Verdict


class Kind(enum.Enum):
    """What happened."""

    LISTENING = "listening"
    OPENED = "opened"
    CLOSED = "closed"
    REFUSED = "refused"
    REPORTED = "reported"
    """A refusal in report-only mode: the connection was let through."""
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    """An open connection that a new policy refuses."""
    RELOADED = "reloaded"
    KEPT = "kept"
    """A new policy that cannot be used: the old one stays."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened; what a stranger chose is escaped in every text of it."""

    kind: Kind
    text: str
    """One line, lower case."""
    explanation: str = ""
    """The refusal in words, several lines; empty for everything else."""
    local: str | None = None
    """Where the forwarder listens."""
    upstream: str | None = None
    connection: int | None = None
    """The number of the connection, from 1."""
    sent: int = 0
    received: int = 0
    """Octets from the local client to the upstream, and back."""
    verdict: Verdict | None = field(default=None)
