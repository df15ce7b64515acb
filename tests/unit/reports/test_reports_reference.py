"""The reference of reports cannot drift from what is written."""

from __future__ import annotations

import json
from pathlib import Path

from banking import policy_of, verdict_on

from pinscher.diagnosis import Facts, diagnose
from pinscher.reports import Install, Pulse, report_of, write_heartbeat, write_report
from pinscher.tls.counting import stats

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "reports.md").read_text(encoding="utf-8")


def test_every_field_is_documented() -> None:
    """Every field of a report and a heartbeat has its row in the reference."""
    policy = policy_of()
    verdict = verdict_on(policy)
    report = json.loads(write_report(report_of(verdict, diagnose(verdict, Facts()), library="1")))
    beat = json.loads(write_heartbeat(Pulse(stats, "1").beat(policy, Install.new(verdict.at), verdict.at)))
    fields = {*report, *report["pinscher"], *beat}
    assert set() == {field for field in fields if f"`{field}`" not in PAGE}
