"""What ``pinscher plan`` says of the versions that were released."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.cli.deployed import client_of, shares_object, version_object
from pinscher.errors import escaped
from pinscher.rotation.heard import Heard, Radius, radius_of_versions
from pinscher.rotation.planning import Exposure, exposure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.pin import Pin
    from pinscher.rotation.deployments import Deployment
    from pinscher.rotation.planning import Adoption, Step


@dataclass(frozen=True, slots=True)
class Released:
    """
    The released versions of the applications, the canonical host, and the pins of the keys to come.

    ``heard`` says what clients there were yesterday. Anybody can forge that: it is told beside a step, and moves none.
    """

    versions: tuple[Deployment, ...]
    host: str
    pins: tuple[Pin, ...]
    heard: tuple[Heard, ...] = field(default=())

    def exposure(self, step: Step) -> Exposure | None:
        """Return whom a late step breaks; None where the key's pin was not given, or nothing was released."""
        return exposure(step, self.versions, host=self.host, pins=self.pins) if self.versions else None

    def lines(self, step: Step) -> Iterator[str]:
        """Yield what is said of the released versions below a step."""
        found = self.exposure(step)
        if found is None:
            if self.versions:
                yield f"breaks: not known; name the pin of key {step.key} with --next-pin"
            return
        if found.refusing:
            yield f"breaks: {', '.join(map(client_of, found.refusing))}"
        if found.unclear:
            yield f"cannot tell: {', '.join(map(client_of, found.unclear))}, which pin an authority too"
        if self.heard:
            radius = self._radius(found)
            worst = ", ".join(f"{escaped(name)}: {count:,}" for name, count in sorted(radius.versions.items())[:5])
            told = f" ({worst})" if worst else ""
            unknown = f", and of {radius.unknown:,} it is not known" if radius.unknown else ""
            yield f"clients: {radius.refusing:,} of yesterday's {radius.clients:,} would refuse{told}{unknown}"

    def _radius(self, found: Exposure) -> Radius:
        return radius_of_versions(
            self.heard, self.versions, refusing=found.refusing, unclear=found.unclear, host=self.host
        )

    def fields(self, step: Step) -> dict[str, object]:
        """Return the ``--json`` fields of a step about the released versions."""
        found = self.exposure(step)
        if found is None:
            return {"versions": None, "shares": None, "unclear": None, "clients": None}
        radius = self._radius(found)
        heard = {"clients": radius.clients, "refusing": radius.refusing, "unknown": radius.unknown}
        return {
            "versions": [version_object(one) for one in found.refusing],
            "shares": shares_object(found.refusing),
            "unclear": [version_object(one) for one in found.unclear],
            "clients": heard if self.heard else None,
        }


def told_curve(curve: Adoption) -> str:
    """Return a learned curve in words."""
    return "learned from what was released: " + ", ".join(
        f"{share:.4g} % after {day:g} {'day' if day == 1 else 'days'}" for day, share in curve.points
    )
