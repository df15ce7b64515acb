"""A bank's bad day, seen on the dashboard, in the figures and at a webhook."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from pinscher.lab.transparency import CtLog
from pinscher.lab.transparency_server import CtServer
from pinscher.monitor.database import Database
from pinscher.monitor.monitor import Monitor
from pinscher.monitor.tokens import Role
from pinscher.policy import Policy
from tests.unit.monitor.dashboard_process import HOST, PASSWORD, Bank
from tests.unit.monitor.dashboard_scene import Forms
from tests.unit.monitor.scene import HOUR
from tests.unit.monitor.webhook import receiving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.monitor.webhook import Receiver

INTERVAL = 2.0
"""Seconds between two looks at the bank."""
LOGS_INTERVAL = 10.0
"""Seconds between two questions to a log."""
WORK = 30.0
"""Seconds that a busy machine may take for the work itself, beside the interval."""
BEFORE = timedelta(days=5)


async def _report_long_ago(folder: Path) -> None:
    """Be an application whose clients reported for some hours, five days ago, and never again."""
    database = await Database.in_folder(folder / "data")
    policy = Policy.loads('format = 1\nname = "old-app"\nversion = 1\n[hosts."old.example"]\nunpinned = "gone"\n')
    at = datetime.now(UTC) - BEFORE

    def never(_: object) -> None:
        raise AssertionError("nothing is looked at")

    monitor = await Monitor.open(database, policy, never, now=lambda: at)
    await monitor.tokens.make(Role.APPLICATION, "old-app", at=at)
    writing = asyncio.create_task(monitor.intake.run())
    for number in range(5):
        beat = {"install": f"old-{number}", "policy": "old-app", "version": 1, "counts": []}
        await monitor.collector.take_heartbeat(
            json.dumps(beat).encode(), application="old-app", at=at + number * HOUR, key=str(number)
        )
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing
    await database.close()


class Day:
    """The bank, its monitor, a log that anybody may write to, and what a person and two programs see of it all."""

    def __init__(self, bank: Bank, log: CtLog, receiver: Receiver) -> None:
        self.bank, self.log, self.receiver = bank, log, receiver
        self.browser = httpx.Client(base_url=bank.url, follow_redirects=True, headers={"Origin": bank.url})
        form = {"name": "ada", "password": PASSWORD, "again": PASSWORD}
        (action,) = Forms(self.browser.get(bank.link).text).forms
        shown = Forms(self.browser.get(bank.link).text).forms[action]
        assert 200 == self.browser.post(action, data=shown | form).status_code

    def page(self, path: str) -> str:
        """Return a page of the dashboard."""
        answer = self.browser.get(path)
        assert 200 == answer.status_code, path
        return answer.text

    def has_told(self, *words: str) -> bool:
        """Tell whether the webhook was sent a message with these words."""
        told = [f"{one['title']}\n{one['message']}" for one in self.receiver.messages]
        return any(all(word in text for word in words) for text in told)

    def figures(self) -> str:
        """Return what Prometheus would be told."""
        return httpx.get(f"{self.bank.url}/metrics").text

    def within(self, interval: float, *seen: Callable[[], bool]) -> None:
        """Wait until all is seen, for one interval and the work in it at the most."""
        until = time.monotonic() + interval + WORK
        waiting = list(seen)
        while waiting:
            waiting = [one for one in waiting if not one()]
            assert time.monotonic() < until, [one() for one in seen]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Run the monitor on a day like any other."""
    folder = tmp_path_factory.mktemp("day")
    asyncio.run(_report_long_ago(folder))
    log = CtLog()
    bank = Bank(folder)
    # Issued for 90 days, of which five are left: high time to renew it.
    end = datetime.now(UTC) + timedelta(days=5)
    bank.held = bank.held.authority.issue(HOST, not_before=end - timedelta(days=90), not_after=end)
    log.add(bank.held)
    log.publish()
    routes = "".join(
        f'[routes.{name}]\nurls = ["URL/{name}"]\nrules = ["{rule}"]\ngroup-minutes = 0\n'
        for name, rule in (
            ("rotation", "pin-mismatch"), ("attack", "incident"), ("silence", "clients-silent"), ("foreign", "ct-foreign-ca"),
        )
    )  # fmt: skip
    with receiving() as receiver, CtServer(log) as logs:
        (folder / "logs.json").write_bytes(logs.listed(is_tiled=True))
        (folder / "alerts.toml").write_text(f"format = 1\nallow-private = true\n{routes}".replace("URL", receiver.url))
        bank.more = ("--ct-logs", "logs.json", "--ct-private", "--alerts", "alerts.toml")
        with bank.open(INTERVAL) as running:
            day = Day(running, log, receiver)
            day.within(INTERVAL, lambda: 'pinscher_endpoints{outcome="match"} 1.0' in day.figures())
            # The log is followed from its present end on.
            day.within(LOGS_INTERVAL, lambda: any("/tile/" in path for path in logs.asked))
            yield day
            day.browser.close()
    shutil.rmtree(folder)


def test_a_key_that_nobody_announced_is_a_rotation(day: Day) -> None:
    """The bank renews with another key, of which no policy was told: within one interval it is called a rotation."""
    bank = day.bank
    renewed = bank.held.authority.issue(HOST)
    bank.server.show(renewed)
    day.within(
        INTERVAL,
        lambda: "a rotation this policy was not told of" in day.page("/findings"),
        lambda: 'pinscher_findings{rule="pin-mismatch",severity="critical",state="open"} 1.0' in day.figures(),
        lambda: day.has_told("pin-mismatch opened", "key-rotation"),
    )
    bank.server.show(bank.held)
    day.within(
        INTERVAL,
        lambda: 'rule="pin-mismatch"' not in day.figures(),
        lambda: day.has_told("pin-mismatch closed"),
    )


def test_an_interception_is_an_incident(day: Day) -> None:
    """A client behind an interceptor refuses it and reports: an incident within one interval, with that cause."""
    day.bank.intercept()
    day.within(
        INTERVAL,
        lambda: "local-interception" in day.page("/incidents"),
        lambda: 'pinscher_incidents{cause="local-interception",state="open"} 1.0' in day.figures(),
        lambda: day.has_told("incident", "local-interception", HOST),
    )


def test_an_application_that_went_silent_is_told(day: Day) -> None:
    """Clients that reported for hours and then no more: the monitor tells it in its first turn, and of nobody else."""
    day.within(
        INTERVAL,
        lambda: "clients of old-app" in day.page("/findings"),
        lambda: 'pinscher_findings{rule="clients-silent",severity="critical",state="open"} 1.0' in day.figures(),
        lambda: day.has_told("clients-silent", "clients of old-app"),
    )


def test_a_certificate_of_a_foreign_ca_is_told(day: Day) -> None:
    """A log shows a certificate for the bank's name by a CA that the bank never had: critical, within one interval."""
    day.log.add(day.bank.rogue)
    day.log.publish()
    day.within(
        LOGS_INTERVAL,
        lambda: "ct-foreign-ca" in day.page("/findings") and "Proxy of some company" in day.page("/findings"),
        lambda: 'pinscher_findings{rule="ct-foreign-ca",severity="critical",state="open"} 1.0' in day.figures(),
        lambda: day.has_told("ct-foreign-ca", "Proxy of some company", HOST),
    )
