"""How the command line speaks; the rules are those at the top of ``cli/voice.py``."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.cli import main
from pinscher.cli.app import VERBS, app
from pinscher.cli.voice import ExitCode, Tally, Voice, plain


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def spoken(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> Voice:
    """Return a voice whose two streams are *stream*."""
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    return Voice()


def test_answers_and_remarks_go_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output carries the answer, and standard error what is said about it (rule 1)."""
    voice = Voice()
    voice.answer("the answer")
    voice.error("an error")
    voice.warning("a warning")
    voice.hint("a hint")
    assert capsys.readouterr() == (
        "the answer\n",
        "pinscher: error: an error\npinscher: warning: a warning\npinscher: hint: a hint\n",
    )


@pytest.mark.parametrize("text", ["[bold red]x[/]", "[link=https://a.example]x[/link]", ":smile:", "{x} %s", "x" * 500])
def test_nothing_is_read_as_markup(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """A text that looks like markup, an emoji or a format is written as it is, on one line (rule 4)."""
    Voice().answer(text)
    assert capsys.readouterr().out == f"{text}\n"


@given(st.text())
def test_no_control_character_passes(text: str) -> None:
    """Whatever a text holds, only printable ASCII and line breaks reach a stream (rule 4)."""
    assert all(" " <= character <= "~" or character == "\n" for character in plain(text))


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal sees colour (rule 3)."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    spoken(monkeypatch, stream).answer(("good", "green"))
    assert "\x1b[" in stream.getvalue()


@pytest.mark.parametrize(("variable", "stream"), [("NO_COLOR", Terminal()), ("FORCE_COLOR", io.StringIO())])
def test_colour_is_for_nobody_else(monkeypatch: pytest.MonkeyPatch, variable: str, stream: io.StringIO) -> None:
    """Neither a terminal under NO_COLOR nor a pipe under FORCE_COLOR sees colour (rule 3)."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, "1")
    spoken(monkeypatch, stream).answer(("good", "green"))
    assert stream.getvalue() == "good\n"


def test_progress_is_silent_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody watches, progress writes nothing (rule 3)."""
    with Voice().progress("checking", 3) as advance:
        advance()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("typed", "expected"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_a_clear_yes_is_one(monkeypatch: pytest.MonkeyPatch, typed: str, expected: bool) -> None:
    """A question is answered by yes, and by nothing else, the end of input included."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert spoken(monkeypatch, io.StringIO()).confirm("write this?") is expected


def test_json_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """The answer of --json is one document in ASCII, whatever it holds."""
    Voice().document({"name": "\u202eevil\x1b[2J"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"name": "\u202eevil\x1b[2J"}


def test_bad_answer_outweighs_a_missing_one() -> None:
    """Exit 1 stands for a bad answer even beside a missing one, and exit 2 for a missing one alone (rule 2)."""
    tally = Tally()
    codes = [tally.exit_code()]
    tally.none()
    codes.append(tally.exit_code())
    tally.bad()
    codes.append(tally.exit_code())
    assert codes == [ExitCode.GOOD, ExitCode.NO_ANSWER, ExitCode.BAD]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shw"], "pinscher: error: no such command 'shw'"),
        (["show"], "pinscher: error: missing argument 'HOST[:PORT]|FILE...'"),
        (["show", "--nope", "x"], "pinscher: error: no such option '--nope'"),
        (["show", "--timeout", "nan", "x"], "pinscher: error: invalid value for '--timeout'"),
        (["show", "--starttls", "ldap", "x"], "pinscher: error: invalid value for '--starttls'"),
        (
            ["lint", "--fail-on", "\x1b[2Jx", "p"],
            "pinscher: error: invalid value for '--fail-on': '\\x1b[2Jx' is not one of",
        ),
    ],
)
def test_usage_errors_are_in_the_voice(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """A mistake in the arguments is one line in the voice, a hint where to read on, and exit 2."""
    assert main(arguments) == ExitCode.NO_ANSWER
    out, err = capsys.readouterr()
    assert (out, err.startswith(message), err.splitlines()[-1][:16]) == ("", True, "pinscher: hint: ")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["doctor", "--policy"], "pinscher doctor"),
        (["repo", "key", "--json", "--nope"], "pinscher repo key"),
        (["repo", "withdraw", "repo", "--host"], "pinscher repo withdraw"),
        (["import", "--policy-name"], "pinscher import"),
        (["repo", "--nope"], "pinscher repo"),
        (["--nope"], "pinscher"),
    ],
)
def test_the_hint_names_the_command(capsys: pytest.CaptureFixture[str], arguments: list[str], command: str) -> None:
    """Whatever is wrong with the arguments, the hint leads to the help of the command that was meant."""
    assert main(arguments) == ExitCode.NO_ANSWER
    hint = capsys.readouterr().err.splitlines()[-1]
    assert hint == f"pinscher: hint: '{command} --help' lists what can be given"


def test_no_verb_is_answered_with_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a verb the help is shown on standard error, and there is no answer."""
    assert main([]) == ExitCode.NO_ANSWER
    out, err = capsys.readouterr()
    assert (out, "Commands:" in err) == ("", True)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_documents_its_json(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """The help of every verb names --json and its fields."""
    found = app.get_command(click.Context(app), verb)
    below = [[verb, name] for name in found.commands] if isinstance(found, click.Group) else [[verb]]
    for words in below:
        assert main([*words, "--help"]) == ExitCode.GOOD
        out = capsys.readouterr().out
        assert "--json" in out
        assert "JSON: {" in out


def test_interruption_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An interrupted verb ends with 130 and no traceback."""

    class Interrupted(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupted()))
    assert main(["show", "-"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err.strip() == ""


def test_missing_extra_is_one_sentence() -> None:
    """Without the extra the command line says in one sentence what to install."""
    program = "import sys; sys.modules['click'] = None; from pinscher.cli import main; sys.exit(main(['show', 'x']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60)
    expected = (
        b"pinscher: error: the command line needs click, which is not installed\n"
        b"pinscher: hint: install it with: pip install 'pinscher[cli]'\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", expected)
