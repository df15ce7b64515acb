"""
Qt for Python: a network access manager whose replies are judged after the handshake and before the request is sent.

``manager = PinnedAccessManager(judge)``, used as any ``QNetworkAccessManager``. Qt's own verification comes first, and
its signal ``encrypted`` says that it is over; the chain to an anchor is then built once more, because Qt keeps the
presented one alone. A reply that is refused is aborted, and ``refused`` tells the reply and the error. Redirects are
not followed, and sessions are not resumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography import x509

from pinscher.clients.errors import missing
from pinscher.host import canonical_host, is_ip_literal

try:
    import service_identity
    from OpenSSL import crypto
    from PySide6.QtCore import QMetaObject, Qt, QUrl, Signal
    from PySide6.QtNetwork import (
        QNetworkAccessManager,
        QNetworkReply,
        QNetworkRequest,
        QSsl,
        QSslCertificate,
        QSslSocket,
    )
    from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

    from pinscher.clients import _chain
except ImportError as error:
    raise ImportError(missing("PySide6-Essentials pyopenssl service-identity", "pyside")) from error

if TYPE_CHECKING:
    from pinscher.clients.judge import Judge

_HTTPS_PORT = 443


class PinnedAccessManager(QNetworkAccessManager):
    """A network access manager that aborts a reply before its request is sent, unless the judge lets it through."""

    refused = Signal(object, object)
    """A reply that was aborted, and the error that says why."""

    def __init__(self, judge: Judge, parent: Any = None) -> None:
        super().__init__(parent)
        self._judge = judge
        self._store = crypto.X509Store()
        trust = judge.trust
        if trust is None:
            for anchor in QSslSocket.sslConfiguration(QSslSocket()).systemCaCertificates():
                self._store.add_cert(crypto.X509.from_cryptography(_certificate(anchor)))
        else:
            _chain.load(self._store, trust)
        self.encrypted.connect(self._judged)

    def createRequest(self, operation: Any, request: QNetworkRequest, outgoing: Any = None) -> QNetworkReply:  # noqa: N802
        """Make a request as Qt does, with a full handshake, and no redirect followed."""
        asked = QNetworkRequest(request)
        asked.setAttribute(
            QNetworkRequest.Attribute.RedirectPolicyAttribute, QNetworkRequest.RedirectPolicy.ManualRedirectPolicy.value
        )
        settings = asked.sslConfiguration()
        settings.setPeerVerifyMode(QSslSocket.PeerVerifyMode.VerifyPeer)
        settings.setSslOption(QSsl.SslOption.SslOptionDisableSessionTickets, True)
        settings.setSslOption(QSsl.SslOption.SslOptionDisableSessionSharing, True)
        if self._judge.trust is not None:
            settings.setCaCertificates(_anchors(self._judge.trust))
        asked.setSslConfiguration(settings)
        reply = super().createRequest(operation, asked, outgoing)
        if asked.url().scheme().lower() != "https":
            # Queued, so that whoever made the request has connected to its signals by then.
            QMetaObject.invokeMethod(reply, "abort", Qt.ConnectionType.QueuedConnection)
        return reply

    def _judged(self, reply: QNetworkReply) -> None:
        """Hear that a handshake is over; Qt waits for this before it sends the request."""
        url = reply.url()
        host, port = url.host(QUrl.ComponentFormattingOption.FullyEncoded), url.port(_HTTPS_PORT)
        try:
            self._judge.before(host, port)
            self._look(reply, canonical_host(host), port)
        except Exception as error:  # noqa: BLE001  (Qt calls this: what is raised here it would print and go on)
            reply.abort()
            self.refused.emit(reply, error)

    def _look(self, reply: QNetworkReply, host: str, port: int) -> None:
        presented = [_certificate(one) for one in reply.sslConfiguration().peerCertificateChain()]
        if not presented:
            self._judge.not_validated(host, "no certificate was shown in this handshake", port)
        try:
            chain = _chain.validated_chain(self._store, presented[0], presented[1:])
            (verify_certificate_ip_address if is_ip_literal(host) else verify_certificate_hostname)(presented[0], host)
        except (_chain.NotValidated, service_identity.CertificateError, service_identity.VerificationError) as error:
            self._judge.not_validated(host, f"{type(error).__name__}: {error}", port)
        self._judge.judge(chain, host, port)


def _certificate(shown: QSslCertificate) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(shown.toDer().data()))


def _anchors(trust: Any) -> list[QSslCertificate]:
    if isinstance(trust, bytes):
        return QSslCertificate.fromData(trust, QSsl.EncodingFormat.Pem)
    return QSslCertificate.fromPath(str(trust), QSsl.EncodingFormat.Pem, QSslCertificate.PatternSyntax.FixedString)
