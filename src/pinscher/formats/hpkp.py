"""
HTTP Public Key Pinning headers (RFC 7469), as blocks of header lines: ``Host`` and ``Public-Key-Pins``.

Rules of this file:

1. ``pin-sha256`` is of any key of the validated chain (sections 2.4 and 2.6). Other algorithms are ignored.
2. ``max-age`` is needed, counts in seconds from the last visit, and 0 removes the pins (section 2.1.2).
3. ``includeSubDomains`` reaches every name below; the most specific noted host wins (sections 2.1.3 and 2.3).
4. A header is noted only with a backup pin, and never for an IP address (sections 2.3.3 and 2.5).
5. ``Public-Key-Pins-Report-Only`` refuses nothing (section 2.1), and takes nothing out of a wider enforced header.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pinscher.entry import InvalidPolicyError, Mode, ReportChannel
from pinscher.formats.coverage import SuffixLookup
from pinscher.formats.format import Format
from pinscher.formats.loss import Loss, LossLedger
from pinscher.formats.reading import Reader
from pinscher.formats.said import Said, Target, said_entries
from pinscher.formats.suffixes import Shape, suffix_statements
from pinscher.formats.text_form import comments, encoded
from pinscher.formats.text_lines import lines_of
from pinscher.host import InvalidHostError, is_ip_literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinscher.formats.format import Choices, Reading
    from pinscher.policy import Policy

_NAME = "hpkp"
_TARGET = Target(_NAME, report_only=True)
_HEADERS = {Mode.ENFORCE: "Public-Key-Pins", Mode.REPORT_ONLY: "Public-Key-Pins-Report-Only"}
_MODES = {header.lower(): mode for mode, header in _HEADERS.items()}
MAX_AGE = 60 * 24 * 3600
"""Seconds that the headers we write are remembered: the upper bound that RFC 7469 section 4.1 suggests, 60 days."""


_UNNOTED = "the first connection, and one after 60 days without a visit, is not pinned"


def write(policy: Policy, choices: Choices) -> bytes:
    """Return a block of header lines for every host, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    statements = suffix_statements(said_entries(policy, _TARGET, losses), Shape(), losses)
    if statements:
        losses.add(Loss("trust-on-first-use", None, "a header protects none but recent visitors",
                        ("build the pins into the client",),
                        given_up=_UNNOTED))  # fmt: skip
    for name, (_, said) in statements.items():
        if len(said.accepted) < 2:
            losses.add(Loss("backup-pin", name, "a header with one pin is not noted", ("add a backup pin",)))
    _check_report_only(statements, losses)
    lines = comments(losses.settle(), "#")
    for name, (includes, said) in statements.items():
        lines += [f"Host: {name}", f"{_HEADERS[said.mode]}: {_value(includes, said, policy)}", ""]
    return "\n".join([*lines, ""]).encode()


def _check_report_only(statements: Mapping[str, tuple[bool, Said]], losses: LossLedger) -> None:
    """Note report-only hosts below an enforced header, which would refuse for them (rule 5)."""
    enforced = SuffixLookup({name: one for name, one in statements.items() if one[1].mode is Mode.ENFORCE})
    for name, (_, said) in statements.items():
        if said.mode is Mode.REPORT_ONLY and enforced(name) is not None:
            losses.add(
                Loss(
                    "report-only",
                    name,
                    "a report-only header takes nothing out of the wider header that is enforced",
                    ("enforce it here too", "list the enforced hosts one by one"),
                    given_up="the wider header's pins are enforced here",
                )
            )


def _value(includes: bool, said: Said, policy: Policy) -> str:  # noqa: FBT001
    directives = [f'pin-sha256="{encoded(pin)}"' for pin in said.pins]
    directives.append(f"max-age={MAX_AGE}")
    if includes:
        directives.append("includeSubDomains")
    directives += [f'report-uri="{policy.reporting[channel].url}"' for channel in said.report_to[:1]]
    return "; ".join(directives)


def read(content: bytes, choices: Choices) -> Reading:
    """Return what the headers say to a client that has noted them all."""
    reader = _Reader(_NAME, choices)
    for number, line in lines_of(content, reader):
        if not line.startswith("#"):
            reader.line(number, line)
    enforced, report_only = SuffixLookup(reader.enforced), SuffixLookup(reader.report_only)
    return reader.reading(
        [*reader.enforced, *reader.report_only],
        lambda host: enforced(host) or report_only(host),
        reporting=reader.channels.values(),
    )


_DIRECTIVE = re.compile(r'\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*(?:=\s*(?:"([^"\\]*)"|([^\s;"]*)))?\s*(;|$)')


class _Reader(Reader):
    """Reads the blocks; a host with both headers is enforced."""

    def __init__(self, format_name: str, choices: Choices) -> None:
        super().__init__(format_name, choices)
        self._host: str | None = None
        self.enforced: dict[str, tuple[bool, Said]] = {}
        self.report_only: dict[str, tuple[bool, Said]] = {}
        self.channels: dict[str, ReportChannel] = {}

    def line(self, number: int, line: str) -> None:
        name, colon, value = line.partition(":")
        if not colon:
            raise self.refuse("a header line is 'Name: value'", line=number)
        if name.lower() == "host":
            self._host = self.host(value.strip(), line=number)
        elif name.lower() in _MODES:
            self._header(_MODES[name.lower()], value, number)

    def _header(self, mode: Mode, value: str, number: int) -> None:
        if self._host is None:
            raise self.refuse("a line 'Host: NAME' stands before the header", line=number)
        where = self._host
        if is_ip_literal(where):
            self.weakening("never-matches", where, "an IP address is never a pinned host (RFC 7469 section 2.3.3)")
            return
        listed = self.enforced if mode is Mode.ENFORCE else self.report_only
        if where in listed:
            # RFC 7469 section 2.1.1 leaves only the first header of a response; which response came first is unknown.
            raise self.refuse(f"a second header for {where!r}", line=number)
        pins, single = self._directives(value, number)
        age = single.get("max-age", "")
        if not (age.isascii() and age.isdigit()):
            raise self.refuse("a header needs max-age in seconds", line=number)
        if mode is Mode.ENFORCE and not age.strip("0"):
            self.weakening("removed", where)
            return
        if mode is Mode.ENFORCE:
            self.weakening("trust-on-first-use", where)
        if len(set(pins)) < 2:
            raise self.refuse("a header with fewer than two pins is not noted", line=number)
        said = Said(
            tuple(self.pin(text, line=number) for text in pins), mode=mode, report_to=self._channel(single, number)
        )
        listed[where] = "includesubdomains" in single, said

    def _directives(self, value: str, number: int) -> tuple[list[str], dict[str, str]]:
        pins: list[str] = []
        single: dict[str, str] = {}
        at = 0
        while at < len(value) and value[at:].strip():
            match = _DIRECTIVE.match(value, at)
            if match is None:
                raise self.refuse('a directive is NAME, NAME=VALUE or NAME="VALUE"', line=number)
            at = match.end()
            name, text = match[1].lower(), match[2] if match[2] is not None else match[3] or ""
            if name == "pin-sha256":
                pins.append(text)
            elif name.startswith("pin-"):
                self.weakening("misspelt", name, "a pin of another algorithm is ignored")
            elif name in single:
                raise self.refuse(f"the directive {name!r} stands twice", line=number)
            else:
                single[name] = text
        return pins, single

    def _channel(self, single: dict[str, str], number: int) -> tuple[str, ...]:
        uri = single.get("report-uri")
        if uri is None:
            return ()
        if uri not in self.channels:
            try:
                self.channels[uri] = ReportChannel(f"imported-{len(self.channels) + 1}", uri)
            except (InvalidPolicyError, InvalidHostError) as error:
                raise self.refuse(str(error), line=number) from None
        return (self.channels[uri].name,)


FORMAT = Format(name=_NAME, title="HTTP Public Key Pinning (RFC 7469)", file_name="headers.txt", read=read, write=write)
