"""
TLSA records (RFC 6698): what the DNS says about an endpoint's certificate, and whether the server shows it.

The look-up asks one resolver that somebody named. ``is_authenticated`` repeats the resolver's claim that it validated
DNSSEC (the AD bit); nothing is validated here, and the claim is worth what the way to that resolver is worth.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.der import CertificateParseError, SubjectPublicKeyInfo
from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.probe.endpoint import Endpoint

MOST_RECORDS = 32
"""Records of one endpoint that are looked at."""


class TlsaError(PinningError):
    """A look-up without an answer; ``reason`` says why. That a name has no record is an answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no answer about TLSA records: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TlsaRecord:
    """One record: certificate usage, selector, matching type and the association data (RFC 6698 section 2.1)."""

    usage: int
    selector: int
    matching: int
    association: bytes

    def matches(self, chain: Sequence[bytes]) -> bool:
        """Tell whether a chain, leaf first, holds what the record names: the leaf (1, 3) or a CA above it (0, 2)."""
        candidates = {0: chain[1:], 1: chain[:1], 2: chain[1:], 3: chain[:1]}.get(self.usage, ())
        return any(self._is(certificate) for certificate in candidates)

    def _is(self, certificate: bytes) -> bool:
        try:
            selected = {0: certificate, 1: SubjectPublicKeyInfo.of_certificate(certificate).der}.get(self.selector)
        except CertificateParseError:
            return False
        if selected is None:
            return False
        named = {0: None, 1: hashlib.sha256, 2: hashlib.sha512}
        if self.matching not in named:
            return False
        digest = named[self.matching]
        return (selected if digest is None else digest(selected).digest()) == self.association

    def __str__(self) -> str:
        """Return the record as a zone file writes it."""
        return f"{self.usage} {self.selector} {self.matching} {self.association.hex()}"


@dataclass(frozen=True, slots=True)
class TlsaAnswer:
    """What a resolver answered; ``is_authenticated`` is its claim and not ours."""

    records: tuple[TlsaRecord, ...]
    is_authenticated: bool

    def agrees(self, chain: Sequence[bytes]) -> bool | None:
        """Tell whether some record matches the chain; None where there is no record to match."""
        return any(record.matches(chain) for record in self.records) if self.records else None


class TlsaResolver:
    """Looks TLSA records up at one resolver, *address* and *port*; needs ``dnspython``."""

    def __init__(self, address: str, *, port: int = 53, seconds: float = 5.0) -> None:
        try:
            import dns.asyncresolver  # noqa: PLC0415  (only who asks for TLSA pays for it)
        except ModuleNotFoundError:
            raise TlsaError("dnspython is not installed; run pip install 'pinscher[cli]'") from None
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=False)
            self._resolver.nameservers = [address]
        except ValueError as error:
            raise TlsaError(f"{escaped(address)} is no resolver: {escaped(str(error))}") from None
        self._resolver.port = port
        self._resolver.lifetime = seconds
        self._resolver.use_edns(0, _DNSSEC_OK, 1232)

    async def look_up(self, endpoint: Endpoint) -> TlsaAnswer:
        """Return what the resolver says about an endpoint; raise :class:`TlsaError` for no answer."""
        import dns.exception  # noqa: PLC0415
        import dns.flags  # noqa: PLC0415
        import dns.resolver  # noqa: PLC0415

        name = f"_{endpoint.port}._tcp.{endpoint.host}."
        try:
            answer = await self._resolver.resolve(name, "TLSA", raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return TlsaAnswer((), is_authenticated=False)
        except (dns.exception.DNSException, OSError) as error:
            raise TlsaError(escaped(str(error) or type(error).__name__)) from None
        records = tuple(
            TlsaRecord(record.usage, record.selector, record.mtype, bytes(record.cert))
            for record in list(answer.rrset or ())[:MOST_RECORDS]
        )
        return TlsaAnswer(records, is_authenticated=bool(answer.response.flags & dns.flags.AD))


_DNSSEC_OK = 0x8000
