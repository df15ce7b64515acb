"""Each lint rule by itself, beyond the documents of the reference page."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pinscher.chain import PresentedChain
from pinscher.lab.authority import Authority
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.rotation import WELL_FORMED, Circumstances, Severity, lint, read_facts
from pinscher.rotation.authority_facts import shipped_facts
from pinscher.rotation.circumstances import _suffixes, is_public_suffix, registrable_domain

if TYPE_CHECKING:
    from pinscher.rotation import Finding

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEAD = 'format = 1\nname = "x"\nversion = 1\n'
HOST = '[hosts."a.example"]\n'
A, B, C = ("sha256/" + base64.b64encode(hashlib.sha256(f"key {name}".encode()).digest()).decode() for name in "ABC")
X1 = "sha256/C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M="


def _found(
    rule: str, text: str, chains: dict[str, PresentedChain] | None = None, at: datetime = AT
) -> tuple[Finding, ...]:
    findings = lint(Policy.loads(HEAD + text), Circumstances(at, chains=chains or {}))
    return tuple(finding for finding in findings if finding.rule == rule)


def _key(name: str, pin: str, role: str = "leaf", more: str = "") -> str:
    return f'[keys.{name}]\npin = "{pin}"\nrole = "{role}"\n{more}\n'


def _named(name: str, organisation: str) -> x509.Name:
    parts = ((NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


def _lets_encrypt() -> Authority:
    """Return a lab's authority that calls itself an intermediate of Let's Encrypt."""
    import dataclasses

    root = Authority.root()
    held = root.intermediate("R99")
    subject = _named("R99", "Let's Encrypt")
    return dataclasses.replace(root._certified(subject, held.key, None), subject=subject)


def test_backup_key_that_the_server_shows_is_an_error() -> None:
    """A backup pin of the key that a chain shows in use is no backup."""
    held = Authority.root().issue("a.example")
    text = f'{HOST}pins = ["{A}"]\nbackup-pins = ["{Pin.of(held.der)}"]\n'
    (finding,) = _found("backup-offline", text, {"a.example": PresentedChain(held.chain)})
    assert (Severity.ERROR, "high") == (finding.severity, finding.confidence.word)


def test_backup_pin_without_a_name_is_information() -> None:
    """A literal backup pin cannot say where its key is kept, and that alone is no warning."""
    (finding,) = _found("backup-offline", f'{HOST}pins = ["{A}"]\nbackup-pins = ["{B}"]\n')
    assert (Severity.INFORMATION, "low") == (finding.severity, finding.confidence.word)


@pytest.mark.parametrize("role", ["intermediate", "root"])
def test_key_of_an_authority_needs_no_safe(role: str) -> None:
    """A backup pin on an authority's key is not the user's to store or to rehearse."""
    text = _key("ca", B, role) + f'{HOST}pins = ["{A}"]\nbackup-pins = ["ca"]\n'
    assert ((), ()) == (_found("backup-offline", text), _found("backup-rehearsed", text))
    assert () == _found("backup-offline", f'{HOST}pins = ["{A}"]\nbackup-pins = ["{X1}"]\n')


@pytest.mark.parametrize(
    ("rehearsed", "told"),
    [
        ("", "was never rehearsed"),
        ("rehearsed = 2025-10-16", "was last rehearsed on 2025-10-16, 401 days ago"),
        ("rehearsed = 2026-11-22", "is said to be rehearsed on 2026-11-22, which has not come yet"),
    ],
)
def test_rehearsal_that_is_missing_or_old_is_found(rehearsed: str, told: str) -> None:
    """A stored backup key was rehearsed within the last 400 days."""
    text = _key("spare", B, more=f'stored = "safe"\n{rehearsed}') + f'{HOST}pins = ["{A}"]\nbackup-pins = ["spare"]\n'
    (finding,) = _found("backup-rehearsed", text)
    assert told in finding.text


@pytest.mark.parametrize("rehearsed", ["2025-10-17", "2026-11-21"])
def test_rehearsal_within_the_time_is_good(rehearsed: str) -> None:
    """A rehearsal 400 days ago is recent enough, and so is one of today."""
    more = f'stored = "safe"\nrehearsed = {rehearsed}'
    assert () == _found(
        "backup-rehearsed", _key("spare", B, more=more) + f'{HOST}pins = ["{A}"]\nbackup-pins = ["spare"]\n'
    )


def _pin(digest: bytes) -> str:
    return "sha256/" + base64.b64encode(digest).decode()


@pytest.mark.parametrize(
    ("digest", "told"),
    [
        (bytes(32), "repeats the octet 00"),
        (b"\x41" * 32, "repeats the octet 41"),
        (bytes(range(32)), "counts"),
        (bytes(range(250, 250 - 32 * 7, -7)), "counts"),
        (bytes(range(8)) * 4, "has 8 different octets among its 32"),
        (hashlib.sha256(b"").digest(), "is the SHA-256 of the text ''"),
        (hashlib.sha256(b"\n").digest(), r"is the SHA-256 of the text '\n'"),
        (hashlib.sha256(b"hello").digest(), "is the SHA-256 of the text 'hello'"),
        (b"this-is-a-placeholder-backup-pin", "is a text and not a digest"),
        (Pin.parse("sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=").digest, "is the example in RFC 7469"),
        (Pin.parse("sha256/7HIpactkIAq2Y49orFOOQKurWxmmSFZhBCoQYcRhJ3Y=").digest, "is the example in Android's doc"),
    ],
)
def test_made_up_pin_is_found(digest: bytes, told: str) -> None:
    """A pin whose octets nobody's key has is found, wherever it stands."""
    (finding,) = _found("dummy-pin", f'{HOST}pins = ["{A}"]\nbackup-pins = ["{_pin(digest)}"]\n')
    assert f"the backup pin {_pin(digest)} of a.example {told}" in finding.text
    (denied,) = _found("dummy-pin", f'{HOST}pins = ["{A}"]\ndenied-keys = ["{_pin(digest)}"]\n')
    assert 'hosts."a.example".denied-keys[0]' == denied.path


def test_digests_are_no_dummies() -> None:
    """None of two thousand digests of different texts is taken for a dummy or for another hash."""
    pins = ", ".join(f'"{_pin(hashlib.sha256(str(number).encode()).digest())}"' for number in range(1000, 3000))
    assert ((), ()) == tuple(_found(rule, f"{HOST}pins = [{pins}]\n") for rule in ("dummy-pin", "foreign-hash"))


@pytest.mark.parametrize(
    ("digest", "told"),
    [
        (hashlib.sha1(b"key", usedforsecurity=False).digest() + bytes(12), "holds a padded SHA-1"),
        (bytes(12) + hashlib.sha1(b"key", usedforsecurity=False).digest(), "holds a padded SHA-1"),
        (hashlib.md5(b"key", usedforsecurity=False).digest() + bytes(16), "holds a padded MD5"),
        (hashlib.sha224(b"key").digest() + bytes(4), "holds a padded SHA-224"),
        (hashlib.md5(b"key", usedforsecurity=False).hexdigest().encode(), "holds the hexadecimal text of an MD5"),
        (hashlib.sha256(b"key").hexdigest()[:32].upper().encode(), "of half a fingerprint"),
    ],
)
def test_another_hash_that_was_made_to_fit_is_found(digest: bytes, told: str) -> None:
    """A pin that holds another hash, padded or spelt in hexadecimal, is found and never matches."""
    (finding,) = _found("foreign-hash", f'{HOST}pins = ["{_pin(digest)}"]\n')
    assert (Severity.ERROR, True) == (finding.severity, told in finding.text)


def test_foreign_pin_in_the_extensions_is_information() -> None:
    """A pin of another hash among the extensions is told, because nothing reads it."""
    text = f'{HOST}pins = ["{A}"]\n[extensions.old]\npins = [1, "SHA1/abc", {{ one = "md5:00" }}, "other"]\n'
    first, second = _found("foreign-hash", text)
    assert ("extensions.old.pins[1]", "extensions.old.pins[2].one") == (first.path, second.path)
    assert Severity.INFORMATION is first.severity


def test_leaf_pin_on_a_short_lived_certificate_is_found() -> None:
    """A host whose chain shows a certificate of a few days is not pinned by that certificate's key alone."""
    held = Authority.root().intermediate().issue("a.example")
    chains = {"a.example": PresentedChain(held.chain)}
    (finding,) = _found("leaf-only", f'{HOST}pins = ["{Pin.of(held.der)}"]\nbackup-pins = ["{B}"]\n', chains)
    assert "its certificate lasts 8 days" in finding.text
    whole = Pin.of(held.der, kind="certificate")
    assert 1 == len(_found("leaf-only", f'{HOST}pins = ["{whole}"]\n', chains))


def test_leaf_pin_is_left_alone_where_nothing_is_known() -> None:
    """Without a chain or a name that says who issues, and where the chain's key is pinned above, the rule is silent."""
    held = Authority.root().intermediate().issue("a.example")
    chains = {"a.example": PresentedChain(held.chain)}
    above = Pin.of(held.authority.certificate)
    long = Authority.root().issue("a.example", not_after=datetime(2027, 11, 1, tzinfo=UTC), not_before=AT)
    leaf = f'{HOST}pins = ["{Pin.of(held.der)}"]\n'
    assert () == _found("leaf-only", _key("api", A) + f'{HOST}pins = ["api"]\n')
    assert () == _found("leaf-only", leaf)
    assert () == _found("leaf-only", leaf, {"b.example": chains["a.example"]})
    assert () == _found("leaf-only", f'{HOST}pins = ["{Pin.of(held.der)}", "{above}"]\n', chains)
    assert () == _found("leaf-only", f'{HOST}pins = ["{C}"]\n', chains)
    days = {"a.example": PresentedChain(long.chain)}
    assert () == _found("leaf-only", f'{HOST}pins = ["{Pin.of(long.der)}"]\n', days)


def test_intermediate_of_a_chain_is_known_by_its_name() -> None:
    """A pinned intermediate that a chain shows, and that names a CA which picks at random, is found for certain."""
    authority = _lets_encrypt()
    chains = {"a.example": PresentedChain(authority.issue("a.example").chain)}
    text = f'{HOST}pins = ["{Pin.of(authority.certificate)}"]\nbackup-pins = ["{B}"]\n'
    (finding,) = _found("intermediate-pin", text, chains)
    assert "and Let's Encrypt chooses its intermediates at random" in finding.text
    assert "high" == finding.confidence.word
    assert () == _found("intermediate-pin", text)
    with_root = text.replace("pins = [", f'pins = ["{X1}", ', 1)
    assert () == _found("intermediate-pin", with_root, chains)


def test_issuer_of_the_leaf_says_whose_intermediate_is_pinned() -> None:
    """A key with the role intermediate, on a host whose chain names the CA, is found although the chain has another."""
    authority = _lets_encrypt()
    chains = {"a.example": PresentedChain(authority.issue("a.example").chain[:1])}
    text = _key("ca", C, "intermediate") + f'{HOST}pins = ["ca"]\n'
    (finding,) = _found("intermediate-pin", text, chains)
    assert ("high", 'hosts."a.example".pins[0]') == (finding.confidence.word, finding.path)
    assert () == _found("intermediate-pin", text)


def test_intermediate_that_rotates_is_known_by_its_keys_name() -> None:
    """The name of a key says whose intermediate it is, with medium confidence."""
    text = _key("gts-wr2", C, "intermediate") + f'{HOST}pins = ["gts-wr2"]\n'
    (finding,) = _found("intermediate-pin", text)
    assert "Google Trust Services changes its intermediates (https://pki.goog/faq/, 2026-11-21)" in finding.text
    assert "medium" == finding.confidence.word


def test_private_intermediate_is_left_alone() -> None:
    """An intermediate of an authority that the facts do not know may be pinned."""
    held = Authority.root().intermediate().issue("a.example")
    chains = {"a.example": PresentedChain(held.chain)}
    assert () == _found("intermediate-pin", f'{HOST}pins = ["{Pin.of(held.authority.certificate)}"]\n', chains)


def test_network_that_wants_every_root_or_none() -> None:
    """On a network of a CA that says to pin all of its roots, one root alone is found, and all of them are not."""
    amazon = next(one for one in shipped_facts().authorities if one.name == "Amazon")
    pins = [f'"{pin}"' for pin in amazon.roots]
    host = '[hosts."**.d1.cloudfront.net"]\n'
    (finding,) = _found("delivery-network", f"{host}pins = [{pins[0]}]\n")
    assert "Amazon (Amazon Root CA 2, Amazon Root CA 3, Amazon Root CA 4, Starfield Services" in finding.text
    assert () == _found("delivery-network", f"{host}pins = [{', '.join(pins)}]\n")
    assert () == _found("delivery-network", f'{host}unpinned = "a CDN"\n')
    assert () == _found("delivery-network", f'{host}pins = ["{A}"]\n')


def test_network_is_known_by_its_certificate() -> None:
    """A host of one's own is known to stand behind a network by the name on the certificate."""
    root = Authority.root()
    held, other = root.issue("x.cloudflaressl.com"), root.issue("a.example")
    text = f'{HOST}pins = ["{X1}"]\n'
    (finding,) = _found("delivery-network", text, {"a.example": PresentedChain(held.chain)})
    assert "is served by Cloudflare, which may take a certificate from Google Trust Services, SSL.com" in finding.text
    assert () == _found("delivery-network", text, {"a.example": PresentedChain(other.chain)})


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("**.co.uk", 1), ("*.com", 1), ("**.github.io", 1), ("co.uk", 0), ("*.bank.co.uk", 0), ("**.intern", 0)],
)
def test_pattern_over_strangers_is_found(pattern: str, count: int) -> None:
    """A pattern over a suffix of the list is found; a name on it by itself, or one that is not on it, is not."""
    assert count == len(_found("public-suffix", f'[hosts."{pattern}"]\npins = ["{A}"]\n'))


def test_registrable_domain_of_a_name() -> None:
    """A name's registrable domain is what stands below the longest public suffix, or its last two labels."""
    names = ("api.bank.co.uk", "a.b.example", "localhost", "x.github.io", "com")
    assert ["bank.co.uk", "b.example", "localhost", "x.github.io", "com"] == [registrable_domain(one) for one in names]
    assert [True, False] == [is_public_suffix(one) for one in ("co.uk", "example")]


def test_key_of_many_hosts_is_found_once() -> None:
    """A leaf key of many domains is one warning that names the first three; a pin without a role is information."""
    hosts = "".join(f'[hosts."api.shop{number}.example"]\npins = ["api"]\n' for number in range(5))
    (finding,) = _found("shared-key", _key("api", A) + hosts)
    assert "shop0.example, shop1.example, shop2.example and 2 more: who takes the key" in finding.text
    assert Severity.WARNING is finding.severity
    (other,) = _found("shared-key", hosts.replace('"api"', f'"{A}"'))
    assert (Severity.INFORMATION, "low") == (other.severity, other.confidence.word)


def test_key_that_may_be_shared() -> None:
    """Hosts of one domain, addresses, and the keys of authorities may share."""
    text = '[hosts."{}"]\npins = ["{}"]\n[hosts."{}"]\npins = ["{}"]\n'
    assert () == _found("shared-key", text.format("a.bank.example", A, "b.bank.example", A))
    assert () == _found("shared-key", text.format("192.0.2.1", A, "192.0.2.2", A))
    assert () == _found("shared-key", text.format("a.example", X1, "b.example", X1))
    assert () == _found("shared-key", _key("ca", A, "root") + text.format("a.example", "ca", "b.example", "ca"))


@pytest.mark.parametrize(
    ("expires", "on_expiry", "severity", "told"),
    [
        ("2026-11-20T12:00:00Z", "keep-enforcing", Severity.WARNING, "expired 1 days ago: an alarm alone"),
        ("2026-11-20T12:00:00Z", "report", Severity.ERROR, "expired 1 days ago: mismatches are let through"),
        ("2026-11-20T12:00:00Z", "fail", Severity.ERROR, "expired 1 days ago: every connection is refused"),
        ("2026-12-21T11:59:59Z", "fail", Severity.WARNING, "expires in 29 days: then every connection is refused"),
        ("2028-11-21T12:00:00Z", "fail", Severity.INFORMATION, "expires in 731 days"),
    ],
)
def test_expiry_is_found(expires: str, on_expiry: str, severity: Severity, told: str) -> None:
    """An expiry that has passed, comes within a month or lies years away is found, with what follows."""
    (finding,) = _found("expiry", f'{HOST}pins = ["{A}"]\nexpires = {expires}\non-expiry = "{on_expiry}"\n')
    assert (severity, 'hosts."a.example".expires') == (finding.severity, finding.path)
    assert told in finding.text


@pytest.mark.parametrize("expires", ["2026-12-21T12:00:00Z", "2028-11-20T12:00:00Z"])
def test_expiry_within_the_bounds_is_good(expires: str) -> None:
    """An expiry exactly 30 days or 730 days ahead is good."""
    assert () == _found("expiry", f'{HOST}pins = ["{A}"]\nexpires = {expires}\n')


@pytest.mark.parametrize(
    ("since", "told"),
    [("2026-08-22", "has been report-only for 91 days"), ("2026-11-22", "which has not come yet"), ("2026-08-23", "")],
)
def test_report_only_for_too_long_is_found(since: str, told: str) -> None:
    """Ninety days of report-only are good, more are not, and none in the future are."""
    text = f'{HOST}mode = "report-only"\nreport-only-since = {since}\npins = ["{A}"]\n'
    assert [True] * bool(told) == [told in finding.text for finding in _found("report-only", text)]


def test_every_way_to_fail_open_is_found() -> None:
    """Unlisted hosts, redirects, an expiry that opens, and a pattern taken out are found, each at its field."""
    text = (
        f'[defaults]\nunlisted-hosts = "allow"\n{HOST}pins = ["{A}"]\nredirects = "allow"\non-expiry = "report"\n'
        'expires = 2027-11-01T00:00:00Z\n[hosts."**.b.example"]\nunpinned = "x"\n[hosts."c.example"]\nunpinned = "y"\n'
    )
    places = [finding.keys[-1] for finding in _found("fails-open", text)]
    assert ["unlisted-hosts", "on-expiry", "redirects", "unpinned"] == places


def test_report_channel_that_shares_a_key_is_found() -> None:
    """A channel on another host, pinned by a key of a host that reports to it, is found; with another key it is not."""
    text = (
        f'{HOST}pins = ["{A}"]\nreport-to = ["main"]\n[reporting.main]\nurl = "https://r.example/"\npins = ["{{}}"]\n'
    )
    (finding,) = _found("report-channel", text.format(A))
    assert "reporting.main.pins" == finding.path
    assert () == _found("report-channel", text.format(B))
    silent = text.format(A).replace('report-to = ["main"]', "")
    assert () == _found("report-channel", silent)
    assert () == _found("report-channel", text.format(B) + '[hosts."r.example"]\nunpinned = "a reason"\n')


def test_policy_that_could_be_read_is_well_formed() -> None:
    """Rule well-formed finds nothing in a policy."""
    policy = Policy.loads(f'{HEAD}{HOST}pins = ["{A}"]\n')
    assert () == tuple(WELL_FORMED.check(policy, Circumstances(AT)))


def test_missing_list_of_suffixes_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package of the public suffix list, the rules say in one sentence how to get it."""
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    _suffixes.cache_clear()
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'pinscher\[cli\]'"):
        is_public_suffix("co.uk")


def test_rules_go_by_the_facts_they_are_given() -> None:
    """With facts that know nobody, the rules that need facts are silent."""
    empty = read_facts(
        json.dumps({"format": 1, "date": "2026-01-01", "authorities": [], "networks": []}).encode(), source="x"
    )
    policy = Policy.loads(HEAD + _key("letsencrypt-r11", C, "intermediate") + f'{HOST}pins = ["letsencrypt-r11"]\n')
    rules = {finding.rule for finding in lint(policy, Circumstances(AT, facts=empty))}
    assert {"backup-pin"} == rules
