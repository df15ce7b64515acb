"""The mobile projects' pin files, kept from one policy by the workflow that the example shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .bank import EXAMPLES

PROJECT = EXAMPLES / "mobile-pin-files"
WORKFLOW = yaml.safe_load((PROJECT / "pins.yml").read_text(encoding="utf-8"))
STEPS = [step for step in WORKFLOW["jobs"]["pins"]["steps"] if "run" in step]
ANDROID = Path("android/app/src/main/res/xml/network_security_config.xml")
APPLE = Path("ios/Pins.plist")
OLD, NEW = "NahLU0GZuWlQxC5iyWPffbj545x3cCad5I+tsIssZ4M=", "glTDKakoUPbVOd03b0gW7idkUX2l4CNVFK9DMWRIDXo="


def _ran(command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    nobody = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@a.example", "GIT_CONFIG_GLOBAL": os.devnull}
    nobody |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@a.example", "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command], cwd=folder, capture_output=True, text=True, check=False,
        timeout=60, env=os.environ | nobody | {"PATH": path} | more,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The example as a repository of its own, with one commit."""
    copied = tmp_path / "project"
    shutil.copytree(PROJECT, copied)
    assert 0 == _ran("git init -q && git add . && git commit -q -m first", copied).returncode
    return copied


def _job(project: Path, *, base: str = "HEAD") -> str | None:
    """Run the job's steps as CI does, but for the installation; return the name of the step that fails, or None."""
    for step in STEPS:
        if "name" not in step:
            assert "pip install 'pinscher[cli]'" == step["run"]
        elif _ran(step["run"], project, BASE=base).returncode:
            return str(step["name"])
    return None


def test_the_files_are_what_the_policy_says(tmp_path: Path) -> None:
    """Both files of the example are, octet by octet, what its policy is written as today."""
    copied = shutil.copytree(PROJECT, tmp_path / "project")
    for name in (ANDROID, APPLE):
        (copied / name).unlink()
    written = _ran("./export.sh", copied)
    assert 0 == written.returncode, written.stderr
    assert [(PROJECT / name).read_bytes() for name in (ANDROID, APPLE)] == [
        (copied / name).read_bytes() for name in (ANDROID, APPLE)
    ]


def test_the_job_passes_where_nothing_drifted(project: Path) -> None:
    """The workflow's job is green on the example as it stands."""
    assert _job(project) is None


@pytest.mark.parametrize("name", [ANDROID, APPLE], ids=["android", "apple"])
def test_a_file_that_was_edited_by_hand_fails(project: Path, name: Path) -> None:
    """A pin changed in one platform's file alone fails the job."""
    (project / name).write_text((project / name).read_text().replace(OLD, NEW))
    assert 0 == _ran("git commit -qam second", project).returncode
    assert "the platforms' files are what the policy says" == _job(project)


def test_a_policy_without_its_files_fails(project: Path) -> None:
    """A key changed in the policy alone fails the job; written out it gets as far as the weakening that it is."""
    policy = project / "pins.toml"
    policy.write_text(policy.read_text().replace(OLD, NEW).replace("version = 3", "version = 4"))
    assert 0 == _ran("git commit -qam second", project).returncode
    assert "the platforms' files are what the policy says" == _job(project)
    assert 0 == _ran("./export.sh && git commit -qam third", project).returncode
    assert "nothing is weakened unseen" == _job(project, base="HEAD~2")
    assert _job(project) is None


def test_a_policy_that_a_platform_cannot_say_leaves_the_old_file(project: Path) -> None:
    """Where a target cannot express the policy, the export fails and the file that was there stays."""
    before = (project / ANDROID).read_bytes()
    policy = project / "pins.toml"
    policy.write_text(policy.read_text().replace("api.bank.example", "*.bank.example"))
    refused = _ran("./export.sh", project)
    assert 2 == refused.returncode
    assert "[one-label]" in refused.stderr
    assert before == (project / ANDROID).read_bytes()


def test_the_workflow_may_only_read() -> None:
    """The workflow asks for no right to write and for no secret."""
    assert {"contents": "read"} == WORKFLOW["permissions"]
    assert "secrets." not in (PROJECT / "pins.yml").read_text(encoding="utf-8")
