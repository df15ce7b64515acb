"""Source for Swift and Dart, judged by an oracle of its table; the rules are those of ``formats/emitted.py``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from worlds import AT, LEAVES, Chain, Oracle, hold_always, host_table, policies, policy_of, single_hosts

from pinscher.formats import FORMATS, Choices, FormatLossError

if TYPE_CHECKING:
    from datetime import datetime

    from hypothesis.strategies import SearchStrategy

    from pinscher.policy import Policy

SWIFT, DART = FORMATS["swift"], FORMATS["dart"]
SWIFT_LINE = re.compile(
    r'^        ("[^"]+"): Rule\(enforced: (\w+), pins: (\[.*?\]), denied: (\[.*?\]), opens: (\d+), closes: (\d+)\),$',
    re.MULTILINE,
)
DART_LINE = re.compile(r'^  ("[^"]+"): _Rule\((\w+), <String>(\[.*?\]),() (\d+), (\d+)\),$', re.MULTILINE)


def oracle(line: re.Pattern[str], *, sees_leaf_only: bool = False) -> object:
    """Return an oracle that reads the table and decides by the sentences at the top of ``emitted.py``."""

    def judge(written: bytes) -> Oracle:
        text = written.decode()
        rules = {json.loads(found[0]): found[1:] for found in line.findall(text)}
        assert text.count("Rule(") - text.count("_Rule(this") - text.count("const _Rule(") == len(rules) or rules
        allows = re.search(r"llowsUnlistedHosts = (\w+)", text)
        assert allows is not None

        def candidates(host: str) -> list[str]:
            above = host.split(".")
            return [host, f"**.{host}", f"*.{'.'.join(above[1:])}",
                    *(f"**.{'.'.join(above[at:])}" for at in range(1, len(above)))]  # fmt: skip

        def decide(host: str, chain: Chain, at: datetime) -> bool:
            found = next((rules[one] for one in candidates(host) if one in rules), None)
            if found is None:
                return allows[1] == "true"
            enforced, pins, denied, opens, closes = found
            now = at.timestamp() * 1000
            if enforced == "false" or 0 < int(opens) < now:
                return True
            seen = chain[:1] if sees_leaf_only else chain
            shown = {str(pin) for one in seen for pin in (one.pin, one.certificate_pin)}
            if shown.intersection(json.loads(denied or "[]")) or 0 < int(closes) < now:
                return False
            return not shown.isdisjoint(json.loads(pins))

        return decide

    return judge


def test_swift_decides_as_the_policy() -> None:
    """The Swift table says everything that the policy says; addresses are refused."""
    hold_always(SWIFT, oracle(SWIFT_LINE), Choices(AT))


@pytest.mark.parametrize("drawn", [policies(), single_hosts(certificates=True)])
def test_dart_decides_as_the_policy(drawn: SearchStrategy[Policy]) -> None:
    """The Dart table, for a client that sees the leaf alone, decides as the policy, or is refused."""
    hold_always(DART, oracle(DART_LINE, sees_leaf_only=True), Choices(AT), drawn)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("ca-pins", host_table("bank.com", pins="leaf0 root0")),
        ("denied-keys", host_table("bank.com", 'denied-keys = ["inter0"]')),
        ("ip-address", host_table("192.0.2.7")),
    ],
)
def test_dart_refuses_by_name(name: str, table: str, choices: Choices) -> None:
    """What a client that sees the leaf alone cannot decide is refused."""
    with pytest.raises(FormatLossError) as caught:
        DART.write(policy_of(table), choices)
    assert [name] == [loss.name for loss in caught.value.losses]


@pytest.mark.parametrize("name", ["swift", "dart", "node", "go"])
def test_source_balances_its_brackets(name: str, choices: Choices) -> None:
    """Every bracket that the emitted source opens is closed, an empty table included."""
    addresses = Choices(AT, accepted=frozenset({"ip-address"}))
    for wanted, told in (
        (policy_of(host_table("**.bank.com", pins=LEAVES[0].name)), choices),
        (policy_of(host_table("192.0.2.7", pins="leaf0")), addresses),
    ):
        text = FORMATS[name].write(wanted, told).decode()
        assert "@" not in re.sub(r"@escaping", "", text)
        assert all(text.count(opened) == text.count(closed) for opened, closed in ("{}", "[]", "()"))


def test_swift_empty_table_is_a_dictionary() -> None:
    """A table whose every line was given up is an empty dictionary, which Swift writes with a colon."""
    told = Choices(AT, accepted=frozenset({"ip-address"}))
    assert b"rules: [String: Rule] = [:]" in SWIFT.write(policy_of(host_table("192.0.2.7")), told)
