"""
Alarms: what somebody should hear of and is no connection's verdict, an update that failed or a log that forked say.

An alarm travels as a report without certificates, so that whatever stores reports stores it too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.reports.violation import Judged, ViolationReport

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.policy import Policy

LONGEST_SAID = 400
"""Characters of an alarm's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """
    One alarm: its name, when it was raised, words for people, and the host and the error that it is about, if any.

    What it says leaves the machine: a path, a user's name or an address of this network does not belong in it.
    """

    name: str
    at: datetime
    said: str = ""
    host: str = ""
    error: str = ""

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits, the same for the same alarm about the same host, whenever it is raised."""
        return hashlib.sha256(f"{self.name}\n{self.error}\n{self.host}".encode()).hexdigest()[:16]


def alarm_report(alarm: Alarm, policy: Policy, *, library: str, times: int = 1) -> ViolationReport:
    """Return the report of an alarm under the policy in force; *times* is how often since the last report of it."""
    shown = alarm.said if alarm.said.isascii() and alarm.said.isprintable() else escaped(alarm.said)
    return ViolationReport(
        at=alarm.at,
        host=alarm.host,
        port=None,
        expires=None,
        include_subdomains=False,
        noted_host=alarm.host,
        judged=Judged(
            policy=policy.name,
            version=policy.version,
            mode="",
            outcome="",
            action="",
            cause="",
            confidence="",
            verdict=alarm.id,
            library=library,
            times=times,
            alarm=alarm.name,
            error=alarm.error,
            said=shown[:LONGEST_SAID],
        ),
    )
