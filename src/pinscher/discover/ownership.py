"""
Whose host it is, and what that means for pinning it.

The registrable domain decides what belongs to whom, by the public suffix list that is handed in; the names of delivery
networks and of services stand in a dated data file. A network that only a CNAME record leads to is not seen here,
unless a recording shows the certificate that it serves.
"""

from __future__ import annotations

import enum
import functools
import json
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

from pinscher.address import is_public
from pinscher.discover.addresses import PLAIN_SCHEMES
from pinscher.host import is_ip_literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Owner(enum.Enum):
    """Who answers for a host; the value is the word that is shown."""

    FIRST_PARTY = "first party"
    NETWORK = "delivery network"
    THIRD_PARTY = "third party"
    LOCAL = "local"
    NAME = "name only"
    UNKNOWN = "unknown"


class Pinnable(enum.Enum):
    """How well a host can be pinned; the value is the word that is shown."""

    YES = "yes"
    WITH_CARE = "with care"
    ASK = "ask its owner"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who answers for a host, by what name, and how pinnable that makes it, with the reason."""

    owner: Owner
    by: str
    pinnable: Pinnable
    reason: str


@dataclass(frozen=True, slots=True)
class Owners:
    """What is known of who answers for which host: the domains of one's own, and the function that finds a domain."""

    registrable: Callable[[str], str | None]
    own: frozenset[str] = field(default=frozenset(), kw_only=True)

    def of(self, host: str, *, schemes: Iterable[str | None] = (), issuers: Iterable[str] = ()) -> Ownership:
        """Judge a canonical host by its name, by how it is reached, and by who issued the certificates seen there."""
        local = _local(host)
        if local:
            return local
        domain = self.registrable(host) or host
        told = _facts()
        mine = next((one for one in sorted(self.own) if host == one or host.endswith(f".{one}")), None)
        if mine is None:
            return _foreign(host, domain, told, has_own=bool(self.own))
        used = {scheme for scheme in schemes if scheme}
        if used and used <= PLAIN_SCHEMES:
            return Ownership(Owner.FIRST_PARTY, mine, Pinnable.NO, "reached without TLS: move it to https first")
        for issuer in sorted(issuers):
            if issuer in told["moving issuers"]:
                return Ownership(Owner.FIRST_PARTY, mine, Pinnable.WITH_CARE, told["moving issuers"][issuer]["means"])
        return Ownership(Owner.FIRST_PARTY, mine, Pinnable.YES, "its keys are in one hand with its clients")


def _local(host: str) -> Ownership | None:
    if is_ip_literal(host):
        if not is_public(host):
            return Ownership(Owner.LOCAL, "private address", Pinnable.NO, "no public certificate names this address")
        return None
    last = host.rpartition(".")[2]
    if last in _facts()["local suffixes"]:
        return Ownership(Owner.LOCAL, f".{last}", Pinnable.WITH_CARE if last in _INTERNAL else Pinnable.NO, _PRIVATE)
    return None


_INTERNAL = frozenset({"internal", "lan", "corp", "intranet"})
_PRIVATE = "a name that the public DNS does not have; only a CA of one's own can be pinned there"


def _foreign(host: str, domain: str, told: dict[str, Any], *, has_own: bool) -> Ownership:
    if name := _listed(host, told["names only"]):
        return Ownership(Owner.NAME, name, Pinnable.NO, "stands in documents as a name; nothing connects to it")
    if name := _listed(host, told["networks"]):
        return Ownership(Owner.NETWORK, name, Pinnable.NO, "the network changes its certificates and CAs unasked")
    if name := _listed(host, told["services"]):
        return Ownership(Owner.THIRD_PARTY, name, Pinnable.ASK, _FOREIGN)
    if has_own:
        return Ownership(Owner.THIRD_PARTY, domain, Pinnable.ASK, _FOREIGN)
    return Ownership(Owner.UNKNOWN, domain, Pinnable.ASK, "nobody has said whose it is")


_FOREIGN = "somebody else changes its keys: pin it only if they publish them in advance"


def _listed(host: str, table: dict[str, list[str]]) -> str | None:
    """Return who of a table a host belongs to by its name."""
    labels = host.split(".")
    suffixes = {".".join(labels[start:]) for start in range(len(labels))}
    return next((name for name, known in table.items() if not suffixes.isdisjoint(known)), None)


def issuer_named(distinguished_name: str) -> str | None:
    """Return the known organisation that an issuer's name speaks of, in the data file's own spelling."""
    lowered = distinguished_name[:1024].lower()
    known: dict[str, Any] = _facts()["moving issuers"]
    return next((name for name, one in known.items() if any(word in lowered for word in one["spellings"])), None)


@functools.cache
def _facts() -> dict[str, Any]:
    text = resources.files("pinscher.discover").joinpath("data", "owners.json").read_text(encoding="ascii")
    found: dict[str, Any] = json.loads(text)
    return found
