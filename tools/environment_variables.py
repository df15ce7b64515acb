"""
The environment variables that Pinscher reads, writes or speaks of, for ``tools/names_reference.py``.

Rules of this file:

1. What a variable does stands in the tables below; which there are is read from the source, the hooks and the lab itself.
2. A name that one of the two has and the other has not is an error.
3. A placeholder for a name is no name.
"""

from __future__ import annotations

import ast
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from pinscher.lab.eavesdropping import intercepted_environment
from pinscher.lab.errand import Errand

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent.parent
SOURCE = HERE / "src" / "pinscher"
HOOKS = HERE / "docs" / "hooks"

_INTERCEPTED = "The interceptor's CA, for the program of `pinscher lab intercept`."
_UNDER_TEST = {
    "PINSCHER_LAB_URL": "Where to connect, as an address",
    "PINSCHER_LAB_HOST": "The name to verify; it need not resolve",
    "PINSCHER_LAB_ADDRESS": "The IP address to connect to, whatever the name resolves to",
    "PINSCHER_LAB_PORT": "The port to connect to",
    "PINSCHER_LAB_PATH": "The path to ask for",
    "PINSCHER_LAB_CA_FILE": "What the machine trusts, a PEM file",
    "PINSCHER_LAB_PINS": "The pins, between commas",
    "PINSCHER_LAB_CURL_PINS": "The pins as curl takes them",
    "PINSCHER_LAB_POLICY_FILE": "The whole policy, a TOML file",
    "PINSCHER_LAB_SECRET": "What to send, once accepted",
    "PINSCHER_LAB_EXPECTED": "`accept` or `refuse`",
    "PINSCHER_LAB_PROXY": "A proxy to go through, or empty",
    "PINSCHER_LAB_CERTIFICATE_FILE": "A client certificate with its key, or empty",
    "PINSCHER_LAB_STATE": "A folder that is kept over one case",
}
SECTIONS = {
    "Pinscher": {
        "PINSCHER_POLICY": "The policy that `pinscher run` pins a Python program with; written by it, and read when an interpreter starts.",
        "PINSCHER_GUARD": "`off`, `report-only` or `enforce`: the guard of that program.",
        "PINSCHER_RUN_SEEN": "A file in which an interpreter notes that it was pinned; between `pinscher run` and its programs.",
        "PINSCHER_DISCOVER": "A folder in which an interpreter notes whom it talks to; between `pinscher discover` and its programs.",
        "PINSCHER_MITMDUMP": "The `mitmdump` that `demo` and the lab use.",
        "PINSCHER_DATABASE": "The database of `pinscher serve`; an address with a password is better here than on the command line.",
        "PINSCHER_BROKER": "The broker of `pinscher serve`.",
        "PINSCHER_MONITOR_TOKEN": "The operator's token with which `pinscher gate` and others ask a monitor; better here than on the command line.",
        "PINSCHER_TOKEN_PIN": "The PIN of the PKCS#11 token that `pinscher repo` signs with; without it, it is asked for.",
        "_PINSCHER_COMPLETE": "Asks the program for a shell's [completion](../how-to/install.md#completion-in-a-shell): `bash_source`, `zsh_source` or `fish_source`.",
    },
    "A program under test": {name: f"{says}." for name, says in _UNDER_TEST.items()},
    "The lab and its mitmproxy": {
        "PINSCHER_LAB_DIRECTORY": "Where mitmproxy leaves its evidence; between the lab and its add-on.",
        "PINSCHER_LAB_ROUTES": "Which host is found where; between the lab and its add-on.",
        "PINSCHER_LAB_PASSES_ON": "Whether other hosts are reached; between the lab and its add-on.",
        "NODE_EXTRA_CA_CERTS": "What the machine trusts, for Node; set for a program under test, and for that of `pinscher lab intercept`.",
        "NODE_USE_ENV_PROXY": "Has Node go through the interceptor; set for the program of `pinscher lab intercept`.",
        "AWS_CA_BUNDLE": _INTERCEPTED,
        "CARGO_HTTP_CAINFO": _INTERCEPTED,
        "DENO_CERT": _INTERCEPTED,
        "GIT_SSL_CAINFO": _INTERCEPTED,
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": _INTERCEPTED,
        "PIP_CERT": _INTERCEPTED,
    },
    "The hooks of ACME clients": {
        "PINSCHER_HOOK_CONF": "The file with the hooks' settings, the four below it; `/etc/pinscher/hook.conf` without it.",
        "PINSCHER_DEPLOYMENTS": "The inventory of released versions, `deployments.toml`.",
        "PINSCHER_SERVED": "The folder that the server reads: `fullchain.pem` and `privkey.pem`.",
        "PINSCHER_RELOAD": "The command that makes the server read them again; nothing without it.",
        "PINSCHER_CA_FILE": "Roots that clients trust, in place of this machine's.",
        "RENEWED_LINEAGE": "The folder of the new certificate, from certbot.",
        "CERT_FULLCHAIN_PATH": "The new certificate with its chain, from acme.sh.",
        "CERT_KEY_PATH": "Its key, from acme.sh.",
        "LEGO_CERT_PATH": "The new certificate with its chain, from lego before version 5.",
        "LEGO_CERT_KEY_PATH": "Its key, from lego before version 5.",
        "LEGO_HOOK_CERT_PATH": "The new certificate with its chain, from lego 5.",
        "LEGO_HOOK_CERT_KEY_PATH": "Its key, from lego 5.",
        "CADDY_STORAGE": "The folder of Caddy's storage; `/var/lib/caddy/.local/share/caddy` without it.",
        "TLS_SECRET": "Where cert-manager's secret is mounted; `/tls` without it.",
    },
    "Variables of others": {
        "NO_COLOR": "No colour on a terminal.",
        "XDG_CACHE_HOME": "The folder of caches, in which the lab keeps its mitmproxy.",
        "PYTHONPATH": "Gets one folder in front, by `run` and `discover`, so that their hook is found.",
        "CREDENTIALS_DIRECTORY": "A service's credentials: a key in this folder may belong to root.",
        "TPM2TOOLS_TCTI": "How a TPM is reached, as the tools of the TPM name it.",
        "TSS2_LOG": "What the software stack of a TPM logs; nothing without it.",
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
    },
}
"""Each variable and what it does, below the heading where a reader would look for it."""
SAYS = {
    "A program under test": "`pinscher lab run` sets them for the program that it judges, and its `--help` has the same values as placeholders.\nIt sets `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` and `NODE_EXTRA_CA_CERTS` to the file of `PINSCHER_LAB_CA_FILE` as well.",
    "The hooks of ACME clients": "The scripts of [`docs/hooks`](../how-to/renew-with-certbot.md) read them.",
    "Variables of others": "The alerts of the monitor may name any other one: [`env:NAME`](../how-to/alerts.md) in place of an address takes the address from it.",
}
_HEAD = """# Environment variables

{made}
No variable switches a pin off, and none names another policy for a program that did not ask for it by `pinscher run`.
Whoever can set the variables of a process can still run other code in it.
"""
ENVIRONMENT = {name: says for section in SECTIONS.values() for name, says in section.items()}
_PLACEHOLDERS = {"PINSCHER_LAB_"}


def variables() -> set[str]:
    """Return the names of the environment variables that there are."""
    completion = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    found = spoken_of() | of_the_lab() | of_the_hooks() | {f"_{name.upper()}_COMPLETE" for name in completion}
    return found - _PLACEHOLDERS


def spoken_of() -> set[str]:
    """Return the names that the source speaks of."""
    found = set()
    for path, text in _constants():
        found.update(re.findall(r"\bPINSCHER_[A-Z]+(?:_[A-Z]+)*\b", text))
        outside = "lab" not in path.relative_to(SOURCE).parts or path.name == "mitmdump.py"
        if outside and re.fullmatch(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)*", text) and text in ENVIRONMENT:
            found.add(text)
        found.update(name for name in ENVIRONMENT if f"``{name}``" in text)
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found.update(re.findall(r"environ(?:\.get\(|\.setdefault\(|\[)[\"']([A-Z_0-9]+)[\"']", text))
        found.update(re.findall(r"envvar=[\"']([A-Z_0-9]+)[\"']", text))
        found.update(name for name in ENVIRONMENT if f"${name}" in text)
    return found


def of_the_lab() -> set[str]:
    """Return the names that the lab sets for the programs that it starts."""
    told = Errand(
        url="", host="", address="", port=0, ca="the CA", policy="", pins=(), expected="", path="", proxy="",
        secret="", certificate="", state="",
    ).environment  # fmt: skip
    under_test = {name for name, value in told.items() if name.startswith("PINSCHER_LAB_") or value == "the CA"}
    set_anew = {
        name for name, value in intercepted_environment("a URL", "the CA").items() if os.environ.get(name) != value
    }
    return under_test | {name for name in set_anew if name.isupper()}


def of_the_hooks() -> set[str]:
    """Return the names that the hooks of ACME clients read."""
    return {
        name
        for path in HOOKS.glob("*.sh")
        for name in re.findall(r"\$\{?([A-Z][A-Z0-9_]+)", path.read_text(encoding="utf-8"))
    }


def page(made: str) -> str:
    """Return the page of environment variables."""
    parts = [_HEAD.format(made=made)]
    for heading, section in SECTIONS.items():
        says = f"{SAYS[heading]}\n\n" if heading in SAYS else ""
        rows = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in section.items())
        parts.append(f"\n## {heading}\n\n{says}| variable | what it does |\n|---|---|\n{rows}")
    return "".join(parts)


def _constants() -> Iterator[tuple[Path, str]]:
    """Yield every text of the source with its file."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.value
