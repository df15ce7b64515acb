"""
The people who may use the dashboard: how an account comes to be, and how somebody shows that it is theirs.

Rules of this file:

1. There is no account and no password at first: the first start shows a link that makes one operator, once, within an
   hour. A link of a later time than now is none: the clock was ahead when it was made.
2. Nobody ever sees somebody else's password: an operator invites by a link, and whoever follows it chooses one.
3. A link is used up in the transaction that makes its account, so that it makes one.
4. Logins are counted before anything is compared: strictly by address, and by account and address, so that nobody
   else's wrong passwords lock somebody out, and loosely by account alone. An unknown name takes the same time as a
   wrong password, and the same answer.
5. The last operator can neither be removed nor become a viewer.
6. Whoever is removed, or becomes a viewer, leaves no link: none that they made, for whatever name, and none for them.
"""

from __future__ import annotations

import enum
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from pinscher.entry import InvalidPolicyError, check_name
from pinscher.errors import escaped
from pinscher.monitor.account_tables import accounts, invitations, sessions
from pinscher.monitor.audit import Deed, note
from pinscher.monitor.clocks import is_believed
from pinscher.monitor.errors import MonitorError, UnknownRecordError
from pinscher.monitor.limits import Limiter, Rate, network_of
from pinscher.monitor.passwords import Passwords
from pinscher.monitor.tables import millis
from pinscher.monitor.views import time_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database
    from pinscher.monitor.passwords import Cost

LINK_LIFETIME = timedelta(hours=1)
"""How long a link is good."""
ACCOUNT_RATE = Rate(a_second=1 / 30, burst=10)
"""Logins to one account from one address."""
EVERYBODYS_RATE = Rate(a_second=1, burst=100)
"""Logins to one account, wherever they are from."""
ADDRESS_RATE = Rate(a_second=1 / 10, burst=20)
"""Logins, and links tried, from one address."""


class Standing(enum.Enum):
    """What an account may do: look, or also change."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may use the dashboard."""

    id: int
    name: str
    role: Standing


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that is good still: for which name, or for any where it is empty, and for which role."""

    digest: str
    name: str
    role: Standing


class Accounts:
    """The accounts of a database; *clock* counts seconds and never goes back."""

    def __init__(self, database: Database, clock: Callable[[], float], cost: Cost | None = None) -> None:
        self._database = database
        self._passwords = Passwords(cost)
        self._by_both = Limiter(ACCOUNT_RATE, clock)
        self._by_account = Limiter(EVERYBODYS_RATE, clock)
        self._by_address = Limiter(ADDRESS_RATE, clock)

    async def has_operator(self) -> bool:
        """Tell whether there is an account that may change something."""
        async with self._database.reading() as connection:
            return await _operators(connection) > 0

    async def invite(self, name: str, role: Standing, *, by: str, address: str = "", at: datetime) -> str:
        """Return the secret of a link; one that this name had before is no longer good."""
        if name:
            _check(name)
        secret = secrets.token_urlsafe(32)
        row = {
            "digest": digest_of(secret), "name": name, "role": role.value, "made": millis(at),
            "expires": millis(at + LINK_LIFETIME), "invited_by": escaped(by, limit=128),
        }  # fmt: skip
        async with self._database.writing() as connection:
            gone = (invitations.c.name == name) | ~_is_good(at)
            await connection.execute(delete(invitations).where(gone))
            await connection.execute(insert(invitations).values(row))
            deed = Deed(who=by, what="invited", address=address, about=name or "the first operator", said=role.value)
            await note(connection, deed, at=at)
        return secret

    async def invitation(self, secret: str, *, address: str, at: datetime) -> Invitation:
        """Return what a link is for, or raise; it is good as long as nobody has accepted it."""
        self._by_address.take(network_of(address))
        asked = select(invitations).where(invitations.c.digest == digest_of(secret), _is_good(at))
        async with self._database.reading() as connection:
            row = (await connection.execute(asked)).first()
        if row is None:
            raise UnknownRecordError("this link was used, or is older than an hour, or never was one")
        return Invitation(row.digest, row.name, Standing(row.role))

    async def accept(self, invitation: Invitation, *, name: str, password: str, address: str, at: datetime) -> Account:
        """Make the account of a link, or give it a new password, and use the link up (rule 3)."""
        name = invitation.name or name
        _check(name)
        stored = await self._passwords.hashed(password, name=name)
        async with self._database.writing() as connection:
            used = await connection.execute(delete(invitations).where(invitations.c.digest == invitation.digest))
            if used.rowcount != 1:
                raise UnknownRecordError("this link was used meanwhile")
            known = await _named(connection, name)
            if known is not None and not invitation.name:
                raise MonitorError(f"there is an account '{escaped(name)}' already: log in, or ask its operator")
            if known is not None and invitation.role is not Standing.OPERATOR:
                await _forget_links(connection, name)
                await _check_another_operator(connection, known, "the last operator stays one")
            values = {"role": invitation.role.value, "password": stored, "changed": millis(at)}
            if known is None:
                fresh = insert(accounts).values(values | {"name": name, "made": millis(at)})
                number = (await connection.execute(fresh.returning(accounts.c.id))).scalar_one()
            else:
                number = known.id
                await connection.execute(update(accounts).where(accounts.c.id == number).values(values))
                await connection.execute(delete(sessions).where(sessions.c.account == number))
            what = "account made" if known is None else "password set anew"
            deed = Deed(who=name, what=what, address=address, about=name, said=invitation.role.value)
            await note(connection, deed, at=at)
        return Account(number, name, invitation.role)

    async def log_in(self, name: str, password: str, *, address: str, at: datetime) -> Account | None:
        """Return the account that a name and a password are good for, or None (rule 4)."""
        self._by_address.take(network_of(address))
        self._count(name, address)
        async with self._database.reading() as connection:
            row = await _named(connection, name)
        is_right = await self._passwords.is_right(password, None if row is None else row.password)
        deed = Deed(who=name, what="logged in" if is_right else "login refused", address=address)
        async with self._database.writing() as connection:
            await note(connection, deed, at=at)
        return Account(row.id, row.name, Standing(row.role)) if is_right and row is not None else None

    async def change_password(self, account: Account, *, old: str, new: str, address: str, at: datetime) -> None:
        """Give an account another password, and end its sessions; the old one shows that it is its owner who asks."""
        self._count(account.name, address)
        async with self._database.reading() as connection:
            row = await _named(connection, account.name)
        if not await self._passwords.is_right(old, None if row is None else row.password):
            raise MonitorError("the password that you have now is another one")
        stored = await self._passwords.hashed(new, name=account.name)
        async with self._database.writing() as connection:
            change = update(accounts).where(accounts.c.id == account.id)
            await connection.execute(change.values(password=stored, changed=millis(at)))
            await connection.execute(delete(sessions).where(sessions.c.account == account.id))
            await note(connection, Deed(who=account.name, what="password changed", address=address), at=at)

    def _count(self, name: str, address: str) -> None:
        """Count one attempt at a password; what the strict bucket refuses takes nothing from everybody's."""
        name = name[:128]
        # No address has a line's end in it: two pairs never make one text.
        self._by_both.take(f"{network_of(address)}\n{name}")
        self._by_account.take(name)

    async def remove(self, number: int, *, by: str, address: str, at: datetime) -> None:
        """Remove an account with its sessions and links, unless it is the last operator (rules 5 and 6)."""
        async with self._database.writing() as connection:
            row = (await connection.execute(select(accounts).where(accounts.c.id == number))).first()
            if row is None:
                raise UnknownRecordError(f"no account {number}")
            await _forget_links(connection, row.name)
            await _check_another_operator(connection, row, "the last operator stays")
            await connection.execute(delete(sessions).where(sessions.c.account == number))
            await connection.execute(delete(accounts).where(accounts.c.id == number))
            await note(connection, Deed(who=by, what="account removed", address=address, about=row.name), at=at)

    async def all(self) -> list[dict[str, Any]]:
        """Return every account in the order of their names, without their passwords."""
        asked = select(accounts.c.id, accounts.c.name, accounts.c.role, accounts.c.made, accounts.c.changed)
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked.order_by(accounts.c.name).limit(500))).all()
        return [
            {"id": row.id, "name": row.name, "role": row.role, "made": time_of(row.made),
             "changed": time_of(row.changed)}
            for row in rows
        ]  # fmt: skip


def digest_of(secret: str) -> str:
    """Return what a secret of a link or a session is stored and found by."""
    # The look-up is by a digest, whose octets nobody can choose one by one: its time tells nothing.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _check(name: str) -> None:
    try:
        check_name(name, "an account")
    except InvalidPolicyError as error:
        raise MonitorError(error.reason) from None


async def _named(connection: AsyncConnection, name: str) -> Row[Any] | None:
    try:
        _check(name)
    except MonitorError:
        # PostgreSQL takes no NUL, and nobody has such a name.
        return None
    return (await connection.execute(select(accounts).where(accounts.c.name == name))).first()


def _is_good(at: datetime) -> ColumnElement[bool]:
    """Return the condition that a link is good (rule 1)."""
    return (invitations.c.expires > millis(at)) & is_believed(invitations.c.made, at)


async def _forget_links(connection: AsyncConnection, name: str) -> None:
    """Remove the links that somebody made, and those for them (rule 6)."""
    # Before any account is locked: ``accept`` locks its link first, and two that lock in turn wait for each other.
    is_theirs = (invitations.c.invited_by == name) | (invitations.c.name == name)
    await connection.execute(delete(invitations).where(is_theirs))


async def _check_another_operator(connection: AsyncConnection, account: Row[Any], stays: str) -> None:
    """Refuse to take the role of an operator from the last one; nobody else takes one meanwhile (rule 5)."""
    if account.role != Standing.OPERATOR.value:
        return
    operators = select(accounts.c.id).where(accounts.c.role == Standing.OPERATOR.value).order_by(accounts.c.id)
    if len((await connection.execute(operators.with_for_update())).all()) == 1:
        raise MonitorError(f"{stays}: make another one first")


async def _operators(connection: AsyncConnection) -> int:
    asked = select(func.count()).select_from(accounts).where(accounts.c.role == Standing.OPERATOR.value)
    return int((await connection.execute(asked)).scalar_one())
