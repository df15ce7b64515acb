"""Rule ``report-channel``: reports of broken pins go where those pins cannot stop them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.entry import Path, ReportChannel
    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding


def check(policy: Policy, _circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each channel on a pinned host, and for each that shares a key with what it reports on."""
    for channel in policy.reporting.values():
        entry = policy.lookup_canonical(channel.host)
        if entry is not None and entry.pinset is not None:
            text = f"the channel {channel.name} is on {channel.host}, which this policy pins as {entry.pattern}"
            yield RULE.finding(f"{text}: what breaks the pins silences their reports", (*_place(channel), "url"))
            continue
        shared = frozenset(channel.pins)
        hosts = [one for one in policy.hosts if channel.name in one.report_to and shared.intersection(one.pinset or ())]
        if hosts:
            text = f"the channel {channel.name} is pinned by a key of {hosts[0].pattern}, on which it reports"
            yield RULE.finding(f"{text}: one lost key breaks both", (*_place(channel), "pins"))


def _place(channel: ReportChannel) -> Path:
    return "reporting", channel.name


RULE = Rule(
    "report-channel",
    "a report channel stands on another host with other keys than what it reports on",
    check,
    Severity.WARNING,
    Confidence.HIGH,
    "send reports to a host that this policy does not pin, with keys of its own",
)
