"""Every path that a client could build from certificates in files."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pinscher.chain import PresentedChain
from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.encoding import pem
from pinscher.probe import Trust
from pinscher.probe.buildable import TooManyPathsError, buildable_paths, names_of, roots_of
from pinscher.probe.paths import UnverifiedPathError, verified_path
from tests.certificates import named

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime.now(UTC)
ROOT = Authority.root("Root")
MIDDLE = ROOT.intermediate("Middle")
HELD = MIDDLE.issue("api.test", "*.x.test", "127.0.0.1")


def _paths(held: HeldCertificate, others: list[bytes], roots: list[bytes], **more: object) -> list[tuple[bytes, ...]]:
    told = {"host": "api.test", "at": AT} | more
    built = buildable_paths(held.der, others, roots, **told)  # type: ignore[arg-type]
    return [chain.certificates for chain in built.validated]


@pytest.mark.parametrize("host", ["api.test", "y.x.test", "127.0.0.1"])
def test_one_path_is_validated(host: str) -> None:
    """A leaf, its intermediate and a trusted root are one path, for each host that the leaf names."""
    others = [ROOT.certificate, MIDDLE.certificate, HELD.der]
    assert [(HELD.der, MIDDLE.certificate, ROOT.certificate)] == _paths(HELD, others, [ROOT.certificate], host=host)


def test_every_path_over_a_cross_sign_is_found() -> None:
    """An intermediate that two roots certify, and a root that another has cross-signed, are a path each."""
    other, third = Authority.root("Other"), Authority.root("Third")
    crossed, twice = MIDDLE.cross_signed_by(other), ROOT.cross_signed_by(third)
    others = [MIDDLE.certificate, crossed.certificate, twice.certificate]
    roots = [ROOT.certificate, other.certificate, third.certificate]
    assert {
        (HELD.der, MIDDLE.certificate, ROOT.certificate),
        (HELD.der, crossed.certificate, other.certificate),
        (HELD.der, MIDDLE.certificate, twice.certificate, third.certificate),
    } == set(_paths(HELD, others, roots))


def test_path_over_an_expired_cross_sign_is_none() -> None:
    """A certificate past its dates is on no path, at that moment, and was on one before."""
    old = ROOT.reissued(not_before=AT - timedelta(days=60), not_after=AT - timedelta(days=30))
    held = dataclasses.replace(ROOT).issue("api.test", not_before=AT - timedelta(days=50))
    roots = [ROOT.certificate, old.certificate]
    assert [(held.der, ROOT.certificate)] == _paths(held, [], roots)
    assert [(held.der, old.certificate)] == _paths(held, [], roots, at=AT - timedelta(days=40))
    assert () == buildable_paths(held.der, [], roots, host="api.test", at=AT).doubtful


def test_trusted_intermediate_is_the_end_of_a_path() -> None:
    """Whatever is trusted ends a path, as a client that trusts an intermediate would."""
    assert [(HELD.der, MIDDLE.certificate)] == _paths(HELD, [], [MIDDLE.certificate])


def test_forged_issuer_is_on_no_path() -> None:
    """A leaf that names an authority which did not sign it has no path, and the reason names that issuer."""
    forged = MIDDLE.forged_issuer("api.test")
    built = buildable_paths(forged.der, [MIDDLE.certificate], [ROOT.certificate], host="api.test", at=AT)
    assert ((), ()) == (built.validated, built.doubtful)
    assert "no certificate at hand, in its dates, is the issuer CN=Middle, and no trusted root is" == built.reason


@pytest.mark.parametrize(
    ("others", "roots", "at", "reason"),
    [
        ([], [ROOT.certificate], AT, "is the issuer CN=Middle,"),
        ([MIDDLE.certificate], [], AT, "is the issuer CN=Root,"),
        ([MIDDLE.certificate, ROOT.certificate], [], AT, "is the issuer CN=Root,"),
        ([MIDDLE.certificate], [ROOT.certificate], AT + timedelta(days=30), "the certificate is not valid at this"),
        ([b"no certificate"], [b"none"], AT, "is the issuer CN=Middle,"),
    ],
)
def test_what_is_missing_is_said(others: list[bytes], roots: list[bytes], at: datetime, reason: str) -> None:
    """Where there is no path, the reason says what is missing: an intermediate, a root, or the right moment."""
    built = buildable_paths(HELD.der, others, roots, host="api.test", at=at)
    assert ((), (), True) == (built.validated, built.doubtful, reason in built.reason)


def test_path_that_the_verifier_refuses_is_doubtful() -> None:
    """A path with the right signatures and dates, but another host, is shown with the verifier's reason."""
    built = buildable_paths(HELD.der, [MIDDLE.certificate], [ROOT.certificate], host="other.test", at=AT)
    ((chain, reason),) = built.doubtful
    assert (PresentedChain((HELD.der, MIDDLE.certificate, ROOT.certificate)), ()) == (chain, built.validated)
    assert ("the verifier refuses every path", True) == (built.reason, "subject" in reason)


def test_leaf_that_issues_is_no_authority() -> None:
    """A path over a server's certificate that signed another is refused by the verifier, and never validated."""
    below = HELD.as_authority().issue("api.test")
    others = [HELD.der, MIDDLE.certificate]
    built = buildable_paths(below.der, others, [ROOT.certificate], host="api.test", at=AT)
    assert ((), 1) == (built.validated, len(built.doubtful))


def test_certificate_that_cannot_be_read_has_no_path() -> None:
    """Bytes that are no certificate, or one of a key that nobody knows, have no path and no names."""
    for der in (b"", b"0", named("x")):
        assert "the certificate cannot be read" == buildable_paths(der, [], [], host="api.test", at=AT).reason
        assert () == names_of(der)


def test_too_many_paths_are_an_error() -> None:
    """Certificates that lead to more paths than are looked at are an error, and not a long wait."""
    authority, others = ROOT, list[bytes]()
    for level in range(6):
        authority = authority.intermediate(f"Level {level}")
        others += [authority.reissued().certificate for _ in range(4)]
    held = authority.issue("api.test")
    with pytest.raises(TooManyPathsError, match="more than 1000 paths"):
        buildable_paths(held.der, others, [ROOT.certificate], host="api.test", at=AT)


def test_circle_of_cross_signs_ends() -> None:
    """Two authorities that cross-signed each other are no endless path."""
    other = Authority.root("Other")
    others = [ROOT.cross_signed_by(other).certificate, other.cross_signed_by(ROOT).certificate, MIDDLE.certificate]
    found = _paths(HELD, others, [ROOT.certificate, other.certificate])
    assert [3, 4] == sorted(map(len, found))
    built = buildable_paths(HELD.der, others, [ROOT.certificate, other.certificate], host="api.test", at=AT)
    assert () == built.doubtful
    assert "is the issuer" in buildable_paths(HELD.der, others, [], host="api.test", at=AT).reason


def test_names_of_a_certificate() -> None:
    """A certificate's hosts are its alternative names alone; one without them names nobody."""
    assert ("api.test", "*.x.test", "127.0.0.1") == names_of(HELD.der)
    assert () == names_of(ROOT.certificate)


def test_roots_of_a_file_are_those_in_it(tmp_path: Path) -> None:
    """The roots of a trust in a file are the file's and no others; the platform's are read without a warning."""
    (tmp_path / "ca.pem").write_bytes(pem("CERTIFICATE", ROOT.certificate))
    assert (ROOT.certificate,) == roots_of(Trust.of(tmp_path / "ca.pem"))


def test_roots_in_a_directory_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform's directory of roots is read too, whatever else lies in it; one that is not there holds none."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert () == roots_of(Trust.of(None))
    (tmp_path / "root.pem").write_bytes(pem("CERTIFICATE", ROOT.certificate) + pem("X509 CRL", b"crl"))
    (tmp_path / "broken.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
    (tmp_path / "other").mkdir()
    assert (ROOT.certificate,) == roots_of(Trust.of(None))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "gone"))
    assert () == roots_of(Trust.of(None))


def test_verifier_says_why_it_refuses() -> None:
    """A path that is none is refused with the verifier's words, and a way round a needless certificate is no path."""
    load = x509.load_der_x509_certificate
    path = [load(HELD.der), load(MIDDLE.certificate), load(ROOT.certificate)]
    with pytest.raises(UnverifiedPathError, match="this is not a validated path"):
        verified_path([path[0], path[2]], host="api.test", at=AT)
    with pytest.raises(UnverifiedPathError, match="the verifier took a shorter way"):
        verified_path([path[0], path[1], path[1], path[2]], host="api.test", at=AT)
