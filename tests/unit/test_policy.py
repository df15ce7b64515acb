"""The policy as a value: what code builds, what is found in it, and what it costs; the rules are those of ``policy``."""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import string
import timeit
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.entry import HostPolicy, InvalidPolicyError, Key, ReportChannel, UnlistedHosts, dotted
from pinscher.host import HostPattern, InvalidHostError
from pinscher.pin import Pin, PinSet
from pinscher.policy import Policy
from tests.strategies import HOSTS, LABELS, PATTERNS, policies, spelt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

A, B = Pin(b"a" * 32), Pin(b"b" * 32)
TEXT = f'format = 1\nname = "x"\nversion = 1\n[hosts."a.example"]\npins = ["{A}"]\n'


def entry(host: str = "a.example", pin: Pin = A, **values: Any) -> HostPolicy:
    """Return the entry of a host with one pin."""
    return HostPolicy(HostPattern.parse(host), PinSet([pin]), **values)


# One value, three forms.


@given(policies())
def test_a_policy_is_read_as_it_is_written(policy: Policy) -> None:
    """Canonical JSON, TOML and pickle each read back as an equal policy of the same digest."""
    for again in (
        Policy.loads(policy.to_json()),
        Policy.loads(policy.to_toml()),
        Policy.loads(policy.to_toml().encode()),
        pickle.loads(pickle.dumps(policy)),
        copy.deepcopy(policy),
    ):
        assert (policy, policy.digest, policy.to_json()) == (again, again.digest, again.to_json())
        assert hash(policy) == hash(again)
        assert {one.host: one for one in policy.hosts} == {one.host: one for one in again.hosts}
        assert (policy.keys, policy.reporting, policy.extensions) == (again.keys, again.reporting, again.extensions)
        assert (policy.name, policy.version, policy.unlisted_hosts) == (again.name, again.version, again.unlisted_hosts)


@given(policies())
def test_the_digest_is_that_of_the_canonical_json(policy: Policy) -> None:
    """A policy's digest is the SHA-256 of its canonical JSON, in lower-case hexadecimal, each time it is asked for."""
    assert [hashlib.sha256(policy.to_json()).hexdigest()] * 2 == [policy.digest, policy.digest]


@given(policies(), policies())
def test_policies_are_equal_when_they_say_the_same(one: Policy, other: Policy) -> None:
    """Two policies are equal exactly when their canonical JSON is."""
    assert (one.to_json() == other.to_json()) is (one == other)


def test_order_and_defaults_do_not_change_the_digest() -> None:
    """Hosts in another order, and a default that is written out, leave the digest as it is."""
    first, second = entry("a.example"), entry("b.example", B)
    policy = Policy([first, second])
    assert policy.digest == Policy([second, first]).digest
    written_out = policy.to_toml().replace("pins = ", 'mode = "enforce"\nredirects = "pinned-only"\npins = ')
    assert policy.digest == Policy.loads(written_out).digest


def test_order_of_pins_is_kept() -> None:
    """Pins keep the order they were written in, which the digest tells."""
    one, other = (Policy([HostPolicy(HostPattern("a.example"), PinSet(pins))]) for pins in ([A, B], [B, A]))
    assert one != other
    assert (A, B) == one.hosts[0].pinset.groups[0]  # type: ignore[union-attr]


# Rule 1: the most specific pattern wins.


def naive(policy: Policy, host: str) -> str | None:
    """Return the pattern that rule 1 selects, by trying all of them."""
    best: tuple[int, int, int] = (-1, -1, -1)
    found = None
    for pattern in (one.pattern for one in policy.hosts):
        stars = pattern.reach.value.count("*")
        if pattern.matches(host) and (rank := (int(not stars), len(pattern.name), -stars)) > best:
            best, found = rank, str(pattern)
    return found


@given(policies(), st.data())
def test_look_up_equals_a_naive_oracle(policy: Policy, data: st.DataObject) -> None:
    """Looking up a host gives the entry that trying every pattern gives, whatever the policy."""
    below = [one.pattern.name for one in policy.hosts]
    host = data.draw(
        st.one_of(
            HOSTS,
            st.sampled_from(below),
            st.builds("{}.{}".format, LABELS, st.sampled_from(below)).filter(lambda name: ":" not in name),
            st.builds("{}.{}.{}".format, LABELS, LABELS, st.sampled_from(below)).filter(lambda name: ":" not in name),
        ).filter(_is_host)
    )
    found = policy.lookup(host)
    assert naive(policy, host) == (None if found is None else found.host)


def _is_host(host: str) -> bool:
    try:
        HostPattern(host)
    except InvalidHostError:
        return False
    return True


@given(policies(), st.data())
def test_every_spelling_finds_the_same_entry(policy: Policy, data: st.DataObject) -> None:
    """Case and a trailing dot make no difference to a look-up."""
    name = data.draw(st.sampled_from(policy.hosts)).pattern.name
    if ":" not in name:
        assert policy.lookup(name) is policy.lookup(data.draw(spelt(name)))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("x.test", "**.x.test"),
        ("a.x.test", "*.x.test"),
        ("b.a.x.test", "**.x.test"),
        ("c.deep.x.test", "**.deep.x.test"),
        ("deep.x.test", "**.deep.x.test"),
        ("exact.x.test", "exact.x.test"),
        ("d.exact.x.test", "**.x.test"),
        ("x.test.evil", None),
        ("evilx.test", None),
        ("test", None),
        ("::1", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("1.2.3.4", None),
    ],
)
def test_exact_then_longest_suffix_then_one_star(host: str, expected: str | None) -> None:
    """An exact entry wins, then the longest suffix, then one star before two; a suffix ends at a dot."""
    policy = Policy([entry(one) for one in ("**.x.test", "*.x.test", "**.deep.x.test", "exact.x.test", "::1")])
    found = policy.lookup(host)
    assert expected == (None if found is None else found.host)


def test_a_suffix_may_be_one_label() -> None:
    """A pattern under a single label reaches every name below it."""
    policy = Policy([entry("**.example")])
    assert policy.hosts[0] is policy.lookup("a.b.example")
    assert policy.hosts[0] is policy.lookup("example")


# Rule 2: two entries for one pattern.


@given(PATTERNS, st.data())
def test_two_spellings_of_one_host_are_refused(pattern: str, data: st.DataObject) -> None:
    """Two entries whose patterns are the same host are refused, with the place of the second and the name of both."""
    other = data.draw(spelt(pattern).filter(lambda name: name != pattern)) if ":" not in pattern else "0" + pattern
    if ":" in pattern and not _is_host(other):
        return
    text = (
        f'format = 1\nname = "x"\nversion = 1\n[hosts."{pattern}"]\npins = ["{A}"]\n[hosts."{other}"]\npins = ["{B}"]'
    )
    with pytest.raises(InvalidPolicyError, match="a second entry") as caught:
        Policy.loads(text)
    assert (6, ("hosts", other)) == (caught.value.line, caught.value.keys)
    assert f"after {dotted(('hosts', pattern))};" in str(caught.value)


def test_a_name_and_its_a_label_are_one_host() -> None:
    """An internationalised name and its A-label are one host, and two entries for it are refused."""
    table = f'pins = ["{A}"]'
    with pytest.raises(InvalidPolicyError, match=r"a second entry for 'xn--bcher-kva.example'") as caught:
        Policy.loads(TEXT + f'[hosts."bücher.example"]\n{table}\n[hosts."XN--BCHER-KVA.example"]\n{table}')
    assert 8 == caught.value.line


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"hosts": [entry(), entry("A.example.", B)]}, 'hosts."a.example"'),
        ({"hosts": [entry()], "keys": [Key("k", A), Key("k", B)]}, "keys.k"),
        (
            {
                "hosts": [entry()],
                "reporting": [ReportChannel("r", "https://a.test"), ReportChannel("r", "https://b.test")],
            },
            "reporting.r",
        ),
    ],
)
def test_two_values_of_one_name_are_refused_in_code(parts: dict[str, Any], path: str) -> None:
    """Two entries of one name given in code are an error; the later never quietly replaces the earlier."""
    with pytest.raises(InvalidPolicyError, match="a second entry of this name") as caught:
        Policy(**parts)
    assert path == caught.value.path


# Rule 3: junk is an error.


@given(st.text(st.sampled_from(sorted({*string.punctuation, "\x00", "\n"} - set("-_:"))), min_size=1))
def test_looking_up_junk_is_an_error(host: str) -> None:
    """What is no host is an error and never "not found", also where unlisted hosts are allowed."""
    with pytest.raises(InvalidHostError):
        Policy([entry()], unlisted_hosts=UnlistedHosts.ALLOW).lookup(host)


# Rule 4: what a policy refers to is in it.


@pytest.mark.parametrize(
    ("parts", "path", "reason"),
    [
        ({"hosts": [entry(report_to=("main",))]}, 'hosts."a.example".report-to[0]', r"no \[reporting.main\]"),
        ({"hosts": [entry(alternate="b.example")]}, 'hosts."a.example".alternate', "not pinned by this policy"),
        (
            {"hosts": [entry(alternate="b.example"), HostPolicy(HostPattern("b.example"), unpinned="x")]},
            'hosts."a.example".alternate',
            "not pinned by this policy",
        ),
        ({"hosts": [entry(names={A: "k"})]}, 'hosts."a.example".pins[0]', "neither a pin"),
        ({"hosts": [entry(names={A: "k"})], "keys": [Key("k", B)]}, 'hosts."a.example"', "stands for another pin"),
        (
            {
                "hosts": [entry()],
                "keys": [Key("k", B)],
                "reporting": [ReportChannel("r", "https://a.test", pins=(A,), names={A: "k"})],
            },
            "reporting.r",
            "stands for another pin",
        ),
    ],
)
def test_references_are_checked_in_code(parts: dict[str, Any], path: str, reason: str) -> None:
    """A channel, alternate or key that a policy built in code names must be in it, and mean what the code meant."""
    with pytest.raises(InvalidPolicyError, match=reason) as caught:
        Policy(**parts)
    assert path == caught.value.path


def test_an_alternate_may_be_pinned_by_a_pattern() -> None:
    """An alternate is pinned also when a wider pattern pins it."""
    policy = Policy([entry(alternate="b.wide.example"), entry("*.wide.example", B)])
    assert "b.wide.example" == policy.hosts[0].alternate


@pytest.mark.parametrize(
    "parts",
    [
        {"hosts": []},
        {"name": ""},
        {"name": 3},
        {"name": "\ud800"},
        {"version": True},
        {"version": 2**53},
        {"unlisted_hosts": "off"},
        {"extensions": {"x": None}},
        {"extensions": {"x": "\ud800"}},
        {"extensions": {"\ud800": 1}},
        {"extensions": {1: 1}},
        {"extensions": {"x": {1: 1}}},
        {"extensions": {"critical": ["x"]}},
    ],
)
def test_code_is_held_to_the_rules_of_the_document(parts: dict[str, Any]) -> None:
    """What a document must not say, code must not say either."""
    with pytest.raises(InvalidPolicyError):
        Policy(**({"hosts": [entry()]} | parts))


# A policy does not change.


def test_nothing_reaches_into_a_policy() -> None:
    """Neither what it was built from nor what it hands out changes a policy."""
    given_in: dict[str, Any] = {"x": {"y": [1]}}
    hosts = [entry()]
    policy = Policy(hosts, extensions=given_in)
    digest = policy.digest
    hosts.clear()
    given_in["x"]["y"].append(2)
    policy.extensions["x"]["y"].append(3)
    assert {"x": {"y": [1]}} == policy.extensions
    assert digest == hashlib.sha256(policy.to_json()).hexdigest()


@pytest.mark.parametrize("name", ["keys", "reporting", "extensions"])
def test_views_of_a_policy_refuse_changes(name: str) -> None:
    """The tables that a policy hands out cannot be assigned to."""
    with pytest.raises(TypeError):
        getattr(Policy([entry()]), name)["k"] = 1


@pytest.mark.parametrize("name", ["name", "version", "_digest", "anything"])
def test_a_policy_refuses_changes(name: str) -> None:
    """No attribute of a policy can be set or deleted."""
    policy = Policy([entry()])
    with pytest.raises(AttributeError, match="a policy does not change"):
        setattr(policy, name, 1)
    with pytest.raises(AttributeError, match="a policy does not change"):
        delattr(policy, name)


def test_a_policy_equals_no_other_thing() -> None:
    """A policy is not equal to its own text."""
    policy = Policy([entry()])
    assert policy != policy.to_json()
    assert policy == policy  # noqa: PLR0124  (equality with itself takes the short way)


@given(policies())
def test_a_policy_is_shown_short_and_safe(policy: Policy) -> None:
    """A policy is shown in ASCII, on one line, without its pins."""
    shown = repr(policy)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) < 400


# The one file.


def write(path: Path, text: str | bytes) -> Path:
    """Write a policy file that only its owner can write."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return path


def _socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.skipif(os.name != "posix", reason="the kinds of files are those of POSIX")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "No such file"),
        (lambda path: path.mkdir(), "not a regular file"),
        (os.mkfifo, "not a regular file"),
        (_socket, "cannot be read"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: write(path, TEXT).chmod(0o602), "chmod o-w"),
        (lambda path: write(path, b""), "is empty"),
        (lambda path: write(path, b" \n"), "is empty"),
        (lambda path: write(path, TEXT.encode("utf-16")), "UTF-8"),
        (lambda path: write(path, TEXT[:-5]), "not TOML"),
        (lambda path: write(path, b" " * (16 * 1024 * 1024 + 1)), "at most 16 MiB"),
    ],
)
def test_what_is_no_policy_file_is_refused(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    """A file that is missing, special, writable by all, empty, damaged or too large is an error, and no descriptor leaks."""
    path = tmp_path / "pins.toml"
    make(path)
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    with pytest.raises(InvalidPolicyError, match=reason) as caught:
        Policy.load(path)
    assert str(path) == caught.value.source
    assert str(caught.value).startswith(str(path))
    if before:
        assert before == set(os.listdir("/proc/self/fd"))


def test_a_path_that_cannot_be_one_is_refused() -> None:
    """A path with a NUL is an error of the policy."""
    with pytest.raises(InvalidPolicyError, match=r"the policy cannot be read: .*null"):
        Policy.load("a\0b")


def test_a_file_that_fails_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """A disk that fails while the file is read makes an error of the policy, which keeps its cause."""
    memory = "/proc/self/mem"
    if not os.path.exists(memory):
        pytest.skip("this system has no file whose reading fails")
    path = tmp_path / "pins.toml"
    path.symlink_to(memory)
    with pytest.raises(InvalidPolicyError, match="cannot be read") as caught:
        Policy.load(path)
    assert isinstance(caught.value.__cause__, OSError)


def test_what_was_checked_is_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is swapped between the check and the reading is not read: the one that was opened is."""
    path = write(tmp_path / "pins.toml", TEXT)
    other = write(tmp_path / "other.toml", TEXT.replace(str(A), str(B)))
    checked = os.fstat

    def swapped(descriptor: int) -> os.stat_result:
        if other.exists():
            other.replace(path)
        return checked(descriptor)

    monkeypatch.setattr(os, "fstat", swapped)
    assert Policy.loads(TEXT) == Policy.load(path)
    assert not other.exists()


def test_errors_in_a_file_have_its_name_and_line(tmp_path: Path) -> None:
    """An error in a file is told with the file's path and the line."""
    path = write(tmp_path / "pins.toml", TEXT + "bogus = 1\n")
    with pytest.raises(InvalidPolicyError) as caught:
        Policy.load(str(path))
    assert f'{path}:6: hosts."a.example".bogus: unknown field' in str(caught.value)


# The cost.


def test_look_ups_do_not_grow_with_the_policy() -> None:
    """A look-up in a policy of 10,000 hosts costs about what it costs in one of 10."""

    def cost(count: int) -> float:
        hosts = [entry(f"host{number}.example") for number in range(count - 1)]
        policy = Policy([*hosts, entry("**.wide.example")])
        return min(timeit.repeat(lambda: policy.lookup("a.b.c.other.example"), number=300, repeat=15))

    assert cost(10_000) < 10 * cost(10)
