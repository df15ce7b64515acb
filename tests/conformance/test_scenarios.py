"""Every scenario of the lab, played by one of Pinscher's own clients of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pinscher.lab.own import HTTPX, OWN
from pinscher.lab.player import Result, play
from pinscher.lab.scenarios import SCENARIOS

if TYPE_CHECKING:
    from pinscher.lab.client import Contestant
    from pinscher.lab.scenario import Scenario

BEYOND = {
    "pinscher, blocking socket": {"http2", "secure-proxy"},
    "pinscher, memory buffers": {"http2", "redirects"},
    "pinscher, asyncio": {"http2", "proxy", "redirects", "resumption", "secure-proxy", "starttls"},
    "pinscher, http.client": {"http2", "redirects", "resumption", "secure-proxy", "starttls"},
    "pinscher, httpx over HTTP/2": {"names", "proxy", "redirects", "resumption", "secure-proxy", "starttls"},
}
"""What each kind of client has no way to do; everything else is played."""


@pytest.mark.parametrize("own", [*OWN, HTTPX], ids=lambda own: own.name.rpartition(", ")[2])
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.id)
def test_own_clients_pass(own: Contestant, scenario: Scenario) -> None:
    """Each kind of client does in every case what a right one does, and no hostile server reads a byte."""
    if scenario.needs - own.capabilities:
        assert set(scenario.needs - own.capabilities) <= BEYOND[own.name]
        return
    played = [play(case, own, limit=60) for case in scenario.cases]
    assert [] == [(one.case.id, one.reason, one.said) for one in played if one.result is not Result.PASSED]
