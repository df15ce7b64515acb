"""Takes the pictures of the dashboard that the documentation shows: a bank, an interceptor, and Chromium."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.unit.monitor.dashboard_process import Bank, Eyes, running_browser

PAGES = {
    "overview": "/", "endpoints": "/endpoints", "endpoint": "/endpoints/1", "timeline": "/timeline", "incidents": "/incidents",
    "incident": "/incidents/1", "findings": "/findings", "finding": "/findings/1", "clients": "/clients?application=bank-app&version=13",
    "accounts": "/accounts", "audit": "/audit", "login": "/login", "reports": "/reports",
}  # fmt: skip


def main() -> None:
    """Take a picture of every page in light and dark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Bank(Path(folder)).open() as bank, running_browser() as browser:
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
