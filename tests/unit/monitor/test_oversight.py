"""What no single look shows: places and heads compared, and the repository followed as a client follows it."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from pinscher.entry import HostPolicy
from pinscher.host import HostPattern
from pinscher.lab.authority import Authority
from pinscher.monitor.findings import Severity, Sighting
from pinscher.monitor.findings.heads import ToldHead, log_forked
from pinscher.monitor.findings.modes import report_only_too_long
from pinscher.monitor.findings.places import vantage_points_differ
from pinscher.monitor.findings.repository import repository_findings
from pinscher.monitor.findings.told import Told
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.sightings import Sightings
from pinscher.monitor.tables import heartbeats, millis
from pinscher.monitor.views import Views
from pinscher.pin import Pin, PinSet
from pinscher.policy import Policy
from pinscher.probe import Endpoint, NoAnswerError
from pinscher.updates.bundle import Override
from pinscher.updates.errors import RepositoryUnreachableError, RollbackError
from pinscher.updates.floor import Floor
from pinscher.updates.state import State
from pinscher.verdict import Outcome
from tests.unit.monitor.scene import AT, DAY, HOUR, Clock, history, issue, policy_of, root, sighting

if TYPE_CHECKING:
    from pinscher.monitor.database import Database
    from pinscher.monitor.findings import Finding
    from pinscher.probe import Observation
    from pinscher.updates import Updater

CA = root()
ONE, OTHER = issue(CA), issue(CA)
POLICY = policy_of(Pin.of(ONE.der))
EVIL = Authority.root("Evil").issue("api.bank.example")


def _seen(held: object, outcome: Outcome = Outcome.MATCH) -> Sighting:
    return sighting(held, outcome=outcome)  # type: ignore[arg-type]


def test_one_verdict_from_everywhere_is_quiet() -> None:
    """Vantage points that see the same key are no finding, nor is one that stands alone or got no answer."""
    gone = Sighting(first=AT, last=AT, failure="no answer")
    assert None is vantage_points_differ({"a": [_seen(ONE)], "b": [_seen(ONE)]})
    assert None is vantage_points_differ({"a": [_seen(ONE)]})
    assert None is vantage_points_differ({"a": [_seen(ONE)], "b": [gone], "c": []})


def test_another_verdict_from_elsewhere_is_critical() -> None:
    """Somebody who is refused at one place and let in at another is being told two stories."""
    found = vantage_points_differ({"b": [_seen(EVIL, Outcome.CHAIN_NOT_VALIDATED)], "a": [_seen(ONE)]})
    assert found is not None
    assert (Severity.CRITICAL, "what is seen depends on where one looks from: match from a, chain-not-validated from b") == (
        found.severity, found.said,
    )  # fmt: skip


def test_a_key_that_is_seen_from_one_place_alone_is_a_warning() -> None:
    """A rotation that has reached one place is quiet once another has seen either key; otherwise it is told."""
    found = vantage_points_differ({"a": [_seen(ONE)], "b": [_seen(OTHER)]})
    assert found is not None
    assert Severity.WARNING is found.severity
    assert f"{Pin.of(OTHER.der)} only from b" in found.said
    assert None is vantage_points_differ({"a": [_seen(OTHER), _seen(ONE)], "b": [_seen(ONE), _seen(OTHER)]})


def test_a_trial_that_nobody_ended_is_told() -> None:
    """Report-only mode is a trial; after two months somebody is asked why it still is one."""
    trial = 'mode = "report-only"\nreport-only-since = {}\n'
    late = policy_of(Pin.of(ONE.der), more=trial.format("2026-08-01"))
    found = report_only_too_long(history(), late, AT)
    assert found is not None
    assert "in report-only mode since 2026-08-01, for 112 days" in found.said
    for policy in (policy_of(Pin.of(ONE.der), more=trial.format("2026-11-01")), POLICY):
        assert None is report_only_too_long(history(), policy, AT)


ROOTS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(2)]


def test_two_roots_for_one_size_are_told() -> None:
    """Clients that were shown two histories of one log are a critical finding; what is no head is passed over."""
    told = [
        ToldHead(f"log.bank.example 7 {ROOTS[0]}", "clients of a (3)"),
        ToldHead(f"log.bank.example 7 {ROOTS[1]}", "clients of \x1b b (1)"),
        ToldHead(f"log.bank.example 8 {ROOTS[1]}", "clients of a (2)"),
        ToldHead("<script>", "somebody"),
        ToldHead(f"log.bank.example -1 {ROOTS[1]}", "somebody"),
    ]
    ((subject, (found,)),) = log_forked(told).items()
    assert ("log of pin sets log.bank.example", Severity.CRITICAL) == (subject, found.severity)
    assert (
        f"two roots for 7 entries: {ROOTS[0]} by clients of a (3), {ROOTS[1]} by clients of \\x1b b (1)" == found.said
    )
    assert {} == log_forked(told[:1] * 2 + told[2:])


def _fork(origin: str) -> list[ToldHead]:
    return [ToldHead(f"{origin} 7 {one}", "clients of a (1)") for one in ROOTS]


def test_beyond_ten_logs_that_nobody_follows_one_finding_says_that_there_are_many() -> None:
    """Whoever has the application can make up as many logs as there are heartbeats."""
    made_up = [head for number in range(300) for head in _fork(f"log{number}.example")]
    found = log_forked(made_up)
    assert (11, "two roots each are told of more than 10 logs") == (len(found), found["many logs of pin sets"][0].said)
    assert ["log of pin sets bank"] == list(log_forked(_fork("bank") + made_up, followed="bank"))


def test_a_fork_that_was_told_stays_as_it_was_told() -> None:
    """It closes when the log is left, or when it was acknowledged and nothing contradicts any more, and never before."""
    ((subject, (finding,)),) = log_forked(_fork("bank")).items()
    fresh, seen = {subject: Told(finding)}, {subject: Told(finding, is_acknowledged=True)}
    another = [ToldHead(f"bank 5 {one}", "clients of b (9)") for one in ROOTS]
    for told, heads in ((fresh, []), (fresh, another), (seen, another)):
        for followed in (None, "bank"):
            assert {subject: [finding]} == log_forked(heads, told, followed=followed)
    assert {} == log_forked([], seen) == log_forked([], fresh, followed="another")


def _state(**changes: object) -> State:
    values: dict[str, object] = {
        "policy": POLICY, "floor": Floor(), "refreshed": AT, "failures": 0, "error": None, "signers": {},
        "expiries": {"timestamp": AT + 2 * DAY, "snapshot": AT + 7 * DAY, "targets": AT + 90 * DAY},
        "override": None, "log_head": None,
    }  # fmt: skip
    return State(**(values | changes))  # type: ignore[arg-type]


def _rules(found: list[Finding]) -> list[tuple[str, Severity]]:
    return [(one.rule, one.severity) for one in found]


def test_a_repository_that_is_well_is_quiet() -> None:
    """Fresh metadata and the policy that the monitor judges by are no finding; two failures in a row are none yet."""
    assert [] == repository_findings(_state(), POLICY, AT)
    silent = RepositoryUnreachableError("cannot fetch")
    assert [] == repository_findings(_state(error=silent, failures=2), POLICY, AT)
    assert [("updates-refused", Severity.WARNING)] == _rules(
        repository_findings(_state(error=silent, failures=3), POLICY, AT)
    )


def test_what_clients_would_refuse_is_critical() -> None:
    """A repository that offers an older state is refused by every client, and told on the first time."""
    (found,) = repository_findings(_state(error=RollbackError("version 3\nis older"), failures=1), POLICY, AT)
    assert Severity.CRITICAL is found.severity
    assert "clients take nothing from the repository: version 3 is older" == found.said


@pytest.mark.parametrize(
    ("role", "left", "severity"),
    [
        ("timestamp", timedelta(hours=20), Severity.WARNING),
        ("timestamp", timedelta(hours=5), Severity.CRITICAL),
        ("timestamp", -HOUR, Severity.CRITICAL),
        ("snapshot", timedelta(hours=40), Severity.WARNING),
        ("targets", 10 * DAY, Severity.WARNING),
        ("root", 2 * DAY, Severity.CRITICAL),
    ],
)
def test_what_lapses_is_told_in_time(role: str, left: timedelta, severity: Severity) -> None:
    """What a program signs is told a day ahead, and what people sign two weeks."""
    (found,) = repository_findings(_state(expiries={role: AT + left}), POLICY, AT)
    assert (severity, True) == (found.severity, f"the repository's {role} lapse" in found.said)


def test_an_override_and_another_policy_are_told() -> None:
    """An emergency policy is told while it lasts, and so is a policy that is not the monitor's."""
    entry = HostPolicy(HostPattern.parse("api.bank.example"), PinSet([Pin.of(OTHER.der)]), expires=AT + HOUR)
    override = Override(Policy([entry], name="override"))
    assert [("override-in-use", Severity.WARNING)] == _rules(repository_findings(_state(override=override), POLICY, AT))
    assert [] == repository_findings(_state(override=override), POLICY, AT + 2 * HOUR)
    newer = policy_of(Pin.of(OTHER.der), version=2)
    assert [("updates-differ", Severity.NOTICE)] == _rules(repository_findings(_state(policy=newer), POLICY, AT))
    assert [("updates-differ", Severity.WARNING)] == _rules(repository_findings(_state(), newer, AT))


def _nobody(endpoint: Endpoint) -> Observation:
    raise NoAnswerError(endpoint, "nobody is there")


class _Follower:
    """An updater whose repository refuses, in memory."""

    def __init__(self) -> None:
        self.state = _state(error=RollbackError("older"), failures=1, log_head=f"log.bank.example 7 {ROOTS[0]}")

    def refresh(self) -> None:
        """Refuse what is offered."""
        raise RollbackError("older")


@pytest.mark.anyio
async def test_the_monitor_compares_and_follows(database: Database) -> None:
    """Two places, a client's head against the repository's, and a refused bundle are found, and close; a fork once it is seen to."""
    clock = Clock()
    follower: Updater = _Follower()  # type: ignore[assignment]
    monitor = await Monitor.open(database, POLICY, _nobody, settings=Settings(updater=follower), now=clock)
    await monitor.begin()
    (leased,) = await monitor.watch.schedule.lease(AT)
    places = Sightings(database)
    async with database.writing() as connection:
        for vantage, held in (("here", ONE), ("there", OTHER), ("gone", None)):
            one = Sighting(first=AT, last=AT, failure="none", vantage=vantage)
            if held is not None:
                one = Sighting(
                    first=AT, last=AT, presented=held.chain, outcome=Outcome.MATCH, vantage=vantage
                )  # fmt: skip
            await places.add(connection, leased.id, one)
        row = {"application": "app", "key": "k", "received": millis(AT), "install": "i", "policy": "p", "version": 1,
               "log_head": f"log.bank.example 7 {ROOTS[1]}", "host": "", "outcome": "", "matched": "", "times": 1}  # fmt: skip
        await connection.execute(insert(heartbeats).values(**row))
    await monitor.oversee()
    expected = ["log-forked", "updates-refused", "vantage-points-differ"]
    assert expected == await _open(database)
    await monitor.begin()
    assert expected == await _open(database)
    clock.at += 31 * DAY
    follower.state = _state(expiries={})  # type: ignore[misc]
    await monitor.oversee()
    assert ["log-forked"] == await _open(database)
    (fork,) = await Views(database).findings(after=0, most=50, with_closed=False)
    await monitor.ledger.acknowledge(fork["id"], reason="the heads were compared", at=clock.at)
    await monitor.oversee()
    assert [] == await _open(database)


async def _open(database: Database) -> list[str]:
    return sorted(one["rule"] for one in await Views(database).findings(after=0, most=50, with_closed=False))
