"""Three processes of a monitor over real PostgreSQL and NATS servers, each of them killed while reports and looks are under way."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text, update

from pinscher.lab.authority import Authority
from pinscher.lab.encoding import pem
from pinscher.lab.server import TlsServer
from pinscher.monitor.addresses import database_url
from pinscher.monitor.database import Database
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.tables import looks, millis, reports
from pinscher.monitor.tokens import Role
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.probe import Endpoint
from tests.unit.monitor.scene import chain_of

if TYPE_CHECKING:
    from pathlib import Path

WORKERS = 3
SENDERS = 6
TAKEOVER = 2
_PATIENCE = 60.0
"""Seconds without progress after which nothing more is waited for."""
_LATER = timedelta(days=1)
"""When everything is due before the run makes it so: later than the run, and not later than the workers' interval."""
_ANSWERED = (http.client.HTTPException, OSError)


@dataclass(slots=True)
class Tally:
    """What became of a run."""

    acknowledged: set[str] = field(default_factory=set)
    stored: list[str] = field(default_factory=list)
    looked: int = 0
    kills: int = 0
    retries: int = 0
    seconds: float = 0.0


class Worker:
    """One process, which can be killed and started again."""

    def __init__(self, folder: Path, arguments: list[str], environment: dict[str, str]) -> None:
        self._arguments, self._folder = arguments, folder
        self._environment = os.environ | environment
        self.port = 0
        self.begin()

    def begin(self) -> None:
        """Start the process."""
        command = [sys.executable, "-m", "pinscher.cli", "serve", *self._arguments]
        self.process = subprocess.Popen(
            command, cwd=self._folder, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        # Whoever does not read what it says stops it.
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            self.said.extend(process.stderr)

    def wait(self) -> None:
        """Wait until it listens."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if json.loads(line)["event"] == "listening":
                self.port = int(json.loads(line)["url"].rpartition(":")[2])
                return
        raise AssertionError("it did not start: " + "".join(self.said))

    def end(self, number: int) -> int:
        """Send a signal, and return how it ended."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._reader.join()
        return code


class Run:
    """A run with so many reports and looks."""

    def __init__(
        self, database: str, broker: str, folder: Path, *, reports: int, probes: int, senders: int = SENDERS
    ) -> None:
        self._senders = senders
        self.tally = Tally()
        self._database, self._broker, self._folder = database, broker, folder
        self._keys = [f"{number:06}" for number in range(reports)]
        self._todo = iter(self._keys)
        self._lock = threading.Lock()
        self._hosts = [f"h{number}.bank.example" for number in range(probes)]
        self._root = Authority.root()
        self._held = self._root.issue("*.bank.example")
        self._workers: list[Worker] = []
        self.is_over = threading.Event()

    def run(self) -> Tally:
        """Send everything, kill each worker once, and wait until all is stored and looked at."""
        with TlsServer(self._held) as server:
            endpoints = [Endpoint(host, server.port, connect_to="127.0.0.1") for host in self._hosts]
            token = asyncio.run(self._prepare(endpoints))
            started = time.monotonic()
            try:
                self._workers += [self._worker(server.port) for _ in range(WORKERS)]
                for worker in self._workers:
                    worker.wait()
                senders = [
                    threading.Thread(target=self._send, args=(token, number), daemon=True)
                    for number in range(self._senders)
                ]
                for sender in senders:
                    sender.start()
                asyncio.run(self._disturb())
                for sender in senders:
                    sender.join()
                asyncio.run(self._settle())
            finally:
                self.is_over.set()
                for worker in self._workers:
                    if worker.process.poll() is None:
                        worker.end(signal.SIGTERM)
            self.tally.seconds = time.monotonic() - started
        return self.tally

    async def _prepare(self, endpoints: list[Endpoint]) -> str:
        """Write the files of the processes, make everything due only later, and return an application's token."""
        (self._folder / "ca.pem").write_bytes(self._root.pem)
        (self._folder / "broker").write_text(self._broker + "\n")
        policy = (
            'format = 1\nname = "bank-app"\nversion = 1\n[hosts."*.bank.example"]\n'
            f'pins = ["{Pin.of(self._held.der)}"]\n'
        )
        (self._folder / "pins.toml").write_text(policy)
        database = await Database.open(database_url(self._database))
        async with database.writing() as connection:
            # The tests' server writes every statement to its log, with every row of it.
            await connection.execute(text("ALTER ROLE CURRENT_USER SET log_statement = 'none'"))
        monitor = await Monitor.open(database, Policy.loads(policy), _never, settings=Settings())
        await monitor.begin(endpoints)
        async with database.writing() as connection:
            await connection.execute(update(looks).values(due=millis(datetime.now(UTC) + _LATER)))
        token = await monitor.tokens.make(Role.APPLICATION, "bank-app", at=datetime.now(UTC))
        await database.close()
        return token

    def _worker(self, port: int) -> Worker:
        arguments = [
            "--policy", "pins.toml", "--broker", "@broker", "--listen", "127.0.0.1:0", "--json", "--ca-file", "ca.pem",
            "--connect", "127.0.0.1", "--takeover", str(TAKEOVER), "--interval", "86400",
        ]  # fmt: skip
        for host in self._hosts:
            arguments += ["--endpoint", f"{host}:{port}"]
        return Worker(self._folder, arguments, {"PINSCHER_DATABASE": self._database})

    def _send(self, token: str, number: int) -> None:
        """Send reports until there are no more, each until somebody acknowledged it."""
        chain = [pem("CERTIFICATE", der).decode() for der in chain_of(self._held)]
        turns = itertools.count(number)
        connection = self._connection(next(turns))
        while (key := self._next()) is not None:
            body = json.dumps({"hostname": self._hosts[0], "id": key, "validated-certificate-chain": chain})
            while not self.is_over.is_set():
                try:
                    connection.request("POST", "/v1/reports", body, {"Authorization": f"Bearer {token}"})
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status == 201:
                        break
                except _ANSWERED:
                    connection.close()
                    connection = self._connection(next(turns))
                self.tally.retries += 1
                # A server that is not there answers at once: another sender's turn.
                self.is_over.wait(0.01)
            with self._lock:
                self.tally.acknowledged.add(key)
        connection.close()

    def _connection(self, turn: int) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._workers[turn % WORKERS].port, timeout=30)

    def _next(self) -> str | None:
        with self._lock:
            return next(self._todo, None)

    async def _disturb(self) -> None:
        """Make a third of the endpoints due, and kill a worker when some of them were looked at; and again."""
        database = await Database.open(database_url(self._database))
        starting: list[asyncio.Task[None]] = []
        for turn, worker in enumerate(self._workers):
            await _until(lambda turn=turn: self._share() >= (turn + 1) / (WORKERS + 2))  # type: ignore[misc]
            before = await _looked(database)
            async with database.writing() as connection:
                its = (looks.c.endpoint % WORKERS) == turn
                await connection.execute(update(looks).where(its).values(due=millis(datetime.now(UTC))))
            while await _looked(database) == before:  # noqa: ASYNC110  (other processes do it)
                await asyncio.sleep(0.01)
            assert -signal.SIGKILL == worker.end(signal.SIGKILL)
            self.tally.kills += 1
            worker.begin()
            starting.append(asyncio.create_task(asyncio.to_thread(worker.wait)))
        await asyncio.gather(*starting)
        await database.close()

    def _share(self) -> float:
        return len(self.tally.acknowledged) / len(self._keys)

    async def _settle(self) -> None:
        """Wait until every acknowledged report is stored and every look done; what is missing then is missing."""
        database, progress = await Database.open(database_url(self._database)), (-1, -1)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            async with database.reading() as connection:
                stored = (await connection.execute(select(func.count()).select_from(reports))).scalar_one()
            looked = await _looked(database)
            if (stored, looked) != progress:
                progress, deadline = (stored, looked), time.monotonic() + _PATIENCE
            self.tally.looked = looked
            if stored >= len(self._keys) and self.tally.looked >= len(self._hosts):
                break
            await asyncio.sleep(0.05)
        async with database.reading() as connection:
            self.tally.stored = list(
                (await connection.execute(select(reports.c.key).order_by(reports.c.key))).scalars()
            )
        await database.close()

    @property
    def said(self) -> str:
        """What the processes said on standard error."""
        return "".join(line for worker in self._workers for line in worker.said)


async def _looked(database: Database) -> int:
    async with database.reading() as connection:
        asked = select(func.count()).select_from(looks).where(looks.c.looked.is_not(None))
        return int((await connection.execute(asked)).scalar_one())


async def _until(is_so: Any) -> None:
    while not is_so():  # noqa: ASYNC110  (threads do it)
        await asyncio.sleep(0.005)


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at here")
