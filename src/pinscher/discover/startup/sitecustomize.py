# ruff: noqa: INP001  (a folder of its own on a path, and no package)
"""
What a watched Python program loads at its start: a hook that writes down the hosts it turns to.

It imports the standard library alone, because the program may be run by another Python than Pinscher is. The program's
own ``sitecustomize`` is loaded afterwards. Nothing that the hook meets changes the program: what it cannot make sense
of it leaves out. Values never leave the program: what is written is a host, a port, a line of code, and words of the
vocabulary in ``matters.py``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import threading
import urllib.parse
from typing import Any

MOST_RECORDS = 20_000
_HERE = os.path.dirname(os.path.abspath(__file__))
_LONGEST = 16 * 1024
_OWN = (os.path.dirname(os.path.abspath(os.__file__)), _HERE)


def _matters() -> Any:
    """Load the vocabulary from its path, under a name that no program uses."""
    path = os.path.join(os.path.dirname(_HERE), "matters.py")
    place = importlib.util.spec_from_file_location("_pinscher_discover_matters", path)
    if place is None or place.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(place)
    sys.modules[place.name] = module
    place.loader.exec_module(module)
    return module


class _Watcher:
    """Writes records to one file of this process, up to a bound."""

    def __init__(self, folder: str) -> None:
        self._matters = _matters()
        self._folder = folder
        self._process = 0
        self._descriptor = -1
        self._left = MOST_RECORDS
        self._lock = threading.RLock()
        self.write({"begin": True})

    def write(self, record: dict[str, Any]) -> None:
        """Write one record; a process that was forked off begins a file of its own."""
        with self._lock:
            if self._process != os.getpid():
                self._process = os.getpid()
                name = f"{self._process}-{os.urandom(8).hex()}.jsonl"
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
                self._descriptor = os.open(os.path.join(self._folder, name), flags, 0o600)
            self._left -= 1
            if self._left > 0:
                os.write(self._descriptor, json.dumps(record).encode() + b"\n")
            elif self._left == 0:
                os.write(self._descriptor, b'{"end": true}\n')

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event."""
        take = _EVENTS.get(event)
        if take is None:
            return
        # A hook that raises would change what the program does.
        with contextlib.suppress(AttributeError, TypeError, ValueError, IndexError, KeyError, OSError, RecursionError):
            take(self, *arguments)

    def looked_up(self, host: Any, port: Any, *_: Any) -> None:
        """A name was looked up (socket.getaddrinfo)."""
        self._seen(host, port, "lookup")

    def connected(self, _socket: Any, address: Any) -> None:
        """A socket was connected (socket.connect)."""
        if isinstance(address, tuple) and len(address) >= 2:
            self._seen(address[0], address[1], "connect")

    def client_connected(self, _client: Any, host: Any, port: Any) -> None:
        """An HTTP client connected (http.client.connect)."""
        self._seen(host, port, "connect")

    def opened(self, url: Any, content: Any, headers: Any, method: Any) -> None:
        """An address was opened (urllib.Request); what is sent is seen where it is sent."""
        del content, headers, method
        parts = urllib.parse.urlsplit(str(url)[:_LONGEST])
        if parts.hostname:
            self._seen(parts.hostname, parts.port, "request", scheme=parts.scheme)

    def sent(self, client: Any, content: Any) -> None:
        """An HTTP client sent something (http.client.send): a head, a body, or both."""
        if not isinstance(content, bytes | bytearray):
            return
        text = bytes(content[:_LONGEST]).decode("latin-1")
        host = getattr(client, "_tunnel_host", None) or client.host
        port = getattr(client, "_tunnel_port", None) or client.port
        words = [(one.matter.value, one.word) for one in _crossed(self._matters, text)]
        scheme = "https" if type(client).__name__.endswith("HTTPSConnection") else None
        self._seen(host, port, "request", scheme=scheme, words=words)

    def _seen(self, host: Any, port: Any, how: str, **more: Any) -> None:
        if isinstance(host, bytes):
            host = host.decode("ascii")
        if not isinstance(host, str) or not host:
            return
        number = int(port) if isinstance(port, int) or (isinstance(port, str) and port.isdigit()) else None
        file, line = _caller()
        self.write({"host": host[:300], "port": number, "how": how, "file": file, "line": line, **more})


_EVENTS: dict[str, Any] = {
    "socket.getaddrinfo": _Watcher.looked_up,
    "socket.connect": _Watcher.connected,
    "http.client.connect": _Watcher.client_connected,
    "http.client.send": _Watcher.sent,
    "urllib.Request": _Watcher.opened,
}


def _crossed(matters: Any, text: str) -> list[Any]:
    """Return what a piece of a request carries."""
    head, _, body = text.partition("\r\n\r\n")
    lines = head.split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        return list(matters.of_body(text))
    path, _, query = words[1].partition("?")
    found = list(matters.of_path(path)) if words[0] in matters.MOVING_METHODS else []
    found += [one for part in query.split("&") if part and (one := matters.of_name(part.partition("=")[0]))]
    for line in lines[1:]:
        name, _, value = line.partition(":")
        found += matters.of_header(name.strip(), value.strip())
    return [*found, *matters.of_body(body)]


def _caller() -> tuple[str | None, int | None]:
    """Return the line of the program that led here: the nearest that is neither Python's nor a package's."""
    frame: Any = sys._getframe(1)  # noqa: SLF001  (the way to a caller that audit hooks have)
    for _ in range(200):
        if frame is None:
            break
        file = frame.f_code.co_filename
        if not file.startswith((*_OWN, "<")) and "site-packages" not in file:
            return file[:4096], frame.f_lineno
        frame = frame.f_back
    return None, None


def _load_the_programs_own() -> None:
    """Load the ``sitecustomize`` that would have been loaded without this one."""
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != _HERE]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
        if ours is not None:
            sys.modules["sitecustomize"] = ours


if os.environ.get("PINSCHER_DISCOVER"):
    # Without a place to write to the program runs unwatched, which the watching side notices.
    with contextlib.suppress(OSError, ValueError, ImportError):
        sys.addaudithook(_Watcher(os.environ["PINSCHER_DISCOVER"]))
    _load_the_programs_own()
