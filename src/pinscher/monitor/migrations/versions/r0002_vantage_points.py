"""Each vantage point has a schedule and a history of its own; what there is becomes the default one's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, text

if TYPE_CHECKING:
    from alembic.operations import Operations

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """Move the schedule into a table of its own."""
    key = BigInteger().with_variant(Integer, "sqlite")
    op.create_table(
        "looks",
        Column("endpoint", key, ForeignKey("endpoints.id", ondelete="CASCADE"), primary_key=True),
        Column("vantage", String(32), primary_key=True),
        Column("due", BigInteger, nullable=False),
        Column("lease", BigInteger, nullable=False, server_default="0"),
        Column("looked", BigInteger),
        Column("outcome", String(32), nullable=False, server_default=""),
        sqlite_with_rowid=False,
    )
    op.create_index("looks_due", "looks", ["vantage", "due"])
    moved = "SELECT id, 'default', due, lease, looked, outcome FROM endpoints"
    op.execute(text(f"INSERT INTO looks (endpoint, vantage, due, lease, looked, outcome) {moved}"))
    op.drop_index("endpoints_due", "endpoints")
    op.drop_column("endpoints", "due")
    op.drop_column("endpoints", "lease")
    op.add_column("sightings", Column("vantage", String(32), nullable=False, server_default="default"))
    op.execute(text("UPDATE settings SET value = 'revisions' WHERE name = 'layout'"))
