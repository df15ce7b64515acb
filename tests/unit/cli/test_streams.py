"""Standard streams that are closed, full or left by their reader; the rules are those of ``cli/voice.py``."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pinscher.cli import main
from pinscher.cli.voice import ExitCode

ANSWERS = {
    "a verb": ["diff", "pins.toml", "pins.toml"],
    "a verb in JSON": ["diff", "--json", "pins.toml", "pins.toml"],
    "the help": ["--help"],
    "the help of a verb": ["show", "--help"],
    "the version": ["--version"],
}
MISTAKES = {"a verb that is none": ["shw"], "a file that is none": ["diff", "nosuch.toml", "nosuch.toml"]}
FULL = Path("/dev/full")
needs_a_full_device = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a policy."""
    pin = "sha256/C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M="
    (tmp_path / "pins.toml").write_text(
        f'format = 1\nname = "bank"\nversion = 1\n[hosts."api.bank.example"]\npins = ["{pin}"]\n'
    )
    return tmp_path


def ran(folder: Path, words: list[str], redirected: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a shell that redirects its streams."""
    command = f'"$@" {redirected}'
    return subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, "-m", "pinscher.cli", *words],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("words", ANSWERS.values(), ids=ANSWERS)
def test_a_closed_output_takes_the_answer(folder: Path, words: list[str]) -> None:
    """Whoever closes standard output wants no answer: the exit code is the same, and nothing is said of it."""
    done = ran(folder, words, ">&-")
    assert (ExitCode.GOOD, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("words", [ANSWERS["a verb"], *MISTAKES.values()], ids=["a verb", *MISTAKES])
@pytest.mark.parametrize("redirected", ["2>&-", "<&-", "<&- 2>&-"])
def test_closed_streams_change_no_answer(folder: Path, words: list[str], redirected: str) -> None:
    """Without a standard input or a standard error the answer and the exit code are as ever."""
    expected, done = ran(folder, words, ""), ran(folder, words, redirected)
    assert (expected.returncode, expected.stdout) == (done.returncode, done.stdout)
    assert done.stderr == ("" if "2>&-" in redirected else expected.stderr)


@needs_a_full_device
@pytest.mark.parametrize("words", ANSWERS.values(), ids=ANSWERS)
def test_a_full_output_is_one_error(folder: Path, words: list[str]) -> None:
    """An answer that cannot be written is none: one error that says why, and exit 2 (rule 6)."""
    done = ran(folder, words, ">/dev/full")
    assert (ExitCode.NO_ANSWER, 1) == (done.returncode, done.stderr.count("\n")), done.stderr
    assert done.stderr.startswith("pinscher: error: ")
    assert done.stderr.endswith("no space left on device\n")


@needs_a_full_device
@pytest.mark.parametrize("words", (ANSWERS | MISTAKES).values(), ids=ANSWERS | MISTAKES)
def test_an_error_that_cannot_be_told_is_still_an_exit_code(folder: Path, words: list[str]) -> None:
    """Where neither the answer nor an error can be written, exit 2 says that there is no answer (rule 6)."""
    done = ran(folder, words, ">/dev/full 2>&1")
    assert (ExitCode.NO_ANSWER, "", "") == (done.returncode, done.stdout, done.stderr)


@needs_a_full_device
@pytest.mark.parametrize("words", [ANSWERS["a verb"], ["lint", "pins.toml"]], ids=["without a remark", "with one"])
def test_a_full_error_stream_hinders_no_answer(folder: Path, words: list[str]) -> None:
    """An answer needs no standard error: what cannot be said beside it is lost (rule 6)."""
    expected, done = ran(folder, words, ""), ran(folder, words, "2>/dev/full")
    assert (expected.returncode, expected.stdout) == (done.returncode, done.stdout)


@pytest.mark.parametrize("words", ANSWERS.values(), ids=ANSWERS)
def test_a_reader_that_left_is_not_told(folder: Path, words: list[str]) -> None:
    """A verb and every help text end with 141 and no word where nobody reads the answer (rule 5)."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:
        command = [sys.executable, "-m", "pinscher.cli", *words]
        done = subprocess.run(command, cwd=folder, stdout=gone, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (ExitCode.READER_GONE, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (FileNotFoundError(2, "No such file or directory", "a\x1b"), "cannot use 'a\\x1b': no such file or directory"),
        (OSError(28, "No space left on device"), "cannot go on: no space left on device"),
        (OSError("odd"), "cannot go on: odd"),
    ],
    ids=["of a file", "of none", "without a number"],
)
def test_what_the_system_refuses_is_one_error(
    refused: OSError, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refusal of the operating system that no verb foresaw is one error and exit 2."""

    class Refusing(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise refused

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Refusing()))
    assert ExitCode.NO_ANSWER == main(["show", "-"])
    assert ("", f"pinscher: error: {message}\n") == capsys.readouterr()
