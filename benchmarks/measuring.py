"""How the benchmarks measure: everything in one run, in shuffled order, with the noise floor beside each ratio."""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

RECORDED: list[dict[str, Any]] = []
"""Every figure of this process, as it goes into the raw data."""
DIVISOR = 1
"""By how much a short run has fewer rounds; its figures are as much noisier."""


def record(group: str, name: str, figures: Sequence[float], *, unit: str, **more: Any) -> None:
    """Keep the figures of one line: what was measured round by round, its unit, and a limit or a place on an axis."""
    kept = [float(f"{figure:.6g}") for figure in figures]
    RECORDED.append({"group": group, "name": name, "unit": unit, "figures": kept, **more})


@dataclass(frozen=True)
class Series:
    """The seconds that one contender took, wall clock and processor, round by round."""

    wall: list[float]
    cpu: list[float]


def race(
    contenders: Mapping[str, Callable[[], Any]],
    *,
    rounds: int,
    repeat: int = 1,
    after: Callable[[Any], object] = lambda _: None,
) -> dict[str, Series]:
    """
    Play every contender *rounds* times, in an order that is shuffled anew each round.

    *after* is given what a play returned, off the clock.
    """
    series = {name: Series([], []) for name in contenders}
    order = list(contenders)
    for play in contenders.values():
        after(play())
    for _ in range(max(8, rounds // DIVISOR)):
        random.shuffle(order)
        for name in order:
            play = contenders[name]
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(repeat):
                played = play()
            series[name].wall.append((time.perf_counter() - wall) / repeat)
            series[name].cpu.append((time.process_time() - cpu) / repeat)
            after(played)
            played = None
    return series


def shuffled(names: Iterable[str]) -> list[str]:
    """Return names in an order of chance."""
    return random.sample(found := list(names), len(found))


def ratio(of: list[float], to: list[float]) -> tuple[float, float, float]:
    """Return the ratio of two medians, with the 5th and 95th percentile of it over resampled rounds."""
    drawn = sorted(
        statistics.median(random.choices(of, k=len(of))) / statistics.median(random.choices(to, k=len(to)))
        for _ in range(400)
    )
    return statistics.median(of) / statistics.median(to), drawn[20], drawn[380]


def compare(title: str, series: Mapping[str, Series], *, limit: float) -> bool:
    """
    Print each contender against 'plain', 'plain again' being the noise floor; tell whether 'pinned' is in bounds.

    The bounds are of the time that passes; the processor's time stands beside it, for it leaves the waiting out.
    """
    print(f"\n{title}")
    floor = 0.0
    is_good = True
    for name, one in series.items():
        record(title, name, one.wall, unit="s", cpu=[float(f"{figure:.6g}") for figure in one.cpu], limit=limit)
    for clock in ("wall", "cpu"):
        plain = getattr(series["plain"], clock)
        print(f"  {clock}: plain {statistics.median(plain) * 1e6:.1f} us")
        for name in [other for other in series if other != "plain"]:
            middle, low, high = ratio(getattr(series[name], clock), plain)
            print(f"    {name:14} {middle:.3f}  ({low:.3f} to {high:.3f})")
            if clock == "wall" and name == "plain again":
                floor = max(middle, 1 / middle, high)
            elif clock == "wall" and name == "pinned":
                is_good &= middle <= max(limit, floor)
    print(f"  limit {limit}, or the floor {floor:.3f}: {'within' if is_good else 'ABOVE'}")
    return is_good
