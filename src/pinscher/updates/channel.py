"""
The policy on the channel that its own updates travel by: it reports there, and never refuses.

A wrong pin would otherwise keep away the very bundle that mends it. Whether the server is the right one is for the
platform to verify, and what it serves is for the signatures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pinscher.entry import Mode, UnlistedHosts
from pinscher.policy import Policy
from pinscher.tls import PinnedContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pinscher.entry import HostPolicy
    from pinscher.verdict import Verdict


def reporting_context(
    policy: Policy, *, at: datetime, on_verdict: Callable[[Verdict], object], trust: bytes | str | None = None
) -> PinnedContext:
    """
    Return a context for an ``Updater``, in which a policy judges every connection and refuses none for its pins.

    Args:
        policy: the policy in force; replace it by ``context.policy = report_only(...)``.
        at: the time.
        on_verdict: told every verdict.
        trust: the authorities; the platform's when None.
    """
    return PinnedContext(report_only(policy, at), trust=trust, on_verdict=on_verdict)


def report_only(policy: Policy, at: datetime) -> Policy:
    """Return a policy that judges as this one does and lets everything through that the platform verifies."""
    return Policy(
        [_report_only(entry, at) for entry in policy.hosts],
        name=policy.name,
        version=policy.version,
        unlisted_hosts=UnlistedHosts.ALLOW,
        keys=policy.keys.values(),
        reporting=policy.reporting.values(),
        extensions=dict(policy.extensions),
    )


def _report_only(entry: HostPolicy, at: datetime) -> HostPolicy:
    if entry.pinset is None or entry.mode is Mode.REPORT_ONLY:
        return entry
    return replace(entry, mode=Mode.REPORT_ONLY, report_only_since=at.date())
