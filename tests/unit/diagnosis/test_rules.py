"""The rules of a diagnosis, cited by the numbers at the head of ``pinscher.diagnosis.rules``."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.diagnosis import Cause, Confidence, Facts, diagnose
from pinscher.pin import Pin
from pinscher.verdict import Outcome, evaluate_leaf

from .scene import AT, HOST, Authority, Holder, Scene

Genuine = tuple[Holder, Holder, Holder]


def _told(scene: Scene, *certificates: bytes, facts: Facts | None = None) -> tuple[Cause, Confidence]:
    verdict = scene.judged(*certificates)
    assert verdict.outcome is Outcome.NO_MATCHING_PIN
    diagnosis = diagnose(verdict, facts)
    return diagnosis.cause, diagnosis.confidence


_MACHINE = Facts(trust_named=False)
"""The trust store is the machine's."""


def _before(genuine: Genuine) -> ValidatedChain:
    return ValidatedChain(holder.der for holder in genuine)


def test_a_match_needs_no_explanation(scene: Scene, genuine: Genuine) -> None:
    """A verdict under which nothing failed has no cause (rule 1)."""
    diagnosis = diagnose(scene.judged(genuine[0].der, genuine[2].der))
    assert (diagnosis.cause, diagnosis.confidence, diagnosis.facts) == (Cause.NONE, Confidence.CERTAIN, ())


def test_an_unpinned_host_needs_no_explanation(genuine: Genuine) -> None:
    """A host that the policy leaves unpinned has no cause either (rule 1)."""
    scene = Scene([genuine[0].pin], head='[defaults]\nunlisted-hosts = "allow"')
    assert diagnose(scene.judged(genuine[0].der, host="elsewhere.example")).cause is Cause.NONE


@pytest.mark.parametrize("asked", ["www.api.example.com", "apo.example.com", "api.example.co", "aip.example.com"])
def test_a_listed_name_one_slip_away_is_told(scene: Scene, genuine: Genuine, asked: str) -> None:
    """An unlisted host is told with the listed name that was probably meant (rule 2)."""
    diagnosis = diagnose(scene.judged(genuine[0].der, host=asked))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.UNLISTED, Confidence.CERTAIN)
    assert diagnosis.sentence.endswith(f"; listed is {HOST}")


def test_no_listed_name_is_invented(scene: Scene, genuine: Genuine) -> None:
    """An unlisted host that resembles nothing on the list gets no suggestion (rule 2)."""
    diagnosis = diagnose(scene.judged(genuine[0].der, host="other.test"))
    assert diagnosis.sentence == "other.test has no entry in the policy, which denies unlisted hosts"


def test_a_connection_without_a_host_name_is_told(scene: Scene, genuine: Genuine) -> None:
    """A connection opened without a server name is told to pass one (rule 2)."""
    diagnosis = diagnose(scene.judged(genuine[0].der, host="\x1b[31m"))
    assert (diagnosis.cause, diagnosis.next_action) == (Cause.UNLISTED, "pass the host's name as server_hostname")


def test_a_denied_key_is_the_cause_whatever_else_is_true(authority: Authority, genuine: Genuine) -> None:
    """A denied key explains a refusal for certain, also under a familiar CA (rule 3)."""
    rogue = authority.issue(genuine[1], HOST)
    scene = Scene([genuine[0].pin], entry=f'denied-keys = ["{rogue.pin}"]')
    diagnosis = diagnose(scene.judged(rogue.der, genuine[1].der), Facts(last_accepted=_before(genuine)))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.DENIED_KEY_SEEN, Confidence.CERTAIN)


def test_an_expired_policy_that_fails_closed_is_told_with_its_day(genuine: Genuine) -> None:
    """A policy that fails closed at its expiry is the cause, told with the day (rule 4)."""
    scene = Scene([genuine[0].pin], entry='expires = 2026-11-01T00:00:00Z\non-expiry = "fail"')
    diagnosis = diagnose(scene.judged(genuine[0].der))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.POLICY_EXPIRED, Confidence.CERTAIN)
    assert "2026-11-01 00:00 UTC" in diagnosis.sentence


def test_a_check_that_could_not_be_made_says_why(scene: Scene) -> None:
    """A refusal by an exception of the check itself is a check that could not be made, with its reason (rule 5)."""
    diagnosis = diagnose(scene.refused("UnknownSessionError: the session has no remembered chain"))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.CHECK_FAILED, Confidence.CERTAIN)
    assert diagnosis.sentence == "the check could not be made: UnknownSessionError: the session has no remembered chain"


@pytest.mark.parametrize(("days_ago", "confidence"), [(0, Confidence.LIKELY), (4000, Confidence.CERTAIN)])
def test_a_certificate_from_the_future_means_a_slow_clock(scene: Scene, days_ago: int, confidence: Confidence) -> None:
    """A certificate that is not valid yet means a slow clock, surely so before the release's own day (rule 6)."""
    facts = Facts(verify_code=9, openssl_error="certificate is not yet valid", at=AT - timedelta(days=days_ago))
    diagnosis = diagnose(scene.refused(), facts)
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.CLOCK_SKEW, confidence)


@pytest.mark.parametrize(
    ("expired_for", "root_until", "expected"),
    [
        (2, 900, (Cause.CERTIFICATE_EXPIRED, Confidence.LIKELY)),
        (200, 900, (Cause.CERTIFICATE_EXPIRED, Confidence.POSSIBLE)),
        (200, -100, (Cause.CLOCK_SKEW, Confidence.POSSIBLE)),
    ],
)
def test_an_expired_certificate_is_told_by_how_much(
    scene: Scene, authority: Authority, expired_for: int, root_until: int, expected: tuple[Cause, Confidence]
) -> None:
    """An expired leaf is a missed renewal; a chain expired as a whole may be a fast clock (rule 7)."""
    root = authority.issue(None, "Example Root", days=(-900, root_until))
    leaf = authority.issue(root, HOST, days=(-800, -expired_for))
    facts = Facts(
        verify_code=10, openssl_error="certificate has expired", presented=PresentedChain([leaf.der, root.der])
    )
    diagnosis = diagnose(scene.refused(), facts)
    assert (diagnosis.cause, diagnosis.confidence) == expected


def test_a_refusal_nobody_explained_is_unknown(scene: Scene) -> None:
    """Without OpenSSL's number and without an error of the check, what was refused and why stays unknown (rule 5)."""
    diagnosis = diagnose(scene.refused("certificate has expired"))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.UNKNOWN, Confidence.UNKNOWN)


@pytest.mark.parametrize(("days_ago", "confidence"), [(0, Confidence.POSSIBLE), (4000, Confidence.CERTAIN)])
def test_an_expired_certificate_nobody_kept_is_still_told(scene: Scene, days_ago: int, confidence: Confidence) -> None:
    """An expiry is told without the certificates; with a clock that is behind it is beyond doubt (rule 7)."""
    diagnosis = diagnose(scene.refused(), Facts(verify_code=10, at=AT - timedelta(days=days_ago)))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.CERTIFICATE_EXPIRED, confidence)


@pytest.mark.parametrize("code", [18, 20, 62])
def test_a_captive_portal_is_told_by_its_name(scene: Scene, authority: Authority, code: int) -> None:
    """A log-in page's certificate on a wrong name or unknown issuer is possibly a captive portal (rule 8)."""
    portal = authority.root("securelogin.arubanetworks.com")
    diagnosis = diagnose(scene.refused(), Facts(verify_code=code, presented=PresentedChain([portal.der])))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.CAPTIVE_PORTAL, Confidence.POSSIBLE)
    assert diagnosis.product == "Aruba guest portal"


@pytest.mark.parametrize("code", [62, 64])
def test_a_certificate_for_another_name_is_told(scene: Scene, authority: Authority, code: int) -> None:
    """A certificate for another host is told with the name it bears (rule 9)."""
    other = authority.root("other.example")
    diagnosis = diagnose(scene.refused(), Facts(verify_code=code, presented=PresentedChain([other.der])))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.HOST_NAME_MISMATCH, Confidence.CERTAIN)
    assert diagnosis.sentence == f"the server's certificate is not for {HOST} but for CN=other.example"


@pytest.mark.parametrize("code", [18, 19, 20, 21])
def test_an_unvalidated_product_is_never_more_than_possible(scene: Scene, authority: Authority, code: int) -> None:
    """A name on a chain that nobody validated may be forged, so a product it names is merely possible (rule 10)."""
    leaf = authority.issue(authority.root("mitmproxy", O="mitmproxy"), HOST)
    diagnosis = diagnose(scene.refused(), Facts(verify_code=code, presented=PresentedChain([leaf.der])))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.LOCAL_INTERCEPTION, Confidence.POSSIBLE)
    assert diagnosis.product == "mitmproxy"
    assert "the chain was not validated, so anyone may have written that name" in diagnosis.facts


@pytest.mark.parametrize("code", [18, 19, 20, 21])
def test_an_issuer_nobody_trusts_is_told(scene: Scene, authority: Authority, code: int) -> None:
    """An unknown issuer is an interception or an incomplete chain, and which is left open (rule 11)."""
    leaf = authority.issue(authority.root("Acme Inspection"), HOST)
    diagnosis = diagnose(scene.refused(), Facts(verify_code=code, presented=PresentedChain([leaf.der])))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.UNTRUSTED_ISSUER, Confidence.POSSIBLE)
    assert "(CN=Acme Inspection)" in diagnosis.sentence


def test_a_broken_rule_is_told_in_words(scene: Scene) -> None:
    """What OpenSSL refused because the chain breaks a rule is told with that rule and OpenSSL's words (rule 12)."""
    diagnosis = diagnose(scene.refused(), Facts(verify_code=26, openssl_error="unsuitable certificate purpose"))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.INVALID_CHAIN, Confidence.CERTAIN)
    assert diagnosis.sentence.endswith("a certificate on it is for another purpose than a server's")
    assert diagnosis.facts == ("openssl: unsuitable certificate purpose (verify code 26)",)


def test_a_refusal_that_fits_no_rule_is_unknown(scene: Scene) -> None:
    """What OpenSSL refused for a reason that is on no list is unknown, with OpenSSL's words beside it (rule 27)."""
    diagnosis = diagnose(scene.refused(), Facts(verify_code=50, openssl_error="application verification failure"))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.UNKNOWN, Confidence.UNKNOWN)
    assert diagnosis.facts == ("openssl: application verification failure (verify code 50)",)


@pytest.mark.parametrize("host", ["hotspot.example.net", "x.wifi-login.example"])
def test_a_log_in_page_is_told_by_its_host(scene: Scene, authority: Authority, host: str) -> None:
    """A certificate for a host that is called as log-in pages are is possibly a captive portal's (rule 8)."""
    page = authority.issue(authority.root("Some CA"), "page", hosts=[host])
    diagnosis = diagnose(scene.refused(), Facts(verify_code=62, presented=PresentedChain([page.der])))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.CAPTIVE_PORTAL, Confidence.POSSIBLE)


def test_a_wrong_name_nobody_saw_is_possible(scene: Scene) -> None:
    """Without the certificate a captive portal cannot be ruled out, so a wrong name is merely possible (rule 9)."""
    diagnosis = diagnose(scene.refused(), Facts(verify_code=62))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.HOST_NAME_MISMATCH, Confidence.POSSIBLE)


def test_a_chain_accepted_before_means_a_changed_policy(genuine: Genuine, authority: Authority) -> None:
    """The very chain accepted before fails only because the policy changed (rule 14)."""
    scene = Scene([authority.root("another").pin])
    told = _told(scene, *(holder.der for holder in genuine), facts=Facts(last_accepted=_before(genuine)))
    assert told == (Cause.POLICY_CHANGED, Confidence.CERTAIN)


def test_a_renewal_with_the_same_key_is_no_changed_policy(authority: Authority, genuine: Genuine) -> None:
    """A pin of the whole certificate fails on a renewal although the key stayed, and that is what is told (rule 15)."""
    scene = Scene([Pin.of(genuine[0].der, kind="certificate")])
    renewed = authority.issue(genuine[1], HOST, key=genuine[0].key)
    told = _told(scene, renewed.der, genuine[1].der, genuine[2].der, facts=Facts(last_accepted=_before(genuine)))
    assert told == (Cause.DIFFERENT_PATH, Confidence.CERTAIN)


def test_the_same_leaf_key_by_another_path_is_told(genuine: Genuine, authority: Authority) -> None:
    """The same leaf key under another CA is the same server by another path, as okhttp#6447 met it (rule 15)."""
    scene = Scene([genuine[1].pin])
    root = authority.root("Another Root")
    leaf = authority.issue(root, HOST, key=genuine[0].key)
    told = _told(scene, leaf.der, root.der, facts=Facts(last_accepted=_before(genuine)))
    assert told == (Cause.DIFFERENT_PATH, Confidence.CERTAIN)


def test_the_same_leaf_by_a_cross_signed_path_is_told(genuine: Genuine, authority: Authority) -> None:
    """The same leaf certificate under a cross-signed CA is another path, and not a changed policy (rules 14 and 15)."""
    scene = Scene([genuine[2].pin])
    root = authority.root("Another Root")
    cross = authority.issue(root, "Example R3", key=genuine[1].key, O="Example")
    told = _told(scene, genuine[0].der, cross.der, root.der, facts=Facts(last_accepted=_before(genuine)))
    assert told == (Cause.DIFFERENT_PATH, Confidence.CERTAIN)


@pytest.mark.parametrize(
    ("ends_in", "begins", "kind", "cause"),
    [
        (20, -1, "EC", Cause.KEY_ROTATION),
        (-5, -1, "EC", Cause.KEY_ROTATION),
        (60, -1, "EC", Cause.KNOWN_CA),
        (20, -80, "EC", Cause.KNOWN_CA),
        (20, -1, "RSA", Cause.KNOWN_CA),
    ],
    ids=["due", "overdue", "too early", "older than the accepted one", "another type of key"],
)
def test_a_rotation_is_told_where_a_renewal_was_due(
    scene: Scene, genuine: Genuine, authority: Authority, ends_in: int, begins: int, kind: str, cause: Cause
) -> None:
    """Under the CA of before a newer key of the same type is likely a rotation when a renewal was due (rule 18)."""
    before = authority.issue(genuine[1], HOST, days=(-70, ends_in))
    key = rsa.generate_private_key(65537, 2048) if kind == "RSA" else None
    leaf = authority.issue(genuine[1], HOST, days=(begins, 89), key=key)
    facts = Facts(last_accepted=ValidatedChain([before.der, genuine[1].der, genuine[2].der]))
    assert _told(scene, leaf.der, genuine[1].der, genuine[2].der, facts=facts) == (cause, Confidence.LIKELY)


def test_a_new_key_under_the_root_of_before_is_a_known_ca(scene: Scene, genuine: Genuine, authority: Authority) -> None:
    """With merely the root in common, and no renewal due, the CA is known and the rest is left open (rule 18)."""
    intermediate = authority.issue(genuine[2], "Example R4")
    leaf = authority.issue(intermediate, HOST)
    told = _told(scene, leaf.der, intermediate.der, genuine[2].der, facts=Facts(last_accepted=_before(genuine)))
    assert told == (Cause.KNOWN_CA, Confidence.LIKELY)


def test_a_repeated_serial_number_is_no_rotation(scene: Scene, genuine: Genuine, authority: Authority) -> None:
    """No CA gives a serial number twice: a known one with another key is likely wrongly issued (rule 16)."""
    leaf = authority.issue(genuine[1], HOST, serial=genuine[0].certificate.serial_number)
    told = _told(scene, leaf.der, genuine[1].der, facts=Facts(last_accepted=_before(genuine)))
    assert told == (Cause.MISISSUE_OR_ATTACK, Confidence.LIKELY)


def test_a_copied_leaf_under_another_root_is_possibly_an_interception(
    scene: Scene, genuine: Genuine, authority: Authority
) -> None:
    """A leaf with the names and dates of the accepted one under a root of nobody's is possibly forged (rule 22)."""
    copied = authority.issue(authority.root("Some Root"), HOST)
    facts = Facts(last_accepted=_before(genuine), trust_named=True)
    told = _told(scene, copied.der, authority.root("Some Root").der, facts=facts)
    assert told == (Cause.LOCAL_INTERCEPTION, Confidence.POSSIBLE)


def test_a_leaf_with_the_key_of_its_ca_is_possibly_an_interception(scene: Scene, authority: Authority) -> None:
    """No CA issues its own key to a server, whoever named that CA; a root of nobody's that does is told (rule 22)."""
    root = authority.root("Some Root")
    told = _told(scene, authority.issue(root, HOST, key=root.key).der, root.der, facts=Facts(trust_named=True))
    assert told == (Cause.LOCAL_INTERCEPTION, Confidence.POSSIBLE)


def test_a_private_root_after_a_public_one_is_possibly_an_interception(
    scene: Scene, genuine: Genuine, authority: Authority, mozilla_roots: list[bytes]
) -> None:
    """A host accepted under a public CA that now has a root of nobody's is possibly intercepted (rule 22)."""
    root = authority.root("Acme Inspection")
    before = ValidatedChain([genuine[0].der, mozilla_roots[0]])
    told = _told(scene, authority.issue(root, HOST, days=(-2, 9)).der, root.der, facts=Facts(last_accepted=before))
    assert told == (Cause.LOCAL_INTERCEPTION, Confidence.POSSIBLE)


def test_another_root_of_nobodys_is_possibly_a_change_of_ca(
    scene: Scene, genuine: Genuine, authority: Authority
) -> None:
    """Another private CA with nothing forged about its leaf is possibly a change of CA (rules 22 and 24)."""
    root = authority.root("Another Root")
    leaf = authority.issue(root, HOST, days=(-2, 9))
    told = _told(scene, leaf.der, root.der, facts=Facts(last_accepted=_before(genuine)))
    assert told == (Cause.CA_CHANGE, Confidence.POSSIBLE)


@pytest.mark.parametrize(
    ("days", "logged", "serial", "hosts", "confidence"),
    [
        ((-1, 88), False, None, [HOST], Confidence.POSSIBLE),
        ((-1, 500), True, None, [HOST], Confidence.POSSIBLE),
        ((-1, 88), True, 7, [HOST], Confidence.POSSIBLE),
        ((-1, 88), True, None, ["*.com"], Confidence.POSSIBLE),
        ((-1, 500), False, 7, [HOST], Confidence.LIKELY),
    ],
    ids=["not logged", "too long", "serial number", "wildcard", "three of them"],
)
def test_a_leaf_unlike_any_of_a_public_ca_is_told(
    scene: Scene, authority: Authority, mozilla_roots: list[bytes], days: tuple[float, float], *, logged: bool,
    serial: int | None, hosts: list[str], confidence: Confidence,
) -> None:  # fmt: skip
    """A leaf under a public root that lacks one thing is possibly wrongly issued, likely with two of them (rule 17)."""
    leaf = authority.issue(authority.root("Some CA"), HOST, days=days, logged=logged, serial=serial, hosts=hosts)
    assert _told(scene, leaf.der, mozilla_roots[0]) == (Cause.MISISSUE_OR_ATTACK, confidence)


def test_a_public_leaf_with_the_key_of_its_ca_is_told(
    scene: Scene, authority: Authority, mozilla_roots: list[bytes]
) -> None:
    """Under a public root too no CA issues its own key to a server (rule 17)."""
    issuer = authority.root("Some CA")
    leaf = authority.issue(issuer, HOST, key=issuer.key, logged=True)
    told = _told(scene, leaf.der, issuer.der, mozilla_roots[0])
    assert told == (Cause.MISISSUE_OR_ATTACK, Confidence.POSSIBLE)


def test_a_public_leaf_in_good_form_is_unknown(scene: Scene, authority: Authority, mozilla_roots: list[bytes]) -> None:
    """A good public leaf at the first visit is stale pins or misissue, and nobody can tell from here (rule 26)."""
    leaf = authority.issue(authority.root("Some CA"), HOST, logged=True)
    assert _told(scene, leaf.der, mozilla_roots[0]) == (Cause.UNKNOWN, Confidence.UNKNOWN)
    assert "pins that are out of date" in diagnose(scene.judged(leaf.der, mozilla_roots[0])).sentence


def test_an_old_certificate_is_held_against_the_rules_of_its_day(
    scene: Scene, authority: Authority, mozilla_roots: list[bytes]
) -> None:
    """Before the first limit nothing was demanded, so that nothing is lacking (rule 17)."""
    leaf = authority.issue(authority.root("Some CA"), HOST, days=(-6000, 60), serial=7)
    assert _told(scene, leaf.der, mozilla_roots[0]) == (Cause.UNKNOWN, Confidence.UNKNOWN)


def test_a_miswritten_pin_is_told(genuine: Genuine) -> None:
    """A pin that is the digest of the certificate, written as its key's, is a mistake for certain (rule 13)."""
    scene = Scene([Pin(Pin.of(genuine[0].der, kind="certificate").digest)])
    assert _told(scene, genuine[0].der, genuine[2].der) == (Cause.MISWRITTEN_PIN, Confidence.CERTAIN)


def test_a_private_root_is_unknown_until_it_is_said_who_named_it(scene: Scene, authority: Authority) -> None:
    """Whether the machine or the application named a root decides what it means; unsaid, nothing is (rules 21, 25)."""
    root = authority.root("Acme Inspection")
    chain = authority.issue(root, HOST).der, root.der
    assert _told(scene, *chain) == (Cause.UNKNOWN, Confidence.UNKNOWN)
    assert _told(scene, *chain, facts=Facts(trust_named=True)) == (Cause.KNOWN_CA, Confidence.POSSIBLE)
    assert _told(scene, *chain, facts=_MACHINE) == (Cause.LOCAL_INTERCEPTION, Confidence.LIKELY)


def test_a_ca_of_the_policys_key_table_is_known(genuine: Genuine, authority: Authority) -> None:
    """A new leaf key under a CA whose key the policy names is under a known CA (rule 19)."""
    scene = Scene([genuine[0].pin], keys=f'[keys.our-ca]\npin = "{genuine[1].pin}"\nrole = "intermediate"')
    leaf = authority.issue(genuine[1], HOST)
    assert _told(scene, leaf.der, genuine[1].der, genuine[2].der) == (Cause.KNOWN_CA, Confidence.LIKELY)
    assert "'our-ca'" in diagnose(scene.judged(leaf.der, genuine[1].der)).sentence


@pytest.mark.parametrize("trust_named", [False, True])
def test_an_interceptor_is_told_by_its_name(scene: Scene, authority: Authority, *, trust_named: bool) -> None:
    """A validated root outside Mozilla's programme that bears a product's name is likely that product (rule 20)."""
    root = authority.root("mitmproxy", O="mitmproxy")
    leaf = authority.issue(root, HOST, key=root.key)
    diagnosis = diagnose(scene.judged(leaf.der, root.der), Facts(trust_named=trust_named))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.LOCAL_INTERCEPTION, Confidence.LIKELY)
    assert diagnosis.product == "mitmproxy"
    assert "the leaf carries the key of its own CA, as certificates minted on the fly do" in diagnosis.facts


def test_a_public_chain_is_never_called_a_local_interception(
    scene: Scene, authority: Authority, mozilla_roots: list[bytes]
) -> None:
    """Under a root of Mozilla's programme a product's name is disregarded: a CA may be fooled (rules 17 and 20)."""
    intermediate = authority.root("Zscaler Root CA", O="Zscaler Inc.")
    leaf = authority.issue(intermediate, HOST)
    told = _told(scene, leaf.der, intermediate.der, mozilla_roots[0])
    assert told == (Cause.MISISSUE_OR_ATTACK, Confidence.POSSIBLE)


def test_a_leaf_that_calls_itself_a_product_changes_nothing(scene: Scene, authority: Authority) -> None:
    """The leaf's own subject names nothing on a validated chain: its holder chose it (rule 20)."""
    root = authority.root("Some Root")
    leaf = authority.issue(root, "mitmproxy", O="mitmproxy")
    assert diagnose(scene.judged(leaf.der, root.der)).product is None


@pytest.mark.parametrize(
    ("host", "confidence"),
    [(HOST, Confidence.LIKELY), ("db.internal", Confidence.POSSIBLE), ("10.0.0.7", Confidence.POSSIBLE)],
)
def test_a_root_that_mozilla_does_not_know_is_told(
    genuine: Genuine, authority: Authority, host: str, confidence: Confidence
) -> None:
    """A local root is likely an interception for a public host, possibly a private CA for an inner one (rule 21)."""
    root = authority.root("Acme Inspection")
    told = _told(Scene([genuine[0].pin], host=host), authority.issue(root, host).der, root.der, facts=_MACHINE)
    assert told == (Cause.LOCAL_INTERCEPTION, confidence)


def test_pins_past_their_expiry_are_told(genuine: Genuine, authority: Authority, mozilla_roots: list[bytes]) -> None:
    """Pins that are still enforced after their expiry are possibly overtaken (rule 23)."""
    scene = Scene([genuine[0].pin], entry="expires = 2026-11-01T00:00:00Z")
    leaf = authority.issue(authority.root("Some CA"), HOST, logged=True)
    assert _told(scene, leaf.der, mozilla_roots[0]) == (Cause.POLICY_EXPIRED, Confidence.POSSIBLE)


def test_a_root_outside_mozilla_outweighs_expired_pins(genuine: Genuine, authority: Authority) -> None:
    """An interception is told before an expired policy, which stays among the facts (rules 21 and 23)."""
    scene = Scene([genuine[0].pin], entry="expires = 2026-11-01T00:00:00Z")
    root = authority.root("Acme Inspection")
    diagnosis = diagnose(scene.judged(authority.issue(root, HOST).der, root.der), _MACHINE)
    assert diagnosis.cause is Cause.LOCAL_INTERCEPTION
    assert "the pins of this host are past their expiry" in diagnosis.facts


def test_another_public_ca_is_possibly_a_change_of_ca(
    scene: Scene, authority: Authority, mozilla_roots: list[bytes]
) -> None:
    """A public chain with no CA key of the accepted one is possibly a change of CA (rule 24)."""
    before = ValidatedChain([authority.issue(authority.root("CA one"), HOST).der, mozilla_roots[1]])
    leaf = authority.issue(authority.root("CA two"), HOST, logged=True)
    told = _told(scene, leaf.der, mozilla_roots[0], facts=Facts(last_accepted=before))
    assert told == (Cause.CA_CHANGE, Confidence.POSSIBLE)


def test_a_ca_the_application_named_is_known(scene: Scene, genuine: Genuine, authority: Authority) -> None:
    """An unpinned key under trust anchors that the application named may be rotation or misissue (rule 25)."""
    leaf = authority.issue(genuine[2], HOST)
    told = _told(scene, leaf.der, genuine[2].der, facts=Facts(trust_named=True))
    assert told == (Cause.KNOWN_CA, Confidence.POSSIBLE)


def test_naming_a_public_bundle_says_nothing(scene: Scene, authority: Authority, mozilla_roots: list[bytes]) -> None:
    """An application that names a bundle of public roots ties nothing to a rotation (rules 17 and 25)."""
    leaf = authority.issue(authority.root("Some CA"), HOST)
    told = _told(scene, leaf.der, mozilla_roots[0], facts=Facts(trust_named=True))
    assert told == (Cause.MISISSUE_OR_ATTACK, Confidence.POSSIBLE)


def test_a_certificate_that_is_its_own_anchor_is_unknown(scene: Scene, authority: Authority) -> None:
    """A leaf that is itself the named anchor tells nothing about a CA (rule 27)."""
    lone = authority.root(HOST)
    assert _told(scene, lone.der, facts=Facts(trust_named=True)) == (Cause.UNKNOWN, Confidence.UNKNOWN)


def test_a_leaf_that_carries_an_old_ca_key_is_not_the_same_server(
    scene: Scene, genuine: Genuine, authority: Authority
) -> None:
    """Only the key of the accepted leaf makes a leaf the same server, never that of its CA (rule 15)."""
    leaf = authority.issue(genuine[2], HOST, key=genuine[1].key)
    told = _told(scene, leaf.der, genuine[2].der, facts=Facts(last_accepted=_before(genuine)))
    assert told == (Cause.KNOWN_CA, Confidence.LIKELY)


def test_an_old_leaf_key_that_signs_is_no_familiar_ca(authority: Authority, genuine: Genuine) -> None:
    """A CA that carries the key of the accepted leaf is not the CA of before (rule 18)."""
    scene = Scene([authority.root("another").pin])
    posing = authority.issue(None, "posing", key=genuine[0].key)
    facts = Facts(last_accepted=_before(genuine), trust_named=False)
    told = _told(scene, authority.issue(posing, HOST).der, posing.der, facts=facts)
    assert told == (Cause.LOCAL_INTERCEPTION, Confidence.LIKELY)


def test_a_private_root_where_a_public_one_was_is_likely_an_interception(
    genuine: Genuine, authority: Authority, mozilla_roots: list[bytes]
) -> None:
    """An inner name that had a public CA before has no private one now: that is an interception (rule 21)."""
    root = authority.root("Acme Inspection")
    facts = Facts(last_accepted=ValidatedChain([genuine[0].der, mozilla_roots[0]]), trust_named=False)
    scene = Scene([genuine[0].pin], host="db.internal")
    told = _told(scene, authority.issue(root, "db.internal").der, root.der, facts=facts)
    assert told == (Cause.LOCAL_INTERCEPTION, Confidence.LIKELY)


def test_what_openssl_said_without_a_number_is_not_a_failed_check(scene: Scene) -> None:
    """Where OpenSSL refused, the check did not fail, even if no number came with the words (rules 5 and 27)."""
    diagnosis = diagnose(scene.refused(), Facts(openssl_error="internal error"))
    assert (diagnosis.cause, diagnosis.facts) == (Cause.UNKNOWN, ("openssl: internal error",))


def test_a_portals_name_on_another_fault_is_no_sign(scene: Scene, authority: Authority) -> None:
    """A portal's name counts only with a wrong host name or an unknown issuer (rule 8)."""
    portal = PresentedChain([authority.root("securelogin.arubanetworks.com").der])
    assert diagnose(scene.refused(), Facts(verify_code=50, presented=portal)).cause is Cause.UNKNOWN


def test_a_sentence_is_bounded(genuine: Genuine, authority: Authority) -> None:
    """The longest host and the longest subject together still make a line of bounded length."""
    host = ".".join(["h" * 60] * 4)
    scene = Scene([genuine[0].pin], host=host)
    other = authority.root("n" * 64, O="o" * 64, OU="u" * 64)
    diagnosis = diagnose(scene.refused(), Facts(verify_code=62, presented=PresentedChain([other.der])))
    assert (len(diagnosis.sentence), diagnosis.sentence[-3:]) == (420, "...")


def test_no_advice_is_to_trust_what_was_seen(scene: Scene, genuine: Genuine, authority: Authority) -> None:
    """A new key is confirmed with the operator first: a CA may have issued to somebody else (rule 18)."""
    leaf = authority.issue(genuine[1], HOST)
    diagnosis = diagnose(scene.judged(leaf.der, genuine[1].der), Facts(last_accepted=_before(genuine)))
    assert diagnosis.next_action.startswith("ask the host's operator whether the key is theirs")


def test_a_leaf_judged_without_a_chain_is_unknown(scene: Scene, authority: Authority) -> None:
    """A chain that nobody validated proves no CA, so the rules of validated chains leave it alone (rule 27)."""
    root = authority.root("mitmproxy", O="mitmproxy")
    leaf = authority.issue(root, HOST)
    verdict = evaluate_leaf(PresentedChain([leaf.der, root.der]), scene.policy, host=HOST, at=AT)
    assert diagnose(verdict, Facts(last_accepted=ValidatedChain([leaf.der, root.der]))).cause is Cause.UNKNOWN
    assert diagnose(verdict).cause is Cause.UNKNOWN
