"""
Write the man pages from the verbs' own help: ``python tools/man_pages.py [FOLDER]``.

There is one page for the program, and one for each verb with those of its commands; the folder is ``build/man`` where
none is given. Nothing in a page depends on the day or the version, so that a page changes only when the help does.
"""

from __future__ import annotations

import sys
from importlib import import_module
from keyword import iskeyword
from pathlib import Path

import click

from pinscher.cli.app import VERBS, app

FOLDER = Path(__file__).resolve().parent.parent / "build" / "man"
EXIT = (
    ("0", "The answer is good."),
    ("1", "At least one answer is bad."),
    ("2", "There is no answer (usage, input, network), and none was bad."),
)


def pages() -> dict[str, str]:
    """Return every page by the name of its file."""
    context = click.Context(app, info_name="pinscher", **app.context_settings)
    made = {"pinscher.1": _program(context)}
    for verb in VERBS:
        command = app.get_command(context, verb)
        if command is not None:
            made[f"pinscher-{verb}.1"] = _verb(verb, command, context)
    return made


def _program(context: click.Context) -> str:
    parts = [_head("pinscher", app.get_short_help_str(limit=200)), _synopsis("pinscher", app, context)]
    parts += [".SH DESCRIPTION\n", _prose(app.help or ""), ".SH OPTIONS\n", _options(app, context), ".SH VERBS\n"]
    for verb in VERBS:
        command = app.get_command(context, verb)
        if command is not None:
            parts.append(f".TP\n\\fBpinscher-{_plain(verb)}\\fR(1)\n{_line(command.get_short_help_str(limit=200))}\n")
    return "".join([*parts, _exit(), _completion()])


def _verb(verb: str, command: click.Command, program: click.Context) -> str:
    name = f"pinscher {verb}"
    context = click.Context(command, info_name=verb, parent=program)
    parts = [_head(f"pinscher-{verb}", command.get_short_help_str(limit=200)), _synopsis(name, command, context)]
    parts += [".SH DESCRIPTION\n", _prose(command.help or ""), ".SH OPTIONS\n", _options(command, context)]
    for one in _commands(verb):
        under = command.get_command(context, one) if isinstance(command, click.Group) else None
        if under is not None:
            inner = click.Context(under, info_name=one, parent=context)
            usage = " ".join(under.collect_usage_pieces(inner))
            parts += [
                f".SH {_plain(f'{verb} {one}'.upper())}\n",
                f"\\fB{_plain(f'{name} {one}')}\\fR {_plain(usage)}\n",
            ]
            parts += [".PP\n", _prose(under.help or ""), _options(under, inner)]
    return "".join([*parts, _exit(), ".SH SEE ALSO\n\\fBpinscher\\fR(1)\n"])


def _commands(verb: str) -> list[str]:
    file = f"{verb}_" if iskeyword(verb) else verb
    return list(getattr(import_module(f"pinscher.cli.{file}"), "COMMANDS", ()))


def _head(name: str, summary: str) -> str:
    title = _plain(name.upper())
    return (
        f'.TH "{title}" "1" "" "Pinscher" "User commands"\n.SH NAME\n{_plain(name)} \\- {_plain(summary.rstrip("."))}\n'
    )


def _synopsis(name: str, command: click.Command, context: click.Context) -> str:
    return f".SH SYNOPSIS\n\\fB{_plain(name)}\\fR {_plain(' '.join(command.collect_usage_pieces(context)))}\n"


def _options(command: click.Command, context: click.Context) -> str:
    """Return what is said of each option and argument."""
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    # An argument of which nothing is said stands in the synopsis already.
    told = ((what, said) for what, said in filter(None, records) if said)
    return "".join(f".TP\n\\fB{_plain(what)}\\fR\n{_line(said)}\n" for what, said in told)


def _prose(text: str) -> str:
    """Return the paragraphs of a help text; one that begins with a backspace keeps its lines, as it does for click."""
    made = []
    for block in text.partition("\f")[0].strip().split("\n\n"):
        if block.lstrip().startswith("\b"):
            lines = "\n".join(_line(line) for line in block.lstrip().removeprefix("\b").strip("\n").split("\n"))
            made.append(f".nf\n{lines}\n.fi\n")
        else:
            made.append(f"{_line(' '.join(block.split()))}\n")
    return ".PP\n".join(made)


def _exit() -> str:
    return ".SH EXIT STATUS\n" + "".join(f".TP\n\\fB{code}\\fR\n{said}\n" for code, said in EXIT)


def _completion() -> str:
    said = (
        "Set _PINSCHER_COMPLETE to bash_source, zsh_source or fish_source, and pinscher prints what that shell reads."
    )
    return f".SH ENVIRONMENT\n.TP\n\\fB_PINSCHER_COMPLETE\\fR\n{_line(said)}\n"


def _plain(text: str) -> str:
    """Return *text* so that troff shows it as it is: a backslash and a hyphen are those of the keyboard."""
    return text.replace("\\", "\\e").replace("-", "\\-")


def _line(text: str) -> str:
    """Return *text* as a line of its own, which must not begin as a request of troff does."""
    shown = _plain(text)
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


def main(arguments: list[str]) -> None:
    """Write every page, and take away the page of a verb that is gone."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for path in folder.glob("pinscher*.1"):
        path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
