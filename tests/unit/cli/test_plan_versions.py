"""``pinscher plan --deployments``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = (f"sha256/{letter * 43}=" for letter in "AEI")
BASE = ["plan", "api.bank.example", "--at", "2026-11-21", "--days", "100", "--lifetime", "100", "--share", "94"]
RELEASED = [*BASE, "--deployments", "deployments.toml"]
ENTRY = '[[deployments]]\napplication = "app"\nversion = "{}"\npolicy = "{}.toml"\n{}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with three released versions: one key, two keys, and an authority's."""
    monkeypatch.chdir(tmp_path)
    head = 'format = 1\nname = "bank"\nversion = '
    for version, (name, text) in enumerate(
        {
            "one": f'[hosts."api.bank.example"]\npins = ["{A}"]\n',
            "two": f'[hosts."api.bank.example"]\npins = ["{A}", "{B}"]\n',
            "root": f'[keys.ca]\npin = "{C}"\nrole = "root"\n[hosts."api.bank.example"]\npins = ["ca"]\n',
        }.items(),
        1,
    ):
        (tmp_path / f"{name}.toml").write_text(f"{head}{version}\n{text}")
    rows = [
        ("2.3", "one", "since = 2026-10-02\nshare = 0.10"),
        ("2.2", "root", "since = 2026-10-02\nshare = 0.02"),
        ("2.4", "two", "since = 2026-11-01\nshare = 0.88"),
    ]
    (tmp_path / "deployments.toml").write_text("format = 1\n" + "".join(ENTRY.format(*row) for row in rows))
    return tmp_path


def test_curve_is_learned_and_steps_name_versions(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a curve it is learned from what was released, and a late step names the versions that it breaks."""
    assert 0 == main([*RELEASED, "--next-pin", B])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "adoption: learned from what was released: 88 % after 20 days, 100 % after 50 days" in lines
    assert "94 % of the clients have a pin 35 days after it is published" in lines
    assert "breaks: app 2.3 (10 %)" in lines
    assert "cannot tell: app 2.2 (2 %), which pin an authority too" in lines
    assert "breaks: app 2.3 (10 %), app 2.2 (2 %), app 2.4 (88 %)" in lines


def test_key_without_a_pin_is_not_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    """Whom a late pin breaks is not known where nobody says which pin it is."""
    assert 0 == main(RELEASED)
    assert "breaks: not known; name the pin of key 1 with --next-pin" in capsys.readouterr().out


def test_refresh_and_a_given_curve_are_heeded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The refresh interval is added to a learned curve, and a given curve stands in its place."""
    assert 0 == main([*RELEASED, "--refresh", "24"])
    assert "94 % of the clients have a pin 36 days" in capsys.readouterr().out
    (folder / "curve.csv").write_text("0,100\n")
    assert 0 == main([*RELEASED, "--refresh", "24", "--adoption", "curve.csv"])
    out = capsys.readouterr().out
    assert "94 % of the clients have a pin 1 day" in out
    assert "learned" not in out


def test_json_has_what_the_help_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON has the curve, and for each step the versions that it breaks, their shares and those in doubt."""
    assert 0 == main([*RELEASED, "--next-pin", B, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert [[20, 88], [50, 100]] == answer["adoption"]
    pin, switch, unpin = answer["steps"][:3]
    first = {"file": "one.toml", "application": "app", "version": "2.3", "share": "0.1"}
    assert ("pin", [first], {"app": "0.1"}) == (pin["kind"], pin["versions"], pin["shares"])
    assert ["2.2"] == [one["version"] for one in pin["unclear"]]
    assert ("switch", 3, {"app": "1.00"}) == (switch["kind"], len(switch["versions"]), switch["shares"])
    assert ("unpin", [], {}, []) == (unpin["kind"], unpin["versions"], unpin["shares"], unpin["unclear"])


def test_clients_of_yesterday_are_counted_beside_a_step(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many of yesterday's clients a late step breaks is told, and no day is another one because of it."""
    versions = {1: 41, 2: 900, 3: 9, 4: 50}
    lines = [
        {"application": "app", "policy": "bank", "version": one, "installs": count} for one, count in versions.items()
    ]
    (folder / "yesterday.json").write_text(json.dumps({"clients": lines}))
    asked = [*RELEASED, "--next-pin", B]
    assert 0 == main(asked)
    before = capsys.readouterr().out.splitlines()
    assert 0 == main([*asked, "--clients", "yesterday.json"])
    after = capsys.readouterr().out.splitlines()
    told = "clients: 41 of yesterday's 1,000 would refuse (bank 1: 41), and of 59 it is not known"
    assert told in [line.strip() for line in after]
    assert before == [line for line in after if not line.lstrip().startswith("clients:")]
    assert 0 == main([*asked, "--clients", "yesterday.json", "--json"])
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert {"clients": 1000, "refusing": 41, "unknown": 59} == steps[0]["clients"]
    assert {"clients": 1000, "refusing": 950, "unknown": 50} == steps[1]["clients"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*BASE, "--refresh", "1", "--next-pin", B], "--next-pin is looked for in what was released"),
        ([*RELEASED, "--next-pin", "sha256/x"], "invalid value for '--next-pin'"),
        ([*RELEASED[:1], "other.example", *RELEASED[2:]], "deployments.toml: no released version pins other.example"),
        ([*RELEASED[:1], "x-.example", *RELEASED[2:]], "hyphen"),
        ([*BASE, "--deployments", "nowhere.toml"], "cannot read 'nowhere.toml'"),
        ([*BASE, "--refresh", "1", "--clients", "deployments.toml"], "give --deployments as well"),
        ([*RELEASED, "--clients", "deployments.toml"], "deployments.toml: expected a JSON object"),
    ],
)
def test_what_cannot_be_planned_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """A pin, a host or an inventory that cannot be used is one error, and no plan."""
    assert 2 == main(arguments)
    told = capsys.readouterr()
    assert ("", 1) == (told.out, told.err.count("error:"))
    assert message in told.err
