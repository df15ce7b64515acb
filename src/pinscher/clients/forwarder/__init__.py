"""
A local port that speaks pinned TLS onward, for programs whose own TLS gives no hook: ``pinscher forward``.

What a local client sends is read only once the upstream was verified, and stays in this process until then. What this
room does not do: it lets in whoever reaches its port, and says nothing about who that was.
"""

from __future__ import annotations

from pinscher.clients.forwarder.events import Event, Kind
from pinscher.clients.forwarder.forwarder import Forwarder, UnpinnedUpstreamError
from pinscher.clients.forwarder.link import Limits, Upstream
from pinscher.clients.forwarder.listening import ListenError, Place
from pinscher.clients.forwarder.watching import PolicyFile

__all__ = ["Event", "Forwarder", "Kind", "Limits", "ListenError", "Place", "PolicyFile", "UnpinnedUpstreamError",
           "Upstream"]  # fmt: skip
