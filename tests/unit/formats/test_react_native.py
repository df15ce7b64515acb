"""React Native's pinning package; the rules are those at the top of ``formats/react_native.py``."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import test_okhttp
import test_trustkit
from worlds import AT, Chain, Oracle, hold_always, host_table, policy_of, spki_digests

from pinscher.formats import FORMATS, Choices, FormatLossError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REACT_NATIVE = FORMATS["react-native"]
CHOICES = Choices(AT, is_public_suffix=test_trustkit.REGISTRY.__contains__)


def oracle(written: bytes) -> Oracle:
    """Judge as the package does: by TrustKit's rules on iOS and by OkHttp's on Android, which have to agree."""
    found = re.search(r"^export const PINS = (.*?);$", written.decode(), re.DOTALL | re.MULTILINE)
    assert found is not None
    options = json.loads(found[1])
    test_trustkit.start(
        {
            name: {"TSKIncludeSubdomains": one["includeSubdomains"], "TSKPublicKeyHashes": one["publicKeyHashes"]}
            for name, one in options.items()
        }
    )

    def is_expired(one: dict[str, str], at: datetime) -> bool:
        return "expirationDate" in one and at > datetime.fromisoformat(one["expirationDate"]).replace(tzinfo=UTC)

    def on_ios(host: str, chain: Chain, at: datetime) -> bool:
        wider = {
            name: test_trustkit.is_subdomain(name, host) for name, one in options.items() if one["includeSubdomains"]
        }
        best = host if host in options else max(wider, key=wider.__getitem__, default=None)
        if best is None or (best != host and not wider[best]) or is_expired(options[best], at):
            return True
        pins = {base64.b64decode(text) for text in options[best]["publicKeyHashes"]}
        return not pins.isdisjoint(spki_digests(chain))

    def on_android(host: str, chain: Chain, at: datetime) -> bool:
        calls = "\n".join(
            f'  .add("{"**." if one["includeSubdomains"] else ""}{name}", "sha256/{pin}")'
            for name, one in options.items()
            if not is_expired(one, at)
            for pin in one["publicKeyHashes"]
        )
        return test_okhttp.oracle(calls.encode())(host, chain, at)

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        answer = on_ios(host, chain, at)
        assert answer == on_android(host, chain, at), "both platforms decide alike"
        return answer

    return decide


def test_react_native_decides_as_the_policy_on_both_platforms() -> None:
    """The options decide as the policy by TrustKit's rules and by OkHttp's, or are refused."""
    hold_always(REACT_NATIVE, oracle, CHOICES, examples=400)


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("narrower-entry", [host_table("**.bank.com"), host_table("a.bank.com", pins="leaf1 leaf2")]),
        ("narrower-entry", [host_table("**.bank.com", "expires = 2027-03-01T00:00:00Z", 'on-expiry = "report"'),
                            host_table("a.bank.com")]),
        ("backup-pin", [host_table("bank.com", pins="leaf0")]),
        ("report-only", [host_table("bank.com", 'mode = "report-only"', "report-only-since = 2026-11-01")]),
    ],
)  # fmt: skip
def test_react_native_refuses_by_name(name: str, tables: list[str]) -> None:
    """What iOS and Android would decide differently, or would not start with, is refused."""
    with pytest.raises(FormatLossError) as caught:
        REACT_NATIVE.write(policy_of(*tables), CHOICES)
    assert name in {loss.name for loss in caught.value.losses}


def test_react_native_module_is_accepted_by_node(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """The module is well formed for node --check."""
    (tmp_path / "pins.mjs").write_bytes(REACT_NATIVE.write(policy_of(host_table("**.bank.com")), CHOICES))
    done = subprocess.run([tool("node"), "--check", "pins.mjs"], cwd=tmp_path, check=False, timeout=30)
    assert 0 == done.returncode
