"""What was presented and what was validated are two types, and neither is ever empty or changed."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.chain import EmptyChainError, PresentedChain, ValidatedChain

TYPES = pytest.mark.parametrize("chain_type", [PresentedChain, ValidatedChain])
CERTIFICATES = st.lists(st.binary(max_size=8), min_size=1, max_size=6)


def refuse_to_fetch() -> list[bytes]:
    """Fail the test that fetches what stands above the leaf."""
    raise AssertionError("nobody should look above the leaf")


@TYPES
def test_a_chain_gives_its_certificates_from_the_leaf_on(chain_type: type[PresentedChain | ValidatedChain]) -> None:
    """A chain is read from the leaf on, by index, by loop and by length."""
    chain = chain_type(iter([b"leaf", b"root"]))
    assert ((b"leaf", b"root"), b"leaf", 2) == (chain.certificates, chain.leaf, len(chain))
    assert [b"leaf", b"root"] == list(chain) == list(chain)
    assert f"<{chain_type.__name__} of 2 certificates>" == repr(chain)


@TYPES
@pytest.mark.parametrize("nothing", [[], (), b"", iter([])])
def test_a_chain_is_never_empty(chain_type: type[PresentedChain | ValidatedChain], nothing: list[bytes]) -> None:
    """A resumed connection shows no certificates, and no empty chain can be mistaken for one that was checked."""
    with pytest.raises(EmptyChainError, match="a chain holds at least the leaf certificate, found none"):
        chain_type(nothing)


@TYPES
@pytest.mark.parametrize(
    ("certificates", "found"),
    [([b"x", "x"], "str"), ("x", "str"), (b"x", "int"), ([None], "NoneType"), ([bytearray(1)], "bytearray")],
)
def test_a_chain_holds_bytes_that_cannot_change(
    chain_type: type[PresentedChain | ValidatedChain], certificates: list[bytes], found: str
) -> None:
    """PEM text, a single certificate given for a chain, and mutable buffers are refused."""
    with pytest.raises(TypeError, match=f"^a chain holds DER bytes, found {found}$"):
        chain_type(certificates)


def test_cve_2016_2402_a_presented_chain_is_not_a_validated_one() -> None:
    """What a server presented never equals what was validated, and is none (CVE-2016-2402)."""
    presented, validated = PresentedChain([b"x"]), ValidatedChain([b"x"])
    assert (False, True) == (presented == validated, presented != validated)
    assert (False, False) == (isinstance(presented, ValidatedChain), isinstance(validated, PresentedChain))
    assert {validated: 1}.get(presented) is None  # type: ignore[call-overload]


@TYPES
@given(CERTIFICATES, CERTIFICATES)
def test_a_chain_is_a_value(
    chain_type: type[PresentedChain | ValidatedChain], one: list[bytes], other: list[bytes]
) -> None:
    """Chains are equal exactly when their certificates and their order are."""
    assert (one == other) == (chain_type(one) == chain_type(other))
    assert {chain_type(one)} == {chain_type(tuple(one))}
    assert chain_type(one) != one


@given(CERTIFICATES)
def test_a_deferred_chain_is_the_same_chain(certificates: list[bytes]) -> None:
    """A chain whose upper part is fetched when it is needed equals the one given at once."""

    def deferred() -> ValidatedChain:
        return ValidatedChain.deferred(certificates[0], lambda: iter(certificates[1:]))

    whole = ValidatedChain(certificates)
    assert whole == deferred()
    assert hash(whole) == hash(deferred())
    assert (len(whole), list(whole), repr(whole)) == (len(deferred()), list(deferred()), repr(deferred()))


def test_the_leaf_fetches_nothing() -> None:
    """Whoever finds what it looks for on the leaf fetches nothing above it."""
    chain = ValidatedChain.deferred(b"leaf", refuse_to_fetch)
    assert (b"leaf", b"leaf") == (chain.leaf, next(iter(chain)))
    with pytest.raises(AssertionError, match="nobody should look above the leaf"):
        list(chain)


def test_what_stands_above_the_leaf_is_fetched_once() -> None:
    """The certificates above the leaf are fetched when first looked at, and never again."""
    fetched: list[int] = []
    chain = ValidatedChain.deferred(b"leaf", lambda: [fetched.append(1) or b"root"])  # type: ignore[func-returns-value]
    assert (2, [b"leaf", b"root"], (b"leaf", b"root"), [1]) == (len(chain), list(chain), chain.certificates, fetched)


def test_a_fetch_that_fails_is_tried_again() -> None:
    """A chain that could not be fetched stays unfetched; it never becomes a chain of the leaf alone."""
    answers = iter([["root"], [b"root"]])
    chain = ValidatedChain.deferred(b"leaf", lambda: next(answers))  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match="a chain holds DER bytes, found str"):
        next(iter(chain.certificates))
    assert [b"leaf", b"root"] == list(chain)


def test_two_threads_fetch_the_same_chain() -> None:
    """Threads that look at one chain together see the same certificates."""
    together, seen = threading.Barrier(4), []

    def rest() -> list[bytes]:
        together.wait(10)
        return [b"root"]

    chain = ValidatedChain.deferred(b"leaf", rest)
    threads = [threading.Thread(target=lambda: seen.append(chain.certificates)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [(b"leaf", b"root")] * 4 == seen


@TYPES
@given(CERTIFICATES)
def test_chains_survive_a_process_boundary(
    chain_type: type[PresentedChain | ValidatedChain], certificates: list[bytes]
) -> None:
    """A chain pickles and copies to an equal one of the same type."""
    chain = chain_type(certificates)
    for again in (pickle.loads(pickle.dumps(chain)), copy.copy(chain), copy.deepcopy(chain)):
        assert (chain_type, chain) == (type(again), again)


def test_a_deferred_chain_survives_a_process_boundary() -> None:
    """A deferred chain takes its upper part along."""
    chain = ValidatedChain.deferred(b"leaf", lambda: [b"root"])
    assert [b"leaf", b"root"] == list(pickle.loads(pickle.dumps(chain)))


@TYPES
def test_a_chain_takes_no_further_attributes(chain_type: type[PresentedChain | ValidatedChain]) -> None:
    """Nothing can be hung on a chain, nor its certificates replaced."""
    for name in ("certificates", "leaf", "other"):
        with pytest.raises(AttributeError):
            setattr(chain_type([b"x"]), name, b"y")
