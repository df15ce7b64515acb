"""
TrustKit's dictionary for iOS, as a property list: ``TSKConfiguration`` in an ``Info.plist``, or the dictionary alone.

Rules of this file, each read in TrustKit's ``parse_configuration.m``, ``configuration_utils.m`` and
``TSKPinningValidator.m``:

1. The exact name wins, else the longest name above it with ``kTSKIncludeSubdomains``.
   ``kTSKExcludeSubdomainFromParentPolicy`` stands alone, exempts that very name, and needs a wider entry.
2. A name needs a public suffix, and must not be one where it includes its subdomains.
3. Fewer than two pins, or than one where nothing is enforced, stop the application at its start.
4. ``kTSKExpirationDate`` is the start of a day in UTC; after it the domain counts as not pinned.
5. ``kTSKEnforcePinning`` is on unless it is switched off; then a mismatch is reported alone.
6. Below a name that overlaps itself, such as a.a.com, some names are overlooked (the search splits at the first hit).
7. Reports go to TrustKit's own destination too, unless ``kTSKDisableDefaultReportUri`` says no.
"""

from __future__ import annotations

import plistlib
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from pinscher.entry import InvalidPolicyError, Mode, ReportChannel
from pinscher.formats.coverage import SuffixLookup
from pinscher.formats.format import Format
from pinscher.formats.loss import Loss, LossLedger
from pinscher.formats.plists import parse_plist, table, texts, truth
from pinscher.formats.reading import Reader
from pinscher.formats.said import UNPINNED, Said, Target, said_entries
from pinscher.formats.suffixes import Shape, suffix_statements
from pinscher.formats.text_form import encoded, xml_comment
from pinscher.host import InvalidHostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinscher.formats.format import Choices, Reading
    from pinscher.policy import Policy

_NAME = "trustkit"
_TARGET = Target(_NAME, report_only=True, opens="day")
_SHAPE = Shape(exceptions="name")
_INCLUDES, _EXCLUDES = "TSKIncludeSubdomains", "TSKExcludeSubdomainFromParentPolicy"
_HASHES, _ENFORCES, _EXPIRES = "TSKPublicKeyHashes", "TSKEnforcePinning", "TSKExpirationDate"
_REPORTS, _NO_DEFAULT = "TSKReportUris", "TSKDisableDefaultReportUri"
_KNOWN = frozenset(
    {_INCLUDES, _EXCLUDES, _HASHES, _ENFORCES, _EXPIRES, _REPORTS, _NO_DEFAULT, "TSKPublicKeyAlgorithms"}
)
_GLOBAL = frozenset({"TSKPinnedDomains", "TSKSwizzleNetworkDelegates", "TSKIgnorePinningForUserDefinedTrustAnchors"})


def write(policy: Policy, choices: Choices) -> bytes:
    """Return a ``TSKConfiguration`` that decides as the policy does, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    statements = suffix_statements(said_entries(policy, _TARGET, losses), _SHAPE, losses)
    check_statements(statements, choices, losses)
    recorded = losses.settle()
    domains = {name: _domain(includes, said, policy) for name, (includes, said) in statements.items()}
    configuration = {
        "TSKSwizzleNetworkDelegates": False,
        "TSKIgnorePinningForUserDefinedTrustAnchors": False,
        "TSKPinnedDomains": domains,
    }
    text = plistlib.dumps({"TSKConfiguration": configuration}, sort_keys=False).decode()
    head, mark, rest = text.partition("<plist")
    return "".join([head, *(xml_comment(line) + "\n" for line in recorded), mark, rest]).encode()


def check_statements(statements: Mapping[str, tuple[bool, Said]], choices: Choices, losses: LossLedger) -> None:
    """Note what would stop the application at its start (rules 2 and 3), or would overlook names (rule 6)."""
    for name, (includes, said) in statements.items():
        _check_suffix(name, choices, losses, includes=includes)
        if said.pins and said.mode is Mode.ENFORCE and len(said.accepted) < 2:
            losses.add(Loss("backup-pin", name, "TrustKit stops the application where a host has fewer than two pins",
                            ("add a backup pin",)))  # fmt: skip
        if includes and _overlaps(name):
            losses.add(Loss("overlapping-name", name, "TrustKit overlooks names below a name that repeats itself",
                            ("list the hosts one by one",)))  # fmt: skip


def _check_suffix(name: str, choices: Choices, losses: LossLedger, *, includes: bool) -> None:
    if choices.is_public_suffix is None:
        losses.add(Loss("registry-suffix", name, "TrustKit stops the application where a name has no public suffix",
                        ("give the writer a list of public suffixes",),
                        given_up="nobody checked that the name has a public suffix"))  # fmt: skip
        return
    suffixes = [name[at:] for at in range(len(name)) if at == 0 or name[at - 1] == "."]
    has_suffix = any(choices.is_public_suffix(suffix) for suffix in suffixes)
    if not has_suffix or (includes and choices.is_public_suffix(name)):
        losses.add(Loss("registry-suffix", name, "TrustKit stops the application where a name has no public suffix, "
                        "or is one and includes the names below it", ("list the hosts one by one",)))  # fmt: skip


def _overlaps(name: str) -> bool:
    """Tell whether a beginning of ``.name`` short of its suffix is also its end, whatever the suffix is."""
    label = "." + name
    return any(
        label[:end][-size:] == label[:size]
        for end in range(1, len(label) + 1)
        if end == len(label) or label[end] == "."
        for size in range(1, end)
    )


def _domain(includes: bool, said: Said, policy: Policy) -> dict[str, Any]:  # noqa: FBT001
    if said == UNPINNED:
        return {_EXCLUDES: True}
    domain: dict[str, Any] = {
        _INCLUDES: includes,
        _ENFORCES: said.mode is Mode.ENFORCE,
        _HASHES: [encoded(pin) for pin in said.pins],
        _NO_DEFAULT: True,
    }
    if said.opens is not None:
        domain[_EXPIRES] = said.opens.strftime("%Y-%m-%d")
    if said.report_to:
        domain[_REPORTS] = [policy.reporting[channel].url for channel in said.report_to]
    return domain


def read(content: bytes, choices: Choices) -> Reading:
    """Return what a TrustKit dictionary says, or raise."""
    reader = _Reader(_NAME, choices)
    root = parse_plist(content, _NAME)
    configuration = table(root.get("TSKConfiguration", root), _NAME, "TSKConfiguration")
    configuration = {key.removeprefix("k"): value for key, value in configuration.items()}
    if "TSKPinnedDomains" not in configuration:
        raise reader.refuse("there is no TSKPinnedDomains in it")
    if configuration.get("TSKIgnorePinningForUserDefinedTrustAnchors", True) is not False:
        reader.weakening("user-anchors", "macOS", "on macOS, pins do not apply to anchors that the user installed")
    for text, value in table(configuration["TSKPinnedDomains"], _NAME, "TSKPinnedDomains").items():
        reader.domain(text, table(value, _NAME, text[:80]))
    reader.check_exclusions()
    return reader.reading(reader.listed, SuffixLookup(reader.listed), reporting=reader.channels.values())


class _Reader(Reader):
    """Reads the domains; ``listed`` holds each name with its reach and what it is told."""

    def __init__(self, format_name: str, choices: Choices) -> None:
        super().__init__(format_name, choices)
        self.listed: dict[str, tuple[bool, Said]] = {}
        self.channels: dict[str, ReportChannel] = {}

    def domain(self, text: str, value: dict[str, Any]) -> None:
        name = self.host(text)
        if name in self.listed:
            raise self.refuse(f"the domain {name!r} stands twice")
        domain = {key.removeprefix("k"): inner for key, inner in value.items()}
        for key in domain:
            if key not in _KNOWN:
                self.weakening("misspelt", f"{name} {key}", "a key that TrustKit does not know")
        if name != text:
            self.weakening("never-matches", text, "TrustKit compares names letter by letter: write them in lower case")
        if self._truth(domain, _EXCLUDES, default=False):
            if len(domain) > 1:
                raise self.refuse(f"{name}: {_EXCLUDES} stands beside other keys, and TrustKit stops")
            self.listed[name] = False, UNPINNED
            return
        includes = self._truth(domain, _INCLUDES, default=False)
        if includes and _overlaps(name):
            self.weakening("never-matches", name, "TrustKit may overlook names below a name that repeats itself")
        self.listed[name] = includes, self._said(name, domain)

    def _truth(self, domain: dict[str, Any], key: str, *, default: bool) -> bool:
        return truth(domain.get(key, default), _NAME, key)

    def _said(self, name: str, domain: dict[str, Any]) -> Said:
        is_enforced = self._truth(domain, _ENFORCES, default=True)
        pins = [self.pin(text) for text in texts(domain.get(_HASHES, []), _NAME, f"{name} {_HASHES}")]
        if len(set(pins)) < (2 if is_enforced else 1):
            raise self.refuse(f"{name}: fewer than {2 if is_enforced else 1} pins, and TrustKit stops")
        if not self._truth(domain, _NO_DEFAULT, default=False):
            self.weakening("default-reports", name, "reports go to TrustKit's own destination")
        mode = Mode.ENFORCE if is_enforced else Mode.REPORT_ONLY
        return Said(tuple(pins), mode=mode, opens=self._expiry(name, domain), report_to=self._channels(name, domain))

    def _expiry(self, name: str, domain: dict[str, Any]) -> datetime | None:
        text = domain.get(_EXPIRES)
        if text is None:
            return None
        try:
            day = date.fromisoformat(text)
        except (TypeError, ValueError):
            raise self.refuse(f"{name}: {_EXPIRES} is a day such as 2027-03-01, found {str(text)[:80]!a}") from None
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    def _channels(self, name: str, domain: dict[str, Any]) -> tuple[str, ...]:
        names = []
        for uri in texts(domain.get(_REPORTS, []), _NAME, f"{name} {_REPORTS}"):
            if uri not in self.channels:
                try:
                    self.channels[uri] = ReportChannel(f"imported-{len(self.channels) + 1}", uri)
                except (InvalidPolicyError, InvalidHostError) as error:
                    raise self.refuse(f"{name}: {error}") from None
            names.append(self.channels[uri].name)
        return tuple(dict.fromkeys(names))

    def check_exclusions(self) -> None:
        decide = SuffixLookup({name: one for name, one in self.listed.items() if one[0]})
        for name, (_, said) in self.listed.items():
            if said == UNPINNED and decide(name) is None:
                raise self.refuse(f"{name}: {_EXCLUDES} without a wider entry, and TrustKit stops")


FORMAT = Format(name=_NAME, title="TrustKit for iOS", file_name="Info.plist", read=read, write=write)
