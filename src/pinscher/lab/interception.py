"""
Real interception: mitmproxy between a program and its servers, and what it could read.

A client that read nothing but refusals off this proxy is pinned, or does not trust the proxy's CA, or never came by:
only a control that was intercepted on the same path tells these apart.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinscher.errors import PinningError, escaped
from pinscher.lab.mitmdump import find_mitmdump, shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

HOST = "127.0.0.1"
"""Where the proxy listens unless it is told another address by name."""


class InterceptionError(PinningError):
    """mitmproxy did not start, or did not do what it was asked to in time."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What happened to a client at the proxy: a handshake that ended either way, or a request that could be read."""

    kind: str
    """``tls-established``, ``tls-failed`` or ``request``."""
    host: str
    error: str | None = None
    """Why a handshake failed, in OpenSSL's words."""
    scheme: str = ""
    """``https``, ``http``, or ``tcp`` for what is not HTTP."""
    method: str = ""
    path: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    """A request's header, in order."""
    body_bytes: int = 0
    body: bytes = b""
    """The beginning of the body, or of the bytes that are not HTTP."""

    @property
    def application_bytes(self) -> int:
        """How many bytes of the program's own were readable: first line, header and body."""
        if self.kind != "request":
            return 0
        line = len(f"{self.method} {self.path} HTTP/1.1\r\n") if self.method else 0
        return line + sum(len(name) + len(value) + 4 for name, value in self.fields) + self.body_bytes


class Interceptor:
    """
    The real mitmproxy on the loopback, with a CA that lives as long as the ``with`` block.

    *routes* says where each host is found; other hosts are refused unless the proxy *passes_on*. *upstream_ca* is the
    PEM of what mitmproxy trusts upstream in place of its own bundle. *mitmdump* is the path of the executable, or the
    command that :func:`pinscher.lab.mitmdump.provide_mitmdump` returned.
    """

    def __init__(
        self, *, routes: Mapping[str, tuple[str, int]] | None = None, upstream_ca: bytes | None = None,
        mitmdump: str | os.PathLike[str] | Sequence[str] | None = None, passes_on: bool = False,
        listen_host: str = HOST, options: Sequence[str] = (), start_timeout: float = 30,
    ) -> None:  # fmt: skip
        if mitmdump is None or isinstance(mitmdump, str | os.PathLike):
            mitmdump = find_mitmdump(mitmdump)
        self._command = tuple(mitmdump)
        self._routes = dict(routes or {})
        self._upstream_ca = upstream_ca
        self._passes_on = passes_on
        self._listen_host = listen_host
        self._options = tuple(options)
        self._start_timeout = start_timeout
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._last: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        """Start mitmproxy and wait until it listens and its CA is made."""
        self._directory = Path(tempfile.mkdtemp(prefix="pinscher-intercept-"))
        try:
            self._start()
            running = self._wait(lambda: next(iter(self._of_kind("running")), None), self._start_timeout, "start")
            self._wait(lambda: self.ca_file.is_file() or None, self._start_timeout, "make its CA")
        except BaseException:
            self._stop()
            raise
        self.port = int(running["port"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End mitmproxy and remove its CA, its key and its evidence."""
        self._last = self._events()
        self._stop()

    @property
    def host(self) -> str:
        """The address that the proxy listens on."""
        return self._listen_host

    @property
    def url(self) -> str:
        """The proxy's URL, for ``HTTPS_PROXY`` and the like."""
        return f"http://{self._listen_host}:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The PEM file of the proxy's CA; gone when the proxy is."""
        return self._directory / "mitmproxy-ca-cert.pem"

    @property
    def ca_pem(self) -> bytes:
        """The PEM of the proxy's CA."""
        return self.ca_file.read_bytes()

    @property
    def application_bytes(self) -> int:
        """How many bytes mitmproxy could read: 0 if nothing leaked."""
        return sum(flow.application_bytes for flow in self.flows())

    def flows(self) -> tuple[Flow, ...]:
        """Return what has happened so far, in order; see :meth:`wait_idle`."""
        found: dict[str, Flow] = {}
        for event in self._events():
            if event["kind"] == "content":
                found[event["id"]] = _with_content(found[event["id"]], event)
            elif event["kind"] in _FLOWS:
                key = event["id"] if event["kind"] == "request" else f"{event['kind']} {event['id']}"
                found[key] = _flow(event)
        return tuple(found.values())

    def wait_idle(self, timeout: float = 10) -> None:
        """Wait until every connection made to the proxy so far has ended, so that the evidence is complete."""
        with socket.create_connection((self._listen_host, self.port), timeout=timeout) as marker:
            port = marker.getsockname()[1]
            self._wait(lambda: self._has_accepted(port) or None, timeout, "accept a connection")
        self._wait(lambda: self._is_idle() or None, timeout, "see the last client hang up")

    def _start(self) -> None:
        addon = self._directory / "addon.py"
        addon.write_text(shipped("addon.py"), "utf-8")
        (self._directory / "evidence.jsonl").touch()
        settings = [f"confdir={self._directory}", "connection_strategy=lazy", *self._options]
        if self._upstream_ca is not None:
            trusted = self._directory / "upstream.pem"
            trusted.write_bytes(self._upstream_ca)
            settings.append(f"ssl_verify_upstream_trusted_ca={trusted}")
        arguments = ["-q", "--mode", "regular", "--listen-host", self._listen_host, "--listen-port", "0"]
        arguments += [part for setting in settings for part in ("--set", setting)]
        with (self._directory / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  (the program that the user chose)
                [*self._command, *arguments, "-s", str(addon)], env=self._environment(), stdin=subprocess.PIPE,
                stdout=output, stderr=subprocess.STDOUT, cwd=self._directory, start_new_session=True,
            )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        for name in _DISTURBING:
            kept.pop(name, None)
        return kept | {
            "PINSCHER_LAB_DIRECTORY": str(self._directory),
            "PINSCHER_LAB_ROUTES": json.dumps(self._routes),
            "PINSCHER_LAB_PASSES_ON": "yes" if self._passes_on else "no",
        }

    def _stop(self) -> None:
        process = self._process
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            _end(process)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _events(self) -> list[dict[str, Any]]:
        with contextlib.suppress(FileNotFoundError):
            complete, _, _ = (self._directory / "evidence.jsonl").read_bytes().rpartition(b"\n")
            return [json.loads(line) for line in complete.splitlines()]
        return self._last

    def _of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self._events() if event["kind"] == kind]

    def _has_accepted(self, port: int) -> bool:
        return any(event["port"] == port for event in self._of_kind("connected"))

    def _is_idle(self) -> bool:
        return len(self._of_kind("connected")) == len(self._of_kind("disconnected"))

    def _wait(self, look: Callable[[], Any], timeout: float, what: str) -> Any:
        deadline = time.monotonic() + timeout
        while (found := look()) is None:
            code = None if self._process is None else self._process.poll()
            if self._process is None or code is not None or time.monotonic() > deadline:
                said = (self._directory / "output.txt").read_text("utf-8", "replace").strip().splitlines()[-5:]
                lines = "".join(f"\n  {escaped(line)}" for line in said)
                when = f"within {timeout} seconds" if code is None else f"and ended with exit code {code}"
                raise InterceptionError(f"mitmproxy did not {what} {when}{lines}")
            _PAUSE.wait(0.02)
        return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """End mitmproxy, which goes by itself when its standard input ends, or else is told to."""
    for insist in (process.terminate, process.kill):
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            insist()
        else:
            return
    process.wait()


def _flow(event: dict[str, Any]) -> Flow:
    return Flow(
        kind=event["kind"],
        host=event["host"],
        error=event.get("error"),
        scheme=event.get("scheme", ""),
        method=event.get("method", ""),
        path=event.get("path", ""),
        fields=tuple((name, value) for name, value in event.get("fields", ())),
    )


def _with_content(flow: Flow, event: dict[str, Any]) -> Flow:
    body = flow.body + base64.b64decode(event["content"])
    return replace(flow, body=body[:_KEPT_BYTES], body_bytes=flow.body_bytes + event["bytes"])


_FLOWS = frozenset({"tls-established", "tls-failed", "request"})
_KEPT_BYTES = 65_536
_PAUSE = threading.Event()
"""Never set: waiting for it is a pause between two looks at another process's file."""
_DISTURBING = ("SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE", "PYTHONPATH", "PYTHONHOME")
