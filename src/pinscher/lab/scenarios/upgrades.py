"""Protocols that begin in clear text: the upgrade may be held back, and what came before it is nobody's word."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pinscher.lab.protocols.imap import imap
from pinscher.lab.protocols.lines import by_layer
from pinscher.lab.protocols.smtp import smtp
from pinscher.lab.scenario import Capability, Transport
from pinscher.lab.scenarios.registry import each, scenario
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

NAMES = {"smtp": Transport.SMTP, "imap": Transport.IMAP, "pop3": Transport.POP3, "ftp": Transport.FTP}
EVERY = each(tls=("1.2", "1.3"), protocol=tuple(NAMES))


@scenario(Outcome.MATCH, Capability.STARTTLS, cases=EVERY)
def upgrade_to_the_pinned_key(stage: Stage, tls: str, protocol: str) -> Sequence[Visit]:
    """
    After an upgrade to TLS the pinned key is shown, and the client logs in.

        STARTTLS -> [leaf, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls, protocol=protocol)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], transport=NAMES[protocol])]


@scenario(Outcome.NO_MATCHING_PIN, Capability.STARTTLS, cases=EVERY)
def upgrade_to_a_rogue_key(stage: Stage, tls: str, protocol: str) -> Sequence[Visit]:
    """
    After an upgrade to TLS another key is shown, and the client says nothing more.

        STARTTLS -> rogue leaf <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.rogue(), tls=tls, protocol=protocol)
    return [
        stage.visit(
            server, pins=[bank.genuine], trust=[bank.root], transport=NAMES[protocol], expected=Outcome.NO_MATCHING_PIN
        )
    ]


@scenario(Outcome.CHAIN_NOT_VALIDATED, Capability.STARTTLS, cases=each(protocol=tuple(NAMES)))
def upgrade_held_back(stage: Stage, protocol: str) -> Sequence[Visit]:
    """
    Somebody in between strikes the offer to upgrade, and the client does not log in in clear text.

    https://nostarttls.secvuln.info/ has how many clients once did.

        (no TLS at all)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, protocol=f"{protocol}-stripped")
    return [
        stage.visit(
            server, pins=[bank.genuine], trust=[bank.root], transport=NAMES[protocol], has_verdict=False,
            expected=Outcome.CHAIN_NOT_VALIDATED,
        )
    ]  # fmt: skip


@scenario(Outcome.NO_MATCHING_PIN, Capability.STARTTLS, cases=each(tls=("1.2", "1.3"), protocol=("smtp", "imap")))
def answers_injected_before_the_upgrade(stage: Stage, tls: str, protocol: str) -> Sequence[Visit]:
    """
    Somebody in between puts answers behind the go-ahead, and they are neither TLS nor the pinned server's word.

    https://nvd.nist.gov/vuln/detail/CVE-2011-0411 is the same gap from the other side.

        STARTTLS, then "login accepted" in clear text -> rogue leaf <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    honest = smtp() if protocol == "smtp" else imap()
    go_ahead, accepted = _INJECTED[protocol]
    replies = {**honest.replies, "STARTTLS": by_layer(in_clear=f"{go_ahead}\r\n{accepted}", secured=accepted)}
    server = stage.serve(bank.rogue(), tls=tls, protocol=dataclasses.replace(honest, replies=replies))
    return [
        stage.visit(
            server, pins=[bank.genuine], trust=[bank.root], transport=NAMES[protocol], is_validated=False,
            has_verdict=False, expected=Outcome.NO_MATCHING_PIN,
        )
    ]  # fmt: skip


_INJECTED = {
    "smtp": ("220 go ahead", "250 ok, you are logged in"),
    "imap": ("{tag} OK begin TLS now", "a2 OK LOGIN completed"),
}
