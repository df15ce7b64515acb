"""
Statements of the platforms that list a name once, with or without every name below it.

Android, TrustKit, RFC 7469 and Chromium share this shape. What it cannot say: exactly one label below a name, and a
name that is told something else than the names below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.formats.coverage import SuffixLookup
from pinscher.formats.loss import Loss
from pinscher.formats.said import UNPINNED, Said, said_coverage
from pinscher.host import is_ip_literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinscher.formats.coverage import Coverage
    from pinscher.formats.loss import LossLedger
    from pinscher.host import HostPattern


@dataclass(frozen=True, slots=True)
class Shape:
    """
    How a platform's names reach.

    With ``hides`` a name listed alone takes the names below it out of a wider entry. ``exceptions`` says which
    exceptions can be listed: "none", "name" (a name alone) or "any" (also with the names below it).
    """

    hides: bool = False
    exceptions: str = "none"


def suffix_statements(
    entries: Mapping[HostPattern, Said], shape: Shape, losses: LossLedger
) -> dict[str, tuple[bool, Said]]:
    """Return each listed name with whether the names below it are included, and what they are told."""
    listed: dict[str, tuple[bool, Said]] = {}
    inherited = SuffixLookup(listed, hides=shape.hides)
    for one in said_coverage(entries):
        statement = _statement(one, inherited(one.name), shape, losses)
        if statement is not None:
            listed[one.name] = statement
    return listed


def _statement(
    one: Coverage[Said], inherited: Said | None, shape: Shape, losses: LossLedger
) -> tuple[bool, Said] | None:
    wider = None if inherited == UNPINNED else inherited
    at, below, deep = one.at, one.below, one.deep
    if is_ip_literal(one.name):
        return None if at is None else (False, at)
    if below != deep:
        losses.add(Loss("one-label", f"*.{one.name}", "the target cannot stop after one label",
                        (f'write "**.{one.name}" in the policy', "list the hosts one by one"),
                        given_up=f"every name below {one.name} is treated alike"))  # fmt: skip
        below = deep if below is None else below
    if at == below:
        return None if below == wider else _listed(one.name, at, wider, shape, losses, includes=True)
    if below == (None if shape.hides else wider):
        return _listed(one.name, at, wider, shape, losses, includes=False)
    losses.add(Loss("apex", one.name, "the target lists a name once, alone or with every name below it",
                    (f'write one entry "**.{one.name}" in the policy', "list the hosts one by one"),
                    given_up=f"{one.name} itself is treated like the names below it"))  # fmt: skip
    return None if below == wider else _listed(one.name, below, wider, shape, losses, includes=True)


def _listed(
    name: str, said: Said | None, wider: Said | None, shape: Shape, losses: LossLedger, *, includes: bool
) -> tuple[bool, Said] | None:
    if said is not None:
        return includes, said
    if wider is None:
        return None
    if shape.exceptions == "any" or (shape.exceptions == "name" and not includes):
        return includes, UNPINNED
    losses.add(Loss("unpinned", name, "the target cannot take a name out of a wider entry",
                    ("pin the host too", "list the pinned hosts one by one"),
                    given_up="the host is pinned like the names around it"))  # fmt: skip
    return None
