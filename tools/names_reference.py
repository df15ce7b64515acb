"""
Write the pages of events, figures and environment variables from the source: ``python tools/names_reference.py [--check]``.

What stands in an enum, in a figure's help or in a constant is read from the syntax tree; what a name means to a reader,
where the source does not say it, stands in the tables below. A name that one of the two has and the other has not is
an error.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pinscher.clients.measures import DESCRIPTION, LABELS, NAME
from pinscher.updates.events import EventKind

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent.parent
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
ENVIRONMENT = {
    "PINSCHER_POLICY": "The policy that `pinscher run` pins a Python program with; written by it, and read when an interpreter starts.",
    "PINSCHER_GUARD": "`off`, `report-only` or `enforce`: the guard of that program.",
    "PINSCHER_RUN_SEEN": "A file in which an interpreter notes that it was pinned; between `pinscher run` and its programs.",
    "PINSCHER_DISCOVER": "A folder in which an interpreter notes whom it talks to; between `pinscher discover` and its programs.",
    "PINSCHER_MITMDUMP": "The `mitmdump` that `demo` and the lab use.",
    "PINSCHER_LAB_DIRECTORY": "Where mitmproxy leaves its evidence; between the lab and its add-on.",
    "PINSCHER_LAB_ROUTES": "Which host is found where; between the lab and its add-on.",
    "PINSCHER_LAB_PASSES_ON": "Whether other hosts are reached; between the lab and its add-on.",
    "PINSCHER_LAB_CA_FILE": "What the machine trusts; for a program under test.",
    "PINSCHER_LAB_PINS": "The pins; for a program under test.",
    "PINSCHER_LAB_CURL_PINS": "The pins as curl takes them; for a program under test.",
    "PINSCHER_LAB_POLICY_FILE": "The whole policy; for a program under test.",
    "PINSCHER_LAB_SECRET": "What to send, once accepted; for a program under test.",
    "PINSCHER_LAB_EXPECTED": "`accept` or `refuse`; for a program under test.",
    "PINSCHER_LAB_PROXY": "A proxy to go through, or empty; for a program under test.",
    "PINSCHER_LAB_CERTIFICATE_FILE": "A client certificate; for a program under test.",
    "PINSCHER_LAB_STATE": "A folder that is kept over one case; for a program under test.",
    "PINSCHER_LAB_NAME": "`NAME` stands for the name of any value: `pinscher lab run --help` lists them; for a program under test.",
    "PINSCHER_DATABASE": "The database of `pinscher serve`; an address with a password is better here than on the command line.",
    "PINSCHER_BROKER": "The broker of `pinscher serve`.",
    "PINSCHER_MONITOR_TOKEN": "The operator's token with which `pinscher gate` and others ask a monitor; better here than on the command line.",
    "PINSCHER_TOKEN_PIN": "The PIN of the PKCS#11 token that `pinscher repo` signs with; without it, it is asked for.",
    "XDG_CACHE_HOME": "The folder of caches, in which the lab keeps its mitmproxy.",
    "PYTHONPATH": "Gets one folder in front, by `run` and `discover`, so that their hook is found.",
    "CREDENTIALS_DIRECTORY": "A service's credentials: a key in this folder may belong to root.",
    "TPM2TOOLS_TCTI": "How a TPM is reached, as the tools of the TPM name it.",
    "PYKCS11LIB": "The library of a PKCS#11 token, where its address names none.",
    "SSL_CERT_FILE": "Moves the roots that OpenSSL trusts, and with them those of a context without `trust`; pins hold all the same.",
    "SSL_CERT_DIR": "As `SSL_CERT_FILE`.",
    "REQUESTS_CA_BUNDLE": "Moves the roots that requests trusts; pins hold all the same.",
    "CURL_CA_BUNDLE": "As `REQUESTS_CA_BUNDLE`.",
    "SSLKEYLOGFILE": "Ignored by a `PinnedContext`; `keylog=` takes a path.",
    "OPENSSL_CONF": "Replaces OpenSSL's configuration; `doctor` says so.",
    "PYTHONHTTPSVERIFY": "Has no effect on Python 3; `doctor` says so.",
    "HTTPS_PROXY": "Clients go through it; a pinned connection is still verified end to end.",
    "HTTP_PROXY": "As `HTTPS_PROXY`.",
    "ALL_PROXY": "As `HTTPS_PROXY`.",
}
"""Each variable that Pinscher reads, writes or speaks of, and what it does."""
_NOT_OURS = {"PINSCHER_LAB_", "PINSCHER_COMPLETE"}


def constants() -> Iterator[tuple[Path, str]]:
    """Yield every text of the source with its file."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.value


def variables() -> set[str]:
    """Return the names of the environment variables that the source speaks of."""
    found = set()
    for path, text in constants():
        found.update(re.findall(r"\bPINSCHER_[A-Z]+(?:_[A-Z]+)*\b", text))
        outside = "lab" not in path.relative_to(SOURCE).parts or path.name == "mitmdump.py"
        if outside and re.fullmatch(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)*", text) and text in ENVIRONMENT:
            found.add(text)
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found.update(re.findall(r"environ(?:\.get\(|\[)[\"']([A-Z_0-9]+)[\"']", text))
        found.update(re.findall(r"envvar=[\"']([A-Z_0-9]+)[\"']", text))
        found.update(name for name in ENVIRONMENT if f"${name}" in text)
    return found - _NOT_OURS


def figures() -> dict[str, tuple[str, list[str], str]]:
    """Return each figure's name, kind, labels and help, as the source has them."""
    found: dict[str, tuple[str, list[str], str]] = {
        f"{NAME.replace('.', '_')}_total": ("counter", list(LABELS), DESCRIPTION)
    }
    for path in sorted(SOURCE.rglob("*.py")):
        if "prometheus_client" not in path.read_text(encoding="utf-8"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
            texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            if len(texts) < 2 or not re.fullmatch(r"pinscher_[a-z_]+", texts[0]):
                continue
            kind = (
                getattr(getattr(node, "func", None), "id", "CounterMetricFamily").removesuffix("MetricFamily").lower()
            )
            labels = [
                label.value
                for keyword in getattr(node, "keywords", ())
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


def environment_page() -> str:
    """Return the page of environment variables."""
    rows = [(f"`{name}`", says) for name, says in ENVIRONMENT.items()]
    return (
        f"# Environment variables\n\n{MADE}\nNo variable switches a pin off, and none names another policy for a program that did not ask for it by `pinscher run`.\n"
        "Whoever can set the variables of a process can still run other code in it.\n\n"
        f"| variable | what it does |\n|---|---|\n{_rows(rows)}"
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
    pages = {"events.md": events_page(), "metrics.md": metrics_page(), "environment.md": environment_page()}
    if "--check" in sys.argv:
        stale = [name for name, text in pages.items() if (REFERENCE / name).read_text(encoding="utf-8") != text]
        print(f"stale: {stale}: run tools/names_reference.py" if stale else "the pages of names are current")
        return 1 if stale else 0
    for name, text in pages.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
