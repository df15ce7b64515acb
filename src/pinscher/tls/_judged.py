"""What a connection knows of its judgement: a verdict, or who makes it when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import ssl

    from pinscher.tls._cpython import Gate, PinnedObject, PinnedSocket


class MakesVerdict:
    """Knows enough to make the verdict of one connection that was let through."""

    __slots__ = ()

    def verdict_made(self) -> Any:
        """Return the verdict that let the connection through, where it was not made at once."""
        raise NotImplementedError


class Judged:
    """A connection that is judged."""

    __slots__ = ()
    judged: Any = None
    """The verdict, or who makes it; None before the connection was let through, and after a refusal."""
    gate: Gate | None = None

    @property
    def verdict(self) -> Any:
        """The verdict that let the connection through, or None."""
        judged = self.judged
        return judged.verdict_made() if isinstance(judged, MakesVerdict) else judged

    @verdict.setter
    def verdict(self, verdict: Any) -> None:
        self.judged = verdict


class Remembering(Protocol):
    """A context that remembers sessions together with the chains of their connections."""

    def remember(self, session: ssl.SSLSession | None, owner: PinnedSocket | PinnedObject) -> object:
        """Return what an application is given for a connection's session."""
