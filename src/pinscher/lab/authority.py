"""
Certificate authorities of the moment: roots, intermediates and what they issue, with fresh keys in every run.

Everything issued here passes the strictest verification of RFC 5280 that OpenSSL has, unless the method's name says
what is wrong with it. An authority is short-lived, is kept in memory, and belongs in no system's trust store.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pinscher.lab.encoding import pem
from pinscher.lab.keys import REENCODED, KeyKind, PrivateKey, SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AnyKey: TypeAlias = SigningKey | PrivateKey | KeyKind | str | None
"""A key, the kind of key to generate, or None for the default kind."""


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """A certificate together with its private key and the certificates that a server sends after it."""

    der: bytes
    key: SigningKey
    authority: Authority
    request: Request

    @property
    def pem(self) -> bytes:
        """The certificate alone, as PEM."""
        return pem("CERTIFICATE", self.der)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS #8 PEM."""
        return self.key.pem

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The DER of this certificate and of every intermediate above it, the root left out."""
        return (self.der, *self.authority.presented)

    @property
    def chain_pem(self) -> bytes:
        """The chain as PEM, as servers load it."""
        return pem("CERTIFICATE", *self.chain)

    def renew(self, *, not_before: datetime | None = None, not_after: datetime | None = None) -> HeldCertificate:
        """Issue a new certificate of the same authority for the same names and the same key."""
        request = dataclasses.replace(self.request, not_before=not_before, not_after=not_after, serial_number=None)
        return self.authority.issue_as(request, self.key)

    def reencoded(self, form: str) -> HeldCertificate:
        """Return this certificate with its key in another encoding, signed again; ``keys.REENCODED`` has the forms."""
        spki = REENCODED[form](self.key)
        return dataclasses.replace(self, der=self.authority.key.resigned(self.der, spki=spki))

    def rewritten(self, rewrite: Callable[[bytes], bytes]) -> HeldCertificate:
        """Return this certificate with the content of its TBSCertificate rewritten, and signed again."""
        return dataclasses.replace(self, der=self.authority.key.rewritten(self.der, rewrite))

    def as_authority(self) -> Authority:
        """Misuse this certificate as an authority's: what it issues must be refused, for it may not sign."""
        return Authority(
            subject=x509.load_der_x509_certificate(self.der).subject,
            certificate=self.der,
            key=self.key,
            parent=self.authority,
            path_length=None,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What a certificate is to say of its holder."""

    names: tuple[str, ...]
    common_name: str
    not_before: datetime | None = None
    not_after: datetime | None = None
    serial_number: int | None = None
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,)
    extensions: tuple[x509.ExtensionType, ...] = ()
    critical: bool = False
    """Whether those extensions are critical."""
    subject: x509.Name | None = None
    """The whole subject, where it is more than the common name."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that may sign others, and its key; a root when it has no parent."""

    subject: x509.Name
    certificate: bytes
    key: SigningKey
    parent: Authority | None
    path_length: int | None

    @classmethod
    def root(
        cls, name: str = "Lab Root", key: AnyKey = None, *, path_length: int | None = None,
        not_before: datetime | None = None, not_after: datetime | None = None,
    ) -> Authority:  # fmt: skip
        """Make a self-signed authority that a client can be told to trust."""
        held, subject = SigningKey.of(key), _named(name)
        builder = _authority_builder(subject, held, path_length, not_before, not_after)
        certificate = held.certify(builder.issuer_name(subject).add_extension(_issued_with(held), critical=False), held)
        return cls(subject, certificate, held, None, path_length)

    def intermediate(
        self, name: str = "Lab Intermediate", key: AnyKey = None, *, path_length: int | None = None,
        not_before: datetime | None = None, not_after: datetime | None = None, permitted: Sequence[str] = (),
    ) -> Authority:  # fmt: skip
        """Make an authority below this one; *permitted* are the DNS names that it may sign for, if not for all."""
        held, subject = SigningKey.of(key), _named(name)
        return self._certified(subject, held, path_length, not_before, not_after, permitted)

    def cross_signed_by(self, other: Authority) -> Authority:
        """Return this same authority, name and key, with a certificate that *other* issued to it."""
        return other._certified(self.subject, self.key, self.path_length)

    def reissued(self, *, not_before: datetime | None = None, not_after: datetime | None = None) -> Authority:
        """Return this same authority with a new certificate of the same issuer for the same name and key."""
        if self.parent is not None:
            return self.parent._certified(self.subject, self.key, self.path_length, not_before, not_after)  # noqa: SLF001
        builder = _authority_builder(self.subject, self.key, self.path_length, not_before, not_after)
        builder = builder.issuer_name(self.subject).add_extension(_issued_with(self.key), critical=False)
        return dataclasses.replace(self, certificate=self.key.certify(builder, self.key))

    def twin(self) -> Authority:
        """Return an attacker's root of the same name and serial number with another key."""
        key = SigningKey.generate(self.key.kind)
        serial_number = x509.load_der_x509_certificate(self.certificate).serial_number
        builder = _authority_builder(self.subject, key, self.path_length, serial_number=serial_number)
        builder = builder.issuer_name(self.subject).add_extension(_issued_with(key), critical=False)
        return Authority(self.subject, key.certify(builder, key), key, None, self.path_length)

    def issue(
        self, *names: str, key: AnyKey = None, not_before: datetime | None = None, not_after: datetime | None = None,
        common_name: str | None = None, serial_number: int | None = None,
        extensions: Sequence[x509.ExtensionType] = (), critical: bool = False, subject: x509.Name | None = None,
    ) -> HeldCertificate:  # fmt: skip
        """Issue a server's certificate for *names*, each a host name or an IP address."""
        common_name = common_name if common_name is not None else names[0]
        request = Request(
            names, common_name, not_before, not_after, serial_number, extensions=tuple(extensions), critical=critical,
            subject=subject,
        )  # fmt: skip
        return self.issue_as(request, SigningKey.of(key))

    def issue_client(self, name: str, *, key: AnyKey = None) -> HeldCertificate:
        """Issue a certificate with which a client called *name* authenticates itself."""
        return self.issue_as(Request((), name, usages=(ExtendedKeyUsageOID.CLIENT_AUTH,)), SigningKey.of(key))

    def forged_issuer(self, *names: str, key: AnyKey = None, attacker: AnyKey = None) -> HeldCertificate:
        """Make a leaf that names this authority as its issuer and was signed by an attacker's key."""
        forger = dataclasses.replace(self, key=SigningKey.of(attacker))
        forged = forger.issue(*names, key=key)
        return dataclasses.replace(forged, authority=self)

    def issue_as(self, request: Request, key: SigningKey) -> HeldCertificate:
        """Issue what *request* asks for to the holder of *key*."""
        usages = x509.KeyUsage(**_usages("digital_signature"))
        subject = request.subject or _named(request.common_name)
        builder = (
            _builder(subject, request.not_before, request.not_after, request.serial_number)
            .issuer_name(self.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usages, critical=True)
            .add_extension(x509.ExtendedKeyUsage(request.usages), critical=False)
            .add_extension(_key_identifier(key), critical=False)
            .add_extension(self._identifier, critical=False)
        )
        if request.names:
            names = [_alternative_name(name) for name in request.names]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not request.common_name)
        for extension in request.extensions:
            builder = builder.add_extension(extension, critical=request.critical)
        return HeldCertificate(self.key.certify(builder, key), key, self, request)

    @property
    def pem(self) -> bytes:
        """This authority's certificate as PEM; a root's is what a client's trust store takes."""
        return pem("CERTIFICATE", self.certificate)

    @property
    def presented(self) -> tuple[bytes, ...]:
        """The DER of the intermediates from this one up, as a server presents them; empty for a root."""
        return () if self.parent is None else (self.certificate, *self.parent.presented)

    @property
    def trust_anchor(self) -> Authority:
        """The root at the end of this authority's parents."""
        return self if self.parent is None else self.parent.trust_anchor

    @property
    def _identifier(self) -> x509.AuthorityKeyIdentifier:
        certificate = x509.load_der_x509_certificate(self.certificate)
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)

    def _certified(
        self, subject: x509.Name, key: SigningKey, path_length: int | None,
        not_before: datetime | None = None, not_after: datetime | None = None, permitted: Sequence[str] = (),
    ) -> Authority:  # fmt: skip
        builder = _authority_builder(subject, key, path_length, not_before, not_after)
        builder = builder.issuer_name(self.subject).add_extension(self._identifier, critical=False)
        if permitted:
            names = x509.NameConstraints([x509.DNSName(name) for name in permitted], None)
            builder = builder.add_extension(names, critical=True)
        return Authority(subject, self.key.certify(builder, key), key, self, path_length)


def _authority_builder(
    subject: x509.Name, key: SigningKey, path_length: int | None,
    not_before: datetime | None = None, not_after: datetime | None = None, serial_number: int | None = None,
) -> x509.CertificateBuilder:  # fmt: skip
    usages = x509.KeyUsage(**_usages("key_cert_sign", "crl_sign"))
    return (
        _builder(subject, not_before, not_after, serial_number)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usages, critical=True)
        .add_extension(_key_identifier(key), critical=False)
    )


def _builder(
    subject: x509.Name, not_before: datetime | None, not_after: datetime | None, serial_number: int | None
) -> x509.CertificateBuilder:
    at = datetime.now(UTC)
    not_after = not_after or max(at, not_before or at) + _LIFETIME
    not_before = not_before or min(at - _ALLOWANCE, not_after - _LIFETIME)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .serial_number(serial_number if serial_number is not None else x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


_LIFETIME = timedelta(days=7)
_ALLOWANCE = timedelta(days=1)
"""How long ago a certificate became valid, for clients whose clock runs behind."""


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])


def _alternative_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_identifier(key: SigningKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.private.public_key())


def _issued_with(key: SigningKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.private.public_key())


def _usages(*granted: str) -> dict[str, bool]:
    return {usage: usage in granted for usage in _EVERY_USAGE}


_EVERY_USAGE = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
