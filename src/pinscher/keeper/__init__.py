"""One object that an application starts: a context, its updates, and what heals its handshakes."""

from __future__ import annotations

from pinscher.keeper.keeper import Keeper
from pinscher.keeper.reporting import Reporting

__all__ = ["Keeper", "Reporting"]
