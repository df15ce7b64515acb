"""The real collector of ``pinscher serve`` as a process, and TLS in front of it that remembers what was stored."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pinscher.lab.protocols.http import read_request, response
from pinscher.reports import Heartbeat, ViolationReport, read_heartbeat, read_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pinscher.lab.conversation import Conversation
    from pinscher.lab.protocols.http import Request

SECONDS = 30.0
"""How long a test waits for what has to come."""


@dataclass
class Front:
    """Hands requests on to a collector that speaks in clear, and remembers what it answered 201 to, once by its key."""

    port: int
    token: str = ""
    """What an application reports with."""
    requests: int = 0
    stored: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, conversation: Conversation) -> None:
        """Hand one request on."""
        conversation.secure()
        request = read_request(conversation)
        if request is not None:
            conversation.send(self._handed_on(request))

    def _handed_on(self, request: Request) -> bytes:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)) as behind:
            kept = {name: request.fields[name] for name in ("authorization", "idempotency-key", "content-type")}
            behind.request(request.method, request.target, request.body, kept)
            answer = behind.getresponse()
            body = answer.read()
        with self.changed:
            self.requests += 1
            if answer.status == 201:
                self.stored.setdefault(request.fields["idempotency-key"], (request.target, request.body))
            self.changed.notify_all()
        return response(answer.status, body)

    @property
    def reports(self) -> list[ViolationReport]:
        """The reports that are stored."""
        return [read_report(body) for target, body in list(self.stored.values()) if target == "/v1/reports"]

    @property
    def heartbeats(self) -> list[Heartbeat]:
        """The heartbeats that are stored."""
        return [read_heartbeat(body) for target, body in list(self.stored.values()) if target == "/v1/heartbeats"]

    def wait(self, is_it: Callable[[Front], bool]) -> None:
        """Wait until something is stored."""
        with self.changed:
            assert self.changed.wait_for(lambda: is_it(self), SECONDS), (self.reports, self.heartbeats)


class Served:
    """``pinscher serve`` in a folder, watching nothing, with one application that may report."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "pins.toml").write_text(
            f'format = 1\nname = "bank"\nversion = 1\n[hosts."*.bank.test"]\npins = ["sha256/{"A" * 43}="]\n'
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pinscher.cli", "serve", "--policy", "pins.toml", "--data", "data",
             "--listen", "127.0.0.1:0", "--json"],
            cwd=folder, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            said = self._said()
        except BaseException:
            self.close()
            raise
        self.port, self._operator = int(said["listening"]["url"].rpartition(":")[2]), said["token"]["token"]
        self.token = self.asked("/api/applications", {"name": "bank-app"})["token"]

    def _said(self) -> dict[str, Any]:
        """Return what it says until it listens, by the event."""
        said: dict[str, Any] = {}
        assert self._process.stdout is not None
        while "listening" not in said:
            told = json.loads(self._process.stdout.readline())
            said[told["event"]] = told
        return said

    @property
    def acknowledged_reports(self) -> int:
        """How many reports the monitor says that it has stored."""
        found = re.search(r'pinscher_reports_total\{application="bank-app"\} (\d+)', self._answer("/metrics"))
        assert found is not None
        return int(found[1])

    def asked(self, path: str, body: Any = None) -> Any:
        """Ask the monitor as its operator."""
        return json.loads(self._answer(path, body))

    def _answer(self, path: str, body: Any = None) -> str:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)) as connection:
            content = None if body is None else json.dumps(body)
            method = "GET" if body is None else "POST"
            connection.request(method, path, content, {"Authorization": f"Bearer {self._operator}"})
            return connection.getresponse().read().decode()

    def close(self) -> None:
        """Stop it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=SECONDS)
