"""Real certificates made on the spot, and the verdicts that chains of them get."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from pinscher.chain import ValidatedChain
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.verdict import Verdict, evaluate, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOST = "api.example.com"
SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_TYPES = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME}


@dataclass(frozen=True)
class Holder:
    """A key and the certificate that was issued for it."""

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate's bytes."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pin(self) -> Pin:
        """The pin of the key."""
        return Pin.of(self.der)


class Authority:
    """Issues certificates with whatever names and dates a test asks for."""

    def root(self, common_name: str, **names: str) -> Holder:
        """Return a self-signed CA."""
        return self.issue(None, common_name, **names)

    def issue(
        self,
        issuer: Holder | None,
        common_name: str,
        *,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
        days: tuple[float, float] = (-30, 60),
        serial: int | None = None,
        hosts: Iterable[str] = (),
        logged: bool = False,
        **names: str,
    ) -> Holder:
        """Return a certificate by *issuer*, valid from and until so many days around the tests' time."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(_TYPES[kind], text) for kind, text in {"CN": common_name, **names}.items()]
        subject = x509.Name(attributes)
        builder = x509.CertificateBuilder(
            issuer_name=subject if issuer is None else issuer.certificate.subject,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number() if serial is None else serial,
            not_valid_before=AT + timedelta(days=days[0]),
            not_valid_after=AT + timedelta(days=days[1]),
        )
        listed = [x509.DNSName(host) for host in hosts]
        if listed:
            builder = builder.add_extension(x509.SubjectAlternativeName(listed), critical=False)
        if logged:
            builder = builder.add_extension(x509.UnrecognizedExtension(SCT_LIST, b"\x04\x02\x00\x00"), critical=False)
        return Holder(key, builder.sign(key if issuer is None else issuer.key, hashes.SHA256()))


class Scene:
    """One host with its pins, and the verdicts that chains of certificates get there."""

    def __init__(
        self, pinned: Iterable[Pin], *, host: str = HOST, entry: str = "", keys: str = "", head: str = ""
    ) -> None:
        pins = ", ".join(f'"{pin}"' for pin in pinned)
        self.host = host
        self.policy = Policy.loads(
            f'format = 1\nname = "bank-app"\nversion = 14\n{head}\n{keys}\n[hosts."{host}"]\npins = [{pins}]\n{entry}\n'
        )

    def judged(self, *certificates: bytes, host: str | None = None, resumed: bool = False) -> Verdict:
        """Return the verdict on a validated chain."""
        chain = ValidatedChain(certificates)
        return evaluate(chain, self.policy, host=host or self.host, at=AT, resumed=resumed)

    def refused(self, detail: str = "certificate verify failed") -> Verdict:
        """Return the verdict on a connection that OpenSSL or the check itself refused."""
        return refusal(self.policy, host=self.host, at=AT, detail=detail)
