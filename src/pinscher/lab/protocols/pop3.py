"""POP3: STLS (RFC 2595) or TLS from the start, login, and an empty mailbox."""

from __future__ import annotations

from pinscher.lab.protocols.lines import LineProtocol, by_layer, saying


def pop3(*, secured: bool = False, offers_upgrade: bool = True) -> LineProtocol:
    """Return a mailbox server; without *offers_upgrade* it is one whose STLS an attacker has stripped."""
    upgradable = offers_upgrade and not secured
    capabilities = "+OK\r\nSTLS\r\nUSER\r\n." if upgradable else "+OK\r\nUSER\r\n."
    replies = {
        "CAPA": by_layer(in_clear=capabilities, secured="+OK\r\nUSER\r\n."),
        "USER": saying("+OK"),
        "PASS": saying("+OK logged in"),
        "STAT": saying("+OK 0 0"),
        "NOOP": saying("+OK"),
        "QUIT": saying("+OK bye"),
    }
    if upgradable:
        replies["STLS"] = by_layer(in_clear="+OK begin TLS", secured="-ERR already in TLS")
    return LineProtocol("+OK mailbox ready", replies, saying("-ERR unknown command"), "STLS", "QUIT", secured=secured)
