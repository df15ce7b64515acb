"""
The transcripts in this folder, run as a person would run them, every line compared.

A transcript is a text in which

- ``$ command`` is run in the transcript's own folder, by a shell's rules for words and nothing else of a shell but a
  last ``< file``;
- the lines that follow are its standard output, and those after ``! `` its standard error, both exact;
- ``? 1`` is its exit code; without such a line it is 0;
- ``= file`` begins a file, whose lines follow after ``| ``;
- ``[..]`` stands for any text within a line, and ``@name@`` for a value of this run: the ports ``genuine`` and
  ``rogue`` of two servers, their pins ``leaf``, ``rogue-leaf``, ``intermediate`` and ``root``, and ``backup``, the pin
  of ``backup.key``, which lies in the folder beside ``ca.pem`` and ``server.pem``;
- ``#`` begins a comment.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import Authority, Server

from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TRANSCRIPTS = sorted(HERE.glob("*.txt"))


@dataclass
class Step:
    """One command of a transcript, with what it must write and how it must end."""

    command: str
    line: int
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    code: int = 0


def read(text: str, folder: Path) -> Iterator[Step]:
    """Yield a transcript's steps, writing its files into *folder* when their turn comes."""
    step: Step | None = None
    file: Path | None = None
    for number, line in enumerate(text.splitlines(), 1):
        kind, rest = line[:2], line[2:]
        if kind in {"$ ", "= "} and step is not None:
            yield step
            step = None
        if kind == "$ ":
            step = Step(rest, number)
        elif kind == "= ":
            file = folder / rest
            file.write_text("")
        elif kind == "| " and file is not None:
            file.write_text(f"{file.read_text()}{rest}\n")
        elif kind == "! " and step is not None:
            step.err.append(rest)
        elif kind == "? " and step is not None:
            step.code = int(rest)
        elif step is not None and not line.startswith("#"):
            step.out.append(line)
    if step is not None:
        yield step


def run(step: Step, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one command in *folder*, as a person would, with nothing of this machine's settings."""
    program, *arguments = shlex.split(step.command)
    assert program == "pinscher", f"line {step.line}: a transcript runs pinscher"
    given = None
    if arguments[-2:-1] == ["<"]:
        given = (folder / arguments.pop()).read_text()
        arguments.pop()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "COLUMNS": "80"}
    environment["PYTHONPATH"] = os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)
    command = [sys.executable, "-m", "pinscher.cli", *arguments]
    return subprocess.run(
        command, input=given or "", cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def matches(expected: list[str], found: str) -> bool:
    """Tell whether every line is as expected; blank lines at the end of either do not count."""
    pattern = "\n".join(expected).rstrip("\n")
    return re.fullmatch(re.escape(pattern).replace(re.escape("[..]"), ".*"), found.rstrip("\n")) is not None


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=[path.stem for path in TRANSCRIPTS])
def test_transcript_runs_as_written(transcript: Path, tmp_path: Path) -> None:
    """A transcript's commands write and end exactly as it shows."""
    authority = Authority(tmp_path)
    genuine, rogue, backup = (authority.issue(file=name) for name in ("server", "rogue", "backup"))
    with Server(genuine) as first, Server(rogue) as second:
        values = {
            "genuine": str(first.port), "rogue": str(second.port), "leaf": str(Pin.of(genuine.der)),
            "rogue-leaf": str(Pin.of(rogue.der)), "backup": str(Pin.of(backup.der)),
            "intermediate": str(Pin.of(authority.intermediate.public_bytes(Encoding.DER))),
            "root": str(Pin.of(authority.root.public_bytes(Encoding.DER))),
        }  # fmt: skip
        text = re.sub(r"@([a-z-]+)@", lambda found: values[found[1]], transcript.read_text())
        for step in read(text, tmp_path):
            done = run(step, tmp_path)
            told = f"{transcript.name}:{step.line}: {step.command}"
            assert (told, done.returncode) == (told, step.code), done.stderr
            assert matches(step.out, done.stdout), f"{told}\n{done.stdout}\nexpected\n" + "\n".join(step.out)
            assert matches(step.err, done.stderr), f"{told}\n{done.stderr}\nexpected\n" + "\n".join(step.err)
    assert (first.application_bytes, second.application_bytes) == (0, 0)
