"""
Source for Dart and Flutter: an ``HttpClient`` whose connections are checked before a request is written to them.

``dart:io`` shows the leaf alone, and calls ``badCertificateCallback`` for invalid certificates only; so the check sits
in ``connectionFactory`` and only leaf keys can be pinned. Through a proxy the client would not pass there: it refuses.
The rules are those of ``emitted.py``.
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

_NAME = "dart"


def write(policy: Policy, choices: Choices) -> bytes:
    """Return the library, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    rules = rules_of(policy, losses, sees_leaf_only=True)
    return filled(_LIBRARY, policy, rules, losses.settle(), _line)


def _line(rule: Rule) -> str:
    pins = ", ".join(map(literal, rule.pins))
    values = f"{str(rule.is_enforced).lower()}, <String>[{pins}], {rule.opens}, {rule.closes}"
    return f"  {literal(rule.pattern)}: _Rule({values}),"


_LIBRARY = """\
import 'dart:async';
import 'dart:convert';
import 'dart:io';
import 'dart:typed_data';

import 'package:crypto/crypto.dart';

class _Rule {
  const _Rule(this.enforced, this.pins, this.opens, this.closes);
  final bool enforced;
  final List<String> pins;
  final int opens;
  final int closes;
}

const bool _allowsUnlistedHosts = @UNLISTED@;

const Map<String, _Rule> _rules = <String, _Rule>{
@TABLE@
};

_Rule? _find(String host) {
  var name = host.toLowerCase();
  if (name.endsWith('.')) name = name.substring(0, name.length - 1);
  final labels = name.split('.');
  final candidates = <String>[name, '**.$name', '*.${labels.skip(1).join('.')}'];
  for (var at = 1; at < labels.length; at++) {
    candidates.add('**.${labels.skip(at).join('.')}');
  }
  for (final pattern in candidates) {
    final rule = _rules[pattern];
    if (rule != null) return rule;
  }
  return null;
}

/// Tells whether a server whose leaf has these pins is accepted.
bool accepts(String host, List<String> leaf, DateTime at) {
  final rule = _find(host);
  if (rule == null) return _allowsUnlistedHosts;
  final now = at.millisecondsSinceEpoch;
  if (!rule.enforced || (rule.opens != 0 && now > rule.opens)) return true;
  if (rule.closes != 0 && now > rule.closes) return false;
  return rule.pins.any(leaf.contains);
}

(int, int) _element(Uint8List der, int offset) {
  var length = der[offset + 1];
  var content = offset + 2;
  if (length & 0x80 != 0) {
    final octets = length & 0x7f;
    length = 0;
    for (var at = 0; at < octets; at++) {
      length = length << 8 | der[content + at];
    }
    content += octets;
  }
  return (content, content + length);
}

Uint8List _publicKeyInfo(Uint8List der) {
  var offset = _element(der, _element(der, 0).$1).$1;
  final skipped = der[offset] == 0xa0 ? 6 : 5;
  for (var field = 0; field < skipped; field++) {
    offset = _element(der, offset).$2;
  }
  return Uint8List.sublistView(der, offset, _element(der, offset).$2);
}

List<String> _pinsOf(Uint8List der) => <String>[
      'sha256/${base64.encode(sha256.convert(_publicKeyInfo(der)).bytes)}',
      'cert-sha256/${base64.encode(sha256.convert(der).bytes)}',
    ];

/// Returns a client that writes no request before the pins of the server's leaf were checked.
HttpClient pinnedHttpClient({SecurityContext? context}) {
  final client = HttpClient(context: context);
  client.findProxy = (_) => 'DIRECT';
  client.connectionFactory = (Uri uri, String? proxyHost, int? proxyPort) async {
    if (uri.scheme != 'https' || proxyHost != null) {
      throw HandshakeException('only direct https connections are checked: ${uri.host}');
    }
    final task = await SecureSocket.startConnect(uri.host, uri.port, context: context);
    final checked = task.socket.then((SecureSocket socket) {
      final certificate = socket.peerCertificate;
      if (certificate == null || !accepts(uri.host, _pinsOf(certificate.der), DateTime.now())) {
        socket.destroy();
        throw HandshakeException('no pinned key: ${uri.host}');
      }
      return socket;
    });
    return ConnectionTask.fromSocket<Socket>(checked, task.cancel);
  };
  return client;
}
"""

FORMAT = Format(name=_NAME, title="Dart and Flutter source", file_name="pins.dart", read=None, write=write)
