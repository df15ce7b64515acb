"""Every client of the table, on the scenarios that every client must get right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pinscher.lab.player import Result, play
from pinscher.lab.scenarios import SCENARIOS

from .contestants import contestants

if TYPE_CHECKING:
    from pinscher.lab.client import Contestant

CORE = (
    "pinned-leaf", "renewed-by-another-authority", "pinned-root", "rotation-between-visits",
    "interception-by-a-trusted-root", "wrong-key-under-the-right-authority", "genuine-chain-behind",
    "key-in-an-extension", "expired-leaf", "forged-issuer", "leaf-used-as-an-authority",
    "denied-authority-above-a-pinned-leaf", "unlisted-and-denied", "report-only-and-wrong", "expired-into-a-failure",
    "interception-that-begins-later", "undecodable-subject-of-a-rogue",
)  # fmt: skip
"""One scenario of each kind of attack, and what must go on working beside it."""


@pytest.mark.parametrize("contestant", contestants(), ids=lambda one: one.name)
def test_every_client_is_right_on_the_core(contestant: Contestant) -> None:
    """Every client of the table does in the core of the scenarios what a right one does."""
    played = [play(SCENARIOS[name].cases[-1], contestant, limit=60) for name in CORE]
    wrong = [(one.case.id, one.reason, one.said) for one in played if one.result is not Result.PASSED]
    assert [] == wrong
