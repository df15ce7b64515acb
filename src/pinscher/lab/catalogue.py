"""
The scenarios as one JSON document, for a harness that is not written in Python.

Rules of this file:

1. ``data/scenarios.schema.json`` says what each field means; the tests hold every document against it.
2. The catalogue alone is the same in every run. With material it has fresh keys in every run, and none of it is good
   for anything else: what is in it expires within days.
3. Material says what the servers show at each visit. Their ports are made up: a harness listens where it likes, and
   puts its own ports into ``proxy`` and ``path``.
"""

from __future__ import annotations

import importlib.resources
import inspect
import itertools
import json
import re
import ssl
from typing import TYPE_CHECKING, Any, TypeAlias

from pinscher.lab.encoding import pem
from pinscher.lab.protocols import PROTOCOLS
from pinscher.lab.server import TlsServer
from pinscher.lab.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pinscher.lab.authority import HeldCertificate
    from pinscher.lab.protocols import Protocol
    from pinscher.lab.scenario import Case, Scenario, Visit

Document: TypeAlias = dict[str, Any]

FORMAT = 1
"""Raised when a field changes its meaning or goes away."""


def catalogue(scenarios: Iterable[Scenario]) -> Document:
    """Return what is known of *scenarios* before they are played."""
    return {"format": FORMAT, "has_material": False, "scenarios": [_described(one, _named) for one in scenarios]}


def catalogue_with_material(scenarios: Iterable[Scenario]) -> Document:
    """Return the same with what each visit needs: certificates, keys, trust and policy, made for the occasion."""
    return {"format": FORMAT, "has_material": True, "scenarios": [_described(one, _staged) for one in scenarios]}


def schema() -> Document:
    """Return the JSON schema (draft 2020-12) that both documents keep."""
    text = importlib.resources.files("pinscher.lab").joinpath("data", "scenarios.schema.json").read_text("ascii")
    document: Document = json.loads(text)
    return document


def description(scenario: Scenario) -> str:
    """Return the prose of a scenario's page after its title, one paragraph to a line; often there is none."""
    return "\n".join(" ".join(block.split()) for block in _blocks(scenario) if not block.startswith(_INDENT))


def chain(scenario: Scenario) -> str:
    """Return the drawing of a scenario's chain, as it stands on its page."""
    drawn = (block for block in _blocks(scenario) if block.startswith(_INDENT))
    return "\n\n".join(inspect.cleandoc(block) for block in drawn)


def links(scenario: Scenario) -> list[str]:
    """Return the addresses that a scenario's page points to."""
    return re.findall(r"https?://[^\s>)]+", inspect.getdoc(scenario.function) or "")


_INDENT = "    "


def _blocks(scenario: Scenario) -> list[str]:
    text = (inspect.getdoc(scenario.function) or "").partition("\n")[2]
    return [block for block in re.split(r"\n\s*\n", text.strip("\n")) if block.strip()]


def _described(scenario: Scenario, case: Any) -> Document:
    return {
        "id": scenario.id, "family": scenario.family, "title": scenario.title, "description": description(scenario),
        "chain": chain(scenario), "links": links(scenario), "expected": scenario.expected.value,
        "reported": scenario.is_reported, "accept": scenario.is_positive, "needs": sorted(scenario.needs),
        "cases": [case(one) for one in scenario.cases],
    }  # fmt: skip


def _named(case: Case) -> Document:
    return {"id": case.id, "parameters": dict(case.parameters)}


def _staged(case: Case) -> Document:
    with _DrawnStage() as stage:
        visits = case.set(stage)
        return _named(case) | {"visits": list(_visited(visits, stage.servers))}


def _visited(visits: Iterable[Visit], servers: Iterable[_DrawnServer]) -> Iterator[Document]:
    """Describe each visit with what every server shows once the other side has prepared for it."""
    for visit in visits:
        if visit.prepare is not None:
            visit.prepare()
        yield _visit(visit) | {"servers": [server.described() for server in servers]}


def _visit(visit: Visit) -> Document:
    certificate = visit.client_certificate
    return {
        "host": visit.host, "connect_to": visit.address[1], "server": visit.server.port,
        "transport": visit.transport.value, "path": visit.path, "proxy": visit.proxy, "trust": visit.trust.decode(),
        "policy": visit.policy, "pins": list(visit.pins), "expected": visit.expected.value,
        "reported": visit.is_reported, "accept": visit.is_allowed, "validated": visit.is_validated,
        "has_verdict": visit.has_verdict,
        "client_certificate": None if certificate is None else certificate.decode(),
        "policy_midway": None if visit.midway is None else visit.midway.policy,
    }  # fmt: skip


class _DrawnStage(Stage):
    """A stage whose servers do not listen, and say what they would show."""

    def __init__(self) -> None:
        super().__init__()
        self.servers: list[_DrawnServer] = []
        self._ports = itertools.count(_FIRST_PORT)

    def serve(
        self, held: HeldCertificate, *, tls: str | None = None, protocol: str | Protocol | None = None, **settings: Any
    ) -> TlsServer:
        version = None if tls is None else ssl.TLSVersion[f"TLSv{tls}".replace(".", "_")]
        spoken = self._protocol if protocol is None else protocol
        server = _DrawnServer(held, protocol=spoken, minimum_version=version, maximum_version=version, **settings)
        server.port = next(self._ports)
        self.servers.append(server)
        return server


_FIRST_PORT = 50_001


class _DrawnServer(TlsServer):
    """A server that was set up, so that its material is known to load, and never begins to listen."""

    def described(self) -> Document:
        """Return what a harness needs to do the same."""
        held, _ = self._shown
        sent = (held.chain if self._chain is None else self._chain) + self._present
        version = self._versions[0]
        return {
            "port": self.port, "protocol": _name(self._protocol), "tls": _VERSIONS[version], "alpn": list(self._alpn),
            "chain": pem("CERTIFICATE", *sent).decode(), "key": held.key_pem.decode(), "tickets": self._tickets,
            "client_ca": None if self._client_ca is None else self._client_ca.decode(),
            "shows_anything": self._shows_anything,
        }  # fmt: skip


_VERSIONS = {None: None, ssl.TLSVersion.TLSv1_2: "1.2", ssl.TLSVersion.TLSv1_3: "1.3"}


def _name(protocol: Protocol) -> str | None:
    """Return the name under which the lab has *protocol*, or None where one scenario alone speaks so."""
    spoken = getattr(protocol, "speaks", protocol)
    return next((name for name, known in PROTOCOLS.items() if known == spoken), None)
