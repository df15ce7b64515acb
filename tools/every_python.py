"""
Run the test suite on every supported Python that is found, each in an environment of its own under ``.venvs``.

It says which interpreters were found and which were not, and fails when one of ``REQUIRED`` is missing in CI. What is the
same whatever Python runs it is left out, and named: ``make test`` has it, on any Python. With ``--find 3.13 3.12`` it
prints the first of these that is found, and runs nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
REQUIRED = ("3.11", "3.12", "3.13")
WELCOME = ("3.14", "pypy3.11")
ONCE = (
    "tests/packaging",
    "tests/test_architecture.py",
    "tests/test_benchmark_page.py",
    "tests/test_changes.py",
    "tests/test_distribution.py",
    "tests/test_docs.py",
    "tests/test_docs_blocks.py",
    "tests/test_docs_each_client.py",
    "tests/test_hooks.py",
    "tests/test_hooks_in_a_cluster.py",
    "tests/test_how_to_past_one_machine.py",
    "tests/test_how_to_probe.py",
    "tests/test_how_to_updates.py",
    "tests/test_man_pages.py",
    "tests/test_release_tools.py",
    "tests/test_review_hooks.py",
    "tests/test_supply_chain.py",
    "tests/test_tutorial.py",
    "tests/unit/formats/test_emitted.py",
    "tests/unit/formats/test_okhttp.py",
    "tests/unit/formats/test_react_native.py",
    "tests/unit/monitor/test_cluster.py",
    "tests/unit/monitor/test_dashboard_browser.py",
    "tests/unit/store/test_kills.py",
)
"""Tests of pages, packages, sources, browsers, other languages' compilers, and whole processes that are killed."""


def find(version: str) -> str | None:
    """Return an interpreter of the version: from PATH, or among pyenv's."""
    name = version if version.startswith("pypy") else f"python{version}"
    candidates = [shutil.which(name)]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    if not root.is_dir() and shutil.which("pyenv"):
        root = (
            Path(subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout.strip())
            / "versions"
        )
    candidates += [str(path) for path in sorted(root.glob(f"{version}*/bin/python3"), reverse=True)]
    return next((path for path in candidates if path and _runs(path, version)), None)


def _runs(path: str, version: str) -> bool:
    asked = (
        "import sys; print('%s%d.%d' % ('pypy' if sys.implementation.name == 'pypy' else '', *sys.version_info[:2]))"
    )
    answer = subprocess.run([path, "-c", asked], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == version


def prepare(python: str, version: str) -> Path:
    """Make the environment of one interpreter, or use the one that is there, and return its Python."""
    home = HERE / ".venvs" / f"test-{version}"
    inside, stamp = home / "bin" / "python", home / ".made"
    names = ["pip", "build", "test", *(["tpm"] if _has_headers_of_a_tpm(version) else [])]
    wanted = "".join((HERE / "requirements" / f"{name}.txt").read_text() for name in names)
    if not stamp.exists() or stamp.read_text() != wanted:
        run([python, "-m", "venv", "--clear", str(home)])
        for name in names:
            run([str(inside), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", f"requirements/{name}.txt"])
        stamp.write_text(wanted)
    run([str(inside), "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", "."])
    return inside


def _has_headers_of_a_tpm(version: str) -> bool:
    """Say whether what the tests of a TPM need can be built here."""
    program = shutil.which("pkg-config")
    if program is None or version.startswith("pypy"):
        return False
    return subprocess.run([program, "--exists", "tss2-esys"], check=False).returncode == 0


def run(command: list[str]) -> None:
    """Run a command here; its failure is ours."""
    subprocess.run(command, cwd=HERE, check=True)


def first_of(versions: list[str]) -> int:
    """Print the first of the versions that is found, or say that none is."""
    for path in filter(None, map(find, versions)):
        print(path)
        return 0
    print(f"none of these Pythons is found: {', '.join(versions)}", file=sys.stderr)
    return 1


def main() -> int:
    """Test every interpreter but the one that runs this, which 'make test' has tested; or find the first of some."""
    if sys.argv[1:2] == ["--find"]:
        return first_of(sys.argv[2:])
    own = "{}.{}".format(*sys.version_info[:2])
    wanted = os.environ.get("PYTHONS", " ".join(REQUIRED + WELCOME)).split()
    failed, missing = [], []
    for version in wanted:
        if version == own:
            continue
        python = find(version)
        if python is None:
            missing.append(version)
            continue
        print(f"== Python {version}: {python}", flush=True)
        inside = prepare(python, version)
        left_out = [f"--ignore={path}" for path in ONCE]
        command = [str(inside), "-m", "pytest", "-n", "2", "-q", "-o", "faulthandler_exit_on_timeout=true", *left_out]
        tested = subprocess.run(command, cwd=HERE, check=False)
        if tested.returncode:
            failed.append(version)
    print(f"left out, for one Python is enough: {', '.join(ONCE)}")
    print(f"not found here: {', '.join(missing) or 'none'}; failed: {', '.join(failed) or 'none'}")
    lacking = [version for version in missing if version in REQUIRED and os.environ.get("CI")]
    return 1 if failed or lacking else 0


if __name__ == "__main__":
    sys.exit(main())
