"""The error of a stack that cannot enforce what is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Collection


class UnsupportedTransportError(PinningError):
    """A transport that cannot enforce a policy; ``transport`` names it, ``reason`` says why it cannot."""

    def __init__(self, transport: str, reason: str, remedy: str) -> None:
        super().__init__(f"{transport} cannot enforce this policy\n  reason: {reason}\n  next: {remedy}")
        self.transport = transport
        self.reason = reason
        self.remedy = remedy


def missing(package: str, room: str) -> str:
    """Return the one sentence that is said when a stack's own package is not installed."""
    return f"pinscher.clients.{room} needs {package}, which is not installed: pip install {package}"


def refuse_options(transport: str, options: Collection[str], *, beginning: str) -> None:
    """Refuse options that the pinned context decides, and that would otherwise be ignored in silence."""
    decided = sorted(name for name in options if name.startswith(beginning))
    if decided:
        reason = f"the pinned context decides about TLS, found {', '.join(map(repr, decided))}"
        raise UnsupportedTransportError(transport, reason, "leave these options out, and set the context up instead")


def check_hooks(transport: str, kind: type, *names: str) -> None:
    """Refuse a version of a stack that no longer has what its file overrides: the override would never be called."""
    gone = [name for name in names if not callable(getattr(kind, name, None))]
    if gone:
        reason = f"this version has no {', '.join(gone)} in {kind.__name__}, where the pins go in"
        raise UnsupportedTransportError(transport, reason, "install a version that the table of clients names")
