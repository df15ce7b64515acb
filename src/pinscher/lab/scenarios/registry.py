"""How a function becomes a scenario, and how scenarios are found."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from pinscher.lab.scenario import Scenario
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType

    from pinscher.lab.scenario import Capability, Visit


def each(**choices: Iterable[Any]) -> tuple[Mapping[str, Any], ...]:
    """Return one mapping for each combination of the choices."""
    return tuple(dict(zip(choices, chosen, strict=True)) for chosen in itertools.product(*choices.values()))


VERSIONS = each(tls=("1.2", "1.3"))
"""The cases of a scenario that does not say otherwise."""


def scenario(
    expected: Outcome = Outcome.MATCH,
    *needs: Capability,
    cases: Sequence[Mapping[str, Any]] = VERSIONS,
    is_reported: bool = False,
) -> Callable[[Callable[..., Sequence[Visit]]], Scenario]:
    """Make a scenario of a function; its family is the file that it stands in."""

    def made(function: Callable[..., Sequence[Visit]]) -> Scenario:
        family = function.__module__.rpartition(".")[2].replace("_", "-")
        return Scenario(function, family, expected, frozenset(needs), tuple(cases), is_reported)

    return made


def collected(modules: Iterable[ModuleType]) -> dict[str, Scenario]:
    """Return the scenarios of *modules* by id, in the order in which they are written down."""
    found: dict[str, Scenario] = {}
    for module in modules:
        for value in vars(module).values():
            if not isinstance(value, Scenario):
                continue
            if value.id in found:
                raise ValueError(f"two scenarios are called {value.id!r}: in {found[value.id].family}, {value.family}")
            found[value.id] = value
    return found
