"""Write the reference of the command line from the verbs' own help: ``python tools/cli_reference.py``."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from keyword import iskeyword
from pathlib import Path

from pinscher.cli.app import VERBS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
HEAD = """# The command line

Made by `tools/cli_reference.py` from each verb's own help; do not edit it by hand.
Standard output is the answer; what is said about it goes to standard error as `pinscher: error|warning|hint: ...`.
Exit 0: the answer is good. Exit 1: at least one bad answer. Exit 2: no answer (usage, input, network), and none was bad.
"""


def commands_of(verb: str) -> list[str]:
    """Return the commands of a verb that is several."""
    file = f"{verb}_" if iskeyword(verb) else verb
    return [f"{verb} {one}" for one in getattr(import_module(f"pinscher.cli.{file}"), "COMMANDS", ())]


def main() -> None:
    """Write the page."""
    parts = [HEAD]
    for name in (name for verb in VERBS for name in (verb, *commands_of(verb))):
        printed = subprocess.run(
            [sys.executable, "-m", "pinscher.cli", *name.split(), "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={"COLUMNS": "80", "PATH": "/usr/bin:/bin"},
        ).stdout
        parts.append(f"\n## `pinscher {name}`\n\n```\n{printed.replace('python -m pinscher.cli', 'pinscher')}```\n")
    PAGE.write_text("".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
