"""How a connection of a context gets its gate, whether the context is ours or somebody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.tls._cpython import Gate, PinnedObject, PinnedSocket
from pinscher.tls._early import EarlyContext
from pinscher.tls.settings import InsecureContextError, c_descriptor

if TYPE_CHECKING:
    import ssl


def _socket_behind(owner: Any) -> PinnedSocket:
    """Return the TLS socket that a C object is made for; gevent names its own socket in the TLS socket's place."""
    reference = getattr(owner, "_sslsock", None)
    secured = reference() if callable(reference) else owner
    if not isinstance(secured, PinnedSocket):
        raise InsecureContextError(_foreign("PinnedSocket", owner))
    return secured


def _foreign(wanted: str, found: object) -> str:
    return (
        f"a connection of a pinned context is a {wanted}, found {type(found).__name__}; "
        "call the context's own wrap_socket or wrap_bio"
    )


_WRAP_SOCKET, _WRAP_BIO = c_descriptor("_wrap_socket"), c_descriptor("_wrap_bio")
"""The C level's own methods, whatever somebody has put in front of them."""


class GatedContext(EarlyContext):
    """A client context whose connections are gated; who judges them is for the class that derives from it."""

    # Neither can be exchanged on a context: see StrictSettings.__setattr__.
    sslsocket_class = PinnedSocket
    sslobject_class = PinnedObject

    def gate_for(
        self,
        host: str | None,  # noqa: ARG002
        port: int | None,  # noqa: ARG002
        owner: PinnedSocket | PinnedObject,  # noqa: ARG002
    ) -> Gate:
        """Return the gate of a new connection to the host that TLS is going to verify."""
        raise InsecureContextError(f"{type(self).__name__} has nobody to judge its connections")

    def remember(
        self,
        session: ssl.SSLSession | None,  # noqa: ARG002
        owner: PinnedSocket | PinnedObject,  # noqa: ARG002
    ) -> object:
        """Return what an application is given for a connection's session."""
        raise InsecureContextError(f"{type(self).__name__} does not remember sessions")

    def _wrap_socket(
        self,
        sock: Any,
        server_side: bool,  # noqa: FBT001  (the private signature of the standard library)
        server_hostname: str | None = None,
        *,
        owner: Any = None,
        session: Any = None,
    ) -> Gate:
        secured = owner if isinstance(owner, PinnedSocket) else _socket_behind(owner)
        gate = self.gate_for(server_hostname, secured.port_connecting, secured)
        raw = None if session is None else gate.offer(session)
        gate._inner = _WRAP_SOCKET(  # noqa: SLF001
            self, sock, server_side, server_hostname, owner=owner, session=raw
        )
        # Right after OpenSSL has copied them into the connection, while it has them at hand.
        self.check_settings()
        secured.gate = gate
        return gate

    def _wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002
        server_hostname: str | None = None,
        *,
        owner: Any = None,
        session: Any = None,
    ) -> Gate:
        if not isinstance(owner, PinnedObject):
            raise InsecureContextError(_foreign("PinnedObject", owner))
        gate = self.gate_for(server_hostname, None, owner)
        raw = None if session is None else gate.offer(session)
        gate._inner = _WRAP_BIO(  # noqa: SLF001
            self, incoming, outgoing, server_side=server_side, server_hostname=server_hostname, owner=owner, session=raw
        )
        self.check_settings()
        owner.discard = gate._discard = outgoing.read  # noqa: SLF001
        owner.gate = gate
        return gate
