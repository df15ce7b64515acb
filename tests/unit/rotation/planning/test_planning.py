"""Lifetimes, curves and plans by themselves."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.rotation.planning import (
    Adoption,
    Delivery,
    InvalidAdoptionError,
    InvalidLifetimesError,
    Lifetimes,
    Plan,
    Practice,
    StepKind,
    UnreachableShareError,
    read_adoption,
    read_lifetimes,
    rotation_plan,
    shipped_lifetimes,
)
from pinscher.rotation.planning.delivery import LARGEST_CURVE
from pinscher.rotation.planning.lifetimes import LARGEST_LIFETIMES
from pinscher.rotation.planning.plan import LONGEST_PLAN, PlanError

START = date(2026, 11, 21)
CURVE = Adoption(((1, 10), (3, 60), (13, 100)))


def _plan(days: int = 365, *, lead: float = 10, practice: Practice | None = None, **more: object) -> Plan:
    given = {"lifetimes": shipped_lifetimes(), "delivery": Delivery(refresh_days=lead), "share": 99.9} | more
    return rotation_plan(START, days, practice or Practice(), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("issued", "days"),
    [
        ("2020-08-31", None), ("2026-03-14", 398), ("2026-03-15", 200), ("2027-03-14", 200), ("2027-03-15", 100),
        ("2029-03-14", 100), ("2029-03-15", 47), ("2040-01-01", 47),
    ],
)  # fmt: skip
def test_lifetimes_follow_the_schedule_of_the_browser_forum(issued: str, days: int | None) -> None:
    """A certificate lasts 200 days from 15 March 2026, 100 from 2027 and 47 from 2029, by its day of issuance."""
    assert days == shipped_lifetimes().longest(date.fromisoformat(issued))


_GOOD = b'{"format": 1, "source": "me", "date": "2026-01-01", "limits": [{"from": "2026-01-01", "days": 30}]}'


def test_lifetimes_of_the_user_replace_the_shipped_ones() -> None:
    """A user's own file is read as the shipped one is."""
    expected = Lifetimes("me", date(2026, 1, 1), ((date(2026, 1, 1), 30),))
    assert expected == read_lifetimes(_GOOD, source="mine.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "mine.json: not JSON"),
        (b"\xff", "mine.json: not UTF-8 at byte 0"),
        (b"[" * 100_000, "mine.json: not JSON"),
        (b" " * (LARGEST_LIFETIMES + 1), "mine.json: at most 1 MiB"),
        (b"[]", "mine.json: format: expected an object of format 1"),
        (_GOOD.replace(b'"me"', b"1"), "mine.json: source: expected a text"),
        (_GOOD.replace(b'"date": "2026-01-01"', b'"date": 1'), "mine.json: date: expected YYYY-MM-DD"),
        (_GOOD.replace(b'"from": "2026-01-01"', b'"since": 1'), r"limits\[0\].from: expected YYYY-MM-DD"),
        (_GOOD.replace(b"30", b"true"), r"limits\[0\].days: expected a whole number"),
        (_GOOD.replace(b"30", b"0"), r"limits\[0\].days: expected a whole number"),
        (_GOOD.replace(b'{"from": "2026-01-01", "days": 30}', b"1"), r"limits\[0\]: expected an object"),
        (_GOOD.replace(b'[{"from": "2026-01-01", "days": 30}]', b"[]"), "limits: expected an array"),
        (_GOOD.replace(b"}]", b'}, {"from": "2026-01-01", "days": 20}]'), "limits: expected each limit to begin after"),
    ],
)
def test_lifetimes_that_are_none_are_one_clear_error(content: bytes, message: str) -> None:
    """Anything but a file of lifetimes is refused with the file and the place in it."""
    with pytest.raises(InvalidLifetimesError, match=message):
        read_lifetimes(content, source="mine.json")


@given(st.binary(max_size=60) | st.from_regex(r'\{"format": 1, "limits": \[.{0,30}').map(str.encode))
def test_any_bytes_are_lifetimes_or_the_one_error(content: bytes) -> None:
    """Bytes are lifetimes or one error, whatever they are."""
    try:
        read_lifetimes(content, source="x")
    except InvalidLifetimesError as error:
        assert "x" == error.source


@pytest.mark.parametrize(
    "content",
    [
        b"day,share\n1,10\n3,60\n13,100\n", b"\xef\xbb\xbf1, 10\r\n3, 60\r\n\r\n13, 100", b"points = [[1, 10], [3, 60.0], [13, 100]]",
    ],
)  # fmt: skip
def test_curve_is_read_from_csv_and_toml(content: bytes) -> None:
    """A curve is day and share per line, with or without a head, or one TOML array."""
    assert CURVE == read_adoption(content, source="curve")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected at least one point"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"x" * (LARGEST_CURVE + 1), "at most 1 MiB"),
        (b"day,share\nsoon,10", "not CSV"),
        (b'"1,2', "not CSV"),
        (b"1", "point 1: expected a day and a share"),
        (b"1,10\n1,20", "point 2: expected a later day"),
        (b"1,10\n2,9", "point 2: expected a later day"),
        (b"-1,10", "point 1: expected days from 0"),
        (b"1,101", "point 1: expected days from 0"),
        (b"nan,1", "point 1: expected days from 0"),
        (b"points = 1", "expected points ="),
        (b"points = [[1, 2]]\nmore = 1", "expected points ="),
        (b"points = [[true, 2]]", "point 1: expected a day and a share"),
        (b"points = [", "not TOML"),
        (b"points = " + b"[" * 100_000, "not TOML"),
    ],
)
def test_curve_that_is_none_is_one_clear_error(content: bytes, message: str) -> None:
    """Anything but a rising curve is refused with the file and the point."""
    with pytest.raises(InvalidAdoptionError, match=f"curve: {message}"):
        read_adoption(content, source="curve")


@given(st.binary(max_size=60) | st.text(alphabet='0123456789.,\n[]=" points', max_size=40).map(str.encode))
def test_any_bytes_are_a_curve_or_the_one_error(content: bytes) -> None:
    """Bytes are a curve or one error, whatever they are."""
    try:
        read_adoption(content, source="x")
    except InvalidAdoptionError as error:
        assert "x" == error.source


@pytest.mark.parametrize(
    ("days", "share"), [(0, 0), (0.5, 0), (1, 10), (2, 35), (3, 60), (8, 80), (13, 100), (99, 100)]
)
def test_share_is_a_straight_line_between_two_points(days: float, share: float) -> None:
    """Before the first point nobody has a policy, after the last the share stays."""
    assert share == CURVE.share_after(days)


@pytest.mark.parametrize(("share", "days"), [(5, 1), (10, 1), (35, 2), (60, 3), (80, 8), (100, 13)])
def test_days_until_a_share_are_where_the_line_reaches_it(share: float, days: float) -> None:
    """A share is reached where the curve first has it."""
    assert days == CURVE.days_until(share)


def test_flat_curve_has_its_share_from_the_beginning() -> None:
    """A curve that does not rise reaches its share at its first point that has it."""
    assert 2 == Adoption(((2, 50), (5, 50))).days_until(50)
    assert 0 == Adoption(((0, 100),)).days_until(100)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 100)), min_size=1, max_size=6, unique_by=lambda point: point[0]
    ),
    st.floats(0.1, 100),
    st.floats(0, 5),
)
def test_lead_time_is_the_first_whole_day_with_the_share(
    points: list[tuple[int, int]], share: float, refresh: float
) -> None:
    """At the lead time the share has the policy, and a day earlier it has not."""
    days, shares = sorted(day for day, _ in points), sorted(share for _, share in points)
    delivery = Delivery(Adoption(tuple((float(a), float(b)) for a, b in zip(days, shares, strict=True))), refresh)
    if shares[-1] < share:
        with pytest.raises(UnreachableShareError, match="the curve of adoption ends at"):
            delivery.lead_days(share)
        return
    lead = delivery.lead_days(share)
    assert delivery.share_after(lead + 1e-6) >= share - 1e-6
    assert lead == 0 or delivery.share_after(lead - 1 - 1e-6) <= share


def test_refresh_alone_is_the_lead_time() -> None:
    """Where every client fetches a bundle, the slowest has it after a whole interval."""
    delivery = Delivery(refresh_days=0.25)
    assert (1, 0.0, 100.0) == (delivery.lead_days(99.9), delivery.share_after(0.2), delivery.share_after(0.25))


def test_key_waits_until_its_pin_is_out() -> None:
    """A renewal before the lead time is over keeps the old key, and the next one has the new key."""
    plan = _plan(lead=60, practice=Practice(47))
    assert [0, 0, 1, 2] == [one.key for one in plan.issuances][:4]
    assert plan.issuances[2].on >= START + timedelta(days=60)
    assert StepKind.RENEW in [step.kind for step in plan.steps]
    assert all(step.on >= START for step in plan.steps)


def test_pins_of_several_keys_are_out_when_the_lead_is_longer_than_a_renewal() -> None:
    """With a lead of several renewals the pin of each key is published before the key before it serves."""
    plan = _plan(lead=80, practice=Practice(47))
    third = plan.terms[3]
    assert third.pin_by is not None
    assert third.pin_by < plan.terms[2].serves_from


def test_key_is_kept_for_as_many_certificates_as_asked() -> None:
    """Keeping a key for three certificates changes it at every third renewal."""
    plan = _plan(lead=5, practice=Practice(47, keep_key=3))
    assert [0, 0, 0, 1, 1, 1, 2] == [one.key for one in plan.issuances][:7]


def test_current_certificate_begins_the_plan() -> None:
    """The certificate in use is renewed when its part is over, or at once where that has passed."""
    days = date(2026, 11, 1), date(2027, 1, 30)
    assert [date(2026, 11, 1), date(2026, 12, 31)] == [one.on for one in _plan(current=days).issuances][:2]
    days = date(2026, 9, 1), date(2026, 11, 30)
    late = _plan(current=days)
    assert (START, 0) == (late.issuances[1].on, late.issuances[1].key)


def test_step_says_what_breaks_when_it_is_late() -> None:
    """A late pin refuses a share of the clients, a late switch all of them, a late removal none."""
    plan = _plan(practice=Practice(90), delivery=Delivery(CURVE), share=99.0)
    steps = {step.kind: step for step in reversed(plan.steps)}
    assert (
        "a day late: up to 4 % refuse, 7 days late: up to 28 % refuse; the switch can wait 29 days"
        in steps[StepKind.PIN].late
    )
    assert steps[StepKind.SWITCH].on == steps[StepKind.PIN].breaks_on
    assert steps[StepKind.SWITCH].late.startswith("on 2027-02-19 the certificate in use has expired")
    assert (None, True) == (steps[StepKind.UNPIN].breaks_on, steps[StepKind.UNPIN].late.startswith("nothing breaks"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _plan(0), "a plan has 1 to 3660 days"),
        (lambda: _plan(share=0.0), "a share of the clients is more than 0"),
        (lambda: _plan(share=float("nan")), "a share of the clients is more than 0"),
        (lambda: _plan(lead=float("nan")), "a refresh takes 0 to"),
        (lambda: _plan(LONGEST_PLAN + 1), "a plan has 1 to 3660 days"),
        (lambda: _plan(current=(date(2026, 1, 1), START)), "the certificate in use expired on 2026-11-21"),
        (lambda: _plan(lifetimes=Lifetimes("x", START, ((date(2090, 1, 1), 1),))), "nothing says how long"),
        (lambda: Practice(renew_at=1.0), "renewed between"),
        (lambda: Practice(0), "are 1 at least"),
        (lambda: Practice(keep_key=0), "are 1 at least"),
        (lambda: Practice(way_back=-1), "are 1 at least"),
    ],
)
def test_plan_that_cannot_be_made_is_one_clear_error(call: object, message: str) -> None:
    """What contradicts itself is refused in words."""
    with pytest.raises(PlanError, match=message):
        call()  # type: ignore[operator]


def test_certificate_of_a_day_is_renewed_every_day() -> None:
    """A lifetime of one day is a renewal every day, and no endless loop."""
    assert 8 == len(_plan(6, lead=1, practice=Practice(1)).issuances)


@given(st.integers(1, 400), st.floats(0.01, 0.99), st.integers(1, 4), st.floats(0, 120), st.integers(0, 30))
def test_no_key_serves_before_its_pin_was_out(
    lifetime: int, renew_at: float, keep: int, lead: float, back: int
) -> None:
    """Whatever the practice, each key's pin is out for the lead time, and each certificate follows a valid one."""
    plan = _plan(400, lead=lead, practice=Practice(lifetime, renew_at=renew_at, keep_key=keep, way_back=back))
    for term in plan.terms[1:]:
        assert term.pin_by is not None
        assert START <= term.pin_by == term.serves_from - timedelta(days=plan.lead_days)
    for before, one in zip(plan.issuances, plan.issuances[1:], strict=False):
        assert before.on < one.on <= before.expires
        assert one.key in (before.key, before.key + 1)
