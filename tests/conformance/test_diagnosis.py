"""Attack or rotation: the diagnosis of every refusal of the lab, held against what an expert would say."""

from __future__ import annotations

import contextlib
import os
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pinscher.diagnosis import Cause, Confidence
from pinscher.lab.authority import Authority
from pinscher.lab.interception import Interceptor
from pinscher.lab.mitmdump import MitmproxyMissingError, provide_mitmdump
from pinscher.lab.own import PinnedClient
from pinscher.lab.scenarios import SCENARIOS
from pinscher.lab.server import TlsServer
from pinscher.lab.stage import Stage
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.tls import PinMismatchError, PinnedContext

from .diagnosed import ATTACK, ROTATION, Mark, by_socket, is_confused, is_refusing, label_of, labels, mark, refusals

if TYPE_CHECKING:
    from pathlib import Path

    from pinscher.lab.scenario import Scenario

REFUSING = [scenario for scenario in SCENARIOS.values() if is_refusing(scenario)]


@pytest.mark.parametrize("scenario", REFUSING, ids=lambda scenario: scenario.id)
def test_no_refusal_of_the_lab_is_diagnosed_wrongly(scenario: Scenario) -> None:
    """Every case that a right client refuses is diagnosed as an expert would, or is left open, and never confused."""
    refused = refusals(scenario)
    assert {case.id for case in scenario.cases} == {one.case for one in refused}
    for one in refused:
        label = label_of(scenario, one)
        assert label is not None, f"{one.case}, visit {one.number}: say in expected_causes.json what an expert would"
        if label.cause is None or one.diagnosis is None:
            assert (label.cause, one.diagnosis) == (None, None), one.case
            continue
        assert mark(label, one.diagnosis) is not Mark.WRONG, (one.case, one.diagnosis)
        assert not is_confused(label, one.diagnosis), (one.case, one.diagnosis)


def test_every_label_is_of_a_visit_that_is_refused() -> None:
    """No label is left of a scenario that is gone or that lets the client through."""
    refusing = {scenario.id for scenario in REFUSING}
    assert [] == [name for name in labels() if name.partition("#")[0] not in refusing]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.id)
def test_a_scenario_that_is_refused_has_a_label(scenario: Scenario) -> None:
    """A new scenario is not done before somebody has said what an expert would make of its refusal."""
    assert scenario.is_positive or scenario.id in labels()


def test_labels_of_an_attack_and_of_a_rotation_can_be_confused() -> None:
    """The table holds both attacks and rotations, so that no confusion means something."""
    truths = [label.truth for label in labels().values()]
    assert min(truths.count("attack"), truths.count("rotation")) > 2
    assert {"attack", "rotation", "policy", "fault"} == set(truths)
    assert not ATTACK & ROTATION
    assert not any(label.cause in ROTATION for label in labels().values() if label.truth == "attack")
    assert not any(label.cause in ATTACK for label in labels().values() if label.truth == "rotation")
    assert Cause.NONE not in {label.cause for label in labels().values()}


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_a_rotation_when_a_renewal_was_due_is_called_one(tls: str) -> None:
    """A new key under the CA of before, when the accepted certificate nears its end, is likely a rotation."""
    now = datetime.now(UTC)
    with Stage() as stage, contextlib.closing(PinnedClient(by_socket)) as client:
        bank = stage.bank()
        ending = bank.rogue(not_before=now - timedelta(days=60), not_after=now + timedelta(days=3))
        server = stage.serve(ending, tls=tls, tickets=False)
        assert client.visit(stage.visit(server, pins=[ending], trust=[bank.root])).accepted
        server.hand_over(bank.rogue())
        visit = stage.visit(server, pins=[ending], trust=[bank.root])
        with pytest.raises(PinMismatchError) as refused:
            by_socket(client, visit)
    found = refused.value.diagnosis
    assert (found.cause, found.confidence) == (Cause.KEY_ROTATION, Confidence.LIKELY)


@pytest.mark.parametrize("is_machines", [True, False], ids=["machine's trust", "named trust"])
def test_the_real_mitmproxy_is_called_an_interception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_machines: bool
) -> None:
    """The chain that mitmproxy itself forges is a local interception by its name, whoever trusts its CA."""
    try:
        command = provide_mitmdump(progress=print)
    except MitmproxyMissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"mitmproxy cannot be had here: {error}")
    root = Authority.root("Genuine Root")
    genuine = root.issue("bank.test")
    with (
        TlsServer(genuine) as bank,
        Interceptor(routes={"bank.test": bank.address}, upstream_ca=root.pem, mitmdump=command) as proxy,
    ):
        (tmp_path / "ca.pem").write_bytes(proxy.ca_pem)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        policy = Policy.loads(
            f'format = 1\nname = "lab"\nversion = 1\n[hosts."bank.test"]\npins = ["{Pin.of(genuine.der)}"]\n'
        )
        context = PinnedContext(policy) if is_machines else PinnedContext(policy, trust=proxy.ca_pem)
        with socket.create_connection((proxy.host, proxy.port), timeout=10) as tcp:
            tcp.sendall(b"CONNECT bank.test:443 HTTP/1.1\r\nHost: bank.test:443\r\n\r\n")
            assert tcp.recv(1000).startswith(b"HTTP/1.1 200 ")
            with pytest.raises(PinMismatchError) as refused:
                context.wrap_socket(tcp, server_hostname="bank.test")
    found = refused.value.diagnosis
    assert (found.cause, found.confidence, found.product) == (
        Cause.LOCAL_INTERCEPTION, Confidence.LIKELY, "mitmproxy",
    )  # fmt: skip
