"""
Follow the tutorial in a folder of its own, and write what it printed into its pages: ``python tools/tutorial.py [--check]``.

The how-to pages about the tutorial's bank are followed in the same session, after it; other pages have one of their own.

1. A line after ``$`` is a command, lines after ``>`` go on with it, and what follows is what it printed, errors included.
2. The pages of a session go on where the one before them ended, in the same shell and the same folder.
3. "Save this as `NAME`." before a block saves it; a block below a comment ``not run: REASON`` is shown and not run.
4. Keys, days, times and ids differ from run to run. They are compared by their form, and keys by which are the same.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PAGES = [
    *(HERE / "docs" / "tutorial" / f"{name}.md" for name in ("first-pin", "first-rotation", "first-interception")),
    *(
        HERE / "docs" / "how-to" / f"{name}.md"
        for name in ("report-only-to-enforce", "incident", "corporate-inspection")
    ),
]
SESSIONS = [PAGES, [HERE / "docs" / "how-to" / "signed-updates.md"]]
BANK = HERE / "docs" / "tutorial" / "bank.py"
SHOWN_FOLDER = "/home/ada/bank"
_MARK = "\x1e"
_BLOCK = re.compile(r"(<!-- not run: [^>]*-->\n\n?)?```console\n(.*?)```", re.DOTALL)
_SAVED = re.compile(r"[Ss]ave this as `([\w.]+)`\.\n\n```\w+\n(.*?)```", re.DOTALL)
_DISTURBING = re.compile(r"^(SSL_CERT_|SSLKEYLOG|REQUESTS_CA|CURL_CA|OPENSSL_CONF|PYTHONPATH)|_proxy$", re.IGNORECASE)


def played(pages: list[Path], folder: Path) -> list[list[str]]:
    """Run every command of the pages in an empty folder, and return for each page what each command printed."""
    shutil.copy(BANK, folder)
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    (folder / "bank.py").write_text(_with(ports, BANK.read_text()))
    texts = [_with(ports, page.read_text(encoding="utf-8")) for page in pages]
    script = "\n".join(_script(text, folder) for text in texts)
    environment = {name: value for name, value in os.environ.items() if not _DISTURBING.search(name)}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
    }
    with (folder.parent / "printed").open("w+", encoding="utf-8") as printed:
        with subprocess.Popen(
            ["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=printed,
            stderr=subprocess.STDOUT, start_new_session=True,
        ) as shell:  # fmt: skip
            try:
                shell.wait(timeout=300)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(shell.pid, signal.SIGKILL)
        printed.seek(0)
        everything = printed.read()
    everything = _with({str(folder): SHOWN_FOLDER} | {real: shown for shown, real in ports.items()}, everything)
    outputs = iter(everything.split(_MARK + "\n")[1:])
    return [[next(outputs, "(nothing was run)\n") for _ in commands_of(page.read_text())] for page in pages]


def commands_of(text: str) -> list[str]:
    """Return the commands of a page, in order."""
    return [command for block in _BLOCK.finditer(text) if not block[1] for command, _ in _steps(block[2])]


def shown(text: str) -> list[str]:
    """Return what a page says that each of its commands prints."""
    return [output for block in _BLOCK.finditer(text) if not block[1] for _, output in _steps(block[2])]


def comparable(output: str) -> str:
    """Return an output with all that differs from run to run replaced by its form; equal keys stay equal."""
    pins = list(dict.fromkeys(re.findall(r"sha256/[A-Za-z0-9+/]{43}=", output)))
    for number, pin in enumerate(pins):
        output = output.replace(pin, f"sha256/{number}")
    output = re.sub(r"\d{4}[-.]\d\d[-.]\d\d( \d\d:\d\d)?", "DAY", output)
    return re.sub(r"\b[0-9a-f]{16}\b", "ID", output)


def filled(text: str, outputs: list[str]) -> str:
    """Return a page with what its commands printed in it."""
    left = iter(outputs)

    def block(found: re.Match[str]) -> str:
        if found[1]:
            return found[0]
        return "```console\n" + "".join(f"{command}\n{next(left)}" for command, _ in _steps(found[2])) + "```"

    return _BLOCK.sub(block, text)


def _steps(block: str) -> list[tuple[str, str]]:
    steps: list[tuple[str, str]] = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            steps.append((line.rstrip("\n"), ""))
        elif line.startswith("> ") and not steps[-1][1]:
            steps[-1] = steps[-1][0] + "\n" + line.rstrip("\n"), ""
        else:
            steps[-1] = steps[-1][0], steps[-1][1] + line
    return steps


def _script(text: str, folder: Path) -> str:
    for name, content in _SAVED.findall(text):
        (folder / name).write_text(content)
    return "\n".join(f"echo {_MARK}\n{_runnable(command)}" for command in commands_of(text))


def _runnable(command: str) -> str:
    """Return a command as a script has it; it waits where a person is slow enough not to."""
    plain = "\n".join(line[2:] for line in command.splitlines())
    if plain.startswith("pinscher serve"):
        return plain + "\n" + _LOOKED.format(port=re.findall(r"--listen \S+:(\d+)", plain)[0])
    if plain.startswith("python3 -m http.server"):
        return plain + "\n" + _ANSWERED.format(port=re.findall(r" (\d{4,5}) ", plain)[0])
    if plain.startswith("python3 bank.py serve"):
        return "rm -f bank.pid\n" + plain + "\nuntil [ -s bank.pid ]; do :; done"
    return f"{plain}\n{plain.replace('kill', 'wait', 1)} 2>/dev/null" if plain.startswith("kill ") else plain


_LOOKED = (
    "until curl -sS http://127.0.0.1:{port}/metrics 2>/dev/null | grep -q '^pinscher_findings{{.*critical'; do :; done"
)
_ANSWERED = "until (echo >/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do :; done"


def _with(places: dict[str, str], text: str) -> str:
    for place, other in places.items():
        text = text.replace(place, other)
    return text


_PORTS = ("8443", "8080", "8000")
"""What the pages call the ports of the bank, of the monitor and of a repository."""


def _free_ports(count: int) -> list[str]:
    with contextlib.ExitStack() as held:
        free = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in free:
            one.bind(("127.0.0.1", 0))
        return [str(one.getsockname()[1]) for one in free]


def main() -> int:
    """Write the pages, or with --check say whether they print today what they show."""
    stale = []
    for pages in SESSIONS:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "bank"
            folder.mkdir()
            outputs = played(pages, folder)
        for page, printed in zip(pages, outputs, strict=True):
            text = page.read_text(encoding="utf-8")
            stale += [page.name] if list(map(comparable, shown(text))) != list(map(comparable, printed)) else []
            if "--check" not in sys.argv:
                page.write_text(filled(text, printed), encoding="utf-8")
    print("the tutorial differs: " + ", ".join(stale) if stale else "the tutorial prints what it shows")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
