"""
How the command line speaks.

Rules of this file:

1. Standard output carries the answer and nothing else; everything said about it goes to standard error, as
   ``pinscher: error|warning|hint: ...``.
2. Exit 0: the answer is good. Exit 1: at least one bad answer. Exit 2: no answer, and none was bad.
3. Colour and progress appear only where the stream is a terminal (``NO_COLOR`` is honoured), and carry no meaning of
   their own.
4. No text reaches a stream with a control character, an escape sequence or a letter outside ASCII in it, whoever
   chose the text; and nothing is ever read as markup. A file that is the answer keeps its own octets, but never on a
   terminal.
5. A reader who leaves (a closed pipe) ends the program without a word.
"""

from __future__ import annotations

import contextlib
import enum
import json
import sys
from typing import TYPE_CHECKING, NoReturn, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.style import StyleType


class ExitCode(enum.IntEnum):
    """What the program's end says (rule 2); the signal numbers are the shell's."""

    GOOD = 0
    BAD = 1
    NO_ANSWER = 2
    INTERRUPTED = 130
    READER_GONE = 141


class ReaderGoneError(Exception):
    """Nobody reads the answer any more (rule 5)."""


class _Stream(Console):
    """A console that leaves the decision about a closed pipe to :func:`pinscher.cli.app.run`."""

    def on_broken_pipe(self) -> NoReturn:
        raise ReaderGoneError from None


def _console(stream: TextIO) -> Console:
    return _Stream(
        file=stream, force_terminal=stream.isatty(), markup=False, emoji=False, highlight=False, soft_wrap=True
    )


class Voice:
    """One run's standard output and standard error."""

    def __init__(self) -> None:
        self._answers = _console(sys.stdout)
        self._remarks = _console(sys.stderr)

    def answer(self, *parts: str | tuple[str, str]) -> None:
        """Write one line of the answer; a part may be ``(text, style)``."""
        line = Text()
        for part in parts:
            text, style = part if isinstance(part, tuple) else (part, "")
            line.append(plain(text), style)
        line.rstrip()
        self._answers.print(line)

    def document(self, document: object) -> None:
        """Write the answer of ``--json``: one document, ASCII, its fields in the order that ``--help`` names them."""
        self._answers.print(Text(json.dumps(document, indent=2, ensure_ascii=True)))

    def line(self, document: object) -> None:
        """Write one of the answers of a ``--json`` that writes a line for each, as soon as it is there."""
        try:
            # Not sys.stdout, which a progress bar on the same terminal stands in for.
            self._answers.file.write(json.dumps(document, ensure_ascii=True) + "\n")
            self._answers.file.flush()
        except BrokenPipeError:
            raise ReaderGoneError from None

    def file(self, content: bytes) -> None:
        """Write a file that is the answer, octet for octet; on a terminal as text (rule 4)."""
        if self._answers.is_terminal:
            self._answers.print(Text(plain(content.decode(errors="backslashreplace"))), end="")
            return
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise ReaderGoneError from None

    def error(self, text: str) -> None:
        """Say why there is no answer."""
        self._remark("error", text, "bold red")

    def warning(self, text: str) -> None:
        """Say what the reader of the answer should know."""
        self._remark("warning", text, "bold yellow")

    def hint(self, text: str) -> None:
        """Say what to do next."""
        self._remark("hint", text, "bold cyan")

    def note(self, text: str) -> None:
        """Show something beside the answer as it is, such as a diff before a question."""
        self._remarks.print(Text(plain(text)))

    def _remark(self, kind: str, text: str, style: StyleType) -> None:
        self._remarks.print(Text.assemble("pinscher: ", (f"{kind}:", style), " ", plain(text)))

    def is_heard_by_a_person(self) -> bool:
        """Tell whether somebody sits at a terminal to answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str) -> bool:
        """Ask a person; only a clear yes is one."""
        self._remarks.print(Text(f"pinscher: {plain(question)} [y/N] "), end="")
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    @contextlib.contextmanager
    def progress(self, description: str, total: int) -> Iterator[Callable[[], None]]:
        """Show how far long work is, on a terminal, when there is more than one thing to do; yield what counts one."""
        if not self._remarks.is_terminal or total <= 1:
            # A bar that is disabled still ends its line, before rich 14.3.
            yield lambda: None
            return
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._remarks, transient=True) as bar:
            task = bar.add_task(plain(description), total=total)
            yield lambda: bar.advance(task)


def plain(text: str) -> str:
    """Return *text* with everything but printable ASCII and line breaks as backslash escapes (rule 4)."""
    return "".join(
        character if " " <= character <= "~" or character == "\n" else character.encode("unicode_escape").decode()
        for character in text
    )


class Tally:
    """The answers of one run, summed up in its exit code (rule 2)."""

    def __init__(self) -> None:
        self._has_bad = False
        self._has_none = False

    def bad(self) -> None:
        """Count a bad answer."""
        self._has_bad = True

    def none(self) -> None:
        """Count a question without an answer."""
        self._has_none = True

    def exit_code(self) -> ExitCode:
        """Return the exit code: a bad answer outweighs a missing one."""
        if self._has_bad:
            return ExitCode.BAD
        return ExitCode.NO_ANSWER if self._has_none else ExitCode.GOOD
