"""
The tables of alerts, beside those of the monitor and by the same rules.

No address of a route is ever stored: a message names its route, and which of the route's addresses it is for.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from pinscher.monitor.tables import RowNumber, metadata

taken = Table(
    "alert_taken",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
)
"""Events and incidents that became notices, or need not: a database's numbers may come out of their order."""

routes = Table(
    "alert_routes",
    metadata,
    Column("route", String(64), primary_key=True),
    Column("sent", BigInteger, nullable=False, server_default="0"),
    Column("digested", String(10), nullable=False, server_default=""),
    Column("held", BigInteger, nullable=False, server_default="0"),
    Column("lost", BigInteger, nullable=False, server_default="0"),
)
"""``held`` counts what was not told because too much was, until a message says so; ``lost`` what nobody took."""

told = Table(
    "alert_told",
    metadata,
    Column("route", String(64), primary_key=True),
    Column("subject", String(320), primary_key=True),
    Column("rule", String(48), primary_key=True),
    Column("severity", Integer, primary_key=True, autoincrement=False),
    Column("since", BigInteger, nullable=False),
    Column("times", Integer, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("last", BigInteger, nullable=False),
)
"""
How often something was told on a route: in the day that began at ``since``, and again while it stayed open.

``repeats`` is -1 once its end was told.
"""

notices = Table(
    "alert_notices",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("route", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("what", String(16), nullable=False),
    Column("rule", String(48), nullable=False),
    Column("subject", String(320), nullable=False),
    Column("host", String(253), nullable=False),
    Column("application", String(128), nullable=False),
    Column("cause", String(32), nullable=False),
    Column("said", Text, nullable=False),
    Column("advice", Text, nullable=False),
    Column("path", String(64), nullable=False),
    Index("alert_notices_route", "route", "id"),
)
"""What waits to become part of a message."""

messages = Table(
    "alert_messages",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("route", String(64), nullable=False),
    Column("target", Integer, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Index("alert_messages_due", "due"),
)
"""What waits to be taken by the service behind one address of a route."""
