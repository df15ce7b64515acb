"""The counts of verdicts, as Prometheus and OpenTelemetry take them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

import pinscher
from pinscher.tls.counting import count
from pinscher.verdict import unlisted

PIN = "sha256/" + "A" * 43 + "="


def counted(version: int, times: int) -> None:
    """Count refusals of a host that is not listed."""
    policy = pinscher.Policy.loads(
        f'format = 1\nname = "metrics"\nversion = {version}\n[hosts."bank.test"]\npins = ["{PIN}"]\n'
    )
    verdict = unlisted(policy, host="elsewhere.test", at=datetime.now(UTC))
    assert verdict is not None
    for _ in range(times):
        count(verdict)


def test_prometheus_scrapes_the_counts() -> None:
    """A scrape has one series for each kind of verdict, with its host, outcome, pin, policy and version."""
    import prometheus_client

    from pinscher.clients.prometheus import VerdictCollector

    counted(901, 3)
    registry = prometheus_client.CollectorRegistry()
    registry.register(VerdictCollector())
    labels = {
        "host": "elsewhere.test", "outcome": "unlisted-host", "action": "block", "matched": "", "policy": "metrics",
        "version": "901", "resumed": "false",
    }  # fmt: skip
    assert 3 == registry.get_sample_value("pinscher_verdicts_total", labels)
    counted(901, 2)
    assert 5 == registry.get_sample_value("pinscher_verdicts_total", labels)
    assert b"# TYPE pinscher_verdicts_total counter" in prometheus_client.generate_latest(registry)


def test_opentelemetry_observes_the_counts() -> None:
    """A reader of OpenTelemetry's metrics gets the same counts with the same attributes."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    from pinscher.clients.opentelemetry import observe

    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    observe(provider.get_meter("test"))
    counted(902, 4)
    data = reader.get_metrics_data()
    assert data is not None
    points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    found = [point.value for point in points if point.attributes.get("pinscher.version") == "902"]
    assert [4] == found
    provider.shutdown()


@pytest.mark.parametrize("room", ["prometheus", "opentelemetry"])
def test_a_missing_package_is_one_sentence(room: str) -> None:
    """Without the package the import fails with the line that installs it."""
    program = (
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] in ('prometheus_client', 'opentelemetry'): raise ImportError(name)\n"
        f"sys.meta_path.insert(0, Gone())\nimport pinscher.clients.{room}\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert "pip install" in told.stderr.splitlines()[-1]
