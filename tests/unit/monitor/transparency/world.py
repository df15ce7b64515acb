"""A bank whose certificates are logged, and a log of one's own that is followed over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pinscher.lab.authority import Authority
from pinscher.monitor.transparency.fetching import LogSite
from pinscher.monitor.transparency.follower import Progress, advance
from pinscher.monitor.transparency.logs import CtLog, read_logs
from pinscher.monitor.transparency.names import Interests
from pinscher.monitor.transparency.views import view_of
from pinscher.pin import Pin
from tests.unit.monitor.scene import HOST, policy_of

if TYPE_CHECKING:
    from pinscher.lab.transparency import CtLog as LabLog
    from pinscher.lab.transparency_server import CtServer
    from pinscher.monitor.transparency.follower import Place
    from pinscher.policy import Policy

ROOT = Authority.root("Bank Root")
CA = ROOT.intermediate("Bank CA")
HELD = CA.issue(HOST)
OTHER = [CA.issue(f"shop{number}.example") for number in range(3)]


class Followed:
    """A log, served and followed as one of the two kinds."""

    def __init__(self, server: CtServer, *, is_tiled: bool) -> None:
        self.server = server
        self.is_tiled = is_tiled
        self.policy: Policy = policy_of(Pin.of(HELD.der))
        self.place: Place | None = None

    @property
    def log(self) -> LabLog:
        """The log."""
        return self.server.log

    @property
    def listed(self) -> CtLog:
        """The log as a list of logs describes it."""
        return read_logs(self.server.listed(is_tiled=self.is_tiled), at=datetime.now(UTC), allow_private=True)[0]

    def fill(self, count: int) -> None:
        """Add certificates of others, and publish them."""
        for number in range(count):
            self.log.add(OTHER[number % len(OTHER)], is_precertificate=bool(number % 2))
        self.log.publish()

    def turn(self, *, from_start: bool = False, seconds: float = 10.0) -> Progress:
        """Go on from what is known, and remember it."""
        site = LogSite(self.listed.url, allow_private=True, seconds=seconds)
        try:
            progress = advance(view_of(self.listed, site), self.place, Interests(self.policy), from_start=from_start)
        finally:
            site.close()
        self.place = progress.place
        return progress
