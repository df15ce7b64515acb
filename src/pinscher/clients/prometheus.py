"""
Prometheus: what the pinned contexts of this process have found, as one counter.

``prometheus_client.REGISTRY.register(VerdictCollector())``. Nothing is counted a second time for it: a scrape reads
``pinscher.stats()``. One series stands for a host, an outcome, an action, a pin, a policy with its version, and whether
the connection was resumed; hosts beyond the bound of the statistics share one series without a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.clients.errors import missing
from pinscher.clients.measures import DESCRIPTION, LABELS, NAME, labels_of
from pinscher.tls.counting import stats

try:
    from prometheus_client.core import CounterMetricFamily
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError(missing("prometheus-client", "prometheus")) from error

if TYPE_CHECKING:
    from collections.abc import Iterator


class VerdictCollector(Collector):
    """Tells a registry of Prometheus how often each verdict was given."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Return the verdicts counted so far."""
        family = CounterMetricFamily(NAME.replace(".", "_"), DESCRIPTION, labels=LABELS)
        for count in stats():
            family.add_metric(labels_of(count), count.times)
        yield family

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Return what is collected, without reading the counts."""
        yield CounterMetricFamily(NAME.replace(".", "_"), DESCRIPTION, labels=LABELS)
