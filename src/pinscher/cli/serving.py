"""The options that say where a monitor keeps what it knows, and which part of it a process is."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.monitor.database import Database
    from pinscher.monitor.monitor import Settings

_ROLES = ("all", "collector", "prober", "web")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a process stands among others; addresses may hold passwords, and so nothing shows them."""

    data: Path | None
    database: str | None = field(repr=False)
    broker: str | None = field(repr=False)
    role: str
    vantage: str
    takeover: timedelta

    async def opened(self) -> Database:
        """Return the open database."""
        from pinscher.monitor.addresses import database_url  # noqa: PLC0415  (the help does not pay for it)
        from pinscher.monitor.database import Database  # noqa: PLC0415

        if self.database is not None:
            return await Database.open(database_url(self.database))
        assert self.data is not None  # noqa: S101  (the option's check has seen to it)
        return await Database.in_folder(self.data)

    def broker_address(self) -> str | None:
        """Return the broker's address, with its password, or None where there is none."""
        from pinscher.monitor.addresses import broker_url  # noqa: PLC0415

        if self.broker is None:
            return None
        try:
            import pinscher.monitor.broker  # noqa: F401, PLC0415  (says which package is missing)
        except ImportError as error:
            raise PinningError(str(error)) from None
        return broker_url(self.broker)

    def settings(self) -> Settings:
        """Return what a monitor is told of this place."""
        from pinscher.monitor.monitor import Settings  # noqa: PLC0415
        from pinscher.monitor.roles import ProcessRole  # noqa: PLC0415
        from pinscher.monitor.vantage import checked_vantage  # noqa: PLC0415

        return Settings(
            vantage=checked_vantage(self.vantage),
            role=ProcessRole(self.role),
            takeover=self.takeover,
        )


def place_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of this file; the verb gets them as one ``place``."""

    @functools.wraps(command)
    def with_place(
        *arguments: object, data: Path | None, database: str | None, broker: str | None, role: str, vantage: str,
        takeover: float, **options: object,
    ) -> int:  # fmt: skip
        if data is None and database is None:
            raise click.UsageError("Missing option '--data', or '--database'.")
        if role != "all" and database is None:
            raise click.UsageError(f"--role {role} takes a part of several processes, which share a '--database'.")
        place = Place(
            data=data, database=database, broker=broker, role=role, vantage=vantage,
            takeover=timedelta(seconds=takeover),
        )  # fmt: skip
        return command(*arguments, place=place, **options)

    for option in reversed((
        click.option("--data", type=click.Path(path_type=Path), metavar="DIR",
                     help="The folder of the database; made where it is missing. Beside --database it keeps "
                          "what --updates accepted."),
        click.option("--database", metavar="URL", envvar="PINSCHER_DATABASE",
                     help="PostgreSQL in place of the folder: postgresql://…, or @FILE whose first line says so."
                          " [env: PINSCHER_DATABASE]"),
        click.option("--broker", metavar="URL", envvar="PINSCHER_BROKER",
                     help="NATS, over which several processes share the work: nats://…, or @FILE."
                          " [env: PINSCHER_BROKER]"),
        click.option("--role", type=click.Choice(_ROLES), default="all", show_default=True,
                     help="The part of this process, where several share a database."),
        click.option("--vantage", default="default", metavar="NAME", show_default=True,
                     help="Where this process looks from; each name has a history and findings of its own."),
        click.option("--takeover", type=click.FloatRange(min=1, max=3_600), default=60.0, metavar="SECONDS",
                     show_default="60", help="After how long others do what a lost process had begun."),
    )):  # fmt: skip
        with_place = option(with_place)
    return with_place
