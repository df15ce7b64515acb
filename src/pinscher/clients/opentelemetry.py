"""
OpenTelemetry: what the pinned contexts of this process have found, as one observable counter.

``observe(opentelemetry.metrics.get_meter("app"))``. Nothing is counted a second time for it: the reader of the metrics
reads ``pinscher.stats()``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.clients.errors import missing
from pinscher.clients.measures import DESCRIPTION, LABELS, NAME, labels_of
from pinscher.tls.counting import stats

try:
    from opentelemetry.metrics import Observation
except ImportError as error:
    raise ImportError(missing("opentelemetry-api", "opentelemetry")) from error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.metrics import CallbackOptions, Meter, ObservableCounter


def observe(meter: Meter) -> ObservableCounter:
    """Have a meter observe the verdicts of this process."""
    return meter.create_observable_counter(NAME, callbacks=[_observed], unit="{verdict}", description=DESCRIPTION)


def _observed(_: CallbackOptions) -> Iterator[Observation]:
    for count in stats():
        yield Observation(count.times, {f"pinscher.{name}": value for name, value in _named(labels_of(count))})


def _named(values: list[str]) -> Iterator[tuple[str, str]]:
    return zip(LABELS, values, strict=True)
