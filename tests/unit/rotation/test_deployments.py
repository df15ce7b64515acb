"""The inventory of what is deployed."""

from __future__ import annotations

import pickle
from datetime import date
from decimal import Decimal

import pytest

from pinscher.document import LARGEST_TEXT
from pinscher.errors import PinningError
from pinscher.policy import InvalidPolicyError, Policy
from pinscher.rotation.deployments import InvalidDeploymentsError, read_deployments

PIN = "sha256/NahLU0GZuWlQxC5iyWPffbj545x3cCad5I+tsIssZ4M="
POLICY = Policy.loads(f'format = 1\nname = "x"\nversion = 1\n[hosts."a.example"]\npins = ["{PIN}"]\n')
ONE = '[[deployments]]\napplication = "bank"\nversion = "2.3"\npolicy = "pins.toml"\n'
GOOD = f"format = 1\n\n{ONE}since = 2026-11-01\nshare = 0.3\n\n{ONE.replace('2.3', '2.4')}"


def _read(path: str) -> Policy:
    if path != "pins.toml":
        raise InvalidPolicyError("no such file", source=path)
    return POLICY


def test_inventory_is_read_in_order() -> None:
    """An inventory gives each version with its policy, and None for a day or a share that it does not say."""
    first, second = read_deployments(GOOD.encode(), source="deployments.toml", read=_read)
    assert ("bank", "2.3", "pins.toml", POLICY) == (first.application, first.version, first.file, first.policy)
    assert (date(2026, 11, 1), Decimal("0.3")) == (first.since, first.share)
    assert ("2.4", None, None) == (second.version, second.since, second.share)


def test_shares_that_come_to_one_are_good() -> None:
    """Ten shares of a tenth come to one, and applications are counted apart."""
    entries = "".join(f"{ONE.replace('2.3', str(number))}share = 0.1\n" for number in range(10))
    entries += f"{ONE.replace('bank', 'shop')}share = 1\n"
    found = read_deployments(f"format = 1\n{entries}".encode(), source="x", read=_read)
    assert 2 == sum(one.share or 0 for one in found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "d.toml: expected TOML with format = 1"),
        ('{"format": 1}', "d.toml: expected TOML with format = 1"),
        ("format = ", "d.toml:1: not TOML: Invalid value"),
        ("other = 1", "d.toml:1: other: unknown field"),
        ("format = 2", "d.toml:1: format: expected format = 1"),
        ("format = true", "d.toml:1: format: expected format = 1"),
        ("format = 1", "d.toml: deployments: expected 1 to 10000 tables [[deployments]]"),
        ("format = 1\ndeployments = [1]", "d.toml: deployments[0]: expected a table"),
        (f"format = 1\n{ONE}surprise = 1", "d.toml:6: deployments[0].surprise: unknown field; there are application,"),
        (f"{GOOD}share = 1.5", "d.toml:14: deployments[1].share: expected a share of the application's users, from 0"),
        (f"{GOOD}share = nan", "d.toml:14: deployments[1].share: expected a share"),
        (f"{GOOD}share = true", "d.toml:14: deployments[1].share: expected a share"),
        (f"{GOOD}share = 0.71", "d.toml:14: deployments[1].share: the shares of bank come to 1.01, more than 1"),
        (f"{GOOD}since = 2026-11-01T00:00:00Z", "d.toml:14: deployments[1].since: expected a day without quotes"),
        (f"{GOOD}\n{ONE}", "d.toml:17: deployments[2].version: a second entry for bank 2.3"),
        (GOOD.replace("pins", "gone"), "d.toml:6: deployments[0].policy: gone.toml: no such file"),
        (GOOD.replace('"2.3"', "2.3"), "d.toml:5: deployments[0].version: expected a text in quotes, found float"),
        (GOOD.replace('"2.4"', '" "'), "d.toml:12: deployments[1].version: expected a text in quotes, found ''"),
        (GOOD.replace('"2.4"', '"\\u0007"'), "d.toml:12: deployments[1].version: text without control"),
        (
            'format = 1\n[[deployments]]\nversion = "1"',
            "deployments[0].policy: expected a text in quotes, found nothing",
        ),
    ],
)
def test_unusable_inventory_is_refused_with_its_line(text: str, told: str) -> None:
    """An inventory that cannot be used is refused with the file, the line, the field and what was expected."""
    with pytest.raises(InvalidDeploymentsError) as raised:
        read_deployments(text.encode(), source="d.toml", read=_read)
    assert told in str(raised.value)


@pytest.mark.parametrize("content", [b"\xff", b"[" * 5000, b"#" * (LARGEST_TEXT + 1), b"\xef\xbb\xbfformat = 1"])
def test_any_bytes_are_refused_with_its_own_error(content: bytes) -> None:
    """Whatever the bytes, the refusal is the inventory's own, and a pinning error."""
    with pytest.raises(InvalidDeploymentsError) as raised:
        read_deployments(content, source="d.toml", read=_read)
    assert isinstance(raised.value, PinningError)


def test_refusal_can_be_pickled() -> None:
    """A refusal goes through pickle with its source, reason, path and line."""
    error = InvalidDeploymentsError("d.toml", "why", path="format", line=3)
    assert str(error) == str(pickle.loads(pickle.dumps(error)))
