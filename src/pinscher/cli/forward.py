"""``pinscher forward``: a local port that speaks pinned TLS onward, for programs that cannot pin by themselves."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from pinscher.cli.forward_log import ForwardLog
from pinscher.cli.policies import load_policy
from pinscher.cli.reading import STDIN, json_option, reach_options
from pinscher.cli.voice import ExitCode, ReaderGoneError, Voice
from pinscher.clients.forwarder import Event, Forwarder, Kind, Limits, Place, PolicyFile, Upstream
from pinscher.errors import PinningError, escaped
from pinscher.probe import Deadline, Endpoint, Protocol, connect

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from pinscher.cli.reading import Reach
    from pinscher.tls import PinnedContext

_FIELDS = """
\b
JSON: {an object} on a line for each event, on standard output
  at               when, UTC
  event            listening, opened, closed, refused, reported (a refusal in
                   report-only mode), failed, withdrawn (by a new policy),
                   reloaded, kept (the policy, for the new one cannot be
                   used) or stopped
  text             the event in one line
  local, upstream  the pair, or null
  connection       its number, or null
  sent, received   octets to the upstream, and back
  outcome, verdict the verdict's outcome and id, or null
  diagnosis        the refusal in words, or null
"""

_seconds = click.FloatRange(min=0, max=86_400, min_open=True)


@click.command(epilog=_FIELDS)
@click.argument("pairs", nargs=-1, required=True, metavar="LISTEN HOST[:PORT] [LISTEN HOST[:PORT]]...")
@click.option("--policy", "policy_file", required=True, metavar="FILE", help="The policy, TOML or JSON; '-' is stdin.")
@click.option("--cert", metavar="FILE", help="Show this client certificate, PEM, to an upstream that was judged.")
@click.option("--key", metavar="FILE", help="The key of --cert, not encrypted; without it, the key in that file.")
@click.option("--alpn", multiple=True, metavar="NAME", help="Offer this protocol, such as h2; may be repeated.")
@click.option("--idle", type=_seconds, metavar="SECONDS", help="Cut a connection when nothing moved for this long.")
@click.option("--grace", type=click.FloatRange(min=0, max=86_400), default=5.0, metavar="SECONDS", show_default="5",
              help="How long open connections may go on when the forwarder is stopped.")  # fmt: skip
@click.option("--beyond-loopback", is_flag=True, help="Let LISTEN be an address that other machines reach, in clear.")
@click.option("--verbose", is_flag=True, help="Tell of every connection, not of the bad ones alone.")
@reach_options
@json_option
def forward(
    pairs: tuple[str, ...], *, policy_file: str, cert: str | None, key: str | None, alpn: tuple[str, ...],
    idle: float | None, grace: float, beyond_loopback: bool, verbose: bool, reach: Reach, is_json: bool,
) -> int:  # fmt: skip
    """
    Listen on the loopback in clear, and carry what connects there to HOST over pinned TLS.

    LISTEN is 127.0.0.1:PORT, [::1]:PORT, :PORT or unix:PATH; port 0 is any free one, and standard output says which. A
    local client of an upstream that is refused is reset, and the diagnosis goes to standard error. The policy is read
    again when its file changes and on SIGHUP; one that cannot be used changes nothing. Ctrl-C or SIGTERM stops, and a
    second one cuts what is still open. Exit 0: it was stopped; 2: it could not begin.
    """
    voice = Voice()
    routes = _routes(pairs, reach, beyond_loopback=beyond_loopback)
    file = _policy_file(policy_file)
    if beyond_loopback:
        voice.warning("whoever reaches an address of LISTEN uses this forwarder, and speaks to it in clear")
    plan = Plan(
        routes=routes, policy=file, context=_context(file, reach, cert=cert, key=key, alpn=alpn), reach=reach,
        limits=Limits(opening=reach.timeout, idle=idle), grace=grace, is_followed=policy_file != STDIN,
    )  # fmt: skip
    _raise_limit()
    log = ForwardLog(voice, is_json=is_json, is_verbose=verbose)
    asyncio.run(_serve(plan, log))
    if log.reader_gone:
        raise ReaderGoneError
    return ExitCode.GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was asked for."""

    routes: Sequence[tuple[Place, Endpoint]]
    policy: PolicyFile
    context: PinnedContext
    reach: Reach
    limits: Limits
    grace: float
    is_followed: bool


def _routes(pairs: Sequence[str], reach: Reach, *, beyond_loopback: bool) -> list[tuple[Place, Endpoint]]:
    if len(pairs) % 2:
        raise click.UsageError(f"expected a HOST[:PORT] after every LISTEN, found none after '{escaped(pairs[-1])}'")
    places = [Place.parse(text, beyond_loopback=beyond_loopback) for text in pairs[::2]]
    return list(zip(places, map(reach.endpoint, pairs[1::2]), strict=True))


def _policy_file(path: str) -> PolicyFile:
    return PolicyFile(path, lambda: load_policy(path))


def _context(
    file: PolicyFile, reach: Reach, *, cert: str | None, key: str | None, alpn: Sequence[str]
) -> PinnedContext:
    from pinscher.tls import PinnedContext  # noqa: PLC0415  (the help does not pay for it)

    # Somebody listens: the policy's report channel, if it has one, is served by who reads the log.
    context = PinnedContext(file.policy, trust=reach.trust.ca_file, on_verdict=lambda _: None)
    if alpn:
        context.set_alpn_protocols(list(map(_protocol, alpn)))
    if cert is None:
        if key is not None:
            raise click.UsageError("--key is the key of a --cert, and none was given")
        return context
    try:
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except (OSError, ValueError) as error:
        reason = escaped((getattr(error, "strerror", None) or str(error)).lower())
        raise PinningError(f"cannot use the client certificate in '{escaped(cert)}': {reason}") from None
    return context


def _protocol(name: str) -> str:
    """Return a name that fits where TLS says it (RFC 7301, section 3.1)."""
    if not name.isascii() or not 1 <= len(name) <= 255:
        raise click.BadParameter(f"expected 1 to 255 letters of ASCII, found '{escaped(name)}'", param_hint="'--alpn'")
    return name


def _no_passphrase() -> str:
    raise ValueError("its key is encrypted, expected one that is not")


def _raise_limit() -> None:
    """Allow as many open files as may be: a connection needs two."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415  (not on Windows)

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(plan: Plan, log: ForwardLog) -> None:
    """Listen until a signal says otherwise, or nobody reads the answer any more."""
    stopping, cutting = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (cutting if stopping.is_set() else stopping).set()

    def kept(reason: str) -> None:
        forwarder_log(
            Event(kind=Kind.KEPT, text=f"the policy in force stays, for the new one cannot be used: {reason}")
        )

    forwarder_log = log.telling(stop)
    with concurrent.futures.ThreadPoolExecutor(_DIALLING) as pool:
        dial = None if plan.reach.protocol is Protocol.TLS else _Dialler(plan.reach, pool)
        forwarder = Forwarder(plan.context, tell=forwarder_log, limits=plan.limits, dial=dial)
        _on_signals(stop, plan.policy.reload)
        try:
            for place, endpoint in plan.routes:
                await forwarder.listen(place, Upstream(endpoint.host, endpoint.port, endpoint.connect_to))
            await _until(stopping, plan, forwarder, kept)
        finally:
            await _stop(forwarder, plan.grace, cutting)


_DIALLING = 64
"""Threads that speak the words before TLS; without --starttls none is used."""


async def _until(stopping: asyncio.Event, plan: Plan, forwarder: Forwarder, kept: Callable[[str], None]) -> None:
    """Follow the policy's file until it is time to stop; a follower that fails is not passed over."""
    tasks = {asyncio.create_task(stopping.wait())}
    if plan.is_followed:
        tasks.add(asyncio.create_task(_follow(plan, forwarder, kept)))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


async def _follow(plan: Plan, forwarder: Forwarder, kept: Callable[[str], None]) -> Literal[True]:
    await plan.policy.follow(changed=forwarder.replace, failed=kept)
    return True


async def _stop(forwarder: Forwarder, grace: float, cutting: asyncio.Event) -> None:
    """Stop, in the time of grace or until a second signal."""
    ending = asyncio.create_task(forwarder.stop(grace))
    cut = asyncio.create_task(cutting.wait())
    await asyncio.wait({ending, cut}, return_when=asyncio.FIRST_COMPLETED)
    cut.cancel()
    if not ending.done():
        forwarder.cut()
    await ending


def _on_signals(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    # Windows has no such handlers: there Ctrl-C cancels what runs.
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, stop)
        loop.add_signal_handler(signal.SIGTERM, stop)
        loop.add_signal_handler(signal.SIGHUP, reload)


class _Dialler:
    """Speaks what comes before TLS in threads, byte by byte as the probe does."""

    def __init__(self, reach: Reach, pool: concurrent.futures.ThreadPoolExecutor) -> None:
        self._reach = reach
        self._pool = pool

    async def __call__(self, upstream: Upstream) -> socket.socket:
        """Return a socket on which a ClientHello comes next; one that nobody waits for any more is closed."""
        endpoint = Endpoint(upstream.host, upstream.port, protocol=self._reach.protocol, connect_to=upstream.address)
        dialling = self._pool.submit(lambda: connect(endpoint, deadline=Deadline.after(self._reach.timeout)))
        try:
            return await asyncio.wrap_future(dialling)
        except asyncio.CancelledError:
            dialling.add_done_callback(_close)
            raise


def _close(dialled: concurrent.futures.Future[socket.socket]) -> None:
    if not dialled.cancelled() and dialled.exception() is None:
        dialled.result().close()
