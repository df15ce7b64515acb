"""TrustKit's dictionary; the rules are those at the top of ``formats/trustkit.py``."""

from __future__ import annotations

import base64
import plistlib
from datetime import UTC, datetime
from typing import Any

import pytest
from worlds import AT, LEAVES, Chain, Oracle, agree, hold_always, host_table, policy_of, spki_digests

from pinscher.formats import FORMATS, Choices, FormatLossError, UnreadableFileError

TRUSTKIT = FORMATS["trustkit"]
REGISTRY = frozenset({"com", "org", "net"})
CHOICES = Choices(AT, is_public_suffix=REGISTRY.__contains__)
ONE, TWO = (base64.b64encode(one.pin.digest).decode() for one in LEAVES[:2])


def registry_length(name: str) -> int:
    """Return the length of a name's public suffix, as TrustKit's registry library does; 0 where it has none."""
    last = name.rpartition(".")[2]
    return len(last) if last in REGISTRY else 0


def is_subdomain(domain: str, subdomain: str) -> int:
    """Follow ``isSubdomain`` of TrustKit's configuration_utils.m line by line, its split at the first hit included."""
    length = registry_length(domain)
    if len(subdomain) <= len(domain) or registry_length(subdomain) != length:
        return 0
    if domain[len(domain) - length :] != subdomain[len(subdomain) - length :]:
        return 0
    label = "." + domain[: len(domain) - length - 1]
    # Splitting from the right would hit elsewhere where the label overlaps itself.
    components = subdomain[: len(subdomain) - length - 1].split(label)
    return len(label) if components[-1] == "" else 0


def start(domains: dict[str, dict[str, Any]]) -> None:
    """Check what TrustKit checks when the application starts, and would stop it for."""
    for name, domain in domains.items():
        assert registry_length(name) > 0
        if domain.get("TSKExcludeSubdomainFromParentPolicy"):
            assert 1 == len(domain)
            assert any(domains[one].get("TSKIncludeSubdomains") and is_subdomain(one, "a" + name) for one in domains)
            continue
        assert not (domain.get("TSKIncludeSubdomains") and name in REGISTRY)
        assert len(set(domain["TSKPublicKeyHashes"])) >= (2 if domain.get("TSKEnforcePinning", True) else 1)


def oracle(written: bytes) -> Oracle:
    """Judge by TrustKit's code: exact name or best match, expiry in UTC, exclusion, then any key of the chain."""
    domains = plistlib.loads(written)["TSKConfiguration"]["TSKPinnedDomains"]
    start(domains)

    def key_for(host: str) -> str | None:
        if host in domains:
            return host
        matches = {one: is_subdomain(one, host) for one in domains if domains[one].get("TSKIncludeSubdomains")}
        best = max(matches, key=matches.__getitem__, default=None)
        return best if best is not None and matches[best] else None

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        domain = domains.get(key_for(host))
        if domain is None or domain.get("TSKExcludeSubdomainFromParentPolicy"):
            return True
        expires = domain.get("TSKExpirationDate")
        if expires is not None and datetime.fromisoformat(expires).replace(tzinfo=UTC) < at:
            return True
        pins = {base64.b64decode(text) for text in domain["TSKPublicKeyHashes"]}
        return not pins.isdisjoint(spki_digests(chain)) or not domain.get("TSKEnforcePinning", True)

    return decide


def test_trustkit_decides_as_the_policy() -> None:
    """A written dictionary, the policy read from it and that one's file decide as the policy, or are refused."""
    hold_always(TRUSTKIT, oracle, CHOICES)


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("backup-pin", [host_table("bank.com", pins="leaf0")]),
        ("registry-suffix", [host_table("bank.internal")]),
        ("registry-suffix", [host_table("**.com")]),
        ("overlapping-name", [host_table("**.a.a.com")]),
        ("unpinned", [host_table("**.bank.com"), '[hosts."**.a.bank.com"]\nunpinned = "x"']),
        ("expiry-time", [host_table("bank.com", "expires = 2027-03-01T09:00:00Z", 'on-expiry = "report"')]),
    ],
)
def test_trustkit_refuses_by_name(name: str, tables: list[str]) -> None:
    """What would stop the application at its start, or overlook a host, is refused."""
    with pytest.raises(FormatLossError) as caught:
        TRUSTKIT.write(policy_of(*tables), CHOICES)
    assert name in {loss.name for loss in caught.value.losses}


def test_trustkit_needs_a_list_of_public_suffixes(choices: Choices) -> None:
    """Without a list of public suffixes nobody can tell whether TrustKit will start, so the writer asks for one."""
    with pytest.raises(FormatLossError, match="public suffix"):
        TRUSTKIT.write(policy_of(host_table("bank.com")), choices)


def test_trustkit_sends_no_report_to_its_default_destination() -> None:
    """Reports go to the policy's own channels alone."""
    wanted = policy_of(
        host_table("bank.com", 'report-to = ["main"]'), '[reporting.main]\nurl = "https://reports.shop.org/v1"'
    )
    written = TRUSTKIT.write(wanted, CHOICES)
    domain = plistlib.loads(written)["TSKConfiguration"]["TSKPinnedDomains"]["bank.com"]
    assert (True, ["https://reports.shop.org/v1"]) == (domain["TSKDisableDefaultReportUri"], domain["TSKReportUris"])
    read = TRUSTKIT.read(written, CHOICES).policy
    assert ["https://reports.shop.org/v1"] == [channel.url for channel in read.reporting.values()]


def configuration(**domains: dict[str, Any]) -> bytes:
    """Return a dictionary of domains, in whose names an underscore stands for a dot."""
    named = {name.replace("_", "."): value for name, value in domains.items()}
    return plistlib.dumps({"TSKConfiguration": {"TSKPinnedDomains": named}})


PINS = {"TSKPublicKeyHashes": [ONE, TWO]}


@pytest.mark.parametrize(
    ("name", "domains"),
    [
        ("user-anchors", {"bank_com": PINS}),
        ("default-reports", {"bank_com": PINS}),
        ("report-only", {"bank_com": PINS | {"TSKEnforcePinning": False}}),
        ("fail-open-expiry", {"bank_com": PINS | {"TSKExpirationDate": "2027-03-01"}}),
        ("misspelt", {"bank_com": PINS | {"TSKIncludeSubDomains": True}}),
        ("never-matches", {"Bank_com": PINS}),
        ("exception", {"bank_com": PINS | {"TSKIncludeSubdomains": True},
                       "a_bank_com": {"TSKExcludeSubdomainFromParentPolicy": True}}),
    ],
)  # fmt: skip
def test_trustkit_reports_each_weakening(name: str, domains: dict[str, Any]) -> None:
    """Whatever pins less than it seems to is reported by its name."""
    assert name in {one.name for one in TRUSTKIT.read(configuration(**domains), CHOICES).weakenings}


def test_trustkit_exclusion_exempts_one_name() -> None:
    """An excluded name is not pinned, and the names below it still are."""
    content = configuration(
        bank_com=PINS | {"TSKIncludeSubdomains": True}, a_bank_com={"TSKExcludeSubdomainFromParentPolicy": True}
    )
    agree(TRUSTKIT.read(content, CHOICES).policy, oracle(content), ("bank.com", "a.bank.com", "b.a.bank.com"))


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        plistlib.dumps({}),
        plistlib.dumps({"TSKConfiguration": {"TSKPinnedDomains": []}}),
        configuration(bank_com={"TSKPublicKeyHashes": [ONE]}),
        configuration(bank_com={"TSKPublicKeyHashes": [ONE, "AAAA"]}),
        configuration(bank_com={"TSKPublicKeyHashes": ONE}),
        configuration(bank_com=PINS | {"TSKExpirationDate": 5}),
        configuration(bank_com=PINS | {"TSKReportUris": ["http://169.254.169.254/"]}),
        configuration(bank_com=PINS, a_bank_com={"TSKExcludeSubdomainFromParentPolicy": True}),
        configuration(bank_com=PINS | {"TSKExcludeSubdomainFromParentPolicy": True}),
        configuration(bank_com=PINS | {"TSKEnforcePinning": "NO"}),
    ],
)
def test_trustkit_hostile_file_is_one_clear_error(content: bytes) -> None:
    """What TrustKit would stop for, and what is no dictionary of its form, is refused with the reader's own error."""
    with pytest.raises(UnreadableFileError):
        TRUSTKIT.read(content, CHOICES)


def test_trustkit_name_that_repeats_itself_is_reported() -> None:
    """A listed name that repeats itself leaves names below it unpinned on the platform, and the import says so."""
    domain = {"TSKIncludeSubdomains": True, "TSKPublicKeyHashes": [ONE, TWO]}
    content = plistlib.dumps({"TSKConfiguration": {"TSKPinnedDomains": {"bank.bank.com": domain}}})
    rogue = (LEAVES[2],)
    assert oracle(content)("z.bank.bank.bank.com", rogue, AT)
    assert not oracle(content)("z.bank.bank.com", rogue, AT)
    reading = TRUSTKIT.read(content, CHOICES)
    assert ("never-matches", "bank.bank.com") in {(one.name, one.where) for one in reading.weakenings}
