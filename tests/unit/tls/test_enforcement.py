"""The error that people remember, and the way from any error to the verdict."""

from __future__ import annotations

import copy
import pickle
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import pinscher

from .conftest import HOST, wrapped

if TYPE_CHECKING:
    from .conftest import Scene

AT = datetime(2026, 11, 21, tzinfo=UTC)


def _error(scene: Scene) -> pinscher.PinMismatchError:
    with pytest.raises(pinscher.PinMismatchError) as caught, wrapped(scene.context(), scene.serve(scene.rogue)):
        pass
    return caught.value


def test_the_text_shows_both_sides(scene: Scene) -> None:
    """The text names the host, the chain with its pins, what was pinned, the policy's version, and the verdict's id."""
    error = _error(scene)
    lines = str(error).splitlines()
    assert f"no pinned key in the validated chain of {HOST}" == lines[0]
    for der in (scene.rogue.der, scene.authority.certificate, scene.root.certificate, scene.genuine.der):
        assert str(pinscher.Pin.of(der)) in str(error)
    assert "CN=Lab Intermediate" in str(error)
    assert "pinned (policy bank 1, enforce):" in str(error)
    assert error.verdict.id in lines[-1]
    assert any(line.startswith("  cause: ") for line in lines)


def test_it_is_a_certificate_error_of_ssl(scene: Scene) -> None:
    """Every client's handling of a bad certificate applies, and the attributes of such an error are there."""
    error = _error(scene)
    assert isinstance(error, ssl.SSLCertVerificationError | ValueError | OSError)
    assert isinstance(error, pinscher.PinningError)
    assert (1, str(error)) == (error.errno, error.strerror)
    assert ("SSL", "CERTIFICATE_VERIFY_FAILED", 50) == (error.library, error.reason, error.verify_code)
    assert f"no pinned key in the validated chain of {HOST}" == error.verify_message


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_it_survives_a_process_boundary(scene: Scene, duplicate: object) -> None:
    """The error pickles and copies with its verdict, its chain and its diagnosis."""
    error = _error(scene)
    again = duplicate(error)  # type: ignore[operator]
    assert (str(error), error.verdict.id) == (str(again), again.verdict.id)
    assert error.verdict.chain == again.verdict.chain
    assert error.diagnosis == again.diagnosis


def test_an_attackers_names_stay_harmless(scene: Scene) -> None:
    """Escape sequences, line breaks and look-alikes in a certificate come out as plain ASCII."""
    hostile = "x\x1b[2J\r\nno pinned\u202e\u0430 <script>{0}%s${jndi:ldap://x}"
    held = scene.authority.issue(HOST, common_name=hostile[:60])
    with pytest.raises(pinscher.PinMismatchError) as caught, wrapped(scene.context(), scene.serve(held)):
        pass
    text = str(caught.value)
    assert text.replace("\n", "").isprintable()
    assert text.isascii()
    assert "\\x1b[2J\\x0d\\x0ano pinned\\u202e\\u0430" in text


def test_verdict_of_walks_what_clients_do() -> None:
    """Causes, contexts, arguments, reasons and groups are walked, cycles end, and an error of others is None."""
    verdict = pinscher.evaluate(pinscher.ValidatedChain([b"0"]), _policy(), host="unlisted.test", at=AT)
    error = pinscher.PinMismatchError(verdict)

    def wrap(how: str) -> BaseException:
        outer = OSError("outer")
        if how == "cause":
            outer.__cause__ = error
        elif how == "context":
            outer.__context__ = error
        elif how == "arguments":
            outer = OSError(5, error)  # type: ignore[arg-type]
        elif how == "reason":
            outer.reason = error  # type: ignore[attr-defined]
        elif how == "group":
            return ExceptionGroup("group", [ValueError("x"), error])
        outer2 = RuntimeError(outer)
        outer.__context__ = outer.__context__ or outer2
        return outer2

    for how in ("cause", "context", "arguments", "reason", "group"):
        assert verdict is pinscher.verdict_of(wrap(how)), how
    assert None is pinscher.verdict_of(None)
    assert None is pinscher.verdict_of(wrap("nothing"))


def test_enforce_raises_or_returns(scene: Scene) -> None:
    """Enforcing a verdict that blocks raises it; one that allows comes back."""
    blocked = pinscher.evaluate(pinscher.ValidatedChain([scene.rogue.der]), scene.policy(), host=HOST, at=AT)
    with pytest.raises(pinscher.PinMismatchError) as caught:
        pinscher.enforce(blocked)
    assert blocked is caught.value.verdict
    allowed = pinscher.evaluate(pinscher.ValidatedChain([scene.genuine.der]), scene.policy(), host=HOST, at=AT)
    assert allowed is pinscher.enforce(allowed)


def _policy() -> pinscher.Policy:
    return pinscher.Policy.loads(
        'format = 1\nname = "x"\nversion = 1\n[hosts."a.test"]\npins = ["sha256/' + "A" * 43 + '="]\n'
    )


def test_an_error_made_anew_from_its_text_is_still_a_refusal() -> None:
    """Libraries that make an error anew from its class and its text keep the refusal and lose the verdict."""
    again = pinscher.PinMismatchError("no pinned key\n  verdict: 0123456789abcdef")
    assert (None, True) == (pinscher.verdict_of(again), "verdict: 0123456789abcdef" in str(again))
    assert isinstance(again, ssl.SSLCertVerificationError)


def test_it_is_made_anew_from_its_arguments(scene: Scene) -> None:
    """Whoever rebuilds an error from its class and its arguments gets the text, which has the verdict's id."""
    error = _error(scene)
    assert (str(error), error.args) == (str(type(error)(*error.args)), type(error)(*error.args).args)


class _OddError(Exception):
    """Somebody's error, whose attributes are of any kind or fail."""

    args = None  # type: ignore[assignment]
    exceptions = 5

    @property
    def verdict(self) -> object:
        """Fail."""
        raise KeyError("verdict")

    @property
    def reason(self) -> object:
        """Fail otherwise."""
        raise IndexError("reason")


def test_an_odd_error_hides_no_verdict_and_raises_nothing(scene: Scene) -> None:
    """Attributes that fail or are of another kind are passed over, and what is behind them is found."""
    assert pinscher.verdict_of(_OddError()) is None
    odd, error = _OddError(), _error(scene)
    odd.__cause__ = error
    assert error.verdict is pinscher.verdict_of(odd)
