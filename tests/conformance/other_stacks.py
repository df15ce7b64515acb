"""Stacks that take no context, as the table in the docs has them: what is enforced, what is not, and what proves it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One stack; *test* is the file and the test that fails when what the row says no longer holds."""

    name: str
    package: str
    how: str
    enforced: str
    not_enforced: str
    test: str

    def __str__(self) -> str:
        return self.name


_ADAPTED = "tests/conformance/test_clients.py::test_a_rogue_key_gets_nothing"
_OWN = "tests/conformance/test_own_tls.py::test_a_rogue_key_gets_nothing"
_QUIC = "tests/conformance/test_own_tls.py::test_quic_gives_an_impostor_nothing"
_REFUSED = "tests/unit/clients/test_refusals.py::test_a_stack_without_a_hook_is_refused"
_WHOLE = "the whole policy, as by a context"
_JUDGED = "the whole policy on the validated chain, before the client's Finished"
_LEAF = "pins of leaf keys, after libcurl's own verification"
_NO_LIVE = "a new policy does not reach open connections; no session is resumed"

OTHERS = [
    Row("requests", "requests", "`clients.requests.session(context)`", _WHOLE, "adapters that others mount", _ADAPTED),
    Row("redis-py", "redis", "`clients.redis.pool`, `async_pool`", _WHOLE, "`from_url`, clusters and sentinels", _ADAPTED),
    Row("pymongo", "pymongo", "`clients.pymongo.client`", f"{_WHOLE}; pyOpenSSL is passed by", "key management and OCSP; the asyncio client is refused", _ADAPTED),
    Row("botocore, boto3", "botocore", "`clients.botocore.pin(client, context)`", f"{_WHOLE}; clear text is refused", "credentials that botocore fetches by itself", _ADAPTED),
    Row("ldap3", "ldap3", "`clients.ldap3.PinnedTls(context)`", _WHOLE, "a bind before `start_tls`; the error is words alone", _ADAPTED),
    Row("mysql-connector", "mysql-connector-python", "`clients.mysql_connector.PinnedConnection`", f"{_WHOLE}; a server without TLS is refused", "its C extension, its asyncio connections, its pools", _ADAPTED),
    Row("google-auth", "google-auth", "`clients.google_auth.session`, `token_request`", f"{_WHOLE}, for tokens too", "its gRPC transport", _ADAPTED),
    Row("niquests", "niquests", "`clients.niquests.session`", f"{_WHOLE}; HTTP/3 is off", "sessions made elsewhere, which follow a hint to HTTP/3", "tests/conformance/test_http3.py::test_niquests_sends_an_impostor_nothing"),
    Row("gevent", "gevent", "patch first, then any context", _WHOLE, "patching after pinscher was imported", "tests/conformance/test_gevent.py::test_a_patched_program_sends_an_impostor_nothing"),
    Row("pyOpenSSL", "pyopenssl", "`clients.pyopenssl.Connector(judge)`", _JUDGED, _NO_LIVE, _OWN),
    Row("Twisted", "twisted", "`clients.twisted.options_for_client_tls`, `PinnedPolicy`", _JUDGED, f"{_NO_LIVE}; `http://` through `Agent`", _OWN),
    Row("aioquic", "aioquic", "`clients.aioquic.connect(judge, host, port)`", _JUDGED, f"{_NO_LIVE}; no 0-RTT", _QUIC),
    Row("pycurl", "pycurl", "`clients.pycurl.pin(handle, policy, url)`", _LEAF, "options set afterwards; no verdict; other policies are refused", _OWN),
    Row("curl_cffi", "curl_cffi", "`clients.curl_cffi.PinnedSession(policy, host)`", _LEAF, "no verdict; redirects, proxies and HTTP/3 are off; other policies are refused", _OWN),
    Row("PySide (Qt)", "PySide6-Essentials", "`clients.pyside.PinnedAccessManager(judge)`", "the whole policy on the validated chain, before the request", f"{_NO_LIVE}; redirects are not followed; Finished and a client certificate are sent before; `QSslSocket` by itself", "tests/conformance/test_pyside.py::test_qt_sends_an_impostor_nothing"),
    Row("grpcio", "grpcio", "refused by name; behind `pinscher forward --alpn h2`", "nothing", "no hook, and no way to ask for the chain", _REFUSED),
    Row("psycopg, libpq", "psycopg", "refused by name; behind `pinscher forward --starttls postgres`", "nothing", "no hook; `sslrootcert` names authorities", _REFUSED),
    Row("confluent-kafka", "confluent-kafka", "refused by name; behind `pinscher forward`", "nothing", "no hook; `ssl.ca.location` names authorities", _REFUSED),
]  # fmt: skip
