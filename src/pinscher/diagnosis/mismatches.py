"""
Rules 13 to 26: a chain that was validated, and no pin on it.

They run on the validated chain alone. A verdict of ``danger``, which has none, is left to be unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.diagnosis.cause import Cause, Confidence
from pinscher.diagnosis.finding import Finding
from pinscher.diagnosis.history import has_copied_serial, is_copy, is_due, is_newer
from pinscher.diagnosis.miswritten import mistake_in
from pinscher.diagnosis.public import lacks
from pinscher.diagnosis.roots import mozilla

if TYPE_CHECKING:
    from pinscher.diagnosis.evidence import Evidence


def _miswritten(evidence: Evidence) -> Finding | None:
    entry = evidence.verdict.host_policy
    pins = None if entry is None else entry.pinset
    mistake = None if pins is None else mistake_in(pins, evidence.chain, evidence.keys)
    if mistake is None:
        return None
    return Finding(Cause.MISWRITTEN_PIN, Confidence.CERTAIN, f"a pin of this host is {mistake}")


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


def _copied_serial(evidence: Evidence) -> Finding | None:
    if not (evidence.ca_keys_as_before or evidence.is_public):
        return None
    if not has_copied_serial(evidence.leaf, evidence.leaf_before):
        return None
    return Finding(
        Cause.MISISSUE_OR_ATTACK,
        Confidence.LIKELY,
        "another key under the serial number of the certificate accepted before, which no rotation gives twice",
    )


def _unlike_public(evidence: Evidence) -> Finding | None:
    found = list(lacks(evidence.leaf)) if evidence.is_public else []
    if evidence.is_public and evidence.has_key_of_its_ca:
        found.append("it carries the key of its own CA")
    if not found:
        return None
    return Finding(
        Cause.MISISSUE_OR_ATTACK,
        Confidence.LIKELY if len(found) > 1 else Confidence.POSSIBLE,
        f"a publicly trusted chain whose leaf is unlike any that browsers take: {found[0]}",
        facts=tuple(f"unlike a public CA's leaf: {one}" for one in found[1:]),
    )


def _ca_of_before(evidence: Evidence) -> Finding | None:
    if not evidence.ca_keys_as_before:
        return None
    which = "the same CA key" if evidence.has_issuer_as_before else "another intermediate of the same CA"
    said = f"a new key under {which} as the chain accepted before"
    leaf, before = evidence.leaf, evidence.leaf_before
    if is_due(before, evidence.at) and is_newer(leaf, before) and leaf.key_type == before.key_type:
        said += ", at the time a renewal was due: a rotation this policy was not told of"
        return Finding(Cause.KEY_ROTATION, Confidence.LIKELY, said)
    return Finding(Cause.KNOWN_CA, Confidence.LIKELY, f"{said}, and nothing says that a renewal was due: {_EITHER}")


def _ca_of_the_policy(evidence: Evidence) -> Finding | None:
    if not evidence.named_ca_keys:
        return None
    names = ", ".join(map(repr, evidence.named_ca_keys[:3]))
    said = f"a new key under a CA that the policy names ({names}) but does not pin for this host: {_EITHER}"
    return Finding(Cause.KNOWN_CA, Confidence.LIKELY, said)


_EITHER = "a rotation this policy was not told of, or a certificate the CA issued to somebody else"


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
    if evidence.anchor is None or evidence.is_public or evidence.facts.trust_named is not False:
        return None
    doubtful = evidence.is_private_host and not evidence.was_public and not evidence.has_key_of_its_ca
    return Finding(
        Cause.LOCAL_INTERCEPTION,
        Confidence.POSSIBLE if doubtful else Confidence.LIKELY,
        f"this machine trusts the root {evidence.anchor.subject}, {_not_mozilla()} does not: a local interception"
        + (", or a private CA" if doubtful else ""),
    )


def _forged(evidence: Evidence) -> Finding | None:
    if not evidence.chain or evidence.is_public:
        return None
    if evidence.has_key_of_its_ca:
        why = "the leaf carries the key of its own CA"
    elif evidence.was_public:
        why = "the chain accepted before was a publicly trusted one"
    elif is_copy(evidence.leaf, evidence.leaf_before):
        why = "the leaf copies the names and the dates of the one accepted before"
    else:
        return None
    said = f"{_not_mozilla()} does not know the root, and {why}: possibly an interception"
    return Finding(Cause.LOCAL_INTERCEPTION, Confidence.POSSIBLE, said)


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
    said = f"an unpinned key under a CA that the application itself named: {_EITHER}"
    return Finding(Cause.KNOWN_CA, Confidence.POSSIBLE, said)


def _public(evidence: Evidence) -> Finding | None:
    if not evidence.is_public:
        return None
    return Finding(
        Cause.UNKNOWN,
        Confidence.UNKNOWN,
        "unknown: a publicly trusted chain in good form that nothing ties to an accepted one: "
        "pins that are out of date, or a certificate wrongly issued",
    )


RULES = (
    _miswritten,
    _policy_changed,
    _different_path,
    _copied_serial,
    _unlike_public,
    _ca_of_before,
    _ca_of_the_policy,
    _product,
    _local_root,
    _forged,
    _expired_pins,
    _other_ca,
    _named_anchor,
    _public,
)
"""Rules 13 to 26, in the order they are tried."""
