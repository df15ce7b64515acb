"""
aioquic: QUIC and HTTP/3 whose server is judged before the client's Finished.

``async with connect(judge, host, port, configuration=...) as protocol``; HTTP/3 is a ``create_protocol`` over it, as in
aioquic itself. Session tickets are refused: a resumed connection shows no certificate, and 0-RTT data leaves early.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from typing import TYPE_CHECKING, Any, cast

from pinscher.clients.errors import UnsupportedTransportError, missing
from pinscher.host import canonical_host

try:
    import certifi
    from aioquic.asyncio import client as quic
    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.quic.configuration import QuicConfiguration

    from pinscher.clients._referee import Referee
except ImportError as error:
    raise ImportError(missing("aioquic", "aioquic")) from error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aioquic.quic.connection import QuicConnection

    from pinscher.clients.judge import Judge


@contextlib.asynccontextmanager
async def connect(
    judge: Judge, host: str, port: int, *, configuration: QuicConfiguration | None = None, **options: Any
) -> AsyncGenerator[QuicConnectionProtocol, None]:
    """Connect as ``aioquic.asyncio.connect`` does, to a server that the judge lets through."""
    judge.before(host, port)
    canonical = canonical_host(host)
    configured = configuration or QuicConfiguration(is_client=True)
    _check(configured, canonical, options)
    configured.server_name, configured.verify_mode = canonical, ssl.CERT_REQUIRED
    configured.cadata, configured.cafile, configured.capath = _anchors(judge.trust)
    referee = Referee(judge, canonical, port)
    create = options.pop("create_protocol", QuicConnectionProtocol)

    def created(connection: QuicConnection, **more: Any) -> QuicConnectionProtocol:
        """Judge the connection that aioquic has made, before its handshake begins."""
        referee.pin(connection)
        return cast("QuicConnectionProtocol", create(connection, **more))

    connecting = quic.connect(host, port, configuration=configured, create_protocol=created, **options)
    try:
        protocol = await connecting.__aenter__()
    except ConnectionError as failed:
        referee.explain()
        judge.not_validated(canonical, f"aioquic refused the handshake: {failed}", port)
    try:
        if not referee.is_judged:
            judge.not_validated(canonical, "the handshake ended, and nobody judged it", port)
        yield protocol
    finally:
        await connecting.__aexit__(None, None, None)


def _check(configuration: QuicConfiguration, host: str, options: dict[str, Any]) -> None:
    """Refuse what would go past the judgement: no verification, another name, a resumed session, data sent early."""
    name = configuration.server_name
    for is_wrong, reason in (
        (configuration.verify_mode not in (None, ssl.CERT_REQUIRED), "its verify_mode verifies no certificate"),
        (name is not None and canonical_host(name) != host, f"its server_name is {name!r}, another host"),
        (configuration.session_ticket is not None, "a resumed session shows no certificate"),
        (not options.get("wait_connected", True), "wait_connected=False sends before the server is judged"),
    ):
        if is_wrong:
            raise UnsupportedTransportError("aioquic", reason, "leave it out of the configuration")


def _anchors(trust: str | os.PathLike[str] | bytes | None) -> tuple[bytes | None, str | None, str | None]:
    if isinstance(trust, bytes):
        return trust, None, None
    path = certifi.where() if trust is None else os.fspath(trust)
    return (None, None, path) if os.path.isdir(path) else (None, path, None)
