"""When the honest answer is not to pin a host, with the reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.rotation.survival.proof import LeafKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.rotation.authority_facts import AuthorityFacts
    from pinscher.rotation.survival.proof import Found, Proof

MOST_PINS = 6
"""Pins on authorities above which a set is a copy of the trust store, and its upkeep an outage waiting to happen."""


def reasons_not_to_pin(proof: Proof, facts: AuthorityFacts) -> tuple[str, ...]:
    """Return why the host of a question should not be pinned as it stands; the facts about authorities are advice."""
    return (*_unprovable(proof), *_many(proof), *_delivered(proof, facts), *_moving(proof, facts))


def _unprovable(proof: Proof) -> Iterator[str]:
    cut = next((moment.cut for moment in proof.moments if moment.cut is not None), None)
    if cut is not None:
        yield f"nothing can be proved about it: {cut}"


def _many(proof: Proof) -> Iterator[str]:
    cover = proof.cover_of_authorities if proof.question.leaf_key is LeafKey.NEW else proof.cover
    if cover is not None and cover.at_least > MOST_PINS:
        yield f"it takes {cover.at_least} pins at least to cover every path, and more than {MOST_PINS} are not kept up"


def _delivered(proof: Proof, facts: AuthorityFacts) -> Iterator[str]:
    """Say so where a delivery network chooses the authority and one of its authorities is not pinned."""
    network = facts.network_of(proof.question.host)
    entry = proof.question.policy.lookup_canonical(proof.question.host)
    if network is None or entry is None or entry.pinset is None:
        return
    pins = frozenset(entry.pinset)
    missing = [one.name for one in network.authorities if pins.isdisjoint(one.roots)]
    if missing:
        yield f"{network.name} chooses its CA, and no root of {', '.join(missing)} is pinned"


def _moving(proof: Proof, facts: AuthorityFacts) -> Iterator[str]:
    """Say so where paths are held by nothing but an intermediate of an authority that changes them unannounced."""
    resting: dict[str, int] = {}
    for moment in proof.moments:
        for found in moment.found:
            authority = _resting_on(found, facts)
            if authority is not None:
                resting[authority] = resting.get(authority, 0) + 1
    for name, count in resting.items():
        paths = "1 path is" if count == 1 else f"{count} paths are"
        yield f"{paths} held by an intermediate's pin alone, and {name} changes its intermediates without notice"


def _resting_on(found: Found, facts: AuthorityFacts) -> str | None:
    """Return the moving authority whose intermediate's pin is all that holds a path."""
    verdict, entry = found.verdict, None if found.verdict is None else found.verdict.host_policy
    if verdict is None or verdict.chain is None or entry is None or entry.pinset is None or not found.holds:
        return None
    held = [one for one in verdict.chain if entry.pinset.accepted(one) is not None]
    intermediates = [one.der for one in found.authorities[:-1]]
    if any(one not in intermediates for one in held):
        return None
    named = (facts.named_in(certificate_summary(one).subject) for one in held)
    return next((one.name for one in named if one is not None and one.is_moving), None)
