"""
Write the table of clients in the docs from the clients' own tests: ``python tools/clients_table.py [--check]``.

Each client is played against a server with a rogue key under the right authority. The table says what its user catches,
on which way the verdict is found behind that, and what the server saw.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PAGE = HERE / "docs" / "reference" / "clients.md"
sys.path.insert(0, str(HERE))

import pinscher  # noqa: E402
from tests.conformance.clients import CLIENTS, HOST, Client  # noqa: E402
from tests.conformance.other_stacks import OTHERS, Row  # noqa: E402
from tests.conformance.test_clients import World, play, serving  # noqa: E402
from tests.conftest import REDIRECTIONS  # noqa: E402

HEAD = """# Clients that take a context

Made by `tools/clients_table.py` from the tests in `tests/conformance/test_clients.py`; do not edit it by hand.
Every row was played against a server with a rogue key under the right authority and name.
In every row the server counted **zero application bytes**, and the same client reached the genuine server, its renewed certificate and its backup key.

Handshakes: how many connections the server saw in one refused call, because some clients retry by themselves.
Finished: whether the server saw the client's side of the handshake to its end; blocking sockets complete it before the standard library hands the connection over.

| client | version | how the context goes in | what the user catches | where the verdict is | handshakes | finished |
|---|---|---|---|---|---|---|
"""

FOOT = """
`pinscher.verdict_of(error)` walks every way in the fifth column, so no application has to know them.
Where the error is lost, its text is in the client's own error or log, and the id in that text is one of `context.verdicts`.

What a context cannot see: a call that passes another context or none (`verify=False`), clear-text `http://`, and any client that brings its own TLS.

## Stacks that take no context

Each has one file in `pinscher.clients`, imported by its name.
A stack that gives no safe hook raises `UnsupportedTransportError` when its file is used, with the reason and what to do.
A `judge` is `pinscher.clients.judge.Judge(policy, trust=..., on_verdict=...)`.

| stack | version | how | what is enforced | what is not | the test that proves it |
|---|---|---|---|---|---|
"""


def row(client: Client) -> str:
    """Play a client against a rogue key, and return its line of the table."""
    world = World()
    context = world.context()
    with serving(client, world.root.issue(HOST)) as server:
        error = play(client, context, server)
        connections = server.evidence.connections
        count = server.application_bytes
    verdict = pinscher.verdict_of(error)
    if client.loses_errors:
        verdict = next(iter(context.verdicts), None)
    if verdict is None or count or error is None:
        raise SystemExit(f"{client}: {count} application bytes, verdict {verdict}, error {error!r}")
    finished = {record.handshake_completed for record in connections}
    return (
        f"| {client.name} | {version(client.package)} | {client.how} | `{name(type(error))}` | {way(error)} "
        f"| {len(connections)} | {' or '.join(sorted('yes' if one else 'no' for one in finished))} |"
    )


def other(stack: Row) -> str:
    """Return the line of a stack that takes no context."""
    return (
        f"| {stack.name} | {version(stack.package)} | {stack.how} | {stack.enforced} | {stack.not_enforced} "
        f"| `{stack.test}` |"
    )


def version(package: str) -> str:
    """Return a package's version, or Python's for a module of the standard library."""
    if package == "niquests":
        return "in an environment of its own"
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "Python {}.{}".format(*sys.version_info[:2])


def name(kind: type) -> str:
    """Return how a user would write the type of an error."""
    return (
        kind.__name__ if kind.__module__.startswith(("builtins", "pinscher")) else f"{kind.__module__}.{kind.__name__}"
    )


def way(error: BaseException) -> str:
    """Return the shortest way from an error to the one that carries the verdict."""
    waiting: list[tuple[BaseException, str]] = [(error, "")]
    for found, path in waiting:
        if isinstance(found, pinscher.PinMismatchError):
            return f"`{path}`" if path else "itself"
        steps = [(found.__cause__, ".__cause__"), (found.__context__, ".__context__")]
        steps += [(one, f".args[{place}]") for place, one in enumerate(found.args)]
        steps += [(one, f".exceptions[{place}]") for place, one in enumerate(getattr(found, "exceptions", ()))]
        waiting += [(one, path + step) for one, step in steps if isinstance(one, BaseException) and len(path) < 120]
    return "in the text alone"


def main() -> int:
    """Write the page, or with --check say whether its rows are those of today."""
    warnings.simplefilter("ignore")
    for redirection in REDIRECTIONS:
        os.environ.pop(redirection, None)
    rows, others = [row(client) for client in CLIENTS], [other(stack) for stack in OTHERS]
    if "--check" not in sys.argv:
        PAGE.write_text(HEAD + "\n".join(rows) + "\n" + FOOT + "\n".join(others) + "\n", encoding="utf-8")
        return 0
    # Versions and the number of handshakes may differ from machine to machine; the rest may not.
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    written = [
        _stable(line) for line in lines if line.startswith("| ") and not line.startswith(("| client ", "| stack "))
    ]
    wrong = [line for line, today in zip(written, map(_stable, rows + others), strict=True) if line != today]
    print("\n".join(wrong) or "the table of clients is current")
    return 1 if wrong else 0


_COLUMNS_OF_OTHERS = 6


def _stable(line: str) -> str:
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    return " | ".join(cells[:1] + cells[2:5] + cells[-1:] * (len(cells) == _COLUMNS_OF_OTHERS))


if __name__ == "__main__":
    sys.exit(main())
