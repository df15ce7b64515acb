"""The rules about one endpoint, without a database and without a clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pinscher.monitor.findings import RULES, History, Severity, Sighting
from pinscher.monitor.findings.dates import certificate_ends, policy_ends
from pinscher.monitor.findings.history import NOT_LOOKED, key_of
from pinscher.monitor.findings.keys import intermediate_changed, key_changed, new_issuer
from pinscher.monitor.findings.pins import backup_never_rehearsed, backup_only, pin_mismatch
from pinscher.monitor.findings.reach import look_failed, not_validated, unreachable
from pinscher.pin import Pin
from pinscher.verdict import Outcome
from tests.unit.monitor.scene import AT, DAY, ENDPOINT, HOST, HOUR, history, issue, policy_of, root, sighting

ROOT = root()
HELD = issue(ROOT)
PIN = Pin.of(HELD.der)
OTHER = issue(ROOT)
POLICY = policy_of(PIN, backups=(Pin.of(OTHER.der),))
REPORT_ONLY = 'mode = "report-only"\nreport-only-since = 2026-11-01\n'


def test_a_quiet_endpoint_gives_no_finding_but_of_its_backup() -> None:
    """A matching chain far from its end: nothing to say, but that the backup was never rehearsed."""
    found = [finding for rule in RULES if (finding := rule(history(sighting(HELD, matched=PIN)), POLICY, AT))]
    assert ["backup-never-rehearsed"] == [finding.rule for finding in found]


def test_nothing_seen_yet_gives_no_finding_about_the_server() -> None:
    """Before the first look there is nothing to find."""
    rules = [rule for rule in RULES if rule is not backup_never_rehearsed]
    assert [None] * len(rules) == [rule(History(ENDPOINT), POLICY, AT) for rule in rules]


@pytest.mark.parametrize("outcome", [Outcome.NO_MATCHING_PIN, Outcome.DENIED_KEY, Outcome.POLICY_EXPIRED])
def test_a_refused_chain_is_critical(outcome: Outcome) -> None:
    """What clients refuse is critical, with the cause and advice of the diagnosis."""
    seen = sighting(OTHER, outcome=outcome, cause="key-rotation", said="a new key", advice="ask")
    found = pin_mismatch(history(seen), POLICY, AT)
    assert found is not None
    assert (Severity.CRITICAL, "key-rotation", "ask") == (found.severity, found.cause, found.advice)
    assert "clients refuse it: a new key" in found.said


def test_a_mismatch_in_report_only_mode_is_a_warning() -> None:
    """Where pins are not enforced yet, a mismatch breaks nothing yet."""
    found = pin_mismatch(
        history(sighting(OTHER, outcome=Outcome.NO_MATCHING_PIN)), policy_of(PIN, more=REPORT_ONLY), AT
    )
    assert found is not None
    assert Severity.WARNING is found.severity


def test_a_mismatch_of_before_is_over() -> None:
    """What the endpoint showed last counts."""
    before = sighting(OTHER, outcome=Outcome.NO_MATCHING_PIN)
    assert None is pin_mismatch(history(before, sighting(HELD, matched=PIN)), POLICY, AT)


def test_a_chain_matched_by_a_backup_alone_is_told() -> None:
    """The backup key is in use, and there is no other backup behind it."""
    backup = Pin.of(OTHER.der)
    found = backup_only(history(sighting(OTHER, matched=backup)), POLICY, AT)
    assert found is not None
    assert "backup-only" == found.rule


def test_a_chain_with_a_pin_beside_the_backup_is_in_order() -> None:
    """A pin on the root matches too: the backup is not all there is."""
    policy = policy_of(Pin.of(ROOT.certificate), backups=(PIN,))
    assert None is backup_only(history(sighting(HELD, matched=PIN)), policy, AT)


def test_an_unreadable_certificate_matches_no_pin() -> None:
    """A certificate of junk on the path neither matches nor raises."""
    junk = Sighting(first=AT, last=AT, presented=(b"x",), validated=(b"x",), outcome=Outcome.MATCH)
    assert None is backup_only(history(junk), POLICY, AT)
    assert None is key_of(b"x")


@pytest.mark.parametrize(
    ("rehearsed", "said"),
    [
        ("", "never rehearsed"),
        ("rehearsed = 2025-11-01", "last rehearsed on 2025-11-01"),
        ("rehearsed = 2026-10-01", None),
    ],
)
def test_a_backup_is_rehearsed_once_a_year(rehearsed: str, said: str | None) -> None:
    """A rehearsal counts for a year."""
    top = f'[keys.spare]\npin = "{Pin.of(OTHER.der)}"\n{rehearsed}'
    found = backup_never_rehearsed(history(), policy_of(PIN, backups=("spare",), top=top), AT)
    assert (said is None) is (found is None)
    assert said is None or (found is not None and found.said.endswith(said))


@pytest.mark.parametrize(
    ("days", "severity"), [(15, None), (13, Severity.WARNING), (2, Severity.CRITICAL), (-1, Severity.CRITICAL)]
)
def test_a_certificate_near_its_end_is_told(days: float, severity: Severity | None) -> None:
    """Two weeks before its end a certificate is a warning, three days before it critical."""
    found = certificate_ends(history(sighting(issue(ROOT, days=days), matched=PIN)), POLICY, AT)
    assert severity == (None if found is None else found.severity)
    assert found is None or ("expired" in found.said) is (days < 0)


def test_a_certificate_of_a_week_is_not_near_its_end_all_its_life() -> None:
    """For short-lived certificates the last third of their life counts."""
    held = ROOT.issue(HOST, not_before=AT - DAY, not_after=AT + 5 * DAY)
    assert None is certificate_ends(history(sighting(held, matched=PIN)), POLICY, AT)
    assert None is not certificate_ends(history(sighting(held, matched=PIN)), POLICY, AT + 3 * DAY)


@pytest.mark.parametrize(
    ("days", "severity"), [(31, None), (29, Severity.WARNING), (6, Severity.CRITICAL), (-1, Severity.CRITICAL)]
)
def test_pins_near_their_end_are_told(days: int, severity: Severity | None) -> None:
    """A month before the pins expire it is a warning, a week before it is critical."""
    policy = policy_of(PIN, more=f"expires = {AT + days * DAY:%Y-%m-%dT%H:%M:%SZ}\non-expiry = 'fail'\n")
    found = policy_ends(history(), policy, AT)
    assert severity == (None if found is None else found.severity)
    assert found is None or "every connection is refused" in found.said


def test_pins_without_an_end_do_not_end() -> None:
    """A host without 'expires' is never near it."""
    assert None is policy_ends(history(), POLICY, AT)


def test_a_new_leaf_key_under_a_pinned_ca_is_told_for_a_week() -> None:
    """A pin above the leaf cannot tell who holds the leaf's key, so that a new one is worth a look."""
    pin = Pin.of(ROOT.certificate)
    seen = history(sighting(HELD, at=AT - DAY, matched=pin), sighting(OTHER, matched=pin))
    found = key_changed(seen, POLICY, AT)
    assert found is not None
    assert str(pin) in found.said
    assert None is key_changed(seen, POLICY, AT + timedelta(days=7, seconds=1))


def test_a_key_that_was_seen_before_is_not_new() -> None:
    """A server that goes back to its former key shows nothing new."""
    pin = Pin.of(ROOT.certificate)
    back = [sighting(held, at=AT - HOUR, matched=pin) for held in (HELD, OTHER, HELD)]
    assert None is key_changed(history(*back), POLICY, AT)


def test_a_first_sighting_is_no_change() -> None:
    """Without anything before it, nothing is new."""
    first = history(sighting(HELD, matched=PIN))
    assert [None] * 3 == [rule(first, POLICY, AT) for rule in (key_changed, new_issuer, intermediate_changed)]


def test_a_new_root_is_a_new_issuer() -> None:
    """A path under a root that this endpoint never had is a warning, and no mere new generation."""
    seen = history(sighting(HELD, at=AT - DAY), sighting(issue(root("Other Root"))))
    found = new_issuer(seen, POLICY, AT)
    assert found is not None
    assert "CN=Other Root" in found.said
    assert None is intermediate_changed(seen, POLICY, AT)


def test_a_new_intermediate_under_the_same_root_is_a_new_generation() -> None:
    """Another intermediate of the same CA is a notice, and no new issuer."""
    first, second = (
        ROOT.intermediate(name, not_before=AT - 200 * DAY, not_after=AT + 900 * DAY) for name in ("R3", "R10")
    )
    seen = history(sighting(issue(first), at=AT - DAY), sighting(issue(second)))
    found = intermediate_changed(seen, POLICY, AT)
    assert found is not None
    assert (Severity.NOTICE, True) == (found.severity, "CN=R10" in found.said)
    assert None is new_issuer(seen, POLICY, AT)


def _failure(at: object, times: int = 1, text: str = "connection refused") -> Sighting:
    return Sighting(first=at, last=at, times=times, failure=text)  # type: ignore[arg-type]


def test_one_missed_answer_is_not_told() -> None:
    """A single failure may be a packet that was lost."""
    assert None is unreachable(history(sighting(HELD), _failure(AT)), POLICY, AT)


def test_an_endpoint_without_an_answer_is_told_and_grows_graver() -> None:
    """Two failures in a row are a warning, an hour of them is critical, whatever the reasons."""
    seen = history(_failure(AT - HOUR / 2, text="timed out"), _failure(AT))
    found = unreachable(seen, POLICY, AT)
    assert found is not None
    assert Severity.WARNING is found.severity
    graver = unreachable(history(_failure(AT - HOUR), _failure(AT)), POLICY, AT)
    assert graver is not None
    assert Severity.CRITICAL is graver.severity


def test_an_endpoint_that_could_not_be_looked_at_is_told_at_once_and_not_as_unreachable() -> None:
    """A fault of the monitor's own says nothing about the server, and is critical for as long as it lasts."""
    blind = _failure(AT, times=9, text=f"{NOT_LOOKED}the roots are gone")
    found = look_failed(history(sighting(HELD), blind), POLICY, AT)
    assert found is not None
    assert (Severity.CRITICAL, True) == (found.severity, "it could not be looked at: the roots are gone" in found.said)
    assert None is unreachable(history(blind), POLICY, AT)
    for latest in (_failure(AT), sighting(HELD)):
        assert None is look_failed(history(blind, latest), POLICY, AT)


def test_a_chain_that_nobody_validated_is_critical() -> None:
    """A chain without a trusted root is told with the words of the diagnosis."""
    seen = Sighting(
        first=AT,
        last=AT,
        presented=HELD.chain,
        outcome=Outcome.CHAIN_NOT_VALIDATED,
        cause="untrusted-issuer",
        said="nobody trusts it",
        advice="look",
    )
    assert seen.is_answered
    assert (None, None, None, "") == (seen.leaf_key, seen.issuer_key, seen.anchor_key, seen.issuer)
    found = not_validated(history(seen), POLICY, AT)
    assert found is not None
    assert "untrusted-issuer" == found.cause


def test_a_severity_has_a_word() -> None:
    """What is shown of a severity is its word."""
    assert ["notice", "warning", "critical"] == [severity.word for severity in Severity]
