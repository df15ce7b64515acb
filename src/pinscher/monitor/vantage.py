"""
Where somebody looks from: each vantage point has a schedule, a history and findings of its own.

An attack on the way, or a network that answers by place, shows at one vantage point and not at another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.monitor.errors import MonitorError

if TYPE_CHECKING:
    from pinscher.probe import Endpoint

DEFAULT_VANTAGE = "default"
"""Where a monitor looks from that was told no name; its findings name no vantage point."""
LONGEST_VANTAGE = 32
_NAME = re.compile(rf"[a-z0-9](?:[a-z0-9-]{{0,{LONGEST_VANTAGE - 2}}}[a-z0-9])?")
_FROM = " from "


def checked_vantage(name: str) -> str:
    """Return a name of a vantage point, or raise: it becomes a part of subjects, labels and names of streams."""
    if not _NAME.fullmatch(name):
        raise MonitorError(
            f"the vantage point '{escaped(name)}' cannot be named so,"
            f" expected at most {LONGEST_VANTAGE} of a-z, 0-9 and '-', such as 'frankfurt-1'"
        )
    return name


def subject_of(endpoint: Endpoint, vantage: str) -> str:
    """Return what findings about an endpoint are filed under, as it was seen from there."""
    return str(endpoint) if vantage == DEFAULT_VANTAGE else f"{endpoint}{_FROM}{vantage}"


def watched_of(subject: str) -> str:
    """Return the endpoint of a subject, wherever it was seen from."""
    return subject.partition(_FROM)[0]
