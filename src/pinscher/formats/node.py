"""
Source for Node.js: a CommonJS module with an ``https.Agent`` that checks the pins beside ordinary validation.

Node hands a chain of its own making to ``checkServerIdentity`` and calls it for new sessions only. So the module
follows the signatures up from the leaf itself, and its agent remembers no sessions. The rules are those of
``emitted.py``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pinscher.formats.emitted import filled, rules_of
from pinscher.formats.format import Format
from pinscher.formats.loss import LossLedger

if TYPE_CHECKING:
    from pinscher.formats.emitted import Rule
    from pinscher.formats.format import Choices
    from pinscher.policy import Policy

_NAME = "node"


def write(policy: Policy, choices: Choices) -> bytes:
    """Return the module, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    rules = rules_of(policy, losses)
    return filled(_MODULE, policy, rules, losses.settle(), _line)


def _line(rule: Rule) -> str:
    value = {
        "enforced": rule.is_enforced,
        "pins": rule.pins,
        "denied": rule.denied,
        "opens": rule.opens,
        "closes": rule.closes,
    }
    return f"  [{json.dumps(rule.pattern)}, {json.dumps(value)}],"


_MODULE = """\
'use strict';

const { createHash, X509Certificate } = require('node:crypto');
const https = require('node:https');
const tls = require('node:tls');

const ALLOWS_UNLISTED_HOSTS = @UNLISTED@;

const RULES = new Map([
@TABLE@
]);

function find(host) {
  const labels = host.toLowerCase().replace(/\\.$/, '').split('.');
  const candidates = [labels.join('.'), `**.${labels.join('.')}`, `*.${labels.slice(1).join('.')}`];
  for (let at = 1; at < labels.length; at += 1) {
    candidates.push(`**.${labels.slice(at).join('.')}`);
  }
  return RULES.get(candidates.find((pattern) => RULES.has(pattern)));
}

/** Tell whether a validated chain with these pins is accepted for a host at a time in milliseconds. */
function accepts(host, pins, at) {
  const rule = find(host);
  if (rule === undefined) return ALLOWS_UNLISTED_HOSTS;
  if (!rule.enforced || (rule.opens !== 0 && at > rule.opens)) return true;
  if (rule.denied.some((pin) => pins.includes(pin))) return false;
  if (rule.closes !== 0 && at > rule.closes) return false;
  return rule.pins.some((pin) => pins.includes(pin));
}

function element(der, offset) {
  let length = der[offset + 1];
  let content = offset + 2;
  if (length & 0x80) {
    const octets = length & 0x7f;
    length = der.readUIntBE(content, octets);
    content += octets;
  }
  return { content, end: content + length };
}

/** Return the subjectPublicKeyInfo byte for byte; encoding it anew would change some keys. */
function publicKeyInfo(der) {
  const certificate = element(der, 0);
  let offset = element(der, certificate.content).content;
  const skipped = der[offset] === 0xa0 ? 6 : 5;
  for (let field = 0; field < skipped; field += 1) {
    offset = element(der, offset).end;
  }
  return der.subarray(offset, element(der, offset).end);
}

function digest(bytes) {
  return createHash('sha256').update(bytes).digest('base64');
}

/** Return the pins of the leaf and of every authority whose signature leads down to it. */
function pinsOf(leaf) {
  const pins = [];
  let peer = leaf;
  let child = new X509Certificate(leaf.raw);
  for (let depth = 0; depth < 16; depth += 1) {
    pins.push(`sha256/${digest(publicKeyInfo(child.raw))}`, `cert-sha256/${digest(child.raw)}`);
    peer = peer.issuerCertificate;
    if (!peer || !peer.raw || peer.raw.equals(child.raw)) break;
    const issuer = new X509Certificate(peer.raw);
    if (!issuer.ca || !child.checkIssued(issuer) || !child.verify(issuer.publicKey)) break;
    child = issuer;
  }
  return pins;
}

/** Check the names as Node does, then the pins; give it to an agent that remembers no sessions. */
function checkServerIdentity(host, certificate) {
  const error = tls.checkServerIdentity(host, certificate);
  if (error) return error;
  if (accepts(host, pinsOf(certificate), Date.now())) return undefined;
  return Object.assign(new Error(`no pinned key in the chain of ${host}`), { code: 'ERR_PIN_MISMATCH', host });
}

/** An agent whose connections are all checked: a resumed session would not be. */
function agent(options = {}) {
  return new https.Agent({ ...options, checkServerIdentity, maxCachedSessions: 0, rejectUnauthorized: true });
}

module.exports = { accepts, agent, checkServerIdentity, pinsOf };
"""

FORMAT = Format(name=_NAME, title="Node.js source", file_name="pins.js", read=None, write=write)
