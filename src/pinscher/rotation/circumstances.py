"""What a rule is told beside the policy: the time, the facts about authorities, and chains that somebody handed in."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.pin import PinKind, spki_sha256
from pinscher.rotation.authority_facts import AuthorityFacts, shipped_facts
from pinscher.rotation.finding import Confidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from publicsuffixlist import PublicSuffixList

    from pinscher.chain import PresentedChain
    from pinscher.entry import HostPolicy
    from pinscher.pin import Pin
    from pinscher.policy import Policy
    from pinscher.rotation.authority_facts import Authority


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    The time that counts as now, the facts, and chains by canonical host.

    A chain here is what somebody handed in: it proves nothing, and a rule draws advice from it alone.
    """

    at: datetime
    facts: AuthorityFacts = field(default_factory=shipped_facts, kw_only=True)
    chains: Mapping[str, PresentedChain] = field(default_factory=dict, kw_only=True)

    def chains_of(self, policy: Policy, entry: HostPolicy) -> Iterator[PresentedChain]:
        """Yield the chains of the hosts that an entry decides about."""
        for host, chain in self.chains.items():
            if policy.lookup_canonical(host) is entry:
                yield chain

    def authority_of(self, policy: Policy, entry: HostPolicy) -> tuple[Authority, Confidence] | None:
        """Return who issues for an entry's hosts, as far as a chain or a key's name says."""
        for chain in self.chains_of(policy, entry):
            found = self.facts.named_in(certificate_summary(chain.leaf).issuer)
            if found is not None:
                return found, Confidence.HIGH
        pins = tuple(entry.pinset or ())
        named = (self.facts.called(entry.names[pin]) for pin in pins if pin in entry.names)
        return next(((found, Confidence.LOW) for found in named if found is not None), None)


def is_pin_of(pin: Pin, certificate: bytes) -> bool:
    """Tell whether a pin is that of a certificate or of its key."""
    if pin.kind is PinKind.CERTIFICATE:
        return hashlib.sha256(certificate).digest() == pin.digest
    return spki_sha256(certificate) == pin.digest


def is_public_suffix(name: str) -> bool:
    """Tell whether a canonical name is a public suffix, the private part of the list included."""
    return bool(_suffixes().is_public(name))


def registrable_domain(name: str) -> str:
    """Return the part of a canonical name that somebody registers; below an unknown top, its last two labels."""
    found: str | None = _suffixes().privatesuffix(name)
    return found if found is not None else ".".join(name.split(".")[-2:])


@functools.cache
def _suffixes() -> PublicSuffixList:
    try:
        from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  (its list takes a while to read)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the lint rules need publicsuffixlist; install it with: pip install 'pinscher[cli]'",
            name="publicsuffixlist",
        ) from None
    return PublicSuffixList(accept_unknown=False)
