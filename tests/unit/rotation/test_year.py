"""
A year of renewals, day by day: real certificates of a lab's authority judged against the policies that a plan publishes.

A client holds the newest policy that had time to reach it. The clients of a day differ in how long a policy takes to
reach them, from those who have it at once to the slowest of the share that the plan was made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pytest

from pinscher import Action, Pin, Policy, evaluate
from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.keys import SigningKey
from pinscher.probe.paths import conceivable_path
from pinscher.rotation.planning import Adoption, Delivery, Plan, Practice, StepKind, rotation_plan, shipped_lifetimes

HOST = "api.bank.example"
START = date(2026, 11, 21)
YEAR = START + timedelta(days=365)
CURVE = Adoption(((0, 5), (3, 60), (14, 97), (30, 99.95)))
DELIVERY = Delivery(CURVE, 1.0)
SHARE = 99.9
SLOWNESS = (0.0, 5.0, 50.0, 90.0, 99.0, SHARE)
"""The clients by the share that has a policy before them, the slowest of the plan's share last."""


@dataclass(frozen=True)
class Year:
    """The days of a plan with the certificate and the policies of each."""

    plan: Plan
    authority: Authority
    keys: dict[int, SigningKey]
    published: list[tuple[date, Policy]]

    def served(self, on: date) -> HeldCertificate:
        """Return the certificate that the server shows on a day, as the plan has it issued."""
        one = next(one for one in reversed(self.plan.issuances) if one.on <= on)
        return self.authority.issue(
            HOST, key=self.keys[one.key], not_before=_noon(one.on), not_after=_noon(one.expires)
        )

    def held(self, on: date, delay: int) -> Policy:
        """Return the policy that a client holds which gets each one so many days after its publication."""
        return next(policy for since, policy in reversed(self.published) if since + timedelta(days=delay) <= on)

    def refused(self) -> list[tuple[date, float]]:
        """Return every refused connection of the year, by its day and the share of clients that are faster."""
        refused = []
        for number in range(365):
            on = START + timedelta(days=number)
            held = self.served(on)
            path = conceivable_path((*held.chain, self.authority.trust_anchor.certificate))
            for share in SLOWNESS:
                verdict = evaluate(path, self.held(on, _delay(share)), host=HOST, at=_noon(on))
                if verdict.action is not Action.ALLOW:
                    refused.append((on, share))
        return refused


def _noon(on: date) -> datetime:
    return datetime.combine(on, time(12), UTC)


def _delay(share: float) -> int:
    """Return the whole days after which the client that comes just after *share* percent has a policy."""
    return 0 if share == 0 else DELIVERY.lead_days(share)


def _year(lifetime: int, *, keep_key: int = 1, late: int = 0, early: int = 0, is_followed: bool = True) -> Year:
    """Return the year of a plan, its pins published *late* and dropped *early*, or no policy published at all."""
    practice = Practice(lifetime, keep_key=keep_key, way_back=5)
    plan = rotation_plan(START, 365, practice, lifetimes=shipped_lifetimes(), delivery=DELIVERY, share=SHARE)
    keys = {term.key: SigningKey.generate("p256") for term in plan.terms}
    lab = Authority.root(
        "Year Root", not_before=_noon(START - timedelta(days=9)), not_after=_noon(YEAR + timedelta(days=999))
    )
    moves = [(step.on + timedelta(days=late if step.kind is StepKind.PIN else -early), step) for step in plan.steps]
    moves = [(on, step) for on, step in moves if step.kind in (StepKind.PIN, StepKind.UNPIN) and is_followed]
    pinned = {0}
    published = [(START - timedelta(days=1000), _policy(lab, keys, pinned, 1))]
    for on, step in sorted(moves, key=lambda move: move[0]):
        pinned = pinned | {step.key} if step.kind is StepKind.PIN else pinned - {step.key}
        published.append((on, _policy(lab, keys, pinned, len(published) + 1)))
    return Year(plan, lab, keys, published)


def _policy(lab: Authority, keys: dict[int, SigningKey], pinned: set[int], version: int) -> Policy:
    pins = ", ".join(f'"{Pin.of(lab.issue(HOST, key=keys[key]).der)}"' for key in sorted(pinned))
    return Policy.loads(f'format = 1\nname = "year"\nversion = {version}\n[hosts."{HOST}"]\npins = [{pins}]\n')


@pytest.mark.parametrize("keep_key", [1, 2])
@pytest.mark.parametrize("lifetime", [47, 100, 200])
def test_year_with_the_plan_refuses_no_genuine_connection(lifetime: int, keep_key: int) -> None:
    """With the plan followed no client of its share is refused on any day of a year, whatever certificates last."""
    year = _year(lifetime, keep_key=keep_key)
    switches = [step for step in year.plan.steps if step.kind is StepKind.SWITCH]
    assert switches
    assert [] == year.refused()


@pytest.mark.parametrize("lifetime", [47, 100, 200])
def test_certificates_of_the_year_are_valid_and_as_short_as_is_allowed(lifetime: int) -> None:
    """Every certificate of the plan is valid while it serves and lasts no longer than its day of issuance allows."""
    plan = _year(lifetime).plan
    for number in range(365):
        on = START + timedelta(days=number)
        one = next(one for one in reversed(plan.issuances) if one.on <= on)
        assert one.on <= on < one.expires
    allowed = [shipped_lifetimes().longest(one.on) or 0 for one in plan.issuances]
    assert [min(lifetime, most) for most in allowed] == [(one.expires - one.on).days for one in plan.issuances]


@pytest.mark.parametrize("lifetime", [47, 100, 200])
def test_year_without_the_plan_is_an_outage(lifetime: int) -> None:
    """Where no policy follows the keys, every client is refused on every day from the first switch on."""
    year = _year(lifetime, is_followed=False)
    first = next(step.on for step in year.plan.steps if step.kind is StepKind.SWITCH)
    days = [START + timedelta(days=number) for number in range(365)]
    assert [(on, share) for on in days if on >= first for share in SLOWNESS] == year.refused()


@pytest.mark.parametrize("lifetime", [47, 100, 200])
def test_pin_published_on_the_day_of_the_switch_is_an_outage(lifetime: int) -> None:
    """A pin published with the switch itself refuses the slower clients until the policy reaches them."""
    year = _year(lifetime, late=DELIVERY.lead_days(SHARE))
    refused = year.refused()
    assert refused
    assert {share for _, share in refused} == set(SLOWNESS) - {0.0}


def test_pin_a_day_late_refuses_the_slowest_on_that_day_alone() -> None:
    """A plan has no day to give away: a day late refuses the slowest clients for a day at each switch."""
    year = _year(100, late=1)
    switches = [step.on for step in year.plan.steps if step.kind is StepKind.SWITCH]
    assert [(on, SHARE) for on in switches] == year.refused()


def test_pin_removed_before_the_switch_is_an_outage() -> None:
    """A pin that goes before its key has stopped serving refuses the clients that follow fastest."""
    refused = _year(100, early=12).refused()
    assert refused
    assert {0.0, 5.0} & {share for _, share in refused}
