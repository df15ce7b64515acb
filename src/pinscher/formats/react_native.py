"""
React Native's ``react-native-ssl-public-key-pinning``: a module that calls ``initializeSslPinning``.

Rules of this file, read in that package:

1. On iOS the options become TrustKit's: the nearest name wins, two pins are needed, always enforced.
2. On Android they become OkHttp's: ``includeSubdomains`` is ``**.``, and all matching entries' pins count together.
3. ``expirationDate`` is the start of a day in UTC. After it iOS counts the host as not pinned, where Android drops the
   entry and wider ones still apply.

What is written decides alike on both.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pinscher.formats.format import Format
from pinscher.formats.loss import Loss, LossLedger
from pinscher.formats.okhttp import union_entries
from pinscher.formats.said import Said, Target, said_entries
from pinscher.formats.suffixes import Shape, suffix_statements
from pinscher.formats.text_form import comments, encoded
from pinscher.formats.trustkit import check_statements
from pinscher.host import HostPattern, Reach

if TYPE_CHECKING:
    from pinscher.formats.format import Choices
    from pinscher.policy import Policy

_NAME = "react-native"
_TARGET = Target(_NAME, opens="day")


def write(policy: Policy, choices: Choices) -> bytes:
    """Return the module, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    statements = suffix_statements(said_entries(policy, _TARGET, losses), Shape(), losses)
    check_statements(statements, choices, losses)
    patterns = {
        HostPattern(name, reach=Reach.ANY_DEPTH if includes else Reach.EXACT): said
        for name, (includes, said) in statements.items()
    }
    union_entries({pattern: Said(said.pins) for pattern, said in patterns.items()}, losses)
    _check_expiries(patterns, losses)
    lines = comments(losses.settle(), "//")
    options = {name: _options(includes, said) for name, (includes, said) in statements.items()}
    lines += [
        "import { initializeSslPinning } from 'react-native-ssl-public-key-pinning';",
        "",
        f"export const PINS = {json.dumps(options, indent=2)};",
        "",
        "export function pin() {",
        "  return initializeSslPinning(PINS);",
        "}",
    ]
    return "\n".join([*lines, ""]).encode()


def _options(includes: bool, said: Said) -> dict[str, object]:  # noqa: FBT001
    options: dict[str, object] = {"includeSubdomains": includes, "publicKeyHashes": [encoded(pin) for pin in said.pins]}
    return options if said.opens is None else options | {"expirationDate": said.opens.strftime("%Y-%m-%d")}


def _check_expiries(patterns: dict[HostPattern, Said], losses: LossLedger) -> None:
    """Refuse an entry that expires below or above another: the two platforms differ there (rule 3)."""
    for pattern, said in patterns.items():
        for other in patterns if said.opens is not None else ():
            overlaps = pattern.name.endswith("." + other.name) or other.name.endswith("." + pattern.name)
            if overlaps:
                losses.add(Loss("narrower-entry", str(pattern), f"once it expires, {other} applies on Android alone",
                                ('say on-expiry = "keep-enforcing"', "list the hosts one by one")))  # fmt: skip


FORMAT = Format(name=_NAME, title="React Native", file_name="pins.js", read=None, write=write)
