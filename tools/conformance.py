"""
Play every scenario with every client and record the result in the docs: ``python tools/conformance.py``.

Pinscher's own clients of each kind come first, then every client of the clients' table with a pinned context, then
whatever peers are installed. Exit 1 if a pinned client went wrong.
"""

from __future__ import annotations

import os
import platform
import ssl
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from pinscher.lab.card import Score, ScoreCard, judge
from pinscher.lab.own import HTTPX, OWN
from pinscher.lab.peers import PEERS, PeerMissingError, peer
from pinscher.lab.scenarios import SCENARIOS
from pinscher.lab.workplace import Workplace

HERE = Path(__file__).resolve().parent.parent
PAGE = HERE / "docs" / "reference" / "conformance.md"
sys.path.insert(0, str(HERE))

from tests.conformance.contestants import contestants as clients_of_the_table  # noqa: E402

HEAD = """# Everything times everything

Made by `tools/conformance.py` on {date}, with Python {python}, {openssl}, on {cores} cores; do not edit it by hand.
{scenarios} scenarios with {cases} cases.
Each cell is *right of counted*; a case that a client has no way to express does not count, and a refusal is void where the same client refuses what it must accept.

| client | right of counted | void | cannot express | seconds |
|---|---|---|---|---|
"""


def main() -> int:
    """Write the page."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    cases = [case for scenario in SCENARIOS.values() for case in scenario.cases]
    with Workplace() as workplace:
        own = [*OWN, HTTPX, *clients_of_the_table()]
        contestants = list(own)
        for name in PEERS:
            try:
                contestants.append(peer(name, workplace))
            except PeerMissingError as error:
                print(error, file=sys.stderr)
        rows, cards = [], []
        for one in contestants:
            started = time.monotonic()
            cards.append(judge(one, cases))
            rows.append(_row(cards[-1], time.monotonic() - started))
    head = HEAD.format(
        date=datetime.now(UTC).date(), python=platform.python_version(), openssl=ssl.OPENSSL_VERSION,
        cores=os.cpu_count(), scenarios=len(SCENARIOS), cases=len(cases),
    )  # fmt: skip
    PAGE.write_text(head + "\n".join(rows) + "\n\n" + _families(cards) + "\n" + _reasons(cards), encoding="utf-8")
    return 1 if any(card.wrong for card in cards[: len(own)]) else 0


def _row(card: ScoreCard, seconds: float) -> str:
    score = card.score
    name = f"{card.client} ({card.note})" if card.note else card.client
    return f"| {name} | {_cell(score)} | {score.void} | {score.not_applicable} | {seconds:.1f} |"


def _cell(score: Score) -> str:
    return f"{score.passed} of {score.counted}" if score.counted else "-"


def _families(cards: list[ScoreCard]) -> str:
    names = [card.client.removeprefix("pinscher, ") for card in cards]
    lines = ["## By family", "", "| family | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {family} | " + " | ".join(_cell(card.families[family]) for card in cards) + " |"
        for family in cards[0].families
    ]
    return "\n".join(lines) + "\n"


def _reasons(cards: list[ScoreCard]) -> str:
    lines = ["## What went wrong, and what cannot be expressed", ""]
    for card in cards:
        wrong = sorted({one.case.scenario.id for one in card.wrong})
        reasons = sorted({one.reason for one in card.played if one.result.value == "not-applicable"})
        lines += [f"### {card.client}", ""]
        lines += [f"- wrong: {', '.join(f'`{name}`' for name in wrong)}"] if wrong else ["- nothing went wrong"]
        lines += [f"- cannot express: {reason}" for reason in reasons]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
