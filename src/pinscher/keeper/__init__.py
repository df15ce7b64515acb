"""One object that an application starts: a context, its updates, and what heals its handshakes."""

from __future__ import annotations

from pinscher.keeper.keeper import Keeper

__all__ = ["Keeper"]
