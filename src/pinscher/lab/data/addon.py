"""
What mitmproxy loads to keep evidence: one JSON line for each thing that happened to a client.

Runs inside mitmproxy's own Python and imports nothing of Pinscher. ``PINSCHER_LAB_DIRECTORY`` says where the evidence
goes, ``PINSCHER_LAB_ROUTES`` which host is found where, and ``PINSCHER_LAB_PASSES_ON`` whether other hosts are reached.
When the parent process is gone, so is the pipe on standard input: then the directory with the CA's key is removed.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import shutil
import threading
import time
from typing import Any

KEPT_BYTES = 65_536


class Witness:
    """Writes down what mitmproxy sees, and tells it where hosts are found."""

    def __init__(self) -> None:
        """Open the evidence."""
        self._directory = os.environ["PINSCHER_LAB_DIRECTORY"]
        self._routes = json.loads(os.environ["PINSCHER_LAB_ROUTES"])
        self._passes_on = os.environ["PINSCHER_LAB_PASSES_ON"] == "yes"
        self._evidence = open(os.path.join(self._directory, "evidence.jsonl"), "a", encoding="ascii", buffering=1)  # noqa: SIM115

    def running(self) -> None:
        """Say which port was found, and watch over the parent process."""
        proxy = importlib.import_module("mitmproxy.ctx").master.addons.get("proxyserver")
        self._write("running", port=proxy.listen_addrs()[0][1])
        threading.Thread(target=self._outlive_nobody, daemon=True).start()

    def client_connected(self, client: Any) -> None:
        """A client has connected to the proxy."""
        self._write("connected", id=client.id, port=client.peername[1])

    def client_disconnected(self, client: Any) -> None:
        """A client has gone."""
        self._write("disconnected", id=client.id)

    def server_connect(self, data: Any) -> None:
        """Lead the connection to where the host is found."""
        host, _ = data.server.address
        if host in self._routes:
            data.server.address = tuple(self._routes[host])
        elif not self._passes_on:
            data.server.error = "the lab has no route to this host"

    def tls_established_client(self, data: Any) -> None:
        """A client has accepted the certificate that mitmproxy made."""
        self._write("tls-established", id=data.conn.id, host=_asked_for(data), version=data.conn.tls_version)

    def tls_failed_client(self, data: Any) -> None:
        """A client has refused the certificate that mitmproxy made."""
        self._write("tls-failed", id=data.conn.id, host=_asked_for(data), error=data.conn.error)

    def requestheaders(self, flow: Any) -> None:
        """Readable: a request's first line and header."""
        request = flow.request
        fields = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers.fields]
        self._write(
            "request", id=flow.id, scheme=request.scheme, method=request.method, host=request.pretty_host,
            path=request.path, fields=fields,
        )  # fmt: skip

    def request(self, flow: Any) -> None:
        """Readable: a request's body."""
        body = flow.request.get_content(strict=False) or b""
        self._write("content", id=flow.id, **_content(body))

    def websocket_message(self, flow: Any) -> None:
        """Readable: a message from a client to a WebSocket server."""
        message = flow.websocket.messages[-1]
        if message.from_client:
            self._write("content", id=flow.id, **_content(message.content))

    def tcp_start(self, flow: Any) -> None:
        """Readable: something that is not HTTP."""
        host = flow.client_conn.sni or flow.server_conn.address[0]
        self._write("request", id=flow.id, scheme="tcp", method="", host=host, path="", fields=[])

    def tcp_message(self, flow: Any) -> None:
        """Readable: bytes from a client that does not speak HTTP."""
        message = flow.messages[-1]
        if message.from_client:
            self._write("content", id=flow.id, **_content(message.content))

    def _write(self, kind: str, **facts: Any) -> None:
        self._evidence.write(json.dumps({"kind": kind, **facts}) + "\n")

    def _outlive_nobody(self) -> None:
        # Not sys.stdin: a thread that holds its lock is a fatal error when the interpreter shuts down.
        while os.read(0, 1):
            pass
        # mitmproxy may still be writing there, and a directory that something appears in is not removed at once.
        for _ in range(100):
            shutil.rmtree(self._directory, ignore_errors=True)
            if not os.path.exists(self._directory):
                break
            time.sleep(0.01)
        os._exit(0)


def _asked_for(data: Any) -> str:
    address = data.context.server.address
    return str(data.conn.sni or (address[0] if address else ""))


def _content(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "content": base64.b64encode(content[:KEPT_BYTES]).decode()}


addons = [Witness()]
