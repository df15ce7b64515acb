"""urllib3 with ``assert_fingerprint``: the hash of the server's own certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.client import SECRET, Client, Contestant, Reply
from pinscher.lab.peers.fingerprints import fingerprint_of, package
from pinscher.lab.scenario import Capability

if TYPE_CHECKING:
    from types import ModuleType

    from pinscher.lab.scenario import Visit
    from pinscher.lab.workplace import Workplace


def contestant(_: Workplace) -> Contestant:
    """Return urllib3 as a contestant."""
    urllib3, version = package("urllib3")

    def new() -> Client:
        return _Urllib3(urllib3)

    able = frozenset({Capability.NAMES, Capability.CERTIFICATE_PINS, Capability.SEVERAL_VISITS})
    return Contestant("urllib3", able, new, f"urllib3 {version}, assert_fingerprint")


class _Urllib3:
    def __init__(self, urllib3: ModuleType) -> None:
        self._urllib3 = urllib3

    def visit(self, visit: Visit) -> Reply:
        """Post the secret through a pool of its own."""
        fingerprint = fingerprint_of(visit)
        address, port = visit.address
        pool = self._urllib3.HTTPSConnectionPool(
            address, port, assert_fingerprint=fingerprint.hex(), ca_cert_data=visit.trust.decode(),
            server_hostname=visit.host, retries=False, timeout=10,
        )  # fmt: skip
        try:
            pool.request("POST", visit.path, body=SECRET)
        except self._urllib3.exceptions.HTTPError as error:
            return Reply(accepted=False, said=str(error))
        finally:
            pool.close()
        return Reply(accepted=True)

    def close(self) -> None:
        """Hold nothing."""
