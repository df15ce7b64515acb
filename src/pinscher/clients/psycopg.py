"""
psycopg and everything else over libpq, refused by name: libpq takes a file of authorities and has no hook.

``sslrootcert`` narrows the authorities. A leaf there is refused by OpenSSL, and an authority there still signs any key.
asyncpg takes a context. Behind a pinned forwarder libpq logs in by the forwarder's client certificate or by a password
that the server asks for in clear, and refuses SCRAM: see docs/how-to/forward.md.
"""

from __future__ import annotations

from typing import NoReturn

from pinscher.clients.errors import UnsupportedTransportError


def connect(*_: object, **__: object) -> NoReturn:
    """Refuse, for synchronous and asynchronous connections alike."""
    reason = "libpq has no hook in its handshake, and sslrootcert names authorities and no keys"
    remedy = "use asyncpg with a pinned context, or a pinned forwarder: pinscher forward --starttls postgres"
    raise UnsupportedTransportError("psycopg", reason, remedy)
