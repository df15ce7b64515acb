"""
Rules 12 to 21: a chain that was validated, and no pin on it.

They run on the validated chain alone. A verdict of ``danger``, which has none, is left to be unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.diagnosis.cause import Cause, Confidence
from pinscher.diagnosis.finding import Finding
from pinscher.diagnosis.roots import mozilla

if TYPE_CHECKING:
    from pinscher.diagnosis.evidence import Evidence


def _policy_changed(evidence: Evidence) -> Finding | None:
    before = evidence.chain_before
    if evidence.chain[:1] != before[:1] or not before or not set(evidence.chain) <= set(before):
        return None
    return Finding(
        Cause.POLICY_CHANGED,
        Confidence.CERTAIN,
        "every certificate on this chain was accepted before: the server is the same, and the policy has changed",
    )


def _different_path(evidence: Evidence) -> Finding | None:
    if not evidence.keys or evidence.keys[0] is None or evidence.keys[0] not in evidence.keys_before[:1]:
        return None
    return Finding(
        Cause.DIFFERENT_PATH,
        Confidence.CERTAIN,
        "the leaf's key is the one accepted before: the same server, "
        "with a certificate or a certification path that no pin covers",
    )


def _known_ca(evidence: Evidence) -> Finding | None:
    if not evidence.ca_keys_as_before:
        return None
    confidence = Confidence.LIKELY if evidence.has_issuer_as_before else Confidence.POSSIBLE
    which = "the same CA key" if evidence.has_issuer_as_before else "another intermediate of the same CA"
    return Finding(
        Cause.KEY_ROTATION,
        confidence,
        f"a new key under {which} as the chain accepted before: a rotation this policy was not told of, "
        "or a certificate the CA issued to somebody else",
    )


def _ca_of_the_policy(evidence: Evidence) -> Finding | None:
    if not evidence.named_ca_keys:
        return None
    names = ", ".join(map(repr, evidence.named_ca_keys[:3]))
    return Finding(
        Cause.KEY_ROTATION,
        Confidence.LIKELY,
        f"a new key under a CA that the policy names ({names}) but does not pin for this host",
    )


def _product(evidence: Evidence) -> Finding | None:
    product = evidence.product
    if product is None or not evidence.chain or evidence.is_public:
        return None
    return Finding(
        Cause.LOCAL_INTERCEPTION,
        Confidence.LIKELY,
        f"intercepted by {product.name} (a {product.kind}): this context trusts its CA, {_not_mozilla()} does not",
        product=product.name,
    )


def _local_root(evidence: Evidence) -> Finding | None:
    if evidence.anchor is None or evidence.is_public or evidence.facts.trust_named:
        return None
    doubtful = evidence.is_private_host and not evidence.was_public
    return Finding(
        Cause.LOCAL_INTERCEPTION,
        Confidence.POSSIBLE if doubtful else Confidence.LIKELY,
        f"this machine trusts the root {evidence.anchor.subject}, {_not_mozilla()} does not: a local interception"
        + (", or a private CA" if doubtful else ""),
    )


def _not_mozilla() -> str:
    return f"Mozilla's programme ({mozilla().date:%Y-%m-%d})"


def _expired_pins(evidence: Evidence) -> Finding | None:
    entry = evidence.verdict.host_policy
    if entry is None or entry.expires is None or not evidence.verdict.is_expired:
        return None
    return Finding(
        Cause.POLICY_EXPIRED,
        Confidence.POSSIBLE,
        f"the pins expired on {entry.expires:%Y-%m-%d} and are still enforced: the server may have moved on since",
    )


def _other_ca(evidence: Evidence) -> Finding | None:
    if not evidence.keys_before or not evidence.chain:
        return None
    return Finding(
        Cause.CA_CHANGE,
        Confidence.POSSIBLE,
        "a trusted chain by another CA than the one accepted before: a change of CA, or a certificate wrongly issued",
    )


def _named_anchor(evidence: Evidence) -> Finding | None:
    if not evidence.facts.trust_named or evidence.is_public or len(evidence.chain) < 2:
        return None
    return Finding(
        Cause.KEY_ROTATION,
        Confidence.LIKELY,
        "an unpinned key under a CA that the application itself named: a rotation this policy was not told of, "
        "or another server of the same CA",
    )


def _public(evidence: Evidence) -> Finding | None:
    if not evidence.is_public:
        return None
    return Finding(
        Cause.MISISSUE_OR_ATTACK,
        Confidence.POSSIBLE,
        "a publicly trusted chain that nothing ties to an accepted one: a certificate wrongly issued, "
        "or pins that are out of date",
    )


RULES = (
    _policy_changed,
    _different_path,
    _known_ca,
    _ca_of_the_policy,
    _product,
    _local_root,
    _expired_pins,
    _other_ca,
    _named_anchor,
    _public,
)
"""Rules 12 to 21, in the order they are tried."""
