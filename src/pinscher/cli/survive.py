"""``pinscher survive``: whether every path that a client could validate holds a pin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.chains import certificates_of
from pinscher.cli.deployed import deployments_option, read_inventories
from pinscher.cli.moment import moments_option
from pinscher.cli.policies import load_policy
from pinscher.cli.reading import json_option, read_bytes
from pinscher.cli.survival_answer import document, print_proof
from pinscher.cli.survive_versions import (
    is_pinned,
    print_heading,
    print_versions,
    prove_versions,
    versions_object,
    worst,
)
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped
from pinscher.host import canonical_host
from pinscher.probe.sources import LARGEST_FILE
from pinscher.rotation.authority_facts import LARGEST_FACTS, read_facts, shipped_facts
from pinscher.rotation.survival import Anchors, Answer, Certificate, Limits, Question, Start, prove, read_certificate
from pinscher.rotation.survival.advice import reasons_not_to_pin
from pinscher.rotation.survival.fetching import fetch_issuers
from pinscher.rotation.survival.proof import Builder, LeafKey
from pinscher.rotation.survival.stores import TrustStore, mozilla_store, store_of, system_store

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.policy import Policy
    from pinscher.rotation import AuthorityFacts
    from pinscher.rotation.deployments import Deployment

_FIELDS = """
\b
JSON: {an object}
  host, policy       the host, and the policy's name, version and digest
  answer             survives, breaks or unknown; the worst of the policy and
                     the released versions
  moments            of the policy, in order:
    at
    paths            how many there are
    cut              why there may be more, or null
    barren           chains and stores without a path, in words
    broken           how many paths hold no pin
    counter_examples the first of them: path (as in 'pinscher show'),
                     stores, builders, renewed, outcome, reason
  cover              the smallest set of pins for every path, or null:
    pins             each with a name
    smallest         whether none smaller exists, by proof
    at_least         how many it takes at least
  cover_of_authorities   the same without the leaf's own key
  do_not_pin         the reasons not to pin this host
  versions           of the inventory, in order:
    file, application, version, share   share is text, or null
    answer           survives, breaks, unknown or not-pinned
    moments          as above, on the same paths
  shares             {application: the share of its users who have a path
                     without a pin, as text, or null if it is not known}
  Without --policy, policy, moments, cover, cover_of_authorities and do_not_pin
  are null.
"""


@click.command(epilog=_FIELDS)
@click.argument("host", metavar="HOST")
@click.option("--policy", "policy_file", metavar="FILE", help="The policy, TOML or JSON; '-' is stdin.")
@deployments_option
@click.option(
    "--chain",
    "chains",
    multiple=True,
    required=True,
    metavar="FILE",
    help="A chain that the host presents, leaf first; once for each that it may present.",
)
@click.option("--intermediates", multiple=True, metavar="FILE", help="More certificates that a client may know.")
@click.option(
    "--next-issuer",
    "next_issuers",
    multiple=True,
    metavar="FILE",
    help="Authorities that may issue the next certificate.",
)
@click.option(
    "--trust",
    multiple=True,
    default=("mozilla", "system"),
    show_default=True,
    metavar="mozilla|system|FILE",
    help="The roots that clients trust; may be given more than once.",
)
@click.option("--new-leaf-key", is_flag=True, help="Count no pin on the leaf, as if its key were about to change.")
@click.option("--openssl-only", is_flag=True, help="Look at the paths alone that OpenSSL builds.")
@click.option("--bare-roots", is_flag=True, help="Include clients that ignore a root's dates and usages.")
@click.option("--online", is_flag=True, help="Fetch issuers from where the certificates say that they are.")
@click.option(
    "--most-paths",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    metavar="NUMBER",
    help="Give up beyond this many paths.",
)
@click.option("--ca-facts", "facts_file", metavar="FILE", help="Facts about CAs and CDNs in place of the shipped ones.")
@moments_option
@json_option
def survive(
    host: str, *, policy_file: str | None, inventories: tuple[str, ...], chains: tuple[str, ...],
    intermediates: tuple[str, ...], next_issuers: tuple[str, ...], trust: tuple[str, ...], new_leaf_key: bool,
    openssl_only: bool, bare_roots: bool, online: bool, most_paths: int, facts_file: str | None,
    moments: tuple[datetime, ...], is_json: bool,
) -> int:  # fmt: skip
    """
    Prove that every path on which a client could validate HOST holds a pin, or show one that does not.

    Paths are built from the given chains, intermediates and trust stores, as OpenSSL builds its one and as a verifier
    that tries every way. After the leaf's expiry another with the same key and names is taken to be in its place.
    The policies of the released versions that --deployments lists are proved on the same paths, each by itself.
    Exit 1 if a path holds no pin, 2 if there are too many paths to look at or none at all; neither is survival.
    """
    voice, canonical = Voice(), canonical_host(host)
    policy = None if policy_file is None else load_policy(policy_file)
    released = read_inventories(inventories)
    first = _first_policy(policy, released, canonical)
    known = [one for name in intermediates for one in _certificates(name)]
    starts = _starts(chains, next_issuers, canonical)
    if online:
        fetched = fetch_issuers([one for start in starts for one in (start.leaf, *start.presented)] + known)
        known += fetched.certificates
        for problem in fetched.problems:
            voice.warning(problem)
    question = Question(
        canonical, first, starts, tuple(trust_store(name, voice) for name in dict.fromkeys(trust)), moments,
        intermediates=tuple(known),
        leaf_key=LeafKey.NEW if new_leaf_key else LeafKey.KEPT,
        builders=frozenset({Builder.OPENSSL} if openssl_only else Builder),
        anchors=Anchors.BARE if bare_roots else Anchors.WHOLE,
        limits=Limits(paths=most_paths, steps=100 * most_paths),
    )  # fmt: skip
    with voice.progress("proving", len(moments)) as advance:
        proof = prove(question, advance=advance)
    versions = prove_versions(proof, released)
    answers = [one.proof.answer for one in versions if one.proof is not None]
    answer = worst(answers if policy is None else [proof.answer, *answers])
    reasons = None if policy is None else reasons_not_to_pin(proof, _facts(facts_file))
    if is_json:
        fields = document(proof, reasons) if reasons is not None else {"host": canonical} | _NOTHING
        voice.document(fields | {"answer": answer.value} | versions_object(versions))
        return _ENDS[answer]
    if reasons is None:
        print_heading(proof, answer, voice)
    else:
        print_proof(proof, reasons, voice)
    if versions:
        print_versions(versions, voice, with_paths=policy is None)
    return _ENDS[answer]


_NOTHING = dict.fromkeys(("policy", "answer", "moments", "cover", "cover_of_authorities", "do_not_pin"))


def _facts(file: str | None) -> AuthorityFacts:
    return shipped_facts() if file is None else read_facts(read_bytes(file, limit=LARGEST_FACTS), source=file)


_ENDS = {Answer.SURVIVES: ExitCode.GOOD, Answer.BREAKS: ExitCode.BAD, Answer.UNKNOWN: ExitCode.NO_ANSWER}


def _first_policy(policy: Policy | None, released: tuple[Deployment, ...], canonical: str) -> Policy:
    """Return the policy whose proof the others share the paths of; raise a usage error where none pins the host."""
    if policy is not None:
        if not is_pinned(policy, canonical):
            raise click.UsageError(f"the policy does not pin {canonical}, so there is nothing to prove")
        return policy
    if not released:
        raise click.UsageError("no policy was named: give --policy FILE, --deployments FILE or both")
    pinning = next((one.policy for one in released if is_pinned(one.policy, canonical)), None)
    if pinning is None:
        raise click.UsageError(f"no released version pins {canonical}, so there is nothing to prove")
    return pinning


def _certificates(file: str) -> tuple[Certificate, ...]:
    return tuple(map(read_certificate, certificates_of(file)))


def _starts(chains: tuple[str, ...], next_issuers: tuple[str, ...], canonical: str) -> tuple[Start, ...]:
    """Return what paths begin with: each chain, and each chain's leaf as the next issuers would issue it again."""
    starts = []
    for file in chains:
        leaf, *above = _certificates(file)
        if not leaf.names.cover(canonical):
            raise click.UsageError(f"the first certificate of '{escaped(file)}' is not for {canonical}")
        starts.append(Start(f"'{escaped(file)}'", leaf, tuple(above)))
    issuers = dict.fromkeys(one for file in next_issuers for one in _certificates(file))
    renewed = [
        Start(f"the next certificate by {issuer.shown}", start.leaf, start.presented, issuer)
        for start in starts
        for issuer in issuers
    ]
    return (*starts, *renewed)


def trust_store(name: str, voice: Voice) -> TrustStore:
    """Return the roots called ``mozilla`` or ``system``, or those of a file; warn of what cannot be read of them."""
    if name == "mozilla":
        return mozilla_store()
    store = system_store() if name == "system" else store_of(read_bytes(name, limit=LARGEST_FILE), name=name)
    if store.unreadable:
        count = store.unreadable
        voice.warning(f"{count} of the roots of '{escaped(name)}' cannot be read; paths to them are not known here")
    return store
