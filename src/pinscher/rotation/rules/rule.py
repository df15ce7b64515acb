"""The form of a lint rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pinscher.policy import Policy
    from pinscher.rotation.finding import Finding


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's name, the sentence that it holds a policy to, and the function that finds where a policy breaks it."""

    id: str
    sentence: str
    check: Callable[[Policy], Iterator[Finding]]
