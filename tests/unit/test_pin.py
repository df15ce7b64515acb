"""A pin has one text, a set of pins is a value, and what can never match is refused."""

from __future__ import annotations

import base64
import copy
import hashlib
import pickle
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pinscher import pin as under_test
from pinscher.der import CertificateParseError, SubjectPublicKeyInfo
from pinscher.pin import InvalidPinError, Pin, PinKind, PinSet, spki_sha256
from tests.certificates import certificate, key_info, named

if TYPE_CHECKING:
    from collections.abc import Callable

DIGESTS = st.binary(min_size=32, max_size=32)
PINS = st.builds(Pin, DIGESTS, kind=st.sampled_from(PinKind))
ZEROS = "A" * 43 + "="
A, B, C, D = (Pin(hashlib.sha256(letter).digest()) for letter in (b"a", b"b", b"c", b"d"))


# Rule 2: one text, and no other.


@given(PINS)
def test_a_pin_is_read_as_it_is_written(pin: Pin) -> None:
    """Rule 2: reading the text of a pin gives the pin."""
    assert pin == Pin.parse(str(pin))


@given(PINS, PINS)
def test_two_pins_never_share_a_text(one: Pin, other: Pin) -> None:
    """Rule 2: pins are equal exactly when their texts are."""
    assert (one == other) == (str(one) == str(other))


BASE64 = "ABCDwxyz0189+/-_=\n "


@given(
    st.one_of(
        st.text(max_size=70),
        st.text(BASE64, max_size=48).map("sha256/".__add__),
        PINS.flatmap(
            lambda pin: st.integers(0, len(str(pin))).flatmap(
                lambda place: st.text(BASE64, max_size=2).map(
                    lambda text: str(pin)[:place] + text + str(pin)[place + len(text) :]
                )
            )
        ),
    )
)
@example("sha256/" + "A" * 42 + "B=")
@example("sha256/" + "A" * 42 + "==")
def test_any_text_is_the_text_of_a_pin_or_the_one_error(text: str) -> None:
    """Rule 2: whatever is read as a pin is written back as the very same text."""
    try:
        assert text == str(Pin.parse(text))
    except InvalidPinError as error:
        assert text == error.pin
        assert str(error).isascii()
        assert str(error).isprintable()


def test_a_pin_as_other_programs_make_it() -> None:
    """The text is what 'openssl dgst -sha256 -binary | base64' prints, behind its kind."""
    key = key_info("1.2.3", b"x")
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    assert "sha256/" + digest == str(Pin.of(certificate(key)))
    whole = base64.b64encode(hashlib.sha256(certificate(key)).digest()).decode()
    assert "cert-sha256/" + whole == str(Pin.of(certificate(key), kind="certificate"))


_SHAPE = "a pin is 'sha256/<base64>' of a public key or 'cert-sha256/<base64>' of a certificate"
_WRITE = "write it as 'sha256/<base64>', lower case, without quotes or spaces"
_BROKEN = "SHA-1 and MD5 are broken; make a new pin from the certificate with 'pinscher pin FILE'"
_HEX = "a hexadecimal fingerprint is usually of the certificate: make the pin anew with 'pinscher pin FILE'"
_CUT = "its base64 is cut short or lacks its '=' at the end"
_CANONICAL = "its base64 is not canonical: the unused bits at its end must be zero"
_URL = "it is base64url; write '+' for '-' and '/' for '_'"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", _SHAPE),
        ("bank.example", _SHAPE),
        (ZEROS, _SHAPE),
        ("cert-" + ZEROS, _SHAPE),
        ("sha512/" + "A" * 86 + "==", _SHAPE),
        ("\uff53ha256/" + ZEROS, _SHAPE),
        ("sha256\u2215" + ZEROS, _SHAPE),
        ("s\u04bba256/" + ZEROS, _SHAPE),
        ("SHA256/" + ZEROS, _WRITE),
        ("Cert-SHA256/" + ZEROS, _WRITE),
        (" sha256/" + ZEROS, _WRITE),
        ("\ufeffsha256/" + ZEROS, _WRITE),
        ("'sha256/" + ZEROS + "'", _WRITE),
        ('"sha256/' + ZEROS + '"', _WRITE),
        ("sha256:" + ZEROS, _WRITE),
        ("sha256-" + ZEROS, _WRITE),
        ("sha-256/" + ZEROS, _WRITE),
        ('pin-sha256="' + ZEROS + '"', _WRITE),
        ("sha1/" + "A" * 27 + "=", _BROKEN),
        ("SHA-1:" + "A" * 27 + "=", _BROKEN),
        ("sha1-" + "A" * 27 + "=", _BROKEN),
        ("md5/" + "A" * 22 + "==", _BROKEN),
        ("00" * 32, _HEX),
        (":".join(["AB"] * 32), _HEX),
        ("x" * 64, "it has neither prefix nor base64"),
        ("sha256//" + ZEROS, "write one slash: 'sha256//' is curl's form"),
        ("sha256/", "a SHA-256 digest has 32 octets, this one 0"),
        ("sha256/" + ZEROS[:-1], _CUT),
        ("sha256/" + ZEROS[:-2], _CUT),
        ("sha256/" + ZEROS + "=", _CUT),
        ("sha256/" + ZEROS + "\n", _CUT),
        ("sha256/" + "A" * 42 + "B=", _CANONICAL),
        ("cert-sha256/" + "A" * 42 + "D=", _CANONICAL),
        ("sha256/" + "-" * 43 + "=", _URL),
        ("sha256/" + "_" * 43 + "=", _URL),
        ("sha256/" + "A" * 20 + "\n" + "A" * 22 + "=", "it is not base64"),
        ("sha256/" + "A" * 20 + " " + "A" * 22 + "=", "it is not base64"),
        ("sha256/" + "\u0410" * 43 + "=", "it is not base64"),
        ("sha256/" + "A" * 20 + "=" + "A" * 22 + "=", "it is not base64"),
        ("sha256/" + "A" * 20 + "\x00" + "A" * 22 + "=", "it is not base64"),
        ("sha256/" + "A" * 42 + "==", "a SHA-256 digest has 32 octets, this one 31"),
        ("sha256/" + "A" * 44, "a SHA-256 digest has 32 octets, this one 33"),
        ("sha256/" + "A" * 27 + "=", "a SHA-256 digest has 32 octets, this one 20, as SHA-1 has"),
        ("sha256/" + "A" * 22 + "==", "a SHA-256 digest has 32 octets, this one 16, as MD5 has"),
        ("sha256/" + "A" * 64, "a SHA-256 digest has 32 octets, this one 48, as SHA-384 has"),
        ("sha256/" + "A" * 86 + "==", "a SHA-256 digest has 32 octets, this one 64, as SHA-512 has"),
        ("sha256/" + "0" * 64, "a SHA-256 digest has 32 octets, this one 48, as SHA-384 has"),
        ("sha256/" + "A" * 4_000_000, "a SHA-256 digest has 32 octets, this one 3000000"),
        ("sha256/" + "%" * 4_000_000, "it is not base64"),
        ("\x1b[31m" * 100_000, _SHAPE),
    ],
)
def test_what_is_no_pin_is_refused_with_the_reason(text: str, reason: str) -> None:
    """Threat 28: what could never match, or is a weak pin, is refused and told what to write."""
    with pytest.raises(InvalidPinError) as caught:
        Pin.parse(text)
    assert (text, reason) == (caught.value.pin, caught.value.reason)
    assert str(caught.value).endswith(f" cannot be used: {reason}")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("pin", [None, 1, b"sha256/" + ZEROS.encode(), [], A])
def test_a_pin_is_read_from_text(pin: object) -> None:
    """What is not text is named by its type alone."""
    with pytest.raises(InvalidPinError) as caught:
        Pin.parse(pin)  # type: ignore[arg-type]
    assert f"pin {type(pin).__name__!r} cannot be used: a pin is text, such as 'sha256/<base64>'" == str(caught.value)


@pytest.mark.parametrize("digest", [b"", b"x" * 31, b"x" * 33, bytearray(32), "x" * 32, None])
def test_a_digest_that_no_certificate_can_have(digest: object) -> None:
    """Rule 1: a pin holds exactly 32 octets that cannot change."""
    with pytest.raises(InvalidPinError, match="a SHA-256 digest has 32 octets"):
        Pin(digest)  # type: ignore[arg-type]


# Rule 3: of a key, or of a whole certificate.


def test_the_two_kinds_of_one_certificate() -> None:
    """A pin is of a certificate's key, or, when asked for, of the whole certificate."""
    der = named("a")
    assert Pin(SubjectPublicKeyInfo.of_certificate(der).sha256) == Pin.of(der) == Pin.of(der, kind="spki")
    assert Pin(hashlib.sha256(der).digest(), kind=PinKind.CERTIFICATE) == Pin.of(der, kind="certificate")
    with pytest.raises(InvalidPinError, match="the kind of a pin is 'spki' or 'certificate'"):
        Pin.of(der, kind="sha1")


@pytest.mark.parametrize("kind", ["spki", "certificate"])
def test_no_pin_of_bytes_that_are_no_certificate(kind: str) -> None:
    """A PEM file or a key given for a certificate makes no pin of either kind."""
    for junk in (b"", b"-----BEGIN CERTIFICATE-----", key_info("1.2.3", b"x")):
        with pytest.raises(CertificateParseError):
            Pin.of(junk, kind=kind)


def test_one_digest_of_two_kinds_is_two_pins() -> None:
    """Rule 3: the digest of a key never matches as that of a certificate, nor the other way round."""
    der = named("a")
    key, whole = Pin.of(der), Pin.of(der, kind="certificate")
    confused = PinSet([Pin(key.digest, kind=PinKind.CERTIFICATE), Pin(whole.digest)])
    assert key != Pin(key.digest, kind=PinKind.CERTIFICATE)
    assert confused.accepted(der) is None
    both = PinSet([key], backup_pins=[Pin(key.digest, kind=PinKind.CERTIFICATE)])
    assert key == both.accepted(der)


# Rule 4: sets of pins.


def test_a_set_accepts_its_pins_and_its_backups() -> None:
    """Rule 4: any one pin or backup pin matches, of either kind, and the set says which."""
    first, second, third, other = map(named, "abcd")
    pins = PinSet([Pin.of(first)], backup_pins=[Pin.of(second, kind="certificate")], denied_keys=[Pin.of(third)])
    found = [pins.accepted(der) for der in (first, second, third, other)]
    assert [Pin.of(first), Pin.of(second, kind="certificate"), None, None] == found
    assert [False, True] == [pins.is_backup(pin) for pin in found if pin is not None]
    assert [None, None, Pin.of(third), None] == [pins.denied(der) for der in (first, second, third, other)]
    assert found == [pins.accepted(der) for der in (first, second, third, other)]
    assert Pin.of(third) == pins.denied(third)


def test_a_set_that_denies_a_whole_certificate() -> None:
    """A denied certificate is told from another one with the same key, and a denied key may be written twice."""
    one, renewed = (
        certificate(key_info("1.2.3", b"k"), serial=b"\x01"),
        certificate(key_info("1.2.3", b"k"), serial=b"\x02"),
    )
    denied = Pin.of(one, kind="certificate")
    pins = PinSet([Pin.of(one)], denied_keys=[denied, denied, D])
    assert [denied, None] == [pins.denied(der) for der in (one, renewed)]
    assert [True, False] == [pins.has_denied, PinSet([A]).has_denied]
    assert PinSet([A]).denied(one) is None


def test_what_stands_in_a_set() -> None:
    """A set gives its pins, then its backups, and shows how many there are."""
    pins = PinSet([A, B], backup_pins=[C], denied_keys=[D])
    assert [A, B, C] == list(pins)
    assert ((A, B), (C,), (D,)) == pins.groups == (pins.pins, pins.backup_pins, pins.denied_keys)
    assert "<PinSet 2 pins, 1 backups, 1 denied>" == repr(pins)
    assert [C] == list(PinSet([], backup_pins=[C]))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: PinSet([]), "a pin set without pins would refuse every server; give at least one"),
        (lambda: PinSet([], denied_keys=[A]), "a pin set without pins would refuse every server; give at least one"),
        (lambda: PinSet([A, B, A]), "it stands twice among the pins and backup pins of one host"),
        (lambda: PinSet([A], backup_pins=[A]), "it stands twice among the pins and backup pins of one host"),
        (lambda: PinSet([A, B], denied_keys=[C, B]), "it is both accepted and denied, so it could never match"),
        (
            lambda: PinSet([A], backup_pins=[B], denied_keys=[B]),
            "it is both accepted and denied, so it could never match",
        ),
        (lambda: PinSet([str(A)]), "pins holds Pin values; use Pin.parse for text"),  # type: ignore[list-item]
        (lambda: PinSet([A], backup_pins=[b"x"]), "backup_pins holds Pin values; use Pin.parse for text"),  # type: ignore[list-item]
        (lambda: PinSet([A], denied_keys=[None]), "denied_keys holds Pin values; use Pin.parse for text"),  # type: ignore[list-item]
    ],
)
def test_a_set_that_contradicts_itself(make: Callable[[], PinSet], reason: str) -> None:
    """Rule 4: an empty set, a pin given twice, and a pin both accepted and denied are refused."""
    with pytest.raises(InvalidPinError) as caught:
        make()
    assert reason == caught.value.reason


def test_a_set_is_a_value() -> None:
    """Sets are compared and hashed by their pins, and cannot be changed."""
    pins = PinSet([A], backup_pins=[B], denied_keys=[C])
    assert {pins} == {PinSet(iter([A]), backup_pins=iter([B]), denied_keys=iter([C]))}
    assert (False, False) == (pins == PinSet([A], backup_pins=[B]), pins == (A, B))
    for change in (lambda: setattr(pins, "pins", ()), lambda: setattr(pins, "other", 1), lambda: delattr(pins, "pins")):
        with pytest.raises(AttributeError, match="a pin set does not change"):
            change()
    with pytest.raises(AttributeError):
        A.digest = b"x" * 32  # type: ignore[misc]
    assert (A,) == pins.pins


@given(st.lists(PINS, min_size=2, unique=True))
def test_pins_and_sets_survive_a_process_boundary(pins: list[Pin]) -> None:
    """Pins, sets and their error pickle and copy to equal ones, a set also after it was used."""
    pin_set = PinSet(pins[1:], denied_keys=pins[:1])
    pin_set.accepted(named("a"))
    error = InvalidPinError("x", "a reason")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert (pins, pin_set) == pickle.loads(pickle.dumps((pins, pin_set), protocol))
    again = pickle.loads(pickle.dumps(error))
    assert (str(error), "x", "a reason") == (str(again), again.pin, again.reason)
    assert (pins[0], pin_set) == (copy.copy(pins[0]), copy.copy(pin_set)) == copy.deepcopy((pins[0], pin_set))


def test_a_large_set_costs_linear_time() -> None:
    """Twenty thousand pins, every digest of them in both kinds, and as many denied keys are read in a moment."""
    digests = [hashlib.sha256(b"%d" % number).digest() for number in range(20_000)]
    accepted = [Pin(digest, kind=kind) for digest in digests[:10_000] for kind in PinKind]
    started = time.process_time()
    assert PinSet(accepted, denied_keys=map(Pin, digests[10_000:])).accepted(named("a")) is None
    assert time.process_time() - started < 3


# The memory of digests.


def test_a_digest_is_remembered_within_bounds() -> None:
    """A server that shows ever new or giant certificates cannot fill the memory: at most 8 MiB are kept."""
    memory = under_test._remembered_spki_sha256
    memory.cache_clear()
    giant = certificate(key_info("1.2.3", b"x" * 8192))
    assert spki_sha256(giant) == hashlib.sha256(key_info("1.2.3", b"x" * 8192)).digest()
    assert 0 == memory.cache_info().currsize
    for number in range(1500):
        spki_sha256(named(str(number)))
    assert (1024, 1500, 0) == (memory.cache_info().currsize, memory.cache_info().misses, memory.cache_info().hits)
    assert spki_sha256(named("1499")) == Pin.of(named("1499")).digest
    assert 2 == memory.cache_info().hits
    assert memory.cache_info().currsize * under_test._LARGEST_REMEMBERED <= 8 << 20


def test_what_cannot_be_read_is_not_remembered() -> None:
    """A certificate without a readable key is refused each time it is seen."""
    for _ in range(2):
        with pytest.raises(CertificateParseError):
            spki_sha256(b"junk")
