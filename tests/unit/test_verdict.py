"""The truth table of a verdict, as one table, and what follows from it."""

from __future__ import annotations

import copy
import pickle
import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.entry import HostPolicy, Mode, OnExpiry, UnlistedHosts
from pinscher.host import HostPattern
from pinscher.pin import Pin, PinSet
from pinscher.policy import Policy
from pinscher.verdict import Action, Outcome, Verdict, evaluate, evaluate_leaf, is_settled, refusal, unlisted
from tests import openssl
from tests.certificates import UTC_TIME, certificate, key_info, key_infos, named, tlv

LEAF, INTERMEDIATE, ROOT, STRANGER = map(named, ("leaf", "intermediate", "root", "stranger"))
CHAIN = ValidatedChain([LEAF, INTERMEDIATE, ROOT])
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOST = "api.bank.example"


def entry(*pins: bytes, backups: tuple[bytes, ...] = (), denied: tuple[bytes, ...] = (), **more: Any) -> HostPolicy:
    """Return an entry for HOST with the pins of these certificates' keys."""
    if more.get("mode") is Mode.REPORT_ONLY:
        more["report_only_since"] = date(2026, 11, 1)
    pinset = PinSet(map(Pin.of, pins), backup_pins=map(Pin.of, backups), denied_keys=map(Pin.of, denied))
    return HostPolicy(HostPattern(HOST), pinset, **more)


def policy(*pins: bytes, unlisted_hosts: UnlistedHosts = UnlistedHosts.DENY, version: int = 1, **more: Any) -> Policy:
    """Return a policy of one entry."""
    return Policy([entry(*pins, **more)], unlisted_hosts=unlisted_hosts, version=version)


def judged(chain: ValidatedChain, by: Policy, host: str | None = HOST, at: datetime = NOW) -> tuple[Outcome, Action]:
    """Return outcome and action."""
    verdict = evaluate(chain, by, host=host, at=at)
    return verdict.outcome, verdict.action


# The truth table. A letter is the outcome, the sign the action; the four columns are: no 'expires' at all, a second
# before it, exactly at it, a second after it.
CODES = {
    "D": Outcome.DENIED_KEY,
    "X": Outcome.POLICY_EXPIRED,
    "M": Outcome.MATCH,
    "N": Outcome.NO_MATCHING_PIN,
    "+": Action.ALLOW,
    "!": Action.BLOCK,
}
SITUATIONS: dict[str, dict[str, Any]] = {
    "denied": {"pins": (STRANGER,), "denied": (ROOT,)},
    "denied beside a match": {"pins": (LEAF,), "denied": (INTERMEDIATE,)},
    "match": {"pins": (STRANGER, INTERMEDIATE)},
    "backup match": {"pins": (STRANGER,), "backups": (ROOT,)},
    "match, another denied": {"pins": (LEAF,), "denied": (STRANGER,)},
    "none": {"pins": (STRANGER,)},
    "none, another denied": {"pins": (STRANGER,), "denied": (named("other"),)},
}
TABLE = """
denied                  enforce      keep-enforcing  D! D! D! D!
denied                  enforce      report          D! D! D! D+
denied                  enforce      fail            D! D! D! D!
denied                  report-only  keep-enforcing  D+ D+ D+ D+
denied                  report-only  report          D+ D+ D+ D+
denied                  report-only  fail            D+ D+ D+ D+
denied beside a match   enforce      keep-enforcing  D! D! D! D!
denied beside a match   enforce      report          D! D! D! D+
denied beside a match   enforce      fail            D! D! D! D!
denied beside a match   report-only  keep-enforcing  D+ D+ D+ D+
denied beside a match   report-only  report          D+ D+ D+ D+
denied beside a match   report-only  fail            D+ D+ D+ D+
match                   enforce      keep-enforcing  M+ M+ M+ M+
match                   enforce      report          M+ M+ M+ M+
match                   enforce      fail            M+ M+ M+ X!
match                   report-only  keep-enforcing  M+ M+ M+ M+
match                   report-only  report          M+ M+ M+ M+
match                   report-only  fail            M+ M+ M+ X+
backup match            enforce      keep-enforcing  M+ M+ M+ M+
backup match            enforce      report          M+ M+ M+ M+
backup match            enforce      fail            M+ M+ M+ X!
backup match            report-only  keep-enforcing  M+ M+ M+ M+
backup match            report-only  report          M+ M+ M+ M+
backup match            report-only  fail            M+ M+ M+ X+
match, another denied   enforce      keep-enforcing  M+ M+ M+ M+
match, another denied   enforce      report          M+ M+ M+ M+
match, another denied   enforce      fail            M+ M+ M+ X!
match, another denied   report-only  keep-enforcing  M+ M+ M+ M+
match, another denied   report-only  report          M+ M+ M+ M+
match, another denied   report-only  fail            M+ M+ M+ X+
none                    enforce      keep-enforcing  N! N! N! N!
none                    enforce      report          N! N! N! N+
none                    enforce      fail            N! N! N! X!
none                    report-only  keep-enforcing  N+ N+ N+ N+
none                    report-only  report          N+ N+ N+ N+
none                    report-only  fail            N+ N+ N+ X+
none, another denied    enforce      keep-enforcing  N! N! N! N!
none, another denied    enforce      report          N! N! N! N+
none, another denied    enforce      fail            N! N! N! X!
none, another denied    report-only  keep-enforcing  N+ N+ N+ N+
none, another denied    report-only  report          N+ N+ N+ N+
none, another denied    report-only  fail            N+ N+ N+ X+
"""
MOMENTS = {"no expires": None, "before": SECOND, "at": 0 * SECOND, "after": -SECOND}
ROWS = [
    (line[:24].strip(), Mode(line[24:37].strip()), OnExpiry(line[37:53].strip()), moment, code)
    for line in TABLE.strip().splitlines()
    for moment, code in zip(MOMENTS, line[53:].split(), strict=True)
]


@pytest.mark.parametrize(("situation", "mode", "on_expiry", "moment", "code"), ROWS)
def test_the_truth_table(situation: str, mode: Mode, on_expiry: OnExpiry, moment: str, code: str) -> None:
    """Rules 4 to 7: outcome and action for every mode, every on-expiry and every side of the moment of expiry."""
    left = MOMENTS[moment]
    expires = None if left is None else NOW + left
    groups = dict(SITUATIONS[situation])
    by = policy(*groups.pop("pins"), **groups, mode=mode, on_expiry=on_expiry, expires=expires)
    verdict = evaluate(CHAIN, by, host=HOST, at=NOW, port=443, resumed=True)
    assert (CODES[code[0]], CODES[code[1]]) == (verdict.outcome, verdict.action)
    assert (mode, moment == "after", code[0] != "M") == (verdict.mode, verdict.is_expired, verdict.is_reportable)
    assert (HOST, 443, True, NOW, "") == (verdict.host, verdict.port, verdict.resumed, verdict.at, verdict.detail)
    assert (by, by.hosts[0], CHAIN) == (verdict.policy, verdict.host_policy, verdict.chain)
    assert (code[0] == "M" and situation == "backup match") == verdict.is_backup
    assert (verdict.matched is not None) == (code[0] in "DM")


def test_the_table_is_whole() -> None:
    """The table above leaves out no situation, no mode, no on-expiry and no moment."""
    assert len(SITUATIONS) * len(Mode) * len(OnExpiry) * len(MOMENTS) == len({row[:4] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("host", ["other.example", "api.bank.example.evil.test", "a.api.bank.example"])
def test_an_unlisted_host_follows_the_policy(host: str, mode: Mode) -> None:
    """Rules 2 and 3: a host without an entry is refused, in every mode, unless the policy allows unlisted hosts."""
    assert (Outcome.UNLISTED_HOST, Action.BLOCK) == judged(CHAIN, policy(LEAF, mode=mode), host)
    allowing = policy(LEAF, mode=mode, unlisted_hosts=UnlistedHosts.ALLOW)
    assert (Outcome.NOT_PINNED, Action.ALLOW) == judged(CHAIN, allowing, host)


@pytest.mark.parametrize("listing", UnlistedHosts)
@pytest.mark.parametrize(
    "host", [None, "", "api.bank.example\x00", "[::1]", "user@api.bank.example", b"api.bank.example", 7]
)
def test_a_host_that_is_none_is_refused_whatever_the_policy_says(host: str | None, listing: UnlistedHosts) -> None:
    """Rule 2: a missing or malformed name is never "not found, so not pinned" (threats 7 and 8)."""
    by = policy(LEAF, unlisted_hosts=listing)
    verdict = evaluate(CHAIN, by, host=host, at=NOW)
    assert (Outcome.UNLISTED_HOST, Action.BLOCK, None) == (verdict.outcome, verdict.action, verdict.host)
    early = unlisted(by, host=host, at=NOW)
    assert early is not None
    assert (Outcome.UNLISTED_HOST, Action.BLOCK) == (early.outcome, early.action)


@pytest.mark.parametrize("host", ["API.bank.example", "api.bank.example.", "api。bank.example"])
def test_every_spelling_of_a_host_is_judged_alike(host: str) -> None:
    """Case, a trailing dot and the dots of other scripts do not lead past the pins."""
    verdict = evaluate(CHAIN, policy(STRANGER, unlisted_hosts=UnlistedHosts.ALLOW), host=host, at=NOW)
    assert (Outcome.NO_MATCHING_PIN, HOST) == (verdict.outcome, verdict.host)


def test_an_exception_with_a_reason_is_not_pinned() -> None:
    """Rule 3: an entry that says why it has no pins lets the host through, also under a wider pattern."""
    exception = HostPolicy(HostPattern("status.bank.example"), unpinned="public, nothing secret")
    wide = HostPolicy(HostPattern.parse("**.bank.example"), PinSet([Pin.of(STRANGER)]))
    by = Policy([wide, exception])
    verdict = evaluate(CHAIN, by, host="status.bank.example", at=NOW)
    assert (Outcome.NOT_PINNED, Action.ALLOW, None) == (verdict.outcome, verdict.action, verdict.matched)
    assert (False, False, None) == (verdict.is_reportable, verdict.is_backup, verdict.alternate)
    assert (Outcome.NO_MATCHING_PIN, Action.BLOCK) == judged(CHAIN, by, "other.bank.example")


def test_the_verdict_says_which_pin_decided() -> None:
    """The pin nearest to the leaf is the one that matched, and a denied one is named as such."""
    assert Pin.of(LEAF) == evaluate(CHAIN, policy(ROOT, INTERMEDIATE, LEAF), host=HOST, at=NOW).matched
    assert Pin.of(ROOT) == evaluate(CHAIN, policy(STRANGER, ROOT), host=HOST, at=NOW).matched
    assert Pin.of(INTERMEDIATE) == evaluate(CHAIN, policy(LEAF, denied=(ROOT, INTERMEDIATE)), host=HOST, at=NOW).matched


def test_the_verdict_names_the_alternate() -> None:
    """The other endpoint that a policy names for the application is on the verdict."""
    other = HostPolicy(HostPattern("api2.bank.example"), PinSet([Pin.of(ROOT)]))
    by = Policy([entry(STRANGER, alternate="api2.bank.example"), other])
    assert "api2.bank.example" == evaluate(CHAIN, by, host=HOST, at=NOW).alternate


def test_expiry_is_a_moment_and_not_a_wall_clock() -> None:
    """The same moment told in another zone gives the same verdict."""
    by = policy(LEAF, expires=NOW, on_expiry=OnExpiry.FAIL)
    east = timezone(timedelta(hours=13))
    assert (Outcome.MATCH, Action.ALLOW) == judged(CHAIN, by, at=NOW.astimezone(east))
    later = (NOW + timedelta(microseconds=1)).astimezone(east)
    assert (Outcome.POLICY_EXPIRED, Action.BLOCK) == judged(CHAIN, by, at=later)


# CVE-2016-2402 and its kin.


def test_cve_2016_2402_a_presented_chain_cannot_be_judged() -> None:
    """Pins are never compared with what a server merely presented (https://nvd.nist.gov/vuln/detail/CVE-2016-2402)."""
    for impostor in (
        PresentedChain([STRANGER, LEAF]),
        [LEAF],
        (LEAF,),
        LEAF,
        None,
        type("Sub", (ValidatedChain,), {})([LEAF]),
    ):
        with pytest.raises(TypeError, match="evaluate takes a ValidatedChain, found "):
            evaluate(impostor, policy(LEAF), host=HOST, at=NOW)  # type: ignore[arg-type]


def test_a_validated_chain_is_not_judged_by_its_leaf_alone() -> None:
    """The entry point of danger takes what was presented, and nothing else."""
    with pytest.raises(TypeError, match="evaluate_leaf takes a PresentedChain, found ValidatedChain"):
        evaluate_leaf(CHAIN, policy(LEAF), host=HOST, at=NOW)  # type: ignore[arg-type]


def test_a_verdict_has_no_truth_value() -> None:
    """'if verdict' is an error, for every outcome."""
    for verdict in (evaluate(CHAIN, policy(LEAF), host=HOST, at=NOW), evaluate(CHAIN, policy(LEAF), host=None, at=NOW)):
        with pytest.raises(TypeError, match="a verdict has no truth value"):
            bool(verdict)


# The leaf alone, for danger.


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("listing", UnlistedHosts)
@pytest.mark.parametrize("on_expiry", OnExpiry)
def test_the_leaf_alone_is_let_through_by_a_match_alone(
    mode: Mode, listing: UnlistedHosts, on_expiry: OnExpiry
) -> None:
    """Where nothing but the pin authenticates a server, everything but a match is refused, in every mode."""

    def outcome(chain: list[bytes], host: str | None, *pins: bytes, **more: Any) -> tuple[Outcome, Action]:
        by = policy(*pins, mode=mode, unlisted_hosts=listing, on_expiry=on_expiry, **more)
        verdict = evaluate_leaf(PresentedChain(chain), by, host=host, at=NOW, port=1)
        assert (1, PresentedChain(chain), False) == (verdict.port, verdict.chain, verdict.resumed)
        return verdict.outcome, verdict.action

    assert (Outcome.MATCH, Action.ALLOW) == outcome([LEAF], HOST, LEAF)
    assert (Outcome.NO_MATCHING_PIN, Action.BLOCK) == outcome([STRANGER, LEAF], HOST, LEAF)
    assert (Outcome.DENIED_KEY, Action.BLOCK) == outcome([LEAF], HOST, ROOT, denied=(LEAF,))
    assert (Outcome.UNLISTED_HOST, Action.BLOCK) == outcome([LEAF], None, LEAF)
    assert Action.BLOCK is outcome([LEAF], "other.example", LEAF)[1]
    expired = outcome([LEAF], HOST, LEAF, expires=NOW - SECOND)
    is_fatal = on_expiry is OnExpiry.FAIL
    assert expired == ((Outcome.POLICY_EXPIRED, Action.BLOCK) if is_fatal else (Outcome.MATCH, Action.ALLOW))
    assert (Outcome.NO_MATCHING_PIN, Action.BLOCK) == outcome([b"junk"], HOST, LEAF)


# Without a chain.


def test_an_unlisted_host_is_known_before_a_byte_is_sent() -> None:
    """A host that will be refused whatever it shows is refused before the connection is tried."""
    early = unlisted(policy(LEAF), host="Other.Example", at=NOW, port=8443)
    assert early is not None
    assert (Outcome.UNLISTED_HOST, Action.BLOCK, "other.example") == (early.outcome, early.action, early.host)
    assert (None, None, None, 8443) == (early.chain, early.matched, early.host_policy, early.port)
    assert unlisted(policy(LEAF), host="API.bank.example.", at=NOW) is None
    assert unlisted(policy(LEAF, unlisted_hosts=UnlistedHosts.ALLOW), host="other.example", at=NOW) is None


@pytest.mark.parametrize("mode", Mode)
def test_a_chain_that_was_not_validated_is_refused_in_every_mode(mode: Mode) -> None:
    """Rule 1: report-only softens what pins find, and never what TLS found."""
    by = policy(LEAF, mode=mode, on_expiry=OnExpiry.REPORT, expires=NOW - SECOND)
    verdict = refusal(
        by, host="API.bank.example", at=NOW, detail="self-signed certificate", port=443, resumed=True, chain=CHAIN
    )
    assert (Outcome.CHAIN_NOT_VALIDATED, Action.BLOCK) == (verdict.outcome, verdict.action)
    assert (HOST, by.hosts[0], CHAIN, None) == (verdict.host, verdict.host_policy, verdict.chain, verdict.matched)
    assert ("self-signed certificate", 443, True) == (verdict.detail, verdict.port, verdict.resumed)
    assert (True, True, mode) == (verdict.is_expired, verdict.is_reportable, verdict.mode)


@pytest.mark.parametrize("host", [None, "", "\x00", "other.example"])
def test_a_refusal_needs_no_usable_host(host: str | None) -> None:
    """A refusal can be told of any connection, whatever name it was opened with."""
    verdict = refusal(policy(LEAF), host=host, at=NOW, detail="x")
    assert (None, Action.BLOCK, Mode.ENFORCE) == (verdict.host_policy, verdict.action, verdict.mode)
    assert ("other.example" if host == "other.example" else None) == verdict.host


# Certificates whose key cannot be read (threat 24).


def ber_certificate() -> bytes:
    """Return a certificate whose validity has an indefinite length: BER, which OpenSSL takes and verifies."""
    times = b"\x30\x80" + tlv(UTC_TIME, b"250101000000Z") + tlv(UTC_TIME, b"350101000000Z") + b"\x00\x00"
    return certificate(key_infos()["ed25519"], times=times)


def test_report_only_never_blocks_a_certificate_that_openssl_took() -> None:
    """A certificate in BER, which OpenSSL verifies and we cannot read, matches nothing: refused when enforced, else told."""
    if openssl.library() is not None:
        assert openssl.read_certificate(ber_certificate()) is not None
    chain = ValidatedChain([ber_certificate(), ROOT])
    for mode, action in ((Mode.ENFORCE, Action.BLOCK), (Mode.REPORT_ONLY, Action.ALLOW)):
        verdict = evaluate(chain, policy(ROOT, mode=mode), host=HOST, at=NOW)
        assert (Outcome.NO_MATCHING_PIN, action) == (verdict.outcome, verdict.action)
        assert (True, "not a certificate: an indefinite length (BER) at byte 22") == (
            verdict.is_reportable,
            verdict.detail,
        )


def test_what_cannot_be_read_is_not_cleared_of_being_denied() -> None:
    """Where keys are denied every certificate has to be read, so an unreadable one beside a match is refused."""
    chain = ValidatedChain([LEAF, b"junk"])
    assert (Outcome.NO_MATCHING_PIN, Action.BLOCK) == judged(chain, policy(LEAF, denied=(STRANGER,)))
    assert (Outcome.DENIED_KEY, Action.BLOCK) == judged(chain, policy(ROOT, denied=(LEAF,)))


def test_what_need_not_be_read_is_not_read() -> None:
    """A leaf that matches is enough; what stands above it can be of any form."""
    assert (Outcome.MATCH, Action.ALLOW) == judged(ValidatedChain([LEAF, b"junk"]), policy(LEAF))
    unread = ValidatedChain([b"junk"])
    assert (Outcome.NOT_PINNED, Action.ALLOW) == judged(
        unread, policy(LEAF, unlisted_hosts=UnlistedHosts.ALLOW), "x.example"
    )
    expired = policy(LEAF, on_expiry=OnExpiry.FAIL, expires=NOW - SECOND)
    assert (Outcome.POLICY_EXPIRED, Action.BLOCK) == judged(unread, expired)


# Nothing is fetched that is not needed.


@pytest.mark.parametrize(
    ("more", "fetches"),
    [
        ({"pins": (LEAF,)}, 0),
        ({"pins": (STRANGER,), "backups": (LEAF,)}, 0),
        ({"pins": (LEAF,), "on_expiry": OnExpiry.FAIL, "expires": NOW}, 0),
        ({"pins": (LEAF,), "on_expiry": OnExpiry.FAIL, "expires": NOW - SECOND}, 0),
        ({"pins": (STRANGER,), "denied": (LEAF,)}, 0),
        ({"pins": (LEAF,), "denied": (STRANGER,)}, 1),
        ({"pins": (INTERMEDIATE,)}, 1),
        ({"pins": (STRANGER,)}, 1),
    ],
)
def test_the_chain_above_the_leaf_is_fetched_when_it_is_needed(more: dict[str, Any], fetches: int) -> None:
    """A leaf that matches costs no look above it, unless a key is denied."""
    fetched: list[int] = []

    def rest() -> list[bytes]:
        fetched.append(1)
        return [INTERMEDIATE, ROOT]

    groups = dict(more)
    verdict = evaluate(ValidatedChain.deferred(LEAF, rest), policy(*groups.pop("pins"), **groups), host=HOST, at=NOW)
    assert [1] * fetches == fetched
    assert CHAIN == verdict.chain


# Ids.


def _verdicts() -> list[Verdict]:
    by, next_policy = policy(STRANGER), policy(STRANGER, version=2)
    other_name = Policy(by.hosts, name="other")
    wide = Policy([HostPolicy(HostPattern.parse("**.example"), PinSet([Pin.of(STRANGER)]))])
    return [
        evaluate(CHAIN, by, host=HOST, at=NOW),
        evaluate(CHAIN, by, host=HOST, at=NOW, port=443),
        evaluate(CHAIN, by, host=HOST, at=NOW, port=8443),
        evaluate(CHAIN, next_policy, host=HOST, at=NOW),
        evaluate(CHAIN, other_name, host=HOST, at=NOW),
        evaluate(CHAIN, wide, host="other.example", at=NOW),
        evaluate(CHAIN, by, host=None, at=NOW),
        evaluate(ValidatedChain([LEAF, ROOT]), by, host=HOST, at=NOW),
        evaluate(ValidatedChain([ROOT, LEAF, INTERMEDIATE]), by, host=HOST, at=NOW),
        evaluate(CHAIN, policy(STRANGER, denied=(LEAF,)), host=HOST, at=NOW),
        evaluate(CHAIN, policy(STRANGER, mode=Mode.REPORT_ONLY), host=HOST, at=NOW),
        refusal(by, host=HOST, at=NOW, detail="expired"),
        refusal(by, host=HOST, at=NOW, detail="self-signed"),
        refusal(by, host=HOST, at=NOW, detail="self-signed", chain=CHAIN),
        refusal(by, host=HOST, at=NOW, detail="\ud800"),
    ]


def test_different_refusals_have_different_ids() -> None:
    """Host, port, policy, outcome, action, chain and reason each make another refusal."""
    ids = [verdict.id for verdict in _verdicts()]
    assert len(ids) == len(set(ids))
    assert {16} == {len(one) for one in ids}
    assert set("0123456789abcdef").issuperset("".join(ids))


def test_the_same_refusal_has_the_same_id_whenever_it_happens() -> None:
    """A retry an hour later, on a policy read anew, on a chain fetched late, is not a second attack."""
    by = policy(STRANGER)
    late = ValidatedChain.deferred(LEAF, lambda: [INTERMEDIATE, ROOT])
    again = evaluate(late, Policy.loads(by.to_toml()), host="API.bank.example.", at=NOW + timedelta(hours=1))
    assert evaluate(CHAIN, by, host=HOST, at=NOW).id == again.id
    assert [verdict.id for verdict in _verdicts()] == [verdict.id for verdict in _verdicts()]


def test_an_id_is_the_same_on_every_machine() -> None:
    """An id depends on nothing but what was judged, so that reports of two machines can be brought together."""
    assert "792a09abb5d73495" == refusal(policy(LEAF), host=HOST, at=NOW, detail="x", port=443).id


def test_a_verdict_survives_a_process_boundary() -> None:
    """A verdict pickles and copies, deferred chain and all, and tells the same."""
    chain = ValidatedChain.deferred(LEAF, lambda: [INTERMEDIATE])
    verdict = evaluate(chain, policy(INTERMEDIATE), host=HOST, at=NOW, port=443)
    for again in (pickle.loads(pickle.dumps(verdict)), copy.deepcopy(verdict), copy.copy(verdict)):
        assert (verdict.id, verdict.matched, verdict.policy) == (again.id, again.matched, again.policy)
        assert (verdict.chain, verdict.at, verdict.host_policy) == (again.chain, again.at, again.host_policy)


def test_a_verdict_cannot_be_changed() -> None:
    """What was judged stays so, and two verdicts are never equal: each is one event."""
    verdict = evaluate(CHAIN, policy(STRANGER), host=HOST, at=NOW)
    with pytest.raises(AttributeError):
        verdict.action = Action.ALLOW  # type: ignore[misc]
    assert verdict != evaluate(CHAIN, policy(STRANGER), host=HOST, at=NOW)


def test_a_giant_chain_costs_linear_time() -> None:
    """Threat 14: ten thousand certificates, and one of ten megabytes, are looked at once each."""
    giant = certificate(key_info("1.2.3", b"x" * 10_000_000))
    chain = ValidatedChain([giant, *(named(str(number)) for number in range(10_000)), LEAF])
    started = time.process_time()
    assert (Outcome.MATCH, Action.ALLOW) == judged(chain, policy(LEAF, denied=(STRANGER,)))
    assert time.process_time() - started < 5


@pytest.mark.parametrize("on_expiry", OnExpiry)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("denied", [(), (ROOT,), (STRANGER,)])
@pytest.mark.parametrize("pins", [(LEAF,), (INTERMEDIATE,), (ROOT,), (LEAF, ROOT), (STRANGER,)])
def test_a_settled_leaf_is_a_match_for_good(
    pins: tuple[bytes, ...], denied: tuple[bytes, ...], mode: Mode, on_expiry: OnExpiry
) -> None:
    """What is settled is a MATCH at any time and under any authority; what may turn out otherwise is not settled."""
    if {*pins} & {*denied}:
        denied = ()
    by = policy(*pins, denied=denied, mode=mode, on_expiry=on_expiry, expires=NOW)
    above = [(INTERMEDIATE, ROOT), (STRANGER,), ()]
    times = [NOW - 1000 * SECOND, NOW, NOW + SECOND, NOW + 10**8 * SECOND]
    found = {judged(ValidatedChain([LEAF, *more]), by, at=at) for more in above for at in times}
    assert is_settled(by.lookup(HOST), LEAF) is (found == {(Outcome.MATCH, Action.ALLOW)})


@pytest.mark.parametrize("pinned", [INTERMEDIATE, ROOT])
def test_a_match_above_the_leaf_is_not_settled(pinned: bytes) -> None:
    """Where a pin is an authority's, the same leaf may come by a path without it, and nothing is settled."""
    by = policy(pinned)
    assert (Outcome.MATCH, Action.ALLOW) == judged(CHAIN, by)
    assert (Outcome.NO_MATCHING_PIN, Action.BLOCK) == judged(ValidatedChain([LEAF, STRANGER]), by)
    assert not is_settled(by.lookup(HOST), LEAF)
    assert not is_settled(by.lookup(HOST), b"no certificate")


def test_no_entry_and_an_exception_are_not_settled() -> None:
    """Without pins there is no match that could be the same again."""
    assert not is_settled(None, LEAF)
    assert not is_settled(HostPolicy(HostPattern(HOST), unpinned="a reason"), LEAF)
