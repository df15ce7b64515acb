"""Apple's NSPinnedDomains; the rules are those at the top of ``formats/apple.py``."""

from __future__ import annotations

import base64
import io
import plistlib
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from worlds import AT, INTERMEDIATES, LEAVES, Chain, Oracle, agree, hold_always, host_table, policy_of

from pinscher.formats import FORMATS, Choices, FormatLossError, UnreadableFileError

if TYPE_CHECKING:
    from datetime import datetime

APPLE = FORMATS["apple"]
LEAF, OTHER, AUTHORITY = (
    {"SPKI-SHA256-BASE64": base64.b64encode(one.pin.digest).decode()} for one in (*LEAVES[:2], INTERMEDIATES[0])
)


def oracle(written: bytes) -> Oracle:
    """Judge by Apple's documentation: one more label at most, the leaf in its list and an authority in its own."""
    domains = plistlib.loads(written)["NSAppTransportSecurity"]["NSPinnedDomains"]

    def digests(domain: dict[str, Any], key: str) -> set[bytes]:
        return {base64.b64decode(one["SPKI-SHA256-BASE64"]) for one in domain.get(key, [])}

    def is_accepted(domain: dict[str, Any], chain: Chain) -> bool:
        leaves, authorities = digests(domain, "NSPinnedLeafIdentities"), digests(domain, "NSPinnedCAIdentities")
        assert leaves or authorities, "Apple wants at least one list"
        has_leaf = not leaves or chain[0].pin.digest in leaves
        return has_leaf and (not authorities or any(one.pin.digest in authorities for one in chain[1:]))

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        parent = host.partition(".")[2]
        applying = [domains[host]] if host in domains else []
        if domains.get(parent, {}).get("NSIncludesSubdomains"):
            applying.append(domains[parent])
        answers = {is_accepted(domain, chain) for domain in applying} or {True}
        assert len(answers) == 1, "which of two entries counts is not documented, so they may not differ"
        return answers.pop()

    return decide


def test_apple_decides_as_the_policy() -> None:
    """A written property list, the policy read from it and that one's file decide as the policy, or are refused."""
    hold_always(APPLE, oracle, Choices(AT))


@pytest.mark.parametrize("accepted", [{"any-depth"}, {"ca-pins"}, {"leaf-pins"}, {"apex", "unpinned"}])
def test_apple_writes_an_accepted_loss(accepted: set[str]) -> None:
    """What was accepted by name is recorded in a comment, in front of a list that is still well formed."""
    wanted = policy_of(
        host_table("**.bank.com", pins="leaf0") if "any-depth" in accepted else host_table("*.bank.com", pins="leaf0"),
        host_table("shop.org", pins="leaf0 inter0" if len(accepted) == 1 else "leaf0"),
        '[hosts."a.bank.com"]\nunpinned = "public"',
    )
    every = frozenset(
        {"any-depth", "apex", "unpinned", "ca-pins"} - ({"ca-pins"} if "leaf-pins" in accepted else set())
    )
    written = APPLE.write(wanted, Choices(AT, accepted=every | accepted))
    assert all(f"given up: {name}".encode() in written for name in accepted)
    assert set(plistlib.loads(written)) == {"NSAppTransportSecurity"}


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("any-depth", [host_table("**.bank.com")]),
        ("apex", [host_table("*.bank.com")]),
        ("narrower-entry", [host_table("bank.com"), host_table("*.bank.com"), host_table("a.bank.com", pins="leaf2")]),
        ("unpinned", [host_table("bank.com"), host_table("*.bank.com"), '[hosts."a.bank.com"]\nunpinned = "x"']),
        ("ca-pins", [host_table("bank.com", pins="leaf0 inter0")]),
    ],
)
def test_apple_refuses_by_name(name: str, tables: list[str], choices: Choices) -> None:
    """What the two lists and one label cannot say is refused with the loss's name and a way out."""
    with pytest.raises(FormatLossError) as caught:
        APPLE.write(policy_of(*tables), choices)
    assert name in {loss.name for loss in caught.value.losses}


def test_apple_asks_for_a_missing_role_by_the_key_name(choices: Choices) -> None:
    """A key whose place on the chain nobody said is asked for by its name, and never guessed."""
    with pytest.raises(FormatLossError, match=r"keys\.leaf0") as caught:
        APPLE.write(policy_of(host_table("bank.com"), roles=False), choices)
    assert {"missing-role"} == {loss.name for loss in caught.value.losses}


def listed(**domains: dict[str, Any]) -> dict[str, Any]:
    """Return a property list of domains, in whose names an underscore stands for a dot."""
    named = {name.replace("_", "."): value for name, value in domains.items()}
    return {"CFBundleName": "App", "NSAppTransportSecurity": {"NSPinnedDomains": named}}


def test_apple_reads_binary_and_archive(choices: Choices) -> None:
    """The same pins are found in an XML list, in a binary one and inside an IPA."""
    root = listed(bank_com={"NSIncludesSubdomains": True, "NSPinnedCAIdentities": [AUTHORITY]})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("Payload/App.app/Info.plist", plistlib.dumps(root, fmt=plistlib.FMT_BINARY))
        archive.writestr("Payload/App.app/Frameworks/X.framework/Info.plist", b"other")
    forms = (plistlib.dumps(root), plistlib.dumps(root, fmt=plistlib.FMT_BINARY), stream.getvalue())
    policies = {APPLE.read(form, choices).policy for form in forms}
    assert 1 == len(policies)
    agree(policies.pop(), oracle(forms[0]), ("bank.com", "a.bank.com", "b.a.bank.com"))


def test_apple_both_lists_are_refused_on_reading(choices: Choices) -> None:
    """A file that requires a leaf and an authority cannot become a policy that is content with either."""
    content = plistlib.dumps(listed(bank_com={"NSPinnedLeafIdentities": [LEAF], "NSPinnedCAIdentities": [AUTHORITY]}))
    with pytest.raises(FormatLossError) as caught:
        APPLE.read(content, choices)
    assert ["both-lists"] == [loss.name for loss in caught.value.losses]
    read = APPLE.read(content, Choices(AT, accepted=frozenset({"both-lists"}))).policy
    assert [LEAVES[0].pin] == list(read.hosts[0].pinset)


def test_apple_authority_list_is_remembered(choices: Choices) -> None:
    """Keys of the list of authorities go back into it, though nobody said whether they are intermediates or roots."""
    content = plistlib.dumps(listed(bank_com={"NSPinnedCAIdentities": [AUTHORITY, OTHER]}))
    again = plistlib.loads(APPLE.write(APPLE.read(content, choices).policy, choices))
    domain = again["NSAppTransportSecurity"]["NSPinnedDomains"]["bank.com"]
    assert {"NSPinnedCAIdentities": [AUTHORITY, OTHER]} == domain


@pytest.mark.parametrize(
    ("name", "domains"),
    [
        ("misspelt", {"bank_com": {"NSPinnedLeafIdentities": [LEAF, OTHER], "NSIncludeSubdomains": True}}),
        ("never-matches", {"bank_com": {"NSPinnedLeafIdentities": [LEAF]}, "shop_org_": {}}),
        ("one-pin", {"bank_com": {"NSPinnedLeafIdentities": [LEAF]}}),
    ],
)
def test_apple_reports_each_weakening(name: str, domains: dict[str, Any], choices: Choices) -> None:
    """Whatever pins less than it seems to is reported by its name."""
    assert name in {one.name for one in APPLE.read(plistlib.dumps(listed(**domains)), choices).weakenings}


HEAD = b'<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://x"><plist version="1.0">'


def cycle() -> bytes:
    """Return a binary property list whose array holds itself."""
    content = plistlib.dumps({"a": ["x"]}, fmt=plistlib.FMT_BINARY)
    assert content.count(b"\xa1\x03") == 1, "the array is the object 2, and holds the object 3"
    return content.replace(b"\xa1\x03", b"\xa1\x02")


def shared() -> bytes:
    """Return a binary property list of a thousand octets that stands for two to the fortieth values."""
    value: list[Any] = ["x"]
    for _ in range(40):
        value = [value, value]
    return plistlib.dumps({"a": value}, fmt=plistlib.FMT_BINARY)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"bplist00",
        b"bplist00" + b"\xff" * 40,
        HEAD + b"<dict><key>a</key><string>x</string><key>a</key><string>y</string></dict></plist>",
        HEAD + b"<array>" * 2000,
        HEAD + b"<dict><key>a</key><integer>zz</integer></dict></plist>",
        HEAD.replace(b'"http://x">', b'"http://x" [<!ENTITY a "aaa">]>') + b"<string>&a;</string></plist>",
        plistlib.dumps([1]),
        plistlib.dumps({"a": 1}),
        plistlib.dumps(listed(bank_com={})),
        plistlib.dumps(listed(bank_com={"NSPinnedLeafIdentities": ["x"]})),
        plistlib.dumps(listed(bank_com={"NSPinnedLeafIdentities": [LEAF], "NSIncludesSubdomains": "YES"})),
        plistlib.dumps(listed(bank_com={"NSPinnedLeafIdentities": [LEAF], "NSIncludesSubdomains": True},
                              a_bank_com={"NSPinnedLeafIdentities": [OTHER]})),
        shared(),
        cycle(),
    ],
)  # fmt: skip
def test_apple_hostile_file_is_one_clear_error(content: bytes, choices: Choices) -> None:
    """A cycle, a shared structure, a doubled key, an entity or a broken list is refused with one error."""
    with pytest.raises(UnreadableFileError):
        APPLE.read(content, choices)


def test_apple_cycle_and_sharing_are_told(choices: Choices) -> None:
    """A list that holds itself and one that unfolds without end are refused for what they are."""
    with pytest.raises(UnreadableFileError, match="cycle"):
        APPLE.read(cycle(), choices)
    with pytest.raises(UnreadableFileError, match=r"shared|nested"):
        APPLE.read(shared(), choices)
