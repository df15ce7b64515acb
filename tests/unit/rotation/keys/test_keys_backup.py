"""Backup keys; the rules are those at the top of ``rotation/keys/backup.py``."""

from __future__ import annotations

import base64
import resource
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from pinscher.entry import Key
from pinscher.pin import Pin, spki_sha256
from pinscher.policy import Policy
from pinscher.probe import read_keys
from pinscher.rotation.keys import (
    SHORTEST_PASSPHRASE,
    BackupKey,
    BackupKeyError,
    KeyAlgorithm,
    UnavailableAlgorithmError,
    check_passphrase,
    key_table,
    write_new,
)
from pinscher.rotation.keys.sealing import ROUNDS, sealed_pem

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = "correct horse battery staple"
KEY = BackupKey.generate(KeyAlgorithm.P256)
SEALED = KEY.sealed(PASSPHRASE)
KINDS = {
    "p256": "EC P-256", "p384": "EC P-384", "rsa2048": "RSA 2048", "rsa3072": "RSA 3072", "rsa4096": "RSA 4096",
    "ed25519": "Ed25519", "ml-dsa-44": "ML-DSA-44", "ml-dsa-65": "ML-DSA-65", "ml-dsa-87": "ML-DSA-87",
}  # fmt: skip


_DER = base64.b64decode(b"".join(SEALED.splitlines()[1:-1]))


def _pem(der: bytes) -> bytes:
    marks = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"-----END ENCRYPTED PRIVATE KEY-----")
    return b"\n".join((marks[0], base64.b64encode(der), marks[1], b""))


def _generated(algorithm: KeyAlgorithm) -> BackupKey:
    try:
        return BackupKey.generate(algorithm)
    except UnavailableAlgorithmError as error:
        assert algorithm.value.startswith("ml-dsa"), error
        pytest.skip(str(error))


def test_every_algorithm_has_its_name() -> None:
    """The words for the kinds of key are these."""
    assert list(KINDS) == [one.value for one in KeyAlgorithm]


@pytest.mark.parametrize("algorithm", KeyAlgorithm, ids=lambda one: one.value)
def test_key_of_every_kind_opens_again(algorithm: KeyAlgorithm) -> None:
    """A key of every kind is sealed and opened, and its pin is that of its own request."""
    made = _generated(algorithm)
    opened = BackupKey.open(made.sealed(PASSPHRASE), PASSPHRASE, source="x.key")
    assert (made.pin, KINDS[algorithm.value], algorithm.title) == (opened.pin, opened.kind, opened.kind)
    request = made.request(["api.bank.example"])
    assert x509.load_pem_x509_csr(request).is_signature_valid
    assert [made.pin] == [one.pin for one in read_keys(request, source="x.csr")]
    assert algorithm.value.startswith("ml-dsa") is not opened.is_classical


def test_public_authorities_issue_for_rsa_and_nist_curves_alone() -> None:
    """Public authorities issue for RSA keys and EC keys on the NIST curves (Baseline Requirements, 6.1.5)."""
    assert {"p256", "p384", "rsa2048", "rsa3072", "rsa4096"} == {one.value for one in KeyAlgorithm if one.is_issued_for}


def test_openssl_opens_a_sealed_key(tmp_path: Path) -> None:
    """OpenSSL opens a sealed key with the passphrase, so that Pinscher is not needed on the day of need."""
    (tmp_path / "x.key").write_bytes(SEALED)
    command = ["openssl", "pkey", "-in", "x.key", "-passin", f"pass:{PASSPHRASE}", "-pubout"]
    opened = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=60)
    assert [KEY.pin] == [one.pin for one in read_keys(opened.stdout, source="stdout")]


def test_passphrase_is_stretched() -> None:
    """A sealed key says 600,000 rounds of PBKDF2 with HMAC-SHA256, and AES-256."""
    assert 600_000 == ROUNDS
    assert ROUNDS.to_bytes(3, "big") in _DER
    assert bytes.fromhex("2a864886f70d0209") in _DER
    assert bytes.fromhex("60864801650304012a") in _DER


def test_two_seals_of_one_key_differ() -> None:
    """Sealing twice gives two files, for the salt and the vector are fresh."""
    assert KEY.sealed(PASSPHRASE) != SEALED


@pytest.mark.parametrize(
    ("passphrase", "reason"),
    [("short", f"expected {SHORTEST_PASSPHRASE} or more"), ("", "has 0 characters"), ("pässphrase für alle", "ASCII")],
)
def test_passphrase_that_will_not_do_is_refused(passphrase: str, reason: str) -> None:
    """A new key is sealed with a long passphrase in ASCII, or not at all (rule 2)."""
    with pytest.raises(BackupKeyError, match=reason) as caught:
        KEY.sealed(passphrase)
    assert not passphrase or passphrase not in str(caught.value)
    check_passphrase("x" * SHORTEST_PASSPHRASE)


def _clear(key: ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


_CLEAR = KEY.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
_P256, _UNKNOWN_CURVE = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030105")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "expected a sealed private key in PEM"),
        (SEALED.replace(b"PRIVATE KEY", b"CERTIFICATE"), "expected a sealed private key in PEM"),
        (_clear(ec.generate_private_key(ec.SECP256R1())), "is not sealed"),
        (SEALED[:200], "did not open"),
        (_pem(_DER[:-20] + bytes(20)), "did not open"),
        (
            sealed_pem(_CLEAR.replace(_P256, _UNKNOWN_CURVE), PASSPHRASE, rounds=1000),
            "is of a kind that cannot be opened",
        ),
    ],
    ids=["empty", "certificate", "clear", "cut", "damaged", "unknown curve"],
)
def test_broken_key_is_one_clear_error(content: bytes, reason: str) -> None:
    """Whatever is wrong with a sealed key, one error says so, with the file (rule 3)."""
    with pytest.raises(BackupKeyError, match=reason) as caught:
        BackupKey.open(content, PASSPHRASE, source="x.key")
    assert ("x.key", True) == (caught.value.source, str(caught.value).startswith("x.key: "))


def test_wrong_passphrase_is_one_clear_error() -> None:
    """A wrong passphrase does not open a key, and is not in the error."""
    with pytest.raises(BackupKeyError, match="the passphrase is wrong, or the file is damaged") as caught:
        BackupKey.open(SEALED, "another passphrase", source="x.key")
    assert "another" not in str(caught.value)


def test_key_that_cannot_sign_is_refused() -> None:
    """A key for key agreement alone is no backup of a server's key."""
    agreement = x25519.X25519PrivateKey.generate()
    der = agreement.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(BackupKeyError, match="cannot sign"):
        BackupKey.open(sealed_pem(der, PASSPHRASE, rounds=1000), PASSPHRASE, source="x.key")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_opening(content: bytes) -> None:
    """Any bytes give a key or the one error."""
    der = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + content + b"\n-----END ENCRYPTED PRIVATE KEY-----\n"
    with pytest.raises(BackupKeyError):
        BackupKey.open(der, "x", source="x.key")


def test_request_names_every_host() -> None:
    """A request names hosts, wildcards and addresses in its extension, each in canonical form, and no subject."""
    request = x509.load_pem_x509_csr(KEY.request(["API.bank.example", "*.Bank.example", "192.0.2.1", "bücher.example"]))
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert ["api.bank.example", "*.bank.example", "xn--bcher-kva.example"] == names.value.get_values_for_type(
        x509.DNSName
    )
    assert ["192.0.2.1"] == [str(one) for one in names.value.get_values_for_type(x509.IPAddress)]
    assert (True, x509.Name([])) == (names.critical, request.subject)


def test_text_of_a_key_shows_nothing_private() -> None:
    """The representation of a backup key is empty."""
    assert "BackupKey()" == repr(KEY)


def test_fingerprint_is_the_pin_in_hexadecimal() -> None:
    """The fingerprint is the SHA-256 of the pin, in sixteen groups of four digits."""
    assert spki_sha256_hex(KEY) == KEY.fingerprint.replace(" ", "")
    assert [4] * 16 == [len(group) for group in KEY.fingerprint.split(" ")]


def spki_sha256_hex(key: BackupKey) -> str:
    """Return the SHA-256 of a key's SubjectPublicKeyInfo, computed from what it signs for itself."""
    from pinscher.lab.authority import Authority

    return spki_sha256(Authority.root(key=key.private).certificate).hex()


@pytest.mark.parametrize("name", ["api-backup", "api.backup", "2026"])
def test_table_is_what_a_policy_reads(name: str) -> None:
    """The table that is printed for a key is read back by a policy as that key."""
    stored = 'offline, safe "B" \\ Zürich'
    table = key_table(name, KEY.pin, stored=stored)
    entry = f'[hosts."a.example"]\npins = ["{Pin(bytes(32))}"]\nbackup-pins = ["{name}"]\n'
    read = Policy.loads(f'format = 1\nname = "x"\nversion = 1\n{table}\n{entry}').keys[name]
    assert (KEY.pin, stored) == (read.pin, read.stored)
    assert isinstance(read, Key)
    assert "stored" not in key_table(name, Pin(bytes(32)), stored=None)


def test_new_file_is_its_owners_alone_and_overwrites_nothing(tmp_path: Path) -> None:
    """A file is made for its owner alone, and neither a file nor a dangling link is written through (rule 1)."""
    place = tmp_path / "x.key"
    write_new(str(place), b"1", mode=0o600)
    assert (b"1", 0o600) == (place.read_bytes(), stat.S_IMODE(place.stat().st_mode))
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in (place, tmp_path / "link"):
        with pytest.raises(BackupKeyError, match="it exists, and is not overwritten"):
            write_new(str(taken), b"2", mode=0o600)
    assert (b"1", False) == (place.read_bytes(), (tmp_path / "elsewhere").exists())


@pytest.mark.parametrize("name", ["gone/x.key", "x\0.key"])
def test_file_that_cannot_be_made_is_one_clear_error(tmp_path: Path, name: str) -> None:
    """A file that cannot be written gives one error with its name."""
    with pytest.raises(BackupKeyError, match=r"it cannot be written|holds a NUL"):
        write_new(str(tmp_path / name), b"1", mode=0o600)


def test_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A file that could not be written to the end is not left behind."""
    place, (soft, hard) = tmp_path / "x.key", resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal that goes with this limit, so the write fails as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(BackupKeyError, match="it cannot be written: file too large"):
            write_new(str(place), bytes(100_000), mode=0o600)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not place.exists()


def test_missing_algorithm_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the installed cryptography has no ML-DSA, one error says what is needed."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
    with pytest.raises(UnavailableAlgorithmError, match="cannot make ML-DSA-65 keys: expected version") as caught:
        BackupKey.generate(KeyAlgorithm.ML_DSA_65)
    assert KeyAlgorithm.ML_DSA_65 is caught.value.algorithm
