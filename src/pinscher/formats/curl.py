"""
curl's ``pinnedpubkey``, in a config file for one host.

Rules of this file, from curl's code and manual:

1. ``sha256//`` and base64, joined by ``;``. Any one that is the leaf's key matches; no other certificate is looked at.
2. The option belongs to a transfer and names no host: it applies to whatever the file is used with. So one file holds
   the pins of one host, which a comment ``# host: NAME`` (or ``url``, in a file from elsewhere) says.
3. It is checked beside ordinary verification, and also where ``insecure`` switches that off.
4. It is not checked for another origin that a redirect leads to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pinscher.formats.format import Format
from pinscher.formats.loss import Loss, LossLedger
from pinscher.formats.reading import Reader
from pinscher.formats.roles import Position, only_leaves
from pinscher.formats.said import Said, Target, said_entries
from pinscher.formats.text_form import comments, encoded
from pinscher.formats.text_lines import lines_of

if TYPE_CHECKING:
    from pinscher.formats.format import Choices, Reading
    from pinscher.pin import Pin
    from pinscher.policy import Policy

_NAME = "curl"
_TARGET = Target(_NAME, ip_addresses=True, patterns=False)


def write(policy: Policy, choices: Choices) -> bytes:
    """Return a config file for the policy's one host, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    hosts = only_leaves(policy, said_entries(policy, _TARGET, losses), losses)
    if len(hosts) > 1:
        losses.add(Loss("several-hosts", None, f"the file is for one host, the policy pins {len(hosts)}",
                        ("export one host at a time",)))  # fmt: skip
    lines = comments(losses.settle(), "#")
    for host, pins in hosts.items():
        value = ";".join(f"sha256//{encoded(pin)}" for pin in pins)
        url = f"https://{f'[{host}]' if ':' in host else host}/"
        lines += [f"# for this host alone: curl --config FILE {url}"]
        lines += [f"# or: curl --pinnedpubkey '{value}' {url}", f"# host: {host}", f'pinnedpubkey = "{value}"']
    return "\n".join([*lines, ""]).encode()


_OPTION = re.compile(r"-{0,2}(?P<name>[A-Za-z0-9-]+)(?:\s*[=:]\s*|\s+|$)(?P<value>.*)$")
_ESCAPE = re.compile(r"\\(.)")


def read(content: bytes, choices: Choices) -> Reading:
    """Return what the sections of a config file say, each for the host that its ``url`` or comment names."""
    reader = Reader(_NAME, choices)
    pinned: dict[str, Said] = {}
    section = _Section(reader)
    for number, line in [*lines_of(content, reader), (0, "next")]:
        if section.take(number, line):
            continue
        for host in section.hosts if section.pins else ():
            if pinned.setdefault(host, Said(section.pins)) != Said(section.pins):
                raise reader.refuse(f"{host}: two sections pin different keys")
        section.check()
        section = _Section(reader)
    return reader.reading(pinned, pinned.get)


class _Section:
    """The options up to a ``next``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.hosts: list[str] = []
        self.pins: tuple[Pin, ...] = ()

    def take(self, number: int, line: str) -> bool:
        """Take one line; tell whether the section goes on."""
        if line.startswith("#"):
            name, _, value = line.lstrip("# ").partition(":")
            if name == "host":
                self.hosts.append(self._reader.host(value.strip(), line=number))
            return True
        match = _OPTION.match(line)
        name, value = (match["name"], _unquoted(match["value"])) if match else ("", "")
        if name == "pinnedpubkey":
            self.pins = self._pins(value, number)
        elif name == "url":
            self.hosts.append(self._host(value, number))
        elif name in ("insecure", "k"):
            self._reader.weakening("no-authority", f"line {number}", "'insecure' switches ordinary verification off")
        return name not in ("next", ":")

    def _pins(self, value: str, number: int) -> tuple[Pin, ...]:
        pins: dict[Pin, None] = {}
        for text in value.split(";"):
            if not text.startswith("sha256//"):
                raise self._reader.refuse(
                    "a pin begins with 'sha256//'; the name of a key file is not followed", line=number
                )
            pins[self._reader.pin(text.removeprefix("sha256//"), line=number)] = None
        for pin in pins:
            self._reader.keys.note(pin, Position.LEAF)
        return tuple(pins)

    def _host(self, value: str, number: int) -> str:
        try:
            host = urlsplit(value if "://" in value else f"https://{value}").hostname
        except ValueError:
            host = None
        return self._reader.host(host or "", line=number)

    def check(self) -> None:
        """Refuse pins without a host."""
        if self.pins and not self.hosts:
            raise self._reader.refuse("the file does not say for which host its pins are: add the line '# host: NAME'")


def _unquoted(value: str) -> str:
    if value.startswith('"'):
        end = re.match(r'"((?:[^"\\]|\\.)*)"', value)
        return _ESCAPE.sub(r"\1", end.group(1)) if end else value[1:]
    return value.split(maxsplit=1)[0] if value.split() else ""


FORMAT = Format(name=_NAME, title="curl pinnedpubkey", file_name="pins.curlrc", read=read, write=write)
