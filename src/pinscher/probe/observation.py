"""
What one server shows at one moment, with the path that was validated kept apart from what it merely presented.

Rules of this file:

1. The first handshake is an ordinary verified one: the trust that was asked for, and the host's name.
2. Only when verification refuses, a second connection without verification reads what was presented, in order to show
   it. Its observation has no validated path, and carries the reason of the refusal.
3. Nothing is sent over either connection.
4. ``SSLKEYLOGFILE`` and the defaults of newer interpreters do not reach these contexts, so that Pythons see alike.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.errors import escaped
from pinscher.probe.connection import Deadline, NoAnswerError, connect
from pinscher.probe.paths import validated_path

if TYPE_CHECKING:
    from pinscher.probe.endpoint import Endpoint
    from pinscher.probe.trust import Trust

ChainReader = Callable[["ssl.SSLSocket | ssl.SSLObject"], tuple[tuple[bytes, ...], tuple[bytes, ...]]]
"""Returns the presented and the verified certificates of a connection, leaf first, as DER."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a server showed: ``validated`` is None, and ``verification_error`` says why, when no path was verified."""

    endpoint: Endpoint
    address: str = field(kw_only=True)
    presented: PresentedChain = field(kw_only=True)
    validated: ValidatedChain | None = field(kw_only=True)
    trust: str = field(kw_only=True)
    verification_error: str | None = field(kw_only=True)
    tls_version: str = field(kw_only=True)
    cipher: str = field(kw_only=True)

    @property
    def host(self) -> str:
        """The canonical host whose name was verified."""
        return self.endpoint.host

    @property
    def port(self) -> int:
        """The port that was connected to."""
        return self.endpoint.port


def observe(endpoint: Endpoint, *, trust: Trust, chains: ChainReader, timeout: float) -> Observation:
    """
    Connect to *endpoint* and return what it shows, verified if it can be.

    Args:
        endpoint: where to connect, and which protocol leads up to TLS.
        trust: the roots to verify by.
        chains: reads a connection's chains; Python before 3.13 has no public way.
        timeout: seconds for one connection, everything included; there are at most two.

    Raises:
        NoAnswerError: no address answered, or the handshake failed for a reason other than the certificate.
        StarttlsRefusedError, ResponseInjectionError: the words before TLS went wrong.
        UnusableTrustError: the roots cannot be read.

    """
    probe = _Probe(endpoint, trust, chains, timeout)
    try:
        return probe.handshake(verifying_context(trust))
    except ssl.SSLCertVerificationError as error:
        refusal = escaped(error.verify_message or str(error))
    return probe.handshake(showing_context(), verification_error=refusal)


@dataclass(frozen=True, slots=True)
class _Probe:
    """What both connections of one observation have in common."""

    endpoint: Endpoint
    trust: Trust
    chains: ChainReader
    timeout: float

    def handshake(self, context: ssl.SSLContext, *, verification_error: str | None = None) -> Observation:
        connection = connect(self.endpoint, deadline=Deadline.after(self.timeout))
        try:
            address = connection.getpeername()[0]
            secured = context.wrap_socket(connection, server_hostname=self.endpoint.host)
        except ssl.SSLCertVerificationError:
            raise
        except OSError as error:
            raise NoAnswerError(self.endpoint, handshake_failure(error)) from None
        finally:
            # After a handshake the descriptor belongs to the SSLSocket, and this closes nothing.
            connection.close()
        with secured:
            return observation_of(
                secured, self.endpoint, address=address, chains=self.chains, trust=self.trust.describe(),
                verification_error=verification_error,
            )  # fmt: skip


def observation_of(
    secured: ssl.SSLSocket | ssl.SSLObject,
    endpoint: Endpoint,
    *,
    address: str,
    chains: ChainReader,
    trust: str,
    verification_error: str | None,
) -> Observation:
    """Return what a finished handshake showed; without a *verification_error* its path is held to be verified."""
    presented, verified = chains(secured)
    return Observation(
        endpoint,
        address=address,
        presented=PresentedChain(presented),
        validated=validated_path(secured, verified) if verification_error is None else None,
        trust=trust,
        verification_error=verification_error,
        tls_version=secured.version() or "unknown",
        cipher=(secured.cipher() or ("unknown", "", 0))[0],
    )


def verifying_context(trust: Trust) -> ssl.SSLContext:
    """Return a context that verifies the chain by *trust*, and the name (rule 1)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_into(context)
    return context


def showing_context() -> ssl.SSLContext:
    """Return a context that verifies nothing, for showing what a refused server presented (rule 2)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def handshake_failure(error: OSError) -> str:
    """Say why a handshake failed, for a reason other than the certificate."""
    told = error.strerror or str(error) or "the connection was closed"
    if isinstance(error, ssl.SSLError) and error.reason:
        told = error.reason.replace("_", " ")
    return f"the TLS handshake failed: {escaped(told.lower())}"
