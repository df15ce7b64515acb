"""What an inventory teaches a plan: the curve of adoption, and whom a late step breaks."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.rotation.deployments import Deployment
from pinscher.rotation.planning import Adoption, Exposure, InvalidAdoptionError, Step, StepKind, exposure
from pinscher.rotation.planning.learned import learned_adoption

TODAY = date(2026, 11, 21)
HOST = "api.bank.example"
A, B, C = (f"sha256/{letter * 43}=" for letter in "AEI")


def _policy(*pins: str, host: str = HOST, more: str = "", keys: str = "") -> Policy:
    told = ", ".join(f'"{pin}"' for pin in pins)
    return Policy.loads(f'format = 1\nname = "bank"\nversion = 1\n{keys}[hosts."{host}"]\npins = [{told}]\n{more}')


def _out(
    version: str, age: int | None, share: str | None, *, policy: Policy | None = None, name: str = "app"
) -> Deployment:
    since = None if age is None else TODAY - timedelta(days=age)
    shipped = _policy(A) if policy is None else policy
    return Deployment(name, version, "pins.toml", shipped, since, None if share is None else Decimal(share))


def _learned(*versions: Deployment) -> Adoption:
    return learned_adoption(versions, on=TODAY, host=HOST, source="deployments.toml")


def test_each_version_is_a_point_of_the_curve() -> None:
    """A version's age, and the share of those who have it or a later one, are a point (rule 1 of learned.py)."""
    curve = _learned(_out("1", 90, "0.1"), _out("3", 3, "0.6"), _out("2", 30, "0.3"))
    assert ((3.0, 60.0), (30.0, 90.0), (90.0, 100.0)) == curve.points


def test_what_is_not_known_is_not_counted() -> None:
    """A share that is not said, a version without a day and one of tomorrow raise no point (rule 2 of learned.py)."""
    curve = _learned(
        _out("1", 90, "0.1"), _out("2", 30, None), _out("3", 3, "0.5"), _out("4", None, "0.2"), _out("5", -1, "0.1")
    )
    assert ((3.0, 50.0), (30.0, 50.0), (90.0, 60.0)) == curve.points


def test_versions_of_one_day_are_one_point() -> None:
    """Two versions that came out on one day are told apart by nothing, and their shares are added."""
    assert ((5.0, 70.0),) == _learned(_out("1", 5, "0.3"), _out("2", 5, "0.4")).points


def test_slowest_application_counts() -> None:
    """Of several applications the slowest counts on each day, and none is faster anywhere (rule 3 of learned.py)."""
    fast = [_out("2", 2, "0.5"), _out("1", 40, "0.5")]
    slow = [_out("2", 10, "0.4", name="kiosk"), _out("1", 30, "0.6", name="kiosk")]
    curve, alone = _learned(*fast, *slow), [_learned(*fast), _learned(*slow)]
    assert [10.0, 30.0, 40.0] == [day for day, _ in curve.points]
    for tenth in range(500):
        assert curve.share_after(tenth / 10) <= min(one.share_after(tenth / 10) for one in alone) + 1e-9


def test_applications_that_do_not_pin_the_host_are_not_asked() -> None:
    """An application none of whose versions pins the host says nothing about its clients."""
    elsewhere = _out("1", 400, "1", policy=_policy(A, host="other.example"), name="other")
    assert ((5.0, 100.0),) == _learned(elsewhere, _out("1", 5, "1")).points


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ([_out("1", 5, "1", policy=_policy(A, host="other.example"))], f"no released version pins {HOST}"),
        ([_out("1", None, "1"), _out("2", 5, None)], "no version of app that is out says both since and share"),
        ([_out("1", 5, "1"), _out("1", -5, "1", name="x\x1b")], "no version of x\\x1b that is out says both"),
    ],
)
def test_nothing_is_learned_from_nothing(versions: list[Deployment], reason: str) -> None:
    """An inventory that does not say how fast an application's users follow is an error."""
    with pytest.raises(InvalidAdoptionError) as caught:
        _learned(*versions)
    assert str(caught.value).startswith(f"deployments.toml: {reason}")


AUTHORITY = f'[keys.root]\npin = "{C}"\nrole = "root"\n'
HOLDING = _out("4", 1, None, policy=_policy(A, B))
LACKING = _out("3", 1, None)
REPORTING = _out("2", 1, None, policy=_policy(A, more='mode = "report-only"\nreport-only-since = 2026-01-01\n'))
ROOTED = _out("1", 1, None, policy=_policy("root", keys=AUTHORITY))
ELSEWHERE = _out("0", 1, None, policy=_policy(A, host="other.example"))
UNPINNED = _out(
    "u", 1, None, policy=Policy.loads(f'format = 1\nname = "x"\nversion = 1\n[hosts."{HOST}"]\nunpinned = "y"\n')
)
RELEASED = (HOLDING, LACKING, REPORTING, ROOTED, ELSEWHERE, UNPINNED)


def _exposed(kind: StepKind, key: int = 1) -> Exposure | None:
    step = Step(TODAY, kind, key, "", "", None)
    return exposure(step, RELEASED, host=HOST, pins=[Pin.parse(B)])


def test_late_pin_breaks_those_who_lack_it() -> None:
    """Without the next key's pin a version that enforces refuses; one that pins an authority may not (rule 2)."""
    assert Exposure((LACKING,), (ROOTED,)) == _exposed(StepKind.PIN)


def test_denied_authority_is_no_way_out() -> None:
    """A version that knows an authority's key to deny it, and pins none, refuses for certain (rule 2)."""
    denying = _out("5", 1, None, policy=_policy(A, keys=AUTHORITY, more='denied-keys = ["root"]\n'))
    step = Step(TODAY, StepKind.PIN, 1, "", "", None)
    assert Exposure((denying,)) == exposure(step, [denying], host=HOST, pins=[Pin.parse(B)])


def test_pin_that_was_not_given_is_not_guessed() -> None:
    """Whom a key breaks whose pin nobody named is not known."""
    assert None is _exposed(StepKind.PIN, key=2)


@pytest.mark.parametrize("kind", [StepKind.RENEW, StepKind.SWITCH])
def test_expired_certificate_breaks_every_client_of_the_host(kind: StepKind) -> None:
    """An expired certificate is refused by every version that lists the host, whatever it pins (rule 1)."""
    assert Exposure((HOLDING, LACKING, REPORTING, ROOTED, UNPINNED)) == _exposed(kind)


def test_late_unpinning_breaks_nobody() -> None:
    """A pin that stays for longer breaks no client (rule 3)."""
    assert Exposure() == _exposed(StepKind.UNPIN)
