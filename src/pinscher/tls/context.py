"""
The pinned context: an ``ssl.SSLContext`` for any client that takes one.

What a connection goes through, in this order:

1. Before a byte is sent, a host that the policy does not list, or a missing or unusable name, is refused.
2. OpenSSL verifies the chain and the name. When it refuses a listed host, that is a verdict too, and its own error
   stands.
3. The validated chain, or for a resumed session the chain remembered with it, is judged by one policy: the one that
   was in force when the judgement was made, and still is when the connection opens.
4. A refusal that the host's ladder may heal is judged once more; see ``healing.py``.
5. Whatever goes wrong inside the check is a refusal.
6. The decision stands before anybody is told of it.
"""

from __future__ import annotations

import functools
import os
import ssl
import sys
import types
import warnings
from typing import TYPE_CHECKING, Any
from weakref import ref

from pinscher.host import LONGEST_HOST, InvalidHostError, canonical_host
from pinscher.policy import Policy
from pinscher.tls._cpython import Gate, PinnedObject, PinnedSocket, new_socket
from pinscher.tls._early import EarlyContext
from pinscher.tls._wrapping import GatedContext
from pinscher.tls.bench import Bench
from pinscher.tls.judgement import ConnectionGate
from pinscher.tls.record import VerdictRecord
from pinscher.tls.refusing import RefusingGate
from pinscher.tls.settings import GenuineContext, InsecureContextError, StrictSettings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from datetime import datetime
    from typing import Self

    from pinscher.tls.healing import Healer
    from pinscher.tls.sessions import RememberedSession
    from pinscher.verdict import Verdict


class PinnedContext(GatedContext):
    """
    A client context that lets a connection carry data only after its validated chain matched the policy.

    Hand it to any client that takes an ``ssl.SSLContext``. ``policy`` may be replaced while running. ``verdicts`` holds
    the last refusals, for clients that lose the error object.

    Args:
        policy: whom to trust for which host.
        trust: the trust anchors: None for the platform's, a path to a file or a folder, or PEM or DER bytes.
        on_verdict: called with every verdict after the decision; what it raises is logged and changes nothing.
        now: returns the present time as an aware datetime, for tests and for machines without a clock.
        healer: asked before a connection is refused that a newer policy could let through; see ``Keeper``.
        keylog: a file to write TLS secrets to; without it ``SSLKEYLOGFILE`` is ignored.

    Raises:
        InsecureContextError: the trust anchors cannot be read.

    It proves nothing about code in the same process, which can reach past any context, nor about connections that
    other contexts make.
    """

    _GATE = ConnectionGate

    def __new__(cls, policy: Policy, **_: Any) -> Self:  # noqa: ARG004
        """Make a client context, whatever class stands at ``ssl.SSLContext`` by now."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(
        self,
        policy: Policy,
        *,
        trust: str | os.PathLike[str] | bytes | None = None,
        on_verdict: Callable[[Verdict], object] | None = None,
        now: Callable[[], datetime] | None = None,
        healer: Healer | None = None,
        keylog: str | os.PathLike[str] | None = None,
    ) -> None:
        self.options = self.options | ssl.OP_NO_RENEGOTIATION
        self.check_hostname = self._CHECKS_HOSTNAME
        self.verify_mode = self._MODE
        self.verify_flags = ssl.VerifyFlags(self.verify_flags | _strictness()) & ~ssl.VERIFY_X509_PARTIAL_CHAIN
        self._serves_reports = on_verdict is not None or healer is not None
        self._bench = Bench(
            given_now=now,
            record=VerdictRecord(on_verdict, None if healer is None else healer.hear),
            is_trust_named=trust is not None,
            gate=self._GATE,
            healer=healer,
        )
        self.policy = policy
        _load_trust(self, trust)
        if keylog is not None:
            self.keylog_filename = os.fspath(keylog)

    @property
    def policy(self) -> Policy:
        """
        The policy in force; assigning another judges by it what is connected from then on, and what already is.

        An open connection whose key the new policy denies is ended. One whose key it merely no longer lists may still
        receive, and refuses to send. Neither reaches bytes that are with the operating system already.
        """
        return self._bench.policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        if not isinstance(policy, Policy):
            raise TypeError(f"a pinned context needs a Policy, found {type(policy).__name__}; see Policy.load")
        self._bench.replace(policy)
        if policy.reporting and not self._serves_reports:
            self._serves_reports = True
            warnings.warn(
                f"policy {policy.name!r} names a report channel and nobody serves it; pass on_verdict, or use a Keeper",
                RuntimeWarning,
                stacklevel=3,
            )

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The last refusals, the newest last; the id of each stands in its error's text."""
        return self._bench.record.refusals

    @property
    def callback_failures(self) -> int:
        """How often ``on_verdict`` raised; each time is in the log."""
        return self._bench.record.failures

    @property
    def connections(self) -> tuple[PinnedSocket | PinnedObject, ...]:
        """The connections that were let through and that live; ``verdict`` of each says by what."""
        return self._bench.connections.connections

    def wrap_socket(  # type: ignore[override]
        self,
        sock: socket.socket,
        server_side: bool = False,  # noqa: FBT001, FBT002  (the standard library's signature)
        do_handshake_on_connect: bool = True,  # noqa: FBT001, FBT002
        suppress_ragged_eofs: bool = True,  # noqa: FBT001, FBT002
        server_hostname: str | bytes | None = None,
        session: RememberedSession | None = None,
    ) -> PinnedSocket:
        """Wrap a socket as ``ssl.SSLContext.wrap_socket`` does; a refused one is closed."""
        if server_side:
            raise InsecureContextError(_CLIENTS_ONLY)
        if usable_name(server_hostname) is None:
            with sock:
                self._GATE(self._bench, None).before()
        secured: PinnedSocket = new_socket(
            sock, False, do_handshake_on_connect, suppress_ragged_eofs, server_hostname, self, session
        )
        if secured.gate is None and secured.judged is None:
            secured.raise_barrier()
        return secured

    def wrap_bio(  # type: ignore[override]
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002
        server_hostname: str | bytes | None = None,
        session: RememberedSession | None = None,
    ) -> PinnedObject:
        """Wrap memory buffers as ``ssl.SSLContext.wrap_bio`` does; an unusable name is refused by the handshake."""
        if server_side:
            raise InsecureContextError(_CLIENTS_ONLY)
        name = None if usable_name(server_hostname) is None else server_hostname
        # As the standard library does, without the way through its own method.
        made: PinnedObject = PinnedObject._create(  # type: ignore[attr-defined]  # noqa: SLF001
            incoming, outgoing, False, self._encode_hostname(name), session, self
        )
        return made

    @staticmethod
    @functools.lru_cache(maxsize=4096)
    def _encode_hostname(hostname: str | bytes | None) -> str | None:
        """Return the form that TLS verifies; what is usable and ASCII already stays as it is, as by the idna codec."""
        if isinstance(hostname, str) and hostname.isascii() and usable_name(hostname) is not None:
            return str.__str__(hostname)
        encoded: str | None = GenuineContext._encode_hostname(None, hostname)  # type: ignore[attr-defined]  # noqa: SLF001
        return encoded

    def gate_for(self, host: str | None, port: int | None, owner: PinnedSocket | PinnedObject) -> ConnectionGate:
        """Return the gate of a new connection; *host* is the A-label form that TLS verifies."""
        bench, reference = self._bench, ref(owner)
        # Registered here and not after the handshake, whose cryptography leaves every cache cold.
        live = bench.connections
        live.add(reference)
        if len(live.references) >= live.sweep_at:
            live.sweep()
        return bench.gate(bench, usable_name(host), port, reference)

    def remember(self, session: ssl.SSLSession | None, owner: PinnedSocket | PinnedObject) -> RememberedSession | None:
        """Return a session together with the chain of the connection that made it."""
        return None if session is None else self._bench.remember(session, owner)


def usable_name(host: object) -> str | None:
    """Return the canonical form of a server name, or None for one that no certificate can be checked against."""
    # Before anything is remembered of it: a stranger may have chosen its length.
    if not isinstance(host, str | bytes) or len(host) > LONGEST_HOST + 1:
        return None
    return _usable_name(host)


@functools.lru_cache(maxsize=4096)
def _usable_name(host: str | bytes) -> str | None:
    try:
        return canonical_host(host.decode("ascii") if isinstance(host, bytes) else host)
    except (InvalidHostError, UnicodeDecodeError):
        return None


HOOKS = {
    (owner, name): hook
    for owner in (
        PinnedContext,
        GatedContext,
        EarlyContext,
        StrictSettings,
        ConnectionGate,
        RefusingGate,
        Gate,
        PinnedSocket,
        PinnedObject,
    )
    for name, hook in vars(owner).items()
    if callable(hook) or isinstance(hook, property | staticmethod | type | types.GetSetDescriptorType)
}
"""Every method that pins rest on, as it was when this module was loaded; the self-test compares with it."""

_CLIENTS_ONLY = "a pinned context is a client's; a server needs a context of its own"


def _text(pem: bytes) -> str:
    """Return PEM as the standard library takes it; what is not ASCII stands between the certificates, for people."""
    return pem.decode("ascii", "replace").replace("\ufffd", "?")


def _strictness() -> ssl.VerifyFlags:
    """Return the strictness of this Python's default contexts, so that a pinned one accepts nothing they refuse."""
    return ssl.VERIFY_X509_STRICT if sys.version_info >= (3, 13) else ssl.VERIFY_DEFAULT


def _load_trust(context: ssl.SSLContext, trust: str | os.PathLike[str] | bytes | None) -> None:
    if trust is None:
        context.load_default_certs()
        return
    shown = "bytes" if isinstance(trust, bytes) else repr(os.fspath(trust))
    try:
        if isinstance(trust, bytes):
            context.load_verify_locations(cadata=_text(trust) if b"-----BEGIN" in trust else trust)
        elif os.path.isdir(trust):
            context.load_verify_locations(capath=trust)
        else:
            context.load_verify_locations(cafile=trust)
    except (OSError, ValueError) as error:
        raise InsecureContextError(f"trust {shown} cannot be read: {error}; give PEM or DER certificates") from error
