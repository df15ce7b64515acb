"""``pinscher lab intercept``: the real mitmproxy between a program and the world, and what it could read."""

from __future__ import annotations

import contextlib
import ipaddress
import shlex
import subprocess
import threading
from typing import TYPE_CHECKING

import click

from pinscher.cli.reading import json_option, read_bytes
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import PinningError, escaped
from pinscher.lab.eavesdropping import Conclusion, HostReport, Report, intercepted_environment, report
from pinscher.lab.interception import HOST, Interceptor
from pinscher.lab.mitmdump import find_mitmdump, provide_mitmdump

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.interception import Flow

_FIELDS = """
\b
JSON: {an object}
  conclusion       nothing-read, read or inconclusive; and reason, in words
  control          the hosts that were read as they were meant to be
  program          the exit code of COMMAND, or null
  hosts            one object for each host, in order:
    host
    judged         whether it is one of those that must not be read
    completed      handshakes that the program completed, at first
    refused        handshakes that it refused, and refusals, in words
    requests       requests that were read; in-clear, those without TLS
    bytes          how many bytes of them
    secrets        {name: count} of what looked like a secret
"""
_CODES = {
    Conclusion.NOTHING_READ: ExitCode.GOOD,
    Conclusion.READ: ExitCode.BAD,
    Conclusion.INCONCLUSIVE: ExitCode.NO_ANSWER,
}


@click.command("intercept", epilog=_FIELDS)
@click.argument("program", nargs=-1, metavar="[-- COMMAND...]")
@click.option("--control", metavar="COMMAND", help="Run this first; what is read of it shows that the CA is taken.")
@click.option(
    "--pinned",
    "judged",
    multiple=True,
    metavar="HOST",
    help="Judge this host; the others of the same run are the control. Default: all.",
)
@click.option(
    "--listen",
    default=HOST,
    metavar="ADDRESS",
    show_default=True,
    help="The IP address to listen on; another than loopback lets a phone in, and its neighbours.",
)
@click.option("--route", "routes", multiple=True, metavar="HOST=ADDRESS:PORT", help="Where to find a host.")
@click.option("--upstream-ca", metavar="FILE", help="Trust the PEM certificates in FILE for the real servers.")
@click.option("--mitmdump", metavar="PATH", help="The mitmdump to use instead of one found on the PATH.")
@click.option("--install", is_flag=True, help="Install mitmproxy into an environment of its own if there is none.")
@json_option
def command(
    program: tuple[str, ...], *, control: str | None, judged: tuple[str, ...], listen: str, routes: tuple[str, ...],
    upstream_ca: str | None, mitmdump: str | None, install: bool, is_json: bool,
) -> int:  # fmt: skip
    """
    Put the real mitmproxy between a program and the world, and say what it could read.

    COMMAND runs with HTTPS_PROXY and the like set, and with a CA for the moment in SSL_CERT_FILE and the like; its own
    standard output goes to standard error. Without COMMAND the proxy serves until Ctrl-C. Exit 0: nothing was read,
    while a control could be; 1: something was read; 2: inconclusive. Secrets are named and counted, never shown.
    """
    voice, address = Voice(), _address(listen)
    found = provide_mitmdump(mitmdump, progress=voice.note) if install else find_mitmdump(mitmdump)
    trusted = None if upstream_ca is None else read_bytes(upstream_ca)
    proxy = Interceptor(
        routes=dict(map(_route, routes)), upstream_ca=trusted, mitmdump=found, passes_on=True, listen_host=address
    )
    with proxy:
        controlled = _control(control, proxy, voice)
        code = _run(program, proxy) if program else None
        if not program:
            _serve(proxy, address, voice)
        with contextlib.suppress(PinningError):
            proxy.wait_idle()
        told = report(proxy.flows()[len(controlled) :], control=controlled, judged=judged)
    if is_json:
        voice.document(_object(told, code))
    else:
        _print(told, voice)
    if told.conclusion is Conclusion.INCONCLUSIVE:
        voice.hint("name an unpinned request of the same program with --control, or its pinned hosts with --pinned")
    return _CODES[told.conclusion]


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise click.BadParameter(f"'{escaped(text)}' is not an IP address", param_hint="'--listen'") from None


def _route(text: str) -> tuple[str, tuple[str, int]]:
    host, _, where = text.partition("=")
    address, _, port = where.rpartition(":")
    if not (host and address and port.isdecimal()):
        raise click.BadParameter(f"expected HOST=ADDRESS:PORT, found '{escaped(text)}'", param_hint="'--route'")
    return host, (address, int(port))


def _url(proxy: Interceptor) -> str:
    return f"http://[{proxy.host}]:{proxy.port}" if ":" in proxy.host else proxy.url


def _control(command_line: str | None, proxy: Interceptor, voice: Voice) -> tuple[Flow, ...]:
    """Run the control and return what the proxy saw of it."""
    if command_line is None:
        return ()
    try:
        words = shlex.split(command_line)
    except ValueError as error:
        raise click.BadParameter(str(error).lower(), param_hint="'--control'") from None
    code = _run(words, proxy)
    proxy.wait_idle()
    flows = proxy.flows()
    if not any(flow.application_bytes for flow in flows):
        voice.warning(f"the control was not read (it ended with exit code {code}), so it proves nothing")
    return flows


def _run(words: Sequence[str], proxy: Interceptor) -> int:
    """Run a program behind the proxy, its answer going where ours is not, and return its exit code."""
    try:
        return subprocess.run(  # noqa: S603  (the program that the user chose)
            words, env=intercepted_environment(_url(proxy), str(proxy.ca_file)), stdout=2, check=False
        ).returncode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PinningError(f"cannot run '{escaped(words[0])}': {reason.lower()}") from None


def _serve(proxy: Interceptor, address: str, voice: Voice) -> None:
    """Say where the proxy is, and wait for Ctrl-C."""
    voice.note(f"proxy: {_url(proxy)}\nCA file: {proxy.ca_file}\nset-up page, through the proxy: {_SET_UP}")
    if not ipaddress.ip_address(address).is_loopback:
        welcome(address, voice)
    with contextlib.suppress(KeyboardInterrupt):
        voice.note("Ctrl-C ends it and shows what was read")
        threading.Event().wait()


def welcome(address: str, voice: Voice) -> None:
    """Say what it means that others than this machine reach the proxy, and show a code for a phone's camera."""
    voice.warning(f"whoever reaches {address} can use this proxy until it ends, and is read as well")
    voice.warning("take the CA off the device again afterwards; its key is gone when this ends")
    for row in _code(_SET_UP):
        voice.note(row)


_SET_UP = "http://mitm.it/"


def _code(text: str) -> list[str]:
    """Return a QR code as lines of ASCII, dark on light or light on dark as the terminal is."""
    try:
        import segno  # noqa: PLC0415  (asked for by few)
    except ModuleNotFoundError:
        raise PinningError("a QR code needs segno; install it with: pip install 'pinscher[lab]'") from None
    return ["".join("  " if module else "##" for module in row) for row in segno.make(text).matrix_iter(border=2)]


def _object(told: Report, code: int | None) -> dict[str, object]:
    return {
        "conclusion": told.conclusion.value,
        "reason": told.reason,
        "control": list(told.control),
        "program": code,
        "hosts": [
            {
                "host": one.host, "judged": one.is_judged, "completed": one.completed, "refused": one.refused,
                "refusals": sorted(one.refusals), "requests": one.requests, "in-clear": one.in_clear,
                "bytes": one.read_bytes, "secrets": dict(sorted(one.secrets.items())),
            } for one in told.hosts
        ],
    }  # fmt: skip


_STYLES = {
    Conclusion.NOTHING_READ: "bold green",
    Conclusion.READ: "bold red",
    Conclusion.INCONCLUSIVE: "bold yellow",
}


def _print(told: Report, voice: Voice) -> None:
    for one in told.hosts:
        voice.answer((one.host, "bold"), f"  {_happened(one)}")
        for refusal, count in sorted(one.refusals.items()):
            voice.answer(f"  refused {count}: {refusal}")
        for name, count in sorted(one.secrets.items()):
            voice.answer(f"  read {count}: ", (name, "red"), " = ********")
    if told.hosts:
        voice.answer()
    word = told.conclusion.value.replace("-", " ").upper()
    voice.answer((word, _STYLES[told.conclusion]), f"  {told.reason}")


def _happened(one: HostReport) -> str:
    if one.requests:
        clear = f", {one.in_clear} of them without TLS" if one.in_clear else ""
        role = "READ" if one.is_judged else "read, as the control"
        return f"{role}: {one.requests} requests with {one.read_bytes} bytes{clear}"
    return f"nothing read: {one.refused} handshakes refused, {one.completed} completed without a request"
