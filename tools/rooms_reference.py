"""Write the page of every room's public names from the source: ``python tools/rooms_reference.py [--check]``."""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
SOURCE = HERE / "src" / "pinscher"
PAGE = HERE / "docs" / "reference" / "rooms.md"
HEAD = """# The rooms

Made by `tools/rooms_reference.py` from the rooms' own `__all__` and docstrings; do not edit it by hand.
[The front door](api.md) is what most programs need; these are the names that each room offers beside it, with their first sentence.
`help(pinscher.probe.observe)` and the like have the rest.
`pinscher.clients` has one file for each stack, imported by its name: [the table of clients](clients.md).
"""


def public_names(package: Path) -> list[str]:
    """Return what a package's ``__all__`` lists, as it is written."""
    for node in ast.parse((package / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "__all__" and node.value:
            return list(ast.literal_eval(node.value))
    return []


Definitions = dict[str, tuple[str, str]]


@functools.cache
def definitions() -> dict[Path, Definitions]:
    """Return for each file the kind and the docstring of everything that it defines at its top."""
    return {path: _defined(ast.parse(path.read_text(encoding="utf-8")).body) for path in sorted(SOURCE.rglob("*.py"))}


def _defined(body: list[ast.stmt]) -> Definitions:
    found: Definitions = {}
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = "class" if isinstance(node, ast.ClassDef) else "function", ast.get_docstring(node) or ""
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            says = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update((target.id, ("value", str(says))) for target in targets if isinstance(target, ast.Name))
    return found


def sentences(package: Path) -> Definitions:
    """Return what stands behind a name in a package: what its own files define counts before what others do."""
    found: Definitions = {}
    for _, defined in sorted(definitions().items(), key=lambda one: (package in one[0].parents, str(one[0]))):
        found.update({name: what for name, what in defined.items() if what[1] or name not in found})
    face = package / "__init__.py"
    for node in ast.walk(ast.parse(face.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            file = SOURCE.parent.joinpath(*node.module.split(".")).with_suffix(".py")
            behind = definitions().get(file, {})
            found.update({alias.name: behind[alias.name] for alias in node.names if alias.name in behind})
    return found | {name: what for name, what in definitions()[face].items() if what[1]}


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for package in sorted(path.parent for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE):
        names = public_names(package)
        if not names or package.name in ("cli", "clients"):
            continue
        known = sentences(package)
        module = ".".join(("pinscher", *package.relative_to(SOURCE).parts))
        room = (ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or "").split(
            "\n\n"
        )[0]
        parts.append(f"\n## `{module}`\n\n{_plain(room)}\n\n| name | | what it is |\n|---|---|---|\n")
        for name in sorted(names):
            kind, says = known.get(name, ("value", ""))
            parts.append(f"| `{name}` | {kind} | {_plain(says.split(chr(10) * 2)[0]) or 'see its own page'} |\n")
    return "".join(parts)


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def main() -> int:
    """Write the page, or with --check say whether it is current."""
    today = page()
    if "--check" in sys.argv:
        is_current = PAGE.read_text(encoding="utf-8") == today
        print("the page of the rooms is current" if is_current else "stale: run tools/rooms_reference.py")
        return 0 if is_current else 1
    PAGE.write_text(today, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
