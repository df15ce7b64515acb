"""
What the lab's servers speak: one small file for each protocol, and the table of their names.

A protocol is a callable that is given one conversation and returns when it is over. It decides when TLS begins: at once
for ``imaps``, after a command for ``imap``, never for ``connect-proxy``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from pinscher.lab.conversation import Conversation
from pinscher.lab.protocols import plain
from pinscher.lab.protocols.amqp import amqp
from pinscher.lab.protocols.connect_proxy import ConnectProxy
from pinscher.lab.protocols.ftp import ftp
from pinscher.lab.protocols.http import Http
from pinscher.lab.protocols.http2 import http2
from pinscher.lab.protocols.imap import imap
from pinscher.lab.protocols.kafka import Kafka
from pinscher.lab.protocols.ldap import Ldap
from pinscher.lab.protocols.mongodb import mongodb
from pinscher.lab.protocols.mqtt import mqtt
from pinscher.lab.protocols.mysql import mysql
from pinscher.lab.protocols.nats import nats
from pinscher.lab.protocols.pop3 import pop3
from pinscher.lab.protocols.postgres import Postgres
from pinscher.lab.protocols.redis import redis
from pinscher.lab.protocols.smtp import smtp
from pinscher.lab.protocols.websocket import websocket

Protocol: TypeAlias = Callable[[Conversation], None]

PROTOCOLS: dict[str, Protocol] = {
    "http": Http(),
    "http-in-clear": Http(secured=False),
    "http-in-octets": Http(in_octets=True),
    "http2": http2,
    "echo": plain.echo,
    "silent": plain.silent,
    "hang-up": plain.hang_up,
    "unresponsive": plain.unresponsive,
    "smtp": smtp(),
    "smtps": smtp(secured=True),
    "smtp-stripped": smtp(offers_upgrade=False),
    "imap": imap(),
    "imaps": imap(secured=True),
    "imap-stripped": imap(offers_upgrade=False),
    "pop3": pop3(),
    "pop3s": pop3(secured=True),
    "pop3-stripped": pop3(offers_upgrade=False),
    "ftp": ftp(),
    "ftp-stripped": ftp(offers_upgrade=False),
    "postgres": Postgres(),
    "postgres-stripped": Postgres(offers_upgrade=False),
    "websocket": websocket,
    "mqtt": mqtt,
    "nats": nats,
    "amqp": amqp,
    "kafka": Kafka(),
    "mysql": mysql,
    "redis": redis,
    "mongodb": mongodb,
    "ldap": Ldap(),
    "ldaps": Ldap(secured=True),
    "connect-proxy": ConnectProxy(),
    "connect-proxy-tls": ConnectProxy(secured=True),
    "connect-intercept": ConnectProxy(intercepts=True),
}
"""Every protocol by its name."""


def protocol_named(name: str) -> Protocol:
    """Return the protocol called *name*."""
    if name not in PROTOCOLS:
        message = f"no protocol of the lab is called {name!r}, expected one of {', '.join(sorted(PROTOCOLS))}"
        raise ValueError(message)
    return PROTOCOLS[name]
