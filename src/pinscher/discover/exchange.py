"""One recorded request and its response: what is kept of it while it is read, and the sighting it becomes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pinscher.discover.addresses import Address, addresses_in
from pinscher.discover.matters import MOVING_METHODS, of_body, of_header
from pinscher.discover.sighting import Evidence, Sighting, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pinscher.discover.matters import Crossing
    from pinscher.discover.sighting import Find, Place


def sighting_of(
    method: str, url: str, place: Place, *, headers: Iterable[tuple[str, str]] = (), bodies: Iterable[str] = (),
    more: Iterable[Crossing] = (), evidence: Evidence = Evidence.RECORDED, issuer: str | None = None,
) -> Find:  # fmt: skip
    """Return the sighting of one request, or why there is none."""
    address = next(addresses_in(url), "a request without an absolute address")
    if isinstance(address, str):
        return Skipped(address, place)
    crossed = Counter(address.carried)
    if method.upper() in MOVING_METHODS:
        crossed.update(address.moves)
    for name, value in headers:
        crossed.update(of_header(name, value))
    for body in bodies:
        crossed.update(of_body(body))
    crossed.update(more)
    return _sighting(address, place, evidence, crossed, issuer)


def _sighting(
    address: Address, place: Place, evidence: Evidence, crossed: Counter[Crossing], issuer: str | None
) -> Sighting:
    return Sighting(
        address.host, place, evidence, port=address.port, scheme=address.scheme, crossed=crossed, issuer=issuer
    )
