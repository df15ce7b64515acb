"""
Small worlds for the dialects: certificates, chains, hosts and policies that collide often, and the three properties.

An oracle is a function of this folder's tests that reads a written file by the platform's own matching rules, knows
nothing of Pinscher's, and answers whether a connection is let through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pinscher.chain import ValidatedChain
from pinscher.entry import HostPolicy, Key, Mode, OnExpiry, Role, UnlistedHosts
from pinscher.formats import Choices, Format, FormatLossError
from pinscher.host import HostPattern
from pinscher.pin import Pin, PinKind, PinSet
from pinscher.policy import Policy
from pinscher.verdict import Action, evaluate

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
EXPIRY = datetime(2027, 3, 1, tzinfo=UTC)
MOMENTS = (AT, EXPIRY + timedelta(days=3))


def _sequence(*parts: bytes, tag: int = 0x30) -> bytes:
    body = b"".join(parts)
    return bytes([tag, len(body)]) + body


@dataclass(frozen=True)
class Certificate:
    """A certificate that nobody signed: enough DER for its key to be cut out."""

    name: str
    role: Role

    @property
    def spki(self) -> bytes:
        """The subjectPublicKeyInfo."""
        return _sequence(_sequence(b"\x06\x01\x2a"), b"\x03\x09\x00" + self.name.encode().ljust(8))

    @property
    def der(self) -> bytes:
        """The whole certificate."""
        tbs = _sequence(b"\x02\x01\x01", *[_sequence()] * 4, self.spki)
        return _sequence(tbs, _sequence(), b"\x03\x01\x00")

    @property
    def pin(self) -> Pin:
        """The pin of the key."""
        return Pin(hashlib.sha256(self.spki).digest())

    @property
    def certificate_pin(self) -> Pin:
        """The pin of the whole."""
        return Pin(hashlib.sha256(self.der).digest(), kind=PinKind.CERTIFICATE)


LEAVES = tuple(Certificate(f"leaf{number}", Role.LEAF) for number in range(3))
INTERMEDIATES = tuple(Certificate(f"inter{number}", Role.INTERMEDIATE) for number in range(2))
ROOTS = tuple(Certificate(f"root{number}", Role.ROOT) for number in range(2))
CERTIFICATES = LEAVES + INTERMEDIATES + ROOTS
Chain = tuple[Certificate, ...]
CHAINS: tuple[Chain, ...] = (
    *((leaf, intermediate, root) for leaf in LEAVES for intermediate in INTERMEDIATES for root in ROOTS),
    *((leaf, root) for leaf in LEAVES[:1] for root in ROOTS),
    (LEAVES[2],),
)
BASES = ("bank.com", "shop.org")
NAMES = tuple(prefix + base for base in BASES for prefix in ("", "a.", "b.", "a.a.", "b.a.", "c.b.a."))
ADDRESSES = ("192.0.2.7", "2001:db8::1")
HOSTS = (*NAMES, *ADDRESSES, *(f"{more}.{name}" for name in NAMES[:8] for more in ("z", "z.z")), "elsewhere.net", "com")
Oracle = Callable[[str, Chain, datetime], bool]
_LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=9)
GENERATED = st.builds(
    lambda labels, base, glue: ".".join(labels) + glue + base,
    st.lists(_LABEL, min_size=1, max_size=3),
    st.sampled_from(NAMES),
    st.sampled_from([".", ".", ""]),
)
"""Hosts below, and merely beside, the listed names; every dialect meets thousands of them."""


def spki_digests(chain: Chain) -> set[bytes]:
    """Return the SHA-256 of every key of a chain."""
    return {hashlib.sha256(certificate.spki).digest() for certificate in chain}


def allowed(policy: Policy, host: str, chain: Chain, at: datetime) -> bool:
    """Tell whether the policy itself lets a connection through."""
    validated = ValidatedChain(certificate.der for certificate in chain)
    return evaluate(validated, policy, host=host, at=at).action is Action.ALLOW


@st.composite
def policies(draw: st.DrawFn, *, patterns: bool = True, most_hosts: int = 4) -> Policy:
    """Draw a policy that uses few features, so that many can be written, or many, so that some are refused."""
    is_rich = draw(st.sampled_from([False, False, True]))
    prefixes = ["", "*.", "**."] if patterns else [""]
    listed = st.builds(lambda prefix, name: prefix + name, st.sampled_from(prefixes), st.sampled_from(NAMES))
    if is_rich:
        listed |= st.sampled_from(ADDRESSES)
    hosts = draw(st.lists(listed, min_size=1, max_size=most_hosts, unique=True))
    pool = draw(st.sampled_from([LEAVES, INTERMEDIATES + ROOTS, CERTIFICATES]))
    entries = [draw(_entries(host, pool, is_rich=is_rich)) for host in hosts]
    roles = not is_rich or draw(st.booleans())
    return Policy(
        entries,
        name="world",
        unlisted_hosts=draw(st.sampled_from(UnlistedHosts)) if is_rich else UnlistedHosts.ALLOW,
        keys=[_key(certificate, roles=roles) for certificate in CERTIFICATES] + _certificate_keys(),
    )


def _key(certificate: Certificate, *, roles: bool) -> Key:
    return Key(certificate.name, certificate.pin, role=certificate.role if roles else Role.ANY)


def _certificate_keys() -> list[Key]:
    return [Key(f"whole-{one.name}", one.certificate_pin, role=one.role) for one in CERTIFICATES]


@st.composite
def single_hosts(draw: st.DrawFn, *, certificates: bool = False, most_hosts: int = 3) -> Policy:
    """Draw a policy of single hosts that pin leaves: their keys, their certificates, or both."""
    hosts = draw(st.lists(st.sampled_from(NAMES + ADDRESSES[:1]), min_size=1, max_size=most_hosts, unique=True))
    kinds = st.sampled_from(["certificate_pin", "pin"] if certificates else ["pin"])
    pin = st.builds(getattr, st.sampled_from(LEAVES), kinds)
    entries = [
        HostPolicy(HostPattern.parse(host), PinSet(draw(st.lists(pin, min_size=1, max_size=2, unique=True))))
        for host in hosts
    ]
    keys = [_key(one, roles=True) for one in CERTIFICATES] + _certificate_keys()
    return Policy(entries, name="world", unlisted_hosts=UnlistedHosts.ALLOW, keys=keys)


@st.composite
def _entries(draw: st.DrawFn, host: str, pool: Chain, *, is_rich: bool) -> HostPolicy:
    pattern = HostPattern.parse(host)
    kind = draw(st.sampled_from(["pinned"] * 7 + ["unpinned"]))
    if kind == "unpinned":
        return HostPolicy(pattern, unpinned="public")
    chosen = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3, unique=True))
    pins = [one.pin for one in chosen]
    if is_rich and draw(st.booleans()):
        pins += [one.certificate_pin for one in draw(st.lists(st.sampled_from(pool), max_size=2, unique=True))]
    denied = draw(st.lists(st.sampled_from(CERTIFICATES), max_size=1)) if is_rich else []
    mode = draw(st.sampled_from([Mode.ENFORCE] * 7 + [Mode.REPORT_ONLY]))
    on_expiry = draw(st.sampled_from(OnExpiry)) if is_rich else OnExpiry.KEEP_ENFORCING
    return HostPolicy(
        pattern,
        PinSet(pins[:1], backup_pins=pins[1:], denied_keys=[one.pin for one in denied if one.pin not in pins]),
        mode=mode,
        report_only_since=date(2026, 11, 1) if mode is Mode.REPORT_ONLY else None,
        expires=draw(st.sampled_from([None, EXPIRY, EXPIRY + timedelta(hours=5)])),
        on_expiry=on_expiry,
    )


def hold(
    dialect: Format,
    policy: Policy,
    oracle: Callable[[bytes], Oracle],
    choices: Choices,
    *,
    hosts: tuple[str, ...] = HOSTS,
) -> bool:
    """
    Hold one policy to the three properties of a dialect; tell whether it was written rather than refused.

    The file decides as the policy does; so does the policy that is read back from it; and so does the file that is
    written from that one.
    """
    assert dialect.write is not None
    try:
        written = dialect.write(policy, choices)
    except FormatLossError:
        return False
    agree(policy, oracle(written), hosts)
    if dialect.read is not None and any(entry.pinset for entry in policy.hosts):
        again = dialect.read(written, choices).policy
        agree(again, oracle(written), hosts)
        try:
            rewritten = dialect.write(again, choices)
        except FormatLossError:
            return True
        agree(policy, oracle(rewritten), hosts)
    return True


def agree(policy: Policy, oracle: Oracle, hosts: tuple[str, ...]) -> None:
    """Check that a policy and an oracle decide alike on every host, chain and moment."""
    for host in hosts:
        for chain in CHAINS:
            for at in MOMENTS:
                wanted = allowed(policy, host, chain, at)
                assert wanted == oracle(host, chain, at), (host, [one.name for one in chain], at, policy.to_toml())


def hold_always(
    dialect: Format,
    oracle: Callable[[bytes], Oracle],
    choices: Choices,
    drawn: st.SearchStrategy[Policy] | None = None,
    *,
    hosts: tuple[str, ...] | None = HOSTS,
    generates: bool = True,
    examples: int = 250,
) -> None:
    """
    Hold a dialect to its properties on many drawn policies, of which a good part has to be written.

    *hosts* is None for a file that is used with the listed hosts alone. Without *generates* none are made up beside
    them, for an oracle that has to be asked about all of them at once.
    """
    written: list[bool] = []

    @given(policies() if drawn is None else drawn, st.lists(GENERATED, max_size=6))
    @settings(max_examples=examples)
    def properties(policy: Policy, generated: list[str]) -> None:
        tried = tuple(entry.host for entry in policy.hosts) if hosts is None else hosts
        if hosts is HOSTS and generates:
            tried += tuple(generated)
        written.append(hold(dialect, policy, oracle, choices, hosts=tried))

    properties()
    assert sum(written) > len(written) // 20, "the property would be empty if nearly everything were refused"


def policy_of(*tables: str, defaults: str = 'unlisted-hosts = "allow"', roles: bool = True) -> Policy:
    """Return a policy of TOML tables, whose keys are those of the drawn worlds."""
    keys = "".join(
        f'[keys.{one.name}]\npin = "{one.pin}"\n' + (f'role = "{one.role.value}"\n' if roles else "")
        for one in CERTIFICATES
    )
    head = f'format = 1\nname = "p"\nversion = 1\n[defaults]\n{defaults}\n'
    return Policy.loads(head + keys + "\n".join(tables))


def host_table(pattern: str, *lines: str, pins: str = "leaf0 leaf1") -> str:
    """Return one host table that pins keys of the drawn worlds, by name."""
    return "\n".join([f'[hosts."{pattern}"]', f"pins = {pins.split()!r}", *lines])
