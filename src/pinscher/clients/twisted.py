"""
Twisted: the counterpart of ``optionsForClientTLS``, whose connections are judged in the middle of the handshake.

``SSL4ClientEndpoint(reactor, host, port, options_for_client_tls(judge, host))``; for ``Agent`` there is
``PinnedPolicy``. What a user catches is what Twisted makes of a failed handshake, with the refusal among its reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.clients.errors import missing

try:
    from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
    from twisted.python.failure import Failure
    from twisted.web.iweb import IPolicyForHTTPS
    from zope.interface import implementer

    from pinscher.clients.pyopenssl import Connector
except ImportError as error:
    raise ImportError(missing("twisted pyopenssl service-identity", "twisted")) from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.clients._connection import PinnedConnection
    from pinscher.clients.judge import Judge


@implementer(IOpenSSLClientConnectionCreator)
class PinnedOptions:
    """What Twisted makes the connections to one host with."""

    def __init__(self, connector: Connector, host: str, port: int | None = None) -> None:
        self._connector = connector
        self._host = host
        self._port = port

    def clientConnectionForTLS(self, tlsProtocol: Any) -> PinnedConnection:  # noqa: N802, N803  (Twisted's names)
        """Return a connection over memory, whose refusal ends the protocol."""

        def failed(error: Exception) -> None:
            tlsProtocol.failVerification(Failure(error))  # type: ignore[no-untyped-call]

        return self._connector.connection(self._host, port=self._port, failed=failed)


def options_for_client_tls(judge: Judge, host: str, *, alpn: Sequence[bytes] = ()) -> PinnedOptions:
    """Return options for connections to *host*; an unlisted one is refused at once."""
    judge.before(host)
    return PinnedOptions(Connector(judge, alpn=alpn), host)


@implementer(IPolicyForHTTPS)
class PinnedPolicy:
    """The policy of a ``twisted.web.client.Agent``: every host is judged; clear text ``http://`` goes past it."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._connector = Connector(judge, alpn=[b"http/1.1"])

    def creatorForNetloc(self, hostname: bytes, port: int) -> PinnedOptions:  # noqa: N802  (Twisted's name)
        """Return what connections to a host and port are made with; an unlisted host is refused at once."""
        host = hostname.decode("ascii")
        self._judge.before(host, port)
        return PinnedOptions(self._connector, host, port)
