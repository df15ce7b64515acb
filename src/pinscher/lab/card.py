"""
A score card: what one client made of many cases.

Rules of this file:

1. A refusal counts only from a client that does not refuse everything: the negative cases of a family which passed are
   void unless a positive case of that family passed and none of them went wrong.
2. What went wrong stays wrong, whatever the positive cases say: a leak is a leak.
3. What a client cannot do is listed with its reason and counts neither way.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.lab.player import LIMIT, Played, Result, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pinscher.lab.client import Contestant
    from pinscher.lab.scenario import Case, Scenario

_WRONG = frozenset({Result.FAILED, Result.HUNG})


@dataclass(frozen=True, slots=True)
class Score:
    """How many cases of a family, or of all, ended how."""

    passed: int = 0
    wrong: int = 0
    void: int = 0
    not_applicable: int = 0

    @property
    def counted(self) -> int:
        """How many cases say something about the client."""
        return self.passed + self.wrong


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """The cases that one client was played with, in order, void where rule 1 says so."""

    client: str
    played: tuple[Played, ...]
    note: str = ""

    @classmethod
    def of(cls, contestant: Contestant, played: Iterable[Played]) -> ScoreCard:
        """Judge the families and return the card."""
        cases = tuple(played)
        reasons = {family: _why_void(cases, family) for family in {one.case.scenario.family for one in cases}}
        return cls(contestant.name, tuple(_voided(one, reasons) for one in cases), contestant.note)

    @property
    def score(self) -> Score:
        """The score over all families."""
        return _score(self.played)

    @property
    def families(self) -> dict[str, Score]:
        """The score of each family, by name."""
        names = sorted({one.case.scenario.family for one in self.played})
        return {name: _score([one for one in self.played if one.case.scenario.family == name]) for name in names}

    @property
    def wrong(self) -> tuple[Played, ...]:
        """The cases that failed or hung."""
        return tuple(one for one in self.played if one.result in _WRONG)


def _score(played: Sequence[Played]) -> Score:
    counts = Counter(one.result for one in played)
    wrong = sum(counts[result] for result in _WRONG)
    return Score(counts[Result.PASSED], wrong, counts[Result.VOID], counts[Result.NOT_APPLICABLE])


def _why_void(played: Sequence[Played], family: str) -> str | None:
    positive = [one for one in played if one.case.scenario.family == family and one.case.scenario.is_positive]
    wrong = next((one for one in positive if one.result in _WRONG), None)
    if wrong is not None:
        return f"refused, but so was {wrong.case.id}, which must be accepted"
    if not any(one.result is Result.PASSED for one in positive):
        return "refused, but no case of this family that must be accepted could be played"
    return None


def _voided(played: Played, reasons: Mapping[str, str | None]) -> Played:
    scenario = played.case.scenario
    reason = reasons[scenario.family]
    if reason is None or scenario.is_positive or played.result is not Result.PASSED:
        return played
    return dataclasses.replace(played, result=Result.VOID, reason=reason)


def with_positives(chosen: Iterable[Scenario], known: Iterable[Scenario]) -> tuple[Scenario, ...]:
    """Return *chosen* and the positive scenarios of their families, in the order of *known*, so that refusals count."""
    wanted = list(chosen)
    families = {scenario.family for scenario in wanted}
    return tuple(one for one in known if one in wanted or (one.is_positive and one.family in families))


def judge(
    contestant: Contestant,
    cases: Sequence[Case],
    *,
    limit: float = LIMIT,
    jobs: int = 2,
    advance: Callable[[], object] = lambda: None,
    stop: Callable[[], object] = lambda: None,
) -> ScoreCard:
    """
    Play *cases*, as many at once as there are *jobs*, calling *advance* after each; return the score card.

    When it is interrupted it calls *stop*, which ends the programs that are running, and waits for the cases begun.
    """
    played: dict[int, Played] = {}
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="lab player")
    try:
        pending = {pool.submit(play, case, contestant, limit=limit): place for place, case in enumerate(cases)}
        for done in as_completed(pending):
            played[pending[done]] = done.result()
            advance()
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return ScoreCard.of(contestant, (played[place] for place in range(len(cases))))
