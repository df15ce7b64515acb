"""What a policy document can say beside its pins, and what a client that reads it has to make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Pinned, Stage

READS = Capability.POLICY
REFUSED = Outcome.NO_MATCHING_PIN
REPORT_ONLY = 'mode = "report-only"\nreport-only-since = 2026-01-01'
EXPIRED = "expires = 2020-01-01T00:00:00Z"


def _shown(stage: Stage, tls: str, *, is_rogue: bool, **settings: object) -> Sequence[Visit]:
    """Visit the pinned server, or one with another key of its authority, under a policy of *settings*."""
    bank = stage.bank()
    server = stage.serve(bank.rogue() if is_rogue else bank.genuine, tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], **settings)]  # type: ignore[arg-type]


@scenario(Outcome.MATCH, READS)
def enforced_and_right(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Under a policy that says in full what the defaults say, the pinned server is reached.

        [leaf, pinned] <- intermediate <- root (trusted)        mode = "enforce", on-expiry = "keep-enforcing"
    """
    return _shown(stage, tls, is_rogue=False, entry='mode = "enforce"\non-expiry = "keep-enforcing"')


@scenario(REFUSED, READS, is_reported=True)
def report_only_and_wrong(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Under report-only an unpinned key is let through and told.

        rogue leaf <- intermediate <- root (trusted)        mode = "report-only"
    """
    return _shown(stage, tls, is_rogue=True, entry=REPORT_ONLY, expected=REFUSED, is_reported=True)


@scenario(Outcome.CHAIN_NOT_VALIDATED, READS)
def report_only_and_untrusted(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Report-only softens pins and nothing else: a chain that the platform refuses stays refused.

        [leaf, pinned] <- intermediate <- root (not trusted)        mode = "report-only"
    """
    bank, other = stage.bank(), stage.bank()
    server = stage.serve(bank.genuine, tls=tls)
    return [
        stage.visit(
            server, pins=[bank.genuine], trust=[other.root], entry=REPORT_ONLY, expected=Outcome.CHAIN_NOT_VALIDATED
        )
    ]


@scenario(Outcome.MATCH, READS)
def expired_and_right(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An expired policy goes on enforcing unless it says otherwise, and the pinned server is reached.

        [leaf, pinned] <- intermediate <- root (trusted)        expires = 2020-01-01
    """
    return _shown(stage, tls, is_rogue=False, entry=EXPIRED)


@scenario(REFUSED, READS)
def expired_and_wrong(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An expired policy goes on enforcing unless it says otherwise, and another key is refused.

        rogue leaf <- intermediate <- root (trusted)        expires = 2020-01-01
    """
    return _shown(stage, tls, is_rogue=True, entry=EXPIRED, expected=REFUSED)


@scenario(REFUSED, READS, is_reported=True)
def expired_into_a_report(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A policy that expires into a report lets another key through, and tells.

        rogue leaf <- intermediate <- root (trusted)        expires = 2020-01-01, on-expiry = "report"
    """
    entry = f'{EXPIRED}\non-expiry = "report"'
    return _shown(stage, tls, is_rogue=True, entry=entry, expected=REFUSED, is_reported=True)


@scenario(REFUSED, READS)
def not_yet_expired_into_a_report(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A policy that will expire into a report enforces until then.

        rogue leaf <- intermediate <- root (trusted)        expires = 2999-01-01, on-expiry = "report"
    """
    entry = 'expires = 2999-01-01T00:00:00Z\non-expiry = "report"'
    return _shown(stage, tls, is_rogue=True, entry=entry, expected=REFUSED)


@scenario(Outcome.POLICY_EXPIRED, READS)
def expired_into_a_failure(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A policy that fails when it expires refuses the pinned server too.

        [leaf, pinned] <- intermediate <- root (trusted)        expires = 2020-01-01, on-expiry = "fail"
    """
    entry = f'{EXPIRED}\non-expiry = "fail"'
    return _shown(stage, tls, is_rogue=False, entry=entry, expected=Outcome.POLICY_EXPIRED)


@scenario(Outcome.DENIED_KEY, READS, Capability.AUTHORITY_PINS)
def denied_leaf_under_a_pinned_authority(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A denied key is refused, though a pinned authority stands above it.

        leaf, denied <- [intermediate, pinned] <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls)
    entry = f'denied-keys = ["{Pin.of(bank.genuine.der)}"]'
    return [stage.visit(server, pins=[bank.authority], trust=[bank.root], entry=entry, expected=Outcome.DENIED_KEY)]


@scenario(Outcome.DENIED_KEY, READS)
def denied_authority_above_a_pinned_leaf(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A denied authority is refused, though the leaf below it is pinned.

        [leaf, pinned] <- intermediate, denied <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls)
    entry = f'denied-keys = ["{Pin.of(bank.authority.certificate)}"]'
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], entry=entry, expected=Outcome.DENIED_KEY)]


@scenario(Outcome.DENIED_KEY, READS, Capability.AUTHORITY_PINS)
def denied_root(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A denied root, which no server sends, is refused, though everything below it is pinned.

        [leaf, pinned] <- [intermediate, pinned] <- root, denied (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls)
    entry = f'denied-keys = ["{Pin.of(bank.root.certificate)}"]'
    pins: list[Pinned] = [bank.genuine, bank.authority]
    return [stage.visit(server, pins=pins, trust=[bank.root], entry=entry, expected=Outcome.DENIED_KEY)]


@scenario(Outcome.DENIED_KEY, READS, is_reported=True)
def denied_and_reported(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Under report-only a denied key is let through and told.

        leaf, denied <- intermediate <- root (trusted)        mode = "report-only"
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls)
    entry = f'{REPORT_ONLY}\ndenied-keys = ["{Pin.of(bank.genuine.der)}"]'
    return [
        stage.visit(
            server, pins=[bank.rogue()], trust=[bank.root], entry=entry, expected=Outcome.DENIED_KEY, is_reported=True
        )
    ]


@scenario(Outcome.UNLISTED_HOST, READS)
def unlisted_and_denied(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A host that nobody listed is refused by default.

        leaf <- intermediate <- root (trusted)        listed: other.test
    """
    return _shown(stage, tls, is_rogue=False, pattern="other.test", expected=Outcome.UNLISTED_HOST)


@scenario(Outcome.NOT_PINNED, READS)
def unlisted_and_allowed(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Where the policy says so, a host that nobody listed gets what the platform gives it.

        leaf <- intermediate <- root (trusted)        listed: other.test, unlisted-hosts = "allow"
    """
    defaults = 'unlisted-hosts = "allow"'
    return _shown(stage, tls, is_rogue=False, pattern="other.test", defaults=defaults, expected=Outcome.NOT_PINNED)


@scenario(Outcome.NOT_PINNED, READS, Capability.NAMES)
def exception_with_a_reason(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A host that is excepted by name, with a reason, is let through below a pattern that is pinned.

        leaf for status.bank.test <- intermediate <- root (trusted)        pinned: **.bank.test
    """
    bank = stage.bank("status.bank.test")
    server = stage.serve(bank.genuine, tls=tls)
    more = '[hosts."status.bank.test"]\nunpinned = "public, nothing secret"'
    return [
        stage.visit(
            server, host="status.bank.test", pattern="**.bank.test", pins=[bank.rogue()], trust=[bank.root], more=more,
            expected=Outcome.NOT_PINNED,
        )
    ]  # fmt: skip


def _pattern(
    stage: Stage, tls: str, host: str, pattern: str, *, is_rogue: bool = False, **settings: object
) -> Sequence[Visit]:
    bank = stage.bank(host)
    server = stage.serve(bank.rogue() if is_rogue else bank.genuine, tls=tls)
    return [
        stage.visit(server, host=host, pattern=pattern, pins=[bank.genuine], trust=[bank.root], **settings)  # type: ignore[arg-type]
    ]


@scenario(Outcome.MATCH, READS, Capability.NAMES)
def pattern_of_one_label(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pattern that begins with one star reaches a name that is one label longer.

        [leaf for api.bank.test, pinned] <- intermediate <- root (trusted)        listed: *.bank.test
    """
    return _pattern(stage, tls, "api.bank.test", "*.bank.test")


@scenario(REFUSED, READS, Capability.NAMES)
def pattern_of_one_label_and_a_rogue(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The pins of a pattern hold for every host that it reaches.

        rogue leaf for api.bank.test <- intermediate <- root (trusted)        listed: *.bank.test
    """
    return _pattern(
        stage, tls, "api.bank.test", "*.bank.test", is_rogue=True, expected=REFUSED,
        defaults='unlisted-hosts = "allow"',
    )  # fmt: skip


@scenario(Outcome.UNLISTED_HOST, READS, Capability.NAMES)
def pattern_that_reaches_no_further(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    One star is exactly one label: two labels down, the host is not listed.

        leaf for a.api.bank.test <- intermediate <- root (trusted)        listed: *.bank.test
    """
    return _pattern(stage, tls, "a.api.bank.test", "*.bank.test", expected=Outcome.UNLISTED_HOST)


@scenario(Outcome.UNLISTED_HOST, READS, Capability.NAMES)
def pattern_without_its_domain(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    One star does not reach the domain that it stands below.

        leaf for bank.test <- intermediate <- root (trusted)        listed: *.bank.test
    """
    return _pattern(stage, tls, "bank.test", "*.bank.test", expected=Outcome.UNLISTED_HOST)


@scenario(REFUSED, READS, Capability.NAMES)
def pattern_of_any_depth(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Two stars reach the domain itself and every depth below it, rogues included.

        rogue leaf for a.b.c.bank.test <- intermediate <- root (trusted)        listed: **.bank.test
    """
    return _pattern(
        stage, tls, "a.b.c.bank.test", "**.bank.test", is_rogue=True, expected=REFUSED,
        defaults='unlisted-hosts = "allow"',
    )  # fmt: skip


@scenario(Outcome.UNLISTED_HOST, READS, Capability.NAMES)
def pattern_beside_its_dot(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pattern for bank.test reaches no name that merely ends in those letters.

        leaf for notbank.test <- intermediate <- root (trusted)        listed: **.bank.test
    """
    return _pattern(stage, tls, "notbank.test", "**.bank.test", expected=Outcome.UNLISTED_HOST)


@scenario(REFUSED, READS, Capability.NAMES)
def most_specific_pattern_wins(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The most specific entry decides alone: the pins of a wider one do not count beside it.

        leaf, pinned for **.bank.test <- intermediate <- root (trusted)        host: api.bank.test, with other pins
    """
    bank = stage.bank("api.bank.test")
    server = stage.serve(bank.genuine, tls=tls)
    wider = f'[hosts."**.bank.test"]\npins = ["{Pin.of(bank.genuine.der)}", "{Pin.of(bank.rogue().der)}"]'
    return [
        stage.visit(server, host="api.bank.test", pins=[bank.rogue()], trust=[bank.root], more=wider, expected=REFUSED)
    ]


@scenario(Outcome.MATCH, READS, Capability.NAMES)
def exact_entry_below_a_pattern(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An exact entry is the most specific there is, and its pins let the client through.

        [leaf, pinned for api.bank.test] <- intermediate <- root (trusted)        listed too: *.bank.test, other pins
    """
    bank = stage.bank("api.bank.test")
    server = stage.serve(bank.genuine, tls=tls)
    wider = f'[hosts."*.bank.test"]\npins = ["{Pin.of(bank.rogue().der)}", "{Pin.of(bank.rogue().der)}"]'
    return [stage.visit(server, host="api.bank.test", pins=[bank.genuine], trust=[bank.root], more=wider)]
