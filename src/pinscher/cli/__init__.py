"""
The command line: ``pinscher VERB``.

This file imports nothing beyond the standard library, so that a missing extra is one sentence and not a traceback.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_PACKAGES = frozenset({"click", "rich", "cryptography", "defusedxml", "publicsuffixlist", "yaml"})
"""What the extra ``cli`` installs and this room imports, at its start or in a verb."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code: 0 the answer is good, 1 it is bad, 2 there is none, 130 interrupted."""
    try:
        from pinscher.cli.app import run  # noqa: PLC0415  (guarded: the extra may be missing)

        return run(sys.argv[1:] if arguments is None else list(arguments))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _PACKAGES:
            raise
        sys.stderr.write(f"pinscher: error: the command line needs {package}, which is not installed\n")
        sys.stderr.write("pinscher: hint: install it with: pip install 'pinscher[cli]'\n")
        return 2
