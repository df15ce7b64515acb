"""Pinscher's own clients on the ways that a socket test does not take."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.own import BLOCKING, BUFFERED, HTTP, OWN
from pinscher.lab.player import Result, play
from pinscher.lab.protocols.connect_proxy import ConnectProxy
from pinscher.lab.scenario import Transport, Visit
from pinscher.verdict import Outcome
from tests.unit.lab.cases import AUTHORITY, POLICY, case, visit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pinscher.lab.client import Contestant
    from pinscher.lab.stage import Stage

    Setting = Callable[..., Sequence[Visit]]


def judged(function: Setting, contestant: Contestant) -> tuple[Result, str]:
    """Play the one case of a scenario."""
    played = play(case(function), contestant)
    return played.result, played.reason + played.said


@pytest.mark.parametrize("own", [BLOCKING, BUFFERED], ids=lambda own: own.name)
@pytest.mark.parametrize("transport", [one for one in Transport if one is not Transport.HTTPS])
@pytest.mark.parametrize("is_rogue", [False, True], ids=["genuine", "rogue"])
def test_what_begins_in_clear_is_pinned(own: Contestant, transport: Transport, is_rogue: bool) -> None:
    """After an upgrade the pinned key is accepted, and another refused before a word is said."""

    def upgraded(stage: Stage) -> Sequence[Visit]:
        return [visit(stage, is_rogue=is_rogue, protocol=transport.value.partition("-")[0], transport=transport)]

    assert (Result.PASSED, "") == judged(upgraded, own)


@pytest.mark.parametrize("own", [BLOCKING, BUFFERED, HTTP], ids=lambda own: own.name)
def test_a_proxy_is_gone_through(own: Contestant) -> None:
    """Through a CONNECT proxy the server's key is judged, and the proxy reads nothing."""

    def proxied(stage: Stage) -> Sequence[Visit]:
        proxy = stage.serve(AUTHORITY.issue("localhost"), protocol=ConnectProxy())
        return [
            visit(stage, is_rogue=is_rogue, proxy=f"http://127.0.0.1:{proxy.port}", others=(proxy,))
            for is_rogue in (False, True)
        ]

    assert (Result.PASSED, "") == judged(proxied, own)


def test_tls_in_tls_is_judged_twice() -> None:
    """Through a proxy that speaks TLS itself both keys are judged: here one is pinned, and then another is shown."""

    def nested(stage: Stage) -> Sequence[Visit]:
        proxy = stage.serve(AUTHORITY.issue("proxy.test"), protocol=ConnectProxy(secured=True))
        others = '[hosts."proxy.test"]\nunpinned = "the proxy of this test"\n'
        visits = []
        for is_rogue in (False, True):
            made = visit(stage, is_rogue=is_rogue, proxy=f"https://proxy.test:{proxy.port}")
            visits.append(dataclasses.replace(made, policy=made.policy + others))
        return visits

    assert (Result.PASSED, "") == judged(nested, BUFFERED)


def test_a_new_policy_is_obeyed_while_running() -> None:
    """The second visit's policy pins another key; the context of the first is kept, and refuses."""

    def swapped(stage: Stage) -> Sequence[Visit]:
        first = visit(stage)
        policy = POLICY.format(pin=f"sha256/{'B' * 43}=")
        return [first, dataclasses.replace(first, policy=policy, expected=Outcome.NO_MATCHING_PIN)]

    assert {(Result.PASSED, "")} == {judged(swapped, own) for own in OWN}


@pytest.mark.parametrize("where", ["https://127.0.0.1:{}/", "http://localhost:{}/"], ids=["unlisted", "in clear"])
def test_a_redirect_that_leaves_the_pins_is_not_followed(where: str) -> None:
    """A redirect to a host that is not listed, or out of TLS, is refused, and nothing is sent there."""

    def redirected(stage: Stage) -> Sequence[Visit]:
        away = stage.serve(AUTHORITY.issue("127.0.0.1"), protocol="http" if "https" in where else "http-in-clear")
        made = visit(stage, path=f"/redirect?to={where.format(away.port)}")
        return [
            dataclasses.replace(made, front=made.server, server=away, expected=Outcome.UNLISTED_HOST, has_verdict=False)
        ]

    assert (Result.PASSED, "") == judged(redirected, BLOCKING)


def test_a_redirect_within_the_pins_is_followed() -> None:
    """A redirect to a host that is pinned as well is followed, and its server reads the request."""

    def redirected(stage: Stage) -> Sequence[Visit]:
        made = visit(stage)
        front = visit(stage)
        both = made.pins[0] + '", "' + front.pins[0]
        path = f"/redirect?to=https://localhost:{made.server.port}/"
        return [dataclasses.replace(made, front=front.server, path=path, policy=POLICY.format(pin=both))]

    assert (Result.PASSED, "") == judged(redirected, BLOCKING)
