"""A log of Certificate Transparency over plain HTTP on the loopback, both kinds of it side by side."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pinscher.lab.transparency import CtLog

_TILE_PATH = re.compile(r"/tile/(data|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?")


class CtServer:
    """
    Serves a log until the block ends; ``log`` may be replaced while it serves, which is what a fork looks like.

    ``instead`` says what to answer below a path in place of the truth: pieces of a body, endless if they are, or a
    status. ``asked`` holds the paths that were asked for.
    """

    def __init__(self, log: CtLog) -> None:
        self.log = log
        self.instead: dict[str, Iterable[bytes] | int] = {}
        self.fields: dict[str, str] = {}
        """Fields that are sent with every answer."""
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """Where the log is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def listed(self, *, is_tiled: bool) -> bytes:
        """Return the list of logs that names this one, read as the one kind or the other."""
        return self.log.listed(self.url, is_tiled=is_tiled)

    def answer(self, target: str) -> bytes | None:
        """Return what the log answers, or None where there is nothing."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            return self._asked(parts.path, query)
        except (KeyError, ValueError, IndexError, binascii.Error):
            return None

    def _asked(self, path: str, query: dict[str, str]) -> bytes | None:
        log = self.log
        if path.startswith("/issuer/"):
            return log.issuers[path.removeprefix("/issuer/")]
        if path.startswith("/tile/"):
            return self._tile(path)
        answers: dict[str, Callable[[], bytes | None]] = {
            "/checkpoint": log.checkpoint,
            "/ct/v1/get-sth": log.sth,
            "/ct/v1/get-entries": lambda: log.entries_json(int(query["start"]), int(query["end"])),
            "/ct/v1/get-sth-consistency": lambda: log.consistency_json(int(query["first"]), int(query["second"])),
            "/ct/v1/get-proof-by-hash": lambda: log.inclusion_json(
                base64.b64decode(query["hash"]), int(query["tree_size"])
            ),
        }
        return answers[path]()

    def _tile(self, path: str) -> bytes | None:
        found = _TILE_PATH.fullmatch(path)
        if found is None:
            return None
        index, width = int(found[2].replace("x", "").replace("/", "")), int(found[3] or 256)
        level = 0 if found[1] == "data" else int(found[1])
        if (index * 256 + width) > self.log.size >> 8 * level:
            return None
        return self.log.data_tile(index, width) if found[1] == "data" else self.log.tile(level, index, width)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(server: CtServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # A follower that stays connected must not keep the server from ending.
        timeout = 5.0

        def do_GET(self) -> None:
            server.asked.append(self.path)
            instead = next((one for path, one in server.instead.items() if self.path.startswith(path)), None)
            content = server.answer(self.path) if instead is None else None
            if instead is None or isinstance(instead, int):
                status = instead or (404 if content is None else 200)
                self._begin(status, {**server.fields, "Content-Length": str(len(content or b""))})
                self.wfile.write(content or b"")
                return
            self.close_connection = True
            self._begin(200, server.fields)
            # Who was asked to read without end hangs up.
            with contextlib.suppress(OSError):
                self.wfile.writelines(instead)

        def _begin(self, status: int, fields: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing: what was asked stands in ``asked``."""

    return Handler
