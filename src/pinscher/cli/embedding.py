"""The files that ``pinscher embed`` writes, and reads back without running them."""

from __future__ import annotations

import ast
import enum
from typing import TYPE_CHECKING, Any

from pinscher.errors import escaped
from pinscher.store import Embedded, EmbeddedPinsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OCTETS_A_LINE = 72


class Form(enum.Enum):
    """What a file is for."""

    PYTHON = "python"
    JSON = "json"
    LINES = "lines"


def written(made: Embedded, form: Form) -> bytes:
    """Return the file; the same pins give the same octets."""
    if form is Form.JSON:
        return made.to_json()
    return made.to_lines() if form is Form.LINES else _module(made)


def embedded_in(content: bytes, form: Form) -> Embedded:
    """Read a file back and verify it; raise ``EmbeddedPinsError`` for anything that was not written here."""
    if form is Form.JSON:
        return Embedded.from_json(content)
    return Embedded.from_lines(content) if form is Form.LINES else _of_module(content)


def _module(made: Embedded) -> bytes:
    lines = [
        '"""Pins that this program is shipped with, written by pinscher embed: do not edit this, run it again."""',
        "",
        "from pinscher.store.embedded import Embedded",
        "",
        f"# {escaped(made.policy.name)}, version {made.policy.version}",
        "EMBEDDED = Embedded(",
        *_field("root_octets", made.root),
        *_field("bundle_octets", made.bundle),
        f"    floor_number={made.floor},",
        f'    root_digest="{made.root_digest}",',
        f'    bundle_digest="{made.bundle_digest}",',
        ")",
        "",
    ]
    return "\n".join(lines).encode()


def _field(name: str, octets: bytes) -> Iterator[str]:
    yield f"    {name}=("
    for place in range(0, len(octets), _OCTETS_A_LINE):
        yield f"        {octets[place : place + _OCTETS_A_LINE]!r}"
    yield "    ),"


def _of_module(content: bytes) -> Embedded:
    """Read the one call of a module by its text: nothing of it is run."""
    try:
        tree = ast.parse(content)
        call: Any = next(node for node in ast.walk(tree) if isinstance(node, ast.Call))
        fields = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        made = Embedded(**fields)
    except (StopIteration, SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise EmbeddedPinsError("no module that pinscher embed wrote") from None
    if not isinstance(made.root_octets, bytes) or not isinstance(made.bundle_octets, bytes):
        raise EmbeddedPinsError("no module that pinscher embed wrote")
    _ = made.policy
    return made
