"""A webhook receiver on the loopback, which notes what it was sent and answers as a test tells it to."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Receiver:
    """What arrived, and how the next requests are answered."""

    def __init__(self) -> None:
        self.port = 0
        self.paths: list[str] = []
        self.messages: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.location = ""
        self.arrived = threading.Semaphore(0)

    @property
    def url(self) -> str:
        """Its address as apprise writes it."""
        return f"json://127.0.0.1:{self.port}"


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Notes each message."""

        def do_POST(self) -> None:
            """Take a message."""
            receiver.paths.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.statuses.pop(0) if receiver.statuses else 200
            if status == 200:
                receiver.messages.append(json.loads(body))
            self.send_response(status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            receiver.arrived.release()

        def do_GET(self) -> None:
            """Note a request that no service makes, but by a redirect."""
            receiver.paths.append(self.path)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
