"""What is known of the days to come: when pins, certificates and rehearsals run out, and what is to be done before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.entry import Mode
from pinscher.rotation.planning.plan import Practice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pinscher.monitor.findings.history import History
    from pinscher.policy import Policy

REHEARSED_FOR = timedelta(days=365)
"""How long the rehearsal of a backup key counts."""


@dataclass(frozen=True, slots=True)
class Term:
    """Something that is due on a day, or was; ``at`` is None where it has no day."""

    at: datetime | None
    about: str
    said: str
    step: str


def policy_terms(policy: Policy) -> list[Term]:
    """Return what a policy says of days, the earliest first and what has no day last."""
    return in_order([*_expiries(policy), *_rehearsals(policy)])


def in_order(terms: Iterable[Term]) -> list[Term]:
    """Return terms, the earliest first and what has no day last."""
    return sorted(terms, key=_order)


def _order(term: Term) -> tuple[bool, datetime, str]:
    return term.at is None, term.at or datetime.max.replace(tzinfo=UTC), term.about


def _expiries(policy: Policy) -> Iterator[Term]:
    for entry in policy.hosts:
        if entry.expires is not None:
            yield Term(entry.expires, entry.host, "the pins expire", "ship a policy with a later 'expires'")
        if entry.mode is Mode.REPORT_ONLY and entry.report_only_since is not None:
            since = datetime.combine(entry.report_only_since, time(), UTC)
            yield Term(since, entry.host, "only reports since then", "enforce, once nothing is reported any more")


def _rehearsals(policy: Policy) -> Iterator[Term]:
    used = {pin for entry in policy.hosts if entry.pinset is not None for pin in entry.pinset.backup_pins}
    for key in policy.keys.values():
        if key.pin not in used:
            continue
        if key.rehearsed is None:
            yield Term(None, f"key {key.name}", "was never rehearsed", "serve it once, on a day that you choose")
        else:
            end = datetime.combine(key.rehearsed, time(), UTC) + REHEARSED_FOR
            yield Term(end, f"key {key.name}", "its rehearsal is a year old", "rehearse it again")


def certificate_terms(histories: Iterable[History]) -> list[Term]:
    """Return when the certificates that were seen last are to be renewed, and when they end, the earliest first."""
    return in_order(term for history in histories for term in _ends(history))


def _ends(history: History) -> Iterator[Term]:
    latest = history.latest
    for position, der in enumerate(() if latest is None else latest.validated or latest.presented):
        summary = certificate_summary(der)
        if summary.not_before is None or summary.not_after is None:
            continue
        if position == 0:
            renew = summary.not_before + (summary.not_after - summary.not_before) * Practice().renew_at
            yield Term(renew, str(history.endpoint), "two thirds of the certificate's life are over", "renew it")
        said = f"the certificate of {summary.subject} ends"
        yield Term(summary.not_after, str(history.endpoint), said, "have the next one served before")
