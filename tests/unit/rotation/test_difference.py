"""What a change of a policy means: rules of ``rotation.difference`` and ``rotation.entry_difference``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinscher.chain import ValidatedChain
from pinscher.entry import HostPolicy, Mode, OnExpiry, UnlistedHosts
from pinscher.host import HostPattern, canonical_host
from pinscher.pin import Pin, PinSet
from pinscher.policy import Policy
from pinscher.rotation import KINDS, Change, Effect, difference
from pinscher.verdict import Action, evaluate
from tests.certificates import named
from tests.strategies import policies

CERTIFICATES = [named(name) for name in "abcd"]
PINS = [Pin.of(der) for der in CERTIFICATES] + [Pin.of(CERTIFICATES[0], kind="certificate")]
A, B, C, D = map(str, PINS[:4])
BEFORE, LATER = datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
MOMENTS = [at + step for at in (BEFORE, LATER) for step in (-TICK, timedelta(), TICK)]
NAMES = ["x.test", "a.x.test", "b.a.x.test", "y.test"]
PATTERNS = [prefix + name for name in NAMES for prefix in ("", "*.", "**.")] + ["192.0.2.1"]
HOSTS = [more + name for name in NAMES for more in ("", "z.", "z.z.", "z.z.z.")] + ["192.0.2.1", "other.test", "test"]
CHAINS = [
    ValidatedChain(chain)
    for chain in (
        *([der] for der in CERTIFICATES),
        *([first, second] for first in CERTIFICATES[:3] for second in CERTIFICATES[1:]),
        [CERTIFICATES[0], b"junk"],
        [b"junk", CERTIFICATES[1]],
    )
]


@st.composite
def entries(draw: st.DrawFn, pattern: str) -> HostPolicy:
    """Draw an entry of few keys, moments and modes, so that two of them differ in little."""
    if draw(st.integers(0, 7)) == 0:
        return HostPolicy(HostPattern.parse(pattern), unpinned=draw(st.sampled_from(["public", "test"])))
    split = draw(st.lists(st.sampled_from("pbdn"), min_size=len(PINS), max_size=len(PINS)))
    groups = {letter: [pin for pin, group in zip(PINS, split, strict=True) if group == letter] for letter in "pbd"}
    mode = draw(st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.REPORT_ONLY]))
    return HostPolicy(
        HostPattern.parse(pattern),
        PinSet(groups["p"] or groups["b"] or PINS[-1:], backup_pins=groups["b"] if groups["p"] else [],
               denied_keys=groups["d"] if groups["p"] or groups["b"] else []),
        mode=mode,
        report_only_since=date(2026, 11, 1) if mode is Mode.REPORT_ONLY else None,
        expires=draw(st.sampled_from([None, BEFORE, LATER])),
        on_expiry=draw(st.sampled_from(OnExpiry)),
    )  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, entry: HostPolicy) -> HostPolicy:
    """Draw an entry of the same pattern that takes one thing from elsewhere."""
    other = draw(entries(str(entry.pattern)))
    if entry.pinset is None or other.pinset is None:
        return other
    name = draw(st.sampled_from(["pinset", "expires", "on_expiry", "mode"]))
    fields = {name: getattr(other, name)}
    if name == "mode":
        fields["report_only_since"] = other.report_only_since
    return replace(entry, **fields)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Policy, Policy]:
    """Draw two policies, of which the second shares most entries with the first."""
    old = draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=5, unique=True))
    before = {pattern: draw(entries(pattern)) for pattern in old}
    after = dict(before)
    for _ in range(draw(st.integers(0, 3))):
        pattern = draw(st.sampled_from(PATTERNS))
        what = draw(st.sampled_from(["drop", "change", "draw"]))
        if what == "draw":
            after[pattern] = draw(entries(pattern))
        elif what == "change" and pattern in after:
            after[pattern] = draw(changed(after[pattern]))
        elif len(after) > 1:
            after.pop(pattern, None)
    default = draw(st.sampled_from(UnlistedHosts))
    other = draw(st.sampled_from([default, default, *UnlistedHosts]))
    return (
        Policy(before.values(), unlisted_hosts=default),
        Policy(after.values(), unlisted_hosts=other, version=2),
    )


def actions(policy: Policy) -> list[bool]:
    """Return what a policy allows, for every host, chain and moment of this file."""
    return [
        evaluate(chain, policy, host=canonical_host(host), at=at).action is Action.ALLOW
        for host in HOSTS
        for chain in CHAINS
        for at in MOMENTS
    ]


SEEN: dict[tuple[bool, bool], int] = {}


@given(pairs())
@settings(max_examples=300)
def _hold(pair: tuple[Policy, Policy]) -> None:
    old, new = pair
    found = difference(old, new)
    steps = set(zip(actions(old), actions(new), strict=True))
    weakens = any(change.effect is Effect.WEAKENING for change in found)
    breaks = any(change.breaks for change in found)
    assert weakens or (False, True) not in steps, (old.to_toml(), new.to_toml())
    assert breaks or (True, False) not in steps, (old.to_toml(), new.to_toml())
    SEEN[weakens, breaks] = SEEN.get((weakens, breaks), 0) + 1


def test_no_weakening_means_that_nothing_more_is_allowed() -> None:
    """Without a weakening nothing refused becomes allowed, and where nothing breaks nothing allowed is refused."""
    SEEN.clear()
    _hold()
    assert set(SEEN) == {(first, second) for first in (False, True) for second in (False, True)}, SEEN


@given(policies(), policies())
@settings(max_examples=100)
def test_equal_policies_have_no_change(first: Policy, second: Policy) -> None:
    """Equal policies have no change, different ones have one, and every sentence is safe to show."""
    assert () == difference(first, Policy.loads(first.to_json()))
    found = difference(first, second)
    assert (first == second) is (found == ())
    assert all(change.sentence.isascii() and change.sentence.isprintable() for change in found)
    assert all(change.kind in KINDS for change in found)


HEAD = 'format = 1\nname = "bank"\n'
BASE = f'version = 1\n[keys.now]\npin = "{A}"\n[keys.next]\npin = "{B}"\n'
API = '[hosts."api.bank.test"]\npins = ["now"]\nbackup-pins = ["next"]\n'
CHANNEL = '[reporting.main]\nurl = "https://reports.test/v1"\n'


def told(old: str, new: str, *, base: str = BASE) -> list[Change]:
    """Return the changes between two policies of tables, the second of which has the next version."""
    after = base.replace("version = 1", "version = 2")
    return list(difference(Policy.loads(HEAD + base + old), Policy.loads(HEAD + after + new)))


def only(old: str, new: str) -> tuple[str, str, tuple[str, ...], bool]:
    """Return the one change between two policies."""
    (change,) = told(old, new)
    return change.kind, change.effect.value, change.hosts, change.breaks


EXPIRES = "expires = 2027-01-01T00:00:00Z\n"
UNPINNED = 'unpinned = "public"\n'
ENTRY = ("api.bank.test",)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (API, '[hosts."api.bank.test"]\n' + UNPINNED, ("unpinned", "weakening", ENTRY, False)),
        ('[hosts."api.bank.test"]\n' + UNPINNED, API, ("pinned", "strengthening", ENTRY, True)),
        (API, API + 'mode = "report-only"\nreport-only-since = 2026-11-01\n', ("mode", "weakening", ENTRY, False)),
        (API + 'mode = "report-only"\nreport-only-since = 2026-11-01\n', API, ("mode", "strengthening", ENTRY, True)),
        (API, API.replace('"now"', f'"now", "{C}"'), ("key-accepted", "weakening", ENTRY, False)),
        (API.replace('"now"', f'"now", "{C}"'), API, ("key-dropped", "strengthening", ENTRY, True)),
        (API + f'denied-keys = ["{C}"]\n', API, ("denied-key", "weakening", ENTRY, False)),
        (API, API + f'denied-keys = ["{C}"]\n', ("denied-key", "strengthening", ENTRY, True)),
        (API, API + EXPIRES, ("expiry", "neutral", ENTRY, False)),
        (API + EXPIRES, API + EXPIRES + 'on-expiry = "report"\n', ("expiry", "weakening", ENTRY, False)),
        (API + EXPIRES, API + EXPIRES + 'on-expiry = "fail"\n', ("expiry", "strengthening", ENTRY, True)),
        (
            API + EXPIRES + 'on-expiry = "fail"\n',
            API + EXPIRES.replace("2027", "2028") + 'on-expiry = "fail"\n',
            ("expiry", "weakening", ENTRY, False),
        ),
        (API, API + 'redirects = "allow"\n', ("redirects", "weakening", ENTRY, False)),
        (API + 'redirects = "allow"\n', API, ("redirects", "strengthening", ENTRY, True)),
        (API, API + 'on-mismatch = ["override"]\n', ("ladder", "weakening", ENTRY, False)),
        (API, API + 'on-mismatch = ["refresh"]\n', ("ladder", "neutral", ENTRY, False)),
        (API, API + 'alternate = "api.bank.test"\n', ("alternate", "neutral", ENTRY, False)),
        (API, API + 'note = "payments"\n', ("note", "neutral", ENTRY, False)),
        (API + CHANNEL, API + 'report-to = ["main"]\n' + CHANNEL, ("reporting", "strengthening", ENTRY, False)),
        (API + 'report-to = ["main"]\n' + CHANNEL, API + CHANNEL, ("reporting", "weakening", ENTRY, False)),
        (API + CHANNEL, API, ("reporting", "weakening", (), False)),
        (API, API + CHANNEL, ("reporting", "strengthening", (), False)),
        (API + CHANNEL, API + CHANNEL.replace("v1", "v2"), ("reporting", "weakening", (), False)),
        (API + CHANNEL, API + CHANNEL + "heartbeats = true\n", ("reporting", "strengthening", (), False)),
        (API + CHANNEL + "heartbeats = true\n", API + CHANNEL, ("reporting", "weakening", (), False)),
        (API + CHANNEL, API + CHANNEL + "allow-private = true\n", ("reporting", "weakening", (), False)),
        (API + CHANNEL, API + CHANNEL + 'pins = ["now"]\n', ("reporting", "strengthening", (), True)),
        (API + CHANNEL + 'pins = ["now"]\n', API + CHANNEL, ("reporting", "weakening", (), False)),
        (
            API + CHANNEL + 'pins = ["now"]\n',
            API + CHANNEL + 'pins = ["now", "next"]\n',
            ("reporting", "weakening", (), False),
        ),
        (
            API + CHANNEL + 'pins = ["now", "next"]\n',
            API + CHANNEL + 'pins = ["now"]\n',
            ("reporting", "strengthening", (), True),
        ),
        (API, API + f'[keys.third]\npin = "{C}"\n', ("key", "neutral", (), False)),
        (API + f'[keys.third]\npin = "{C}"\n', API, ("key", "neutral", (), False)),
        (API + f'[keys.third]\npin = "{C}"\n', API + f'[keys.third]\npin = "{D}"\n', ("key", "neutral", (), False)),
        (
            API + f'[keys.third]\npin = "{C}"\n',
            API + f'[keys.third]\npin = "{C}"\nrole = "leaf"\n',
            ("key", "neutral", (), False),
        ),
        (API, API + '[extensions]\nx = "y"\n', ("extensions", "neutral", (), False)),
        (API, "[defaults]\nunlisted-hosts = 'allow'\n" + API, ("unlisted-hosts", "weakening", (), False)),
        ("[defaults]\nunlisted-hosts = 'allow'\n" + API, API, ("unlisted-hosts", "strengthening", (), True)),
        (API, API.replace('"now"', f'"{A}"'), ("spelling", "neutral", (), False)),
        (API, API, ("spelling", "neutral", (), False)),
        (
            '[hosts."api.bank.test"]\nunpinned = "a"\n',
            '[hosts."api.bank.test"]\nunpinned = "b"\n',
            ("note", "neutral", ENTRY, False),
        ),
        (
            API + 'mode = "report-only"\nreport-only-since = 2026-11-01\n',
            API + 'mode = "report-only"\nreport-only-since = 2026-12-01\n',
            ("note", "neutral", ENTRY, False),
        ),
    ],
)
def test_each_change_is_told_once(old: str, new: str, expected: tuple[str, str, tuple[str, ...], bool]) -> None:
    """One thing said otherwise is one change, with its effect, its hosts, and whether it breaks clients."""
    assert expected == only(old, new)


def test_a_rotation_to_the_backup_is_told() -> None:
    """A rotation drops the old key, takes the backup into use, and is no weakening where a new backup is there before."""
    old = API.replace('["next"]', f'["next", "{C}"]')
    new = f'[hosts."api.bank.test"]\npins = ["next"]\nbackup-pins = ["{C}"]\n'
    assert [("key-dropped", "strengthening"), ("backup", "neutral")] == [
        (change.kind, change.effect.value) for change in told(old, new)
    ]


def test_losing_the_backup_is_a_weakening() -> None:
    """A host whose last backup pin goes is one accident away from an outage, and that is a weakening."""
    found = told(API, '[hosts."api.bank.test"]\npins = ["now"]\n')
    assert {("key-dropped", "strengthening"), ("backup", "weakening")} == {
        (change.kind, change.effect.value) for change in found
    }
    assert "backup" in [change.kind for change in told('[hosts."api.bank.test"]\npins = ["now"]\n', API)]


def test_a_key_taken_out_of_use_is_told() -> None:
    """A pin that becomes a backup decides the same and is told."""
    new = '[hosts."api.bank.test"]\npins = ["next"]\nbackup-pins = ["now"]\n'
    assert [("backup", "neutral")] * 2 == [(change.kind, change.effect.value) for change in told(API, new)]


def test_keys_without_a_common_one_break_everybody() -> None:
    """Two policies without a common key need different servers at the same time, and that is told."""
    found = told(API, f'[hosts."api.bank.test"]\npins = ["{C}"]\nbackup-pins = ["{D}"]\n')
    assert "no-common-key" in [change.kind for change in found if change.breaks]


WIDE = '[hosts."**.bank.test"]\npins = ["now"]\nbackup-pins = ["next"]\n'


def test_an_entry_under_a_wider_one_changes_its_pins_and_does_not_disappear() -> None:
    """A host whose entry goes falls under the wider pattern: its pins change, and it is not called unpinned."""
    own = f'[hosts."api.bank.test"]\npins = ["{C}"]\nbackup-pins = ["next"]\n'
    found = told(WIDE + own, WIDE)
    assert {"pattern", "key-accepted", "key-dropped"} == {change.kind for change in found}
    assert {ENTRY} == {change.hosts for change in found}


def test_an_entry_like_the_wider_one_can_go() -> None:
    """An entry that says what the wider one says can go, and nothing but the deciding entry changes."""
    assert ("pattern", "neutral", ENTRY, False) == only(WIDE + API, WIDE)


@pytest.mark.parametrize(
    ("default", "expected"),
    [("deny", ("unlisted", "strengthening", True)), ("allow", ("unpinned", "weakening", False))],
)
def test_a_pattern_that_reaches_less_names_the_hosts_it_leaves(default: str, expected: tuple[str, str, bool]) -> None:
    """A pattern that shrinks leaves the hosts that it no longer reaches, each kind of them named."""
    head = f'[defaults]\nunlisted-hosts = "{default}"\n'
    found = told(head + WIDE, head + WIDE.replace("**.", "*."))
    left = next(change for change in found if change.kind != "pattern")
    assert expected == (left.kind, left.effect.value, left.breaks)
    assert ("bank.test and more than one label below",) == left.hosts
    assert [("*.bank.test",)] == [change.hosts for change in found if change.kind == "pattern"]


@pytest.mark.parametrize(
    ("default", "entry", "expected"),
    [
        ("deny", WIDE, ("listed", "weakening", False)),
        ("deny", f'[hosts."**.bank.test"]\n{UNPINNED}', ("listed", "weakening", False)),
        ("allow", WIDE, ("pinned", "strengthening", True)),
        ("allow", f'[hosts."**.bank.test"]\n{UNPINNED}', ("listed", "neutral", False)),
        ("allow", f'{WIDE}mode = "report-only"\nreport-only-since = 2026-11-01\n', ("pinned", "neutral", False)),
        ("deny", f'{WIDE}mode = "report-only"\nreport-only-since = 2026-11-01\n', ("listed", "weakening", False)),
    ],
)
def test_a_new_entry_means_what_was_before(default: str, entry: str, expected: tuple[str, str, bool]) -> None:
    """A new entry opens hosts that were refused, and pins those that were let through."""
    other = f'[defaults]\nunlisted-hosts = "{default}"\n[hosts."other.test"]\n{UNPINNED}'
    (change,) = told(other, other + entry)
    assert (*expected, ("**.bank.test",)) == (change.kind, change.effect.value, change.breaks, change.hosts)


def test_an_exception_that_goes_is_no_weakening_where_unlisted_hosts_pass() -> None:
    """Without its exception a host is let through all the same where unlisted hosts are."""
    head = '[defaults]\nunlisted-hosts = "allow"\n' + WIDE
    other = head + f'[hosts."other.test"]\n{UNPINNED}'
    assert ("unlisted", "neutral", ("other.test",), False) == only(other, head)


def test_an_exception_that_is_pinned_for_reports_alone_is_neutral() -> None:
    """An exception that becomes report-only lets through what it did, and is told."""
    report = API + 'mode = "report-only"\nreport-only-since = 2026-11-01\n'
    assert ("pinned", "neutral", ENTRY, False) == only(f'[hosts."api.bank.test"]\n{UNPINNED}', report)


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_does_not_grow_is_a_weakening(version: int) -> None:
    """A changed policy whose version does not grow reaches nobody, or is a rollback."""
    old = Policy.loads(f"{HEAD}{BASE.replace('version = 1', 'version = 2')}{API}")
    new = Policy.loads(f"{HEAD}{BASE.replace('version = 1', f'version = {version}')}{API}note = 'x'\n")
    assert ("version", Effect.WEAKENING) == (difference(old, new)[0].kind, difference(old, new)[0].effect)


def test_another_name_is_told_escaped() -> None:
    """A policy's new name is told, and shows no escape sequence."""
    old = Policy.loads(f"{HEAD}{BASE}{API}")
    new = Policy.loads(f"{HEAD}{BASE}{API}".replace('"bank"', '"b\u00e4nk"').replace("version = 1", "version = 2"))
    (change,) = difference(old, new)
    assert ("name", r"the policy is called b\xe4nk; before, bank") == (change.kind, change.sentence)


def test_a_kind_outside_the_table_cannot_be_made() -> None:
    """A change is of a kind that the table knows."""
    with pytest.raises(ValueError, match="nonsense"):
        Change("nonsense", Effect.NEUTRAL, "x")


@given(st.data())
@settings(max_examples=200)
def test_one_entry_that_changes_is_judged_at_every_moment(data: st.DataObject) -> None:
    """Where one entry takes one thing from elsewhere, no moment and no chain is overlooked."""
    before = data.draw(entries("x.test"))
    pair = Policy([before]), Policy([data.draw(changed(before))], version=2)
    found = difference(*pair)
    steps = {
        tuple(evaluate(chain, one, host="x.test", at=at).action is Action.ALLOW for one in pair)
        for chain in CHAINS
        for at in MOMENTS
    }
    assert (False, True) not in steps or any(change.effect is Effect.WEAKENING for change in found)
    assert (True, False) not in steps or any(change.breaks for change in found)
