"""``pinscher gate``: would this certificate break a deployed client?"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import certificate_objects, counted, expiry, pin_text
from pinscher.cli.chains import certificates_of
from pinscher.cli.deployed import (
    all_deployed,
    client_of,
    deployments_option,
    percent,
    shares_object,
    shares_of,
    told_shares,
)
from pinscher.cli.diff import code
from pinscher.cli.heard import heard_lines, heard_objects, heard_options
from pinscher.cli.moment import at_option
from pinscher.cli.reading import json_option
from pinscher.cli.voice import Tally, Voice
from pinscher.der import certificate_summary
from pinscher.errors import escaped
from pinscher.host import InvalidHostError, canonical_host
from pinscher.probe import Trust
from pinscher.probe.buildable import buildable_paths, names_of, roots_of
from pinscher.rotation.gate import Judgement, NewCertificate
from pinscher.rotation.gate import gate as judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pinscher.cli.heard import HeardClients
    from pinscher.errors import PinningError
    from pinscher.probe.buildable import BuildablePaths
    from pinscher.rotation.deployments import Deployment
    from pinscher.rotation.gate import Answer

_FIELDS = """
\b
JSON: {"at": the moment, "certificate": {pin, subject, not_after, names},
"refused": whether any policy refuses, "shares": {application: the share of its
users that would be refused, as text, or null if it is not known}, ...}
  unread           files that could not be read: file, error
  answers          one for each policy and host, in order:
    file           the policy's file
    application, version, share   of the inventory, or null
    host           the host, or a wildcard of the certificate
    answer         accepts, reports, refuses, cannot-tell or not-listed
    outcome        the verdict's, as in 'pinscher check', or null
    matched        the pin that decided, or null
    text           why
    advice         what to do, or null
    path           the path that decided, leaf first, as in
                   'pinscher show', or null
  clients          of --clients, for each host: {host, clients, refusing,
                   unknown, versions: {policy and version: how many refuse},
                   answer: accepts, refuses or cannot-tell}
"""


@click.command(epilog=_FIELDS)
@click.option("--new-cert", "new_file", required=True, metavar="FILE", help="The new certificate; what follows it in "
              "the file is its chain.")  # fmt: skip
@click.option("--chain", "chain_files", multiple=True, metavar="FILE", help="What the server will send with it; may be "
              "given more than once.")  # fmt: skip
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Ask about this host, not about all that the "
              "certificate names; may be given more than once.")  # fmt: skip
@click.option("--deployed", "files", multiple=True, metavar="FILE", help="A policy, or an application's file (an APK, "
              "NAME=FILE for another platform's), that clients have; may be given more than once.")  # fmt: skip
@deployments_option
@heard_options
@click.option("--ca-file", type=click.Path(), metavar="FILE", help="Roots that clients trust, in place of this "
              "machine's.")  # fmt: skip
@at_option
@click.option("--markdown", "is_markdown", is_flag=True, help="Write the answer for a pull request.")
@json_option
def gate(
    *,
    new_file: str,
    chain_files: tuple[str, ...],
    hosts: tuple[str, ...],
    files: tuple[str, ...],
    inventories: tuple[str, ...],
    heard: HeardClients,
    ca_file: str | None,
    at: datetime,
    is_markdown: bool,
    is_json: bool,
) -> int:
    """
    Say which deployed clients would refuse a new certificate, before a server shows it.

    Every path that a client could build from the certificates given to a trusted root is validated and judged against
    every deployed policy. Without --chain only a key of the certificate itself can be judged. Exit 1 if any policy
    refuses on any path, 2 if that cannot be told of some policy, or no policy lists any of the hosts.
    """
    voice = Voice()
    if is_json and is_markdown:
        raise click.UsageError("--json and --markdown are two answers: give one of them")
    if not files and not inventories and not heard.is_monitor:
        raise click.UsageError("nothing is deployed: give --deployed FILE, --deployments FILE or --clients URL")
    deployed, failed = all_deployed(files, inventories)
    for _, error in failed:
        voice.error(str(error))
    new = _new_certificate(new_file, chain_files, ca_file, at)
    answers = judge(new, deployed, hosts=_checked(hosts))
    radii = heard.radii(new, answers, _checked(hosts) or _named(new))
    told = list(heard_lines(radii, heard))
    if is_json:
        voice.document(_document(new, answers, failed) | {"clients": heard_objects(radii, heard)})
    elif is_markdown:
        for line in (*_markdown(new, answers), *_markdown_of(told)):
            voice.answer(line)
    else:
        if deployed:
            _print(new, answers, voice)
        for judgement, text in told:
            voice.answer((_word(judgement), _STYLES[judgement]), f"  {text}")
    return _conclude(answers, voice, [one for one, _ in told], is_incomplete=bool(failed))


def _named(new: NewCertificate) -> tuple[str, ...]:
    """Return the hosts that the certificate names in full."""
    found = []
    for name in new.names:
        with contextlib.suppress(InvalidHostError):
            found.append(canonical_host(name))
    return tuple(found)


def _new_certificate(new_file: str, chain_files: tuple[str, ...], ca_file: str | None, at: datetime) -> NewCertificate:
    leaf, *others = certificates_of(new_file)
    others += [certificate for file in chain_files for certificate in certificates_of(file)]
    roots = roots_of(Trust.of(ca_file))

    @functools.cache
    def paths(host: str) -> BuildablePaths:
        return buildable_paths(leaf, others, roots, host=host, at=at)

    return NewCertificate(leaf, names_of(leaf), at, paths)


def _checked(hosts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(map(canonical_host, hosts))
    except InvalidHostError as error:
        raise click.BadParameter(str(error), param_hint="'--host'") from None


def _conclude(answers: tuple[Answer, ...], voice: Voice, heard: list[Judgement], *, is_incomplete: bool) -> int:
    """Say what to do, each advice once, and return the exit code."""
    tally = Tally()
    if is_incomplete:
        tally.none()
    elif all(answer.judgement is Judgement.NOT_LISTED for answer in answers) and (answers or not heard):
        tally.none()
        voice.error("no deployed policy lists any of these hosts: nothing was judged")
        voice.hint("name the host that clients connect to with --host")
    # What clients are said to do is added to what their policies say, and takes nothing back.
    for judgement in (*(answer.judgement for answer in answers), *heard):
        if judgement is Judgement.REFUSES:
            tally.bad()
        elif judgement is Judgement.CANNOT_TELL:
            tally.none()
    for advice in dict.fromkeys(answer.advice for answer in answers if answer.advice):
        voice.hint(advice)
    return tally.exit_code()


def _refused(answers: Iterable[Answer]) -> list[Deployment]:
    """Return the released versions that would refuse on some host."""
    refusing = (one.deployed.deployment for one in answers if one.judgement is Judgement.REFUSES)
    return [one for one in refusing if one is not None]


def _document(
    new: NewCertificate, answers: tuple[Answer, ...], failed: list[tuple[str, PinningError]]
) -> dict[str, object]:
    summary = certificate_summary(new.der)
    not_after = None if summary.not_after is None else summary.not_after.strftime("%Y-%m-%dT%H:%M:%SZ")
    names = [escaped(name) for name in new.names]
    return {
        "at": new.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "certificate": {"pin": pin_text(new.der), "subject": summary.subject, "not_after": not_after, "names": names},
        "refused": any(answer.judgement is Judgement.REFUSES for answer in answers),
        "shares": shares_object(_refused(answers)),
        "unread": [{"file": escaped(file), "error": str(error)} for file, error in failed],
        "answers": [_object(answer) for answer in answers],
    }


def _object(answer: Answer) -> dict[str, object]:
    one = answer.deployed.deployment
    path = None if answer.path is None else certificate_objects(answer.path.certificates, is_validated=False)
    return {
        "file": escaped(answer.deployed.file),
        "application": None if one is None else one.application,
        "version": None if one is None else one.version,
        "share": None if one is None or one.share is None else str(one.share),
        "host": escaped(answer.host),
        "answer": answer.judgement.value,
        "outcome": None if answer.outcome is None else answer.outcome.value,
        "matched": None if answer.matched is None else str(answer.matched),
        "text": answer.text,
        "advice": answer.advice or None,
        "path": path,
    }


_STYLES = {
    Judgement.ACCEPTS: "green", Judgement.REPORTS: "yellow", Judgement.REFUSES: "bold red",
    Judgement.CANNOT_TELL: "bold yellow", Judgement.NOT_LISTED: "",
}  # fmt: skip
_BAD = (Judgement.REFUSES, Judgement.CANNOT_TELL)


def _word(judgement: Judgement) -> str:
    """Return the word for an answer; one that needs somebody is in capitals."""
    word = judgement.value.replace("-", " ")
    return word.upper() if judgement in _BAD else word


def _client(answer: Answer) -> str:
    one = answer.deployed.deployment
    return escaped(answer.deployed.client) if one is None else client_of(one)


def _print(new: NewCertificate, answers: tuple[Answer, ...], voice: Voice) -> None:
    summary = certificate_summary(new.der)
    voice.answer((summary.subject or "(no name)", "bold"), f"  {pin_text(new.der)}  {expiry(summary, at=new.at)}")
    voice.answer()
    rows = [(_word(answer.judgement), _client(answer), escaped(answer.host)) for answer in answers]
    wide = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for answer, (word, client, host) in zip(answers, rows, strict=True):
        style = _STYLES[answer.judgement]
        voice.answer("  ", (f"{word:<{wide[0]}}", style), f"  {client:<{wide[1]}}  {host:<{wide[2]}}  {answer.text}")
    for line in told_shares(_refused(answers), "refused"):
        voice.answer()
        voice.answer(line)


def _markdown_of(told: list[tuple[Judgement, str]]) -> Iterator[str]:
    """Yield a line of a comment for each host that clients were heard of."""
    for judgement, text in told:
        yield ""
        yield f"**{_word(judgement)}** by clients that were heard of: {code(text)}"


def _markdown(new: NewCertificate, answers: tuple[Answer, ...]) -> Iterator[str]:
    """Yield the lines of a comment; whatever somebody else may have chosen stands in a code span."""
    summary = certificate_summary(new.der)
    refusing = sum(answer.judgement is Judgement.REFUSES for answer in answers)
    yield f"### New certificate {code(summary.subject)}: {counted(refusing, 'refusal')}"
    yield ""
    yield f"Key {code(pin_text(new.der) or '')}, {expiry(summary, at=new.at)}."
    yield ""
    yield "| | clients | host | why |"
    yield "| --- | --- | --- | --- |"
    for answer in answers:
        word = f"**{_word(answer.judgement)}**" if answer.judgement in _BAD else _word(answer.judgement)
        yield f"| {word} | {code(_client(answer))} | {code(escaped(answer.host))} | {code(answer.text)} |"
    for application, share in shares_of(_refused(answers)).items():
        how_many = "an unknown share" if share is None else percent(share)
        yield ""
        yield f"**Refused: {how_many}** of the users of {code(escaped(application))}."
    advice = list(dict.fromkeys(answer.advice for answer in answers if answer.advice))
    if advice:
        yield ""
        yield from (f"- {one}" for one in advice)
