"""Several processes of a monitor, of which any may be lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import create_async_engine

from pinscher.lab.authority import Authority
from pinscher.lab.encoding import pem
from pinscher.monitor.addresses import database_url
from pinscher.monitor.broker import ReportLine
from pinscher.monitor.database import Database
from pinscher.monitor.errors import DatabaseUnusableError, NotStoredError
from pinscher.monitor.intake import Accepted, Intake
from pinscher.monitor.tables import reports
from tests.conformance.postgresql import PASSWORD, USER, Server, _free_port, cluster
from tests.unit.monitor.cluster import WORKERS, Run
from tests.unit.monitor.nats_server import PASSWORD as NATS_PASSWORD
from tests.unit.monitor.postgresql import installed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.postgresql import Cluster
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


@pytest.mark.anyio
async def test_a_database_that_is_stopped_and_started_again_loses_nothing(nats: NatsServer) -> None:
    """While PostgreSQL is down a report is acknowledged by the stream, or refused without one; when it is up, all are stored."""
    with cluster(installed()) as made:
        server = _Database(made)
        database = await Database.open(database_url(server.url))
        broker, line = ReportLine.at(nats.url, Intake(database).commit, patience=timedelta(seconds=4))
        await broker.startup()
        working = asyncio.create_task(line.run())
        direct = Intake(database)
        writing = asyncio.create_task(direct.run())
        for turn in range(3):
            if turn == 1:
                await asyncio.to_thread(server.stop)
                with pytest.raises(NotStoredError):
                    await direct.store(_report("refused"))
            for number in range(20):
                await line.hand_in([_report(f"{turn} {number:02}")])
            if turn == 1:
                await asyncio.to_thread(server.start)
        async with asyncio.timeout(60):
            while len(await _keys(database)) < 60:  # noqa: ASYNC110  (the line's tasks do it)
                await asyncio.sleep(0.05)
        assert [f"{turn} {number:02}" for turn in range(3) for number in range(20)] == await _keys(database)
        for task in (working, writing):
            task.cancel()
        await asyncio.gather(working, writing, return_exceptions=True)
        await broker.shutdown()
        await database.close()
        await asyncio.to_thread(server.stop)


class _Database:
    """A server on one port, which can be stopped and started."""

    def __init__(self, made: Cluster) -> None:
        self._made = made
        held = Authority.root().issue("127.0.0.1")
        made._give("server.crt", pem("CERTIFICATE", *held.chain))
        made._give("server.key", held.key_pem)
        self.port = _free_port()
        self.start()

    @property
    def url(self) -> str:
        """The address of its database."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres?sslmode=require"

    def start(self) -> None:
        """Start on the same port."""
        self._server = Server(self._made._run(self.port))
        assert self._server.is_ready()
        stream = self._server._process.stderr
        assert stream is not None
        # Whoever does not read the log of every statement stops the server.
        self._reader = threading.Thread(
            target=lambda: [None for _ in iter(lambda: os.read(stream.fileno(), 65536), b"")]
        )
        self._reader.start()

    def stop(self) -> None:
        """Stop, and cut every session."""
        self._server._process.send_signal(signal.SIGINT)
        self._reader.join()
        self._server.stop()


def _report(key: str) -> Accepted:
    row = {
        "application": "bank-app", "key": key, "received": 1, "at": None, "host": "a.example", "port": 443,
        "policy": "p", "version": 1, "mode": "enforce", "cause": "", "library": "", "times": 1, "served": "",
        "validated": "",
    }  # fmt: skip
    return Accepted(reports=[row])


async def _keys(database: Database) -> list[str]:
    with contextlib.suppress(DatabaseUnusableError):
        async with database.reading() as connection:
            return list((await connection.execute(select(reports.c.key).order_by(reports.c.key))).scalars())
    return []


async def _empty(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()
