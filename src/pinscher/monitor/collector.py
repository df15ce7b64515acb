"""
From the body of a request to rows on the disk.

Rules of this file:

1. Nothing is acknowledged before it is on the disk: the database's, or that of a broker.
2. A certificate that is stored already is recognised by the digest of its text, and costs nothing more; within the hour
   it is stored again all the same, so that nobody removes it as unseen. With a broker it goes along with every report,
   for the one that has it may be stored later.
3. An application sends so many octets, and beyond them nothing of a body is read: requests alone bound no memory.
4. What a report says is a claim of whoever holds a public token: it is counted, grouped and shown, and trusted never.
"""

from __future__ import annotations

import hashlib
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pinscher.monitor.certificates import digest_of
from pinscher.monitor.intake import Accepted
from pinscher.monitor.limits import OCTET_RATE, Limiter
from pinscher.monitor.tables import millis
from pinscher.monitor.wire import certificate_of, read_heartbeat, read_report, told_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pinscher.monitor.intake import Intake
    from pinscher.monitor.limits import Rate

MOST_RECOGNISED = 2_000
"""Texts of certificates that are recognised."""
RECOGNISED_FOR = timedelta(hours=1)
"""How long certificates are recognised until they are stored again."""


class Collector:
    """Takes reports and heartbeats of applications that were told apart already; *clock* never goes back."""

    def __init__(
        self, intake: Intake, *, most_recognised: int = MOST_RECOGNISED, rate: Rate = OCTET_RATE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._intake = intake
        self._most_recognised = most_recognised
        self._octets = Limiter(rate, clock)
        self._recognised: dict[bytes, str] = {}
        self._since: datetime | None = None
        self.reports: dict[str, int] = {}
        self.heartbeats: dict[str, int] = {}

    async def take_report(self, body: bytes, *, application: str, at: datetime, key: str = "") -> str:
        """Store a report and return its idempotency key; when this returns, it is on the disk."""
        self._octets.take(application, len(body))
        report = read_report(body, key=key)
        self._forget_after_an_hour(at)
        fresh: dict[bytes, bytes] = {}
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
        self._octets.take(application, len(body))
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

    def _forget_after_an_hour(self, at: datetime) -> None:
        if self._since is None or not timedelta() <= at - self._since < RECOGNISED_FOR:
            self._recognised.clear()
            self._since = at

    def _digests(self, pems: Iterable[str], fresh: dict[bytes, bytes]) -> str:
        """Return the digests of a chain, and note the certificates that are not recognised."""
        digests = []
        for pem in pems:
            # The text may be a hundred times as long as what it is recognised by.
            text = hashlib.sha256(pem.encode()).digest()
            digest = self._recognised.get(text)
            if digest is None:
                fresh[text] = der = certificate_of(pem)
                digest = digest_of(der)
            digests.append(digest)
        return " ".join(digests)

    def _recognise(self, stored: dict[bytes, bytes]) -> None:
        """Recognise certificates from now on; only those that were stored ever get here."""
        for text, der in list(stored.items())[: self._most_recognised]:
            if len(self._recognised) >= self._most_recognised:
                self._recognised.clear()
            self._recognised[text] = digest_of(der)
