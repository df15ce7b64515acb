"""The demonstration, played with the real mitmproxy; it fails when the check is taken out."""

from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from pinscher.cli.app import run
from pinscher.lab import demonstration
from pinscher.lab.mitmdump import MitmproxyMissingError, provide_mitmdump
from pinscher.tls.judgement import ConnectionGate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def mitmdump() -> tuple[str, ...]:
    """Return the real mitmproxy's command, installing it where it is not there yet."""
    try:
        return provide_mitmdump(progress=print)
    except MitmproxyMissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"mitmproxy cannot be had here: {error}")


def test_every_step_comes_out_as_it_must(mitmdump: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Unpinned, the interceptor reads the password; pinned, it reads nothing; renewal and rotation go on working."""
    assert 0 == run(["demo"])
    shown = capsys.readouterr().out
    assert f"mitmproxy read 138 bytes: user=ada&password={demonstration.PASSWORD}" in shown
    assert "pinned, mitmproxy in between: refused\n  mitmproxy read 0 bytes" in shown
    assert "cause: intercepted by mitmproxy" in shown
    assert 7 == shown.count("  as it must")


def test_json_has_the_documented_fields(mitmdump: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """The machine-readable answer names every step, what was expected, what happened and the evidence."""
    assert 0 == run(["demo", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["right"]
    assert {"title", "expected", "happened", "right", "evidence", "detail"} == set(answer["steps"][0])
    assert 7 == len(answer["steps"])


def test_it_fails_without_the_check(
    mitmdump: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the judgement taken out of the context, the steps that must be refused are not, and the exit code is 1."""
    monkeypatch.setattr(ConnectionGate, "after", lambda *_: lambda: None)
    assert 1 == run(["demo", "--json"])
    wrong = [step["title"] for step in json.loads(capsys.readouterr().out)["steps"] if not step["right"]]
    assert ["pinned, mitmproxy in between", "pinned, a rogue key under the right authority"] == wrong


def test_it_leaves_nothing_behind(mitmdump: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key, certificate and log of a demonstration is gone when it ends."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert 0 == run(["demo"])
    assert [] == list(tmp_path.iterdir())


def test_a_missing_mitmdump_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """A mitmdump that is named and not there is an error of one line."""
    assert 2 == run(["demo", "--mitmdump", "/nowhere/mitmdump"])
    assert "pinscher: error:" in capsys.readouterr().err
