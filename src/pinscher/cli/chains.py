"""Chains that an option names: certificates in a file, and the host that they are for."""

from __future__ import annotations

import click

from pinscher.cli.reading import read_keys_of
from pinscher.errors import escaped
from pinscher.host import InvalidHostError, canonical_host


def named_chain(text: str) -> tuple[str, tuple[bytes, ...]]:
    """Read ``HOST=FILE``; the file holds certificates and nothing else."""
    host, equals, file = text.partition("=")
    if not equals or not file:
        raise click.BadParameter(f"expected HOST=FILE, found '{escaped(text)}'", param_hint="'--chain'")
    try:
        canonical = canonical_host(host)
    except InvalidHostError as error:
        raise click.BadParameter(str(error), param_hint="'--chain'") from None
    return canonical, certificates_of(file)


def certificates_of(file: str) -> tuple[bytes, ...]:
    """Read the certificates of a file in its order; anything else in it is a usage error."""
    keys = read_keys_of(file)
    for key in keys:
        if key.certificate is None:
            raise click.UsageError(f"expected certificates, found a {key.kind.value} at {key.place}")
    return tuple(key.certificate for key in keys if key.certificate is not None)
