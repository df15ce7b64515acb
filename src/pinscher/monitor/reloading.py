"""
A policy file that changes while the monitor runs.

Rules of this file:

1. A policy that cannot be read, has another name or a lower version is refused: the one in force stays, and a finding
   says so until the file is right.
2. Two contents of one version are a mistake of whoever wrote them, and the second is refused.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pinscher.entry import InvalidPolicyError
from pinscher.errors import PinningError, escaped
from pinscher.monitor.findings.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pinscher.monitor.monitor import Monitor
    from pinscher.policy import Policy

RELOADING_RULES = ("policy-refused",)
"""The rules of this file's findings."""
_SUBJECT = "policy file"


class PolicyFile:
    """A file that is looked at again and again, and what reads it."""

    def __init__(self, path: Path, read: Callable[[], Policy]) -> None:
        self._path = path
        self._read = read
        self._seen: object = ()

    async def check(self, monitor: Monitor) -> None:
        """Give the monitor the policy of the file if the file has changed, or say why not."""
        seen = self._stamp()
        if seen == self._seen:
            return
        refused: list[Finding] = []
        try:
            policy = await asyncio.to_thread(self._read)
            check_succeeds(monitor.policy, policy)
        except PinningError as error:
            refused.append(_refused(error, monitor.policy))
        else:
            if policy.digest != monitor.policy.digest:
                await monitor.replace_policy(policy)
        async with monitor.database.writing() as connection:
            found = {_SUBJECT: refused}
            await monitor.ledger.settle_rules(connection, found, rules=RELOADING_RULES, at=monitor.now())
        # Whatever could not be stored is tried again.
        self._seen = seen

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def check_succeeds(before: Policy, policy: Policy) -> None:
    """Raise :class:`InvalidPolicyError` for a policy that cannot follow the one in force."""
    if policy.name != before.name:
        raise InvalidPolicyError(f"found the policy {escaped(policy.name)!r}, expected {escaped(before.name)!r}")
    if policy.version < before.version:
        raise InvalidPolicyError(f"found version {policy.version}, and {before.version} is in force")
    if policy.version == before.version and policy.digest != before.digest:
        raise InvalidPolicyError(f"found another content of version {policy.version}, expected a higher version")


def _refused(error: PinningError, before: Policy) -> Finding:
    told = escaped(" ".join(str(error).split()), limit=400)
    return Finding(
        rule="policy-refused",
        severity=Severity.WARNING,
        said=f"the policy file was changed and cannot be used, and version {before.version} stays in force: {told}",
        advice="put it right ('pinscher lint'); the monitor reads it again by itself",
    )
