"""
One database: SQLite by default, PostgreSQL by the same statements.

Rules of this file:

1. A transaction that ended without an error is on the disk: SQLite syncs every commit (``synchronous = FULL``).
2. SQLite has one writer at a time, so writers queue here, in order, rather than fail there.
3. What goes wrong below is told as one error of this room; nobody outside knows the driver's.
4. No text that leaves here holds the password.
5. What is under way is waited for before the connections are closed: one that comes back later would stay open.
6. A folder is one process's as long as its database is open; it is this user's, nobody else can write it, and nobody
   else can read its files.
7. A certificate that is there already and comes again is renewed before it is passed over: whoever removes what nobody
   saw for long leaves it, or has removed it before, and it is stored anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import bindparam, event, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from pinscher.errors import escaped
from pinscher.monitor.errors import DatabaseUnusableError, NotStoredError
from pinscher.monitor.migrations import upgrade
from pinscher.monitor.tables import certificates
from pinscher.reports import FolderLock, VaultError
from pinscher.store import UnsafeFileError
from pinscher.store.folder import check_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from sqlalchemy import URL, Table
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

FILE = "pinscher.sqlite"
"""The database's name in the monitor's folder."""
_FILES = (FILE, f"{FILE}-wal", f"{FILE}-shm")
_LONGEST_WAIT = 10.0


class Database:
    """An open database; :meth:`reading` and :meth:`writing` are its only ways in."""

    def __init__(self, engine: AsyncEngine, folder: FolderLock | None = None) -> None:
        self._secret = engine.url.password
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._turn = asyncio.Lock()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._folder = folder

    @classmethod
    async def open(cls, url: str | URL, *, folder: FolderLock | None = None) -> Self:
        """Open the database at *url*, and make its tables, or bring them to this release; *folder* is held with it."""
        try:
            engine = create_async_engine(url, hide_parameters=True)
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise DatabaseUnusableError(f"the database cannot be used: {_reason(error, None)}") from None
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _prepare)
        database = cls(engine, folder)
        try:
            async with database.writing() as connection:
                await connection.run_sync(upgrade)
        except NotStoredError as error:
            await database.close()
            raise DatabaseUnusableError(f"the database cannot be used: {_reason(error, None)}") from None
        except BaseException:
            await database.close()
            raise
        return database

    @classmethod
    async def in_folder(cls, folder: Path) -> Self:
        """Open the SQLite database of a folder, which is made where it is missing, for its owner alone (rule 6)."""
        lock = _taken(folder)
        try:
            return await cls.open(f"sqlite+aiosqlite:///{_made(folder)}", folder=lock)
        except BaseException:
            lock.close()
            raise

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection to read by."""
        try:
            async with self._used(), self._engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseUnusableError(f"the database does not answer: {_reason(error, self._secret)}") from None

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction; when the block has ended without an error, it is on the disk (rule 1)."""
        try:
            async with self._used(), self._turn if self._is_sqlite else contextlib.nullcontext():
                async with self._engine.begin() as connection:
                    yield connection
        except (SQLAlchemyError, OSError) as error:
            raise NotStoredError(f"nothing was stored: {_reason(error, self._secret)}") from None

    @contextlib.asynccontextmanager
    async def _used(self) -> AsyncIterator[None]:
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def close(self) -> None:
        """Close every connection, after what is under way (rule 5), or after ten seconds; then let others in."""
        try:
            if self._under_way:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LONGEST_WAIT):
                        await self._idle.wait()
            await self._engine.dispose()
        finally:
            if self._folder is not None:
                self._folder.close()

    def insert_new(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return the insert that passes over rows that are there already."""
        if self._is_sqlite:
            return sqlite.insert(table).on_conflict_do_nothing()
        return postgresql.insert(table).on_conflict_do_nothing()


async def insert_all(connection: AsyncConnection, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Execute an insert for each row, if there are any; certificates that are there already are renewed (rule 7)."""
    if rows and statement.table is certificates:
        seen = [{"which": row["digest"], "at": row["seen"], "before": row["seen"] - _FRESH} for row in rows]
        await connection.execute(_RENEWING, seen)
    if rows:
        await connection.execute(statement, rows)


_FRESH = 3_600_000
"""Milliseconds within which nothing is renewed: nobody is to wait for a row that everybody sends."""
_RENEWING = (
    update(certificates)
    .where(certificates.c.digest == bindparam("which"), certificates.c.seen < bindparam("before"))
    .values(seen=bindparam("at"))
)


def _taken(folder: Path) -> FolderLock:
    """Make a folder where it is missing, and take it for this process, or say what is wrong with it (rule 6)."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            # What somebody hands over empty is the database's alone from now on.
            folder.chmod(0o700)
        return FolderLock(folder.resolve(), may_be_entered=True)
    except VaultError as error:
        raise _no_folder(folder, error.reason) from None
    except OSError as error:
        raise _no_folder(folder, _reason(error, None)) from None


def _made(folder: Path) -> Path:
    """Make the database's file where it is missing, and return where; refuse one that others can reach, and a link."""
    try:
        for name in _FILES:
            with contextlib.suppress(FileNotFoundError):
                check_status((folder / name).lstat(), os.fspath(folder / name), refused=0o077)
        # SQLite gives its journal the mode of the file itself.
        (folder / FILE).touch(mode=0o600)
        return (folder / FILE).absolute()
    except UnsafeFileError as error:
        raise DatabaseUnusableError(str(error)) from None
    except OSError as error:
        raise _no_folder(folder, _reason(error, None)) from None


def _no_folder(folder: Path, reason: str) -> DatabaseUnusableError:
    return DatabaseUnusableError(f"the folder '{escaped(str(folder))}' cannot be used: {reason}")


_SETTINGS = (
    "busy_timeout = 10000",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # Leasing 500 of a million endpoints writes to as many pages: they are kept at hand, and put in their place rarely.
    "cache_size = -32768",
    "wal_autocheckpoint = 8000",
)


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for setting in _SETTINGS:
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _reason(error: Exception, secret: str | None) -> str:
    cause = getattr(error, "orig", None) or error
    said = str(getattr(cause, "strerror", None) or cause).lower()
    return escaped(said.replace(secret.lower(), "***") if secret else said)
