"""What to do about a refusal before it happens, and the path that would be refused, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable


def told_path(path: Iterable[bytes]) -> str:
    """Return the names along a path, the leaf first, each escaped."""
    return " <- ".join(certificate_summary(certificate).subject or "(no name)" for certificate in path)


def advice_for(outcome: Outcome, new: bytes, *, is_on_some_path: bool) -> str:
    """Return what to do about an outcome that every path has, or only some."""
    if outcome is Outcome.DENIED_KEY:
        return "issue with another key, or from another authority: this one was denied on purpose"
    if outcome is Outcome.POLICY_EXPIRED:
        return "ship a policy that has not expired; no certificate will do until then"
    if is_on_some_path:
        return "pin a key of every path, or let the server send a chain that leads to the pinned one alone"
    return f"issue with a key that is pinned (the one in use, or the backup), or wait until clients have {Pin.of(new)}"
