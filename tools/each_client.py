"""Write the page with each client's own code from the exchanges that the tests play: ``python tools/each_client.py [--check]``."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PAGE = HERE / "docs" / "how-to" / "each-client.md"
sys.path.insert(0, str(HERE))

from tools.client_code import code, source_of  # noqa: E402

from tests.conformance import proxied  # noqa: E402
from tests.conformance.other_stacks import OTHERS  # noqa: E402
from tests.conformance.test_clients import CLIENTS, Client  # noqa: E402

SHARED = f"""from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

import pinscher

context = pinscher.PinnedContext(pinscher.Policy.load("pins.toml"))

HOST = "api.bank.example"
SECRET = "password=correct-horse-battery-staple"
BODY = SECRET.encode()
TIMEOUT = 10  # seconds


def _url(port: int) -> str:
    return f"https://{{HOST}}:{{port}}/"


{source_of(proxied, "Proxy")}"""
"""What every block of the page stands below."""
HEAD = f"""# Pin each client

Made by `tools/each_client.py` from the code that the tests play; do not edit it by hand.
Every client here reached the genuine server, its renewed certificate and its backup key, and sent an impostor with a rogue key under the right authority nothing.
What its user catches then is in [the table of clients](../reference/clients.md).

Below each heading stands how the pins go in (`clients.` is `pinscher.clients.`); often that one line is all that a program needs.
The code after it is a whole exchange, as the tests play it: a secret is sent, and `assert` says what the genuine server answered.

All of the code goes on from this, where `context` is made once and used for every connection:

```python
{SHARED}```

Then `urllib_request(context, 443)` plays an exchange, and `asyncio.run(aiohttp_connector(context, 443))` one that begins with `async`.
Where a `proxy` is asked for, `Proxy(3128)` is one that is asked in clear, and `Proxy(3129, trusting)` one that speaks TLS itself, with a context of its own; the tests run it on the machine of `HOST`, so put your proxy's address into `url`.
The context of the server is the pinned one either way: what goes through the proxy is for the server alone.
For programs that nobody should change there is [`pinscher run`](pin-a-program-as-it-is.md), and for what has a TLS of its own [a pinned forwarder](forward.md).
"""

TAKES_NONE = """
## Stacks that take no context

Each has a file of its own in `pinscher.clients`, imported by its name.
A `judge` is `pinscher.clients.judge.Judge(policy)`, and a `policy` is `pinscher.Policy.load("pins.toml")`.
[The table](../reference/clients.md#stacks-that-take-no-context) names the test that plays each.

{rows}
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for package, clients in groupby(sorted(CLIENTS, key=_place), key=lambda client: client.package):
        parts.append(f"\n## {package}\n")
        shown: dict[str, str] = {}
        parts += [f"\n### {client.name}\n\n{client.how}\n\n{_block(client, shown)}" for client in clients]
    names = {client.package for client in CLIENTS}
    rows = [
        f"- **{row.name}**: {row.how}; enforced: {row.enforced}; not: {row.not_enforced}."
        for row in OTHERS
        if row.package not in names
    ]
    return "".join([*parts, TAKES_NONE.format(rows="\n".join(rows))])


def _block(client: Client, shown: dict[str, str]) -> str:
    """Return a client's code, or where the same code stands already."""
    text = code(client.exchange, SHARED)
    before = shown.setdefault(text, client.name)
    if before == client.name:
        return f"```python\n{text}```\n"
    return f"The code is that of *{before}*" + (
        ", with a `proxy` that speaks TLS.\n" if client.name.endswith("TLS in TLS") else ".\n"
    )


def _place(client: Client) -> tuple[int, str]:
    """Return where a client's package first stands on the table, so that one package is one section."""
    return min(number for number, one in enumerate(CLIENTS) if one.package == client.package), client.package


def main() -> int:
    """Write the page, or with --check say whether it is current."""
    today = page()
    if "--check" in sys.argv:
        is_current = PAGE.read_text(encoding="utf-8") == today
        print("the page of each client is current" if is_current else "run tools/each_client.py")
        return 0 if is_current else 1
    PAGE.write_text(today, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
