"""Certificates by the SHA-256 of their bytes, each stored once whoever showed it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import select

from pinscher.monitor.database import insert_all
from pinscher.monitor.tables import certificates, millis

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database

_ASKED_AT_ONCE = 500


def digest_of(certificate_der: bytes) -> str:
    """Return the name that a certificate is stored by."""
    return hashlib.sha256(certificate_der).hexdigest()


async def remember(database: Database, connection: AsyncConnection, ders: Iterable[bytes], *, at: datetime) -> None:
    """Store the certificates that are not there yet, within a transaction."""
    rows = {digest_of(der): der for der in ders}
    fresh = [{"digest": digest, "der": der, "seen": millis(at)} for digest, der in sorted(rows.items())]
    await insert_all(connection, database.insert_new(certificates), fresh)


async def fetched(connection: AsyncConnection, digests: Iterable[str]) -> dict[str, bytes]:
    """Return certificates by their digests."""
    wanted = sorted(digests)
    found: dict[str, bytes] = {}
    for start in range(0, len(wanted), _ASKED_AT_ONCE):
        asked = select(certificates.c.digest, certificates.c.der)
        rows = await connection.execute(asked.where(certificates.c.digest.in_(wanted[start : start + _ASKED_AT_ONCE])))
        found |= {row.digest: row.der for row in rows}
    return found
