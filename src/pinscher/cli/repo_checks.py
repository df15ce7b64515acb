"""
What ``pinscher repo publish``, ``withdraw`` and ``override`` ask when they are told what servers present: survive and
the gate.

Rules of this file:

1. Each host whose chains are given is proved by the new policy. A path without a pin, a host that the policy does not
   pin, and no proof are three objections.
2. Each chain's certificate is asked about at the gate of the new policy and of every released version: one that would
   refuse it, or of which that cannot be told, is an objection. A version that does not list the host is not asked.
3. Without chains nothing is asked, and nothing is proved. At night one may have none.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from pinscher.cli.chains import certificates_of
from pinscher.cli.deployed import client_of, deployments_option, read_inventories
from pinscher.cli.survive import trust_store
from pinscher.cli.survive_versions import is_pinned
from pinscher.errors import escaped
from pinscher.host import InvalidHostError, canonical_host
from pinscher.probe.buildable import buildable_paths, names_of
from pinscher.rotation.gate import Deployed, Judgement, NewCertificate, gate
from pinscher.rotation.survival import Answer, Question, Start, prove, read_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from pinscher.cli.repo_options import Check
    from pinscher.cli.voice import Voice
    from pinscher.policy import Policy
    from pinscher.probe.buildable import BuildablePaths
    from pinscher.rotation.deployments import Deployment
    from pinscher.rotation.survival import Proof, TrustStore
    from pinscher.updates.repository import Objection

    Chains = dict[str, list[tuple[bytes, ...]]]
    """For each canonical host the chains that its servers present, leaf first."""

chain_option = click.option(
    "--chain",
    "chain_texts",
    multiple=True,
    metavar="HOST=FILE",
    help="A chain that the host presents, leaf first; survive and the gate are asked about it.",
)
trust_option = click.option(
    "--trust",
    "trusted",
    multiple=True,
    default=("mozilla", "system"),
    show_default=True,
    metavar="mozilla|system|FILE",
    help="The roots that clients trust; may be given more than once.",
)


def evidence_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add ``--chain``, ``--deployments`` and ``--trust``."""
    return chain_option(deployments_option(trust_option(command)))


def checks(
    chain_texts: Sequence[str], inventories: Sequence[str], trusted: Sequence[str], at: datetime, voice: Voice
) -> list[Check]:
    """Return the checks that can be made with what was given (rule 3)."""
    if not chain_texts:
        if inventories:
            raise click.UsageError("released versions are asked about a chain: give --chain HOST=FILE as well")
        return []
    chains: Chains = {}
    for text in chain_texts:
        host, certificates = _chain(text)
        chains.setdefault(host, []).append(certificates)
    stores = tuple(trust_store(name, voice) for name in dict.fromkeys(trusted))
    released = read_inventories(inventories)
    return [
        lambda _, new: _by_survival(new, chains, stores, at),
        lambda _, new: _by_gate(new, chains, stores, released, at),
    ]


def _chain(text: str) -> tuple[str, tuple[bytes, ...]]:
    host, equals, file = text.partition("=")
    if not equals or not file:
        raise click.BadParameter(f"expected HOST=FILE, found '{escaped(text)}'", param_hint="'--chain'")
    try:
        return canonical_host(host), certificates_of(file)
    except InvalidHostError as error:
        raise click.BadParameter(str(error), param_hint="'--chain'") from None


def _by_survival(new: Policy, chains: Chains, stores: tuple[TrustStore, ...], at: datetime) -> Iterator[Objection]:
    """Prove each host (rule 1)."""
    from pinscher.updates.repository import Objection  # noqa: PLC0415

    for host, presented in chains.items():
        if not is_pinned(new, host):
            yield Objection("survive:not-pinned", f"{host}: the policy does not pin it, so there is nothing to prove")
            continue
        starts = tuple(_start(host, chain) for chain in presented)
        proof = prove(Question(host, new, starts, stores, (at,)))
        if proof.answer is not Answer.SURVIVES:
            yield Objection(f"survive:{proof.answer.value}", f"{host}: {_why(proof)}")


def _start(host: str, chain: tuple[bytes, ...]) -> Start:
    leaf, *above = map(read_certificate, chain)
    return Start(f"the chain of {host}", leaf, tuple(above))


def _why(proof: Proof) -> str:
    (moment,) = proof.moments
    if moment.counter_examples:
        found = moment.counter_examples[0]
        path = " <- ".join(one.shown for one in (found.start.leaf, *found.authorities))
        return f"{len(moment.counter_examples)} of {len(moment.found)} paths without a pin, the first is {path}"
    return moment.cut or "; ".join(moment.barren)


def _by_gate(
    new: Policy, chains: Chains, stores: tuple[TrustStore, ...], released: Sequence[Deployment], at: datetime
) -> Iterator[Objection]:
    """Ask the new policy and every released version about each chain's certificate (rule 2)."""
    from pinscher.updates.repository import Objection  # noqa: PLC0415

    asked = [Deployed("the new policy", new), *(Deployed(one.file, one.policy, one) for one in released)]
    for host, presented in chains.items():
        for chain in presented:
            for answer in gate(_certificate(chain, stores, at), asked, hosts=[host]):
                if answer.judgement in (Judgement.REFUSES, Judgement.CANNOT_TELL):
                    one = answer.deployed.deployment
                    client = answer.deployed.file if one is None else client_of(one)
                    yield Objection(f"gate:{answer.judgement.value}", f"{host}: {client}: {answer.text}")


def _certificate(chain: tuple[bytes, ...], stores: tuple[TrustStore, ...], at: datetime) -> NewCertificate:
    leaf, *others = chain
    roots = [one.der for store in stores for one in store.certificates]

    @functools.cache
    def paths(host: str) -> BuildablePaths:
        return buildable_paths(leaf, others, roots, host=host, at=at)

    return NewCertificate(leaf, names_of(leaf), at, paths)
