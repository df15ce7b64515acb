"""Grafana's dashboard, held against the figures that a monitor really has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pinscher.lab.transparency import CtLog
from pinscher.lab.transparency_server import CtServer
from pinscher.monitor.findings import Finding, Severity
from pinscher.monitor.measures import metrics
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.tables import incidents, millis
from pinscher.monitor.transparency.logs import read_logs
from pinscher.monitor.transparency.watching import LogSettings
from pinscher.pin import Pin
from tests.unit.monitor.scene import AT, HOST, Clock, issue, policy_of, root

if TYPE_CHECKING:
    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
BOARD = json.loads((Path(__file__).parents[3] / "docs" / "grafana" / "pinscher.json").read_text(encoding="utf-8"))
PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "monitor.md").read_text(encoding="utf-8")
EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
_WORDS = {"by", "job", "le"}


async def _labels(database: Database) -> dict[str, set[str]]:
    """Return the names of the figures of a monitor that has something of everything, each with its labels."""

    def never(_: object) -> Any:
        raise AssertionError("nothing is looked at")

    with CtServer(CtLog()) as server:
        logs = read_logs(server.listed(is_tiled=True), at=AT, allow_private=True)
        settings = Settings(transparency=LogSettings(logs=logs, allow_private=True, seconds=10))
        monitor = await Monitor.open(
            database, policy_of(Pin.of(issue(root()).der)), never, settings=settings, now=Clock()
        )
        await monitor.begin()
        await monitor.follow_logs()
    finding = Finding(rule="unreachable", severity=Severity.WARNING, said="gone", advice="look")
    async with database.writing() as connection:
        await monitor.ledger.settle(connection, f"{HOST}:443", [finding], at=AT)
    monitor.collector.reports["bank-app"] = monitor.collector.heartbeats["bank-app"] = monitor.refused[401] = 1
    body = {
        "application": "bank-app",
        "host": HOST,
        "key": "",
        "issuer": "",
        "cause": "unknown",
        "said": "",
        "advice": "",
    }
    more = {
        "first": millis(AT),
        "last": millis(AT),
        "reports": 1,
        "times": 1,
        "versions": "{}",
        "chain": "",
        "share": "",
        "state": "open",
    }
    async with database.writing() as connection:
        await connection.execute(incidents.insert().values(body | more))
    families = text_string_to_metric_families((await metrics(monitor)).decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


async def test_every_figure_of_the_dashboard_exists(database: Database) -> None:
    """With every label that an expression chooses or groups by."""
    known = await _labels(database)
    for expression in EXPRESSIONS:
        for name, chosen in re.findall(r"(pinscher_\w+)\{([^}]*)\}", expression):
            assert name in known, expression
            assert set(re.findall(r"(\w+)\s*=", chosen)) - _WORDS <= known[name], expression
        (name,) = set(re.findall(r"pinscher_\w+", expression))
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            assert set(grouped.split(", ")) <= known[name], expression


async def test_every_figure_is_on_the_dashboard_and_the_page(database: Database) -> None:
    """What a monitor counts is shown, and described in the reference."""
    known = await _labels(database)
    shown = {name for expression in EXPRESSIONS for name in re.findall(r"pinscher_\w+", expression)}
    assert set(known) == shown
    for name in known:
        assert f"`{name}`" in PAGE


def test_the_dashboard_loads_nothing_from_elsewhere() -> None:
    """It names no data source, plug-in or address but Prometheus, which its reader chooses."""
    assert {"stat", "timeseries"} == {panel["type"] for panel in BOARD["panels"]}
    assert "http" not in json.dumps(BOARD)
    assert {"${datasource}"} == {panel["datasource"]["uid"] for panel in BOARD["panels"]}
    assert len(BOARD["panels"]) == len({panel["id"] for panel in BOARD["panels"]})
