"""Envoy's validation context; the rules are those at the top of ``formats/envoy.py``."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from worlds import AT, LEAVES, Chain, Oracle, hold_always, host_table, policy_of, single_hosts

from pinscher.formats import FORMATS, Choices

if TYPE_CHECKING:
    from datetime import datetime

ENVOY = FORMATS["envoy"]


def oracle(written: bytes) -> Oracle:
    """Judge by Envoy's documentation: the presented leaf matches one of the keys or one of the certificates."""
    text = "\n".join(line for line in written.decode().splitlines() if not line.startswith("#"))
    contexts = {}
    for cluster in json.loads(text)["clusters"]:
        tls = cluster["transport_socket"]["typed_config"]
        context = tls["common_tls_context"]["validation_context"]
        assert context["trusted_ca"], "without it the chain is not validated"
        assert [cluster["name"]] == [one["matcher"]["exact"] for one in context["match_typed_subject_alt_names"]]
        contexts[cluster["name"]] = context

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        context = contexts.get(host)
        if context is None:
            return True
        keys = {base64.b64decode(one) for one in context.get("verify_certificate_spki", [])}
        whole = {bytes.fromhex(one) for one in context.get("verify_certificate_hash", [])}
        assert keys or whole
        return chain[0].pin.digest in keys or chain[0].certificate_pin.digest in whole

    return decide


def test_envoy_decides_as_the_policy() -> None:
    """Written contexts decide as the policy for the hosts of their clusters, or are refused."""
    hold_always(ENVOY, oracle, Choices(AT), single_hosts(certificates=True))


def test_envoy_keys_and_certificates_have_their_own_lists(choices: Choices) -> None:
    """A key's digest is written in base64 and a certificate's in hexadecimal, each in its list alone."""
    key = f'[keys.whole]\npin = "{LEAVES[1].certificate_pin}"\nrole = "leaf"\n'
    table = '[hosts."bank.com"]\npins = ["leaf0", "whole"]'
    cluster = json.loads(ENVOY.write(policy_of(key, table), choices))["clusters"][0]
    context = cluster["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"]
    keys, certificates = context["verify_certificate_spki"], context["verify_certificate_hash"]
    assert [LEAVES[0].pin.digest] == [base64.b64decode(one) for one in keys]
    assert [LEAVES[1].certificate_pin.digest.hex()] == certificates


def test_envoy_recorded_loss_stands_in_a_comment() -> None:
    """An accepted loss is recorded in front of the document, as YAML has comments."""
    wanted = policy_of(host_table("bank.com", pins="leaf0 root0"))
    written = ENVOY.write(wanted, Choices(AT, accepted=frozenset({"ca-pins"})))
    assert written.startswith(b"# given up: ca-pins: bank.com: only the leaf keys are accepted\n")
    assert oracle(written)("bank.com", (LEAVES[0],), AT)
