"""What clients raise an alarm about, which is no verdict on a connection: their updates, their store, their clock."""

from __future__ import annotations

from dataclasses import dataclass

_PREFIX = "alarm-"


@dataclass(frozen=True, slots=True)
class ClientAlarm:
    """A sentence and a next action; printable ASCII."""

    said: str
    advice: str


ALARMS = {
    "refused": ClientAlarm(
        "clients were offered an update that they must not accept",
        "look at the mirrors: one of them is damaged or in wrong hands; 'pinscher doctor' on such a client names it",
    ),
    "unreachable": ClientAlarm(
        "clients cannot reach the mirrors of the updates",
        "see whether the mirrors answer, and what stands between them and these clients",
    ),
    "lapsed": ClientAlarm(
        "what proves that a policy is the newest has lapsed for clients",
        "run 'pinscher repo renew'; if it runs, somebody keeps updates away from these clients",
    ),
    "store": ClientAlarm(
        "clients cannot use the store that they keep policies in, or its seal is broken",
        "run 'pinscher store check' there; a broken seal may be an attack",
    ),
    "forked": ClientAlarm(
        "the transparency log contradicts what it said before: somebody is shown pin sets that others are not",
        "treat the signing keys as stolen until 'pinscher log verify' says why",
    ),
    "override": ClientAlarm(
        "clients are offered an emergency policy",
        "confirm that your own people signed it, and when it ends",
    ),
    "override-used": ClientAlarm(
        "an emergency policy let connections through",
        "publish the policy that makes it unnecessary",
    ),
    "expired": ClientAlarm("the pins of these clients have expired", "publish a policy with a later 'expires'"),
    "clock": ClientAlarm(
        "the clocks of these clients are behind a time that was proved",
        "nothing on the server; the clients' clocks need setting",
    ),
}
"""By the name in a report."""


def alarm_cause(name: str) -> str:
    """Return what stands in place of a diagnosis's cause."""
    return _PREFIX + name


def alarm_of(cause: str) -> ClientAlarm | None:
    """Return the alarm of a cause, or None for a diagnosis's."""
    return ALARMS.get(cause.removeprefix(_PREFIX)) if cause.startswith(_PREFIX) else None
