"""
The pin before the secret: the judgement in the middle of a handshake, before the client's certificate leaves.

After the handshake is too late for a client that authenticates itself: its certificate and its Finished went out with
the handshake's last flight. OpenSSL calls a context's message callback for every message, and two of the server's come
after it has proven its key and before the client answers:

1. in TLS 1.3, its Finished, which follows the CertificateVerify;
2. in TLS 1.2, its ServerHelloDone, which follows the signed key exchange. (Where the key exchange is by RSA encryption,
   the server has proven nothing by then; whoever cannot decrypt sees the client's certificate, which TLS 1.2 sends in
   clear text anyway, and gets no further.)

A callback cannot end a handshake. What it can do is to hang up, so that the flight has nowhere to go. A connection in
memory buffers needs no more than that its gate throws the flight away. The judgement after the handshake stays.

OpenSSL calls for every record too, and goes on to do so for as long as a connection lives, so a context listens only
once it has a client certificate to lose.
"""

from __future__ import annotations

import _socket
import contextlib
from typing import TYPE_CHECKING, Any

from pinscher.tls.settings import InsecureContextError, StrictSettings, c_descriptor

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_HANDSHAKE = 22
_SERVER_HELLO_DONE = 14
_CERTIFICATE_REQUEST = 13
_FINISHED = 20


class EarlyContext(StrictSettings):
    """A client context that has a handshake judged before it sends its own certificate."""

    def load_cert_chain(self, *certificate: Any, **options: Any) -> None:
        """
        Load the client's certificate as ``ssl.SSLContext.load_cert_chain`` does.

        From then on a server that is refused sees neither it nor the Finished.
        """
        load_and_listen(self, _hear, *certificate, **options)

    @property
    def _msg_callback(self) -> Any:
        return _MSG_CALLBACK.__get__(self)

    @_msg_callback.setter
    def _msg_callback(self, callback: Any) -> None:
        if _MSG_CALLBACK.__get__(self) is _hear:
            raise InsecureContextError(_TAKEN)
        _MSG_CALLBACK.__set__(self, callback)


_MSG_CALLBACK = c_descriptor("_msg_callback")
_LOAD_CERT_CHAIN = c_descriptor("load_cert_chain")
_TAKEN = "with a client certificate, a pinned context judges in its message callback; it can have no other"


def load_and_listen(context: ssl.SSLContext, hear: Callable[..., None], *certificate: Any, **options: Any) -> None:
    """Load a client's certificate, and have every message of later handshakes heard."""
    present = _MSG_CALLBACK.__get__(context)
    if present is not None and present is not hear:
        raise InsecureContextError(_TAKEN)
    _LOAD_CERT_CHAIN(context, *certificate, **options)
    _MSG_CALLBACK.__set__(context, hear)


def hear_pinned(connection: Any, direction: str, version: int, content: int, message: int, text: bytes) -> None:
    """Hear of one message of a context that makes pinned connections and others."""
    if getattr(_secured(connection), "gate", None) is not None:
        _hear(connection, direction, version, content, message, text)


def _hear(connection: Any, direction: str, _: int, content: int, message: int, __: bytes) -> None:
    """Hear of one message; the numbers are those of RFC 8446, sections 4 and 5.1, and RFC 5246."""
    if content != _HANDSHAKE or direction != "read":
        return
    if message in (_FINISHED, _SERVER_HELLO_DONE):
        secured = _secured(connection)
        if secured.gate is None or not secured.gate.is_early_enough():
            _hang_up(secured)
    elif message == _CERTIFICATE_REQUEST:
        # After the handshake too, in TLS 1.3 (RFC 8446 section 4.6.2): of a connection that may only receive by then.
        secured = _secured(connection)
        if secured.gate is not None and secured.gate.is_refused:
            _hang_up(secured)


def _secured(connection: Any) -> Any:
    """Return the TLS socket; gevent names its own socket here, and in it the TLS socket."""
    return connection._sslsock() if hasattr(connection, "_sslsock") else connection  # noqa: SLF001


def _hang_up(connection: Any) -> None:
    """End the TCP connection under a handshake that goes on; memory buffers have none."""
    tcp = getattr(connection, "_sock", connection)
    if isinstance(tcp, _socket.socket):
        # It may be gone already, and then nothing is sent either.
        with contextlib.suppress(OSError):
            # The TLS socket's own method would leave a clear text socket behind.
            _socket.socket.shutdown(tcp, _socket.SHUT_RDWR)
