"""
The code that a test plays with a client, as a reader can use it: what ``tools/each_client.py`` writes into its page.

Rules of this file:

1. A block is what the tests play: its own function and, before it, every import, constant and function that it uses,
   as they stand in the source. What all blocks share stands on top of the page, and nowhere else.
2. What only the tests need around a client is left out: the proxy that they run, and the loop that they wait for.
3. What a function takes from the function that made it is written into it: a module's name, options, another function.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

_HARNESS = ("through.<locals>.play", "_run.<locals>.<lambda>")


def code(exchange: Callable[..., object], shared: str) -> str:
    """Return the block of an exchange, for a page whose *shared* code stands on top of it."""
    function, known = played(exchange)
    block = _Block(set(bound(ast.parse(shared))))
    block.take(function, known)
    return block.text


def source_of(module: ModuleType, name: str) -> str:
    """Return what a module says that one of its names is."""
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    node = next(node for node in _statements(ast.parse(text)) if name in _names(node))
    return _without_decorators(text, node)


def played(exchange: Callable[..., object]) -> tuple[Any, dict[str, Any]]:
    """Return the function behind an exchange, and what it takes from the function that made it (rule 2)."""
    options: dict[str, Any] = {}
    function: Any = exchange
    while True:
        if isinstance(function, functools.partial):
            options |= {"options": function.keywords} if function.keywords else {}
            function = next((one for one in function.args if callable(one)), function.func)
        elif function.__qualname__ in _HARNESS:
            function = _taken(function)["exchange"]
        else:
            return function, _taken(function) | options


def bound(tree: ast.Module) -> Iterator[str]:
    """Yield the names that the statements of a module give a meaning."""
    for node in _statements(tree):
        yield from _names(node)


def unbound(text: str) -> list[str]:
    """Return the names that a piece of code uses and does not give a meaning, in their order."""
    nodes = list(ast.walk(ast.parse(text)))
    own = {name for node in nodes if isinstance(node, ast.stmt) for name in _names(node)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    used = {node.id: None for node in nodes if isinstance(node, ast.Name)}
    return [name for name in used if name not in own and name not in vars(__import__("builtins"))]


@dataclass
class _Block:
    """A block that is being put together: what it has, and what it still has to say."""

    has: set[str]
    imports: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The whole: imports first, then each part below what it uses."""
        plain = sorted(line for line in self.imports if line.startswith("import "))
        named = sorted(line for line in self.imports if not line.startswith("import "))
        head = "".join(f"{line}\n" for line in [*plain, *named])
        constants = "".join(part for part in self.parts if not part.startswith(_DEFINITIONS))
        functions = [part for part in self.parts if part.startswith(_DEFINITIONS)]
        return "\n\n".join([*filter(None, ["\n".join(filter(None, [head, constants]))]), *functions])

    def take(self, function: Any, known: dict[str, Any]) -> None:
        """Take a function, after everything that it uses."""
        text = textwrap.dedent(inspect.getsource(function))
        text = _without_decorators(text, ast.parse(text).body[0])
        for name, value in known.items():
            if callable(value):
                self.take(*played(value))
            text = _written(text, name, value)
        self.has.add(function.__name__)
        self._take(text, sys.modules[function.__module__])

    def _take(self, text: str, module: ModuleType) -> None:
        for name in unbound(text):
            if name not in self.has:
                self.has.add(name)
                self._find(name, module)
        self.parts.append(text)

    def _find(self, name: str, module: ModuleType) -> None:
        """Say what a name of a module is: an import as it stands there, anything else by its source."""
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        node = next((node for node in _statements(tree) if name in _names(node)), None)
        if node is None:
            raise LookupError(f"{name!r} is used in {module.__name__}, and nothing there says what it is")
        if isinstance(node, ast.Import):
            self.imports += [f"import {alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            self.imports.append(f"from {node.module} import {name}")
        else:
            self._take(source_of(module, name), module)


_DEFINITIONS = ("def ", "async def ", "class ", "@")


def _taken(function: Any) -> dict[str, Any]:
    return dict(inspect.getclosurevars(function).nonlocals)


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those for a type checker alone among them."""
    for node in tree.body:
        yield from node.body if isinstance(node, ast.If) else [node]


def _names(node: ast.stmt) -> list[str]:
    """Return the names that a statement gives a meaning."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _without_decorators(text: str, node: ast.stmt) -> str:
    """Return the text of a statement; what puts a function on the tests' table is none of the reader's business."""
    lines = text.splitlines(keepends=True)
    first = node.lineno
    if isinstance(node, ast.ClassDef) and node.decorator_list:
        first = node.decorator_list[0].lineno
    return "".join(lines[first - 1 : node.end_lineno])


def _written(text: str, name: str, value: Any) -> str:
    """Write what a name stands for into a function (rule 3)."""
    if callable(value):
        return re.sub(rf"\b{name}\b", played(value)[0].__name__, text)
    if isinstance(value, dict):
        told = ", ".join(f"{key}={one!r}" for key, one in value.items())
        text = text.replace(f", **{name}: Any", "")
        return text.replace(f", **{name}", f", {told}" if told else "")
    text = re.sub(rf"\b{name}\b", f'"{value}"', text)
    return re.sub(r'(\w+) = __import__\("(\w+)"\)\n', _imported, text)


def _imported(found: re.Match[str]) -> str:
    return f"import {found[2]}" + (f" as {found[1]}" if found[1] != found[2] else "") + "\n\n"
