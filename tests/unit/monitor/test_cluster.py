"""Several processes of a monitor, of which any may be lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.conformance.postgresql import PASSWORD
from tests.unit.monitor.cluster import WORKERS, Run
from tests.unit.monitor.nats_server import PASSWORD as NATS_PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.monitor.nats_server import NatsServer

REPORTS, PROBES = 2_000, 300


def test_losing_any_process_loses_no_accepted_report_and_no_due_look(
    postgresql_url: str, nats: NatsServer, tmp_path: Path
) -> None:
    """Each of three processes is killed in turn: every report is stored exactly once, every endpoint looked at, no password told."""
    asyncio.run(_empty(postgresql_url))
    url = postgresql_url.replace("postgresql+asyncpg", "postgresql").replace("ssl=", "sslmode=")
    run = Run(url, nats.url, tmp_path, reports=REPORTS, probes=PROBES)
    tally = run.run()
    assert WORKERS == tally.kills
    assert [f"{number:06}" for number in range(REPORTS)] == tally.stored
    assert tally.acknowledged == set(tally.stored)
    assert tally.looked == PROBES
    assert PASSWORD not in run.said
    assert NATS_PASSWORD not in run.said
    assert "Traceback" not in run.said


async def _empty(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()
