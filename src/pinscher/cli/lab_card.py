"""A score card in the voice, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.cli.voice import ExitCode
from pinscher.errors import escaped
from pinscher.lab.player import Result

if TYPE_CHECKING:
    from pinscher.cli.voice import Voice
    from pinscher.lab.card import Score, ScoreCard
    from pinscher.lab.player import Played

CARD_FIELDS = """
  client           what was played with, and in note its version
  score            {passed, wrong, void, not-applicable} over all cases
  families         the same for each family, by its name
  cases            one object for each case, in order:
    case           its id, with its parameters
    scenario, family
    expected       accept or refuse
    result         passed, failed, hung, void or not-applicable
    reason         why it did not pass, or an empty text
    leaked-bytes   how many bytes reached a server that must get none
    said           the client's own words, escaped
    seconds        how long it took
"""


def card_object(card: ScoreCard) -> dict[str, object]:
    """Return a score card as :data:`CARD_FIELDS` documents it."""
    return {
        "client": escaped(card.client),
        "note": card.note,
        "score": score_object(card.score),
        "families": {name: score_object(score) for name, score in card.families.items()},
        "cases": [_case(one) for one in card.played],
    }


def score_object(score: Score) -> dict[str, int]:
    """Return a score as JSON writes it."""
    return {"passed": score.passed, "wrong": score.wrong, "void": score.void, "not-applicable": score.not_applicable}


def _case(played: Played) -> dict[str, object]:
    scenario = played.case.scenario
    return {
        "case": played.case.id,
        "scenario": scenario.id,
        "family": scenario.family,
        "expected": "accept" if scenario.is_positive else "refuse",
        "result": played.result.value,
        "reason": played.reason,
        "leaked-bytes": played.leaked_bytes,
        "said": played.said,
        "seconds": round(played.seconds, 3),
    }


def exit_code(card: ScoreCard) -> ExitCode:
    """Return 1 if anything went wrong, 2 if nothing could be judged."""
    if card.score.wrong:
        return ExitCode.BAD
    return ExitCode.GOOD if card.score.counted else ExitCode.NO_ANSWER


def print_card(card: ScoreCard, voice: Voice) -> None:
    """Show a table of the families, then whatever went wrong, then the sum."""
    families = card.families
    width = max((len(name) for name in families), default=6)
    voice.answer((f"{'family':<{width}}  passed  wrong  void  not applicable", "bold"))
    for name, score in families.items():
        style = "bold red" if score.wrong else "yellow" if score.void or not score.counted else "green"
        voice.answer(f"{name:<{width}}  ", (_row(score), style))
    for one in card.wrong:
        voice.answer()
        _wrong(one, voice)
    voice.answer()
    for reason, count in _reasons(card):
        voice.answer(f"not counted: {count} {_cases(count)}: {reason}")
    _sum(card.score, voice)


def _row(score: Score) -> str:
    return f"{score.passed:>6}  {score.wrong:>5}  {score.void:>4}  {score.not_applicable:>14}"


def _wrong(played: Played, voice: Voice) -> None:
    voice.answer((played.result.value.upper(), "bold red"), f" {played.case.id}: {played.reason}")
    voice.answer(f"  {played.case.scenario.title}")
    for line in played.said.splitlines()[:_MOST_LINES]:
        voice.answer(f"  | {line}")


_MOST_LINES = 5
"""How many lines of a client's own words are shown; the JSON has all that are kept."""


def _reasons(card: ScoreCard) -> list[tuple[str, int]]:
    """Return why cases do not count, the most frequent reason first."""
    counts: dict[str, int] = {}
    for one in card.played:
        if one.result in (Result.VOID, Result.NOT_APPLICABLE):
            reason = f"{one.result.value.replace('-', ' ')}, {one.reason}"
            counts[reason] = counts.get(reason, 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _sum(score: Score, voice: Voice) -> None:
    if not score.counted:
        voice.answer(("nothing could be judged", "bold yellow"))
    elif score.wrong:
        voice.answer((f"{score.wrong} of {score.counted} {_cases(score.counted)} went wrong", "bold red"))
    else:
        voice.answer((f"all {score.counted} {_cases(score.counted)} that count came out as they must", "bold green"))


def _cases(count: int) -> str:
    return "case" if count == 1 else "cases"
