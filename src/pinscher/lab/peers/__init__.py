"""
Other people's pinning as contestants, one file each, as their own documentation says it is used.

Each module has ``contestant(workplace)``, which raises :class:`PeerMissingError` where the peer is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from pinscher.lab.client import Contestant
    from pinscher.lab.workplace import Workplace

PEERS = ("plain-ssl", "curl", "urllib3", "aiohttp", "requests-toolbelt")
"""The names of the peers; the first is the control, which pins nothing."""


class PeerMissingError(PinningError):
    """A peer that is not installed."""


def peer(name: str, workplace: Workplace) -> Contestant:
    """Return the peer called *name*, which runs what programs it has in *workplace*."""
    module = import_module(f"pinscher.lab.peers.{name.replace('-', '_')}_")
    contestant: Contestant = module.contestant(workplace)
    return contestant
