"""What is read of one certificate."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from pinscher.rotation.survival import Graph, UnreadableCertificateError, read_certificate
from pinscher.rotation.survival.certificate import Names
from pinscher.rotation.survival.graph import GraphTooLargeError, is_signed_by
from tests.certificates import certificate as rough
from tests.certificates import key_infos
from tests.unit.rotation.survival.worlds import AT, LATER, LONG_AGO, certified, leaf, root

ROOT = root("A Root")


@given(st.binary(max_size=300))
@example(b"")
@example(rough(key_infos()["p-256"]))
@example(ROOT.der[:-1])
@example(ROOT.der + b"\x00")
def test_any_bytes_are_read_or_refused(der: bytes) -> None:
    """Bytes are a certificate or one error, whatever they are."""
    try:
        assert der == read_certificate(der).der
    except UnreadableCertificateError as error:
        assert error.reason


@given(st.integers(0, len(ROOT.der) - 1), st.integers(1, 255))
def test_a_damaged_certificate_is_read_or_refused(place: int, change: int) -> None:
    """A certificate with one octet changed is read or refused with the one error."""
    der = bytearray(ROOT.der)
    der[place] ^= change
    try:
        read_certificate(bytes(der))
    except UnreadableCertificateError as error:
        assert error.reason


def test_certificate_is_known_by_its_bytes() -> None:
    """Two readings of the same bytes are the same certificate, and what it shows is escaped."""
    read_certificate.cache_clear()
    again = read_certificate(ROOT.der)
    assert (ROOT, hash(ROOT)) == (again, hash(again))
    assert root("Other") != again
    assert again != "Other"
    assert "<Certificate CN=evil\\x1b[2J>" == repr(root("evil\x1b[2J"))


@pytest.mark.parametrize(
    ("hosts", "asked", "covered"),
    [
        (("api.bank.example",), "api.bank.example", True),
        (("*.bank.example",), "api.bank.example", True),
        (("*.bank.example",), "a.api.bank.example", False),
        (("*.bank.example",), "bank.example", False),
        (("*.",), "localhost", False),
        (("other.example",), "api.bank.example", False),
    ],
)
def test_names_cover_a_host_as_tls_does(hosts: tuple[str, ...], asked: str, *, covered: bool) -> None:
    """A star in a certificate stands for one whole label."""
    assert covered == Names(hosts).cover(asked)


def test_names_cover_an_address_by_its_value() -> None:
    """An address is covered by the same address and by no name."""
    names = Names(("127.0.0.1",), (ipaddress.ip_address("::1"),))
    assert (True, False) == (names.cover("::1"), names.cover("127.0.0.1"))


@pytest.mark.parametrize(
    ("permitted", "excluded", "names", "permits"),
    [
        (["10.0.0.0/8"], None, ["10.1.2.3"], True),
        (["10.0.0.0/8"], None, ["11.1.2.3"], False),
        (["10.0.0.0/8"], None, ["::1"], False),
        (None, ["10.0.0.0/8"], ["10.1.2.3"], False),
        (None, ["10.0.0.0/8"], ["::1"], True),
    ],
)
def test_addresses_are_held_to_name_constraints(
    permitted: list[str] | None, excluded: list[str] | None, names: list[str], *, permits: bool
) -> None:
    """A constraint on addresses is a network, of one family."""

    def trees(networks: list[str] | None) -> list[x509.GeneralName] | None:
        return networks and [x509.IPAddress(ipaddress.ip_network(one)) for one in networks]  # type: ignore[return-value]

    one = certified("x", "y", extensions=[(x509.NameConstraints(trees(permitted), trees(excluded)), True)])
    assert permits == one.permits(Names((), tuple(map(ipaddress.ip_address, names))))


def test_issuer_addresses_are_those_of_the_issuers() -> None:
    """Of the places that a certificate names, those of its issuer count, and not those of its OCSP responder."""
    places = [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://a.example/i")
        ),
        x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://a.example/o")
        ),
        x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, x509.DNSName("a.example")),
    ]
    one = certified("x", "y", extensions=[(x509.AuthorityInformationAccess(places), False)])
    assert ("http://a.example/i",) == one.issuer_addresses


def _spelt(kind: _ASN1Type, text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, _type=kind)])


@pytest.mark.parametrize("kind", ["rsa", "rsa-pss", "ed25519", "ed448"])
def test_name_spelt_otherwise_is_the_same_issuer(kind: str) -> None:
    """A name in another string type, case and spacing is the same name, and its signature is verified with any key."""
    private = {"ed25519": ed25519.Ed25519PrivateKey, "ed448": ed448.Ed448PrivateKey}.get(kind)
    signing = private.generate() if private else rsa.generate_private_key(65537, 2048)
    digest = None if private else hashes.SHA256()
    more = {"rsa_padding": padding.PSS(padding.MGF1(hashes.SHA256()), 32)} if kind == "rsa-pss" else {}

    def built(subject: x509.Name, issuer: x509.Name) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(signing.public_key())
            .serial_number(1).not_valid_before(LONG_AGO).not_valid_after(LATER)
        )  # fmt: skip

    name = _spelt(_ASN1Type.UTF8String, "Lab  ROOT")
    issuer = built(name, name).sign(signing, digest, **more)
    subject = built(_spelt(_ASN1Type.UTF8String, "x"), _spelt(_ASN1Type.PrintableString, "lab root")).sign(
        signing, digest, **more
    )
    above, below = (read_certificate(one.public_bytes(Encoding.DER)) for one in (issuer, subject))
    assert is_signed_by(below, above)
    assert not is_signed_by(below, ROOT)
    assert (1,) == Graph([below, above]).issuers(0)


def test_same_name_and_another_key_signed_nothing() -> None:
    """A twin with the name and another key is no issuer, also where the name is spelt otherwise."""
    twin = certified("A  ROOT", "A Root", held="twin", signer="twin")
    graph = Graph([leaf("A Root"), twin, ROOT])
    assert (2,) == graph.issuers(0)


def test_graph_has_a_limit_of_signatures() -> None:
    """A thousand keys under one name are not all tried."""
    twins = [certified("A Root", "A Root", held=f"twin {number}") for number in range(5)]
    graph = Graph([leaf("A Root"), *twins], most_signatures=3)
    with pytest.raises(GraphTooLargeError, match="more than 3 signatures"):
        graph.issuers(0)


def test_graph_has_a_limit_of_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """More certificates than the limit are refused at once."""
    monkeypatch.setattr("pinscher.rotation.survival.graph.MOST_CERTIFICATES", 1)
    with pytest.raises(GraphTooLargeError, match="more than 1 certificates, found 2"):
        Graph([ROOT, leaf("A Root")])


def test_root_of_version_1_may_issue() -> None:
    """A root so old that it has no extensions is an authority to OpenSSL, and an intermediate without them is none."""
    old = certified("Old", "Old")
    assert old.can_issue()
    builder = rough(key_infos()["p-256"], version=b"")
    with pytest.raises(UnreadableCertificateError):
        read_certificate(builder[:-2])
    assert not certified("Old", "Old", ca=False).can_issue()
    assert not certified("x", "y", not_after=AT + timedelta(days=1), ca=False).can_issue()
