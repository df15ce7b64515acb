"""
What there is to say about an endpoint or about clients: one small function for each kind of finding.

Each function takes what was seen, the policy and the moment, and returns a finding or None; none of them reads or
writes anything. A finding is open as long as its function returns it, or for the time that ``LASTING`` says, and
closes by itself.
"""

from __future__ import annotations

from pinscher.monitor.findings.dates import certificate_ends, policy_ends
from pinscher.monitor.findings.finding import Finding, Severity
from pinscher.monitor.findings.history import History, Sighting
from pinscher.monitor.findings.keys import LASTING, intermediate_changed, key_changed, new_issuer
from pinscher.monitor.findings.modes import report_only_too_long
from pinscher.monitor.findings.pins import backup_never_rehearsed, backup_only, pin_mismatch
from pinscher.monitor.findings.reach import look_failed, not_validated, unreachable

RULES = (
    pin_mismatch,
    not_validated,
    backup_only,
    backup_never_rehearsed,
    certificate_ends,
    policy_ends,
    report_only_too_long,
    key_changed,
    new_issuer,
    intermediate_changed,
    unreachable,
    look_failed,
)
"""Every rule about one endpoint."""

__all__ = ["LASTING", "RULES", "Finding", "History", "Severity", "Sighting"]
