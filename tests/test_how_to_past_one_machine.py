"""The page about several processes of a monitor, followed as a reader would, with real PostgreSQL and NATS servers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from pinscher.lab.authority import Authority
from tests.conformance.postgresql import PASSWORD, USER, cluster, programs
from tests.unit.monitor.nats_server import PASSWORD as NATS_PASSWORD
from tests.unit.monitor.nats_server import nats_server, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "past-one-machine.md"
POLICY = f'format = 1\nname = "bank-app"\nversion = 1\n[hosts."127.0.0.1"]\npins = ["sha256/{"A" * 43}="]\n'
PATIENCE = 60.0


class Process:
    """One of the page's commands, running, on a free port."""

    def __init__(self, command: str, folder: Path) -> None:
        words = shlex.split(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", command))
        environment = os.environ | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        self.running = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said: list[str] = []
        self.port = 0

    def wait(self) -> None:
        """Read until it listens."""
        assert self.running.stdout is not None
        for line in self.running.stdout:
            self.said.append(line)
            if found := re.match(r"listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return
        raise AssertionError("".join(self.said))

    def ask(self, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        """Send a request, and return the status and what is answered."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            sent = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, sent, {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text

    def end(self) -> int:
        """Stop it as the page says, and return its exit code."""
        self.running.send_signal(signal.SIGTERM)
        said, _ = self.running.communicate(timeout=60)
        self.said.append(said)
        return self.running.returncode


@contextlib.contextmanager
def _database() -> Iterator[str]:
    where = programs()
    assert where is not None
    with cluster(where) as made, made.serving(Authority.root().issue("127.0.0.1")) as server:
        stream = server._process.stderr
        assert stream is not None
        # Whoever does not read the log of every statement stops the server.
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(stream.fileno(), 65536), b"")])
        reader.start()
        yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{server.port}/postgres?sslmode=require"
        server._process.send_signal(signal.SIGINT)
        reader.join()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with the policy and the two files of addresses, in the form that the page shows."""
    if programs() is None or program() is None:
        if "CI" in os.environ:
            pytest.fail("install Debian's packages postgresql and nats-server")
        pytest.skip("no PostgreSQL or no NATS server is installed")
    shown = re.findall(r"```text\n(\w+://[^\n]*)\n```", PAGE.read_text(encoding="utf-8"))
    with _database() as database, nats_server() as nats:
        for name, form, address in zip(("database", "broker"), shown, (database, nats.url), strict=True):
            assert ("pinscher", "PASSWORD") == (urlsplit(form).username, urlsplit(form).password)
            (tmp_path / name).write_text(address + "\n")
        (tmp_path / "pins.toml").write_text(POLICY)
        yield tmp_path


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_page_about_several_processes_is_true(folder: Path) -> None:
    """Three processes that start together do one monitor's work, each its part, and none of them tells a password."""
    commands = re.findall(r"^\$ (pinscher serve .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    processes = [Process(command, folder) for command in commands]
    try:
        for process in processes:
            process.wait()
        collector, prober, web = processes
        (operator,) = re.findall(r"pinscher-operator-\S+", "".join(web.said))
        assert [200, 200, 200] == [process.ask("/healthz")[0] for process in processes]
        assert [404, 404, 200] == [process.ask("/api/endpoints", operator)[0] for process in processes]
        assert [404, 404] == [process.ask("/v1/reports", body={})[0] for process in (prober, web)]
        token = web.ask("/api/applications", operator, {"name": "bank-app"})[1]["token"]
        report = {"hostname": "127.0.0.1", "id": "one"}
        _until(lambda: collector.ask("/v1/reports", token, report)[0] == 201)
        _until(lambda: len(web.ask("/api/incidents", operator)[1]["incidents"]) == 1)
        (endpoint,) = web.ask("/api/endpoints", operator)[1]["endpoints"]
        _until(lambda: web.ask(f"/api/endpoints/{endpoint['id']}", operator)[1]["history"] != [])
        (seen,) = web.ask(f"/api/endpoints/{endpoint['id']}", operator)[1]["history"]
        assert "frankfurt" == seen["vantage"]
    finally:
        codes = [process.end() for process in processes]
    assert [0, 0, 0] == codes
    said = "".join(line for process in processes for line in process.said)
    assert PASSWORD not in said
    assert NATS_PASSWORD not in said
    assert "Traceback" not in said
