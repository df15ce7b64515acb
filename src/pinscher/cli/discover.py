"""``pinscher discover``: the endpoints that an application leaves traces of, and which of them deserve pins."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import counted, now
from pinscher.cli.chains import named_chain
from pinscher.cli.reading import STDIN, UnreadableFileError, check_there, json_option, read_bytes
from pinscher.cli.voice import ExitCode, Voice
from pinscher.cli.writing import UnwritableFileError, check_outputs, replace_file
from pinscher.discover import (
    READERS,
    Inventory,
    Judged,
    Owners,
    UnreadableSourceError,
    draft,
    files_below,
    read_file,
    read_stream,
    score,
    watch,
)
from pinscher.errors import escaped
from pinscher.host import InvalidHostError, canonical_host

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Sequence

    from pinscher.discover import Crossing, Omission

_FIELDS = """
\b
JSON: {"endpoints": [one object for each host, the highest score first], ...}
  host
  score            from 0 to 100; and deserves, whether it should have pins
  reasons          [{points, text}], which add up to the score
  owner            first party, delivery network, third party, local, name
                   only or unknown; and by, whose it is
  pinnable         yes, with care, ask its owner or no; and why
  evidence         recorded, watched, logged, declared, configured, written
                   or packed
  ports, schemes   as they were seen
  seen             how often; and places, [{file, line}], the first of them
  crossed          [{kind, name, count}]; names are this program's own words
  beside           the same, of names that stand near the host in code and
                   settings
\b
files              how many were read
skipped            [{reason, count, places}]: what was not read
program            the exit code of COMMAND, or null
"""
_LARGEST_STDIN = 64 << 20
_SHOWN_PLACES = 3
_MEBI = 1 << 20


class _WithProgram(click.Command):
    """Keeps what stands after ``--`` apart from the paths."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta["program"] = tuple(args[at + 1 :])
            if not ctx.meta["program"]:
                raise click.UsageError("expected a program after '--'", ctx)
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(cls=_WithProgram, epilog=_FIELDS)
@click.argument("paths", nargs=-1, metavar="[PATH...] [-- COMMAND...]")
@click.option("--own", "own", multiple=True, metavar="DOMAIN", help="A domain of yours; may be given more than once.")
@click.option("--as", "reader", type=click.Choice(list(READERS)), help="Read every file with this reader.")
@click.option(
    "--chain", "chains", multiple=True, metavar="HOST=FILE", help="A host's certificates, leaf first, for the draft."
)
@click.option("--policy-out", "policy_out", metavar="FILE", help="Write a draft policy, report-only, to a new file.")
@json_option
@click.pass_context
def discover(
    context: click.Context, paths: tuple[str, ...], *, own: tuple[str, ...], reader: str | None,
    chains: tuple[str, ...], policy_out: str | None, is_json: bool,
) -> int:  # fmt: skip
    """
    List the hosts that an application talks to, what crosses there, and which deserve pins.

    PATH is a file or a folder: HAR, mitmproxy flows, OpenAPI, access logs, .env and other settings, code (Python,
    JS, TypeScript, Kotlin, Java, Swift), APK and IPA; '-' is standard input. COMMAND is a Python program, which
    is run and watched; its standard output goes to standard error, and its exit code becomes this one. No value of a
    field is kept or shown, and no name but this program's own words. Nothing is fetched. Exit 2 if a PATH cannot be
    read, or a file that is one not to its end; what cannot be read inside a folder is a warning, with its reason.
    """
    voice, inventory, program = Voice(), Inventory(), context.meta.get("program")
    if not paths and not program:
        raise click.UsageError("expected a path, or a program after '--'", context)
    _check_new(policy_out)
    known = dict(map(named_chain, chains))
    owners = Owners(_registrable(), own=frozenset(map(_own, own)))
    failed = _read(paths, inventory, reader, voice)
    code = watch(program, inventory) if program else None
    judged = _judged(inventory, owners)
    if is_json:
        voice.document(_document(judged, inventory, code))
    else:
        _print(judged, inventory, voice)
    if policy_out is not None:
        _write_draft(Path(policy_out), judged, known, voice)
    if not own and judged:
        voice.hint("say which domains are yours with --own, so that they are told from others'")
    return code or (ExitCode.NO_ANSWER if failed else ExitCode.GOOD)


def _check_new(policy_out: str | None) -> None:
    """Refuse, before anything is read or run, a file for the draft that is there already."""
    check_outputs({"--policy-out": policy_out})
    if policy_out is not None and Path(policy_out).exists():
        raise UnwritableFileError(Path(policy_out), "it exists, and is not overwritten")


def _own(text: str) -> str:
    try:
        return canonical_host(text)
    except InvalidHostError as error:
        raise click.BadParameter(str(error), param_hint="'--own'") from None


def _registrable() -> Callable[[str], str | None]:
    """Return the function of the public suffix list that the package brought along; nothing is fetched."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  (its list takes a while to read)

    return PublicSuffixList().privatesuffix


def _read(paths: Sequence[str], inventory: Inventory, reader: str | None, voice: Voice) -> bool:
    """Read every path; tell whether one that was asked for by its name could not be read to its end."""
    failed = False
    for path in paths:
        if path == STDIN:
            failed |= _told(_read_stdin(inventory, reader), voice)
            continue
        try:
            check_there(path)
        except UnreadableFileError as error:
            voice.error(str(error))
            failed = True
            continue
        files = list(files_below(path, inventory))
        is_folder = Path(path).is_dir()
        failed |= is_folder and not _is_listed(path, voice)
        with _progress(voice, path, sum(size for _, size in files)) as advance:
            for file, _ in files:
                unread = read_file(file, inventory, reader=reader, on_octets=advance)
                failed |= not is_folder and _told(unread, voice)
        if not is_folder and not files:
            voice.error(str(UnreadableFileError(path, "expected a regular file or a folder")))
            failed = True
    return failed


def _is_listed(folder: str, voice: Voice) -> bool:
    """Tell whether the system lists a folder at all, and say why if it does not."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        voice.error(str(UnreadableFileError(folder, (error.strerror or str(error)).lower())))
        return False
    return True


def _read_stdin(inventory: Inventory, reader: str | None) -> UnreadableSourceError | None:
    content = read_bytes(STDIN, limit=_LARGEST_STDIN)
    if len(content) > _LARGEST_STDIN:
        raise UnreadableFileError("<stdin>", f"more than {_LARGEST_STDIN} octets; give a large file by its name")
    return read_stream("<stdin>", io.BytesIO(content), inventory, reader=reader)


def _told(error: UnreadableSourceError | None, voice: Voice) -> bool:
    if error is not None:
        voice.error(str(error))
    return error is not None


@contextlib.contextmanager
def _progress(voice: Voice, path: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many MiB of so many have been read; yield what takes the octets read."""
    done = 0
    with voice.progress(f"reading {path}, MiB", total // _MEBI) as advance:

        def count(octets: int) -> None:
            nonlocal done
            before, done = done, done + octets
            for _ in range(done // _MEBI - before // _MEBI):
                advance()

        yield count


def _judged(inventory: Inventory, owners: Owners) -> list[Judged]:
    judged = []
    for endpoint in inventory.endpoints.values():
        ownership = owners.of(endpoint.host, schemes=endpoint.schemes, issuers=endpoint.issuers)
        judged.append(Judged(endpoint, ownership, score(endpoint, ownership)))
    return sorted(judged, key=lambda one: (-one.score.points, one.endpoint.host))


def _document(judged: Sequence[Judged], inventory: Inventory, code: int | None) -> dict[str, object]:
    return {
        "endpoints": [_object(one) for one in judged],
        "files": inventory.files,
        "skipped": [
            {
                "reason": reason, "count": omission.count,
                "places": [{"file": escaped(place.file), "line": place.line} for place in omission.places],
            } for reason, omission in sorted(inventory.skipped.items())
        ],
        "program": code,
    }  # fmt: skip


def _object(one: Judged) -> dict[str, object]:
    endpoint, ownership = one.endpoint, one.ownership
    return {
        "host": endpoint.host,
        "score": one.score.points,
        "deserves": one.score.deserves,
        "reasons": [{"points": reason.points, "text": reason.text} for reason in one.score.reasons],
        "owner": ownership.owner.value,
        "by": ownership.by,
        "pinnable": ownership.pinnable.value,
        "why": ownership.reason,
        "evidence": sorted(one.value for one in endpoint.evidence),
        "ports": sorted(endpoint.ports),
        "schemes": sorted(scheme for scheme in endpoint.schemes if scheme),
        "seen": endpoint.count,
        "places": [{"file": escaped(place.file), "line": place.line} for place in endpoint.places],
        "crossed": [
            {"kind": crossing.matter.value, "name": crossing.word, "count": count}
            for crossing, count in _sorted(endpoint.crossed)
        ],
        "beside": [
            {"kind": crossing.matter.value, "name": crossing.word, "count": count}
            for crossing, count in _sorted(endpoint.beside)
        ],
    }


def _sorted(crossed: Counter[Crossing]) -> list[tuple[Crossing, int]]:
    return sorted(crossed.items(), key=lambda one: (one[0].matter.value, one[0].word))


def _print(judged: Sequence[Judged], inventory: Inventory, voice: Voice) -> None:
    for one in judged:
        endpoint, ownership = one.endpoint, one.ownership
        verdict = ("deserves pins", "bold green") if one.score.deserves else (f"pin: {ownership.pinnable.value}", "")
        voice.answer((endpoint.host, "bold"), f"  score {one.score.points}  ", verdict)
        voice.answer(f"  owner    {ownership.owner.value} ({ownership.by}): {ownership.reason}")
        for title, counts in (("crossed", endpoint.crossed), ("beside ", endpoint.beside)):
            if counts:
                told = ", ".join(f"{found.word} x{count}" for found, count in _sorted(counts))
                voice.answer(f"  {title}  {told}")
        shown = [f"{place} ({evidence.value})" for place, evidence in list(endpoint.places.items())[:_SHOWN_PLACES]]
        rest = endpoint.count - len(shown)
        more = f" and {counted(rest, 'time')} more" if rest > 0 else ""
        voice.answer(f"  seen     {', '.join(shown)}{more}")
        voice.answer("  score    " + ", ".join(f"{reason.points:+d} {reason.text}" for reason in one.score.reasons))
    if not judged:
        voice.answer("no endpoint found")
    for reason, omission in sorted(inventory.skipped.items()):
        voice.warning(f"skipped {_first(omission)}: {reason}")


def _first(omission: Omission) -> str:
    return f"{counted(omission.count, 'time')}, first at {omission.places[0]}"


def _write_draft(path: Path, judged: Sequence[Judged], chains: dict[str, tuple[bytes, ...]], voice: Voice) -> None:
    for host in sorted(set(chains) - {one.endpoint.host for one in judged}):
        voice.warning(f"{host} was not found, so its --chain is in no draft")
    policy = draft(judged, chains, today=now().date())
    if policy is None:
        voice.warning(f"no draft written to {escaped(str(path))}: no host found that a policy could list")
        return
    replace_file(path, policy.to_toml().encode(), expected=None)
    wanted = [one.endpoint.host for one in judged if one.score.deserves and one.endpoint.host not in chains]
    if wanted:
        voice.hint(f"the draft has no pins for {wanted[0]} yet; give it some with "
                   f"'pinscher pin {wanted[0]} --write {escaped(str(path))}'")  # fmt: skip
