"""
The scenarios of the lab, one file for each family.

To add one, copy a function. To add a family, copy a file and name it here. Rollback and freeze of updates come with the
room that has the updates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.scenarios import (
    chains,
    changes,
    client_certificates,
    coalescing,
    cross_signing,
    genuine,
    hidden,
    keys,
    names,
    oddities,
    policies,
    proxies,
    redirects,
    resumption,
    rotation,
    silence,
    stuffing,
    substitution,
    upgrades,
    validity,
)
from pinscher.lab.scenarios.registry import collected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinscher.lab.scenario import Scenario

SCENARIOS: Mapping[str, Scenario] = collected((
    genuine, rotation, substitution, stuffing, hidden, validity, names, cross_signing, keys, chains, oddities,
    resumption, changes, policies, client_certificates, proxies, upgrades, redirects, coalescing, silence,
))  # fmt: skip
"""Every scenario by its id, family after family."""
