"""
What one process hands to another: accepted reports and endpoints that are due, as Taskiq's tasks over NATS JetStream.

Without a broker the same functions are called where they are; nothing of this folder is then imported.
"""

from __future__ import annotations

from importlib.util import find_spec

_PACKAGES = ("taskiq", "taskiq_nats", "nats")

for _package in _PACKAGES:
    if find_spec(_package) is None:
        raise ImportError(f"a broker needs {_package}; install it with: pip install 'pinscher[monitor-cluster]'")

from pinscher.monitor.broker.jetstream import JetStream  # noqa: E402  (after the sentence about what is missing)
from pinscher.monitor.broker.probes import ProbeLine  # noqa: E402
from pinscher.monitor.broker.reports import ReportLine  # noqa: E402

__all__ = ["JetStream", "ProbeLine", "ReportLine"]
