"""
The verdict: what was found on a connection, and what follows from it.

The only thing that leaves the core is a :class:`Verdict`. Rules of this file, in the order they are decided:

1. ``CHAIN_NOT_VALIDATED``: there is no validated chain to judge. Made by ``tls``, blocks in every mode.
2. ``UNLISTED_HOST``: no entry and ``unlisted-hosts = "deny"``; and a missing or unusable host whatever the policy
   says, because no certificate can be checked against it. Blocks in every mode.
3. ``NOT_PINNED``: no entry and ``"allow"``, or an entry that says ``unpinned = "reason"``. Allows.
4. ``DENIED_KEY``: a denied key anywhere on the validated chain, even beside a matching pin. Blocks when enforced.
5. ``POLICY_EXPIRED``: past ``expires`` and ``on-expiry = "fail"``. Blocks when enforced.
6. ``MATCH``: a pin or backup pin on the validated chain; the verdict says which. Allows.
7. ``NO_MATCHING_PIN``: none. Blocks when enforced.

A certificate whose key cannot be read matches nothing and is cleared of nothing: where it has to be looked at, the
outcome is 7, and ``detail`` says so.

``report-only`` turns 4, 5 and 7 into ALLOW, and so does ``on-expiry = "report"`` once ``expires`` has passed. Nothing
else turns an outcome into an action. A moment equal to ``expires`` is not past it.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.der import CertificateParseError
from pinscher.entry import Mode, OnExpiry, UnlistedHosts
from pinscher.host import InvalidHostError, canonical_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from pinscher.entry import HostPolicy
    from pinscher.pin import Pin, PinSet
    from pinscher.policy import Policy


class Outcome(enum.Enum):
    """What was found; a fact, whatever the mode makes of it."""

    CHAIN_NOT_VALIDATED = "chain-not-validated"
    UNLISTED_HOST = "unlisted-host"
    NOT_PINNED = "not-pinned"
    DENIED_KEY = "denied-key"
    POLICY_EXPIRED = "policy-expired"
    MATCH = "match"
    NO_MATCHING_PIN = "no-matching-pin"


class Action(enum.Enum):
    """What follows for the connection."""

    ALLOW = "allow"
    BLOCK = "block"


_SOFTENED = frozenset({Outcome.DENIED_KEY, Outcome.POLICY_EXPIRED, Outcome.NO_MATCHING_PIN})
_ALLOWED = frozenset({Outcome.NOT_PINNED, Outcome.MATCH})
# Named once, because members of an enumeration are found by way of its metaclass, which a handshake would feel.
_MATCH, _ALLOW, _FAIL = Outcome.MATCH, Action.ALLOW, OnExpiry.FAIL


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """
    One judgement of one connection.

    ``host`` is canonical, or None where no usable name was given. ``chain`` is None where there was none to judge, and
    a :class:`PresentedChain` only from ``danger``. ``matched`` is the pin that decided: the accepted one of a MATCH,
    the denied one of a DENIED_KEY. ``detail`` says in words why there was nothing to judge, or which certificate could
    not be read. ``steps`` says in order what was tried to heal the connection, or nothing. ``at`` is aware UTC.
    A verdict has no truth value; ask ``verdict.action is Action.ALLOW``.
    """

    outcome: Outcome
    action: Action
    policy: Policy
    host: str | None
    host_policy: HostPolicy | None
    chain: ValidatedChain | PresentedChain | None
    matched: Pin | None
    at: datetime
    port: int | None = field(default=None, kw_only=True)
    resumed: bool = field(default=False, kw_only=True)
    detail: str = field(default="", kw_only=True)
    steps: tuple[str, ...] = field(default=(), kw_only=True)

    def __bool__(self) -> NoReturn:
        """Refuse: 'if verdict' would hide the difference between matched and not pinned."""
        raise TypeError("a verdict has no truth value; compare verdict.action with Action.ALLOW")

    @property
    def mode(self) -> Mode:
        """The mode of the host's entry; where there is none, enforce."""
        return Mode.ENFORCE if self.host_policy is None else self.host_policy.mode

    @property
    def is_expired(self) -> bool:
        """Whether the host's entry was past its ``expires``: an alarm, whatever ``on-expiry`` makes of it."""
        return self.host_policy is not None and _is_expired(self.host_policy, self.at)

    @property
    def is_reportable(self) -> bool:
        """Whether somebody should hear of it: every outcome but MATCH and NOT_PINNED."""
        return self.outcome not in _ALLOWED

    @property
    def is_backup(self) -> bool:
        """Whether the pin that matched is a backup pin."""
        pins = None if self.host_policy is None else self.host_policy.pinset
        return pins is not None and self.matched is not None and pins.is_backup(self.matched)

    @property
    def alternate(self) -> str | None:
        """The other endpoint that the policy names for the application to try, pinned itself."""
        return None if self.host_policy is None else self.host_policy.alternate

    @property
    def id(self) -> str:
        """
        Sixteen hexadecimal digits that stand in the error's text and in ``context.verdicts``.

        The same refusal under the same policy has the same id, whenever it happens: a retry is not a second attack.
        """
        digest = hashlib.sha256()
        policy = self.policy
        about = (self.outcome.value, self.action.value, self.host, self.port, policy.name, policy.version, self.detail)
        digest.update(ascii(about).encode())
        for certificate in () if self.chain is None else self.chain:
            digest.update(hashlib.sha256(certificate).digest())
        return digest.hexdigest()[:16]


def evaluate(
    chain: ValidatedChain,
    policy: Policy,
    *,
    host: str | None,
    at: datetime,
    port: int | None = None,
    resumed: bool = False,
) -> Verdict:
    """
    Judge a validated chain against the policy of *host* at the aware time *at*; the truth table is this file's head.

    It does not check the chain's signatures, names or dates: a :class:`ValidatedChain` says that this was done.
    """
    canonical = _usable(host)
    entry = None if canonical is None else policy.lookup_canonical(canonical)
    return evaluate_entry(chain, policy, canonical, entry, at, port, resumed)


def evaluate_entry(
    chain: ValidatedChain,
    policy: Policy,
    canonical: str | None,
    entry: HostPolicy | None,
    at: datetime,
    port: int | None,
    resumed: bool,  # noqa: FBT001  (names cost a handshake more than the call itself)
) -> Verdict:
    """Judge as :func:`evaluate` does, with the *entry* that *policy* has for the host, or None: it is not looked up."""
    if type(chain) is not ValidatedChain:
        raise TypeError(f"evaluate takes a ValidatedChain, found {type(chain).__name__}")
    pins = _settling_pins(entry)
    matched = None
    if pins is not None:
        try:
            # On the leaf, in the common case, and then nothing above it needs to be fetched.
            matched = pins.accepted(chain._certificates[0])  # noqa: SLF001  (its leaf, without the call of a property)
            if matched is None:
                matched = _first(pins.accepted, chain.certificates[1:])
        except CertificateParseError:
            matched = None
    if matched is not None:
        draft: Any = _Draft()
        draft.outcome, draft.action, draft.matched = _MATCH, _ALLOW, matched
        draft.policy, draft.host_policy, draft.chain = policy, entry, chain
        draft.host, draft.port, draft.at = canonical, port, at
        draft.resumed, draft.detail, draft.steps = resumed, "", ()
        draft.__class__ = Verdict
        verdict: Verdict = draft
        return verdict
    return _judge(chain, chain, policy, canonical, entry, at, port, resumed=resumed)


def is_settled(entry: HostPolicy | None, leaf: bytes) -> bool:
    """Tell whether a leaf is a MATCH under an entry whenever it is shown, and whatever stands above it."""
    pins = _settling_pins(entry)
    try:
        return pins is not None and pins.accepted(leaf) is not None
    except CertificateParseError:
        return False


def _settling_pins(entry: HostPolicy | None) -> PinSet | None:
    """Return the pins of which any one on a chain is a MATCH whatever else is, because rules 1 to 5 cannot apply."""
    pins = None if entry is None else entry.pinset
    if entry is None or pins is None or pins.denied_keys or entry.on_expiry is _FAIL:
        return None
    return pins


class _Draft:
    """A verdict while its facts are set; frozen ones, set one by one, would take microseconds of every handshake."""

    __slots__ = Verdict.__slots__


def evaluate_leaf(
    presented: PresentedChain,
    policy: Policy,
    *,
    host: str | None,
    at: datetime,
    port: int | None = None,
) -> Verdict:
    """
    Judge the leaf alone of a chain that nobody validated; the entry point of ``tls.danger`` and of nothing else.

    A handshake proves that the server holds the leaf's key, and nothing about any certificate above it.
    """
    if type(presented) is not PresentedChain:
        raise TypeError(f"evaluate_leaf takes a PresentedChain, found {type(presented).__name__}")
    canonical = _usable(host)
    entry = None if canonical is None else policy.lookup_canonical(canonical)
    verdict = _judge((presented.leaf,), presented, policy, canonical, entry, at, port, resumed=False)
    if verdict.outcome is Outcome.MATCH:
        return verdict
    # Nothing else authenticates this server, so what a validated chain could be let through for is not enough.
    return replace(verdict, action=Action.BLOCK)


def unlisted(policy: Policy, *, host: str | None, at: datetime, port: int | None = None) -> Verdict | None:
    """Return the ``UNLISTED_HOST`` verdict that can be given before a connection is tried, or None."""
    canonical = _usable(host)
    if canonical is not None and policy.lookup_canonical(canonical) is not None:
        return None
    outcome, _ = _find((), policy, canonical, None, at)
    if outcome is not Outcome.UNLISTED_HOST:
        return None
    return Verdict(outcome, Action.BLOCK, policy, canonical, None, None, None, at, port=port)


def refusal(
    policy: Policy,
    *,
    host: str | None,
    at: datetime,
    detail: str,
    port: int | None = None,
    resumed: bool = False,
    chain: ValidatedChain | None = None,
) -> Verdict:
    """Return the ``CHAIN_NOT_VALIDATED`` verdict of a connection with nothing to judge; *detail* says why."""
    canonical = _usable(host)
    entry = None if canonical is None else policy.lookup_canonical(canonical)
    return Verdict(
        Outcome.CHAIN_NOT_VALIDATED, Action.BLOCK, policy, canonical, entry, chain, None, at,
        port=port, resumed=resumed, detail=detail,
    )  # fmt: skip


def _judge(
    certificates: Iterable[bytes],
    chain: ValidatedChain | PresentedChain,
    policy: Policy,
    canonical: str | None,
    entry: HostPolicy | None,
    at: datetime,
    port: int | None,
    *,
    resumed: bool,
) -> Verdict:
    detail = ""
    try:
        outcome, matched = _find(certificates, policy, canonical, entry, at)
    except CertificateParseError as error:
        outcome, matched, detail = Outcome.NO_MATCHING_PIN, None, str(error)
    action = Action.ALLOW if outcome in _ALLOWED or _is_softened(outcome, entry, at) else Action.BLOCK
    return Verdict(
        outcome, action, policy, canonical, entry, chain, matched, at, port=port, resumed=resumed, detail=detail
    )


def _usable(host: str | None) -> str | None:
    if host is None:
        return None
    try:
        return canonical_host(host)
    except InvalidHostError:
        return None


def _find(
    certificates: Iterable[bytes], policy: Policy, canonical: str | None, entry: HostPolicy | None, at: datetime
) -> tuple[Outcome, Pin | None]:
    if entry is None:
        listed_only = canonical is None or policy.unlisted_hosts is UnlistedHosts.DENY
        return (Outcome.UNLISTED_HOST if listed_only else Outcome.NOT_PINNED), None
    pins = entry.pinset
    if pins is None:
        return Outcome.NOT_PINNED, None
    denied = _first(pins.denied, certificates) if pins.has_denied else None
    if denied is not None:
        return Outcome.DENIED_KEY, denied
    if entry.on_expiry is OnExpiry.FAIL and _is_expired(entry, at):
        return Outcome.POLICY_EXPIRED, None
    matched = _first(pins.accepted, certificates)
    return (Outcome.NO_MATCHING_PIN if matched is None else Outcome.MATCH), matched


def _first(look_up: Callable[[bytes], Pin | None], certificates: Iterable[bytes]) -> Pin | None:
    for certificate in certificates:
        found = look_up(certificate)
        if found is not None:
            return found
    return None


def _is_expired(entry: HostPolicy, at: datetime) -> bool:
    return entry.expires is not None and at > entry.expires


def _is_softened(outcome: Outcome, entry: HostPolicy | None, at: datetime) -> bool:
    if entry is None or outcome not in _SOFTENED:
        return False
    return entry.mode is Mode.REPORT_ONLY or (entry.on_expiry is OnExpiry.REPORT and _is_expired(entry, at))
