"""
What can be read off a verdict and its facts, each found out when a rule first asks for it.

Every property here is total: a certificate that cannot be read has no key and no names, and stands in no relation to
anything. Validated and presented certificates stay apart, since only the first prove who answered.
"""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import TYPE_CHECKING

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.der import CertificateParseError, CertificateSummary, certificate_summary
from pinscher.diagnosis.particulars import Particulars, particulars
from pinscher.diagnosis.products import Product, portal_signed_in, product_named_in
from pinscher.diagnosis.roots import mozilla
from pinscher.errors import escaped
from pinscher.host import is_ip_literal
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pinscher.diagnosis.cause import Facts
    from pinscher.verdict import Verdict

_LOOKED_AT = 100
"""Certificates of one chain that are looked at; OpenSSL validates no longer chain unless told to."""

_ENTRIES_READ = 2000
"""Entries of a policy that are compared, so that a large one does not make a refusal slow."""

_PRIVATE_ENDINGS = frozenset(
    {"arpa", "corp", "home", "internal", "intranet", "lan", "local", "localhost", "private", "test"}
)
"""Last labels that no public CA issues for (RFC 6761, RFC 6762, RFC 8375, ICANN's .internal) or that stay inside."""


class Evidence:
    """One verdict with its facts, and the questions that the rules ask of them."""

    def __init__(self, verdict: Verdict, facts: Facts) -> None:
        self.verdict = verdict
        self.facts = facts
        self.at: datetime = facts.at or verdict.at

    @cached_property
    def chain(self) -> tuple[bytes, ...]:
        """The validated chain, or nothing where no chain was validated."""
        chain = self.verdict.chain
        return _certificates(chain) if isinstance(chain, ValidatedChain) else ()

    @cached_property
    def presented(self) -> tuple[bytes, ...]:
        """What the server sent, as far as it is known."""
        chain = self.verdict.chain
        sent = chain if isinstance(chain, PresentedChain) else self.facts.presented
        return () if sent is None else _certificates(sent)

    @cached_property
    def shown(self) -> tuple[CertificateSummary, ...]:
        """Names and dates of the presented certificates, or of the validated ones where those alone are known."""
        return tuple(map(certificate_summary, self.presented or self.chain))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every subject and issuer in :attr:`shown`, the top of the chain first."""
        return tuple(name for summary in reversed(self.shown) for name in (summary.issuer, summary.subject))

    @cached_property
    def anchor(self) -> CertificateSummary | None:
        """Names and dates of the trust anchor at the top of the validated chain."""
        return certificate_summary(self.chain[-1]) if self.chain else None

    @cached_property
    def keys(self) -> tuple[bytes | None, ...]:
        """The digest of each key on the validated chain, the leaf's first."""
        return tuple(map(key_digest, self.chain))

    @cached_property
    def chain_before(self) -> tuple[bytes, ...]:
        """The validated chain that was last accepted for this host."""
        before = self.facts.last_accepted
        return () if before is None else _certificates(before)

    @cached_property
    def keys_before(self) -> tuple[bytes | None, ...]:
        """The digest of each key on that chain."""
        return tuple(map(key_digest, self.chain_before))

    @property
    def is_public(self) -> bool:
        """Whether a key or root of Mozilla's programme stands on the validated chain, and so vouches for its leaf."""
        return _is_public(self.chain)

    @property
    def was_public(self) -> bool:
        """The same of the chain that was last accepted."""
        return _is_public(self.chain_before)

    @cached_property
    def ca_keys_as_before(self) -> frozenset[bytes]:
        """Keys above the leaf that stood above the leaf on the last accepted chain too."""
        return _readable(self.keys[1:]) & _readable(self.keys_before[1:])

    @property
    def has_issuer_as_before(self) -> bool:
        """Whether the very CA key that signed the leaf is one of those."""
        return len(self.keys) > 1 and self.keys[1] in self.ca_keys_as_before

    @cached_property
    def named_ca_keys(self) -> tuple[str, ...]:
        """Names from the policy's key table whose key stands above the leaf of the validated chain."""
        above = _readable(self.keys[1:])
        return tuple(
            escaped(key.name, limit=80) for key in self.verdict.policy.keys.values() if key.pin.digest in above
        )

    @cached_property
    def leaf(self) -> Particulars:
        """The particulars of the leaf of the validated chain, or of the first certificate shown where there is none."""
        shown = self.chain[:1] or self.presented[:1]
        return particulars(shown[0]) if shown else Particulars()

    @cached_property
    def leaf_before(self) -> Particulars:
        """The particulars of the leaf that was last accepted for this host."""
        return particulars(self.chain_before[0]) if self.chain_before else Particulars()

    @property
    def has_key_of_its_ca(self) -> bool:
        """Whether the leaf carries the key of a CA above it, as no CA would issue it."""
        return bool(self.keys) and self.keys[0] is not None and self.keys[0] in self.keys[1:]

    @cached_property
    def pinned_elsewhere(self) -> str | None:
        """Another entry of the policy that pins the key of the validated leaf."""
        entries = itertools.islice(self.verdict.policy.hosts, _ENTRIES_READ) if self.chain else ()
        for entry in entries:
            is_other = entry is not self.verdict.host_policy and entry.pinset is not None
            if is_other and any(pin.digest == self.keys[0] for pin in entry.pinset or ()):
                return entry.host
        return None

    @property
    def is_pinned_key_presented(self) -> bool:
        """Whether a pinned key stands among what was presented, and not on a validated chain."""
        entry = self.verdict.host_policy
        pins = None if entry is None else entry.pinset
        if pins is None:
            return False
        accepted = {pin.digest for pin in pins}
        return any(key_digest(certificate) in accepted for certificate in self.presented[:_LOOKED_AT])

    @cached_property
    def product(self) -> Product | None:
        """The interception product that the certificates name; forgeable by whoever made them."""
        anchor = self.anchor
        if anchor is not None:
            above = map(certificate_summary, self.chain[1:])
            return product_named_in([anchor.subject, anchor.issuer, *(summary.subject for summary in above)])
        return product_named_in(self.names)

    @property
    def portal(self) -> Product | None:
        """The captive portal that the certificates name, or seem to."""
        return product_named_in(self.names, portals=True) or portal_signed_in(self.leaf.names)

    @property
    def is_private_host(self) -> bool:
        """Whether the host is of a kind that usually has a private CA: an inner name or a private address."""
        host = self.verdict.host
        if host is None:
            return False
        if is_ip_literal(host):
            return _is_private_address(host)
        return "." not in host or host.rpartition(".")[2] in _PRIVATE_ENDINGS

    @property
    def is_clock_behind(self) -> bool:
        """Whether this machine's clock stands before the day that this release's own data was written."""
        return self.at < mozilla().date


def _is_private_address(address: str) -> bool:
    import ipaddress  # noqa: PLC0415  (only an explained refusal of an address pays for it)

    return ipaddress.ip_address(address).is_private


def key_digest(certificate_der: bytes) -> bytes | None:
    """Return the SHA-256 of a certificate's key, or None where it cannot be read."""
    try:
        return Pin.of(certificate_der).digest
    except CertificateParseError:
        return None


def _certificates(chain: ValidatedChain | PresentedChain) -> tuple[bytes, ...]:
    return chain.certificates[:_LOOKED_AT]


def _is_public(chain: tuple[bytes, ...]) -> bool:
    programme = mozilla()
    return any(programme.holds(certificate, key_digest(certificate)) for certificate in chain)


def _readable(digests: Iterable[bytes | None]) -> frozenset[bytes]:
    return frozenset(digest for digest in digests if digest is not None)
