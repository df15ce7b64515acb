"""Where the real mitmproxy comes from; nothing is installed by these tests."""

from __future__ import annotations

import importlib.resources
import os
import re
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from pinscher.lab import mitmdump
from pinscher.lab.mitmdump import MitmproxyMissingError, environment_directory, find_mitmdump, provide_mitmdump

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without mitmproxy, whose cache is the directory returned."""
    monkeypatch.delenv("PINSCHER_MITMDUMP", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def program(path: Path) -> Path:
    """Put a program at *path*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_path_named_comes_first(nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is named wins over the environment variable, that over the PATH, and that over the cache."""
    cached = program(environment_directory() / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    assert str(cached) == find_mitmdump()[0]
    on_path = program(tmp_path / "bin" / "mitmdump")
    assert (str(on_path),) == find_mitmdump()
    in_variable = program(tmp_path / "variable")
    monkeypatch.setenv("PINSCHER_MITMDUMP", str(in_variable))
    assert (str(in_variable),) == find_mitmdump()
    assert (str(program(tmp_path / "named")),) == find_mitmdump(tmp_path / "named") == provide_mitmdump(
        tmp_path / "named", progress=pytest.fail
    )  # fmt: skip


def test_a_machine_without_mitmproxy(nowhere: Path) -> None:
    """Without mitmproxy the message says where it was looked for and what to do."""
    with pytest.raises(
        MitmproxyMissingError, match=r"no mitmdump found: not in PINSCHER_MITMDUMP, .*install mitmproxy"
    ):
        find_mitmdump()


def test_a_path_that_is_no_program(nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that was named and is no program is an error, and nothing is installed in its place."""
    with pytest.raises(MitmproxyMissingError, match="is not a program"):
        provide_mitmdump(tmp_path / "missing", progress=pytest.fail)
    monkeypatch.setenv("PINSCHER_MITMDUMP", str(tmp_path / "also\x1bmissing"))
    with pytest.raises(MitmproxyMissingError, match=r"also\\\\x1bmissing"):
        provide_mitmdump(progress=pytest.fail)


def test_a_failed_installation_leaves_nothing(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that fails says what pip said, and removes what it began."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(nowhere))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    said: list[str] = []
    with pytest.raises(MitmproxyMissingError, match=r"(?s)could not be installed, .*pip.*No matching distribution"):
        provide_mitmdump(progress=said.append)
    assert ["making an environment", "upgrading its pip"] == [" ".join(line.split()[:3]) for line in said]
    assert [] == list((nowhere / "pinscher").iterdir())


def test_the_first_of_two_installers_wins(nowhere: Path, tmp_path: Path) -> None:
    """An environment that another process put in place first is kept, and a broken one is replaced."""
    final = environment_directory()
    for name in ("first", "second"):
        program(tmp_path / name / "bin" / "python").with_name("name").write_text(name)
    final.parent.mkdir(parents=True)
    (final / "broken").mkdir(parents=True)
    for name in ("first", "second"):
        mitmdump._put_in_place(tmp_path / name, final)
        assert (final / "bin" / "name").read_text() == "first"
    assert not (final / "broken").exists()


@pytest.mark.parametrize("name", ["mitmproxy-py311.txt", "mitmproxy-py312.txt", "pip.txt"])
def test_everything_installed_is_pinned_by_hash(name: str) -> None:
    """Each package that is installed is pinned to a version and hashes, and none comes from an address."""
    text = importlib.resources.files("pinscher.lab").joinpath("data", name).read_text("utf-8")
    packages = re.sub(r"\\\n\s+", "", text).splitlines()
    assert all(
        re.fullmatch(r"[\w.-]+==[\w.]+( ; [^\\]+?)? ?(--hash=sha256:[0-9a-f]{64} ?)+", line) for line in packages
    )
    assert "://" not in text


def test_the_environment_is_told_apart_by_versions(nowhere: Path) -> None:
    """The environment's directory names mitmproxy's version and Python's."""
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    assert nowhere / "pinscher" == environment_directory().parent
    assert re.fullmatch(rf"mitmproxy-1[12]\.\d+\.\d+-{python}", environment_directory().name)
