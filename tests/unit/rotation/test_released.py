"""The released versions beside a new policy, by the rules of ``rotation/released.py``."""

from __future__ import annotations

import pytest

from pinscher.policy import Policy
from pinscher.rotation.deployments import Deployment
from pinscher.rotation.released import LeftBehind, left_behind

A, B, C = (f"sha256/{letter * 43}=" for letter in "AEI")
HOST = "api.bank.example"


def _policy(*pins: str, version: int = 1, host: str = HOST, more: str = "") -> Policy:
    told = ", ".join(f'"{pin}"' for pin in pins)
    return Policy.loads(f'format = 1\nname = "bank"\nversion = {version}\n[hosts."{host}"]\npins = [{told}]\n{more}')


def _beside(old: Policy, new: Policy) -> LeftBehind:
    (found,) = left_behind([Deployment("bank-app", "2.3", "pins.toml", old)], new)
    return found


def test_another_version_number_is_no_difference() -> None:
    """A policy that decides alike under another version number does not differ (rule 1)."""
    found = _beside(_policy(A, B), _policy(A, B, version=2))
    assert (False, (), ()) == (found.differs, found.losses, found.stranded)


def test_dropped_pin_is_a_loss_and_strands_nobody_who_has_another() -> None:
    """A version that accepts a dropped key and a kept one loses the first, and is not stranded (rules 2 and 3)."""
    found = _beside(_policy(A, B), _policy(B, C, version=2))
    assert (True, ["key-dropped"], ()) == (found.differs, [one.kind for one in found.losses], found.stranded)


def test_version_without_a_common_key_is_stranded() -> None:
    """A version all of whose keys are gone refuses the servers that follow the new policy (rule 3)."""
    assert (HOST,) == _beside(_policy(A), _policy(B, C, version=2)).stranded


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (_policy(A, more='mode = "report-only"\nreport-only-since = 2026-01-01\n'), _policy(B, version=2)),
        (_policy(A), _policy(B, version=2, host="other.example")),
        (_policy(A, host="other.example"), _policy(B, version=2)),
        (_policy(A), Policy.loads(f'format = 1\nname = "x"\nversion = 2\n[hosts."{HOST}"]\nunpinned = "moved"\n')),
    ],
    ids=["report-only", "not listed by the new", "not listed by the old", "not pinned by the new"],
)
def test_nobody_is_stranded_where_nothing_is_refused(old: Policy, new: Policy) -> None:
    """Report-only versions, and hosts that one of the two does not pin, strand nobody (rules 3 and 4)."""
    assert () == _beside(old, new).stranded


def test_hosts_below_a_pattern_are_told_apart() -> None:
    """Where the new policy lists a host below a released pattern, that host alone may be stranded."""
    old = _policy(A, host="*.bank.example")
    new = Policy.loads(_policy(A, version=2, host="*.bank.example").to_toml() + f'[hosts."{HOST}"]\npins = ["{B}"]\n')
    assert (HOST,) == _beside(old, new).stranded
