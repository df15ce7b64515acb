"""Who judges one connection of aioquic, from inside its handshake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import certifi
from aioquic import tls
from aioquic.quic.connection import QuicConnection
from OpenSSL import crypto

from pinscher.clients import _chain
from pinscher.clients.errors import check_hooks

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from pinscher.clients.judge import Judge

check_hooks("aioquic", tls.Context, "_client_handle_certificate_verify")
check_hooks("aioquic", QuicConnection, "_initialize")


class _Handshake(tls.Context):
    """aioquic's handshake, with the judgement where it has verified the certificate and its key."""

    judged: Callable[[tls.Context], None]

    def _client_handle_certificate_verify(self, input_buf: Any) -> None:
        super()._client_handle_certificate_verify(input_buf)
        self.judged(self)


class Referee:
    """Judges one connection, and keeps what refused it: aioquic itself raises an error without a word."""

    def __init__(self, judge: Judge, host: str, port: int) -> None:
        self._judge = judge
        self._host = host
        self._port = port
        self.error: Exception | None = None
        self.is_judged = False

    def pin(self, connection: QuicConnection) -> None:
        """Judge every handshake of a connection that has not begun."""
        begin = connection._initialize  # noqa: SLF001  (aioquic makes its handshake here, and has no public hook)

        def begun(peer_cid: bytes) -> None:
            begin(peer_cid)
            connection.tls.__class__ = _Handshake
            cast("_Handshake", connection.tls).judged = self._judged

        connection._initialize = begun  # type: ignore[method-assign]  # noqa: SLF001

    def _judged(self, handshake: tls.Context) -> None:
        leaf, presented = handshake._peer_certificate, handshake._peer_certificate_chain  # noqa: SLF001
        try:
            if leaf is None:
                self._judge.not_validated(self._host, "the server showed no certificate", self._port)
            try:
                chain = _chain.validated_chain(_store(self._judge.trust), leaf, presented)
            except _chain.NotValidated as refused:
                self._judge.not_validated(self._host, str(refused), self._port)
            self._judge.judge(chain, self._host, self._port)
            self.is_judged = True
        except Exception as refused:
            self.error = refused
            raise tls.AlertBadCertificate("refused by the pins") from refused

    def explain(self) -> None:
        """Raise what refused the connection, if it was refused here, or what aioquic's own verification refused."""
        if self.error is not None:
            raise self.error


def _store(trust: str | os.PathLike[str] | bytes | None) -> crypto.X509Store:
    store = crypto.X509Store()
    _chain.load(store, certifi.where() if trust is None else trust)
    return store
