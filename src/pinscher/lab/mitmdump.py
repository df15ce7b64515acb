"""
Where the real mitmproxy comes from: an executable that is there, or an environment of its own in the user's cache.

In this order: a path that the caller names, the variable PINSCHER_MITMDUMP, ``mitmdump`` on the PATH, the environment
installed before, and on request a new one. mitmproxy's requirements contradict those of many applications, so that it
is never installed beside one. What is installed is pinned to versions and hashes in this package's data.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class MitmproxyMissingError(PinningError):
    """There is no mitmproxy to intercept with, or it could not be installed."""


def find_mitmdump(explicit: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Return the command that runs mitmdump; raise :class:`MitmproxyMissingError` if there is none yet."""
    named = os.fspath(explicit) if explicit is not None else os.environ.get("PINSCHER_MITMDUMP")
    if named:
        return (_executable(named),)
    on_path = shutil.which("mitmdump")
    if on_path is not None:
        return (on_path,)
    command = _command_in(environment_directory())
    if not _is_usable(command):
        message = (
            "no mitmdump found: not in PINSCHER_MITMDUMP, not on the PATH, and none was installed in "
            f"{escaped(str(environment_directory()))!r}; install mitmproxy, or let the lab install one for itself"
        )
        raise MitmproxyMissingError(message)
    return command


def provide_mitmdump(
    explicit: str | os.PathLike[str] | None = None, *, progress: Callable[[str], None]
) -> tuple[str, ...]:
    """Return the command that runs mitmdump, after installing mitmproxy if it is nowhere to be found."""
    try:
        return find_mitmdump(explicit)
    except MitmproxyMissingError:
        if explicit is not None or os.environ.get("PINSCHER_MITMDUMP"):
            raise
    return install_mitmdump(progress=progress)


def install_mitmdump(*, progress: Callable[[str], None]) -> tuple[str, ...]:
    """
    Install mitmproxy into an environment of its own in the user's cache.

    Two processes may do so at once: each builds its environment aside, and the first to finish puts it in place.
    """
    final = environment_directory()
    final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = Path(tempfile.mkdtemp(prefix=".mitmproxy-", dir=final.parent))
    try:
        progress(f"making an environment for mitmproxy {mitmproxy_version()} in {final}")
        _run([sys.executable, "-m", "venv", str(aside)])
        progress("upgrading its pip")
        _pip(aside, "pip.txt")
        progress("installing mitmproxy from hash-checked packages")
        _pip(aside, _requirements())
        _put_in_place(aside, final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return _command_in(final)


def mitmproxy_version() -> str:
    """Return the version of mitmproxy that the lab installs under this Python."""
    lines = shipped(_requirements()).splitlines()
    return next(line.split("==")[1].split()[0] for line in lines if line.startswith("mitmproxy=="))


def environment_directory() -> Path:
    """Return where the lab's own environment for mitmproxy is, or would be."""
    cache = os.environ.get("XDG_CACHE_HOME")
    directory = Path(cache) if cache and os.path.isabs(cache) else Path.home() / ".cache"
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    return directory / "pinscher" / f"mitmproxy-{mitmproxy_version()}-{python}"


def _requirements() -> str:
    return "mitmproxy-py312.txt" if sys.version_info >= (3, 12) else "mitmproxy-py311.txt"


def shipped(name: str) -> str:
    """Return a text of this package's data."""
    return importlib.resources.files("pinscher.lab").joinpath("data", name).read_text("utf-8")


def _executable(named: str) -> str:
    found = shutil.which(named)
    if found is None:
        message = f"{escaped(named)!r} is not a program that can be run, expected the path of mitmdump"
        raise MitmproxyMissingError(message)
    return found


def _command_in(environment: Path) -> tuple[str, ...]:
    """Return the command of an environment; its scripts name the directory it was built in, its Python does not."""
    return str(_python_in(environment)), "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()"


def _python_in(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _is_usable(command: Sequence[str]) -> bool:
    return os.access(command[0], os.X_OK)


def _pip(environment: Path, requirements: str) -> None:
    listed = environment / requirements
    listed.write_text(shipped(requirements), "utf-8")
    arguments = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--require-hashes"]
    _run([str(_python_in(environment)), *arguments, "--requirement", str(listed)])


def _run(command: Sequence[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _DISTURBING}
    try:
        subprocess.run(  # noqa: S603  (our own interpreter with our own arguments)
            command, check=True, capture_output=True, text=True, errors="replace", env=environment,
            timeout=_LONGEST_INSTALLATION, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failure:
        said = failure.stderr.decode("utf-8", "replace") if isinstance(failure.stderr, bytes) else failure.stderr
        last = "\n".join(f"  {escaped(line)}" for line in (said or "").strip().splitlines()[-5:])
        message = f"mitmproxy could not be installed, {escaped(' '.join(command[1:4]))!r} failed:\n{last}"
        raise MitmproxyMissingError(message) from None


_LONGEST_INSTALLATION = 900
"""Seconds that one step of an installation may take."""
_DISTURBING = frozenset(
    {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_USER"}
)


def _put_in_place(aside: Path, final: Path) -> None:
    if final.exists() and not _is_usable(_command_in(final)):
        shutil.rmtree(final)
    with contextlib.suppress(OSError):
        aside.rename(final)
    if not _is_usable(_command_in(final)):
        message = f"the environment for mitmproxy could not be put in place at {escaped(str(final))!r}"
        raise MitmproxyMissingError(message)
