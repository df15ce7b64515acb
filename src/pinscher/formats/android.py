"""
Android's network security configuration, and TrustKit-Android's elements inside it.

Rules of this file, each read in AOSP's ``XmlConfigSource``, ``ApplicationConfig`` and ``NetworkSecurityTrustManager``:

1. The exact name wins, else the longest listed name above it that says ``includeSubdomains``. A name stands once.
2. A nested ``domain-config`` inherits its parent's pin set; an empty pin set takes it away.
3. ``expiration`` is the start of a day in the device's time zone; after it nothing is refused.
4. Any key of the validated chain matches, unless its anchor says ``overridePins``.
5. Unknown elements and attributes are skipped.
6. The platform knows nothing of TrustKit's elements and enforces the pin set whatever they say.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pinscher.formats.archives import is_archive, members
from pinscher.formats.compiled_xml import is_compiled, parse_compiled, parse_protocol_xml
from pinscher.formats.coverage import SuffixLookup
from pinscher.formats.elements import parse_xml
from pinscher.formats.format import Format, UnreadableFileError
from pinscher.formats.loss import LossLedger
from pinscher.formats.reading import Reader
from pinscher.formats.said import UNPINNED, Said, Target, said_entries
from pinscher.formats.suffixes import Shape, suffix_statements
from pinscher.formats.text_form import encoded, xml_comment

if TYPE_CHECKING:
    from pinscher.formats.elements import Element
    from pinscher.formats.format import Choices, Reading
    from pinscher.pin import Pin
    from pinscher.policy import Policy

_NAME = "android"
_TARGET = Target(_NAME, opens="local-day")
_SHAPE = Shape(exceptions="any")
_ROOT = "network-security-config"


def write(policy: Policy, choices: Choices) -> bytes:
    """Return a network security configuration that decides as the policy does, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    statements = suffix_statements(said_entries(policy, _TARGET, losses), _SHAPE, losses)
    lines = ['<?xml version="1.0" encoding="utf-8"?>']
    lines += [xml_comment(line) for line in losses.settle()]
    lines.append(f"<{_ROOT}>")
    for name, (includes, said) in statements.items():
        lines += _domain_config(name, includes, said, policy, with_trustkit=choices.variant == "trustkit")
    lines.append(f"</{_ROOT}>")
    return "\n".join([*lines, ""]).encode()


def _domain_config(name: str, includes: bool, said: Said, policy: Policy, *, with_trustkit: bool) -> list[str]:  # noqa: FBT001
    lines = ["  <domain-config>", f'    <domain includeSubdomains="{str(includes).lower()}">{name}</domain>']
    if said.pins:
        expiration = f' expiration="{said.opens:%Y-%m-%d}"' if said.opens else ""
        lines.append(f"    <pin-set{expiration}>")
        lines += [f'      <pin digest="SHA-256">{encoded(pin)}</pin>' for pin in said.pins]
        lines.append("    </pin-set>")
    if said.pins and with_trustkit:
        lines.append('    <trustkit-config enforcePinning="true" disableDefaultReportUri="true">')
        uris = [policy.reporting[channel].url for channel in said.report_to]
        lines += [f"      <report-uri>{_escaped(uri)}</report-uri>" for uri in uris]
        lines.append("    </trustkit-config>")
    return [*lines, "  </domain-config>"]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def read(content: bytes, choices: Choices) -> Reading:
    """Return what a configuration says: the XML itself, or the one inside an APK or AAB."""
    reader = _Reader(_NAME, choices)
    root = _root(content)
    if root.name != _ROOT:
        raise reader.refuse(f"expected the element {_ROOT!r}, found {root.name[:80]!a}")
    reader.file(root)
    return reader.reading(reader.listed, SuffixLookup(reader.listed))


def _root(content: bytes) -> Element:
    if is_archive(content):
        return _packaged(content)
    return parse_compiled(content, _NAME) if is_compiled(content) else parse_xml(content, _NAME)


def _packaged(content: bytes) -> Element:
    """Find the configuration by its root element, since a packager may have renamed its file."""
    found = {}
    for name, member in members(content, _NAME, lambda name: "res/" in name and name.endswith(".xml")):
        if _ROOT.encode() in member or _ROOT.encode("utf-16-le") in member:
            root = parse_compiled(member, _NAME) if is_compiled(member) else parse_protocol_xml(member, _NAME)
            if root.name == _ROOT:
                found[name] = root
    if len(found) != 1:
        listed = ", ".join(f"{name[:80]!a}" for name in sorted(found)[:4])
        reason = f"the package holds {len(found)} network security configurations ({listed}), expected one"
        raise UnreadableFileError(_NAME, reason)
    return found.popitem()[1]


class _Reader(Reader):
    """Reads the elements; ``listed`` holds each name with its reach and what it is told."""

    def __init__(self, format_name: str, choices: Choices) -> None:
        super().__init__(format_name, choices)
        self.listed: dict[str, tuple[bool, Said]] = {}

    def file(self, root: Element) -> None:
        for child in root.children:
            if child.name == "domain-config":
                self._domain_config(child, UNPINNED)
            elif child.name == "base-config":
                self._unpinnable(child)
                self._overrides(child, "base-config", default=False)
            elif child.name == "debug-overrides":
                if any(anchors.children for anchors in child.named("trust-anchors")):
                    self.weakening("debug-overrides", "debug-overrides")
            else:
                self.weakening("misspelt", child.name, "an element that the platform skips")

    def _unpinnable(self, element: Element) -> None:
        if any(child.name in ("pin-set", "domain", "domain-config") for child in element.children):
            raise self.refuse(f"{element.name} holds what only a domain-config may hold")

    def _domain_config(self, element: Element, inherited: Said) -> None:
        said = self._said(element, inherited)
        domains = list(element.named("domain"))
        if not domains:
            raise self.refuse("a domain-config without a domain")
        for domain in domains:
            self._domain(domain, said)
        self._overrides(element, domains[0].text.strip(), default=False)
        for child in element.children:
            if child.name == "domain-config":
                self._domain_config(child, said)
            elif child.name == "trustkit-config":
                self._trustkit(child, domains[0].text.strip())
            elif child.name not in ("domain", "pin-set", "trust-anchors"):
                self.weakening("misspelt", child.name, "an element that the platform skips")

    def _said(self, element: Element, inherited: Said) -> Said:
        pin_sets = list(element.named("pin-set"))
        if len(pin_sets) > 1:
            raise self.refuse("a domain-config with two pin-sets")
        if not pin_sets:
            return inherited
        pins = [self._pin(child) for child in pin_sets[0].children if self._is_pin(child)]
        if not pins:
            where = next((domain.text.strip() for domain in element.named("domain")), "domain-config")
            self.weakening("empty-pin-set", where)
            return UNPINNED
        self._attributes(pin_sets[0], "expiration")
        return Said(tuple(dict.fromkeys(pins)), opens=self._expiration(pin_sets[0]))

    def _is_pin(self, element: Element) -> bool:
        if element.name == "pin":
            return True
        self.weakening("misspelt", element.name, "an element that the platform skips")
        return False

    def _pin(self, element: Element) -> Pin:
        digest = element.attributes.get("digest")
        if digest != "SHA-256":
            raise self.refuse(f"a pin's digest is 'SHA-256', found {digest and digest[:80]!a}")
        return self.pin(element.text.strip())

    def _expiration(self, pin_set: Element) -> datetime | None:
        text = pin_set.attributes.get("expiration")
        if text is None:
            return None
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise self.refuse(f"an expiration is a day such as 2027-03-01, found {text[:80]!a}") from None
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    def _domain(self, element: Element, said: Said) -> None:
        self._attributes(element, "includeSubdomains")
        text = element.text.strip()
        includes = element.attributes.get("includeSubdomains", "false")
        if includes not in ("true", "false"):
            self.weakening(
                "misspelt", text, f"includeSubdomains is 'true' or 'false', found {includes!r}: not included"
            )
        if text.endswith(".") or "*" in text:
            self.weakening("never-matches", text, "a name with a trailing dot or a star matches no host")
            return
        name = self.host(text)
        if name in self.listed:
            raise self.refuse(f"the domain {name!r} stands twice, and the platform refuses the file")
        self.listed[name] = includes == "true", said

    def _attributes(self, element: Element, known: str) -> None:
        for name in element.attributes:
            if name != known:
                self.weakening("misspelt", f"{element.name} {name}", "an attribute that the platform skips")

    def _overrides(self, element: Element, where: str, *, default: bool) -> None:
        for anchors in element.named("trust-anchors"):
            for certificates in anchors.named("certificates"):
                overrides = certificates.attributes.get("overridePins", str(default).lower())
                if overrides == "true":
                    source = certificates.attributes.get("src", "?")
                    self.weakening("override-pins", where, f"certificates from {source!r} need match no pin")

    def _trustkit(self, element: Element, where: str) -> None:
        if element.attributes.get("enforcePinning", "false") != "true":
            self.weakening(
                "report-only", where, "TrustKit only reports; the platform (Android 7 on) enforces the pin set"
            )
        if element.attributes.get("disableDefaultReportUri", "false") != "true":
            self.weakening("default-reports", where)


FORMAT = Format(
    name=_NAME,
    title="Android network security configuration",
    file_name="network_security_config.xml",
    read=read,
    write=write,
    variants=("platform", "trustkit"),
)
