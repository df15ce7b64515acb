"""
What libcurl's ``PINNEDPUBLICKEY`` can honestly express of a policy; everything else is refused, not approximated.

libcurl compares the SHA-256 of the leaf's key with a list, after its own verification of the chain and the name. It
knows no denied key, no mode but enforcing, no time, and no key above the leaf.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from pinscher.clients.errors import UnsupportedTransportError
from pinscher.entry import Mode, OnExpiry, Role
from pinscher.pin import PinKind
from pinscher.tls.enforcement import PinMismatchError
from pinscher.verdict import unlisted

if TYPE_CHECKING:
    from pinscher.pin import Pin
    from pinscher.policy import Policy


def leaf_pins(policy: Policy, host: str, *, transport: str) -> str | None:
    """Return the value of ``PINNEDPUBLICKEY`` for a host, or None where the policy says that it is not pinned."""
    refused = unlisted(policy, host=host, at=datetime.now(UTC))
    if refused is not None:
        raise PinMismatchError(refused)
    entry = policy.lookup(host)
    if entry is None or entry.pinset is None:
        return None
    pins = entry.pinset
    if entry.mode is not Mode.ENFORCE:
        _refuse(transport, f"the entry of {host!r} is report-only, and libcurl can only enforce")
    if entry.on_expiry is not OnExpiry.KEEP_ENFORCING:
        _refuse(transport, f"the entry of {host!r} changes when it expires, and libcurl knows no time")
    if pins.has_denied:
        _refuse(transport, f"the entry of {host!r} denies keys, and libcurl cannot look for them in the chain")
    listed = [*pins.pins, *pins.backup_pins]
    roles = {key.pin: key.role for key in policy.keys.values()}
    for pin in listed:
        _check(transport, pin, roles.get(pin, Role.ANY))
    return ";".join(str(pin).replace("sha256/", "sha256//", 1) for pin in listed)


def _check(transport: str, pin: Pin, role: Role) -> None:
    if pin.kind is not PinKind.SPKI:
        _refuse(transport, f"{pin} pins a whole certificate, and libcurl compares keys")
    if role is not Role.LEAF:
        wanted = 'name it in [keys] with role = "leaf"'
        _refuse(transport, f"{pin} is not said to be a leaf's, and libcurl looks at the leaf alone; {wanted}")


def _refuse(transport: str, reason: str) -> NoReturn:
    raise UnsupportedTransportError(transport, reason, "change the entry, or use a client that takes a context")
