"""Where clients tell of what they are about to do: the audit events of the standard library, and hooks of our own."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import importlib.abc
import importlib.util
import inspect
import ssl
import sys
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from pinscher.errors import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class Sight(Protocol):
    """Who wants to know."""

    def url(self, url: str) -> None:
        """Hear of a request before it is made."""

    def redirect(self, origin: str, location: str) -> None:
        """Hear of a redirect before it is followed."""


def clear_text_of(event: str, arguments: tuple[Any, ...]) -> tuple[str | None, str] | None:
    """Return the host that an audited call is about to send clear text to and what it sends, or None."""
    reader = _AUDITED.get(event)
    return None if reader is None else reader(*arguments)


def _of_http(connection: Any, sent: Any, *_: Any) -> tuple[str | None, str] | None:
    """Read ``http.client.send``, which urllib, urllib3 and requests come through."""
    first = sent[:2048] if isinstance(sent, bytes) else b""
    if _is_secured(getattr(connection, "sock", None)) or first.startswith(b"CONNECT "):
        return None
    host = getattr(connection, "_tunnel_host", None) or connection.host
    target = first.split(b" ", 2)[1].decode("latin-1") if first.count(b" ") > 1 else ""
    if target.startswith("http://"):
        # A proxy is asked for the whole URL, and reads all of it.
        with contextlib.suppress(ValueError):
            host = urlsplit(target).hostname
    return host, f"an HTTP request in clear text to {escaped(str(host))}"


def _is_secured(sock: Any) -> bool:
    return isinstance(sock, ssl.SSLSocket) or hasattr(sock, "sslobj")


def _of_lines(protocol: str, harmless: frozenset[bytes], connection: Any, sent: Any, *_: Any) -> Any:
    """Read what a line protocol sends: before TLS, only the words that lead to it are harmless."""
    if _is_secured(getattr(connection, "sock", None)):
        return None
    line = sent.encode() if isinstance(sent, str) else bytes(sent)
    words = line.upper().split()
    # IMAP puts a tag of its own before the command.
    command = words[1:2] if protocol == "IMAP" else words[:1]
    if not command or command[0] in harmless:
        return None
    # smtplib keeps the host under another name than its sisters.
    return getattr(connection, "host", None) or getattr(connection, "_host", None), f"{protocol} in clear text"


_AUDITED: dict[str, Callable[..., tuple[str | None, str] | None]] = {
    "http.client.send": _of_http,
    "smtplib.send": functools.partial(
        _of_lines, "SMTP", frozenset({b"EHLO", b"HELO", b"LHLO", b"STARTTLS", b"QUIT", b"NOOP", b"RSET"})
    ),
    "imaplib.send": functools.partial(
        _of_lines, "IMAP", frozenset({b"CAPABILITY", b"STARTTLS", b"LOGOUT", b"NOOP", b"ID"})
    ),
    "poplib.putline": functools.partial(_of_lines, "POP3", frozenset({b"CAPA", b"STLS", b"QUIT", b"NOOP"})),
    "ftplib.sendcmd": functools.partial(_of_lines, "FTP", frozenset({b"AUTH", b"FEAT", b"QUIT", b"NOOP"})),
    "telnetlib.Telnet.open": lambda _, host, *__: (host, "Telnet, which is clear text"),
    "socket.getaddrinfo": lambda host, port, *_: (
        (host if isinstance(host, str) else None, "a connection to port 80") if port in (80, "80", "http") else None
    ),
}


def _around(owner: Any, name: str, look: Callable[..., None], *, after: bool = False) -> None:
    """Call *look* with a method's arguments before it runs, or with its result as well once it has; put in once."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            if not after:
                look(*arguments, **options)
                return original(*arguments, **options)
            result = original(*arguments, **options)
            look(result, *arguments, **options)
            return result

        return watched

    _replace(owner, name, make)


def _replace(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put what *make* makes of a method in its place, once."""
    original = vars(owner).get(name)
    if original is None or hasattr(original, "_pinscher_guard"):
        return
    watched: Any = functools.wraps(original)(make(original))
    watched._pinscher_guard = True  # noqa: SLF001
    setattr(owner, name, watched)
    _INSTALLED.append((owner, name, original, watched))


_INSTALLED: list[tuple[Any, str, Any, Any]] = []
"""What was hooked: whose method, its name, what it was, and what it is now."""


def remove_hooks() -> None:
    """Take every hook of a client away again, but for those that somebody has hooked in turn."""
    while _INSTALLED:
        owner, name, original, watched = _INSTALLED.pop()
        if vars(owner).get(name) is watched:
            setattr(owner, name, original)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Later)]


def _urllib(sight: Sight, module: Any) -> None:
    def look(_: Any, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> None:  # noqa: ARG001
        sight.redirect(req.full_url, newurl)

    _around(module.HTTPRedirectHandler, "redirect_request", look)


def _urllib3(sight: Sight, module: Any) -> None:
    def look(location: Any, response: Any) -> None:
        pool = getattr(response, "_pool", None)
        if location and pool is not None:
            sight.redirect(f"{pool.scheme}://{_bracketed(pool.host)}/", location)

    _around(module.BaseHTTPResponse, "get_redirect_location", look, after=True)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


_FOLLOWS: contextvars.ContextVar[bool] = contextvars.ContextVar("follows", default=False)
"""Whether a client is following redirects; some work the next request out for whoever wants to follow by hand."""


@contextlib.contextmanager
def _following(is_so: bool) -> Iterator[None]:  # noqa: FBT001
    token = _FOLLOWS.set(is_so)
    try:
        yield
    finally:
        _FOLLOWS.reset(token)


def _requests(sight: Sight, module: Any) -> None:
    def look(location: Any, _: Any, resp: Any) -> None:
        if location and _FOLLOWS.get():
            sight.redirect(resp.url, location)

    _around(module.SessionRedirectMixin, "get_redirect_target", look, after=True)
    _replace(module.SessionRedirectMixin, "resolve_redirects", _stepping)


def _stepping(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def watched(*arguments: Any, **options: Any) -> Any:
        steps = original(*arguments, **options)
        is_peek = bool(signature.bind(*arguments, **options).arguments.get("yield_requests", False))
        while True:
            with _following(not is_peek):
                try:
                    step = next(steps)
                except StopIteration:
                    return
            yield step

    return watched


def _in_turn(original: Callable[..., Any]) -> Callable[..., Any]:
    def watched(self: Any, request: Any, follow_redirects: Any, history: Any) -> Any:
        with _following(follow_redirects):
            return original(self, request, follow_redirects, history)

    return watched


def _in_turn_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def watched(self: Any, request: Any, follow_redirects: Any, history: Any) -> Any:
        with _following(follow_redirects):
            return await original(self, request, follow_redirects, history)

    return watched


def _httpx(sight: Sight, module: Any) -> None:
    def follow(new: Any, _: Any, request: Any, response: Any) -> None:  # noqa: ARG001
        if _FOLLOWS.get():
            sight.redirect(str(request.url), str(new.url))

    def send(_: Any, request: Any, **__: Any) -> None:
        sight.url(str(request.url))

    _around(module.BaseClient, "_build_redirect_request", follow, after=True)
    _replace(module.Client, "_send_handling_redirects", _in_turn)
    _replace(module.AsyncClient, "_send_handling_redirects", _in_turn_async)
    _around(module.Client, "send", send)
    _around(module.AsyncClient, "send", send)


def _aiohttp(sight: Sight, module: Any) -> None:
    async def begin(_: Any, __: Any, parameters: Any) -> None:
        sight.url(str(parameters.url))

    async def follow(_: Any, __: Any, parameters: Any) -> None:
        location = parameters.response.headers.get("Location") or parameters.response.headers.get("URI")
        if location:
            sight.redirect(str(parameters.url), location)

    def prepare(_: Any, session: Any, *__: Any, **___: Any) -> None:
        trace = sys.modules["aiohttp"].TraceConfig()
        trace.on_request_start.append(begin)
        trace.on_request_redirect.append(follow)
        trace.freeze()
        # Another list, because the present one may be its user's.
        session._trace_configs = [*session._trace_configs, trace]  # noqa: SLF001

    _around(module.ClientSession, "__init__", prepare, after=True)


_PREPARED: dict[str, Callable[[Sight, Any], None]] = {
    "urllib.request": _urllib,
    "urllib3.response": _urllib3,
    "requests.sessions": _requests,
    "httpx._client": _httpx,
    "httpx2._client": _httpx,
    "aiohttp.client": _aiohttp,
}


class _Later(importlib.abc.MetaPathFinder):
    """Finds a client's module when somebody imports it, and has it hooked once it is loaded."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """
        Return the spec that another finder gives, with a loader that hooks the module after loading it.

        Whoever asks may only want to know whether the module is there, so that it is found as often as it is looked
        for; a hook that is put in already is not put in again.
        """
        if fullname not in _PREPARED:
            return None
        for finder in tuple(sys.meta_path):
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                _hook_after(spec.loader, functools.partial(self._hook, fullname))
                return spec
        return None

    def _hook(self, fullname: str, module: ModuleType) -> None:
        if self in sys.meta_path:
            _PREPARED[fullname](self._sight, module)


def _hook_after(loader: Any, hook: Callable[[Any], None]) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        hook(module)

    loader.exec_module = exec_module


def install_hooks(sight: Sight) -> None:
    """Hook the clients that are loaded, and have the others hooked when they are."""
    for name, hook in _PREPARED.items():
        if name in sys.modules:
            hook(sight, sys.modules[name])
    if not any(isinstance(finder, _Later) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Later(sight))
