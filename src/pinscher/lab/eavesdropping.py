"""
What an interceptor could read of a program, and what that proves.

Rules of this file:

1. Something read of a judged host is the answer, whatever else happened.
2. "Nothing read" is an answer only beside a control: the same proxy, with the same CA, read something that went through
   TLS: of a program run as the control, or of a host that is not judged. Many platforms ignore a user's CA, and then a
   refusal says nothing about pins.
3. A program that never came by has refused nothing.
4. A secret is counted under its name; its value is never kept.
"""

from __future__ import annotations

import enum
import json
import os
import re
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.lab.errand import TRUST_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pinscher.lab.interception import Flow


class Conclusion(enum.StrEnum):
    """What an interception proves."""

    NOTHING_READ = "nothing-read"
    READ = "read"
    INCONCLUSIVE = "inconclusive"


@dataclass(slots=True)
class HostReport:
    """What happened to one host; its name and the names of its secrets are escaped."""

    host: str
    is_judged: bool
    completed: int = 0
    """Handshakes in which the program accepted the interceptor's certificate, at first."""
    refused: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    """How the program's TLS library put its refusals."""
    requests: int = 0
    in_clear: int = 0
    """How many of the requests went without TLS."""
    read_bytes: int = 0
    secrets: Counter[str] = field(default_factory=Counter)
    """How often each kind of secret was seen."""


@dataclass(frozen=True, slots=True)
class Report:
    """The hosts of one interception, and the conclusion."""

    hosts: tuple[HostReport, ...]
    control: tuple[str, ...]
    """The hosts that were read on the same path with the same CA, and were meant to be."""
    conclusion: Conclusion
    reason: str


def report(flows: Sequence[Flow], *, control: Sequence[Flow] = (), judged: Iterable[str] = ()) -> Report:
    """Judge what the interceptor saw of a program; with no *judged* hosts all of them are."""
    named = {host.lower() for host in judged}
    hosts = _hosts(flows, named)
    read_by_control = [one.host for one in _hosts(control, set()) if one.requests > one.in_clear]
    others = [one.host for one in hosts if not one.is_judged and one.requests > one.in_clear]
    controls = tuple(dict.fromkeys([*read_by_control, *others]))
    conclusion, reason = _concluded(hosts, controls)
    return Report(hosts, controls, conclusion, reason)


def _concluded(hosts: Sequence[HostReport], controls: Sequence[str]) -> tuple[Conclusion, str]:
    judged = [one for one in hosts if one.is_judged]
    read = [one.host for one in judged if one.requests]
    if read:
        return Conclusion.READ, f"the interceptor read what was meant for {', '.join(read)}"
    if not judged:
        return Conclusion.INCONCLUSIVE, "no connection to a judged host came by the proxy"
    if not controls:
        return Conclusion.INCONCLUSIVE, (
            "nothing was read, but nothing else was read with this CA on this path either: "
            "perhaps the program does not trust it at all"
        )
    return Conclusion.NOTHING_READ, f"nothing was read, while {', '.join(controls)} could be read on the same path"


def _hosts(flows: Sequence[Flow], judged: set[str]) -> tuple[HostReport, ...]:
    found: dict[str, HostReport] = {}
    for flow in flows:
        if flow.host in _OWN_PAGES:
            continue
        is_judged = not judged or flow.host.lower() in judged
        one = found.setdefault(flow.host, HostReport(escaped(flow.host), is_judged))
        if flow.kind == "tls-established":
            one.completed += 1
        elif flow.kind == "tls-failed":
            one.refused += 1
            one.refusals[escaped(flow.error or "the client hung up")] += 1
        elif flow.application_bytes:
            one.requests += 1
            one.in_clear += flow.scheme == "http"
            one.read_bytes += flow.application_bytes
            one.secrets.update(escaped(name, limit=60) for name in secrets_in(flow))
    return tuple(found.values())


_OWN_PAGES = frozenset({"mitm.it"})
"""mitmproxy's own set-up page, which no program is judged by."""


def secrets_in(flow: Flow) -> Iterator[str]:
    """Yield the name of each thing in a request that looks like a secret, such as ``cookie session``."""
    for name, value in flow.fields:
        lowered = name.lower()
        if lowered == "cookie":
            yield from (f"cookie {part.partition('=')[0].strip()}" for part in value.split(";") if "=" in part)
        elif lowered in ("authorization", "proxy-authorization"):
            yield f"header {lowered} ({value.partition(' ')[0] if ' ' in value else 'a value'})"
        elif _SECRET.search(lowered):
            yield f"header {lowered}"
    query = urllib.parse.urlsplit(flow.path).query
    yield from (f"query {name}" for name, _ in urllib.parse.parse_qsl(query) if _SECRET.search(name.lower()))
    yield from (f"field {name}" for name in _names_in(flow.body) if _SECRET.search(name.lower()))


_SECRET = re.compile(r"passw|passwd|pwd|secret|token|api[-_]?key|session|auth|credential|otp|\bpin\b|iban|card|cvv|cvc")


def _names_in(body: bytes) -> Iterator[str]:
    """Yield the names of the fields of a form or a JSON document."""
    text = body.decode("utf-8", "replace")
    try:
        yield from _keys(json.loads(text))
    except (ValueError, RecursionError):
        yield from (name for name, _ in urllib.parse.parse_qsl(text))


def _keys(found: object) -> Iterator[str]:
    waiting = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def intercepted_environment(url: str, ca_file: str) -> dict[str, str]:
    """Return this process's environment, pointing programs at the proxy at *url* and at its CA."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    proxies = {name: url for word in ("HTTP", "HTTPS", "ALL") for name in (f"{word}_PROXY", f"{word.lower()}_proxy")}
    return kept | proxies | dict.fromkeys((*TRUST_VARIABLES, *_MORE_TRUST_VARIABLES), ca_file) | {_NODE: "1"}


_MORE_TRUST_VARIABLES = (
    "AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "DENO_CERT", "GIT_SSL_CAINFO", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "PIP_CERT",
)  # fmt: skip
_NODE = "NODE_USE_ENV_PROXY"
