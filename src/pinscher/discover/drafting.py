"""
A draft policy from what was found: report-only where there are pins, and a reason where there are none.

A policy's entry has pins, or says why not. No pin is invented: the pins of a host are those of the certificates that
were given for it, and a host that deserves pins and has none says exactly that, until ``pinscher pin`` has fetched
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.discover.ownership import Owner
from pinscher.entry import HostPolicy, Mode, UnlistedHosts
from pinscher.host import HostPattern
from pinscher.pin import Pin, PinSet
from pinscher.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from pinscher.discover.endpoint import Endpoint
    from pinscher.discover.ownership import Ownership
    from pinscher.discover.scoring import Score


@dataclass(frozen=True, slots=True)
class Judged:
    """An endpoint with what was concluded about it."""

    endpoint: Endpoint
    ownership: Ownership
    score: Score


def draft(judged: Iterable[Judged], chains: Mapping[str, Sequence[bytes]], *, today: date) -> Policy | None:
    """Return a policy that lets every host through and reports on the pinned ones; None when no host was found."""
    entries = [
        _entry(one, chains.get(one.endpoint.host, ()), today)
        for one in judged
        if one.ownership.owner not in (Owner.NAME, Owner.LOCAL) or one.endpoint.host in chains
    ]
    if not entries:
        return None
    return Policy(entries, name="draft", unlisted_hosts=UnlistedHosts.ALLOW)


def _entry(one: Judged, chain: Sequence[bytes], today: date) -> HostPolicy:
    pattern = HostPattern.parse(one.endpoint.host)
    note = f"draft: score {one.score.points}; {one.ownership.owner.value}; {one.ownership.reason}"
    if chain:
        # The leaf's key alone: which of the others may be pinned is for somebody who knows the CA to say.
        pins = PinSet([Pin.of(chain[0])])
        since = f"{note}; no backup pin yet"
        return HostPolicy(pattern, pins, mode=Mode.REPORT_ONLY, report_only_since=today, note=since)
    if one.score.deserves:
        return HostPolicy(pattern, unpinned=_WANTED, note=note)
    return HostPolicy(pattern, unpinned=f"draft: {one.ownership.owner.value}: {one.ownership.reason}", note=note)


_WANTED = "draft: deserves pins and has none yet; run 'pinscher pin --write' on the host"
