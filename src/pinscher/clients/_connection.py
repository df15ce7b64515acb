"""A connection of pyOpenSSL whose verification stands, and a certificate shown before the handshake has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from OpenSSL import SSL

from pinscher.clients.errors import UnsupportedTransportError

if TYPE_CHECKING:
    from OpenSSL import crypto

_REMEDY = "make the connection with Connector.connection, and leave its verification alone"


class PinnedConnection(SSL.Connection):
    """A connection whose verification stands: it cannot be replaced, and no session be resumed past it."""

    refused: Exception | None = None
    """What refused the handshake, for as long as nobody was told."""

    def _raise_ssl_error(self, ssl: Any, result: int) -> None:
        """Raise the refusal in place of the error without words that pyOpenSSL has for it."""
        refused, self.refused = self.refused, None
        if refused is not None:
            raise refused
        super()._raise_ssl_error(ssl, result)

    def set_verify(self, mode: int, callback: Any = None) -> None:  # noqa: ARG002
        """Refuse: this would take the judgement out of the handshake."""
        _refuse("set_verify would replace the judgement")

    def set_session(self, session: Any) -> None:  # noqa: ARG002
        """Refuse: a resumed connection shows no certificate."""
        _refuse("a resumed session shows no certificate that could be judged")

    def set_context(self, context: Any) -> None:  # noqa: ARG002
        """Refuse: another context is another trust."""
        _refuse("another context is another trust")


class Shown:
    """A certificate where service-identity expects a connection, which shows none before its handshake has ended."""

    def __init__(self, certificate: crypto.X509) -> None:
        self._certificate = certificate

    def get_peer_certificate(self, *, as_cryptography: bool = False) -> Any:
        """Return the certificate."""
        return self._certificate.to_cryptography() if as_cryptography else self._certificate


def _refuse(reason: str) -> NoReturn:
    raise UnsupportedTransportError("pyOpenSSL", reason, _REMEDY)
