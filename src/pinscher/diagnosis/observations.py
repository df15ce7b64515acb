"""Plain facts about a refusal that stand beside any cause, each true whatever the cause is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.diagnosis.roots import mozilla
from pinscher.errors import escaped
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.diagnosis.evidence import Evidence

_FRESH_DAYS = 3


def observations(evidence: Evidence) -> Iterator[str]:
    """Yield each fact as one escaped line, the weightiest first."""
    if evidence.verdict.outcome in (Outcome.MATCH, Outcome.NOT_PINNED, Outcome.UNLISTED_HOST):
        return
    yield from _of_openssl(evidence)
    yield from _of_the_anchor(evidence)
    yield from _of_the_leaf(evidence)
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
    if evidence.keys and evidence.keys[0] is not None and evidence.keys[0] in evidence.keys[1:]:
        yield "the leaf carries the key of its own CA, as certificates minted on the fly do"
    if evidence.chain:
        begins = evidence.shown[0].not_before if not evidence.presented else None
        if begins is not None and 0 <= (evidence.at - begins).days < _FRESH_DAYS:
            yield f"the leaf is valid only since {begins:%Y-%m-%d %H:%M} UTC"
