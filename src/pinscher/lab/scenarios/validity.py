"""What the platform's own validation refuses, pinned or not: a pin is no reason to look away."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from pinscher.lab.authority import Authority
from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.authority import HeldCertificate
    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

REFUSED = Outcome.CHAIN_NOT_VALIDATED


def _refused(stage: Stage, tls: str, leaf: HeldCertificate, *trust: Authority) -> Sequence[Visit]:
    """Let a server show *leaf*, whose key is pinned, to a client that trusts *trust*."""
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=trust, expected=REFUSED)]


@scenario()
def everything_in_order(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A leaf that is about to expire and an intermediate that may sign leaves only are in order, and the client gets in.

        [leaf, pinned, valid for an hour] <- intermediate, path length 0 <- root (trusted)
    """
    root = Authority.root("Genuine Root")
    leaf = root.intermediate(path_length=0).issue("localhost", not_after=_in(hours=1))
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=[root])]


@scenario(REFUSED)
def expired_leaf(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A leaf past its end is refused, though its key is pinned.

        [leaf, pinned, expired] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    return _refused(stage, tls, bank.genuine.renew(not_before=_in(days=-9), not_after=_in(days=-2)), bank.root)


@scenario(REFUSED)
def leaf_not_yet_valid(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A leaf before its beginning is refused, though its key is pinned.

        [leaf, pinned, valid from the day after tomorrow] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    return _refused(stage, tls, bank.genuine.renew(not_before=_in(days=2), not_after=_in(days=9)), bank.root)


@scenario(REFUSED)
def expired_intermediate(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An intermediate past its end breaks the chain, whatever is pinned.

        [leaf, pinned] <- intermediate, expired <- root (trusted)
    """
    root = Authority.root("Genuine Root", not_before=_in(days=-30))
    authority = root.intermediate(not_before=_in(days=-20), not_after=_in(days=-1))
    return _refused(stage, tls, authority.issue("localhost"), root)


@scenario(REFUSED)
def expired_root(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A trusted root past its end anchors nothing.

        [leaf, pinned] <- intermediate <- root (trusted, expired)
    """
    root = Authority.root("Genuine Root", not_before=_in(days=-20), not_after=_in(days=-1))
    return _refused(stage, tls, root.intermediate().issue("localhost"), root)


@scenario(REFUSED)
def untrusted_root(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pinned key under a root that the machine does not trust is refused: a pin narrows trust and never grants it.

        [leaf, pinned] <- intermediate <- root (not trusted)
    """
    bank = stage.bank()
    return _refused(stage, tls, bank.genuine, Authority.root("Another Root"))


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def intermediate_trusted_alone(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An intermediate in the trust store is no end of a path, unless a client allows paths to stop anywhere.

    Where they may, the chain ends below the root, and whatever is pinned or denied above that point is never seen.
    Python 3.13's default contexts and curl allow it: what is judged here is how paths are built, and not the pins.

        leaf <- [intermediate, pinned] (trusted) <- root (not trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls)
    return [stage.visit(server, pins=[bank.authority], trust=[bank.authority], expected=REFUSED)]


@scenario(REFUSED)
def self_signed_leaf(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A certificate that signed itself is refused, though its key is pinned.

        [leaf, pinned, self-signed]        trusted: another root
    """
    itself = Authority.root("localhost")
    leaf = dataclasses.replace(itself.issue("localhost", key=itself.key), authority=itself)
    return _refused(stage, tls, leaf, Authority.root("Another Root"))


@scenario(REFUSED)
def missing_intermediate(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A server that forgets its intermediate cannot be validated.

        [leaf, pinned] <- (intermediate, not sent) <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls, chain=[bank.genuine.der])
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def forged_issuer(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A leaf that merely names the pinned authority as its issuer was not signed by it, and is refused.

        rogue leaf, issuer's name forged -x- [intermediate, pinned] <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.authority.forged_issuer("localhost"), tls=tls)
    return [stage.visit(server, pins=[bank.authority], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def leaf_used_as_an_authority(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A customer of the pinned authority signs a leaf with its own certificate's key, and is refused.

    Apple, Microsoft and others have accepted this: https://nvd.nist.gov/vuln/detail/CVE-2011-0228

        rogue leaf <- customer's leaf, no authority <- [intermediate, pinned] <- root (trusted)
    """
    bank = stage.bank()
    rogue = bank.rogue("customer.test").as_authority().issue("localhost")
    server = stage.serve(rogue, tls=tls)
    return [stage.visit(server, pins=[bank.authority], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def path_length_exceeded(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An authority that may sign leaves only has signed another authority, and the chain is refused.

        rogue leaf <- rogue intermediate <- [intermediate, path length 0, pinned] <- root (trusted)
    """
    root = Authority.root("Genuine Root")
    authority = root.intermediate(path_length=0)
    server = stage.serve(authority.intermediate("Rogue Intermediate").issue("localhost"), tls=tls)
    return [stage.visit(server, pins=[authority], trust=[root], expected=REFUSED)]


@scenario(REFUSED)
def leaf_for_clients_only(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A certificate that was issued to authenticate clients is no server's.

        [leaf, pinned, extended key usage clientAuth] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    request = dataclasses.replace(bank.genuine.request, usages=(ExtendedKeyUsageOID.CLIENT_AUTH,))
    return _refused(stage, tls, bank.authority.issue_as(request, bank.genuine.key), bank.root)


@scenario(REFUSED)
def unknown_critical_extension(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An extension that is critical and that nobody knows makes a certificate unusable (RFC 5280 section 4.2).

        [leaf, pinned, with a critical extension of nobody's] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
    leaf = bank.authority.issue("localhost", extensions=[unknown], critical=True)
    return _refused(stage, tls, leaf, bank.root)


@scenario(Outcome.MATCH, Capability.AUTHORITY_PINS)
def name_constraint_kept(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pinned intermediate that may sign for this name lets its leaf through.

        leaf for localhost <- [intermediate, permitted: localhost, pinned] <- root (trusted)
    """
    root = Authority.root("Genuine Root")
    authority = root.intermediate("Constrained Intermediate", permitted=("localhost",))
    return [stage.visit(stage.serve(authority.issue("localhost"), tls=tls), pins=[authority], trust=[root])]


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def name_constraint_violated(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pinned intermediate that may sign for other names only cannot vouch for this one.

        rogue leaf for localhost <- [intermediate, permitted: other.test, pinned] <- root (trusted)
    """
    root = Authority.root("Genuine Root")
    authority = root.intermediate("Constrained Intermediate", permitted=("other.test",))
    server = stage.serve(authority.issue("localhost"), tls=tls)
    return [stage.visit(server, pins=[authority], trust=[root], expected=REFUSED)]


def _in(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)
