"""What the tests of the verbs share: an authority, a clean environment, and the probe tests' loopback servers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "probe"))

from loopback import Authority

REDIRECTING = (
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE", "OPENSSL_CONF",
    "PYTHONHTTPSVERIFY", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy",
)  # fmt: skip


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return a certificate authority of this test."""
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every variable that redirects trust out of the environment, whatever this machine sets."""
    for name in REDIRECTING:
        monkeypatch.delenv(name, raising=False)
