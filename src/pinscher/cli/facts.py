"""What one thing about this machine means for pinning: a name, how grave it is, and what to do about it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Health(enum.Enum):
    """How grave a fact is; the value is the word that is shown."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that ``doctor`` found; every text in it is already escaped."""

    name: str
    health: Health
    text: str
    remedy: str = field(default="", kw_only=True)
