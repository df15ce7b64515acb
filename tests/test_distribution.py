"""What is released: the wheel and the source archive, built twice and installed where nothing else is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
IGNORED = [line.strip("/") for line in (HERE / ".gitignore").read_text(encoding="utf-8").splitlines()]
LEFT_OUT = shutil.ignore_patterns(".git", *IGNORED)
"""What no release is made from: other tests make and remove such files here while the tree is copied."""
COMMITTED_AT = "1795219200"
"""Stands for the time of the last commit, which is what ``make dist`` dates every file of a release by."""


@dataclass(frozen=True, slots=True)
class Released:
    """The two files of a release."""

    wheel: Path
    archive: Path

    @property
    def in_wheel(self) -> set[str]:
        """The names in the wheel."""
        with zipfile.ZipFile(self.wheel) as opened:
            return set(opened.namelist())

    @property
    def in_archive(self) -> set[str]:
        """The names in the source archive, without the folder that all of them are in."""
        with tarfile.open(self.archive) as opened:
            return {name.partition("/")[2] for name in opened.getnames()}

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of each file by its name."""
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.wheel, self.archive)}


def _built(tree: Path, umask: int, **surroundings: str) -> Released:
    shutil.copytree(HERE, tree, ignore=LEFT_OUT, symlinks=True)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", tree / "dist", tree],
        check=True, capture_output=True, timeout=120, umask=umask,
        env={**os.environ, "SOURCE_DATE_EPOCH": COMMITTED_AT, **surroundings},
    )  # fmt: skip
    return Released(*sorted((tree / "dist").iterdir(), key=lambda path: path.suffix, reverse=True))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Return a release that was built once for the tests of this file."""
    return _built(tmp_path_factory.mktemp("release") / "tree", 0o022)


@pytest.fixture(scope="module")
def empty(released: Released, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that holds the wheel, and neither pip nor anything else."""
    home = tmp_path_factory.mktemp("empty")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True, timeout=60)
    inside = home / "bin" / "python"
    command = [
        "-m",
        "pip",
        "--python",
        str(inside),
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        str(released.wheel),
    ]
    subprocess.run([sys.executable, *command], check=True, timeout=60)
    return inside


def _asked(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    surroundings = {"PATH": "/usr/bin:/bin", "HOME": str(python.parent)}
    command = [str(python), "-I", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=surroundings)


def test_two_builds_are_the_same_bytes(released: Released, tmp_path: Path) -> None:
    """A second build, from another folder, with another umask, time zone and order of hashes, has the same bytes."""
    again = _built(tmp_path / "elsewhere" / "tree", 0o077, TZ="Asia/Kathmandu", PYTHONHASHSEED="7", LC_ALL="C")
    assert released.digests == again.digests


def test_the_index_would_take_it(released: Released) -> None:
    """What the package index checks of a release before it takes it finds nothing, not even something to warn of."""
    command = [sys.executable, "-m", "twine", "check", "--strict", released.wheel, released.archive]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert 0 == checked.returncode, checked.stdout


def test_the_wheel_holds_what_the_package_reads(released: Released) -> None:
    """Every file of the package is in the wheel: what is imported, and each table, certificate and start-up file."""
    source = HERE / "src"
    files = {
        path.relative_to(source).as_posix()
        for path in (source / "pinscher").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "_version.py"
    }
    assert set() == files - released.in_wheel
    wanted = {".json", ".pem", ".typed"}
    assert wanted == {Path(name).suffix for name in files} & wanted
    assert "pinscher/clients/running/startup/sitecustomize.py" in released.in_wheel


def test_the_wheel_holds_nothing_else(released: Released) -> None:
    """A wheel brings the package and its description, and no test, tool or compiled file."""
    tops = {name.split("/")[0].partition("-")[0] for name in released.in_wheel}
    assert {"pinscher"} == tops
    assert [] == [name for name in released.in_wheel if name.endswith(".pyc")]


@pytest.mark.parametrize(
    "folder",
    ["src", "tests", "tools", "docs", "examples", "packaging", "fuzz", "benchmarks", "requirements", "changes.d"],
)
def test_the_archive_holds_what_the_release_is_checked_with(released: Released, folder: str) -> None:
    """The source archive has every file of the folders that tests and documentation are made from."""
    left_out = {"__pycache__", "out", "build", "dist", "site"}
    files = {
        path.relative_to(HERE).as_posix()
        for path in (HERE / folder).rglob("*")
        if path.is_file() and not left_out & set(path.relative_to(HERE).parts) and path.name != "_version.py"
    }
    assert set() == files - released.in_archive
    assert files


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md", "Makefile", "pyproject.toml"])
def test_the_archive_holds_the_pages_beside_it(released: Released, name: str) -> None:
    """The source archive has what stands beside the folders."""
    assert name in released.in_archive


def test_the_package_needs_nothing(released: Released) -> None:
    """Without an extra, the wheel asks for no other package."""
    with zipfile.ZipFile(released.wheel) as opened:
        name = next(name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(opened.read(name))
    assert [] == [needed for needed in metadata.get_all("Requires-Dist", []) if "extra ==" not in needed]


ROOMS = ["tls", "diagnosis", "reports", "clients", "clients.injection", "clients.guard", "clients.forwarder", "cli"]


@pytest.mark.parametrize("room", ["verdict", "policy", *ROOMS])
def test_a_room_without_an_extra_can_be_imported(empty: Path, room: str) -> None:
    """What needs no extra is imported where nothing but the wheel is installed."""
    answer = _asked(empty, "-c", f"import pinscher.{room}")
    assert (0, "") == (answer.returncode, answer.stderr)


def test_every_other_module_says_what_to_install(empty: Path) -> None:
    """Each module of the wheel is imported in an empty environment, or names a package that is not installed."""
    program = """
import importlib, pkgutil, sys, pinscher
own = {"pinscher", *sys.stdlib_module_names}
for one in pkgutil.walk_packages(pinscher.__path__, "pinscher.", onerror=lambda name: None):
    if one.name.endswith(("__main__", ".addon", ".sitecustomize")):
        continue
    try:
        importlib.import_module(one.name)
    except ImportError as error:
        if (error.name or "").partition(".")[0] in own or not (error.name or "install" in error.msg):
            print(one.name, repr(error))
"""
    answer = _asked(empty, "-W", "error", "-c", program)
    assert (0, "") == (answer.returncode, answer.stdout), answer.stderr


def test_a_pinned_context_is_made_from_the_wheel(empty: Path) -> None:
    """A policy is read and a context made from it by the wheel alone, and its version is the distribution's."""
    program = """
import importlib.metadata, pinscher
pin = "sha256/glTDKakoUPbVOd03b0gW7idkUX2l4CNVFK9DMWRIDXo="
policy = pinscher.Policy.loads(f'format = 1\\nname = "n"\\nversion = 1\\n[hosts."a.example"]\\npins = ["{pin}"]\\n')
print(pinscher.PinnedContext(policy).policy.name, pinscher.__version__ == importlib.metadata.version("pinscher"))
"""
    answer = _asked(empty, "-c", program)
    assert (0, "n True\n") == (answer.returncode, answer.stdout), answer.stderr


def test_the_command_says_which_extra_it_needs(empty: Path) -> None:
    """The installed command, without its extra, says in one sentence what to install and exits 2."""
    command = empty.parent / "pinscher"
    answer = subprocess.run([command, "doctor"], capture_output=True, text=True, check=False, timeout=60)
    assert (2, "") == (answer.returncode, answer.stdout)
    assert "pinscher: hint: install it with: pip install 'pinscher[cli]'\n" in answer.stderr
