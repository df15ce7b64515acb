"""``pinscher plan``: when to pin, to switch and to unpin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import counted
from pinscher.cli.chains import certificates_of
from pinscher.cli.deployed import deployments_option, read_inventories
from pinscher.cli.heard import listed_options
from pinscher.cli.moment import at_option
from pinscher.cli.plan_versions import Released, told_curve
from pinscher.cli.reading import json_option, read_bytes
from pinscher.cli.repo_options import PinType
from pinscher.cli.voice import ExitCode, Voice
from pinscher.cli.writing import check_outputs, known_content, replace_file
from pinscher.der import certificate_summary
from pinscher.errors import escaped
from pinscher.host import canonical_host
from pinscher.rotation.planning import (
    Delivery,
    Practice,
    calendar_file,
    chart,
    learned_adoption,
    picture,
    read_adoption,
    read_lifetimes,
    rotation_plan,
    shipped_lifetimes,
)
from pinscher.rotation.planning.delivery import LARGEST_CURVE
from pinscher.rotation.planning.lifetimes import LARGEST_LIFETIMES
from pinscher.rotation.survival import read_certificate

if TYPE_CHECKING:
    from datetime import date, datetime

    from pinscher.cli.heard import HeardClients
    from pinscher.pin import Pin
    from pinscher.rotation.planning import Adoption, Lifetimes, Plan

_FIELDS = """
\b
JSON: {an object}
  host, start, until
  share            the share of clients, in percent
  lead_days        how long a policy is out before they have it
  adoption         the curve in use as [day, share in percent], or null
  calendar         the source and the date of the limits on lifetimes
  certificates     each with on, expires and key
  keys             each with key, pin_by, serves_from, serves_until,
                   unpin_from; null is before or after the plan
  steps            in order: on, kind (pin, renew, switch, unpin), key, text,
                   late (what follows if it is late), breaks_on,
                   versions (the released ones that refuse if it is late:
                   file, application, version, share), shares ({application:
                   the share of its users, as text, or null}), unclear (the
                   versions that pin an authority too), clients (of those
                   heard of yesterday: clients, refusing, unknown); the last
                   four are null where they are not known
"""


@click.command(epilog=_FIELDS)
@click.argument("host", metavar="HOST")
@click.option(
    "--cert", "certificate", metavar="FILE", help="HOST's certificate in use; without it one is issued at the start."
)
@click.option(
    "--lifetime",
    type=click.IntRange(1, 36_500),
    metavar="DAYS",
    help="How long certificates are asked to last; without it as long as is allowed.",
)
@click.option(
    "--renew-at",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=2 / 3,
    show_default="0.667",
    metavar="PART",
    help="Renew after this part of the lifetime.",
)
@click.option(
    "--keep-key",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="NUMBER",
    help="Use one key for so many certificates.",
)
@click.option(
    "--refresh",
    type=click.FloatRange(0, 24 * 365),
    default=0.0,
    metavar="HOURS",
    help="How long a running client takes at most to fetch a published bundle.",
)
@click.option(
    "--adoption",
    metavar="FILE",
    help="The share of clients in percent by days since a publication: CSV of day,share, or TOML.",
)
@deployments_option
@click.option(
    "--next-pin",
    "next_pins",
    multiple=True,
    type=PinType(),
    metavar="PIN",
    help="The pin of key 1, then that of key 2 and so on, to look for in what was released.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 100, min_open=True),
    default=99.9,
    show_default=True,
    metavar="PERCENT",
    help="How many of the clients must have a pin before its key serves.",
)
@click.option(
    "--way-back",
    type=click.IntRange(0, 3650),
    default=7,
    show_default=True,
    metavar="DAYS",
    help="How long after a switch the old key may have to serve again.",
)
@click.option("--calendar", metavar="FILE", help="Limits on lifetimes in place of the CA/Browser Forum's.")
@click.option("--days", type=click.IntRange(1, 3660), default=365, show_default=True, help="How far to plan.")
@click.option("--svg", "svg_file", metavar="FILE", help="Write the chart there as a picture.")
@click.option("--ics", "ics_file", metavar="FILE", help="Write the steps there as an iCalendar file.")
@listed_options
@at_option
@json_option
def plan(
    host: str, *, certificate: str | None, lifetime: int | None, renew_at: float, keep_key: int, refresh: float,
    adoption: str | None, inventories: tuple[str, ...], next_pins: tuple[Pin, ...], share: float, way_back: int,
    calendar: str | None, days: int, svg_file: str | None, ics_file: str | None, heard: HeardClients,
    at: datetime, is_json: bool,
) -> int:  # fmt: skip
    """
    Say on which day each key has to be pinned, may serve, and may be unpinned, for HOST.

    A key serves no earlier than when the stated share of clients has its pin: after --adoption, and --refresh beside it
    where clients fetch bundles. One of the two, or --deployments, is needed: without --adoption the curve is learned
    from the days and the shares of the released versions, and each step says which of them it breaks when it is late.
    --clients adds how many of yesterday's clients that are, and moves no step. Nothing is looked up on the network but
    what a monitor says of its clients.
    """
    voice = Voice()
    check_outputs({"--svg": svg_file, "--ics": ics_file})
    if adoption is None and not refresh and not inventories:
        told = "how fast pins reach the clients is not known: give --adoption, --refresh or both, or --deployments"
        raise click.UsageError(told)
    if next_pins and not inventories:
        raise click.UsageError("--next-pin is looked for in what was released: give --deployments as well")
    if heard.source is not None and not inventories:
        raise click.UsageError("--clients are counted by what was released: give --deployments as well")
    canonical = canonical_host(host)
    released = Released(read_inventories(inventories), canonical, next_pins, heard.listed())
    curve = _curve(adoption, inventories, released, at.date())
    lifetimes = _lifetimes(calendar)
    practice = Practice(lifetime, renew_at=renew_at, keep_key=keep_key, way_back=way_back)
    made = rotation_plan(
        at.date(), days, practice,
        lifetimes=lifetimes, delivery=Delivery(curve, refresh / 24), share=share,
        current=_current(certificate, canonical),
    )  # fmt: skip
    if svg_file is not None:
        _write(svg_file, picture(made, name=canonical).encode())
    if ics_file is not None:
        _write(ics_file, calendar_file(made, name=canonical, at=at))
    if is_json:
        voice.document(_document(canonical, made, lifetimes, released, curve))
    else:
        _print(canonical, made, lifetimes, voice, released, learned=curve if adoption is None else None)
    return ExitCode.GOOD


def _curve(file: str | None, inventories: tuple[str, ...], released: Released, on: date) -> Adoption | None:
    """Return the given curve, else the one that the inventories teach, else none."""
    if file is not None:
        return read_adoption(read_bytes(file, limit=LARGEST_CURVE), source=file)
    if not inventories:
        return None
    return learned_adoption(released.versions, on=on, host=released.host, source=", ".join(inventories))


def _write(file: str, content: bytes) -> None:
    path = Path(file)
    replace_file(path, content, expected=known_content(path))


def _lifetimes(file: str | None) -> Lifetimes:
    if file is None:
        return shipped_lifetimes()
    return read_lifetimes(read_bytes(file, limit=LARGEST_LIFETIMES), source=file)


def _current(file: str | None, canonical: str) -> tuple[date, date] | None:
    """Return the first and the last day of the first certificate in a file, which has to name the host."""
    if file is None:
        return None
    first = certificates_of(file)[0]
    summary = certificate_summary(first)
    if summary.not_before is None or summary.not_after is None:
        raise click.UsageError(f"the dates of the certificate in '{escaped(file)}' cannot be read")
    if not read_certificate(first).names.cover(canonical):
        raise click.UsageError(f"the first certificate of '{escaped(file)}' is not for {canonical}")
    return summary.not_before.date(), summary.not_after.date()


def _print(
    host: str, made: Plan, lifetimes: Lifetimes, voice: Voice, released: Released, *, learned: Adoption | None
) -> None:
    voice.answer((escaped(host), "bold"), f"  {made.start} to {made.until}")
    voice.answer(f"{made.share:g} % of the clients have a pin {counted(made.lead_days, 'day')} after it is published")
    if learned is not None:
        voice.answer(f"adoption: {told_curve(learned)}")
    voice.answer(f"lifetimes: {escaped(lifetimes.source)} ({lifetimes.dated})")
    voice.answer()
    for step in made.steps:
        voice.answer(f"{step.on}  {step.kind.value:<6}  {step.text}")
        for line in (f"late: {step.late}", *released.lines(step)):
            voice.answer(f"{'':20}{line}")
    voice.answer()
    for line in chart(made):
        voice.answer(line)
    voice.answer(f"{'':8}. pinned ahead   # serving   - pinned for a way back")


def _document(
    host: str, made: Plan, lifetimes: Lifetimes, released: Released, curve: Adoption | None
) -> dict[str, object]:
    return {
        "host": host,
        "start": str(made.start),
        "until": str(made.until),
        "share": made.share,
        "lead_days": made.lead_days,
        "adoption": None if curve is None else [list(point) for point in curve.points],
        "calendar": {"source": lifetimes.source, "date": str(lifetimes.dated)},
        "certificates": [{"on": str(one.on), "expires": str(one.expires), "key": one.key} for one in made.issuances],
        "keys": [
            {"key": term.key, "pin_by": _day(term.pin_by), "serves_from": str(term.serves_from),
             "serves_until": _day(term.serves_until), "unpin_from": _day(term.unpin_from)}
            for term in made.terms
        ],
        "steps": [
            {"on": str(step.on), "kind": step.kind.value, "key": step.key, "text": step.text, "late": step.late,
             "breaks_on": _day(step.breaks_on), **released.fields(step)}
            for step in made.steps
        ],
    }  # fmt: skip


def _day(on: date | None) -> str | None:
    return None if on is None else str(on)
