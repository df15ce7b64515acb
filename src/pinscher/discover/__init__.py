"""
Which endpoints an application talks to, what crosses there, and which of them deserve pins.

One reader is one file and one line in ``readers``. See ``sighting`` for the rules that all of them keep.
"""

from __future__ import annotations

from pinscher.discover.drafting import Judged, draft
from pinscher.discover.endpoint import Endpoint, Inventory, Omission
from pinscher.discover.matters import Crossing, Matter
from pinscher.discover.ownership import Owner, Owners, Ownership, Pinnable
from pinscher.discover.readers import READERS
from pinscher.discover.scoring import Reason, Score, score
from pinscher.discover.sighting import Evidence, Place, Sighting, Skipped, UnreadableSourceError
from pinscher.discover.tree import files_below, read_file, read_stream
from pinscher.discover.watching import watch

__all__ = [
    "READERS",
    "Crossing",
    "Endpoint",
    "Evidence",
    "Inventory",
    "Judged",
    "Matter",
    "Omission",
    "Owner",
    "Owners",
    "Ownership",
    "Pinnable",
    "Place",
    "Reason",
    "Score",
    "Sighting",
    "Skipped",
    "UnreadableSourceError",
    "draft",
    "files_below",
    "read_file",
    "read_stream",
    "score",
    "watch",
]
