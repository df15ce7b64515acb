"""Source for Go, judged by Go itself; the rules are those at the top of ``formats/emitted.py``."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from worlds import AT, CHAINS, EXPIRY, HOSTS, MOMENTS, Chain, agree, host_table, policy_of

from pinscher.formats import FORMATS, Choices

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

GO = FORMATS["go"]
EXPIRES = f"expires = {EXPIRY:%Y-%m-%dT%H:%M:%SZ}"
POLICY = policy_of(
    host_table("**.bank.com", pins="leaf0 inter0"),
    host_table("*.bank.com", EXPIRES, 'on-expiry = "report"'),
    host_table("a.bank.com", 'denied-keys = ["inter1"]', pins="leaf0 root0"),
    host_table("shop.org", EXPIRES, 'on-expiry = "fail"'),
    host_table("b.shop.org", 'mode = "report-only"', "report-only-since = 2026-11-01"),
    '[hosts."b.a.bank.com"]\nunpinned = "public"',
    defaults='unlisted-hosts = "deny"',
)
ASK = """
package pins

import ("encoding/json"; "os"; "testing"; "time")

func TestAsk(t *testing.T) {
	var asked struct { Hosts []string; Chains [][]string; Moments []int64 }
	content, _ := os.ReadFile("asked.json")
	if err := json.Unmarshal(content, &asked); err != nil { t.Fatal(err) }
	var answers []bool
	for _, host := range asked.Hosts { for _, chain := range asked.Chains { for _, at := range asked.Moments {
		answers = append(answers, Accepts(host, chain, time.UnixMilli(at)))
	} } }
	content, _ = json.Marshal(answers)
	os.WriteFile("answers.json", content, 0o600)
}
"""


def test_go_vets_the_package_and_decides_as_the_policy(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """The package is accepted by go vet, and its program decides as the policy on every host, chain and moment."""
    go = tool("go")
    (tmp_path / "pins.go").write_bytes(GO.write(POLICY, Choices(AT)))
    (tmp_path / "pins_test.go").write_text(ASK)
    (tmp_path / "go.mod").write_text("module example.com/pins\n\ngo 1.21\n")
    chains = [[str(pin) for one in chain for pin in (one.pin, one.certificate_pin)] for chain in CHAINS]
    asked = {"Hosts": HOSTS, "Chains": chains, "Moments": [int(at.timestamp() * 1000) for at in MOMENTS]}
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    surroundings = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    for verb in (["vet", "."], ["test", "."]):
        subprocess.run([go, *verb], cwd=tmp_path, env=surroundings, check=True, capture_output=True, timeout=300)
    answers = iter(json.loads((tmp_path / "answers.json").read_text()))
    decided = {(host, chain, at): next(answers) for host in HOSTS for chain in CHAINS for at in MOMENTS}

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        return bool(decided[host, chain, at])

    agree(POLICY, decide, HOSTS)
