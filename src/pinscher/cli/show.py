"""``pinscher show``: the keys of a live endpoint or of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import (
    certificate_objects,
    certificate_rows,
    common_name,
    counted,
    expiry,
    key_object,
    now,
)
from pinscher.cli.reading import (
    FAILURES_TO_ANSWER,
    UnreadableFileError,
    is_file,
    json_option,
    reach_options,
    read_keys_of,
)
from pinscher.cli.voice import Tally, Voice
from pinscher.der import certificate_summary
from pinscher.probe import Endpoint, InvalidEndpointError, KeySource, KeySourceError, Observation, SourceKind

if TYPE_CHECKING:
    from pinscher.cli.reading import Reach
    from pinscher.errors import PinningError

_FIELDS = """
\b
JSON: {"results": [one object for each SOURCE, in order]}
  source             what was asked for
  error              why there is no answer; then no further field
  of an endpoint:
    endpoint, host, port, protocol, address, tls_version, cipher
    trust            the roots that were trusted
    verified         whether a path to one of them was validated
    verification_error   why not, or null
    path             the validated certificates, leaf first, or null
    presented        the certificates that the server sent
  of a file:
    keys             the keys, in order
\b
  A certificate: role, pin, certificate_pin, subject, issuer, serial,
  not_before, not_after. A key: kind, place, and the fields of a certificate,
  null but for pin where there is none. Names are escaped.
"""


@click.command(epilog=_FIELDS)
@click.argument("sources", nargs=-1, required=True, metavar="HOST[:PORT]|FILE...")
@reach_options
@json_option
def show(
    sources: tuple[str, ...],
    *,
    reach: Reach,
    is_json: bool,
) -> int:
    """
    Show the keys of live endpoints, certificates, requests and keys, each with its pin.

    FILE is PEM or DER, '-' is standard input. A live chain is validated as any client would; exit 1 if that failed,
    and then the chain is shown as the server presented it, which proves nothing.
    """
    voice, tally = Voice(), Tally()
    results = []
    for source in sources:
        answer = _look(source, reach, voice, tally)
        results.append({"source": source} | _object(answer))
        if not is_json and not isinstance(answer, str):
            _print(answer, source, voice)
    if is_json:
        voice.document({"results": results})
    return tally.exit_code()


Answer = Observation | tuple[KeySource, ...] | str
"""What was seen, or in words why nothing was."""


def _look(source: str, reach: Reach, voice: Voice, tally: Tally) -> Answer:
    try:
        if is_file(source):
            return read_keys_of(source)
        observation = reach.observe(reach.endpoint(source))
    except (*FAILURES_TO_ANSWER, InvalidEndpointError, KeySourceError, UnreadableFileError) as error:
        tally.none()
        _explain(error, source, voice)
        return str(error)
    if observation.validated is None:
        tally.bad()
    return observation


def _explain(error: PinningError, source: str, voice: Voice) -> None:
    voice.error(str(error))
    if isinstance(error, UnreadableFileError) and "/" not in source:
        voice.hint("a host that looks like a file's name is written with its port, as in 'name:443'")


def _object(answer: Answer) -> dict[str, object]:
    if isinstance(answer, str):
        return {"error": answer}
    if isinstance(answer, tuple):
        return {"keys": [key_object(key) for key in answer]}
    validated = answer.validated
    return {
        "endpoint": str(answer.endpoint),
        "host": answer.host,
        "port": answer.port,
        "protocol": answer.endpoint.protocol.value,
        "address": answer.address,
        "tls_version": answer.tls_version,
        "cipher": answer.cipher,
        "trust": answer.trust,
        "verified": validated is not None,
        "verification_error": answer.verification_error,
        "path": None if validated is None else certificate_objects(validated.certificates, is_validated=True),
        "presented": certificate_objects(answer.presented.certificates, is_validated=False),
    }


def _print(answer: Observation | tuple[KeySource, ...], source: str, voice: Voice) -> None:
    if isinstance(answer, tuple):
        _print_keys(answer, source, voice)
    else:
        _print_observation(answer, voice)


def _print_observation(observation: Observation, voice: Voice) -> None:
    name = short(observation.endpoint)
    if observation.validated is None:
        certificates = observation.presented.certificates
        count = counted(len(certificates), "certificate")
        voice.answer((name, "bold"), f"  {count} presented, ", ("NOT VERIFIED", "bold red"))
    else:
        certificates = observation.validated.certificates
        count = counted(len(certificates), "certificate")
        voice.answer((name, "bold"), f"  {count}, path verified to {common_name(certificates[-1])}")
    voice.answer()
    for row in certificate_rows(certificates, is_validated=observation.validated is not None, at=now()):
        voice.answer(row)
    voice.answer()
    if observation.validated is None:
        voice.warning(f"{name} was not verified by {observation.trust}: {observation.verification_error}")
        voice.hint("anybody may have sent this chain; if the roots are your own, name them with --ca-file")
    else:
        voice.hint("before you pin, make a backup key that no server uses yet: 'pinscher pin --help' shows how")


def _print_keys(keys: tuple[KeySource, ...], source: str, voice: Voice) -> None:
    voice.answer((source, "bold"), f"  {counted(len(keys), 'key')}")
    voice.answer()
    width = max(len(key.kind.value) for key in keys)
    for key in keys:
        voice.answer(f"  {key.kind.value:<{width}}  {key.pin}  {_remark(key)}")
    voice.answer()


def _remark(key: KeySource) -> str:
    if key.certificate is not None:
        summary = certificate_summary(key.certificate)
        return f"{expiry(summary, at=now())}  {summary.subject}"
    return "derived from the private key" if key.kind is SourceKind.PRIVATE_KEY else ""


def short(endpoint: Endpoint) -> str:
    """Return an endpoint without the port that its protocol has anyway."""
    return endpoint.host if endpoint.port == endpoint.protocol.default_port else str(endpoint)
