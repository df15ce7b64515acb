"""
The table that emitted source decides by: the same for every language, and as much as the policy says.

Rules of this file, which every emitted function follows:

1. The host is put in lower case and loses one trailing dot. The first of ``host``, ``**.host``, ``*.parent``,
   ``**.parent``, ``**.grandparent`` and so on that stands in the table decides; without any, unlisted hosts do.
2. A rule that is not enforced (an exception, report-only) accepts; so does one past its ``opens``.
3. A denied pin on the chain refuses; so does being past ``closes``; then any pin of the chain that is listed accepts.
4. Pins are texts as in a policy, of keys and of whole certificates; times are milliseconds since 1970, 0 for never.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.entry import Mode, OnExpiry, UnlistedHosts
from pinscher.formats.loss import Loss
from pinscher.formats.roles import leaf_only
from pinscher.host import is_ip_literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pinscher.entry import HostPolicy
    from pinscher.formats.loss import LossLedger
    from pinscher.pin import Pin
    from pinscher.policy import Policy


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table."""

    pattern: str
    is_enforced: bool
    pins: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    opens: int = 0
    closes: int = 0


def rules_of(policy: Policy, losses: LossLedger, *, sees_leaf_only: bool = False) -> list[Rule]:
    """Return the table of a policy; addresses are a loss, since languages spell them in several ways."""
    rules = []
    for entry in policy.hosts:
        if is_ip_literal(entry.pattern.name):
            losses.add(Loss("ip-address", entry.host, "an address has several spellings, and the code compares texts",
                            ("pin a name instead",),
                            given_up=_UNPINNED_ADDRESS[policy.unlisted_hosts]))  # fmt: skip
        else:
            rules.append(_rule(entry, policy, losses, sees_leaf_only=sees_leaf_only))
    return rules


_UNPINNED_ADDRESS = {
    UnlistedHosts.ALLOW: "the address is not pinned",
    UnlistedHosts.DENY: "connections to the address are refused",
}


def _rule(entry: HostPolicy, policy: Policy, losses: LossLedger, *, sees_leaf_only: bool) -> Rule:
    if entry.pinset is None or entry.mode is Mode.REPORT_ONLY:
        return Rule(entry.host, is_enforced=False)
    accepted: Iterable[Pin] = entry.pinset
    denied = entry.pinset.denied_keys
    if sees_leaf_only:
        accepted = leaf_only(policy, entry.host, accepted, losses)
        if denied:
            losses.add(Loss("denied-keys", entry.host, "the target looks at the leaf alone",
                            ("pin only keys below which no denied key signs",),
                            given_up="a denied key is not refused beside a matching pin"))  # fmt: skip
            denied = ()
    moment = 0 if entry.expires is None else int(entry.expires.timestamp() * 1000)
    return Rule(
        entry.host,
        is_enforced=True,
        pins=tuple(map(str, accepted)),
        denied=tuple(map(str, denied)),
        opens=moment if entry.on_expiry is OnExpiry.REPORT else 0,
        closes=moment if entry.on_expiry is OnExpiry.FAIL else 0,
    )


def filled(
    template: str, policy: Policy, rules: Iterable[Rule], recorded: tuple[str, ...], line: Callable[[Rule], str]
) -> bytes:
    """Return a template with its table, its answer for unlisted hosts, and the losses that were accepted."""
    allows = str(policy.unlisted_hosts is UnlistedHosts.ALLOW).lower()
    text = template.replace("@UNLISTED@", allows).replace("@TABLE@", "\n".join(map(line, rules)))
    return "".join([*(f"// {one}\n" for one in recorded), text]).encode()
