"""Survival on worlds whose answer is known: each with its paths, its counter-example and its smallest set of pins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pinscher.rotation.survival import Anchors, Answer, Limits, Question, Start, TrustStore, prove
from pinscher.rotation.survival.proof import Builder, LeafKey
from pinscher.verdict import Outcome
from tests.unit.rotation.survival.worlds import AT, HOST, LATER, LONG_AGO, certified, leaf, policy, root

if TYPE_CHECKING:
    from pinscher.policy import Policy
    from pinscher.rotation.survival import Certificate, Proof

YEAR = timedelta(days=365)


def _proof(
    pins: Policy, starts: list[Start], stores: dict[str, list[Certificate]], *,
    moments: tuple[datetime, ...] = (AT,), **more: object,
) -> Proof:  # fmt: skip
    held = tuple(TrustStore(name, tuple(roots)) for name, roots in stores.items())
    return prove(Question(HOST, pins, tuple(starts), held, moments, **more))  # type: ignore[arg-type]


def _names(proof: Proof) -> list[list[str]]:
    """Return the counter-examples of all moments by the names on them."""
    return [
        [one.shown.removeprefix("CN=") for one in found.authorities]
        for moment in proof.moments
        for found in moment.counter_examples
    ]


OLD, NEW = root("Old Root"), root("New Root")
NEW_BY_OLD = certified("New Root", "Old Root")
ISSUER = certified("Issuing CA", "New Root")
LEAF = leaf("Issuing CA")
START = Start("chain", LEAF, (ISSUER, NEW_BY_OLD))


def test_cross_signed_root_breaks_a_pin_on_the_old_one() -> None:
    """With a cross-signed root a pin on the old root holds some clients' path and not the others'."""
    proof = _proof(policy(OLD), [START], {"old": [OLD], "both": [OLD, NEW]})
    assert Answer.BREAKS is proof.answer
    assert [["Issuing CA", "New Root"]] == _names(proof)
    (found,) = proof.moments[0].counter_examples
    assert (("both",), frozenset(Builder)) == (found.stores, found.builders)
    assert proof.cover_of_authorities is not None
    assert 1 == len(proof.cover_of_authorities.chosen)


@pytest.mark.parametrize("pinned", [(LEAF,), (ISSUER,), (NEW,), (OLD, NEW), (NEW_BY_OLD,)])
def test_cross_signed_root_survives_with_the_key_that_both_share(pinned: tuple[Certificate, ...]) -> None:
    """The leaf, the issuing authority or the cross-signed key holds every path, whichever root a client has."""
    proof = _proof(policy(*pinned), [START], {"old": [OLD], "both": [OLD, NEW]})
    assert (Answer.SURVIVES, []) == (proof.answer, _names(proof))


DST = root(
    "DST Root CA X3", not_before=datetime(2000, 9, 30, tzinfo=UTC), not_after=datetime(2021, 9, 30, 14, tzinfo=UTC)
)
X1 = root("ISRG Root X1", not_before=datetime(2015, 6, 4, tzinfo=UTC))
X1_BY_DST = certified(
    "ISRG Root X1",
    "DST Root CA X3",
    not_before=datetime(2021, 1, 20, tzinfo=UTC),
    not_after=datetime(2024, 9, 30, tzinfo=UTC),
)
R3 = certified(
    "R3", "ISRG Root X1", not_before=datetime(2020, 9, 4, tzinfo=UTC), not_after=datetime(2025, 9, 15, tzinfo=UTC)
)
BEFORE, AFTER = datetime(2021, 9, 29, tzinfo=UTC), datetime(2021, 10, 1, tzinfo=UTC)
IN_2021 = Start(
    "chain",
    leaf("R3", not_before=datetime(2021, 8, 1, tzinfo=UTC), not_after=datetime(2021, 10, 30, tzinfo=UTC)),
    (R3, X1_BY_DST),
)


def test_expired_cross_sign_of_september_2021() -> None:
    """A pin on DST Root CA X3 holds for a client without ISRG Root X1 until the root expires, and then no path is left."""
    proof = _proof(policy(DST), [IN_2021], {"old": [DST], "new": [DST, X1]}, moments=(BEFORE, AFTER))
    assert [["R3", "ISRG Root X1"], ["R3", "ISRG Root X1"]] == _names(proof)
    before, after = proof.moments
    assert (2, 1) == (len(before.found), len(after.found))
    assert ["chain leads to no root of old (every-way)", "chain leads to no root of old (openssl)"] == list(
        after.barren
    )
    survives = _proof(policy(X1), [IN_2021], {"old": [DST], "new": [DST, X1]}, moments=(BEFORE, AFTER))
    assert Answer.SURVIVES is survives.answer


def test_root_past_its_day_is_followed_by_clients_that_ignore_its_dates() -> None:
    """A client that takes of a root only its name and key, as older Androids do, still ends at the expired one."""
    proof = _proof(policy(X1), [IN_2021], {"android": [DST]}, moments=(AFTER,), anchors=Anchors.BARE)
    assert Answer.SURVIVES is proof.answer
    assert [["R3", "ISRG Root X1", "DST Root CA X3"]] == [
        [one.shown.removeprefix("CN=") for one in found.authorities] for found in proof.moments[0].found
    ]


def test_reissued_root_of_the_same_key_needs_no_new_pin() -> None:
    """A root reissued with its key is another path and the same pin; a pin of the old certificate does not hold it."""
    from pinscher.pin import Pin
    from pinscher.policy import Policy

    again = root("New Root", not_before=AT - YEAR)
    stores = {"old": [NEW], "new": [again]}
    start = Start("chain", LEAF, (ISSUER,))
    assert Answer.SURVIVES is _proof(policy(NEW), [start], stores).answer
    whole = str(Pin.of(NEW.der, kind="certificate"))
    text = policy(NEW).to_toml().replace(str(Pin.of(NEW.der)), whole)
    proof = _proof(Policy.loads(text), [start], stores)
    assert [("new",)] == [found.stores for found in proof.moments[0].counter_examples]


def test_new_generation_of_intermediates_breaks_a_pin_on_the_old_one() -> None:
    """A pin on an intermediate does not hold the next certificate if the CA's next intermediate issues it."""
    second = certified("Issuing CA 2", "New Root")
    next_one = Start("next", LEAF, (), second)
    kept = _proof(policy(ISSUER), [Start("chain", LEAF, (ISSUER,)), next_one], {"roots": [NEW]})
    assert (Answer.BREAKS, [["Issuing CA 2", "New Root"]]) == (kept.answer, _names(kept))
    assert kept.moments[0].counter_examples[0].is_renewed
    assert Answer.SURVIVES is _proof(policy(NEW), list(kept.question.starts), {"roots": [NEW]}).answer
    assert Answer.SURVIVES is _proof(policy(LEAF), list(kept.question.starts), {"roots": [NEW]}).answer
    changed = _proof(policy(LEAF), list(kept.question.starts), {"roots": [NEW]}, leaf_key=LeafKey.NEW)
    assert (Answer.BREAKS, 2) == (changed.answer, len(changed.moments[0].counter_examples))


def test_delivery_network_needs_the_union_of_its_authorities() -> None:
    """A network that issues from three authorities is held by three roots, and by no two of them."""
    roots = [root(f"Root {letter}") for letter in "ABC"]
    chains = [
        Start(
            f"by {letter}",
            leaf(f"Issuer {letter}", held=f"leaf {letter}"),
            (certified(f"Issuer {letter}", f"Root {letter}"),),
        )
        for letter in "ABC"
    ]
    two = _proof(policy(*roots[:2]), chains, {"all": roots})
    assert [["Issuer C", "Root C"]] == _names(two)
    assert two.cover is not None
    assert {one.key for one in roots} == set(two.cover.chosen)
    assert two.cover.is_smallest
    assert Answer.SURVIVES is _proof(policy(*roots), chains, {"all": roots}).answer


def test_circle_of_cross_signs_ends() -> None:
    """Roots that sign each other give a finite number of paths, and a pin on each root holds them."""
    circle = [NEW_BY_OLD, certified("Old Root", "New Root")]
    proof = _proof(policy(OLD, NEW), [Start("chain", LEAF, (ISSUER, *circle))], {"one": [OLD], "other": [NEW]})
    assert (Answer.SURVIVES, 2) == (proof.answer, len(proof.moments[0].found))


def test_key_under_another_name_is_the_same_pin() -> None:
    """One key with two names is two ways up, held by one pin."""
    renamed = certified("Issuing CA renamed", "Old Root", held="Issuing CA")
    other = leaf("Issuing CA renamed", signer="Issuing CA")
    starts = [Start("chain", LEAF, (ISSUER,)), Start("other", other, (renamed,))]
    assert Answer.SURVIVES is _proof(policy(ISSUER), starts, {"both": [OLD, NEW]}).answer


def test_self_signed_intermediate_is_no_anchor() -> None:
    """A self-signed certificate that no store trusts is never the end of a path, and no way around the trusted one."""
    stray = root("New Root", not_before=AT - YEAR)
    assert Answer.UNKNOWN is _proof(policy(NEW), [Start("chain", LEAF, (ISSUER, stray))], {"old": [OLD]}).answer
    proof = _proof(policy(ISSUER), [Start("chain", LEAF, (ISSUER, stray))], {"new": [NEW]})
    assert (Answer.SURVIVES, 1) == (proof.answer, len(proof.moments[0].found))


def test_denied_key_on_a_path_is_a_counter_example_that_no_pin_covers() -> None:
    """A path with a denied key is refused whatever else is pinned, and the smallest set does not count it."""
    proof = _proof(policy(NEW, denied=[OLD]), [START], {"old": [OLD], "new": [NEW]})
    (found,) = proof.moments[0].counter_examples
    assert found.verdict is not None
    assert (Answer.BREAKS, Outcome.DENIED_KEY) == (proof.answer, found.verdict.outcome)
    assert ["old"] == list(found.stores)


def test_policy_that_will_have_expired_survives_until_then() -> None:
    """A policy that refuses everything after its day has a counter-example from that day on."""
    more = 'expires = 2026-12-01T00:00:00Z\non-expiry = "fail"\n'
    moments = (AT, datetime(2026, 12, 2, tzinfo=UTC))
    proof = _proof(policy(NEW, more=more), [START], {"new": [NEW]}, moments=moments)
    assert [0, 1] == [len(moment.counter_examples) for moment in proof.moments]


def test_expired_leaf_stands_for_its_successor_of_the_same_key() -> None:
    """After the leaf's expiry a pin of its key holds and a pin of the certificate does not."""
    from pinscher.pin import Pin
    from pinscher.policy import Policy

    later = (AT + timedelta(days=200),)
    assert Answer.SURVIVES is _proof(policy(LEAF), [START], {"new": [NEW]}, moments=later).answer
    text = policy(LEAF).to_toml().replace(str(Pin.of(LEAF.der)), str(Pin.of(LEAF.der, kind="certificate")))
    assert Answer.BREAKS is _proof(Policy.loads(text), [START], {"new": [NEW]}, moments=later).answer
    assert Answer.SURVIVES is _proof(Policy.loads(text), [START], {"new": [NEW]}).answer


def test_moment_before_the_leaf_is_not_survived() -> None:
    """A moment at which no path exists proves nothing."""
    proof = _proof(policy(LEAF), [START], {"new": [NEW]}, moments=(AT - YEAR,))
    assert (Answer.UNKNOWN, ("the certificate of chain is not valid yet",)) == (proof.answer, proof.moments[0].barren)
    assert (None, None) == (proof.cover, proof.cover_of_authorities)


@pytest.mark.parametrize(
    ("issuer", "is_path"),
    [
        (certified("Issuing CA", "New Root", path_length=0), True),
        (certified("Issuing CA", "New Root", not_after=AT - timedelta(days=1)), False),
        (certified("Issuing CA", "New Root", not_before=AT + timedelta(days=1)), False),
        (certified("Issuing CA", "New Root", ca=False), False),
        (certified("Issuing CA", "New Root", usage=False), True),
        (certified("Issuing CA", "New Root", signer="Somebody"), False),
        (certified("Issuing CA", "New Root", extensions=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)]), False),
        (certified("Issuing CA", "New Root", extensions=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False)]), True),
        (certified("Issuing CA", "New Root", extensions=[(x509.NameConstraints([x509.DNSName("bank.example")], None), True)]), True),
        (certified("Issuing CA", "New Root", extensions=[(x509.NameConstraints([x509.DNSName("other.example")], None), True)]), False),
        (certified("Issuing CA", "New Root", extensions=[(x509.NameConstraints(None, [x509.DNSName(".bank.example")]), True)]), False),
        (certified("Issuing CA", "New Root", extensions=[(x509.NameConstraints(None, [x509.DNSName(".api.bank.example")]), True)]), True),
        (certified("Issuing CA", "New Root", extensions=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]), False),
    ],
    ids=["path-length", "expired", "not-yet", "no-authority", "no-usage", "signature", "purpose", "any-purpose", "permitted", "not-permitted", "excluded", "not-excluded", "strange"],
)  # fmt: skip
def test_what_an_intermediate_says_decides_about_its_paths(issuer: Certificate, is_path: bool) -> None:
    """Dates, usages, constraints and the signature of an intermediate are heeded by both ways of building."""
    proof = _proof(policy(LEAF), [Start("chain", LEAF, (issuer,))], {"new": [NEW]})
    assert is_path == bool(proof.moments[0].found)
    if is_path:
        assert frozenset(Builder) == proof.moments[0].found[0].builders


def test_path_length_counts_authorities_that_are_not_self_issued() -> None:
    """A path length of none below it lets a self-issued authority stand below, and no other."""
    limited = root("New Root", path_length=0)
    assert not _proof(policy(LEAF), [Start("chain", LEAF, (ISSUER,))], {"new": [limited]}).moments[0].found
    rolled = certified("New Root", "New Root", held="New Root's next key", signer="New Root")
    direct = leaf("New Root", signer="New Root's next key")
    proof = _proof(policy(direct), [Start("chain", direct, (rolled,))], {"new": [limited]})
    assert [(2, frozenset(Builder))] == [(len(found.authorities), found.builders) for found in proof.moments[0].found]


def test_intermediate_in_a_store_is_an_anchor_and_a_way_on() -> None:
    """A path may end at a trusted intermediate or go on from it; OpenSSL without partial chains goes on."""
    proof = _proof(policy(NEW), [Start("chain", LEAF, (ISSUER,))], {"odd": [ISSUER, NEW]})
    ends = {tuple(one.shown for one in found.authorities): found.builders for found in proof.moments[0].found}
    assert {
        ("CN=Issuing CA",): frozenset({Builder.EVERY_WAY}),
        ("CN=Issuing CA", "CN=New Root"): frozenset(Builder),
    } == ends
    assert [["Issuing CA"]] == _names(proof)
    only = _proof(policy(NEW), [START], {"odd": [ISSUER, NEW]}, builders=frozenset({Builder.OPENSSL}))
    assert Answer.SURVIVES is only.answer


def test_self_signed_leaf_in_a_store_is_its_own_path() -> None:
    """A self-signed certificate that is trusted itself is a whole path."""
    own = certified("leaf", "leaf", ca=False)
    proof = _proof(policy(own), [Start("chain", own)], {"own": [own]})
    assert (Answer.SURVIVES, [()]) == (proof.answer, [found.authorities for found in proof.moments[0].found])
    changed = _proof(policy(own), [Start("chain", own)], {"own": [own]}, leaf_key=LeafKey.NEW)
    assert (Answer.BREAKS, None) == (changed.answer, changed.cover)


def test_openssl_stops_at_the_first_trust_anchor() -> None:
    """OpenSSL takes the trusted root before the presented cross-sign, and does not come back when that path fails."""
    both = _proof(policy(NEW), [START], {"both": [OLD, NEW]}, builders=frozenset({Builder.OPENSSL}))
    assert [["CN=Issuing CA", "CN=New Root"]] == [
        [one.shown for one in found.authorities] for found in both.moments[0].found
    ]
    bad = root("New Root", path_length=0)
    stuck = _proof(policy(NEW), [START], {"both": [OLD, bad]})
    assert {frozenset({Builder.EVERY_WAY})} == {found.builders for found in stuck.moments[0].found}
    assert ("chain leads to no root of both (openssl)",) == stuck.moments[0].barren


def test_leaf_for_another_purpose_has_no_path() -> None:
    """A certificate that is none of a TLS server is on no path at all."""
    proof = _proof(
        policy(ISSUER),
        [
            Start(
                "chain",
                certified(
                    "x",
                    "Issuing CA",
                    ca=True,
                    extensions=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)],
                ),
                (ISSUER,),
            )
        ],
        {"new": [NEW]},
    )
    assert (Answer.UNKNOWN, ("the certificate of chain is not one of a TLS server",)) == (
        proof.answer,
        proof.moments[0].barren,
    )


def _mesh(size: int) -> tuple[list[Certificate], list[Certificate]]:
    names = [f"Mesh {number}" for number in range(size)]
    crossed = [certified(one, other) for one in names for other in names if one != other]
    return crossed, [root(one) for one in names]


def test_graph_that_explodes_is_never_called_survived() -> None:
    """Beyond the limit the answer is that there are more paths, even where every path seen holds a pin."""
    crossed, roots = _mesh(7)
    start = Start("chain", leaf("Mesh 0"), tuple(crossed))
    proof = _proof(policy(start.leaf), [start], {"all": roots[-1:]}, limits=Limits(paths=100))
    assert (Answer.UNKNOWN, "more than 100 paths", 100) == (
        proof.answer,
        proof.moments[0].cut,
        len(proof.moments[0].found),
    )
    steps = _proof(policy(start.leaf), [start], {"all": roots[-1:]}, limits=Limits(steps=50))
    assert "more than 50 steps" == steps.moments[0].cut
    deep = _proof(
        policy(start.leaf),
        [start],
        {"all": roots[-1:]},
        limits=Limits(authorities=2),
        builders=frozenset({Builder.EVERY_WAY}),
    )
    assert 1 == len(deep.moments[0].found)
    assert "there are paths with more than 2 authorities" == deep.moments[0].cut


def test_limit_of_paths_is_one_for_all_stores() -> None:
    """Paths of several stores count together."""
    crossed, roots = _mesh(4)
    start = Start("chain", leaf("Mesh 0"), tuple(crossed))
    whole = _proof(policy(start.leaf), [start], {"a": roots[1:2], "b": roots[2:3]})
    half = len(whole.moments[0].found) // 2
    cut = _proof(policy(start.leaf), [start], {"a": roots[1:2], "b": roots[2:3]}, limits=Limits(paths=half + 1))
    assert f"more than {half + 1} paths" == cut.moments[0].cut


def test_host_that_is_not_pinned_cannot_be_asked_about() -> None:
    """Proving needs pins to prove."""
    from pinscher.policy import Policy

    text = f'format = 1\nname = "x"\nversion = 1\n[hosts."{HOST}"]\nunpinned = "why not"\n'
    with pytest.raises(ValueError, match="does not pin"):
        _ = _proof(Policy.loads(text), [START], {"new": [NEW]}).cover


def test_every_moment_advances_the_progress() -> None:
    """Somebody who waits is told after each moment."""
    told: list[int] = []
    question = Question(HOST, policy(LEAF), (START,), (TrustStore("new", (NEW,)),), (AT, AT + YEAR))
    prove(question, advance=lambda: told.append(1))
    assert [1, 1] == told


def test_dates_of_the_authorities_are_those_of_the_moment() -> None:
    """An intermediate that will have expired is on no path then."""
    short = certified("Issuing CA", "New Root", not_before=LONG_AGO, not_after=AT + YEAR)
    proof = _proof(policy(LEAF), [Start("chain", LEAF, (short,))], {"new": [NEW]}, moments=(AT, AT + 2 * YEAR))
    assert [1, 0] == [len(moment.found) for moment in proof.moments]
    assert LATER == NEW.not_after


def test_key_of_a_path_is_shown_by_its_longest_certificate() -> None:
    """Of several certificates of one key the one that lasts longest gives it its name."""
    again = root("New Root", not_after=LATER + YEAR)
    proof = _proof(policy(LEAF), [START], {"new": [NEW], "again": [again]})
    assert (again, LEAF) == (proof.certificates[NEW.key], proof.certificates[LEAF.key])


def test_openssl_gives_up_at_its_depth_and_in_a_circle() -> None:
    """A presented chain of a hundred and more authorities, or one that leads back to itself, ends."""
    long = [certified(f"Link {number}", f"Link {number + 1}", held="link", signer="link") for number in range(102)]
    top = root("Link 102", held="link")
    start = Start("chain", leaf("Link 0", signer="link"), tuple(long))
    proof = _proof(policy(start.leaf), [start], {"top": [top]}, builders=frozenset({Builder.OPENSSL}))
    assert () == proof.moments[0].found
    trusted = [NEW_BY_OLD, certified("Old Root", "New Root")]
    circle = _proof(policy(LEAF), [START], {"circle": trusted}, builders=frozenset({Builder.OPENSSL}))
    assert () == circle.moments[0].found


def test_openssl_is_led_astray_by_a_name() -> None:
    """Without key identifiers OpenSSL takes the first issuer of the right name, and fails where its key is wrong."""
    nameless = certified("leaf", "Issuing CA", ca=False, identified=False)
    wrong = certified("Issuing CA", "New Root", held="wrong")
    lost = _proof(policy(nameless), [Start("chain", nameless, (wrong, ISSUER))], {"new": [NEW]})
    assert [frozenset({Builder.EVERY_WAY})] == [found.builders for found in lost.moments[0].found]
