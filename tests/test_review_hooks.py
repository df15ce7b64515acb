"""The pre-commit hooks and the CI action: their structure, and their commands run as they stand."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pinscher.lab.authority import Authority
from pinscher.pin import Pin

HERE = Path(__file__).parent.parent
HOOKS: list[dict[str, Any]] = yaml.safe_load((HERE / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
ACTION: dict[str, Any] = yaml.safe_load((HERE / "action.yml").read_text(encoding="utf-8"))
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"]}
HOST = "api.bank.example"


def _policy(*pins: Pin, version: int = 1, mode: str = "") -> str:
    told = ", ".join(f'"{pin}"' for pin in pins)
    head = f'format = 1\nname = "bank"\nversion = {version}\n'
    return f'{head}[hosts."{HOST}"]\n{mode}pins = [{told}]\nbackup-pins = ["{BACKUP}"]\n'


ROOT = Authority.root()
MIDDLE = ROOT.intermediate()
OLD, NEW = MIDDLE.issue(HOST), MIDDLE.issue(HOST)
BACKUP = Pin.of(MIDDLE.issue(HOST).der)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a policy in its only commit, and certificates beside it."""
    for name, content in {
        "pins.toml": _policy(Pin.of(OLD.der)).encode(), "new.pem": NEW.pem, "old.pem": OLD.pem,
        "chain.pem": MIDDLE.pem, "ca.pem": ROOT.pem,
        "deployments.toml": b'format = 1\n[[deployments]]\napplication = "a"\nversion = "1"\npolicy = "pins.toml"\n',
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x.example"]
    for command in (["init", "--quiet"], ["add", "pins.toml"], ["commit", "--quiet", "--message", "first"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    return tmp_path


def _environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path} | more


def _hook(name: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a hook's entry with arguments, split into words as pre-commit does."""
    entry = next(hook["entry"] for hook in HOOKS if hook["id"] == name)
    return subprocess.run(
        [*shlex.split(entry), *arguments],
        cwd=folder, env=_environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def _step(name: str, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step of the action as a runner does: its script, by its shell, with its inputs in the environment."""
    declared: dict[str, str] = STEPS[name]["env"]
    default = {f"${{{{ inputs.{key} }}}}": value["default"] for key, value in ACTION["inputs"].items()}
    environment = {key: inputs.get(key, default[value]) for key, value in declared.items()}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", STEPS[name]["run"]],
        cwd=folder, env=_environment(**environment, GITHUB_STEP_SUMMARY=str(folder / "summary.md")),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_every_hook_has_what_pre_commit_asks_for() -> None:
    """Each hook has an identifier, a name, an entry, a language and the files that it is for."""
    assert ["pinscher-lint", "pinscher-diff", "pinscher-gate"] == [hook["id"] for hook in HOOKS]
    for hook in HOOKS:
        assert {"id", "name", "description", "entry", "language", "files"} <= set(hook)
        assert ("python", [".[cli]"]) == (hook["language"], hook["additional_dependencies"])


def test_lint_hook_judges_the_files_it_is_given(repository: Path) -> None:
    """The hook for lint passes a policy without findings that count, and fails one with them."""
    assert 0 == _hook("pinscher-lint", repository, "pins.toml").returncode
    (repository / "pins.toml").write_text(_policy(Pin(bytes(32))))
    assert 1 == _hook("pinscher-lint", repository, "pins.toml").returncode


def test_diff_hook_refuses_what_weakens(repository: Path) -> None:
    """The hook for diff passes what has not changed, what is new and what strengthens, and fails a weakening."""
    (repository / "new.toml").write_text(_policy(Pin.of(OLD.der)))
    assert (0, "") == (_hook("pinscher-diff", repository, "pins.toml", "new.toml").returncode, "")
    note = 'note = "x"\n'
    (repository / "pins.toml").write_text(_policy(Pin.of(OLD.der), version=2) + note)
    assert 0 == _hook("pinscher-diff", repository, "pins.toml").returncode
    (repository / "pins.toml").write_text(_policy(Pin.of(OLD.der), Pin.of(NEW.der), version=2))
    weakened = _hook("pinscher-diff", repository, "new.toml", "pins.toml")
    assert (1, True) == (weakened.returncode, "WEAKENS" in weakened.stdout)


def test_gate_hook_asks_what_its_arguments_say(repository: Path) -> None:
    """The hook for the gate passes a certificate that clients accept, and fails one that they refuse."""
    arguments = ["--chain", "chain.pem", "--ca-file", "ca.pem", "--deployments", "deployments.toml"]
    assert 0 == _hook("pinscher-gate", repository, "--new-cert", "old.pem", *arguments).returncode
    assert 1 == _hook("pinscher-gate", repository, "--new-cert", "new.pem", *arguments).returncode


def test_action_is_composed_of_steps_with_a_shell() -> None:
    """Each step of the action has a shell, and its script takes inputs from the environment alone."""
    assert "composite" == ACTION["runs"]["using"]
    assert ["install", "lint", "diff", "gate"] == list(STEPS)
    used = set()
    for step in STEPS.values():
        assert "bash" == step["shell"]
        assert "${{" not in step["run"]
        used |= {value for value in step["env"].values() if "inputs." in value}
    assert {f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]} == used
    assert all({"description", "default"} <= set(value) for value in ACTION["inputs"].values())


def test_lint_step_fails_and_writes_for_code_review(repository: Path) -> None:
    """The step for lint fails for a finding at its severity, and leaves a SARIF file either way."""
    (repository / "b.toml").write_text(_policy(Pin(bytes(32))))
    assert 0 == _step("lint", repository, POLICIES="pins.toml\n").returncode
    both = _step("lint", repository, POLICIES="pins.toml\nb.toml\n", SARIF="x.sarif")
    assert (1, True) == (both.returncode, "[dummy-pin]" in both.stdout)
    written = yaml.safe_load((repository / "x.sarif").read_text())
    assert "dummy-pin" in [result["ruleId"] for result in written["runs"][0]["results"]]


def test_diff_step_fails_for_a_weakening_that_is_not_accepted(repository: Path) -> None:
    """The step for diff fails for a weakening against the base, unless its kind is accepted, and writes the summary."""
    assert 0 == _step("diff", repository, POLICIES="pins.toml\ndeployments.toml\n", BASE="HEAD").returncode
    (repository / "pins.toml").write_text(_policy(Pin.of(OLD.der), Pin.of(NEW.der), version=2))
    weakened = _step("diff", repository, POLICIES="pins.toml", BASE="HEAD")
    assert 1 == weakened.returncode, weakened.stderr
    assert "**WEAKENS**" in (repository / "summary.md").read_text()
    assert 0 == _step("diff", repository, POLICIES="pins.toml", BASE="HEAD", ACCEPT="key-accepted\n").returncode


def test_gate_step_fails_for_a_refusal(repository: Path) -> None:
    """The step for the gate fails for a certificate that a deployed client refuses, and writes the summary."""
    inputs = {"CHAIN": "chain.pem", "CA_FILE": "ca.pem", "HOSTS": f"{HOST}\n"}
    good = _step("gate", repository, NEW_CERT="old.pem", DEPLOYED="pins.toml\n", **inputs)
    assert 0 == good.returncode, good.stderr
    assert 1 == _step("gate", repository, NEW_CERT="new.pem", DEPLOYMENTS="deployments.toml", **inputs).returncode
    summary = (repository / "summary.md").read_text()
    assert ("| accepts | `pins.toml`" in summary, "| **REFUSES** | `a 1`" in summary) == (True, True)
