"""Findings about the repository of signed bundles: what is refused there, what lapses, and what is offered instead."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.monitor.findings.finding import Finding, Severity, one_line
from pinscher.updates.errors import RepositoryUnreachableError, SlowRetrievalError

if TYPE_CHECKING:
    from pinscher.policy import Policy
    from pinscher.updates.state import State

REPOSITORY_RULES = ("updates-refused", "updates-lapse", "updates-differ", "override-in-use")
"""The rules of this file's findings."""
_PATIENCE = 3
"""Refreshes that may fail in a row before a repository that does not answer is told."""
_NOTICE = {"timestamp": timedelta(hours=24), "snapshot": timedelta(hours=48)}
_LONG_NOTICE = timedelta(days=14)


def repository_findings(state: State, policy: Policy, at: datetime) -> list[Finding]:
    """Return what there is to say about the repository, by what an updater of the monitor's own found there."""
    found = (_refused(state), _lapse(state, at), _differ(state, policy), _override(state, at))
    return [finding for finding in found if finding is not None]


def _refused(state: State) -> Finding | None:
    error = state.error
    if error is None:
        return None
    is_silent = isinstance(error, RepositoryUnreachableError | SlowRetrievalError)
    if is_silent and state.failures < _PATIENCE:
        return None
    return Finding(
        rule="updates-refused",
        severity=Severity.WARNING if is_silent else Severity.CRITICAL,
        said=f"clients take nothing from the repository: {one_line(str(error))}",
        advice="look at the server and at the way to it" if is_silent
        else "clients refuse this too: find out who published it ('pinscher repo'), and whether the mirror is genuine",
    )  # fmt: skip


def _lapse(state: State, at: datetime) -> Finding | None:
    """Whoever renews the timestamp has stopped, or a person's signature is due."""
    near = [(end, role) for role, end in state.expiries.items() if end - at <= _NOTICE.get(role, _LONG_NOTICE)]
    if not near:
        return None
    end, role = min(near)
    tense = "lapsed" if end <= at else "lapses"
    return Finding(
        rule="updates-lapse",
        severity=Severity.CRITICAL if end - at <= _NOTICE.get(role, _LONG_NOTICE) / 4 else Severity.WARNING,
        said=f"the repository's {role} {tense} on {end:%Y-%m-%d %H:%M} UTC, and clients then take no update",
        advice="run 'pinscher repo renew'; if it runs by itself, find out why it has stopped",
    )


def _differ(state: State, policy: Policy) -> Finding | None:
    offered = state.policy
    if offered is None or offered.digest == policy.digest:
        return None
    is_newer = (offered.name, offered.version) > (policy.name, policy.version)
    return Finding(
        rule="updates-differ",
        severity=Severity.NOTICE if is_newer else Severity.WARNING,
        said=f"the repository offers {escaped(offered.name)} {offered.version}, "
        f"and the monitor judges by {escaped(policy.name)} {policy.version}",
        advice="give the monitor the policy that clients have, or publish the one that it has",
    )


def _override(state: State, at: datetime) -> Finding | None:
    if state.override is None or state.override.ends <= at:
        return None
    hosts = ", ".join(entry.host for entry in state.override.policy.hosts[:4])
    return Finding(
        rule="override-in-use",
        severity=Severity.WARNING,
        said=f"an emergency policy for {hosts} is offered until {state.override.ends:%Y-%m-%d %H:%M} UTC",
        advice="ship a policy with the keys that are in use before it ends, or withdraw it",
    )
