"""
ldap3, which takes no context and by default names no host: its ``Tls``, with the pinned context inside.

``Server("ldap.example", use_ssl=True, tls=PinnedTls(context))``, or ``Connection.start_tls`` on a server with this
``tls``. ldap3 binds in clear where it is asked to bind before ``start_tls``.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from pinscher.clients.errors import check_hooks, missing
from pinscher.errors import PinningError

try:
    import ldap3
except ImportError as error:
    raise ImportError(missing("ldap3", "ldap3")) from error

check_hooks("ldap3", ldap3.Tls, "wrap_socket")

if TYPE_CHECKING:
    from pinscher.tls import PinnedContext


class RefusedError(PinningError):
    """A refusal in words alone: ldap3 makes an error anew, of the same type, from the text of the one it caught."""


class PinnedTls(ldap3.Tls):  # type: ignore[misc]
    """How ldap3 begins TLS, through a pinned context; the host is the server's."""

    def __init__(self, context: PinnedContext) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._pinned = context

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Put the pinned socket in a connection's place, once it has shaken hands and was judged."""
        try:
            connection.socket = self._pinned.wrap_socket(connection.socket, server_hostname=connection.server.host)
        except ssl.SSLError as error:
            raise RefusedError(str(error)) from error
