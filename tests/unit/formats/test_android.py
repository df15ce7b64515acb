"""Android's network security configuration; the rules are those at the top of ``formats/android.py``."""

from __future__ import annotations

import base64
import io
import struct
import subprocess
import time
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from worlds import (
    AT,
    EXPIRY,
    LEAVES,
    Chain,
    Oracle,
    agree,
    hold_always,
    host_table,
    policy_of,
    spki_digests,
)

from pinscher.formats import FORMATS, Choices, FormatLossError, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pinscher.policy import Policy

ANDROID = FORMATS["android"]
ONE, TWO = (base64.b64encode(certificate.pin.digest).decode() for certificate in LEAVES[:2])


def oracle(written: bytes) -> Oracle:
    """Judge by AOSP's rules: exact name or longest included suffix; empty or expired sets pass, else any key."""
    configurations = []

    def collect(element: ET.Element, inherited: ET.Element | None) -> None:
        pin_set = element.find("pin-set")
        pin_set = inherited if pin_set is None else pin_set
        for domain in element.findall("domain"):
            includes = domain.get("includeSubdomains") == "true"
            configurations.append(((domain.text or "").strip().lower(), includes, pin_set))
        for nested in element.findall("domain-config"):
            collect(nested, pin_set)

    for element in ET.fromstring(written).findall("domain-config"):
        collect(element, None)
    assert len({name for name, _, _ in configurations}) == len(configurations), (
        "the platform refuses a duplicate domain"
    )

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        found = [one for one in configurations if one[0] == host]
        wider = [one for one in configurations if one[1] and host.endswith("." + one[0])]
        found = found or sorted(wider, key=lambda one: len(one[0]))[-1:]
        if not found or found[0][2] is None:
            return True
        pin_set = found[0][2]
        pins = {base64.b64decode(pin.text or "") for pin in pin_set.findall("pin")}
        expiration = pin_set.get("expiration")
        is_expired = expiration is not None and at > datetime.fromisoformat(expiration).replace(tzinfo=UTC)
        return not pins or is_expired or not pins.isdisjoint(spki_digests(chain))

    return decide


def test_android_decides_as_the_policy() -> None:
    """A written configuration, the policy read from it and that one's file decide as the policy, or are refused."""
    hold_always(ANDROID, oracle, Choices(AT, accepted=frozenset({"expiry-time-zone"})))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("unlisted-hosts", policy_of(host_table("bank.com"), defaults='unlisted-hosts = "deny"')),
        ("denied-keys", policy_of(host_table("bank.com", 'denied-keys = ["inter0"]'))),
        ("report-only", policy_of(host_table("bank.com", 'mode = "report-only"', "report-only-since = 2026-11-01"))),
        ("on-expiry-fail", policy_of(host_table("bank.com", "expires = 2027-03-01T00:00:00Z", 'on-expiry = "fail"'))),
        (
            "expiry-time-zone",
            policy_of(host_table("bank.com", "expires = 2027-03-01T00:00:00Z", 'on-expiry = "report"')),
        ),
        ("one-label", policy_of(host_table("*.bank.com"), host_table("bank.com"))),
        ("apex", policy_of(host_table("**.bank.com"), host_table("bank.com", pins="leaf1"))),
        ("ip-address", policy_of(host_table("192.0.2.7"))),
        ("certificate-pins", policy_of(f'[hosts."bank.com"]\npins = ["{LEAVES[0].certificate_pin}"]')),
    ],
)
def test_android_refuses_by_name(name: str, wanted: Policy, choices: Choices) -> None:
    """What the configuration cannot say is refused with the loss's name, the host and a way out."""
    with pytest.raises(FormatLossError) as caught:
        ANDROID.write(wanted, choices)
    assert name in {loss.name for loss in caught.value.losses}
    assert all(loss.choices for loss in caught.value.losses)


def test_android_records_an_accepted_loss() -> None:
    """A loss that was accepted by name is written into the file as a comment."""
    wanted = policy_of(host_table("bank.com"), defaults='unlisted-hosts = "deny"')
    written = ANDROID.write(wanted, Choices(AT, accepted=frozenset({"unlisted-hosts"})))
    assert b"<!-- given up: unlisted-hosts: the policy: hosts that no entry names are let through -->" in written


def test_android_comment_holds_no_double_hyphen() -> None:
    """An A-label in a recorded loss does not break the comment that it stands in."""
    wanted = policy_of(host_table("xn--bcher-kva.com", 'denied-keys = ["inter0"]'))
    written = ANDROID.write(wanted, Choices(AT, accepted=frozenset({"denied-keys"})))
    assert b"xn-&#45;bcher-kva.com" in written
    assert ET.fromstring(written).tag == "network-security-config"


def configuration(inside: str) -> bytes:
    """Return a configuration around elements."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<network-security-config>{inside}</network-security-config>'.encode()
    )


def pinned(domain: str, attributes: str = "", *, more: str = "", pin_set: str = "") -> str:
    """Return a domain-config with two pins."""
    pins = f'<pin digest="SHA-256">{ONE}</pin><pin digest="SHA-256">\n {TWO} </pin>'
    return (
        f"<domain-config><domain{attributes}>{domain}</domain><pin-set{pin_set}>{pins}</pin-set>{more}</domain-config>"
    )


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("empty-pin-set", pinned("bank.com", ' includeSubdomains="true"',
                                 more="<domain-config><domain>a.bank.com</domain><pin-set/></domain-config>")),
        ("override-pins", pinned("bank.com", more='<trust-anchors><certificates src="user" overridePins="true"/>'
                                                  "</trust-anchors>")),
        ("debug-overrides", pinned("bank.com") + '<debug-overrides><trust-anchors><certificates src="user"/>'
                                                 "</trust-anchors></debug-overrides>"),
        ("fail-open-expiry", pinned("bank.com", pin_set=' expiration="2027-03-01"')),
        ("misspelt", pinned("bank.com", ' includeSubdomains="TRUE"')),
        ("misspelt", pinned("bank.com", ' includeSubDomains="true"')),
        ("misspelt", pinned("bank.com", more="<pinset/>")),
        ("never-matches", pinned("bank.com") + pinned("*.shop.org")),
        ("exception", pinned("bank.com", ' includeSubdomains="true"',
                             more="<domain-config><domain>a.bank.com</domain><pin-set/></domain-config>")),
        ("one-pin", pinned("bank.com").replace(TWO, ONE)),
        ("report-only", pinned("bank.com", more='<trustkit-config enforcePinning="false"/>')),
        ("default-reports", pinned("bank.com", more='<trustkit-config enforcePinning="true"/>')),
    ],
)  # fmt: skip
def test_android_reports_each_weakening(name: str, inside: str, choices: Choices) -> None:
    """Whatever pins less than it seems to is reported by its name."""
    reading = ANDROID.read(configuration(inside), choices)
    assert name in {weakening.name for weakening in reading.weakenings}
    agree(reading.policy, oracle(configuration(inside)), ("bank.com", "a.bank.com", "x.a.bank.com", "shop.org"))


def test_android_plain_file_has_no_weakening(choices: Choices) -> None:
    """A configuration of two pins on one host is read without a warning."""
    assert () == ANDROID.read(configuration(pinned("Bank.com")), choices).weakenings


def test_android_nested_configuration_inherits(choices: Choices) -> None:
    """A nested domain-config without a pin set has its parent's pins."""
    inside = pinned("bank.com", more="<domain-config><domain>shop.org</domain></domain-config>")
    read = ANDROID.read(configuration(inside), choices).policy
    assert read.lookup("bank.com").pinset == read.lookup("shop.org").pinset


def test_android_expiry_is_read_as_report(choices: Choices) -> None:
    """The platform fails open at expiry, and so does the policy that is read."""
    entry = ANDROID.read(configuration(pinned("bank.com", pin_set=' expiration="2027-03-01"')), choices).policy.hosts[0]
    assert (EXPIRY, "report") == (entry.expires, entry.on_expiry.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<a/>",
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="utf-7"?><network-security-config/>',
        b"<!DOCTYPE network-security-config><network-security-config/>",
        b'<!DOCTYPE n [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><network-security-config>&b;</network-security-config>',
        b'<!DOCTYPE n [<!ENTITY a SYSTEM "file:///etc/passwd">]><network-security-config>&a;</network-security-config>',
        b"<network-security-config>" + b"<domain-config>" * 100_000,
        configuration(""),
        configuration(pinned("bank.com") + pinned("BANK.com")),
        configuration("<domain-config/>"),
        configuration(pinned("bank.com").replace("SHA-256", "SHA-1")),
        configuration(pinned("bank.com").replace(ONE, "AAAA")),
        configuration(pinned("bank.com", pin_set=' expiration="soon"')),
        configuration("<base-config><pin-set/></base-config>"),
        configuration(pinned("bank.com", f' x="{"a" * 2_000_000}"')),
        b"PK\x03\x04rest",
        b"\x03\x00\x08\x00\xff\xff",
    ],
)
def test_android_hostile_file_is_one_clear_error(content: bytes, choices: Choices) -> None:
    """A DOCTYPE, an entity, a bomb, a duplicate or a broken file is refused with the reader's own error."""
    with pytest.raises(UnreadableFileError):
        ANDROID.read(content, choices)


def package(*files: tuple[str, bytes]) -> bytes:
    """Return an archive of members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return stream.getvalue()


def test_android_archive_of_two_configurations_is_refused(choices: Choices) -> None:
    """Which of two configurations counts is not guessed."""
    node = protocol_node(("network-security-config", {}, [], ""))
    with pytest.raises(UnreadableFileError, match="holds 2"):
        ANDROID.read(package(("base/res/xml/a.xml", node), ("base/res/xml-v24/a.xml", node)), choices)


def test_android_zip_bomb_is_bounded(choices: Choices) -> None:
    """A member that inflates beyond its bound is refused before it is inflated, in little time."""
    started = time.process_time()
    with pytest.raises(UnreadableFileError, match="octets"):
        ANDROID.read(package(("res/xml/bomb.xml", bytes(64 * 1024 * 1024))), choices)
    assert time.process_time() - started < 2


Node = tuple[str, dict[str, str], list["Node"], str]


def protocol_node(node: Node) -> bytes:
    """Return an ``aapt.pb.XmlNode``, as an AAB holds it."""
    name, attributes, children, text = node

    def field(number: int, value: bytes) -> bytes:
        length = len(value)
        octets = bytearray()
        while length > 0x7F:
            octets.append(length & 0x7F | 0x80)
            length >>= 7
        return bytes([number << 3 | 2]) + bytes([*octets, length]) + value

    element = field(3, name.encode())
    element += b"".join(
        field(4, field(2, key.encode()) + field(3, value.encode())) for key, value in attributes.items()
    )
    element += field(5, field(2, text.encode())) if text else b""
    element += b"".join(field(5, protocol_node(child)) for child in children)
    return field(1, element) + field(3, b"\x08\x01")


def test_android_bundle_yields_its_pins(choices: Choices) -> None:
    """An app bundle's configuration, in protocol buffers, is found and read."""
    pins: Node = ("pin-set", {}, [("pin", {"digest": "SHA-256"}, [], ONE)], "")
    domain: Node = ("domain", {"includeSubdomains": "true"}, [], "bank.com")
    root: Node = ("network-security-config", {}, [("domain-config", {}, [domain, pins], "")], "")
    read = ANDROID.read(package(("base/res/xml/x.xml", protocol_node(root))), choices).policy
    assert ["**.bank.com"] == [entry.host for entry in read.hosts]


MANIFEST = b'<manifest package="com.example.app"><application/></manifest>'
"""A manifest without the reference to the configuration, whose attribute aapt knows only with the platform's jar."""


def test_android_package_built_by_aapt_yields_its_pins_in_a_second(
    tmp_path: Path, tool: Callable[[str], str], choices: Choices
) -> None:
    """What we write is compiled by Android's own resource compiler, and read back out of the package within 1 s."""
    wanted = policy_of(host_table("**.bank.com"), host_table("shop.org"), '[hosts."a.bank.com"]\nunpinned = "public"')
    (tmp_path / "res/xml").mkdir(parents=True)
    (tmp_path / "res/xml/network_security_config.xml").write_bytes(ANDROID.write(wanted, choices))
    (tmp_path / "AndroidManifest.xml").write_bytes(MANIFEST)
    subprocess.run(
        [tool("aapt"), "package", "-f", "-M", "AndroidManifest.xml", "-S", "res", "-F", "app.apk"],
        cwd=tmp_path, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    content = (tmp_path / "app.apk").read_bytes()
    started = time.process_time()
    read = ANDROID.read(content, choices).policy
    assert time.process_time() - started <= 1
    assert {"**.bank.com", "shop.org", "a.bank.com"} == {entry.host for entry in read.hosts}
    agree(wanted, oracle(ANDROID.write(read, choices)), ("bank.com", "a.bank.com", "z.a.bank.com", "shop.org"))


def test_android_compiled_xml_with_forged_sizes_is_refused(choices: Choices) -> None:
    """A chunk that claims to be larger than the file is refused."""
    with pytest.raises(UnreadableFileError):
        ANDROID.read(struct.pack("<HHIHHI", 3, 8, 16, 1, 8, 0xFFFFFFF0), choices)


def test_android_trustkit_variant_names_its_reports_off(choices: Choices) -> None:
    """The TrustKit variant enforces, and sends nothing to TrustKit's default destination."""
    written = ANDROID.write(policy_of(host_table("bank.com")), Choices(AT, variant="trustkit"))
    assert b'<trustkit-config enforcePinning="true" disableDefaultReportUri="true">' in written
    assert () == tuple(one for one in ANDROID.read(written, choices).weakenings if one.name != "one-pin")
