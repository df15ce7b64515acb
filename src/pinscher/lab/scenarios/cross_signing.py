"""Authorities with more than one certificate: cross-signed, reissued, and the path that was really taken."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pinscher.lab.authority import Authority
from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

CA = Capability.AUTHORITY_PINS


@scenario(Outcome.MATCH, CA)
def cross_signed_root_below_the_old_one(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A client that trusts only the old root finds the pinned new one below it.

        leaf <- intermediate <- [new root, cross-signed, pinned] <- old root (trusted)
    """
    old, new = Authority.root("Old Root"), Authority.root("New Root")
    crossed = new.cross_signed_by(old)
    leaf = dataclasses.replace(crossed.intermediate("Intermediate"), parent=crossed).issue("localhost")
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[new], trust=[old])]


@scenario(Outcome.MATCH, CA)
def cross_signed_root_trusted_itself(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A client that trusts the new root ends the path there, whatever the server sends above it.

        leaf <- intermediate <- [new root, pinned] (trusted)        sent too: its cross-certificate
    """
    old, new = Authority.root("Old Root"), Authority.root("New Root")
    leaf = new.cross_signed_by(old).intermediate("Intermediate").issue("localhost")
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[new], trust=[new])]


@scenario(Outcome.NO_MATCHING_PIN, CA)
def pinned_old_root_off_the_path(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pin of the old root is off the path of a client that trusts the new one: a genuine server is refused.

    This is how pins of roots break when a trust store changes, and what a survival proof has to find.

        leaf <- intermediate <- new root (trusted)        sent too: its cross-certificate by [old root, pinned]
    """
    old, new = Authority.root("Old Root"), Authority.root("New Root")
    leaf = new.cross_signed_by(old).intermediate("Intermediate").issue("localhost")
    server = stage.serve(leaf, tls=tls, present=[old.certificate])
    return [stage.visit(server, pins=[old], trust=[new], expected=Outcome.NO_MATCHING_PIN)]


@scenario(Outcome.MATCH, CA)
def reissued_root(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A root whose certificate was issued anew has the key it had, and its pin holds.

        leaf <- intermediate <- [root', same key, pinned] (trusted)
    """
    bank = stage.bank()
    return [stage.visit(stage.serve(bank.genuine, tls=tls), pins=[bank.root], trust=[bank.root.reissued()])]


@scenario(Outcome.NO_MATCHING_PIN, CA, Capability.CERTIFICATE_PINS)
def reissued_root_where_the_certificate_is_pinned(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pin of a root's whole certificate does not survive its being issued anew.

        leaf <- intermediate <- root', same key (trusted)        pinned: the first root's certificate
    """
    bank = stage.bank()
    pin = Pin.of(bank.root.certificate, kind="certificate")
    server = stage.serve(bank.genuine, tls=tls)
    return [stage.visit(server, pins=[pin], trust=[bank.root.reissued()], expected=Outcome.NO_MATCHING_PIN)]


@scenario(Outcome.MATCH, CA)
def reissued_intermediate(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An intermediate whose certificate was issued anew has the key it had, and its pin holds.

        leaf <- [intermediate', same key, pinned] <- root (trusted)
    """
    bank = stage.bank()
    leaf = dataclasses.replace(bank.genuine, authority=bank.authority.reissued())
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[bank.authority], trust=[bank.root])]


@scenario(Outcome.NO_MATCHING_PIN, CA)
def cross_signed_by_an_interceptor(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An interceptor's root that claims the genuine intermediate's name signs nothing for it.

        rogue leaf <- rogue intermediate, genuine name <- interceptor's root (trusted)        pinned: the genuine one
    """
    bank, interceptor = stage.bank(), Authority.root("mitmproxy")
    rogue = interceptor.intermediate("Genuine Intermediate").issue("localhost")
    server = stage.serve(rogue, tls=tls, present=[bank.authority.certificate])
    return [
        stage.visit(server, pins=[bank.authority], trust=[bank.root, interceptor], expected=Outcome.NO_MATCHING_PIN)
    ]
