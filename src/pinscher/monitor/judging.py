"""
Why clients report a violation, as far as the monitor can tell from what it sees itself.

Rules of this file, in the order they are tried:

1. A report without a verdict, that raises an alarm: about the updates of these clients.
2. A client whose clock is ahead, or that diagnosed it itself: a wrong clock.
3. The policy in force accepts the chain: stale clients, which have an older policy.
4. The monitor sees the very same leaf key at the endpoint: a rotation that nobody announced to the policy.
5. A chain that names an interception product, or ends in a root of its own outside Mozilla's programme: a local
   interception.
6. A chain with a key of Mozilla's programme: a certificate that was wrongly issued, or an attack.
7. What is left is unknown, and called so.

Reports can be forged by anyone who has the application. A cause is a hint for a person and changes nothing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.der import CertificateParseError, certificate_summary
from pinscher.diagnosis import Cause
from pinscher.diagnosis.products import product_named_in
from pinscher.diagnosis.roots import mozilla
from pinscher.monitor.client_alarms import alarm_of
from pinscher.monitor.findings.history import key_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pinscher.policy import Policy


class IncidentCause(enum.Enum):
    """What an incident most likely is."""

    WRONG_CLOCK = "wrong-clock"
    STALE_CLIENTS = "stale-clients"
    UNANNOUNCED_ROTATION = "unannounced-rotation"
    LOCAL_INTERCEPTION = "local-interception"
    MISISSUE_OR_ATTACK = "misissue-or-attack"
    CLIENT_ALARM = "client-alarm"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one report claims; ``chain`` is the validated one, or the served one where no other was sent."""

    host: str
    cause: str
    at: datetime | None
    received: datetime
    chain: Sequence[bytes]

    @property
    def is_ahead(self) -> bool:
        """Whether it is of a time that had not come when it was received."""
        return is_ahead(self.at, self.received)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A cause, a sentence and a next action; printable ASCII."""

    cause: IncidentCause
    said: str
    advice: str


_AHEAD = timedelta(hours=1)


def is_ahead(at: datetime | None, received: datetime) -> bool:
    """Tell whether a client's time is ahead of the monitor's."""
    return at is not None and at - received > _AHEAD


def judge(claim: Claim, policy: Policy, seen_keys: frozenset[bytes]) -> Judgement:
    """Say what a claim most likely comes from; *seen_keys* are the leaf keys that the monitor sees at the host."""
    alarm = alarm_of(claim.cause)
    if alarm is not None:
        return Judgement(IncidentCause.CLIENT_ALARM, alarm.said, alarm.advice)
    if claim.is_ahead or claim.cause == Cause.CLOCK_SKEW.value:
        return _judgement(IncidentCause.WRONG_CLOCK, "the clocks of these clients are wrong")
    if _is_accepted(claim, policy):
        said = f"policy {policy.version}, which is in force, accepts this chain: these clients have an older one"
        return _judgement(IncidentCause.STALE_CLIENTS, said)
    if claim.chain and key_of(claim.chain[0]) in seen_keys:
        return _judgement(
            IncidentCause.UNANNOUNCED_ROTATION,
            "the monitor sees the same key at the endpoint: it was changed, and the policy was not told",
        )
    return _by_chain(claim)


def _by_chain(claim: Claim) -> Judgement:
    summaries = [certificate_summary(der) for der in claim.chain]
    product = product_named_in([name for one in summaries for name in (one.subject, one.issuer)])
    is_public = any(mozilla().holds(der, key_of(der)) for der in claim.chain)
    if is_public:
        said = "a publicly trusted chain with a key that the monitor does not see at the endpoint"
        return _judgement(IncidentCause.MISISSUE_OR_ATTACK, said)
    if product is not None:
        return _judgement(IncidentCause.LOCAL_INTERCEPTION, f"intercepted by {product.name} (a {product.kind})")
    if len(summaries) > 1 and summaries[-1].subject == summaries[-1].issuer:
        said = f"these machines trust the root {summaries[-1].subject}, Mozilla's programme does not"
        return _judgement(IncidentCause.LOCAL_INTERCEPTION, said)
    known = f"; the clients themselves say {claim.cause}" if claim.cause else ""
    return _judgement(IncidentCause.UNKNOWN, f"the facts at hand do not tell one cause from another{known}")


def _is_accepted(claim: Claim, policy: Policy) -> bool:
    entry = policy.lookup_canonical(claim.host) if claim.host else None
    pins = None if entry is None else entry.pinset
    if pins is None:
        return False
    try:
        denied = any(pins.denied(der) is not None for der in claim.chain)
        return not denied and any(pins.accepted(der) is not None for der in claim.chain)
    except CertificateParseError:
        return False


def _judgement(cause: IncidentCause, said: str) -> Judgement:
    return Judgement(cause, said, _ADVICE[cause])


_ADVICE = {
    IncidentCause.WRONG_CLOCK: "nothing on the server; the clients' clocks need setting",
    IncidentCause.STALE_CLIENTS: "find out why these clients do not get the policy in force, before old keys go",
    IncidentCause.UNANNOUNCED_ROTATION: "confirm the new key with the host's operator over another way, "
    "then ship a policy with it",
    IncidentCause.LOCAL_INTERCEPTION: "ask who administers these machines or networks; do not pin the interceptor",
    IncidentCause.MISISSUE_OR_ATTACK: "compare from another network, search the certificate transparency logs for it, "
    "and ask the CA; until then treat it as an attack",
    IncidentCause.UNKNOWN: "compare from another network ('pinscher show HOST') and ask the host's operator",
}
