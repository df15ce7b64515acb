"""
Fuzz the readers of reports and heartbeats, which take whatever a stranger posts.

Invariant: any bytes are refused with the readers' own error, in printable ASCII, or are read as something that is
written and read as the same again.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from runner import run

from pinscher.reports import (
    Heartbeat,
    HostCount,
    Judged,
    ReportError,
    ViolationReport,
    read_heartbeat,
    read_report,
    write_heartbeat,
    write_report,
)

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
JUDGED = Judged(
    policy="bank", version=9, mode="enforce", outcome="no-matching-pin", action="block", cause="local-interception",
    confidence="likely", verdict="0123456789abcdef", library="1.0",
)  # fmt: skip
REPORT = ViolationReport(
    at=AT, host="api.bank.test", port=443, expires=None, include_subdomains=True, noted_host="bank.test",
    served=(b"0\x03\x02\x01\x01",), validated=(b"0\x00",), pins=("sha256/" + "A" * 43 + "=",), judged=JUDGED,
)  # fmt: skip
COUNT = HostCount(
    host="*.bank.test", outcome="match", action="allow", matched=None, policy="bank", version=9, times=3
)  # fmt: skip
BEAT = Heartbeat(
    install="0" * 32, begins=AT, ends=AT, policy="bank", version=9, library="1.0", log_head=None, counts=(COUNT,)
)
PLAIN = b'{"date-time":"2014-04-06T13:00:50Z","hostname":"a","noted-hostname":"a","known-pins":["pin-sha256=\\"x\\""]}'
SEEDS = (write_report(REPORT), write_heartbeat(BEAT), PLAIN)


def fuzz(data: bytes) -> None:
    """Check the invariant at the head of this file for *data*."""
    try:
        with contextlib.suppress(ReportError):
            report = read_report(data)
            assert read_report(write_report(report)).host == report.host
        heartbeat = read_heartbeat(data)
    except ReportError as error:
        assert str(error).isascii(), error
        assert str(error).isprintable(), error
    else:
        assert read_heartbeat(write_heartbeat(heartbeat)).install == heartbeat.install


if __name__ == "__main__":
    run(fuzz, SEEDS)
