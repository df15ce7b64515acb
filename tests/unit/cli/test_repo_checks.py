"""``--chain`` of ``pinscher repo publish``, ``withdraw`` and ``override``: survive and the gate before a publication."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pinscher.cli.app import run
from pinscher.lab.authority import Authority
from pinscher.pin import Pin

if TYPE_CHECKING:
    from pathlib import Path

HOST = "api.bank.com"
ROOT, STRANGE = Authority.root("Bank Root"), Authority.root("Strange Root")
MIDDLE = ROOT.intermediate("Bank Middle")
SERVED, NEXT = MIDDLE.issue(HOST), MIDDLE.issue(HOST)
BACKUP = Pin.of(STRANGE.certificate)
PUBLISH = ["repo", "publish", "repo", "pins.toml", "--dry-run", "--json"]
CHAINED = [*PUBLISH, "--trust", "ca.pem", "--chain", f"{HOST}=served.pem"]


def _policy(*pins: Pin, host: str = HOST) -> str:
    told = ", ".join(f'"{pin}"' for pin in pins)
    head = 'format = 1\nname = "app"\nversion = 1\n'
    return f'{head}[hosts."{host}"]\npins = [{told}]\nbackup-pins = ["{BACKUP}"]\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a repository that has published nothing, chains and a policy of the served key."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "served.pem").write_bytes(SERVED.chain_pem)
    (tmp_path / "next.pem").write_bytes(NEXT.chain_pem)
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    (tmp_path / "strange.pem").write_bytes(STRANGE.pem)
    (tmp_path / "pins.toml").write_text(_policy(Pin.of(SERVED.der)))
    assert [0, 0] == [run(["repo", "key", name]) for name in ("a.key", "online.key")]
    who = ["--root", "a.key.pub", "--root-threshold", "1", "--signer", "a.key.pub", "--threshold", "1"]
    assert 0 == run(["repo", "init", "repo", *who, "--online", "online.key.pub", "--key", "a.key"])
    return tmp_path


def _objections(capsys: pytest.CaptureFixture[str], arguments: list[str], *, code: int) -> dict[str, str]:
    """Run a publication, and return the names of the objections to it with their texts."""
    capsys.readouterr()
    assert code == run(arguments), capsys.readouterr()
    return {one["name"]: one["text"] for one in json.loads(capsys.readouterr().out)["objections"]}


def test_policy_that_holds_every_path_is_published(capsys: pytest.CaptureFixture[str]) -> None:
    """A policy with a pin on every path of what the server presents meets no objection."""
    assert {} == _objections(capsys, CHAINED, code=0)


def test_without_chains_nothing_is_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a chain neither survive nor the gate is asked (rule 3)."""
    (folder / "pins.toml").write_text(_policy(Pin.of(NEXT.der)))
    assert {} == _objections(capsys, PUBLISH, code=0)


def test_path_without_a_pin_is_refused_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy that lacks a pin of what is served is refused by both, and published when both are accepted by name."""
    (folder / "pins.toml").write_text(_policy(Pin.of(NEXT.der)))
    found = _objections(capsys, CHAINED, code=1)
    told = f"{HOST}: 1 of 1 paths without a pin, the first is CN={HOST} <- CN=Bank Middle <- CN=Bank Root"
    assert {"survive:breaks", "gate:refuses"} == set(found)
    assert told == found["survive:breaks"]
    assert found["gate:refuses"].startswith(f"{HOST}: the new policy: no-matching-pin: CN={HOST} <- ")
    assert {"survive:breaks"} == set(_objections(capsys, [*CHAINED, "--accept", "gate:refuses"], code=1))
    assert set(found) == set(
        _objections(capsys, [*CHAINED, "--accept", "gate:refuses", "--accept", "survive:breaks"], code=0)
    )


def test_no_path_is_no_proof(capsys: pytest.CaptureFixture[str]) -> None:
    """Chains that lead to no trusted root prove nothing, and that is an objection of its own (rule 1)."""
    arguments = [*PUBLISH, "--trust", "strange.pem", "--chain", f"{HOST}=served.pem"]
    found = _objections(capsys, arguments, code=1)
    assert f"{HOST}: the chain of {HOST} leads to no root of strange.pem (every-way)" in found["survive:unknown"]
    assert {"survive:unknown"} == set(found)


def test_host_that_is_not_pinned_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A chain of a host that the policy does not pin proves nothing of it (rule 1)."""
    arguments = [*PUBLISH, "--trust", "ca.pem", "--chain", "other.bank.com=served.pem"]
    assert {"survive:not-pinned"} == set(_objections(capsys, arguments, code=1))


def test_released_version_that_refuses_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A released version that refuses what is served, or cannot be judged, is an objection with its share (rule 2)."""
    rows = [("1.0", _policy(Pin.of(NEXT.der))), ("2.0", _policy(Pin.of(SERVED.der)))]
    rows += [("3.0", _policy(Pin.of(NEXT.der), host="other.bank.com"))]
    for version, text in rows:
        (folder / f"{version}.toml").write_text(text)
    (folder / "deployments.toml").write_text(
        "format = 1\n"
        + "".join(
            f'[[deployments]]\napplication = "app"\nversion = "{version}"\npolicy = "{version}.toml"\nshare = 0.25\n'
            for version, _ in rows
        )
    )
    found = _objections(capsys, [*CHAINED, "--deployments", "deployments.toml"], code=1)
    assert {"gate:refuses"} == set(found)
    assert found["gate:refuses"].startswith(f"{HOST}: app 1.0 (25 %): no-matching-pin: ")
    (folder / "1.0.toml").write_text(_policy(Pin.of(ROOT.certificate)))
    arguments = [
        *PUBLISH,
        "--trust",
        "strange.pem",
        "--chain",
        f"{HOST}=served.pem",
        "--deployments",
        "deployments.toml",
    ]
    assert {"survive:unknown", "gate:cannot-tell"} == set(_objections(capsys, arguments, code=1))


def test_several_chains_of_a_host_are_all_proved(capsys: pytest.CaptureFixture[str]) -> None:
    """A host that presents several chains needs a pin on every path of each."""
    found = _objections(capsys, [*CHAINED, "--chain", f"{HOST}=next.pem"], code=1)
    assert found["survive:breaks"].startswith(f"{HOST}: 1 of 2 paths without a pin")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--deployments", "deployments.toml"], "give --chain HOST=FILE as well"),
        (["--chain", "served.pem"], "expected HOST=FILE, found 'served.pem'"),
        (["--chain", "a..b=served.pem"], "invalid value for '--chain'"),
        (["--chain", f"{HOST}=nowhere.pem"], "cannot read 'nowhere.pem'"),
        (["--chain", f"{HOST}=served.pem", "--trust", "pins.toml"], "the trust store 'pins.toml' cannot be used"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Evidence that cannot be used is one error, and nothing is staged."""
    capsys.readouterr()
    assert 2 == run([*PUBLISH, *arguments])
    told = capsys.readouterr()
    assert ("", 1) == (told.out, told.err.count("error:"))
    assert message in told.err


EVERY_KEY = ["--key", "a.key", "--online-key", "online.key"]


@pytest.fixture
def published(folder: Path) -> Path:
    """Return the folder after its policy, of the served key alone, was published."""
    (folder / "pins.toml").write_text(_policy(Pin.of(SERVED.der)) + 'on-mismatch = ["override", "abort"]\n')
    assert 0 == run(["repo", "publish", "repo", "pins.toml", *EVERY_KEY])
    return folder


@pytest.mark.usefixtures("published")
def test_withdrawal_needs_no_chain_and_can_be_given_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A key is withdrawn by one command; what the server presents afterwards is proved when it is told (rule 3)."""
    line = ["repo", "withdraw", "repo", str(Pin.of(SERVED.der)), "--instead", str(Pin.of(NEXT.der)), "--json"]
    line += ["--accept", "diff:key-accepted", "--dry-run"]
    assert {"diff:key-accepted"} == set(_objections(capsys, line, code=0))
    chained = [*line, "--trust", "ca.pem", "--chain"]
    assert {"diff:key-accepted"} == set(_objections(capsys, [*chained, f"{HOST}=next.pem"], code=0))
    assert {"survive:breaks", "gate:refuses"} == set(_objections(capsys, [*chained, f"{HOST}=served.pem"], code=1))


@pytest.mark.usefixtures("published")
def test_emergency_policy_is_held_to_what_is_served(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """An emergency policy that would not accept what the server presents is refused, and nothing is staged."""
    line = ["repo", "override", "repo", "--host", HOST, "--hours", "4", "--json", "--trust", "ca.pem"]
    chained = [*line, "--chain", f"{HOST}=next.pem", *EVERY_KEY]
    assert {"survive:breaks", "gate:refuses"} == set(
        _objections(capsys, [*chained, "--pin", str(Pin.of(SERVED.der))], code=1)
    )
    assert [] == list((folder / "repo" / "staging").glob("*.json"))
    assert {} == _objections(capsys, [*chained, "--pin", str(Pin.of(NEXT.der))], code=0)
    meant = ["--accept", "survive:breaks", "--accept", "gate:refuses"]
    found = _objections(capsys, [*chained, "--pin", str(Pin.of(SERVED.der)), *meant], code=0)
    assert {"survive:breaks", "gate:refuses"} == set(found)


def test_the_moment_of_the_judgement_can_be_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--at`` moves what the checks judge by, and what is signed begins now all the same."""
    (folder / "pins.toml").write_text(_policy(Pin.of(SERVED.der)))
    later = [*CHAINED, "--at", "2199-01-01"]
    assert {"survive:unknown", "gate:refuses"} == set(_objections(capsys, later, code=1))
    assert 0 == run(["repo", "publish", "repo", "pins.toml", "--at", "2001-01-01", *EVERY_KEY])
    assert 0 == run(["repo", "status", "repo"])
