"""
The guard: says so, or refuses, where a pinned host is reached past the pins.

It looks at three places. What it finds there is a :class:`Finding`:

1. A TLS connection to a pinned host whose context is not pinned (``verify=False`` in a client that then makes another
   context, a library that was forgotten).
2. Clear text to a pinned host: by what the standard library audits, and by the hooks of clients.
3. A redirect from a pinned host, whose policy says ``redirects = "pinned-only"``, to a host that is not pinned or to
   clear text.

It cannot see libraries with a TLS of their own (:meth:`Guard.cannot_see` lists those that are loaded), clients that
follow redirects by themselves and have no hook here, nor code that does not want to be seen.
"""

from __future__ import annotations

import collections
import enum
import logging
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pinscher.clients import injection
from pinscher.clients.guard_hooks import clear_text_of, install_hooks, remove_hooks
from pinscher.clients.unseen import unseen
from pinscher.entry import Mode, Redirects
from pinscher.errors import PinningError, escaped
from pinscher.host import InvalidHostError, canonical_host
from pinscher.tls.settings import weakness_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from pinscher.entry import HostPolicy
    from pinscher.policy import Policy

FINDINGS_KEPT = 256
"""Findings that a guard remembers."""


class Past(enum.Enum):
    """In which way a pinned host was reached past its pins."""

    UNPINNED = "unpinned"
    CLEAR_TEXT = "clear-text"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True)
class Finding:
    """One way past the pins: which, of which pinned host, and what was found, escaped."""

    past: Past
    host: str
    found: str

    def __str__(self) -> str:
        """Return what was found and what to do."""
        return f"{self.found}\n  pinned host: {self.host}\n  next: {_NEXT[self.past]}"


_NEXT = {
    Past.UNPINNED: "hand the client a pinned context, or pin the process with pinscher.inject",
    Past.CLEAR_TEXT: "use https, or the protocol's TLS from the first byte on",
    Past.REDIRECT: 'pin the host it leads to, or say redirects = "allow" for this one',
}


class UnguardedConnectionError(PinningError):
    """A pinned host was about to be reached past its pins; ``finding`` says how."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class Guard:
    """A watch over this process, until :meth:`stop`; ``with`` stops it at the block's end."""

    def __init__(self, policy: Policy, mode: Mode, on_finding: Callable[[Finding], object] | None) -> None:
        self.policy = policy
        self.mode = mode
        self._on_finding = on_finding
        self._findings: collections.deque[Finding] = collections.deque(maxlen=FINDINGS_KEPT)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The last findings, the newest last."""
        return tuple(self._findings)

    @staticmethod
    def cannot_see() -> dict[str, str]:
        """Return the loaded packages with a TLS of their own, and what pins each of them instead."""
        return unseen()

    def stop(self) -> None:
        """Watch no longer."""
        injection.unwatch(self._at_connection)
        with _CHANGING:
            if self in _GUARDS:
                _GUARDS.remove(self)
            if not _GUARDS:
                remove_hooks()

    def __enter__(self) -> Self:
        """Return the guard, which watches already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Watch no longer."""
        self.stop()

    def _start(self) -> Self:
        injection.watch(self._at_connection)
        with _CHANGING:
            _GUARDS.append(self)
            install_hooks(_SIGHT)
        return self

    def _pinned(self, host: str | None) -> HostPolicy | None:
        try:
            entry = self.policy.lookup_canonical(canonical_host(host or ""))
        except InvalidHostError:
            return None
        return entry if entry is not None and entry.pinset is not None else None

    def _tell(self, past: Past, host: str, found: str) -> None:
        finding = Finding(past, host, found)
        self._findings.append(finding)
        if self._on_finding is not None:
            self._on_finding(finding)
        if self.mode is Mode.ENFORCE:
            raise UnguardedConnectionError(finding)
        logging.getLogger("pinscher.guard").warning("%s", finding)

    def _at_connection(self, context: ssl.SSLContext, host: str | None) -> None:
        if self._pinned(host) is not None:
            weakness = weakness_of(context)
            detail = f", and {weakness}" if weakness else ""
            self._tell(Past.UNPINNED, str(host), f"a TLS connection without a pinned context{detail}")

    def at_clear_text(self, host: str | None, found: str) -> None:
        """Hear that a client is about to send clear text to a host."""
        if self._pinned(host) is not None:
            self._tell(Past.CLEAR_TEXT, str(host), found)

    def at_url(self, url: str) -> None:
        """Hear that a client is about to request a URL."""
        parts = urlsplit(url)
        if parts.scheme in ("http", "ws"):
            self.at_clear_text(_host_of(url), f"a request in clear text: {escaped(url)}")

    def at_redirect(self, origin: str, location: str) -> None:
        """Hear that a client is about to follow a redirect."""
        host, target = _host_of(origin), urljoin(origin, location)
        entry = self._pinned(host)
        if entry is None or entry.redirects is not Redirects.PINNED_ONLY:
            return
        if urlsplit(target).scheme not in ("https", "wss"):
            self._tell(Past.REDIRECT, str(host), f"a redirect to clear text: {escaped(target)}")
        elif self._pinned(_host_of(target)) is None:
            self._tell(Past.REDIRECT, str(host), f"a redirect to a host that is not pinned: {escaped(target)}")


def guard(policy: Policy, *, mode: Mode = Mode.ENFORCE, on_finding: Callable[[Finding], object] | None = None) -> Guard:
    """
    Watch this process for ways past the pins of a policy, and refuse them with ``UnguardedConnectionError``.

    With ``Mode.REPORT_ONLY`` they are logged and told, and nothing is refused. It watches until ``stop``, or as long as
    a ``with`` block. Only hosts that the policy pins are looked at.
    """
    _listen()
    return Guard(policy, mode, on_finding)._start()  # noqa: SLF001


_CHANGING = threading.Lock()
_GUARDS: list[Guard] = []


class _Sight:
    """What hooks report to: every guard that watches."""

    def url(self, url: str) -> None:
        """Hear of a request."""
        for one in tuple(_GUARDS):
            one.at_url(url)

    def redirect(self, origin: str, location: str) -> None:
        """Hear of a redirect."""
        for one in tuple(_GUARDS):
            one.at_redirect(origin, location)


_SIGHT = _Sight()
_LISTENING: list[Callable[..., None]] = []


def _listen() -> None:
    """Add the audit hook, once: the interpreter never takes one away, so without a guard it does nothing."""
    if not _LISTENING:
        _LISTENING.append(_audit)
        sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _GUARDS:
        return
    found = clear_text_of(event, arguments)
    if found is not None:
        for one in tuple(_GUARDS):
            one.at_clear_text(*found)


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
