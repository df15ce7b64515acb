"""The self-test fails as soon as something that pins rest on was taken away."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.tls import judgement, selftest
from pinscher.tls._cpython import Gate, PinnedSocket
from pinscher.tls._wrapping import GatedContext
from pinscher.tls.danger import LeafOnlyContext
from pinscher.tls.judgement import ConnectionGate
from pinscher.tls.settings import StrictSettings
from pinscher.verdict import Action, Outcome

if TYPE_CHECKING:
    from .conftest import Scene


def test_an_untouched_process_passes(scene: Scene) -> None:
    """Where nothing was touched, the self-test passes, with or without the context in use."""
    assert (None, None) == (pinscher.selftest(), pinscher.selftest(scene.context()))
    assert None is pinscher.selftest(LeafOnlyContext(scene.policy()))


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (ConnectionGate, "after"),
        (ConnectionGate, "_judge"),
        (Gate, "do_handshake"),
        (Gate, "__getattr__"),
        (GatedContext, "_wrap_socket"),
        (GatedContext, "_wrap_bio"),
        (GatedContext, "sslsocket_class"),
        (StrictSettings, "check_hostname"),
        (StrictSettings, "_options"),
        (pinscher.PinnedContext, "gate_for"),
        (pinscher.PinnedContext, "wrap_socket"),
        (PinnedSocket, "do_handshake"),
    ],
)
def test_a_method_that_was_replaced_fails(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    """A method of the gate, the context or the socket that somebody replaced is named."""
    monkeypatch.setattr(owner, name, lambda *_, **__: None)
    with pytest.raises(pinscher.InsecureContextError, match=f"{name} was replaced"):
        pinscher.selftest()


def test_a_judgement_that_accepts_everything_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the judgement behind the hooks lets everybody in, the rogue server gets in, and the self-test says so."""
    genuine = judgement.evaluate_entry

    def lenient(*arguments: Any) -> pinscher.Verdict:
        return dataclasses.replace(genuine(*arguments), outcome=Outcome.MATCH, action=Action.ALLOW)

    monkeypatch.setattr(judgement, "evaluate_entry", lenient)
    with pytest.raises(selftest.SelfTestError, match="a rogue server with a valid certificate was let in"):
        pinscher.selftest()


def test_a_judgement_that_refuses_everything_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins that refuse the genuine server are as broken as pins that refuse nobody."""

    def strict(*_: Any) -> pinscher.Verdict:
        raise RuntimeError("x")

    monkeypatch.setattr(judgement, "evaluate_entry", strict)
    with pytest.raises(selftest.SelfTestError, match="a genuine server was refused"):
        pinscher.selftest()


def test_a_method_on_the_context_in_use_fails(scene: Scene) -> None:
    """A method that was put on one context, past its own refusal to be changed, is named."""
    context = scene.context()
    vars(context)["wrap_socket"] = print
    with pytest.raises(selftest.SelfTestError, match="'wrap_socket' of the context in use"):
        pinscher.selftest(context)


def test_a_subclass_that_overrides_what_pins_rest_on_fails(scene: Scene) -> None:
    """A subclass may add what it likes, and may not stand between a connection and its judgement."""

    class Named(pinscher.PinnedContext):
        name = "mine"

    class Lenient(pinscher.PinnedContext):
        def gate_for(self, *_: Any) -> Any:
            return None

    assert None is pinscher.selftest(Named(scene.policy(), trust=scene.root.pem))
    with pytest.raises(selftest.SelfTestError, match="overrides 'gate_for'"):
        pinscher.selftest(Lenient(scene.policy(), trust=scene.root.pem))


def test_a_setting_that_was_weakened_behind_its_back_fails(scene: Scene) -> None:
    """A setting that was changed on the C level is found."""
    import ssl

    from pinscher.tls.settings import c_descriptor

    context = scene.context()
    c_descriptor("check_hostname").__set__(context, False)
    c_descriptor("verify_mode").__set__(context, int(ssl.CERT_NONE))
    with pytest.raises(pinscher.InsecureContextError, match="verify_mode"):
        pinscher.selftest(context)


def test_another_context_fails() -> None:
    """A context that is none of ours is not what the health check is about."""
    import ssl

    with pytest.raises(selftest.SelfTestError, match="found SSLContext"):
        pinscher.selftest(ssl.create_default_context())  # type: ignore[arg-type]
