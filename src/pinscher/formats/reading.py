"""How an importer turns what a file says into a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.entry import HostPolicy, InvalidPolicyError, Mode, OnExpiry, UnlistedHosts
from pinscher.formats.coverage import entries_of
from pinscher.formats.format import Reading, UnreadableFileError, Weakening
from pinscher.formats.roles import KeyNames
from pinscher.formats.said import UNPINNED, Said, pinned_only
from pinscher.host import InvalidHostError, canonical_host
from pinscher.pin import DIGEST_SIZE, InvalidPinError, Pin, PinKind, PinSet
from pinscher.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pinscher.entry import ReportChannel
    from pinscher.formats.format import Choices
    from pinscher.host import HostPattern


class Reader:
    """One reading: collects weakenings and keys, and builds the policy at its end."""

    def __init__(self, format_name: str, choices: Choices) -> None:
        self.format = format_name
        self.choices = choices
        self.keys = KeyNames()
        self.weakenings: dict[Weakening, None] = {}

    def weakening(self, name: str, where: str, detail: str = "") -> None:
        """Note a weakening once."""
        self.weakenings[Weakening(name, where, detail)] = None

    def refuse(self, reason: str, *, line: int | None = None) -> UnreadableFileError:
        """Return the error of a file that cannot be read."""
        return UnreadableFileError(self.format, reason, line=line)

    def host(self, text: str, *, line: int | None = None) -> str:
        """Return a canonical host, or raise the reader's own error."""
        try:
            return canonical_host(text)
        except InvalidHostError as error:
            raise self.refuse(str(error), line=line) from None

    def pin(self, encoded: str, *, line: int | None = None, kind: PinKind = PinKind.SPKI) -> Pin:
        """Return the pin of canonical base64, or raise the reader's own error."""
        try:
            return Pin.parse(kind.value + encoded)
        except InvalidPinError as error:
            raise self.refuse(str(error), line=line) from None

    def hexadecimal_pin(self, text: str, *, line: int | None = None, kind: PinKind = PinKind.SPKI) -> Pin:
        """Return the pin of 64 hexadecimal digits, or raise the reader's own error."""
        try:
            digest = bytes.fromhex(text)
        except ValueError:
            digest = b""
        if len(digest) != DIGEST_SIZE or " " in text:
            raise self.refuse(f"a SHA-256 digest has 64 hexadecimal digits, found {text[:80]!a}", line=line)
        return Pin(digest, kind=kind)

    def reading(
        self,
        names: Iterable[str],
        decide: Callable[[str], Said | None],
        *,
        unlisted_hosts: UnlistedHosts = UnlistedHosts.ALLOW,
        reporting: Iterable[ReportChannel] = (),
    ) -> Reading:
        """Return the policy whose look-up answers as the platform's own *decide* does, with the weakenings found."""
        said = entries_of(names, pinned_only(decide), UNPINNED)
        if not any(one.pins for one in said.values()):
            raise self.refuse("it pins no host")
        self._note(said)
        entries = [self._entry(pattern, one) for pattern, one in said.items()]
        try:
            policy = Policy(
                entries,
                name=self.choices.policy_name,
                unlisted_hosts=unlisted_hosts,
                keys=self.keys.keys(),
                reporting=tuple(reporting),
                extensions=self.keys.extensions(),
            )
        except InvalidPolicyError as error:
            raise self.refuse(str(error)) from None
        return Reading(policy, tuple(self.weakenings))

    def _note(self, said: dict[HostPattern, Said]) -> None:
        for pattern, one in said.items():
            if not one.pins:
                self.weakening("exception", str(pattern))
            elif len(one.accepted) == 1:
                self.weakening("one-pin", str(pattern))
            if one.opens is not None:
                self.weakening(
                    "fail-open-expiry", str(pattern), f"the pins stop being enforced on {one.opens:%Y-%m-%d}"
                )
            if one.mode is Mode.REPORT_ONLY:
                self.weakening("report-only", str(pattern))

    def _entry(self, pattern: HostPattern, one: Said) -> HostPolicy:
        if not one.pins:
            return HostPolicy(pattern, unpinned=f"taken out of a wider entry by the {self.format} file")
        accepted = tuple(dict.fromkeys(one.pins))
        is_report_only = one.mode is Mode.REPORT_ONLY
        try:
            return HostPolicy(
                pattern,
                PinSet(accepted, denied_keys=sorted(one.denied, key=str)),
                mode=one.mode,
                report_only_since=self.choices.at.date() if is_report_only else None,
                expires=one.opens,
                on_expiry=OnExpiry.KEEP_ENFORCING if one.opens is None else OnExpiry.REPORT,
                report_to=one.report_to,
                names={pin: name for pin, name in self.keys.names().items() if pin in accepted},
            )
        except (InvalidPolicyError, InvalidPinError) as error:
            raise self.refuse(f"{pattern}: {error}") from None
