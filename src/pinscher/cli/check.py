"""``pinscher check``: live endpoints against a policy."""

from __future__ import annotations

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import certificate_objects
from pinscher.cli.policies import load_policy
from pinscher.cli.reading import FAILURES_TO_ANSWER, json_option, reach_options
from pinscher.cli.show import short
from pinscher.cli.verdicts import verdict_object
from pinscher.cli.voice import Tally, Voice
from pinscher.diagnosis import Facts, diagnose, explain
from pinscher.errors import escaped
from pinscher.host import Reach as PatternReach
from pinscher.probe import Deadline, Endpoint, connect
from pinscher.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from pinscher.cli.reading import Reach
    from pinscher.policy import Policy

_FIELDS = """
\b
JSON: {"policy": {name, version, digest}, "results": [one object for each
endpoint, in order]}
  endpoint, host, port, protocol
  error            why there is no answer; then no further field
  outcome          chain-not-validated, unlisted-host, not-pinned, denied-key,
                   policy-expired, match or no-matching-pin
  action           allow or block
  mode             enforce or report-only
  matched          the pin that decided, or null
  backup           whether that is a backup pin
  expired          whether the host's entry is past its date
  verdict          the verdict's id
  diagnosis        the refusal in words, or null
  path             the validated certificates, leaf first, or null;
                   as in 'pinscher show'
"""

_GOOD = frozenset({Outcome.MATCH, Outcome.NOT_PINNED})
_WORKERS = 8


@click.command(epilog=_FIELDS)
@click.argument("hosts", nargs=-1, metavar="[HOST[:PORT]]...")
@click.option("--policy", "policy_file", required=True, metavar="FILE", help="The policy, TOML or JSON; '-' is stdin.")
@reach_options
@json_option
def check(
    hosts: tuple[str, ...],
    *,
    policy_file: str,
    reach: Reach,
    is_json: bool,
) -> int:
    """
    Check live endpoints against a policy, over pinned connections as an application makes them.

    Without HOST every host that the policy lists by its full name is checked. Exit 1 if any endpoint does not match,
    in report-only mode too; nothing is sent to any of them.
    """
    voice = Voice()
    policy = load_policy(policy_file)
    endpoints = [reach.endpoint(host) for host in hosts] or listed(policy, reach, voice)
    checks = _Checks(policy, reach)
    with voice.progress("checking", len(endpoints)) as advance, ThreadPoolExecutor(_WORKERS) as pool:
        pending = {pool.submit(checks.check, endpoint): place for place, endpoint in enumerate(endpoints)}
        answers: dict[int, Answer] = {}
        for done in as_completed(pending):
            answers[pending[done]] = done.result()
            advance()
    ordered = [answers[place] for place in range(len(endpoints))]
    return _tell(policy, ordered, voice, is_json=is_json)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one endpoint: a verdict with its explanation, or in words why there is none."""

    endpoint: Endpoint
    verdict: Verdict | None = field(default=None, kw_only=True)
    text: str = field(default="", kw_only=True)


def listed(policy: Policy, reach: Reach, voice: Voice) -> list[Endpoint]:
    """Return the hosts that a policy names in full; a pattern names none, and that is said."""
    patterns = [entry.pattern for entry in policy.hosts if entry.pinset is not None]
    for pattern in patterns:
        if pattern.reach is not PatternReach.EXACT:
            voice.warning(f"{pattern} names no single host and was not checked")
            voice.hint(f"name a host under it: pinscher check --policy FILE HOST.{pattern.name}")
    listed = [reach.endpoint(pattern.name) for pattern in patterns if pattern.reach is PatternReach.EXACT]
    if not listed:
        raise click.UsageError("the policy names no host that can be checked, and no HOST was given")
    return listed


class _Checks:
    """Pinned connections to many endpoints, one context for each thread so that no verdict is mixed up."""

    def __init__(self, policy: Policy, reach: Reach) -> None:
        self._policy = policy
        self._reach = reach
        self._own = threading.local()
        self._told()

    def check(self, endpoint: Endpoint) -> Answer:
        """Make one pinned connection and return the verdict on it."""
        from pinscher.tls import verdict_of  # noqa: PLC0415

        context, told = self._told()
        told.clear()
        try:
            connection = connect(endpoint, deadline=Deadline.after(self._reach.timeout))
        except FAILURES_TO_ANSWER as error:
            return Answer(endpoint, text=str(error))
        try:
            with connection, context.wrap_socket(connection, server_hostname=endpoint.host):
                return Answer(endpoint, verdict=told[-1], text=self._allowed(told[-1]))
        except OSError as error:
            verdict = verdict_of(error)
            if verdict is None:
                return Answer(endpoint, text=f"no answer from {endpoint}: {_failure(error)}")
            return Answer(endpoint, verdict=verdict, text=_refused(error))

    def _allowed(self, verdict: Verdict) -> str:
        """Explain a verdict that let the connection through although it is a bad answer, as report-only does."""
        if verdict.outcome in _GOOD:
            return ""
        return explain(verdict, diagnose(verdict, Facts(trust_named=self._reach.trust.ca_file is not None)))

    def _told(self) -> tuple[ssl.SSLContext, list[Verdict]]:
        from pinscher.tls import PinnedContext  # noqa: PLC0415

        if not hasattr(self._own, "context"):
            told: list[Verdict] = []
            trust = self._reach.trust.ca_file
            self._own.context = PinnedContext(self._policy, trust=trust, on_verdict=told.append)
            self._own.told = told
        return self._own.context, self._own.told


def _refused(error: OSError) -> str:
    """Return the explanation that a refusal carries: its own, or the note on the error that OpenSSL raised."""
    from pinscher.tls import PinMismatchError  # noqa: PLC0415

    if isinstance(error, PinMismatchError):
        return explain(error.verdict, error.diagnosis)
    return "\n".join(getattr(error, "__notes__", ()))


def _failure(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"the TLS handshake failed: {escaped(error.reason.lower().replace('_', ' '))}"
    return f"the TLS handshake failed: {escaped((error.strerror or str(error)).lower())}"


def _tell(policy: Policy, answers: list[Answer], voice: Voice, *, is_json: bool) -> int:
    tally = Tally()
    for answer in answers:
        if answer.verdict is None:
            tally.none()
            voice.error(answer.text)
        elif answer.verdict.outcome not in _GOOD:
            tally.bad()
    if is_json:
        voice.document({"policy": _policy_object(policy), "results": [_object(answer) for answer in answers]})
    else:
        _print(answers, voice)
    return tally.exit_code()


def _policy_object(policy: Policy) -> dict[str, object]:
    return {"name": policy.name, "version": policy.version, "digest": policy.digest}


def _object(answer: Answer) -> dict[str, object]:
    endpoint, verdict = answer.endpoint, answer.verdict
    where = {"endpoint": str(endpoint), "host": endpoint.host, "port": endpoint.port,
             "protocol": endpoint.protocol.value}  # fmt: skip
    if verdict is None:
        return where | {"error": answer.text}
    path = None if verdict.chain is None else certificate_objects(verdict.chain.certificates, is_validated=True)
    return where | {
        **verdict_object(verdict),
        "diagnosis": answer.text or None,
        "path": path,
    }


def _print(answers: list[Answer], voice: Voice) -> None:
    rows = [(short(answer.endpoint), *_row(answer)) for answer in answers]
    width, wide = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, word, style, more in rows:
        voice.answer(f"{name:<{width}}  ", (f"{word:<{wide}}", style), f"  {more}")
    for answer in answers:
        if answer.verdict is not None and answer.text:
            voice.answer()
            voice.answer(answer.text)
    for answer in answers:
        _advise(answer, voice)


def _row(answer: Answer) -> tuple[str, str, str]:
    """Return the word for an answer, its colour, and what is said beside it; a bad answer is in capitals."""
    verdict = answer.verdict
    if verdict is None:
        return "NO ANSWER", "bold yellow", ""
    if verdict.outcome not in _GOOD:
        return verdict.outcome.value.upper(), "bold red", f"{verdict.action.value} ({verdict.mode.value})"
    if verdict.matched is None:
        return verdict.outcome.value, "yellow", ""
    return verdict.outcome.value, "green", f"{'backup pin' if verdict.is_backup else 'pin'} {verdict.matched}"


def _advise(answer: Answer, voice: Voice) -> None:
    verdict = answer.verdict
    if verdict is not None and verdict.outcome is Outcome.NOT_PINNED:
        voice.warning(f"{short(answer.endpoint)} is not pinned: the policy lets every valid certificate through")
    if verdict is not None and verdict.is_expired:
        voice.warning(f"the policy's entry for {short(answer.endpoint)} is past its date: renew it")
