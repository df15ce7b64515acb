"""
What clients that were heard of yesterday would make of a new certificate.

Rules of this file:

1. Whoever has the application can forge what clients say. It is only ever added to what deployed policies say: it turns
   an acceptance into a refusal or a doubt, and no refusal into anything.
2. A client of a policy that nobody has is unknown, and never one that would accept.
3. A share is of all clients that were heard of, the unknown ones included.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pinscher.errors import PinningError, escaped
from pinscher.rotation.gate import Judgement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pinscher.rotation.deployments import Deployment
    from pinscher.rotation.gate import Answer

LARGEST_HEARD = 4 << 20
MOST_COUNTED = 10**12
"""Clients that one line may count; a larger number is no count."""


class InvalidHeardError(PinningError, ValueError):
    """What was said of clients and cannot be read; ``source`` is who said it."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{escaped(source)}: {reason}")
        self.source = source
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the values the error was made from."""
        return type(self), (self.source, self.reason)


@dataclass(frozen=True, slots=True)
class Heard:
    """So many installs of a policy's version; ``version`` is None where they did not say."""

    policy: str
    version: int | None
    installs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Radius:
    """How many clients there were for a host, how many would refuse, and of how many it is not known."""

    host: str
    clients: int = 0
    refusing: int = 0
    unknown: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The share that would refuse (rule 3)."""
        return self.refusing / self.clients if self.clients else 0.0

    @property
    def doubtful(self) -> float:
        """The share that would refuse, or of which it is not known."""
        return (self.refusing + self.unknown) / self.clients if self.clients else 0.0

    def judged(self, *, tolerated: float) -> Judgement:
        """
        Say what follows where so large a share may be refused; ``ACCEPTS`` says that nothing speaks against it.

        Where nobody was heard of, nothing can be told.
        """
        if self.share > tolerated:
            return Judgement.REFUSES
        is_known = self.clients > 0 and self.doubtful <= tolerated
        return Judgement.ACCEPTS if is_known else Judgement.CANNOT_TELL


def read_heard(content: bytes, *, source: str) -> tuple[Heard, ...]:
    """Read what a monitor answers to ``GET /api/clients``; raise :class:`InvalidHeardError` for anything else."""
    listed = _table(content, source).get("clients")
    if not isinstance(listed, list):
        raise InvalidHeardError(source, 'expected {"clients": [...]}, as a monitor\'s /api/clients answers')
    return tuple(_heard(one, source) for one in listed)


def read_radius(content: bytes, *, source: str, host: str) -> Radius:
    """Read what a monitor answers to ``POST /api/blast-radius``; raise :class:`InvalidHeardError` otherwise."""
    table = _table(content, source)
    clients, refusing, unknown = (_count(table.get(name), name, source) for name in ("clients", "refusing", "unknown"))
    versions = table.get("versions", {})
    if not isinstance(versions, dict) or refusing + unknown > clients:
        raise InvalidHeardError(source, "its numbers of clients contradict each other")
    told = {name: _count(count, "versions", source) for name, count in versions.items()}
    return Radius(host=host, clients=clients, refusing=refusing, unknown=unknown, versions=told)


def radius_of(heard: Iterable[Heard], answers: Iterable[Answer], host: str) -> Radius:
    """Weigh what deployed policies answered for a host by how many clients have them (rule 2)."""
    worst: dict[tuple[str, int | None], Judgement] = {}
    for answer in answers:
        if answer.host == host:
            place = answer.deployed.policy.name, answer.deployed.policy.version
            worst[place] = max(worst.get(place, Judgement.ACCEPTS), answer.judgement, key=_GRAVITY.__getitem__)
    return _weighed(heard, worst, host)


def radius_of_versions(
    heard: Iterable[Heard], released: Iterable[Deployment], *, refusing: Iterable[Deployment],
    unclear: Iterable[Deployment], host: str,
) -> Radius:  # fmt: skip
    """Weigh released versions, of which some would refuse and of some it is unclear, by how many clients have them."""
    worst: dict[tuple[str, int | None], Judgement] = {}
    groups = (released, Judgement.ACCEPTS), (unclear, Judgement.CANNOT_TELL), (refusing, Judgement.REFUSES)
    for versions, judgement in groups:
        worst.update({(one.policy.name, one.policy.version): judgement for one in versions})
    return _weighed(heard, worst, host)


def _weighed(heard: Iterable[Heard], worst: Mapping[tuple[str, int | None], Judgement], host: str) -> Radius:
    clients = refusing = unknown = 0
    versions: dict[str, int] = {}
    for one in heard:
        clients += one.installs
        judgement = worst.get((one.policy, one.version), Judgement.CANNOT_TELL)
        if judgement is Judgement.REFUSES:
            refusing += one.installs
            name = f"{one.policy} {one.version}"
            versions[name] = versions.get(name, 0) + one.installs
        elif judgement is Judgement.CANNOT_TELL:
            unknown += one.installs
    return Radius(host=host, clients=clients, refusing=refusing, unknown=unknown, versions=versions)


def worst_of(radii: Iterable[Radius]) -> Radius:
    """Return the worst of what was said of one host's paths, for a client may build any of them."""
    return max(radii, key=lambda one: (one.share, one.doubtful))


_GRAVITY = {
    Judgement.NOT_LISTED: 0, Judgement.ACCEPTS: 0, Judgement.REPORTS: 1, Judgement.CANNOT_TELL: 2, Judgement.REFUSES: 3,
}  # fmt: skip


def _table(content: bytes, source: str) -> dict[str, Any]:
    if len(content) > LARGEST_HEARD:
        raise InvalidHeardError(source, f"more than {LARGEST_HEARD >> 20} MiB")
    try:
        table = json.loads(content)
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise InvalidHeardError(source, "expected a JSON object")
    return table


def _heard(one: Any, source: str) -> Heard:
    if not isinstance(one, dict) or not isinstance(one.get("policy"), str):
        raise InvalidHeardError(source, "expected for each line of clients a policy, a version and installs")
    version = one.get("version")
    known = None if version is None else _count(version, "version", source)
    return Heard(one["policy"], known, _count(one.get("installs"), "installs", source))


def _count(value: Any, name: str, source: str) -> int:
    if type(value) is not int or not 0 <= value <= MOST_COUNTED:
        raise InvalidHeardError(source, f"expected a number of clients as {name!r}, found {escaped(repr(value)[:40])}")
    return value
