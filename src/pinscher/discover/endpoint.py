"""Everything seen of one host, added up, and all the hosts of one run, within bounds."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.discover.limits import MOST_HOSTS, MOST_PLACES
from pinscher.discover.sighting import Evidence, Place, Sighting, Skipped

if TYPE_CHECKING:
    from pinscher.discover.matters import Crossing
    from pinscher.discover.sighting import Find

_ASIDE = re.compile(
    r"(?:^|[/\\!])(?:tests?|testing|docs?|examples?|samples?|fixtures|spec|__tests__)(?:[/\\]|$)|(?:^|/)test_"
)


_BY_PLACE = frozenset({Evidence.WRITTEN, Evidence.CONFIGURED, Evidence.DECLARED, Evidence.PACKED})
"""Evidence of which the name of the file says something; a recording in a folder of tests is a recording."""


@dataclass(slots=True)
class Endpoint:
    """One host; ``count`` is how often it was seen, ``places`` are the first of them with their evidence."""

    host: str
    count: int = 0
    ports: set[int] = field(default_factory=set)
    schemes: set[str | None] = field(default_factory=set)
    evidence: set[Evidence] = field(default_factory=set)
    places: dict[Place, Evidence] = field(default_factory=dict)
    crossed: Counter[Crossing] = field(default_factory=Counter)
    beside: Counter[Crossing] = field(default_factory=Counter)
    issuers: set[str] = field(default_factory=set)
    is_aside: bool = True
    """Whether it was seen in tests, examples and documents alone."""

    def add(self, sighting: Sighting, *, root: str = "") -> None:
        """Add one sighting; what the folders above *root* are called says nothing about it."""
        self.count += 1
        if sighting.port is not None and len(self.ports) < MOST_PLACES:
            self.ports.add(sighting.port)
        self.schemes.add(sighting.scheme)
        self.evidence.add(sighting.evidence)
        if len(self.places) < MOST_PLACES:
            self.places.setdefault(sighting.place, sighting.evidence)
        self.crossed.update(sighting.crossed)
        self.beside.update(sighting.beside)
        if sighting.issuer:
            self.issuers.add(sighting.issuer)
        if self.is_aside:
            self.is_aside = sighting.evidence in _BY_PLACE and bool(
                _ASIDE.search(sighting.place.file.removeprefix(root))
            )


@dataclass(slots=True)
class Omission:
    """One reason for which something was not read: how often, and the first places."""

    count: int = 0
    places: list[Place] = field(default_factory=list)


class Inventory:
    """The endpoints of one run by host, and what was skipped by reason."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.skipped: dict[str, Omission] = {}
        self.files = 0
        self.root = ""

    def add(self, find: Find) -> None:
        """Add one find."""
        if isinstance(find, Skipped):
            omission = self.skipped.setdefault(find.reason, Omission())
            omission.count += find.count
            if len(omission.places) < MOST_PLACES:
                omission.places.append(find.place)
            return
        if find.host not in self.endpoints:
            if len(self.endpoints) >= MOST_HOSTS:
                self.add(Skipped("more hosts than are kept", find.place))
                return
            self.endpoints[find.host] = Endpoint(find.host)
        self.endpoints[find.host].add(find, root=self.root)
