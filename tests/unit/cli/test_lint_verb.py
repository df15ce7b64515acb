"""``pinscher lint``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main

if TYPE_CHECKING:
    from pathlib import Path

A, B = (f"sha256/{letter * 43}=" for letter in "AE")
HEAD = 'format = 1\nname = "x"\nversion = 1\n'
GOOD = f'{HEAD}[hosts."a.example"]\npins = ["{A}"]\nbackup-pins = ["{B}"]\n'
LONELY = f'{HEAD}[hosts."a.example"]\npins = ["{A}"]\n'
ODD = f'{HEAD}\n[hosts."a.example"]\npins = ["sha1/x"]\n'


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """Return a folder with a good policy, one without a backup pin, and one that cannot be read."""
    for name, text in (("good", GOOD), ("lonely", LONELY), ("odd", ODD)):
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


def test_good_policy_is_a_good_answer(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy in which nothing is found is a good answer that says so."""
    path = policies / "good.toml"
    assert (main(["lint", str(path)]), capsys.readouterr().out) == (0, f"{path}: nothing found\n")


def test_missing_backup_pin_is_found(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A host without a backup pin is a warning with its rule and its remedy, and exit 1."""
    path = policies / "lonely.toml"
    assert main(["lint", str(path)]) == 1
    finding, remedy = capsys.readouterr().out.splitlines()
    assert finding.startswith(str(path))
    assert "warning [backup-pin] a.example has no backup pin" in finding
    assert remedy.startswith("  remedy: ")


def test_unreadable_policy_is_found(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy document that cannot be read is an error with the line, and exit 1."""
    path = policies / "odd.toml"
    assert main(["lint", str(path)]) == 1
    assert capsys.readouterr().out.startswith(f"{path}:6: error [well-formed] ")


@pytest.mark.parametrize(
    ("name", "threshold", "code"),
    [("lonely", "information", 1), ("lonely", "warning", 1), ("lonely", "error", 0), ("odd", "error", 1)],
)
def test_threshold_decides_the_exit_code(policies: Path, name: str, threshold: str, code: int) -> None:
    """Only a finding at or above --fail-on makes exit 1."""
    assert main(["lint", "--fail-on", threshold, str(policies / f"{name}.toml")]) == code


def test_missing_file_is_no_answer(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy that is not there is no answer, and no finding."""
    assert main(["lint", "--json", str(policies / "none.toml"), str(policies / "good.toml")]) == 2
    missing, good = json.loads(capsys.readouterr().out)["results"]
    assert (set(missing), good["findings"]) == ({"policy", "error"}, [])


def test_json_has_the_documented_fields(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer has exactly the documented fields."""
    main(["lint", "--json", str(policies / "lonely.toml")])
    (result,) = json.loads(capsys.readouterr().out)["results"]
    (finding,) = result["findings"]
    assert set(finding) == {"rule", "severity", "text", "remedy", "path", "line"}
    assert (finding["rule"], finding["path"]) == ("backup-pin", 'hosts."a.example"')
