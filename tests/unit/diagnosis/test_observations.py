"""The facts that stand beside a cause."""

from __future__ import annotations

from pinscher.diagnosis import Facts, diagnose

from .scene import HOST, Authority, Holder, Scene

Genuine = tuple[Holder, Holder, Holder]


def test_the_trust_anchor_is_named_with_the_list_it_is_missing_from(scene: Scene, authority: Authority) -> None:
    """The anchor stands among the facts, with the dated list that it is not on."""
    root = authority.root("Acme Inspection")
    diagnosis = diagnose(scene.judged(authority.issue(root, HOST).der, root.der))
    assert diagnosis.facts == (
        "trust anchor CN=Acme Inspection is not in Mozilla's root programme (certifi 2026.10.18)",
    )


def test_a_public_trust_anchor_is_told_as_one(scene: Scene, authority: Authority, mozilla_roots: list[bytes]) -> None:
    """A root of Mozilla's programme is told as one, and that the application named it."""
    facts = Facts(trust_named=True)
    leaf = authority.issue(authority.root("Some CA"), HOST)
    told = diagnose(scene.judged(leaf.der, mozilla_roots[0]), facts).facts
    assert told[0].endswith(" is in Mozilla's root programme (certifi 2026.10.18)")
    assert told[1:] == ("the application named the trust anchors",)


def test_a_leaf_minted_a_moment_ago_is_told(scene: Scene, authority: Authority) -> None:
    """A leaf that has been valid for hours only is told, as interceptors mint them on the fly."""
    root = authority.root("Acme Inspection")
    leaf = authority.issue(root, HOST, days=(-0.25, 30))
    assert "the leaf is valid only since 2026-11-21 06:00 UTC" in diagnose(scene.judged(leaf.der, root.der)).facts


def test_a_resumed_connection_is_told(scene: Scene, genuine: Genuine) -> None:
    """A verdict on a resumed session says that the remembered chain was judged."""
    diagnosis = diagnose(scene.judged(genuine[2].der, resumed=True))
    assert diagnosis.facts[-1] == "the connection resumed an earlier session and was judged by its remembered chain"
