"""
pyOpenSSL: connections that are judged in the middle of the handshake, before the client's Finished.

``connection = Connector(judge).connection("api.example", sock)``, then ``do_handshake``, or ``send`` at once: OpenSSL
asks before either carries data. The server sees an alert and no end of the handshake. A session is never resumed, for
a resumed one shows no certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pinscher.clients.errors import missing
from pinscher.host import canonical_host, is_ip_literal

try:
    import service_identity
    from OpenSSL import SSL
    from service_identity.pyopenssl import verify_hostname, verify_ip_address

    from pinscher.clients import _chain
    from pinscher.clients._connection import PinnedConnection, Shown
except ImportError as error:
    raise ImportError(missing("pyopenssl service-identity", "pyopenssl")) from error

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from OpenSSL import crypto

    from pinscher.clients.judge import Judge


class Connector:
    """Makes pinned connections of pyOpenSSL; *alpn* are the protocols offered, as bytes."""

    def __init__(self, judge: Judge, *, alpn: Sequence[bytes] = ()) -> None:
        self._judge = judge
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_2_VERSION)
        self._context.set_options(SSL.OP_NO_RENEGOTIATION)
        self._context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self._context.set_verify(SSL.VERIFY_PEER, _nothing)
        if alpn:
            self._context.set_alpn_protos(list(alpn))
        self._store = cast("crypto.X509Store", self._context.get_cert_store())
        if judge.trust is None:
            self._context.set_default_verify_paths()
        else:
            _chain.load(self._store, judge.trust)

    def connection(
        self,
        host: str,
        sock: socket.socket | None = None,
        *,
        port: int | None = None,
        failed: Callable[[Exception], object] | None = None,
    ) -> PinnedConnection:
        """
        Return a connection to *host* over *sock*, or over memory where it is None; an unlisted host is refused here.

        What refuses the handshake is raised by the call that drives it, unless *failed* takes it.
        """
        self._judge.before(host, port)
        canonical = canonical_host(host)
        made = PinnedConnection(self._context, sock)
        SSL.Connection.set_verify(made, SSL.VERIFY_PEER, self._verifying(canonical, port, failed))
        if not is_ip_literal(canonical):
            made.set_tlsext_host_name(canonical.encode("ascii"))
        made.set_connect_state()
        return made

    def _verifying(
        self, host: str, port: int | None, failed: Callable[[Exception], object] | None
    ) -> Callable[[SSL.Connection, crypto.X509, int, int, int], bool]:
        above: list[Any] = []

        def verify(connection: SSL.Connection, certificate: crypto.X509, number: int, depth: int, is_good: int) -> bool:
            """Hear of one certificate that OpenSSL has looked at, from the anchor down to the leaf."""
            try:
                if not is_good:
                    self._judge.not_validated(host, f"OpenSSL's verification failed with error {number}", port)
                if depth > 0:
                    above.append(certificate.to_cryptography())
                else:
                    self._judged(certificate, above, host, port)
            except Exception as error:  # noqa: BLE001  (OpenSSL calls this: the refusal is raised behind it)
                if failed is not None:
                    failed(error)
                elif isinstance(connection, PinnedConnection):
                    connection.refused = error
                return False
            return True

        return verify

    def _judged(self, leaf: crypto.X509, above: list[Any], host: str, port: int | None) -> None:
        try:
            chain = _chain.validated_chain(self._store, leaf.to_cryptography(), above)
            (verify_ip_address if is_ip_literal(host) else verify_hostname)(Shown(leaf), host)  # type: ignore[arg-type]
        except (_chain.NotValidated, service_identity.CertificateError, service_identity.VerificationError) as error:
            self._judge.not_validated(host, f"{type(error).__name__}: {error}", port)
        self._judge.judge(chain, host, port)


def _nothing(*_: object) -> bool:
    return False
