"""
Draw the house from its real imports: ``python tools/drawing.py [--check]``.

The floors are those of the layers contract in pyproject.toml, and every arrow is an import that stands in the source.
What a room takes from the ground floor is not drawn: all of them do.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
SOURCE = HERE / "src" / "pinscher"
PICTURE = HERE / "docs" / "architecture.svg"
WIDTH, HEIGHT, BOX_WIDTH, BOX_HEIGHT, LEFT = 960, 84, 140, 38, 110
SAYS = {
    "cli": "one file per verb", "monitor": "watch, collect, alert", "lab": "scenarios, hostile servers",
    "keeper": "one object to start", "updates": "signed policies", "clients": "one file per stack",
    "rotation": "lint, survive, plan, gate", "discover": "what deserves pins", "tls": "PinnedContext, enforce",
    "probe": "what a server shows", "formats": "foreign dialects", "reports": "violations, heartbeats",
    "store": "sealed on the disk", "diagnosis": "why it was refused", "pytest_plugin": "for your own tests",
    "replacement": "files, as a whole or not", "turn": "a lock that survives a fork",
}  # fmt: skip
STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:13px;fill:#1b1f24}.small{font-size:10.5px;fill:#57606a}"
    ".box{fill:#fff;stroke:#57606a}.floor{fill:#f3f5f7}.ground{fill:#e3edf7;stroke:#3572a5}"
    ".arrow{fill:none;stroke:#3572a5;stroke-width:1.1;opacity:.55}.top{stroke:#8c959f;opacity:.45}"
)


def floors() -> tuple[list[list[str]], list[str]]:
    """Return the rooms of each floor from the attic down, a file that is a room among them, and the ground floor's files."""
    contracts = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [[name.strip("() ") for name in layer.split("|")] for layer in contracts[0]["layers"]]
    pure = [name.removeprefix("pinscher.") for name in contracts[1]["source_modules"]]
    ground = [name for name in pure if (SOURCE / f"{name}.py").exists()]
    rooms = [[name for name in layer if name not in ground] for layer in layers]
    return [floor for floor in rooms if floor], ground


def imports() -> set[tuple[str, str]]:
    """Return which room imports from which other."""
    found = set()
    rooms = {name for floor in floors()[0] for name in floor}
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if room in rooms else ():
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [f"{node.module}.{node.names[0].name}"] if isinstance(node, ast.ImportFrom) and node.module else []
            targets = {name.split(".")[1] for name in names if name.startswith("pinscher.")}
            found.update((room, target) for target in targets & rooms if target != room)
    return found


def picture() -> str:
    """Return the drawing as SVG."""
    rooms, ground = floors()
    places = {
        name: _place(number, position, len(floor))
        for number, floor in enumerate(rooms)
        for position, name in enumerate(floor)
    }
    bottom = len(rooms) * HEIGHT + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 72}" role="img">',
        "<title>The rooms of Pinscher by floor, and which imports which</title>",
        f'<style>{STYLE}</style><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#3572a5"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{bottom + 72}" fill="#fff"/>',
    ]
    parts += [
        f'<rect class="floor" x="8" y="{number * HEIGHT + 8}" width="{WIDTH - 16}" height="{HEIGHT - 10}" rx="6"/>'
        for number in range(len(rooms))
    ]
    for above, below in sorted(imports()):
        (x, y), (to_x, to_y) = places[above], places[below]
        kind = "arrow top" if above == "cli" else "arrow"
        half = BOX_HEIGHT // 2
        parts.append(
            f'<path class="{kind}" marker-end="url(#tip)" d="M{x} {y + half}C{x} {y + half + 34} {to_x} {to_y - half - 34} {to_x} {to_y - half - 1}"/>'
        )
    for name, (x, y) in places.items():
        parts.append(
            f'<rect class="box" x="{x - BOX_WIDTH // 2}" y="{y - BOX_HEIGHT // 2}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5"/>'
        )
        parts.append(f'<text x="{x}" y="{y - 2}" text-anchor="middle">{name}</text>')
        parts.append(f'<text class="small" x="{x}" y="{y + 12}" text-anchor="middle">{SAYS[name]}</text>')
    parts.append(f'<rect class="ground" x="8" y="{bottom}" width="{WIDTH - 16}" height="62" rx="6"/>')
    parts.append(
        f'<text x="{WIDTH // 2}" y="{bottom + 25}" text-anchor="middle">ground floor: the standard library alone, no socket, no clock</text>'
    )
    parts.append(
        f'<text class="small" x="{WIDTH // 2}" y="{bottom + 45}" text-anchor="middle">{" · ".join(ground)}</text></svg>\n'
    )
    return "\n".join(parts)


def _place(floor: int, position: int, count: int) -> tuple[int, int]:
    """Return the middle of a room's box."""
    gap = (WIDTH - 2 * LEFT) / max(count, 2)
    shift = gap / 2 if count > 1 else gap
    return round(LEFT + shift + position * gap), floor * HEIGHT + 8 + (HEIGHT - 10) // 2


def main() -> int:
    """Write the picture, or with --check say whether it is current."""
    if "--check" in sys.argv:
        is_current = PICTURE.read_text(encoding="utf-8") == picture()
        print("the drawing is current" if is_current else "stale: run tools/drawing.py")
        return 0 if is_current else 1
    PICTURE.write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
