"""What holds of every verdict, whatever the policy, the chain, the host and the moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.entry import HostPolicy, Mode, OnExpiry, UnlistedHosts
from pinscher.host import HostPattern
from pinscher.pin import Pin, PinSet
from pinscher.policy import Policy
from pinscher.verdict import Action, Outcome, Verdict, evaluate, evaluate_leaf
from tests.certificates import named

CERTIFICATES = [named(name) for name in "abcdef"]
PINS = [Pin.of(der, kind=kind) for der in CERTIFICATES for kind in ("spki", "certificate")]
NOW = datetime(2026, 11, 21, tzinfo=UTC)
HOST = "api.bank.example"

chains = st.lists(st.sampled_from([*CERTIFICATES, b"junk"]), min_size=1, max_size=5).map(ValidatedChain)
hosts = st.sampled_from([HOST, "API.bank.example.", "bank.example", "other.example", "a\x00b", "", None])
moments = st.sampled_from([NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)])


@st.composite
def entries(draw: st.DrawFn) -> HostPolicy:
    """Draw an entry of few pins, so that every outcome comes up."""
    split = draw(st.lists(st.sampled_from("pbdn"), min_size=len(PINS), max_size=len(PINS)))
    groups = {letter: [pin for pin, group in zip(PINS, split, strict=True) if group == letter] for letter in "pbd"}
    denied = groups["d"] if draw(st.booleans()) else []
    assume(groups["p"])
    mode = draw(st.sampled_from(Mode))
    return HostPolicy(
        HostPattern.parse(draw(st.sampled_from([HOST, "*.bank.example", "**.bank.example"]))),
        PinSet(groups["p"], backup_pins=groups["b"], denied_keys=denied),
        mode=mode,
        report_only_since=date(2026, 11, 1) if mode is Mode.REPORT_ONLY else None,
        expires=draw(st.none() | st.just(NOW)),
        on_expiry=draw(st.sampled_from(OnExpiry)),
    )


def judged(entry: HostPolicy, chain: ValidatedChain, at: datetime = NOW, host: str | None = HOST) -> Verdict:
    """Judge by a policy of one entry."""
    return evaluate(chain, Policy([entry]), host=host, at=at)


def with_pins(entry: HostPolicy, pins: list[Pin], backups: list[Pin]) -> HostPolicy:
    """Return the entry with other accepted pins."""
    assert entry.pinset is not None
    return replace(entry, pinset=PinSet(pins, backup_pins=backups, denied_keys=entry.pinset.denied_keys))


@given(entries(), chains, moments, st.sampled_from(PINS), st.booleans())
def test_adding_a_pin_never_blocks(
    entry: HostPolicy, chain: ValidatedChain, at: datetime, pin: Pin, is_backup: bool
) -> None:
    """Adding a pin never turns ALLOW into BLOCK, and so removing one never turns BLOCK into ALLOW."""
    assert entry.pinset is not None
    pins, backups, denied = entry.pinset.groups
    assume(pin not in pins + backups + denied)
    more = with_pins(entry, [*pins, *([] if is_backup else [pin])], [*backups, *([pin] if is_backup else [])])
    before, after = judged(entry, chain, at), judged(more, chain, at)
    assert (before.action, after.action) != (Action.ALLOW, Action.BLOCK)
    assert before.outcome is not Outcome.MATCH or after.outcome is Outcome.MATCH


@given(entries(), chains, moments, st.sampled_from(PINS))
def test_denying_a_key_never_allows(entry: HostPolicy, chain: ValidatedChain, at: datetime, pin: Pin) -> None:
    """Denying one more key never turns BLOCK into ALLOW."""
    assert entry.pinset is not None
    pins, backups, denied = entry.pinset.groups
    assume(pin not in pins + backups + denied)
    more = replace(entry, pinset=PinSet(pins, backup_pins=backups, denied_keys=[*denied, pin]))
    assert (judged(entry, chain, at).action, judged(more, chain, at).action) != (Action.BLOCK, Action.ALLOW)


@given(entries(), chains, moments)
def test_report_only_never_blocks(entry: HostPolicy, chain: ValidatedChain, at: datetime) -> None:
    """Whatever the pins find on a validated chain of a listed host, report-only lets it through and finds the same."""
    lenient = replace(entry, mode=Mode.REPORT_ONLY, report_only_since=date(2026, 11, 1))
    strict = replace(entry, mode=Mode.ENFORCE, report_only_since=None)
    assert Action.ALLOW is judged(lenient, chain, at).action
    assert judged(lenient, chain, at).outcome is judged(strict, chain, at).outcome


@given(entries(), chains, moments, hosts)
def test_the_matched_pin_is_on_the_chain(
    entry: HostPolicy, chain: ValidatedChain, at: datetime, host: str | None
) -> None:
    """A verdict names a pin exactly when one decided, and that pin is of a certificate on the chain."""
    verdict = judged(entry, chain, at, host)
    assert (verdict.outcome in {Outcome.MATCH, Outcome.DENIED_KEY}) == (verdict.matched is not None)
    if verdict.matched is not None:
        assert entry.pinset is not None
        readable = [der for der in chain if der != b"junk"]
        assert verdict.matched in {Pin.of(der, kind=kind) for der in readable for kind in ("spki", "certificate")}
        assert (verdict.matched in entry.pinset.denied_keys) == (verdict.outcome is Outcome.DENIED_KEY)
        assert verdict.is_backup == (verdict.matched in entry.pinset.backup_pins)


@given(entries(), chains, moments, st.lists(st.binary(max_size=40) | st.sampled_from(CERTIFICATES), max_size=9))
def test_junk_on_a_presented_chain_never_matters(
    entry: HostPolicy, chain: ValidatedChain, at: datetime, junk: list[bytes]
) -> None:
    """What a server appends to its leaf changes no verdict on the leaf alone, genuine certificates of its victim included."""
    by = Policy([entry])
    alone = evaluate_leaf(PresentedChain([chain.leaf]), by, host=HOST, at=at)
    crowded = evaluate_leaf(PresentedChain([chain.leaf, *junk]), by, host=HOST, at=at)
    assert (alone.outcome, alone.action, alone.matched) == (crowded.outcome, crowded.action, crowded.matched)
    assert (alone.action is Action.ALLOW) == (alone.outcome is Outcome.MATCH)


@given(entries(), chains, moments, hosts)
def test_a_deferred_chain_is_judged_alike(
    entry: HostPolicy, chain: ValidatedChain, at: datetime, host: str | None
) -> None:
    """When the upper part of a chain is fetched changes nothing in the verdict, its id included."""
    at_once = judged(entry, chain, at, host)
    late = judged(entry, ValidatedChain.deferred(chain.leaf, lambda: chain.certificates[1:]), at, host)
    assert (at_once.outcome, at_once.action, at_once.matched) == (late.outcome, late.action, late.matched)
    assert (at_once.detail, at_once.id) == (late.detail, late.id)


def naive(entry: HostPolicy, chain: ValidatedChain, at: datetime) -> Outcome:
    """Find the outcome in the plainest way, every certificate readable."""
    assert entry.pinset is not None
    pins, backups, denied = entry.pinset.groups
    seen = {Pin.of(der, kind=kind) for der in chain for kind in ("spki", "certificate")}
    if seen & set(denied):
        return Outcome.DENIED_KEY
    if entry.on_expiry is OnExpiry.FAIL and entry.expires is not None and at > entry.expires:
        return Outcome.POLICY_EXPIRED
    return Outcome.MATCH if seen & set(pins + backups) else Outcome.NO_MATCHING_PIN


@given(entries(), st.lists(st.sampled_from(CERTIFICATES), min_size=1, max_size=5).map(ValidatedChain), moments)
def test_the_outcome_is_the_plainest_reading(entry: HostPolicy, chain: ValidatedChain, at: datetime) -> None:
    """Rules 4 to 7: the outcome equals what sets of pins say, whatever short cut found it."""
    assert naive(entry, chain, at) is judged(entry, chain, at).outcome


@given(entries(), chains, moments, hosts, st.sampled_from(UnlistedHosts))
def test_a_host_is_pinned_or_refused_or_nobody_listed_it(
    entry: HostPolicy, chain: ValidatedChain, at: datetime, host: str | None, listing: UnlistedHosts
) -> None:
    """NOT_PINNED is never the outcome of a listed host with pins, nor of a name that is none."""
    verdict = evaluate(chain, Policy([entry], unlisted_hosts=listing), host=host, at=at)
    if verdict.host is None or verdict.host_policy is not None:
        assert verdict.outcome is not Outcome.NOT_PINNED
    else:
        is_allowed = listing is UnlistedHosts.ALLOW
        assert is_allowed == (verdict.outcome is Outcome.NOT_PINNED) == (verdict.action is Action.ALLOW)
