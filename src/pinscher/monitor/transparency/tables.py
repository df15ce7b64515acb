"""
The tables of what is known of logs, and of the certificates in them that concern the policy.

Rules of this file:

1. The row of a log is its state: whoever goes on from another state than the row's has been overtaken, and writes
   nothing.
2. What a log signed is kept as it was served: it is the evidence if another head contradicts it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, String, Table, Text, UniqueConstraint

from pinscher.monitor.tables import RowNumber, metadata

ct_logs = Table(
    "ct_logs",
    metadata,
    Column("log", String(64), primary_key=True),
    Column("size", BigInteger),
    Column("root", String(64)),
    Column("at", BigInteger),
    Column("signed", LargeBinary),
    Column("read", BigInteger),
    Column("hashes", Text),
    Column("begun", BigInteger),
    Column("checked", BigInteger),
    Column("trouble", String(16), nullable=False, server_default=""),
    Column("said", Text, nullable=False, server_default=""),
    Column("since", BigInteger),
    Column("forked", Text, nullable=False, server_default=""),
    Column("unreadable", BigInteger, nullable=False, server_default="0"),
)
"""
``begun`` is from when on the log is read, and ``since`` when the present trouble began; ``forked`` says what was found,
and no later head takes it back.
"""

ct_certificates = Table(
    "ct_certificates",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("log", String(64), nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("names", Text, nullable=False),
    Column("more", BigInteger, nullable=False),
    Column("is_precertificate", Boolean, nullable=False),
    Column("is_readable", Boolean, nullable=False),
    Column("leaf_pins", Text, nullable=False),
    Column("issuer_pins", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("serial", String(64), nullable=False),
    Column("not_before", BigInteger),
    Column("not_after", BigInteger),
    UniqueConstraint("log", "place"),
    Index("ct_certificates_at", "at"),
)
"""``place`` is the entry's number in its log."""
