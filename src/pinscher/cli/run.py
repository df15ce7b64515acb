"""``pinscher run``: a program that nobody changed, pinned."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile

import click

from pinscher.cli.policies import load_policy
from pinscher.cli.reading import STDIN, json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.clients.running import environment
from pinscher.entry import Mode, UnlistedHosts
from pinscher.errors import escaped

_HELP = """
\b
What it reaches: every ssl.SSLContext of every Python that COMMAND starts with
this environment (requests, httpx, aiohttp, boto3, smtplib and the like). What
it does not: programs in other languages, and packages with a TLS of their
own; see 'pinscher forward'.

\b
JSON: {"PINSCHER_POLICY": ..., "PYTHONPATH": ...}, with --show-environment
"""


@click.command(epilog=_HELP)
@click.argument("program", nargs=-1, metavar="-- COMMAND...")
@click.option("--policy", "policy_file", required=True, metavar="FILE", help="The policy that is in force for COMMAND.")
@click.option(
    "--guard",
    "guarding",
    type=click.Choice(["off", Mode.REPORT_ONLY.value, Mode.ENFORCE.value]),
    default="off",
    show_default=True,
    help="Look for ways past the pins too: clear text, and redirects to unpinned hosts.",
)
@click.option("--show-environment", is_flag=True, help="Print the variables, for what starts COMMAND.")
@json_option
def run(program: tuple[str, ...], *, policy_file: str, guarding: str, show_environment: bool, is_json: bool) -> int:
    """
    Run COMMAND, a Python program as it is, with every connection of its contexts pinned.

    A program that cannot be pinned is not started. The exit code is COMMAND's own, 128 and the signal's number if one
    ended it, and 2 if nothing of it was pinned.
    """
    voice = Voice()
    if policy_file == STDIN:
        raise click.UsageError("COMMAND reads the policy itself, so that it has to be a file")
    policy = load_policy(policy_file)
    if show_environment:
        return _show(policy_file, guarding, voice, is_json=is_json)
    if not program:
        raise click.UsageError(
            "no command was given; write it after --, as in: pinscher run --policy FILE -- python app.py"
        )
    if is_json:
        raise click.UsageError("--json goes with --show-environment; what COMMAND prints is its own")
    if (blind := _blind(program)) is not None:
        voice.error(
            f"{escaped(program[0])} is given {blind}, with which Python reads neither PYTHONPATH nor sitecustomize"
        )
        voice.hint("take it away; the program was not started")
        return ExitCode.NO_ANSWER
    if policy.unlisted_hosts is UnlistedHosts.DENY:
        voice.hint('hosts that the policy does not list are refused; unlisted-hosts = "allow" leaves them alone')
    with tempfile.TemporaryDirectory(prefix="pinscher-run-") as folder:
        seen = os.path.join(folder, "seen")
        code = _started(program, environment(policy_file, os.environ, guarding=guarding, seen=seen), voice)
        if code is None or os.path.exists(seen):
            return ExitCode.NO_ANSWER if code is None else code
    voice.error(f"nothing of {escaped(program[0])} was pinned: no Python of it read its sitecustomize")
    voice.hint("it may be no Python program, or started one with another environment; see 'pinscher forward'")
    return ExitCode.NO_ANSWER


def _show(policy_file: str, guarding: str, voice: Voice, *, is_json: bool) -> int:
    added = environment(policy_file, {}, guarding=guarding)
    if is_json:
        voice.document(added)
    else:
        for name, value in added.items():
            voice.answer(f"{name}={escaped(value)}")
    return ExitCode.GOOD


def _blind(program: tuple[str, ...]) -> str | None:
    """Return the option that keeps a Python from being pinned, if the command is one and has it."""
    if not re.fullmatch(r"(python|pypy)[0-9.]*(\.exe)?", os.path.basename(program[0])):
        return None
    for word in program[1:]:
        if not word.startswith("-") or word in ("-", "--", "-c", "-m"):
            return None
        if not word.startswith("--") and set(word[1:].partition("c")[0].partition("m")[0]) & set("IES"):
            return word
    return None


def _started(program: tuple[str, ...], variables: dict[str, str], voice: Voice) -> int | None:
    """Run a program to its end, and let it answer an interrupt itself."""
    try:
        child = subprocess.Popen(program, env=variables)  # noqa: S603  (the program is what the user asks for)
    except OSError as error:
        voice.error(f"cannot start '{escaped(program[0])}': {(error.strerror or str(error)).lower()}")
        return None
    # A terminal interrupts both; whoever stops this one by name means the program.
    before = [
        (signal.SIGINT, signal.signal(signal.SIGINT, signal.SIG_IGN)),
        (signal.SIGTERM, signal.signal(signal.SIGTERM, lambda number, _: child.send_signal(number))),
    ]
    try:
        code = child.wait()
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
