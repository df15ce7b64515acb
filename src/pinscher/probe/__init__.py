"""
What servers show now: the chain that each presented, and the path that was validated to a trust anchor.

One server is looked at with ``observe``, many against a policy with ``survey.Survey``, which is imported from its own
file because it brings an event loop with it. Nothing in this room refuses a
connection: it reads keys out of live servers and files, and says what a policy makes of them.
"""

from __future__ import annotations

from pinscher.probe.connection import Deadline, NoAnswerError, addresses_of, connect
from pinscher.probe.endpoint import Endpoint, InvalidEndpointError, Protocol
from pinscher.probe.observation import Observation, observe
from pinscher.probe.paths import UnverifiedPathError
from pinscher.probe.sources import KeySource, KeySourceError, SourceKind, read_keys
from pinscher.probe.starttls import ResponseInjectionError, StarttlsRefusedError
from pinscher.probe.timestamps import SignedTimestamp, TimestampsError, embedded_timestamps
from pinscher.probe.tlsa import TlsaAnswer, TlsaError, TlsaRecord, TlsaResolver
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
    "SignedTimestamp",
    "SourceKind",
    "StarttlsRefusedError",
    "TimestampsError",
    "TlsaAnswer",
    "TlsaError",
    "TlsaRecord",
    "TlsaResolver",
    "Trust",
    "UnusableTrustError",
    "UnverifiedPathError",
    "addresses_of",
    "connect",
    "embedded_timestamps",
    "observe",
    "read_keys",
]
