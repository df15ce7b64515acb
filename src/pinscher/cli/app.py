"""The verbs together, and the outermost frame in which one of them runs."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib import import_module, metadata
from keyword import iskeyword
from typing import TYPE_CHECKING

import click

from pinscher.cli.voice import ExitCode, ReaderGoneError, Voice
from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        code = app.main(list(arguments), prog_name="pinscher", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        return _complain(error)
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except (ReaderGoneError, BrokenPipeError):
        _silence(sys.stdout.fileno())
        return ExitCode.READER_GONE
    except PinningError as error:
        Voice().error(str(error))
        return ExitCode.NO_ANSWER
    return int(code or 0)


def _complain(error: click.ClickException) -> int:
    """Say what click found wrong in the voice: lower case, no period, and where to read on."""
    voice = Voice()
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        voice.note(error.ctx.get_help() if error.ctx else "")
        return ExitCode.NO_ANSWER
    message = escaped(error.format_message(), limit=400).replace("\\\\", "\\").rstrip(".")
    voice.error(message[:1].lower() + message[1:])
    context = error.ctx if isinstance(error, click.UsageError) else None
    voice.hint(f"'{context.command_path if context else 'pinscher'} --help' lists what can be given")
    return ExitCode.NO_ANSWER


def _silence(descriptor: int) -> None:
    """Point a stream whose reader left at nowhere, so that the interpreter's own flush at exit stays quiet."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
