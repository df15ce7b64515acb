"""``pinscher lint``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.lab.authority import Authority
from pinscher.pin import Pin

if TYPE_CHECKING:
    from pathlib import Path

A = "sha256/NahLU0GZuWlQxC5iyWPffbj545x3cCad5I+tsIssZ4M="
B = "sha256/Vjs8r4z+80wjNcr1YKepWQboSIRi63WsWXhIMN+eWys="
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
    path.write_text(f'{HEAD}[hosts."a.example"]\nunpinned = "public"\n')
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
    assert (set(missing), set(good)) == ({"policy", "error"}, {"policy", "findings"})


def test_json_has_the_documented_fields(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer has exactly the documented fields."""
    main(["lint", "--json", str(policies / "lonely.toml")])
    (result,) = json.loads(capsys.readouterr().out)["results"]
    (finding,) = result["findings"]
    assert set(finding) == {"rule", "severity", "confidence", "text", "remedy", "path", "line", "column"}
    assert (finding["rule"], finding["path"]) == ("backup-pin", 'hosts."a.example"')
    assert (4, 2, "high") == (finding["line"], finding["column"], finding["confidence"])


def test_time_and_facts_of_an_answer_are_told(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer says which moment counted as now, so that it can be had again, and how old the facts are."""
    main(["lint", "--json", "--at", "2027-03-01", str(policies / "good.toml")])
    answer = json.loads(capsys.readouterr().out)
    assert ("2027-03-01T00:00:00Z", "2026-11-21") == (answer["at"], answer["facts"])


@pytest.mark.parametrize("at", ["yesterday", "2027-03-01T00:00:00", "2027-02-30", "0001-01-01T00:00:00+14:00"])
def test_unusable_moment_is_a_usage_error(policies: Path, at: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A moment without its offset, or that is none, is a usage error that shows the two forms."""
    assert main(["lint", "--at", at, str(policies / "good.toml")]) == 2
    assert "expected a day such as 2027-03-01" in capsys.readouterr().err


def test_expiry_is_judged_at_the_moment_given(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same policy is good on one day and found on another."""
    path = policies / "good.toml"
    path.write_text(f"{GOOD}expires = 2027-11-01T00:00:00Z\n")
    assert main(["lint", "--at", "2027-01-01", str(path)]) == 0
    assert main(["lint", "--at", "2027-10-20T12:00:00+02:00", str(path)]) == 1
    assert "expires in 11 days" in capsys.readouterr().out


def test_sarif_is_the_answer_of_code_review(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The SARIF answer has a result for each finding at its place, and a notification for a file that is not there."""
    names = [str(policies / name) for name in ("lonely.toml", "good.toml", "none.toml")]
    assert main(["lint", "--sarif", *names]) == 1
    (ran,) = json.loads(capsys.readouterr().out)["runs"]
    assert ["backup-pin", "backup-offline"] == [result["ruleId"] for result in ran["results"]]
    place = ran["results"][0]["locations"][0]["physicalLocation"]
    assert {"startLine": 4, "startColumn": 2} == place["region"]
    assert place["artifactLocation"]["uri"].endswith("/lonely.toml")
    assert ran["invocations"][0]["executionSuccessful"] is False


def test_two_answers_at_once_are_a_usage_error(policies: Path) -> None:
    """JSON and SARIF together are a usage error."""
    assert main(["lint", "--sarif", "--json", str(policies / "good.toml")]) == 2


def test_chain_says_who_issues(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A chain that is handed in lets the rules know the host's certificate, and how long it lasts."""
    held = Authority.root().intermediate().issue("a.example")
    (policies / "chain.pem").write_bytes(held.chain_pem)
    path = policies / "lonely.toml"
    path.write_text(f'{HEAD}[hosts."a.example"]\npins = ["{Pin.of(held.der)}"]\n')
    assert main(["lint", "--chain", f"A.example={policies / 'chain.pem'}", str(path)]) == 1
    assert "[leaf-only] a.example is pinned by leaf keys alone, and its certificate lasts 8 days" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("chain", "why"),
    [
        ("a.example", "expected HOST=FILE"),
        ("a..b=x.pem", "it has an empty label"),
        ("a.example=key.pem", "private key"),
    ],
)
def test_unusable_chain_is_no_answer(
    policies: Path, monkeypatch: pytest.MonkeyPatch, chain: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A chain without its host, of no host, or that holds something other than certificates is a usage error."""
    monkeypatch.chdir(policies)
    (policies / "key.pem").write_bytes(Authority.root().issue("a.example").key_pem)
    assert main(["lint", "--chain", chain, "good.toml"]) == 2
    assert why in capsys.readouterr().err


def test_facts_can_be_replaced(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of facts takes the place of the shipped one, and one that cannot be read is no answer."""
    facts = policies / "facts.json"
    facts.write_text('{"format": 1, "date": "2030-01-01", "authorities": [], "networks": []}')
    assert main(["lint", "--json", "--ca-facts", str(facts), str(policies / "good.toml")]) == 0
    assert "2030-01-01" == json.loads(capsys.readouterr().out)["facts"]
    facts.write_text("{")
    assert main(["lint", "--ca-facts", str(facts), str(policies / "good.toml")]) == 2
    assert f"{facts}: not JSON at line 1" in capsys.readouterr().err
