"""
Source for Go: a package with a ``tls.Config`` whose ``VerifyConnection`` checks the pins of the verified chains.

``VerifyConnection`` runs for resumed connections too. Where Go finds several verified chains, a key on any of them
counts, accepted or denied. The rules are those of ``emitted.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.formats.emitted import filled, rules_of
from pinscher.formats.format import Format
from pinscher.formats.loss import LossLedger
from pinscher.formats.text_form import literal

if TYPE_CHECKING:
    from pinscher.formats.emitted import Rule
    from pinscher.formats.format import Choices
    from pinscher.policy import Policy

_NAME = "go"


def write(policy: Policy, choices: Choices) -> bytes:
    """Return the package, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    rules = rules_of(policy, losses)
    return filled(_PACKAGE, policy, rules, losses.settle(), _line)


def _line(rule: Rule) -> str:
    fields = [f"enforced: {str(rule.is_enforced).lower()}"]
    fields += [f"{name}: []string{{{', '.join(map(literal, pins))}}}"
               for name, pins in (("pins", rule.pins), ("denied", rule.denied)) if pins]  # fmt: skip
    fields += [f"{name}: {moment}" for name, moment in (("opens", rule.opens), ("closes", rule.closes)) if moment]
    return f"\t{literal(rule.pattern)}: {{{', '.join(fields)}}},"


_PACKAGE = """\
// Package pins checks the keys of TLS servers beside ordinary validation.
package pins

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrMismatch is wrapped by the error of a refused connection.
var ErrMismatch = errors.New("no pinned key in the verified chain")

const allowsUnlistedHosts = @UNLISTED@

type rule struct {
	enforced      bool
	pins, denied  []string
	opens, closes int64
}

var rules = map[string]rule{
@TABLE@
}

func find(host string) (rule, bool) {
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(host), "."), ".")
	name, parent := strings.Join(labels, "."), strings.Join(labels[1:], ".")
	candidates := []string{name, "**." + name, "*." + parent}
	for at := 1; at < len(labels); at++ {
		candidates = append(candidates, "**."+strings.Join(labels[at:], "."))
	}
	for _, pattern := range candidates {
		if found, ok := rules[pattern]; ok {
			return found, true
		}
	}
	return rule{}, false
}

// Accepts tells whether a verified chain with these pins is accepted for a host.
func Accepts(host string, chain []string, at time.Time) bool {
	found, ok := find(host)
	if !ok {
		return allowsUnlistedHosts
	}
	now := at.UnixMilli()
	if !found.enforced || (found.opens != 0 && now > found.opens) {
		return true
	}
	onChain := func(pin string) bool { return slices.Contains(chain, pin) }
	if slices.ContainsFunc(found.denied, onChain) {
		return false
	}
	if found.closes != 0 && now > found.closes {
		return false
	}
	return slices.ContainsFunc(found.pins, onChain)
}

func encoded(content []byte) string {
	digest := sha256.Sum256(content)
	return base64.StdEncoding.EncodeToString(digest[:])
}

// VerifyConnection checks the pins of the verified chains; give it to a tls.Config that verifies.
func VerifyConnection(state tls.ConnectionState) error {
	var chain []string
	for _, verified := range state.VerifiedChains {
		for _, certificate := range verified {
			chain = append(chain, "sha256/"+encoded(certificate.RawSubjectPublicKeyInfo))
			chain = append(chain, "cert-sha256/"+encoded(certificate.Raw))
		}
	}
	if len(chain) == 0 || !Accepts(state.ServerName, chain, time.Now()) {
		return fmt.Errorf("%w of %q", ErrMismatch, state.ServerName)
	}
	return nil
}

// Config returns a configuration whose connections are all checked, resumed ones included.
func Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, VerifyConnection: VerifyConnection}
}
"""

FORMAT = Format(name=_NAME, title="Go source", file_name="pins.go", read=None, write=write)
