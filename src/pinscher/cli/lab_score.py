"""``pinscher lab score``: Pinscher's own client beside its peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.lab_card import CARD_FIELDS, card_object
from pinscher.cli.lab_choice import Choice, playing_options
from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.lab.card import judge
from pinscher.lab.own import BLOCKING
from pinscher.lab.peers import PEERS, PeerMissingError, peer
from pinscher.lab.player import Result
from pinscher.lab.workplace import Workplace

if TYPE_CHECKING:
    from pinscher.lab.card import Score, ScoreCard
    from pinscher.lab.client import Contestant

_FIELDS = f"""
\b
JSON: {{"clients": [one object for each client, Pinscher's own first],
       "missing": {{the name of each peer that is not installed: why}}}}{CARD_FIELDS}
"""


@click.command("score", epilog=_FIELDS)
@playing_options
@click.option("--peer", "names", multiple=True, type=click.Choice(PEERS), help="Only this peer; may be repeated.")
@json_option
def command(*, choice: Choice, names: tuple[str, ...], is_json: bool) -> int:
    """
    Compare Pinscher's own client with other people's pinning, side by side.

    Peers that are not installed are named and left out. Where a peer cannot express a case at all that is said, and
    does not count against it. Exit 1 if Pinscher's own client got a case wrong.
    """
    voice = Voice()
    cases = choice.cases(voice)
    with Workplace() as workplace:
        contestants, missing = _contestants(names or PEERS, workplace)
        with voice.progress("playing", len(cases) * len(contestants)) as advance:
            cards = [
                judge(one, cases, limit=choice.limit, jobs=choice.jobs, advance=advance, stop=workplace.stop)
                for one in contestants
            ]
    for why in missing.values():
        voice.warning(why)
    if is_json:
        voice.document({"clients": [card_object(card) for card in cards], "missing": missing})
    else:
        _print(cards, voice)
    return ExitCode.BAD if cards[0].score.wrong else ExitCode.GOOD


def _contestants(names: tuple[str, ...], workplace: Workplace) -> tuple[list[Contestant], dict[str, str]]:
    found, missing = [BLOCKING], {}
    for name in names:
        try:
            found.append(peer(name, workplace))
        except PeerMissingError as error:
            missing[name] = str(error)
    return found, missing


def _print(cards: list[ScoreCard], voice: Voice) -> None:
    names = [card.client.partition(",")[0] for card in cards]
    families = list(cards[0].families)
    width = max(len(name) for name in [*families, "family"])
    columns = [max(len(name), _WIDEST) for name in names]
    voice.answer((f"{'family':<{width}}" + "".join(f"  {n:<{w}}" for n, w in zip(names, columns, strict=True)), "bold"))
    for family in families:
        _row(family.ljust(width), [card.families[family] for card in cards], columns, voice)
    _row("all".ljust(width), [card.score for card in cards], columns, voice)
    voice.answer()
    voice.answer("right/counted; *: some went wrong; void: refused by a client that also refuses what it must accept")
    for card in cards:
        voice.answer()
        voice.answer((card.client, "bold"), f": {card.note}" if card.note else "")
        _explain(card, voice)


_WIDEST = 16
_MOST_WRONG = 8
"""How many scenarios that a client got wrong are named."""


def _row(name: str, scores: list[Score], columns: list[int], voice: Voice) -> None:
    cells: list[str | tuple[str, str]] = [name]
    for score, width in zip(scores, columns, strict=True):
        style = "bold red" if score.wrong else "green" if score.passed else "yellow"
        cells += ["  ", (_cell(score).ljust(width), style)]
    voice.answer(*cells)


def _cell(score: Score) -> str:
    void = f" ({score.void} void)" if score.void else ""
    if not score.counted:
        return void.strip() or "cannot express"
    return f"{score.passed}/{score.counted}{'*' if score.wrong else ''}{void}"


def _explain(card: ScoreCard, voice: Voice) -> None:
    """Say which scenarios a client got wrong, and what it cannot express."""
    wrong: dict[str, str] = {}
    for one in card.wrong:
        wrong.setdefault(one.case.scenario.id, one.reason)
    for scenario, reason in list(wrong.items())[:_MOST_WRONG]:
        voice.answer("  ", ("wrong", "bold red"), f" {scenario}: {reason}")
    if len(wrong) > _MOST_WRONG:
        voice.answer("  ", ("wrong", "bold red"), f" in {len(wrong) - _MOST_WRONG} more scenarios; --json has them all")
    reasons: dict[str, int] = {}
    for one in card.played:
        if one.result is Result.NOT_APPLICABLE:
            reasons[one.reason] = reasons.get(one.reason, 0) + 1
    for reason, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])):
        voice.answer(f"  cannot express {count}: {reason}")
