"""``pinscher embed``: ship a program with the root of its updates, a first policy and its floor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.embedding import Form, embedded_in, written
from pinscher.cli.policies import load_policy
from pinscher.cli.reading import json_option, read_bytes
from pinscher.cli.voice import ExitCode, Voice
from pinscher.cli.writing import check_outputs, known_content, replace_file
from pinscher.errors import PinningError, escaped
from pinscher.rotation import difference
from pinscher.store import Embedded, EmbeddedPinsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS = """
\b
JSON: {"policy": {name, version, digest}, "floor": N, "root": its SHA-256, ...}
  files            in order:
    path           the file
    state          written, replaced or unchanged
"""


class UnsignedRootError(PinningError):
    """A root that is not signed by the threshold of its own keys."""


class FileExistsAlreadyError(PinningError):
    """A file that would be overwritten, and nobody said so."""


@click.command(epilog=_FIELDS)
@click.argument("policy", metavar="POLICY")
@click.option("--root", required=True, metavar="FILE", help="The repository's root metadata, such as 1.root.json.")
@click.option(
    "--floor",
    type=click.IntRange(min=1),
    metavar="VERSION",
    help="Accept no policy below this version; the policy's own by default.",
)
@click.option("--python", metavar="FILE", help="Write a Python module with the name EMBEDDED in it.")
@click.option("--json-resource", metavar="FILE", help="Write a JSON resource.")
@click.option("--lines-resource", metavar="FILE", help="Write name=value lines, for Kotlin, Swift and any language.")
@click.option(
    "--replace", "may_replace", is_flag=True, help="Replace files that say something else, and show what changes."
)
@json_option
def embed(
    policy: str,
    *,
    root: str,
    floor: int | None,
    python: str | None,
    json_resource: str | None,
    lines_resource: str | None,
    may_replace: bool,
    is_json: bool,
) -> int:
    """
    Write what a program is shipped with: the root of its updates, a first policy, and the rollback floor.

    POLICY is TOML or JSON; its canonical JSON is embedded. The same input gives the same files, octet for octet. What
    is embedded is verified again when it is first used. A file that is there and says something else is left alone
    without --replace.
    """
    voice = Voice()
    named = {Form.PYTHON: python, Form.JSON: json_resource, Form.LINES: lines_resource}
    check_outputs({"--python": python, "--json-resource": json_resource, "--lines-resource": lines_resource})
    files = {form: Path(name) for form, name in named.items() if name is not None}
    if not files:
        raise click.UsageError("give at least one of --python, --json-resource and --lines-resource")
    loaded = load_policy(policy)
    octets = read_bytes(root)
    _check_signed(octets, root)
    if floor is not None and floor > loaded.version:
        told = f"a floor of {floor}, expected 1 to {loaded.version}, the version of '{escaped(policy)}'"
        raise click.BadParameter(told, param_hint="'--floor'")
    made = Embedded.of(root=octets, bundle=loaded.to_json(), floor=loaded.version if floor is None else floor)
    states = _write(made, files, voice, may_replace=may_replace)
    if is_json:
        voice.document(
            {
                "policy": {"name": loaded.name, "version": loaded.version, "digest": loaded.digest},
                "floor": made.floor,
                "root": made.root_digest,
                "files": [{"path": str(path), "state": state} for path, state in states.items()],
            }
        )
        return ExitCode.GOOD
    voice.answer(f"{escaped(loaded.name)} version {loaded.version}, floor {made.floor}, root {made.root_digest}")
    for path, state in states.items():
        voice.answer(f"  {state:<9}  {escaped(str(path))}")
    return ExitCode.GOOD


def _check_signed(root: bytes, name: str) -> None:
    """Hold the root to the threshold of its own keys, so that no program is shipped with one that it cannot use."""
    try:
        from tuf.api.exceptions import RepositoryError  # noqa: PLC0415  (guarded: the extra may be missing)
        from tuf.api.metadata import Metadata, Root  # noqa: PLC0415
    except ModuleNotFoundError:
        raise UnsignedRootError("the root cannot be checked without tuf; pip install 'pinscher[updates]'") from None
    try:
        metadata = Metadata[Root].from_bytes(root)
        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, AttributeError, ValueError) as error:
        raise UnsignedRootError(
            f"'{escaped(name)}' is no root that its own keys have signed: {escaped(str(error))}"
        ) from None


def _write(made: Embedded, files: Mapping[Form, Path], voice: Voice, *, may_replace: bool) -> dict[Path, str]:
    """Write the files, none before it is known that each may be written."""
    before = {form: known_content(path) for form, path in files.items()}
    contents = {form: written(made, form) for form in files}
    changed = [form for form in files if before[form] not in (None, contents[form])]
    for form in changed:
        if not may_replace:
            raise FileExistsAlreadyError(
                f"'{escaped(str(files[form]))}' is there and says something else; --replace replaces it"
            )
        _tell(before[form] or b"", form, made, files[form], voice)
    states = {}
    for form, path in files.items():
        if before[form] != contents[form]:
            replace_file(path, contents[form], expected=before[form])
        states[path] = "unchanged" if before[form] == contents[form] else "replaced" if form in changed else "written"
    return states


def _tell(content: bytes, form: Form, made: Embedded, path: Path, voice: Voice) -> None:
    """Say what changes for a program that was built with the file before."""
    try:
        old = embedded_in(content, form)
    except EmbeddedPinsError:
        voice.warning(f"'{escaped(str(path))}' held something that this command did not write")
        return
    if old.root != made.root:
        voice.warning(f"another root: {old.root_digest} -> {made.root_digest}")
    if made.floor < old.floor:
        voice.warning(f"the floor falls from {old.floor} to {made.floor}")
    voice.note(f"{escaped(old.policy.name)} version {old.policy.version} -> {made.policy.version}")
    for change in difference(old.policy, made.policy):
        hosts = ", ".join(change.hosts[:3])
        voice.note(f"  {change.effect.value}{f'  {hosts}' if hosts else ''}: {change.sentence} [{change.kind}]")
