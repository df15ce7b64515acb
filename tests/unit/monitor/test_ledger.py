"""The book of findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pinscher.monitor.errors import MonitorError, UnknownRecordError
from pinscher.monitor.findings import Finding, Severity
from pinscher.monitor.ledger import Ledger, State
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


async def test_one_rule_over_all_subjects(database: Database) -> None:
    """Findings of a rule open and close for every subject at once, and leave those of other rules alone."""
    ledger = Ledger(database)
    silent = replace(WARNING, rule="clients-silent")
    await _settle(database, WARNING)
    for found in ({"clients of a": silent, "clients of b": silent}, {"clients of b": silent}):
        async with database.writing() as connection:
            await ledger.settle_all(connection, found, rule="clients-silent", at=AT)
    shown = await Views(database).findings(after=0, most=10, with_closed=False)
    assert [("api.bank.example:443", "certificate-ends"), ("clients of b", "clients-silent")] == [
        (one["subject"], one["rule"]) for one in shown
    ]
    assert State.OPEN.value == shown[1]["state"]
