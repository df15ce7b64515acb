"""Signs on a leaf: what public CAs never do, what a rotation keeps, and pins that are nearly right."""

from __future__ import annotations

import base64
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.der import SubjectPublicKeyInfo
from pinscher.diagnosis import Facts, diagnose
from pinscher.diagnosis.evidence import Evidence
from pinscher.diagnosis.history import has_copied_serial, is_copy, is_due, is_newer
from pinscher.diagnosis.miswritten import mistake_in
from pinscher.diagnosis.particulars import Particulars, particulars
from pinscher.diagnosis.public import is_too_wide, lacks, public_custom
from pinscher.pin import Pin
from pinscher.verdict import refusal
from tests.certificates import OCTET_STRING, SEQUENCE, certificate, identifier, tlv

from .scene import AT, HOST, Authority, Holder, Scene

Genuine = tuple[Holder, Holder, Holder]


@pytest.mark.parametrize(
    ("issued", "days"),
    [("2011-01-01", None), ("2013-01-01", 1827), ("2016-01-01", 1188), ("2019-06-01", 825), ("2020-09-01", 398),
     ("2026-03-14", 398), ("2026-03-15", 200), ("2028-01-01", 100), ("2030-01-01", 47)],
)  # fmt: skip
def test_the_limit_on_a_lifetime_is_that_of_its_day(issued: str, days: int | None) -> None:
    """A certificate is held against the limit of the day on which it began."""
    longest = public_custom().longest(datetime.fromisoformat(issued).replace(tzinfo=UTC))
    assert longest == (None if days is None else timedelta(days=days))


def test_what_cannot_be_read_lacks_nothing() -> None:
    """Nothing is said of a leaf whose dates, or whose extensions, cannot be read."""
    assert [] == list(lacks(Particulars()))
    unread = Particulars(not_before=AT, not_after=AT + timedelta(days=9), serial=bytes(9), has_extensions=False)
    assert [] == list(lacks(unread))


@pytest.mark.parametrize(("name", "is_wide"), [("*", True), ("*.com", True), ("*.a.com", False), ("com", False)])
def test_a_wildcard_over_a_top_level_domain_is_too_wide(name: str, *, is_wide: bool) -> None:
    """No public CA certifies every host, or every host of a top-level domain."""
    assert is_wide is is_too_wide(name)


def test_without_dates_no_renewal_is_due(authority: Authority) -> None:
    """A leaf whose dates are unknown is neither due for renewal nor newer, and copies nothing."""
    leaf = particulars(authority.issue(None, HOST).der)
    assert not is_due(Particulars(), AT)
    assert not is_newer(leaf, Particulars())
    assert not is_newer(Particulars(), leaf)
    assert not is_copy(Particulars(), Particulars())


@pytest.mark.parametrize(("days", "is_in_time"), [(59, False), (61, True), (200, True)])
def test_a_renewal_is_due_in_the_last_third(days: int, *, is_in_time: bool) -> None:
    """A certificate of ninety days is due for renewal from its sixtieth day on."""
    before = Particulars(not_before=AT, not_after=AT + timedelta(days=90))
    assert is_in_time is is_due(before, AT + timedelta(days=days))


def test_a_short_serial_number_may_repeat(authority: Authority) -> None:
    """Serial numbers that are counted may be the same by chance; long ones may not."""
    long = particulars(authority.issue(None, HOST).der)
    assert has_copied_serial(long, long)
    short = dataclasses.replace(long, serial=b"\x07")
    assert not has_copied_serial(short, short)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:42].swapcase() + text[42:], "with capitals and small letters mixed up"),
        (lambda text: ("A" if text[0] != "A" else "B") + text[1:], "with 1 wrong characters"),
        (lambda text: text[10:42] + text[:10] + text[42:], None),
    ],
    ids=["case", "one letter", "turned round"],
)
def test_a_pin_that_is_nearly_right_is_a_mistake(genuine: Genuine, change: object, said: str | None) -> None:
    """A pin that only a slip can explain is told as one, and any other digest is not."""
    right = base64.b64encode(genuine[0].pin.digest).decode()
    written = change(right)[:43] + "="  # type: ignore[operator]
    pin = Pin(base64.b64decode(written))
    found = mistake_in([pin], (genuine[0].der,), (genuine[0].pin.digest,))
    assert found == (None if said is None else f"the digest of the key on this chain {said}")


def test_a_pin_of_the_key_written_as_a_certificates_is_a_mistake(genuine: Genuine) -> None:
    """The digest of a key, written as that of a certificate, is a mistake, and an unreadable key makes none."""
    pin = Pin.parse(f"cert-{genuine[0].pin}")
    found = mistake_in([pin], (genuine[0].der,), (genuine[0].pin.digest,))
    assert found == "the digest of the key on this chain, written as that of a certificate"
    assert mistake_in([genuine[0].pin], (b"junk",), (None,)) is None


def test_the_facts_of_a_leaf_stand_beside_the_cause(scene: Scene, genuine: Genuine, authority: Authority) -> None:
    """A minted leaf is told with its age, its names, its key against the one before, and what it no longer carries."""
    before = authority.issue(genuine[1], HOST, logged=True)
    root = authority.root("Some Root")
    leaf = authority.issue(root, HOST, days=(-0.01, 9), hosts=["*.com"])
    facts = Facts(
        last_accepted=ValidatedChain([before.der, genuine[1].der]), presented=PresentedChain([genuine[0].der])
    )
    told = diagnose(scene.judged(leaf.der, root.der), facts).facts
    assert (
        "the leaf is valid only since 2026-11-21 11:45 UTC, 14 minutes before, as certificates minted on the fly are"
        in told
    )
    assert "the leaf is for *.com, which no public CA certifies" in told
    assert "the leaf's key is of the type accepted before (EC P-256)" in told
    assert "the leaf accepted before carried proofs of logging (SCTs), this one does not" in told
    assert "the leaf accepted before is valid until 2027-01-20 12:00 UTC" in told
    assert "a pinned key stands among the certificates presented, which proves nothing: anybody can send them" in told


def test_another_type_of_key_and_many_names_are_told(scene: Scene, genuine: Genuine, authority: Authority) -> None:
    """An unreadable key against a known one is told, and a leaf for hundreds of names."""
    root = authority.root("Some Root")
    before = ValidatedChain([genuine[0].der, genuine[1].der])
    many = authority.issue(root, HOST, hosts=[f"host{number}.test" for number in range(150)])
    assert "the leaf is for more than 100 names" in diagnose(scene.judged(many.der, root.der)).facts
    told = diagnose(scene.judged(b"junk", root.der), Facts(last_accepted=before)).facts
    assert "the leaf's key is unreadable, the one accepted before was EC P-256" in told


def test_a_key_of_another_entry_is_told_with_its_host(genuine: Genuine, authority: Authority) -> None:
    """A leaf whose key the policy pins for another host is told with that host."""
    other = authority.issue(genuine[1], HOST)
    scene = Scene([genuine[0].pin], entry=f'[hosts."other.test"]\npins = ["{other.pin}"]')
    told = diagnose(scene.judged(other.der, genuine[1].der)).facts
    assert "the leaf's key is pinned for other.test in the same policy" in told


def test_a_leaf_in_no_other_entry_is_told_of_none(genuine: Genuine, authority: Authority) -> None:
    """An entry that pins nothing, or other keys, is not told of."""
    scene = Scene([genuine[0].pin], entry='[hosts."other.test"]\nunpinned = "a test"')
    told = diagnose(scene.judged(authority.issue(genuine[1], HOST).der, genuine[1].der)).facts
    assert not any("in the same policy" in fact for fact in told)


def test_a_host_without_an_entry_has_no_pinned_key_presented(genuine: Genuine) -> None:
    """A refusal of a host that the policy does not list tells of no pin among what was presented."""
    scene = Scene([genuine[0].pin])
    verdict = refusal(scene.policy, host="other.test", at=AT, detail="refused")
    facts = Facts(verify_code=20, presented=PresentedChain([genuine[0].der]))
    assert not any("presented" in fact for fact in diagnose(verdict, facts).facts)


def test_a_connection_without_a_host_is_no_inner_one(genuine: Genuine, authority: Authority) -> None:
    """Without a usable host name nothing speaks for a private CA."""
    evidence = Evidence(refusal(Scene([genuine[0].pin]).policy, host=None, at=AT, detail="refused"), Facts())
    assert not evidence.is_private_host
    assert evidence.pinned_elsewhere is None


def test_what_follows_the_key_may_come_before_the_extensions(genuine: Genuine) -> None:
    """A field between the key and the extensions is passed over, and the extensions are found."""
    key = SubjectPublicKeyInfo.of_certificate(genuine[0].der).der
    listed = tlv(SEQUENCE, tlv(SEQUENCE, identifier("1.3.6.1.4.1.11129.2.4.2"), tlv(OCTET_STRING, b"")))
    assert particulars(certificate(key, after=tlv(0x81, b"\0\1") + tlv(0xA3, listed))).has_scts
