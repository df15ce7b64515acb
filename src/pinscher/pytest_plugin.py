"""
The pytest plugin: an application's own client against genuine and hostile servers, in its own tests.

It stands outside ``lab`` because pytest loads it in every run: nothing of the lab is imported until a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pinscher.lab.errand import Errand
    from pinscher.lab.fixtures import GenuineServer, RogueServer
    from pinscher.lab.player import Played
    from pinscher.lab.scenario import Case, Scenario
    from pinscher.lab.stage import Stage

MARKER = (
    "pin_scenarios(family=None, scenario=None, can=(), limit=10): play the lab's scenarios, all of them or those of a "
    "family or an id (or of several), with the test's argument 'pin_case'; 'can' says what the client is able to do"
)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and keep pytest from rewriting a package that has no assertions of a test in it."""
    config.addinivalue_line("markers", MARKER)
    # pytest rewrites every module of a distribution that has a plugin: slow, and not safe beside threads before 3.12
    # (https://github.com/python/cpython/issues/106905). There is no public way to decline.
    hook = config.pluginmanager.rewrite_hook
    getattr(hook, "_must_rewrite", set()).discard("pinscher")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test one ``pin_case`` for each case that its marker asks for."""
    if "pin_case" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("pin_scenarios")
    if marker is None:
        name = metafunc.function.__name__
        raise pytest.UsageError(f"{name} takes a pin_case, so mark it with @pytest.mark.pin_scenarios(family=...)")
    chosen = _chosen(**{key: marker.kwargs.get(key) for key in ("family", "scenario")})
    cases = [case for scenario in chosen for case in scenario.cases]
    metafunc.parametrize("pin_case", cases, ids=[case.id for case in cases], indirect=True)


def _chosen(family: str | Iterable[str] | None, scenario: str | Iterable[str] | None) -> tuple[Scenario, ...]:
    from pinscher.lab.card import with_positives  # noqa: PLC0415
    from pinscher.lab.scenarios import SCENARIOS  # noqa: PLC0415

    families, ids = _several(family), _several(scenario)
    unknown = [*set(families).difference(one.family for one in SCENARIOS.values()), *set(ids).difference(SCENARIOS)]
    if unknown:
        raise pytest.UsageError(f"there is no family or scenario {unknown[0]!r}; 'pinscher lab list' shows them")
    everything = not families and not ids
    chosen = [one for one in SCENARIOS.values() if everything or one.family in families or one.id in ids]
    return with_positives(chosen, SCENARIOS.values())


def _several(words: str | Iterable[str] | None) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words or ())


class PinCase:
    """One case of a scenario, to be played with the test's own client."""

    def __init__(self, case: Case, folder: Path, *, can: Iterable[str], limit: float) -> None:
        self.case = case
        self._folder = folder
        self._can = tuple(can)
        self._limit = limit

    def play(
        self, connect: Callable[[Errand], object], *, refusals: tuple[type[BaseException], ...] = (OSError,)
    ) -> Played:
        """
        Call *connect* for each connection of the case, and fail the test unless all come out as they must.

        *connect* gets an :class:`pinscher.lab.errand.Errand`: it connects to ``address`` and ``port``, verifies
        ``host``, trusts the file ``ca``, obeys the file ``policy`` or the ``pins``, sends ``secret`` and returns. What
        it refuses it raises as one of *refusals*, or as an error of Pinscher's; anything else is an error of the test.
        """
        from pinscher.lab.fixtures import CallableClient  # noqa: PLC0415
        from pinscher.lab.player import Result, play  # noqa: PLC0415

        contestant = CallableClient.contestant(connect, self._folder, refusals, self._can)
        played = play(self.case, contestant, limit=self._limit)
        if played.result is Result.NOT_APPLICABLE:
            pytest.skip(played.reason)
        if played.result is not Result.PASSED:
            title, said = self.case.scenario.title, f"\n  the client said: {played.said}" if played.said else ""
            pytest.fail(f"{self.case.id}: {played.reason}\n  {title}{said}", pytrace=False)
        return played

    def __repr__(self) -> str:
        return f"<PinCase {self.case.id}>"


@pytest.fixture
def pin_case(request: pytest.FixtureRequest, tmp_path: Path) -> PinCase:
    """One case of the scenarios that the test is marked with."""
    marker: Any = request.node.get_closest_marker("pin_scenarios")
    return PinCase(
        request.param, tmp_path, can=_several(marker.kwargs.get("can")), limit=marker.kwargs.get("limit", 10)
    )


@pytest.fixture
def lab() -> Iterator[Stage]:
    """A stage of the lab: authorities and servers that end with the test."""
    from pinscher.lab.stage import Stage  # noqa: PLC0415

    with Stage() as stage:
        yield stage


@pytest.fixture
def pinned_server(tmp_path: Path) -> Iterator[GenuineServer]:
    """The genuine server of ``localhost``, with the files of its CA and of a policy that pins its key."""
    from pinscher.lab.fixtures import GenuineServer  # noqa: PLC0415

    with GenuineServer.listening(tmp_path) as server:
        yield server


@pytest.fixture
def rogue_server(pinned_server: GenuineServer) -> Iterator[RogueServer]:
    """A server with another key, whose certificate the CA of ``pinned_server`` has issued; pins must refuse it."""
    with pinned_server.impostor() as server:
        yield server
