"""
Pins for code that never lets you pass a context: every connection of the standard library's contexts is judged.

The one file that patches the standard library, for injection and for the guard alike: three methods and three settings
of ``ssl.SSLContext`` are stood in front of while anybody needs it, and put back afterwards. No class is replaced, so
what was made before is reached too: a context, a pool, a session of any library. What has a TLS of its own is not:
:func:`pinscher.clients.unseen.unseen` lists what this process has loaded of it.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from typing import TYPE_CHECKING, Any

from pinscher.errors import PinningError
from pinscher.tls.injected import ORIGINALS, SETTINGS, Injector, load_client_certificate, own_session
from pinscher.tls.record import VerdictRecord
from pinscher.tls.settings import GenuineContext, InsecureContextError, StrictSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pinscher.policy import Policy
    from pinscher.tls._cpython import PinnedObject, PinnedSocket
    from pinscher.tls.healing import Healer
    from pinscher.verdict import Verdict

_CHANGING = threading.RLock()
_INJECTIONS: list[Injection] = []
"""The injections in force, of which the last one counts."""


class Injection:
    """A policy that is in force for every context of this process, until :meth:`undo`."""

    def __init__(self, injector: Injector) -> None:
        self._injector = injector

    @property
    def policy(self) -> Policy:
        """The policy in force; assigning another judges open connections again, as ``PinnedContext.policy`` does."""
        return self._injector.bench.policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._injector.bench.replace(policy)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The last refusals, the newest last."""
        return self._injector.bench.record.refusals

    @property
    def connections(self) -> tuple[PinnedSocket | PinnedObject, ...]:
        """The connections that were let through and that live."""
        return self._injector.bench.connections.connections

    def undo(self) -> None:
        """
        Take the injection away: contexts make connections as before, or as an earlier injection has them.

        Connections that it pinned stay pinned, and sessions of theirs are not resumed by anybody else: once nothing is
        injected or guarded any more, a context that is given one raises the ``TypeError`` that it has for any object.
        """
        with _CHANGING:
            if self in _INJECTIONS:
                _INJECTIONS.remove(self)
                _patch()


def inject(
    policy: Policy,
    *,
    on_verdict: Callable[[Verdict], object] | None = None,
    now: Callable[[], datetime] | None = None,
) -> Injection:
    """
    Pin every connection that a context of this process makes from now on, and return what takes it back.

    A host that the policy leaves alone is left alone; ``unlisted-hosts = "deny"`` refuses all that are not listed. A
    listed host is refused where its context verifies no chain (``verify=False``), and where no name is given; the name
    is verified whether the context does so or not. Contexts that loaded a client certificate before show it before the
    judgement.

    It does not reach connections that stand already, nor libraries with a TLS of their own.
    """
    return _in_force(Injector(policy, on_verdict=on_verdict, now=now))


def inject_kept(
    policy: Policy,
    *,
    healer: Healer,
    on_verdict: Callable[[Verdict], object] | None = None,
    now: Callable[[], datetime] | None = None,
) -> Injection:
    """Inject as :func:`inject` does, and ask *healer* before a refusal that it may mend; for a keeper."""
    injector = Injector(policy, on_verdict=on_verdict, now=now)
    injector.bench.healer = healer
    injector.bench.record = VerdictRecord(on_verdict, healer.hear)
    return _in_force(injector)


def _in_force(injector: Injector) -> Injection:
    injection = Injection(injector)
    with _CHANGING:
        _check_free()
        _INJECTIONS.append(injection)
        _patch()
    return injection


@contextlib.contextmanager
def injected(
    policy: Policy,
    *,
    on_verdict: Callable[[Verdict], object] | None = None,
    now: Callable[[], datetime] | None = None,
) -> Iterator[Injection]:
    """Pin every context's connections for as long as a block lasts, in all threads; see :func:`inject`."""
    injection = inject(policy, on_verdict=on_verdict, now=now)
    try:
        yield injection
    finally:
        injection.undo()


WATCHERS: list[Callable[[ssl.SSLContext, str | None], None]] = []
"""What is called with every client connection that nobody pins; the guard's."""


def watch(watcher: Callable[[ssl.SSLContext, str | None], None]) -> None:
    """Have every client connection that nobody pins looked at before it is made."""
    with _CHANGING:
        _check_free()
        WATCHERS.append(watcher)
        _patch()


def unwatch(watcher: Callable[[ssl.SSLContext, str | None], None]) -> None:
    """Take a watcher away."""
    with _CHANGING:
        if watcher in WATCHERS:
            WATCHERS.remove(watcher)
            _patch()


def _patch() -> None:
    """Put the hooks in place while somebody needs them, and take them away when nobody does."""
    is_needed = bool(_INJECTIONS or WATCHERS)
    for name, hook in _HOOKS.items():
        present, before = vars(GenuineContext).get(name), _BEFORE[name]
        if is_needed and present is before:
            setattr(GenuineContext, name, hook)
        elif not is_needed and present is hook and before is None:
            delattr(GenuineContext, name)
        elif not is_needed and present is hook:
            setattr(GenuineContext, name, before)


def _check_free() -> None:
    """Refuse where somebody else stands in front of the same methods: nobody could say then what is pinned."""
    for name, hook in _HOOKS.items():
        present = vars(GenuineContext).get(name)
        if present is not _BEFORE[name] and present is not hook:
            where = getattr(present, "__module__", "elsewhere")
            raise InsecureContextError(f"ssl.SSLContext.{name} was replaced already, by {where}; take that away first")


def _is_ours(context: ssl.SSLContext) -> bool:
    return isinstance(context, StrictSettings)


def _injector(context: ssl.SSLContext, server_side: bool, host: str | None) -> Injector | None:  # noqa: FBT001
    """Return who pins a connection; look at one that nobody pins."""
    if server_side or _is_ours(context):
        return None
    injector = _INJECTIONS[-1]._injector if _INJECTIONS else None  # noqa: SLF001
    if WATCHERS and (injector is None or injector.leaves_alone(host)):
        for watcher in tuple(WATCHERS):
            watcher(context, host)
    return injector


def _wrap_socket(
    context: ssl.SSLContext,
    sock: Any,
    server_side: bool,  # noqa: FBT001  (the private signature of the standard library)
    server_hostname: str | None = None,
    *,
    owner: Any = None,
    session: Any = None,
) -> Any:
    try:
        injector = _injector(context, server_side, server_hostname)
    except PinningError:
        # The standard library closes what it had taken over for errors of its own alone.
        owner.close()
        raise
    if injector is not None:
        return injector.wrap_socket(context, sock, server_hostname, owner, session)
    raw = own_session(session)
    return ORIGINALS["_wrap_socket"](context, sock, server_side, server_hostname, owner=owner, session=raw)


def _wrap_bio(
    context: ssl.SSLContext,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
    server_side: bool = False,  # noqa: FBT001, FBT002
    server_hostname: str | None = None,
    *,
    owner: Any = None,
    session: Any = None,
) -> Any:
    injector = _injector(context, server_side, server_hostname)
    if injector is not None:
        return injector.wrap_bio(context, incoming, outgoing, server_hostname, owner, session)
    return ORIGINALS["_wrap_bio"](
        context, incoming, outgoing, server_side=server_side, server_hostname=server_hostname,
        owner=owner, session=own_session(session),
    )  # fmt: skip


def _load_cert_chain(context: ssl.SSLContext, *certificate: Any, **options: Any) -> None:
    is_server = context.protocol is ssl.PROTOCOL_TLS_SERVER
    if _INJECTIONS and not is_server and not _is_ours(context):
        load_client_certificate(context, *certificate, **options)
    else:
        ORIGINALS["load_cert_chain"](context, *certificate, **options)


_HOOKS = {"_wrap_socket": _wrap_socket, "_wrap_bio": _wrap_bio, "load_cert_chain": _load_cert_chain, **SETTINGS}
_BEFORE = dict.fromkeys(ORIGINALS) | {name: vars(GenuineContext).get(name) for name in SETTINGS}
"""What the class has of its own for each name; None where the name is the C level's."""
