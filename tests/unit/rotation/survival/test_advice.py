"""When it is said that a host should not be pinned."""

from __future__ import annotations

import json

from cryptography import x509
from cryptography.x509.oid import NameOID

from pinscher.rotation import read_facts
from pinscher.rotation.survival import Limits, Question, Start, TrustStore, prove
from pinscher.rotation.survival.advice import reasons_not_to_pin
from pinscher.rotation.survival.proof import LeafKey
from tests.unit.rotation.survival import worlds
from tests.unit.rotation.survival.worlds import AT, HOST, certified, leaf, pin, policy, root

ROOT = root("A Root")
OTHER = root("Other Root")


def _facts(*, network: str = "nobody.example") -> object:
    authority = {
        "organisations": ["Moving CA"], "key-names": ["moving"], "certificate-days": 90, "intermediates": "random",
        "all-roots": False, "source": "here", "date": "2026-11-21",
    }  # fmt: skip
    document = {
        "format": 1, "date": "2026-11-21",
        "authorities": [
            authority | {"name": "Moving CA", "roots": [{"name": "A Root", "pin": pin(ROOT)}]},
            authority | {"name": "Other CA", "organisations": ["Other"], "roots": [{"name": "Other Root", "pin": pin(OTHER)}]},
        ],
        "networks": [{"name": "The Network", "hosts": [network], "authorities": ["Moving CA", "Other CA"], "source": "here", "date": "2026-11-21"}],
    }  # fmt: skip
    return read_facts(json.dumps(document).encode(), source="facts.json")


def _reasons(
    pinned: object, starts: list[Start], roots: list[object], *, network: str = "nobody.example", **more: object
) -> tuple[str, ...]:
    store = TrustStore("all", tuple(roots))  # type: ignore[arg-type]
    proof = prove(Question(HOST, pinned, tuple(starts), (store,), (AT,), **more))  # type: ignore[arg-type]
    return reasons_not_to_pin(proof, _facts(network=network))  # type: ignore[arg-type]


def _moving_authority(monkeypatch: object) -> Start:
    def named(common_name: str) -> x509.Name:
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        return x509.Name(
            parts + ([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Moving CA")] if common_name == "M1" else [])
        )

    monkeypatch.setattr(worlds, "name", named)  # type: ignore[attr-defined]
    return Start("chain", leaf("M1"), (certified("M1", "A Root"),))


def test_nothing_is_said_against_a_host_that_can_be_kept(monkeypatch: object) -> None:
    """A host whose leaf or root is pinned, and whose paths are few, may be pinned."""
    start = _moving_authority(monkeypatch)
    assert () == _reasons(policy(start.leaf), [start], [ROOT])
    assert () == _reasons(policy(ROOT), [start], [ROOT])
    assert () == _reasons(policy(ROOT, start.presented[0]), [start], [ROOT])
    assert () == _reasons(policy(OTHER), [start], [ROOT])


def test_intermediate_of_a_moving_authority_is_no_hold(monkeypatch: object) -> None:
    """A pin on an intermediate alone, of a CA that changes them unannounced, is a reason not to pin."""
    start = _moving_authority(monkeypatch)
    reasons = ("1 path is held by an intermediate's pin alone, and Moving CA changes its intermediates without notice",)
    assert reasons == _reasons(policy(start.presented[0]), [start], [ROOT])
    assert (
        "2 paths are"
        in _reasons(
            policy(start.presented[0]), [start], [ROOT, root("A Root", not_before=worlds.LONG_AGO.replace(year=2017))]
        )[0]
    )


def test_network_that_chooses_its_authority_needs_all_their_roots() -> None:
    """On a delivery network's host every authority of the network has a pinned root, or it should not be pinned."""
    start = Start("chain", leaf("A Root"))
    one = _reasons(policy(ROOT), [start], [ROOT], network="bank.example")
    assert ("The Network chooses its CA, and no root of Other CA is pinned",) == one
    assert () == _reasons(policy(ROOT, OTHER), [start], [ROOT], network="bank.example")


def test_host_that_takes_many_pins_should_not_be_pinned() -> None:
    """Where more pins on authorities are needed than anybody keeps up, the advice is not to pin."""
    roots = [root(f"Root {number}") for number in range(8)]
    starts = [Start(f"chain {number}", leaf(f"Root {number}")) for number in range(8)]
    assert () == _reasons(policy(starts[0].leaf), starts, list(roots))
    (reason,) = _reasons(policy(*roots), starts, list(roots), leaf_key=LeafKey.NEW)
    assert reason.startswith("it takes 8 pins at least")


def test_graph_that_explodes_is_a_reason_not_to_pin() -> None:
    """What cannot be proved is a reason by itself."""
    starts = [Start(f"chain {number}", leaf(f"Root {number}")) for number in range(3)]
    roots = [root(f"Root {number}") for number in range(3)]
    reasons = _reasons(policy(starts[0].leaf), starts, list(roots), limits=Limits(paths=2))
    assert ("nothing can be proved about it: more than 2 paths",) == reasons
