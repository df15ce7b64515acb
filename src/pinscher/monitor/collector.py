"""
From the body of a request to rows on the disk.

Rules of this file:

1. Nothing is acknowledged before it is on the disk: the database's, or that of a broker.
2. A certificate that is stored already is recognised by its text, and costs nothing more. With a broker it goes along
   with every report, for the one that has it may be stored later.
3. What a report says is a claim of whoever holds a public token: it is counted, grouped and shown, and trusted never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.monitor.certificates import digest_of
from pinscher.monitor.intake import Accepted
from pinscher.monitor.tables import millis
from pinscher.monitor.wire import certificate_of, read_heartbeat, read_report, told_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pinscher.monitor.intake import Intake

MOST_RECOGNISED = 2_000
"""Texts of certificates that are recognised."""


class Collector:
    """Takes reports and heartbeats of applications that were told apart already."""

    def __init__(self, intake: Intake, *, most_recognised: int = MOST_RECOGNISED) -> None:
        self._intake = intake
        self._most_recognised = most_recognised
        self._recognised: dict[str, str] = {}
        self.reports: dict[str, int] = {}
        self.heartbeats: dict[str, int] = {}

    async def take_report(self, body: bytes, *, application: str, at: datetime, key: str = "") -> str:
        """Store a report and return its idempotency key; when this returns, it is on the disk."""
        report = read_report(body, key=key)
        fresh: dict[str, bytes] = {}
        told = told_at(report)
        row: dict[str, Any] = {
            "application": application,
            "key": report.id,
            "received": millis(at),
            "at": None if told is None else millis(told),
            "host": report.hostname,
            "port": report.port,
            "policy": report.policy,
            "version": report.version,
            "mode": report.mode,
            "cause": report.cause,
            "library": report.library,
            "times": report.times,
            "served": self._digests(report.served_certificate_chain, fresh),
            "validated": self._digests(report.validated_certificate_chain, fresh),
        }
        ders = {digest_of(der): der for der in fresh.values()}
        certificates = [{"digest": digest, "der": der, "seen": millis(at)} for digest, der in ders.items()]
        await self._intake.store(Accepted(reports=(row,), certificates=certificates))
        self._recognise(fresh)
        self.reports[application] = self.reports.get(application, 0) + 1
        return report.id

    async def take_heartbeat(self, body: bytes, *, application: str, at: datetime, key: str = "") -> str:
        """Store a heartbeat and return its idempotency key; when this returns, it is on the disk."""
        heartbeat = read_heartbeat(body, key=key)
        common: dict[str, Any] = {
            "application": application,
            "key": heartbeat.id,
            "received": millis(at),
            "install": heartbeat.install,
            "policy": heartbeat.policy,
            "version": heartbeat.version,
            "log_head": heartbeat.log_head or "",
        }
        rows = [
            common | {"host": count.host, "outcome": count.outcome, "matched": count.matched, "times": count.times}
            for count in heartbeat.counts
        ] or [common | {"host": "", "outcome": "", "matched": "", "times": 0}]
        await self._intake.store(Accepted(heartbeats=rows))
        self.heartbeats[application] = self.heartbeats.get(application, 0) + 1
        return heartbeat.id

    def _digests(self, pems: Iterable[str], fresh: dict[str, bytes]) -> str:
        """Return the digests of a chain, and note the certificates that are not recognised."""
        digests = []
        for pem in pems:
            digest = self._recognised.get(pem)
            if digest is None:
                fresh[pem] = der = certificate_of(pem)
                digest = digest_of(der)
            digests.append(digest)
        return " ".join(digests)

    def _recognise(self, stored: dict[str, bytes]) -> None:
        """Recognise certificates from now on; only those that were stored ever get here."""
        for pem, der in list(stored.items())[: self._most_recognised]:
            if len(self._recognised) >= self._most_recognised:
                self._recognised.clear()
            self._recognised[pem] = digest_of(der)
