"""``pinscher serve``: the monitor and the collector, one process with one folder."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import json
import os
import signal
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import counted
from pinscher.cli.log_options import log_options
from pinscher.cli.policies import load_policy
from pinscher.cli.probe import resolver_of
from pinscher.cli.reading import STDIN, json_option, reach_options
from pinscher.cli.repository_options import repository_options
from pinscher.cli.serving import place_options
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from pinscher.cli.log_options import FollowedLogs
    from pinscher.cli.reading import Reach
    from pinscher.cli.repository_options import FollowedRepository
    from pinscher.cli.serving import Place
    from pinscher.monitor.comparison import LookUp
    from pinscher.monitor.database import Database
    from pinscher.monitor.reloading import PolicyFile
    from pinscher.monitor.web.pages.desk import Desk
    from pinscher.monitor.web.server import Server
    from pinscher.policy import Policy
    from pinscher.probe import Endpoint

_FIELDS = """
\b
JSON: {an object} on a line for each event, on standard output
  event            listening, token, link or stopped
  url              where it listens, or the link that makes the first account, or null
  token            the operator's token, at the first start alone, or null
  endpoints        how many are watched, or null
"""


@click.command(epilog=_FIELDS)
@click.option("--policy", "policy_file", required=True, metavar="FILE", help="The policy, TOML or JSON; '-' is stdin.")
@place_options
@click.option("--listen", default="127.0.0.1:8080", metavar="ADDRESS:PORT", show_default=True,
              help="Where to listen; port 0 is any free one.")  # fmt: skip
@click.option("--endpoint", "endpoints", multiple=True, metavar="HOST[:PORT]",
              help="Watch this endpoint in place of its host's port 443; may be repeated.")  # fmt: skip
@click.option("--interval", type=click.FloatRange(min=1, max=86_400), default=300.0, metavar="SECONDS",
              show_default="300", help="Look at each endpoint this often.")  # fmt: skip
@click.option("--new-token", is_flag=True, help="Make a new operator's token; the one before is no longer good.")
@click.option("--new-link", is_flag=True, help="Show a link again that makes an operator's account, once.")
@click.option("--url", metavar="URL", help="How browsers reach the dashboard through a proxy: https:// and a name.")
@click.option("--alerts", type=click.Path(path_type=Path), metavar="FILE",
              help="Tell people what is found, by the routes of this TOML file.")  # fmt: skip
@click.option("--tlsa", "resolver", metavar="ADDRESS[:PORT]", help="Ask this resolver for TLSA records, and compare.")
@log_options
@repository_options
@reach_options
@json_option
def serve(
    policy_file: str, place: Place, listen: str, *, endpoints: tuple[str, ...], interval: float, new_token: bool,
    new_link: bool, url: str | None, alerts: Path | None, resolver: str | None,
    followed: FollowedLogs, repository: FollowedRepository, reach: Reach, is_json: bool,
) -> int:  # fmt: skip
    """
    Watch the policy's endpoints, and collect the reports and heartbeats of clients.

    Every host that the policy lists by its full name is watched, at port 443. The first start shows the operator's
    token and a link that makes the first account of the dashboard, once each. /healthz answers everybody, /metrics this
    machine, /api whoever has the token, the dashboard whoever is logged in, and /v1/reports and /v1/heartbeats
    applications. It speaks HTTP in clear: let a proxy speak TLS for other machines. Ctrl-C or SIGTERM stops. Exit 0: it
    was stopped; 2: it could not begin. A policy file that changes is read again by itself.
    """
    voice = Voice()
    if place.data is not None and place.database is not None and repository.url is None:
        raise click.UsageError("'--database' takes the place of '--data', which beside it is for --updates alone")
    reach.trust.check()
    plan = Plan(
        policy=load_policy(policy_file), place=place, listen=_address(listen), reach=reach,
        policy_file=None if policy_file == STDIN else policy_file, followed=followed, repository=repository,
        resolver=None if resolver is None else resolver_of(resolver),
        endpoints=[reach.endpoint(text) for text in endpoints], interval=timedelta(seconds=interval),
        is_token_wanted=new_token, is_link_wanted=new_link, url=url,
        alerts=alerts,
    )  # fmt: skip
    if not ipaddress.ip_address(plan.listen[0]).is_loopback:
        voice.warning("other machines reach this address, in clear: let a proxy speak TLS in front of it")
    asyncio.run(_serve(plan, _Teller(voice, is_json=is_json)))
    return ExitCode.GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was asked for."""

    policy: Policy
    place: Place
    listen: tuple[str, int]
    reach: Reach
    policy_file: str | None
    resolver: tuple[str, int] | None
    followed: FollowedLogs
    repository: FollowedRepository
    endpoints: Sequence[Endpoint]
    interval: timedelta
    is_token_wanted: bool
    is_link_wanted: bool
    url: str | None
    alerts: Path | None


class _Teller:
    """Says what happens, a line or an object at a time."""

    def __init__(self, voice: Voice, *, is_json: bool) -> None:
        self._voice = voice
        self._is_json = is_json

    def tell(
        self, event: str, text: str, *, url: str | None = None, token: str | None = None, endpoints: int | None = None
    ) -> None:
        told = {"event": event, "url": url, "token": token, "endpoints": endpoints}
        self._voice.answer(json.dumps(told) if self._is_json else text)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        if port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535:
            return str(address), int(port)
    found = escaped(text)
    raise click.UsageError(f"--listen takes an address and a port, such as 127.0.0.1:8080, found '{found}'")


async def _serve(plan: Plan, teller: _Teller) -> None:
    try:
        from pinscher.monitor.monitor import Monitor  # noqa: PLC0415  (the help does not pay for it)
    except ImportError as error:
        raise PinningError(str(error)) from None
    from pinscher.monitor.web import application  # noqa: PLC0415
    from pinscher.monitor.web.pages.desk import Desk  # noqa: PLC0415
    from pinscher.monitor.web.server import listening, server_of  # noqa: PLC0415
    from pinscher.monitor.web.server import serve as run  # noqa: PLC0415

    broker = plan.place.broker_address()
    database = await plan.place.opened()
    async with contextlib.AsyncExitStack() as leaving:
        leaving.push_async_callback(database.close)
        alerting = await _alerting(plan, database)
        named = plan.reach.trust.ca_file is not None
        settings = replace(
            plan.place.settings(), interval=plan.interval, trust_named=named, transparency=plan.followed.settings(),
            updater=plan.repository.updater(plan.place.data), policy_file=_policy_file(plan), tlsa=_look_up(plan),
            addresses=plan.reach.addresses,
        )  # fmt: skip
        monitor = await Monitor.open(database, plan.policy, plan.reach.observe, settings=settings, broker=broker)
        leaving.push_async_callback(monitor.close)
        leaving.push_async_callback(monitor.transparency.close)
        await monitor.begin(plan.endpoints)
        with _listener(listening, plan.listen) as listener:
            desk = Desk.of(monitor, url=plan.url)
            server = server_of(application(monitor, desk=desk))
            server.ending = desk.live.close
            _on_signals(server)
            await _introduce(plan, desk, teller, listener)
            await run(server, listener, alerting(monitor.work()))
        teller.tell("stopped", "stopped")


async def _alerting(plan: Plan, database: Database) -> Callable[[Awaitable[object]], Awaitable[object]]:
    """Return what adds alerts to the monitor's work, where they are wanted and can be sent."""
    if plan.alerts is None:
        return lambda work: work
    from pinscher.monitor.alerts.alerting import Alerts  # noqa: PLC0415
    from pinscher.monitor.alerts.plan import Plan as Routes  # noqa: PLC0415

    try:
        alerts = Alerts(database, Routes.load(plan.alerts))
    except ImportError as error:
        raise PinningError(str(error)) from None
    await alerts.begin()
    return alerts.beside


def _look_up(plan: Plan) -> LookUp | None:
    """Return what asks the resolver, if one was named."""
    if plan.resolver is None:
        return None
    from pinscher.probe.tlsa import TlsaResolver  # noqa: PLC0415

    return TlsaResolver(plan.resolver[0], port=plan.resolver[1], seconds=plan.reach.timeout).look_up


def _policy_file(plan: Plan) -> PolicyFile | None:
    """Return what reads the policy anew when its file changes; standard input does not."""
    from pinscher.monitor.reloading import PolicyFile  # noqa: PLC0415

    file = plan.policy_file
    return None if file is None else PolicyFile(Path(file), functools.partial(load_policy, file))


def _listener(listening: Callable[[str, int], socket.socket], address: tuple[str, int]) -> socket.socket:
    try:
        return listening(*address)
    except OSError as error:
        # Python adds the address to some of these words, which stands there already.
        reason = escaped(os.strerror(error.errno or 0).lower())
        raise PinningError(f"cannot listen on {address[0]} port {address[1]}: {reason}") from None


async def _introduce(plan: Plan, desk: Desk, teller: _Teller, listener: socket.socket) -> None:
    """Say where it listens, and show the operator's token and the link of the first account if they are new."""
    from pinscher.monitor.accounts import Standing  # noqa: PLC0415
    from pinscher.monitor.monitor import endpoints_of  # noqa: PLC0415
    from pinscher.monitor.tokens import Role  # noqa: PLC0415

    monitor, now = desk.monitor, datetime.now(UTC)
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    is_showing = monitor.settings.role.is_showing
    if plan.is_token_wanted or (is_showing and not monitor.tokens.has_operator):
        token = await monitor.tokens.make(Role.OPERATOR, "operator", at=now)
        teller.tell("token", f"operator's token, shown this once: {token}", token=token)
    if plan.is_link_wanted or (is_showing and not await desk.accounts.has_operator()):
        secret = await desk.accounts.invite("", Standing.OPERATOR, by="pinscher serve", at=now)
        link = f"{desk.site.url or url}/welcome/{secret}"
        teller.tell("link", f"to make an operator's account, open within an hour, once: {link}", url=link)
    count = len(endpoints_of(plan.policy, plan.endpoints))
    teller.tell("listening", f"listening on {url}, watching {counted(count, 'endpoint')}", url=url, endpoints=count)


def _on_signals(server: Server) -> None:
    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    loop = asyncio.get_running_loop()
    # Windows has no such handlers: there Ctrl-C cancels what runs.
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, stop)
        loop.add_signal_handler(signal.SIGTERM, stop)
