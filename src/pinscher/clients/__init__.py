"""
Client stacks that need more than a context: one small file for each, imported by its name and by nothing else.

A stack whose TLS gives no safe hook is refused by name: :class:`UnsupportedTransportError` says why, and what to do.
"""

from __future__ import annotations

from pinscher.clients.errors import UnsupportedTransportError

__all__ = ["UnsupportedTransportError"]
