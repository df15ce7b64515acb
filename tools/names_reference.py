"""
Write the pages of events, figures and environment variables from the source: ``python tools/names_reference.py [--check]``.

What stands in an enum or in a figure's help is read from the syntax tree; what a name means to a reader, where the source
does not say it, stands in the tables below, and for variables in ``environment_variables.py``. A name that one of the two
has and the other has not is an error.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from pinscher.clients.measures import DESCRIPTION, LABELS, NAME
from pinscher.updates.events import EventKind

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from tools.environment_variables import ENVIRONMENT, page, variables  # noqa: E402

SOURCE = HERE / "src" / "pinscher"
REFERENCE = HERE / "docs" / "reference"
MADE = "Made by `tools/names_reference.py` from the source; do not edit it by hand."

FORWARDER = {
    "listening": "The forwarder listens; told once for each pair.",
    "opened": "A local client was connected to its upstream, over a connection that matched.",
    "closed": "A connection ended; it says how many octets went each way.",
    "refused": "The upstream was refused, and the local client reset.",
    "reported": "A refusal in report-only mode: the connection was let through.",
    "failed": "A connection could not be made or went wrong, for another reason than pins.",
    "withdrawn": "An open connection that a new policy refuses.",
    "reloaded": "A new policy is in force.",
    "kept": "A new policy that cannot be used: the old one stays.",
    "stopped": "The forwarder has stopped; it says how many connections were cut.",
}
SERVE = {
    "listening": "The monitor listens; it says where, and how many endpoints are watched.",
    "token": "The operator's token, at the first start or when a new one was asked for; shown once.",
    "link": "An address that makes an operator's account, good once and for an hour; told when it was asked for.",
    "stopped": "The monitor has stopped.",
}


def figures() -> dict[str, tuple[str, list[str], str]]:
    """Return each figure's name, kind, labels and help, as the source has them."""
    found: dict[str, tuple[str, list[str], str]] = {
        f"{NAME.replace('.', '_')}_total": ("counter", list(LABELS), DESCRIPTION)
    }
    for path in sorted(SOURCE.rglob("*.py")):
        if "prometheus_client" not in path.read_text(encoding="utf-8"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            if len(texts) < 2 or not re.fullmatch(r"pinscher_[a-z_]+", texts[0]):
                continue
            kind = getattr(node.func, "id", "").removesuffix("MetricFamily").lower()
            labels = [
                label.value
                for keyword in node.keywords
                if keyword.arg == "labels"
                for label in getattr(keyword.value, "elts", ())
            ]
            name = texts[0] + ("_total" if kind == "counter" and not texts[0].endswith("_total") else "")
            found[name] = kind, labels, texts[-1]
    return found


def members(file: str, enumeration: str) -> list[tuple[str, str]]:
    """Return the values of an enum and what stands below each of them."""
    tree = ast.parse((SOURCE / file).read_text(encoding="utf-8"))
    body = next(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == enumeration)
    found = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            says = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            found.append((str(node.value.value), " ".join(str(says).split()).replace("``", "`")))
    return found


def _rows(rows: list[tuple[str, ...]]) -> str:
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def events_page() -> str:
    """Return the page of events."""
    updater = [
        (f"`{value}`", "yes" if EventKind(value).is_alarm else "no", says)
        for value, says in members("updates/events.py", "EventKind")
    ]
    forwarder = [(f"`{value}`", FORWARDER[value]) for value, _ in members("clients/forwarder/events.py", "Kind")]
    return (
        f"# Events\n\n{MADE}\nA verdict is an event as well, and has [a page of its own](verdict.md).\n\n"
        "## The updater and the keeper\n\n"
        "`on_event` of an `Updater` or a `Keeper` is called with each; `event.kind` is the kind, `event.text` one line for a person, and `error`, `version` and `host` say what it is about.\n\n"
        f"| kind | alarm | what happened |\n|---|---|---|\n{_rows(updater)}\n"
        "## `pinscher forward`\n\n`--json` writes one object for each, with the kind in `event`.\n\n"
        f"| event | what happened |\n|---|---|\n{_rows(forwarder)}\n"
        "## `pinscher serve`\n\n`--json` writes one object for each, with the kind in `event`; what the monitor finds is in [its reference](monitor.md).\n\n"
        f"| event | what happened |\n|---|---|\n{_rows([(f'`{value}`', says) for value, says in SERVE.items()])}"
    )


def metrics_page() -> str:
    """Return the page of figures."""
    rows = [
        (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels) or "none", says)
        for name, (kind, labels, says) in sorted(figures().items())
    ]
    return (
        f"# Figures\n\n{MADE}\n`pinscher_verdicts_total` comes from an application that registers the collector, the others from `/metrics` of the monitor.\n"
        "[See that pinning is on](../how-to/watch-verdicts.md) has the code for Prometheus and for OpenTelemetry, where the counter is `pinscher.verdicts` and its attributes begin with `pinscher.`.\n\n"
        f"| figure | kind | labels | help |\n|---|---|---|---|\n{_rows(rows)}"
    )


def main() -> int:
    """Write the pages, or with --check say whether they are current."""
    undocumented, gone = sorted(variables() - set(ENVIRONMENT)), sorted(set(ENVIRONMENT) - variables())
    if undocumented or gone:
        print(f"variables without a meaning: {undocumented}; no such variable any more: {gone}")
        return 1
    told = set(re.findall(r'\.tell\("([a-z]+)"', (SOURCE / "cli" / "serve.py").read_text(encoding="utf-8")))
    kinds = {value for value, _ in members("clients/forwarder/events.py", "Kind")}
    if told != set(SERVE) or kinds != set(FORWARDER):
        print(
            f"events without a meaning, or no such event any more: {sorted((told ^ set(SERVE)) | (kinds ^ set(FORWARDER)))}"
        )
        return 1
    pages = {"events.md": events_page(), "metrics.md": metrics_page(), "environment.md": page(MADE)}
    if "--check" in sys.argv:
        stale = [name for name, text in pages.items() if (REFERENCE / name).read_text(encoding="utf-8") != text]
        print(f"stale: {stale}: run tools/names_reference.py" if stale else "the pages of names are current")
        return 1 if stale else 0
    for name, text in pages.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
