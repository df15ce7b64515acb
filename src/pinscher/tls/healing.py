"""
What is tried before a connection is refused whose keys no pin names: the ladder of its host's entry.

Rules of this file:

1. Only ``NO_MATCHING_PIN`` is healed, and only by the rungs that the host's entry has. A denied key is none to heal.
2. A rung never opens anything: after each the same chain is judged again, by the policy that is in force by then, or by
   the emergency policy that the healer has for this host.
3. Who cannot wait does not: the rung is begun in the background, and this connection is refused.
4. What was tried, how long it took and what came of it stands in the verdict.
5. A rung that fails in a way of its own heals nothing, and the refusal stands.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from pinscher.entry import Rung
from pinscher.tls._cpython import IS_STANDARD, PinnedObject, PinnedSocket
from pinscher.verdict import Action, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.policy import Policy
    from pinscher.verdict import Verdict

    Judge = Callable[[Policy | None], Verdict]
    """Judges the same chain again: by a policy that is handed in, or by the one in force."""


class Healer(Protocol):
    """Has newer policies, and emergency ones; a keeper is one."""

    def refresh(self, refused: Verdict, seconds: float) -> str:
        """
        Try to have a newer policy put in force; return in words what came of it.

        It returns within *seconds*; with 0 it begins the refresh elsewhere and returns at once.
        """
        ...

    def override(self, refused: Verdict) -> Policy | None:
        """Return the emergency policy that names the host of a refusal and has not ended, or None; at once."""
        ...

    def hear(self, verdict: Verdict) -> object:
        """Hear of a verdict that somebody should look at: a refusal, a mismatch let through, or what was healed."""
        ...


def is_curable(verdict: Verdict) -> bool:
    """Tell whether a refusal has a ladder with another rung than its end (rule 1)."""
    entry = verdict.host_policy
    return verdict.outcome is Outcome.NO_MATCHING_PIN and entry is not None and entry.on_mismatch != (Rung.ABORT,)


def seconds_to_wait(owner: PinnedSocket | PinnedObject | None) -> float:
    """
    Return how long the judgement of a connection may take: 0 where it must not wait.

    Memory buffers belong to an event loop, and so does a socket that never blocks. gevent's sockets run on one.
    """
    if not IS_STANDARD or not isinstance(owner, PinnedSocket):
        return 0.0
    seconds = owner.gettimeout()
    return math.inf if seconds is None else seconds


def heal(healer: Healer, refused: Verdict, judge: Judge, seconds: float) -> Verdict:
    """
    Climb the ladder of a refusal, and return the verdict that stands: it allows, or it is a refusal all the same.

    Args:
        healer: who has policies.
        refused: the refusal, of which :func:`is_curable` is true.
        judge: judges its chain again.
        seconds: how long the connection may wait; 0 when it may not.
    """
    verdict, steps = refused, list(refused.steps)
    try:
        verdict = _climb(healer, refused, judge, seconds, steps)
    except Exception as error:  # rule 5; told in full, for it is a defect
        import logging  # noqa: PLC0415  (only a failing healer pays for it)

        logging.getLogger("pinscher").exception("healing a connection failed; its refusal stands")
        steps.append(f"failed: {type(error).__name__}")
    if verdict.action is not Action.ALLOW:
        steps.append("abort")
    return replace(verdict, steps=tuple(steps))


def review(healer: Healer, refused: Verdict, judge: Judge) -> Verdict:
    """Return what an emergency policy makes of a refusal whose ladder names one; nobody is asked for a newer policy."""
    steps: list[str] = []
    if refused.host_policy is None or Rung.OVERRIDE not in refused.host_policy.on_mismatch:
        return refused
    return replace(_overridden(healer, refused, judge, steps), steps=tuple(steps))


def _climb(healer: Healer, refused: Verdict, judge: Judge, seconds: float, steps: list[str]) -> Verdict:
    assert refused.host_policy is not None  # noqa: S101  (see is_curable)
    verdict = refused
    for rung in refused.host_policy.on_mismatch:
        # A newer policy may have taken a rung away.
        if not is_curable(verdict) or verdict.host_policy is None or rung not in verdict.host_policy.on_mismatch:
            break
        if rung is Rung.REFRESH:
            steps.append(f"refresh: {healer.refresh(refused, seconds)}")
            verdict = judge(None)
        elif rung is Rung.OVERRIDE:
            verdict = _overridden(healer, verdict, judge, steps)
    return verdict


def _overridden(healer: Healer, refused: Verdict, judge: Judge, steps: list[str]) -> Verdict:
    """Judge by the emergency policy; a verdict that does not allow leaves the refusal as it was."""
    policy = healer.override(refused)
    if policy is None:
        steps.append("override: none is in force for this host")
        return refused
    verdict = judge(policy)
    if verdict.action is not Action.ALLOW or verdict.outcome is not Outcome.MATCH:
        steps.append(f"override: version {policy.version} has no pin of this chain either")
        return refused
    about = f"{refused.policy.name!a} version {refused.policy.version}"
    steps.append(f"override: version {policy.version} is used, for policy {about} has no pin of this chain")
    return verdict
