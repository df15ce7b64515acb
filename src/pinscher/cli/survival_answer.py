"""What ``pinscher survive`` answers: chains that a person can read, and the same as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.cli.certificates import certificate_objects, counted
from pinscher.der import certificate_summary
from pinscher.errors import escaped
from pinscher.pin import Pin
from pinscher.rotation.survival import Answer
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.cli.voice import Voice
    from pinscher.rotation.survival import Cover, Found, Moment, Proof

MOST_SHOWN = 3
"""Counter-examples that are printed for one moment."""
_MOST_LISTED = 100
"""Counter-examples of one moment in the JSON."""
WORDS = {
    Answer.SURVIVES: ("survives", "bold green"),
    Answer.BREAKS: ("BREAKS", "bold red"),
    Answer.UNKNOWN: ("NOT PROVED", "bold yellow"),
}
"""The word for each answer, with its style."""


def print_proof(proof: Proof, reasons: tuple[str, ...], voice: Voice) -> None:
    """Write the answer for a person: each moment, the first counter-examples, the smallest sets, and the advice."""
    stores = ", ".join(escaped(store.name) for store in proof.question.stores)
    voice.answer((proof.question.host, "bold"), "  ", WORDS[proof.answer], f"  trusting {stores}")
    for moment in proof.moments:
        voice.answer()
        voice.answer(_summary(moment))
        for text in moment.barren:
            voice.answer(f"  {text}")
        for found in moment.counter_examples[:MOST_SHOWN]:
            print_counter_example(found, voice)
        more = len(moment.counter_examples) - MOST_SHOWN
        if more > 0:
            voice.answer(f"  and {counted(more, 'more path')} without a pin")
    if any(moment.found for moment in proof.moments):
        _print_covers(proof, voice)
    for reason in reasons:
        voice.answer()
        voice.answer(("do not pin this host: ", "bold yellow"), reason)


def _print_covers(proof: Proof, voice: Voice) -> None:
    _print_cover("every path", proof, proof.cover, voice)
    if proof.cover != proof.cover_of_authorities:
        _print_cover("every path, without the leaf's own key", proof, proof.cover_of_authorities, voice)


def _summary(moment: Moment) -> str:
    total, broken = len(moment.found), len(moment.counter_examples)
    if moment.cut is not None:
        held = f"at least {counted(total, 'path')}, NOT ALL LOOKED AT ({moment.cut})"
    else:
        held = counted(total, "path") if total else "no path at all"
    return f"{_iso(moment.at)}  {held}, {broken} without a pin"


def print_counter_example(found: Found, voice: Voice) -> None:
    """Write one path without a pin as a chain that a person can read."""
    voice.answer()
    voice.answer(f"  {_reason(found)}:")
    for role, certificate, note in _rows(found):
        summary = certificate_summary(certificate)
        validity = f"{_day(summary.not_before)} to {_day(summary.not_after)}"
        voice.answer(f"    {role:<12}  {Pin.of(certificate)}  {validity}  {summary.subject}{note}")
    builders = " and ".join(sorted(builder.value for builder in found.builders))
    voice.answer(f"    trusted by {', '.join(map(escaped, found.stores))}; built by {builders}")


def _rows(found: Found) -> list[tuple[str, bytes, str]]:
    note = " (renewed with the same key and names)" if found.is_renewed else ""
    roles = ["intermediate"] * (len(found.authorities) - 1) + ["root"]
    above = [(role, one.der, "") for role, one in zip(roles, found.authorities, strict=False)]
    return [("leaf", found.start.leaf.der, note), *above]


def _reason(found: Found) -> str:
    outcome = None if found.verdict is None else found.verdict.outcome
    if outcome is Outcome.DENIED_KEY and found.verdict is not None:
        return f"a path with the denied key {found.verdict.matched}"
    if outcome is Outcome.POLICY_EXPIRED:
        return "a path on which the expired policy refuses every key"
    return "a path without a pinned key"


def _print_cover(what: str, proof: Proof, cover: Cover | None, voice: Voice) -> None:
    voice.answer()
    if cover is None:
        voice.answer(f"no set of pins covers {what}")
        return
    proved = (
        "and no smaller one does" if cover.is_smallest else f"not proved minimal: it takes {cover.at_least} at least"
    )
    voice.answer(f"{counted(len(cover.chosen), 'pin')} would cover {what}, {proved}:")
    for key in cover.chosen:
        voice.answer(f"  {Pin(key)}  {proof.certificates[key].shown}")


def document(proof: Proof, reasons: tuple[str, ...]) -> dict[str, object]:
    """Return the answer of ``--json``."""
    policy = proof.question.policy
    return {
        "host": proof.question.host,
        "policy": {"name": policy.name, "version": policy.version, "digest": policy.digest},
        "answer": proof.answer.value,
        "moments": [moment_object(moment) for moment in proof.moments],
        "cover": _cover(proof, proof.cover),
        "cover_of_authorities": _cover(proof, proof.cover_of_authorities),
        "do_not_pin": list(reasons),
    }


def moment_object(moment: Moment) -> dict[str, object]:
    """Return the ``--json`` object of one moment."""
    return {
        "at": _iso(moment.at),
        "paths": len(moment.found),
        "cut": moment.cut,
        "barren": list(moment.barren),
        "broken": len(moment.counter_examples),
        "counter_examples": [_found(found) for found in moment.counter_examples[:_MOST_LISTED]],
    }


def _found(found: Found) -> dict[str, object]:
    certificates = (found.start.leaf.der, *(one.der for one in found.authorities))
    return {
        "path": certificate_objects(certificates, is_validated=True),
        "stores": list(found.stores),
        "builders": sorted(builder.value for builder in found.builders),
        "renewed": found.is_renewed,
        "outcome": None if found.verdict is None else found.verdict.outcome.value,
        "reason": _reason(found),
    }


def _cover(proof: Proof, cover: Cover | None) -> dict[str, object] | None:
    if cover is None:
        return None
    pins = [{"pin": str(Pin(key)), "name": proof.certificates[key].shown} for key in cover.chosen]
    return {"pins": pins, "smallest": cover.is_smallest, "at_least": cover.at_least}


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(moment: datetime | None) -> str:
    return "(unreadable)" if moment is None else moment.strftime("%Y-%m-%d")
