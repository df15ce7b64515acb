"""
The tables of the people who use the dashboard: their accounts, links, sessions, and what they did.

Rules of this file:

1. A password is stored as its Argon2id hash, and a link or a session as the SHA-256 of 256 random bits.
2. What somebody did stays when the account goes: the audit log has names, and no references.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text

from pinscher.monitor.tables import RowNumber, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password", Text, nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
)

invitations = Table(
    "invitations",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("invited_by", String(128), nullable=False),
)
"""Links that are good once; an empty name is chosen by whoever follows the link."""

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("account", RowNumber, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Index("sessions_account", "account"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(128), nullable=False),
    Column("address", String(64), nullable=False),
    Column("what", String(48), nullable=False),
    Column("about", String(320), nullable=False),
    Column("said", Text, nullable=False),
    Index("audit_at", "at"),
)
