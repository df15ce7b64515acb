"""curl with ``--pinnedpubkey``: the keys of the server's own certificate, one process for each connection."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from pinscher.lab.client import SECRET, CannotExpressError
from pinscher.lab.foreign import commanded
from pinscher.lab.peers import PeerMissingError
from pinscher.lab.scenario import Capability, Transport
from pinscher.policy import Policy

if TYPE_CHECKING:
    from pinscher.lab.client import Contestant
    from pinscher.lab.errand import Errand
    from pinscher.lab.scenario import Visit
    from pinscher.lab.workplace import Workplace

_ABLE = frozenset({
    Capability.NAMES, Capability.SEVERAL_PINS, Capability.REDIRECTS, Capability.PROXY, Capability.SECURE_PROXY,
    Capability.STARTTLS, Capability.CLIENT_CERTIFICATE,
})  # fmt: skip


def contestant(workplace: Workplace) -> Contestant:
    """Return the curl on the PATH as a contestant."""
    found = shutil.which("curl")
    if found is None:
        raise PeerMissingError("curl is not installed; install it with your system's packages")
    asked = subprocess.run([found, "--version"], capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    version = " ".join(asked.stdout.split()[:2])

    def command(errand: Errand, visit: Visit) -> list[str]:
        # In the C locale curl does not take hosts in their own script.
        return ["env", "LC_ALL=C.UTF-8", found, *_arguments(errand, visit)]

    return commanded("curl", command, workplace=workplace, capabilities=_ABLE, note=f"{version}, --pinnedpubkey")


def _arguments(errand: Errand, visit: Visit) -> list[str]:
    if not visit.pins:
        raise CannotExpressError("has no policy: a host without pins is any host")
    if any(not pin.startswith("sha256/") for pin in visit.pins):
        raise CannotExpressError("takes the hash of a key, not of a whole certificate")
    if visit.front is not None and len(Policy.loads(visit.policy).hosts) > 1:
        raise CannotExpressError("has one set of pins for all the hosts that a redirect may lead to")
    arguments = [
        "--disable", "--silent", "--show-error", "--max-time", "10", "--cacert", errand.ca, "--location",
        "--pinnedpubkey", errand.values["curl_pins"], "--connect-to", f"::{errand.address}:",
    ]  # fmt: skip
    if errand.proxy:
        arguments += ["--proxy", errand.proxy, "--proxy-cacert", errand.ca]
    if errand.certificate:
        arguments += ["--cert", errand.certificate]
    return [*arguments, *_REQUESTS[visit.transport], errand.url]


_LOGIN = ["--ssl-reqd", "--user", "ada:secret", "--request", "NOOP"]
_REQUESTS = {
    Transport.HTTPS: ["--data", SECRET],
    Transport.SMTP: ["--ssl-reqd", "--request", "NOOP"],
    Transport.IMAP: _LOGIN,
    Transport.POP3: [*_LOGIN, "--head"],
    Transport.FTP: ["--ssl-reqd", "--user", "ada:secret", "--head"],
}
