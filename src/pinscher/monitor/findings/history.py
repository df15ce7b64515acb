"""What an endpoint showed over time, as the rules read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.der import CertificateParseError, certificate_summary
from pinscher.monitor.vantage import DEFAULT_VANTAGE
from pinscher.pin import Pin

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.probe import Endpoint
    from pinscher.verdict import Outcome


NOT_LOOKED = "could not be looked at: "
"""How the failure begins of a look that failed at the monitor's own end, and not at the endpoint's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """
    What an endpoint showed without a change from ``first`` to ``last``; failures of one end in a row are one sighting.

    ``validated`` is empty where no path was verified, and ``presented`` too where nothing answered; ``failure`` then
    says why, in the words of the last look. The outcome was given by ``evaluate`` when the chain was seen, and the
    cause and advice by ``diagnose``. ``vantage`` is where it was seen from.
    """

    first: datetime
    last: datetime
    times: int = 1
    presented: tuple[bytes, ...] = ()
    validated: tuple[bytes, ...] = ()
    failure: str = ""
    outcome: Outcome | None = None
    matched: Pin | None = None
    cause: str = ""
    said: str = ""
    advice: str = ""
    vantage: str = DEFAULT_VANTAGE

    @property
    def is_answered(self) -> bool:
        """Whether a server spoke TLS at all."""
        return bool(self.presented)

    @property
    def is_looked_at(self) -> bool:
        """Whether the monitor itself was able to look."""
        return not is_own(self.failure)

    @property
    def leaf_key(self) -> bytes | None:
        """The digest of the leaf's key on the validated path."""
        return key_of(self.validated[0]) if self.validated else None

    @property
    def issuer_key(self) -> bytes | None:
        """The digest of the key that signed the leaf."""
        return key_of(self.validated[1]) if len(self.validated) > 1 else None

    @property
    def anchor_key(self) -> bytes | None:
        """The digest of the trust anchor's key."""
        return key_of(self.validated[-1]) if self.validated else None

    @property
    def issuer(self) -> str:
        """The name of who signed the leaf, escaped."""
        return certificate_summary(self.validated[0]).issuer if self.validated else ""


@dataclass(frozen=True, slots=True)
class History:
    """The sightings of one endpoint, the oldest first."""

    endpoint: Endpoint
    sightings: tuple[Sighting, ...] = field(default=())

    @property
    def latest(self) -> Sighting | None:
        """What was seen last."""
        return self.sightings[-1] if self.sightings else None

    @property
    def validated(self) -> tuple[Sighting, ...]:
        """The sightings with a verified path, the oldest first."""
        return tuple(sighting for sighting in self.sightings if sighting.validated)


def is_own(failure: str) -> bool:
    """Tell whether a look failed at the monitor's own end, by the words of its failure."""
    return failure.startswith(NOT_LOOKED)


def key_of(certificate_der: bytes) -> bytes | None:
    """Return the digest of a certificate's key, or None where it cannot be read."""
    try:
        return Pin.of(certificate_der).digest
    except CertificateParseError:
        return None
