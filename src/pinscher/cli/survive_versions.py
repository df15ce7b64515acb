"""What ``pinscher survive`` says of the versions that were released: each is judged on the same paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.cli.certificates import counted
from pinscher.cli.deployed import client_of, shares_object, told_shares, version_object
from pinscher.cli.survival_answer import MOST_SHOWN, WORDS, moment_object, print_counter_example
from pinscher.errors import escaped
from pinscher.rotation.survival import Answer, judge_again

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pinscher.cli.voice import Voice
    from pinscher.policy import Policy
    from pinscher.rotation.deployments import Deployment
    from pinscher.rotation.survival import Found, Proof

_NOT_PINNED = ("not pinned", "")


@dataclass(frozen=True, slots=True)
class ProvenVersion:
    """One released version with the proof of its own policy; None where that does not pin the host."""

    deployment: Deployment
    proof: Proof | None

    @property
    def counter_example(self) -> Found | None:
        """The first path that holds no pin, if there is one."""
        moments = () if self.proof is None else self.proof.moments
        return next((found for moment in moments for found in moment.counter_examples), None)


def is_pinned(policy: Policy, canonical: str) -> bool:
    """Tell whether a policy pins a canonical host."""
    entry = policy.lookup_canonical(canonical)
    return entry is not None and entry.pinset is not None


def prove_versions(proof: Proof, versions: Iterable[Deployment]) -> tuple[ProvenVersion, ...]:
    """Judge the paths of a proof by the policy of each released version, a policy that several ship but once."""
    judged: dict[str, Proof] = {proof.question.policy.digest: proof}
    found = []
    for one in versions:
        if not is_pinned(one.policy, proof.question.host):
            found.append(ProvenVersion(one, None))
            continue
        if one.policy.digest not in judged:
            judged[one.policy.digest] = judge_again(proof, one.policy)
        found.append(ProvenVersion(one, judged[one.policy.digest]))
    return tuple(found)


def worst(answers: Iterable[Answer]) -> Answer:
    """Return the worst of some answers: a path without a pin, else no proof, else survival."""
    given = set(answers)
    return next(one for one in (Answer.BREAKS, Answer.UNKNOWN, Answer.SURVIVES) if one in given)


def _broken(versions: Iterable[ProvenVersion]) -> list[Deployment]:
    return [one.deployment for one in versions if one.counter_example is not None]


def print_heading(proof: Proof, answer: Answer, voice: Voice) -> None:
    """Write the head of an answer about released versions alone."""
    stores = ", ".join(escaped(store.name) for store in proof.question.stores)
    voice.answer((proof.question.host, "bold"), "  ", WORDS[answer], f"  trusting {stores}")


def print_versions(versions: tuple[ProvenVersion, ...], voice: Voice, *, with_paths: bool) -> None:
    """Write a line for each version, the first counter-examples if wanted, and the shares that have such a path."""
    voice.answer()
    clients = [client_of(one.deployment) for one in versions]
    width = max(map(len, clients))
    for client, one in zip(clients, versions, strict=True):
        word, style = _NOT_PINNED if one.proof is None else WORDS[one.proof.answer]
        voice.answer("  ", (f"{word:<10}", style), f"  {client:<{width}}  {_told(one)}".rstrip())
    if with_paths:
        for found in _first_counter_examples(versions):
            print_counter_example(found, voice)
    for line in told_shares(_broken(versions), "have a path without a pin"):
        voice.answer()
        voice.answer(line)


def _told(one: ProvenVersion) -> str:
    """Say at which moments a version has paths without a pin, or why nothing is proved."""
    told = []
    for moment in () if one.proof is None else one.proof.moments:
        broken, total = len(moment.counter_examples), len(moment.found)
        if broken:
            told.append(f"{broken} of {counted(total, 'path')} without a pin at {moment.at:%Y-%m-%dT%H:%M:%SZ}")
        elif moment.cut is not None or not total:
            told.append(f"{moment.cut or 'no path at all'} at {moment.at:%Y-%m-%dT%H:%M:%SZ}")
    return "; ".join(told)


def _first_counter_examples(versions: Iterable[ProvenVersion]) -> list[Found]:
    """Return each version's first counter-example, each path once, and no more than are shown of a proof."""
    found = [one.counter_example for one in versions]
    distinct = {(id(one.start), one.authorities): one for one in found if one is not None}
    return list(distinct.values())[:MOST_SHOWN]


def versions_object(versions: tuple[ProvenVersion, ...]) -> dict[str, object]:
    """Return the ``--json`` fields about the released versions."""
    return {
        "versions": [
            version_object(one.deployment)
            | {
                "answer": "not-pinned" if one.proof is None else one.proof.answer.value,
                "moments": [] if one.proof is None else [moment_object(moment) for moment in one.proof.moments],
            }
            for one in versions
        ],
        "shares": shares_object(_broken(versions)),
    }
