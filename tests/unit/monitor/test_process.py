"""The monitor as a process: killed, stopped, on a full disk, and asked by clients who take their time."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pinscher.lab.authority import Authority
from pinscher.lab.encoding import pem
from pinscher.monitor.database import FILE, Database
from pinscher.monitor.errors import DatabaseUnusableError
from pinscher.monitor.monitor import Monitor
from pinscher.monitor.web import application
from pinscher.monitor.web.server import PatientProtocol, listening, serve, server_of
from tests.unit.monitor.scene import HOST, Clock, policy_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIN = "sha256/" + "A" * 43 + "="
REPORTS = 1_000
SENDERS = 8


class Process:
    """``pinscher serve`` in a folder; it can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pins.toml").write_text(
            f'format = 1\nname = "bank-app"\nversion = 1\n[hosts."*.bank.example"]\npins = ["{PIN}"]\n'
        )
        self.operator = ""
        self.port = 0

    def start(self, *, largest_file: int | None = None) -> None:
        """Start, and read the token of the first start and the port."""
        command = [
            sys.executable,
            "-m",
            "pinscher.cli",
            "serve",
            "--policy",
            "pins.toml",
            "--data",
            "data",
            "--listen",
            "127.0.0.1:0",
            "--json",
        ]
        if largest_file is not None:
            # Python ignores the signal of this limit, so that a write beyond it is refused.
            command = ["sh", "-c", f'ulimit -f {largest_file // 512}; exec "$@"', "sh", *command]
        self.running = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True)
        assert self.running.stdout is not None
        for line in self.running.stdout:
            told = json.loads(line)
            self.operator = told["token"] or self.operator
            if told["event"] == "listening":
                self.port = int(told["url"].rpartition(":")[2])
                return
        raise AssertionError("it did not start")

    def end(self, number: int) -> str:
        """Send a signal, wait for the end, and return what was said last."""
        self.running.send_signal(number)
        said, _ = self.running.communicate(timeout=30)
        return said

    def post(self, path: str, body: Any, token: str) -> tuple[int, dict[str, Any]]:
        """Send one request."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def stored(self) -> list[str]:
        """Return the keys of the reports on the disk."""
        with contextlib.closing(sqlite3.connect(self.folder / "data" / FILE)) as connection:
            return [key for (key,) in connection.execute("SELECT key FROM reports ORDER BY key")]


@pytest.fixture
def process(tmp_path: Path) -> Any:
    """Return a process that is killed at the end, if it is still there."""
    made = Process(tmp_path)
    made.start()
    yield made
    if made.running.poll() is None:
        made.end(signal.SIGKILL)


def _send(process: Process, token: str, keys: list[str], acknowledged: Callable[[str], None]) -> None:
    """Send reports over one connection until all are acknowledged or the server is gone."""
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
    chain = [pem("CERTIFICATE", Authority.root().issue(HOST).der).decode()]
    try:
        for key in keys:
            connection.request(
                "POST",
                "/v1/reports",
                json.dumps({"hostname": HOST, "id": key, "validated-certificate-chain": chain}),
                {"Authorization": f"Bearer {token}"},
            )
            answer = connection.getresponse()
            answer.read()
            if answer.status == 201:
                acknowledged(key)
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def test_no_acknowledged_report_is_lost_and_none_is_stored_twice(process: Process) -> None:
    """Killed three times while a thousand reports come in: what was acknowledged is there, and retries change nothing."""
    _, made = process.post("/api/applications", {"name": "bank-app"}, process.operator)
    done: set[str] = set()
    counted = itertools.count(1)
    for kill in (150, 400, 700, None):

        def acknowledged(key: str, kill: int | None = kill) -> None:
            done.add(key)
            if next(counted) == kill:
                os.kill(process.running.pid, signal.SIGKILL)

        # A report whose answer was lost is sent again, under the same key.
        missing = [key for key in (f"{number:04}" for number in range(REPORTS)) if key not in done]
        threads = [
            threading.Thread(target=_send, args=(process, made["token"], missing[start::SENDERS], acknowledged))
            for start in range(SENDERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if kill is not None:
            process.running.communicate(timeout=30)
            assert -signal.SIGKILL == process.running.returncode
            stored = process.stored()
            assert done <= set(stored)
            assert len(stored) == len(set(stored))
            process.start()
    assert '"stopped"' in process.end(signal.SIGTERM)
    assert [f"{number:04}" for number in range(REPORTS)] == process.stored()
    assert len(done) == REPORTS


def test_a_full_disk_refuses_and_acknowledges_nothing(process: Process) -> None:
    """When no file may grow any more the answer is 503; what had been acknowledged is there, and the process lives."""
    _, made = process.post("/api/applications", {"name": "bank-app"}, process.operator)
    process.end(signal.SIGTERM)
    process.start(largest_file=400_000)
    done, status, number = [], 201, 0
    while status == 201 and number < 2_000:
        key = f"{number:04}"
        status, told = process.post(
            "/v1/reports",
            {"hostname": HOST, "id": key, "library": "x" * 128, "policy": os.urandom(120).hex()},
            made["token"],
        )
        done += [key] if status == 201 else []
        number += 1
    assert (503, True) == (status, told["error"].startswith("nothing was stored"))
    assert set(done) <= set(process.stored())
    process.end(signal.SIGTERM)
    process.start()
    assert 201 == process.post("/v1/reports", {"hostname": HOST, "id": key}, made["token"])[0]
    assert {*done, key} <= set(process.stored())


def test_the_files_are_the_owners_alone(process: Process) -> None:
    """Nobody else on the machine reads the database."""
    data = process.folder / "data"
    assert [0o700, *[0o600] * len(list(data.iterdir()))] == [
        path.stat().st_mode & 0o777 for path in (data, *data.iterdir())
    ]


def test_a_second_start_shows_no_token(process: Process) -> None:
    """The operator's token is shown once."""
    first = process.operator
    process.end(signal.SIGINT)
    process.operator = ""
    process.start()
    assert ("", 201) == (process.operator, process.post("/api/applications", {"name": "x"}, first)[0])


def test_a_second_server_of_one_folder_says_so_and_ends(process: Process) -> None:
    """One process has a folder: another one is refused with a sentence, and the first goes on."""
    command = ["serve", "--policy", "pins.toml", "--data", "data", "--listen", "127.0.0.1:0"]
    second = subprocess.run(
        [sys.executable, "-m", "pinscher.cli", *command], cwd=process.folder, capture_output=True, text=True, check=False, timeout=60
    )  # fmt: skip
    assert (2, "") == (second.returncode, second.stdout)
    assert (
        "pinscher: error: the folder 'data' cannot be used: another process uses it; give each a folder of its own\n"
        == second.stderr
    )
    assert 201 == process.post("/api/applications", {"name": "x"}, process.operator)[0]


class Impatient(PatientProtocol):
    """Waits for the head of a request for a moment only."""

    head_seconds = 0.2


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "head", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he"]
)
async def test_a_client_that_never_ends_its_request_is_let_go(tmp_path: Path, head: bytes) -> None:
    """Slow loris: a connection whose request does not come to its end is closed, however its bytes trickle in."""
    database = await Database.in_folder(tmp_path)
    monitor = await Monitor.open(database, policy_of(PIN, host="*.bank.example"), _never, now=Clock())
    await monitor.begin()
    with listening("127.0.0.1", 0) as listener:
        server = server_of(application(monitor), Impatient)
        serving = asyncio.create_task(serve(server, listener, monitor.work()))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(head)
        answer, is_open = b"", True
        async with asyncio.timeout(20):
            while is_open:
                try:
                    got = await asyncio.wait_for(reader.read(4096), 0.05)
                    answer, is_open = answer + got, bool(got)
                except TimeoutError:
                    pass
                except ConnectionResetError:  # what trickled in last came after the server had closed
                    is_open = False
                with contextlib.suppress(OSError):
                    writer.write(b"x")
        assert (b"200 OK" in answer) is (b"\r\n\r\n" in head)
        writer.close()
        server.should_exit = True
        async with asyncio.timeout(20):
            await serving
    await database.close()


@pytest.mark.anyio
async def test_work_that_fails_ends_the_server(tmp_path: Path) -> None:
    """A monitor that works no more acknowledges nothing more."""

    async def failing() -> None:
        """Fail at once."""
        raise RuntimeError("the work failed")

    with listening("127.0.0.1", 0) as listener:
        with pytest.raises(RuntimeError, match="the work failed"):
            await serve(server_of(lambda *_: None), listener, failing())  # type: ignore[arg-type, return-value]


@pytest.mark.anyio
async def test_a_database_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A file that is no database, a folder that is a file, and a server that is not there."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatabaseUnusableError, match="cannot be used"):
        await Database.in_folder(tmp_path / "file")
    (tmp_path / "junk").mkdir(mode=0o700)
    (tmp_path / "junk" / FILE).touch(mode=0o600)
    (tmp_path / "junk" / FILE).write_text("junk" * 1000)
    with pytest.raises(DatabaseUnusableError, match="not a database"):
        await Database.in_folder(tmp_path / "junk")
    with pytest.raises(DatabaseUnusableError):
        await Database.open("postgresql+asyncpg://x@127.0.0.1:9/x")
