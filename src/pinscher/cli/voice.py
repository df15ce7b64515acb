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
6. An answer that cannot be written, as on a full disk, is no answer: an error, and exit 2. A remark that cannot be
   written is lost, and changes nothing.
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

from pinscher.errors import PinningError, escaped

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


class UnwrittenAnswerError(PinningError):
    """An answer that the operating system did not take (rule 6)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"standard output cannot be written: {escaped(reason)}")
        self.reason = reason


class _Stream(Console):
    """A console that leaves the decision about a closed pipe to :func:`pinscher.cli.app.run`."""

    def on_broken_pipe(self) -> NoReturn:
        raise ReaderGoneError from None


def _console(stream: TextIO) -> Console:
    return _Stream(
        file=stream, force_terminal=stream.isatty(), markup=False, emoji=False, highlight=False, soft_wrap=True
    )


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Tell what becomes of an answer that is not taken (rules 5 and 6)."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        raise UnwrittenAnswerError((error.strerror or str(error)).lower()) from None


@contextlib.contextmanager
def _remarking() -> Iterator[None]:
    """Lose a remark that is not taken (rule 6), but for one that nobody reads (rule 5)."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError:
        return


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
        with _writing():
            self._answers.print(line)

    def document(self, document: object) -> None:
        """Write the answer of ``--json``: one document, ASCII, its fields in the order that ``--help`` names them."""
        with _writing():
            self._answers.print(Text(json.dumps(document, indent=2, ensure_ascii=True)))

    def line(self, document: object) -> None:
        """Write one of the answers of a ``--json`` that writes a line for each, as soon as it is there."""
        with _writing():
            # Not sys.stdout, which a progress bar on the same terminal stands in for.
            self._answers.file.write(json.dumps(document, ensure_ascii=True) + "\n")
            self._answers.file.flush()

    def file(self, content: bytes) -> None:
        """Write a file that is the answer, octet for octet; on a terminal as text (rule 4)."""
        with _writing():
            if self._answers.is_terminal:
                self._answers.print(Text(plain(content.decode(errors="backslashreplace"))), end="")
                return
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()

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
        with _remarking():
            self._remarks.print(Text(plain(text)))

    def _remark(self, kind: str, text: str, style: StyleType) -> None:
        with _remarking():
            self._remarks.print(Text.assemble("pinscher: ", (f"{kind}:", style), " ", plain(text)))

    def is_heard_by_a_person(self) -> bool:
        """Tell whether somebody sits at a terminal to answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str) -> bool:
        """Ask a person; only a clear yes is one."""
        with _remarking():
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
