"""
A program that gevent patches before anything else; it prints what happened as JSON.

Usage: ``python gevent_program.py PORT POLICY CA [CLIENT_CERTIFICATE]``.
"""

from gevent import monkey

monkey.patch_all()

import http.client  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402
import gevent.ssl  # noqa: E402

import pinscher  # noqa: E402


def post(port: int, policy: str, ca: str, *client: str) -> dict[str, object]:
    """Post a form in a greenlet's own connection."""
    context = pinscher.PinnedContext(pinscher.Policy.load(policy), trust=ca)
    if client:
        context.load_cert_chain(*client)
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    told: dict[str, object] = {"status": None, "error": None, "outcome": None}
    try:
        connection.request("POST", "/", b"password=correct-horse-battery-staple")
        told["status"] = connection.getresponse().status
        told["is_gevents"] = isinstance(connection.sock, gevent.ssl.SSLSocket)
    except OSError as error:
        verdict = pinscher.verdict_of(error)
        told["error"] = type(error).__name__
        told["outcome"] = None if verdict is None else verdict.outcome.value
    finally:
        connection.close()
    return told


if __name__ == "__main__":
    port, policy, ca, *client = sys.argv[1:]
    jobs = [gevent.spawn(post, int(port), policy, ca, *client) for _ in range(2)]
    gevent.joinall(jobs, raise_error=True)
    sys.stdout.write(json.dumps([job.value for job in jobs]))
