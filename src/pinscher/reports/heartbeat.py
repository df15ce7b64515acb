"""
Heartbeats: how often a host was found how, so that silence and a rotation's progress can be seen.

Rules of this file:

1. A heartbeat counts under the policy's own patterns. A host that only a user's own doings named (``ada.x`` under
   ``*.x``, or a host that no entry lists) is not told.
2. The install's identity is random and is made anew every ``ROTATES``, so that nobody is followed for longer.
3. Each heartbeat tells what was counted since the one before, under the patterns of the policy that is in force then;
   none is counted twice, and none is lost, when a newer policy lists a host by another entry.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pinscher.policy import Policy

MOST_COUNTS = 512
"""Different counts in one heartbeat; the rarest beyond them are added up under no host."""
ROTATES = timedelta(days=30)
"""How long an install keeps its identity."""


class Counted(Protocol):
    """What ``pinscher.tls.counting.stats`` returns, one of many; handed in, for this room knows nothing of TLS."""

    @property
    def host(self) -> str | None:
        """The canonical host."""

    @property
    def outcome(self) -> Any:
        """What was found, an ``Outcome``."""

    @property
    def action(self) -> Any:
        """What followed, an ``Action``."""

    @property
    def matched(self) -> Any:
        """The pin that decided, or None."""

    @property
    def policy(self) -> str:
        """The name of the policy that judged."""
        ...

    @property
    def version(self) -> int:
        """Its version."""
        ...

    @property
    def times(self) -> int:
        """How often, since the process began."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCount:
    """How often one thing was found; ``host`` is a policy's pattern, or None where no entry lists the host."""

    host: str | None
    outcome: str
    action: str
    matched: str | None
    policy: str
    version: int
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What one install counted in one period; ``lost`` counts the reports that it had to drop."""

    install: str
    begins: datetime
    ends: datetime
    policy: str
    version: int
    library: str
    log_head: str | None
    counts: tuple[HostCount, ...] = ()
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Install:
    """A random identity and the moment it was made (rule 2)."""

    id: str
    since: datetime

    @classmethod
    def new(cls, at: datetime) -> Self:
        """Return a fresh identity."""
        return cls(secrets.token_hex(16), at)

    @classmethod
    def read(cls, content: bytes | None, at: datetime) -> Self:
        """Return the identity that :meth:`write` wrote if it may still be used at *at*, else a fresh one."""
        found = None if content is None else _WRITTEN.fullmatch(content)
        if found is None:
            return cls.new(at)
        since = datetime.fromtimestamp(int(found[2]), UTC)
        # A clock that went back would otherwise keep an identity for as long as it went.
        return cls(found[1].decode(), since) if since <= at < since + ROTATES else cls.new(at)

    def write(self) -> bytes:
        """Return the identity as a line."""
        return f"{self.id} {int(self.since.timestamp())}".encode()


_WRITTEN = re.compile(rb"([0-9a-f]{32}) ([0-9]{1,11})")

_Key = tuple[str | None, str, str, str | None, str, int]


@dataclass(slots=True)
class Pulse:
    """Makes heartbeats of what was counted, each of what came since the one before (rule 3)."""

    counted: Callable[[], Iterable[Counted]]
    library: str
    log_head: Callable[[], str | None] = field(default=lambda: None)
    _seen: Mapping[_Key, int] = field(default_factory=dict)
    _since: datetime | None = None

    def beat(self, policy: Policy, install: Install, at: datetime, *, lost: int = 0) -> Heartbeat:
        """Return the heartbeat of the period that ends at *at*."""
        total, fresh = self._total(), Counter[_Key]()
        for found, times in total.items():
            # Less than before is nothing new.
            fresh[_told(found, policy)] += max(0, times - self._seen.get(found, 0))
        begins, self._seen, self._since = self._since or at, total, at
        return Heartbeat(
            install=install.id, begins=min(begins, at), ends=at, policy=policy.name, version=policy.version,
            library=self.library, log_head=self.log_head(), counts=_bounded(fresh), lost=lost,
        )  # fmt: skip

    def skip(self, at: datetime) -> None:
        """Begin here: what was counted so far is somebody else's to tell, the process's before a fork say."""
        self._seen, self._since = self._total(), at

    def _total(self) -> Counter[_Key]:
        """Return how often each thing was found, by the host itself: a pattern may be another one tomorrow."""
        total: Counter[_Key] = Counter()
        for one in self.counted():
            matched = None if one.matched is None else str(one.matched)
            total[one.host, one.outcome.value, one.action.value, matched, one.policy, one.version] += one.times
        return total


def _told(found: _Key, policy: Policy) -> _Key:
    """Return what is told of a thing that was found: the policy's pattern in place of the host (rule 1)."""
    entry = None if found[0] is None else policy.lookup_canonical(found[0])
    return (None if entry is None else entry.host, *found[1:])


def _bounded(fresh: Mapping[_Key, int]) -> tuple[HostCount, ...]:
    """Return the counts, the most frequent first; what is beyond the limit loses its host and pin."""
    ordered = sorted(((key, times) for key, times in fresh.items() if times > 0), key=lambda one: (-one[1], repr(one)))
    kept: Counter[_Key] = Counter(dict(ordered[:MOST_COUNTS]))
    for key, times in ordered[MOST_COUNTS:]:
        kept[(None, key[1], key[2], None, key[4], key[5])] += times
    return tuple(
        HostCount(
            host=host, outcome=outcome, action=action, matched=matched, policy=policy, version=version, times=times
        )
        for (host, outcome, action, matched, policy, version), times in kept.items()
    )
