"""Keys read from files; the rules are those at the top of ``probe/sources.py``."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from asn1crypto import csr as asn1_csr
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from pinscher.pin import Pin
from pinscher.probe import KeySourceError, SourceKind, read_keys
from pinscher.probe.sources import LARGEST_FILE, MOST_KEYS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keys.example")])
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
ED_KEY = ed25519.Ed25519PrivateKey.generate()
KEYS: list[CertificateIssuerPrivateKeyTypes] = [EC_KEY, RSA_KEY, ED_KEY]


def certificate_of(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    """Return a self-signed certificate of *key*, as DER."""
    at = datetime.now(UTC)
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1, at, at + timedelta(days=1))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def request_of(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    """Return a certification request of *key*, as DER."""
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return x509.CertificateSigningRequestBuilder(NAME).sign(key, algorithm).public_bytes(Encoding.DER)


def public_of(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    """Return the subjectPublicKeyInfo of *key*, as DER."""
    return key.public_key().public_bytes(Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def private_of(key: CertificateIssuerPrivateKeyTypes, passphrase: bytes | None = None) -> bytes:
    """Return *key* in PKCS #8, as DER, encrypted if there is a passphrase."""
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption)


def pem(label: str, der: bytes) -> bytes:
    """Return *der* in PEM."""
    import base64

    body = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n".encode()


FORMS = [
    ("CERTIFICATE", certificate_of, SourceKind.CERTIFICATE),
    ("CERTIFICATE REQUEST", request_of, SourceKind.REQUEST),
    ("PUBLIC KEY", public_of, SourceKind.PUBLIC_KEY),
    ("PRIVATE KEY", private_of, SourceKind.PRIVATE_KEY),
]


@pytest.mark.parametrize("key", KEYS, ids=["ec", "rsa", "ed25519"])
@pytest.mark.parametrize(("label", "form", "kind"), FORMS, ids=[kind.value for _, _, kind in FORMS])
@pytest.mark.parametrize("is_pem", [True, False], ids=["pem", "der"])
def test_every_form_of_a_key_has_one_pin(key, label, form, kind, is_pem) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """A certificate, a request, a public key and a private key of one key pair all give the same pin."""
    content = pem(label, form(key)) if is_pem else form(key)
    (found,) = read_keys(content, source="x")
    expected = Pin(hashlib.sha256(public_of(key)).digest())
    assert (found.pin, found.kind) == (expected, kind)


def test_certificate_key_is_the_slice_of_its_own_bytes() -> None:
    """A certificate's key is the bytes that an independent ASN.1 parser finds in it (rule 1)."""
    der = certificate_of(RSA_KEY)
    expected = asn1_x509.Certificate.load(der)["tbs_certificate"]["subject_public_key_info"].dump()
    assert read_keys(der, source="x")[0].key.der == expected


def test_request_key_is_the_slice_of_its_own_bytes() -> None:
    """A request's key is the bytes that an independent ASN.1 parser finds in it (rule 1)."""
    der = request_of(RSA_KEY)
    info = asn1_csr.CertificationRequest.load(der)["certification_request_info"]
    assert read_keys(der, source="x")[0].key.der == info["subject_pk_info"].dump()


def test_unusual_key_encoding_is_kept() -> None:
    """An RSA key without its NULL parameters keeps its bytes, although a library would write others (rule 1)."""
    usual = public_of(RSA_KEY)
    null = bytes.fromhex("0500")
    at = usual.index(null)
    algorithm_length = usual[5] - 2
    unusual = bytearray(usual[:at] + usual[at + 2 :])
    unusual[5] = algorithm_length
    unusual[2:4] = (int.from_bytes(unusual[2:4]) - 2).to_bytes(2)
    (found,) = read_keys(pem("PUBLIC KEY", bytes(unusual)), source="x")
    assert found.key.der == bytes(unusual)


def test_several_keys_are_read_in_order() -> None:
    """A file with several certificates gives a key for each, in its order, with the line each begins at."""
    first, second = pem("CERTIFICATE", certificate_of(EC_KEY)), pem("CERTIFICATE", certificate_of(ED_KEY))
    found = read_keys(b"# two of them\n" + first + b"between\n" + second, source="chain.pem")
    second_line = 2 + first.count(b"\n") + 1
    assert [key.place for key in found] == ["chain.pem:2", f"chain.pem:{second_line}"]


def test_windows_line_ends_are_read() -> None:
    """A PEM file with CRLF line ends reads as one with LF."""
    content = pem("CERTIFICATE", certificate_of(EC_KEY))
    assert read_keys(content.replace(b"\n", b"\r\n"), source="x")[0].pin == read_keys(content, source="x")[0].pin


def test_parameters_before_a_key_are_passed_over() -> None:
    """The curve parameters that OpenSSL writes before an EC key are no key."""
    parameters = pem("EC PARAMETERS", bytes.fromhex("06082a8648ce3d030107"))
    key = EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (found,) = read_keys(parameters + key, source="x")
    assert found.kind is SourceKind.PRIVATE_KEY


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_encrypted_key_asks_for_its_passphrase(form: PrivateFormat) -> None:
    """An encrypted private key opens with the passphrase that was asked for, once, naming the file and line."""
    content = RSA_KEY.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"hunter2"))
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(what)
        return "hunter2"

    (found,) = read_keys(content, source="k.pem", passphrase=ask)
    assert (found.pin, asked) == (Pin(hashlib.sha256(public_of(RSA_KEY)).digest()), ["the private key in k.pem:1"])


def test_encrypted_der_key_asks_for_its_passphrase() -> None:
    """An encrypted private key in DER asks too."""
    (found,) = read_keys(private_of(EC_KEY, b"hunter2"), source="k.der", passphrase=lambda _: "hunter2")
    assert found.kind is SourceKind.PRIVATE_KEY


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pem("PRIVATE KEY", b"")[:40], "x:1: the block is not closed"),
        (b"\n-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "x:2: its content is not Base64"),
        (pem("CERTIFICATE", b"\x30\x00"), "x:1: not a certificate: "),
        (pem("CERTIFICATE REQUEST", b"\x30\x00"), "x:1: not a certificate: expected a CertificationRequestInfo"),
        (pem("PKCS7", b"\x30\x00"), "x:1: a 'PKCS7' block has no pin, expected a certificate, a request or a key"),
        (pem("EC PARAMETERS", b"\x05\x00"), "x: expected a certificate or key, found only parameters"),
        (pem("PRIVATE KEY", b"\x30\x00"), "x:1: expected a certificate, a certification request, a public key"),
        (b"", "x: it is empty"),
        (b" \n", "x: it is empty"),
        (b"hello", "x: expected a certificate, a certification request, a public key or a private key"),
        (b"a" * (LARGEST_FILE + 1), "x: it is larger than 4 MiB"),
    ],
)
def test_bad_file_is_one_clear_error(content: bytes, message: str) -> None:
    """A file that cannot be used whole is one error with its name, its line, and what was expected (rule 3)."""
    with pytest.raises(KeySourceError) as caught:
        read_keys(content, source="x")
    assert str(caught.value).startswith(message)


def test_one_bad_block_refuses_the_file() -> None:
    """A good certificate before a damaged one does not make the file good (rule 3)."""
    good = pem("CERTIFICATE", certificate_of(EC_KEY))
    with pytest.raises(KeySourceError) as caught:
        read_keys(good + pem("CERTIFICATE", b"\x30\x00"), source="x")
    assert caught.value.line == good.count(b"\n") + 1


def test_too_many_keys_are_refused() -> None:
    """A file of more keys than any trust store has is refused."""
    with pytest.raises(KeySourceError, match=f"more than {MOST_KEYS} keys"):
        read_keys(pem("PUBLIC KEY", public_of(ED_KEY)) * (MOST_KEYS + 1), source="x")


def test_wrong_passphrase_is_told() -> None:
    """A wrong passphrase is an error that says so, and does not hold it."""
    with pytest.raises(KeySourceError, match="the passphrase is wrong") as caught:
        read_keys(private_of(EC_KEY, b"right"), source="x", passphrase=lambda _: "hunter2")
    assert "hunter2" not in str(caught.value)


def test_encrypted_key_with_nobody_to_ask_is_told() -> None:
    """An encrypted key with nobody to ask for its passphrase is an error that says so."""
    content = pem("ENCRYPTED PRIVATE KEY", private_of(EC_KEY, b"right"))
    with pytest.raises(KeySourceError, match="nobody to ask"):
        read_keys(content, source="x")


def test_key_that_a_certificate_may_write_otherwise_is_refused() -> None:
    """A private key of RSASSA-PSS is refused, because its certificate's key may have other bytes (rule 2)."""
    rsa_encryption, rsassa_pss = (
        bytes.fromhex("300d06092a864886f70d0101010500"),
        bytes.fromhex("300b06092a864886f70d01010a"),
    )
    renamed = bytearray(private_of(RSA_KEY).replace(rsa_encryption, rsassa_pss))
    renamed[2:4] = (int.from_bytes(renamed[2:4]) - 2).to_bytes(2)
    with pytest.raises(KeySourceError, match="its pin would be a guess"):
        read_keys(pem("PRIVATE KEY", bytes(renamed)), source="x")


def test_file_name_is_escaped() -> None:
    """A file's name never brings an escape sequence into the error's text."""
    with pytest.raises(KeySourceError) as caught:
        read_keys(b"", source="\x1b[2J.pem")
    assert str(caught.value).isprintable()


@given(st.binary(max_size=300))
def test_any_bytes_are_keys_or_the_documented_error(content: bytes) -> None:
    """Whatever a file holds, reading it gives keys or the documented error, and nothing else."""
    try:
        found = read_keys(content, source="x")
    except KeySourceError:
        return
    assert found


@given(st.data())
def test_damaged_keys_are_keys_or_the_documented_error(data: st.DataObject) -> None:
    """A key with bytes changed, in any of its forms, is a key or the documented error, and nothing else."""
    label, der = data.draw(st.sampled_from(WHOLE))
    damaged = bytearray(der)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    for content in (bytes(damaged), pem(label, bytes(damaged))):
        try:
            assert read_keys(content, source="x")
        except KeySourceError:
            continue


WHOLE = [(label, form(key)) for label, form, _ in FORMS for key in KEYS]
