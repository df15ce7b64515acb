"""
What is remembered of logs and their certificates between turns, and between starts.

Rules of this file:

1. What a turn proved is written in one transaction with the certificates it found: after a crash nothing was passed
   over, and nothing is there twice.
2. Of two processes that followed the same log from the same place, one writes.
3. A fork stays said until the log is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from pinscher.monitor.certificates import fetched
from pinscher.monitor.database import insert_all
from pinscher.monitor.findings.history import key_of
from pinscher.monitor.tables import millis, moment, sightings
from pinscher.monitor.transparency.follower import Issued, Place, Trouble
from pinscher.monitor.transparency.frontier import Frontier
from pinscher.monitor.transparency.heads import TreeHead
from pinscher.monitor.transparency.tables import ct_certificates, ct_logs
from pinscher.pin import Pin
from pinscher.updates.log.hashing import HASH_LENGTH
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database
    from pinscher.monitor.transparency.follower import Progress
    from pinscher.monitor.transparency.logs import CtLog

MOST_JUDGED = 20_000
"""Certificates that are judged, the newest first; and paths that were seen, for their issuers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a log."""

    place: Place | None = None
    begun: datetime | None = None
    checked: datetime | None = None
    trouble: Trouble | None = None
    said: str = ""
    since: datetime | None = None
    forked: str = ""
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Logged:
    """A certificate, and the log that has it."""

    log: str
    issued: Issued


class Memory:
    """The logs and certificates in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def logs(self) -> dict[str, Known]:
        """Return what is known of each log, by the hexadecimal form of its identity."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(ct_logs))).all()
        return {row.log: _known(row) for row in rows}

    async def record(self, log: CtLog, known: Known | None, progress: Progress, *, at: datetime) -> bool:
        """Write what a turn brought, and tell whether nobody else was faster (rules 1 and 2)."""
        name = log.id.hex()
        async with self._database.writing() as connection:
            if known is None:
                await connection.execute(self._database.insert_new(ct_logs), [{"log": name}])
            statement = update(ct_logs).where(ct_logs.c.log == name, _is_at(None if known is None else known.place))
            changed = await connection.execute(statement.values(_values(known or Known(), progress, at)))
            if changed.rowcount != 1:
                return False
            await insert_all(
                connection, self._database.insert_new(ct_certificates), [_row(name, one) for one in progress.found]
            )
        return True

    async def certificates(self, at: datetime) -> list[Logged]:
        """Return the certificates that have not expired, the newest first."""
        end = ct_certificates.c.not_after
        asked = select(ct_certificates).where(end.is_(None) | (end > millis(at)))
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked.order_by(ct_certificates.c.at.desc()).limit(MOST_JUDGED))).all()
        return [Logged(row.log, _issued(row)) for row in rows]

    async def issuers(self) -> frozenset[bytes]:
        """
        Return the keys that stood above a leaf on a path that the policy accepted.

        A path that was merely validated does not count: it may be the attack that is looked for.
        """
        accepted = select(sightings.c.validated, func.max(sightings.c.id).label("newest"))
        accepted = accepted.where(sightings.c.outcome == Outcome.MATCH.value).group_by(sightings.c.validated)
        async with self._database.reading() as connection:
            rows = (
                await connection.execute(accepted.order_by(func.max(sightings.c.id).desc()).limit(MOST_JUDGED))
            ).all()
            above = {digest for row in rows for digest in row.validated.split()[1:]}
            ders = await fetched(connection, above)
        return frozenset(key for key in map(key_of, ders.values()) if key is not None)

    async def forget(self, connection: AsyncConnection, *, before: datetime) -> None:
        """Remove certificates that expired, or could never be read, before a moment."""
        oldest, end = millis(before), ct_certificates.c.not_after
        gone = (end < oldest) | (end.is_(None) & (ct_certificates.c.at < oldest))
        await connection.execute(delete(ct_certificates).where(gone))


def _is_at(place: Place | None) -> ColumnElement[bool]:
    if place is None:
        return ct_logs.c.size.is_(None)
    is_head = (ct_logs.c.size == place.head.size) & (ct_logs.c.root == place.head.root.hex())
    return is_head & (ct_logs.c.at == millis(place.head.at)) & (ct_logs.c.read == place.read.size)


def _values(known: Known, progress: Progress, at: datetime) -> dict[str, Any]:
    is_same = progress.trouble is known.trouble and known.since is not None
    values: dict[str, Any] = {
        "trouble": progress.trouble.value if progress.trouble else "",
        "said": progress.said,
        "since": millis(known.since if is_same and known.since else at),
        "unreadable": known.unreadable + progress.unreadable,
    }
    if progress.trouble is None:
        values["checked"] = millis(at)
    if progress.trouble is Trouble.FORKED:
        values["forked"] = progress.said
    if progress.place is not None and known.place is None:
        values["begun"] = 0 if progress.is_from_start else millis(progress.place.head.at)
    if progress.place is not None:
        head, read = progress.place.head, progress.place.read
        values |= {"size": head.size, "root": head.root.hex(), "at": millis(head.at), "signed": head.signed}
        values |= {"read": read.size, "hashes": b"".join(read.hashes).hex()}
    return values


def _known(row: Row[Any]) -> Known:
    return Known(
        place=None if row.size is None else _place(row),
        begun=None if row.begun is None else moment(row.begun),
        checked=None if row.checked is None else moment(row.checked),
        trouble=Trouble(row.trouble) if row.trouble else None,
        said=row.said,
        since=None if row.since is None else moment(row.since),
        forked=row.forked,
        unreadable=row.unreadable,
    )


def _place(row: Row[Any]) -> Place:
    octets = bytes.fromhex(row.hashes)
    hashes = tuple(octets[start : start + HASH_LENGTH] for start in range(0, len(octets), HASH_LENGTH))
    head = TreeHead(row.size, bytes.fromhex(row.root), moment(row.at), bytes(row.signed))
    return Place(head, Frontier(row.read, hashes))


def _row(log: str, one: Issued) -> dict[str, Any]:
    return {
        "log": log,
        "place": one.index,
        "at": millis(one.at),
        "names": " ".join(one.names),
        "more": one.more,
        "is_precertificate": one.is_precertificate,
        "is_readable": one.is_readable,
        "leaf_pins": " ".join(map(str, one.leaf_pins)),
        "issuer_pins": " ".join(map(str, one.issuer_pins)),
        "subject": one.subject,
        "issuer": one.issuer,
        "serial": one.serial,
        "not_before": None if one.not_before is None else millis(one.not_before),
        "not_after": None if one.not_after is None else millis(one.not_after),
    }


def _issued(row: Row[Any]) -> Issued:
    return Issued(
        index=row.place,
        at=moment(row.at),
        names=tuple(row.names.split()),
        more=row.more,
        is_precertificate=row.is_precertificate,
        is_readable=row.is_readable,
        leaf_pins=tuple(map(Pin.parse, row.leaf_pins.split())),
        issuer_pins=tuple(map(Pin.parse, row.issuer_pins.split())),
        subject=row.subject,
        issuer=row.issuer,
        serial=row.serial,
        not_before=None if row.not_before is None else moment(row.not_before),
        not_after=None if row.not_after is None else moment(row.not_after),
    )
