"""The followed logs in figures for Prometheus, one series of each for each log that a list names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from pinscher.monitor.transparency.tables import ct_certificates, ct_logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client.metrics_core import Metric
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.transparency.logs import CtLog


async def figures(connection: AsyncConnection, logs: Sequence[CtLog]) -> Sequence[Metric]:
    """Return what is known of each followed log; a log that never answered has no figures but its certificates."""
    size = GaugeMetricFamily("pinscher_log_entries", "Entries that a log's newest head has.", labels=["log", "id"])
    unread = GaugeMetricFamily("pinscher_log_unread", "Entries of a log that wait to be read.", labels=["log", "id"])
    checked = GaugeMetricFamily(
        "pinscher_log_checked_timestamp_seconds", "When a log last proved what it says.", labels=["log", "id"]
    )
    issued = GaugeMetricFamily(
        "pinscher_log_certificates", "Certificates in a log for names of the policy.", labels=["log", "id"]
    )
    rows = {row.log: row for row in await connection.execute(select(ct_logs))}
    counted = select(ct_certificates.c.log, func.count()).group_by(ct_certificates.c.log)
    counts = {name: count for name, count in await connection.execute(counted)}  # noqa: C416
    for log in logs:
        row, labels = rows.get(log.id.hex()), [log.name, log.id.hex()[:16]]
        issued.add_metric(labels, counts.get(log.id.hex(), 0))
        if row is not None and row.size is not None:
            size.add_metric(labels, row.size)
            unread.add_metric(labels, row.size - row.read)
        if row is not None and row.checked is not None:
            checked.add_metric(labels, row.checked / 1000)
    return size, unread, checked, issued
