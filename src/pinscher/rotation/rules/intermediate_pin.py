"""Rule ``intermediate-pin``: no intermediate is pinned of an authority that changes its intermediates at will."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.entry import Role
from pinscher.rotation.circumstances import is_pin_of
from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import Standing, standing_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.policy import Policy
    from pinscher.rotation.authority_facts import Authority
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding


def check(policy: Policy, circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each pinned intermediate of such an authority, unless its root is pinned beside it."""
    known = policy.keys
    for entry in policy.hosts:
        pins = list(standing_in(entry, known))
        with_root = {circumstances.facts.of_root(one.pin) for one in pins}
        for one in pins:
            found = _authority(policy, one, circumstances)
            if found is not None and found[0].is_moving and found[0] not in with_root:
                yield _finding(one, *found)


def _finding(one: Standing, authority: Authority, confidence: Confidence) -> Finding:
    how = "chooses its intermediates at random" if authority.intermediates == "random" else "changes its intermediates"
    text = f"{one.entry.pattern} pins the intermediate {one.shown}, and {authority.name} {how}"
    return RULE.finding(f"{text} ({authority.source}, {authority.date})", one.keys, confidence=confidence)


def _authority(policy: Policy, one: Standing, circumstances: Circumstances) -> tuple[Authority, Confidence] | None:
    """Return whose intermediate a pin is: by a chain that shows it, or by the policy's own words."""
    for chain in circumstances.chains_of(policy, one.entry):
        for certificate in chain.certificates[1:]:
            summary = certificate_summary(certificate)
            if summary.subject != summary.issuer and is_pin_of(one.pin, certificate):
                found = circumstances.facts.named_in(summary.subject)
                return None if found is None else (found, Confidence.HIGH)
    if one.role is not Role.INTERMEDIATE:
        return None
    called = None if one.key is None else circumstances.facts.called(one.key.name)
    return circumstances.authority_of(policy, one.entry) if called is None else (called, Confidence.MEDIUM)


RULE = Rule(
    "intermediate-pin",
    "no intermediate is pinned of an authority that changes its intermediates at will",
    check,
    Severity.WARNING,
    Confidence.HIGH,
    "pin the authority's roots, or your own key and a backup, in its place",
)
