"""``pinscher lab run``: any program against the scenarios."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from pinscher.cli.lab_card import CARD_FIELDS, card_object, exit_code, print_card
from pinscher.cli.lab_choice import Choice, playing_options
from pinscher.cli.reading import json_option
from pinscher.cli.voice import Voice
from pinscher.cli.writing import check_outputs, known_content, replace_file
from pinscher.errors import PinningError, escaped
from pinscher.lab.card import judge
from pinscher.lab.errand import PLACEHOLDERS
from pinscher.lab.foreign import program
from pinscher.lab.junit import junit_xml
from pinscher.lab.scenario import Capability
from pinscher.lab.workplace import Workplace

_HELP = f"""
\b
COMMAND is run once for each connection that a case asks for. Exit 0 says
that it got through, anything else that it refused. It learns what to do by
placeholders in its arguments, or by environment variables:
  {{url}} {{host}} {{address}} {{port}} {{path}}   where to connect, and what to verify
  {{ca}}          PINSCHER_LAB_CA_FILE      PEM: what the machine trusts
  {{pins}}        PINSCHER_LAB_PINS         sha256/...,sha256/...
  {{curl_pins}}   PINSCHER_LAB_CURL_PINS    as --pinnedpubkey takes them
  {{policy}}      PINSCHER_LAB_POLICY_FILE  the whole policy, TOML
  {{secret}}      PINSCHER_LAB_SECRET       what to send, once accepted
  {{expected}}    PINSCHER_LAB_EXPECTED     accept or refuse
  {{proxy}}       PINSCHER_LAB_PROXY        a proxy to go through, or empty
  {{certificate}} PINSCHER_LAB_CERTIFICATE_FILE  a certificate of its own
  {{state}}       PINSCHER_LAB_STATE        a folder kept over one case
SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and NODE_EXTRA_CA_CERTS
name the same file as {{ca}}. Write {{{{ and }}}} for braces of COMMAND's own.

\b
--can says what COMMAND is able to do; cases that ask for more are not
played. One or more of, between commas:
{{capabilities}}

\b
JSON: {{an object}}{CARD_FIELDS}
""".replace("{capabilities}", "\n".join(f"  {one.value}" for one in Capability))
if set(PLACEHOLDERS) - {name for name in PLACEHOLDERS if f"{{{name}}}" in _HELP}:
    raise AssertionError("a placeholder is not documented")


@click.command("run", epilog=_HELP)
@click.argument("program_and_arguments", nargs=-1, required=True, metavar="-- COMMAND...")
@playing_options
@click.option("--can", default="", metavar="WORDS", help="What COMMAND is able to do beyond one pinned connection.")
@click.option("--junit", type=click.Path(dir_okay=False), metavar="FILE", help="Write JUnit XML to FILE as well.")
@json_option
def command(
    program_and_arguments: tuple[str, ...], *, choice: Choice, can: str, junit: str | None, is_json: bool
) -> int:
    """
    Play COMMAND, any program at all, against the scenarios, and judge it.

    Each case is judged by the exit code and by what the servers read. The refusals of a family are void unless the
    program also gets through where it must. Exit 0: every case that counts came out as it must; 1: some did not, or
    hung; 2: nothing could be judged.
    """
    voice, capabilities = Voice(), _capabilities(can)
    check_outputs({"--junit": junit})
    cases = choice.cases(voice)
    with Workplace() as workplace, voice.progress("playing", len(cases)) as advance:
        contestant = program(program_and_arguments, workplace=workplace, capabilities=capabilities)
        card = judge(
            contestant, cases, limit=choice.limit, jobs=choice.jobs, advance=advance, stop=workplace.stop
        )  # fmt: skip
    if junit is not None:
        replace_file(Path(junit), junit_xml(card), expected=known_content(Path(junit)))
    if is_json:
        voice.document(card_object(card))
    else:
        print_card(card, voice)
    if not can and card.score.not_applicable:
        voice.hint("if the program can do more, such as connect under another name, say so with --can")
    return exit_code(card)


def _capabilities(text: str) -> list[Capability]:
    words = [word for word in text.replace(",", " ").split() if word]
    try:
        found = [Capability(word) for word in words]
    except ValueError:
        unknown = next(word for word in words if word not in set(Capability))
        known = ", ".join(one.value for one in Capability)
        raise click.BadParameter(f"'{escaped(unknown)}' is none of {known}", param_hint="'--can'") from None
    if Capability.HTTP2 in found and find_spec("h2") is None:
        raise PinningError("the lab's servers speak HTTP/2 with h2; install it with: pip install 'pinscher[lab]'")
    return found
