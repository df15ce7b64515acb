"""
Where a database and a broker are.

Rules of this file:

1. An address may hold a password: no error says anything of an address that cannot be read.
2. An address may be kept out of the list of processes: ``@FILE`` is the first line of a file.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from pinscher.errors import escaped
from pinscher.monitor.errors import MonitorError

_DATABASE = "postgresql://USER:PASSWORD@HOST:PORT/NAME"
_BROKER = "nats://USER:PASSWORD@HOST:PORT"
_LONGEST = 4_096


def database_url(text: str) -> URL:
    """Return the address of a PostgreSQL database, as its driver reads it."""
    try:
        url = make_url(_resolved(text))
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres") or not url.database:
        raise MonitorError(f"the database's address cannot be read, expected {_DATABASE}") from None
    if find_spec("asyncpg") is None:
        raise MonitorError("PostgreSQL needs asyncpg; install it with: pip install 'pinscher[monitor-cluster]'")
    query = dict(url.query)
    # libpq's name of it, which people know, and the driver's.
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return url.set(drivername="postgresql+asyncpg", query=query)


def broker_url(text: str) -> str:
    """Return the address of a NATS server."""
    address = _resolved(text)
    try:
        parts = urlsplit(address)
        is_good = parts.scheme in ("nats", "tls") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise MonitorError(f"the broker's address cannot be read, expected {_BROKER}") from None
    return address


def _resolved(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        with Path(text[1:]).open(encoding="utf-8") as file:
            return file.readline(_LONGEST).strip()
    except (OSError, ValueError) as error:
        reason = escaped(str(getattr(error, "strerror", None) or error).lower())
        raise MonitorError(f"the file '{escaped(text[1:])}' cannot be read: {reason}") from None
