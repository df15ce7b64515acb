"""The answers of the interface, as its document describes them; their values are made by ``views`` and ``api``."""

from __future__ import annotations

from typing import TypedDict


class ErrorShown(TypedDict):
    """Why a request was refused."""

    error: str


class HealthShown(TypedDict):
    """That the database answers."""

    status: str


class StoredShown(TypedDict):
    """The idempotency key of what is on the disk now."""

    stored: str


class CertificateShown(TypedDict):
    """What a person reads of a certificate, escaped."""

    subject: str
    issuer: str
    not_before: str | None
    not_after: str | None
    pin: str | None


class EndpointShown(TypedDict):
    """An endpoint that is watched; times are RFC 3339."""

    id: int
    endpoint: str
    protocol: str
    outcome: str | None
    looked: str | None
    due: str | None


class SightingShown(TypedDict):
    """What an endpoint showed, from the first to the last look that saw the same."""

    first: str
    last: str
    times: int
    vantage: str
    outcome: str | None
    matched: str | None
    cause: str | None
    said: str
    advice: str | None
    validated: list[CertificateShown]
    presented: list[CertificateShown]


class EndpointHistoryShown(EndpointShown):
    """An endpoint with its history, the newest sighting first."""

    history: list[SightingShown]


class FindingShown(TypedDict):
    """Something that somebody should know."""

    id: int
    subject: str
    rule: str
    severity: str
    cause: str | None
    said: str
    advice: str
    state: str
    reason: str | None
    until: str | None
    opened: str
    changed: str
    closed: str | None


class EventShown(TypedDict):
    """What became of a finding."""

    at: str
    what: str
    said: str


class FindingHistoryShown(FindingShown):
    """A finding with what became of it."""

    events: list[EventShown]


class IncidentShown(TypedDict):
    """Reports of one application, host, unexpected key and cause."""

    id: int
    application: str
    host: str
    key: str | None
    issuer: str | None
    cause: str
    said: str
    advice: str
    first: str
    last: str
    reports: int
    times: int
    versions: dict[str, int]
    share: str | None
    state: str
    reason: str | None


class IncidentChainShown(IncidentShown):
    """An incident with its chain."""

    chain: list[CertificateShown]


class EndpointsShown(TypedDict):
    """A page of endpoints, and the number to go on after."""

    endpoints: list[EndpointShown]
    next: int | None


class FindingsShown(TypedDict):
    """A page of findings, and the number to go on after."""

    findings: list[FindingShown]
    next: int | None


class IncidentsShown(TypedDict):
    """A page of incidents, and the number to go on after."""

    incidents: list[IncidentShown]
    next: int | None


class ClientShown(TypedDict):
    """How many installs of the last day have one version of one policy."""

    application: str
    policy: str
    version: int | None
    installs: int


class ClientsShown(TypedDict):
    """The installs of the last day."""

    clients: list[ClientShown]


class ApplicationsShown(TypedDict):
    """The applications that may report."""

    applications: list[str]


class ApplicationTokenShown(TypedDict):
    """An application's token, which is shown once."""

    name: str
    token: str


class BlastRadiusShown(TypedDict):
    """How many of the last day's clients would refuse a certificate."""

    clients: int
    refusing: int
    unknown: int
    share: float | None
    versions: dict[str, int]
