"""How long a case takes to be staged, and one client to be judged by all of them."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from measuring import record

from pinscher.lab.own import BLOCKING
from pinscher.lab.player import Result, play
from pinscher.lab.scenarios import SCENARIOS
from pinscher.lab.stage import Stage

if TYPE_CHECKING:
    from pinscher.lab.scenario import Case

CASES = [case for scenario in SCENARIOS.values() for case in scenario.cases]
ROUNDS = 5
STAGED = 50.0
"""Milliseconds that any one scenario may take until its servers listen."""
PLAYED = 60.0
"""Seconds that everything may take for one client, two cases at a time."""


def run() -> bool:
    """Print every figure with its limit, and tell whether each is kept."""
    return all([_staging(), _matrix()])


def _staging() -> bool:
    """
    Stage every case several times; each scenario counts with the median of its rounds.

    The first round is off the clock: it makes the RSA keys that a process keeps.
    """
    print(f"\nstaging {len(SCENARIOS)} scenarios with {len(CASES)} cases, {ROUNDS} times")
    for case in CASES:
        _staged(case)
    seconds = {case.id: statistics.median(_staged(case) for _ in range(ROUNDS)) * 1e3 for case in CASES}
    ordered = sorted(seconds, key=seconds.__getitem__)
    slowest = ordered[-1]
    print(f"  {'median':40} {statistics.median(seconds.values()):8.2f} ms")
    print(f"  {'95th percentile':40} {seconds[ordered[len(ordered) * 95 // 100]]:8.2f} ms")
    return _report(f"slowest: {slowest}", seconds[slowest], STAGED, "ms")


def _staged(case: Case) -> float:
    started = time.perf_counter()
    with Stage() as stage:
        case.set(stage)
        return time.perf_counter() - started


def _matrix() -> bool:
    print(f"\nevery case with one client, {BLOCKING.name}, two at a time")
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        played = list(pool.map(lambda case: play(case, BLOCKING), CASES))
    seconds = time.perf_counter() - started
    wrong = [one for one in played if one.result not in (Result.PASSED, Result.NOT_APPLICABLE)]
    for one in wrong:
        print(f"  {one.case.id}: {one.result.value}, {one.reason}")
    print(f"  {'cases that the client can play':40} {sum(one.result is Result.PASSED for one in played):8}")
    return _report("everything", seconds, PLAYED, "s ") and not wrong


def _report(name: str, figure: float, limit: float, unit: str) -> bool:
    record("lab", name, [figure], unit=unit.strip(), limit=limit)
    is_good = figure <= limit
    print(f"  {name:40} {figure:8.2f} {unit}   limit {limit:g}: {'within' if is_good else 'ABOVE'}")
    return is_good


if __name__ == "__main__":
    raise SystemExit(not run())
