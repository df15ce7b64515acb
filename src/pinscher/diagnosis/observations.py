"""Plain facts about a refusal that stand beside any cause, each true whatever the cause is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.diagnosis.public import is_too_wide
from pinscher.diagnosis.roots import mozilla
from pinscher.errors import escaped
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.diagnosis.evidence import Evidence

_FRESH = timedelta(days=3)
_MINUTES = 60
"""A leaf younger than so many minutes was probably made for this connection."""
_MANY_NAMES = 100


def observations(evidence: Evidence) -> Iterator[str]:
    """Yield each fact as one escaped line, the weightiest first."""
    if evidence.verdict.outcome in (Outcome.MATCH, Outcome.NOT_PINNED, Outcome.UNLISTED_HOST):
        return
    yield from _of_openssl(evidence)
    yield from _of_the_anchor(evidence)
    yield from _of_the_leaf(evidence)
    yield from _of_before(evidence)
    yield from _of_the_policy(evidence)
    if evidence.verdict.outcome is Outcome.NO_MATCHING_PIN and evidence.verdict.is_expired:
        yield "the pins of this host are past their expiry"
    if evidence.verdict.resumed:
        yield "the connection resumed an earlier session and was judged by its remembered chain"


def _of_openssl(evidence: Evidence) -> Iterator[str]:
    if evidence.facts.openssl_error:
        code = "" if evidence.facts.verify_code is None else f" (verify code {evidence.facts.verify_code})"
        yield f"openssl: {escaped(evidence.facts.openssl_error, limit=160)}{code}"


def _of_the_anchor(evidence: Evidence) -> Iterator[str]:
    if evidence.anchor is None:
        return
    where = "in" if evidence.is_public else "not in"
    yield f"trust anchor {evidence.anchor.subject} is {where} Mozilla's root programme ({mozilla().source})"
    if evidence.facts.trust_named:
        yield "the application named the trust anchors"


def _of_the_leaf(evidence: Evidence) -> Iterator[str]:
    if evidence.has_key_of_its_ca:
        yield "the leaf carries the key of its own CA, as certificates minted on the fly do"
    leaf, begins = evidence.leaf, evidence.leaf.not_before
    if evidence.chain and begins is not None and timedelta() <= evidence.at - begins < _FRESH:
        minutes = (evidence.at - begins) // timedelta(minutes=1)
        minted = f", {minutes} minutes before, as certificates minted on the fly are" if minutes < _MINUTES else ""
        yield f"the leaf is valid only since {begins:%Y-%m-%d %H:%M} UTC{minted}"
    if len(leaf.names) > _MANY_NAMES:
        yield f"the leaf is for more than {_MANY_NAMES} names"
    elif (wide := next(filter(is_too_wide, leaf.names), None)) is not None:
        yield f"the leaf is for {wide}, which no public CA certifies"


def _of_before(evidence: Evidence) -> Iterator[str]:
    leaf, before = evidence.leaf, evidence.leaf_before
    if not evidence.chain or not before.key_type:
        return
    if leaf.key_type == before.key_type:
        yield f"the leaf's key is of the type accepted before ({leaf.key_type})"
    else:
        yield f"the leaf's key is {leaf.key_type or 'unreadable'}, the one accepted before was {before.key_type}"
    if before.has_scts and not leaf.has_scts:
        yield "the leaf accepted before carried proofs of logging (SCTs), this one does not"
    if before.not_after is not None and evidence.keys[:1] != evidence.keys_before[:1]:
        yield f"the leaf accepted before is valid until {before.not_after:%Y-%m-%d %H:%M} UTC"


def _of_the_policy(evidence: Evidence) -> Iterator[str]:
    elsewhere = evidence.pinned_elsewhere
    if elsewhere is not None:
        yield f"the leaf's key is pinned for {escaped(elsewhere, limit=80)} in the same policy"
    if evidence.is_pinned_key_presented:
        yield "a pinned key stands among the certificates presented, which proves nothing: anybody can send them"
