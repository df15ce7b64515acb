"""IMAP: STARTTLS (RFC 9051 section 6.2.1) or TLS from the start, login, and an empty mailbox."""

from __future__ import annotations

from pinscher.lab.protocols.lines import LineProtocol, by_layer, saying


def imap(*, secured: bool = False, offers_upgrade: bool = True) -> LineProtocol:
    """Return a mailbox server; without *offers_upgrade* it is one whose STARTTLS an attacker has stripped."""
    upgradable = offers_upgrade and not secured
    capabilities = "IMAP4rev1 STARTTLS" if upgradable else "IMAP4rev1"
    stated = "* CAPABILITY {}\r\n{{tag}} OK done"
    replies = {
        "CAPABILITY": by_layer(in_clear=stated.format(capabilities), secured=stated.format("IMAP4rev1")),
        "LOGIN": saying("{tag} OK logged in"),
        "SELECT": saying("* 0 EXISTS\r\n{tag} OK [READ-WRITE] selected"),
        "NOOP": saying("{tag} OK done"),
        "LOGOUT": saying("* BYE see you\r\n{tag} OK done"),
    }
    if upgradable:
        replies["STARTTLS"] = by_layer(in_clear="{tag} OK begin TLS", secured="{tag} BAD already in TLS")
    return LineProtocol(
        "* OK mailbox ready", replies, saying("{tag} BAD unknown command"), "STARTTLS", "LOGOUT",
        secured=secured, tagged=True,
    )  # fmt: skip
