"""
Pinning a program that nobody changes: the environment it is started with, and what its interpreter does then.

A folder with a ``sitecustomize`` of ours stands first on ``PYTHONPATH``, and one variable names the policy. Every
Python that the program starts with this environment is pinned, and one that cannot be pinned does not run at all.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pinscher.clients.guard import guard
from pinscher.clients.injection import inject
from pinscher.clients.logs import log_verdict
from pinscher.entry import Mode
from pinscher.errors import PinningError
from pinscher.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICY = "PINSCHER_POLICY"
"""The variable that names the policy's file."""

GUARD = "PINSCHER_GUARD"
"""The variable that asks for the guard: ``enforce``, ``report-only`` or ``off``."""

SEEN = "PINSCHER_RUN_SEEN"
"""The variable that names a file to which every pinned interpreter adds its process id."""

SITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "startup")
"""The folder that stands first on ``PYTHONPATH``."""


class ActivationError(PinningError):
    """An interpreter that was to be pinned and cannot be."""


def environment(
    policy: str, before: Mapping[str, str], *, guarding: str = "off", seen: str | None = None
) -> dict[str, str]:
    """Return the environment that pins a program, made from the one *before*."""
    paths = [SITE, *filter(None, [before.get("PYTHONPATH")])]
    added = {POLICY: os.path.abspath(policy), GUARD: guarding, "PYTHONPATH": os.pathsep.join(paths)}
    return {**before, **added, **({} if seen is None else {SEEN: seen})}


def activate(environ: Mapping[str, str]) -> None:
    """Pin this interpreter as its environment asks; whatever is wrong raises, and the program must not run."""
    path = environ.get(POLICY)
    if not path:
        raise ActivationError(f"{POLICY} names no policy; give it the path of one, or take pinscher out of PYTHONPATH")
    policy, word = Policy.load(path), environ.get(GUARD, "off")
    if word not in _MODES:
        raise ActivationError(f"{GUARD} is {word!r}; it is one of {', '.join(_MODES)}")
    inject(policy, on_verdict=log_verdict)
    mode = _MODES[word]
    if mode is not None:
        guard(policy, mode=mode)
    if SEEN in environ:
        with open(environ[SEEN], "a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")


_MODES = {"off": None, Mode.ENFORCE.value: Mode.ENFORCE, Mode.REPORT_ONLY.value: Mode.REPORT_ONLY}
