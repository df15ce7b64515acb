"""What the player asks of a client under test, whoever wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.lab.protocols import Protocol as Protocol_
    from pinscher.lab.scenario import Capability, Visit
    from pinscher.verdict import Verdict

SECRET = "password=correct-horse-battery-staple"  # noqa: S105  (what every client under test sends, and nobody's)
"""What a client sends to a server that it accepts; found on a hostile one it is a leak."""


class CannotExpressError(PinningError):
    """A client has no way to say what a case asks for; the text says what is missing, and the case does not count."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client says of one visit; the servers' evidence is asked as well."""

    accepted: bool
    """Whether the client got through, sent its request and had an answer."""
    verdict: Verdict | None = None
    """The verdict, from clients that have one; its outcome must then be the expected one."""
    said: str = ""
    """The client's own words, escaped before they are shown."""


class Client(Protocol):
    """A client under test, made afresh for each case and kept over its visits."""

    def visit(self, visit: Visit) -> Reply:
        """Make one connection, send :data:`SECRET` if it is accepted, and hang up unless it is kept for the next."""
        ...

    def close(self) -> None:
        """Give everything back; called once, from another thread where a visit hangs, which must then end."""
        ...


class TakesPolicies(Client, Protocol):
    """A client that takes a new policy whenever it is handed one, in the middle of a handshake too."""

    def take(self, policy: str) -> None:
        """Put *policy*, a document in TOML, into force; called from another thread."""
        ...


@dataclass(frozen=True, slots=True)
class Contestant:
    """A kind of client: its name, what it can do, and how one is made."""

    name: str
    capabilities: frozenset[Capability]
    new: Callable[[], Client]
    note: str = ""
    """What a reader of its score has to know, such as its version."""
    protocol: str | Protocol_ = "http"
    """What it speaks over TLS where a scenario does not care."""
