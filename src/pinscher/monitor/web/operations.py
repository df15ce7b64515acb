"""One thing that the interface does: its route, and everything that the document says of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Caller(enum.Enum):
    """Who may ask; the value is the name of the scheme in the document."""

    EVERYBODY = ""
    OPERATOR = "operator"
    APPLICATION = "application"
    APPLICATION_IN_PATH = "application-in-path"
    THIS_MACHINE = "this-machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A path and a method; *query* are the parameters by name, each with its JSON schema."""

    path: str
    name: str
    said: str
    answer: Any
    method: str = "GET"
    body: Any = None
    caller: Caller = Caller.OPERATOR
    query: Mapping[str, Mapping[str, Any]] | None = None
    refusals: tuple[int, ...] = ()
    media_type: str = "application/json"

    @property
    def status(self) -> int:
        """The status of a good answer."""
        return 201 if self.method == "POST" else 200
