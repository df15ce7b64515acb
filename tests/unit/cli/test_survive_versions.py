"""``pinscher survive --deployments``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.lab.encoding import pem
from tests.unit.rotation.survival.worlds import HOST, certified, leaf, policy, root

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = root("Old Root"), root("New Root")
CROSSED = certified("New Root", "Old Root")
LEAF = leaf("New Root")
BASE = ["survive", HOST, "--chain", "chain.pem", "--trust", "roots.pem", "--at", "2026-11-21"]
RELEASED = [*BASE, "--deployments", "deployments.toml"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a host below a root that another has cross-signed, and four released versions."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chain.pem").write_bytes(pem("CERTIFICATE", LEAF.der, CROSSED.der))
    (tmp_path / "roots.pem").write_bytes(pem("CERTIFICATE", OLD.der, NEW.der))
    for name, pinned in (("old", OLD), ("new", NEW), ("leaf", LEAF)):
        (tmp_path / f"{name}.toml").write_text(policy(pinned).to_toml())
    (tmp_path / "none.toml").write_text(policy(NEW).to_toml().replace(HOST, "other.example"))
    rows = [("1.0", "none", ""), ("2.0", "old", "share = 0.25"), ("2.1", "old", "share = 0.05"), ("3.0", "new", "")]
    _inventory(tmp_path, rows)
    return tmp_path


def _inventory(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    entry = '[[deployments]]\napplication = "app"\nversion = "{}"\npolicy = "{}.toml"\n{}\n'
    (folder / "deployments.toml").write_text("format = 1\n" + "".join(entry.format(*row) for row in rows))


def test_every_released_policy_is_proved(capsys: pytest.CaptureFixture[str]) -> None:
    """Each version is told apart: which survive, which have a path without a pin, and for what share of users."""
    assert 1 == main(RELEASED)
    lines = capsys.readouterr().out.splitlines()
    assert f"{HOST}  BREAKS  trusting roots.pem" == lines[0]
    assert "  not pinned  app 1.0" in lines
    assert "  BREAKS      app 2.0 (25 %)  1 of 2 paths without a pin at 2026-11-21T00:00:00Z" in lines
    assert "  survives    app 3.0" in lines
    assert 1 == lines.count("  a path without a pinned key:")
    assert "have a path without a pin: 30 % of the users of app" == lines[-1]


def test_versions_that_all_survive_are_a_good_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where every released version holds a pin on every path the answer is good."""
    _inventory(folder, [("3.0", "new", "share = 0.5"), ("3.1", "leaf", "share = 0.5")])
    assert 0 == main(RELEASED)
    out = capsys.readouterr().out
    assert f"{HOST}  survives  trusting roots.pem" in out
    assert "without a pin" not in out


def test_policy_and_versions_are_answered_together(capsys: pytest.CaptureFixture[str]) -> None:
    """With a policy too its own answer comes first, and a released version that breaks makes the whole bad."""
    assert 1 == main([*RELEASED, "--policy", "new.toml"])
    out = capsys.readouterr().out
    assert f"{HOST}  survives  trusting roots.pem" in out
    assert "  BREAKS      app 2.1 (5 %)" in out
    assert "1 pin would cover every path" in out


def test_json_has_what_the_help_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON has a row for each version with its moments, and null for what only a policy has."""
    assert 1 == main([*RELEASED, "--json"])
    answer = json.loads(capsys.readouterr().out)
    names = ["host", "policy", "answer", "moments", "cover", "cover_of_authorities", "do_not_pin", "versions", "shares"]
    assert names == list(answer)
    assert (HOST, None, "breaks", None) == (answer["host"], answer["policy"], answer["answer"], answer["moments"])
    told = [
        (one["version"], one["answer"], [moment["broken"] for moment in one["moments"]]) for one in answer["versions"]
    ]
    assert [("1.0", "not-pinned", []), ("2.0", "breaks", [1]), ("2.1", "breaks", [1]), ("3.0", "survives", [0])] == told
    assert {"app": "0.30"} == answer["shares"]
    assert 1 == main([*RELEASED, "--json", "--policy", "new.toml"])
    both = json.loads(capsys.readouterr().out)
    assert ("breaks", [0]) == (both["answer"], [moment["broken"] for moment in both["moments"]])
    assert (names, answer["versions"]) == (list(both), both["versions"])


def test_leaf_pin_is_judged_at_every_moment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is asked about the next key and a later day holds for every released version as well."""
    _inventory(folder, [("1", "leaf", ""), ("2", "new", "")])
    assert 1 == main([*RELEASED, "--new-leaf-key", "--at", "2027-11-21"])
    out = capsys.readouterr().out
    told = "2 of 2 paths without a pin at"
    assert f"  BREAKS      app 1  {told} 2026-11-21T00:00:00Z; {told} 2027-11-21T00:00:00Z" in out
    assert "have a path without a pin: an unknown share of the users of app" in out


@pytest.mark.parametrize(
    ("more", "told"), [(["--most-paths", "1"], "more than 1 paths at"), (["--at", "2050-01-01"], "no path at all at")]
)
def test_no_proof_is_no_survival(folder: Path, capsys: pytest.CaptureFixture[str], more: list[str], told: str) -> None:
    """Too many paths, or none, prove nothing of a released version either."""
    _inventory(folder, [("1", "leaf", "share = 1")])
    assert 2 == main([*RELEASED, *more])
    out = capsys.readouterr().out
    assert f"{HOST}  NOT PROVED" in out
    assert "  NOT PROVED  app 1 (100 %)" in out
    assert told in out


@pytest.mark.parametrize(
    ("arguments", "rows", "message"),
    [
        (BASE, [("1", "new", "")], "no policy was named: give --policy FILE, --deployments FILE or both"),
        (RELEASED, [("1", "none", "")], f"no released version pins {HOST}, so there is nothing to prove"),
        (RELEASED, [("1", "nowhere", "")], "deployments.toml:5: deployments[0].policy: cannot read 'nowhere.toml'"),
    ],
)
def test_what_cannot_be_proved_is_one_clear_error(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    rows: list[tuple[str, str, str]],
    message: str,
) -> None:
    """Without a policy that pins the host, and with an inventory that cannot be read, there is one error."""
    _inventory(folder, rows)
    assert 2 == main(arguments)
    told = capsys.readouterr()
    assert ("", 1) == (told.out, told.err.count("error:"))
    assert message in told.err
