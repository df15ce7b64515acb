"""What the tests of the log share: a key, a log, and a web server for it."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pinscher.updates.log import LogWriter, NoteSigner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORIGIN = "pins.example/log"


@pytest.fixture(scope="session")
def signer() -> NoteSigner:
    """Return the log's key."""
    return NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))


@pytest.fixture
def writer(tmp_path: Path, signer: NoteSigner) -> LogWriter:
    """Return an empty log."""
    return LogWriter(tmp_path / "log", signer)


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Serve a file, but for the paths that misbehave."""
        if self.path.endswith("/endless"):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(bytes(100_000))
        elif self.path.endswith("/redirect"):
            self.send_response(302)
            self.send_header("Location", "/log/checkpoint")
            self.end_headers()
        elif self.path.endswith("/error"):
            self.send_error(500)
        else:
            super().do_GET()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """Serve the folder of this test on the loopback; return the URL of its log."""
    handler = functools.partial(_Silent, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/log"
        server.shutdown()
        thread.join()
