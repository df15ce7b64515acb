"""Databases of former layouts, of later ones, and several processes that open one at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import create_async_engine

import pinscher.monitor.migrations as module
from pinscher.monitor.database import FILE, Database
from pinscher.monitor.errors import DatabaseUnusableError
from pinscher.monitor.migrations.versions import r0001_one_process as first
from pinscher.monitor.monitor import Monitor
from pinscher.monitor.tables import metadata, millis
from pinscher.monitor.views import Views
from tests.unit.monitor.scene import AT, ENDPOINT, HOST, Clock, policy_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

pytestmark = pytest.mark.anyio
SCRIPT = ScriptDirectory(str(Path(module.__file__).parent))


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return the address of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / FILE}"
        return
    url = request.getfixturevalue("postgresql_url")
    await _run(url, _empty)
    yield url
    await _run(url, _empty)


def _empty(connection: Connection) -> None:
    connection.execute(text("DROP SCHEMA public CASCADE"))
    connection.execute(text("CREATE SCHEMA public"))


async def _run(url: str, function: Any) -> Any:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        found = await connection.run_sync(function)
    await engine.dispose()
    return found


def _first_layout(connection: Connection) -> None:
    """Make a database as the first release left it, with one endpoint that was seen."""
    first.metadata.create_all(connection)
    tables = first.metadata.tables
    connection.execute(tables["settings"].insert().values(name="layout", value="1"))
    connection.execute(
        tables["endpoints"].insert().values(host=HOST, port=443, due=millis(AT), lease=3, outcome="match")
    )
    seen = dict.fromkeys(("presented", "validated", "failure", "outcome", "matched", "cause", "said", "advice"), "")
    number = connection.execute(select(tables["endpoints"].c.id)).scalar_one()
    connection.execute(tables["sightings"].insert().values(endpoint=number, first=1, last=2, times=5, **seen))


def _differences(connection: Connection) -> list[Any]:
    # SQLite hands back an empty default in other quotes than it was given.
    is_compared = connection.dialect.name != "sqlite"
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": is_compared})
    found = compare_metadata(context, metadata)
    # What tests of other tables made in the same PostgreSQL is not spoken of, and neither is the order of one's own.
    return [one for one in found if one[0] != "remove_table"]


async def test_a_database_of_the_first_layout_is_upgraded(place: str) -> None:
    """Its endpoints are due when they were, under the same lease, and its history is the default vantage point's."""
    await _run(place, _first_layout)
    database = await Database.open(place)
    monitor = await Monitor.open(database, policy_of("sha256/" + "A" * 43 + "="), _never, now=Clock())
    (leased,) = await monitor.watch.schedule.lease(AT)
    assert (ENDPOINT, 4) == (leased.endpoint, leased.lease)
    (seen,) = (await Views(database).endpoint(leased.id))["history"]
    assert ("default", 5) == (seen["vantage"], seen["times"])
    await database.close()
    assert [] == await _run(place, _differences)


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at")


async def test_a_fresh_database_is_up_to_date(place: str) -> None:
    """What is made at once is what the tables say, and the last revision is the one it is marked with."""
    await (await Database.open(place)).close()
    assert [] == await _run(place, _differences)
    assert module.HEAD == SCRIPT.get_current_head()
    assert module.FIRST == SCRIPT.get_base()


async def test_processes_that_start_together_do_not_trip_over_each_other(place: str) -> None:
    """One upgrades, the others wait for it; the same when there is nothing yet."""
    for prepare in (_first_layout, None):
        if prepare is not None:
            await _run(place, prepare)
        opened = await asyncio.gather(*(Database.open(place) for _ in range(4)))
        for database in opened:
            await database.close()
    revision = "SELECT version_num FROM alembic_version"
    assert [module.HEAD] == await _run(place, lambda connection: list(connection.execute(text(revision)).scalars()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "revision 9999, expected 0002"),
        ("DROP TABLE alembic_version", "layout revisions, expected 1"),
    ],
)
async def test_what_a_later_release_made_is_left_alone(place: str, change: str, said: str) -> None:
    """A database of a later release is refused, and so is one whose revision is lost."""
    await (await Database.open(place)).close()
    await _run(place, lambda connection: connection.execute(text(change)))
    with pytest.raises(DatabaseUnusableError, match=said):
        await Database.open(place)


async def test_an_upgrade_that_fails_changes_nothing(place: str) -> None:
    """A revision that cannot be finished leaves the database as it was, for the release that made it."""
    await _run(place, _first_layout)
    await _run(place, lambda connection: connection.execute(text("DROP TABLE sightings")))
    with pytest.raises(DatabaseUnusableError, match="cannot be used"):
        await Database.open(place)
    due = "SELECT lease FROM endpoints WHERE due > 0"
    assert [3] == await _run(place, lambda connection: list(connection.execute(text(due)).scalars()))
