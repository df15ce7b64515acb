"""
What a server shows now: one connection, the chain it presented, and the path that was validated to a trust anchor.

Nothing in this room decides about pins. It reads keys out of live servers and files so that a person can pin them.
"""

from __future__ import annotations

from pinscher.probe.connection import Deadline, NoAnswerError, connect
from pinscher.probe.endpoint import Endpoint, InvalidEndpointError, Protocol
from pinscher.probe.observation import Observation, observe
from pinscher.probe.paths import UnverifiedPathError
from pinscher.probe.sources import KeySource, KeySourceError, SourceKind, read_keys
from pinscher.probe.starttls import ResponseInjectionError, StarttlsRefusedError
from pinscher.probe.trust import Trust, UnusableTrustError

__all__ = [
    "Deadline",
    "Endpoint",
    "InvalidEndpointError",
    "KeySource",
    "KeySourceError",
    "NoAnswerError",
    "Observation",
    "Protocol",
    "ResponseInjectionError",
    "SourceKind",
    "StarttlsRefusedError",
    "Trust",
    "UnusableTrustError",
    "UnverifiedPathError",
    "connect",
    "observe",
    "read_keys",
]
