"""The deployment gate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.probe.buildable import buildable_paths, names_of
from pinscher.rotation.deployments import Deployment
from pinscher.rotation.gate import Answer, Deployed, Judgement, NewCertificate, gate
from pinscher.verdict import Outcome

AT = datetime.now(UTC)
ROOT, OTHER = Authority.root("Root"), Authority.root("Other Root")
MIDDLE = ROOT.intermediate("Middle")
CROSSED = MIDDLE.cross_signed_by(OTHER)
OLD = MIDDLE.issue("a.test")
NEW = MIDDLE.issue("a.test", "*.b.test")
PIN = {"old": Pin.of(OLD.der), "new": Pin.of(NEW.der), "middle": Pin.of(MIDDLE.certificate),
       "root": Pin.of(ROOT.certificate), "other": Pin.of(OTHER.certificate)}  # fmt: skip


def _policy(entry: str, host: str = "a.test", more: str = "") -> Policy:
    return Policy.loads(f'format = 1\nname = "x"\nversion = 1\n{more}[hosts."{host}"]\n{entry}\n')


def _pins(*names: str) -> str:
    return "pins = [" + ", ".join(f'"{PIN[name]}"' for name in names) + "]"


def _new(
    held: HeldCertificate = NEW,
    chain: tuple[Authority, ...] = (MIDDLE,),
    roots: tuple[Authority, ...] = (ROOT,),
    at: datetime = AT,
) -> NewCertificate:
    others, trusted = [one.certificate for one in chain], [one.certificate for one in roots]
    return NewCertificate(
        held.der, names_of(held.der), at, lambda host: buildable_paths(held.der, others, trusted, host=host, at=at)
    )


def _one(policy: Policy, new: NewCertificate, host: str = "a.test") -> Answer:
    (answer,) = gate(new, [Deployed("pins.toml", policy)], hosts=[host])
    return answer


@pytest.mark.parametrize("name", ["new", "middle", "root"])
def test_certificate_with_a_pin_on_its_path_is_accepted(name: str) -> None:
    """A pin of the leaf, of the intermediate or of the root on the only path is an acceptance that names it."""
    answer = _one(_policy(_pins(name)), _new())
    assert (Judgement.ACCEPTS, f"pin {PIN[name]}", PIN[name]) == (answer.judgement, answer.text, answer.matched)
    assert "" == answer.advice


def test_certificate_that_the_backup_pin_covers_is_accepted() -> None:
    """A backup pin accepts, and the answer says that it is the backup."""
    answer = _one(_policy(f'{_pins("old")}\nbackup-pins = ["{PIN["new"]}"]'), _new())
    assert (Judgement.ACCEPTS, f"backup pin {PIN['new']}") == (answer.judgement, answer.text)


def test_certificate_without_a_pin_is_refused() -> None:
    """A new key on a path without a pin is refused, with the path, and told what to do."""
    answer = _one(_policy(_pins("old", "other")), _new())
    assert (Judgement.REFUSES, Outcome.NO_MATCHING_PIN) == (answer.judgement, answer.outcome)
    assert "no-matching-pin: CN=a.test <- CN=Middle <- CN=Root" == answer.text
    assert f"or wait until clients have {PIN['new']}" in answer.advice


def test_one_path_without_a_pin_is_a_refusal() -> None:
    """Where a client can build two paths and one has no pin, that one is a possible refusal and is told."""
    new = _new(chain=(MIDDLE, CROSSED), roots=(ROOT, OTHER))
    answer = _one(_policy(_pins("root")), new)
    assert Judgement.REFUSES is answer.judgement
    assert "no-matching-pin on 1 of 2 paths: CN=a.test <- CN=Middle <- CN=Other Root" == answer.text
    assert "pin a key of every path" in answer.advice
    assert Judgement.ACCEPTS is _one(_policy(_pins("root", "other")), new).judgement
    assert Judgement.ACCEPTS is _one(_policy(_pins("middle")), new).judgement


def test_denied_key_is_refused_beside_a_pin() -> None:
    """A denied key on any path refuses, although another key on it is pinned."""
    policy = _policy(f'{_pins("new")}\ndenied-keys = ["{PIN["other"]}"]')
    answer = _one(policy, _new(chain=(MIDDLE, CROSSED), roots=(ROOT, OTHER)))
    assert (Judgement.REFUSES, Outcome.DENIED_KEY) == (answer.judgement, answer.outcome)
    assert "denied on purpose" in answer.advice


def test_policy_that_only_reports_refuses_nothing() -> None:
    """A policy in report-only mode lets the certificate through, and the answer says that it reports."""
    day = AT.date().isoformat()
    policy = _policy(f'{_pins("old")}\nmode = "report-only"\nreport-only-since = {day}')
    assert Judgement.REPORTS is _one(policy, _new()).judgement


@pytest.mark.parametrize("chain", [(MIDDLE,), ()])
def test_policy_past_its_date_is_judged_as_it_will_be(chain: tuple[Authority, ...]) -> None:
    """A policy that fails at its expiry refuses past it, and one that reports does not, with a chain and without."""
    day = "expires = 2020-01-01T00:00:00Z\non-expiry = "
    keys = f'[keys.old]\npin = "{PIN["old"]}"\nrole = "leaf"\n'
    failing = _one(_policy(f'{_pins("new")}\n{day}"fail"'), _new(chain=chain))
    assert (Judgement.REFUSES, Outcome.POLICY_EXPIRED) == (failing.judgement, failing.outcome)
    assert "ship a policy that has not expired" in failing.advice
    reporting = _one(_policy(f'pins = ["old"]\n{day}"report"', more=keys), _new(chain=chain))
    assert (Judgement.REPORTS, Outcome.NO_MATCHING_PIN) == (reporting.judgement, reporting.outcome)


def test_without_a_chain_a_leaf_pin_is_enough() -> None:
    """Without a validated path, a pin of the certificate's own key accepts: it is on every path."""
    answer = _one(_policy(_pins("new")), _new(chain=()))
    assert (Judgement.ACCEPTS, PIN["new"]) == (answer.judgement, answer.matched)
    assert "its chain was not looked at" in answer.text
    backup = _policy(f'{_pins("old")}\nbackup-pins = ["{PIN["new"]}"]')
    assert _one(backup, _new(chain=())).text.startswith("backup pin ")


def test_without_a_chain_a_pinned_authority_cannot_be_told() -> None:
    """Without a validated path, a policy that may pin above the leaf cannot be judged, and says what to hand in."""
    for policy in (_policy(_pins("root")), _policy(f'{_pins("new")}\ndenied-keys = ["{PIN["other"]}"]')):
        answer = _one(policy, _new(chain=()))
        assert Judgement.CANNOT_TELL is answer.judgement
        assert "is the issuer CN=Middle" in answer.text
        assert "--chain" in answer.advice


def test_without_a_chain_leaf_keys_alone_are_judged() -> None:
    """Without a validated path, a policy whose keys are all leaves' refuses another key, and a denied leaf is refused."""
    keys = f'[keys.old]\npin = "{PIN["old"]}"\nrole = "leaf"\n'
    answer = _one(_policy('pins = ["old"]', more=keys), _new(chain=()))
    assert (Judgement.REFUSES, Outcome.NO_MATCHING_PIN) == (answer.judgement, answer.outcome)
    denied = _one(_policy(f'{_pins("old")}\ndenied-keys = ["{PIN["new"]}"]'), _new(chain=()))
    assert (Judgement.REFUSES, Outcome.DENIED_KEY) == (denied.judgement, denied.outcome)


def test_path_that_only_a_lenient_client_builds_is_a_doubt() -> None:
    """A path that the verifier refuses is no refusal; where it has no pin or a denied key, the answer is a doubt."""
    below = OTHER.intermediate("Below", path_length=0).intermediate("Too Deep")
    crossed = MIDDLE.cross_signed_by(below)
    parent = below.parent
    assert parent is not None
    new = _new(chain=(MIDDLE, crossed, below, parent), roots=(ROOT, OTHER))
    assert [1, 1] == [len(part) for part in (new.paths("a.test").validated, new.paths("a.test").doubtful)]
    answer = _one(_policy(_pins("root")), new)
    assert Judgement.CANNOT_TELL is answer.judgement
    assert "CN=a.test <- CN=Middle <- CN=Too Deep <- CN=Below <- CN=Other Root" in answer.text
    assert Judgement.ACCEPTS is _one(_policy(_pins("middle")), new).judgement
    denied = _policy(f'{_pins("middle")}\ndenied-keys = ["{PIN["other"]}"]')
    assert Judgement.CANNOT_TELL is _one(denied, new).judgement


def test_host_that_the_certificate_does_not_name_is_refused() -> None:
    """A certificate that does not name a listed host is refused by every client of it, whatever it pins."""
    answer = _one(_policy(_pins("new"), "c.test"), _new(), "c.test")
    assert (Judgement.REFUSES, None) == (answer.judgement, answer.outcome)
    assert "the certificate does not name it, but a.test, *.b.test" == answer.text


@pytest.mark.parametrize(("days", "told"), [(30, "the certificate expired on"), (-30, "is not valid before")])
def test_certificate_out_of_its_dates_is_refused(days: int, told: str) -> None:
    """A certificate that is not valid at the moment asked about is refused, and told so."""
    answer = _one(_policy(_pins("new")), _new(at=AT + timedelta(days=days)))
    assert (Judgement.REFUSES, True) == (answer.judgement, told in answer.text)
    assert "--at" in answer.advice


def test_host_that_a_policy_does_not_list_is_not_asked_about() -> None:
    """A policy is not asked about a host that it does not list, and accepts one that it does not pin."""
    assert Judgement.NOT_LISTED is _one(_policy(_pins("old"), "c.test"), _new()).judgement
    assert Judgement.ACCEPTS is _one(_policy('unpinned = "why"'), _new(chain=())).judgement


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("x.b.test", ["a.test", "x.b.test"]),
        ("*.b.test", ["a.test", "*.b.test"]),
        ("**.test", ["a.test", "*.b.test"]),
        ("x.y.b.test", ["a.test", "*.b.test"]),
    ],
)
def test_hosts_come_from_the_certificate(listed: str, asked: list[str]) -> None:
    """Without a host all that the certificate names are asked about, a wildcard by the hosts that a policy lists."""
    answers = gate(_new(), [Deployed("pins.toml", _policy(_pins("root"), listed))])
    assert asked == [answer.host for answer in answers]


def test_names_that_no_client_looks_up_are_passed_over() -> None:
    """A name of the certificate that is no host is passed over, and so is a certificate without names."""
    new = NewCertificate(NEW.der, ("not a host", "**.a.test"), AT, lambda _: pytest.fail("no path is needed"))
    assert () == gate(new, [Deployed("pins.toml", _policy(_pins("new")))])
    assert not new.covers("a.test")


def test_client_is_called_by_its_release() -> None:
    """A deployed policy is called by the release that ships it, or by its file."""
    policy = _policy(_pins("new"))
    release = Deployment("bank", "2.3", "pins.toml", policy, share=Decimal("0.3"))
    assert ["pins.toml", "bank 2.3"] == [
        Deployed("pins.toml", policy).client, Deployed("pins.toml", policy, release).client,
    ]  # fmt: skip
