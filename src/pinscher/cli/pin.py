"""``pinscher pin``: the pins of live endpoints and files, and a policy with them in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import INTERMEDIATE, LEAF, ROOT, common_name, now, roles
from pinscher.cli.policy_change import PolicyChange, toml_of
from pinscher.cli.policy_edit import Addition, new_document, with_pins
from pinscher.cli.reading import (
    FAILURES_TO_ANSWER,
    UnreadableFileError,
    is_file,
    json_option,
    reach_options,
    read_keys_of,
)
from pinscher.cli.show import short
from pinscher.cli.voice import ExitCode, Tally, Voice
from pinscher.cli.writing import check_outputs, known_content
from pinscher.diagnosis.roots import mozilla
from pinscher.host import canonical_host
from pinscher.pin import Pin, spki_sha256
from pinscher.policy import Policy
from pinscher.probe import InvalidEndpointError, KeySourceError, SourceKind
from pinscher.rotation import Circumstances, Severity, lint

if TYPE_CHECKING:
    from pinscher.cli.reading import Reach
    from pinscher.probe import Observation

_FIELDS = """
\b
JSON: {"pins": [in order], "written": the policy's path, or null}
  pin              sha256/<base64>
  source           what was asked for
  host             the host whose validated path it was read from, or null
  role             leaf, intermediate or root, or null for a file
  kind             certificate, certification request, public key or
                   private key
  place            the file and line, or null
  trust            the roots that were trusted to get there, or null
  root             the name of the root that was reached, or null
\b
A backup pin is that of a key which no server uses yet:
  pinscher key new backup.key --host HOST
  pinscher pin backup.csr --write pins.toml --host HOST --backup
"""


@click.command(epilog=_FIELDS)
@click.argument("sources", nargs=-1, required=True, metavar="HOST[:PORT]|FILE...")
@click.option(
    "--role",
    "wanted",
    multiple=True,
    type=click.Choice([LEAF, INTERMEDIATE, ROOT]),
    default=(LEAF,),
    show_default=True,
    help="Which keys of a live endpoint's path; may be given more than once.",
)
@click.option(
    "--write",
    "policy_file",
    type=click.Path(dir_okay=False),
    metavar="POLICY",
    help="Add the pins to this TOML policy, or begin it.",
)
@click.option("--host", metavar="HOST", help="The entry that pins from a FILE belong to.")
@click.option("--backup", "is_backup", is_flag=True, help="Add them as backup pins.")
@click.option("--yes", "is_agreed", is_flag=True, help="Write without asking.")
@reach_options
@json_option
def pin(
    sources: tuple[str, ...],
    *,
    wanted: tuple[str, ...],
    policy_file: str | None,
    host: str | None,
    is_backup: bool,
    is_agreed: bool,
    reach: Reach,
    is_json: bool,
) -> int:
    """
    Print the pins of live endpoints, certificates, requests and keys, one on each line.

    A live endpoint gives pins only over a path that was validated, and what was trusted to get there is said. With
    --write the change to the policy is shown first, and a question asked. FILE is PEM or DER, '-' is standard input.
    """
    voice, tally = Voice(), Tally()
    check_outputs({"--write": policy_file})
    reader = _Reader(reach, wanted, voice, tally)
    found = [pinned for source in sources for pinned in reader.pins_of(source)]
    if policy_file is not None and tally.exit_code() is ExitCode.GOOD:
        change = _change(Path(policy_file), found, host=host, is_backup=is_backup)
        if not change.write(voice, is_agreed=is_agreed):
            tally.none()
        elif change.is_one:
            _advise(Policy.loads(change.after), voice)
    if is_json:
        written_to = policy_file if policy_file is not None and tally.exit_code() is ExitCode.GOOD else None
        voice.document({"pins": [_object(pinned) for pinned in found], "written": written_to})
    else:
        for pinned in found:
            voice.answer(pinned.pin)
    return tally.exit_code()


@dataclass(frozen=True, slots=True)
class _Pinned:
    """One pin with what is known of where it came from."""

    pin: str
    source: str
    kind: str
    host: str | None = field(default=None, kw_only=True)
    role: str | None = field(default=None, kw_only=True)
    place: str | None = field(default=None, kw_only=True)
    trust: str | None = field(default=None, kw_only=True)
    root: str | None = field(default=None, kw_only=True)


def _object(pinned: _Pinned) -> dict[str, object]:
    names = ("pin", "source", "host", "role", "kind", "place", "trust", "root")
    return {name: getattr(pinned, name) for name in names}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the pins of one source after the other, and says what each of them rests on."""

    reach: Reach
    wanted: tuple[str, ...]
    voice: Voice
    tally: Tally

    def pins_of(self, source: str) -> list[_Pinned]:
        """Return the pins of one endpoint or file; none, and why on standard error, where there are none."""
        try:
            if is_file(source):
                return [_Pinned(str(key.pin), source, key.kind.value, place=key.place) for key in read_keys_of(source)]
            observation = self.reach.observe(self.reach.endpoint(source))
        except (*FAILURES_TO_ANSWER, InvalidEndpointError, KeySourceError, UnreadableFileError) as error:
            self.tally.none()
            self.voice.error(str(error))
            return []
        if observation.validated is None:
            self._refuse(observation)
            return []
        return self._pins_on(observation.validated.certificates, observation, source)

    def _refuse(self, observation: Observation) -> None:
        self.tally.bad()
        self.voice.error(
            f"{short(observation.endpoint)} was not verified by {observation.trust}, so its keys are not pinned: "
            f"{observation.verification_error}"
        )
        self.voice.hint("if the roots are your own, name them with --ca-file; or pin from the key's own file")

    def _pins_on(self, path: tuple[bytes, ...], observation: Observation, source: str) -> list[_Pinned]:
        root = common_name(path[-1])
        self.voice.warning(
            f"{short(observation.endpoint)} was trusted because {root} vouches for it, found in {observation.trust}"
        )
        if self.reach.trust.ca_file is None:
            _warn_of_interception(path[-1], self.voice)
        kind = SourceKind.CERTIFICATE.value
        return [
            _Pinned(str(Pin.of(certificate)), source, kind, host=observation.host, role=role, trust=observation.trust,
                    root=root)
            for role, certificate in zip(roles(path, is_validated=True), path, strict=True)
            if role in self.wanted
        ]  # fmt: skip


def _warn_of_interception(root: bytes, voice: Voice) -> None:
    """Say when the platform's store holds a root that browsers do not, as an interceptor's is."""
    programme = mozilla()
    if programme.holds(root, spki_sha256(root)):
        return
    voice.warning(
        f"{common_name(root)} is in this machine's trust store and not in Mozilla's of {programme.date:%Y-%m-%d}: "
        "if somebody intercepts this machine's connections, these are the interceptor's keys"
    )
    voice.hint("compare the pins with those from another network, or pin from the key's own file")


def _change(path: Path, found: list[_Pinned], *, host: str | None, is_backup: bool) -> PolicyChange:
    read = known_content(path)
    before = "" if read is None else toml_of(path, read)
    additions = [Addition(entry, tuple(pins), is_backup=is_backup) for entry, pins in _by_host(found, host).items()]
    after = with_pins(before or new_document(path.stem), additions)
    Policy.loads(after)
    return PolicyChange(path, read, before, after)


def _by_host(found: list[_Pinned], host: str | None) -> dict[str, list[str]]:
    """Group pins by the entry they go into; a file's pins go where --host says."""
    grouped: dict[str, list[str]] = {}
    for pinned in found:
        entry = pinned.host if host is None else canonical_host(host)
        if entry is None:
            raise click.UsageError("pins from a file need --host, the entry that they belong to")
        grouped.setdefault(entry, []).append(pinned.pin)
    return grouped


def _advise(policy: Policy, voice: Voice) -> None:
    for finding in lint(policy, Circumstances(now())):
        if finding.severity >= Severity.WARNING:
            voice.hint(f"{finding.text}: {finding.remedy}")
