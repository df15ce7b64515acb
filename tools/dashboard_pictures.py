"""Takes the pictures of the dashboard that the documentation shows: a bank, an interceptor, and Chromium."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from pinscher.monitor.database import Database
from pinscher.monitor.findings import Sighting
from pinscher.monitor.sightings import Sightings
from pinscher.monitor.tables import endpoints, millis, policies
from pinscher.pin import Pin
from pinscher.verdict import Outcome

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.unit.monitor.dashboard_process import HOST, Bank, Eyes, running_browser

PAGES = {
    "overview": "/", "endpoints": "/endpoints", "endpoint": "/endpoints/1", "timeline": "/timeline", "incidents": "/incidents",
    "incident": "/incidents/1", "findings": "/findings", "finding": "/findings/1", "clients": "/clients?application=bank-app&version=13",
    "accounts": "/accounts", "audit": "/audit", "login": "/login", "reports": "/reports",
}  # fmt: skip


def past(bank: Bank) -> None:
    """Leave a past of some months in the database: two policies before this one, and a key before this one."""
    asyncio.run(_past(bank))


async def _past(bank: Bank) -> None:
    now = datetime.now(UTC)
    database = await Database.in_folder(bank.folder / "data")
    document = bank.policy.to_json().decode()
    former = [
        bank.root.issue(HOST, not_before=now - timedelta(days=start), not_after=now - timedelta(days=start - 90))
        for start in (140, 82)
    ]
    async with database.writing() as connection:
        for version, days in ((12, 75), (13, 33)):
            row = {"digest": f"{version:064x}", "name": "bank-app", "version": version, "document": document}
            await connection.execute(insert(policies).values(row | {"seen": millis(now - timedelta(days=days))}))
        made = insert(endpoints).values(host=HOST, port=bank.server.port).returning(endpoints.c.id)
        number = (await connection.execute(made)).scalar_one()
        for held, first, last in ((former[0], 88, 79), (former[1], 79, 49), (bank.held, 49, 0)):
            chain = (*held.chain, bank.root.certificate)
            times = {
                "first": now - timedelta(days=first),
                "last": now - timedelta(days=last),
                "times": (first - last) * 288,
            }
            matched = Pin.of(held.der)
            seen = Sighting(**times, presented=held.chain, validated=chain, outcome=Outcome.MATCH, matched=matched)
            await Sightings(database).add(connection, number, seen)
    await database.close()


def main() -> None:
    """Take a picture of every page in light and dark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Bank(Path(folder)).open(before=past) as bank,
        running_browser() as browser,
    ):
        bank.beat(41, 14)
        bank.beat(6, 13)
        bank.beat(2, 13, "no-matching-pin")
        first = Eyes(browser, bank)
        first.become("ada", bank.link)
        bank.intercept()
        first.page.wait_for_selector("text=Incident 1")
        first.see("/endpoints").wait_for_selector("td .mark.good")
        first.context.close()
        for scheme in ("light", "dark"):
            eyes = Eyes(browser, bank, color_scheme=scheme)
            eyes.become("ada")
            eyes.page.set_viewport_size({"width": chosen.width, "height": 800})
            for name, path in PAGES.items():
                eyes.see(path).screenshot(path=chosen.folder / f"dashboard-{name}-{scheme}.png", full_page=True)
            eyes.close()


if __name__ == "__main__":
    main()
