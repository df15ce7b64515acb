"""requests with ``FingerprintAdapter`` of requests-toolbelt: the hash of the server's own certificate."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pinscher.lab.client import SECRET, CannotExpressError, Client, Contestant, Reply
from pinscher.lab.peers.fingerprints import fingerprint_of, package
from pinscher.lab.scenario import Capability

if TYPE_CHECKING:
    from types import ModuleType

    from pinscher.lab.scenario import Visit
    from pinscher.lab.workplace import Workplace


def contestant(workplace: Workplace) -> Contestant:
    """Return requests with the adapter as a contestant."""
    requests, release = package("requests")
    toolbelt, version = package("requests_toolbelt.adapters.fingerprint", "requests-toolbelt")

    def new() -> Client:
        return _Requests(requests, toolbelt, workplace)

    able = frozenset({Capability.CERTIFICATE_PINS, Capability.SEVERAL_VISITS, Capability.REDIRECTS})
    return Contestant("requests-toolbelt", able, new, f"requests-toolbelt {version} on requests {release}")


class _Requests:
    def __init__(self, requests: ModuleType, toolbelt: ModuleType, workplace: Workplace) -> None:
        self._requests = requests
        self._toolbelt = toolbelt
        self._workplace = workplace

    def visit(self, visit: Visit) -> Reply:
        """Post the secret in a session of its own, with the adapter mounted for this server."""
        fingerprint = fingerprint_of(visit)
        if visit.host != "localhost":
            raise CannotExpressError("connects where the name leads, and the lab's names lead nowhere")
        origin = f"https://localhost:{visit.address[1]}"
        with self._requests.Session() as session, tempfile.NamedTemporaryFile(dir=self._workplace.folder) as trust:
            Path(trust.name).write_bytes(visit.trust)
            session.trust_env = False
            session.verify = trust.name
            session.mount("https://", self._toolbelt.FingerprintAdapter(fingerprint.hex()))
            try:
                session.post(f"{origin}{visit.path}", data=SECRET, timeout=10)
            except (OSError, ValueError) as error:
                return Reply(accepted=False, said=str(error))
        return Reply(accepted=True)

    def close(self) -> None:
        """Hold nothing."""
