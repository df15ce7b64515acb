"""
Every path on which a client could validate a host, and whether each of them holds a pin.

A pin set is safe when no client, whichever trust store it has and however it builds its path, ends on one without a
pinned key. ``prove`` enumerates the paths from certificates that are known; what nobody has shown it, it cannot know.
"""

from __future__ import annotations

from pinscher.rotation.survival.certificate import Certificate, UnreadableCertificateError, read_certificate
from pinscher.rotation.survival.cover import Cover, smallest_cover
from pinscher.rotation.survival.graph import Graph
from pinscher.rotation.survival.paths import Anchors, Limits, TooManyPathsError, all_paths
from pinscher.rotation.survival.proof import Answer, Found, Moment, Proof, Question, Start, judge_again, prove
from pinscher.rotation.survival.stores import TrustStore, UnusableStoreError, mozilla_store, store_of, system_store

__all__ = [
    "Anchors",
    "Answer",
    "Certificate",
    "Cover",
    "Found",
    "Graph",
    "Limits",
    "Moment",
    "Proof",
    "Question",
    "Start",
    "TooManyPathsError",
    "TrustStore",
    "UnreadableCertificateError",
    "UnusableStoreError",
    "all_paths",
    "judge_again",
    "mozilla_store",
    "prove",
    "read_certificate",
    "smallest_cover",
    "store_of",
    "system_store",
]
