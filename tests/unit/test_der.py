"""The key is cut out of a certificate byte for byte, and what a stranger wrote into it is shown safely."""

from __future__ import annotations

import base64
import copy
import hashlib
import pickle
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import x509 as independent
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from pinscher.der import CertificateParseError, CertificateSummary, SubjectPublicKeyInfo, certificate_summary
from tests import openssl
from tests.certificates import (
    BIT_STRING,
    GENERALIZED_TIME,
    NULL,
    RE_ENCODED,
    SEQUENCE,
    SET,
    SIGNATURE,
    SIGNED_BY,
    UNKNOWN,
    algorithm,
    attribute,
    certificate,
    identifier,
    integer,
    key_info,
    key_infos,
    named,
    tlv,
    validity,
)

KINDS = sorted(key_infos())
KEY = key_infos()["ed25519"]
CERTIFICATE = certificate(KEY)


def slice_by_asn1crypto(der: bytes) -> bytes:
    """Return the subjectPublicKeyInfo that an independent parser finds."""
    dumped: bytes = independent.Certificate.load(der, strict=True)["tbs_certificate"]["subject_public_key_info"].dump()
    return dumped


# Rule 1: the key is a slice of the certificate's own bytes.


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_is_byte_exact(kind: str) -> None:
    """Rule 1: for every kind of key, the pin is of the bytes that were signed, as an independent parser finds them."""
    der = certificate(key_infos()[kind])
    found = SubjectPublicKeyInfo.of_certificate(der)
    assert key_infos()[kind] == found.der
    assert slice_by_asn1crypto(der) == found.der
    assert hashlib.sha256(key_infos()[kind]).digest() == found.sha256


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.skipif(openssl.library() is None, reason="this interpreter hides the functions of its OpenSSL")
def test_the_key_is_the_one_that_the_interpreters_openssl_reads(kind: str) -> None:
    """Rule 1: the key that is pinned is the one that the handshake was verified with."""
    der = certificate(key_infos()[kind])
    assert openssl.Reading(der, SubjectPublicKeyInfo.of_certificate(der).der, len(der)) == openssl.read_certificate(der)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in RE_ENCODED | UNKNOWN])
@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_the_key_is_what_the_openssl_program_prints(kind: str) -> None:
    """Where OpenSSL does not write a key anew, 'openssl x509 -pubkey' prints the bytes that are pinned."""
    der = certificate(key_infos()[kind])
    command = ["openssl", "x509", "-inform", "DER", "-noout", "-pubkey"]
    printed = subprocess.run(command, input=der, capture_output=True, check=True, timeout=60).stdout
    assert base64.b64decode(b"".join(printed.splitlines()[1:-1])) == SubjectPublicKeyInfo.of_certificate(der).der


@pytest.mark.parametrize("kind", ["rsa-without-null", "rsassa-pss", "p-256-compressed", "p-256-explicit"])
def test_writing_a_key_anew_would_change_its_pin(kind: str) -> None:
    """Rule 1: a library that reads such a key and writes it again makes another pin, which is why we never do."""
    der = certificate(key_infos()[kind])
    try:
        anew = (
            x509.load_der_x509_certificate(der)
            .public_key()
            .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
    except ValueError:
        anew = b"this release of the library cannot read the key at all"
    assert anew != SubjectPublicKeyInfo.of_certificate(der).der


def _real_keys() -> dict[str, object]:
    keys: dict[str, object] = {
        "RSA": rsa.generate_private_key(65537, 2048),
        "P-256": ec.generate_private_key(ec.SECP256R1()),
        "P-384": ec.generate_private_key(ec.SECP384R1()),
        "P-521": ec.generate_private_key(ec.SECP521R1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate(),
        "Ed448": ed448.Ed448PrivateKey.generate(),
        "DSA": dsa.generate_private_key(1024),
    }
    try:
        from cryptography.hazmat.primitives.asymmetric import mldsa

        keys["ML-DSA-65"] = mldsa.MLDSA65PrivateKey.generate()
    except (ImportError, AttributeError):  # pragma: no cover  (an older cryptography; key_infos has the same form)
        pass
    return keys


def test_certificates_that_were_really_signed() -> None:
    """A certificate from a certificate library gives the key that the library was given."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api.bank.example")])
    start = datetime(2026, 11, 21, tzinfo=UTC)
    for kind, key in _real_keys().items():
        builder = x509.CertificateBuilder(name, name, key.public_key(), 7469, start, start + timedelta(days=1))  # type: ignore[attr-defined]
        is_edwards = kind.startswith(("Ed", "ML"))
        der = builder.sign(key, None if is_edwards else hashes.SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
        assert (kind, public) == (kind, SubjectPublicKeyInfo.of_certificate(der).der)
        assert CertificateSummary(
            "CN=api.bank.example", "CN=api.bank.example", "1d2d", start, start + timedelta(days=1)
        ) == (certificate_summary(der))


def test_a_version_one_certificate_has_no_version_field() -> None:
    """A version 1 certificate, whose version number is left out, gives its key."""
    der = certificate(KEY, version=b"")
    assert slice_by_asn1crypto(der) == KEY == SubjectPublicKeyInfo.of_certificate(der).der


@pytest.mark.parametrize("after", [tlv(0x81, b"\x00issuer"), tlv(0x82, b"\x00subject"), tlv(0xA3, tlv(SEQUENCE))])
def test_what_follows_the_key_does_not_matter(after: bytes) -> None:
    """Unique identifiers and extensions stand after the key and do not change it."""
    assert KEY == SubjectPublicKeyInfo.of_certificate(certificate(KEY, after=after)).der


def test_a_negative_serial_number_and_a_hostile_name_do_not_matter() -> None:
    """The key is cut out before anything is read for display (threat 24)."""
    der = certificate(KEY, serial=b"\xff\x80", subject=b"\xff\xff\xff", issuer=b"\x30\x80")
    assert KEY == SubjectPublicKeyInfo.of_certificate(der).der


# Rule 2: only what leaves no second reading.

_LONG = b"\x30\x84\xff\xff\xff\xff"
_FIELDS = [integer(1), SIGNED_BY, tlv(SEQUENCE), validity(), tlv(SEQUENCE), KEY]


def _outer(*fields: bytes) -> bytes:
    return tlv(SEQUENCE, tlv(SEQUENCE, *fields), SIGNED_BY, SIGNATURE)


@pytest.mark.parametrize(
    ("der", "reason"),
    [
        (b"", "the bytes end inside a header at byte 0"),
        (b"\x30", "the bytes end inside a header at byte 0"),
        (b"\x30\x82\x01", "the bytes end inside a value at byte 0"),
        (_LONG, "the bytes end inside a value at byte 0"),
        (b"\x30\x85\x01\x00\x00\x00\x00" + b"\x00" * 64, "a length beyond 4 GiB at byte 0"),
        (b"\x30\xff" + b"\x00" * 64, "the bytes end inside a value at byte 0"),
        (b"\x30\x80" + CERTIFICATE[2:] + b"\x00\x00", "an indefinite length (BER) at byte 0"),
        (b"\x3f\x30\x00", "a tag of more than one octet at byte 0"),
        (b"-----BEGIN CERTIFICATE-----\n" + b"A" * 64, "expected a certificate, found tag 0x2d at byte 0"),
        (CERTIFICATE + b"\x00", f"bytes after the end of the certificate at byte {len(CERTIFICATE)}"),
        (CERTIFICATE * 2, f"bytes after the end of the certificate at byte {len(CERTIFICATE)}"),
        (tlv(SEQUENCE), "the bytes end inside a header at byte 2"),
        (tlv(SEQUENCE, integer(1)), "expected a TBSCertificate, found tag 0x02 at byte 2"),
        (tlv(SEQUENCE, tlv(SEQUENCE, *_FIELDS)), "the bytes end inside a header at byte 94"),
        (
            tlv(SEQUENCE, tlv(SEQUENCE, *_FIELDS), SIGNATURE),
            "expected a signature algorithm, found tag 0x03 at byte 95",
        ),
        (
            tlv(SEQUENCE, tlv(SEQUENCE, *_FIELDS), SIGNED_BY, SIGNED_BY),
            "expected a signature, found tag 0x30 at byte 101",
        ),
        (
            tlv(SEQUENCE, tlv(SEQUENCE, *_FIELDS), SIGNED_BY, SIGNATURE, tlv(NULL)),
            "bytes after the signature at byte 169",
        ),
        (_outer(), "the bytes end inside a header at byte 4"),
        (_outer(*_FIELDS[1:]), "expected a serial number, found tag 0x30 at byte 5"),
        (_outer(*_FIELDS[:1], *_FIELDS[2:4], *_FIELDS[5:]), "the bytes end inside a header at byte 86"),
        (_outer(*_FIELDS[:5]), "the bytes end inside a header at byte 50"),
        (_outer(*_FIELDS[:5], b"\x30\x2b" + KEY[2:]), "the bytes end inside a value at byte 51"),
        (_outer(*_FIELDS[:3], b"\x30\x60" + _FIELDS[3][2:], *_FIELDS[4:]), "the bytes end inside a value at byte 17"),
        (_outer(*_FIELDS[:5], tlv(BIT_STRING, b"\x00")), "expected a subjectPublicKeyInfo, found tag 0x03 at byte 50"),
    ],
)
def test_bytes_that_are_no_certificate(der: bytes, reason: str) -> None:
    """Rule 2: whatever is not one certificate is refused, told with the place where the reading stopped."""
    with pytest.raises(CertificateParseError) as caught:
        SubjectPublicKeyInfo.of_certificate(der)
    assert f"not a certificate: {reason}" == str(caught.value)
    assert f"{caught.value.reason} at byte {caught.value.offset}" == reason


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (tlv(SEQUENCE), "the bytes end inside a header at byte 2"),
        (tlv(SEQUENCE, tlv(BIT_STRING)), "expected an algorithm, found tag 0x03 at byte 2"),
        (tlv(SEQUENCE, tlv(SEQUENCE)), "the bytes end inside a header at byte 4"),
        (tlv(SEQUENCE, tlv(SEQUENCE, tlv(NULL))), "expected an algorithm's identifier, found tag 0x05 at byte 4"),
        (tlv(SEQUENCE, algorithm("1.3.101.112")), "the bytes end inside a header at byte 9"),
        (tlv(SEQUENCE, algorithm("1.3.101.112"), tlv(0x23)), "expected a public key, found tag 0x23 at byte 9"),
        (
            tlv(SEQUENCE, algorithm("1.3.101.112"), tlv(BIT_STRING), b"\x05\x00"),
            "bytes after the public key at byte 11",
        ),
        (KEY + b"\x00", "bytes after the end of the subjectPublicKeyInfo at byte 44"),
    ],
)
def test_bytes_that_are_no_key(key: bytes, reason: str) -> None:
    """Rule 2: a subjectPublicKeyInfo is one algorithm and one BIT STRING, and nothing else."""
    with pytest.raises(CertificateParseError) as caught:
        SubjectPublicKeyInfo(key)
    assert f"not a certificate: {reason}" == str(caught.value)


@pytest.mark.parametrize("key", [bytearray(KEY), memoryview(KEY), KEY.decode("latin-1"), None])
def test_a_key_is_bytes_that_cannot_change(key: object) -> None:
    """A key made from a mutable buffer could change after it was checked, and is refused."""
    with pytest.raises(TypeError, match="a subjectPublicKeyInfo is DER bytes, found "):
        SubjectPublicKeyInfo(key)  # type: ignore[arg-type]


@pytest.mark.parametrize("octets", [1, 2, 4, 100, 127])
def test_a_long_winded_length_is_read_as_openssl_reads_it(octets: int) -> None:
    """BER lengths with leading zeros are taken by OpenSSL, and give the same octets here."""
    content = CERTIFICATE[2 + (CERTIFICATE[1] & 0x7F) :]
    der = b"\x30" + bytes([0x80 | octets]) + len(content).to_bytes(octets) + content if octets > 1 else CERTIFICATE
    assert KEY == SubjectPublicKeyInfo.of_certificate(der).der


def test_the_error_survives_a_process_boundary() -> None:
    """The error pickles and copies with its reason, its offset and the same text."""
    error = CertificateParseError("a reason", offset=7)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (str(error), "a reason", 7) == (str(again), again.reason, again.offset)


def test_keys_are_values() -> None:
    """Two keys of the same bytes are one key, in sets and across processes."""
    key = SubjectPublicKeyInfo(KEY)
    assert {key} == {SubjectPublicKeyInfo.of_certificate(CERTIFICATE), pickle.loads(pickle.dumps(key))}


@given(st.binary(max_size=400))
@example(CERTIFICATE[:-1])
def test_any_bytes_are_a_key_or_the_one_error(der: bytes) -> None:
    """Rule 2: no bytes raise anything but CertificateParseError."""
    try:
        assert SubjectPublicKeyInfo.of_certificate(der).der in der
    except CertificateParseError as error:
        assert 0 <= error.offset <= len(der)


def test_giant_input_costs_no_more_than_its_hash() -> None:
    """Threat 14: fifty megabytes of junk around a key are skipped, never walked."""
    giant = certificate(KEY, subject=attribute(b"x" * 50_000_000), after=tlv(0xA3, b"\x30\x00" * 1000))
    started = time.process_time()
    assert KEY == SubjectPublicKeyInfo.of_certificate(giant).der
    assert time.process_time() - started < 0.2


# Rule 3: what is read for display never raises.


def subject(*attributes: bytes) -> str:
    """Return the subject that is shown of a certificate with these attributes."""
    return certificate_summary(certificate(KEY, subject=b"".join(attributes))).subject


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ([], "(no name)"),
        ([attribute(b"api.bank.example")], "CN=api.bank.example"),
        ([attribute(b"Bank", kind="2.5.4.10"), attribute(b"a", kind="2.5.4.3")], "CN=a, O=Bank"),
        ([attribute(b"DE", tag=0x13, kind="2.5.4.6"), attribute(b"B", kind="2.5.4.8")], "C=DE, ST=B"),
        ([attribute(b"x", kind="1.2.3.4")], "oid:2a0304=x"),
        ([attribute("Bäcker".encode())], "CN=B\\xe4cker"),
        ([attribute("Bäcker".encode("latin-1"), tag=0x14)], "CN=B\\xe4cker"),
        ([attribute("Bäcker".encode("latin-1"))], "CN=B\\\\xe4cker"),
        ([attribute("Bäcker".encode("utf-16-be"), tag=0x1E)], "CN=B\\xe4cker"),
        ([attribute(b"\x00B\x00", tag=0x1E)], "CN=B\\\\x00"),
        ([attribute(b"\xd8\x00\x00B", tag=0x1E)], "CN=\\\\xd8\\\\x00B"),
        ([attribute("B".encode("utf-32-be"), tag=0x1C)], "CN=B"),
        ([attribute(b"\x00\x11\x00\x00", tag=0x1C)], "CN=\\\\x00\\\\x11\\\\x00\\\\x00"),
        ([attribute(b"\xe4", tag=0x16)], "CN=\\\\xe4"),
        ([attribute(b"\x1b[2J\r\n\x00")], "CN=\\x1b[2J\\x0d\\x0a\\x00"),
        ([attribute("\u202emoc.elgoog".encode())], "CN=\\u202emoc.elgoog"),
        ([attribute(b"${jndi:ldap://x} %s {0} <script>")], "CN=${jndi:ldap://x} %s {0} <script>"),
        ([tlv(SET, *[tlv(SEQUENCE, identifier("2.5.4.11"), tlv(0x0C, unit)) for unit in (b"a", b"b")])], "OU=a, OU=b"),
        ([b"\x31"], "(unreadable)"),
        ([tlv(SET)], "(unreadable)"),
        ([tlv(SET, b"\x30\x80")], "(unreadable)"),
        ([tlv(SET, tlv(SEQUENCE, identifier("2.5.4.3")))], "(unreadable)"),
        ([tlv(SET, tlv(SEQUENCE, identifier("2.5.4.3"), *[tlv(NULL)] * 9))], "(unreadable)"),
    ],
)
def test_names_as_they_are_shown(attributes: list[bytes], shown: str) -> None:
    """Rule 3: every string type, and every wrong use of one, is shown in printable ASCII; the common name comes first."""
    assert shown == subject(*attributes)


def _units(count: int) -> list[bytes]:
    return [attribute(b"%d" % number, kind="2.5.4.11") for number in range(count)]


def test_a_name_of_many_parts() -> None:
    """Of a name with 20 attributes the common name and seven more are shown, and how many were not."""
    shown = subject(*_units(19), attribute(b"me"))
    assert "CN=me, OU=0, OU=1, OU=2, OU=3, OU=4, OU=5, OU=6, and 12 more" == shown


def test_a_name_of_two_thousand_parts() -> None:
    """Rule 4: after 32 attributes nothing is read any more, and the text says that there are more."""
    shown = subject(*_units(31), attribute(b"me"), *_units(2000), b"never read")
    assert "CN=me, OU=0, OU=1, OU=2, OU=3, OU=4, OU=5, OU=6, and more" == shown


def test_a_name_of_eight_thousand_parts_costs_no_more_than_one_of_forty() -> None:
    """Rule 4: a forged report is full of such names, and its author pays nothing for them."""
    short, long = (certificate(KEY, subject=b"".join(_units(count))) for count in (40, 8000))
    assert _steps(short) == _steps(long)


def _steps(der: bytes) -> int:
    """Return how many functions are called to show a certificate."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    certificate_summary(der)  # Python imports a module of its own when it first reads a date.
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        certificate_summary(der)
    finally:
        sys.setprofile(before)
    return calls


def test_a_name_is_shown_in_two_hundred_characters() -> None:
    """A long name is cut, and says so."""
    shown = subject(*[attribute(b"%d" % number * 99) for number in range(8)])
    assert (200, "CN=" + "0" * 93 + "..., CN=", "...") == (len(shown), shown[:104], shown[-3:])


@pytest.mark.parametrize(
    "name",
    [
        attribute(b"\xff" * 1_000_000),
        attribute(b"ab") * 75_000,
        tlv(SET) * 500_000,
        tlv(SET, tlv(SEQUENCE, b"\x04\x00" * 500_000)),
        attribute(b"x", kind="1.3" + ".1" * 1000),
    ],
    ids=["one value", "many names", "empty sets", "many values", "long identifier"],
)
def test_a_megabyte_of_name_costs_linear_time(name: bytes) -> None:
    """Threat 14: a megabyte of name is shown in bounded text and in a time that grows with its length alone."""
    started = time.process_time()
    assert len(subject(name)) <= 200
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("times", "not_before", "not_after"),
    [
        (
            validity(b"491231235959Z", b"500101000000Z"),
            datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
            datetime(1950, 1, 1, tzinfo=UTC),
        ),
        (
            validity(b"20500101000000Z", b"99991231235959Z", GENERALIZED_TIME),
            datetime(2050, 1, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        ),
        (validity(b"240230000000Z", b"240229000000Z"), None, datetime(2024, 2, 29, tzinfo=UTC)),
        (validity(b"250101000060Z", b"251301000000Z"), None, None),
        (validity(b"2501010000Z", b"250101000000+0100"), None, None),
        (validity(b"00000101000000Z", b"20250101000000.5Z", GENERALIZED_TIME), None, None),
        (validity(b"25 101000000Z", b"2501010000\xb20Z"), None, None),
        (validity(b"zz0101000000Z", b""), None, None),
        (validity(b"250101000000z", b"2501010000000"), None, None),
        (validity(tag=0x0C), None, None),
        (tlv(SEQUENCE), None, None),
        (tlv(SEQUENCE, b"\x17\x80"), None, None),
        (tlv(SEQUENCE, *[tlv(0x17, b"250101000000Z")] * 3), None, None),
    ],
)
def test_times_as_they_are_shown(times: bytes, not_before: datetime | None, not_after: datetime | None) -> None:
    """A time is read in the one form that RFC 5280 allows, and otherwise not at all."""
    summary = certificate_summary(certificate(KEY, times=times))
    assert (not_before, not_after) == (summary.not_before, summary.not_after)


def test_a_serial_number_is_shown_in_hexadecimal_and_bounded() -> None:
    """A serial number is shown as it is written, negative ones too, at most 64 characters long."""
    assert "ff80" == certificate_summary(certificate(KEY, serial=b"\xff\x80")).serial
    assert "ab" * 30 + "a..." == certificate_summary(certificate(KEY, serial=b"\xab" * 1_000_000)).serial


def test_a_summary_of_no_certificate() -> None:
    """Rule 3: bytes that are no certificate have a summary too."""
    assert CertificateSummary(*["(unreadable)"] * 3, None, None) == certificate_summary(b"junk")  # type: ignore[arg-type]


@given(st.binary(max_size=200), st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=40))
def test_any_fields_have_a_summary(name: bytes, issuer: bytes, times: bytes, serial: bytes) -> None:
    """Rule 3: whatever stands in the fields, every text of the summary is printable ASCII and bounded."""
    der = certificate(key_info("1.2.3", b""), subject=name, issuer=issuer, times=tlv(SEQUENCE, times), serial=serial)
    summary = certificate_summary(der)
    for text in (summary.subject, summary.issuer, summary.serial):
        assert (True, True, True) == (text.isascii(), text.isprintable(), len(text) <= 200)


@given(st.text(max_size=300))
def test_any_name_has_a_summary(name: str) -> None:
    """Rule 3: any text, lone surrogates included, can be a name."""
    shown = subject(attribute(name.encode("utf-8", "surrogatepass")))
    assert (True, True, "CN=") == (shown.isascii(), shown.isprintable(), shown[:3])


def test_certificates_of_different_names_have_different_keys() -> None:
    """The certificates that the other tests are made from differ in everything."""
    first, second = named("a"), named("b")
    assert SubjectPublicKeyInfo.of_certificate(first) != SubjectPublicKeyInfo.of_certificate(second)
    assert "CN=a" == certificate_summary(first).subject
