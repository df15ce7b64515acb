"""
The command line: ``pinscher VERB``.

Rules of this file:

1. It imports nothing beyond the standard library: a missing extra is one sentence with the line that installs it, and
   not a traceback.
2. A standard stream that whoever started the program has closed leads nowhere, and is not None.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_PACKAGES = {
    "cli": ("click", "rich", "cryptography", "dns", "defusedxml", "publicsuffixlist", "certifi", "yaml"),
    "lab": ("h2", "segno"),
    "updates": ("filelock", "keyring", "tuf", "securesystemslib"),
    "tpm": ("tpm2_pytss",),
    "hsm": ("pkcs11", "PyKCS11"),
    "monitor": (
        "starlette", "uvicorn", "msgspec", "sqlalchemy", "aiosqlite", "alembic", "prometheus_client", "jinja2",
        "markupsafe", "apprise",
    ),
    "monitor-cluster": ("asyncpg", "taskiq", "taskiq_nats", "nats"),
}  # fmt: skip
"""What each extra brings, by the names that it is imported by."""
_EXTRAS = {package: extra for extra, packages in _PACKAGES.items() for package in packages}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code: 0 the answer is good, 1 it is bad, 2 there is none, 130 interrupted."""
    _open_streams()
    try:
        from pinscher.cli.app import run  # noqa: PLC0415  (guarded: the extra may be missing)

        return run(sys.argv[1:] if arguments is None else list(arguments))
    except ImportError as error:
        told = _missing(error)
        if told is None:
            raise
        with contextlib.suppress(OSError):
            sys.stderr.write(told)
        return 2


def _missing(error: ImportError) -> str | None:
    """Return what to say of a missing package (rule 1), or None where the import failed for another reason."""
    if "pip install 'pinscher[" in error.msg:
        return f"pinscher: error: {error.msg}\n"
    package = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or package not in _EXTRAS:
        return None
    extra = _EXTRAS[package]
    what = "the command line" if extra == "cli" else "this verb"
    return (
        f"pinscher: error: {what} needs {package}, which is not installed\n"
        f"pinscher: hint: install it with: pip install 'pinscher[{extra}]'\n"
    )


def _open_streams() -> None:
    """Put what leads nowhere in the place of a closed stream (rule 2), so that no other file gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  (as long as the program)
