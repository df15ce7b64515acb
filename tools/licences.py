"""
List the licences of everything that an extra installs: ``python tools/licences.py [EXTRA]``, every extra that is installed here where none is given.

They are what each distribution says of itself in this environment. Exit 1 if one says nothing, or a licence that is not
among those below.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).resolve().parent.parent
EXTRAS = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
ACCEPTED = (
    "0BSD",
    "Apache",
    "BSD",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Mozilla Public License 2.0",
    "PSF-2.0",
    "Python Software",
)
"""Licences, by how they begin, under which a program of any licence may use a package without being changed by it."""


def closure(extra: str) -> list[str]:
    """Return the names of what ``pinscher[EXTRA]`` needs here, itself left out, in their order."""
    found: set[tuple[str, str]] = set()
    waiting = [("pinscher", ""), ("pinscher", extra)]
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in found:
            continue
        found.add((name, wanted))
        for needed in _needed(name, wanted):
            waiting += [(canonicalize_name(needed.name), more) for more in ("", *needed.extras)]
    return sorted({name for name, _ in found} - {"pinscher"})


def is_installed(extra: str) -> bool:
    """Say whether everything that an extra needs is installed here; one that is built is not everywhere."""
    try:
        closure(extra)
    except metadata.PackageNotFoundError:
        return False
    return True


def _needed(name: str, extra: str) -> Iterable[Requirement]:
    # What this tree says of itself, because what is installed from it may be older.
    asked = EXTRAS.get(extra, []) if name == "pinscher" else metadata.distribution(name).requires or []
    for requirement in map(Requirement, asked):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def licence(name: str) -> str:
    """
    Return the licence of a distribution: its expression, or what its classifiers or its old field say.

    One that has none of them may bring the licence itself, whose first line is its title; nothing where there is none.
    """
    said = metadata.metadata(name)
    classified = [
        line.rpartition(" :: ")[2] for line in said.get_all("Classifier", []) if line.startswith("License :: OSI")
    ]
    short = (said.get("License") or "").strip().partition("\n")[0]
    return said.get("License-Expression") or " and ".join(sorted(classified)) or short[:60] or _brought(name)


def _brought(name: str) -> str:
    for file in metadata.files(name) or ():
        if file.stem.upper() in {"LICENSE", "LICENCE", "COPYING"} and ".dist-info" in file.parts[0]:
            return file.read_text(encoding="utf-8").strip().partition("\n")[0][:60]
    return ""


def is_accepted(words: str) -> bool:
    """Say whether a licence is one of the accepted; of several with ``or`` one is enough, and with ``and`` each must be."""
    ways = re.split(r"\s+OR\s+", words.strip("()"), flags=re.IGNORECASE)
    return any(
        all(part.strip("() ").startswith(ACCEPTED) for part in re.split(r"\s+AND\s+", way, flags=re.IGNORECASE))
        for way in ways
    )


def main(arguments: list[str]) -> int:
    """Print the table, and say on standard error what is not accepted."""
    names = {name for extra in arguments or filter(is_installed, EXTRAS) for name in closure(extra)}
    rows = {name: licence(name) for name in sorted(names)}
    print("| package | version | licence |\n|---|---|---|")
    for name, words in rows.items():
        print(f"| {name} | {metadata.version(name)} | {words or 'says nothing'} |")
    refused = sorted(name for name, words in rows.items() if not is_accepted(words))
    for name in refused:
        print(f"{name}: {rows[name] or 'says nothing'!r} is not among the accepted licences", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
