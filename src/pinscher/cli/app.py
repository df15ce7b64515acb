"""The verbs together, and the outermost frame in which one of them runs."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib import import_module, metadata
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click

from pinscher.cli.voice import ExitCode, ReaderGoneError, Voice
from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

VERBS = (
    "demo",
    "show",
    "discover",
    "pin",
    "check",
    "lab",
    "lint",
    "survive",
    "plan",
    "import",
    "export",
    "convert",
    "diff",
    "key",
    "gate",
    "run",
    "forward",
    "embed",
    "repo",
    "update",
    "store",
    "log",
    "probe",
    "serve",
    "doctor",
)
"""Each verb is the click command of its own name in the file of its own name; the order is that of the help."""


class _Verbs(click.Group):
    """Loads a verb's file when the verb is used, so that one verb does not pay for the imports of another."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        # A file and a command cannot be called by a word of the language.
        own = f"{name}_" if iskeyword(name) else name
        command: click.Command = getattr(import_module(f"pinscher.cli.{own}"), own)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with _readers():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _readers():
            return super().invoke(ctx)


@contextlib.contextmanager
def _readers() -> Iterator[None]:
    """Let the reader of a help text leave as every other does: click would end the program itself, with 1."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None


def _version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001  (click's form)
    if value and not context.resilient_parsing:
        try:
            number = metadata.version("pinscher")
        except metadata.PackageNotFoundError:
            number = "(not installed, run from its source)"
        Voice().answer(f"pinscher {number}")
        context.exit()


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def app() -> None:
    """
    Certificate pinning for Python that does not brick.

    Standard output is the answer; what is said about it goes to standard error. Exit 0: the answer is good. 1: at
    least one bad answer. 2: no answer (usage, input, network), and none was bad.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one verb and return its exit code; every failure a user can cause is one line in the voice."""
    try:
        return _run(arguments)
    except ReaderGoneError:
        return ExitCode.READER_GONE
    finally:
        for stream in (sys.stdout, sys.stderr):
            _settle(stream)


def _run(arguments: Sequence[str]) -> int:
    try:
        code = app.main(list(arguments), prog_name="pinscher", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        return _complain(error, arguments)
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        raise ReaderGoneError from None
    except PinningError as error:
        Voice().error(str(error))
        return ExitCode.NO_ANSWER
    except OSError as error:
        Voice().error(_refusal(error))
        return ExitCode.NO_ANSWER
    return int(code or 0)


def _refusal(error: OSError) -> str:
    """Say what the operating system refused, and of which file, where no verb has said it."""
    reason = escaped((error.strerror or str(error)).lower())
    if isinstance(error.filename, str | bytes):
        return f"cannot use '{escaped(os.fsdecode(error.filename))}': {reason}"
    return f"cannot go on: {reason}"


def _complain(error: click.ClickException, arguments: Sequence[str]) -> int:
    """Say what click found wrong in the voice: lower case, no period, and where to read on."""
    voice = Voice()
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        voice.note(error.ctx.get_help() if error.ctx else "")
        return ExitCode.NO_ANSWER
    message = escaped(error.format_message(), limit=400).replace("\\\\", "\\").rstrip(".")
    voice.error(message[:1].lower() + message[1:])
    context = error.ctx if isinstance(error, click.UsageError) else None
    voice.hint(f"'{context.command_path if context else _command_path(arguments)} --help' lists what can be given")
    return ExitCode.NO_ANSWER


def _command_path(arguments: Sequence[str]) -> str:
    """Return the words that lead to the command, which click's error about an option without a value does not say."""
    command: click.Command | None = app
    words = ["pinscher"]
    for word in arguments:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
        if command is None:
            break
        words.append(word)
    return " ".join(words)


def _settle(stream: TextIO) -> None:
    """Point a stream that takes nothing any more at nowhere, so that the interpreter's flush at exit stays quiet."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            descriptor = stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
