"""The man pages and the shells' completion, which are made from the verbs' own help when they are asked for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pinscher.cli.app import VERBS, app

HERE = Path(__file__).parent.parent
CONTEXT = click.Context(app, info_name="pinscher", **app.context_settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the pages, and with one of a verb that is gone before they are made."""
    made = tmp_path_factory.mktemp("man")
    (made / "pinscher-gone.1").touch()
    command = [sys.executable, HERE / "tools" / "man_pages.py", made]
    subprocess.run(command, check=True, timeout=60, env={**os.environ, "COLUMNS": "40"})
    return made


def test_there_is_a_page_for_each_verb(folder: Path) -> None:
    """Each verb has its page, the program has one, and a page of a verb that is gone is taken away."""
    assert sorted(["pinscher.1", *(f"pinscher-{verb}.1" for verb in VERBS)]) == sorted(os.listdir(folder))


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_has_every_option(folder: Path, verb: str) -> None:
    """A verb's page names every option of the verb and of its commands, and what each does."""
    page = (folder / f"pinscher-{verb}.1").read_text(encoding="utf-8").replace("\\-", "-").replace("\\e", "\\")
    command = app.get_command(CONTEXT, verb)
    assert command is not None
    context = click.Context(command, info_name=verb, parent=CONTEXT)
    for what, said in filter(None, (option.get_help_record(context) for option in command.get_params(context))):
        assert f"\\fB{what}\\fR\n{said}\n" in page or not said


@pytest.mark.parametrize("page", ["pinscher", *(f"pinscher-{verb}" for verb in VERBS)])
def test_a_page_asks_troff_for_nothing_else(folder: Path, page: str) -> None:
    """No line of a help text is taken for a request, no escape is unknown, and no line is empty."""
    text = (folder / f"{page}.1").read_text(encoding="utf-8")
    requests = {line.split()[0] for line in text.splitlines() if line.startswith((".", "'"))}
    assert set() == requests - {".TH", ".SH", ".TP", ".PP", ".nf", ".fi"}
    assert set() == set(re.findall(r"\\(.)", text)) - {"f", "-", "e", "&"}
    assert "\x08" not in text
    assert "" not in text.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell: str) -> None:
    """What the documented variable prints is for that shell, and asks the program again."""
    told = _completed({"_PINSCHER_COMPLETE": f"{shell}_source"})
    assert f"_PINSCHER_COMPLETE={shell}_complete" in told


@pytest.mark.parametrize(
    ("words", "expected"), [("su", "survive"), ("survive --fail", ""), ("lint --fail", "--fail-on")]
)
def test_a_word_is_completed(words: str, expected: str) -> None:
    """A verb and an option are completed from their first letters, and a word that begins none is left alone."""
    asked = {
        "_PINSCHER_COMPLETE": "bash_complete",
        "COMP_WORDS": f"pinscher {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    assert expected == _completed(asked).rpartition("plain,")[2].strip()


@pytest.mark.parametrize(("shell", "expected"), [("zsh", "plain\nsurvive\n"), ("fish", "plain,survive")])
def test_a_word_is_completed_for_the_other_shells(shell: str, expected: str) -> None:
    """The shells zsh and fish are answered with the verb that begins with what was typed, each in its own form."""
    words = "pinscher su" if shell == "zsh" else "pinscher"
    asked = {
        "_PINSCHER_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": "1" if shell == "zsh" else "su",
    }
    assert _completed(asked).startswith(expected)


def test_bash_completes_what_was_typed(tmp_path: Path) -> None:
    """A real bash that reads the documented line completes a verb and an option."""
    program = tmp_path / "pinscher"
    started = "from pinscher.cli import main; import sys; sys.argv[0] = 'pinscher'; sys.exit(main())"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{started}" "$@"\n')
    program.chmod(0o755)
    script = """
eval "$(_PINSCHER_COMPLETE=bash_source pinscher)"
for words in "pinscher su" "pinscher lint --fail"; do
  COMP_WORDS=($words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
  _pinscher_completion pinscher; echo "${COMPREPLY[*]}"
done
"""
    answer = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert "survive\n--fail-on\n" == answer.stdout


def test_the_page_about_installing_names_every_shell() -> None:
    """The line for each shell stands on the page about installing."""
    page = (HERE / "docs" / "how-to" / "install.md").read_text(encoding="utf-8")
    assert ["bash", "zsh", "fish"] == re.findall(r"_PINSCHER_COMPLETE=([a-z]+)_source pinscher", page)


def _completed(asked: dict[str, str]) -> str:
    command = "from pinscher.cli import main; import sys; sys.argv[0] = 'pinscher'; sys.exit(main())"
    answer = subprocess.run(
        [sys.executable, "-c", command],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, **asked},
    )
    return answer.stdout
