"""
A database of a former release, brought to the tables of this one.

Rules of this folder:

1. What a revision did never changes; another change of a table is another revision, in a file of its own.
2. An upgrade is one transaction: it is there as a whole or not at all.
3. Processes that start at the same time wait for each other; the first upgrades, and the others find it done.
4. A database of a later release is refused, and nothing in it is changed.
5. A table that is new needs no revision as long as nobody has altered it: it is made as it stands in this release.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, String, Table, inspect, select, text

from pinscher.errors import escaped
from pinscher.monitor import account_tables  # noqa: F401  (its tables are made with the others)
from pinscher.monitor.alerts import tables as _alert_tables  # noqa: F401  (as those above)
from pinscher.monitor.errors import DatabaseUnusableError
from pinscher.monitor.tables import metadata, settings
from pinscher.monitor.transparency import tables as _transparency_tables  # noqa: F401  (as those above)

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = "0002"
"""The revision of this release."""
FIRST = "0001"
"""The revision of databases that were made before there were revisions."""
_FIRST_LAYOUT = "1"
_LAYOUT_SINCE = "revisions"
"""What releases that look for a layout find, and refuse."""
_ONE_AT_A_TIME = 0x70696E736368
"""The name of PostgreSQL's lock that upgrades take."""

_versions = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def upgrade(connection: Connection) -> None:
    """Bring a database to the tables of this release, within a transaction that nobody else writes in."""
    _wait_for_others(connection)
    found = _revision(connection)
    if found is None:
        _versions.create(connection)
        connection.execute(_versions.insert().values(version_num=HEAD))
    elif found != HEAD:
        _run(connection)
    metadata.create_all(connection)
    if found is None:
        connection.execute(settings.insert().values(name="layout", value=_LAYOUT_SINCE))


def _wait_for_others(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # The driver would begin with the first row that is written, after tables were made.
        connection.execute(text("BEGIN IMMEDIATE"))
    else:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ONE_AT_A_TIME})"))


def _revision(connection: Connection) -> str | None:
    """Return the revision of a database, or None where it is empty."""
    inspector = inspect(connection)
    if inspector.has_table(_versions.name):
        found = connection.execute(select(_versions.c.version_num)).scalar()
        _check(str(found))
        return found
    if not inspector.has_table(settings.name):
        return None
    layout = connection.execute(select(settings.c.value).where(settings.c.name == "layout")).scalar()
    if layout != _FIRST_LAYOUT:
        raise DatabaseUnusableError(f"the database has layout {escaped(str(layout))}, expected {_FIRST_LAYOUT}")
    _versions.create(connection)
    connection.execute(_versions.insert().values(version_num=FIRST))
    return FIRST


def _check(found: str) -> None:
    # Revisions are numbered, so that the names of later ones sort after this release's.
    if not FIRST <= found <= HEAD:
        raise DatabaseUnusableError(f"the database has revision {escaped(found)}, expected {HEAD}: upgrade pinscher")


def _run(connection: Connection) -> None:
    # Half a second, which only an upgrade pays.
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    script = ScriptDirectory(str(Path(__file__).parent))
    context = MigrationContext.configure(
        connection,
        # The type of this argument is one of Alembic's own, and it is called with a revision and a context.
        opts={"fn": lambda revision, _: script._upgrade_revs(HEAD, revision)},  # noqa: SLF001
    )
    context.run_migrations(op=Operations(context))
