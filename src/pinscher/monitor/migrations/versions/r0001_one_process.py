"""The tables of the first layout, which had a number and no revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from alembic.operations import Operations

revision = "0001"
down_revision = None

metadata = MetaData()
_Key = BigInteger().with_variant(Integer, "sqlite")


def upgrade(op: Operations) -> None:
    """Make the tables."""
    metadata.create_all(op.get_bind())


def _id() -> Column[int]:
    return Column("id", _Key, primary_key=True, autoincrement=True)


Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

Table(
    "tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("made", BigInteger, nullable=False),
)

Table(
    "policies",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

Table(
    "endpoints",
    metadata,
    _id(),
    Column("host", String(253), nullable=False),
    Column("port", Integer, nullable=False),
    Column("protocol", String(16), nullable=False, server_default="tls"),
    Column("address", String(253), nullable=False, server_default=""),
    Column("due", BigInteger, nullable=False),
    Column("lease", BigInteger, nullable=False, server_default="0"),
    Column("looked", BigInteger),
    Column("outcome", String(32), nullable=False, server_default=""),
    UniqueConstraint("host", "port", "protocol", "address"),
    Index("endpoints_due", "due"),
)

Table(
    "certificates",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("seen", BigInteger, nullable=False),
)

Table(
    "sightings",
    metadata,
    _id(),
    Column("endpoint", _Key, ForeignKey("endpoints.id", ondelete="CASCADE"), nullable=False),
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
    Index("sightings_endpoint", "endpoint", "last"),
)

Table(
    "findings",
    metadata,
    _id(),
    Column("subject", String(320), nullable=False),
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

Table(
    "events",
    metadata,
    _id(),
    Column("finding", _Key, ForeignKey("findings.id", ondelete="CASCADE"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("what", String(16), nullable=False),
    Column("said", Text, nullable=False),
    Index("events_finding", "finding"),
)

Table(
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
    Column("library", String(128), nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("served", Text, nullable=False),
    Column("validated", Text, nullable=False),
    Column("incident", _Key),
    UniqueConstraint("application", "key"),
    Index("reports_untriaged", "id", sqlite_where=text("incident IS NULL"), postgresql_where=text("incident IS NULL")),
    Index("reports_incident", "incident"),
)

Table(
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
    Column("host", String(253), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("matched", String(80), nullable=False),
    Column("times", BigInteger, nullable=False),
    UniqueConstraint("application", "key", "host", "outcome", "matched"),
    Index("heartbeats_received", "received"),
)

Table(
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
