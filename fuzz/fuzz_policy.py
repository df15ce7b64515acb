"""Fuzz the policy document: any bytes are a policy whose two forms say the same, or ``InvalidPolicyError``."""

from __future__ import annotations

from runner import run

import pinscher

_PIN = "sha256/" + "A" * 43 + "="

SEEDS = [
    f'format = 1\nname = "x"\nversion = 1\n[hosts."a.example"]\npins = ["{_PIN}"]\nexpires = 2027-01-01T00:00:00Z\n'.encode(),
    f'{{"format":1,"name":"x","version":1,"hosts":{{"*.a.example":{{"pins":["{_PIN}"]}}}}}}'.encode(),
]


def fuzz(document: bytes) -> None:
    """Any bytes are a policy that reads back as itself from both of its forms, or raise InvalidPolicyError."""
    try:
        policy = pinscher.Policy.loads(document)
    except pinscher.InvalidPolicyError as error:
        assert "\n" not in str(error), document
        return
    assert policy == pinscher.Policy.loads(policy.to_json()), document
    assert policy == pinscher.Policy.loads(policy.to_toml()), document


if __name__ == "__main__":
    run(fuzz, SEEDS)
