"""Small worlds of authorities for the tests: every certificate is really signed, and may say anything."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.rotation.survival import Certificate, read_certificate
from tests.certificates import INTEGER, key_infos, tlv
from tests.certificates import certificate as rough

if TYPE_CHECKING:
    from collections.abc import Iterable

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
LONG_AGO, LATER = AT - timedelta(days=3000), AT + timedelta(days=3000)
HOST = "api.bank.example"


@functools.cache
def key(label: str) -> ec.EllipticCurvePrivateKey:
    """Return the process's one key of a label."""
    return ec.generate_private_key(ec.SECP256R1())


def name(common_name: str, kind: type | None = None) -> x509.Name:
    """Return a name of a common name alone."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certified(
    subject: str, issuer: str, *, held: str = "", signer: str = "", ca: bool = True, path_length: int | None = None,
    not_before: datetime = LONG_AGO, not_after: datetime = LATER, hosts: Iterable[str] = (HOST,),
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (), usage: bool = True, identified: bool = True,
) -> Certificate:  # fmt: skip
    """Return a certificate; keys are called by their labels, and by default as their holders."""
    own, signing = key(held or subject), key(signer or issuer)
    builder = (
        x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(own.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(not_before).not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
    )  # fmt: skip
    if identified:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
        builder = builder.add_extension(above, critical=False)
    if usage:
        flags = dict.fromkeys(_USAGES, False) | ({"key_cert_sign": True} if ca else {"digital_signature": True})
        builder = builder.add_extension(x509.KeyUsage(**flags), critical=True)
    if not ca:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in hosts]), critical=False
        )
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return read_certificate(builder.sign(signing, hashes.SHA256()).public_bytes(Encoding.DER))


_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def leaf(issuer: str, *, held: str = "leaf", not_before: datetime = AT - timedelta(days=10),
         not_after: datetime = AT + timedelta(days=80), hosts: Iterable[str] = (HOST,), signer: str = "") -> Certificate:  # fmt: skip
    """Return the host's certificate, by *issuer*."""
    return certified(
        "leaf", issuer, held=held, ca=False, not_before=not_before, not_after=not_after, hosts=hosts, signer=signer
    )


def root(subject: str, **more: object) -> Certificate:
    """Return a self-signed root."""
    return certified(subject, subject, **({"signer": more["held"]} if "held" in more else {}), **more)  # type: ignore[arg-type]


def pin(one: Certificate) -> str:
    """Return the text of a certificate's SPKI pin."""
    return str(Pin.of(one.der))


def policy(*pinned: Certificate, denied: Iterable[Certificate] = (), more: str = "", backup: str = "") -> Policy:
    """Return a policy that pins keys for the host of these worlds."""
    pins = ", ".join(f'"{pin(one)}"' for one in pinned)
    refused = ", ".join(f'"{pin(one)}"' for one in denied)
    return Policy.loads(
        f'format = 1\nname = "x"\nversion = 1\n[hosts."{HOST}"]\npins = [{pins}]\ndenied-keys = [{refused}]\n{more}'
    )


UNREADABLE = rough(key_infos()["p-256"], version=tlv(0xA0, tlv(INTEGER, b"\x05")))
"""A certificate of a version that does not exist: its key can be cut out, and nothing else be read."""
