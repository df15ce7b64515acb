"""
A backup key from the day it is made to the day it is needed: generated, sealed, described on a card, and rehearsed.

What is proved here is that the key opens, that its pin is the one in the policy, and that an authority that speaks ACME
issues for it. That a public authority would, on the day, is not proved: that depends on its rules and on the domain.
"""

from __future__ import annotations

from pinscher.rotation.keys.algorithm import KeyAlgorithm, UnavailableAlgorithmError
from pinscher.rotation.keys.backup import (
    SHORTEST_PASSPHRASE,
    BackupKey,
    BackupKeyError,
    check_passphrase,
    key_table,
    write_new,
)
from pinscher.rotation.keys.card import card
from pinscher.rotation.keys.issuance import IssuanceError, issue
from pinscher.rotation.keys.pebble import Pebble, PebbleError
from pinscher.rotation.keys.rehearsal import Place, UnnamedKeyError, UnpinnedKeyError, place_of, prove_issuance

__all__ = [
    "SHORTEST_PASSPHRASE",
    "BackupKey",
    "BackupKeyError",
    "IssuanceError",
    "KeyAlgorithm",
    "Pebble",
    "PebbleError",
    "Place",
    "UnavailableAlgorithmError",
    "UnnamedKeyError",
    "UnpinnedKeyError",
    "card",
    "check_passphrase",
    "issue",
    "key_table",
    "place_of",
    "prove_issuance",
    "write_new",
]
