"""Hosts have one form, the one that TLS verifies, and patterns reach exactly as far as they say."""

from __future__ import annotations

import copy
import ipaddress
import pickle
import re
import ssl

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pinscher.host import HostPattern, InvalidHostError, Reach, canonical_host, is_ip_literal

LABEL = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,6}[a-z0-9_])?", fullmatch=True).filter(
    lambda label: not label.startswith("xn--")
)
HOST = (
    st.lists(LABEL, min_size=1, max_size=5)
    .map(".".join)
    .filter(lambda name: re.fullmatch("[0-9]+|0x[0-9a-f]*", name.rpartition(".")[2]) is None)
)
CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NEARLY_HOST = st.one_of(
    st.text(max_size=80),
    st.text("aB1K.-_ß\u017fK\u3002\uff0e\uff71\u0130\u0131:[]%*@/\x00 xn\u200d\u0301", max_size=24),
    HOST.map(str.upper),
)


def name_that_ssl_verifies(host: str) -> str:
    """Return what ``ssl`` hands to OpenSSL for a host."""
    name = CLIENT.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=host).server_hostname
    assert isinstance(name, str)
    return name


# Rules 1 and 2: one form, and it is the one that TLS verified.


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("api.bank.example", "api.bank.example"),
        ("API.Bank.Example", "api.bank.example"),
        ("api.bank.example.", "api.bank.example"),
        ("localhost", "localhost"),
        ("_dmarc.bank.example", "_dmarc.bank.example"),
        ("a--b.example", "a--b.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("\uff50inned.test", "pinned.test"),
        ("pinned\u3002test", "pinned.test"),
        ("pinned\uff0etest\uff0e", "pinned.test"),
        ("\u212aiwi.test", "kiwi.test"),
        ("\u017fafe.test", "safe.test"),
        ("faß.test", "fass.test"),
        ("a\u2024b.test", "a.b.test"),
        ("a\u00adb.test", "ab.test"),
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4.", "1.2.3.4"),
        ("\uff11.2.3.4", "1.2.3.4"),
        ("255.255.255.255", "255.255.255.255"),
        ("4.example", "4.example"),
        ("0x7f.example", "0x7f.example"),
        ("1.2.3.4.example", "1.2.3.4.example"),
        ("::", "::"),
        ("::1", "::1"),
        ("1::", "1::"),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("::ffff:1.2.3.4", "::ffff:102:304"),
        ("0:0:1:0:0:0:1:1", "0:0:1::1:1"),
        ("a." * 126 + "a", "a." * 126 + "a"),
        ("a." * 126 + "a.", "a." * 126 + "a"),
        ("a" * 63 + ".b", "a" * 63 + ".b"),
    ],
)
def test_the_one_form_of_a_host(host: str, canonical: str) -> None:
    """Rules 1 and 2: spellings that TLS verifies alike have one form, which is its own form."""
    assert canonical == canonical_host(host)
    assert canonical == canonical_host(canonical)


@given(NEARLY_HOST)
@example("a.\u3002b")
@example("\ud800.test")
@example("xn--\udfff")
@example("\u2100.test")
@example("ﷺ" * 60)
@example("1.2.3.4\u3002")
def test_any_text_is_a_host_or_the_one_error(host: str) -> None:
    """No text raises anything but InvalidHostError, and the form of a form is itself."""
    try:
        canonical = canonical_host(host)
    except InvalidHostError as error:
        assert host == error.host
        assert str(error).isascii()
        assert str(error).isprintable()
        return
    assert canonical == canonical_host(canonical) == canonical.lower()
    assert canonical.isascii()
    assert not canonical.endswith(".")
    assert is_ip_literal(canonical) == _is_address(canonical)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@given(NEARLY_HOST)
@example("\uff50inned.test")
@example("Pinned.Test.")
@example("a\u2024b")
@example("::FFFF")
@example("xn--a.ß")
def test_the_form_agrees_with_the_name_that_tls_verified(host: str) -> None:
    """Rule 2: for every text that both take, the policy is looked up by the very name that OpenSSL compared."""
    try:
        canonical, verified = canonical_host(host), name_that_ssl_verifies(host)
    except ValueError:
        assume(False)
        return
    if ":" in canonical:
        assert ipaddress.ip_address(verified) == ipaddress.ip_address(canonical)
    else:
        assert verified.lower().removesuffix(".") == canonical
    assert canonical == canonical_host(verified)


@given(HOST)
def test_every_ordinary_name_is_taken(host: str) -> None:
    """A name of letters, digits, hyphens and underscores is its own form, in either case, with or without the dot."""
    assert {host} == {canonical_host(spelt) for spelt in (host, host.upper(), host + ".", host.title() + ".")}


@given(st.ip_addresses())
def test_every_address_has_the_form_of_the_standard_library(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """An address is written as RFC 5952 says, however it was spelt."""
    canonical = canonical_host(address.exploded.upper())
    assert address == ipaddress.ip_address(canonical)
    assert is_ip_literal(canonical)
    assert canonical == canonical_host(address.compressed)
    if address.version == 4 or "." not in str(address):
        assert str(address) == canonical


# Rule 3: junk is refused, and never "not found" (threat 8).


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("", "it has an empty label"),
        (".", "it has an empty label"),
        ("..", "it has an empty label"),
        (".bank.example", "it has an empty label"),
        ("bank..example", "it has an empty label"),
        ("bank.example..", "it has an empty label"),
        ("a\u2026b", "it has an empty label"),
        ("a.\u3002b", "it has no A-label form (RFC 3490)"),
        ("\u00ad.test", "it has no A-label form (RFC 3490)"),
        ("\u202e.test", "it has no A-label form (RFC 3490)"),
        ("\ud800.test", "it has no A-label form (RFC 3490)"),
        ("xn--é.test", "it has no A-label form (RFC 3490)"),
        ("ü" * 64 + ".test", "it has no A-label form (RFC 3490)"),
        ("a" * 64 + ".test", "a label has 64 octets, at most 63 fit"),
        ("a" * 255, "it has 255 characters, a DNS name has at most 253"),
        ("a." * 127 + "a", "it has 255 characters, a DNS name has at most 253"),
        ("a." * 126 + "aa", "it has 254 octets, a DNS name has at most 253"),
        ("x" * 10_000_000, "it has 10000000 characters, a DNS name has at most 253"),
        ("bank.example\x00.evil.example", "a label holds letters, digits, hyphens and underscores"),
        ("bank.\x00ü.example", "a label holds letters, digits, hyphens and underscores"),
        ("bank.example\r\nX", "a label holds letters, digits, hyphens and underscores"),
        ("bank.example ", "a label holds letters, digits, hyphens and underscores"),
        (" bank.example", "a label holds letters, digits, hyphens and underscores"),
        ("bank\texample", "a label holds letters, digits, hyphens and underscores"),
        ("ba\\nk.example", "a label holds letters, digits, hyphens and underscores"),
        ("bank.example?x", "a label holds letters, digits, hyphens and underscores"),
        ("user@bank.example", "give the host alone, without a user"),
        ("https//bank.example", "give the host alone, without scheme or path"),
        ("bank.example/path", "give the host alone, without scheme or path"),
        ("https://bank.example", "a colon stands only in an IPv6 address; give a port apart"),
        ("bank.example:443", "a colon stands only in an IPv6 address; give a port apart"),
        ("bank.example\uff1a443", "a colon stands only in an IPv6 address written in ASCII"),
        ("\uff1a\uff1a1", "a colon stands only in an IPv6 address written in ASCII"),
        ("ü:1", "a colon stands only in an IPv6 address; give a port apart"),
        ("1.2.3.4:443", "a colon stands only in an IPv6 address; give a port apart"),
        ("[::1]", "write an IPv6 address without brackets, and the port apart"),
        ("[::1]:443", "write an IPv6 address without brackets, and the port apart"),
        ("[1.2.3.4]", "write an IP address without brackets"),
        ("fe80::1%eth0", "a zone identifier is not part of the name that a certificate carries"),
        ("1::2::3", "a colon stands only in an IPv6 address; give a port apart"),
        ("::\u0661", "a colon stands only in an IPv6 address; give a port apart"),
        ("::1.", "a colon stands only in an IPv6 address; give a port apart"),
        ("::1.2.3.04", "a colon stands only in an IPv6 address; give a port apart"),
        ("-bank.example", "a label neither begins nor ends with a hyphen (RFC 952)"),
        ("bank-.example", "a label neither begins nor ends with a hyphen (RFC 952)"),
        ("*.bank.example", "a star stands only in a policy's pattern, as the whole first label: '*.' or '**.'"),
        ("a\u2100b.test", "give the host alone, without scheme or path"),
    ],
)
def test_junk_is_refused_with_the_reason(host: str, reason: str) -> None:
    """Rule 3: what can be neither a name nor an address is refused, and the reason says what to write instead."""
    with pytest.raises(InvalidHostError) as caught:
        canonical_host(host)
    assert (host, reason) == (caught.value.host, caught.value.reason)
    assert str(caught.value).endswith(f" cannot be used: {reason}")
    assert len(str(caught.value)) < 450


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.0x1",
        "0x",
        "256.1.1.1",
        "1.2.3.4.5",
        "1.2.3",
        "1.2.3.1000",
        "1.2.3.010",
        "bank.example.1",
        "bank.0x1",
        "1.2.3.00",
        "\uff11\uff12\uff17.1",
        "9" * 60,
        "a.0xffffffffff",
    ],
)
def test_an_address_in_disguise_is_refused(host: str) -> None:
    """Rule 4: short, octal, hexadecimal and overlong forms, which resolvers take for addresses, are no host."""
    with pytest.raises(InvalidHostError, match="an IPv4 address is four decimal numbers from 0 to 255"):
        canonical_host(host)


@pytest.mark.parametrize("host", [None, 1, b"bank.example", 1.5, ("a",), ssl])
def test_what_is_not_text_is_refused(host: object) -> None:
    """A host that is not text is named by its type alone."""
    with pytest.raises(InvalidHostError) as caught:
        canonical_host(host)  # type: ignore[arg-type]
    assert f"host {type(host).__name__!r} cannot be used: a host is text" == str(caught.value)


def test_the_error_survives_a_process_boundary() -> None:
    """The error pickles and copies with its host, its reason and the same text."""
    error = InvalidHostError("a b", "a reason")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(error), "a b", "a reason") == (str(again), again.host, again.reason)


# Attacks on others, named.


def test_cve_2021_0341_unicode_case_folding_makes_no_second_name() -> None:
    """
    No letter outside ASCII becomes an ASCII one by lower-casing alone.

    https://nvd.nist.gov/vuln/detail/CVE-2021-0341: OkHttp lower-cased Unicode, so that a KELVIN SIGN compared equal to
    a name that TLS had not verified. Here such a letter is mapped exactly as ``ssl`` maps it before it verifies.
    """
    for letter in map(chr, range(0x80, 0x11000)):
        try:
            canonical = canonical_host(f"a{letter}.test")
        except InvalidHostError:
            continue
        assert name_of_idna(f"a{letter}.test") == canonical, ascii(letter)
    assert name_that_ssl_verifies("\u212aiwi.test") == canonical_host("\u212aiwi.test")


def name_of_idna(host: str) -> str:
    """Return the name as ``ssl`` encodes it, in lower case."""
    return host.encode("idna").decode("ascii").lower()


def test_okhttp_9724_a_trailing_dot_is_the_same_host() -> None:
    """A trailing dot does not lead past the pins (https://github.com/square/okhttp/issues/9724)."""
    assert HostPattern.parse("bank.example.") == HostPattern.parse("bank.example")
    assert HostPattern.parse("*.bank.example").matches(canonical_host("api.bank.example."))


def test_cve_2026_48618_the_host_is_normalised_once_for_both_sides() -> None:
    """
    What a policy lists and what a client asks for go through one function.

    https://nvd.nist.gov/vuln/detail/CVE-2026-48618: Node normalised a host differently for its identity check.
    """
    for spelt in ("BÜCHER.example", "bücher\u3002example", "bücher.example.", "xn--BCHER-kva.example"):
        assert HostPattern.parse(spelt).matches(canonical_host("bücher.EXAMPLE"))


def test_cve_2026_48928_upper_case_is_the_same_host() -> None:
    """Case does not lead past the pins (https://nvd.nist.gov/vuln/detail/CVE-2026-48928)."""
    assert HostPattern.parse("bank.example").matches(canonical_host("BANK.EXAMPLE"))


def test_cve_2026_48930_an_embedded_nul_is_no_host() -> None:
    """A NUL ends no name early; it refuses it (https://nvd.nist.gov/vuln/detail/CVE-2026-48930)."""
    for text in ("bank.example\x00.evil.test", "\x00", "bank.example\x00"):
        with pytest.raises(InvalidHostError):
            canonical_host(text)


# Rule 5: how far a pattern reaches.


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("bank.example", ["bank.example"], ["a.bank.example", "xbank.example", "example"]),
        (
            "*.bank.example",
            ["a.bank.example"],
            ["bank.example", "a.b.bank.example", "abank.example", "a.bank.example2"],
        ),
        ("**.bank.example", ["bank.example", "a.bank.example", "a.b.c.bank.example"], ["xbank.example", "example"]),
        ("**.example", ["example", "a.example"], ["a.test"]),
        ("*.BÜCHER.example.", ["a.xn--bcher-kva.example"], ["xn--bcher-kva.example"]),
        ("1.2.3.4", ["1.2.3.4"], ["11.2.3.4", "2.3.4.example"]),
        ("::1", ["::1"], ["::2", "1::1"]),
    ],
)
def test_how_far_a_pattern_reaches(pattern: str, matching: list[str], other: list[str]) -> None:
    """Rule 5: '*.x' is exactly one more label, '**.x' is x and everything below, and an address is itself alone."""
    parsed = HostPattern.parse(pattern)
    assert [True] * len(matching) == [parsed.matches(host) for host in matching]
    assert [False] * len(other) == [parsed.matches(host) for host in other]


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "**",
        "*.",
        "**.",
        "***.x.test",
        "*x.test",
        "x*.test",
        "a.*.test",
        "*.*.test",
        "**.*.x",
        "*.**.x",
        "**x.test",
        ".x.test",
        "*..x",
        "*.x..y",
        "**.x:443",
        "* .x",
        "*.[::1]",
        "",
        "\uff0a.x.test",
    ],
)
def test_a_star_stands_nowhere_else(text: str) -> None:
    """Rule 5: a star inside a label, in the middle of a name or alone is refused."""
    with pytest.raises(InvalidHostError):
        HostPattern.parse(text)


@pytest.mark.parametrize("text", ["*.1.2.3.4", "**.1.2.3.4", "*.::1", "**.2001:db8::1"])
def test_an_address_has_nothing_below_it(text: str) -> None:
    """Rule 4: no pattern reaches an address (RFC 7469 section 2.3.3)."""
    with pytest.raises(InvalidHostError, match="an IP address has no names below it"):
        HostPattern.parse(text)


@pytest.mark.parametrize("text", ["*.3.4", "**.4", "*.2.3.4"])
def test_a_part_of_an_address_is_no_name(text: str) -> None:
    """Rule 4: '*.2.3.4' does not reach 1.2.3.4."""
    with pytest.raises(InvalidHostError, match="an IPv4 address is four decimal numbers"):
        HostPattern.parse(text)


@pytest.mark.parametrize("text", [None, b"*.x", 1, []])
def test_a_pattern_is_text(text: object) -> None:
    """A pattern that is not text is refused as a host is."""
    with pytest.raises(InvalidHostError, match="a host is text"):
        HostPattern.parse(text)  # type: ignore[arg-type]


def naive_match(pattern: str, host: str) -> bool:
    """Say the same as ``matches`` in the plainest way."""
    wanted, asked = pattern.split("."), host.split(".")
    if wanted[0] == "*":
        return len(asked) == len(wanted) and asked[1:] == wanted[1:]
    if wanted[0] == "**":
        return len(asked) >= len(wanted) - 1 and asked[len(asked) - len(wanted) + 1 :] == wanted[1:]
    return asked == wanted


FEW = st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=1, max_size=4).map(".".join)


@given(st.sampled_from(["", "*.", "**."]), FEW, FEW)
def test_a_pattern_matches_as_the_plainest_reading_says(stars: str, name: str, host: str) -> None:
    """Rule 5: matching equals a comparison label by label."""
    assert naive_match(stars + name, host) == HostPattern.parse(stars + name).matches(host)


@given(st.sampled_from(list(Reach)), HOST)
def test_a_pattern_is_read_as_it_is_written(reach: Reach, name: str) -> None:
    """Reading what a pattern writes gives the same pattern, also across processes."""
    pattern = HostPattern(name.upper(), reach=reach)
    assert pattern == HostPattern.parse(str(pattern)) == pickle.loads(pickle.dumps(pattern))
    assert {pattern} == {HostPattern.parse(f"{reach.value}{name}.")}
