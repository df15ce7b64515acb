"""What a release is made from: its licences, its bill of materials, and the workflows that make it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent.parent
EXTRAS = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
DIRECT = sorted({canonicalize_name(Requirement(one).name) for group in EXTRAS.values() for one in group} - {"pinscher"})
COMPILED = (HERE / "requirements" / "all.txt").read_text(encoding="utf-8")
WORKFLOWS = sorted((HERE / ".github" / "workflows").glob("*.yml"))


def test_every_licence_is_known_and_accepted() -> None:
    """
    Everything that the extras install states a licence that the tool accepts, and everything direct is listed.

    What is built from the system's headers is not there where they are not; CI has them.
    """
    command = [sys.executable, HERE / "tools" / "licences.py"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (0, "") == (answer.returncode, answer.stderr)
    listed = {line.split(" | ")[0].removeprefix("| ") for line in answer.stdout.splitlines()}
    is_built = bool(os.environ.get("CI")) or importlib.util.find_spec("tpm2_pytss") is not None
    assert set() == set(DIRECT) - listed - (set() if is_built else {"tpm2-pytss"})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("MIT License and Python Software Foundation License", True),
        ("GNU General Public License v3 (GPLv3)", False),
        ("", False),
    ],
)
def test_a_licence_is_accepted_by_its_words(words: str, expected: bool) -> None:
    """One accepted way of several is enough, every part of one way must be accepted, and silence is not."""
    program = f"import sys; sys.path.insert(0, 'tools'); import licences; print(licences.is_accepted({words!r}))"
    answer = subprocess.run([sys.executable, "-c", program], cwd=HERE, capture_output=True, text=True, check=True)
    assert f"{expected}\n" == answer.stdout


@pytest.mark.parametrize("name", DIRECT)
def test_the_bill_of_materials_names_what_an_extra_needs(name: str, bill: dict[str, Any]) -> None:
    """The bill names every package of every extra, in one version that the extra allows, with a hash."""
    component = next(one for one in bill["components"] if canonicalize_name(one["name"]) == name)
    wanted = [Requirement(one) for group in EXTRAS.values() for one in group]
    assert all(one.specifier.contains(component["version"]) for one in wanted if canonicalize_name(one.name) == name)
    assert [] != component["externalReferences"][0]["hashes"]


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the bill of materials as ``make dist`` makes it."""
    written = tmp_path_factory.mktemp("bill") / "pinscher.cdx.json"
    command = ["requirements", "--pyproject", "pyproject.toml", "--output-reproducible", "--output-format", "JSON"]
    subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", *command, "--output-file", written, "requirements/all.txt"],
        cwd=HERE, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    document: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    return document


def test_the_bill_is_about_pinscher(bill: dict[str, Any]) -> None:
    """The bill says what it is a bill of."""
    assert "pinscher" == bill["metadata"]["component"]["name"]


def test_every_version_has_a_hash() -> None:
    """Each line of the compiled file is one version, and has at least one hash; none names an index."""
    blocks = re.findall(r"^(\S+==\S+)[^\n]*((?:\n    [^\n]*)*)", COMPILED, re.MULTILINE)
    assert [] == [name for name, hashes in blocks if "--hash=sha256:" not in hashes]
    assert len(blocks) == len([line for line in COMPILED.splitlines() if not line.startswith(" ")])
    assert "://" not in COMPILED


OLDEST = (HERE / "requirements" / "oldest.in").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", sorted({one for group in EXTRAS.values() for one in group if "pinscher" not in one}))
def test_the_oldest_that_is_allowed_is_what_is_tested(text: str) -> None:
    """A lower bound of an extra is the version that the oldest set has, or the first that was released under it."""
    allowed = Requirement(text)
    lines = [Requirement(line) for line in OLDEST.splitlines() if "==" in line]
    tested = next(str(line.specifier).removeprefix("==") for line in lines if line.name == allowed.name)
    bound = next(one.version for one in allowed.specifier if one.operator == ">=")
    assert allowed.specifier.contains(tested)
    assert tested == bound or tested.startswith(f"{bound}.0.")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_given_no_more_than_it_needs(path: Path) -> None:
    """A workflow begins with no right to write; a job that may sign runs no code of the tree and is given no secret."""
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    assert "secrets." not in text
    for job in workflow["jobs"].values():
        if "id-token" in job.get("permissions", {}):
            assert [] == [step for step in job["steps"] if "run" in step or "checkout" in step.get("uses", "")]


def test_the_gate_is_the_one_of_the_tree() -> None:
    """CI runs ``.ci/run`` and nothing of its own, and a release what ``make dist`` makes."""
    gate = yaml.safe_load((HERE / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    commands = [step["run"] for step in gate["jobs"]["run"]["steps"] if "run" in step]
    assert [True] == [command.endswith(" .ci/run") for command in commands]
    release = yaml.safe_load((HERE / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    assert "make dist" in [step.get("run") for step in release["jobs"]["build"]["steps"]]
