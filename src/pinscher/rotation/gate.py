"""
The deployment gate: which deployed policies would refuse a new certificate, before any server shows it.

Rules of this file:

1. Every path that a client could build for the certificate is judged by ``evaluate``; one that is blocked is a refusal
   of some client, whatever the other paths say.
2. A path that the verifier refuses, and a lenient client may build, is no refusal, but no acceptance either.
3. Without a validated path the leaf alone is looked at: its key is on whatever path a client builds. What is pinned
   above it cannot be told.
4. A host that a policy does not list is none of that policy's clients' hosts: they are not asked about it.

That every policy accepts does not prove that clients have the roots that were assumed here.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.chain import PresentedChain
from pinscher.der import certificate_summary
from pinscher.entry import Mode, OnExpiry, Role
from pinscher.host import HostPattern, InvalidHostError, Reach, canonical_host
from pinscher.rotation.gate_advice import advice_for, told_path
from pinscher.verdict import Action, Outcome, Verdict, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from pinscher.chain import ValidatedChain
    from pinscher.entry import HostPolicy
    from pinscher.pin import Pin, PinSet
    from pinscher.policy import Policy
    from pinscher.probe.buildable import BuildablePaths
    from pinscher.rotation.deployments import Deployment


class Judgement(enum.Enum):
    """What the clients of a policy would do with the new certificate."""

    ACCEPTS = "accepts"
    REPORTS = "reports"
    REFUSES = "refuses"
    CANNOT_TELL = "cannot-tell"
    NOT_LISTED = "not-listed"


@dataclass(frozen=True, slots=True)
class Deployed:
    """A policy that is out there: its file, and the released version that ships it, if that is said."""

    file: str
    policy: Policy
    deployment: Deployment | None = None

    @property
    def client(self) -> str:
        """What its clients are called."""
        if self.deployment is None:
            return self.file
        return f"{self.deployment.application} {self.deployment.version}"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What the clients of one policy would do for one host; ``host`` may be a wildcard of the certificate.

    ``path`` is the path that decided, leaf first, or None where none did. ``text`` says why, ``advice`` what to do.
    """

    deployed: Deployed
    host: str
    judgement: Judgement
    text: str
    advice: str = ""
    path: ValidatedChain | PresentedChain | None = field(default=None, kw_only=True)
    outcome: Outcome | None = field(default=None, kw_only=True)
    matched: Pin | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """
    The certificate that a server is about to show.

    ``names`` are the hosts that it names, wildcards among them. ``paths`` returns every path that a client could build
    for a canonical host at the moment ``at``.
    """

    der: bytes
    names: tuple[str, ...]
    at: datetime
    paths: Callable[[str], BuildablePaths]

    def covers(self, canonical: str) -> bool:
        """Tell whether the certificate names a canonical host."""
        return any(_pattern(name).matches(canonical) for name in self.names if _is_usable(name))

    @property
    def unusable(self) -> str:
        """Why every client refuses the certificate at this moment, or nothing."""
        summary = certificate_summary(self.der)
        if summary.not_after is not None and summary.not_after < self.at:
            return f"the certificate expired on {summary.not_after:%Y-%m-%d}"
        if summary.not_before is not None and summary.not_before > self.at:
            return f"the certificate is not valid before {summary.not_before:%Y-%m-%d %H:%M} UTC"
        return ""


def gate(new: NewCertificate, deployed: Iterable[Deployed], *, hosts: Iterable[str] = ()) -> tuple[Answer, ...]:
    """Return what the clients of each policy would do with *new*, for *hosts* or else for all that it names."""
    asked = tuple(hosts) or tuple(name for name in new.names if _is_usable(name))
    return tuple(
        _answer(new, one, shown, canonical)
        for one in deployed
        for name in asked
        for shown, canonical in _hosts(name, one.policy)
    )


_ANY_OTHER = "any-other-host."
"""A label that stands for whatever host a wildcard covers beside those that a policy lists one by one."""


def _hosts(name: str, policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield the hosts to ask a policy about for a name of a certificate, as shown and as looked up."""
    if not name.startswith(Reach.ONE_LABEL.value):
        yield name, canonical_host(name)
        return
    pattern = HostPattern.parse(name)
    listed = [entry.pattern for entry in policy.hosts if entry.pattern.reach is Reach.EXACT]
    below = [one.name for one in listed if pattern.matches(one.name)]
    yield from zip(below, below, strict=True)
    other = _ANY_OTHER + pattern.name
    if not below or policy.lookup_canonical(other) is not None:
        yield name, other


def _pattern(name: str) -> HostPattern:
    return HostPattern.parse(name)


def _is_usable(name: str) -> bool:
    try:
        return _pattern(name).reach is not Reach.ANY_DEPTH
    except InvalidHostError:
        return False


def _answer(new: NewCertificate, deployed: Deployed, shown: str, host: str) -> Answer:
    entry = deployed.policy.lookup_canonical(host)
    if entry is None:
        text = "this policy does not list the host: its clients are not expected to connect there"
        return Answer(deployed, shown, Judgement.NOT_LISTED, text)
    if not new.covers(host):
        text = f"the certificate does not name it, but {', '.join(new.names[:3]) or 'nobody'}"
        return Answer(deployed, shown, Judgement.REFUSES, text, "issue a certificate that names the host")
    if new.unusable:
        return Answer(deployed, shown, Judgement.REFUSES, new.unusable, "give the day of the change with --at")
    if entry.pinset is None:
        return Answer(deployed, shown, Judgement.ACCEPTS, "not pinned", outcome=Outcome.NOT_PINNED)
    built = new.paths(host)
    if built.validated:
        return _by_paths(new, deployed, shown, host, built)
    return _by_leaf(new, deployed, shown, entry, built.reason)


def _by_paths(new: NewCertificate, deployed: Deployed, shown: str, host: str, built: BuildablePaths) -> Answer:
    """Judge every path (rules 1 and 2)."""
    verdicts = [evaluate(chain, deployed.policy, host=host, at=new.at) for chain in built.validated]
    blocked = next((one for one in verdicts if one.action is Action.BLOCK), None)
    if blocked is not None:
        return _told(new, deployed, shown, Judgement.REFUSES, blocked, verdicts)
    reported = next((one for one in verdicts if one.is_reportable), None)
    if reported is not None:
        return _told(new, deployed, shown, Judgement.REPORTS, reported, verdicts)
    pins = verdicts[0].host_policy.pinset if verdicts[0].host_policy is not None else None
    for chain, reason in built.doubtful:
        if pins is not None and not _would_match(pins, chain):
            text = (
                f"a path would be refused, and whether a client builds it cannot be told ({reason}): {told_path(chain)}"
            )
            return Answer(deployed, shown, Judgement.CANNOT_TELL, text, "hand in only what the server will send",
                          path=chain)  # fmt: skip
    return _told(new, deployed, shown, Judgement.ACCEPTS, verdicts[0], verdicts)


def _would_match(pins: PinSet, chain: PresentedChain) -> bool:
    """Tell whether a path that nobody validated has a pin and no denied key; it decides between two doubts alone."""
    is_denied = any(pins.denied(certificate) for certificate in chain)
    return not is_denied and any(pins.accepted(certificate) for certificate in chain)


def _told(
    new: NewCertificate, deployed: Deployed, shown: str, judgement: Judgement, deciding: Verdict, all_: list[Verdict]
) -> Answer:
    alike = sum(one.outcome is deciding.outcome for one in all_)
    on = f" on {alike} of {len(all_)} paths" if alike < len(all_) else ""
    if judgement is Judgement.ACCEPTS:
        text = f"{'backup pin' if deciding.is_backup else 'pin'} {deciding.matched}"
    else:
        assert deciding.chain is not None  # noqa: S101  (evaluate keeps the chain that it was given)
        text = f"{deciding.outcome.value}{on}: {told_path(deciding.chain)}"
    advice = "" if judgement is Judgement.ACCEPTS else advice_for(deciding.outcome, new.der, is_on_some_path=bool(on))
    return Answer(deployed, shown, judgement, text, advice,
                  path=deciding.chain, outcome=deciding.outcome, matched=deciding.matched)  # fmt: skip


def _by_leaf(new: NewCertificate, deployed: Deployed, shown: str, entry: HostPolicy, reason: str) -> Answer:
    """Look at the leaf alone, which is on whatever path there is (rule 3)."""
    pins = entry.pinset
    assert pins is not None  # noqa: S101  (an entry without pins was answered before)
    outcome, matched = _of_leaf(new, deployed.policy, entry)
    leaf = PresentedChain((new.der,))
    if outcome is None:
        text = f"it pins or denies keys above the certificate, and there is no validated path to look at: {reason}"
        advice = "hand in what the server will send with --chain, and roots that are not the platform's with --ca-file"
        return Answer(deployed, shown, Judgement.CANNOT_TELL, text, advice)
    if outcome is Outcome.MATCH:
        kind = "backup pin" if matched is not None and pins.is_backup(matched) else "pin"
        text = f"{kind} {matched} is of the certificate itself; its chain was not looked at"
        return Answer(deployed, shown, Judgement.ACCEPTS, text, path=leaf, outcome=outcome, matched=matched)
    is_soft = entry.mode is Mode.REPORT_ONLY or (entry.on_expiry is OnExpiry.REPORT and _is_past(entry, new.at))
    judgement = Judgement.REPORTS if is_soft else Judgement.REFUSES
    advice = advice_for(outcome, new.der, is_on_some_path=False)
    text = f"{outcome.value}: {told_path(leaf)}"
    return Answer(deployed, shown, judgement, text, advice, path=leaf, outcome=outcome, matched=matched)


def _of_leaf(new: NewCertificate, policy: Policy, entry: HostPolicy) -> tuple[Outcome | None, Pin | None]:
    """Return what follows on every path from the leaf alone, in the order of the truth table, or None."""
    pins = entry.pinset
    assert pins is not None  # noqa: S101
    if (denied := pins.denied(new.der)) is not None:
        return Outcome.DENIED_KEY, denied
    if entry.on_expiry is OnExpiry.FAIL and _is_past(entry, new.at):
        return Outcome.POLICY_EXPIRED, None
    matched = pins.accepted(new.der)
    if matched is not None:
        return (None, None) if pins.has_denied else (Outcome.MATCH, matched)
    known = policy.keys
    are_leaves = all(pin in entry.names and known[entry.names[pin]].role is Role.LEAF for pin in pins)
    return (Outcome.NO_MATCHING_PIN if are_leaves else None), None


def _is_past(entry: HostPolicy, at: datetime) -> bool:
    return entry.expires is not None and at > entry.expires
