"""Which scenarios a person means, and the options of whatever plays them."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from pinscher.errors import escaped
from pinscher.lab.card import with_positives
from pinscher.lab.player import LIMIT
from pinscher.lab.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pinscher.cli.voice import Voice
    from pinscher.lab.scenario import Case, Scenario


@dataclass(frozen=True, slots=True)
class Choice:
    """What is played, and how."""

    scenarios: tuple[str, ...]
    families: tuple[str, ...]
    limit: float
    jobs: int

    def cases(self, voice: Voice) -> list[Case]:
        """Return the cases to play; positive ones are added, because without them no refusal counts."""
        named = chosen(self.scenarios, self.families)
        all_ = with_positives(named, SCENARIOS.values())
        if len(all_) > len(named):
            added = ", ".join(one.id for one in all_ if one not in named)
            voice.warning(f"also played, because a refusal counts only beside what must be accepted: {added}")
        return [case for scenario in all_ for case in scenario.cases]


def chosen(ids: Sequence[str], families: Sequence[str]) -> tuple[Scenario, ...]:
    """Return the scenarios of these ids and of these families; all of them where neither is given."""
    known = {scenario.family for scenario in SCENARIOS.values()}
    for family in families:
        _known(family, known, "family")
    for name in ids:
        _known(name, set(SCENARIOS), "scenario")
    if not ids and not families:
        return tuple(SCENARIOS.values())
    return tuple(one for one in SCENARIOS.values() if one.id in ids or one.family in families)


def _known(name: str, known: set[str], what: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"; did you mean '{near[0]}'?" if near else "; 'pinscher lab list' shows them"
        raise click.UsageError(f"there is no {what} '{escaped(name)}'{meant}")


def selection_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add ``--scenario`` and ``--family``."""
    for option in (
        click.option("--family", "families", multiple=True, metavar="NAME", help="All scenarios of this family."),
        click.option("--scenario", "scenarios", multiple=True, metavar="ID", help="This scenario; may be repeated."),
    ):
        command = option(command)
    return command


def playing_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options that say what is played and how; the command gets them as one ``choice``."""

    @functools.wraps(command)
    def with_choice(
        *, scenarios: tuple[str, ...], families: tuple[str, ...], timeout: float, jobs: int, **rest: object
    ) -> int:
        return command(**rest, choice=Choice(scenarios, families, timeout, jobs))

    seconds = click.FloatRange(min=0.1, max=600)
    for option in (
        click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True,
                     help="How many cases are played at once."),
        click.option("--timeout", type=seconds, default=LIMIT, show_default="10", metavar="SECONDS",
                     help="How long one connection may take; a hang is a failure."),
    ):  # fmt: skip
        with_choice = option(with_choice)
    return selection_options(with_choice)
