"""What a pinned context's refusals are diagnosed as, scenario by scenario, beside what an expert would say."""

from __future__ import annotations

import contextlib
import enum
import functools
import importlib.resources
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pinscher.diagnosis import Cause, Diagnosis
from pinscher.lab import own
from pinscher.lab.own import BLOCKING, BUFFERED, HTTPX, TIMEOUT, PinnedClient, reached
from pinscher.lab.scenario import Transport
from pinscher.lab.stage import Stage
from pinscher.lab.talk import Target
from pinscher.tls import PinMismatchError
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pinscher.lab.scenario import Case, Scenario, Visit

ROTATION = frozenset({Cause.KEY_ROTATION, Cause.CA_CHANGE, Cause.DIFFERENT_PATH})
"""Causes that tell a person that the server is the genuine one, moved on."""
ATTACK = frozenset({Cause.LOCAL_INTERCEPTION, Cause.MISISSUE_OR_ATTACK})
"""Causes that tell a person that somebody else answered."""


@dataclass(frozen=True)
class Label:
    """What really happens at a refused visit, and what an expert would make of what the client can know."""

    truth: str
    cause: Cause | None
    why: str


@dataclass(frozen=True)
class Refused:
    """One visit that was refused, and its diagnosis; a refusal outside TLS has none."""

    case: str
    number: int
    diagnosis: Diagnosis | None


@functools.cache
def labels() -> dict[str, Label]:
    """Read the labels by the id of a scenario, with the number of the visit where an earlier one is refused too."""
    text = importlib.resources.files("pinscher.lab").joinpath("data", "expected_causes.json").read_text("ascii")
    return {name: _label(**entry) for name, entry in json.loads(text)["labels"].items()}


def _label(truth: str, cause: str | None, why: str) -> Label:
    return Label(truth, None if cause is None else Cause(cause), why)


def label_of(scenario: Scenario, refused: Refused) -> Label | None:
    """Return the label of a refused visit, or None where nobody has said what an expert would say."""
    return labels().get(f"{scenario.id}#{refused.number}", labels().get(scenario.id))


def is_refusing(scenario: Scenario) -> bool:
    """Tell whether a right client refuses the scenario's last visit, or one before it."""
    return not scenario.is_positive or f"{scenario.id}#1" in labels()


def refusals(scenario: Scenario) -> list[Refused]:
    """Play every case of a scenario and return each visit that was refused."""
    who, connect = next((who, how) for who, how in _CLIENTS if not scenario.needs - who.capabilities)
    found: list[Refused] = []
    for case in scenario.cases:
        with Stage(who.protocol) as stage:
            found.extend(_played(case, stage, connect))
    return found


def _played(case: Case, stage: Stage, connect: Callable[[PinnedClient, Visit], None]) -> Iterator[Refused]:
    raised: list[BaseException] = []

    def attempt(client: PinnedClient, visit: Visit) -> None:
        try:
            (_handshake_twice if _is_openssls(visit) else connect)(client, visit)
        except Exception as error:
            raised.append(error)
            raise

    with contextlib.closing(PinnedClient(attempt)) as client:
        for number, visit in enumerate(case.set(stage), start=1):
            raised.clear()
            if visit.prepare is not None:
                visit.prepare()
            if visit.midway is not None:
                visit.midway.hand_over = client.take
            if not client.visit(visit).accepted:
                yield Refused(case.id, number, _diagnosis(raised[0]) if visit.has_verdict else None)


def _is_openssls(visit: Visit) -> bool:
    return visit.expected is Outcome.CHAIN_NOT_VALIDATED and visit.has_verdict and visit.transport is Transport.HTTPS


def _handshake_twice(client: PinnedClient, visit: Visit) -> None:
    """Shake hands, be refused by OpenSSL, and ask the same connection once more: it says why in Pinscher's words."""
    with reached(visit, Target.of(visit)) as tcp:
        tcp.settimeout(TIMEOUT)
        host = visit.host
        with client.context.wrap_socket(tcp, server_hostname=host, do_handshake_on_connect=False) as secured:
            with contextlib.suppress(OSError):
                secured.do_handshake()
            secured.do_handshake()


def _diagnosis(error: BaseException | None) -> Diagnosis | None:
    while error is not None:
        if isinstance(error, PinMismatchError):
            return error.diagnosis
        error = error.__cause__ or error.__context__
    return None


by_socket = own._over_socket
_CLIENTS: tuple[tuple[Any, Callable[[PinnedClient, Visit], None]], ...] = (
    (BLOCKING, by_socket),
    (BUFFERED, own._over_buffers),
    (HTTPX, own._over_httpx),
)

OPEN = frozenset({Cause.UNKNOWN, Cause.KNOWN_CA})
"""Causes that leave attack and rotation open, and say so."""


class Mark(enum.StrEnum):
    """How a diagnosis compares with the label."""

    RIGHT = "right"
    OPEN = "left open"
    WRONG = "wrong"


def mark(label: Label, diagnosis: Diagnosis) -> Mark:
    """Compare a diagnosis with what an expert would say; to leave open what an expert could tell is not wrong."""
    if diagnosis.cause is label.cause:
        return Mark.RIGHT
    return Mark.OPEN if diagnosis.cause in OPEN else Mark.WRONG


def is_confused(label: Label, diagnosis: Diagnosis) -> bool:
    """Tell whether an attack was called a rotation, or a rotation an attack."""
    called = {"attack": ROTATION, "rotation": ATTACK}.get(label.truth, frozenset())
    return diagnosis.cause in called
