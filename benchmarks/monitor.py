# ruff: noqa: E501
"""
The monitor's costs: a report that is durable against one that is only parsed, and leasing what is due.

Both endpoints run on the same uvicorn and Starlette, in a process of their own, and are asked by the same client over
as many connections at once. The limit is of the time that passes, and the processor's time stands beside it.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from measuring import ratio, record

REPORTS = 1_500
CONNECTIONS = 64
ROUNDS = 7
ENDPOINTS = 1_000_000
DURABLE = 1.3
LEASED = 20.0


async def _serve(kind: str, folder: str) -> None:
    """Serve one endpoint until standard input ends, and tell the processor's time of each round."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    from pinscher.monitor.database import Database
    from pinscher.monitor.limits import Rate
    from pinscher.monitor.monitor import Monitor, Settings
    from pinscher.monitor.tokens import Role
    from pinscher.monitor.web import application
    from pinscher.monitor.web.guards import answer
    from pinscher.monitor.web.server import listening, serve, server_of
    from pinscher.monitor.wire import read_report
    from pinscher.policy import Policy

    async def parse(request: Any) -> Any:
        return answer({"stored": read_report(await request.body()).id}, 201)

    async def told() -> None:
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(time.process_time(), flush=True)

    with listening("127.0.0.1", 0) as listener:
        token, work, app = "", told, Starlette(routes=[Route("/v1/reports", parse, methods=["POST"])])
        if kind == "durable":
            rate = Rate(a_second=1e9, burst=1e9)
            policy = Policy.loads(
                f'format = 1\nname = "x"\nversion = 1\n[hosts."*.x.example"]\npins = ["sha256/{"A" * 43}="]'
            )
            database = await Database.in_folder(Path(folder))
            monitor = await Monitor.open(database, policy, lambda _: None, settings=Settings(application_rate=rate))  # type: ignore[arg-type, return-value]
            await monitor.begin()
            token = await monitor.tokens.make(Role.APPLICATION, "x", at=datetime.now(UTC))
            app = application(monitor)

            async def both() -> None:
                writing = asyncio.create_task(monitor.intake.run())
                await told()
                writing.cancel()

            work = both
        print(listener.getsockname()[1], token, flush=True)
        await serve(server_of(app), listener, work())


class Contender:
    """One server and the reports that it is sent."""

    def __init__(self, kind: str, folder: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "serve", kind, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        port, _, self.token = self._line().partition(" ")
        self.port = int(port)
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def spent(self) -> float:
        """Return the processor's time of the server so far."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._line())

    def play(self, chain: list[str]) -> None:
        """Send every report over many connections at once, and note the time."""
        bodies = [
            json.dumps(
                {
                    "hostname": "api.x.example",
                    "port": 443,
                    "id": f"{time.monotonic_ns()}-{number}",
                    "validated-certificate-chain": chain,
                }
            ).encode()
            for number in range(REPORTS)
        ]
        requests = [
            b"POST /v1/reports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
            % (self.token.encode(), len(body), body)
            for body in bodies
        ]
        before, started = self.spent(), time.perf_counter()
        asyncio.run(self._send(requests))
        self.wall.append((time.perf_counter() - started) / REPORTS)
        self.cpu.append((self.spent() - before) / REPORTS)

    async def _send(self, requests: list[bytes]) -> None:
        left = iter(requests)

        async def connection() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            for request in left:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 201"), head
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(length.partition(b":")[2]))
            writer.close()

        await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))

    def end(self) -> None:
        """Stop the server."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def _reports(folder: str) -> bool:
    from pinscher.lab.authority import Authority
    from pinscher.lab.encoding import pem

    held = Authority.root().intermediate().issue("api.x.example")
    chain = [pem("CERTIFICATE", der).decode() for der in (*held.chain, held.authority.trust_anchor.certificate)]
    contenders = {
        name: Contender("durable" if name == "durable" else "plain", f"{folder}/{name}")
        for name in ("plain", "plain again", "durable")
    }
    order = list(contenders)
    for round_number in range(ROUNDS + 1):
        random.shuffle(order)
        for name in order:
            contenders[name].play(chain)
            if round_number == 0:
                contenders[name].wall.clear()
                contenders[name].cpu.clear()
    for contender in contenders.values():
        contender.end()
    plain = contenders["plain"]
    print(
        f"  a report that is only parsed: {statistics.median(plain.wall) * 1e6:.0f} us, {statistics.median(plain.cpu) * 1e6:.0f} us of the processor"
    )
    for name in ("plain again", "durable"):
        for clock in ("wall", "cpu"):
            print(
                f"    {name:12} {clock:4} %.3f  (%.3f to %.3f)"
                % ratio(getattr(contenders[name], clock), getattr(plain, clock))
            )
    for name, contender in contenders.items():
        record("monitor, a report", name, contender.wall, unit="s", cpu=contender.cpu, limit=DURABLE)
    middle = ratio(contenders["durable"].wall, plain.wall)[0]
    print(f"  limit {DURABLE}: {'within' if middle <= DURABLE else 'ABOVE'}")
    return middle <= DURABLE


async def _leases(folder: str) -> bool:
    from pinscher.monitor.database import Database
    from pinscher.monitor.schedule import Schedule
    from pinscher.monitor.tables import endpoints, looks, millis
    from pinscher.monitor.vantage import DEFAULT_VANTAGE

    at = datetime(2026, 11, 21, tzinfo=UTC)
    database = await Database.in_folder(Path(folder) / "schedule")
    for start in range(0, ENDPOINTS, 50_000):
        rows = [
            {"id": number + 1, "host": f"h{number}.example", "port": 443} for number in range(start, start + 50_000)
        ]
        due = [
            {"endpoint": row["id"], "vantage": DEFAULT_VANTAGE, "due": millis(at) + random.randrange(600_000)}
            for row in rows
        ]
        async with database.writing() as connection:
            await connection.execute(endpoints.insert(), rows)
            await connection.execute(looks.insert(), due)
    schedule, seconds, spent = Schedule(database, interval=timedelta(minutes=5)), [], []
    for _ in range(30):
        started, before = time.perf_counter(), time.process_time()
        leased = await schedule.lease(at + timedelta(minutes=5), most=500)
        seconds.append(time.perf_counter() - started)
        spent.append(time.process_time() - before)
        assert 500 == len(leased)
    await database.close()
    record("monitor", "500 of a million endpoints leased", [one * 1e3 for one in seconds], unit="ms", limit=LEASED)
    middle = statistics.median(seconds) * 1e3
    print(
        f"  500 of {ENDPOINTS} endpoints leased: {middle:.1f} ms, {max(seconds) * 1e3:.1f} ms at worst, {statistics.median(spent) * 1e3:.1f} ms of the processor   limit {LEASED:g}: {'within' if middle <= LEASED else 'ABOVE'}"
    )
    return middle <= LEASED


def run() -> bool:
    """Measure, print, and tell whether everything is within its limit."""
    print(f"monitor, {REPORTS} reports over {CONNECTIONS} connections, {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as folder:
        is_good = _reports(folder)
        return asyncio.run(_leases(folder)) and is_good


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(_serve(*sys.argv[2:4]))
    else:
        raise SystemExit(not run())
