"""Write the page with each client's own code from the exchanges that the tests play: ``python tools/each_client.py [--check]``."""

from __future__ import annotations

import functools
import inspect
import sys
import textwrap
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
PAGE = HERE / "docs" / "how-to" / "each-client.md"
sys.path.insert(0, str(HERE))

from tests.conformance.other_stacks import OTHERS  # noqa: E402
from tests.conformance.test_clients import CLIENTS, Client  # noqa: E402

HEAD = """# Pin each client

Made by `tools/each_client.py` from the code that the tests play; do not edit it by hand.
Every client here reached the genuine server, its renewed certificate and its backup key, and sent an impostor with a rogue key under the right authority nothing.
What its user catches then is in [the table of clients](../reference/clients.md).

In all of the code `context` is made once, and used for every connection:

<!-- not run: the tests play every function below with such a context, of a policy of their own -->

```python
context = pinscher.PinnedContext(pinscher.Policy.load("pins.toml"))
```

`HOST` and `port` are the server's, `BODY` is what is sent, `_url(port)` is `https://HOST:port/`, and `TIMEOUT` is ten seconds.
For programs that nobody should change there is [`pinscher run`](pin-a-program-as-it-is.md), and for what has a TLS of its own [a pinned forwarder](forward.md).
"""

TAKES_NONE = """
## Stacks that take no context

{rows}
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for package, clients in groupby(sorted(CLIENTS, key=_place), key=lambda client: client.package):
        parts.append(f"\n## {package}\n")
        parts += [f"\n### {client.name}\n\n{client.how}\n\n```python\n{code(client)}```\n" for client in clients]
    names = {client.package for client in CLIENTS}
    rows = [
        f"- **{row.name}**: {row.how}; enforced: {row.enforced}; not: {row.not_enforced}."
        for row in OTHERS
        if row.package not in names
    ]
    return "".join([*parts, TAKES_NONE.format(rows="\n".join(rows))])


def _place(client: Client) -> tuple[int, str]:
    """Return where a client's package first stands on the table, so that one package is one section."""
    return min(number for number, one in enumerate(CLIENTS) if one.package == client.package), client.package


def code(client: Client) -> str:
    """Return the function that the tests play, without what puts it on the table."""
    exchange: Any = client.exchange
    while isinstance(exchange, functools.partial):
        exchange = exchange.args[-1] if exchange.args and callable(exchange.args[-1]) else exchange.func
    lines = textwrap.dedent(inspect.getsource(exchange)).splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith(("def ", "async def ")))
    return "".join(lines[start:])


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
