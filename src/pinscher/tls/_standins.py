"""What stands in the slot of the C object, beside the gate: before a connection, and after one was withdrawn."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from pinscher.tls.settings import InsecureContextError

if TYPE_CHECKING:
    from collections.abc import Callable

HARMLESS = frozenset(
    {
        "cipher",
        "compression",
        "context",
        "get_channel_binding",
        "get_unverified_chain",
        "get_verified_chain",
        "getpeercert",
        "group",
        "owner",
        "pending",
        "selected_alpn_protocol",
        "server_hostname",
        "server_side",
        "session_reused",
        "shared_ciphers",
        "uniqueid",
        "version",
    }
)
"""What may be asked of a connection before it was judged; none of it moves application data."""


class Drain:
    """Stands for the C object of a connection that was withdrawn after it had been let through."""

    __slots__ = ("_inner", "_refuse", "_throw_away")

    def __init__(self, inner: Any, refuse: Callable[[], None], throw_away: Callable[[], None]) -> None:
        self._inner = inner
        self._refuse = refuse
        self._throw_away = throw_away

    def read(self, *arguments: Any) -> Any:
        """Read, and send nothing that the server may have asked for meanwhile, such as the client's certificate."""
        try:
            return self._inner.read(*arguments)
        finally:
            self._throw_away()

    def __getattr__(self, name: str) -> Any:
        """Answer questions and shut down; refuse everything else."""
        if name in HARMLESS or name in ("session", "shutdown"):
            return getattr(self._inner, name)
        self._refuse()
        raise InsecureContextError("a withdrawn connection was not refused")


def may_receive(connection: Any) -> bool:
    """Tell whether a connection was withdrawn, and may receive and not send."""
    return isinstance(getattr(connection, "_sslobj", None), Drain)


class Barrier:
    """Stands in the slot of a socket that has no TLS connection, so that nothing goes out in clear text."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """Be false, as the empty slot is."""
        return False

    def pending(self) -> int:
        """Return that nothing waits to be read."""
        return 0

    def __getattr__(self, name: str) -> Any:
        """Answer questions with None, and refuse to move data."""
        if name in ("session", "session_reused"):
            return None
        if name in HARMLESS:
            return lambda *_: None
        # What the system says to whoever writes to a socket without a connection, and what clients look for.
        number = errno.EPIPE if name == "write" else errno.ENOTCONN
        raise OSError(number, "no TLS connection stands on this socket, and it sends no clear text")


BARRIER = Barrier()
