"""Whatever a certificate holds: a diagnosis is total, printable, and never surer for knowing less."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.diagnosis import Cause, Confidence, Facts, diagnose
from pinscher.diagnosis.roots import mozilla
from pinscher.verdict import Outcome, Verdict

from .conftest import every_mozilla_root
from .scene import AT, HOST, Authority, Holder, Scene

RANK = [Confidence.UNKNOWN, Confidence.POSSIBLE, Confidence.LIKELY, Confidence.CERTAIN]
FACTS = ("last_accepted", "trust_named", "presented", "openssl_error", "verify_code")
"""What can be taken away; ``at`` only says which time the others are read by."""


@functools.cache
def _chains() -> list[tuple[bytes, ...]]:
    """Return chains of every kind: genuine, renewed, copied, intercepted, public, bare and broken."""
    make = Authority()
    public, root = every_mozilla_root()[0], make.root("Example Root")
    middle = make.issue(root, "Example R3")
    near_its_end, genuine = make.issue(middle, HOST, days=(-70, 20)), make.issue(middle, HOST)
    proxy, other = make.root("mitmproxy", O="mitmproxy"), make.root("Other Root")
    rsa_key = rsa.generate_private_key(65537, 2048)
    below = [near_its_end, genuine, make.issue(middle, HOST, key=genuine.key), make.issue(middle, HOST, days=(-1, 80)),
             make.issue(middle, HOST, serial=genuine.certificate.serial_number), make.issue(middle, HOST, key=rsa_key)]  # fmt: skip
    alone = [make.issue(proxy, HOST), make.issue(other, HOST, days=(-0.01, 9)), make.issue(other, HOST, key=other.key),
             make.issue(other, HOST, logged=True, hosts=["hotspot.test"]), make.issue(other, HOST, days=(-900, -1))]  # fmt: skip
    chains = [_der(leaf, middle, root) for leaf in below]
    chains += [_der(leaf, other if place else proxy) for place, leaf in enumerate(alone)]
    chains += [(*_der(leaf), public) for leaf in (*below, *alone)]
    return [*chains, _der(genuine, make.issue(other, "Example R3", key=middle.key), other), _der(other), (b"junk",),
            (b"junk", public), (b"", b"")]  # fmt: skip


def _der(*holders: Holder) -> tuple[bytes, ...]:
    return tuple(holder.der for holder in holders)


@functools.cache
def _scenes() -> list[Scene]:
    make = Authority()
    pins = [make.root("pinned").pin, make.root("backup").pin]
    expired = "expires = 2026-11-01T00:00:00Z"
    return [Scene(pins), Scene(pins, entry=expired), Scene(pins, host="db.internal"), Scene(pins, host="10.0.0.7")]


@st.composite
def refusals(draw: st.DrawFn) -> Verdict:
    """Draw a verdict on a chain without a pin, or one on no chain at all."""
    scene = draw(st.sampled_from(_scenes()))
    detail = draw(st.sampled_from(["", "certificate has expired", "OSError: broken", "\x1b[31m"]) | st.text(max_size=9))
    if draw(st.booleans()):
        return scene.refused(detail)
    chain = ValidatedChain(draw(st.sampled_from(_chains())))
    refused = scene.refused()
    entry = scene.policy.lookup(scene.host)
    return Verdict(
        Outcome.NO_MATCHING_PIN, refused.action, scene.policy, scene.host, entry, chain, None, AT, detail=detail
    )


def _chain() -> st.SearchStrategy[tuple[bytes, ...]]:
    drawn = st.lists(st.sampled_from([der for chain in _chains() for der in chain]), min_size=1, max_size=4)
    return st.sampled_from(_chains()) | drawn.map(tuple)


KNOWN = st.builds(
    Facts,
    last_accepted=st.none() | st.deferred(_chain).map(ValidatedChain),
    trust_named=st.sampled_from([None, False, True]),
    presented=st.none() | st.deferred(_chain).map(PresentedChain),
    openssl_error=st.sampled_from([None, "certificate has expired", "\u202e\n"]),
    verify_code=st.none() | st.sampled_from([2, 7, 9, 10, 18, 19, 20, 26, 50, 62, 64, 94]) | st.integers(-1, 120),
    at=st.none() | st.sampled_from([AT - timedelta(days=4000), AT - timedelta(days=1), AT + timedelta(days=300)]),
)


@settings(max_examples=150, deadline=None)
@given(refusals(), KNOWN)
def test_knowing_less_makes_no_diagnosis_surer(verdict: Verdict, facts: Facts) -> None:
    """Whatever facts are taken away, one by one or together, the confidence stays or falls."""
    confidence = RANK.index(diagnose(verdict, facts).confidence)
    known = [name for name in FACTS if getattr(facts, name) is not None]
    for taken in itertools.chain.from_iterable(itertools.combinations(known, n) for n in range(1, len(known) + 1)):
        less = dataclasses.replace(facts, **dict.fromkeys(taken))  # type: ignore[arg-type]
        assert RANK.index(diagnose(verdict, less).confidence) <= confidence, taken


@settings(max_examples=150, deadline=None)
@given(refusals(), KNOWN)
def test_every_text_is_a_printable_line(verdict: Verdict, facts: Facts) -> None:
    """Nothing raises, every line is short printable ASCII, and unknown is a cause and a confidence at once."""
    found = diagnose(verdict, facts)
    for line in (found.sentence, found.next_action, *found.facts):
        assert line.isascii()
        assert line.isprintable()
        assert len(line) <= 420
    assert (found.cause is Cause.UNKNOWN) is (found.confidence is Confidence.UNKNOWN)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 2000), st.binary(min_size=1, max_size=4), st.integers(0, 1))
def test_a_broken_certificate_is_diagnosed_all_the_same(junk: bytes, place: int, put: bytes, cut: int) -> None:
    """A certificate with bytes changed or cut anywhere, or no certificate at all, is diagnosed without an error."""
    whole = bytearray(_chains()[place % len(_chains())][0])
    at = place % (len(whole) + 1)
    whole[at:] = put if cut else put + bytes(whole[at + len(put) :])
    scene = _scenes()[0]
    refused = scene.refused()
    for der in (junk, bytes(whole)):
        chain = ValidatedChain([der, every_mozilla_root()[0]])
        verdict = Verdict(
            Outcome.NO_MATCHING_PIN, refused.action, scene.policy, HOST, refused.host_policy, chain, None, AT
        )
        assert diagnose(verdict, Facts(last_accepted=chain, presented=PresentedChain([der]))).sentence


def test_the_public_chains_are_public() -> None:
    """The chains above that stand for public ones hold a root of the programme, so that those rules are reached."""
    assert any(mozilla().holds(chain[-1], None) for chain in _chains())
