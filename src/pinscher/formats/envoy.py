"""
Envoy's upstream validation context: one cluster's transport socket for every host, as JSON (which is YAML too).

Rules of this file, from Envoy's documentation of ``CertificateValidationContext``:

1. ``verify_certificate_spki`` (base64) and ``verify_certificate_hash`` (hexadecimal) are of the certificate that the
   server presents; where both are given, either is enough.
2. The chain is validated only where ``trusted_ca`` is given, the name only where a subject alternative name is.
3. What is written is for a cluster of one host; Envoy knows no patterns here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pinscher.formats.format import Format
from pinscher.formats.loss import LossLedger
from pinscher.formats.roles import only_leaves
from pinscher.formats.said import Target, said_entries
from pinscher.formats.text_form import encoded
from pinscher.host import is_ip_literal
from pinscher.pin import PinKind

if TYPE_CHECKING:
    from pinscher.formats.format import Choices
    from pinscher.pin import Pin
    from pinscher.policy import Policy

_NAME = "envoy"
_TARGET = Target(_NAME, certificate_pins=True, ip_addresses=True, patterns=False)
_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_TRUSTED = "/etc/ssl/certs/ca-certificates.crt"


def write(policy: Policy, choices: Choices) -> bytes:
    """Return the clusters' transport sockets, or raise ``FormatLossError``; put them into your own clusters."""
    losses = LossLedger(_NAME, choices.accepted)
    hosts = only_leaves(policy, said_entries(policy, _TARGET, losses), losses)
    recorded = losses.settle()
    clusters = [{"name": host, "transport_socket": _socket(host, pins)} for host, pins in hosts.items()]
    note = [f"# {line}\n" for line in recorded]
    return "".join([*note, json.dumps({"clusters": clusters}, indent=2), "\n"]).encode()


def _socket(host: str, pins: tuple[Pin, ...]) -> dict[str, Any]:
    kind = "IP_ADDRESS" if is_ip_literal(host) else "DNS"
    context: dict[str, Any] = {
        "trusted_ca": {"filename": _TRUSTED},
        "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": host}}],
    }
    keys = [encoded(pin) for pin in pins if pin.kind is PinKind.SPKI]
    certificates = [pin.digest.hex() for pin in pins if pin.kind is PinKind.CERTIFICATE]
    if keys:
        context["verify_certificate_spki"] = keys
    if certificates:
        context["verify_certificate_hash"] = certificates
    tls: dict[str, Any] = {"@type": _TYPE, "common_tls_context": {"validation_context": context}}
    if kind == "DNS":
        tls["sni"] = host
    return {"name": "envoy.transport_sockets.tls", "typed_config": tls}


FORMAT = Format(
    name=_NAME, title="Envoy upstream validation context", file_name="clusters.yaml", read=None, write=write
)
