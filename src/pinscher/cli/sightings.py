"""What a probe saw, as the verbs show it: one line for people, one object for ``--json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.cli.certificates import certificate_objects
from pinscher.cli.show import short
from pinscher.cli.verdicts import verdict_object
from pinscher.diagnosis import Facts, diagnose
from pinscher.probe.timestamps import TimestampsError, embedded_timestamps
from pinscher.probe.tlsa import TlsaError
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from pinscher.diagnosis import Diagnosis
    from pinscher.probe import Observation
    from pinscher.probe.survey import Sighting
    from pinscher.verdict import Verdict

_GOOD = frozenset({Outcome.MATCH, Outcome.NOT_PINNED})


def sighting_line(sighting: Sighting, *, trust_named: bool) -> tuple[str | tuple[str, str], ...]:
    """Return the parts of the line for people: where, what, and beside it why; a bad answer is in capitals."""
    where = f"{short(sighting.endpoint)} at {sighting.address or 'no address'}  "
    verdict = sighting.verdict
    if verdict is None:
        return where, ("NO ANSWER", "bold yellow"), f"  {sighting.failure}"
    if verdict.outcome not in _GOOD:
        told = diagnosis_of(sighting, verdict, trust_named=trust_named)
        more = f"  {verdict.action.value} ({verdict.mode.value}), {told.cause.value}: {told.next_action}"
        return where, (verdict.outcome.value.upper(), "bold red"), more, _tlsa_words(sighting)
    if verdict.matched is None:
        return where, (verdict.outcome.value, "yellow"), _tlsa_words(sighting)
    pin = f"  {'backup pin' if verdict.is_backup else 'pin'} {verdict.matched}"
    return where, (verdict.outcome.value, "green"), pin, _tlsa_words(sighting)


def _tlsa_words(sighting: Sighting) -> str:
    answer = _tlsa(sighting)
    if answer is None:
        return ""
    if answer["error"] is not None:
        return f"  tlsa: {answer['error']}"
    return f"  tlsa: {_AGREEMENT[sighting_agrees(sighting)]}"


_AGREEMENT = {None: "no record", True: "agrees", False: "DISAGREES"}


def diagnosis_of(sighting: Sighting, verdict: Verdict, *, trust_named: bool) -> Diagnosis:
    """Return why a verdict came out as it did, by everything that was seen."""
    seen = sighting.observation
    facts = Facts(
        trust_named=trust_named,
        presented=None if seen is None else seen.presented,
        openssl_error=None if seen is None else seen.verification_error,
    )
    return diagnose(verdict, facts)


def sighting_agrees(sighting: Sighting) -> bool | None:
    """Tell whether a TLSA record matches what was seen; None without a record, an answer or a chain."""
    seen = sighting.observation
    if seen is None or sighting.tlsa is None or isinstance(sighting.tlsa, TlsaError):
        return None
    return sighting.tlsa.agrees((seen.validated or seen.presented).certificates)


def sighting_object(sighting: Sighting, *, trust_named: bool) -> dict[str, object]:
    """Return the ``--json`` object; its fields are those that the verb's help names."""
    endpoint, seen, verdict = sighting.endpoint, sighting.observation, sighting.verdict
    where = {
        "endpoint": str(endpoint), "host": endpoint.host, "port": endpoint.port, "protocol": endpoint.protocol.value,
        "address": sighting.address, "tries": sighting.tries, "omitted": sighting.omitted, "tlsa": _tlsa(sighting),
    }  # fmt: skip
    if verdict is None or seen is None:
        return where | {"error": str(sighting.failure)}
    told = None if verdict.outcome in _GOOD else diagnosis_of(sighting, verdict, trust_named=trust_named)
    path = None if seen.validated is None else certificate_objects(seen.validated.certificates, is_validated=True)
    return where | {
        **verdict_object(verdict),
        "cause": None if told is None else told.cause.value,
        "next": None if told is None else told.next_action,
        "refusal": seen.verification_error,
        "tls": seen.tls_version,
        "cipher": seen.cipher,
        "presented": certificate_objects(seen.presented.certificates, is_validated=False),
        "path": path,
        "timestamps": _timestamps(seen),
        "policy": {"name": verdict.policy.name, "version": verdict.policy.version},
    }


def _timestamps(seen: Observation) -> dict[str, object]:
    try:
        found, error = embedded_timestamps(seen.presented.leaf), None
    except TimestampsError as failure:
        found, error = (), failure.reason
    logs = [{"log": one.log_id, "at": one.at.isoformat(timespec="milliseconds")} for one in found]
    return {"count": len(found), "logs": logs, "error": error, "verified": False}


def _tlsa(sighting: Sighting) -> dict[str, object] | None:
    answer = sighting.tlsa
    if answer is None:
        return None
    if isinstance(answer, TlsaError):
        return {"records": [], "authenticated": False, "agrees": None, "error": answer.reason}
    return {
        "records": [str(record) for record in answer.records],
        "authenticated": answer.is_authenticated,
        "agrees": sighting_agrees(sighting),
        "error": None,
    }
