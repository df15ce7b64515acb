"""``pinscher probe``: thousands of live endpoints against a policy, each answer as it comes."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import counted
from pinscher.cli.check import listed
from pinscher.cli.policies import load_policy
from pinscher.cli.reading import STDIN, UnreadableFileError, json_option, reach_options, read_bytes
from pinscher.cli.sightings import sighting_line, sighting_object
from pinscher.cli.voice import Tally, Voice
from pinscher.errors import PinningError, escaped
from pinscher.probe.endpoint import Endpoint, InvalidEndpointError, Protocol
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.cli.reading import Reach
    from pinscher.probe.survey import Sighting, Survey

_FIELDS = """
\b
JSON: {...} on a line of its own for each address of each endpoint, in the
order of the answers
  endpoint, host, port, protocol
  address          what was connected to, or null where the name has none
  tries            connections that it took, the failed ones included
  omitted          further addresses of the name that were not looked at
  tlsa             null if not asked for; else {records, authenticated,
                   agrees, error}: the resolver's claim about DNSSEC, and
                   whether a record matches the chain, null without records
  error            why there is no answer; then no further field
  outcome, action, mode, matched, backup, expired, verdict
                   as in 'pinscher check'
  cause            what is behind a bad outcome, or null; and next, what to do
  refusal          why the chain was not validated, or null
  tls, cipher      what was agreed on
  presented        what the server sent, leaf first, as in 'pinscher show';
                   it proves nothing
  path             the validated certificates, leaf first, or null
  timestamps       the certificate transparency timestamps embedded in the
                   leaf: {count, logs: [{log, at}], error, verified}; verified
                   is always false, for no log was asked
  policy           {name, version}
"""

_GOOD = frozenset({Outcome.MATCH, Outcome.NOT_PINNED})
_LARGEST_LIST = 16 << 20
_FAMILIES = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}


@click.command(epilog=_FIELDS)
@click.argument("hosts", nargs=-1, metavar="[HOST[:PORT]]...")
@click.option("--policy", "policy_file", required=True, metavar="FILE", help="The policy, TOML or JSON; '-' is stdin.")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Read endpoints, one on each line, with a STARTTLS protocol after it if it has one; '-' is stdin.",
)
@click.option(
    "--in-flight",
    type=click.IntRange(1, 10_000),
    default=128,
    show_default=True,
    metavar="N",
    help="Look at so many endpoints at a time.",
)
@click.option(
    "--per-host",
    type=click.IntRange(1, 1_000),
    default=2,
    show_default=True,
    metavar="N",
    help="And at so many of one host.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 10),
    default=1,
    show_default=True,
    metavar="N",
    help="Ask so many times again where there is no answer, and wait longer before each.",
)
@click.option(
    "--family",
    type=click.Choice(list(_FAMILIES)),
    default="any",
    show_default=True,
    help="Which addresses of a name to look at.",
)
@click.option("--one-address", is_flag=True, help="Stop at the first address of a name that answers.")
@click.option("--tlsa", "resolver", metavar="ADDRESS[:PORT]", help="Ask this resolver for TLSA records too.")
@reach_options
@json_option
def probe(
    hosts: tuple[str, ...], *, policy_file: str, source: str | None, in_flight: int, per_host: int, retries: int,
    family: str, one_address: bool, resolver: str | None, reach: Reach, is_json: bool,
) -> int:  # fmt: skip
    """
    Look at many live endpoints, and judge what they show by a policy.

    Every address of every name is connected to, and nothing is sent. Without HOST and --from every host that the
    policy lists by its full name is looked at. Exit 1 if any answer is bad, in report-only mode too.
    """
    from pinscher.probe.survey import Limits, Survey  # noqa: PLC0415  (an event loop that other verbs do without)
    from pinscher.probe.tlsa import TlsaResolver  # noqa: PLC0415
    from pinscher.tls import chains_of  # noqa: PLC0415

    voice = Voice()
    if (policy_file, source) == (STDIN, STDIN):
        raise click.UsageError("the policy and the endpoints cannot both be read from standard input")
    policy = load_policy(policy_file)
    lines = [] if source is None else _lines(source)
    named = [reach.endpoint(host) for host in hosts]
    if not (named or lines):
        named = listed(policy, reach, voice)
    address = None if resolver is None else resolver_of(resolver)
    survey = Survey(
        policy=policy, trust=reach.trust, chains=chains_of, family=_FAMILIES[family], every_address=not one_address,
        limits=Limits(in_flight=in_flight, per_host=per_host, retries=retries, seconds=reach.timeout),
        tlsa=None if address is None else TlsaResolver(address[0], port=address[1], seconds=reach.timeout).look_up,
    )  # fmt: skip

    def endpoints() -> Iterator[Endpoint]:
        yield from named
        for line in lines:
            yield _endpoint(line, reach)

    return _Telling(voice, is_json=is_json, trust_named=reach.trust.ca_file is not None).run(
        survey, endpoints(), len(named) + len(lines)
    )


class _Telling:
    """Writes each answer when it comes, and sums them up."""

    def __init__(self, voice: Voice, *, is_json: bool, trust_named: bool) -> None:
        self._voice = voice
        self._is_json = is_json
        self._trust_named = trust_named
        self._tally = Tally()
        self._bad = self._none = self._all = 0

    def run(self, survey: Survey, endpoints: Iterator[Endpoint], total: int) -> int:
        """Run a survey to its end, and return the exit code."""
        with self._voice.progress("probing", total) as advance:

            def counted_endpoints() -> Iterator[Endpoint]:
                # The bar counts what was begun, which lags behind the answers by what is in flight.
                for endpoint in endpoints:
                    advance()
                    yield endpoint

            asyncio.run(survey.run(counted_endpoints(), self._tell))
        if self._all > 1 and not self._is_json:
            self._voice.answer(f"{counted(self._all, 'answer')}: {self._bad} bad, {self._none} missing")
        return self._tally.exit_code()

    def _tell(self, sighting: Sighting) -> None:
        self._all += 1
        if sighting.verdict is None:
            self._tally.none()
            self._none += 1
        elif sighting.verdict.outcome not in _GOOD:
            self._tally.bad()
            self._bad += 1
        if self._is_json:
            self._voice.line(sighting_object(sighting, trust_named=self._trust_named))
            return
        self._voice.answer(*sighting_line(sighting, trust_named=self._trust_named))
        if sighting.omitted:
            name = escaped(str(sighting.endpoint))
            self._voice.warning(f"{name} has {counted(sighting.omitted, 'further address')} nobody looked at")


class EndpointListError(PinningError):
    """A list of endpoints that cannot be read; ``line`` counts from 1."""

    def __init__(self, source: str, line: int, reason: str) -> None:
        super().__init__(f"{escaped(source)}:{line}: {reason}")
        self.line = line


def _lines(source: str) -> list[str]:
    """Return the lines that name an endpoint; every one was read once, so that a bad one is told before a probe."""
    content = read_bytes(source, limit=_LARGEST_LIST)
    if len(content) > _LARGEST_LIST:
        raise UnreadableFileError(source, f"more than {_LARGEST_LIST >> 20} MiB of endpoints; split the list")
    found = []
    for number, line in enumerate(content.decode(errors="backslashreplace").splitlines(), 1):
        text = line.partition("#")[0].strip()
        if text:
            _check(text, source, number)
            found.append(text)
    if not found:
        raise EndpointListError("<stdin>" if source == STDIN else source, 1, "expected an endpoint, found none")
    return found


def _check(text: str, source: str, number: int) -> None:
    try:
        _parsed(text, Protocol.TLS, None)
    except InvalidEndpointError as error:
        raise EndpointListError("<stdin>" if source == STDIN else source, number, str(error)) from None


def _endpoint(text: str, reach: Reach) -> Endpoint:
    return _parsed(text, reach.protocol, reach.connect_to)


def _parsed(text: str, protocol: Protocol, connect_to: str | None) -> Endpoint:
    name, _, word = text.partition(" ")
    if word.strip():
        try:
            protocol = Protocol(word.strip())
        except ValueError:
            words = ", ".join(known.value for known in Protocol)
            raise InvalidEndpointError(text, f"after the endpoint stands one of {words}") from None
    return Endpoint.parse(name, protocol=protocol, connect_to=connect_to)


def resolver_of(text: str) -> tuple[str, int]:
    """Return the address and the port of a resolver."""
    try:
        endpoint = Endpoint.parse(text)
        ipaddress.ip_address(endpoint.host)
    except ValueError:
        raise click.BadParameter(
            f"expected the IP address of a resolver, found '{escaped(text)}'", param_hint="'--tlsa'"
        ) from None
    has_port = text.count(":") == 1 or "]:" in text
    return endpoint.host, endpoint.port if has_port else _DNS_PORT


_DNS_PORT = 53
