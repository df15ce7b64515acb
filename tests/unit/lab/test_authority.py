"""Authorities and what they issue, judged by OpenSSL."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pinscher.der import SubjectPublicKeyInfo
from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.encoding import pem
from pinscher.lab.keys import KeyKind, SigningKey

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Connect

from pinscher.lab.server import TlsServer

OPENSSL = shutil.which("openssl")


def judged(held: HeldCertificate, anchor: Authority, directory: Path, *arguments: str) -> str:
    """Return what ``openssl verify`` says of the chain of *held* under *anchor* alone."""
    if OPENSSL is None:
        assert not os.environ.get("CI"), "install openssl: it judges what the lab makes"
        pytest.skip("openssl is not installed")
    files = {"anchor": anchor.pem, "leaf": held.pem, "chain": held.chain_pem}
    for name, content in files.items():
        (directory / name).write_bytes(content)
    command = [
        OPENSSL,
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        *arguments,
        "-CAfile",
        str(directory / "anchor"),
    ]
    command += ["-untrusted", str(directory / "chain"), str(directory / "leaf")]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return (completed.stdout + completed.stderr).strip()


@pytest.mark.parametrize("kind", [kind for kind in KeyKind if kind is not KeyKind.RSA4096])
def test_every_kind_of_key_passes_strict_verification(kind: KeyKind, tmp_path: Path) -> None:
    """A chain of any kind of key passes OpenSSL's strict verification of RFC 5280."""
    root = Authority.root(key=SigningKey.kept(kind, "root"))
    held = root.intermediate(key=SigningKey.kept(kind, "intermediate")).issue(
        "api.test", key=SigningKey.kept(kind, "leaf")
    )
    assert f"{tmp_path / 'leaf'}: OK" == judged(held, root, tmp_path, "-verify_hostname", "api.test")


@pytest.mark.parametrize("kind", [KeyKind.P384, KeyKind.RSA2048, KeyKind.ED25519, KeyKind.RSA_PSS])
def test_every_kind_of_key_shakes_hands(kind: KeyKind, root: Authority, connect: Connect) -> None:
    """A server can hold any kind of key, and the client's chain carries the very bytes of its SPKI."""
    held = root.issue("api.test", key=SigningKey.kept(kind, "leaf"))
    with TlsServer(held, protocol="echo") as server, connect(server) as client:
        shown = client.getpeercert(binary_form=True)
    assert held.der == shown
    assert held.key.spki == SubjectPublicKeyInfo.of_certificate(held.der).der


def test_strict_flag_of_python_3_13(root: Authority, held: HeldCertificate, connect: Connect) -> None:
    """What the lab issues is valid for a Python whose default contexts verify strictly."""
    context = ssl.create_default_context(cadata=root.pem.decode())
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    with TlsServer(held, protocol="echo") as server, connect(server, context, "127.0.0.1") as client:
        assert held.der == client.getpeercert(binary_form=True)


def test_a_kind_is_a_fresh_key() -> None:
    """Two keys of one kind differ, unless a label was asked for twice."""
    assert SigningKey.generate("rsa2048").spki != SigningKey.generate("rsa2048").spki
    assert SigningKey.kept("rsa2048", "twice") is SigningKey.kept("rsa2048", "twice")
    assert SigningKey.kept("rsa2048", "twice").spki != SigningKey.kept("rsa2048", "leaf").spki


def test_a_key_can_be_handed_in(root: Authority) -> None:
    """A certificate can be issued for a key that exists already."""
    key = ec.generate_private_key(ec.SECP256R1())
    assert SigningKey.of(key).spki == root.issue("api.test", key=key).key.spki
    kinds = [
        SigningKey.of(SigningKey.kept(kind, "leaf").private).kind for kind in ("p256", "p384", "rsa2048", "ed25519")
    ]
    assert [KeyKind.P256, KeyKind.P384, KeyKind.RSA2048, KeyKind.ED25519] == kinds


def test_an_rsa_pss_key_says_so() -> None:
    """An RSASSA-PSS key is marked as one in both of its encodings, and OpenSSL reads it."""
    key = SigningKey.kept("rsa-pss", "leaf")
    assert bytes.fromhex("06092a864886f70d01010a") in key.spki
    assert load_pem_private_key(key.pem, None).public_key() == key.private.public_key()


def test_renewal_keeps_the_key(held: HeldCertificate, root: Authority, tmp_path: Path) -> None:
    """A renewed certificate is another certificate with the same key, names and issuer."""
    renewed = held.renew()
    assert renewed.der != held.der
    assert held.key.spki == SubjectPublicKeyInfo.of_certificate(renewed.der).der
    assert held.chain[1:] == renewed.chain[1:]
    assert judged(renewed, root, tmp_path, "-verify_ip", "127.0.0.1").endswith(": OK")


def test_chain_leaves_the_root_out(held: HeldCertificate, intermediate: Authority, root: Authority) -> None:
    """A server presents its leaf and the intermediates, never the root."""
    assert (held.der, intermediate.certificate) == held.chain
    assert held.chain_pem == held.pem + intermediate.pem
    assert root is intermediate.trust_anchor


def test_validity_is_what_was_asked_for(root: Authority, tmp_path: Path) -> None:
    """An expired certificate is refused as expired and one of the future as not yet valid."""
    at = datetime.now(UTC)
    expired = root.issue("api.test", not_after=at - timedelta(days=1))
    future = root.issue("api.test", not_before=at + timedelta(days=1))
    assert "certificate has expired" in judged(expired, root, tmp_path)
    assert "certificate is not yet valid" in judged(future, root, tmp_path)


def test_cross_signing_gives_a_second_path(root: Authority, tmp_path: Path) -> None:
    """A cross-signed root is the same key and name below another root, and its leaves validate under either."""
    other = Authority.root("Other Root")
    crossed = root.cross_signed_by(other)
    held = crossed.issue("api.test")
    assert root.key.spki == SubjectPublicKeyInfo.of_certificate(crossed.certificate).der
    assert (held.der, crossed.certificate) == held.chain
    assert [True, True] == [judged(held, anchor, tmp_path).endswith(": OK") for anchor in (root, other)]


def test_a_reissued_authority_keeps_its_key(root: Authority, intermediate: Authority, tmp_path: Path) -> None:
    """A reissued root or intermediate is a new certificate under which old leaves still validate."""
    again = root.reissued()
    assert again.certificate != root.certificate
    assert judged(intermediate.issue("api.test"), again, tmp_path).endswith(": OK")
    assert judged(intermediate.reissued().issue("api.test"), root, tmp_path).endswith(": OK")
    assert intermediate.reissued().certificate != intermediate.certificate


def test_forged_issuer_is_refused(intermediate: Authority, root: Authority, tmp_path: Path) -> None:
    """A leaf that only names a genuine issuer looks the same but for its signature, and is refused."""
    forged = intermediate.forged_issuer("api.test")
    parsed = x509.load_der_x509_certificate(forged.der)
    assert intermediate.subject == parsed.issuer
    assert intermediate.presented == forged.chain[1:]
    assert "certificate signature failure" in judged(forged, root, tmp_path)


def test_twin_has_the_same_name_and_serial_number(root: Authority, tmp_path: Path) -> None:
    """A twin of a root has its subject and serial number with another key, and vouches for nothing."""
    twin = root.twin()
    ours, theirs = (x509.load_der_x509_certificate(each.certificate) for each in (root, twin))
    assert (ours.subject, ours.serial_number) == (theirs.subject, theirs.serial_number)
    assert root.key.spki != twin.key.spki
    assert ": OK" not in judged(twin.issue("api.test"), root, tmp_path)


def test_a_leaf_cannot_sign(held: HeldCertificate, root: Authority, tmp_path: Path) -> None:
    """A certificate issued by a leaf is refused, because a leaf is no authority."""
    misissued = held.as_authority().issue("api.test")
    assert held.chain == misissued.chain[1:]
    assert ": OK" not in judged(misissued, root, tmp_path)


def test_path_length_is_kept(root: Authority, tmp_path: Path) -> None:
    """An intermediate below one whose path length is zero is refused."""
    last = root.intermediate(path_length=0)
    assert judged(last.issue("api.test"), root, tmp_path).endswith(": OK")
    assert "path length constraint exceeded" in judged(last.intermediate("Below").issue("api.test"), root, tmp_path)


def test_a_client_certificate_is_for_clients(root: Authority, tmp_path: Path) -> None:
    """A client's certificate is refused as a server's."""
    assert "unsuitable certificate purpose" in judged(root.issue_client("alice"), root, tmp_path)


def test_names_may_be_without_a_common_name(root: Authority, tmp_path: Path) -> None:
    """A certificate may have an empty subject, and then its alternative names are critical."""
    held = root.issue("*.api.test", "::1", common_name="")
    assert judged(held, root, tmp_path, "-verify_hostname", "x.api.test").endswith(": OK")
    assert judged(held, root, tmp_path, "-verify_ip", "::1").endswith(": OK")


def test_further_extensions_are_carried(root: Authority) -> None:
    """An extension that a scenario hands in stands in the certificate."""
    hidden = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x04\x02hi")
    held = root.issue("api.test", extensions=[hidden], serial_number=7)
    parsed = x509.load_der_x509_certificate(held.der)
    assert hidden == parsed.extensions.get_extension_for_oid(hidden.oid).value
    assert parsed.serial_number == 7


def test_pem_is_what_ssl_reads(root: Authority) -> None:
    """PEM written by the lab is what the standard library writes, and several certificates follow one another."""
    assert ssl.DER_cert_to_PEM_cert(root.certificate).encode() == root.pem
    assert root.pem * 2 == pem("CERTIFICATE", root.certificate, root.certificate)
    assert (
        hashlib.sha256(root.certificate).digest()
        == hashlib.sha256(ssl.PEM_cert_to_DER_cert(root.pem.decode())).digest()
    )
