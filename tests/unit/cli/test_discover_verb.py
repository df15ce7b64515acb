"""``pinscher discover``."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.lab.authority import Authority
from pinscher.pin import Pin
from pinscher.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path

CODE = 'URL = "https://api.bank.example/v1"\nheaders = {"X-Api-Key": key}\n'
LOG = 'api.bank.example 10.0.0.1 - bob [10/Oct/2026:13:55:36 +0000] "POST /transfer?token=x HTTP/1.1" 200 1\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with code and a log, which is the working folder."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(CODE)
    (tmp_path / "access.log").write_text(LOG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_json_has_the_documented_fields(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every field that the help names is there."""
    (folder / "src" / "a.bin").write_text("x")
    assert 0 == main(["discover", "--json", "--own", "bank.example", "src", "access.log"])
    told = json.loads(capsys.readouterr().out)
    assert ["endpoints", "files", "skipped", "program"] == list(told)
    (one,) = told["endpoints"]
    assert ("api.bank.example", 100, True) == (one["host"], one["score"], one["deserves"])
    assert {"kind": "money", "name": "transfer", "count": 1} in one["crossed"]
    assert [{"kind": "token", "name": "api key", "count": 1}] == one["beside"]
    assert {"file": "src/app.py", "line": 1} in one["places"]
    assert (2, None) == (told["files"], told["program"])
    (skipped,) = told["skipped"]
    assert {"reason": "no reader for files of this kind", "count": 1,
            "places": [{"file": "src/a.bin", "line": None}]} == skipped  # fmt: skip
    for name in [*told, *one, *skipped]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", "80")
            main(["discover", "--help"])
        assert name in capsys.readouterr().out, name


def test_standard_input_is_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """'-' is read by the reader that is named, or found by how it begins."""
    for arguments in (["-"], ["--as", "log", "-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LOG.encode())))
        assert 0 == main(["discover", *arguments])
        assert "<stdin>:1 (logged)" in capsys.readouterr().out


def test_a_large_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What standard input gives is kept in memory, so it is bounded."""
    monkeypatch.setattr("pinscher.cli.discover._LARGEST_STDIN", 10)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LOG.encode())))
    assert 2 == main(["discover", "-"])
    assert "more than 10 octets; give a large file by its name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected a path, or a program after '--'"),
        (["--"], "expected a program after '--'"),
        (["nowhere"], "cannot read 'nowhere': no such file or directory"),
        (["/dev/null"], "cannot read '/dev/null': expected a regular file or a folder"),
        (["--own", "not a host", "src"], "host 'not a host' cannot be used"),
        (["--chain", "x", "src"], "expected HOST=FILE, found 'x'"),
        (["--chain", "not a host=x", "src"], "host 'not a host' cannot be used"),
        (["--chain", "a.example=key.pem", "src"], "expected certificates, found a private key at key.pem"),
        (["broken.har"], "broken.har:1: damaged: the file ends where a value was expected"),
        (["odd.bin"], "odd.bin: no reader for files of this kind; --as names one"),
        (["--", "no-such-program"], "cannot run 'no-such-program': no such file or directory"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """No answer is exit 2, with the reason."""
    (folder / "key.pem").write_bytes(Authority.root().issue("a.example").key_pem)
    (folder / "broken.har").write_text('{"log": {"entries": [')
    (folder / "odd.bin").write_text("x")
    assert 2 == main(["discover", *arguments])
    assert said in capsys.readouterr().err


def test_what_cannot_be_read_inside_a_folder_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged file of a folder is told with its reason and changes no exit code; named by itself it is exit 2."""
    (folder / "src" / "broken.har").write_text('{"log": {"entries": [')
    assert 0 == main(["discover", "src"])
    told = capsys.readouterr()
    assert "api.bank.example" in told.out
    reason = "src/broken.har:1: damaged: the file ends where a value was expected"
    assert f"pinscher: warning: skipped 1 time, first at {reason}" in told.err
    assert "error:" not in told.err
    assert 2 == main(["discover", "src", "src/broken.har"])
    assert f"pinscher: error: {reason}" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_no_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that was named and cannot be listed is exit 2, whatever else was found."""
    (folder / "closed").mkdir(0)
    assert 2 == main(["discover", "src", "closed"])
    told = capsys.readouterr()
    assert "api.bank.example" in told.out
    assert "pinscher: error: cannot read 'closed': permission denied" in told.err


def test_a_draft_has_the_pins_of_given_certificates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The pin of the leaf that was given, in a file that a policy is loaded from; a host not found is named."""
    held = Authority.root().issue("api.bank.example")
    (folder / "chain.pem").write_bytes(held.chain_pem)
    arguments = [
        "discover",
        "--own",
        "bank.example",
        "--chain",
        "api.bank.example=chain.pem",
        "--chain",
        "b.example=chain.pem",
    ]
    assert 0 == main([*arguments, "--policy-out", "draft.toml", "src"])
    assert "b.example was not found, so its --chain is in no draft" in capsys.readouterr().err
    (entry,) = Policy.load(folder / "draft.toml").hosts
    assert [Pin.of(held.der)] == list(entry.pinset or ())
    assert 2 == main([*arguments, "--policy-out", "draft.toml", "src"]), "an existing file is never replaced"


def test_an_empty_draft_is_not_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no host is found there is no policy to write."""
    (folder / "src" / "app.py").write_text("")
    assert 0 == main(["discover", "--policy-out", "draft.toml", "src"])
    said = capsys.readouterr()
    assert "no endpoint found\n" == said.out
    assert "no draft written to draft.toml" in said.err
    assert not (folder / "draft.toml").exists()


def test_a_programs_exit_code_passes_through(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A watched program's exit code is the verb's, beside paths too."""
    program = "import socket, sys; socket.getaddrinfo('127.0.0.1', 443); sys.exit(5)"
    assert 5 == main(["discover", "--json", "src", "--", sys.executable, "-c", program])
    told = json.loads(capsys.readouterr().out)
    assert (5, ["127.0.0.1", "api.bank.example"]) == (told["program"], sorted(one["host"] for one in told["endpoints"]))


def test_what_is_shown_is_bounded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three places are shown of a host, and how many more there are; a strange name of a file is escaped."""
    (folder / "src" / "a\x1b[31m.py").write_text(CODE * 5)
    assert 0 == main(["discover", "src"])
    out = capsys.readouterr().out
    assert r"src/a\x1b[31m.py:1 (written)" in out
    assert "and 3 times more" in out
