"""
The tables of the monitor, for SQLite and PostgreSQL alike.

Rules of this file:

1. A moment is a whole number of milliseconds since 1970 in UTC: both databases sort and compare it alike.
2. What a stranger sent is bound as a value, and never becomes part of a statement.
3. A certificate is stored once, by the SHA-256 of its bytes.
4. A column that a stranger's text could outgrow makes it fit (``columns``); every other one is bounded where its text
   is read (``wire``).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from pinscher.monitor.columns import LONGEST_SUBJECT, Fitted
from pinscher.monitor.vantage import DEFAULT_VANTAGE

metadata = MetaData()
"""Every table of the monitor."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
RowNumber = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows up by itself only in a column of its own kind."""


def millis(at: datetime) -> int:
    """Return an aware moment as it is stored (rule 1)."""
    return (at - _EPOCH) // _MILLISECOND


def moment(stored: int) -> datetime:
    """Return a stored moment as an aware time in UTC."""
    return _EPOCH + stored * _MILLISECOND


def _id() -> Column[int]:
    return Column("id", RowNumber, primary_key=True, autoincrement=True)


settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("made", BigInteger, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

endpoints = Table(
    "endpoints",
    metadata,
    _id(),
    Column("host", String(253), nullable=False),
    Column("port", Integer, nullable=False),
    Column("protocol", String(16), nullable=False, server_default="tls"),
    Column("address", String(253), nullable=False, server_default=""),
    Column("looked", BigInteger),
    Column("outcome", String(32), nullable=False, server_default=""),
    UniqueConstraint("host", "port", "protocol", "address"),
)
"""``looked`` and ``outcome`` are of the last look, wherever it was from."""

looks = Table(
    "looks",
    metadata,
    Column("endpoint", RowNumber, ForeignKey("endpoints.id", ondelete="CASCADE"), primary_key=True),
    Column("vantage", String(32), primary_key=True),
    Column("due", BigInteger, nullable=False),
    Column("lease", BigInteger, nullable=False, server_default="0"),
    Column("looked", BigInteger),
    Column("outcome", String(32), nullable=False, server_default=""),
    Index("looks_due", "vantage", "due"),
    sqlite_with_rowid=False,
)
"""
One row for each endpoint and each vantage point that it is looked at from.

``due`` is when somebody should look next; a lease moves it on, so that a probe that was lost is due again.
"""

certificates = Table(
    "certificates",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("seen", BigInteger, nullable=False),
)

sightings = Table(
    "sightings",
    metadata,
    _id(),
    Column("endpoint", RowNumber, ForeignKey("endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("presented", Text, nullable=False),
    Column("validated", Text, nullable=False),
    Column("failure", Text, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("matched", String(80), nullable=False),
    Column("cause", String(32), nullable=False),
    Column("said", Text, nullable=False),
    Column("advice", Text, nullable=False),
    Column("vantage", String(32), nullable=False, server_default=DEFAULT_VANTAGE),
    Index("sightings_endpoint", "endpoint", "last"),
)

findings = Table(
    "findings",
    metadata,
    _id(),
    Column("subject", Fitted(LONGEST_SUBJECT), nullable=False),
    Column("rule", String(48), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("said", Text, nullable=False),
    Column("advice", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("until", BigInteger),
    Column("opened", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("closed", BigInteger),
    Index(
        "findings_open",
        "subject",
        "rule",
        unique=True,
        sqlite_where=text("closed IS NULL"),
        postgresql_where=text("closed IS NULL"),
    ),
)

events = Table(
    "events",
    metadata,
    _id(),
    Column("finding", RowNumber, ForeignKey("findings.id", ondelete="CASCADE"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("what", String(16), nullable=False),
    Column("said", Text, nullable=False),
    Index("events_finding", "finding"),
)

reports = Table(
    "reports",
    metadata,
    _id(),
    Column("application", String(128), nullable=False),
    Column("key", String(128), nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("at", BigInteger),
    Column("host", String(253), nullable=False),
    Column("port", Integer),
    Column("policy", String(256), nullable=False),
    Column("version", BigInteger),
    Column("mode", String(16), nullable=False),
    Column("cause", String(32), nullable=False),
    Column("library", Fitted(128), nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("served", Text, nullable=False),
    Column("validated", Text, nullable=False),
    Column("incident", RowNumber),
    UniqueConstraint("application", "key"),
    Index("reports_untriaged", "id", sqlite_where=text("incident IS NULL"), postgresql_where=text("incident IS NULL")),
    Index("reports_incident", "incident"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    _id(),
    Column("application", String(128), nullable=False),
    Column("key", String(128), nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("install", String(64), nullable=False),
    Column("policy", String(256), nullable=False),
    Column("version", BigInteger),
    Column("log_head", String(256), nullable=False),
    Column("host", Fitted(253), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("matched", String(80), nullable=False),
    Column("times", BigInteger, nullable=False),
    UniqueConstraint("application", "key", "host", "outcome", "matched"),
    Index("heartbeats_received", "received"),
)
"""One row for each host, outcome and pin that a heartbeat counts."""

incidents = Table(
    "incidents",
    metadata,
    _id(),
    Column("application", String(128), nullable=False),
    Column("host", String(253), nullable=False),
    Column("key", String(64), nullable=False),
    Column("issuer", Text, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("said", Text, nullable=False),
    Column("advice", Text, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("reports", BigInteger, nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("versions", Text, nullable=False),
    Column("chain", Text, nullable=False),
    Column("share", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Index("incidents_group", "application", "host", "key", "cause", "last"),
)
