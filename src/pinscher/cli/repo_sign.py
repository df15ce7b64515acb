"""``pinscher repo sign``: one person's signature."""

from __future__ import annotations

import click

from pinscher.cli.reading import json_option
from pinscher.cli.repo_options import repository_argument, repository_at, signing_keys, tell_changes, tell_lacking
from pinscher.cli.voice import ExitCode, Voice

_FIELDS = """
\b
JSON:
  signed           the roles that this key signed
  lacking          how many signatures each of them still lacks
"""


@click.command("sign", epilog=_FIELDS)
@repository_argument
@click.option("--key", "key", required=True, metavar="KEY", help="The key: a PEM file, or an address.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Sign for this role only.")
@json_option
def command(repository: str, *, key: str, roles: tuple[str, ...], is_json: bool) -> int:
    """
    Sign what is staged in REPO with one key.

    What the staged policies change for clients is shown; the policies themselves lie in staging/targets.
    A key in a PKCS#11 token is pkcs11:token=LABEL;id=%02?module-path=FILE, its PIN asked for, or in the variable
    PINSCHER_TOKEN_PIN, or in the file that pin-source=FILE names. Addresses of key management services are those of
    securesystemslib: gcpkms:, awskms:, azurekms:, hv: and others; each needs its own package.
    """
    from pinscher.updates.repository import bundle_of, published_policy, sign, staged_policy  # noqa: PLC0415

    voice, place = Voice(), repository_at(repository)
    place.require()
    for name in place.staged_roles():
        staged = staged_policy(place, name) if not roles or name in roles else None
        if staged is not None:
            bundle = "override.json" if name == "override" else bundle_of(place, name)
            tell_changes(published_policy(place, bundle, name), staged, voice)
    lacking = sign(place, signing_keys([key])[0], roles=roles)
    if is_json:
        voice.document({"signed": list(lacking), "lacking": lacking})
    else:
        tell_lacking(place, voice)
    return ExitCode.GOOD
