"""The enumerator against two verifiers that others wrote, on graphs that nobody drew by hand."""

from __future__ import annotations

import functools
import random
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from OpenSSL import crypto

from pinscher.rotation.survival import Graph, Limits, all_paths, read_certificate
from pinscher.rotation.survival.openssl import openssl_paths
from pinscher.rotation.survival.paths import Ground
from tests.unit.rotation.survival.worlds import AT, HOST, LATER, LONG_AGO, certified, leaf

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.rotation.survival import Certificate

Verifier: TypeAlias = "Callable[[Certificate, list[Certificate], list[Certificate]], tuple[bytes, ...] | None]"
GRAPHS = 1_600
"""A quarter of them have authorities for other purposes than TLS, which OpenSSL heeds in a handshake and not here."""
BATCHES = 12


def _world(number: int) -> tuple[Certificate, list[Certificate], list[Certificate]]:
    """Return a leaf, intermediates and roots: few names and keys, so that cross-signs, cycles and reissues abound."""
    chance = random.Random(number)
    names = [f"CA {letter}" for letter in "ABCDE"[: chance.randint(2, 5)]]
    keys = {one: [one] + ([f"{one} again"] if chance.random() < 0.15 else []) for one in names}
    made = functools.partial(_authority, chance, keys=keys, with_purposes=_has_purposes(number))
    roots = [made(one, one) for one in chance.sample(names, chance.randint(1, min(3, len(names))))]
    others = [made(*chance.choices(names, k=2)) for _ in range(chance.randint(2, 7))]
    issuer = chance.choice(names)
    return leaf(issuer, signer=chance.choice(keys[issuer])), others, roots


def _has_purposes(number: int) -> bool:
    return number % 4 == 0


def _verifiers(number: int) -> tuple[Verifier, ...]:
    return (_built_by_cryptography,) if _has_purposes(number) else (_built_by_cryptography, _built_by_openssl)


def _authority(
    chance: random.Random, subject: str, issuer: str, keys: dict[str, list[str]], *, with_purposes: bool
) -> Certificate:
    held = chance.choice(keys[subject])
    not_after = AT - timedelta(days=5) if chance.random() < 0.08 else LATER
    not_before = AT + timedelta(days=5) if chance.random() < 0.04 else LONG_AGO
    may_issue = chance.random() > 0.04
    return certified(
        subject, issuer, held=held, ca=may_issue, path_length=chance.choice([None] * 6 + [0, 1, 2]),
        signer=held if subject == issuer and chance.random() < 0.9 else chance.choice(keys[issuer]),
        not_before=not_before, not_after=max(not_after, not_before + timedelta(days=1)),
        extensions=_constraints(chance, with_purposes=with_purposes) if may_issue else (),
    )  # fmt: skip


def _constraints(chance: random.Random, *, with_purposes: bool) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    drawn = chance.random()
    if drawn < 0.08:
        permitted = chance.choice(["bank.example", "other.example", HOST])
        found.append((x509.NameConstraints([x509.DNSName(permitted)], None), True))
    elif drawn < 0.12:
        found.append((x509.NameConstraints(None, [x509.DNSName(chance.choice(["example", "other.example"]))]), True))
    if with_purposes and chance.random() < 0.3:
        usage = chance.choice([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        found.append((x509.ExtendedKeyUsage([usage]), False))
    return found


def _built_by_cryptography(
    bottom: Certificate, others: list[Certificate], roots: list[Certificate]
) -> tuple[bytes, ...] | None:
    """Return the path that the verifier of ``cryptography`` builds, or None."""
    verifier = (
        PolicyBuilder().store(Store([one.parsed for one in roots])).time(AT).build_server_verifier(x509.DNSName(HOST))
    )
    try:
        chain = verifier.verify(bottom.parsed, [one.parsed for one in others])
    except VerificationError:
        return None
    return tuple(one.public_bytes(Encoding.DER) for one in chain)


def _built_by_openssl(
    bottom: Certificate, others: list[Certificate], roots: list[Certificate]
) -> tuple[bytes, ...] | None:
    """Return the path that OpenSSL builds, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        store = crypto.X509Store()
        for one in roots:
            store.add_cert(crypto.X509.from_cryptography(one.parsed))
        store.set_time(AT.replace(tzinfo=None))
        sent = [crypto.X509.from_cryptography(one.parsed) for one in others]
        try:
            chain = crypto.X509StoreContext(
                store, crypto.X509.from_cryptography(bottom.parsed), sent
            ).get_verified_chain()
        except crypto.X509StoreContextError:
            return None
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in chain)


def _without_loops(chain: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Cut out the circles between two certificates of one name and key; a verifier may go round before it finds out."""
    cut: list[bytes] = []
    held: list[object] = []
    for der in chain:
        one = read_certificate(der)
        holder = (one.subject, one.key)
        if holder in held:
            place = held.index(holder)
            del cut[place:], held[place:]
        cut.append(der)
        held.append(holder)
    return tuple(cut)


def _enumerated(bottom: Certificate, others: list[Certificate], roots: list[Certificate]) -> set[tuple[bytes, ...]]:
    graph = Graph([bottom, *others, *roots])
    known, anchors = (frozenset(map(graph.number, group)) for group in (others, roots))
    ground = Ground(graph, known, anchors, AT, bottom.names, Limits())
    return {
        (bottom.der, *(graph.certificates[number].der for number in numbers))
        for numbers in all_paths(ground, graph.issuers(graph.number(bottom)))
    }


@pytest.mark.parametrize("batch", range(BATCHES))
def test_enumeration_agrees_with_independent_verifiers(batch: int) -> None:
    """What a verifier accepts has been enumerated, and what is enumerated a verifier accepts, on 1,600 graphs."""
    accepted = paths = 0
    for number in range(batch, GRAPHS, BATCHES):
        bottom, others, roots = _world(number)
        enumerated = _enumerated(bottom, others, roots)
        for build in _verifiers(number):
            built = build(bottom, others, roots)
            if built is not None:
                accepted += 1
                assert _without_loops(built) in enumerated, (number, build)
        known = {one.der: one for one in [*others, *roots]}
        for _, *authorities in enumerated:
            alone = [known[one] for one in authorities]
            paths += 1
            assert any(build(bottom, alone[:-1], alone[-1:]) for build in _verifiers(number)), (number, alone)
    assert accepted > 40
    assert paths > 60


@pytest.mark.parametrize("batch", range(BATCHES))
def test_openssl_builds_one_of_the_paths_that_are_foretold(batch: int) -> None:
    """OpenSSL accepts a chain exactly where a path is foretold, and takes one of those, on 1,200 graphs."""
    for number in range(batch, GRAPHS, BATCHES):
        bottom, others, roots = _world(number)
        foretold = {(bottom.der, *(one.der for one in path)) for path in openssl_paths(bottom, others, roots, at=AT)}
        if _has_purposes(number):
            continue
        built = _built_by_openssl(bottom, others, roots)
        if built is not None:
            assert built in foretold, number
        elif len({one.subject for one in roots}) == len(roots):
            assert set() == foretold, number


def test_openssl_does_not_go_back_to_what_was_presented() -> None:
    """Above a trusted intermediate OpenSSL asks the trust store alone, here and in fact."""
    old = certified("Old Root", "Old Root")
    issuing, crossed = certified("Issuing CA", "New Root"), certified("New Root", "Old Root")
    bottom = leaf("Issuing CA")
    assert [] == list(openssl_paths(bottom, [crossed], [issuing, old], at=AT))
    assert _built_by_openssl(bottom, [crossed], [issuing, old]) is None
    assert [(issuing, crossed, old)] == list(openssl_paths(bottom, [], [issuing, crossed, old], at=AT))
    assert (bottom.der, issuing.der, crossed.der, old.der) == _built_by_openssl(bottom, [], [issuing, crossed, old])
