"""The project's own use of its pytest plugin: an application's function against the scenarios, as a user would test it."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest

import pinscher

if TYPE_CHECKING:
    from pinscher.lab.errand import Errand
    from pinscher.pytest_plugin import PinCase

FAMILIES = (
    "genuine", "substitution", "stuffing", "hidden", "validity", "cross-signing", "keys", "chains", "oddities",
)  # fmt: skip
"""The families that a client of one URL can play in full."""


def post(errand: Errand) -> None:
    """Post the secret with the standard library's client and a pinned context."""
    context = pinscher.PinnedContext(pinscher.Policy.load(errand.policy), trust=errand.ca)
    with urllib.request.urlopen(errand.url, data=errand.secret.encode(), timeout=10, context=context) as answer:
        answer.read()


@pytest.mark.pin_scenarios(family=FAMILIES, can=["policy", "several-pins", "authority-pins", "certificate-pins"])
def test_urllib_request_is_pinned(pin_case: PinCase) -> None:
    """The standard library's URL opener with a pinned context is right in every case that it can express."""
    pin_case.play(post)
