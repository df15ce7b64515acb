"""
MySQL Connector/Python, which takes no context: its pure Python connection, with the pinned one inside.

The connector's C extension has a TLS of its own and is not used. A server that offers no TLS is refused: the connector
itself would go on in clear. Its asyncio connections and its pools are made elsewhere, and are not pinned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.clients.errors import UnsupportedTransportError, check_hooks, missing, refuse_options

try:
    from mysql.connector.connection import MySQLConnection
    from mysql.connector.constants import ClientFlag
    from mysql.connector.network import MySQLTCPSocket
except ImportError as error:
    raise ImportError(missing("mysql-connector-python", "mysql_connector")) from error

check_hooks("mysql-connector", MySQLConnection, "_get_connection", "_do_auth")
check_hooks("mysql-connector", MySQLTCPSocket, "build_ssl_context")

if TYPE_CHECKING:
    from pinscher.tls import PinnedContext


class PinnedConnection(MySQLConnection):
    """A connection to one MySQL server through a pinned context; *options* are the connector's, but for ``ssl_*``."""

    def __init__(self, context: PinnedContext, **options: Any) -> None:
        refuse_options("mysql-connector", options, beginning="ssl")
        refuse_options("mysql-connector", options, beginning="unix_socket")
        self._pinned = context
        super().__init__(**options)

    def _get_connection(self) -> _PinnedSocket:
        made = _PinnedSocket(host=self.server_host, port=self.server_port, force_ipv6=self._force_ipv6)
        made.pinned = self._pinned
        made.set_connection_timeout(self._connection_timeout)
        return made

    def _do_auth(self, *arguments: Any, **named: Any) -> bool:
        flags = named.get("client_flags", arguments[3] if len(arguments) > 3 else 0)
        if self._ssl_disabled or not flags & ClientFlag.SSL:
            reason = "the server offers no TLS, and the password would go out in clear"
            raise UnsupportedTransportError("mysql-connector", reason, "ask the server's operator for TLS")
        return bool(super()._do_auth(*arguments, **named))


class _PinnedSocket(MySQLTCPSocket):
    pinned: PinnedContext

    def build_ssl_context(self, *_: Any, **__: Any) -> PinnedContext:
        """Return the pinned context, whatever the connector would set on one of its own."""
        return self.pinned
