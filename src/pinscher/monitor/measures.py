"""
The monitor in figures for Prometheus: aggregates alone, for one series of each endpoint would not scale.

What there is of each is served by ``/api``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector as Source
from sqlalchemy import func, select

from pinscher.monitor.alerts.alerting import figures as alert_figures
from pinscher.monitor.board import is_going_on
from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.tables import endpoints, findings, incidents, looks, millis
from pinscher.monitor.transparency.figures import figures as log_figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from prometheus_client.metrics_core import Metric

    from pinscher.monitor.monitor import Monitor


async def metrics(monitor: Monitor) -> bytes:
    """Return the figures in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    async with monitor.database.reading() as connection:
        alerts = await alert_figures(connection)
        logs = await log_figures(connection, monitor.settings.transparency.logs)
    registry.register(_Figures([*await _counted(monitor), *_taken(monitor), *alerts, *logs]))
    return generate_latest(registry)


class _Figures(Source):
    """Figures that were counted already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


async def _counted(monitor: Monitor) -> list[Metric]:
    at = monitor.now()
    watched = select(endpoints.c.outcome, func.count()).group_by(endpoints.c.outcome)
    overdue = select(func.count(), func.min(looks.c.due)).where(looks.c.due < millis(at))
    is_open = findings.c.closed.is_(None)
    told = select(findings.c.rule, findings.c.severity, findings.c.state, func.count()).where(is_open)
    told = told.group_by(findings.c.rule, findings.c.severity, findings.c.state)
    going = select(incidents.c.cause, incidents.c.state, func.count()).where(is_going_on(at))
    going = going.group_by(incidents.c.cause, incidents.c.state)
    async with monitor.database.reading() as connection:
        seen = GaugeMetricFamily("pinscher_endpoints", "Endpoints by what they showed last.", labels=["outcome"])
        for outcome, count in await connection.execute(watched):
            seen.add_metric([outcome or "not-yet"], count)
        late, since = (await connection.execute(overdue)).one()
        found = GaugeMetricFamily("pinscher_findings", "Open findings.", labels=["rule", "severity", "state"])
        for rule, severity, state, count in await connection.execute(told):
            found.add_metric([rule, Severity(severity).word, state], count)
        cases = GaugeMetricFamily("pinscher_incidents", "Incidents that go on.", labels=["cause", "state"])
        for cause, state, count in await connection.execute(going):
            cases.add_metric([cause, state], count)
    lag = 0.0 if since is None else (millis(at) - since) / 1000
    return [
        seen,
        GaugeMetricFamily("pinscher_endpoints_due", "Endpoints that somebody should look at now.", value=late),
        GaugeMetricFamily("pinscher_schedule_lag_seconds", "How long the most overdue endpoint waits.", value=lag),
        found,
        cases,
        _policy(monitor, at),
    ]


def _policy(monitor: Monitor, _at: datetime) -> Metric:
    family = GaugeMetricFamily("pinscher_policy_version", "The policy in force.", labels=["name"])
    family.add_metric([monitor.policy.name], monitor.policy.version)
    return family


def _taken(monitor: Monitor) -> Iterator[Metric]:
    yield CounterMetricFamily("pinscher_looks", "Looks at endpoints since the start.", value=monitor.watch.looks)
    reports = CounterMetricFamily("pinscher_reports", "Reports acknowledged since the start.", labels=["application"])
    heartbeats = CounterMetricFamily(
        "pinscher_heartbeats", "Heartbeats acknowledged since the start.", labels=["application"]
    )
    for family, counts in ((reports, monitor.collector.reports), (heartbeats, monitor.collector.heartbeats)):
        for application, count in sorted(counts.items()):
            family.add_metric([application], count)
        yield family
    refused = CounterMetricFamily("pinscher_refused", "Requests refused since the start.", labels=["status"])
    for status, count in sorted(monitor.refused.items()):
        refused.add_metric([str(status)], count)
    yield refused
