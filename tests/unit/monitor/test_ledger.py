"""The book of findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pinscher.monitor.columns import LONGEST_SUBJECT
from pinscher.monitor.errors import MonitorError, UnknownRecordError
from pinscher.monitor.findings import Finding, Severity
from pinscher.monitor.ledger import MOST_SETTLED, Ledger, State
from pinscher.monitor.views import Views
from tests.unit.monitor.scene import AT, DAY, HOUR

if TYPE_CHECKING:
    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
WARNING = Finding(rule="certificate-ends", severity=Severity.WARNING, said="it ends", advice="renew it")
CRITICAL = replace(WARNING, severity=Severity.CRITICAL, said="it ends soon")


async def _settle(database: Database, *found: Finding, at: object = AT) -> list[str]:
    async with database.writing() as connection:
        changes = await Ledger(database).settle(connection, "api.bank.example:443", found, at=at)  # type: ignore[arg-type]
    return [change.what for change in changes]


async def _only(database: Database) -> dict[str, object]:
    (shown,) = await Views(database).findings(after=0, most=10, with_closed=True)
    return shown


async def test_a_finding_opens_stays_and_closes_by_itself(database: Database) -> None:
    """The same finding is written once, and closes when it holds no more."""
    assert [["opened"], [], ["closed"], []] == [
        await _settle(database, *found) for found in ((WARNING,), (WARNING,), (), ())
    ]
    shown = await _only(database)
    assert ("closed", "warning") == (shown["state"], shown["severity"])
    assert [] == await Views(database).findings(after=0, most=10, with_closed=False)
    told = (await Views(database).finding(shown["id"]))["events"]  # type: ignore[arg-type]
    assert ["opened", "closed"] == [event["what"] for event in told]


async def test_what_comes_back_is_a_new_finding(database: Database) -> None:
    """After its close the same finding opens anew."""
    for found in ((WARNING,), (), (WARNING,)):
        await _settle(database, *found)
    shown = await Views(database).findings(after=0, most=10, with_closed=True)
    assert ["closed", "open"] == [one["state"] for one in shown]


async def test_an_acknowledged_finding_stays_so_until_it_grows_graver(database: Database) -> None:
    """New words change it, and a graver one is open again."""
    ledger = Ledger(database)
    await _settle(database, WARNING)
    await ledger.acknowledge((await _only(database))["id"], reason="renewing \x1b[31m", at=AT)  # type: ignore[arg-type]
    assert ["changed"] == await _settle(database, replace(WARNING, said="it ends on Friday"))
    shown = await _only(database)
    assert ("acknowledged", "renewing \\x1b[31m") == (shown["state"], shown["reason"])
    assert ["graver"] == await _settle(database, CRITICAL)
    shown = await _only(database)
    assert ("open", None, "critical") == (shown["state"], shown["reason"], shown["severity"])


async def test_a_silence_ends(database: Database) -> None:
    """A silenced finding is open again once its time is over."""
    await _settle(database, WARNING)
    number = (await _only(database))["id"]
    await Ledger(database).silence(number, reason="until Monday", until=AT + DAY, at=AT)  # type: ignore[arg-type]
    assert [] == await _settle(database, WARNING, at=AT + HOUR)
    assert "silenced" == (await _only(database))["state"]
    assert ["heard again"] == await _settle(database, WARNING, at=AT + DAY)
    assert "open" == (await _only(database))["state"]


async def test_what_is_said_has_a_reason_and_a_finding(database: Database) -> None:
    """An empty reason, an end in the past and a finding that is closed or was never there are refused."""
    ledger = Ledger(database)
    await _settle(database, WARNING)
    number: int = (await _only(database))["id"]  # type: ignore[assignment]
    with pytest.raises(MonitorError, match="expected a reason"):
        await ledger.acknowledge(number, reason="  ", at=AT)
    with pytest.raises(MonitorError, match="ends in the future"):
        await ledger.silence(number, reason="x", until=AT, at=AT)
    await _settle(database)
    with pytest.raises(UnknownRecordError):
        await ledger.acknowledge(number, reason="x", at=AT)
    with pytest.raises(UnknownRecordError):
        await Views(database).finding(number + 1)


async def test_what_is_told_for_a_time_stays_for_it(database: Database) -> None:
    """Rule 6: it holds no more, and stays for its time after it was said; what is said anew begins a time of its own."""
    ledger, anew, lasting = Ledger(database), replace(WARNING, said="another one ends"), {WARNING.rule: 7 * DAY}

    async def settled(at: object, *found: Finding) -> list[str]:
        async with database.writing() as connection:
            changes = await ledger.settle(connection, "api.bank.example:443", found, at=at, lasting=lasting)  # type: ignore[arg-type]
        return [change.what for change in changes]

    assert [["opened"], [], ["changed"]] == [
        await settled(AT, WARNING), await settled(AT + DAY), await settled(AT + 2 * DAY, anew)
    ]  # fmt: skip
    await ledger.acknowledge((await _only(database))["id"], reason="it is ours", at=AT + 5 * DAY)  # type: ignore[arg-type]
    assert [[], ["closed"]] == [await settled(AT + 9 * DAY), await settled(AT + 9 * DAY + HOUR)]


async def test_what_is_told_for_a_time_goes_with_its_endpoint(database: Database) -> None:
    """An endpoint that is watched no more has no finding left."""
    await _settle(database, replace(WARNING, rule="new-issuer"))
    await Ledger(database).close_gone(["api.bank.example:443"], at=AT)
    assert [] == await _open_subjects(database)


async def test_one_rule_over_all_subjects(database: Database) -> None:
    """Findings of a rule open and close for every subject at once, and leave those of other rules alone."""
    ledger = Ledger(database)
    silent = replace(WARNING, rule="clients-silent")
    await _settle(database, WARNING)
    for found in ({"clients of a": [silent], "clients of b": [silent]}, {"clients of b": [silent]}):
        async with database.writing() as connection:
            await ledger.settle_rules(connection, found, rules=["clients-silent"], at=AT)
    shown = await Views(database).findings(after=0, most=10, with_closed=False)
    assert [("api.bank.example:443", "certificate-ends"), ("clients of b", "clients-silent")] == [
        (one["subject"], one["rule"]) for one in shown
    ]
    assert State.OPEN.value == shown[1]["state"]


async def _open_subjects(database: Database) -> list[str]:
    return [one["subject"] for one in await Views(database).findings(after=0, most=500, with_closed=False)]


async def test_a_flood_is_settled_in_parts_the_gravest_first(database: Database) -> None:
    """Rule 4: one transaction makes a hundred changes at most, so that a report never waits long for its commit."""
    ledger = Ledger(database)
    found = {f"clients of {number:03}": [WARNING] for number in range(MOST_SETTLED + 20)}
    found["clients of z"] = [CRITICAL]
    for left in (21, 0):
        async with database.writing() as connection:
            assert left == await ledger.settle_rules(connection, found, rules=[WARNING.rule], at=AT, most=MOST_SETTLED)
        assert "clients of z" == (await _open_subjects(database))[0]
    await ledger.settle_in_parts({}, rules=[WARNING.rule], at=AT)
    assert [] == await _open_subjects(database)
    await ledger.settle_in_parts(found, rules=[WARNING.rule], at=AT)
    assert sorted(found) == sorted(await _open_subjects(database))


async def test_what_no_database_takes_undoes_no_other_finding(database: Database) -> None:
    """Rule 5: a subject beyond its column, a NUL and half a character are made to fit, and are the same the next time."""
    found = {f"{'a' * 400} {end}": [replace(WARNING, said="\x00 and \ud800", advice="\x00")] for end in "xy"}
    for _ in range(2):
        await Ledger(database).settle_in_parts(found | {"clients of b": [CRITICAL]}, rules=[WARNING.rule], at=AT)
    shown = await Views(database).findings(after=0, most=10, with_closed=False)
    assert [LONGEST_SUBJECT] * 2 == [len(one["subject"]) for one in shown[1:]]
    assert ["clients of b", "\\x00 and \\ud800"] == [shown[0]["subject"], shown[1]["said"]]
    for one in shown:
        assert ["opened"] == [event["what"] for event in (await Views(database).finding(one["id"]))["events"]]
    assert {"clients of b"} < (await Ledger(database).told(WARNING.rule)).keys()
