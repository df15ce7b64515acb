"""
One look at an endpoint: at every address of its name, judged, and made into one sighting.

Rules of this file:

1. One server of many may show another key, or be left out of a renewal: of what the addresses show, the sighting is
   what clients would refuse, then what only a backup pin accepts, then the certificate that ends first, and then what
   the first address shows, by the order of the addresses and not by that of the resolver.
2. Addresses that do not answer count where none does; what some show and others do not names its addresses.
3. A look ends within its time: an address that is not reached by then is left out, and where something is refused the
   sighting says how many were.
4. A look that fails at the monitor's own end, whatever the reason, is a sighting that says so, and that at any address.
"""

from __future__ import annotations

import logging
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.diagnosis import Facts, diagnose
from pinscher.errors import PinningError, escaped
from pinscher.monitor.findings import Sighting
from pinscher.monitor.findings.history import NOT_LOOKED
from pinscher.probe import NoAnswerError, ResponseInjectionError, StarttlsRefusedError
from pinscher.probe.survey import MOST_ADDRESSES
from pinscher.verdict import Outcome, evaluate, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from pinscher.chain import ValidatedChain
    from pinscher.monitor.schedule import Leased
    from pinscher.policy import Policy
    from pinscher.probe import Endpoint, Observation

    Look = Callable[[Endpoint], Observation]
    """Looks at one endpoint in a thread of its own, and raises what ``probe.observe`` raises."""
    Addresses = Callable[[Endpoint], Sequence[str]]
    """Returns the addresses of an endpoint's name, and raises :class:`NoAnswerError`."""

_NO_ANSWER = (NoAnswerError, StarttlsRefusedError, ResponseInjectionError)
_UNREFUSED = frozenset({Outcome.MATCH, Outcome.NOT_PINNED, Outcome.UNLISTED_HOST})
_log = logging.getLogger("pinscher.monitor")


@dataclass(slots=True, kw_only=True)
class Looker:
    """Looks, judges, and remembers whom it accepted; *trust_named* says that the operator named the trust anchors."""

    look: Look
    now: Callable[[], datetime]
    vantage: str
    time_of_a_look: timedelta
    trust_named: bool = False
    addresses: Addresses | None = None
    _accepted: OrderedDict[int, ValidatedChain] = field(default_factory=OrderedDict)

    def sighting(self, leased: Leased, policy: Policy) -> Sighting:
        """Return what an endpoint shows, judged by *policy*."""
        try:
            return self._at_every_address(leased, policy)
        except _NO_ANSWER as error:
            return self._silent(str(error))
        except Exception as error:  # noqa: BLE001  (the daemon's edge: one endpoint's fault is not the others')
            return self.failed(leased, error)

    def failed(self, leased: Leased, error: Exception) -> Sighting:
        """Return the sighting of a look that failed at this end (rule 4)."""
        failure = NOT_LOOKED + words_of(error)
        _log.warning("%s %s", place_of(leased), failure)
        return self._silent(failure)

    def _silent(self, failure: str) -> Sighting:
        at = self.now()
        return Sighting(first=at, last=at, failure=failure, vantage=self.vantage)

    def _at_every_address(self, leased: Leased, policy: Policy) -> Sighting:
        endpoint = leased.endpoint
        addresses = sorted(set(self.addresses(endpoint))) if self.addresses is not None else []
        if not addresses:
            return self._judged(leased.id, self.look(endpoint), policy)
        until = time.monotonic() + self.time_of_a_look.total_seconds()
        shown: dict[str, Sighting] = {}
        for address in addresses[:MOST_ADDRESSES]:
            if not shown or time.monotonic() < until:
                shown[address] = self._at(leased.id, replace(endpoint, connect_to=address), policy)
        return _of_all(shown, endpoint, policy, count=len(addresses))

    def _at(self, number: int, endpoint: Endpoint, policy: Policy) -> Sighting:
        try:
            return self._judged(number, self.look(endpoint), policy)
        except _NO_ANSWER as error:
            return self._silent(str(error))

    def _judged(self, number: int, observation: Observation, policy: Policy) -> Sighting:
        """Give the verdict on what was observed, and its diagnosis."""
        at, host, chain = self.now(), observation.host, observation.validated
        if chain is None:
            detail = observation.verification_error or ""
            verdict = refusal(policy, host=host, at=at, detail=detail, port=observation.port)
        else:
            verdict = evaluate(chain, policy, host=host, at=at, port=observation.port)
        facts = Facts(
            last_accepted=self._accepted.get(number),
            trust_named=self.trust_named,
            presented=observation.presented,
            openssl_error=observation.verification_error,
            verify_code=verify_code_of(observation.verification_error),
        )
        diagnosis = diagnose(verdict, facts)
        if verdict.outcome is Outcome.MATCH and chain is not None:
            self._remember(number, chain)
        return Sighting(
            first=at,
            last=at,
            presented=observation.presented.certificates,
            validated=() if chain is None else chain.certificates,
            outcome=verdict.outcome,
            matched=verdict.matched,
            cause=diagnosis.cause.value,
            said=diagnosis.sentence,
            advice=diagnosis.next_action,
            vantage=self.vantage,
        )

    def _remember(self, number: int, chain: ValidatedChain) -> None:
        self._accepted[number] = chain
        self._accepted.move_to_end(number)
        if len(self._accepted) > _MOST_REMEMBERED:
            self._accepted.popitem(last=False)


def _of_all(shown: dict[str, Sighting], endpoint: Endpoint, policy: Policy, *, count: int) -> Sighting:
    """Return the one sighting of what several addresses showed (rules 1 and 2)."""
    found = min(shown.values(), key=lambda one: (-_weight(one, endpoint, policy), _end(one)))
    if found.failure:
        first, *others = (one.failure for one in shown.values())
        reasons = [first, *(other.removeprefix(f"no answer from {endpoint}: ") for other in others)]
        # Each is escaped already.
        return found if count == 1 else replace(found, failure="; ".join(dict.fromkeys(reasons))[:_LONGEST_FAILURE])
    alike = [address for address, one in shown.items() if one.presented == found.presented]
    if len(alike) == count or found.outcome in _UNREFUSED:
        return found
    named = ", ".join(alike[:_MOST_NAMED]) + (" and others" if len(alike) > _MOST_NAMED else "")
    unseen = f", {count - len(shown)} of which were not looked at" if len(shown) < count else ""
    return replace(found, said=f"{found.said}; seen at {named}, of the {count} addresses of the name{unseen}")


def _weight(sighting: Sighting, endpoint: Endpoint, policy: Policy) -> int:
    """Return how much a sighting says about what clients meet: nothing, a match, a backup's match, a refusal."""
    if sighting.outcome is None:
        return 0
    if sighting.outcome not in _UNREFUSED:
        return 3
    entry = policy.lookup_canonical(endpoint.host)
    pins = None if entry is None else entry.pinset
    return 2 if pins is not None and sighting.matched is not None and pins.is_backup(sighting.matched) else 1


def _end(sighting: Sighting) -> float:
    """Return when the certificate of a sighting ends, as seconds; one that says nothing readable ends last."""
    end = certificate_summary(sighting.presented[0]).not_after if sighting.presented else None
    return math.inf if end is None else end.timestamp()


def place_of(leased: Leased) -> str:
    """Return where a look goes, of a row that may be no endpoint."""
    host, port, *_ = leased.named
    return f"{escaped(host)}:{port}"


def words_of(error: Exception) -> str:
    """Return an error on one line, with its kind where it is none of this house's."""
    name = "" if isinstance(error, PinningError) else f"{type(error).__name__}: "
    return escaped(f"{name}{error}", limit=_LONGEST_FAILURE)


def verify_code_of(words: str | None) -> int | None:
    """Return the number (``X509_V_ERR_...``) of OpenSSL's words, for an observation keeps the words alone."""
    folded = (words or "").lower().replace("self signed", "self-signed")
    return next((code for phrase, code in _VERIFY_CODES if folded.startswith(phrase)), None)


_VERIFY_CODES = (
    ("certificate is not yet valid", 9),
    ("certificate has expired", 10),
    ("self-signed certificate in", 19),
    ("self-signed certificate", 18),
    ("unable to get local issuer", 20),
    ("unable to verify the first", 21),
    ("hostname mismatch", 62),
    ("ip address mismatch", 64),
)
_LONGEST_FAILURE = 400
_MOST_NAMED = 4
_MOST_REMEMBERED = 10_000
"""Endpoints whose last accepted chain is kept in memory, for the diagnosis."""
